/*
 * The relay clients, one for each region in use. Home's is always there, because that is where peers find us; others are
 * opened by the first packet to a peer at home there, and closed when nothing went through them for a while.
 */
#include "core/magicsock/internal.h"
#include "base/err/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const mono_ns idle_after = SEC(60), idle_check = SEC(15),
		     life_sign = MSEC(300), /* is due after a change of the link */
	silent_after = SEC(2),
		     silence_limit =
			     SEC(3), /* we send, and nothing comes back: a ping, and its answer */
	home_patience = SEC(1), home_check_min = SEC(5),
		     home_check_max = SEC(60); /* home cannot be connected */

static const struct tc_derp_region *region_in(const struct tc_derp_map *map, int region)
{
	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		if (r->id == region)
			return r;
	}
	return NULL;
}

const struct tc_derp_region *derp_region(const struct magicsock *m, int region)
{
	return region_in(m->derp, region);
}

static struct relay *relay_find(const struct magicsock *m, int region)
{
	for (size_t i = 0; i < m->n_relays; i++)
		if (m->relays[i]->region == region)
			return m->relays[i];
	return NULL;
}

/* The n-th node that relays, in a circle. NULL: there is none. */
static const struct tc_derp_node *relay_node(const struct tc_derp_region *r, size_t n)
{
	size_t usable = 0;

	for (size_t i = 0; i < r->nodes.n; i++)
		usable += !JSON_AT(r->nodes, struct tc_derp_node, i)->stun_only;
	if (!usable)
		return NULL;
	n %= usable;
	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct tc_derp_node *node = JSON_AT(r->nodes, struct tc_derp_node, i);

		if (!node->stun_only && n-- == 0)
			return node;
	}
	return NULL;
}

static const struct tc_derp_node *current_node(const struct relay *r)
{
	const struct tc_derp_region *region = derp_region(r->m, r->region);

	return region ? relay_node(region, r->node) : NULL;
}

/* ---- What the client asks for ---- */

static void on_dial(void *owner)
{
	struct relay *r = owner;
	const struct tc_derp_node *node = current_node(r);

	r->was_ready = r->connected = false;
	if (!node) { /* the map has changed */
		derpclient_closed(r->c, -ERR_NO_ROUTE, r->m->now.mono);
		return;
	}
	r->open = true;
	r->m->ops->relay_dial(r->m->owner, r->region, node);
}

static void on_hang_up(void *owner)
{
	struct relay *r = owner;
	bool before = r->m->hanging_up;

	r->m->hanging_up = true;
	r->m->ops->relay_hangup(r->m->owner, r->region);
	r->m->hanging_up = before;
}

static void on_output(void *owner)
{
	struct relay *r = owner;

	r->m->ops->relay_wake(r->m->owner, r->region);
}

static void got_packet(struct relay *r, const struct node_pub *from, struct view data)
{
	struct magicsock *m = r->m;
	struct magicsock_peer *p = peer_by_key(m, from);
	struct wg_datagram d = {
		.p = m->scratch, .len = data.len, .source = source_relay(r->region, from)
	};

	m->n.relay_in++;
	if (!p || data.len > sizeof(m->scratch)) {
		m->n.relay_no_peer++;
		if (!p && (disco_looks_like(data.p, data.len) ||
				  wgmsg_type(data.p, data.len) == WGMSG_INITIATION))
			stranger_note(m, from, r->region);
		return;
	}
	r->last_used = m->now.mono;
	p->heard = r->region;
	if (disco_looks_like(data.p, data.len)) {
		m->n.disco_in++;
		disco_in(m, data.p, data.len, (struct ipport){ 0 }, r->region, from);
		return;
	}
	memcpy(m->scratch, data.p, data.len); /* is opened in place */
	m->relay_from = from;
	m->relay_from_region = r->region;
	wg_in(m, &d, 1);
	m->relay_from = NULL;
}

static void got_peer_gone(struct relay *r, const struct node_pub *key)
{
	struct magicsock_peer *p = peer_by_key(r->m, key);

	if (p && p->heard == r->region)
		p->heard = 0;
}

