/* Two meshes and a relay on a virtual network: what a person would see, and when. */
#include "tests/magicsock/rig.h"

#include "base/err/err.h"
#include "proto/disco/disco.h"

#include <errno.h>

static const struct vnat_kind *const none = NULL;

static void first_answer_comes_at_once_and_the_direct_path_soon(void **state)
{
	static const struct {
		const char *name;
		const struct vnat_kind *a, *b;
		bool same_lan, direct;
	} rows[] = {
		{ "none none", NULL, NULL, false, true },
		{ "easy easy", &vnat_easy, &vnat_easy, false, true },
		{ "easy none", &vnat_easy, NULL, false, true },
		{ "none easy", NULL, &vnat_easy, false, true },
		{ "none hard", NULL, &vnat_hard, false, true },
		{ "hard none", &vnat_hard, NULL, false, true },
		{ "same lan", &vnat_easy, NULL, true, true },
		{ "same lan behind hard", &vnat_hard, NULL, true, true },
		{ "easy hard", &vnat_easy, &vnat_hard, false, false },
		{ "hard easy", &vnat_hard, &vnat_easy, false, false },
		{ "hard hard", &vnat_hard, &vnat_hard, false, false },
		{ "cone hard", &vnat_restricted, &vnat_hard, false, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig w;
		struct node *a, *b;
		mono_ns t0, first, direct;

		CHECK_ROW("%s", rows[i].name);
		rig_open(&w, i + 1, 1);
		a = node_add(&w, rows[i].a, NULL);
		b = node_add(&w, rows[i].b, rows[i].same_lan ? a : NULL);
		node_start(a);
		rig_run(&w, SEC(5));
		node_start(b);
		rig_run(&w, MSEC(200)); /* "up" returns when the device is connected */
		t0 = vnet_now(w.v);
		direct = node_until_direct(a, b, MSEC(100), rows[i].direct ? SEC(2) : SEC(20));
		first = node_first_answer(a, 0) - t0;
		CHECK_INT(first, <=, MSEC(300));
		CHECK_INT(direct != MONO_NEVER, ==, rows[i].direct);
		CHECK_INT(node_is_direct(b, a) || !rows[i].direct || vnet_now(w.v) - t0 < SEC(2),
			==, true);
		node_series(a, b, MSEC(100), SEC(20)); /* and no packet is lost meanwhile */
		CHECK_INT(node_lost(a), ==, 0);
		CHECK_INT(node_is_direct(a, b), ==, rows[i].direct);
		CHECK_INT(node_is_direct(b, a), ==, rows[i].direct);
		rig_close(&w);
	}
}

/* Two nodes whose path is direct. */
static void direct_pair(struct rig *w, const struct vnat_kind *ka, const struct vnat_kind *kb,
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

static void both_wait_for_the_relay_and_no_packet_is_lost(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 3, 1);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	/* Nobody is connected to the relay yet, and the packets go out all the same. */
	rig_run(&w, MSEC(35));
	node_series(a, b, MSEC(50), SEC(4));
	rig_run(&w, SEC(1));
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(node_first_answer(a, 0) - a->sent_at[0], <=, MSEC(500));
	rig_close(&w);
}

static void device_that_is_told_late_begins_by_itself(void **state)
{
	struct rig w;
	struct node *a, *b;
	mono_ns t0;

	rig_open(&w, 3, 1);
	a = node_add(&w, &vnat_easy, NULL);
	b = node_add(&w, &vnat_easy, NULL);
	node_start(a);
	rig_run(&w, SEC(5));
	node_start(b);
	magicsock_remove_peer(
		a->magicsock, b->n, rig_now(&w)); /* the hub has told b of a, and not yet a of b */
	vnet_at(w.v, &b->tell, MONO_NEVER);
	w.hub_down = true;
	rig_run(&w, MSEC(200));
	node_ping(b, a);
	rig_run(&w, MSEC(120));
	CHECK_INT(magicsock_counters(a->magicsock)->relay_no_peer, >, 0);
	w.hub_down = false;
	t0 = vnet_now(w.v);
	node_tell_now(b);
	rig_run(&w, MSEC(150));
	CHECK_INT(node_first_answer(b, 0) - t0, <=,
		MSEC(140)); /* three and a half trips through the relay */
	CHECK_TRUE(node_is_direct(a, b));
	CHECK_TRUE(node_is_direct(b, a));
	rig_close(&w);
}

static void dead_path_is_left_for_the_relay(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t from;

	direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
	from = a->next_seq;
	vnet_router_rules(a->router, true, 0);
	node_series(a, b, MSEC(100), SEC(20));
	CHECK_TRUE(!node_is_direct(a, b));
	/* A second without an answer raises the question, half a second without a pong answers it. */
	CHECK_INT(node_lost(a), <=, 18);
	CHECK_INT(
		node_first_answer(a, (uint16_t)(from + 18)) - a->sent_at[from + 18], <=, MSEC(200));
	/* The block is lifted: the direct path comes back without loss. */
	from = a->next_seq;
	vnet_router_rules(a->router, false, 0);
	CHECK_TRUE(node_until_direct(a, b, MSEC(100), SEC(10)) != MONO_NEVER);
	rig_run(&w, SEC(1));
	for (size_t i = from; i < a->next_seq; i++)
		CHECK_TRUE(a->answered_at[i]);
	rig_close(&w);
}

static void router_that_forgets_its_mappings_does_not_end_the_direct_path(void **state)
{
	struct rig w;
	struct node *a, *b;

	direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
	vnet_router_reboot(a->router);
	node_series(a, b, MSEC(100), SEC(8));
	CHECK_TRUE(node_is_direct(a, b));
	CHECK_INT(node_lost(a), <=, 18);
	rig_close(&w);
}

static void node_that_moves_is_reachable_at_once(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t from;

	direct_pair(&w, none, none, &a, &b);
	from = b->next_seq;
	vnet_addr_clear(a->ifc);
	vnet_addr_add(a->ifc, "203.0.113.200");
	if (a->streams[1]) /* the system would tell */
		a->streams[1] = vnet_stream_reset(a->streams[1]);
	magicsock_relay_closed(a->magicsock, 1, -ENETUNREACH, rig_now(&w));
	node_set_local(a, true);
	node_series(a, b, MSEC(50), SEC(3));
	CHECK_INT(node_lost(a), ==, 0); /* the mover's own packets find the way at once */
	CHECK_TRUE(node_is_direct(a, b));
	CHECK_TRUE(node_is_direct(b, a));
	node_series(b, a, MSEC(50), SEC(3));
	CHECK_TRUE(node_first_answer(b, from) != MONO_NEVER);
	CHECK_INT(node_lost(b), ==, 0);
	rig_close(&w);
}

static void stay_of_the_hub_and_the_relay_is_not_needed_after_a_restart(void **state)
{
	static const struct {
		const char *name;
		const struct vnat_kind *a, *b;
		bool restarted_one_pings;
	} rows[] = {
		{ "none none, pinged", NULL, NULL, false },
		{ "none none, pinging", NULL, NULL, true },
		{ "easy none, pinged", &vnat_easy, NULL, false },
		{ "none easy, pinged", NULL, &vnat_easy, false },
		{ "none easy, pinging", NULL, &vnat_easy, true },
		{ "easy easy, pinged", &vnat_easy, &vnat_easy, false },
		{ "none hard, pinging", NULL, &vnat_hard, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rig w;
		struct node *a, *b, *from, *to;
		mono_ns t0;
		uint16_t seq;

		CHECK_ROW("%s", rows[i].name);
		direct_pair(&w, rows[i].a, rows[i].b, &a, &b);
		w.hub_down = true;
		relay_crash(&w.relays[0]);
		node_stop(b);
		node_series(a, b, MSEC(100), SEC(1));
		node_start(b);
		t0 = vnet_now(w.v);
		from = rows[i].restarted_one_pings ? b : a;
		to = rows[i].restarted_one_pings ? a : b;
		seq = from->next_seq;
		node_series(from, to, MSEC(20), MSEC(300));
		CHECK_INT(node_first_answer(from, seq) - t0, <=, MSEC(200));
		rig_close(&w);
	}
}

static void restart_behind_the_relay_is_quick_too(void **state)
{
	struct rig w;
	struct node *a, *b;
	mono_ns t0;
	uint16_t seq;

	rig_open(&w, 9, 1);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	node_series(a, b, MSEC(100), SEC(5));
	CHECK_INT(node_lost(a), ==, 0);
	node_stop(b);
	node_series(a, b, MSEC(100), SEC(3));
	node_start(b);
	t0 = vnet_now(w.v);
	seq = a->next_seq;
	node_series(a, b, MSEC(20), MSEC(500));
	/* Connecting to a relay that is 20 ms away takes two round trips, the handshake another two. */
	CHECK_INT(node_first_answer(a, seq) - t0, <=, MSEC(250));
	rig_close(&w);
}

static void peer_with_another_key_is_another_peer(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t seq;

	direct_pair(&w, none, &vnat_easy, &a, &b);
	b->key.b[5] ^= 1;
	CHECK_INT(magicsock_set_node_key(b->magicsock, &b->key, rig_now(&w)), ==, 0);
	node_after(b);
	rig_run(&w, MSEC(100));
	node_tell_now(b);
	seq = a->next_seq;
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_INT(node_first_answer(a, seq) - a->sent_at[seq], <=, MSEC(500));
	CHECK_TRUE(node_is_direct(a, b));
	rig_close(&w);
}

static void peer_with_another_disco_key_keeps_its_session_if_that_is_young(void **state)
{
	struct rig w;
	struct node *a, *b;
	unsigned sessions;

	direct_pair(&w, none, none, &a, &b);
	/* b comes back with a new disco key, and the hub tells a after the new session was made. */
	node_stop(b);
	key_generate(&b->rng.rng, b->disco.b);
	w.hub_down = true;
	node_start(b);
	node_series(a, b, MSEC(100), SEC(2));
	sessions = a->sessions;
	w.hub_down = false;
	node_tell_now(b);
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_INT(a->sessions, ==, sessions);
	CHECK_TRUE(node_is_direct(a, b));
	/* An old session ends: the process that had it is gone. */
	node_series(a, b, MSEC(500), SEC(15));
	key_generate(&b->rng.rng, b->disco.b);
	node_tell_now(b);
	node_ping(a, b);
	rig_run(&w, MSEC(500));
	CHECK_INT(a->sessions, ==, sessions + 1);
	rig_close(&w);
}

static void restarted_peer_tells_its_disco_key_through_the_tunnel(void **state)
{
	struct magicsock_peer_status s;
	struct rig w;
	struct node *a, *b;
	struct disco_pub now;

	direct_pair(&w, none, none, &a, &b);
	w.hub_down = true;
	node_stop(b);
	key_generate(&b->rng.rng, b->disco.b);
	CHECK_INT(key_public(b->disco.b, now.b), ==, 0);
	node_start(b);
	node_series(a, b, MSEC(100), SEC(3));
	CHECK_INT(magicsock_peer_status(a->magicsock, b->n, rig_now(&w), &s), ==, 0);
	CHECK_MEM(s.disco.b, now.b, KEY_LEN);
	node_series(a, b, MSEC(100), SEC(10));
	CHECK_TRUE(node_is_direct(a, b)); /* its pings are understood again */
	rig_close(&w);
}

static void expired_and_removed_peers_get_nothing(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint64_t pongs, unknown;
	size_t in;

	direct_pair(&w, none, none, &a, &b);
	b->expired = true;
	node_tell_now(b);
	in = b->n_in;
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(b->n_in, ==, in);
	CHECK_INT(magicsock_counters(a->magicsock)->no_route, >, 0);
	/* Nor is it heard: neither its packets, in a session of before, nor its path messages. */
	in = a->n_in;
	pongs = magicsock_counters(a->magicsock)->pongs_out;
	unknown = magicsock_counters(a->magicsock)->disco_unknown;
	node_series(b, a, MSEC(100), SEC(10));
	CHECK_INT(a->n_in, ==, in);
	CHECK_INT(magicsock_counters(a->magicsock)->pongs_out, ==, pongs);
	CHECK_INT(magicsock_counters(a->magicsock)->disco_unknown, >, unknown);
	b->expired = false;
	node_tell_now(b);
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(b->n_in, >, in);
	magicsock_remove_peer(a->magicsock, b->n, rig_now(&w));
	in = b->n_in;
	for (int i = 0; i < 3; i++) {
		node_ping(a, b);
		rig_run(&w, MSEC(100));
	}
	CHECK_INT(b->n_in, ==, in);
	CHECK_INT(magicsock_peer_status(
			  a->magicsock, b->n, rig_now(&w), &(struct magicsock_peer_status){ 0 }),
		==, -ERR_NO_PEER);
	rig_close(&w);
}

static void logged_out_node_is_silent(void **state)
{
	struct rig w;
	struct node *a, *b;
	size_t sent;

	direct_pair(&w, none, none, &a, &b);
	CHECK_INT(magicsock_set_node_key(a->magicsock, NULL, rig_now(&w)), ==, 0);
	node_after(a);
	sent = a->udp_sent;
	node_series(b, a, MSEC(100), SEC(10));
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(a->udp_sent, ==, sent);
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 1));
	CHECK_TRUE(magicsock_deadline(a->magicsock) == MONO_NEVER);
	CHECK_INT(magicsock_ping(
			  a->magicsock, b->n, MAGICSOCK_PING_DISCO, 0, NULL, NULL, rig_now(&w)),
		==, -ERR_BAD_STATE);
	CHECK_INT(magicsock_set_node_key(a->magicsock, &a->key, rig_now(&w)), ==, 0);
	node_after(a);
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_TRUE(node_is_direct(a, b));
	rig_close(&w);
}

