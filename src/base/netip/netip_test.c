#include "base/netip/netip.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

#include <arpa/inet.h>

static struct ipaddr addr(const char *s)
{
	struct ipaddr a = { 0 };

	CHECK_ROW("%s", s);
	CHECK_INT(ipaddr_parse(s, strlen(s), &a), ==, 0);
	return a;
}

static struct ipprefix prefix(const char *s)
{
	struct ipprefix p = { 0 };

	CHECK_ROW("%s", s);
	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

static void text_comes_out_in_its_canonical_form(void **state)
{
	static const char *const rows[][2] = { { "1.2.3.4", "1.2.3.4" }, { "::", "::" },
		{ "::1", "::1" }, { "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::1" },
		{ "FE80:0:0:0:0:0:0:1", "fe80::1" }, { "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7" }, { "::ffff:1.2.3.4", "1.2.3.4" },
		{ "64:ff9b::1.2.3.4", "64:ff9b::102:304" }, { "1::", "1::" },
		{ "0:0:1::", "0:0:1::" } };
	char out[IPADDR_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		CHECK_STR(ipaddr_format(addr(rows[i][0]), out), rows[i][1]);
}

static void bad_texts_are_rejected(void **state)
{
	static const char *const bad[] = { "", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4",
		"1.2.3.4 ", ":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
		"12345::", "1:2:3:4:5:6:7::8", "::1%eth0", "g::", "1:", ":1", "::1.2.3",
		"1.2.3.4::", "::1.2.3.4:5" };
	static const char *const bad_ports[] = { "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "::1:80",
		"[::1]", "[1.2.3.4]:80", "[::1]80", ":80", "1.2.3.4:-1" };
	static const char *const bad_prefixes[] = { "1.2.3.4", "1.2.3.4/33", "::/129", "1.2.3.4/",
		"1.2.3.4/08", "1.2.3.4/+8", "/8" };
	struct ipprefix p;
	struct ipport ap;
	struct ipaddr a;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(ipaddr_parse(bad[i], strlen(bad[i]), &a), ==, -ERR_BAD_FORMAT);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_ports); i++) {
		CHECK_ROW("%s", bad_ports[i]);
		CHECK_INT(
			ipport_parse(bad_ports[i], strlen(bad_ports[i]), &ap), ==, -ERR_BAD_FORMAT);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_prefixes); i++) {
		CHECK_ROW("%s", bad_prefixes[i]);
		CHECK_INT(ipprefix_parse(bad_prefixes[i], strlen(bad_prefixes[i]), &p), ==,
			-ERR_BAD_FORMAT);
	}
}

/* The C library's inet_pton and inet_ntop as the second opinion. */
static void random_addresses_agree_with_libc(void **state)
{
	struct rng_seeded r;

	rng_seeded_init(&r, 6);
	for (int i = 0; i < 20000; i++) {
		char ours[IPADDR_TEXT_MAX], libc[INET6_ADDRSTRLEN];
		uint8_t b[16], back[16];
		struct ipaddr a = { .family = 6 };

		rng_fill(&r.rng, b, sizeof(b));
		for (int k = 0; k < 8; k++) /* many zero groups */
			if (rng_below(&r.rng, 2))
				memset(b + 2 * k, 0, 2);
		b[0] |= 0x20; /* no mapped and no compatible forms: libc writes those with dots */
		memcpy(a.b, b, sizeof(b));
		ipaddr_format(a, ours);
		inet_ntop(AF_INET6, b, libc, sizeof(libc));
		CHECK_STR(ours, libc);
		ipaddr_to16(addr(ours), back);
		CHECK_MEM(back, b, 16);
	}
}

static void ports_and_prefixes_round_trip(void **state)
{
	static const char *const ports[] = { "1.2.3.4:0", "[fd7a::1]:65535", "100.64.0.1:41641" };
	static const char *const prefixes[] = { "0.0.0.0/0", "::/0", "100.64.0.1/10",
		"fd7a::1/128" };
	char out[IPPORT_TEXT_MAX];
	struct ipport p;

	for (size_t i = 0; i < ARRAY_LEN(ports); i++) {
		CHECK_INT(ipport_parse(ports[i], strlen(ports[i]), &p), ==, 0);
		CHECK_STR(ipport_format(p, out), ports[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		CHECK_STR(ipprefix_format(prefix(prefixes[i]), out), prefixes[i]);
}

static void prefix_arithmetic_holds(void **state)
{
	char out[IPADDR_TEXT_MAX];

	CHECK_TRUE(ipprefix_contains(prefix("100.64.0.0/10"), addr("100.127.255.255")));
	CHECK_TRUE(!ipprefix_contains(prefix("100.64.0.0/10"), addr("100.128.0.0")));
	CHECK_TRUE(!ipprefix_contains(prefix("::/0"), addr("1.2.3.4")));
	CHECK_TRUE(ipprefix_contains(prefix("0.0.0.0/0"), addr("255.1.2.3")));
	CHECK_TRUE(ipprefix_overlaps(prefix("10.0.0.0/8"), prefix("10.1.0.0/16")));
	CHECK_TRUE(ipprefix_overlaps(prefix("10.1.0.0/16"), prefix("10.0.0.0/8")));
	CHECK_TRUE(!ipprefix_overlaps(prefix("10.0.0.0/9"), prefix("10.128.0.0/9")));
	CHECK_STR(ipaddr_format(iprange_of(prefix("10.1.2.3/15")).last, out), "10.1.255.255");
	CHECK_STR(ipaddr_format(iprange_of(prefix("10.1.2.3/15")).first, out), "10.0.0.0");
	CHECK_STR(ipaddr_format(iprange_of(prefix("fd7a::/121")).last, out), "fd7a::7f");
	CHECK_STR(ipaddr_format(ipaddr_next(addr("10.0.255.255")), out), "10.1.0.0");
	CHECK_STR(ipaddr_format(ipaddr_next(addr("255.255.255.255")), out), "0.0.0.0");
	CHECK_TRUE(ipaddr_is_private(addr("172.31.0.1")) && !ipaddr_is_private(addr("172.32.0.1")));
	CHECK_TRUE(
		ipaddr_is_link_local(addr("fe80::1")) && ipaddr_is_link_local(addr("169.254.1.1")));
	CHECK_TRUE(ipaddr_is_loopback(addr("127.9.9.9")) && ipaddr_is_loopback(addr("::1")));
	CHECK_TRUE(ipaddr_is_multicast(addr("239.1.1.1")) && ipaddr_is_multicast(addr("ff02::1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_comes_out_in_its_canonical_form),
		cmocka_unit_test(bad_texts_are_rejected),
		cmocka_unit_test(random_addresses_agree_with_libc),
		cmocka_unit_test(ports_and_prefixes_round_trip),
		cmocka_unit_test(prefix_arithmetic_holds),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