/* What was sent through it lately is lost, calls among it: those who look for a path look again. */
static void relay_is_back(struct relay *r)
{
	struct magicsock *m = r->m;

	for (struct magicsock_peer *p = peer_next(m, NULL); p; p = peer_next(m, p)) {
		path_on_self_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
}

static void on_event(void *owner, const struct derpclient_event *e)
{
	struct relay *r = owner;
	struct magicsock *m = r->m;

	r->check_by = MONO_NEVER; /* whatever it is, it is a sign of life */
	if (e->type != DERPCLIENT_DOWN)
		netcheck_on_relay_heard(m->nc, r->region, m->now.mono);
	switch (e->type) {
	case DERPCLIENT_READY:
		r->was_ready = true;
		r->failure = 0;
		r->down_since = 0;
		if (r->was_cut)
			relay_is_back(r);
		r->was_cut = false;
		break;
	case DERPCLIENT_PACKET:
		got_packet(r, &e->peer, e->data);
		break;
	case DERPCLIENT_PEER_GONE:
		got_peer_gone(r, &e->peer);
		break;
	case DERPCLIENT_DOWN:
		if (!r->was_ready)
			r->node++; /* try the region's next */
		if (!r->down_since)
			r->down_since = m->now.mono;
		break;
	case DERPCLIENT_PEER_PRESENT:
	case DERPCLIENT_PONG:
	case DERPCLIENT_PING:
	case DERPCLIENT_HEALTH:
	case DERPCLIENT_RESTARTING:
	case DERPCLIENT_KEEP_ALIVE:
		break;
	}
}

/* ---- Life ---- */

static struct relay *relay_new(struct magicsock *m, int region)
{
	struct relay *r = calloc(1, sizeof(*r));
	struct derpclient_cfg cfg = { .private = m->cfg.node,
		.rng = m->rng,
		.owner = r,
		.dial = on_dial,
		.hang_up = on_hang_up,
		.on_output = on_output,
		.on_event = on_event };
	struct relay **v;

	if (!r)
		return NULL;
	*r = (struct relay){ .m = m,
		.region = region,
		.check_by = MONO_NEVER,
		.last_used = m->now.mono,
		.down_since = m->now.mono };
	v = realloc(m->relays, (m->n_relays + 1) * sizeof(struct relay *));
	if (v)
		m->relays = v;
	if (!v || derpclient_new(&r->c, &cfg) < 0) {
		key_wipe(&cfg.private, sizeof(cfg.private));
		free(r);
		return NULL;
	}
	key_wipe(&cfg.private, sizeof(cfg.private));
	m->relays[m->n_relays++] = r;
	if (m->idle_at == MONO_NEVER)
		m->idle_at = mono_add(m->now.mono, idle_check);
	return r;
}

static void add_counters(struct derpclient_counters *sum, const struct derpclient_counters *n)
{
	sum->dials += n->dials;
	sum->logins += n->logins;
	sum->packets_in += n->packets_in;
	sum->packets_out += n->packets_out;
	sum->drop_queue_head += n->drop_queue_head;
	sum->infos_refused += n->infos_refused;
	sum->skipped += n->skipped;
	sum->drop_rate += n->drop_rate;
	sum->drop_down += n->drop_down;
	sum->bad_frames += n->bad_frames;
}

struct derpclient_counters magicsock_relay_counters(const struct magicsock *m)
{
	struct derpclient_counters sum = m->relay_n;

	for (size_t i = 0; i < m->n_relays; i++)
		add_counters(&sum, derpclient_counters(m->relays[i]->c));
	return sum;
}

static void relay_free(struct relay *r)
{
	struct magicsock *m = r->m;
	size_t i;

	for (i = 0; m->relays[i] != r; i++)
		;
	m->relays[i] = m->relays[--m->n_relays];
	add_counters(&m->relay_n, derpclient_counters(r->c));
	derpclient_free(r->c);
	free(r);
}

/* NULL: no such region, or the old connection is just being closed. */
static struct relay *relay_get(struct magicsock *m, int region)
{
	struct relay *r = relay_find(m, region);
	const struct tc_derp_region *in_map = derp_region(m, region);

	if (r)
		return r->doomed ? NULL : r;
	if (!m->on || !in_map || !relay_node(in_map, 0))
		return NULL;
	r = relay_new(m, region);
	if (!r)
		return NULL;
	derpclient_note_preferred(r->c, region == netcheck_home(m->nc));
	derpclient_start(r->c, m->now.mono);
	return relay_find(m, region);
}

static void relay_drop(struct relay *r)
{
	r->doomed = true;
	if (r->open)
		derpclient_stop(
			r->c, r->m->now.mono); /* the owner may report the end from inside */
	if (!r->open)
		relay_free(r);
}

void relay_keep_home(struct magicsock *m)
{
	int home = netcheck_home(m->nc);

	for (size_t i = 0; i < m->n_relays; i++)
		derpclient_note_preferred(m->relays[i]->c, m->relays[i]->region == home);
	if (home)
		relay_get(m, home);
}

void relays_restart(struct magicsock *m)
{
	for (size_t i = m->n_relays; i-- > 0;)
		if (!m->relays[i]->doomed)
			relay_drop(m->relays[i]);
	relay_keep_home(m);
}

void relays_drop_changed(struct magicsock *m, const struct tc_derp_map *next)
{
	for (size_t i = m->n_relays; i-- > 0;) {
		struct relay *r = m->relays[i];
		const struct tc_derp_region *was = derp_region(m, r->region),
					    *is = region_in(next, r->region);

		if (!r->doomed && !(was && is && json_same(&tc_derp_region_type, was, is)))
			relay_drop(r);
	}
}

void magicsock_relays_restart(struct magicsock *m, struct now now)
{
	m->now = now;
	if (m->on)
		relays_restart(m);
	magicsock_settle(m);
}

/* A ping, to be answered within this time. What does not take one is dead by then as well. */
static void check_life(struct relay *r, mono_ns patience)
{
	uint8_t data[DERP_PING_MIN];

	rng_fill(r->m->rng, data, sizeof(data));
	r->check_by = r->m->now.mono;
	if (derpclient_ping(r->c, data) == 0)
		r->check_by = mono_add(r->m->now.mono, patience);
}

void relays_check(struct magicsock *m, bool cut)
{
	for (size_t i = 0; i < m->n_relays; i++) {
		struct relay *r = m->relays[i];

		if (!r->open || r->doomed)
			continue;
		/* What is just being opened begins anew: there is nothing to lose. */
		if (cut || !derpclient_is_ready(r->c))
			r->check_by = m->now.mono;
		else
			check_life(r, life_sign);
	}
}

/* A relay that died tells nobody. */
static void suspect(struct relay *r)
{
	struct magicsock *m = r->m;

	if (r->waits_since <= derpclient_last_heard(r->c))
		r->waits_since = m->now.mono;
	if (r->check_by != MONO_NEVER || !derpclient_is_ready(r->c) ||
		m->now.mono - r->waits_since < silent_after)
		return;
	check_life(r, silence_limit);
}

void relays_free(struct magicsock *m)
{
	while (m->n_relays)
		relay_free(m->relays[0]);
	free(m->relays);
	m->relays = NULL;
}

/* ---- Sending ---- */

static bool is_ready(const struct magicsock *m, int region)
{
	const struct relay *r = region ? relay_find(m, region) : NULL;

	return r && !r->doomed && derpclient_is_ready(r->c);
}

int relay_region_for(const struct magicsock_peer *p)
{
	const struct magicsock *m = p->m;

	if (is_ready(m, p->home))
		return p->home;
	if (is_ready(m, p->heard))
		return p->heard;
	if (derp_region(m, p->home))
		return p->home;
	/* Nothing is known of it yet: in a small network it will be where we are. */
	return p->heard ? p->heard : netcheck_home(m->nc);
}

bool relay_send_to(
	struct magicsock *m, int region, const struct node_pub *key, const void *pkt, size_t len)
{
	struct relay *r = relay_get(m, region);

	if (!r || derpclient_send(r->c, key, pkt, len, m->now.mono) < 0)
		return false;
	r->last_used = m->now.mono;
	m->n.relay_out++;
	suspect(r);
	return true;
}

bool relay_send(struct magicsock_peer *p, const void *pkt, size_t len)
{
	int region = p->wireguard_only ? 0 : relay_region_for(p);

	return region && relay_send_to(p->m, region, &p->key, pkt, len);
}

/* ---- Streams ---- */

int magicsock_relay_connected(
	struct magicsock *m, int region, const struct node_pub *fast_key, struct now now)
{
	struct relay *r = relay_find(m, region);
	const struct tc_derp_region *in_map = derp_region(m, region);
	const struct tc_derp_node *node, *ideal;
	char host[300];

	m->now = now;
	if (!r || r->doomed || !in_map)
		return -ERR_BAD_STATE;
	r->connected = true;
	node = current_node(r);
	ideal = relay_node(in_map, 0);
	if (!node || !node->hostname)
		return -ERR_BAD_STATE;
	if (node->derp_port && node->derp_port != 443)
		snprintf(host, sizeof(host), "%s:%d", node->hostname, (int)node->derp_port);
	else
		snprintf(host, sizeof(host), "%s", node->hostname);
	return derpclient_connected(
		r->c, host, node == ideal ? NULL : ideal->name, fast_key, now.mono);
}

int magicsock_relay_feed(
	struct magicsock *m, int region, const uint8_t *p, size_t len, struct now now)
{
	struct relay *r = relay_find(m, region);
	int rc;

	m->now = now;
	if (!r || r->doomed || !m->on)
		return -ERR_BAD_STATE;
	rc = derpclient_feed(r->c, p, len, now.mono);
	magicsock_settle(m);
	return rc;
}

void magicsock_relay_closed(struct magicsock *m, int region, int rc, struct now now)
{
	struct relay *r = relay_find(m, region);

	m->now = now;
	if (!r || !r->open)
		return;
	r->open = false;
	if (!r->was_ready) {
		r->failure = rc ? rc : r->connected ? -ERR_SILENT : -ETIMEDOUT;
		r->failed_node = r->node;
	}
	derpclient_closed(r->c, rc, now.mono);
	if (!r->doomed || m->hanging_up)
		return; /* who hangs up goes on from there */
	relay_free(r);
	relay_keep_home(m);
}

struct view magicsock_relay_output(struct magicsock *m, int region)
{
	struct relay *r = relay_find(m, region);

	return r && !r->doomed ? derpclient_output(r->c) : view_of(NULL, 0);
}

void magicsock_relay_written(struct magicsock *m, int region, size_t n)
{
	struct relay *r = relay_find(m, region);

	if (r)
		derpclient_written(r->c, n);
}

bool magicsock_relay_is_ready(const struct magicsock *m, int region)
{
	return is_ready(m, region);
}

int magicsock_relay_failure(const struct magicsock *m, int region, const struct tc_derp_node **ret)
{
	const struct relay *r = relay_find(m, region);
	const struct tc_derp_region *in_map = derp_region(m, region);

	if (!r || !in_map || !r->failure)
		return 0;
	*ret = relay_node(in_map, r->failed_node);
	return *ret ? r->failure : 0;
}

/* ---- Time ---- */

static void close_idle(struct magicsock *m)
{
	int home = netcheck_home(m->nc);

	for (size_t i = m->n_relays; i-- > 0;) {
		struct relay *r = m->relays[i];

		if (r->region == home || r->doomed || m->now.mono - r->last_used < idle_after)
			continue;
		m->n.relay_idle_closed++;
		relay_drop(r);
	}
	m->idle_at = m->n_relays ? mono_add(m->now.mono, idle_check) : MONO_NEVER;
}

/* When home has been down for a while, another region may be better. MONO_NEVER: it is not down, or there is no other. */
static mono_ns home_check_due(const struct magicsock *m)
{
	const struct relay *r = relay_find(m, netcheck_home(m->nc));

	if (!r || !r->down_since || r->doomed || netcheck_n_regions(m->nc) < 2)
		return MONO_NEVER;
	return MAX_OF(m->home_check_at, mono_add(r->down_since, home_patience));
}

static void check_home(struct magicsock *m)
{
	if (is_ready(m, netcheck_home(m->nc)))
		m->home_check_gap = 0;
	if (m->now.mono < home_check_due(m))
		return;
	m->home_check_gap = mono_min(MAX_OF(2 * m->home_check_gap, home_check_min), home_check_max);
	m->home_check_at = mono_add(m->now.mono, m->home_check_gap);
	netcheck_on_relay_lost(m->nc, netcheck_home(m->nc));
	self_netcheck(m, true);
}

void relays_tick(struct magicsock *m)
{
	for (size_t i = 0; i < m->n_relays; i++) {
		struct relay *r = m->relays[i];

		if (r->doomed)
			continue;
		if (m->now.mono >= r->check_by) {
			r->check_by = MONO_NEVER;
			r->was_cut = true;
			on_hang_up(r); /* the client opens the next one */
		}
		derpclient_tick(r->c, m->now.mono);
	}
	if (m->now.mono >= m->idle_at)
		close_idle(m);
	check_home(m);
}

mono_ns relays_deadline(const struct magicsock *m)
{
	mono_ns at = mono_min(m->idle_at, home_check_due(m));

	for (size_t i = 0; i < m->n_relays; i++) {
		const struct relay *r = m->relays[i];

		if (!r->doomed)
			at = mono_min(at, mono_min(r->check_by, derpclient_deadline(r->c)));
	}
	return at;
}
