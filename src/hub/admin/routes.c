#include "hub/admin/internal.h"

#include <errno.h>
#include <stdlib.h>

static const char *const modes[] = { [COORD_PROTECTED_SHOW] = "show",
	[COORD_PROTECTED_QUARANTINE] = "quarantine",
	[COORD_PROTECTED_REFUSE] = "refuse" };

struct listing {
	struct admin_call *call;
	struct json_list list; /* struct admin_route */
};

static int add_route(void *ctx, const struct coord_route *r)
{
	struct listing *l = ctx;
	struct admin_call *c = l->call;
	const struct coord_node_doc *n = coord_node_find(c->hub->tailnet, r->node);
	struct admin_route *to = json_list_add(&l->list, c->mem, sizeof(*to));
	char own[IPPREFIX_TEXT_MAX];

	if (!to)
		return -ENOMEM;
	*to = (struct admin_route){ .node = r->node,
		.name = n ? n->name : "",
		.prefix = r->prefix,
		.advertised = r->advertised,
		.approved = r->approved,
		.in_use = r->in_use,
		.primary = r->primary,
		.online = r->online,
		.quarantined = coord_node_quarantined(c->hub->tailnet, r->node),
		.by = !r->approved        ? NULL
		      : r->by && r->by[0] ? r->by
					  : "autoApprovers",
		.approved_at = r->approved_at };
	if (r->protected)
		to->own = arena_strdup(c->mem, ipprefix_format(*r->protected, own));
	return r->protected && !to->own ? -ENOMEM : 0;
}

static int by_prefix(const void *pa, const void *pb)
{
	const struct ipprefix *a = pa, *b = pb;
	int k = ipaddr_cmp(a->ip, b->ip);

	return k ? k : (a->bits > b->bits) - (a->bits < b->bits);
}

/* Approved here and there, and no device offers it: it was withdrawn everywhere, or never came. */
static int mark_nobodys(struct admin_call *c, struct json_list *list)
{
	struct ipprefix *offered = arena_array(c->mem, list->n, sizeof(*offered));
	size_t n = 0;

	if (!offered)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++) {
		const struct admin_route *r = JSON_AT(*list, struct admin_route, i);

		if (r->advertised)
			offered[n++] = r->prefix;
	}
	if (n)
		qsort(offered, n, sizeof(*offered), by_prefix);
	for (size_t i = 0; i < list->n; i++) {
		struct admin_route *r = JSON_AT(*list, struct admin_route, i);

		r->nobodys = r->approved && !r->advertised &&
			     (!n || !bsearch(&r->prefix, offered, n, sizeof(*offered), by_prefix));
	}
	return 0;
}

int admin_routes(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct listing l = { .call = c, .list.present = true };
	int rc = coord_routes(c->hub->tailnet, 0, add_route, &l);

	if (rc >= 0)
		rc = mark_nobodys(c, &l.list);
	return rc < 0 ? rc : admin_reply(c, &admin_route_list, &l.list);
}

static int one_prefix(struct admin_call *c, struct ipprefix *ret)
{
	if (c->req.prefixes.n != 1)
		return admin_say(c, -ERR_BAD_VALUE, "name one prefix, as 10.1.0.0/16");
	*ret = *JSON_AT(c->req.prefixes, struct ipprefix, 0);
	if (!ipprefix_eq(*ret, ipprefix_masked(*ret)))
		return admin_say(c, -ERR_BAD_VALUE,
			"a prefix has no bits behind its length set: 10.1.0.0/16, not 10.1.2.3/16");
	return 0;
}

int admin_route_approve(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct ipprefix p;
	int rc = one_prefix(c, &p);

	if (rc == 0)
		rc = coord_route_approve(
			c->hub->tailnet, c->id, p, c->req.author ? c->req.author : "admin", c->now);
	if (rc == -ENOENT)
		return admin_no_node(c);
	if (rc == -ERR_TOO_MANY)
		return admin_say(c, rc, "this device has %d approved routes, and no more can be",
			COORD_ROUTES_MAX);
	return rc < 0 ? rc : admin_ok(c);
}

int admin_route_unapprove(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct ipprefix p;
	int rc = one_prefix(c, &p);

	if (rc == 0)
		rc = coord_route_unapprove(c->hub->tailnet, c->id, p, c->now);
	if (rc == -ENOENT)
		return coord_node_find(c->hub->tailnet, c->id)
			       ? admin_say(c, rc,
					 "this route is not approved; \"warren-hub routes list\" shows all")
			       : admin_no_node(c);
	return rc < 0 ? rc : admin_ok(c);
}

int admin_own_prefixes(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_settings *s = coord_settings(c->hub->tailnet);
	struct admin_own_prefixes doc = { .prefixes = s->protected_prefixes,
		.mode = modes[s->protected_switch] };

	doc.prefixes.present = true;
	return admin_reply(c, &admin_own_prefixes_type, &doc);
}

/* What is not named stays: the mode, or the prefixes when there is no list. */
int admin_own_prefixes_set(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_settings *s = coord_settings(c->hub->tailnet);
	struct json_list l = c->req.prefixes.present ? c->req.prefixes : s->protected_prefixes;
	size_t mode = (size_t)s->protected_switch;
	struct ipprefix *v = arena_array(c->mem, l.n, sizeof(*v));
	int rc;

	if (!v)
		return -ENOMEM;
	if (l.n)
		memcpy(v, l.v, l.n * sizeof(*v)); /* the engine's own list may be what is set */
	if (c->req.mode)
		for (mode = 0; mode < ARRAY_LEN(modes) && strcmp(modes[mode], c->req.mode) != 0;
			mode++)
			;
	if (mode == ARRAY_LEN(modes))
		return admin_say(c, -ERR_BAD_VALUE,
			"--mode is show, quarantine or refuse, not \"%s\"", c->req.mode);
	rc = coord_protected_prefixes_set(
		c->hub->tailnet, v, l.n, (enum coord_protected_switch)mode, c->now);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"a prefix is written as 10.0.0.0/8, without bits behind its length, and is no default route");
	if (rc == -ERR_TOO_MANY)
		return admin_say(c, rc, "at most %d prefixes can be the organisation's own",
			COORD_PROTECTED_PREFIXES_MAX);
	return rc < 0 ? rc : admin_own_prefixes(c->q);
}
