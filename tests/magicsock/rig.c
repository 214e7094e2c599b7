#include "tests/magicsock/rig.h"

#include "proto/http1/http1.h"
#include "proto/stun/stun.h"

#include <errno.h>

enum { UDP_PORT = 41641, PKT_LEN = 32 };

struct now rig_now(const struct rig *w)
{
	return (struct now){ .mono = vnet_now(w->v),
		.wall = 1800000000000 + vnet_now(w->v) / MSEC(1) };
}

void rig_run(struct rig *w, mono_ns d)
{
	vnet_run(w->v, vnet_now(w->v) + d);
}

/* ---- The relay ---- */

struct relay_conn {
	struct relay_host *r;
	struct vnet_stream *s;
	struct derpconn *derp; /* NULL before the request's end */
	uint8_t head[2048];
	size_t head_len;
	bool closing;
};

static void relay_after(struct relay_host *r)
{
	vnet_at(r->w->v, &r->tick, derprelay_deadline(r->relay));
}

static void relay_tick(struct vnet_event *e)
{
	struct relay_host *r = container_of(e, struct relay_host, tick);

	derprelay_tick(r->relay, vnet_now(r->w->v));
	relay_after(r);
}

static void relay_flush(void *owner)
{
	struct relay_conn *c = owner;
	struct view v;

	while (c->derp && c->s && (v = derprelay_output(c->derp)).len) {
		size_t n = vnet_write(c->s, v.p, v.len);

		derprelay_written(c->derp, n);
		if (n < v.len)
			return;
	}
}

static void relay_on_close(void *owner)
{
	struct relay_conn *c = owner;

	c->closing = true;
}

static void conn_free(struct relay_conn *c)
{
	size_t i;

	for (i = 0; c->r->conns[i] != c; i++)
		;
	c->r->conns[i] = c->r->conns[--c->r->n_conns];
	if (c->derp)
		derprelay_close(c->derp);
	if (c->s)
		vnet_stream_reset(c->s);
	free(c);
}

static int conn_head(struct relay_conn *c, const uint8_t *p, size_t len, size_t *ret_used)
{
	struct http1_head head;
	size_t used, n = MIN_OF(len, sizeof(c->head) - c->head_len);
	int rc;

	memcpy(c->head + c->head_len, p, n);
	rc = http1_parse(c->head, c->head_len + n, false, &head, &used);
	*ret_used = rc == 0 ? used - c->head_len : n;
	c->head_len += n;
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (!http1_find(&head, "Derp-Fast-Start").len) {
		static const char answer[] =
			"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n";

		CHECK_INT(vnet_write(c->s, answer, sizeof(answer) - 1), ==, sizeof(answer) - 1);
	}
	return derprelay_accept(c->r->relay, vnet_stream_remote(c->s), false, c,
		vnet_now(c->r->w->v), NULL, &c->derp);
}

static void conn_data(void *ctx, const uint8_t *p, size_t len)
{
	struct relay_conn *c = ctx;
	size_t used = 0;
	int rc = c->derp ? 0 : conn_head(c, p, len, &used);

	if (rc == 0 && c->derp && used < len)
		rc = derprelay_feed(c->derp, p + used, len - used, vnet_now(c->r->w->v));
	relay_after(c->r);
	if (rc < 0 || c->closing)
		conn_free(c);
	else
		relay_flush(c);
}

static void conn_room(void *ctx)
{
	relay_flush(ctx);
}

static void conn_closed(void *ctx, int rc)
{
	struct relay_conn *c = ctx;

	c->s = NULL;
	conn_free(c);
}

static const struct vnet_stream_ops conn_ops = { NULL, conn_data, conn_room, conn_closed };

static void relay_accept(void *ctx, struct vnet_stream *s)
{
	struct relay_conn *c = calloc(1, sizeof(*c));

	CHECK_TRUE(c != NULL);
	*c = (struct relay_conn){ .r = ctx, .s = s };
	CHECK_INT(c->r->n_conns, <, CONNS_MAX);
	c->r->conns[c->r->n_conns++] = c;
	vnet_stream_set(s, &conn_ops, c);
}

