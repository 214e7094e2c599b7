/* A filter that is short of memory says so and leaves nothing behind; the rules before go on, and the new ones are made later. */
#include "base/rng/rng.h"
#include "core/filter/filter.h"
#include "core/netmap/netmap.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

static struct rng_seeded rng;

/* Both families, ranges, sources by capability, what is granted, and all kinds of protocols. */
static const char map_text[] =
	"{\"Node\":{\"ID\":1,\"Addresses\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\"],"
	"\"AllowedIPs\":[\"100.64.0.1/32\",\"fd7a:115c:a1e0::1/128\",\"192.168.1.0/24\"]},"
	"\"Peers\":[{\"ID\":2,\"Addresses\":[\"100.64.0.2/32\",\"fd7a:115c:a1e0::2/128\"],"
	"\"AllowedIPs\":[\"100.64.0.2/32\"],\"CapMap\":{\"x\":null}},"
	"{\"ID\":3,\"Addresses\":[\"100.64.0.3/32\"],\"AllowedIPs\":[\"100.64.0.3/32\"]%s}],"
	"\"PacketFilters\":{"
	"\"a\":[{\"SrcIPs\":[\"cap:x\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":22,\"Last\":22}}]}],"
	"\"b\":[{\"SrcIPs\":[\"100.64.0.2\",\"100.64.0.16-100.64.0.31\",\"fd7a:115c:a1e0::2\"],\"IPProto\":[6,17,132,47],"
	"\"DstPorts\":[{\"IP\":\"192.168.0.0/16\",\"Ports\":{\"First\":80,\"Last\":90}},"
	"{\"IP\":\"100.64.0.1\",\"Ports\":{\"First\":1,\"Last\":100}},{\"IP\":\"*\",\"Ports\":{\"First\":443,\"Last\":443}}]}],"
	"\"c\":[{\"SrcIPs\":[\"100.64.0.2\"],\"CapGrant\":[{\"Dsts\":[\"100.64.0.1/32\"],"
	"\"CapMap\":{\"example.com/cap/a\":[{\"k\":1},{\"k\":2}]}}]},"
	"{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"100.64.0.1\",\"Ports\":{\"First\":8080,\"Last\":8080}}]}]}}";

static void on_change(void *ctx, enum netmap_change what, int64_t id) {}

static struct netmap *map_of(const char *third_peer)
{
	static const struct netmap_ops ops = { .on_change = on_change };
	struct tc_map_response r;
	struct netmap *nm;
	char text[4096];
	struct arena a;

	snprintf(text, sizeof(text), map_text, third_peer);
	arena_init(&a, 1 << 20);
	CHECK_INT(json_decode(&tc_map_response_type, text, strlen(text), &r, &a, NULL), ==, 0);
	CHECK_INT(netmap_new(&nm, &ops, NULL, &rng.rng), ==, 0);
	CHECK_INT(netmap_apply(nm, &r, (struct now){ .wall = 1 }), ==, 0);
	arena_fini(&a);
	return nm;
}

/* UDP from the peer to us. */
static enum filter_verdict ask(struct filter *f, uint8_t peer, uint16_t port)
{
	uint8_t p[28] = { 0x45, [3] = 28, [8] = 64, [9] = 17 };

	memcpy(p + 12, (uint8_t[]){ 100, 64, 0, peer, 100, 64, 0, 1 }, 8);
	store_be16(p + 20, 1000);
	store_be16(p + 22, port);
	store_be16(p + 24, 8);
	return filter_in(f, p, sizeof(p), false);
}

static int make_rules(const struct netmap *nm, struct filter_rules **ret)
{
	const struct ipprefix route = { ipaddr_v4(192, 168, 1, 0), 24 };
	const struct filter_carry carry = { .offered = &route, .n_offered = 1 };

	return filter_rules_from_netmap(ret, nm, &carry, false);
}

static int ask_caps(const struct filter_rules *r)
{
	struct json_map caps;
	struct arena a;
	int rc;

	arena_init(&a, 1 << 16);
	rc = filter_caps(r, ipaddr_v4(100, 64, 0, 2), ipaddr_v4(100, 64, 0, 1), &a, &caps);
	if (rc == 0)
		CHECK_INT(caps.n, ==, 1);
	arena_fini(&a);
	return rc;
}

static void check_works(struct filter *f, bool refused)
{
	CHECK_INT(filter_rules_info(filter_current(f)).refused, ==, refused);
	CHECK_INT(filter_accepts(ask(f, 2, 50)), ==, !refused);
	CHECK_INT(filter_accepts(ask(f, 17, 443)), ==, !refused);
	CHECK_INT(filter_accepts(ask(f, 3, 8080)), ==, !refused);
	CHECK_TRUE(!filter_accepts(ask(f, 3, 50)));
}

static void lives_through(const char *third_peer, bool refused)
{
	struct netmap *nm = map_of(third_peer);
	bool more = true;

	for (size_t n = 1; more; n++) {
		struct filter *f = NULL;
		struct filter_rules *r = NULL;
		int rc_filter, rc_rules, rc_caps = 0;

		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		rc_filter = filter_new(&f, &rng.rng);
		rc_rules = make_rules(nm, &r);
		if (rc_rules == 0 && !refused)
			rc_caps = ask_caps(r);
		more = memory_allow();
		CHECK_TRUE(rc_filter == 0 || (more && rc_filter == -ENOMEM));
		CHECK_TRUE(rc_rules == 0 || (more && rc_rules == -ENOMEM));
		CHECK_TRUE(rc_caps == 0 || (more && rc_caps == -ENOMEM));
		if (rc_filter < 0)
			CHECK_INT(filter_new(&f, &rng.rng), ==, 0);
		if (rc_rules < 0)
			CHECK_INT(make_rules(nm, &r), ==, 0);
		CHECK_TRUE(!filter_swap(f, r));
		check_works(f, refused);
		filter_free(f);
		CHECK_TRUE(more || n > 20);
	}
	netmap_free(nm);
}

static void short_of_memory_rules_are_made_later(void **state)
{
	lives_through("", false);
}

/* Those of a map that has to be discarded, too: never as if nothing were wrong with it. */
static void short_of_memory_rules_that_are_discarded_stay_discarded(void **state)
{
	lives_through(",\"UnsignedPeerAPIOnly\":true", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_rules_are_made_later),
		cmocka_unit_test(short_of_memory_rules_that_are_discarded_stay_discarded),
	};

	rng_seeded_init(&rng, 1);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
