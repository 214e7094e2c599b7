/* core/policy/compile: nodes as the owner tells them. */
#include "core/policy/compile/internal.h"

#include <errno.h>

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Subnets first, default routes behind; each by address and length. */
static int by_prefix(const void *a, const void *b)
{
	const struct ipprefix *x = a, *y = b;
	int c = (x->bits == 0) - (y->bits == 0);

	if (c == 0)
		c = ipaddr_cmp(x->ip, y->ip);
	return c ? c : (int)x->bits - (int)y->bits;
}

/* One block behind the struct for all that a node's document points to. */
struct block {
	char *mem;
	size_t at;
};

static void *put(struct block *b, const void *p, size_t n)
{
	void *to = b->mem ? b->mem + b->at : NULL;

	if (to && n)
		memcpy(to, p, n);
	b->at += n;
	return to;
}

static void put_lists(struct block *b, const struct policy_node *doc, struct node_rec *n)
{
	n->attrs = put(b, doc->attrs, doc->n_attrs * sizeof(*doc->attrs));
	n->tags = put(b, doc->tags, doc->n_tags * sizeof(*doc->tags));
	n->routes = put(b, doc->routes, doc->n_routes * sizeof(*doc->routes));
	for (size_t i = 0; i < doc->n_tags; i++) {
		const char *s = put(b, doc->tags[i], strlen(doc->tags[i]) + 1);

		if (b->mem)
			n->tags[i] = s;
	}
	for (size_t i = 0; i < doc->n_attrs; i++) {
		struct policy_attr a = { put(b, doc->attrs[i].key, strlen(doc->attrs[i].key) + 1),
			put(b, doc->attrs[i].value, strlen(doc->attrs[i].value) + 1) };

		if (b->mem)
			n->attrs[i] = a;
	}
}

static void sort_lists(struct node_rec *n)
{
	size_t out = 0;

	qsort(n->tags, n->n_tags, sizeof(*n->tags), by_text);
	for (size_t i = 0; i < n->n_tags; i++)
		if (out == 0 || strcmp(n->tags[out - 1], n->tags[i]) != 0)
			n->tags[out++] = n->tags[i];
	n->n_tags = out;
	for (size_t i = 0; i < n->n_routes; i++)
		n->routes[i] = ipprefix_masked(n->routes[i]);
	qsort(n->routes, n->n_routes, sizeof(*n->routes), by_prefix);
	out = 0;
	for (size_t i = 0; i < n->n_routes; i++)
		if (n->routes[i].ip.family &&
			(out == 0 || !ipprefix_eq(n->routes[out - 1], n->routes[i])))
			n->routes[out++] = n->routes[i];
	n->n_routes = out;
	for (n->n_subnets = 0; n->n_subnets < out && n->routes[n->n_subnets].bits > 0;)
		n->n_subnets++;
}

static int copy_lists(const struct policy_node *doc, struct node_rec *n)
{
	struct block b = { 0 };

	put_lists(&b, doc, n);
	n->mem_len = b.at;
	n->mem = malloc(b.at + 1);
	if (!n->mem)
		return -ENOMEM;
	b = (struct block){ .mem = n->mem };
	n->n_tags = doc->n_tags;
	n->n_routes = doc->n_routes;
	n->n_attrs = doc->n_attrs;
	put_lists(&b, doc, n);
	sort_lists(n);
	return 0;
}

static int check_node(const struct policy_directory *w, const struct policy_node *d)
{
	if (d->id <= 0 || d->n_tags > POLICY_TAGS_MAX || d->n_routes > POLICY_ROUTES_MAX ||
		d->n_attrs > POLICY_ATTRS_MAX)
		return -ERR_BAD_VALUE;
	if ((d->ip4.family && d->ip4.family != 4) || (d->ip6.family && d->ip6.family != 6))
		return -ERR_BAD_VALUE;
	for (size_t i = 0; i < d->n_tags; i++)
		if (!d->tags[i] || strlen(d->tags[i]) > POLICY_TEXT_MAX)
			return -ERR_BAD_VALUE;
	for (size_t i = 0; i < d->n_attrs; i++)
		if (!d->attrs[i].key || !d->attrs[i].value ||
			strlen(d->attrs[i].key) > POLICY_TEXT_MAX ||
			strlen(d->attrs[i].value) > POLICY_TEXT_MAX)
			return -ERR_BAD_VALUE;
	if (!directory_node(w, d->id) && w->nodes.n_items >= POLICY_NODES_MAX)
		return -ERR_TOO_MANY;
	return 0;
}

/* Two nodes of one address is the owner's mistake; the first keeps it in lookups. */
static int map_addresses(struct policy_directory *w, struct node_rec *n)
{
	int rc = 0;

	if (n->ip4.family) {
		rc = map_insert(&w->addrs, &n->by_ip4, &n->ip4, sizeof(n->ip4));
		n->has_map4 = rc == 0;
	}
	if (rc >= 0 && n->ip6.family) {
		rc = map_insert(&w->addrs, &n->by_ip6, &n->ip6, sizeof(n->ip6));
		n->has_map6 = rc == 0;
	}
	return rc < 0 ? rc : 0;
}

static void unmap_addresses(struct policy_directory *w, struct node_rec *n)
{
	if (n->has_map4)
		map_remove(&w->addrs, &n->by_ip4);
	if (n->has_map6)
		map_remove(&w->addrs, &n->by_ip6);
	n->has_map4 = n->has_map6 = false;
}