static void relay_stun(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct relay_host *r = ctx;
	uint8_t txid[STUN_TXID_LEN], out[STUN_RESPONSE_MAX];

	if (stun_request_decode(p, len, txid) == 0)
		(void)vnet_udp_send(r->udp, from, out, stun_response_encode(txid, from, out));
}

static void relay_open(struct rig *w, size_t i, struct rng *rng)
{
	struct derprelay_cfg cfg = {
		.rng = rng, .on_output = relay_flush, .on_close = relay_on_close
	};
	struct relay_host *r = &w->relays[i];
	static char addr[RELAYS_MAX][16];
	struct vnet_if *ifc;

	*r = (struct relay_host){ .w = w, .region = (int)i + 1, .tick.fire = relay_tick };
	snprintf(addr[i], sizeof(addr[i]), "203.0.113.%zu", i + 1);
	r->dev = vnet_host(w->v, "relay");
	ifc = vnet_plug(r->dev, w->inet);
	vnet_addr_add(ifc, addr[i]);
	cfg.private.b[0] = (uint8_t)(8 * (i + 1));
	cfg.private.b[31] = 64;
	CHECK_INT(derprelay_new(&r->relay, &cfg), ==, 0);
	r->udp = vnet_udp_open(r->dev, 3478, relay_stun, r);
	r->listener = vnet_listen(r->dev, 443, relay_accept, r);
	w->derp_nodes[i] = (struct tc_derp_node){ .name = "1a",
		.region_id = r->region,
		.hostname = addr[i],
		.ipv4 = addr[i],
		.ipv6 = "none" };
	w->derp_regions[i] = (struct tc_derp_region){ .id = r->region,
		.code = "x",
		.name = "X",
		.nodes = json_list_of(&w->derp_nodes[i], 1) };
	w->derp_pairs[i] = (struct json_pair){ i ? "2" : "1", &w->derp_regions[i] };
}

void relay_crash(struct relay_host *r)
{
	while (r->n_conns) {
		r->conns[0]->s = NULL;
		conn_free(r->conns[0]);
	}
	vnet_crash(r->dev);
	r->udp = vnet_udp_close(r->udp);
	r->listener = vnet_unlisten(r->listener);
}

/* ---- A node's edges ---- */

static void tell_hub(struct node *n)
{
	if (n->tell.at.pos == 0)
		vnet_at(n->w->v, &n->tell, vnet_now(n->w->v) + MSEC(30));
}

static struct pkt packet(uint8_t *mem, uint8_t from, uint8_t to, bool reply, uint16_t seq)
{
	struct pkt pkt = pkt_in(mem, PKT_LEN);
	uint8_t *p = pkt.p;

	memset(p, 0, PKT_LEN);
	p[0] = 0x45;
	p[3] = PKT_LEN;
	p[8] = 64;
	p[9] = 17;
	memcpy(p + 12, (uint8_t[]){ 100, 64, 0, from, 100, 64, 0, to }, 8);
	p[20] = reply;
	store_be16(p + 22, seq);
	return pkt;
}

static void op_udp_send(void *owner, struct ipport to, const struct pkt *d, size_t n)
{
	struct node *nd = owner;

	for (size_t i = 0; i < n; i++) {
		nd->udp_sent++;
		nd->stun_sent += stun_is(d[i].p, d[i].len);
		nd->wg_udp_sent += wgmsg_type(d[i].p, d[i].len) != WGMSG_INVALID;
		if (d[i].len > 62 && d[i].p[0] == 'T' && d[i].len <= sizeof(nd->last_disco)) {
			memcpy(nd->last_disco, d[i].p, d[i].len);
			nd->last_disco_len = d[i].len;
		}
		nd->strange += to.ip.family == 4 && to.ip.b[0] == 198 && to.ip.b[1] == 18;
		if (ipport_eq(to, nd->watched))
			nd->watched_bytes += d[i].len + PATH_HEADERS4;
		if (!ipaddr_is_set(nd->forges.ip)) {
			(void)vnet_udp_send(nd->udp, to, d[i].p, d[i].len);
			continue;
		}
		nd->forged_bytes += d[i].len;
		(void)vnet_udp_forge(nd->udp, nd->forges, to, d[i].p, d[i].len);
	}
}

