/* Two devices over hours: handshakes, timers, what waits, who is who. */
#include "core/wg/rig_test.h"

static void session_is_renewed_before_it_expires_and_no_packet_is_lost(void **state)
{
	struct live l;

	live_open(&l);
	for (int i = 0; i < 600; i++) {
		live_ping(&l, i & 1);
		CHECK_INT(l.s[1 - (i & 1)].keep.n_pkt, ==, 1);
		l.s[0].keep.n_pkt = l.s[1].keep.n_pkt = 0;
		live_run(&l, l.now.mono + SEC(1), true);
	}
	CHECK_INT(l.s[0].keep.sessions, >=, 4); /* 600 s, a new one each 120 s */
	CHECK_INT(l.s[0].keep.sessions, <=, 8);
	live_close(&l);
}

static void initiator_gives_up_after_90_seconds_of_silence(void **state)
{
	struct live l;
	uint8_t pkt[20] = { 0x45, 0, 0, 20 };

	live_open(&l);
	send_plain(&l.s[0], pkt, sizeof(pkt), l.now);
	l.s[0].keep.n_dg = 0;
	live_run(&l, l.now.mono + SEC(300), false);
	CHECK_INT(l.s[0].keep.unreachable, ==, 1);
	CHECK_INT(l.s[0].peer->n_staged, ==, 0);
	live_close(&l);
}

static void idle_receiver_answers_data_with_one_keepalive(void **state)
{
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	live_run(&l, l.now.mono + SEC(30), true);
	live_ping(&l, 0);
	CHECK_INT(l.s[1].keep.n_dg, ==, 0);
	{
		uint64_t before = wg_counters(l.s[1].dev)->sent_datagrams;

		live_run(&l, l.now.mono + SEC(60), true);
		CHECK_INT(wg_counters(l.s[1].dev)->sent_datagrams - before, ==, 1);
	}
	live_close(&l);
}

static void persistent_keepalive_keeps_its_interval(void **state)
{
	struct live l;
	uint64_t before;

	live_open(&l);
	live_ping(&l, 0);
	wg_peer_set_keepalive(l.s[0].dev, l.s[0].peer, 25, l.now.mono);
	live_run(&l, l.now.mono + SEC(1), true);
	before = wg_counters(l.s[0].dev)->sent_datagrams;
	live_run(&l, l.now.mono + SEC(100), true);
	CHECK_INT(wg_counters(l.s[0].dev)->sent_datagrams - before, ==, 4);
	live_close(&l);
}

static void keys_are_forgotten_after_nine_minutes(void **state)
{
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	live_run(&l, l.now.mono + SEC(541), true);
	CHECK_TRUE(
		!l.s[0].peer->session[SESSION_CURRENT] && !l.s[1].peer->session[SESSION_CURRENT]);
	CHECK_INT(l.s[0].dev->indices.n_items, ==, 0);
	live_close(&l);
}

static void staged_packets_are_bounded(void **state)
{
	struct live l;
	uint8_t pkt[20] = { 0x45, 0, 0, 20 };

	live_open(&l);
	for (int i = 0; i < 2 * WG_STAGED_MAX; i++)
		send_plain(&l.s[0], pkt, sizeof(pkt), l.now);
	CHECK_INT(l.s[0].peer->n_staged, ==, WG_STAGED_MAX);
	CHECK_INT(wg_counters(l.s[0].dev)->staged_dropped, ==, WG_STAGED_MAX);
	live_close(&l);
}

/* Both have a packet for the other at the same moment. */
static void initiations_that_cross_both_complete_at_once(void **state)
{
	uint8_t pkt[2][20] = { { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0, 2 },
		{ 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 2, 10, 0, 0, 1 } };
	struct live l;

	live_open(&l);
	for (int i = 0; i < 2; i++)
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_INT(l.s[1].keep.n_dg, ==, 1);
	live_exchange(&l, true);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(l.s[i].keep.n_pkt, ==, 1);
		CHECK_MEM(l.s[i].keep.pkt[0], pkt[1 - i], 20);
	}
	live_ping(&l, 0);
	live_ping(&l, 1);
	CHECK_INT(l.s[0].keep.n_pkt, ==, 2);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 2);
	live_close(&l);
}

/* Each then has a session that it began itself. The next handshake is of one of them only. */
static void sessions_that_crossed_are_renewed_one_after_the_other(void **state)
{
	uint8_t pkt[2][20] = { { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0, 2 },
		{ 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 2, 10, 0, 0, 1 } };
	struct live l;
	unsigned initiations = 0;

	live_open(&l);
	for (int i = 0; i < 2; i++)
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
	live_exchange(&l, true);
	CHECK_TRUE(l.s[0].peer->session[SESSION_CURRENT]->initiator &&
		   l.s[1].peer->session[SESSION_CURRENT]->initiator);
	l.now.mono += REKEY_AFTER_TIME;
	l.now.wall += REKEY_AFTER_TIME / MSEC(1);
	for (int i = 0; i < 2; i++) {
		send_plain(&l.s[i], pkt[i], sizeof(pkt[i]), l.now);
		for (size_t k = 0; k < l.s[i].keep.n_dg; k++)
			initiations += wgmsg_type(l.s[i].keep.dg[k], l.s[i].keep.dg_len[k]) ==
				       WGMSG_INITIATION;
	}
	CHECK_INT(initiations, ==, 1);
	/* What is under way while the handshake is arrives all the same. */
	l.s[0].keep.n_pkt = l.s[1].keep.n_pkt = 0;
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.n_pkt, ==, 1);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	CHECK_INT(l.s[0].peer->session[SESSION_CURRENT]->initiator +
			  l.s[1].peer->session[SESSION_CURRENT]->initiator,
		==, 1);
	live_close(&l);
}

