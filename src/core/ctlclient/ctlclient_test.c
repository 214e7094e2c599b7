/* Sessions and logins: from the first connection to the logout. */
#include "core/ctlclient/rig_test.h"

static void node_joins_with_an_auth_key_and_gets_its_map(void **state)
{
	struct rig w;

	rig_open(&w, false, "hskey-auth-1");
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_TRUE(strstr(w.last_register, "\"AuthKey\":\"hskey-auth-1\"") != NULL);
	CHECK_INT(w.registers, ==, 1);
	CHECK_INT(w.keys_made, ==, 1);
	CHECK_INT(w.got_maps, ==, 1);
	CHECK_INT(w.lites, ==, 1);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	CHECK_INT(w.maps, ==, 1);
	rig_close(&w);
	(void)state;
}

static void lost_connection_is_dialled_again_within_100_ms_without_registering(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.dials, ==, 1); /* the hub's key was handed in */
	CHECK_INT(w.got_maps, ==, 1);
	ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
	CHECK_INT(ctlclient_deadline(w.c), <=, w.now.mono + MSEC(100));
	w.now.mono += MSEC(100);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.registers, ==, 1);
	CHECK_INT(w.got_maps, ==, 2);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

/* Another device with the same key takes the poll each time. */
static void sessions_that_live_only_moments_are_begun_ever_more_seldom(void **state)
{
	mono_ns t0;
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	t0 = w.now.mono;
	while (w.now.mono < t0 + SEC(40)) {
		end_poll(&w);
		(void)next_session(&w, true);
	}
	CHECK_INT(w.maps, <=, 14);
	for (int i = 0; i < 10; i++) {
		end_poll(&w);
		CHECK_INT(next_session(&w, true), <=, SEC(45));
	}
	w.now.mono += CTLCLIENT_SETTLED; /* this one was good */
	ctlclient_tick(w.c, w.now);
	end_poll(&w);
	CHECK_INT(next_session(&w, true), <=, MSEC(100));
	rig_close(&w);
	(void)state;
}

static void a_hub_that_was_away_shortly_is_found_soon(void **state)
{
	static const mono_ns away[] = { SEC(1), SEC(4), SEC(12), SEC(30), SEC(120) };

	for (size_t i = 0; i < ARRAY_LEN(away); i++) {
		struct rig w;
		mono_ns lost, back;
		unsigned tries = 0;

		CHECK_ROW("row %zu", i);
		rig_open(&w, true, NULL);
		ctlclient_start(w.c, w.now);
		pump(&w);
		lost = w.now.mono;
		ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
		for (; ctlclient_deadline(w.c) < lost + away[i]; tries++)
			(void)next_session(&w, false);
		CHECK_INT(tries, <=, 120);
		back = MAX_OF(w.now.mono, lost + away[i]);
		(void)next_session(&w, true);
		CHECK_INT(w.state, ==, CTL_RUNNING);
		CHECK_INT(w.now.mono - back, <=, MSEC(100) + away[i] / 16);
		rig_close(&w);
	}
	(void)state;
}

/* A hub that removed a device would have it back at once. */
static void auth_key_is_offered_only_until_the_hub_has_taken_it(void **state)
{
	struct rig w;

	rig_open(&w, false, "hskey-auth-1");
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	w.register_answer[1] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.map_status = 404; /* removed */
	ctlclient_closed(w.c, CTL_CONN_PLAIN, 0, w.now);
	for (int i = 0; i < 5 && w.state != CTL_NEEDS_LOGIN; i++) {
		w.now.mono = MIN_OF(ctlclient_deadline(w.c), w.now.mono + SEC(30));
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_TRUE(strstr(w.last_register, "hskey-auth-1") == NULL);
	rig_close(&w);
	(void)state;
}

static void changed_link_is_followed_by_a_new_connection_at_once(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.dials, ==, 1);
	ctlclient_reconnect(w.c, w.now);
	CHECK_INT(w.dials, ==, 2);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 2);
	ctlclient_stop(w.c);
	ctlclient_reconnect(w.c, w.now);
	CHECK_INT(w.dials, ==, 2);
	rig_close(&w);
	(void)state;
}

static void login_url_is_shown_and_followed_until_the_hub_answers(void **state)
{
	struct rig w;

	rig_open(&w, false, NULL);
	w.register_answer[0] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.register_answer[1] = NULL;
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_STR(w.text, "http://hub.example/register/1");
	CHECK_TRUE(w.held &&
		   strstr(w.last_register, "\"Followup\":\"http://hub.example/register/1\""));
	CHECK_INT(ts_stream_respond(w.held, 200, NULL, view_of(joined, strlen(joined))), ==, 0);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.registers, ==, 2);
	rig_close(&w);
	(void)state;
}

