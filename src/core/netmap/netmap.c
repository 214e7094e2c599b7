#include "core/netmap/netmap.h"

#include "base/map/map.h"
#include "base/rng/rng.h"
#include "base/text/text.h"
#include "base/vec/vec.h"
#include "core/netmap/owned_doc.h"
#include "core/netmap/parts.h"

#include <errno.h>
#include <stdlib.h>

/* A list of rules with its bound: a piece of the filter is a struct json_list and reads as {"rules": [...]}. */
static JSON_LIST_TYPE(rule_list, tc_filter_rule_type);
static const struct json_field rules_fields[] = {
	{ .name = "rules", .type = &rule_list, .max = TC_RULES_MAX, .flags = JSON_NULLABLE },
	JSON_END,
};
static JSON_OBJECT_TYPE(rules_type, struct json_list, rules_fields);

struct item {
	struct map_node node;
	int64_t id;
	struct owned_doc *held; /* tc_node or tc_user */
	bool listed;            /* in the full list being applied */
};

struct filter {
	struct owned_doc *rules;
	char name[];
};

struct netmap {
	const struct netmap_ops *ops;
	void *ctx;
	struct map peers, users; /* struct item */
	struct owned_doc *self, *derp, *dns, *ssh, *domain, *health, *display;
	struct filter **filters; /* sorted by name */
	size_t n_filters, cap_filters;
	int64_t skew_ms;
	bool first; /* the next response that is no keep-alive begins a session: what it leaves out is not there */
};

int netmap_new(struct netmap **ret, const struct netmap_ops *ops, void *ctx, struct rng *rng)
{
	struct netmap *nm = calloc(1, sizeof(*nm));
	uint8_t seed[16];

	if (!nm)
		return -ENOMEM;
	nm->ops = ops;
	nm->ctx = ctx;
	rng_fill(rng, seed, sizeof(seed));
	map_init(&nm->peers, seed);
	map_init(&nm->users, seed);
	*ret = nm;
	return 0;
}

static void item_free(struct item *it)
{
	owned_doc_free(it->held);
	free(it);
}

static void items_free(struct map *m)
{
	map_for_each(n, m)
		item_free(container_of(n, struct item, node));
	map_fini(m);
}

static void filters_clear(struct netmap *nm)
{
	for (size_t i = 0; i < nm->n_filters; i++) {
		owned_doc_free(nm->filters[i]->rules);
		free(nm->filters[i]);
	}
	nm->n_filters = 0;
}

void netmap_clear(struct netmap *nm)
{
	struct owned_doc **part[] = { &nm->self, &nm->derp, &nm->dns, &nm->ssh, &nm->domain,
		&nm->health, &nm->display };
	uint8_t seed[16];

	memcpy(seed, nm->peers.seed, sizeof(seed));
	items_free(&nm->peers);
	items_free(&nm->users);
	map_init(&nm->peers, seed);
	map_init(&nm->users, seed);
	for (size_t i = 0; i < ARRAY_LEN(part); i++) {
		owned_doc_free(*part[i]);
		*part[i] = NULL;
	}
	filters_clear(nm);
	nm->skew_ms = 0;
	nm->first = false;
}

void netmap_free(struct netmap *nm)
{
	if (!nm)
		return;
	netmap_clear(nm);
	free(nm->filters);
	free(nm);
}

static void tell(struct netmap *nm, enum netmap_change what, int64_t id)
{
	if (nm->ops->on_change)
		nm->ops->on_change(nm->ctx, what, id);
}

static struct item *item_find(const struct map *m, int64_t id)
{
	struct map_node *n = map_find(m, &id, sizeof(id));

	return n ? container_of(n, struct item, node) : NULL;
}

/* Inserts or replaces. 0 when nothing changed, 1 added, 2 replaced. */
static int item_put(
	struct map *m, int64_t id, const struct json_type *type, const void *value, size_t max)
{
	struct item *it = item_find(m, id);
	int rc;

