#include "core/ctlclient/internal.h"
#include "testlib/check.h"

static void urls_say_host_and_ports(void **state)
{
	static const struct {
		const char *url, *kept, *host;
		unsigned plain, tls;
		bool https;
	} rows[] = {
		{ "http://hub", "http://hub", "hub", 80, 443, false },
		{ "https://hub/", "https://hub", "hub", 80, 443, true },
		{ "http://hub:8080", "http://hub:8080", "hub", 8080, 0, false },
		{ "https://hub:444", "https://hub:444", "hub", 80, 444, true },
		{ "http://[fd00::1]:81/", "http://[fd00::1]:81", "fd00::1", 81, 0, false },
		{ "hub", NULL, NULL, 0, 0, false },
		{ "http://", NULL, NULL, 0, 0, false },
		{ "http://hub:0", NULL, NULL, 0, 0, false },
		{ "http://hub:70000", NULL, NULL, 0, 0, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct place p;
		int rc = place_parse(&p, rows[i].url);

		CHECK_ROW("%s", rows[i].url);
		CHECK_INT(rc, ==, rows[i].host ? 0 : -ERR_BAD_VALUE);
		if (rc < 0)
			continue;
		CHECK_STR(p.url, rows[i].kept);
		CHECK_STR(p.host, rows[i].host);
		CHECK_INT(p.plain_port, ==, rows[i].plain);
		CHECK_INT(p.tls_port, ==, rows[i].tls);
		CHECK_INT(p.https, ==, rows[i].https);
	}
}

static void redirects_lead_to_a_hub_or_nowhere(void **state)
{
	static const struct {
		const char *from, *location, *to; /* to NULL: not followed */
	} rows[] = {
		{ "http://a", "http://b/key?v=113", "http://b" },
		{ "http://a", "https://b:444/key", "https://b:444" },
		{ "https://a", "https://b", "https://b" },
		{ "https://a", "https://b/", "https://b" },
		{ "https://a", "http://b/key", NULL }, /* not out of TLS */
		{ "http://a", "/key", NULL },
		{ "http://a", "b/key", NULL },
		{ "http://a", "ftp://b/key", NULL },
		{ "http://a", "http://b/somewhere", NULL },
		{ "http://a", "http://b/keys", NULL },
		{ "http://a", "http:///key", NULL },
		{ "http://a", "http://u@b/key", NULL },
		{ "http://a", "http://b\"/key", NULL },
		{ "http://a", "http://b\n/key", NULL },
		{ "http://a", "", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct place from, to;
		int rc;

		CHECK_ROW("%s -> %s", rows[i].from, rows[i].location);
		CHECK_INT(place_parse(&from, rows[i].from), ==, 0);
		rc = place_redirected(&from, rows[i].location, &to);
		CHECK_INT(rc, ==, rows[i].to ? 0 : -ERR_BAD_VALUE);
		if (rc == 0)
			CHECK_STR(to.url, rows[i].to);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_say_host_and_ports),
		cmocka_unit_test(redirects_lead_to_a_hub_or_nowhere),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
