/* What is told of us, and when netcheck asks, without a network. */
#include "core/endpoints/endpoints.h"
#include "testlib/check.h"

struct fixture {
	struct endpoints *e;
	struct rng_seeded rng;
	struct now now;
	struct tc_derp_node node;
	struct tc_derp_region region;
	struct json_pair pair;
	struct tc_derp_map map;
	struct endpoints_event sent; /* the last request */
	size_t n_sent, n_resolve;
	unsigned changed; /* since it was cleared */
};

static const struct ipprefix lan = { { 4, { 192, 168, 1, 5 } }, 24 };

static void take_events(struct fixture *f)
{
	struct endpoints_event ev;

	while (endpoints_next_event(f->e, &ev)) {
		f->n_sent += ev.type == ENDPOINTS_SEND;
		f->n_resolve += ev.type == ENDPOINTS_RESOLVE;
		if (ev.type == ENDPOINTS_SEND)
			f->sent = ev;
		if (ev.type == ENDPOINTS_CHANGED)
			f->changed |= ev.what;
	}
}

static void fixture_open(struct fixture *f)
{
	struct endpoints_cfg cfg = { .rng = &f->rng.rng };

	*f = (struct fixture){ .now = { .mono = SEC(1000), .wall = 1800000000000 } };
	rng_seeded_init(&f->rng, 1);
	f->node = (struct tc_derp_node){
		.name = "1a", .region_id = 1, .hostname = "x", .ipv4 = "203.0.113.1", .ipv6 = "none"
	};
	f->region = (struct tc_derp_region){ .id = 1, .nodes = json_list_of(&f->node, 1) };
	f->pair = (struct json_pair){ "1", &f->region };
	f->map.regions = (struct json_map){ .v = &f->pair, .n = 1, .present = true };
	CHECK_INT(endpoints_new(&f->e, &cfg), ==, 0);
}

static void answer(struct fixture *f, struct ipport seen)
{
	uint8_t out[STUN_RESPONSE_MAX], txid[STUN_TXID_LEN];

	CHECK_INT(stun_request_decode(f->sent.request, STUN_REQUEST_LEN, txid), ==, 0);
	CHECK_TRUE(endpoints_on_stun(f->e, out, stun_response_encode(txid, seen, out), f->now));
	take_events(f);
}

/* Until nothing runs any more. */
static void run(struct fixture *f, mono_ns d)
{
	mono_ns until = f->now.mono + d;

	while (endpoints_deadline(f->e) <= until) {
		f->now.mono = MAX_OF(f->now.mono, endpoints_deadline(f->e));
		endpoints_tick(f->e, f->now);
		take_events(f);
	}
	f->now.mono = until;
}

static void go_up(struct fixture *f)
{
	CHECK_INT(endpoints_set_map(f->e, &f->map, f->now), ==, 0);
	endpoints_set_up(f->e, true, f->now);
	endpoints_set_local(f->e, &lan, 1, 41641, 0, false, f->now);
	take_events(f);
}

static void nothing_is_asked_before_all_is_known(void **state)
{
	struct fixture f;

	fixture_open(&f);
	CHECK_INT(endpoints_set_map(f.e, &f.map, f.now), ==, 0);
	take_events(&f);
	CHECK_INT(f.n_sent, ==, 0);
	endpoints_set_local(f.e, &lan, 1, 41641, 0, false, f.now);
	take_events(&f);
	CHECK_INT(f.n_sent, ==, 0);
	CHECK_TRUE(f.changed & ENDPOINTS_LIST); /* an address is told all the same */
	endpoints_set_up(f.e, true, f.now);
	take_events(&f);
	CHECK_INT(f.n_sent, ==, 1);
	CHECK_INT(f.sent.to.port, ==, 3478);
	endpoints_free(f.e);
}