	if (it) {
		rc = owned_doc_set(&it->held, type, value);
		return rc == 1 ? 2 : rc;
	}
	if (m->n_items >= max)
		return -ERR_TOO_MANY;
	it = calloc(1, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->id = id;
	rc = owned_doc_set(&it->held, type, value);
	if (rc >= 0)
		rc = map_insert(m, &it->node, &it->id, sizeof(it->id));
	if (rc < 0) {
		item_free(it);
		return rc;
	}
	return 1;
}

static int put_peer(struct netmap *nm, const struct tc_node *node)
{
	struct tc_node n = *node;
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = part_node(&n, &a);
	if (rc == 0)
		rc = item_put(&nm->peers, n.id, &tc_node_type, &n, TC_PEERS_MAX);
	arena_fini(&a);
	if (rc > 0)
		tell(nm, rc == 1 ? NETMAP_PEER_ADDED : NETMAP_PEER_CHANGED, node->id);
	return rc < 0 ? rc : 0;
}

static void drop_peer(struct netmap *nm, struct item *it)
{
	int64_t id = it->id;

	map_remove(&nm->peers, &it->node);
	item_free(it);
	tell(nm, NETMAP_PEER_REMOVED, id);
}

static int put_peers(struct netmap *nm, const struct json_list *l)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++)
		rc = put_peer(nm, JSON_AT(*l, struct tc_node, i));
	return rc;
}

static void drop_unlisted(struct netmap *nm, const struct json_list *l)
{
	struct item *it;

	for (size_t i = 0; i < l->n; i++) {
		it = item_find(&nm->peers, JSON_AT(*l, struct tc_node, i)->id);
		if (it)
			it->listed = true;
	}
	map_for_each(n, &nm->peers) {
		it = container_of(n, struct item, node);
		if (!it->listed)
			drop_peer(nm, it);
		else
			it->listed = false;
	}
}

/* Who is not in the list goes first, so that the bound counts only who stays. */
static int replace_peers(struct netmap *nm, const struct json_list *l)
{
	drop_unlisted(nm, l);
	return put_peers(nm, l);
}

static void remove_peers(struct netmap *nm, const struct json_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct item *it = item_find(&nm->peers, *JSON_AT(*l, int64_t, i));

		if (it)
			drop_peer(nm, it);
	}
}

/* PeerSeenChange and OnlineChange: {"<id>": bool}. IDs we do not know are left out. */
static int apply_flags(struct netmap *nm, const struct json_map *m, bool seen, struct now now)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < m->n; i++) {
		bool on = *(const bool *)m->v[i].value;
		struct item *it = NULL;
		struct tc_node node;
		uint64_t id;

		if (text_u64(m->v[i].key, strlen(m->v[i].key), INT64_MAX, &id) == 0)
			it = item_find(&nm->peers, (int64_t)id);
		if (!it)
			continue;
		node = *(const struct tc_node *)it->held->doc;
		if (seen)
			node.last_seen = on ? now.wall : 0;
		else
			node.online = on ? JSON_YES : JSON_NO;
		rc = put_peer(nm, &node);
	}
	return rc;
}

static void patch_node(struct tc_node *node, const struct tc_peer_change *p)
{
	if (p->derp_region)
		node->home_derp = p->derp_region;
	if (p->cap)
		node->cap = p->cap;
	if (p->cap_map)
		node->cap_map = *p->cap_map;
	if (p->endpoints.present)
		node->endpoints = p->endpoints;
	if (p->key)
		node->key = *p->key;
	if (p->disco_key)
		node->disco_key = *p->disco_key;
	if (p->online != JSON_ABSENT)
		node->online = p->online;
	if (p->last_seen)
		node->last_seen = p->last_seen;
	if (p->key_expiry)
		node->key_expiry = *p->key_expiry;
	if (p->key_signature.len)
		node->key_signature = p->key_signature;
}

static int apply_patches(struct netmap *nm, const struct json_list *l)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->n; i++) {
		const struct tc_peer_change *p = JSON_AT(*l, struct tc_peer_change, i);
		const struct item *it = item_find(&nm->peers, p->node_id);
		struct tc_node node;

		if (!it)
			continue;
		node = *(const struct tc_node *)it->held->doc;
		patch_node(&node, p);
		rc = put_peer(nm, &node);
	}
	return rc;
}

static int by_number(const void *x, const void *y)
{
	int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;

	return (a > b) - (a < b);
}

/* Who is known, and both removed and changed in one message, is gone: the change was one of what is removed. */
static int put_changed(
	struct netmap *nm, const struct json_list *changed, const int64_t *gone, size_t n_gone)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < changed->n; i++) {
		const struct tc_node *n = JSON_AT(*changed, struct tc_node, i);

		if (!n_gone || !bsearch(&n->id, gone, n_gone, sizeof(*gone), by_number))
			rc = put_peer(nm, n);
	}
	return rc;
}

