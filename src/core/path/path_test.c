#include "core/path/rig_test.h"

static void better_address_is_the_one_of_the_table(void **state)
{
	static const struct {
		const char *a;
		int a_ms;
		const char *b;
		int b_ms;
		bool better;
	} rows[] = {
		{ "1.2.3.4:5", 5, "1.2.3.5:5", 10, true },
		{ "1.2.3.4:5", 100, "1.2.3.5:5", 101, false },
		{ "1.2.3.4:5", 100, "1.2.3.5:5", 103, true },
		{ "1.2.3.4:5", 0, "1.2.3.5:5", 0, false },
		{ "10.0.0.2:123", 100, "1.2.3.4:5", 91, true },
		{ "10.0.0.2:123", 100, "1.2.3.4:5", 30, false },
		{ "[2001::5]:123", 100, "1.2.3.4:5", 91, true },
		{ "[2001::5]:123", 100, "1.2.3.4:5", 30, false },
		{ "192.168.0.1:1", 100, "[2001::5]:123", 101, true },
		{ "[fe80::1]:1", 101, "[fd89::1]:1", 100, true },
		{ "[fe80::1]:1", 101, "[::1]:1", 100, false },
		{ "1.2.3.4:5", 1, "1.2.3.4:5", 100, false }, /* the same */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s %d, %s %d", rows[i].a, rows[i].a_ms, rows[i].b, rows[i].b_ms);
		CHECK_INT(path_better(addr(rows[i].a), MSEC(rows[i].a_ms), addr(rows[i].b),
				  MSEC(rows[i].b_ms)),
			==, rows[i].better);
	}
	CHECK_TRUE(path_better(addr("1.2.3.4:5"), SEC(9), none, 0));
	CHECK_TRUE(!path_better(none, 0, addr("1.2.3.4:5"), SEC(9)));
}

static void idle_path_does_nothing(void **state)
{
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, addr("203.0.113.7:41641"), none);
	CHECK_TRUE(path_deadline(&r.p) == MONO_NEVER);
	CHECK_INT(r.n_pings, ==, 0);
	check_route(&r, none, true);
	path_fini(&r.p);
}

static void first_packet_begins_a_search_in_quick_steps(void **state)
{
	static const mono_ns at[] = { 0, MSEC(100), MSEC(250), MSEC(500), MSEC(1000), MSEC(2000) };
	struct ipport a = addr("203.0.113.7:41641"), b = addr("192.168.1.2:41641");
	mono_ns t0;
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, b);
	t0 = r.now;
	path_on_send(&r.p, r.now);
	take(&r);
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		CHECK_ROW("step %zu", i);
		run_to(&r, t0 + at[i]);
		CHECK_INT(r.n_pings, ==, 2 * (i + 1));
		CHECK_INT(pings_to(&r, a), ==, i + 1);
		CHECK_INT(r.calls, ==, i + 1);
		for (int j = 0; j < 5; j++) { /* more traffic does not speed it up */
			path_on_send(&r.p, r.now);
			take(&r);
		}
	}
	/* Afterwards the heartbeat's rounds, each candidate once in 5 s at most. */
	forget(&r);
	for (int i = 0; i < 30; i++) {
		run(&r, SEC(1));
		path_on_send(&r.p, r.now);
		take(&r);
	}
	CHECK_INT(pings_to(&r, a), >=, 4);
	CHECK_INT(pings_to(&r, a), <=, 6);
	CHECK_INT(r.calls, ==, pings_to(&r, a));
	path_fini(&r.p);
}

static void peer_without_a_disco_key_is_not_pinged(void **state)
{
	struct rig r;

	rig_open(&r);
	path_set_can_ping(&r.p, false, r.now);
	take(&r);
	set_endpoints(&r, addr("203.0.113.7:41641"), none);
	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, SEC(10));
	CHECK_INT(r.n_pings + r.calls, ==, 0);
	check_route(&r, none, true);
	path_set_can_ping(&r.p, true, r.now); /* now it has one */
	take(&r);
	CHECK_INT(r.n_pings, ==, 1);
	path_fini(&r.p);
}

