/* Flags as Go programs read them, and what follows from them. */
#include "daemon/options.h"
#include "testlib/check.h"

#include <stdlib.h>

enum { ARGS_MAX = 8 };

static int parse(struct daemon_options *o, struct err_at *at, const char *const *args)
{
	char *argv[ARGS_MAX + 1] = { (char *)(uintptr_t) "warrend" };
	int n = 1;

	while (args[n - 1]) {
		argv[n] = (char *)(uintptr_t)args[n - 1];
		n++;
	}
	*at = (struct err_at){ 0 };
	return options_parse(o, n, argv, at);
}
#define PARSE(o, at, ...) parse(o, at, (const char *const[]){ __VA_ARGS__, NULL })

static void flags_are_read_in_every_form(void **state)
{
	struct daemon_options o;
	struct err_at at;

	(void)state;
	CHECK_INT(
		PARSE(&o, &at, "-port=7", "--socket", "/s", "--cleanup", "-verbose", "-1"), ==, 0);
	CHECK_INT(o.port, ==, 7);
	CHECK_STR(o.socket, "/s");
	CHECK_TRUE(o.cleanup && !o.version);
	CHECK_INT(o.verbose, ==, -1);
	CHECK_INT(PARSE(&o, &at, "--cleanup=false", "--tun="), ==, 0);
	CHECK_TRUE(!o.cleanup && !*o.tun);
}

static void the_resolver_is_chosen_by_a_flag_or_by_the_environment(void **state)
{
	static struct daemon_options o;
	struct err_at at;

	(void)state;
	unsetenv("WARREN_DNS");
	CHECK_INT(PARSE(&o, &at, "--state=mem:"), ==, 0);
	CHECK_INT(options_settle(&o, &at), ==, 0);
	CHECK_INT(o.dns_choice, ==, RESOLVER_AUTO);
	setenv("WARREN_DNS", "off", 1);
	CHECK_INT(options_settle(&o, &at), ==, 0);
	CHECK_INT(o.dns_choice, ==, RESOLVER_OFF);
	CHECK_INT(PARSE(&o, &at, "--state=mem:", "--dns=file"), ==, 0);
	CHECK_INT(options_settle(&o, &at), ==, 0);
	CHECK_INT(o.dns_choice, ==, RESOLVER_USE_FILE);
	CHECK_INT(PARSE(&o, &at, "--state=mem:", "--dns=bind"), ==, 0);
	CHECK_INT(options_settle(&o, &at), ==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "\"bind\""));
	unsetenv("WARREN_DNS");
}

static void faults_are_told_in_gos_words(void **state)
{
	static const struct {
		const char *arg, *text;
		int rc;
	} rows[] = {
		{ "--bogus", "flag provided but not defined: -bogus", -ERR_BAD_VALUE },
		{ "---x", "bad flag syntax: ---x", -ERR_BAD_VALUE },
		{ "-=x", "bad flag syntax: -=x", -ERR_BAD_VALUE },
		{ "--port=99999", "invalid value \"99999\" for flag -port: parse error",
			-ERR_BAD_VALUE },
		{ "--cleanup=maybe", "invalid boolean value \"maybe\" for -cleanup: parse error",
			-ERR_BAD_VALUE },
		{ "--socket", "flag needs an argument: -socket", -ERR_BAD_VALUE },
		{ "word", "warrend does not take non-flag arguments: [\"word\"]",
			-ERR_UNSUPPORTED },
	};
	struct daemon_options o;
	struct err_at at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].arg);
		CHECK_INT(PARSE(&o, &at, rows[i].arg), ==, rows[i].rc);
		CHECK_STR(at.text, rows[i].text);
	}
}

static void paths_follow_from_what_is_said(void **state)
{
	static const struct {
		const char *state, *statedir, *path, *root;
	} rows[] = {
		{ "", "", DAEMON_STATE_DIR "/" DAEMON_STATE_FILE, DAEMON_STATE_DIR },
		{ "", "/nowhere/d", "/nowhere/d/" DAEMON_STATE_FILE, "/nowhere/d" },
		{ "/nowhere/x.state", "", "/nowhere/x.state", "" },
		{ "/nowhere/warren/x.state", "", "/nowhere/warren/x.state", "/nowhere/warren" },
		{ "/nowhere/tailscale/x.state", "", "/nowhere/tailscale/x.state",
			"/nowhere/tailscale" },
		{ "/nowhere/x.state", "/nowhere/d", "/nowhere/x.state", "/nowhere/d" },
		{ "mem:", "/nowhere/d", "", "" },
	};
	struct daemon_options o;
	struct err_at at;

	(void)state;
	unsetenv("STATE_DIRECTORY");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s %s", rows[i].state, rows[i].statedir);
		CHECK_INT(PARSE(&o, &at, "--state", rows[i].state, "--statedir", rows[i].statedir),
			==, 0);
		CHECK_INT(options_settle(&o, &at), ==, 0);
		CHECK_STR(o.state_path, rows[i].path);
		CHECK_STR(o.var_root, rows[i].root);
	}
}

static void the_environment_gives_defaults_in_either_name(void **state)
{
	struct daemon_options o;
	struct err_at at;

	(void)state;
	setenv("PORT", "9", 1);
	setenv("TS_LOG_VERBOSITY", "2", 1);
	setenv("WARREN_DEBUG_MTU", "1400", 1);
	setenv("TS_USE_CACHED_NETMAP", "false", 1);
	CHECK_INT(PARSE(&o, &at, "--tun=x"), ==, 0);
	CHECK_INT(options_settle(&o, &at), ==, 0);
	CHECK_INT(o.port, ==, 9);
	CHECK_INT(o.verbose, ==, 2);
	CHECK_INT(o.mtu, ==, 1400);
	CHECK_TRUE(o.no_cached_map);
	setenv("TS_USE_CACHED_NETMAP", "perhaps", 1);
	CHECK_INT(options_settle(&o, &at), ==, -ERR_BAD_VALUE);
	unsetenv("PORT");
	unsetenv("TS_LOG_VERBOSITY");
	unsetenv("WARREN_DEBUG_MTU");
	unsetenv("TS_USE_CACHED_NETMAP");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_read_in_every_form),
		cmocka_unit_test(the_resolver_is_chosen_by_a_flag_or_by_the_environment),
		cmocka_unit_test(faults_are_told_in_gos_words),
		cmocka_unit_test(paths_follow_from_what_is_said),
		cmocka_unit_test(the_environment_gives_defaults_in_either_name),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
