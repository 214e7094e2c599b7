/* What a device finds out about itself, tells, and does while nothing happens. */
#include "tests/magicsock/rig.h"

#include "base/err/err.h"
#include "proto/disco/disco.h"

#include <errno.h>

static const struct vnat_kind *const none = NULL;

static void endpoints_are_what_others_can_use(void **state)
{
	struct ipprefix local[] = { { { 4, { 192, 168, 1, 5 } }, 24 },
		{ { 4, { 127, 0, 0, 1 } }, 8 }, { { 4, { 100, 64, 0, 1 } }, 32 },
		{ { 4, { 169, 254, 1, 1 } }, 16 }, { { 6, { 0xfe, 0x80, [15] = 1 } }, 64 },
		{ { 6, { 0xfd, 1, [15] = 1 } }, 64 }, { { 6, { 0x20, 1, [15] = 3 } }, 64 },
		{ { 6, { 0x20, 1, [15] = 1 } }, 64 }, { { 6, { 0x20, 1, [15] = 2 } }, 64 } };
	struct endpoint eps[ENDPOINTS_MAX];
	char text[IPPORT_TEXT_MAX];
	struct rig w;
	struct node *a;

	rig_open(&w, 1, 1);
	a = node_add(&w, none, NULL);
	node_start(a);
	magicsock_set_local(
		a->magicsock, local, ARRAY_LEN(local), 41641, 41642, false, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 3);
	CHECK_STR(ipport_format(eps[0].addr, text), "192.168.1.5:41641");
	CHECK_INT(eps[0].type, ==, ENDPOINT_LOCAL);
	CHECK_STR(ipport_format(eps[1].addr, text),
		"[2001::1]:41642"); /* two of a prefix, with their own port */
	CHECK_STR(ipport_format(eps[2].addr, text), "[2001::3]:41642");
	magicsock_set_local(a->magicsock, &local[1], 1, 41641, 0, false, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 1); /* nothing else: loopback it is */
	magicsock_set_no_udp(a->magicsock, true, rig_now(&w));
	CHECK_INT(node_endpoints(a, eps), ==, 0);
	node_after(a);
	rig_close(&w);
}

static void stun_address_is_told_and_reported(void **state)
{
	struct endpoint eps[ENDPOINTS_MAX];
	struct endpoints_report report;
	struct tc_netinfo ni;
	struct arena mem;
	struct rig w;
	struct node *a;

	arena_init(&mem, 65536);
	rig_open(&w, 2, 2);
	a = node_add(&w, &vnat_easy, NULL);
	node_start(a);
	rig_run(&w, SEC(3));
	CHECK_INT(node_endpoints(a, eps), ==, 2);
	CHECK_INT(eps[0].type, ==, ENDPOINT_STUN);
	CHECK_TRUE(ipaddr_eq(eps[0].addr.ip, ipaddr_v4(203, 0, 113, 11)));
	CHECK_INT(endpoints_report(magicsock_endpoints(a->magicsock), &mem, &report), ==, 0);
	CHECK_TRUE(report.done && report.udp && report.ipv4 && !report.ipv6 && !report.os_has_ipv6);
	CHECK_INT(report.mapping_varies, ==, JSON_NO);
	CHECK_TRUE(ipport_eq(report.global4, eps[0].addr));
	CHECK_INT(report.n_regions, ==, 2);
	CHECK_INT(report.regions[0].latency4, >=, MSEC(20));
	CHECK_INT(report.regions[0].latency4, <=, MSEC(21));
	CHECK_INT(report.home, ==, magicsock_home(a->magicsock));
	CHECK_INT(endpoints_netinfo(magicsock_endpoints(a->magicsock), &mem, &ni), ==, 0);
	CHECK_INT(ni.working_udp, ==, JSON_YES);
	CHECK_INT(ni.preferred_derp, ==, magicsock_home(a->magicsock));
	CHECK_INT(ni.derp_latency.n, ==, 2);
	CHECK_STR(ni.derp_latency.v[0].key, "1-v4");
	arena_fini(&mem);
	rig_close(&w);
}

