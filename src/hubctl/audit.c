/* The record of changes: a table for people, all of it for programs. */
#include "base/text/text.h"
#include "hub/audit/audit.h"
#include "hubctl/internal.h"
#include "os/file/file.h"
#include "term/duration.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

enum { SHOWN_MAX = 60, PAGE = AUDIT_PAGE_MAX };

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

int cmd_audit_list(struct cmd *c)
{
	struct admin_request req = { .text = c->o->n_words > 2 ? c->o->word[2] : NULL };
	struct admin_audit_read page;
	struct table t;
	bool done;
	int rc = read_flags(c, &req);

	if (rc == 0)
		rc = cmd_ask(c, "POST", "/audit/list", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_audit_read_type, &page, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "WHEN", "=BY", "=FROM", "=ACTION", "=CHANGED");
	for (size_t i = 0; i < page.entries.n && rc == 0; i++) {
		const struct audit_entry *e = JSON_AT(page.entries, struct audit_entry, i);

		rc = TABLE_ROW(
			&t, cmd_time(c, e->at), e->by, place(c, e), e->action, changes_text(c, e));
	}
	return cmd_print(&t, rc);
}

/* A page to the file, the newest first. */
static int write_page(struct cmd *c, const struct json_list *entries, FILE *out)
{
	for (size_t i = 0; i < entries->n; i++) {
		const struct view *v = JSON_AT(*entries, struct view, i);

		if (fprintf(out, "%.*s\n", (int)v->len, (const char *)v->p) < 0)
			return cmd_fail("%s: %s", c->o->word[2], err_text(-errno));
	}
	return 0;
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
	struct admin_audit page = { 0 };

	if (rc == 0)
		do {
			req.limit = PAGE;
			rc = cmd_ask(c, "POST", "/audit/list", &req);
			if (rc == 0 && !cmd_decode(c, &admin_audit_type, &page))
				rc = cmd_fail(
					"the hub's answer is not understood: is it of another version?");
			if (rc == 0)
				rc = write_page(c, &page.entries, out);
			req.below = page.next;
			buf_clear(&c->in);
			arena_reset(&c->mem);
		} while (rc == 0 && page.next);
	if (out && !to_stdout && fclose(out) != 0 && rc == 0)
		rc = cmd_fail("%s: %s", path, err_text(-errno));
	return rc;
}
