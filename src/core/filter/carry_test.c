/* What an exit node serves: a table of addresses, and random machines against a plain reading of the rule. */
#include "core/filter/carry.h"
#include "testlib/check.h"

#include <string.h>

static struct ipaddr addr(const char *s)
{
	struct ipaddr a = { 0 };

	CHECK_INT(ipaddr_parse(s, strlen(s), &a), ==, 0);
	return a;
}

static struct ipprefix prefix(const char *s)
{
	struct ipprefix p = { 0 };

	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

/* Mapped addresses as they look in a packet, which is what is judged: texts that begin with "::ffff:". */
static struct akey key_of(const char *s, bool *ret_v6)
{
	struct ipaddr a = addr(s);
	uint8_t b[16];

	*ret_v6 = strchr(s, ':') != NULL;
	ipaddr_to16(a, b);
	return *ret_v6 ? akey_load(true, b) : akey_load(false, a.b);
}

struct served {
	struct spans of[2];
};

static struct served serve(const struct filter_carry *c)
{
	struct served s = { 0 };

	CHECK_INT(carry_spans(c, s.of), ==, 0);
	spans_merge(&s.of[0]);
	spans_merge(&s.of[1]);
	return s;
}

static void served_fini(struct served *s)
{
	spans_fini(&s->of[0]);
	spans_fini(&s->of[1]);
}

static bool serves(const struct served *s, const char *text)
{
	bool v6;
	struct akey k = key_of(text, &v6);

	return spans_have(&s->of[v6], k);
}

/* A machine as one stands in a rented rack: a public address, a LAN, a bridge, a tunnel, a line, a network with public addresses. */
static const char *const machine[] = { "203.0.113.7/24", "192.168.7.2/24", "172.17.0.1/16",
	"10.8.0.6/32", "8.8.4.1/32", "198.51.100.64/26", "127.0.0.1/8", "2001:db8:7::2/64",
	"fd00:7::1/64", "fe80::1/64", "::1/128", "2a01:4f8::5/128" };

static const char *const outside[] = { "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.8.0.6",
	"10.255.255.255", "100.64.0.0", "100.100.100.100", "100.100.100.200", "100.115.92.1",
	"100.127.255.255", "127.0.0.1", "127.3.3.40", "127.255.255.255", "168.63.129.16",
	"169.254.0.0", "169.254.169.253", "169.254.169.254", "169.254.170.2", "169.254.255.255",
	"172.16.0.0", "172.17.0.1", "172.17.3.4", "172.31.255.255", "192.0.0.0", "192.0.0.192",
	"192.0.0.255", "192.168.0.0", "192.168.7.2", "192.168.255.255", "224.0.0.0", "224.0.0.251",
	"239.255.255.255", "240.0.0.0", "255.255.255.254", "255.255.255.255", "203.0.113.0",
	"203.0.113.7", "203.0.113.8", "203.0.113.255", "8.8.4.1", "198.51.100.64", "198.51.100.127",
	"::", "::1", "::2", "::a00:1", "::808:808", "::ffff:8.8.8.8", "::ffff:10.0.0.1",
	"::ffff:169.254.169.254", "::ffff:0:808:808", "64:ff9b::a00:1", "64:ff9b::7f00:1",
	"64:ff9b::a9fe:a9fe", "64:ff9b::6440:1", "64:ff9b::c0a8:702", "64:ff9b::cb00:7107",
	"64:ff9b::cb00:7163", "64:ff9b::e000:1", "64:ff9b::ffff:ffff", "64:ff9b::a83f:8110",
	"64:ff9b:1::808:808", "64:ff9b:0:1::1", "100::1", "2001::1",
	"2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "2001:0:a9fe:a9fe::1", "2002:a00:1::1",
	"2002:7f00:1::1", "2002:a9fe:a9fe::1", "2002:c0a8:702::5",
	"2002:ac11:1::", "2002:6440:1::1", "2002:e000:1::1", "2002:cb00:7107::1", "2002:f000::1",
	"2001:db8:7::", "2001:db8:7::2", "2001:db8:7:0:ffff:ffff:ffff:ffff", "2a01:4f8::5",
	"4000::1", "5f00::1", "fc00::1", "fd00:7::1", "fd00:ec2::254", "fd20:ce::254",
	"fd7a:115c:a1e0::1", "fd7a:115c:a1e0:b1a:0:7:a01:105", "fdff:ffff::1", "fe00::1", "fe80::1",
	"fe80::a9fe:a9fe", "febf::1", "fec0::1", "feff::1", "ff00::", "ff02::1", "ff0e::1",
	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

static const char *const internet[] = { "1.0.0.0", "1.1.1.1", "8.8.8.8", "8.8.4.0", "8.8.4.2",
	"9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
	"128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.2.1",
	"192.167.255.255", "192.169.0.0", "198.18.0.1", "198.51.100.63", "198.51.100.128",
	"203.0.112.255", "203.0.114.0", "223.255.255.255", "64:ff9b::808:808", "64:ff9b::100:0",
	"2000::", "2001:1::1", "2001:db8:6:ffff:ffff:ffff:ffff:ffff",
	"2001:db8:7:1::", "2001:4860:4860::8888", "2002:808:808::1", "2a01:4f8::4", "2a01:4f8::6",
	"3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" };

static void check_table(const struct served *s)
{
	for (size_t i = 0; i < ARRAY_LEN(outside); i++) {
		CHECK_ROW("%s", outside[i]);
		CHECK_TRUE(!serves(s, outside[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(internet); i++) {
		CHECK_ROW("%s", internet[i]);
		CHECK_TRUE(serves(s, internet[i]));
	}
	CHECK_ROW("%s", "");
}

static size_t read_list(const char *const *texts, size_t n, struct ipprefix *ret)
{
	for (size_t i = 0; i < n; i++)
		ret[i] = prefix(texts[i]);
	return n;
}

/* The same by whatever prefixes the internet is offered. */
static void a_default_route_is_the_internet_and_nothing_else(void **state)
{
	static const char *const ways[][6] = { { "0.0.0.0/0", "::/0" },
		{ "0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1" },
		{ "0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2", "::/2", "2000::/3" } };
	struct ipprefix route[6], nets[ARRAY_LEN(machine)];
	struct filter_carry c = {
		.offered = route, .approved = route, .nets = nets, .nets_known = true
	};
	struct served s;

	c.n_nets = read_list(machine, ARRAY_LEN(machine), nets);
	for (size_t w = 0; w < ARRAY_LEN(ways); w++) {
		size_t n = 0;

		while (n < ARRAY_LEN(ways[w]) && ways[w][n])
			n++;
		c.n_offered = c.n_approved = read_list(ways[w], n, route);
		s = serve(&c);
		check_table(&s);
		served_fini(&s);
	}
}

static void nothing_of_a_default_route_is_served_before_the_networks_are_known(void **state)
{
	const struct ipprefix route[] = { prefix("0.0.0.0/0"), prefix("::/0"),
		prefix("192.168.7.0/24") };
	const struct filter_carry c = {
		.offered = route, .n_offered = 3, .approved = route, .n_approved = 3
	};
	struct served s = serve(&c);

	CHECK_INT(s.of[0].n, ==, 1);
	CHECK_INT(s.of[1].n, ==, 0);
	CHECK_TRUE(serves(&s, "192.168.7.2"));
	served_fini(&s);
}

/* Offered by name and approved: that network, with the machine's own address in it, and no more. */
static void a_network_is_reached_by_its_name(void **state)
{
	const struct ipprefix route[] = { prefix("0.0.0.0/0"), prefix("192.168.7.0/24"),
		prefix("10.0.0.0/8"), prefix("fd00:7::/64"), prefix("169.254.169.254/32") };
	const struct ipprefix approved[] = { prefix("192.168.7.9/24"), prefix("0.0.0.0/0"),
		prefix("fd00:7::/64"), prefix("100.64.0.1/32") };
	struct ipprefix nets[ARRAY_LEN(machine)];
	const struct filter_carry c = { .offered = route,
		.n_offered = ARRAY_LEN(route),
		.approved = approved,
		.n_approved = ARRAY_LEN(approved),
		.nets = nets,
		.n_nets = read_list(machine, ARRAY_LEN(machine), nets),
		.nets_known = true };
	struct served s = serve(&c);

	CHECK_TRUE(serves(&s, "192.168.7.2") && serves(&s, "192.168.7.200") &&
		   serves(&s, "fd00:7::1") && serves(&s, "8.8.8.8"));
	CHECK_TRUE(!serves(&s, "192.168.8.1") && !serves(&s, "10.8.0.6") &&
		   !serves(&s, "fd00:8::1") && !serves(&s, "172.17.0.1"));
	CHECK_TRUE(!serves(&s, "169.254.169.254") && !serves(&s, "203.0.113.7") &&
		   !serves(&s, "2606::1"));
	served_fini(&s);
}

/* ---- Random machines ---- */

/* By value, as the rule reads; b: as in a packet. */
static bool plain_special4(const uint8_t *b)
{
	return b[0] == 0 || b[0] == 10 || b[0] == 127 || b[0] >= 224 ||
	       (b[0] == 100 && b[1] >= 64 && b[1] < 128) || (b[0] == 169 && b[1] == 254) ||
	       (b[0] == 172 && b[1] >= 16 && b[1] < 32) || (b[0] == 192 && b[1] == 168) ||
	       (b[0] == 192 && b[1] == 0 && b[2] == 0) ||
	       (b[0] == 168 && b[1] == 63 && b[2] == 129 && b[3] == 16);
}

static bool plain_in(const struct ipprefix *nets, size_t n, uint8_t family, const uint8_t *b)
{
	for (size_t i = 0; i < n; i++) {
		unsigned k = 0;

		if (nets[i].ip.family != family)
			continue;
		while (k < nets[i].bits && !((nets[i].ip.b[k / 8] ^ b[k / 8]) >> (7 - k % 8) & 1))
			k++;
		if (k == nets[i].bits)
			return true;
	}
	return false;
}

static bool plain_serves(const struct ipprefix *nets, size_t n, bool v6, const uint8_t *b)
{
	static const uint8_t nat64[12] = { 0, 0x64, 0xff, 0x9b };

	if (!v6)
		return !plain_special4(b) && !plain_in(nets, n, 4, b);
	if (plain_in(nets, n, 6, b))
		return false;
	if (memcmp(b, nat64, 12) == 0)
		return plain_serves(nets, n, false, b + 12);
	if (b[0] >> 5 != 1 || (b[0] == 0x20 && b[1] == 1 && !b[2] && !b[3]))
		return false;
	return b[0] != 0x20 || b[1] != 2 || plain_serves(nets, n, false, b + 2);
}

enum { NETS = 24, TRIES = 400, MACHINES = 300 };

static struct ipprefix random_net(struct rng *rng)
{
	struct ipprefix p = { .ip.family = rng_below(rng, 2) ? 6 : 4 };

	p.bits = (uint8_t)(p.ip.family == 4 ? 9 + rng_below(rng, 24) : 8 + rng_below(rng, 121));
	rng_fill(rng, p.ip.b, p.ip.family == 4 ? 4 : 16);
	if (p.ip.family == 6 && rng_below(rng, 2))
		p.ip.b[0] = 0x20 | (p.ip.b[0] & 0x1f);
	return p;
}

/* Often just inside or outside of an edge, and often one that stands for another. */
static void random_address(
	struct rng *rng, const struct ipprefix *nets, bool *v6, uint8_t b[static 16])
{
	struct iprange r = iprange_of(nets[rng_below(rng, NETS)]);
	struct ipaddr a = rng_below(rng, 2) ? r.first : r.last;

	if (rng_below(rng, 3) == 0)
		a = ipaddr_next(a);
	if (rng_below(rng, 4) == 0)
		rng_fill(rng, a.b, a.family == 4 ? 4 : 16);
	*v6 = a.family == 6;
	memcpy(b, a.b, 16);
	if (*v6 || rng_below(rng, 2))
		return;
	*v6 = true;
	memset(b, 0, 16);
	if (rng_below(rng, 2)) {
		memcpy(b, (uint8_t[]){ 0, 0x64, 0xff, 0x9b }, 4);
		memcpy(b + 12, a.b, 4);
	} else {
		memcpy(b, (uint8_t[]){ 0x20, 2 }, 2);
		memcpy(b + 2, a.b, 4);
		b[15] = (uint8_t)rng_below(rng, 256);
	}
}

static void served_is_what_a_plain_reading_of_the_rule_says(void **state)
{
	const struct ipprefix route[] = { prefix("0.0.0.0/0"), prefix("::/0") };
	struct rng_seeded rng;
	size_t yes = 0, no = 0;

	rng_seeded_init(&rng, 11);
	for (size_t m = 0; m < MACHINES; m++) {
		struct ipprefix nets[NETS];
		const struct filter_carry c = { .offered = route,
			.n_offered = 2,
			.approved = route,
			.n_approved = 2,
			.nets = nets,
			.n_nets = NETS,
			.nets_known = true };
		struct served s;

		for (size_t i = 0; i < NETS; i++)
			nets[i] = random_net(&rng.rng);
		s = serve(&c);
		for (size_t i = 0; i < TRIES; i++) {
			uint8_t b[16];
			bool v6, want;

			random_address(&rng.rng, nets, &v6, b);
			want = plain_serves(nets, NETS, v6, b);
			CHECK_INT(spans_have(&s.of[v6], akey_load(v6, b)), ==, want);
			yes += want;
			no += !want;
		}
		served_fini(&s);
	}
	CHECK_INT(yes, >, MACHINES * TRIES / 10); /* both happen */
	CHECK_INT(no, >, MACHINES * TRIES / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_default_route_is_the_internet_and_nothing_else),
		cmocka_unit_test(
			nothing_of_a_default_route_is_served_before_the_networks_are_known),
		cmocka_unit_test(a_network_is_reached_by_its_name),
		cmocka_unit_test(served_is_what_a_plain_reading_of_the_rule_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
