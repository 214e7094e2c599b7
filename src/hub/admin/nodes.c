/* Lists of devices: all or some, in the order that is asked for. */
#include "base/text/text.h"
#include "hub/admin/internal.h"

#include <errno.h>
#include <stdlib.h>

static int by_number(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Their numbers tell apart those that are alike. */
#define COMPARE(name, expression) \
	static int by_##name(const void *pa, const void *pb) \
	{ \
		const struct admin_node *a = pa, *b = pb; \
		int k = (expression); \
\
		return k ? k : by_number(a->id, b->id); \
	}

static const char *text(const char *s)
{
	return s ? s : "";
}

static const char *owner(const struct admin_node *n)
{
	return n->tags.n ? *JSON_AT(n->tags, const char *, 0) : text(n->user);
}

static const char *state(const struct admin_node *n)
{
	return !n->approved ? "waiting" : n->expired ? "expired" : n->online ? "online" : "offline";
}

/* Who is here now was seen last; then the others, the latest first. */
static int64_t age(const struct admin_node *n)
{
	return n->online ? INT64_MIN : -n->last_seen;
}

COMPARE(id, 0)
COMPARE(name, strcmp(a->name, b->name))
COMPARE(address, memcmp(a->ip4.b, b->ip4.b, 4))
COMPARE(user, strcmp(owner(a), owner(b)))
COMPARE(state, strcmp(state(a), state(b)))
COMPARE(seen, by_number(age(a), age(b)))
COMPARE(os, strcmp(text(a->os), text(b->os)))
COMPARE(client, strcmp(text(a->client), text(b->client)))
COMPARE(created, by_number(a->created, b->created))

static const struct order {
	const char *name;
	int (*compare)(const void *a, const void *b);
} orders[] = { { "id", by_id }, { "name", by_name }, { "address", by_address }, { "user", by_user },
	{ "state", by_state }, { "seen", by_seen }, { "os", by_os }, { "client", by_client },
	{ "created", by_created } };

/* What the request asks for. */
struct choice {
	const struct coord_user *user;
	const char *state, *os, *tag;
	const struct order *order;
	bool reverse;
};

static int read_choice(struct admin_call *c, struct choice *ret)
{
	static const char *const states[] = { "online", "offline", "expired", "waiting" };
	size_t i = 0;

	*ret = (struct choice){ .state = c->req.state,
		.os = c->req.os,
		.tag = c->req.tag,
		.order = &orders[0],
		.reverse = c->req.reverse };
	if (c->req.user && admin_find_user(c, c->req.user, &ret->user) < 0)
		return -ENOENT;
	while (ret->state && i < ARRAY_LEN(states) && strcmp(ret->state, states[i]) != 0)
		i++;
	if (i == ARRAY_LEN(states))
		return admin_say(c, -ERR_BAD_VALUE,
			"\"%s\" is no state: online, offline, expired or waiting", ret->state);
	for (i = 0;
		c->req.sort && i < ARRAY_LEN(orders) && strcmp(c->req.sort, orders[i].name) != 0;
		i++)
		;
	if (i == ARRAY_LEN(orders))
		return admin_say(c, -ERR_BAD_VALUE,
			"--sort %s: one of id, name, address, user, state, seen, os, client, created",
			c->req.sort);
	ret->order = &orders[i];
	return 0;
}

static bool has_tag(const struct admin_node *n, const char *tag)
{
	size_t skip = strncmp(tag, "tag:", 4) ? 4 : 0; /* "tag:web" or "web" */

	for (size_t i = 0; i < n->tags.n; i++)
		if (!strcmp(*JSON_AT(n->tags, const char *, i) + skip, tag))
			return true;
	return false;
}

static bool is_chosen(
	const struct choice *w, const struct admin_node *n, const struct coord_node_doc *d)
{
	if (w->user && (n->tags.n || d->user != w->user->id))
		return false;
	if (w->state && strcmp(w->state, state(n)) != 0)
		return false;
	if (w->os && !text_ieq(text(n->os), strlen(text(n->os)), w->os, strlen(w->os)))
		return false;
	return !w->tag || has_tag(n, w->tag);
}

int admin_nodes(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_stats s;
	struct choice w;
	struct admin_node *v;
	struct json_list list;
	size_t n = 0;
	int rc = read_choice(c, &w);

	if (rc < 0)
		return rc;
	coord_stats(c->hub->tailnet, &s);
	v = arena_array(c->mem, s.nodes, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(c->hub->tailnet, d));) {
		if (admin_node_doc(c, d, &v[n]) < 0)
			return -ENOMEM;
		n += is_chosen(&w, &v[n], d);
	}
	qsort(v, n, sizeof(*v),
		w.order->compare); /* the engine keeps them in the order of their changes */
	for (size_t i = 0; w.reverse && i < n / 2; i++) {
		struct admin_node x = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = x;
	}
	list = json_list_of(v, n);
	return admin_reply(c, &admin_node_list, &list);
}

int admin_node_show(struct http_request *q)
{
	struct admin_call *c = q->call;
	const char *word = c->req.name ? c->req.name : "";
	const struct coord_node_doc *d = hub_node(c->hub, word);
	struct admin_node doc;

	if (!d)
		return admin_say(
			c, -ENOENT, "no device \"%s\"; \"warren-hub nodes list\" shows all", word);
	return admin_node_doc(c, d, &doc) < 0 ? -ENOMEM : admin_reply(c, &admin_node_type, &doc);
}
