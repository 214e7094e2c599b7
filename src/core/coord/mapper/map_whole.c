/* A whole map: everything, the first time, and when telling what has changed would not be less. */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { ALL_IDS_MAX = 1 << 28, DERP_MEM_MAX = 64 * 1024 };

static void put_field(
	struct map_writer *d, const char *name, const struct json_type *t, const void *v)
{
	map_writer_put(d, ",\"%s\":", name);
	if (d->rc == 0)
		d->rc = json_encode(t, v, &d->text);
}

static bool policy_names(const struct policy_derp_map *p, const char *number)
{
	for (size_t i = 0; i < p->n; i++)
		if (!strcmp(p->regions[i].number, number))
			return true;
	return false;
}

static void add_region(struct json_map *m, const char *number, void *region)
{
	if (region)
		m->v[m->n++] = (struct json_pair){ .key = number, .value = region };
}

/* The hub's relays, and what the policy makes of them; if that is nothing at all, the hub's, as devices need one to begin. */
static int derp_map_for(const struct tailnet *c, const struct coord_node *n, struct arena *a,
	struct tc_derp_map *ret)
{
	const struct policy_derp_map *p = policy_derp_map(policy_installed(c->policy));
	struct json_map m = { .present = true };
	const struct tc_derp_map *hubs = n->doc.cap < COORD_CAP_CERT_PIN && c->cfg.derp_map_unpinned
						 ? c->cfg.derp_map_unpinned
						 : c->cfg.derp_map;

	*ret = hubs ? *hubs : (struct tc_derp_map){ .omit_default_regions = true };
	if (!p->n && !p->omit_default)
		return 0;
	m.v = arena_array(a, ret->regions.n + p->n + 1, sizeof(*m.v));
	if (!m.v)
		return -ENOMEM;
	for (size_t i = 0; i < ret->regions.n && !p->omit_default; i++)
		if (!policy_names(p, ret->regions.v[i].key))
			add_region(&m, ret->regions.v[i].key, ret->regions.v[i].value);
	for (size_t i = 0; i < p->n; i++)
		add_region(&m, p->regions[i].number, p->regions[i].region);
	if (m.n)
		ret->regions = m;
	return 0;
}

static void put_derp_map(struct map_writer *d)
{
	struct tc_derp_map map;
	struct arena a;

	arena_init(&a, DERP_MEM_MAX);
	if (d->rc == 0)
		d->rc = derp_map_for(d->p->tailnet, d->p->node, &a, &map);
	if (d->rc == 0 && (d->p->tailnet->cfg.derp_map || map.regions.n))
		put_field(d, "DERPMap", &tc_derp_map_type, &map);
	arena_fini(&a);
}

static void put_head(struct map_writer *d, struct now now)
{
	const struct tailnet *c = d->p->tailnet;
	const char *domain = c->cfg.base_domain;
	char time[TIME_RFC3339_MAX];

	map_policies_self(d, "{", true);
	put_derp_map(d);
	map_writer_put(d,
		",\"Domain\":\"%s\",\"CollectServices\":false,\"Debug\":{\"DisableLogTail\":true}",
		domain);
	map_policies_put(d, true);
	time_format_rfc3339(now.wall, time);
	map_writer_put(d, ",\"ControlTime\":\"%s\",", time);
}

/* An empty list of peers says nothing to a reader who knows some: they are named, whoever they
 * were. */
static int put_all_ids(struct tailnet *c, struct buf *out)
{
	const char *comma = "";
	int rc = buf_append_str(out, ",\"PeersRemoved\":[");

	list_for_each(l, &c->nodes) {
		if (rc == 0)
			rc = buf_printf(out, "%s%lld", comma,
				(long long)container_of(l, struct coord_node, link)->doc.id);
		comma = ",";
	}
	for (size_t i = 0; i < c->n_removed && rc == 0; i++) {
		if (coord_node_by_id(c, c->removed[i].id))
			continue;
		rc = buf_printf(out, "%s%lld", comma, (long long)c->removed[i].id);
		comma = ",";
	}
	return rc < 0 ? rc : buf_append_str(out, "]");
}

static void put_all_gone(struct map_writer *d)
{
	struct tailnet *c = d->p->tailnet;
	struct buf text;

	if (!c->mapper->all_ids || c->mapper->all_ids_at != c->seq) {
		c->mapper->all_ids = map_frame_put(c->mapper->all_ids);
		buf_init(&text, ALL_IDS_MAX);
		if (put_all_ids(c, &text) == 0)
			c->mapper->all_ids = map_frame_of(c, buf_data(&text), buf_len(&text));
		c->mapper->all_ids_at = c->seq;
		buf_fini(&text);
	}
	map_writer_put_frame(d, c->mapper->all_ids);
}

/* The reader's group, device by device without himself. */
static void put_self_group(struct map_writer *d, struct peer_group *b, size_t *n_put)
{
	list_for_each(l, &b->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, in_group);

		if (n == d->p->node || coord_node_is_hidden(n))
			continue;
		if ((*n_put)++)
			map_writer_put_frame(d, d->p->tailnet->mapper->comma);
		map_writer_put_frame(d, map_node_whole(d->p->tailnet, n));
	}
}

/* Nobody: of people it is told of its own only, and of the one whose all devices with tags are, because it may become one. */
static void put_nobody(struct map_writer *d)
{
	struct tailnet *c = d->p->tailnet;
	struct tc_user own = map_node_profile(c, d->p->node->doc.user),
		       tagged = map_node_profile(c, 0);

	map_writer_put(d, "\"UserProfiles\":[");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &tagged, &d->text);
	map_writer_put(d, ",");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &own, &d->text);
	map_writer_put(d, "],\"Peers\":[]");
}

static size_t put_everybody(struct map_writer *d)
{
	struct tailnet *c = d->p->tailnet;
	size_t n_put = 0;

	if (coord_node_is_alone(d->p->node)) {
		put_nobody(d);
		return 0;
	}
	if (d->rc == 0)
		d->rc = map_node_put_profiles(c, &d->text);
	map_writer_put(d, ",\"Peers\":[");
	list_for_each(l, &c->groups) {
		struct peer_group *b = container_of(l, struct peer_group, link);
		struct map_frame *all;

		if (d->rc < 0)
			break;
		if (b == d->p->node->group) {
			put_self_group(d, b, &n_put);
			continue;
		}
		all = map_node_group(c, b);
		if (!b->n_shown)
			continue;
		if (n_put++)
			map_writer_put_frame(d, c->mapper->comma);
		map_writer_put_frame(d, all);
	}
	map_writer_put(d, "]");
	return n_put;
}

/* Everything; the first time, and when telling what has changed would not be less. */
int map_whole_make(struct map_session *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct map_writer d;
	size_t n;

	restricted_review(p);
	map_writer_begin(&d, p);
	put_head(&d, now);
	n = p->sees_all ? put_everybody(&d) : restricted_peers(&d);
	if (p->told && n == 0)
		put_all_gone(&d);
	map_writer_put(&d, "}");
	map_session_clear_dirty(p);
	p->resync = false;
	p->cursor = c->seq;
	p->started = p->told = true;
	c->stats.maps++;
	return map_writer_end(&d);
}
