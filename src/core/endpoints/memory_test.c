/*
 * Endpoints and their netcheck, short of memory: a map that does not fit leaves the one before, and
 * rounds go on.
 */
#include "core/endpoints/endpoints.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

enum { REGIONS = 3 };

static const struct ipprefix lan = { { 4, { 192, 168, 1, 5 } }, 24 };
static const struct ipport seen = { { 4, { 198, 51, 100, 7 } }, 5000 };
static struct tc_derp_node nodes[REGIONS];
static struct tc_derp_region regions[REGIONS];
static struct json_pair pairs[REGIONS];
static struct rng_seeded rng;
static struct now now;
static size_t n_answered;

/* One region is known by name only. */
static struct tc_derp_map map_of(size_t n)
{
	static const char *const names[REGIONS] = { "1", "2", "3" }, *const addresses[REGIONS] = {
		"203.0.113.1", "203.0.113.2", NULL
	};

	for (size_t i = 0; i < REGIONS; i++) {
		nodes[i] = (struct tc_derp_node){ .name = names[i],
			.region_id = (int64_t)i + 1,
			.hostname = "derp.example.com",
			.ipv4 = addresses[i],
			.ipv6 = "none" };
		regions[i] = (struct tc_derp_region){ .id = (int64_t)i + 1,
			.nodes = json_list_of(&nodes[i], 1) };
		pairs[i] = (struct json_pair){ names[i], &regions[i] };
	}
	return (struct tc_derp_map){ .regions = { .v = pairs, .n = n, .present = true } };
}

static void answer(struct endpoints *e, const struct endpoints_event *ev)
{
	const struct ipaddr relay = ipaddr_v4(203, 0, 113, 3);
	uint8_t out[STUN_RESPONSE_MAX], txid[STUN_TXID_LEN];

	switch (ev->type) {
	case ENDPOINTS_SEND:
		CHECK_INT(stun_request_decode(ev->request, STUN_REQUEST_LEN, txid), ==, 0);
		n_answered += endpoints_on_stun(e, out, stun_response_encode(txid, seen, out), now);
		break;
	case ENDPOINTS_RESOLVE:
		endpoints_resolved(e, ev->host, &relay, 1, now);
		break;
	case ENDPOINTS_MEASURE:
		endpoints_measured(e, ev->region, MSEC(20), now);
		break;
	case ENDPOINTS_CHANGED:
		break;
	}
}

static void run(struct endpoints *e, mono_ns d)
{
	for (mono_ns until = now.mono + d; now.mono < until; now.mono += MSEC(50)) {
		struct endpoints_event ev;

		endpoints_tick(e, now);
		while (endpoints_next_event(e, &ev))
			answer(e, &ev);
	}
}

static int report(const struct endpoints *e)
{
	struct endpoints_report r;
	struct tc_netinfo ni;
	struct arena a;
	int rc;

	arena_init(&a, 1 << 16);
	rc = endpoints_netinfo(e, &a, &ni);
	if (rc == 0)
		rc = endpoints_report(e, &a, &r);
	arena_fini(&a);
	return rc;
}

/* 0, or the first thing that failed. A map that was refused is for the owner to give again. */
static int live(struct endpoints *e, const struct tc_derp_map *small,
	const struct tc_derp_map *large, bool *ret_refused)
{
	int rc = endpoints_set_map(e, small, now), also;

	endpoints_set_up(e, true, now);
	endpoints_set_has_peers(e, true, now);
	endpoints_set_local(e, &lan, 1, 41641, 0, false, now);
	run(e, SEC(6));
	also = endpoints_set_map(e, large, now);
	*ret_refused = also < 0;
	rc = rc < 0 ? rc : also;
	endpoints_note_traffic(e, now.mono);
	run(e, SEC(30));
	also = report(e);
	return rc < 0 ? rc : also;
}

/* The rounds of the map that it has, or is given again. */
static void check_works(struct endpoints *e, const struct tc_derp_map *map)
{
	const struct endpoint *v;
	size_t n;

	if (map)
		CHECK_INT(endpoints_set_map(e, map, now), ==, 0);
	run(e, SEC(10));
	n_answered = 0;
	endpoints_check(e, true, now);
	run(e, SEC(10));
	CHECK_INT(n_answered, >=, REGIONS);
	CHECK_TRUE(!endpoints_is_checking(e));
	CHECK_TRUE(endpoints_home(e) != 0);
	v = endpoints_list(e, &n);
	CHECK_INT(n, ==, 2);
	CHECK_TRUE(ipport_eq(v[0].addr, seen));
	CHECK_INT(report(e), ==, 0);
}

static void short_of_memory_rounds_go_on(void **state)
{
	struct tc_derp_map small = map_of(REGIONS - 1), large = map_of(REGIONS);
	bool more = true;

	for (size_t n = 1; more; n++) {
		struct endpoints_cfg cfg = {
			.rng = &rng.rng, .can_resolve = true, .can_measure = true
		};
		struct endpoints *e = NULL;
		bool map_refused = false;
		int rc;

		CHECK_ROW("allocation %zu", n);
		now = (struct now){ .mono = SEC(1000), .wall = 1800000000000 };
		rng_seeded_init(&rng, 1);
		memory_refuse(n);
		rc = endpoints_new(&e, &cfg);
		if (rc == 0)
			rc = live(e, &small, &large, &map_refused);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (e)
			check_works(e, map_refused ? &large : NULL);
		endpoints_free(e);
		CHECK_TRUE(more || n > 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_rounds_go_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
