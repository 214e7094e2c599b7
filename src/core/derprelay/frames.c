#include "core/derprelay/internal.h"
#include "proto/disco/disco.h"

bool frames_is_known(uint8_t type)
{
	return type == DERP_SEND_PACKET || type == DERP_FORWARD_PACKET ||
	       type == DERP_NOTE_PREFERRED || type == DERP_PING || type == DERP_WATCH_CONNS ||
	       type == DERP_CLOSE_PEER;
}

/* "Not here" answers only packets that look like disco, 3 at once and then one a second. */
static void answer_unknown(
	struct derpconn *c, const struct node_pub *dst, struct view pkt, mono_ns now)
{
	c->relay->n.drop_unknown_dest++;
	if (!disco_looks_like(pkt.p, pkt.len))
		return;
	if (bucket_spend(&c->not_here_full_at, SEC(1), NOT_HERE_BURST * SEC(1), now))
		conn_send_gone(c, dst, DERP_GONE_NOT_HERE);
}

static int packet_frame(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	struct derprelay *r = c->relay;
	struct cur cur = cur_over(f->payload, f->len);
	struct node_pub src = c->client->key, dst;
	struct map_node *n;
	struct view pkt;

	if (f->type == DERP_FORWARD_PACKET)
		cur_copy(&cur, src.b, KEY_LEN);
	cur_copy(&cur, dst.b, KEY_LEN);
	pkt = cur_rest(&cur);
	if (cur.bad)
		return -ERR_TRUNCATED;
	if (pkt.len > DERP_PACKET_MAX)
		return -ERR_TOO_BIG;
	r->n.packets_in++;
	r->n.bytes_in += pkt.len;
	if (!c->mesh && !bucket_take(&c->bucket, (int64_t)pkt.len + RATE_OVERHEAD, now)) {
		r->n.drop_rate++;
		return 0;
	}
	n = map_find(&r->clients, dst.b, KEY_LEN);
	if (!n) {
		answer_unknown(c, &dst, pkt, now);
		return 0;
	}
	{
		struct client *to = container_of(n, struct client, node);

		if (f->type == DERP_SEND_PACKET)
			heard_note(to->active, c->client);
		queue_put(to->active, c, src.b, pkt);
	}
	return 0;
}

static int watch(struct derpconn *c)
{
	struct derprelay *r = c->relay;

	if (!c->mesh)
		return -ERR_DENIED;
	if (c->watching)
		return 0;
	c->watching = true;
	if (memcmp(c->client->key.b, r->public.b, KEY_LEN) == 0)
		return 0; /* this server itself */
	map_for_each(n, &r->clients) {
		struct client *cl = container_of(n, struct client, node);

		conn_send_present(c, cl->active);
	}
	list_push_tail(&r->watchers, &c->watchers);
	return 0;
}

static int close_peer(struct derpconn *c, const struct derpframe *f)
{
	struct map_node *n;

	if (f->len != KEY_LEN)
		return -ERR_BAD_VALUE;
	if (!c->mesh)
		return -ERR_DENIED;
	n = map_find(&c->relay->clients, f->payload, KEY_LEN);
	if (n) {
		struct client *cl = container_of(n, struct client, node);

		list_for_each_safe(l, &cl->conns)
			conn_ask_close(container_of(l, struct derpconn, in_client));
	}
	return 0;
}

static int ping(struct derpconn *c, const struct derpframe *f)
{
	if (f->len < DERP_PING_MIN || f->len > DERP_PING_MAX)
		return -ERR_BAD_VALUE;
	if (c->pong_pending) /* one at a time */
		return 0;
	c->pong_pending = true;
	conn_control(c, DERP_PONG, (struct view[]){ view_of(f->payload, DERP_PING_MIN) }, 1);
	return 0;
}

int frames_take(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	c->client->active = c; /* who speaks last gets the packets */
	switch (f->type) {
	case DERP_SEND_PACKET:
		return packet_frame(c, f, now);
	case DERP_FORWARD_PACKET:
		return c->mesh ? packet_frame(c, f, now) : -ERR_DENIED;
	case DERP_NOTE_PREFERRED:
		if (f->len != 1)
			return -ERR_BAD_VALUE;
		c->preferred = f->payload[0] != 0;
		return 0;
	case DERP_PING:
		return ping(c, f);
	case DERP_WATCH_CONNS:
		return f->len ? -ERR_BAD_VALUE : watch(c);
	case DERP_CLOSE_PEER:
		return close_peer(c, f);
	default:
		c->relay->n.unknown_frames++;
		return 0;
	}
}