/* ---- Pings ---- */

static void keep_pong(void *ctx, const struct magicsock_pong *r)
{
	struct node *n = ctx;

	n->pong = *r;
	n->n_pongs++;
}

static void ask(struct node *a, const struct node *b, enum magicsock_ping_kind kind)
{
	a->n_pongs = 0;
	CHECK_INT(magicsock_ping(a->magicsock, b->n, kind, 0, keep_pong, a, rig_now(a->w)), ==, 0);
	node_after(a);
	rig_run(a->w, SEC(1));
}

static void pings_tell_the_way_they_went(void **state)
{
	struct rig w;
	struct node *a, *b;

	direct_pair(&w, none, none, &a, &b);
	ask(a, b, MAGICSOCK_PING_DISCO);
	CHECK_INT(a->n_pongs, ==, 1);
	CHECK_INT(a->pong.rc, ==, 0);
	CHECK_INT(a->pong.route.kind, ==, MAGICSOCK_DIRECT);
	CHECK_INT(a->pong.route.addr.port, ==, 41641);
	CHECK_INT(a->pong.latency, ==, MSEC(40));
	magicsock_set_self(b->magicsock, ipaddr_v4(100, 64, 0, 2), (struct ipaddr){ 0 }, 4711, 0);
	ask(a, b, MAGICSOCK_PING_TSMP);
	CHECK_INT(a->n_pongs, ==, 1);
	CHECK_INT(a->pong.peerapi_port, ==, 4711);
	node_stop(b);
	ask(a, b, MAGICSOCK_PING_ICMP);
	CHECK_INT(a->n_pongs, ==, 0);
	rig_run(&w, SEC(5));
	CHECK_INT(a->n_pongs, ==, 1);
	CHECK_INT(a->pong.rc, ==, -ETIMEDOUT);
	rig_close(&w);
}

