/* Settings that a hub refuses, and what is none. */
#include "core/ctlclient/rig_test.h"

/* The device has tags, a name and routes; the hub dislikes one of them in every request, or in none. */
static void open_with_settings(struct rig *w, const char *refuses)
{
	static const char *tag = "tag:x";
	static struct ipprefix route = { .ip = { .family = 4, .b = { 10 } }, .bits = 8 };

	rig_open(w, true, NULL);
	w->host = (struct tc_hostinfo){ .hostname = "A Box",
		.request_tags = json_list_of(&tag, 1),
		.routable_ips = json_list_of(&route, 1) };
	w->refuses = refuses;
	ctlclient_start(w->c, w->now);
	pump(w);
}

static void a_refused_setting_is_left_out_and_the_device_stays(void **state)
{
	static const struct {
		const char *refuses, *kept;
	} rows[] = { { "\"RequestTags\"", "\"RoutableIPs\":[\"10.0.0.0/8\"]" },
		{ "\"A Box\"", "\"Hostname\":\"a-box\",\"RoutableIPs\"" },
		{ "\"RoutableIPs\"", "\"Hostname\":\"a-box\"" } };
	struct rig w;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].refuses);
		open_with_settings(&w, rows[i].refuses);
		CHECK_INT(w.state, ==, CTL_RUNNING);
		CHECK_INT(w.got_maps, ==, 1);
		CHECK_INT(w.dials, ==, 1); /* on the same connection */
		CHECK_INT(w.n_refused, ==, 1);
		CHECK_TRUE(!strncmp(w.refused, "not this", 8) && !strpbrk(w.refused, "\t\n"));
		CHECK_TRUE(
			strstr(w.last_lite, rows[i].kept) && !strstr(w.last_lite, rows[i].refuses));
		ctlclient_update(w.c, w.now); /* news of another kind do not ask for it again */
		pump(&w);
		CHECK_INT(w.n_refused, ==, 1);
		CHECK_TRUE(!strstr(w.last_lite, rows[i].refuses));
		w.refuses = NULL;
		ctlclient_settings_changed(w.c);
		ctlclient_update(w.c, w.now);
		pump(&w);
		CHECK_INT(w.n_refused, ==, 2);
		CHECK_STR(w.refused, "");
		CHECK_TRUE(strstr(w.last_lite, rows[i].refuses));
		rig_close(&w);
	}
}

static void a_setting_that_is_refused_while_it_runs_leaves_the_poll_alone(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, NULL);
	CHECK_INT(w.maps, ==, 1);
	w.refuses = "\"RequestTags\"";
	ctlclient_settings_changed(w.c);
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.maps, ==, 1);
	CHECK_STR(w.refused, "not this one");
	rig_close(&w);
}

static void what_is_no_fault_of_the_settings_stays_a_failure(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, "NodeKey");
	CHECK_INT(w.state, ==, CTL_NEEDS_LOGIN);
	CHECK_STR(w.text, "not this one");
	CHECK_INT(w.registers, ==, 4);
	CHECK_INT(w.n_refused, ==, 0);
	rig_close(&w);
}

static void a_refused_login_leaves_the_device_with_its_key(void **state)
{
	struct rig w;

	(void)state;
	open_with_settings(&w, NULL);
	w.refuses = "\"AuthKey\"";
	ctlclient_login(w.c, "bad", w.now);
	pump(&w);
	CHECK_INT(w.n_logins_refused, ==, 1);
	CHECK_STR(w.refused, "not this one");
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.maps, ==, 1);
	CHECK_INT(w.dials, ==, 1);
	rig_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_setting_is_left_out_and_the_device_stays),
		cmocka_unit_test(a_setting_that_is_refused_while_it_runs_leaves_the_poll_alone),
		cmocka_unit_test(what_is_no_fault_of_the_settings_stays_a_failure),
		cmocka_unit_test(a_refused_login_leaves_the_device_with_its_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
