/* What goes to addresses that have not answered: bytes are counted. */
#include "core/path/rig_test.h"

/* Datagrams of so many bytes with their headers, as many as may go there at most. */
static size_t sent_to(struct rig *r, struct ipport a, size_t len, size_t most)
{
	size_t n = 0;

	while (n < most && path_spend(&r->p, a, len - PATH_HEADERS4, r->now))
		n++;
	return n * len;
}

static size_t ping_bytes_to(const struct rig *r, struct ipport a)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_pings; i++)
		if (ipport_eq(r->to[i], a))
			n += MAX_OF(r->size[i], (size_t)PATH_PING_LEN) + PATH_HEADERS4;
	return n;
}

static void source_of_packets_gets_three_times_what_came_from_it(void **state)
{
	struct ipport victim = addr("203.0.113.9:7"), other = addr("203.0.113.10:7");
	struct rig r;

	rig_open(&r);
	CHECK_INT(sent_to(&r, victim, 29, 10), ==, 0);
	path_on_rx(&r.p, victim, 32, r.now);
	take(&r);
	check_route(&r, victim, true);
	CHECK_INT(sent_to(&r, victim, 1312, 100), ==, 0);
	CHECK_INT(sent_to(&r, victim, 32, 100), ==, 96);
	path_on_rx(&r.p, victim, 1000, r.now);
	take(&r);
	CHECK_INT(sent_to(&r, victim, 100, 100), ==, 3000);
	CHECK_INT(sent_to(&r, other, 29, 10), ==, 0);
	/* Back and forth: what one earned is not the other's, and nothing is earned twice. */
	path_on_rx(&r.p, victim, 1000, r.now);
	take(&r);
	path_on_rx(&r.p, other, 32, r.now);
	take(&r);
	CHECK_INT(sent_to(&r, other, 32, 100), ==, 96);
	path_on_rx(&r.p, victim, 32, r.now);
	take(&r);
	CHECK_INT(sent_to(&r, victim, 32, 100), ==, 96);
	path_on_rx(&r.p, victim, SIZE_MAX, r.now); /* however much it was */
	take(&r);
	CHECK_INT(sent_to(&r, victim, 64, 1 << 20), <=, PATH_CREDIT_MAX);
	path_fini(&r.p);
}

static void source_of_packets_beside_a_trusted_path_gets_no_more(void **state)
{
	struct ipport victim = addr("203.0.113.9:7"), a;
	struct rig r;

	a = direct(&r);
	CHECK_INT(sent_to(&r, a, 1312, 1000), ==, 1312000);
	path_on_rx(&r.p, victim, 100, r.now); /* degraded: packets go to both, and the relay */
	take(&r);
	CHECK_TRUE(ipport_eq(path_route(&r.p, r.now).also, victim));
	CHECK_INT(sent_to(&r, a, 1312, 1000), ==, 1312000);
	CHECK_INT(sent_to(&r, victim, 100, 1000), ==, 300);
	path_fini(&r.p);
}

static void trusted_address_is_one_among_others_when_trust_ends(void **state)
{
	struct ipport a;
	struct rig r;

	a = direct(&r);
	path_on_rx(&r.p, a, 500, r.now);
	take(&r);
	r.now = r.p.trust_until;
	CHECK_INT(sent_to(&r, a, 1312, 1000), ==, 1312000);
	r.now++;
	CHECK_INT(sent_to(&r, a, 100, 1000), ==, 1500);
	path_on_udp_failed(
		&r.p, a, r.now); /* not the best one any more, but still where packets came from */
	CHECK_INT(sent_to(&r, a, 100, 1000), ==, 0);
	path_fini(&r.p);
}

