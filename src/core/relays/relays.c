/* All connections: which there are, which one a packet takes, and whether home's is well. */
#include "core/relays/internal.h"
#include "base/err/err.h"
#include "base/vec/vec.h"

#include <errno.h>
#include <stdlib.h>

enum { PACKETS_MAX = 1 << 20 }; /* bytes, of one relays_feed */

static const mono_ns idle_after = SEC(60), idle_check = SEC(15),
		     life_sign = MSEC(300), /* is due after a change of the link */
	silent_after = SEC(2),
		     silence_limit =
			     SEC(3), /* we send, and nothing comes back: a ping, and its answer */
	home_retry = SEC(1), home_timeout = SEC(1), home_check_min = SEC(5),
		     home_check_max = SEC(60); /* home cannot be connected */

/* ---- The table ---- */

static struct relays_conn *conn_find(const struct relays *r, int region)
{
	for (size_t i = 0; i < r->n_conns; i++)
		if (r->conns[i]->region == region)
			return r->conns[i];
	return NULL;
}

/* With a client. NULL: there is none. */
static struct relays_conn *conn_live(const struct relays *r, int region)
{
	struct relays_conn *c = region ? conn_find(r, region) : NULL;

	return c && c->c ? c : NULL;
}

static struct relays_conn *conn_add(struct relays *r, int region)
{
	struct relays_conn *c = calloc(1, sizeof(*c));

	if (!c || (r->n_conns == r->cap_conns &&
			  vec_grow(&r->conns, &r->cap_conns, sizeof(struct relays_conn *),
				  TC_REGIONS_MAX) < 0)) {
		free(c);
		return NULL;
	}
	c->r = r;
	c->region = region;
	r->conns[r->n_conns++] = c;
	return c;
}

static void conn_remove(struct relays_conn *c)
{
	struct relays *r = c->r;
	size_t i;

	for (i = 0; r->conns[i] != c; i++)
		;
	r->conns[i] = r->conns[--r->n_conns];
	free(c);
}

static bool can_open(const struct relays *r, int region)
{
	const struct tc_derp_region *in_map = relays_map_region(r->map, region);

	return r->on && in_map && relays_map_node(in_map, 0);
}

/* Opened if it is not there. NULL: no such region, or no memory. */
static struct relays_conn *conn_get(struct relays *r, int region)
{
	struct relays_conn *c = conn_find(r, region);

	if (c && c->c)
		return c;
	if (!can_open(r, region))
		return NULL;
	c = c ? c : conn_add(r, region);
	if (!c)
		return NULL;
	if (relays_conn_open(c) < 0) {
		if (!c->tell_hang_up)
			conn_remove(c);
		return NULL;
	}
	if (r->idle_at == MONO_NEVER)
		r->idle_at = mono_add(r->now, idle_check);
	return c;
}

/* Its place stays until the owner was told to hang up. */
static void conn_drop(struct relays_conn *c)
{
	relays_conn_close(c);
	if (!c->tell_hang_up)
		conn_remove(c);
}

/* ---- Life ---- */

int relays_new(struct relays **ret, struct rng *rng)
{
	struct relays *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->rng = rng;
	r->idle_at = r->home_retry_at = MONO_NEVER;
	buf_init(&r->packets, PACKETS_MAX);
	*ret = r;
	return 0;
}

struct relays *relays_free(struct relays *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; i < r->n_conns; i++) {
		derpclient_free(r->conns[i]->c);
		free(r->conns[i]);
	}
	free(r->conns);
	buf_fini(&r->packets);
	key_wipe(r, sizeof(*r));
	free(r);
	return NULL;
}

/* ---- What the owner knows ---- */

static void keep_home(struct relays *r)
{
	for (size_t i = 0; i < r->n_conns; i++) {
		if (!r->conns[i]->c)
			continue;
		derpclient_note_preferred(r->conns[i]->c, r->conns[i]->region == r->home);
		relays_conn_settle(r->conns[i]);
	}
	r->home_retry_at = MONO_NEVER;
	if (r->home && !conn_get(r, r->home) && can_open(r, r->home))
		r->home_retry_at = mono_add(r->now, home_retry); /* there was no memory for it */
}

static void drop_all(struct relays *r)
{
	for (size_t i = r->n_conns; i-- > 0;)
		conn_drop(r->conns[i]);
}