static void packets_in(struct node *nd, int64_t peer, const struct pkt *pkt, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint16_t seq = load_be16(pkt[i].p + 22);

		CHECK_INT(pkt[i].p[15], ==, peer);
		nd->n_in++;
		if (pkt[i].p[20]) {
			if (!nd->answered_at[seq])
				nd->answered_at[seq] = vnet_now(nd->w->v);
		} else if (nd->n_replies < REPLIES_QUEUED) {
			nd->replies[nd->n_replies].to = pkt[i].p[15];
			nd->replies[nd->n_replies++].seq = seq;
		}
	}
}

static void take_packets(struct node *n)
{
	struct magicsock_packets in;

	while (magicsock_next_packets(n->magicsock, &in))
		packets_in(n, in.peer, in.pkt, in.n);
}

static void check_rc(const struct rig *w, int rc)
{
	CHECK_TRUE(rc == 0 || (w->short_of_memory && rc == -ENOMEM));
}

static void check_stream(struct stream_ctx *c, int rc)
{
	struct node *n = c->n;

	check_rc(n->w, rc);
	if (rc == 0 || !n->streams[c->region])
		return;
	vnet_stream_reset(n->streams[c->region]);
	n->streams[c->region] = NULL;
	magicsock_relay_closed(n->magicsock, c->region, rc, rig_now(n->w));
}

static void on_connected(void *ctx)
{
	struct stream_ctx *c = ctx;
	struct node *n = c->n;
	/* Region 1 has a certificate that names the key; 2 answers in full. */
	const struct node_pub *fast =
		c->region == 1 ? derprelay_public(n->w->relays[0].relay) : NULL;

	check_stream(c, magicsock_relay_connected(n->magicsock, c->region, fast, rig_now(n->w)));
	node_after(n);
}

static void on_data(void *ctx, const uint8_t *p, size_t len)
{
	struct stream_ctx *c = ctx;

	check_stream(c, magicsock_relay_feed(c->n->magicsock, c->region, p, len, rig_now(c->n->w)));
	take_packets(c->n);
	node_after(c->n);
}

static void on_room(void *ctx)
{
	node_after(((struct stream_ctx *)ctx)->n);
}

static void on_closed(void *ctx, int rc)
{
	struct stream_ctx *c = ctx;
	struct node *n = c->n;
	int region = c->region;

	n->streams[region] = NULL;
	magicsock_relay_closed(n->magicsock, region, rc, rig_now(n->w));
	node_after(n);
}

static const struct vnet_stream_ops stream_ops = { on_connected, on_data, on_room, on_closed };

static void op_relay_dial(void *owner, int region, const struct tc_derp_node *node)
{
	struct node *n = owner;
	struct stream_ctx *c = &n->ctx[region];
	struct ipport to = { .port = 443 };

	CHECK_TRUE(!n->streams[region]);
	CHECK_INT(ipaddr_parse(node->ipv4, strlen(node->ipv4), &to.ip), ==, 0);
	*c = (struct stream_ctx){ n, region };
	n->streams[region] = vnet_connect(n->dev, to, &stream_ops, c);
}

static void op_relay_hangup(void *owner, int region)
{
	struct node *n = owner;

	CHECK_TRUE(n->streams[region] != NULL);
	n->streams[region] = vnet_stream_close(n->streams[region]);
}

static void op_relay_wake(void *owner, int region) {}

static void op_self_changed(void *owner, unsigned what)
{
	tell_hub(owner);
}

static void op_peer_event(void *owner, int64_t peer, enum magicsock_peer_event ev)
{
	struct node *n = owner;

	n->sessions += ev == MAGICSOCK_SESSION;
	n->paths += ev == MAGICSOCK_PATH;
}