static void peer_without_addresses_is_called(void **state)
{
	struct rig r;

	rig_open(&r);
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_INT(r.n_pings, ==, 0);
	CHECK_INT(r.calls, ==, 1);
	path_fini(&r.p);
}

static void pong_makes_the_path_direct(void **state)
{
	struct ipport a = addr("203.0.113.7:41641");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, none);
	path_on_send(&r.p, r.now);
	take(&r);
	check_route(&r, none, true);
	run(&r, MSEC(20));
	answer(&r, a);
	check_route(&r, a, false);
	CHECK_INT(r.p.best_latency, ==, MSEC(20));
	CHECK_INT(r.changes, ==, 1);
	/* And the search is over. */
	forget(&r);
	run(&r, SEC(2));
	CHECK_INT(r.n_pings + r.calls, ==, 0);
	path_fini(&r.p);
}

static void pong_counts_once_and_for_the_address_that_was_pinged(void **state)
{
	struct ipport a = addr("203.0.113.7:41641");
	struct path_answer got;
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, none);
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_TRUE(!pong(&r, (const uint8_t[PATH_TXID_LEN]){ 1 }, false, &got));
	CHECK_TRUE(!pong(&r, r.txid[0], true, &got)); /* it was not sent through the relay */
	CHECK_TRUE(pong(&r, r.txid[0], false, &got));
	CHECK_TRUE(ipport_eq(got.to, a));
	CHECK_TRUE(!pong(&r, r.txid[0], false, &got));
	path_fini(&r.p);
}

static void faster_address_replaces_a_slower_one(void **state)
{
	struct ipport a = addr("203.0.113.7:41641"), b = addr("203.0.113.8:41641");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, b);
	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, MSEC(30));
	answer(&r, a);
	run(&r, MSEC(10));
	answer(&r, b); /* slower */
	check_route(&r, a, false);
	path_on_send(&r.p, r.now);
	take(&r);
	/* 30 ms is not good enough: after a minute all are tried again. */
	for (int i = 0; i < 22; i++) {
		run_to(&r, r.p.heartbeat_at);
		path_on_send(&r.p, r.now);
		take(&r);
		run(&r, MSEC(10));
		if (pings_to(&r, b) == 2)
			break;
		run(&r, MSEC(20));
		answer(&r, a);
	}
	answer(&r, b); /* now it is faster */
	check_route(&r, b, false);
	path_fini(&r.p);
}

static void heartbeat_keeps_trust_while_we_send_and_ends_with_our_traffic(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	for (int i = 0; i < 10; i++) {
		path_on_send(&r.p, r.now);
		take(&r);
		run(&r, SEC(3));
		answer(&r, a);
		check_route(&r, a, false);
	}
	CHECK_INT(r.n_pings, ==, 10);
	forget(&r);
	for (int i = 0; i < 30 && path_deadline(&r.p) != MONO_NEVER;
		i++) { /* their pings do not keep it going */
		run(&r, SEC(3));
		if (r.n_pings)
			answer(&r, a);
		forget(&r);
		path_on_ping(&r.p, a, 124, 110, r.now);
		take(&r);
	}
	CHECK_TRUE(path_deadline(&r.p) == MONO_NEVER);
	CHECK_TRUE(!path_is_active(&r.p, r.now));
	path_fini(&r.p);
}

static void trust_ends_six_and_a_half_seconds_after_the_last_pong(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	/* Idle, so that no heartbeat degrades the path before. */
	r.p.heartbeat_at = MONO_NEVER;
	r.now += PATH_TRUST;
	check_route(&r, a, false);
	r.now += 1;
	check_route(&r, a, true); /* both */
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 1); /* and it is asked at once */
	answer(&r, a);
	check_route(&r, a, false);
	path_fini(&r.p);
}