static void replayed_packet_is_no_sign_of_life(void **state)
{
	struct live l;
	uint8_t copy[2048];
	size_t n;
	mono_ns before;

	live_open(&l);
	live_ping(&l, 0);
	l.s[0].keep.n_dg = 0;
	send_plain(&l.s[0], (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 10, 0, 0, 1, 10, 0, 0, 2 }, 20,
		l.now);
	n = l.s[0].keep.dg_len[0];
	memcpy(copy, l.s[0].keep.dg[0], n);
	live_exchange(&l, true);
	live_ping(&l, 1); /* the other side now waits for an answer */
	before = l.s[1].peer->timer[TIMER_NEW_HANDSHAKE];
	CHECK_TRUE(before != MONO_NEVER);
	feed(&l.s[1], copy, n, l.now);
	CHECK_INT(l.s[1].peer->timer[TIMER_NEW_HANDSHAKE], ==, before);
	CHECK_INT(wg_counters(l.s[1].dev)->replay, ==, 1);
	live_close(&l);
}

static void new_identity_shakes_hands_at_once(void **state)
{
	struct secret_node other = { { 24, [31] = 64 } };
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	l.now.mono += SEC(1);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, 0);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	live_close(&l);
}

/* The owner holds the pointer: only he frees the peer. */
static void identity_of_a_peer_is_refused_and_all_stays(void **state)
{
	static const uint8_t own[KEY_LEN] = { 8, [31] = 64 };
	struct secret_node other = { { 16, [31] = 64 } };
	struct node_pub before;
	struct live l;

	live_open(&l);
	live_ping(&l, 0);
	before = *wg_public(l.s[0].dev);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, -EEXIST);
	CHECK_TRUE(wg_peer_find(l.s[0].dev, wg_public(l.s[1].dev)) == l.s[0].peer);
	CHECK_MEM(wg_public(l.s[0].dev), &before, sizeof(before));
	CHECK_MEM(l.s[0].dev->self.private, own, KEY_LEN);
	l.s[1].keep.n_pkt = 0;
	live_ping(&l, 0); /* the session goes on */
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	wg_peer_remove(l.s[0].dev, l.s[0].peer);
	CHECK_INT(wg_set_private(l.s[0].dev, &other, l.now.mono), ==, 0);
	live_close(&l);
}

static void lost_initiation_is_repeated_at_once_when_the_owner_asks(void **state)
{
	struct live l;

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	live_exchange(&l, false);
	l.now.mono += MSEC(99);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	l.now.mono += MSEC(1);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now); /* waits for 5 s */
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	l.now.mono += SEC(1);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now); /* there is a session */
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 0);
	live_close(&l);
}

/* The line is longer than the owner's timeout: the answer to the first still counts. */
static void initiation_that_the_owner_repeats_is_the_same_while_its_answer_may_come(void **state)
{
	struct live l;
	uint8_t first[148];

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.dg_len[0], ==, sizeof(first));
	memcpy(first, l.s[0].keep.dg[0], sizeof(first));
	l.s[0].keep.n_dg = 0;
	l.now.mono += MSEC(200);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_MEM(l.s[0].keep.dg[0], first, sizeof(first));
	l.s[0].keep.n_dg = 0;
	feed(&l.s[1], first, sizeof(first), l.now); /* it arrives only now */
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	live_close(&l);

	live_open(&l);
	wg_start_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	l.s[0].keep.n_dg = 0;
	l.now.mono += MSEC(500);
	wg_retry_handshake(l.s[0].dev, l.s[0].peer, l.now);
	side_take(&l.s[0]);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	CHECK_TRUE(memcmp(l.s[0].keep.dg[0], first, sizeof(first)) != 0);
	live_exchange(&l, true);
	CHECK_INT(l.s[0].keep.sessions, ==, 1);
	live_close(&l);
}

static void data_of_a_session_from_before_a_restart_is_told(void **state)
{
	struct live l, after;

	live_open(&l);
	live_open(&after);
	live_ping(&l, 0);
	l.s[0].keep.n_dg = 0;
	send_plain(&l.s[0], (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 10, 0, 0, 1, 10, 0, 0, 2 }, 20,
		l.now);
	CHECK_INT(l.s[0].keep.n_dg, ==, 1);
	feed(&after.s[1], l.s[0].keep.dg[0], l.s[0].keep.dg_len[0], l.now);
	CHECK_INT(after.s[1].keep.no_session, ==, 1);
	live_close(&after);
	live_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_is_renewed_before_it_expires_and_no_packet_is_lost),
		cmocka_unit_test(initiator_gives_up_after_90_seconds_of_silence),
		cmocka_unit_test(idle_receiver_answers_data_with_one_keepalive),
		cmocka_unit_test(persistent_keepalive_keeps_its_interval),
		cmocka_unit_test(keys_are_forgotten_after_nine_minutes),
		cmocka_unit_test(staged_packets_are_bounded),
		cmocka_unit_test(initiations_that_cross_both_complete_at_once),
		cmocka_unit_test(sessions_that_crossed_are_renewed_one_after_the_other),
		cmocka_unit_test(replayed_packet_is_no_sign_of_life),
		cmocka_unit_test(new_identity_shakes_hands_at_once),
		cmocka_unit_test(identity_of_a_peer_is_refused_and_all_stays),
		cmocka_unit_test(lost_initiation_is_repeated_at_once_when_the_owner_asks),
		cmocka_unit_test(
			initiation_that_the_owner_repeats_is_the_same_while_its_answer_may_come),
		cmocka_unit_test(data_of_a_session_from_before_a_restart_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