static const struct magicsock_ops ops = { .udp_send = op_udp_send,
	.relay_dial = op_relay_dial,
	.relay_hangup = op_relay_hangup,
	.relay_wake = op_relay_wake,
	.self_changed = op_self_changed,
	.peer_event = op_peer_event };

static void flush_relay(struct node *n, int region)
{
	struct view v;

	while (n->streams[region] && (v = magicsock_relay_output(n->magicsock, region)).len) {
		size_t took = vnet_write(n->streams[region], v.p, v.len);

		magicsock_relay_written(n->magicsock, region, took);
		if (took < v.len)
			return;
	}
}

static void send_replies(struct node *n)
{
	while (n->n_replies) {
		uint8_t mem[PKT_ROOM(PKT_LEN)];
		struct pkt p;

		n->n_replies--;
		p = packet(mem, (uint8_t)n->n, n->replies[n->n_replies].to, true,
			n->replies[n->n_replies].seq);
		magicsock_send(n->magicsock, &p, 1, rig_now(n->w));
	}
}

void node_after(struct node *n)
{
	send_replies(n);
	for (int r = 1; r <= RELAYS_MAX; r++)
		flush_relay(n, r);
	vnet_at(n->w->v, &n->tick, magicsock_deadline(n->magicsock));
}

static void node_tick(struct vnet_event *e)
{
	struct node *n = container_of(e, struct node, tick);

	magicsock_tick(n->magicsock, rig_now(n->w));
	node_after(n);
}

static void on_udp(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct node *n = ctx;
	uint8_t mem[VNET_MTU];
	struct magicsock_datagram d = { .p = mem, .len = len, .from = from };

	memcpy(mem, p, len);
	magicsock_udp_in(n->magicsock, &d, 1, rig_now(n->w));
	take_packets(n);
	node_after(n);
}

/* ---- The hub ---- */

struct tc_node node_as_peer(
	const struct node *n, struct ipport eps[static ENDPOINTS_MAX], struct ipprefix *route)
{
	struct tc_node t = { .id = n->n,
		.home_derp = n->home,
		.expired = n->expired,
		.wireguard_only = n->wireguard_only };

	for (size_t i = 0; i < n->n_eps; i++)
		eps[i] = n->eps[i].addr;
	*route = ipprefix_single(ipaddr_v4(100, 64, 0, (uint8_t)n->n));
	t.endpoints = json_list_of(eps, n->n_eps);
	t.addresses = json_list_of(route, 1);
	CHECK_INT(key_public(n->key.b, t.key.b), ==, 0);
	CHECK_INT(key_public(n->disco.b, t.disco_key.b), ==, 0);
	return t;
}

static void introduce(struct node *n, struct node *to)
{
	struct ipport eps[ENDPOINTS_MAX];
	struct ipprefix route;
	struct tc_node t = node_as_peer(n, eps, &route);

	check_rc(to->w, magicsock_set_peer(to->magicsock, &t, &route, 1, rig_now(to->w)));
	node_after(to);
}

size_t node_endpoints(const struct node *n, struct endpoint ret[static ENDPOINTS_MAX])
{
	size_t k;
	const struct endpoint *v = endpoints_list(magicsock_endpoints(n->magicsock), &k);

	memcpy(ret, v, k * sizeof(v[0]));
	return k;
}

void node_tell_now(struct node *n)
{
	struct rig *w = n->w;

	if (n->stopped || w->hub_down)
		return;
	n->n_eps = node_endpoints(n, n->eps);
	n->home = magicsock_home(n->magicsock);
	for (size_t i = 0; i < w->n_nodes; i++)
		if (&w->nodes[i] != n && w->nodes[i].magicsock)
			introduce(n, &w->nodes[i]);
}

static void node_tell(struct vnet_event *e)
{
	node_tell_now(container_of(e, struct node, tell));
}

/* ---- Life ---- */

