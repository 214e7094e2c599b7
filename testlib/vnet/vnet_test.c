/* The virtual network keeps its promises: order, bounds, loss as delay, and the same events for the same seed. */
#include "testlib/vnet/vnet.h"
#include "testlib/check.h"

#include <errno.h>

enum { LOG_MAX = 400000 };

struct end {
	struct vnet_stream *s;
	size_t got, to_send, sent;
	mono_ns connected, first, last;
	int rc;
	bool closed, in_order;
};

struct net {
	struct vnet *v;
	struct vnet_seg *inet;
	struct vnet_dev *a, *b;
	struct vnet_if *a_if, *b_if;
	struct vnet_listener *listener;
	struct end client, server;
	size_t udp_got;
	uint32_t udp_last;
	bool udp_in_order;
	struct ipport udp_from;
};

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

static mono_ns now_of(const struct vnet *v)
{
	return vnet_now(v);
}

static struct vnet *the_net;

static void feed(struct end *e)
{
	uint8_t b[1000];

	while (e->s && e->sent < e->to_send) {
		size_t n = MIN_OF(sizeof(b), e->to_send - e->sent), took;

		for (size_t i = 0; i < n; i++)
			b[i] = byte_at(e->sent + i);
		took = vnet_write(e->s, b, n);
		e->sent += took;
		if (took < n)
			return;
	}
}

static void on_connected(void *ctx)
{
	struct end *e = ctx;

	e->connected = now_of(the_net);
	feed(e);
}

static void on_data(void *ctx, const uint8_t *p, size_t len)
{
	struct end *e = ctx;

	if (!e->got)
		e->first = now_of(the_net);
	for (size_t i = 0; i < len; i++)
		CHECK_INT(p[i], ==, byte_at(e->got + i));
	e->got += len;
	e->last = now_of(the_net);
}

static void on_room(void *ctx)
{
	feed(ctx);
}

static void on_closed(void *ctx, int rc)
{
	struct end *e = ctx;

	e->closed = true;
	e->rc = rc;
	e->s = NULL;
}

static const struct vnet_stream_ops stream_ops = { on_connected, on_data, on_room, on_closed };

static void on_accept(void *ctx, struct vnet_stream *s)
{
	struct net *n = ctx;

	n->server.s = s;
	n->server.closed = false;
	vnet_stream_set(s, &stream_ops, &n->server);
	feed(&n->server);
}

static void on_udp(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct net *n = ctx;

	CHECK_INT(len, >=, 4);
	n->udp_in_order = n->udp_in_order && load_be32(p) >= n->udp_last;
	n->udp_last = load_be32(p);
	n->udp_from = from;
	n->udp_got++;
}

static void start(struct net *n, uint64_t seed, struct vnet_link l)
{
	*n = (struct net){ .v = vnet_new(seed), .udp_in_order = true };
	the_net = n->v;
	n->inet = vnet_seg(n->v, "inet");
	n->a = vnet_host(n->v, "a");
	n->b = vnet_host(n->v, "b");
	n->a_if = vnet_plug(n->a, n->inet);
	n->b_if = vnet_plug(n->b, n->inet);
	vnet_addr_add(n->a_if, "198.51.100.1");
	vnet_addr_add(n->b_if, "198.51.100.2");
	vnet_link(n->a_if, &l, &l);
	n->listener = vnet_listen(n->b, 443, on_accept, n);
}

static struct ipport port_of(const struct vnet_dev *d, uint16_t port)
{
	return (struct ipport){ .ip = vnet_addr(d, 4), .port = port };
}

static void dial(struct net *n, uint16_t port)
{
	n->client.s = vnet_connect(n->a, port_of(n->b, port), &stream_ops, &n->client);
}

static void stop(struct net *n)
{
	vnet_check(n->v);
	n->v = vnet_free(n->v);
}

static void send_many(struct net *n, size_t count)
{
	struct vnet_udp *ua = vnet_udp_open(n->a, 1000, on_udp, n),
			*ub = vnet_udp_open(n->b, 2000, on_udp, n);

	for (uint32_t i = 0; i < count; i++) {
		uint8_t b[4];

		store_be32(b, i);
		CHECK_INT(vnet_udp_send(ua, port_of(n->b, 2000), b, 4), ==, 0);
		vnet_run(n->v, now_of(n->v) + MSEC(1));
	}
	vnet_run(n->v, now_of(n->v) + SEC(2));
	vnet_udp_close(ua);
	vnet_udp_close(ub);
}

