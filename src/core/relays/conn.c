/*
 * The connection to one region. The client (core/derpclient) asks for things while it is called; they are noted, and done when its
 * call has returned (relays_conn_settle), so that it is never called from inside of itself.
 */
#include "core/relays/internal.h"
#include "base/err/err.h"

#include <errno.h>

const struct tc_derp_node *relays_conn_node(const struct relays_conn *c)
{
	const struct tc_derp_region *region = relays_map_region(c->r->map, c->region);

	return region ? relays_map_node(region, c->node) : NULL;
}

/* ---- What the client asks for ---- */

static void on_dial(void *owner)
{
	struct relays_conn *c = owner;

	c->wants_dial = true;
}

static void on_hang_up(void *owner)
{
	struct relays_conn *c = owner;

	c->wants_hang_up = true;
}

static void on_output(void *owner)
{
	struct relays_conn *c = owner;

	c->tell_output = c->r->has_events = true;
}

/* The client's memory is its own: the bytes are copied, since whoever opens the packet does so in place. */
static void keep_packet(
	struct relays_conn *c, enum relays_packet_type type, const struct derpclient_event *e)
{
	struct relays_packet p = { .type = type, .region = c->region, .from = e->peer };
	struct relays *r = c->r;
	uint8_t *mem;

	if (type == RELAYS_PACKET)
		p.len = e->data.len;
	if (buf_reserve(&r->packets, sizeof(p) + p.len, &mem) < 0) {
		r->n.dropped++;
		return;
	}
	memcpy(mem, &p, sizeof(p));
	if (p.len)
		memcpy(mem + sizeof(p), e->data.p, p.len);
	buf_commit(&r->packets, sizeof(p) + p.len);
}

static void on_ready(struct relays_conn *c)
{
	c->was_ready = true;
	c->failure = 0;
	c->down_since = 0;
	c->tell_back = c->tell_back || c->was_cut;
	c->was_cut = false;
}

static void on_event(void *owner, const struct derpclient_event *e)
{
	struct relays_conn *c = owner;

	c->check_by = MONO_NEVER; /* whatever it is, it is a sign of life */
	if (e->type != DERPCLIENT_DOWN)
		c->tell_heard = c->r->has_events = true;
	switch (e->type) {
	case DERPCLIENT_READY:
		on_ready(c);
		break;
	case DERPCLIENT_PACKET:
		keep_packet(c, RELAYS_PACKET, e);
		break;
	case DERPCLIENT_PEER_GONE:
		keep_packet(c, RELAYS_PEER_GONE, e);
		break;
	case DERPCLIENT_DOWN:
		if (!c->was_ready)
			c->node++; /* try the region's next */
		if (!c->down_since)
			c->down_since = c->r->now;
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

static void dial(struct relays_conn *c)
{
	c->was_ready = c->connected = false;
	if (!relays_conn_node(c)) { /* the map has changed */
		derpclient_closed(c->c, -ERR_NO_ROUTE, c->r->now);
		return;
	}
	c->open = c->tell_dial = c->r->has_events = true;
}

void relays_conn_ended(struct relays_conn *c, int rc)
{
	if (!c->was_ready) {
		c->failure = rc ? rc : c->connected ? -ERR_SILENT : -ETIMEDOUT;
		c->failed_node = c->node;
	}
	c->open = c->tell_dial = c->tell_output = false;
	derpclient_closed(c->c, rc, c->r->now);
}

void relays_conn_hang_up(struct relays_conn *c)
{
	if (!c->open)
		return;
	/* A stream that the owner has not heard of yet needs no end. */
	c->tell_hang_up = c->tell_hang_up || !c->tell_dial;
	c->r->has_events = true;
	relays_conn_ended(c, 0);
}

void relays_conn_settle(struct relays_conn *c)
{
	bool hang_up = c->wants_hang_up, to_dial = c->wants_dial;

	c->wants_hang_up = c->wants_dial = false;
	if (hang_up)
		relays_conn_hang_up(c);
	if (to_dial)
		dial(c);
}

/* ---- Life ---- */

int relays_conn_open(struct relays_conn *c)
{
	struct relays *r = c->r;
	struct derpclient_cfg cfg = { .private = r->key,
		.rng = r->rng,
		.owner = c,
		.dial = on_dial,
		.hang_up = on_hang_up,
		.on_output = on_output,
		.on_event = on_event };
	struct derpclient *client;
	int rc = derpclient_new(&client, &cfg);

	key_wipe(&cfg.private, sizeof(cfg.private));
	if (rc < 0)
		return rc;
	*c = (struct relays_conn){ .r = r,
		.region = c->region,
		.c = client,
		.tell_hang_up = c->tell_hang_up,
		.check_by = MONO_NEVER,
		.last_used = r->now,
		.down_since = r->now };
	derpclient_note_preferred(c->c, c->region == r->home);
	derpclient_start(c->c, r->now);
	relays_conn_settle(c);
	return 0;
}

void relays_conn_close(struct relays_conn *c)
{
	if (!c->c)
		return;
	derpclient_stop(c->c, c->r->now);
	relays_conn_settle(c);
	relays_add_counters(&c->r->left, derpclient_counters(c->c));
	c->c = derpclient_free(c->c);
	c->tell_back = c->tell_heard = c->tell_output = false;
}

void relays_conn_check(struct relays_conn *c, mono_ns timeout)
{
	uint8_t data[DERP_PING_MIN];

	rng_fill(c->r->rng, data, sizeof(data));
	c->check_by = c->r->now;
	if (derpclient_ping(c->c, data) == 0)
		c->check_by = mono_add(c->r->now, timeout);
}

void relays_conn_tick(struct relays_conn *c)
{
	if (c->r->now >= c->check_by) {
		c->check_by = MONO_NEVER;
		c->was_cut = true;
		relays_conn_hang_up(c); /* the client opens the next one */
	}
	derpclient_tick(c->c, c->r->now);
	relays_conn_settle(c);
}

/* ---- Events ---- */

static bool take(bool *flag)
{
	bool was = *flag;

	*flag = false;
	return was;
}

bool relays_conn_event(struct relays_conn *c, struct relays_event *ret)
{
	*ret = (struct relays_event){ .region = c->region };
	if (take(&c->tell_hang_up))
		ret->type = RELAYS_HANG_UP;
	else if (take(&c->tell_dial))
		ret->type = RELAYS_DIAL;
	else if (take(&c->tell_back))
		ret->type = RELAYS_BACK;
	else if (take(&c->tell_heard))
		ret->type = RELAYS_HEARD;
	else if (take(&c->tell_output))
		ret->type = RELAYS_OUTPUT;
	else
		return false;
	if (ret->type == RELAYS_DIAL)
		ret->node = relays_conn_node(c);
	return true;
}

void relays_add_counters(struct derpclient_counters *sum, const struct derpclient_counters *n)
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