static void ping_through_the_relay_names_its_region(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 4, 1);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	ask(a, b, MAGICSOCK_PING_DISCO);
	CHECK_INT(a->n_pongs, ==, 1);
	CHECK_INT(a->pong.route.kind, ==, MAGICSOCK_RELAY);
	CHECK_INT(a->pong.route.region, ==, 1);
	CHECK_TRUE(!ipaddr_is_set(a->pong.route.addr.ip));
	for (int i = 0; i < MAGICSOCK_PINGS_MAX; i++)
		CHECK_INT(magicsock_ping(a->magicsock, b->n, MAGICSOCK_PING_TSMP, 0, keep_pong, a,
				  rig_now(&w)),
			==, 0);
	CHECK_INT(magicsock_ping(
			  a->magicsock, b->n, MAGICSOCK_PING_TSMP, 0, keep_pong, a, rig_now(&w)),
		==, -ERR_TOO_MANY);
	a->n_pongs = 0;
	magicsock_remove_peer(a->magicsock, b->n, rig_now(&w));
	CHECK_INT(a->n_pongs, ==, MAGICSOCK_PINGS_MAX);
	CHECK_INT(a->pong.rc, ==, -ERR_NO_PEER);
	CHECK_INT(magicsock_ping(
			  a->magicsock, b->n, MAGICSOCK_PING_TSMP, 0, keep_pong, a, rig_now(&w)),
		==, -ERR_NO_PEER);
	rig_close(&w);
}

