/* Pings that people ask for, and the messages of nodes among themselves inside the tunnel (TSMP). */
#include "core/magicsock/internal.h"
#include "base/err/err.h"

/*
 * One question may be lost: most often since the peer does not know us yet, when we have just joined. So it is sent again,
 * with growing gaps (after 0.3, 0.9, 2.1 and 4.5 s), until an answer comes.
 */
static const mono_ns ping_timeout = SEC(5), first_gap = MSEC(300);

enum { DISCO_SIZE_MAX = DISCO_OVERHEAD + DISCO_MESSAGE_MAX };

/* ---- Asking ---- */

static struct person_ping *free_place(struct magicsock *m)
{
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		if (!m->pings[i].used)
			return &m->pings[i];
	return NULL;
}

/* Our address and the peer's, of one family. */
static bool address_pair(
	const struct magicsock_peer *p, struct ipaddr *ret_self, struct ipaddr *ret_peer)
{
	const struct magicsock *m = p->m;
	bool v4 = ipaddr_is_set(m->self4) && ipaddr_is_set(p->addr4);

	*ret_self = masquerade_address(p, v4 ? 4 : 6);
	*ret_peer = v4 ? p->addr4 : p->addr6;
	return ipaddr_is_set(*ret_self) && ipaddr_is_set(*ret_peer);
}

static int send_inner(struct magicsock_peer *p, const struct person_ping *ping)
{
	struct ipaddr self, peer;
	uint8_t out[TSMP_PACKET_MAX];
	struct tsmp t = { .type = TSMP_PING };
	struct ip_echo e = { .id = p->m->icmp_id, .seq = (uint16_t)ping->cookie };
	int n;

	if (!address_pair(p, &self, &peer))
		return -ERR_NO_ROUTE;
	memcpy(t.data, ping->data, sizeof(t.data));
	n = ping->kind == MAGICSOCK_PING_TSMP
		    ? tsmp_encode(self, peer, &t, out)
		    : ip_echo_encode(self, peer, &e, out, TSMP_PACKET_MAX);
	if (n < 0)
		return n;
	wg_send_copy(p->m->wg, p->wg, out, (size_t)n, p->m->now);
	return 0;
}

static int send_ping(struct magicsock_peer *p, struct person_ping *ping)
{
	ping->region = output_relay_of(p).region;
	if (ping->kind != MAGICSOCK_PING_DISCO)
		return send_inner(p, ping);
	path_ping(&p->path, ping->cookie, ping->size, p->m->now.mono);
	return 0;
}

static int check_ping(const struct magicsock *m, const struct magicsock_peer *p,
	enum magicsock_ping_kind kind, size_t size)
{
	if (!m->on)
		return -ERR_BAD_STATE;
	if (!p)
		return -ERR_NO_PEER;
	if (p->expired)
		return -ERR_EXPIRED;
	if (kind == MAGICSOCK_PING_DISCO && size > DISCO_SIZE_MAX)
		return -ERR_TOO_BIG;
	return p->wg ? 0 : -ERR_BAD_STATE;
}

int pings_start(struct magicsock *m, int64_t id, enum magicsock_ping_kind kind, size_t size,
	void (*fn)(void *ctx, const struct magicsock_pong *r), void *ctx)
{
	struct magicsock_peer *p = peer_find(m, id);
	struct person_ping *ping = free_place(m);
	int rc = check_ping(m, p, kind, size);

	if (rc < 0)
		return rc;
	if (!ping)
		return -ERR_TOO_MANY;
	m->next_cookie += m->next_cookie == UINT32_MAX ? 2 : 1; /* not 0 */
	*ping = (struct person_ping){ .used = true,
		.kind = kind,
		.peer = id,
		.cookie = m->next_cookie,
		.at = m->now.mono,
		.again_at = mono_add(m->now.mono, first_gap),
		.gap = first_gap,
		.size = size,
		.fn = fn,
		.ctx = ctx };
	rng_fill(m->rng, ping->data, sizeof(ping->data));
	rc = send_ping(p, ping);
	ping->used = rc == 0;
	peer_wake_set(p);
	return rc;
}

/* ---- Answers ---- */

static void finish(struct person_ping *ping, const struct magicsock_pong *r)
{
	struct person_ping was = *ping;

	ping->used = false;
	was.fn(was.ctx, r);
}

static struct person_ping *find(
	struct magicsock *m, int64_t peer, enum magicsock_ping_kind kind, uint32_t cookie)
{
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++) {
		struct person_ping *p = &m->pings[i];

		if (p->used && p->peer == peer && p->kind == kind && p->cookie == cookie)
			return p;
	}
	return NULL;
}

void pings_disco_answered(struct magicsock_peer *p, const struct path_answer *a)
{
	struct person_ping *ping = find(p->m, p->id, MAGICSOCK_PING_DISCO, a->cookie);

	if (ping)
		finish(ping,
			&(struct magicsock_pong){ .peer = p->id,
				.latency = a->latency,
				.route = ipaddr_is_set(a->to.ip) ? route_direct(a->to)
								 : route_relay(ping->region) });
}

