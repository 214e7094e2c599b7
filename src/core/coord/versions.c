/* Versions of the policy: which one runs, which were before, and what another one would mean. */
#include "core/coord/internal.h"
#include "base/text/text.h"

#include <errno.h>

static void version_free(struct tailnet *c, struct version *v)
{
	list_remove(&v->link);
	c->n_versions--;
	c->version_bytes -= v->text.len;
	arena_fini(&v->mem);
	free(v);
}

void versions_free(struct tailnet *c)
{
	list_for_each_safe(l, &c->versions)
		version_free(c, container_of(l, struct version, link));
}

/* Not in the list yet. */
static struct version *version_new(const struct coord_policy_doc *doc)
{
	struct version *v = calloc(1, sizeof(*v));
	char *text, *author, *hash;

	if (!v)
		return NULL;
	arena_init(&v->mem, 2 * (size_t)COORD_POLICY_TEXT_MAX);
	text = arena_strdup(&v->mem, doc->text ? doc->text : "");
	author = arena_strdup(&v->mem, doc->author ? doc->author : "");
	hash = arena_strdup(&v->mem, doc->hash ? doc->hash : "");
	if (!text || !author || !hash) {
		arena_fini(&v->mem);
		free(v);
		return NULL;
	}
	v->text = view_of(text, strlen(text));
	v->v = (struct coord_policy_version){ .id = doc->id,
		.author = author,
		.hash = hash,
		.created = doc->created,
		.size = v->text.len };
	return v;
}

static void version_add(struct tailnet *c, struct version *v)
{
	struct list *at = c->versions.next;

	while (at != &c->versions && container_of(at, struct version, link)->v.id > v->v.id)
		at = at->next;
	list_insert_before(at, &v->link);
	c->n_versions++;
	c->version_bytes += v->text.len;
}

int version_load(struct tailnet *c, const struct coord_policy_doc *doc)
{
	struct version *v = version_new(doc);

	if (!v)
		return -ENOMEM;
	version_add(c, v);
	return 0;
}

static struct version *running(const struct tailnet *c)
{
	return list_empty(&c->versions) ? NULL
					: container_of(c->versions.next, struct version, link);
}

const struct coord_policy_version *coord_policy_current(const struct tailnet *c)
{
	return running(c) ? &running(c)->v : NULL;
}

const struct coord_policy_version *coord_policy_next(
	const struct tailnet *c, const struct coord_policy_version *v)
{
	const struct list *l = v ? container_of(v, struct version, v)->link.next : c->versions.next;

	return l == &c->versions ? NULL : &container_of(l, struct version, link)->v;
}

int coord_policy_text(const struct tailnet *c, int64_t id, struct view *ret)
{
	list_for_each(l, &c->versions) {
		const struct version *v = container_of(l, struct version, link);

		if (id && v->v.id != id)
			continue;
		*ret = v->text;
		return 0;
	}
	return -ENOENT;
}

/* another text */

int plan_compile(struct tailnet *c, struct view text, struct policy_plan **ret, struct err_at *at)
{
	struct policy_doc *doc;
	int rc;

	if (text.len > COORD_POLICY_TEXT_MAX) {
		err_at_set(
			at, 1, 1, "the policy is larger than %d MiB", COORD_POLICY_TEXT_MAX >> 20);
		return -ERR_TOO_BIG;
	}
	if (text.len && (!text_is_utf8(text.p, text.len) || memchr(text.p, 0, text.len))) {
		err_at_set(at, 1, 1, "the policy is not text in UTF-8");
		return -ERR_BAD_FORMAT;
	}
	rc = policy_doc_parse(&doc, text.p, text.len, at);
	return rc < 0 ? rc : policy_plan_new(ret, c->policy, doc, POLICY_NEW, at);
}

static void no_failure(void *ctx, const struct policy_failure *f)
{
	(void)ctx;
	(void)f;
}

/* Compiles and tests it. */
static int judge(struct tailnet *c, struct view text, coord_policy_failure_fn fn, void *ctx,
	struct policy_plan **ret, struct err_at *at)
{
	int rc = plan_compile(c, text, ret, at);

	if (rc < 0)
		return rc;
	rc = policy_test(*ret, fn ? fn : no_failure, ctx);
	if (rc != 0)
		policy_plan_free(*ret);
	return rc > 0 ? COORD_POLICY_TESTS_FAILED : rc;
}

