#include "http/client/client.h"
#include "testlib/check.h"

static void urls(void **state)
{
	static const struct {
		const char *text, *host, *path;
		unsigned port;
		bool https, is_ip;
	} rows[] = {
		{ "https://hub.example.org/verify", "hub.example.org", "/verify", 443, true,
			false },
		{ "http://hub.example.org", "hub.example.org", "/", 80, false, false },
		{ "http://192.0.2.1:8080/a/b?c=d", "192.0.2.1", "/a/b?c=d", 8080, false, true },
		{ "https://[2001:db8::1]:8443/verify", "2001:db8::1", "/verify", 8443, true, true },
		{ "https://[2001:db8::1]", "2001:db8::1", "/", 443, true, true },
		{ "http://h?q", "h", "/?q", 80, false, false },
		{ "ftp://hub.example.org/", NULL, NULL, 0, false, false },
		{ "hub.example.org/verify", NULL, NULL, 0, false, false },
		{ "https://", NULL, NULL, 0, false, false },
		{ "https:///verify", NULL, NULL, 0, false, false },
		{ "https://hub:0/", NULL, NULL, 0, false, false },
		{ "https://hub:65536/", NULL, NULL, 0, false, false },
		{ "https://hub:/", NULL, NULL, 0, false, false },
		{ "https://user@hub/", NULL, NULL, 0, false, false },
		{ "https://hub/a b", NULL, NULL, 0, false, false },
		{ "https://hub/\r\nX: y", NULL, NULL, 0, false, false },
		{ "https://[hub]/", NULL, NULL, 0, false, false },
		{ "https://[2001:db8::1/", NULL, NULL, 0, false, false },
		{ "https://[2001:db8::1]x/", NULL, NULL, 0, false, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct httpask_url u;
		int rc = httpask_url_parse(rows[i].text, &u);

		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(rc, ==, rows[i].host ? 0 : -ERR_BAD_VALUE);
		if (rc < 0)
			continue;
		CHECK_STR(u.at.host, rows[i].host);
		CHECK_STR(u.path, rows[i].path);
		CHECK_INT(u.at.port, ==, rows[i].port);
		CHECK_TRUE(u.at.https == rows[i].https && (u.at.ip.family != 0) == rows[i].is_ip);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(urls) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
