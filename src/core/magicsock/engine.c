/* What comes out of the WireGuard engine: datagrams leave, inner packets wait for the owner, what happened is noted. */
#include "core/magicsock/internal.h"

static void got_packets(struct magicsock *m, struct magicsock_peer *p, const struct wg_out *o)
{
	peer_heard(p);
	CHECK(o->n <= MAGICSOCK_BATCH_MAX - m->n_inner);
	for (size_t i = 0; i < o->n; i++) {
		m->inner[m->n_inner] = o->pkt[i];
		m->inner_peer[m->n_inner++] = p;
	}
}

static void got_session(struct magicsock_peer *p)
{
	handshake_over(p);
	peer_heard(p);
	peer_defer(p, DEFER_ADVERTISE | DEFER_TELL_SESSION);
}

static void got_answer(struct magicsock_peer *p, const struct wg_source *from)
{
	struct node_pub key;

	if (p->wireguard_only)
		plain_answered(p, source_route(from, &key).addr);
}

static void take(struct magicsock *m, const struct wg_out *o)
{
	struct magicsock_peer *p = o->peer ? wg_peer_owner(o->peer) : NULL;

	switch (o->kind) {
	case WG_OUT_DATAGRAMS:
		send_to_peer(p, o->pkt, o->n);
		return;
	case WG_OUT_REPLY:
		send_reply(m, &o->datagram->source, o->pkt);
		return;
	case WG_OUT_UNKNOWN_PEER: /* all that the hub named are there already */
		handshake_unknown_peer(m, o->key, 0);
		return;
	case WG_OUT_UNKNOWN_SESSION:
		handshake_unknown_session(m, &o->datagram->source);
		return;
	case WG_OUT_PACKETS:
		got_packets(m, p, o);
		return;
	case WG_OUT_SESSION:
		got_session(p);
		break;
	case WG_OUT_ANSWERED:
		got_answer(p, &o->datagram->source);
		break;
	case WG_OUT_ROAMED:
		peer_heard(p);
		break;
	case WG_OUT_UNREACHABLE:
		handshake_over(p);
		peer_defer(p, DEFER_TELL_UNREACHABLE);
		break;
	}
	peer_wake_set(p);
}

bool engine_drain(struct magicsock *m)
{
	struct wg_out o;
	bool any = false;

	for (; wg_next(m->wg, &o); any = true)
		take(m, &o);
	return any;
}
