#include "hub/policy_source/policy.h"
#include "base/text/text.h"
#include "crypto/sha256/sha256.h"
#include "hub/policy_source/git.h"
#include "os/log/log.h"
#include "proto/hujson/hujson.h"

#include <stdio.h>

static const char open_policy[] =
	"// There is no policy yet: all devices may reach all others.\n"
	"{\n\t\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}],\n}\n";

static void on_failure(void *ctx, const struct policy_failure *from)
{
	struct policy_fault *f = ctx;
	struct policy_fail *to = &f->v[f->n];

	f->n_all++;
	if (f->n == POLICY_FAILURES_MAX)
		return;
	*to = (struct policy_fail){ .src = arena_strdup(f->mem, from->src),
		.text = arena_strdup(f->mem, from->text),
		.ssh = from->ssh,
		.line = from->line,
		.column = from->column };
	f->n += to->src && to->text;
}

const char *policy_fault_text(int rc, const struct policy_fault *f, char *out, size_t size)
{
	if (rc == COORD_POLICY_TESTS_FAILED && f->n)
		snprintf(out, size, "%zu of its tests fail; line %lld: %s: %s", f->n_all,
			(long long)f->v[0].line, f->v[0].src, f->v[0].text);
	else if (rc == COORD_POLICY_TESTS_FAILED)
		snprintf(out, size, "%zu of its tests fail", f->n_all);
	else if (f->at.line)
		snprintf(out, size, "line %u, column %u: %s", f->at.line, f->at.column, f->at.text);
	else
		snprintf(out, size, "%s", f->at.text[0] ? f->at.text : err_text(rc));
	return out;
}

static void note(struct hub *h, int rc, const char *author, const struct policy_fault *f)
{
	char why[512];

	if (rc == 0) {
		h->n.policy_changes++;
		log_info("policy", "in force", "version=%lld by=\"%s\"",
			(long long)coord_policy_current(h->tailnet)->id, author);
		return;
	}
	h->n.policy_refused++;
	log_warn_limited("policy", "refused; the one before stays in force", "by=\"%s\" why=\"%s\"",
		author, policy_fault_text(rc, f, why, sizeof(why)));
}

/* A file that was emptied by accident must not open everything; the engine takes no text for no
 * policy. */
static bool is_empty(struct view text, struct policy_fault *f)
{
	f->at = (struct err_at){ 0 };
	if (!text.len)
		err_at_set(&f->at, 1, 1,
			"the policy is empty; write {\"acls\": []} to forbid everything, or say what is allowed");
	return !text.len;
}

int policy_source_set(struct hub *h, struct view text, const char *author, enum policy_by by,
	int64_t if_version, struct policy_fault *f)
{
	int rc = is_empty(text, f) ? -ERR_BAD_VALUE : 0;

	if (by == POLICY_BY_HAND && h->git)
		return POLICY_OWNED_BY_GIT;
	if (rc == 0)
		rc = coord_policy_set(h->tailnet, text, author, if_version, loop_now(h->loop),
			on_failure, f, &f->at);
	note(h, rc, author, f);
	return rc;
}

int policy_source_check(struct hub *h, struct view text, struct policy_fault *f)
{
	return is_empty(text, f) ? -ERR_BAD_VALUE
				 : coord_policy_check(h->tailnet, text, on_failure, f, &f->at);
}

struct view policy_source_text(const struct hub *h)
{
	struct view text;

	if (coord_policy_current(h->tailnet) && coord_policy_text(h->tailnet, 0, &text) == 0)
		return text;
	return view_of(open_policy, sizeof(open_policy) - 1);
}

const char *policy_source_etag(struct hub *h)
{
	const struct coord_policy_version *v = coord_policy_current(h->tailnet);
	int64_t id = v ? v->id : 0;
	struct view text;
	struct buf b;

	if (h->etag[0] && h->etag_version == id)
		return h->etag;
	text = policy_source_text(h);
	buf_init(&b, 8 * COORD_POLICY_TEXT_MAX); /* blanks of the canonical form included */
	if (hujson_format(text.p, text.len, &b, NULL) == 0)
		text = buf_view(&b);
	sha256_hex(text.p, text.len, h->etag);
	buf_fini(&b);
	h->etag_version = id;
	return h->etag;
}