void relays_set_key(struct relays *r, const struct secret_node *key, mono_ns now)
{
	static const struct secret_node none;

	r->now = now;
	drop_all(r);
	r->on = key != NULL;
	r->key = key ? *key : none;
	keep_home(r);
}

void relays_set_map(struct relays *r, const struct tc_derp_map *map, mono_ns now)
{
	r->now = now;
	for (size_t i = r->n_conns; i-- > 0;) {
		struct relays_conn *c = r->conns[i];
		const struct tc_derp_region *was = relays_map_region(r->map, c->region),
					    *is = relays_map_region(map, c->region);

		if (!(was && is && json_same(&tc_derp_region_type, was, is)))
			conn_drop(c);
	}
	r->map = map;
	keep_home(r);
}

void relays_set_home(struct relays *r, int region, mono_ns now)
{
	r->now = now;
	r->home = region;
	keep_home(r);
}

void relays_restart(struct relays *r, mono_ns now)
{
	r->now = now;
	drop_all(r);
	keep_home(r);
}

void relays_link_changed(struct relays *r, bool cut, mono_ns now)
{
	r->now = now;
	for (size_t i = 0; i < r->n_conns; i++) {
		struct relays_conn *c = r->conns[i];

		if (!c->open)
			continue;
		/* What is just being opened begins anew: there is nothing to lose. */
		if (cut || !derpclient_is_ready(c->c))
			c->check_by = now;
		else
			relays_conn_check(c, life_sign);
		relays_conn_settle(c);
	}
}

/* ---- Packets ---- */

bool relays_is_ready(const struct relays *r, int region)
{
	const struct relays_conn *c = conn_live(r, region);

	return c && derpclient_is_ready(c->c);
}

int relays_choose(const struct relays *r, int home, int heard)
{
	if (relays_is_ready(r, home))
		return home;
	if (relays_is_ready(r, heard))
		return heard;
	if (relays_map_region(r->map, home))
		return home;
	/* Nothing is known of it yet: in a small network it will be where we are. */
	return heard ? heard : r->home;
}

/* A relay that died tells nobody. */
static void probe_if_silent(struct relays_conn *c)
{
	struct relays *r = c->r;

	if (c->waits_since <= derpclient_last_heard(c->c))
		c->waits_since = r->now;
	if (c->check_by != MONO_NEVER || !derpclient_is_ready(c->c) ||
		r->now - c->waits_since < silent_after)
		return;
	relays_conn_check(c, silence_limit);
}

bool relays_send(struct relays *r, int region, const struct node_pub *to, const void *pkt,
	size_t len, mono_ns now)
{
	struct relays_conn *c;

	r->now = now;
	c = conn_get(r, region);
	if (!c || derpclient_send(c->c, to, pkt, len, now) < 0)
		return false;
	c->last_used = now;
	probe_if_silent(c);
	return true;
}

void relays_note_used(struct relays *r, int region, mono_ns now)
{
	struct relays_conn *c = conn_live(r, region);

	if (c)
		c->last_used = now;
}

/* ---- Streams ---- */

int relays_connected(struct relays *r, int region, const struct node_pub *fast_key, mono_ns now)
{
	struct relays_conn *c = conn_live(r, region);
	const struct tc_derp_node *node = c ? relays_conn_node(c) : NULL, *ideal;
	char host[300];
	int rc;

	r->now = now;
	if (!c || !node)
		return -ERR_BAD_STATE;
	c->connected = true;
	ideal = relays_map_node(relays_map_region(r->map, region), 0);
	if (!node->hostname)
		return -ERR_BAD_STATE;
	if (node->derp_port && node->derp_port != 443)
		snprintf(host, sizeof(host), "%s:%d", node->hostname, (int)node->derp_port);
	else
		snprintf(host, sizeof(host), "%s", node->hostname);
	rc = derpclient_connected(c->c, host, node == ideal ? NULL : ideal->name, fast_key, now);
	relays_conn_settle(c);
	return rc;
}

int relays_feed(struct relays *r, int region, const uint8_t *p, size_t len, mono_ns now)
{
	struct relays_conn *c = conn_live(r, region);
	int rc;

	r->now = now;
	if (!c || !r->on)
		return -ERR_BAD_STATE;
	rc = derpclient_feed(c->c, p, len, now);
	relays_conn_settle(c);
	return rc;
}