/* ---- Regions ---- */

static void peer_at_home_elsewhere_is_reached_through_its_own_region(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 5, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	node_start(b);
	magicsock_hint_home(b->magicsock, 2, rig_now(&w));
	rig_run(&w, SEC(5));
	CHECK_INT(magicsock_home(a->magicsock), ==, 1);
	CHECK_INT(magicsock_home(b->magicsock), ==, 2);
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 2));
	node_series(a, b, MSEC(100), SEC(3));
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(node_first_answer(a, 0) - a->sent_at[0], <=, MSEC(500));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 2));
	/* b answered on the connection that a opened, or in a's region; a's is closed when it is idle. */
	rig_run(&w, SEC(300));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 1));
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 2));
	rig_close(&w);
}

static void home_that_is_gone_is_left_for_another(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t from;

	rig_open(&w, 5, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	node_start(b);
	magicsock_hint_home(b->magicsock, 1, rig_now(&w));
	for (size_t i = 0; i < 2; i++)
		magicsock_set_hub_up(w.nodes[i].magicsock, true);
	rig_run(&w, SEC(2));
	node_series(a, b, MSEC(100), SEC(5));
	CHECK_INT(node_lost(a), ==, 0);
	relay_crash(&w.relays[0]); /* its power is cut: no stream ends */
	node_series(a, b, MSEC(100), SEC(8));
	CHECK_INT(magicsock_home(a->magicsock), ==, 2);
	CHECK_INT(magicsock_home(b->magicsock), ==, 2);
	from = a->next_seq;
	node_series(a, b, MSEC(100), SEC(2));
	rig_run(&w, SEC(1));
	for (size_t i = from; i < a->next_seq; i++)
		CHECK_TRUE(a->answered_at[i]);
	rig_close(&w);
}

static void peer_whose_home_is_not_known_yet_is_sought_in_ours(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 6, 1);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	w.hub_down = true;
	rig_run(&w, SEC(1));
	a->home = b->home = 0;
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

static void changed_map_moves_the_connections_that_it_changes(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 8, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	rig_run(&w, SEC(2));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), magicsock_home(a->magicsock)));
	w.derp.regions.n = 1;
	w.derp_pairs[0] = w.derp_pairs[1]; /* only region 2 is left */
	for (int i = 0; i < 2; i++) {
		CHECK_INT(
			magicsock_set_derp_map(w.nodes[i].magicsock, &w.derp, rig_now(&w)), ==, 0);
		node_after(&w.nodes[i]);
	}
	rig_run(&w, SEC(1));
	CHECK_INT(magicsock_home(a->magicsock), ==, 2);
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 2));
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 1));
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_TRUE(node_first_answer(a, 0) != MONO_NEVER);
	rig_close(&w);
}