static void a_datagram_takes_the_delay_of_its_links(void **state)
{
	struct net n;
	mono_ns t0;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(30) });
	struct vnet_udp *ua = vnet_udp_open(n.a, 1, on_udp, &n),
			*ub = vnet_udp_open(n.b, 2, on_udp, &n);
	t0 = now_of(n.v);
	CHECK_INT(vnet_udp_send(ua, port_of(n.b, 2), "abcd", 4), ==, 0);
	vnet_run(n.v, t0 + MSEC(29));
	CHECK_INT(n.udp_got, ==, 0);
	vnet_run(n.v, t0 + MSEC(31));
	CHECK_INT(n.udp_got, ==, 1);
	CHECK_TRUE(ipport_eq(n.udp_from, port_of(n.a, 1)));
	vnet_udp_close(ua);
	vnet_udp_close(ub);
	stop(&n);
}

static void jitter_alone_keeps_the_order(void **state)
{
	struct net n;

	(void)state;
	start(&n, 2, (struct vnet_link){ .delay = MSEC(5), .jitter = MSEC(40) });
	send_many(&n, 1000);
	CHECK_INT(n.udp_got, ==, 1000);
	CHECK_TRUE(n.udp_in_order);
	stop(&n);
}

static void links_lose_repeat_and_reorder_as_often_as_told(void **state)
{
	struct net n;

	(void)state;
	start(&n, 3, (struct vnet_link){ .delay = MSEC(5), .loss_ppm = 100000 });
	send_many(&n, 4000);
	CHECK_INT(n.udp_got, >, 3450);
	CHECK_INT(n.udp_got, <, 3750);
	stop(&n);
	start(&n, 4, (struct vnet_link){ .delay = MSEC(5), .dup_ppm = 100000 });
	send_many(&n, 4000);
	CHECK_INT(n.udp_got, >, 4250);
	CHECK_INT(n.udp_got, <, 4550);
	stop(&n);
	start(&n, 5, (struct vnet_link){ .delay = MSEC(5), .reorder_ppm = 100000 });
	send_many(&n, 4000);
	CHECK_INT(n.udp_got, ==, 4000);
	CHECK_TRUE(!n.udp_in_order);
	CHECK_INT(vnet_counters(n.v)->reordered, >, 300);
	stop(&n);
}

static void datagrams_above_the_mtu_are_refused(void **state)
{
	static const uint8_t big[VNET_MTU];
	struct net n;
	struct vnet_udp *u;

	(void)state;
	start(&n, 1, (struct vnet_link){ 0 });
	u = vnet_udp_open(n.a, 1, on_udp, &n);
	CHECK_INT(vnet_udp_send(u, port_of(n.b, 2), big, VNET_MTU - 28), ==, 0);
	CHECK_INT(vnet_udp_send(u, port_of(n.b, 2), big, VNET_MTU - 27), ==, -EMSGSIZE);
	stop(&n);
}

static void a_host_without_address_or_route_cannot_send(void **state)
{
	struct net n;
	struct vnet_udp *u;
	struct ipport nowhere = { .ip = ipaddr_v4(192, 0, 2, 1), .port = 1 };

	(void)state;
	start(&n, 1, (struct vnet_link){ 0 });
	u = vnet_udp_open(n.a, 1, on_udp, &n);
	CHECK_INT(vnet_udp_send(u, nowhere, "abcd", 4), ==, -ENETUNREACH);
	vnet_addr_clear(n.a_if);
	CHECK_INT(vnet_udp_send(u, port_of(n.b, 2), "abcd", 4), ==, -ENETUNREACH);
	dial(&n, 443);
	CHECK_TRUE(!n.client.closed); /* not from inside the call */
	vnet_run(n.v, now_of(n.v) + MSEC(1));
	CHECK_INT(n.client.rc, ==, -ENETUNREACH);
	stop(&n);
}

static void a_stream_connects_in_one_round_trip(void **state)
{
	struct net n;
	mono_ns t0;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(50) });
	t0 = now_of(n.v);
	n.client.to_send = 100;
	dial(&n, 443);
	vnet_run(n.v, t0 + SEC(1));
	CHECK_INT((n.client.connected - t0) / MSEC(1), ==, 100);
	CHECK_INT((n.server.first - t0) / MSEC(1), ==, 150);
	stop(&n);
}