int coord_policy_check(struct tailnet *c, struct view text, coord_policy_failure_fn fn, void *ctx,
	struct err_at *at)
{
	struct policy_plan *plan;
	int rc = judge(c, text, fn, ctx, &plan, at);

	if (rc == 0)
		policy_plan_free(plan);
	return rc;
}

static int store_version(struct tailnet *c, struct view text, const char *author, struct now now,
	struct version **ret)
{
	const struct version *last = running(c);
	char *copy = strndup(text.len ? (const char *)text.p : "", text.len), hash[65];
	struct coord_policy_doc doc = { .id = last ? last->v.id + 1 : 1,
		.author = author ? author : "",
		.text = copy,
		.hash = hash,
		.created = now.wall };
	uint8_t sum[32];
	int rc = copy ? 0 : -ENOMEM;

	c->cfg.hash(text.len ? (const char *)text.p : "", text.len, sum);
	hex_encode(sum, sizeof(sum), hash);
	*ret = copy ? version_new(&doc) : NULL;
	if (*ret)
		rc = store_doc(c, COORD_POLICY, doc.id, &coord_policy_doc_type, &doc);
	else
		rc = -ENOMEM;
	free(copy);
	return rc;
}

static void drop_oldest(struct tailnet *c)
{
	while (c->n_versions > 1 && (c->n_versions > COORD_POLICY_VERSIONS_MAX ||
					    c->version_bytes > COORD_POLICY_KEEP_MAX)) {
		struct version *v = container_of(c->versions.prev, struct version, link);

		store_delete(c, COORD_POLICY, v->v.id);
		version_free(c, v);
	}
}

static int install(struct tailnet *c, struct policy_plan *plan, bool open, struct now now)
{
	int rc;

	follow_drain(c, now); /* what happened under the policy before */
	rc = follow_before_install(c, plan);
	policy_install(c->policy, plan);
	c->open = open;
	c->installing = rc == 0;
	follow_drain(c, now);
	c->installing = false;
	list_for_each(l, &c->polls) { /* hidden devices too, of which the engine knows nothing */
		struct coord_poll *p = container_of(l, struct coord_poll, all);

		p->filter_stale = p->ssh_stale = true;
	}
	c->flush_at = now.mono;
	return follow_routes(c, now);
}

int coord_policy_set(struct tailnet *c, struct view text, const char *author, int64_t if_version,
	struct now now, coord_policy_failure_fn fn, void *ctx, struct err_at *at)
{
	const struct version *present = running(c);
	struct policy_plan *plan;
	struct version *v;
	int rc;

	if (if_version != COORD_POLICY_ANY_VERSION && if_version != (present ? present->v.id : 0)) {
		err_at_set(at, 0, 0, "the policy was changed meanwhile: version %lld runs",
			(long long)(present ? present->v.id : 0));
		return -ERR_CONFLICT;
	}
	rc = judge(c, text, fn, ctx, &plan, at);
	if (rc != 0)
		return rc;
	if (present && view_eq(present->text, text)) {
		policy_plan_free(plan);
		return 0; /* it runs already */
	}
	rc = store_version(c, text, author, now, &v);
	if (rc < 0) {
		policy_plan_free(plan);
		return rc;
	}
	version_add(c, v);
	drop_oldest(c);
	return install(c, plan, text.len == 0, now);
}

int coord_policy_preview(struct tailnet *c, struct view text,
	void (*fn)(void *ctx, const struct policy_change *ch), void *ctx, struct err_at *at)
{
	struct policy_plan *plan;
	int rc = plan_compile(c, text, &plan, at);

	if (rc < 0)
		return rc;
	rc = policy_preview(policy_installed(c->policy), plan, fn, ctx);
	policy_plan_free(plan);
	return rc;
}

int coord_policy_rules(struct tailnet *c, struct view text, int64_t user, struct ipaddr dst,
	uint16_t port, policy_rule_fn fn, void *ctx, struct err_at *at)
{
	struct policy_plan *plan;
	int rc = plan_compile(c, text, &plan, at);

	if (rc < 0)
		return rc;
	policy_rules_about(plan, user, dst, port, fn, ctx);
	policy_plan_free(plan);
	return 0;
}

void coord_policy_stats(const struct tailnet *c, struct policy_stats *ret)
{
	policy_stats(policy_installed(c->policy), ret);
}