/* ---- What strangers send ---- */

static void in(struct node *n, const uint8_t *p, size_t len, struct ipport from)
{
	uint8_t mem[2048];
	struct magicsock_datagram d = { .p = mem, .len = len, .from = from };

	memcpy(mem, p, len);
	magicsock_udp_in(n->magicsock, &d, 1, rig_now(n->w));
	node_after(n);
}

static void strange_datagrams_are_counted_and_harmless(void **state)
{
	const struct magicsock_counters *c;
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 1 };
	uint8_t p[200] = { 0 };
	struct rig w;
	struct node *a, *b;
	size_t sent;

	direct_pair(&w, none, none, &a, &b);
	c = magicsock_counters(a->magicsock);
	sent = a->udp_sent;
	memcpy(p, disco_magic, DISCO_MAGIC_LEN);
	in(a, p, sizeof(p), from); /* of nobody we know */
	CHECK_INT(c->disco_unknown, ==, 1);
	CHECK_INT(key_public(b->disco.b, p + DISCO_MAGIC_LEN), ==, 0);
	in(a, p, sizeof(p), from); /* the box is not the peer's */
	CHECK_INT(c->disco_bad, ==, 1);
	in(a, p, DISCO_MIN_LEN, from);
	memcpy(p, (uint8_t[]){ 1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 }, 8);
	in(a, p, 44, from);
	CHECK_INT(c->stun_unknown, ==, 1);
	for (size_t len = 0; len < sizeof(p); len++) {
		memset(p, (int)len, sizeof(p));
		p[0] = (uint8_t)(len % 6);
		p[1] = p[2] = p[3] = 0;
		in(a, p, len, from);
	}
	CHECK_INT(a->udp_sent, ==, sent);
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

