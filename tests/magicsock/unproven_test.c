/* What a node sends to addresses that others chose for it: a peer that forges, a peer that lists strangers, the hub. */
#include "tests/magicsock/rig.h"

static const struct ipport victim = { { 4, { 203, 0, 113, 250 } }, 53 };

static void check_factor(const struct node *a, const struct node *forger)
{
	CHECK_INT(forger->forged_bytes, >, 0);
	CHECK_INT(a->watched_bytes, <=, PATH_UNPROVEN_FACTOR * forger->forged_bytes);
}

/* Two that know each other as peers without disco: there are addresses, and nothing else. */
static void plain_pair(struct rig *w, struct node **a, struct node **b)
{
	rig_open(w, 5, 1);
	*a = node_add(w, NULL, NULL);
	*b = node_add(w, NULL, NULL);
	(*a)->wireguard_only = (*b)->wireguard_only = true;
	node_start(*a);
	node_start(*b);
	rig_run(w, SEC(1));
	node_tell_now(*a);
	node_tell_now(*b);
	node_series(*a, *b, MSEC(20), SEC(2));
	CHECK_INT(node_lost(*a), ==, 0);
}

static void plain_peer_that_forges_moves_nothing(void **state)
{
	struct rig w;
	struct node *a, *b;

	plain_pair(&w, &a, &b);
	a->watched = b->forges = victim;
	node_series(a, b, MSEC(10), SEC(6));
	check_factor(a, b);
	CHECK_INT(node_lost(a), ==, 0); /* packets go on to where it answered a handshake */
	CHECK_INT(magicsock_counters(b->magicsock)->pings_out, ==, 0);
	node_stop(
		b); /* the last packet had this source: it does not buy the stranger seconds at full rate */
	for (int i = 0; i < 1000; i++) {
		node_ping(a, b);
		rig_run(&w, MSEC(2));
	}
	check_factor(a, b);
	CHECK_INT(magicsock_counters(a->magicsock)->unproven_held, >, 0);
	rig_close(&w);
}

static void plain_peer_that_moves_is_followed_when_it_answers(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t seq;

	plain_pair(&w, &a, &b);
	rig_run(&w, SEC(5));
	vnet_addr_clear(b->ifc);
	vnet_addr_add(b->ifc, "203.0.113.77");
	a->watched = (struct ipport){ ipaddr_v4(203, 0, 113, 77), 41641 };
	node_set_local(b, true);
	for (int i = 0; i < 20; i++) { /* it speaks first: nobody knows where it is */
		node_ping(b, a);
		rig_run(&w, MSEC(50));
	}
	seq = node_ping(a, b);
	rig_run(&w, SEC(1));
	CHECK_TRUE(node_first_answer(a, seq) != MONO_NEVER);
	a->watched_bytes = 0;
	node_series(
		a, b, MSEC(5), SEC(3)); /* at full rate, though little comes from there by UDP */
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(a->watched_bytes, >=, 500 * 96);
	rig_close(&w);
}

/* Several nodes may have one disco key: a ping of one is paid back once. */
static void one_ping_of_many_nodes_is_one_ping(void **state)
{
	struct node *n[NODES_MAX];
	struct rig w;

	rig_open(&w, 6, 1);
	for (size_t i = 0; i < NODES_MAX; i++) {
		n[i] = node_add(&w, NULL, NULL);
		if (i > 1)
			n[i]->disco = n[1]->disco;
	}
	for (size_t i = 0; i < NODES_MAX; i++)
		node_start(n[i]);
	rig_run(&w, SEC(1));
	for (size_t i = 1; i < NODES_MAX; i++)
		node_tell_now(n[i]);
	n[0]->watched = victim;
	for (size_t i = 1; i < NODES_MAX; i++)
		n[i]->forges = victim;
	for (int k = 0; k < 200; k++) {
		for (size_t i = 1; i < NODES_MAX; i++) {
			(void)node_ping(n[0], n[i]);
			(void)node_ping(n[i], n[0]);
		}
		rig_run(&w, MSEC(50));
		CHECK_INT(n[0]->watched_bytes, <=,
			PATH_UNPROVEN_FACTOR *
				(n[1]->forged_bytes + n[2]->forged_bytes + n[3]->forged_bytes));
	}
	CHECK_INT(n[0]->watched_bytes, >, 0);
	rig_close(&w);
}

/* The hub, or the peer by its own word, names a hundred strangers as its addresses, others each time. */
static void peer_that_is_said_to_be_everywhere_costs_strangers_its_share(void **state)
{
	enum { SECONDS = 30 };
	struct ipport eps[100];
	struct ipprefix route;
	struct node *a, *b;
	struct rig w;
	struct tc_node t;

	rig_open(&w, 7, 1);
	a = node_add(&w, NULL, NULL);
	b = node_add(&w, NULL, NULL);
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	t = node_as_peer(b, eps, &route);
	w.hub_down = true;
	node_stop(b);
	t.endpoints = json_list_of(eps, ARRAY_LEN(eps));
	for (int i = 0; i < SECONDS * 10; i++) {
		for (size_t k = 0; k < ARRAY_LEN(eps); k++)
			eps[k] = (struct ipport){ ipaddr_v4(198, 18, (uint8_t)(i % 10), (uint8_t)k),
				53 };
		CHECK_INT(magicsock_set_peer(a->magicsock, &t, &route, 1, rig_now(&w)), ==, 0);
		node_after(a);
		(void)node_ping(a, b);
		rig_run(&w, MSEC(100));
	}
	CHECK_INT(a->strange, >, PATH_PING_BURST);
	CHECK_INT(a->strange, <=, PATH_PING_BURST + (SECONDS + 1) * PATH_PINGS_PER_SECOND);
	CHECK_INT(magicsock_counters(a->magicsock)->ping_limited, >, 0);
	rig_close(&w);
}

