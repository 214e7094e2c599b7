/* Two devices and a relay on a virtual network: what a person would see, and when. */
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

	rig_direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
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

	rig_direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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
		rig_direct_pair(&w, rows[i].a, rows[i].b, &a, &b);
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

	rig_direct_pair(&w, none, &vnat_easy, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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

	rig_direct_pair(&w, none, none, &a, &b);
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
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