/* A message of the peer's own, by UDP. */
static void in_disco(
	struct node *to, const struct node *from, const struct disco_msg *m, struct ipport source)
{
	uint8_t out[DISCO_OVERHEAD + DISCO_MESSAGE_MAX];
	struct disco_pub from_pub, to_pub;
	struct box_shared k;
	int n;

	CHECK_INT(key_public(from->disco.b, from_pub.b), ==, 0);
	CHECK_INT(key_public(to->disco.b, to_pub.b), ==, 0);
	CHECK_INT(box_precompute(&k, from->disco.b, to_pub.b), ==, 0);
	n = disco_seal(&k, &from_pub, &to->rng.rng, m, out, sizeof(out));
	CHECK_INT(n, >, 0);
	in(to, out, (size_t)n, source);
}

static void messages_of_peer_relays_and_calls_by_udp_are_ignored(void **state)
{
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 1 };
	const struct magicsock_counters *c;
	struct rig w;
	struct node *a, *b;
	size_t sent;

	direct_pair(&w, none, none, &a, &b);
	c = magicsock_counters(a->magicsock);
	sent = a->udp_sent;
	for (int type = DISCO_CALL_ME_MAYBE; type <= DISCO_ALLOCATE_RESPONSE; type++) {
		struct disco_msg m = {
			.type = (enum disco_type)type, .endpoint = { from }, .n_endpoints = 1
		};

		CHECK_ROW("type %d", type);
		in_disco(a, b, &m, from);
		CHECK_INT(c->disco_ignored, ==, (uint64_t)(type - DISCO_CALL_ME_MAYBE) + 1);
	}
	CHECK_INT(a->udp_sent, ==, sent);
	rig_close(&w);
}

static void ping_from_anywhere_is_answered_there(void **state)
{
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 4242 };
	struct disco_msg m = { .type = DISCO_PING, .txid = { 1, 2, 3 } }, pong;
	struct magicsock_peer_status before, after;
	struct disco_pub a_pub;
	struct box_shared k;
	struct rig w;
	struct node *a, *b;

	direct_pair(&w, none, none, &a, &b);
	CHECK_INT(magicsock_peer_status(a->magicsock, b->n, rig_now(&w), &before), ==, 0);
	in_disco(a, b, &m, from);
	CHECK_INT(key_public(a->disco.b, a_pub.b), ==, 0);
	CHECK_INT(box_precompute(&k, b->disco.b, a_pub.b), ==, 0);
	CHECK_INT(disco_open(&k, a->last_disco, a->last_disco_len, &pong), ==, 0);
	CHECK_INT(pong.type, ==, DISCO_PONG);
	CHECK_MEM(pong.txid, m.txid, DISCO_TXID_LEN);
	CHECK_TRUE(ipport_eq(pong.src, from));
	CHECK_INT(magicsock_peer_status(a->magicsock, b->n, rig_now(&w), &after), ==, 0);
	CHECK_INT(after.n_candidates, ==, before.n_candidates + 1);
	CHECK_TRUE(ipport_eq(after.route.addr, before.route.addr)); /* a ping moves no path */
	rig_close(&w);
}

/* ---- Ourselves ---- */

static void endpoints_are_what_others_can_use(void **state)
{
	struct ipprefix local[] = { { { 4, { 192, 168, 1, 5 } }, 24 },
		{ { 4, { 127, 0, 0, 1 } }, 8 }, { { 4, { 100, 64, 0, 1 } }, 32 },
		{ { 4, { 169, 254, 1, 1 } }, 16 }, { { 6, { 0xfe, 0x80, [15] = 1 } }, 64 },
		{ { 6, { 0xfd, 1, [15] = 1 } }, 64 }, { { 6, { 0x20, 1, [15] = 3 } }, 64 },
		{ { 6, { 0x20, 1, [15] = 1 } }, 64 }, { { 6, { 0x20, 1, [15] = 2 } }, 64 } };
	struct endpoint eps[ENDPOINTS_MAX];
	char text[IPPORT_TEXT_MAX];
	struct rig w;
	struct node *a;

	rig_open(&w, 1, 1);
	a = node_add(&w, none, NULL);
	node_start(a);
	magicsock_set_local(
		a->magicsock, local, ARRAY_LEN(local), 41641, 41642, false, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 3);
	CHECK_STR(ipport_format(eps[0].addr, text), "192.168.1.5:41641");
	CHECK_INT(eps[0].type, ==, ENDPOINT_LOCAL);
	CHECK_STR(ipport_format(eps[1].addr, text),
		"[2001::1]:41642"); /* two of a prefix, with their own port */
	CHECK_STR(ipport_format(eps[2].addr, text), "[2001::3]:41642");
	magicsock_set_local(a->magicsock, &local[1], 1, 41641, 0, false, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 1); /* nothing else: loopback it is */
	magicsock_set_no_udp(a->magicsock, true, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 0);
	node_after(a);
	rig_close(&w);
}

