#include "hub/state/options.h"
#include "testlib/check.h"

#include <stdio.h>
#include <unistd.h>

static int parse(struct hub_options *o, struct err_at *at, const char *const *argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	memset(at, 0, sizeof(*at));
	return hub_options_parse(o, argc, (char *const *)(uintptr_t)argv, at);
}

#define PARSE(o, at, ...) parse((o), (at), (const char *const[]){ "warren-hub", __VA_ARGS__, NULL })

static void flags_stand_before_or_after_the_words_of_a_command(void **state)
{
	struct hub_options o;
	struct err_at at;

	CHECK_INT(PARSE(&o, &at, "--socket", "/a", "nodes", "--json", "rename", "7", "--user=ann",
			  "x"),
		==, 0);
	CHECK_INT(o.n_words, ==, 4);
	CHECK_STR(o.word[3], "x");
	CHECK_STR(o.socket, "/a");
	CHECK_STR(o.user, "ann");
	CHECK_TRUE(o.json && !o.qr);
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--tls-cert", "c", "--listen", ":1", "--listen", ":2"),
		==, 0);
	CHECK_STR(o.listen, ":2"); /* the last counts */
	CHECK_STR(o.state_dir, "/var/lib/warren-hub");
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--trusted-proxy", "10.0.0.1,10.0.0.2",
			  "--trusted-proxy=::1"),
		==, 0);
	CHECK_STR(o.trusted_proxy, "10.0.0.1,10.0.0.2,::1"); /* of this one all do */
	hub_options_fini(&o);
}

static void mistakes_in_flags_are_named(void **state)
{
	struct hub_options o;
	struct err_at at;

	CHECK_INT(PARSE(&o, &at, "serve", "--no-such"), <, 0);
	CHECK_TRUE(strstr(at.text, "--no-such"));
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--url"), <, 0);
	CHECK_TRUE(strstr(at.text, "--url"));
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "status", "--json=perhaps"), <, 0);
	CHECK_TRUE(strstr(at.text, "perhaps"));
	hub_options_fini(&o);
}

static void flag_goes_before_environment_and_environment_before_file(void **state)
{
	char path[64];
	struct hub_options o;
	struct err_at at;
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/hub-options-%d", (int)getpid());
	f = fopen(path, "w");
	CHECK_TRUE(f != NULL);
	fputs("# a comment\n\nurl = http://file\nlisten=:1\nbase-domain = file.test\r\napprove-devices = true\n",
		f);
	fclose(f);
	setenv("WARREN_HUB_URL", "http://environment", 1);
	setenv("WARREN_HUB_LISTEN", ":2", 1);
	CHECK_INT(PARSE(&o, &at, "serve", "--config", path, "--url", "http://flag"), ==, 0);
	CHECK_STR(o.url, "http://flag");
	CHECK_STR(o.listen, ":2");
	CHECK_STR(o.base_domain, "file.test");
	CHECK_TRUE(o.approve_devices);
	hub_options_fini(&o);
	f = fopen(path, "a");
	fputs("colour=red\n", f);
	fclose(f);
	CHECK_INT(PARSE(&o, &at, "serve", "--config", path), <, 0);
	CHECK_TRUE(strstr(at.text, "line 7") && strstr(at.text, "colour"));
	hub_options_fini(&o);
	unsetenv("WARREN_HUB_URL");
	unsetenv("WARREN_HUB_LISTEN");
	unlink(path);
}

static void a_base_domain_is_a_domain(void **state)
{
	char labels[256];
	struct hub_options o;
	struct err_at at;
	size_t n = 0;

	(void)state;
	while (n < 224)
		n += (size_t)snprintf(labels + n, sizeof(labels) - n, "%saaaaaaa", n ? "." : "");
	CHECK_INT(PARSE(&o, &at, "serve", "--base-domain", labels), ==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "--base-domain") && strstr(at.text, "shorter"));
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--base-domain", "a\"b.test"), ==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "--base-domain") && strstr(at.text, "corp.example"));
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--base-domain", "corp.example."), ==, -ERR_BAD_VALUE);
	hub_options_fini(&o);
	CHECK_INT(PARSE(&o, &at, "serve", "--base-domain", "corp.example"), ==, 0);
	hub_options_fini(&o);
}

static void urls_name_scheme_host_and_port(void **state)
{
	static const struct {
		const char *text, *host;
		int port; /* 0: refused */
		bool https;
		int family;
	} rows[] = { { "http://hub", "hub", 80, false, 0 },
		{ "https://hub.example.org/", "hub.example.org", 443, true, 0 },
		{ "http://192.0.2.1:8080", "192.0.2.1", 8080, false, 4 },
		{ "http://[2001:db8::1]", "2001:db8::1", 80, false, 6 },
		{ "https://[2001:db8::1]:444/", "2001:db8::1", 444, true, 6 },
		{ "ftp://hub", NULL, 0, false, 0 }, { "http://", NULL, 0, false, 0 },
		{ "http://hub/path", NULL, 0, false, 0 }, { "http://hub:0", NULL, 0, false, 0 },
		{ "http://hub:x", NULL, 0, false, 0 }, { "http://[::1", NULL, 0, false, 0 },
		{ "http://a\"b", NULL, 0, false, 0 }, { "http://2001:db8::1", NULL, 0, false, 0 },
		{ "hub", NULL, 0, false, 0 } };
	struct url u;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(hub_url_parse(rows[i].text, &u) == 0, ==, rows[i].port != 0);
		if (!rows[i].port)
			continue;
		CHECK_STR(u.host, rows[i].host);
		CHECK_INT(u.port, ==, rows[i].port);
		CHECK_INT(u.https, ==, rows[i].https);
		CHECK_INT(u.ip.family, ==, rows[i].family);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_stand_before_or_after_the_words_of_a_command),
		cmocka_unit_test(mistakes_in_flags_are_named),
		cmocka_unit_test(flag_goes_before_environment_and_environment_before_file),
		cmocka_unit_test(a_base_domain_is_a_domain),
		cmocka_unit_test(urls_name_scheme_host_and_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
