/* Path messages: sealed and opened here, judged by core/path. */
#include "core/magicsock/internal.h"
#include "base/err/err.h"
#include "proto/tsaddr/tsaddr.h"

static const mono_ns seen_gap =
	SEC(2); /* a peer may say what it likes, but not make us ask all the time */

/* How a relayed ping's source looks to the pinger: an address that stands for the region. */
static struct ipport relay_address(int region)
{
	return (struct ipport){ .ip = tsaddr_derp_magic, .port = (uint16_t)region };
}

/* ---- Out ---- */

/* The length, or 0. out has the room for the largest message and its box. */
static size_t seal(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	uint8_t *out, size_t max)
{
	const struct box_shared *s = k ? discokeys_shared(m, k) : NULL;
	int n = s ? disco_seal(s, &m->disco_pub, m->rng, msg, out, max) : -ERR_BAD_KEY;

	return n > 0 ? (size_t)n : 0;
}

/* To whoever has the key; its length, 0: it did not leave. */
static size_t send_to(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	const struct magicsock_route *to, const struct node_pub *key)
{
	uint8_t out[DISCO_OVERHEAD + DISCO_MESSAGE_MAX];
	struct pkt d = { .p = out, .len = seal(m, k, msg, out, sizeof(out)) };

	return d.len && output_on(m, to, key, &d, 1) ? d.len : 0;
}

static struct disco_msg ping_msg(const struct magicsock *m, const uint8_t *txid, size_t size)
{
	struct disco_msg msg = { .type = DISCO_PING,
		.has_node_key = true,
		.node_key = m->self,
		.padding = size > PATH_PING_LEN ? size - PATH_PING_LEN : 0 };

	memcpy(msg.txid, txid, DISCO_TXID_LEN);
	return msg;
}

static void ping(struct magicsock_peer *p, const struct path_out *o)
{
	struct magicsock_route to =
		ipaddr_is_set(o->to.ip) ? route_direct(o->to) : output_relay_of(p);
	struct disco_msg msg = ping_msg(p->m, o->txid, o->size);

	p->m->n.pings_out += send_to(p->m, peer_disco(p), &msg, &to, &p->key) > 0;
}

static void call_me_maybe(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;
	struct disco_msg msg = { .type = DISCO_CALL_ME_MAYBE };
	struct magicsock_route relay = output_relay_of(p);
	const struct endpoint *own;
	size_t n;
	mono_ns checked_at = endpoints_checked_at(m->endpoints);

	/* Old ones are told all the same; if they turn out to be others now, the peer is called again. */
	if (!checked_at || m->now.mono - checked_at > SEC(27))
		endpoints_check(m->endpoints, false, m->now);
	own = endpoints_list(m->endpoints, &n);
	if (!n || m->no_udp) /* an empty call would make the peer forget what it knows */
		return;
	for (size_t i = 0; i < n; i++)
		msg.endpoint[i] = own[i].addr;
	msg.n_endpoints = n;
	m->n.calls_out += send_to(m, peer_disco(p), &msg, &relay, &p->key) > 0;
}

static void changed(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;
	bool direct = path_is_trusted(&p->path, m->now.mono) && !p->path.degraded;

	m->n.path_direct += direct;
	m->n.path_lost += !direct;
	peer_defer(p, DEFER_TELL_PATH);
}

void disco_run_path(struct magicsock_peer *p)
{
	struct path_out o;

	while (path_next(&p->path, &o))
		switch (o.kind) {
		case PATH_OUT_PING:
			ping(p, &o);
			break;
		case PATH_OUT_CALL:
			call_me_maybe(p);
			break;
		case PATH_OUT_CHANGED:
			changed(p);
			break;
		}
}

/* ---- In ---- */

struct from {
	const struct magicsock_route *route;
	size_t len;                 /* of the datagram */
	const struct node_pub *key; /* that the relay vouches for; NULL: it came directly */
};

/* The answer's length, 0: none. */
static size_t answer_ping(struct magicsock *m, struct disco_key *k, const struct disco_msg *ping,
	const struct from *from)
{
	struct disco_msg pong = { .type = DISCO_PONG,
		.src = from->key ? relay_address(from->route->region) : from->route->addr };
	size_t len;

	memcpy(pong.txid, ping->txid, DISCO_TXID_LEN);
	len = send_to(m, k, &pong, from->route, from->key);
	m->n.pongs_out += len > 0;
	return len;
}

/* Of a place in a key's list. A peer with the key in both of its places is in the list twice: what is done is done twice, and harms not. */
static struct magicsock_peer *peer_of(const struct list *l)
{
	return container_of(l, struct disco_slot, link)->peer;
}