static void stun_address_is_told_and_reported(void **state)
{
	struct endpoint eps[ENDPOINTS_MAX];
	struct endpoints_report report;
	struct tc_netinfo ni;
	struct arena mem;
	struct rig w;
	struct node *a;

	arena_init(&mem, 65536);
	rig_open(&w, 2, 2);
	a = node_add(&w, &vnat_easy, NULL);
	node_start(a);
	rig_run(&w, SEC(3));
	CHECK_INT(node_endpoints(a, eps), ==, 2);
	CHECK_INT(eps[0].type, ==, ENDPOINT_STUN);
	CHECK_TRUE(ipaddr_eq(eps[0].addr.ip, ipaddr_v4(203, 0, 113, 11)));
	CHECK_INT(endpoints_report(magicsock_endpoints(a->magicsock), &mem, &report), ==, 0);
	CHECK_TRUE(report.done && report.udp && report.ipv4 && !report.ipv6 && !report.os_has_ipv6);
	CHECK_INT(report.mapping_varies, ==, JSON_NO);
	CHECK_TRUE(ipport_eq(report.global4, eps[0].addr));
	CHECK_INT(report.n_regions, ==, 2);
	CHECK_INT(report.regions[0].latency4, >=, MSEC(20));
	CHECK_INT(report.regions[0].latency4, <=, MSEC(21));
	CHECK_INT(report.home, ==, magicsock_home(a->magicsock));
	CHECK_INT(endpoints_netinfo(magicsock_endpoints(a->magicsock), &mem, &ni), ==, 0);
	CHECK_INT(ni.working_udp, ==, JSON_YES);
	CHECK_INT(ni.preferred_derp, ==, magicsock_home(a->magicsock));
	CHECK_INT(ni.derp_latency.n, ==, 2);
	CHECK_STR(ni.derp_latency.v[0].key, "1-v4");
	arena_fini(&mem);
	rig_close(&w);
}

static void netcheck_is_repeated_while_there_is_traffic(void **state)
{
	struct rig w;
	struct node *a, *b;
	size_t sent;

	direct_pair(&w, none, none, &a, &b);
	sent = a->stun_sent;
	node_series(a, b, MSEC(500), SEC(120));
	/* Every 20 to 26 s a round, of one request. */
	CHECK_INT(a->stun_sent - sent, >=, 4);
	CHECK_INT(a->stun_sent - sent, <=, 6);
	rig_run(&w, SEC(60));
	sent = a->stun_sent;
	rig_run(&w, SEC(120));
	CHECK_INT(a->stun_sent, ==, sent);
	rig_close(&w);
}

static void device_that_registered_anew_takes_its_key_along(void **state)
{
	struct ipport eps[ENDPOINTS_MAX];
	struct ipprefix route;
	struct tc_node t;
	struct rig w;
	struct node *a, *b;

	direct_pair(&w, none, none, &a, &b);
	t = node_as_peer(b, eps, &route);
	t.id = 77;
	CHECK_INT(magicsock_set_peer(a->magicsock, &t, &route, 1, rig_now(&w)), ==, 0);
	magicsock_remove_peer(a->magicsock, b->n, rig_now(&w)); /* the old number goes later */
	node_after(a);
	CHECK_INT(magicsock_peer_for(a->magicsock,
			  (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 100, 64, 0, 1, 100, 64, 0, 2 }, 20),
		==, 77);
	rig_close(&w);
}