void rig_open(struct rig *w, uint64_t seed, size_t n_relays)
{
	static struct rng_seeded relay_rng;

	*w = (struct rig){ .v = vnet_new(seed), .n_relays = n_relays };
	w->inet = vnet_seg(w->v, "internet");
	vnet_fork(w->v, &relay_rng);
	for (size_t i = 0; i < n_relays; i++)
		relay_open(w, i, &relay_rng.rng);
	w->derp.regions = (struct json_map){ .v = w->derp_pairs, .n = n_relays, .present = true };
}

void rig_close(struct rig *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		magicsock_free(w->nodes[i].magicsock);
	for (size_t i = 0; i < w->n_nodes; i++) /* so that the relay lets them go */
		vnet_at(w->v, &w->nodes[i].tick, MONO_NEVER);
	vnet_check(w->v);
	for (size_t i = 0; i < w->n_relays; i++) {
		struct relay_host *r = &w->relays[i];

		while (r->n_conns)
			conn_free(r->conns[0]);
		derprelay_free(r->relay);
	}
	vnet_free(w->v);
}

static void link_of(struct vnet_if *i, mono_ns delay)
{
	struct vnet_link l = { .delay = delay };

	vnet_link(i, &l, &l);
}

/* A home of its own behind a router, or the home of another. */
static void node_place(struct node *n, const struct vnat_kind *kind, struct node *behind)
{
	struct rig *w = n->w;
	char addr[32];

	n->dev = vnet_host(w->v, "node");
	if (!kind && !behind) {
		n->ifc = vnet_plug(n->dev, w->inet);
		snprintf(addr, sizeof(addr), "203.0.113.%u", 100 + n->n);
		link_of(n->ifc, MSEC(10));
	} else if (behind) {
		n->lan = behind->lan;
		n->router = behind->router;
		n->ifc = vnet_plug(n->dev, n->lan);
		snprintf(addr, sizeof(addr), "192.168.%u.%u", behind->n, 100 + n->n);
	} else {
		struct vnet_if *inner;

		n->lan = vnet_seg(w->v, "lan");
		n->router = vnet_host(w->v, "router");
		inner = vnet_plug(n->router, n->lan);
		snprintf(addr, sizeof(addr), "192.168.%u.1", n->n);
		vnet_addr_add(inner, addr);
		n->wan = vnet_plug(n->router, w->inet);
		snprintf(addr, sizeof(addr), "203.0.113.%u", 10 + n->n);
		vnet_addr_add(n->wan, addr);
		link_of(n->wan, MSEC(10));
		vnet_make_router(n->router, n->wan, kind, NULL);
		vnet_route(n->lan, "0.0.0.0/0", inner);
		n->ifc = vnet_plug(n->dev, n->lan);
		snprintf(addr, sizeof(addr), "192.168.%u.%u", n->n, 100 + n->n);
	}
	vnet_addr_add(n->ifc, addr);
}

struct node *node_add(struct rig *w, const struct vnat_kind *kind, struct node *behind)
{
	struct node *n = &w->nodes[w->n_nodes++];

	*n = (struct node){ .w = w,
		.n = (unsigned)w->n_nodes,
		.tick.fire = node_tick,
		.tell.fire = node_tell,
		.stopped = true };
	vnet_fork(w->v, &n->rng);
	key_generate(&n->rng.rng, n->key.b);
	key_generate(&n->rng.rng, n->disco.b);
	node_place(n, kind, behind);
	return n;
}

void node_set_local(struct node *n, bool link_changed)
{
	struct ipaddr a[8];
	struct ipprefix p[8];
	size_t k = vnet_addrs(n->dev, a, ARRAY_LEN(a));

	for (size_t i = 0; i < k; i++)
		p[i] = (struct ipprefix){ a[i], a[i].family == 4 ? 24 : 64 };
	magicsock_set_local(n->magicsock, p, k, UDP_PORT, 0, link_changed, rig_now(n->w));
	node_after(n);
}

