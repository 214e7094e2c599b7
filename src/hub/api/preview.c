/*
 * POST .../acl/preview?type=user|ipport&previewFor=...: which rules of a policy concern a person,
 * or a port of an address. The body is the policy; nothing is stored.
 */
#include "base/text/text.h"
#include "hub/api/internal.h"
#include "proto/hujson/hujson.h"

#include <errno.h>

enum { TARGET_MAX = 256 };

struct match {
	struct json_list users,
		ports; /* const char *: as the rule writes its sources and destinations */
	int64_t line;
};

struct preview {
	struct http_request *q;
	const struct hujson *root; /* of the policy */
	struct json_list matches;
	int rc;
	const char *type, *target;
};

static const struct json_field match_fields[] = {
	JSON_F(struct match, users, "users", json_str_list, 0),
	JSON_F(struct match, ports, "ports", json_str_list, 0),
	JSON_F(struct match, line, "lineNumber", json_int, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(match_type, struct match, match_fields);
static JSON_LIST_TYPE(match_list, match_type);
static const struct json_field preview_fields[] = {
	JSON_F(struct preview, matches, "matches", match_list, 0),
	JSON_F(struct preview, type, "type", json_str, 0),
	JSON_F(struct preview, target, "previewFor", json_str, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(preview_type, struct preview, preview_fields);

/* Names of members match whatever their case. */
static const struct hujson *member(const struct hujson *obj, const char *name)
{
	const struct hujson *found = NULL;

	if (!obj || obj->kind != HUJSON_OBJECT)
		return NULL;
	hujson_for_each(m, obj) if (text_ieq(m->name, strlen(m->name), name, strlen(name))) found =
		m;
	return found;
}

static int add_texts(struct preview *p, const struct hujson *list, struct json_list *out)
{
	out->present = true;
	if (!list || list->kind != HUJSON_ARRAY)
		return 0;
	hujson_for_each(m, list)
	{
		const char **to = m->kind == HUJSON_STRING
					  ? json_list_add(out, &p->q->mem, sizeof(*to))
					  : NULL;

		if (!to)
			return m->kind == HUJSON_STRING ? -ENOMEM : 0;
		*to = m->text;
	}
	return 0;
}

static const struct hujson *entry_at(const struct preview *p, bool grant, size_t index)
{
	const struct hujson *list = member(p->root, grant ? "grants" : "acls"),
			    *e = list ? list->first : NULL;

	while (e && index--)
		e = e->next;
	return e;
}

static void on_rule(void *ctx, bool grant, size_t index, unsigned line)
{
	struct preview *p = ctx;
	const struct hujson *e = entry_at(p, grant, index), *src, *dst;
	struct match *m =
		e && p->rc == 0 ? json_list_add(&p->matches, &p->q->mem, sizeof(*m)) : NULL;

	if (!m) {
		p->rc = -ENOMEM;
		return;
	}
	src = member(e, "src");
	dst = member(e, "dst");
	m->line = line;
	p->rc = add_texts(p, src ? src : member(e, "users"),
		&m->users); /* "users" and "ports" are their older names */
	if (p->rc == 0)
		p->rc = add_texts(p, dst ? dst : member(e, "ports"), &m->ports);
}

static int take_target(struct preview *p, int64_t *ret_user, struct ipport *ret_dst)
{
	const struct coord_user *u;

	*ret_user = 0;
	*ret_dst = (struct ipport){ 0 };
	if (!strcmp(p->type, "ipport"))
		return ipport_parse(p->target, strlen(p->target), ret_dst);
	u = !strcmp(p->type, "user") ? coord_user_find(hub_of(p->q)->tailnet, p->target) : NULL;
	*ret_user =
		u ? u->id
		  : -1; /* a person whom nobody knows has no devices, and so no rule concerns him */
	return !strcmp(p->type, "user") ? 0 : -ERR_BAD_VALUE;
}

int api_preview(struct http_request *q)
{
	char type[TARGET_MAX], target[TARGET_MAX];
	struct preview p = { .q = q, .matches.present = true, .type = type, .target = target };
	struct policy_fault *f = arena_new(&q->mem, struct policy_fault);
	struct view text = q->body;
	struct ipport dst;
	int64_t user;
	int rc;

	if (!f)
		return -ENOMEM;
	f->mem = &q->mem;
	if (http1_unescape(http1_query(q->head, "type"), true, type, sizeof(type)) < 0 ||
		http1_unescape(http1_query(q->head, "previewFor"), true, target, sizeof(target)) <
			0 ||
		!text_is_utf8(target, strlen(target)) || take_target(&p, &user, &dst) < 0)
		return api_refuse(q, 400,
			"type is user or ipport, and previewFor a login name or ADDRESS:PORT");
	rc = hujson_parse(text.p, text.len, &q->mem, (struct hujson **)(uintptr_t)&p.root, &f->at);
	if (rc == 0)
		rc = coord_policy_rules(
			hub_of(q)->tailnet, text, user, dst.ip, dst.port, on_rule, &p, &f->at);
	if (rc < 0)
		return api_reply_fault(q, 400, rc, f);
	return p.rc < 0 ? p.rc : api_reply(q, 200, &preview_type, &p, "");
}