static int remove_and_put(struct netmap *nm, const struct tc_map_response *r)
{
	int64_t *gone = reallocarray(NULL, r->peers_removed.n + 1, sizeof(*gone));
	size_t n = 0;
	int rc;

	if (!gone)
		return -ENOMEM;
	for (size_t i = 0; i < r->peers_removed.n; i++)
		if (item_find(&nm->peers, *JSON_AT(r->peers_removed, int64_t, i)))
			gone[n++] = *JSON_AT(r->peers_removed, int64_t, i);
	if (n)
		qsort(gone, n, sizeof(*gone), by_number);
	remove_peers(nm, &r->peers_removed);
	rc = put_changed(nm, &r->peers_changed, gone, n);
	free(gone);
	return rc;
}

/* A full list makes every delta of the same message void; an empty one says nothing. */
static int apply_peers(struct netmap *nm, const struct tc_map_response *r, struct now now)
{
	int rc;

	if (r->peers.n)
		return replace_peers(nm, &r->peers);
	if (nm->first)
		drop_unlisted(nm, &r->peers_changed);
	rc = remove_and_put(nm, r);
	if (rc == 0)
		rc = apply_flags(nm, &r->peer_seen_change, true, now);
	if (rc == 0)
		rc = apply_flags(nm, &r->online_change, false, now);
	if (rc == 0)
		rc = apply_patches(nm, &r->peers_changed_patch);
	return rc;
}

/* Where the name is (true) or belongs. */
static bool filter_find(const struct netmap *nm, const char *name, size_t *ret)
{
	size_t i = 0;

	while (i < nm->n_filters && strcmp(nm->filters[i]->name, name) < 0)
		i++;
	*ret = i;
	return i < nm->n_filters && !strcmp(nm->filters[i]->name, name);
}

static int filter_insert(
	struct netmap *nm, size_t at, const char *name, const struct json_list *rules)
{
	size_t len = strlen(name) + 1;
	struct filter *f;
	int rc = nm->n_filters == nm->cap_filters
			 ? vec_grow(&nm->filters, &nm->cap_filters, sizeof(struct filter *),
				   NETMAP_FILTERS_MAX)
			 : 0;

	if (rc < 0)
		return rc;
	f = calloc(1, sizeof(*f) + len);
	if (!f)
		return -ENOMEM;
	memcpy(f->name, name, len);
	rc = owned_doc_set(&f->rules, &rules_type, rules);
	if (rc < 0) {
		free(f);
		return rc;
	}
	memmove(&nm->filters[at + 1], &nm->filters[at],
		(nm->n_filters - at) * sizeof(struct filter *));
	nm->filters[at] = f;
	nm->n_filters++;
	return 1;
}

/* 1 when something changed. */
static int filter_put(struct netmap *nm, const char *name, const struct json_list *rules)
{
	size_t at;

	if (!filter_find(nm, name, &at))
		return filter_insert(nm, at, name, rules);
	return owned_doc_set(&nm->filters[at]->rules, &rules_type, rules);
}

static int filter_delete(struct netmap *nm, const char *name)
{
	size_t at;

	if (!filter_find(nm, name, &at))
		return 0;
	owned_doc_free(nm->filters[at]->rules);
	free(nm->filters[at]);
	nm->n_filters--;
	memmove(&nm->filters[at], &nm->filters[at + 1],
		(nm->n_filters - at) * sizeof(struct filter *));
	return 1;
}

/* "*": null comes before everything else of its map, wherever it stands. */
static bool filters_reset(struct netmap *nm, const struct json_map *m)
{
	bool any = nm->n_filters > 0;

	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->v[i].key, "*") &&
			!((const struct json_list *)m->v[i].value)->present) {
			filters_clear(nm);
			return any;
		}
	return false;
}

/* At the beginning of a session only what it names is there. */
static bool drop_unnamed_filters(struct netmap *nm, const struct tc_map_response *r)
{
	bool any = false;

	for (size_t i = nm->n_filters; i-- > 0;) {
		const char *name = nm->filters[i]->name;

		if (json_map_find(&r->packet_filters, name) ||
			(r->packet_filter.present && !strcmp(name, "base")))
			continue;
		any |= filter_delete(nm, name) == 1;
	}
	return any;
}