/* Whose account a ping counts for, when several nodes have the key: one ping is not to be paid back several times. */
static struct magicsock_peer *pinger(const struct disco_key *k, const struct disco_msg *ping)
{
	list_for_each(l, &k->peers)
		if (ping->has_node_key && memcmp(peer_of(l)->key.b, ping->node_key.b, KEY_LEN) == 0)
			return peer_of(l);
	return list_empty(&k->peers) ? NULL : peer_of(k->peers.next);
}

static void got_ping(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	const struct from *from)
{
	struct magicsock_peer *payer = pinger(k, msg);
	size_t answer;

	m->n.pings_in++;
	answer = answer_ping(m, k, msg, from); /* first: its latency counts */
	list_for_each(l, &k->peers) {
		struct magicsock_peer *p = peer_of(l);

		if (!from->key)
			path_on_ping(&p->path, from->route->addr, p == payer ? from->len : 0,
				answer, m->now.mono);
		if (p == payer)
			payer = NULL; /* it may be in the list twice */
		handshake_retry(p);
		peer_wake_set(p);
	}
}

/* Our own address as the other side of a direct path sees it: when it changes, so did our NAT's mapping. */
static void note_seen_as(struct magicsock_peer *p, struct ipport to, struct ipport seen)
{
	struct magicsock *m = p->m;

	if (!ipport_eq(to, p->path.best) || !path_usable_address(seen))
		return;
	if (ipaddr_is_set(p->seen_as.ip) && !ipport_eq(p->seen_as, seen) &&
		m->now.mono - endpoints_checked_at(m->endpoints) > seen_gap)
		endpoints_check(m->endpoints, false, m->now);
	p->seen_as = seen;
}

static void got_pong(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	const struct from *from)
{
	m->n.pongs_in++;
	list_for_each(l, &k->peers) {
		struct magicsock_peer *p = peer_of(l);
		struct path_answer a;

		if (!path_on_pong(&p->path, msg->txid, from->key != NULL, m->now.mono, &a))
			continue;
		if (a.cookie)
			pings_disco_answered(p, &a);
		if (!from->key)
			note_seen_as(p, a.to, msg->src);
		handshake_retry(p);
		peer_wake_set(p);
		return;
	}
	m->n.disco_ignored++;
}

/* Over a relay only, and only from a node that has this disco key: it makes us send to addresses of its choice. */
static void got_call(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	const struct from *from)
{
	struct magicsock_peer *p = from->key ? peer_by_key(m, from->key) : NULL;

	if (!p || !peer_has_disco(p, k)) {
		m->n.disco_ignored++;
		return;
	}
	m->n.calls_in++;
	path_on_call(&p->path, msg->endpoint, MIN_OF(msg->n_endpoints, (size_t)DISCO_ENDPOINTS_MAX),
		m->now.mono);
	handshake_retry(p);
	peer_wake_set(p);
}

static void dispatch(struct magicsock *m, struct disco_key *k, const struct disco_msg *msg,
	const struct from *from)
{
	switch (msg->type) {
	case DISCO_PING:
		got_ping(m, k, msg, from);
		break;
	case DISCO_PONG:
		got_pong(m, k, msg, from);
		break;
	case DISCO_CALL_ME_MAYBE:
		got_call(m, k, msg, from);
		break;
	case DISCO_BIND:
	case DISCO_BIND_CHALLENGE:
	case DISCO_BIND_ANSWER:
	case DISCO_CALL_ME_MAYBE_VIA:
	case DISCO_ALLOCATE_REQUEST:
	case DISCO_ALLOCATE_RESPONSE:
		m->n.disco_ignored++; /* of peer relays, which this version does not use */
		break;
	}
}

void disco_in(struct magicsock *m, const uint8_t *p, size_t len, const struct magicsock_route *from,
	const struct node_pub *key)
{
	struct from f = { .route = from, .len = len, .key = key };
	struct disco_pub sender = disco_sender(p);
	struct disco_key *k = discokeys_find(m, &sender);
	const struct box_shared *s;
	struct disco_msg msg;

	if (!k) { /* no peer of ours: costs a look into the table and no key exchange */
		m->n.disco_unknown++;
		return;
	}
	s = discokeys_shared(m, k);
	if (!s || disco_open(s, p, len, &msg) < 0) {
		m->n.disco_bad++;
		return;
	}
	list_for_each_safe(l, &k->peers)
		discokeys_used(peer_of(l), k);
	dispatch(m, k, &msg, &f);
}