static void a_stream_is_whole_whatever_the_link_does(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct net n;

		CHECK_ROW("seed %d", (int)seed);
		start(&n, seed,
			(struct vnet_link){ .delay = MSEC(10),
				.jitter = MSEC(20),
				.loss_ppm = 50000,
				.dup_ppm = 20000,
				.reorder_ppm = 30000 });
		n.client.to_send = 300000;
		n.server.to_send = 200000;
		dial(&n, 443);
		for (int i = 0; i < 600 && (n.server.got < 300000 || n.client.got < 200000); i++) {
			vnet_run(n.v, now_of(n.v) + MSEC(100));
			vnet_check(n.v);
		}
		CHECK_INT(n.server.got, ==, 300000);
		CHECK_INT(n.client.got, ==, 200000);
		vnet_stream_close(n.client.s);
		vnet_run(n.v, now_of(n.v) + SEC(10));
		CHECK_TRUE(n.server.closed);
		CHECK_INT(n.server.rc, ==, 0);
		stop(&n);
	}
}

static void loss_shows_as_delay(void **state)
{
	struct net n;
	mono_ns clean;

	(void)state;
	start(&n, 9, (struct vnet_link){ .delay = MSEC(10) });
	n.client.to_send = 500000;
	dial(&n, 443);
	vnet_run(n.v, SEC(60));
	clean = n.server.last;
	stop(&n);
	start(&n, 9, (struct vnet_link){ .delay = MSEC(10), .loss_ppm = 50000 });
	n.client.to_send = 500000;
	dial(&n, 443);
	vnet_run(n.v, SEC(60));
	CHECK_INT(n.server.got, ==, 500000);
	CHECK_INT(n.server.last, >, clean + MSEC(200));
	stop(&n);
}

static void a_writer_is_held_back_by_the_bound(void **state)
{
	static const uint8_t zeros[VNET_STREAM_BUF_MAX + 1];
	struct net n;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(10) });
	dial(&n, 443);
	vnet_run(n.v, now_of(n.v) + MSEC(30));
	CHECK_INT(vnet_write(n.client.s, zeros, sizeof(zeros)), ==, VNET_STREAM_BUF_MAX);
	CHECK_INT(vnet_write(n.client.s, zeros, 1), ==, 0);
	stop(&n);
}

static void what_was_written_before_closing_arrives(void **state)
{
	struct net n;

	(void)state;
	start(&n, 6, (struct vnet_link){ .delay = MSEC(10), .loss_ppm = 200000 });
	n.client.to_send = 30000;
	dial(&n, 443);
	vnet_run(n.v, now_of(n.v) + SEC(4));
	vnet_stream_close(n.client.s);
	vnet_run(n.v, now_of(n.v) + SEC(60));
	CHECK_INT(n.server.got, ==, 30000);
	CHECK_TRUE(n.server.closed);
	stop(&n);
}

static void nobody_listens_and_the_dialer_is_told(void **state)
{
	struct net n;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(10) });
	dial(&n, 80);
	vnet_run(n.v, now_of(n.v) + MSEC(21));
	CHECK_INT(n.client.rc, ==, -ECONNREFUSED);
	stop(&n);
}

static void a_host_that_is_gone_is_silent_and_one_that_forgot_resets(void **state)
{
	struct net n;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(10) });
	dial(&n, 443);
	vnet_run(n.v, now_of(n.v) + MSEC(100));
	vnet_if_up(n.b_if, false);
	CHECK_INT(vnet_write(n.client.s, "x", 1), ==, 1);
	vnet_run(n.v, now_of(n.v) + SEC(5));
	CHECK_TRUE(!n.client.closed);
	n.server.s = vnet_stream_reset(n.server.s); /* nobody hears it */
	vnet_if_up(n.b_if, true);
	vnet_run(n.v, now_of(n.v) + SEC(10));
	CHECK_INT(n.client.rc, ==, -ECONNRESET);
	stop(&n);
}

static void who_dialled_asks_after_a_silence(void **state)
{
	struct net n;
	mono_ns t0;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(10) });
	dial(&n, 443);
	vnet_run(n.v, now_of(n.v) + SEC(3600));
	CHECK_TRUE(!n.client.closed && !n.server.closed);
	vnet_up(n.b, false);
	t0 = now_of(n.v);
	while (!n.client.closed && now_of(n.v) < t0 + SEC(100))
		vnet_run(n.v, now_of(n.v) + SEC(1));
	CHECK_INT(n.client.rc, ==, -ETIMEDOUT);
	CHECK_INT(now_of(n.v) - t0, <=,
		VNET_KEEP_IDLE + VNET_KEEP_TRIES * VNET_KEEP_INTERVAL + SEC(1));
	CHECK_TRUE(!n.server.closed); /* it had nothing to say */
	stop(&n);
}

static void silence_ends_a_stream_at_last(void **state)
{
	struct net n;

	(void)state;
	start(&n, 1, (struct vnet_link){ .delay = MSEC(10) });
	dial(&n, 443);
	vnet_run(n.v, now_of(n.v) + MSEC(100));
	vnet_up(n.b, false);
	CHECK_INT(vnet_write(n.client.s, "x", 1), ==, 1);
	vnet_run(n.v, now_of(n.v) + SEC(30));
	CHECK_INT(n.client.rc, ==, -ETIMEDOUT);
	stop(&n);
}