static int apply_filter(struct netmap *nm, const struct tc_map_response *r)
{
	bool changed = nm->first && drop_unnamed_filters(nm, r);
	int rc = 0;

	if (r->packet_filter.present) {
		rc = filter_put(nm, "base", &r->packet_filter);
		changed |= rc == 1;
	}
	changed |= filters_reset(nm, &r->packet_filters);
	for (size_t i = 0; rc >= 0 && i < r->packet_filters.n; i++) {
		const char *name = r->packet_filters.v[i].key;
		const struct json_list *rules = r->packet_filters.v[i].value;

		if (!strcmp(name, "*"))
			continue;
		rc = rules->present ? filter_put(nm, name, rules) : filter_delete(nm, name);
		changed |= rc == 1;
	}
	if (changed)
		tell(nm, NETMAP_FILTER, 0);
	return rc < 0 ? rc : 0;
}

static void drop_unlisted_users(struct netmap *nm, const struct json_list *l)
{
	struct item *it;

	for (size_t i = 0; i < l->n; i++) {
		it = item_find(&nm->users, JSON_AT(*l, struct tc_user, i)->id);
		if (it)
			it->listed = true;
	}
	map_for_each(n, &nm->users) {
		it = container_of(n, struct item, node);
		if (!it->listed) {
			map_remove(&nm->users, &it->node);
			item_free(it);
		} else {
			it->listed = false;
		}
	}
}

static int apply_users(struct netmap *nm, const struct json_list *l)
{
	if (nm->first)
		drop_unlisted_users(nm, l);
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_user *u = JSON_AT(*l, struct tc_user, i);
		int rc = item_put(&nm->users, u->id, &tc_user_profile_type, u, NETMAP_USERS_MAX);

		if (rc < 0)
			return rc;
		if (rc > 0)
			tell(nm, NETMAP_USER, u->id);
	}
	return 0;
}

static int apply_part(struct netmap *nm, struct owned_doc **part, const struct json_type *type,
	const void *value, enum netmap_change what)
{
	int rc = owned_doc_set(part, type, value);

	if (rc == 1)
		tell(nm, what, 0);
	return rc < 0 ? rc : 0;
}

static int apply_self(struct netmap *nm, const struct tc_node *self)
{
	struct tc_node n = *self;
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = part_node(&n, &a);
	if (rc == 0)
		rc = apply_part(nm, &nm->self, &tc_node_type, &n, NETMAP_SELF);
	arena_fini(&a);
	return rc;
}

static int apply_derp(struct netmap *nm, const struct tc_derp_map *in)
{
	struct tc_derp_map map;
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = part_derp(nm->derp && !nm->first ? nm->derp->doc : NULL, in, &a, &map);
	if (rc == 0)
		rc = apply_part(nm, &nm->derp, &tc_derp_map_type, &map, NETMAP_DERP);
	arena_fini(&a);
	return rc;
}

static int apply_display(struct netmap *nm, const struct json_map *in)
{
	struct json_map map;
	struct arena a;
	int rc;

	arena_init(&a, NETMAP_TEXT_MAX);
	rc = part_display(nm->display && !nm->first ? nm->display->doc : NULL, in, &a, &map);
	if (rc == 0)
		rc = apply_part(nm, &nm->display, &tc_display_map_type, &map, NETMAP_HEALTH);
	arena_fini(&a);
	return rc;
}

static void drop_part(
	struct netmap *nm, struct owned_doc **part, bool named, enum netmap_change what)
{
	if (named || !*part)
		return;
	owned_doc_free(*part);
	*part = NULL;
	tell(nm, what, 0);
}

/* Of the parts of an earlier session those that this one does not begin with are gone. */
static void drop_unnamed_parts(struct netmap *nm, const struct tc_map_response *r)
{
	drop_part(nm, &nm->derp, r->derp_map, NETMAP_DERP);
	drop_part(nm, &nm->dns, r->dns_config, NETMAP_DNS);
	drop_part(nm, &nm->domain, r->domain && *r->domain, NETMAP_DOMAIN);
	drop_part(nm, &nm->ssh, r->ssh_policy.len && !view_eq(r->ssh_policy, VIEW_LIT("null")),
		NETMAP_SSH);
	drop_part(nm, &nm->health, r->health.present, NETMAP_HEALTH);
	drop_part(nm, &nm->display, r->display_messages.present, NETMAP_HEALTH);
}

