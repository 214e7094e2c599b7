#include "proto/forwarded/forwarded.h"
#include "testlib/check.h"

#include <stdio.h>

static struct ipport client(const char *trust, const char *peer, const char *headers, bool *ret_bad)
{
	struct forwarded_trust t = { 0 };
	struct http1_head h;
	struct ipport from;
	char request[4096];
	size_t used;

	snprintf(request, sizeof(request), "GET / HTTP/1.1\r\nHost: x\r\n%s\r\n", headers);
	if (*trust)
		CHECK_INT(forwarded_trust_add(&t, trust), ==, 0);
	CHECK_INT(ipport_parse(peer, strlen(peer), &from), ==, 0);
	CHECK_INT(http1_parse((const uint8_t *)request, strlen(request), false, &h, &used), ==, 0);
	return forwarded_client(&t, from, &h, ret_bad);
}

static void the_right_most_address_that_is_not_ours_counts(void **state)
{
	static const char lo[] = "127.0.0.0/8,::1",
			  net[] = "127.0.0.1, 10.0.0.0/8 ,2001:db8:a::/48";
	static const struct {
		const char *trust, *peer, *headers, *from;
		bool bad;
	} rows[] = {
		/* nobody is trusted, or not this one */
		{ "", "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1\r\n", "127.0.0.1:5000", false },
		{ lo, "198.51.100.9:5000", "X-Forwarded-For: 192.0.2.1\r\n", "198.51.100.9:5000",
			false },
		/* one that is */
		{ lo, "127.0.0.1:5000", "", "127.0.0.1:5000", false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1\r\n", "192.0.2.1:0", false },
		{ lo, "127.0.0.1:5000", "x-forwarded-for:192.0.2.1\r\n", "192.0.2.1:0", false },
		{ lo, "[::1]:5000", "X-Forwarded-For: 2001:db8::1\r\n", "[2001:db8::1]:0", false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: [2001:db8::1]\r\n", "[2001:db8::1]:0",
			false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1:77\r\n", "192.0.2.1:77",
			false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: [2001:db8::1]:77\r\n", "[2001:db8::1]:77",
			false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1:0",
			false },
		/* what the client wrote itself stands to the left */
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 203.0.113.66, 192.0.2.1\r\n",
			"192.0.2.1:0", false },
		{ lo, "127.0.0.1:5000",
			"X-Forwarded-For: 203.0.113.66\r\nX-Forwarded-For: 192.0.2.1\r\n",
			"192.0.2.1:0", false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: nonsense, 192.0.2.1\r\n", "192.0.2.1:0",
			false },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 127.0.0.1, 192.0.2.1\r\n", "192.0.2.1:0",
			false },
		/* proxies in a row */
		{ net, "127.0.0.1:5000", "X-Forwarded-For: 203.0.113.66, 192.0.2.1, 10.1.2.3\r\n",
			"192.0.2.1:0", false },
		{ net, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1,2001:db8:a::7,10.1.2.3\r\n",
			"192.0.2.1:0", false },
		{ net, "127.0.0.1:5000",
			"X-Forwarded-For: 192.0.2.1\r\nVia: x\r\nX-Forwarded-For: 10.1.2.3\r\n",
			"192.0.2.1:0", false },
		{ net, "127.0.0.1:5000", "X-Forwarded-For: 10.0.0.9, 10.0.0.8\r\n", "10.0.0.9:0",
			false }, /* a client of our own net */
		/* no address: who passed it on is as far as it goes */
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: unknown\r\n", "127.0.0.1:5000", true },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: \r\n", "127.0.0.1:5000", true },
		{ net, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1, , 10.1.2.3\r\n", "10.1.2.3:0",
			true },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.1,\r\n", "127.0.0.1:5000", true },
		{ lo, "127.0.0.1:5000", "X-Forwarded-For: 192.0.2.999\r\n", "127.0.0.1:5000",
			true },
	};
	char text[IPPORT_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool bad = false;

		CHECK_ROW("%s from %s", rows[i].headers, rows[i].peer);
		CHECK_STR(ipport_format(
				  client(rows[i].trust, rows[i].peer, rows[i].headers, &bad), text),
			rows[i].from);
		CHECK_INT(bad, ==, rows[i].bad);
	}
}

static void chains_have_an_end(void **state)
{
	char headers[2000] = "X-Forwarded-For: 192.0.2.1";
	bool bad = false;

	for (int i = 0; i < FORWARDED_HOPS_MAX; i++)
		strcat(headers, ",127.0.0.1");
	strcat(headers, "\r\n");
	CHECK_TRUE(ipaddr_is_loopback(client("127.0.0.1", "127.0.0.1:1", headers, &bad).ip));
	CHECK_TRUE(bad);
}

static void lists_of_proxies_are_read_strictly(void **state)
{
	static const char *const bad[] = { "", ",", "127.0.0.1,", "10.0.0.0/33", "localhost",
		"10.0.0.0/8 10.0.0.1", "10.0.0.1:80" };
	char many[FORWARDED_PROXIES_MAX * 10 + 20] = "10.0.0.1";
	struct forwarded_trust t = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(forwarded_trust_add(&t, bad[i]), ==, -ERR_BAD_FORMAT);
	}
	for (int i = 1; i < FORWARDED_PROXIES_MAX; i++)
		strcat(many, ",10.0.0.1");
	CHECK_INT(t.n, ==, 0);
	CHECK_INT(forwarded_trust_add(&t, many), ==, 0);
	CHECK_INT(t.n, ==, FORWARDED_PROXIES_MAX);
	CHECK_INT(forwarded_trust_add(&t, "10.0.0.1"), ==, -ERR_TOO_MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_most_address_that_is_not_ours_counts),
		cmocka_unit_test(chains_have_an_end),
		cmocka_unit_test(lists_of_proxies_are_read_strictly),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