static void late_pong_degrades_the_path_and_packets_take_both_ways(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, SEC(3)); /* the heartbeat's ping is not answered */
	CHECK_INT(pings_to(&r, a), ==, 1);
	check_route(&r, a, false);
	run(&r, MSEC(500));
	check_route(&r, a, true);
	CHECK_INT(pings_to(&r, a), >=, 2);
	CHECK_INT(r.calls, ==, 1);
	for (int i = 0; i < 5; i++) { /* each packet is no reason for another search */
		path_on_send(&r.p, r.now);
		take(&r);
	}
	CHECK_INT(r.calls, ==, 1);
	answer(&r, a);
	check_route(&r, a, false);
	path_fini(&r.p);
}

static void data_from_the_address_keeps_the_path(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, SEC(3));
	for (int i = 0; i < 6; i++) {
		path_on_rx(&r.p, a, 100, r.now);
		take(&r);
		run(&r, MSEC(300));
		check_route(&r, a, false);
	}
	path_fini(&r.p);
}

/* What we hear proves one direction only. */
static void data_does_not_speak_for_an_address_that_does_not_answer_for_long(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, SEC(3));
	for (int i = 0; i < 7; i++) {
		path_on_rx(&r.p, a, 100, r.now);
		take(&r);
		run(&r, MSEC(300));
	}
	check_route(&r, a, true);
	path_fini(&r.p);
}

static void call_of_a_peer_without_a_path_ends_the_benefit_of_what_we_hear(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	path_on_send(&r.p, r.now);
	take(&r);
	path_on_rx(&r.p, a, 100, r.now);
	take(&r);
	path_on_call(&r.p, &a, 1, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 1);
	path_on_rx(&r.p, a, 100, r.now); /* the last that was under way */
	take(&r);
	run(&r, MSEC(499));
	check_route(&r, a, false);
	run(&r, MSEC(1));
	check_route(&r, a, true);
	path_fini(&r.p);
}

static void silence_while_we_send_is_asked_about_within_a_second(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	for (int i = 0; i < 9; i++) {
		path_on_send(&r.p, r.now);
		take(&r);
		run(&r, MSEC(100));
	}
	CHECK_INT(pings_to(&r, a), ==, 0);
	run(&r, MSEC(100));
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 1);
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 1); /* not for each packet */
	run(&r, MSEC(500));
	check_route(&r, a, true);
	path_fini(&r.p);
}

static void flow_with_answers_needs_no_pings_besides_the_heartbeat(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	for (int i = 0; i < 29; i++) {
		path_on_send(&r.p, r.now);
		take(&r);
		path_on_rx(&r.p, a, 100, r.now);
		take(&r);
		run(&r, MSEC(100));
	}
	CHECK_INT(pings_to(&r, a), ==, 0);
	path_fini(&r.p);
}

static void dead_path_is_given_up(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	for (int i = 0; i < 13; i++) {
		path_on_send(&r.p, r.now);
		take(&r);
		run(&r, SEC(1));
	}
	check_route(&r, none, true);
	CHECK_TRUE(path_has_candidate(&r.p, a));
	CHECK_INT(r.calls, >, 2);
	path_fini(&r.p);
}

static void authentic_source_stands_in_where_nothing_is_known(void **state)
{
	struct ipport a = addr("203.0.113.9:7");
	struct rig r;

	rig_open(&r);
	path_on_rx(&r.p, a, 100, r.now);
	take(&r);
	check_route(&r, a, true);
	r.now += PATH_LAST_RX + 1;
	check_route(&r, none, true);
	path_fini(&r.p);
}

static void peer_that_seems_to_have_moved_is_sent_to_everywhere_until_the_path_is_proven(
	void **state)
{
	struct rig r;
	struct ipport a = direct(&r), b = addr("203.0.113.9:7");

	run(&r, SEC(1));
	path_on_rx(&r.p, b, 100, r.now);
	take(&r);
	check_route(&r, a, true);
	CHECK_TRUE(ipport_eq(path_route(&r.p, r.now).also, b));
	run(&r, MSEC(20));
	answer(&r, a);
	check_route(&r, a, false); /* it is still there */
	path_on_rx(&r.p, b, 100, r.now);
	take(&r);
	path_on_rx(&r.p, a, 100, r.now);
	take(&r);
	path_on_rx(&r.p, b, 100,
		r.now); /* it sends from two addresses: no reason to degrade the path each time */
	take(&r);
	check_route(&r, a, false);
	path_fini(&r.p);
}