static void netcheck_is_repeated_while_there_is_traffic(void **state)
{
	struct rig w;
	struct node *a, *b;
	size_t sent;

	rig_direct_pair(&w, none, none, &a, &b);
	sent = a->stun_sent;
	node_series(a, b, MSEC(500), SEC(120));
	/* Every 20 to 26 s a round, of one request. */
	CHECK_INT(a->stun_sent - sent, >=, 4);
	CHECK_INT(a->stun_sent - sent, <=, 6);
	rig_run(&w, SEC(60));
	sent = a->stun_sent;
	rig_run(&w, SEC(120));
	CHECK_INT(a->stun_sent, ==, sent);
	rig_close(&w);
}

static void device_that_registered_anew_takes_its_key_along(void **state)
{
	struct ipport eps[ENDPOINTS_MAX];
	struct ipprefix route;
	struct tc_node t;
	struct rig w;
	struct node *a, *b;

	rig_direct_pair(&w, none, none, &a, &b);
	t = node_as_peer(b, eps, &route);
	t.id = 77;
	CHECK_INT(magicsock_set_peer(a->magicsock, &t, &route, 1, rig_now(&w)), ==, 0);
	magicsock_remove_peer(a->magicsock, b->n, rig_now(&w)); /* the old number goes later */
	node_after(a);
	CHECK_INT(magicsock_peer_for(a->magicsock,
			  (uint8_t[20]){ 0x45, 0, 0, 20, [12] = 100, 64, 0, 1, 100, 64, 0, 2 }, 20),
		==, 77);
	rig_close(&w);
}

static void mapping_that_changes_is_noticed_and_told(void **state)
{
	struct endpoint eps[ENDPOINTS_MAX], later[ENDPOINTS_MAX];
	struct rig w;
	struct node *a, *b, *other;
	size_t n;

	/* other takes the port before a's mapping is made anew. */
	rig_open(&w, 2, 1);
	a = node_add(&w, &vnat_easy, NULL);
	other = node_add(&w, none, a);
	b = node_add(&w, none, NULL);
	node_start(a);
	rig_run(&w, SEC(1));
	node_start(b);
	rig_run(&w, SEC(1));
	CHECK_TRUE(node_until_direct(a, b, MSEC(100), SEC(2)) != MONO_NEVER);
	node_series(a, b, MSEC(500), SEC(5));
	n = node_endpoints(a, eps);
	vnet_router_reboot(a->router);
	node_start(other);
	rig_run(&w, MSEC(50));
	node_series(a, b, MSEC(100), SEC(7));
	CHECK_INT(node_endpoints(a, later), ==, n + 1);
	CHECK_TRUE(!ipport_eq(later[0].addr, eps[0].addr));
	CHECK_TRUE(node_is_direct(a, b));
	rig_close(&w);
}

static void peer_without_disco_is_reached_at_its_address(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 2, 1);
	a = node_add(&w, &vnat_easy, NULL);
	b = node_add(&w, none, NULL);
	b->wireguard_only = true;
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	node_tell_now(b);
	w.hub_down = true;
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(magicsock_counters(a->magicsock)->pings_out, ==, 0);
	rig_close(&w);
}

static void idle_pair_is_silent(void **state)
{
	struct rig w;
	struct node *a, *b;
	size_t sent;

	rig_direct_pair(&w, &vnat_easy, &vnat_easy, &a, &b);
	rig_run(&w, SEC(120)); /* heartbeats, keepalives and netchecks end */
	sent = a->udp_sent + b->udp_sent;
	rig_run(&w, SEC(300));
	CHECK_INT(a->udp_sent + b->udp_sent, ==, sent);
	node_series(a, b, MSEC(100), SEC(3)); /* the relay is there when it goes on */
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(endpoints_are_what_others_can_use),
		cmocka_unit_test(stun_address_is_told_and_reported),
		cmocka_unit_test(netcheck_is_repeated_while_there_is_traffic),
		cmocka_unit_test(device_that_registered_anew_takes_its_key_along),
		cmocka_unit_test(mapping_that_changes_is_noticed_and_told),
		cmocka_unit_test(peer_without_disco_is_reached_at_its_address),
		cmocka_unit_test(idle_pair_is_silent),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