static int join_user(struct policy_directory *w, struct node_rec *n, int64_t id)
{
	struct user_rec *u = directory_user(w, id);
	int rc = 0;

	if (n->n_tags || id <= 0)
		return 0;
	if (!u)
		rc = directory_user_create(w, id, &u);
	if (rc == 0)
		rc = u32s_push(&u->nodes, n->slot);
	if (rc < 0)
		return rc;
	n->user = u;
	n->pos_in_user = u->nodes.n - 1;
	return 0;
}

static void leave_user(struct policy_directory *w, struct node_rec *n)
{
	struct u32s *list = n->user ? &n->user->nodes : NULL;

	if (!list)
		return;
	list->v[n->pos_in_user] = list->v[--list->n];
	if (n->pos_in_user < list->n)
		w->node_at[list->v[n->pos_in_user]]->pos_in_user = n->pos_in_user;
	n->user = NULL;
}

static bool same_lists(const struct node_rec *n, const struct node_rec *m)
{
	if (n->n_tags != m->n_tags || n->n_routes != m->n_routes)
		return false;
	for (size_t i = 0; i < n->n_tags; i++)
		if (strcmp(n->tags[i], m->tags[i]) != 0)
			return false;
	for (size_t i = 0; i < n->n_routes; i++)
		if (!ipprefix_eq(n->routes[i], m->routes[i]))
			return false;
	return true;
}

static bool same_state(const struct node_rec *n, const struct node_rec *m)
{
	if (n->n_attrs != m->n_attrs || n->offline != m->offline || n->unhealthy != m->unhealthy)
		return false;
	for (size_t i = 0; i < n->n_attrs; i++)
		if (strcmp(n->attrs[i].key, m->attrs[i].key) != 0 ||
			strcmp(n->attrs[i].value, m->attrs[i].value) != 0)
			return false;
	return true;
}

/* Who and where it is; not what it says about itself, nor how it is. */
static bool same_node(const struct node_rec *n, const struct node_rec *m, int64_t user)
{
	int64_t had = n->user ? n->user->id : 0;

	return ipaddr_eq(n->ip4, m->ip4) && ipaddr_eq(n->ip6, m->ip6) &&
	       (m->n_tags ? n->n_tags > 0 : had == (user > 0 ? user : 0)) && same_lists(n, m);
}

static int node_create(struct policy_directory *w, int64_t id, struct node_rec **ret)
{
	struct node_rec *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->id = id;
	rc = directory_take_slot((void ***)&w->node_at, &w->n_node_slots, &w->cap_node_slots,
		&w->free_nodes, &n->slot);
	if (rc == 0)
		rc = map_insert(&w->nodes, &n->by_id, &n->id, sizeof(n->id));
	if (rc < 0) {
		free(n);
		return rc;
	}
	w->node_at[n->slot] = n;
	*ret = n;
	return 0;
}

/* fresh is a node that only carries the new content; it is used up. */
static int node_fill(
	struct policy_directory *w, struct node_rec *n, struct node_rec *fresh, int64_t user)
{
	int rc;

	leave_user(w, n);
	unmap_addresses(w, n);
	free(n->mem);
	n->mem = fresh->mem;
	n->mem_len = fresh->mem_len;
	n->tags = fresh->tags;
	n->n_tags = fresh->n_tags;
	n->routes = fresh->routes;
	n->n_routes = fresh->n_routes;
	n->n_subnets = fresh->n_subnets;
	n->attrs = fresh->attrs;
	n->n_attrs = fresh->n_attrs;
	n->ip4 = fresh->ip4;
	n->ip6 = fresh->ip6;
	n->offline = fresh->offline;
	n->unhealthy = fresh->unhealthy;
	rc = map_addresses(w, n);
	return rc < 0 ? rc : join_user(w, n, user);
}

int policy_node_put(struct policy_directory *w, const struct policy_node *doc)
{
	struct node_rec *n = directory_node(w, doc->id);
	struct node_rec fresh = { .ip4 = doc->ip4,
		.ip6 = doc->ip6,
		.offline = doc->offline,
		.unhealthy = doc->unhealthy };
	bool is_new = !n, same;
	int rc = check_node(w, doc);

	if (rc == 0)
		rc = copy_lists(doc, &fresh);
	if (rc < 0)
		return rc;
	same = n && same_node(n, &fresh, doc->user);
	if (same && same_state(n, &fresh)) {
		free(fresh.mem);
		return 0;
	}
	if (is_new)
		rc = node_create(w, doc->id, &n);
	if (rc == 0 && !is_new && !same && w->plan)
		rc = plan_node_changes(w->plan, n);
	if (rc < 0) {
		free(fresh.mem);
		return rc;
	}
	rc = node_fill(w, n, &fresh, doc->user);
	if (rc == 0 && w->plan)
		rc = (same ? plan_node_state : plan_node_changed)(w->plan, n);
	return rc;
}

int policy_node_remove(struct policy_directory *w, int64_t id)
{
	struct node_rec *n = directory_node(w, id);
	int rc;

	if (!n)
		return -ENOENT;
	rc = w->plan ? plan_node_goes(w->plan, n) : 0;
	leave_user(w, n);
	unmap_addresses(w, n);
	map_remove(&w->nodes, &n->by_id);
	w->node_at[n->slot] = NULL;
	if (u32s_push(&w->free_nodes, n->slot) < 0)
		rc = -ENOMEM;
	node_rec_free(n);
	return rc;
}