static void ping_teaches_an_address_for_45_seconds(void **state)
{
	struct ipport a = addr("203.0.113.9:7");
	struct rig r;

	rig_open(&r);
	path_on_ping(&r.p, a, 124, 110, r.now);
	take(&r);
	CHECK_TRUE(path_has_candidate(&r.p, a));
	CHECK_INT(r.n_pings, ==, 0); /* we have nothing to send */
	r.now += SEC(40);
	path_on_ping(&r.p, a, 124, 110, r.now);
	take(&r);
	r.now += SEC(44);
	path_on_send(&r.p, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 1);
	r.now += SEC(2);
	path_on_call(&r.p, NULL, 0, r.now);
	take(&r);
	CHECK_TRUE(!path_has_candidate(&r.p, a));
	path_fini(&r.p);
}

static void ping_during_a_search_is_pinged_back_at_once(void **state)
{
	struct ipport a = addr("203.0.113.9:7");
	struct rig r;

	rig_open(&r);
	path_on_send(&r.p, r.now);
	take(&r);
	for (int i = 0; i < 5; i++) {
		path_on_ping(&r.p, a, 124, 110, r.now);
		take(&r);
	}
	CHECK_INT(pings_to(&r, a), ==, 1);
	answer(&r, a);
	forget(&r);
	r.now += SEC(1);
	for (int i = 0; i < 5; i++) {
		path_on_ping(&r.p, a, 124, 110, r.now); /* there is a path: no loop of pings */
		take(&r);
	}
	CHECK_INT(r.n_pings, ==, 0);
	path_fini(&r.p);
}

static void ping_back_does_not_wait_for_a_ping_that_came_too_early(void **state)
{
	struct ipport a = addr("203.0.113.9:7");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, none);
	path_on_send(&r.p, r.now);
	take(&r);
	r.now += MSEC(1);
	path_on_ping(&r.p, a, 124, 110, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 2);
	path_fini(&r.p);
}

static void call_is_answered_by_pings_and_not_by_a_call(void **state)
{
	struct ipport a = addr("203.0.113.9:7"), eps[2] = { a, addr("[fe80::1]:7") };
	struct rig r;

	rig_open(&r);
	path_on_call(&r.p, eps, 2, r.now);
	take(&r);
	CHECK_INT(r.n_pings, ==, 1); /* link-local IPv6 is no candidate */
	CHECK_INT(pings_to(&r, a), ==, 1);
	run(&r, MSEC(110));
	CHECK_INT(pings_to(&r, a), ==, 2); /* our pings may have been early */
	path_on_call(&r.p, eps, 2, r.now);
	take(&r);
	CHECK_INT(pings_to(&r, a), ==, 3); /* however recently it was pinged */
	CHECK_INT(r.calls, ==, 0);
	run(&r, SEC(10));
	CHECK_TRUE(path_deadline(&r.p) == MONO_NEVER);
	path_fini(&r.p);
}

static void later_call_replaces_an_earlier_one(void **state)
{
	struct ipport a = addr("203.0.113.9:7"), b = addr("203.0.113.9:8"),
		      in_map = addr("203.0.113.9:9");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, in_map, none);
	path_on_call(&r.p, &a, 1, r.now);
	take(&r);
	r.now += SEC(3600); /* age does not remove it */
	path_on_ping(&r.p, b, 124, 110, r.now);
	take(&r);
	CHECK_TRUE(path_has_candidate(&r.p, a));
	path_on_call(&r.p, &b, 1, r.now);
	take(&r);
	CHECK_TRUE(!path_has_candidate(&r.p, a));
	path_on_call(&r.p, NULL, 0, r.now + SEC(46));
	take(&r);
	CHECK_TRUE(!path_has_candidate(&r.p, b));
	CHECK_TRUE(path_has_candidate(&r.p, in_map));
	set_endpoints(&r, b, none);
	CHECK_TRUE(!path_has_candidate(&r.p, in_map));
	path_fini(&r.p);
}