void node_start(struct node *n)
{
	struct magicsock_cfg cfg = { .node = n->key,
		.disco = n->disco,
		.mtu = 1280,
		.rng = &n->rng.rng,
		.ops = &ops,
		.owner = n };
	struct rig *w = n->w;

	check_rc(w, magicsock_new(&n->magicsock, &cfg, rig_now(w)));
	if (!n->magicsock)
		return;
	n->stopped = false;
	n->udp = vnet_udp_open(n->dev, UDP_PORT, on_udp, n);
	magicsock_set_self(
		n->magicsock, ipaddr_v4(100, 64, 0, (uint8_t)n->n), (struct ipaddr){ 0 }, 0, 0);
	for (size_t i = 0; i < w->n_nodes; i++)
		if (&w->nodes[i] != n && (w->nodes[i].magicsock || w->nodes[i].home))
			introduce(&w->nodes[i], n);
	check_rc(w, magicsock_set_derp_map(n->magicsock, &w->derp, rig_now(w)));
	node_set_local(n, false);
	node_tell_now(n);
}

void node_stop(struct node *n)
{
	vnet_crash(n->dev);
	n->udp = vnet_udp_close(n->udp);
	n->magicsock = magicsock_free(n->magicsock);
	n->stopped = true;
	memset(n->streams, 0, sizeof(n->streams));
	vnet_at(n->w->v, &n->tick, MONO_NEVER);
	vnet_at(n->w->v, &n->tell, MONO_NEVER);
}

/* ---- Traffic ---- */

uint16_t node_ping(struct node *n, const struct node *to)
{
	uint8_t mem[PKT_ROOM(PKT_LEN)];
	uint16_t seq = n->next_seq++;
	struct pkt p = packet(mem, (uint8_t)n->n, (uint8_t)to->n, false, seq);

	CHECK_INT(seq, <, SERIES_MAX);
	n->sent_at[seq] = vnet_now(n->w->v);
	magicsock_send(n->magicsock, &p, 1, rig_now(n->w));
	node_after(n);
	return seq;
}

void node_series(struct node *n, const struct node *to, mono_ns gap, mono_ns d)
{
	for (mono_ns t = 0; t < d; t += gap) {
		node_ping(n, to);
		rig_run(n->w, gap);
	}
}

size_t node_lost(const struct node *n)
{
	size_t lost = 0;

	for (size_t i = 0; i < n->next_seq; i++)
		lost += !n->answered_at[i] && vnet_now(n->w->v) - n->sent_at[i] >= SEC(1);
	return lost;
}

mono_ns node_first_answer(const struct node *n, uint16_t from_seq)
{
	mono_ns first = MONO_NEVER;

	for (size_t i = from_seq; i < n->next_seq; i++)
		if (n->answered_at[i])
			first = mono_min(first, n->answered_at[i]);
	return first;
}

bool node_is_direct(const struct node *n, const struct node *to)
{
	struct magicsock_peer_status s;

	CHECK_INT(magicsock_peer_status(n->magicsock, to->n, rig_now(n->w), &s), ==, 0);
	return s.route.kind == MAGICSOCK_DIRECT;
}

mono_ns node_until_direct(struct node *n, const struct node *to, mono_ns gap, mono_ns limit)
{
	mono_ns until = vnet_now(n->w->v) + limit;

	while (vnet_now(n->w->v) < until && !node_is_direct(n, to))
		node_series(n, to, gap, gap);
	return node_is_direct(n, to) ? vnet_now(n->w->v) : MONO_NEVER;
}

void rig_direct_pair(struct rig *w, const struct vnat_kind *ka, const struct vnat_kind *kb,
	struct node **a, struct node **b)
{
	rig_open(w, 7, 1);
	*a = node_add(w, ka, NULL);
	*b = node_add(w, kb, NULL);
	node_start(*a);
	node_start(*b);
	rig_run(w, SEC(1));
	CHECK_TRUE(node_until_direct(*a, *b, MSEC(100), SEC(2)) != MONO_NEVER);
	node_series(*a, *b, MSEC(100), SEC(8));
	CHECK_TRUE(node_is_direct(*a, *b) && node_is_direct(*b, *a));
	CHECK_INT(node_lost(*a), ==, 0);
}