/* a --- 192.168.1/24 --- [home] --- 10.0.0/24 --- [carrier] --- inet --- b */
struct chain {
	struct net n;
	struct vnet_seg *lan, *mid;
	struct vnet_dev *home, *carrier;
	struct vnet_if *lan_if;
};

static struct vnet_dev *router(struct net *n, const char *name, struct vnet_seg *wan,
	const char *wan_ip, struct vnet_seg *lan, const char *lan_ip, const struct vnat_kind *kind)
{
	struct vnet_dev *r = vnet_host(n->v, name);
	struct vnet_if *w = vnet_plug(r, wan), *l = vnet_plug(r, lan);

	vnet_addr_add(w, wan_ip);
	vnet_addr_add(l, lan_ip);
	vnet_make_router(r, w, kind, NULL);
	vnet_route(lan, "0.0.0.0/0", l);
	return r;
}

static void chain_start(struct chain *c, const struct vnat_kind *kind)
{
	start(&c->n, 11, (struct vnet_link){ 0 });
	c->mid = vnet_seg(c->n.v, "mid");
	c->lan = vnet_seg(c->n.v, "lan");
	c->carrier = router(&c->n, "carrier", c->n.inet, "198.51.100.21", c->mid, "10.0.0.1", kind);
	c->home = router(&c->n, "home", c->mid, "10.0.0.2", c->lan, "192.168.1.1", kind);
	vnet_replug(c->n.a_if, c->lan);
	vnet_addr_add(c->n.a_if, "192.168.1.2");
}

static void packets_cross_two_routers_and_find_back(void **state)
{
	struct chain c;
	struct vnet_udp *ua, *ub;

	(void)state;
	chain_start(&c, &vnat_easy);
	ua = vnet_udp_open(c.n.a, 1000, on_udp, &c.n);
	ub = vnet_udp_open(c.n.b, 2000, on_udp, &c.n);
	CHECK_INT(vnet_udp_send(ua, port_of(c.n.b, 2000), "abcd", 4), ==, 0);
	vnet_run(c.n.v, now_of(c.n.v) + MSEC(10));
	CHECK_INT(c.n.udp_got, ==, 1);
	CHECK_TRUE(ipaddr_eq(c.n.udp_from.ip, ipaddr_v4(198, 51, 100, 21)));
	CHECK_INT(vnet_udp_send(ub, c.n.udp_from, "abcd", 4), ==, 0);
	vnet_run(c.n.v, now_of(c.n.v) + MSEC(10));
	CHECK_INT(c.n.udp_got, ==, 2);
	vnet_udp_close(ua);
	vnet_udp_close(ub);
	c.n.client.to_send = 5000;
	dial(&c.n, 443);
	vnet_run(c.n.v, now_of(c.n.v) + SEC(1));
	CHECK_INT(c.n.server.got, ==, 5000);
	stop(&c.n);
}

static void a_rebooted_router_resets_streams_of_a_hard_nat(void **state)
{
	struct chain c;

	(void)state;
	chain_start(&c, &vnat_hard);
	dial(&c.n, 443);
	vnet_run(c.n.v, now_of(c.n.v) + MSEC(10));
	vnet_router_reboot(c.carrier);
	CHECK_INT(vnet_write(c.n.client.s, "x", 1), ==, 1);
	vnet_run(c.n.v, now_of(c.n.v) + SEC(1));
	CHECK_INT(c.n.client.rc, ==, -ECONNRESET);
	stop(&c.n);
}

static void rules_let_only_what_they_name_out(void **state)
{
	struct chain c;
	struct vnet_udp *ua, *ub;

	(void)state;
	chain_start(&c, &vnat_easy);
	vnet_router_rules(c.home, false, 443);
	ua = vnet_udp_open(c.n.a, 1000, on_udp, &c.n);
	ub = vnet_udp_open(c.n.b, 2000, on_udp, &c.n);
	CHECK_INT(vnet_udp_send(ua, port_of(c.n.b, 2000), "abcd", 4), ==, 0);
	dial(&c.n, 443);
	vnet_run(c.n.v, now_of(c.n.v) + SEC(1));
	CHECK_INT(c.n.udp_got, ==, 0);
	CHECK_TRUE(c.n.client.connected > 0);
	c.n.client = (struct end){ 0 };
	dial(&c.n, 80); /* dropped, not refused */
	vnet_run(c.n.v, now_of(c.n.v) + SEC(10));
	CHECK_TRUE(!c.n.client.closed && !c.n.client.connected);
	vnet_stream_reset(c.n.client.s);
	vnet_router_rules(c.home, true, 0);
	CHECK_INT(vnet_udp_send(ua, port_of(c.n.b, 2000), "abcd", 4), ==, 0);
	vnet_run(c.n.v, now_of(c.n.v) + SEC(1));
	CHECK_INT(c.n.udp_got, ==, 0);
	vnet_udp_close(ua);
	vnet_udp_close(ub);
	stop(&c.n);
}