static void new_addresses_of_an_active_peer_are_tried_at_once(void **state)
{
	struct ipport a = addr("203.0.113.9:7"), b = addr("203.0.113.9:8");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, none);
	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, SEC(2) + MSEC(500));
	forget(&r);
	set_endpoints(&r, a, b);
	CHECK_INT(pings_to(&r, b), ==, 1);
	CHECK_INT(r.calls, ==, 1);
	set_endpoints(&r, a, b);
	CHECK_INT(pings_to(&r, b), ==, 1);
	path_fini(&r.p);
}

static void address_that_leaves_the_map_is_kept_while_it_answers(void **state)
{
	struct rig r;
	struct ipport a = direct(&r), b = addr("203.0.113.9:8");

	set_endpoints(&r, b, none);
	check_route(&r, a, false);
	r.now += PATH_TRUST + 1;
	set_endpoints(&r, b, none);
	check_route(&r, none, true);
	path_fini(&r.p);
}

static void own_change_calls_an_active_peer(void **state)
{
	struct rig r;
	struct ipport a;

	rig_open(&r);
	path_on_self_changed(&r.p, r.now);
	take(&r);
	CHECK_INT(r.calls, ==, 0); /* idle */
	path_on_send(&r.p, r.now);
	take(&r);
	run(&r, MSEC(1200));
	forget(&r);
	path_on_self_changed(&r.p, r.now);
	take(&r);
	path_on_self_changed(&r.p, r.now);
	take(&r);
	run(&r, MSEC(99));
	CHECK_INT(r.calls, ==, 1);
	path_fini(&r.p);
	a = direct(&r);
	path_on_self_changed(&r.p, r.now);
	take(&r);
	CHECK_INT(r.calls, ==, 0);
	CHECK_INT(pings_to(&r, a), ==, 1); /* it is only checked */
	path_fini(&r.p);
}

static void changed_link_ends_all_trust_but_keeps_the_address(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	run(&r, SEC(1));
	path_on_link_changed(&r.p, r.now);
	take(&r);
	check_route(&r, a, true);
	CHECK_INT(pings_to(&r, a), ==, 1);
	CHECK_INT(r.calls, ==, 1);
	answer(&r, a);
	check_route(&r, a, false);
	path_fini(&r.p);
}

static void refused_address_is_dropped_at_once(void **state)
{
	struct rig r;
	struct ipport a = direct(&r);

	path_on_udp_failed(&r.p, addr("203.0.113.9:8"), r.now);
	take(&r);
	check_route(&r, a, false);
	path_on_udp_failed(&r.p, a, r.now);
	take(&r);
	check_route(&r, none, true);
	CHECK_INT(r.changes, ==, 1);
	path_fini(&r.p);
}

static void asked_for_ping_takes_the_trusted_address_or_all(void **state)
{
	struct ipport a = addr("203.0.113.7:41641"), b = addr("192.168.1.2:41641");
	struct rig r;

	rig_open(&r);
	set_endpoints(&r, a, b);
	path_ping(&r.p, 7, 200, r.now);
	take(&r);
	CHECK_INT(r.n_relay_pings, ==, 1);
	CHECK_INT(pings_to(&r, a), >=, 1);
	CHECK_INT(pings_to(&r, b), >=, 1);
	CHECK_INT(r.size[0], ==, 200);
	r.now += MSEC(5);
	CHECK_TRUE(pong(&r, r.txid[0], true, &(struct path_answer){ 0 }));
	CHECK_INT(r.answers, ==, 1);
	CHECK_TRUE(!ipaddr_is_set(r.answered_to.ip));
	CHECK_INT(r.answered_latency, ==, MSEC(5));
	check_route(&r, none, true); /* a pong through the relay is no path */
	path_fini(&r.p);

	a = direct(&r);
	path_ping(&r.p, 7, 0, r.now);
	take(&r);
	CHECK_INT(r.n_pings, ==, 1);
	answer(&r, a);
	CHECK_TRUE(ipport_eq(r.answered_to, a));
	path_fini(&r.p);
}