static int apply_parts(struct netmap *nm, const struct tc_map_response *r)
{
	int rc = 0;

	if (nm->first)
		drop_unnamed_parts(nm, r);
	if (r->node)
		rc = apply_self(nm, r->node);
	if (rc == 0 && r->derp_map)
		rc = apply_derp(nm, r->derp_map);
	if (rc == 0 && r->dns_config)
		rc = apply_part(nm, &nm->dns, &tc_dns_config_type, r->dns_config, NETMAP_DNS);
	if (rc == 0 && r->domain && *r->domain)
		rc = apply_part(nm, &nm->domain, &json_str, &r->domain, NETMAP_DOMAIN);
	if (rc == 0 && r->ssh_policy.len && !view_eq(r->ssh_policy, VIEW_LIT("null")))
		rc = apply_part(nm, &nm->ssh, &json_raw, &r->ssh_policy, NETMAP_SSH);
	if (rc == 0 && r->health.present)
		rc = apply_part(nm, &nm->health, &json_str_list, &r->health, NETMAP_HEALTH);
	if (rc == 0 && r->display_messages.present)
		rc = apply_display(nm, &r->display_messages);
	return rc;
}

void netmap_begin(struct netmap *nm)
{
	nm->first = true;
}

int netmap_apply(struct netmap *nm, const struct tc_map_response *r, struct now now)
{
	int rc;

	if (r->control_time)
		nm->skew_ms = r->control_time - now.wall;
	if (r->keep_alive)
		return 0;
	rc = apply_parts(nm, r);
	if (rc == 0)
		rc = apply_users(nm, &r->user_profiles); /* before the peers that name them */
	if (rc == 0)
		rc = apply_filter(nm, r);
	if (rc == 0)
		rc = apply_peers(nm, r, now);
	if (rc == 0)
		nm->first = false;
	return rc;
}

static const void *doc_of(const struct owned_doc *h)
{
	return h ? h->doc : NULL;
}

const struct tc_node *netmap_self(const struct netmap *nm)
{
	return doc_of(nm->self);
}

const struct tc_node *netmap_peer(const struct netmap *nm, int64_t id)
{
	const struct item *it = item_find(&nm->peers, id);

	return it ? it->held->doc : NULL;
}

size_t netmap_n_peers(const struct netmap *nm)
{
	return nm->peers.n_items;
}

static int by_node_id(const void *a, const void *b)
{
	const struct tc_node *x = *(const struct tc_node *const *)a,
			     *y = *(const struct tc_node *const *)b;

	return (x->id > y->id) - (x->id < y->id);
}

void netmap_peers(const struct netmap *nm, const struct tc_node **ret)
{
	size_t i = 0;

	map_for_each(n, &nm->peers)
		ret[i++] = container_of(n, struct item, node)->held->doc;
	if (i)
		qsort(ret, i, sizeof(*ret), by_node_id);
}

const struct tc_derp_map *netmap_derp_map(const struct netmap *nm)
{
	return doc_of(nm->derp);
}

const struct tc_dns_config *netmap_dns(const struct netmap *nm)
{
	return doc_of(nm->dns);
}

const struct tc_user *netmap_user(const struct netmap *nm, int64_t id)
{
	const struct item *it = item_find(&nm->users, id);

	return it ? it->held->doc : NULL;
}

const char *netmap_domain(const struct netmap *nm)
{
	return nm->domain ? *(const char *const *)nm->domain->doc : "";
}

struct view netmap_ssh_policy(const struct netmap *nm)
{
	return nm->ssh ? *(const struct view *)nm->ssh->doc : view_of(NULL, 0);
}

const struct json_list *netmap_health(const struct netmap *nm)
{
	return doc_of(nm->health);
}

const struct json_map *netmap_display(const struct netmap *nm)
{
	return doc_of(nm->display);
}

size_t netmap_n_filters(const struct netmap *nm)
{
	return nm->n_filters;
}

const struct json_list *netmap_filter(const struct netmap *nm, size_t i, const char **ret_name)
{
	if (ret_name)
		*ret_name = nm->filters[i]->name;
	return nm->filters[i]->rules->doc;
}

int64_t netmap_control_skew_ms(const struct netmap *nm)
{
	return nm->skew_ms;
}