static void expired_key_is_replaced_by_a_new_one_that_names_the_old(void **state)
{
	struct rig w;

	rig_open(&w, true, "k");
	w.register_answer[0] = "{\"NodeKeyExpired\":true}";
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.keys_made, ==, 1);
	CHECK_TRUE(strstr(w.last_register, "\"OldNodeKey\":\"nodekey:0909") != NULL);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

static void refused_poll_makes_the_node_register_again(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.map_status = 404;
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 0);
	w.map_status = 200;
	for (int i = 0; i < 5; i++) {
		w.now.mono = MIN_OF(ctlclient_deadline(w.c), w.now.mono + SEC(30));
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_INT(w.registers, >=, 2);
	CHECK_INT(w.got_maps, ==, 1);
	rig_close(&w);
	(void)state;
}

static void silent_poll_is_given_up_after_two_minutes(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(ctlclient_deadline(w.c), ==, w.now.mono + CTLCLIENT_SILENCE);
	w.now.mono += CTLCLIENT_SILENCE;
	ctlclient_tick(w.c, w.now);
	CHECK_INT(w.state, ==, CTL_CONNECTING);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	rig_close(&w);
	(void)state;
}

static void a_login_that_waits_asks_whether_the_hub_lives(void **state)
{
	struct rig w;
	mono_ns t0;

	rig_open(&w, false, NULL);
	w.register_answer[0] = "{\"AuthURL\":\"http://hub.example/register/1\"}";
	w.register_answer[1] = NULL; /* nobody approves it yet */
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_TRUE(w.held);
	for (t0 = w.now.mono; w.now.mono < t0 + SEC(3600);) {
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
	}
	CHECK_TRUE(w.held && w.registers == 2); /* the hub answers each time: it waits on */
	for (t0 = w.now.mono; w.dialled[CTL_CONN_PLAIN];) { /* now the hub hangs */
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
	}
	CHECK_INT(w.now.mono - t0, ==, CTLCLIENT_SILENCE);
	rig_close(&w);
	(void)state;
}

static void tls_is_dialled_when_plaintext_is_slow_or_fails(void **state)
{
	for (int slow = 0; slow < 2; slow++) {
		struct rig w;

		rig_open(&w, true, NULL);
		ctlclient_start(w.c, w.now);
		CHECK_TRUE(!w.dialled[CTL_CONN_TLS]);
		if (slow) {
			w.now.mono += MSEC(500);
			ctlclient_tick(w.c, w.now);
			CHECK_TRUE(w.dialled[CTL_CONN_PLAIN]);
		} else {
			ctlclient_closed(w.c, CTL_CONN_PLAIN, -ERR_CLOSED, w.now);
		}
		CHECK_TRUE(w.dialled[CTL_CONN_TLS]);
		rig_close(&w);
	}
	(void)state;
}

static void logout_is_told_to_the_hub_and_ends_the_session(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	ctlclient_logout(w.c, w.now);
	pump(&w);
	CHECK_TRUE(strstr(w.last_register, "\"Expiry\":\"1970-01-01T00:02:03Z\"") != NULL);
	CHECK_INT(w.state, ==, CTL_LOGGED_OUT);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	CHECK_INT(ctlclient_deadline(w.c), ==, MONO_NEVER);
	rig_close(&w);
	(void)state;
}

/* A login is under way. Which key the hub knows is not known, so both are logged out; the login's answer is none to that. */
static void a_logout_during_a_login_is_told_to_the_hub(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	ctlclient_login(w.c, "hskey-auth-1", w.now);
	ctlclient_logout(w.c, w.now);
	pump(&w);
	CHECK_INT(w.logouts, ==, 2);
	CHECK_TRUE(strstr(w.last_register, "\"NodeKey\":\"nodekey:0909") != NULL);
	CHECK_INT(w.state, ==, CTL_LOGGED_OUT);
	rig_close(&w);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(node_joins_with_an_auth_key_and_gets_its_map),
		cmocka_unit_test(
			lost_connection_is_dialled_again_within_100_ms_without_registering),
		cmocka_unit_test(sessions_that_live_only_moments_are_begun_ever_more_seldom),
		cmocka_unit_test(a_hub_that_was_away_shortly_is_found_soon),
		cmocka_unit_test(auth_key_is_offered_only_until_the_hub_has_taken_it),
		cmocka_unit_test(changed_link_is_followed_by_a_new_connection_at_once),
		cmocka_unit_test(login_url_is_shown_and_followed_until_the_hub_answers),
		cmocka_unit_test(expired_key_is_replaced_by_a_new_one_that_names_the_old),
		cmocka_unit_test(refused_poll_makes_the_node_register_again),
		cmocka_unit_test(silent_poll_is_given_up_after_two_minutes),
		cmocka_unit_test(a_login_that_waits_asks_whether_the_hub_lives),
		cmocka_unit_test(tls_is_dialled_when_plaintext_is_slow_or_fails),
		cmocka_unit_test(logout_is_told_to_the_hub_and_ends_the_session),
		cmocka_unit_test(a_logout_during_a_login_is_told_to_the_hub),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