/* Many members who all say that they are at one machine: that has its share of them together. */
static void machine_that_many_peers_name_has_one_share(void **state)
{
	enum { MEMBERS = 20, PORTS = 100, SECONDS = 20 };
	struct ipport eps[PORTS];
	struct rig w;
	struct node *a;

	rig_open(&w, 9, 1);
	a = node_add(&w, NULL, NULL);
	node_start(a);
	rig_run(&w, SEC(1));
	for (int i = 0; i < SECONDS * 5; i++) {
		for (uint8_t k = 1; k <= MEMBERS; k++) {
			struct tc_node t = {
				.id = 100 + k, .home_derp = 1, .endpoints = json_list_of(eps, PORTS)
			};
			struct ipprefix route =
				ipprefix_single(ipaddr_v4(100, 64, 0, (uint8_t)(100 + k)));
			struct node to = { .n = 100 + k };
			uint8_t secret[KEY_LEN] = { 0, k };

			for (size_t e = 0; e < PORTS; e++) /* others each time, of one machine */
				eps[e] = (struct ipport){ ipaddr_v4(198, 18, 7, 7),
					(uint16_t)(1 + i % 100 * PORTS + e) };
			CHECK_INT(key_public(secret, t.key.b), ==, 0);
			secret[2] = 1;
			CHECK_INT(key_public(secret, t.disco_key.b), ==, 0);
			t.addresses = json_list_of(&route, 1);
			CHECK_INT(magicsock_set_peer(a->magicsock, &t, &route, 1, rig_now(&w)), ==,
				0);
			(void)node_ping(a, &to);
		}
		rig_run(&w, MSEC(200));
	}
	CHECK_INT(magicsock_counters(a->magicsock)->probe_limited, >, 0);
	CHECK_INT(a->strange, >=, MAGICSOCK_PROBE_BURST);
	CHECK_INT(a->strange, <=,
		MAGICSOCK_PROBE_BURST + (SECONDS + 1) * MAGICSOCK_PROBES_PER_SECOND);
	rig_close(&w);
}

/* A relay map of 256 regions, another one ten times a second. */
static void map_of_strangers(struct rig *w, struct node *n, bool one_address, int round)
{
	static struct tc_derp_node nodes[256];
	static struct tc_derp_region regions[256];
	static struct json_pair pairs[256];
	static char addr[256][16], id[256][4];
	const struct tc_derp_map map = { .regions = { .v = pairs, .n = 256, .present = true } };

	for (int i = 0; i < 256; i++) {
		snprintf(addr[i], sizeof(addr[i]), "198.18.%d.%d", one_address ? 0 : round % 200,
			one_address ? 9 : i);
		snprintf(id[i], sizeof(id[i]), "%d", i + 1);
		nodes[i] = (struct tc_derp_node){ .name = "x",
			.region_id = i + 1,
			.hostname = addr[i],
			.ipv4 = addr[i],
			.ipv6 = "none",
			.stun_port = 3000 + round };
		regions[i] = (struct tc_derp_region){
			.id = i + 1, .code = "x", .nodes = json_list_of(&nodes[i], 1)
		};
		pairs[i] = (struct json_pair){ id[i], &regions[i] };
	}
	CHECK_INT(magicsock_set_derp_map(n->magicsock, &map, rig_now(w)), ==, 0);
	node_after(n);
}

static void hub_that_names_strangers_as_relays_gets_its_share_of_requests(void **state)
{
	enum { ROUNDS = 100 }; /* ten seconds */

	for (int one = 0; one < 2; one++) {
		struct rig w;
		struct node *a;

		rig_open(&w, 8, 1);
		a = node_add(&w, NULL, NULL);
		node_start(a);
		rig_run(&w, SEC(1));
		for (int i = 0; i < ROUNDS; i++) {
			map_of_strangers(&w, a, one, i);
			rig_run(&w, MSEC(100));
		}
		CHECK_INT(magicsock_counters(a->magicsock)->stun_limited, >, 0);
		CHECK_INT(a->strange, >, 0);
		CHECK_INT(a->strange, <=,
			one ? ENDPOINTS_STUN_BURST + 11 * ENDPOINTS_STUN_PER_SECOND
			    : ENDPOINTS_STUN_BURST_ALL + 11 * ENDPOINTS_STUN_PER_SECOND_ALL);
		rig_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_peer_that_forges_moves_nothing),
		cmocka_unit_test(plain_peer_that_moves_is_followed_when_it_answers),
		cmocka_unit_test(one_ping_of_many_nodes_is_one_ping),
		cmocka_unit_test(peer_that_is_said_to_be_everywhere_costs_strangers_its_share),
		cmocka_unit_test(machine_that_many_peers_name_has_one_share),
		cmocka_unit_test(hub_that_names_strangers_as_relays_gets_its_share_of_requests),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