static void mapping_that_changes_is_noticed_and_told(void **state)
{
	struct endpoint eps[ENDPOINTS_MAX], later[ENDPOINTS_MAX];
	struct rig w;
	struct node *a, *b, *other;
	size_t n;

	/* other takes the port before a's mapping is made anew. */
	rig_open(&w, 2, 1);
	a = node_add(&w, &vnat_easy, NULL);
	other = node_add(&w, none, a);
	b = node_add(&w, none, NULL);
	node_start(a);
	rig_run(&w, SEC(1));
	node_start(b);
	rig_run(&w, SEC(1));
	CHECK_TRUE(node_until_direct(a, b, MSEC(100), SEC(2)) != MONO_NEVER);
	node_series(a, b, MSEC(500), SEC(5));
	n = node_endpoints(a, eps);
	vnet_router_reboot(a->router);
	node_start(other);
	rig_run(&w, MSEC(50));
	node_series(a, b, MSEC(100), SEC(7));
	CHECK_INT(node_endpoints(a, later), ==, n + 1);
	CHECK_TRUE(!ipport_eq(later[0].addr, eps[0].addr));
	CHECK_TRUE(node_is_direct(a, b));
	rig_close(&w);
}

static void peer_without_disco_is_reached_at_its_address(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 2, 1);
	a = node_add(&w, &vnat_easy, NULL);
	b = node_add(&w, none, NULL);
	b->wireguard_only = true;
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	node_tell_now(b);
	w.hub_down = true;
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(magicsock_counters(a->magicsock)->pings_out, ==, 0);
	rig_close(&w);
}

static void idle_pair_is_silent(void **state)
{
	struct rig w;
	struct node *a, *b;
	size_t sent;

	direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
	rig_run(&w, SEC(120)); /* heartbeats, keepalives and netchecks end */
	sent = a->udp_sent + b->udp_sent;
	rig_run(&w, SEC(300));
	CHECK_INT(a->udp_sent + b->udp_sent, ==, sent);
	node_series(a, b, MSEC(100), SEC(3)); /* the relay is there when it goes on */
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_answer_comes_at_once_and_the_direct_path_soon),
		cmocka_unit_test(both_wait_for_the_relay_and_no_packet_is_lost),
		cmocka_unit_test(device_that_is_told_late_begins_by_itself),
		cmocka_unit_test(dead_path_is_left_for_the_relay),
		cmocka_unit_test(router_that_forgets_its_mappings_does_not_end_the_direct_path),
		cmocka_unit_test(node_that_moves_is_reachable_at_once),
		cmocka_unit_test(stay_of_the_hub_and_the_relay_is_not_needed_after_a_restart),
		cmocka_unit_test(restart_behind_the_relay_is_quick_too),
		cmocka_unit_test(peer_with_another_key_is_another_peer),
		cmocka_unit_test(peer_with_another_disco_key_keeps_its_session_if_that_is_young),
		cmocka_unit_test(restarted_peer_tells_its_disco_key_through_the_tunnel),
		cmocka_unit_test(expired_and_removed_peers_get_nothing),
		cmocka_unit_test(logged_out_node_is_silent),
		cmocka_unit_test(pings_tell_the_way_they_went),
		cmocka_unit_test(ping_through_the_relay_names_its_region),
		cmocka_unit_test(peer_at_home_elsewhere_is_reached_through_its_own_region),
		cmocka_unit_test(home_that_is_gone_is_left_for_another),
		cmocka_unit_test(peer_whose_home_is_not_known_yet_is_sought_in_ours),
		cmocka_unit_test(changed_map_moves_the_connections_that_it_changes),
		cmocka_unit_test(strange_datagrams_are_counted_and_harmless),
		cmocka_unit_test(messages_of_peer_relays_and_calls_by_udp_are_ignored),
		cmocka_unit_test(ping_from_anywhere_is_answered_there),
		cmocka_unit_test(endpoints_are_what_others_can_use),
		cmocka_unit_test(stun_address_is_told_and_reported),
		cmocka_unit_test(netcheck_is_repeated_while_there_is_traffic),
		cmocka_unit_test(device_that_registered_anew_takes_its_key_along),
		cmocka_unit_test(mapping_that_changes_is_noticed_and_told),
		cmocka_unit_test(peer_without_disco_is_reached_at_its_address),
		cmocka_unit_test(idle_pair_is_silent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
