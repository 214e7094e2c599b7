/* A whole map: everything, the first time, and when telling what has changed would not be less. */
#include "core/coord/mapper/internal.h"

enum { ALL_IDS_MAX = 1 << 28 };

static void put_field(struct draft *d, const char *name, const struct json_type *t, const void *v)
{
	draft_put(d, ",\"%s\":", name);
	if (d->rc == 0)
		d->rc = json_encode(t, v, &d->text);
}

static const struct tc_derp_map *derp_map_for(const struct tailnet *c, const struct coord_node *n)
{
	return n->doc.cap < COORD_CAP_CERT_PIN && c->cfg.derp_map_unpinned
		       ? c->cfg.derp_map_unpinned
		       : c->cfg.derp_map;
}

static void draft_head(struct draft *d, struct now now)
{
	const struct tailnet *c = d->p->tailnet;
	const char *domain = c->cfg.base_domain;
	char time[TIME_RFC3339_MAX];

	draft_self(d, "{", true);
	if (c->cfg.derp_map)
		put_field(d, "DERPMap", &tc_derp_map_type, derp_map_for(c, d->p->node));
	if (coord_node_is_alone(d->p->node))
		draft_put(d, ",\"DNSConfig\":{}");
	else
		draft_put(d,
			",\"DNSConfig\":{\"Routes\":{\"%s.\":null},\"Domains\":[\"%s\"],\"Proxied\":true}",
			domain, domain);
	draft_put(d,
		",\"Domain\":\"%s\",\"CollectServices\":false,\"Debug\":{\"DisableLogTail\":true}",
		domain);
	draft_policies(d, true);
	time_format_rfc3339(now.wall, time);
	draft_put(d, ",\"ControlTime\":\"%s\",", time);
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

static void draft_all_gone(struct draft *d)
{
	struct tailnet *c = d->p->tailnet;
	struct buf text;

	if (!c->mapper->all_ids || c->mapper->all_ids_at != c->seq) {
		c->mapper->all_ids = piece_put(c->mapper->all_ids);
		buf_init(&text, ALL_IDS_MAX);
		if (put_all_ids(c, &text) == 0)
			c->mapper->all_ids = piece_of(c, buf_data(&text), buf_len(&text));
		c->mapper->all_ids_at = c->seq;
		buf_fini(&text);
	}
	draft_shared(d, c->mapper->all_ids);
}

/* The reader's own block, device by device without himself. */
static void put_own_block(struct draft *d, struct block *b, size_t *n_put)
{
	list_for_each(l, &b->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, in_block);

		if (n == d->p->node || coord_node_is_hidden(n))
			continue;
		if ((*n_put)++)
			draft_shared(d, d->p->tailnet->mapper->comma);
		draft_shared(d, coord_node_whole(d->p->tailnet, n));
	}
}

/* Nobody: of people it is told of its own only, and of the one whose all devices with tags are, because it may become one. */
static void put_nobody(struct draft *d)
{
	struct tailnet *c = d->p->tailnet;
	struct tc_user own = profile_of(c, d->p->node->doc.user), tagged = profile_of(c, 0);

	draft_put(d, "\"UserProfiles\":[");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &tagged, &d->text);
	draft_put(d, ",");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &own, &d->text);
	draft_put(d, "],\"Peers\":[]");
}

static size_t put_everybody(struct draft *d)
{
	struct tailnet *c = d->p->tailnet;
	size_t n_put = 0;

	if (coord_node_is_alone(d->p->node)) {
		put_nobody(d);
		return 0;
	}
	if (d->rc == 0)
		d->rc = put_profiles(c, &d->text);
	draft_put(d, ",\"Peers\":[");
	list_for_each(l, &c->blocks) {
		struct block *b = container_of(l, struct block, link);
		struct piece *all;

		if (d->rc < 0)
			break;
		if (b == d->p->node->block) {
			put_own_block(d, b, &n_put);
			continue;
		}
		all = block_whole(c, b);
		if (!b->n_shown)
			continue;
		if (n_put++)
			draft_shared(d, c->mapper->comma);
		draft_shared(d, all);
	}
	draft_put(d, "]");
	return n_put;
}

/* Everything; the first time, and when telling what has changed would not be less. */
int make_whole(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct draft d;
	size_t n;

	poll_review(p);
	draft_begin(&d, p);
	draft_head(&d, now);
	n = p->plain ? put_everybody(&d) : own_peers(&d);
	if (p->told && n == 0)
		draft_all_gone(&d);
	draft_put(&d, "}");
	retell_clear(p);
	p->again = false;
	p->cursor = c->seq;
	p->started = p->told = true;
	c->stats.maps++;
	return draft_end(&d);
}