static void got_tsmp_pong(struct magicsock_peer *p, const struct tsmp *t)
{
	struct magicsock *m = p->m;

	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++) {
		struct person_ping *ping = &m->pings[i];

		if (!ping->used || ping->kind != MAGICSOCK_PING_TSMP || ping->peer != p->id ||
			memcmp(ping->data, t->data, sizeof(t->data)) != 0)
			continue;
		finish(ping, &(struct magicsock_pong){ .peer = p->id,
				     .latency = m->now.mono - ping->at,
				     .peerapi_port = t->peerapi_port });
		return;
	}
}

static void answer_tsmp_ping(struct magicsock_peer *p, const struct pkt *pkt)
{
	struct magicsock *m = p->m;
	uint8_t out[TSMP_PACKET_MAX];
	int n = tsmp_pong_encode(
		pkt->p, pkt->len, pkt->p[0] >> 4 == 4 ? m->peerapi4 : m->peerapi6, out);

	if (n < 0)
		return;
	wg_send_copy(m->wg, p->wg, out, (size_t)n, m->now);
}

/* Newer than the map, if that came from an earlier life. The session that it came through stays. */
static void got_disco_key(struct magicsock_peer *p, const uint8_t key[static KEY_LEN])
{
	struct disco_pub pub;

	memcpy(pub.b, key, KEY_LEN);
	if (!key_is_zero(key) && !p->wireguard_only && discokeys_by_peer(p, &pub) < 0)
		p->m->n.disco_bad++;
}

static bool take_tsmp(struct magicsock_peer *p, const struct pkt *pkt, const struct ip_pkt *ip)
{
	struct tsmp t;

	if (tsmp_decode(ip, &t) < 0)
		return false;
	switch (t.type) {
	case TSMP_PING:
		answer_tsmp_ping(p, pkt);
		return true;
	case TSMP_PONG:
		got_tsmp_pong(p, &t);
		return true;
	case TSMP_DISCO_KEY:
		got_disco_key(p, t.disco_key);
		return true;
	case TSMP_REJECT:
		break; /* about a flow of the owner's */
	}
	return false;
}

static bool take_echo(struct magicsock_peer *p, const struct ip_pkt *ip)
{
	struct person_ping *ping;
	struct ip_echo e;

	if (ip_echo_decode(ip, &e) < 0 || !e.reply || e.id != p->m->icmp_id)
		return false;
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++) {
		ping = &p->m->pings[i];
		if (!ping->used || ping->kind != MAGICSOCK_PING_ICMP || ping->peer != p->id ||
			(uint16_t)ping->cookie != e.seq)
			continue;
		finish(ping, &(struct magicsock_pong){
				     .peer = p->id, .latency = p->m->now.mono - ping->at });
		return true;
	}
	return false;
}

bool pings_take(struct magicsock_peer *p, const struct pkt *pkt)
{
	/* A look at two bytes spares almost all packets the rest. */
	uint8_t proto = pkt->len < IP4_LEN ? 0 : pkt->p[0] >> 4 == 4 ? pkt->p[9] : pkt->p[6];
	struct ip_pkt ip;

	if (proto != IP_PROTO_TSMP && proto != IP_PROTO_ICMP && proto != IP_PROTO_ICMPV6)
		return false;
	ip_decode(pkt->p, pkt->len, &ip);
	return ip.proto == IP_PROTO_TSMP ? take_tsmp(p, pkt, &ip) : take_echo(p, &ip);
}

void pings_advertise(struct magicsock_peer *p)
{
	struct magicsock *m = p->m;
	uint8_t out[TSMP_PACKET_MAX];
	struct tsmp t = { .type = TSMP_DISCO_KEY };
	struct ipaddr self, peer;
	int n;

	if (p->wireguard_only || !address_pair(p, &self, &peer))
		return;
	memcpy(t.disco_key, m->disco_pub.b, KEY_LEN);
	n = tsmp_encode(self, peer, &t, out);
	if (n < 0)
		return;
	wg_send_copy(m->wg, p->wg, out, (size_t)n, m->now);
}

/* ---- Ends ---- */

void pings_peer_gone(struct magicsock *m, int64_t id)
{
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		if (m->pings[i].used && m->pings[i].peer == id)
			finish(&m->pings[i],
				&(struct magicsock_pong){ .peer = id, .rc = -ERR_NO_PEER });
}

static void ask_again(struct magicsock *m, struct person_ping *ping)
{
	struct magicsock_peer *p = peer_find(m, ping->peer);

	ping->gap *= 2;
	ping->again_at = mono_add(m->now.mono, ping->gap);
	if (m->on && p && p->wg && !p->expired && send_ping(p, ping) == 0)
		peer_wake_set(p);
}

void pings_tick(struct magicsock *m)
{
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		if (m->pings[i].used && m->now.mono >= m->pings[i].again_at)
			ask_again(m, &m->pings[i]);
	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		if (m->pings[i].used && m->now.mono - m->pings[i].at >= ping_timeout)
			finish(&m->pings[i], &(struct magicsock_pong){
						     .peer = m->pings[i].peer, .rc = -ETIMEDOUT });
}

mono_ns pings_deadline(const struct magicsock *m)
{
	mono_ns at = MONO_NEVER;

	for (size_t i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		if (m->pings[i].used)
			at = mono_min(at, mono_min(m->pings[i].again_at,
						  mono_add(m->pings[i].at, ping_timeout)));
	return at;
}
