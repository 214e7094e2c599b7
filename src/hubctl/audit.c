/* The record of changes: a table for people, all of it for programs. */
#include "base/text/text.h"
#include "hub/audit/audit.h"
#include "hubctl/internal.h"
#include "term/duration.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { SHOWN_MAX = 60, SHOWN_BY_DEFAULT = 50, PAGE = AUDIT_PAGE_MAX };

static int read_flags(struct cmd *c, struct admin_request *req)
{
	uint64_t n = 0;
	int64_t ms = 0;

	if (c->o->limit &&
		(text_u64(c->o->limit, strlen(c->o->limit), INT32_MAX, &n) < 0 || n == 0))
		return cmd_fail("--limit %s: a number from 1 on", c->o->limit);
	if (c->o->since && (duration_parse_life(c->o->since, &ms) < 0 || ms <= 0))
		return cmd_fail("--since %s: write it as 12h or 7d", c->o->since);
	req->limit = (int64_t)n;
	req->since = ms ? (unix_ms)time(NULL) * 1000 - ms : 0;
	return 0;
}

static const char *value(struct cmd *c, struct view v)
{
	const char *dots = v.len > SHOWN_MAX ? "..." : "";

	return v.len ? arena_printf(&c->mem, "%.*s%s", (int)MIN_OF(v.len, (size_t)SHOWN_MAX),
			       (const char *)v.p, dots)
		     : "-";
}

/* "device desk: name "one" -> "desk", namePinned - -> true" */
static const char *change_text(struct cmd *c, const struct audit_change *ch)
{
	const char *s = arena_printf(
		&c->mem, "%s %s:", ch->kind, ch->name ? ch->name : cmd_number(c, ch->id));

	for (size_t i = 0; s && i < ch->fields.n; i++) {
		const struct audit_values *v = ch->fields.v[i].value;

		s = arena_printf(&c->mem, "%s%s %s %s -> %s", s, i ? "," : "", ch->fields.v[i].key,
			value(c, v->before), value(c, v->after));
	}
	return s;
}

static const char *changes_text(struct cmd *c, const struct audit_entry *e)
{
	const char *s = "";

	for (size_t i = 0; s && i < e->changes.n; i++)
		s = arena_printf(&c->mem, "%s%s%s", s, i ? "; " : "",
			change_text(c, JSON_AT(e->changes, struct audit_change, i)));
	return s && e->more ? arena_printf(&c->mem, "%s; and %lld more", s, (long long)e->more) : s;
}

static const char *place(struct cmd *c, const struct audit_entry *e)
{
	char ip[IPADDR_TEXT_MAX];

	return e->from.family ? arena_printf(&c->mem, "%s, %s", e->via, ipaddr_format(e->from, ip))
			      : e->via;
}

/* The next page, an entry after the other to fn; req then asks for the one behind it, below 0: there is none. */
static int ask_page(struct cmd *c, struct admin_request *req,
	int (*fn)(struct cmd *c, const struct view *doc, void *ctx), void *ctx)
{
	struct admin_audit page = { 0 };
	int rc = cmd_ask(c, "POST", "/audit/list", req);

	if (rc == 0 && !cmd_decode(c, &admin_audit_type, &page))
		rc = cmd_fail("the hub's answer is not understood: is it of another version?");
	for (size_t i = 0; i < page.entries.n && rc == 0; i++)
		rc = fn(c, JSON_AT(page.entries, struct view, i), ctx);
	req->below = page.next;
	buf_clear(&c->in);
	return rc;
}

static int keep(struct cmd *c, const struct view *doc, void *ctx)
{
	struct json_list *kept = ctx;
	struct view *v = json_list_add(kept, &c->mem, sizeof(*v));
	char *copy = arena_strndup(&c->mem, doc->p, doc->len);

	if (!v || !copy)
		return cmd_fail("%s", err_text(-ENOMEM));
	*v = view_of(copy, doc->len);
	return 0;
}

static int print_table(struct cmd *c, const struct json_list *entries)
{
	struct table t;
	int rc = 0;

	HEAD(&t, c, "WHEN", "=BY", "=FROM", "=ACTION", "=CHANGED");
	for (size_t i = 0; i < entries->n && rc == 0; i++) {
		const struct view *doc = JSON_AT(*entries, struct view, i);
		struct audit_entry e;

		rc = json_decode(&audit_entry_type, doc->p, doc->len, &e, &c->mem, NULL);
		if (rc == 0)
			rc = TABLE_ROW(&t, cmd_time(c, e.at), e.by, place(c, &e), e.action,
				changes_text(c, &e));
	}
	return cmd_print(&t, rc);
}

int cmd_audit_list(struct cmd *c)
{
	struct admin_request req = { .text = c->o->n_words > 2 ? c->o->word[2] : NULL };
	struct admin_audit all = { .entries.present = true };
	int64_t limit;
	int rc = read_flags(c, &req);

	limit = req.limit ? req.limit : SHOWN_BY_DEFAULT;
	do {
		req.limit = MIN_OF(limit - (int64_t)all.entries.n, (int64_t)PAGE);
		rc = rc ? rc : ask_page(c, &req, keep, &all.entries);
	} while (rc == 0 && req.below && (int64_t)all.entries.n < limit);
	if (rc)
		return rc;
	return c->o->json ? cmd_print_doc(&admin_audit_type, &all) : print_table(c, &all.entries);
}

static int write_line(struct cmd *c, const struct view *doc, void *out)
{
	return fprintf(out, "%.*s\n", (int)doc->len, (const char *)doc->p) < 0
		       ? cmd_fail("%s: %s", c->o->word[2], err_text(-errno))
		       : 0;
}

/* A file that is not whole is none. */
static int finish(struct cmd *c, FILE *out, int rc)
{
	const char *path = c->o->word[2];

	if (fclose(out) != 0 && rc == 0)
		rc = cmd_fail("%s: %s", path, err_text(-errno));
	if (rc)
		remove(path);
	return rc;
}

int cmd_audit_export(struct cmd *c)
{
	struct admin_request req = { 0 };
	const char *path = c->o->word[2];
	bool to_stdout = !strcmp(path, "-");
	FILE *out = to_stdout ? stdout : fopen(path, "wxe");
	int rc = out ? read_flags(c, &req)
		     : cmd_fail("%s: %s", path,
			       errno == EEXIST ? "is there already: name another file"
					       : err_text(-errno));

	req.limit = PAGE;
	while (rc == 0) {
		rc = ask_page(c, &req, write_line, out);
		arena_reset(&c->mem);
		if (!req.below)
			break;
	}
	return out && !to_stdout ? finish(c, out, rc) : rc;
}