static bool hairpins(const struct vnat_kind *kind)
{
	struct chain c;
	struct vnet_dev *d;
	struct vnet_if *i;
	struct vnet_udp *ua, *ud, *ub;
	bool got;

	chain_start(&c, kind);
	d = vnet_host(c.n.v, "d");
	i = vnet_plug(d, c.lan);
	vnet_addr_add(i, "192.168.1.3");
	ua = vnet_udp_open(c.n.a, 1000, on_udp, &c.n);
	ud = vnet_udp_open(d, 1000, on_udp, &c.n);
	ub = vnet_udp_open(c.n.b, 2000, on_udp, &c.n);
	CHECK_INT(vnet_udp_send(ud, port_of(c.n.b, 2000), "abcd", 4), ==,
		0); /* makes 198.51.100.21:1000, by both routers */
	vnet_run(c.n.v, now_of(c.n.v) + MSEC(10));
	c.n.udp_got = 0;
	CHECK_INT(vnet_udp_send(ua, c.n.udp_from, "abcd", 4), ==, 0);
	vnet_run(c.n.v, now_of(c.n.v) + MSEC(10));
	got = c.n.udp_got == 1;
	if (got) /* from outside addresses, as RFC 4787 wants it */
		CHECK_TRUE(ipaddr_eq(c.n.udp_from.ip, ipaddr_v4(198, 51, 100, 21)));
	vnet_udp_close(ua);
	vnet_udp_close(ud);
	vnet_udp_close(ub);
	stop(&c.n);
	return got;
}

static void inside_hosts_meet_by_outside_addresses_only_with_hairpin(void **state)
{
	(void)state;
	CHECK_TRUE(hairpins(&vnat_full_cone));
	CHECK_TRUE(!hairpins(&vnat_easy));
	CHECK_TRUE(!hairpins(&vnat_hard));
}

static uint64_t digest_of(uint64_t seed)
{
	struct net n;
	uint64_t d;

	start(&n, seed,
		(struct vnet_link){ .delay = MSEC(10),
			.jitter = MSEC(20),
			.loss_ppm = 50000,
			.reorder_ppm = 30000 });
	n.client.to_send = 50000;
	dial(&n, 443);
	send_many(&n, 200);
	vnet_run(n.v, SEC(20));
	d = vnet_digest(n.v);
	stop(&n);
	return d;
}

static void the_same_seed_gives_the_same_events(void **state)
{
	(void)state;
	CHECK_TRUE(digest_of(5) == digest_of(5));
	CHECK_TRUE(digest_of(5) != digest_of(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_datagram_takes_the_delay_of_its_links),
		cmocka_unit_test(jitter_alone_keeps_the_order),
		cmocka_unit_test(links_lose_repeat_and_reorder_as_often_as_told),
		cmocka_unit_test(datagrams_above_the_mtu_are_refused),
		cmocka_unit_test(a_host_without_address_or_route_cannot_send),
		cmocka_unit_test(a_stream_connects_in_one_round_trip),
		cmocka_unit_test(a_stream_is_whole_whatever_the_link_does),
		cmocka_unit_test(loss_shows_as_delay),
		cmocka_unit_test(a_writer_is_held_back_by_the_bound),
		cmocka_unit_test(what_was_written_before_closing_arrives),
		cmocka_unit_test(nobody_listens_and_the_dialer_is_told),
		cmocka_unit_test(a_host_that_is_gone_is_silent_and_one_that_forgot_resets),
		cmocka_unit_test(silence_ends_a_stream_at_last),
		cmocka_unit_test(who_dialled_asks_after_a_silence),
		cmocka_unit_test(packets_cross_two_routers_and_find_back),
		cmocka_unit_test(a_rebooted_router_resets_streams_of_a_hard_nat),
		cmocka_unit_test(rules_let_only_what_they_name_out),
		cmocka_unit_test(inside_hosts_meet_by_outside_addresses_only_with_hairpin),
		cmocka_unit_test(the_same_seed_gives_the_same_events),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("vnet", tests, NULL, NULL);
}