void relays_closed(struct relays *r, int region, int rc, mono_ns now)
{
	struct relays_conn *c = conn_live(r, region);

	r->now = now;
	if (c && c->open)
		relays_conn_ended(c, rc);
}

struct view relays_output(struct relays *r, int region)
{
	struct relays_conn *c = conn_live(r, region);

	return c ? derpclient_output(c->c) : view_of(NULL, 0);
}

void relays_written(struct relays *r, int region, size_t n)
{
	struct relays_conn *c = conn_live(r, region);

	if (c)
		derpclient_written(c->c, n);
}

int relays_failure(const struct relays *r, int region, const struct tc_derp_node **ret)
{
	const struct relays_conn *c = conn_live(r, region);
	const struct tc_derp_region *in_map = relays_map_region(r->map, region);

	if (!c || !in_map || !c->failure)
		return 0;
	*ret = relays_map_node(in_map, c->failed_node);
	return *ret ? c->failure : 0;
}

/* ---- What came of it ---- */

bool relays_next_event(struct relays *r, struct relays_event *ret)
{
	if (!r->has_events)
		return false;
	if (r->home_down) {
		r->home_down = false;
		*ret = (struct relays_event){ .type = RELAYS_HOME_DOWN, .region = r->home };
		return true;
	}
	for (size_t i = r->n_conns; i-- > 0;) {
		struct relays_conn *c = r->conns[i];

		if (!relays_conn_event(c, ret))
			continue;
		if (!c->c) /* this was the last that it had to tell */
			conn_remove(c);
		return true;
	}
	r->has_events = false;
	return false;
}

bool relays_next_packet(struct relays *r, struct relays_packet *ret)
{
	if (!buf_len(&r->packets))
		return false;
	memcpy(ret, buf_data(&r->packets), sizeof(*ret));
	ret->p = r->packets.mem + r->packets.head + sizeof(*ret);
	buf_consume(&r->packets, sizeof(*ret) + ret->len);
	return true;
}

struct derpclient_counters relays_client_counters(const struct relays *r)
{
	struct derpclient_counters sum = r->left;

	for (size_t i = 0; i < r->n_conns; i++)
		if (r->conns[i]->c)
			relays_add_counters(&sum, derpclient_counters(r->conns[i]->c));
	return sum;
}

const struct relays_counters *relays_counters(const struct relays *r)
{
	return &r->n;
}

/* ---- Time ---- */

static void close_idle(struct relays *r)
{
	for (size_t i = r->n_conns; i-- > 0;) {
		struct relays_conn *c = r->conns[i];

		if (!c->c || c->region == r->home || r->now - c->last_used < idle_after)
			continue;
		r->n.idle_closed++;
		conn_drop(c);
	}
	r->idle_at = r->n_conns ? mono_add(r->now, idle_check) : MONO_NEVER;
}

/* When home has been down for a while, another region may be better. MONO_NEVER: it is not down, or there is no other. */
static mono_ns home_check_due(const struct relays *r)
{
	const struct relays_conn *c = conn_live(r, r->home);

	if (!c || !c->down_since || !r->map || r->map->regions.n < 2)
		return MONO_NEVER;
	return MAX_OF(r->home_check_at, mono_add(c->down_since, home_timeout));
}

static void check_home(struct relays *r)
{
	if (relays_is_ready(r, r->home))
		r->home_check_gap = 0;
	if (r->now < home_check_due(r))
		return;
	r->home_check_gap = mono_min(MAX_OF(2 * r->home_check_gap, home_check_min), home_check_max);
	r->home_check_at = mono_add(r->now, r->home_check_gap);
	r->home_down = r->has_events = true;
}

void relays_tick(struct relays *r, mono_ns now)
{
	r->now = now;
	for (size_t i = 0; i < r->n_conns; i++)
		if (r->conns[i]->c)
			relays_conn_tick(r->conns[i]);
	if (now >= r->idle_at)
		close_idle(r);
	if (now >= r->home_retry_at)
		keep_home(r);
	check_home(r);
}

mono_ns relays_deadline(const struct relays *r)
{
	mono_ns at = mono_min(mono_min(r->idle_at, r->home_retry_at), home_check_due(r));

	for (size_t i = 0; i < r->n_conns; i++) {
		const struct relays_conn *c = r->conns[i];

		if (c->c)
			at = mono_min(at, mono_min(c->check_by, derpclient_deadline(c->c)));
	}
	return at;
}