static void what_stun_saw_is_told_first_and_expires(void **state)
{
	struct ipport seen = { ipaddr_v4(198, 51, 100, 7), 5000 };
	const struct endpoint *v;
	struct fixture f;
	size_t n;

	fixture_open(&f);
	go_up(&f);
	f.changed = 0;
	answer(&f, seen);
	CHECK_TRUE(f.changed & ENDPOINTS_LIST);
	v = endpoints_list(f.e, &n);
	CHECK_INT(n, ==, 2);
	CHECK_TRUE(ipport_eq(v[0].addr, seen));
	CHECK_INT(v[0].type, ==, ENDPOINT_STUN);
	CHECK_INT(v[1].type, ==, ENDPOINT_LOCAL);
	CHECK_INT(endpoints_home(f.e), ==, 1);
	run(&f, SEC(400));
	endpoints_check(f.e, false, f.now);
	run(&f, SEC(60)); /* nobody answers this one */
	endpoints_list(f.e, &n);
	CHECK_INT(n, ==, 1);
	endpoints_free(f.e);
}

static void rounds_come_with_traffic_and_peers_only(void **state)
{
	struct fixture f;
	size_t sent;

	fixture_open(&f);
	go_up(&f);
	run(&f, SEC(30));
	sent = f.n_sent;
	endpoints_note_traffic(f.e, f.now.mono);
	run(&f, SEC(120)); /* no peers: nobody wants to know */
	CHECK_INT(f.n_sent, ==, sent);
	endpoints_set_has_peers(f.e, true, f.now);
	take_events(&f);
	CHECK_INT(f.n_sent, >, sent); /* the first one does */
	run(&f, SEC(30));
	sent = f.n_sent;
	run(&f, SEC(300));
	CHECK_INT(f.n_sent, ==, sent);
	endpoints_note_traffic(f.e, f.now.mono);
	run(&f, SEC(10));
	CHECK_INT(f.n_sent, >, sent);
	endpoints_free(f.e);
}

static void link_says_what_is_lost(void **state)
{
	struct ipprefix both[] = { lan, { { 4, { 10, 0, 0, 5 } }, 8 } };
	struct fixture f;

	fixture_open(&f);
	go_up(&f);
	CHECK_INT(endpoints_set_local(f.e, &lan, 1, 41641, 0, false, f.now), ==, 0);
	/* One more costs nothing; a default route elsewhere ends trust; an address that is gone cuts streams. */
	CHECK_INT(endpoints_set_local(f.e, both, 2, 41641, 0, false, f.now), ==, 0);
	CHECK_INT(endpoints_set_local(f.e, both, 2, 41641, 0, true, f.now), ==,
		ENDPOINTS_LINK_CHANGED);
	CHECK_INT(endpoints_set_local(f.e, &both[1], 1, 41641, 0, false, f.now), ==,
		ENDPOINTS_LINK_CHANGED | ENDPOINTS_LINK_CUT);
	CHECK_INT(endpoints_set_no_udp(f.e, true, f.now), ==, ENDPOINTS_LINK_CHANGED);
	CHECK_TRUE(!endpoints_can_send(f.e, ipaddr_v4(1, 2, 3, 4)));
	endpoints_free(f.e);
}

static void requests_to_one_server_are_bounded_and_counted(void **state)
{
	struct fixture f;

	fixture_open(&f);
	go_up(&f);
	for (int i = 0; i < 200; i++) { /* each begins the round anew */
		endpoints_set_local(f.e, &lan, 1, 41641, 0, true, f.now);
		take_events(&f);
	}
	CHECK_INT(f.n_sent, <=, ENDPOINTS_STUN_BURST);
	CHECK_INT(endpoints_counters(f.e)->stun_limited, >, 100);
	endpoints_free(f.e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_asked_before_all_is_known),
		cmocka_unit_test(what_stun_saw_is_told_first_and_expires),
		cmocka_unit_test(rounds_come_with_traffic_and_peers_only),
		cmocka_unit_test(link_says_what_is_lost),
		cmocka_unit_test(requests_to_one_server_are_bounded_and_counted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