static void hostile_calls_and_pings_are_bounded(void **state)
{
	struct ipport eps[64];
	struct rig r;

	rig_open(&r);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 64; i++)
			eps[i] = (struct ipport){ ipaddr_v4(198, 18, (uint8_t)round, (uint8_t)i),
				1 };
		for (int i = 0; i < 64; i++)
			path_on_ping(&r.p,
				(struct ipport){
					ipaddr_v4(198, 19, (uint8_t)round, (uint8_t)i), 1 },
				124, 110, r.now);
		take(&r);
		path_on_call(&r.p, eps, 64, r.now);
		take(&r);
		CHECK_INT(r.p.n_cand, <=, PATH_CANDIDATES_MAX);
	}
	CHECK_INT(r.n_pings, <=, PATH_PING_BURST);
	CHECK_INT(r.p.n_limited, >, 0);
	CHECK_INT(r.p.cap_pings, <=, PATH_PINGS_MAX);
	run(&r, SEC(1));
	CHECK_INT(r.n_pings, <=, PATH_PING_BURST + PATH_PINGS_PER_SECOND + 1);
	path_fini(&r.p);
}

static void useless_addresses_are_no_candidates(void **state)
{
	static const char *const bad[] = { "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1",
		"1.2.3.4:0", "[::]:1", "[ff02::1]:1", "[fe80::1]:1" };
	struct rig r;

	rig_open(&r);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		path_on_ping(&r.p, addr(bad[i]), 124, 110, r.now);
		take(&r);
		CHECK_INT(r.p.n_cand, ==, 0);
	}
	path_fini(&r.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(better_address_is_the_one_of_the_table),
		cmocka_unit_test(idle_path_does_nothing),
		cmocka_unit_test(first_packet_begins_a_search_in_quick_steps),
		cmocka_unit_test(peer_without_a_disco_key_is_not_pinged),
		cmocka_unit_test(peer_without_addresses_is_called),
		cmocka_unit_test(pong_makes_the_path_direct),
		cmocka_unit_test(pong_counts_once_and_for_the_address_that_was_pinged),
		cmocka_unit_test(faster_address_replaces_a_slower_one),
		cmocka_unit_test(heartbeat_keeps_trust_while_we_send_and_ends_with_our_traffic),
		cmocka_unit_test(trust_ends_six_and_a_half_seconds_after_the_last_pong),
		cmocka_unit_test(late_pong_degrades_the_path_and_packets_take_both_ways),
		cmocka_unit_test(data_from_the_address_keeps_the_path),
		cmocka_unit_test(data_does_not_speak_for_an_address_that_does_not_answer_for_long),
		cmocka_unit_test(call_of_a_peer_without_a_path_ends_the_benefit_of_what_we_hear),
		cmocka_unit_test(silence_while_we_send_is_asked_about_within_a_second),
		cmocka_unit_test(flow_with_answers_needs_no_pings_besides_the_heartbeat),
		cmocka_unit_test(dead_path_is_given_up),
		cmocka_unit_test(authentic_source_stands_in_where_nothing_is_known),
		cmocka_unit_test(
			peer_that_seems_to_have_moved_is_sent_to_everywhere_until_the_path_is_proven),
		cmocka_unit_test(ping_teaches_an_address_for_45_seconds),
		cmocka_unit_test(ping_during_a_search_is_pinged_back_at_once),
		cmocka_unit_test(ping_back_does_not_wait_for_a_ping_that_came_too_early),
		cmocka_unit_test(call_is_answered_by_pings_and_not_by_a_call),
		cmocka_unit_test(later_call_replaces_an_earlier_one),
		cmocka_unit_test(new_addresses_of_an_active_peer_are_tried_at_once),
		cmocka_unit_test(address_that_leaves_the_map_is_kept_while_it_answers),
		cmocka_unit_test(own_change_calls_an_active_peer),
		cmocka_unit_test(changed_link_ends_all_trust_but_keeps_the_address),
		cmocka_unit_test(refused_address_is_dropped_at_once),
		cmocka_unit_test(asked_for_ping_takes_the_trusted_address_or_all),
		cmocka_unit_test(hostile_calls_and_pings_are_bounded),
		cmocka_unit_test(useless_addresses_are_no_candidates),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