static void source_of_pings_is_pinged_within_what_they_earned(void **state)
{
	struct ipport victim = addr("203.0.113.9:7");
	size_t pings = 0; /* of the smallest kind that is answered */
	struct rig r;

	rig_open(&r);
	path_on_send(&r.p, r.now);
	take(&r);
	for (int i = 0; i < 200; i++) {
		if (i % 3 == 0) {
			path_on_ping(&r.p, victim, 92, 110, r.now);
			take(&r);
			pings++;
		}
		path_on_send(&r.p, r.now);
		take(&r);
		path_ping(&r.p, 7, 0, r.now); /* somebody asks for the peer, too */
		take(&r);
		run(&r, MSEC(150));
		CHECK_INT(ping_bytes_to(&r, victim), <=, pings * (3 * 92 - 110 - PATH_HEADERS4));
	}
	CHECK_INT(ping_bytes_to(&r, victim), >, 0);
	CHECK_INT(r.p.n_limited, >, 0);
	path_fini(&r.p);
}

static void named_address_is_probed_within_its_share(void **state)
{
	static struct path_probes few = { .limit = { .burst = 3, .per_second = 1 } };
	struct ipport victim = addr("203.0.113.9:7");
	struct rig r;

	rig_open(&r);
	for (int i = 0; i < 1000; i++) { /* calls, each as if it were the first */
		path_on_call(&r.p, i % 2 ? &victim : NULL, i % 2, r.now);
		take(&r);
		path_on_call(&r.p, &victim, 1, r.now);
		take(&r);
	}
	CHECK_INT(r.n_pings, <=,
		PATH_PING_BURST); /* it forgets an address that is not named any more, but not what it spent in all */
	forget(&r);
	path_fini(&r.p);

	rig_open(&r);
	for (int i = 0; i < 400; i++) {
		path_on_call(&r.p, &victim, 1, r.now);
		take(&r);
		while (path_may_probe(&r.p, victim, 148, r.now) && r.n_pings < 300)
			keep_ping(&r, &(struct path_out){ .to = victim,
					      .size = 148 }); /* handshakes are of the same share */
		r.now += MSEC(25);
	}
	CHECK_INT(r.n_pings, >=, PATH_PROBE_BURST);
	CHECK_INT(r.n_pings, <=, PATH_PROBE_BURST + 10);
	path_fini(&r.p);

	rig_open(&r);
	r.p.probes = &few;
	for (int i = 0; i < 10; i++) {
		path_on_call(&r.p, &victim, 1, r.now);
		take(&r);
	}
	CHECK_INT(r.n_pings, ==, 3);
	CHECK_INT(few.n_limited, >, 0);
	path_fini(&r.p);
}

/* A list of strangers, by the hub and by the peer, and the peer makes us speak with it all the time. */
static void thousand_addresses_are_probed_within_the_share_of_one_peer(void **state)
{
	static struct ipport eps[1000];
	size_t pings = 0;
	struct rig r;

	for (size_t i = 0; i < 1000; i++)
		eps[i] = (struct ipport){ ipaddr_v4(198, 18, (uint8_t)(i >> 8), (uint8_t)i), 53 };
	rig_open(&r);
	for (int t = 0; t < 600; t++) {
		path_set_endpoints(&r.p, eps + t * 7 % 900, 100, r.now);
		take(&r);
		path_on_call(&r.p, eps + t * 13 % 900, 100, r.now);
		take(&r);
		path_on_self_changed(&r.p, r.now);
		take(&r);
		path_on_send(&r.p, r.now);
		take(&r);
		run(&r, MSEC(100));
		pings += r.n_pings;
		forget(&r);
	}
	CHECK_INT(pings, >, PATH_PING_BURST);
	CHECK_INT(pings, <=, PATH_PING_BURST + 60 * PATH_PINGS_PER_SECOND);
	path_fini(&r.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(source_of_packets_gets_three_times_what_came_from_it),
		cmocka_unit_test(source_of_packets_beside_a_trusted_path_gets_no_more),
		cmocka_unit_test(trusted_address_is_one_among_others_when_trust_ends),
		cmocka_unit_test(source_of_pings_is_pinged_within_what_they_earned),
		cmocka_unit_test(named_address_is_probed_within_its_share),
		cmocka_unit_test(thousand_addresses_are_probed_within_the_share_of_one_peer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
