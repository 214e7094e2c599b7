/*
 * Against the kernel, in a network namespace of the test's own, looked at with iproute2. The texts that are expected are those
 * recorded on a machine with tailscaled 1.102.5, but for the name of the interface and the addresses.
 */
#include "os/route/route.h"
#include "testlib/check.h"
#include "testlib/netns.h"

#include <errno.h>

static struct loop *loop;
static bool can;

#define NEEDS_NETNS() \
	do { \
		if (!can) \
			skip(); \
	} while (0)

#define RULES \
	"5210:\tfrom all fwmark 0x80000/0xff0000 lookup main\n" \
	"5230:\tfrom all fwmark 0x80000/0xff0000 lookup default\n" \
	"5250:\tfrom all fwmark 0x80000/0xff0000 unreachable\n" \
	"5270:\tfrom all lookup 52\n"

static struct ipprefix prefix(const char *text)
{
	struct ipprefix p = { 0 };

	CHECK_INT(ipprefix_parse(text, strlen(text), &p), ==, 0);
	return p;
}

static struct ipprefix addrs[2], routes[5], local[2];

/* An own address of each family, two peers, the service address, a subnet with host bits set. */
static struct route_config plain(void)
{
	addrs[0] = prefix("100.64.0.7/32");
	addrs[1] = prefix("fd7a:115c:a1e0::7/128");
	routes[0] = prefix("100.64.0.2/32");
	routes[1] = prefix("100.64.0.1/32");
	routes[2] = prefix("100.100.100.100/32");
	routes[3] = prefix("fd7a:115c:a1e0::/48");
	routes[4] = prefix("192.168.7.9/24");
	return (struct route_config){ .up = true,
		.mtu = 1280,
		.addrs = addrs,
		.n_addrs = 2,
		.routes = routes,
		.n_routes = 5 };
}

/* stderr too: a table that is not there says so. */
static void look(const char *what, const char *expect)
{
	CHECK_ROW("%s", what);
	CHECK_STR(netns_run("%s", what), expect);
	CHECK_ROW("%s", "");
}

static void look_ours(int family, const char *expect)
{
	char cmd[128];

	snprintf(cmd, sizeof(cmd), "ip -%d route show table 52 2>/dev/null | sed 's/ *$//' | sort",
		family);
	look(cmd, expect);
}

static void look_rules(int family, const char *expect)
{
	char cmd[64];

	snprintf(cmd, sizeof(cmd), "ip -%d rule | grep '^52'", family);
	look(cmd, expect);
}

static void look_addrs(const char *expect)
{
	look("ip -o addr show dev wr0 scope global | sed 's/^.*\\(inet6*\\) \\([^ ]*\\).*/\\2/'",
		expect);
}

static void look_clean(void)
{
	look_ours(4, "");
	look_ours(6, "");
	look_rules(4, "");
	look_rules(6, "");
}

static int last_rc; /* of the last look */

static void on_look(void *ctx, int rc, bool repaired)
{
	last_rc = rc;
}

static struct route *open_route(void)
{
	struct route *r;

	netns_run(
		"ip link del wr0; ip link add wr0 type veth peer name far0 && ip link set far0 up");
	CHECK_INT(route_open(&r, loop, "wr0", on_look, NULL), ==, 0);
	return r;
}

static void addresses_routes_and_rules_are_as_recorded_and_gone_after_close(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	look_clean();
	CHECK_INT(route_apply(r, &want), ==, 0);
	CHECK_TRUE(route_has_ipv6(r));
	look_addrs("100.64.0.7/32\nfd7a:115c:a1e0::7/128\n");
	look_ours(4,
		"100.100.100.100 dev wr0\n100.64.0.1 dev wr0\n100.64.0.2 dev wr0\n192.168.7.0/24 dev wr0\n");
	look_ours(6, "fd7a:115c:a1e0::/48 dev wr0 metric 1024 pref medium\n");
	look_rules(4, RULES);
	look_rules(6, RULES);
	look("ip -o link show dev wr0 | grep -o 'mtu [0-9]*'", "mtu 1280\n");
	look("ip -o link show dev wr0 | grep -c '[<,]UP[,>]'", "1\n");
	route_close(r);
	look_clean();
	look_addrs("");
	look("ip -o link show dev wr0 | grep -c '[<,]UP[,>]'", "0\n");
}

static void second_apply_changes_only_what_differs(void **state)
{
	struct route_config want = plain();
	struct route_counters before;
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	CHECK_INT(route_apply(r, &want), ==, 0);
	before = *route_counters(r);
	CHECK_INT(before.added, ==, 2 + 5 + 2 * 4);
	CHECK_INT(route_apply(r, &want), ==, 0);
	CHECK_INT(route_counters(r)->added, ==, before.added);
	CHECK_INT(route_counters(r)->removed, ==, before.removed);
	routes[0] = prefix("100.64.0.9/32");
	CHECK_INT(route_apply(r, &want), ==, 0);
	CHECK_INT(route_counters(r)->added, ==, before.added + 1);
	CHECK_INT(route_counters(r)->removed, ==, before.removed + 1);
	look_ours(4,
		"100.100.100.100 dev wr0\n100.64.0.1 dev wr0\n100.64.0.9 dev wr0\n192.168.7.0/24 dev wr0\n");
	want.up = false;
	CHECK_INT(route_apply(r, &want), ==, 0);
	look_clean();
	route_close(r);
}

static void default_routes_leave_the_local_network_alone_when_asked(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	routes[0] = prefix("0.0.0.0/0");
	routes[1] = prefix("::/0");
	local[0] = prefix("192.168.1.2/24");
	local[1] = prefix("fd12::/64");
	want.n_routes = 2;
	want.local = local;
	want.n_local = 2;
	CHECK_INT(route_apply(r, &want), ==, 0);
	look_ours(4, "default dev wr0\nthrow 192.168.1.0/24\n");
	look_ours(6,
		"default dev wr0 metric 1024 pref medium\nthrow fd12::/64 dev lo metric 1024 pref medium\n");
	/* The local network goes into the tunnel, too: the same prefix, another kind. */
	routes[2] = local[0];
	want.n_routes = 3;
	want.n_local = 1;
	want.local = local + 1;
	CHECK_INT(route_apply(r, &want), ==, 0);
	look_ours(4, "192.168.1.0/24 dev wr0\ndefault dev wr0\n");
	route_close(r);
	look_clean();
}

static void next_apply_repairs_what_somebody_flushed(void **state)
{
	static const char *const harm[] = {
		"ip rule flush; ip rule add pref 32766 lookup main; ip rule add pref 32767 lookup default",
		"ip -6 rule del pref 5270",
		"ip route flush table 52",
		"ip -6 route flush table 52",
		"ip addr flush dev wr0",
		"ip link set wr0 down",
		"ip link set wr0 mtu 1400",
	};
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	CHECK_INT(route_apply(r, &want), ==, 0);
	for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
		netns_run("%s", harm[i]);
		CHECK_INT(route_apply(r, &want), ==, 0);
		look_rules(4, RULES);
		look_rules(6, RULES);
		look_addrs("100.64.0.7/32\nfd7a:115c:a1e0::7/128\n");
		look_ours(4,
			"100.100.100.100 dev wr0\n100.64.0.1 dev wr0\n100.64.0.2 dev wr0\n192.168.7.0/24 dev wr0\n");
		look_ours(6, "fd7a:115c:a1e0::/48 dev wr0 metric 1024 pref medium\n");
		look("ip -o link show dev wr0 | grep -o 'mtu [0-9]*'", "mtu 1280\n");
	}
	route_close(r);
	look_clean();
}

static struct route *waiting;
static struct loop_timer *poll_timer;
static mono_ns give_up_at;
static bool (*enough)(void);

static void on_poll(void *ctx)
{
	if (enough() || loop_now(loop).mono > give_up_at)
		loop_stop(loop);
	else
		loop_timer_set(poll_timer, loop_now(loop).mono + MSEC(20));
}

static void run_until(bool (*cond)(void), int patience_s)
{
	enough = cond;
	CHECK_INT(loop_timer_new(loop, on_poll, NULL, &poll_timer), ==, 0);
	give_up_at = loop_now(loop).mono + SEC(patience_s);
	loop_timer_set(poll_timer, loop_now(loop).mono);
	loop_run(loop);
	loop_timer_free(poll_timer);
}

static void look_whole(void)
{
	look_rules(4, RULES);
	look_rules(6, RULES);
	look_addrs("100.64.0.7/32\nfd7a:115c:a1e0::7/128\n");
	look_ours(4,
		"100.100.100.100 dev wr0\n100.64.0.1 dev wr0\n100.64.0.2 dev wr0\n192.168.7.0/24 dev wr0\n");
	look_ours(6, "fd7a:115c:a1e0::/48 dev wr0 metric 1024 pref medium\n");
	look("ip -o link show dev wr0 | grep -o 'mtu [0-9]*'", "mtu 1280\n");
	look("ip -o link show dev wr0 | grep -c '[<,]UP[,>]'", "1\n");
}

static bool is_whole(void)
{
	const char *n = netns_run(
		"ip rule | grep -c '^52'; ip -6 rule | grep -c '^52'; ip -o addr show dev wr0 scope global |"
		" grep -v 'sec  *preferred\\|deprecated' | wc -l;"
		" ip route show table 52 2>/dev/null | grep -c wr0; ip -6 route show table 52 2>/dev/null | grep -c wr0;"
		" ip -o link show dev wr0 | grep -c 'mtu 1280.*[<,]UP[,>]\\|[<,]UP[,>].*mtu 1280'");

	return strcmp(n, "4\n4\n2\n4\n1\n1\n") == 0;
}

/* Each of these ends in the same state, whatever the kernel says or does not say about it. */
static void whatever_was_changed_comes_back_by_itself(void **state)
{
	static const char *const harm[] = {
		"ip rule del pref 5270; ip route flush table 52",
		"ip -6 rule del pref 5270; ip -6 route flush table 52",
		"ip addr flush dev wr0",
		"ip -6 addr flush dev wr0 scope global",
		"ip addr add 10.9.9.9/24 dev wr0",
		"ip link set wr0 down",
		"ip link set wr0 down; ip link set wr0 up",
		"ip link set wr0 mtu 1400",
		"ip link set wr0 mtu 1000",
		"sysctl -q -w net.ipv6.conf.wr0.disable_ipv6=1; sysctl -q -w net.ipv6.conf.wr0.disable_ipv6=0",
		"ip link set wr0 addrgenmode none; ip -6 addr flush dev wr0; sysctl -q -w net.ipv6.conf.wr0.disable_ipv6=1;"
		" sleep 0.6; sysctl -q -w net.ipv6.conf.wr0.disable_ipv6=0",
		"ip addr change 100.64.0.7/32 dev wr0 valid_lft 600 preferred_lft 300",
		"ip -6 addr change fd7a:115c:a1e0::7/128 dev wr0 preferred_lft 0",
		"ip route replace blackhole 100.64.0.2/32 table 52",
		"ip link set wr0 down; ip link set wr0 name other0",
	};
	struct route_config want = plain();

	NEEDS_NETNS();
	for (size_t i = 0; i < ARRAY_LEN(harm); i++) {
		CHECK_ROW("%s", harm[i]);
		waiting = open_route();
		CHECK_INT(route_apply(waiting, &want), ==, 0);
		CHECK_INT(route_counters(waiting)->repaired, ==, 0);
		netns_run("%s", harm[i]);
		CHECK_TRUE(!is_whole() || strstr(harm[i], "sysctl"));
		run_until(is_whole,
			20); /* each look starts a dozen programs, which takes its time on a busy machine */
		CHECK_ROW("%s", harm[i]);
		look_whole();
		CHECK_INT(route_counters(waiting)->repaired, >=, 1);
		CHECK_INT(last_rc, ==, 0);
		route_close(waiting);
		look_clean();
	}
}

static bool never(void)
{
	return false;
}

static void what_is_not_ours_makes_no_work(void **state)
{
	struct route_config want = plain();

	NEEDS_NETNS();
	waiting = open_route();
	CHECK_INT(route_apply(waiting, &want), ==, 0);
	run_until(never,
		3); /* the kernel's own word of what we did, link-local address and its test */
	{
		const uint64_t before = route_counters(waiting)->looks;

		CHECK_INT(before, <=, 2);
		netns_run(
			"ip link add other type veth peer name far1; ip link set other up; ip addr add 10.5.0.1/24 dev other;"
			" ip route add 10.6.0.0/16 dev other; ip rule add pref 99 lookup 99; ip rule del pref 99; ip link del other");
		run_until(never, 2);
		CHECK_INT(route_counters(waiting)->looks, ==, before);
	}
	route_close(waiting);
}

static bool has_looked(void)
{
	return route_counters(waiting)->looks > 0;
}

static void interface_that_is_deleted_is_told(void **state)
{
	struct route_config want = plain();

	NEEDS_NETNS();
	waiting = open_route();
	CHECK_INT(route_apply(waiting, &want), ==, 0);
	netns_run("ip link del wr0");
	run_until(has_looked, 3);
	CHECK_INT(last_rc, ==, -ENODEV);
	route_close(waiting);
	look_clean();
}

/* A packet to a device that is not there is refused; who else has a way into the range keeps it. */
static void what_goes_to_nobody_is_refused_where_that_is_wanted(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	want.refuse = true;
	CHECK_INT(route_apply(r, &want), ==, 0);
	look("ip rule | grep 527",
		"5270:\tfrom all lookup 52\n5275:\tfrom all to 100.64.0.0/10 lookup main suppress_prefixlength 0\n"
		"5277:\tfrom all to 100.64.0.0/10 unreachable\n");
	look("ip -6 rule | grep 527", "5270:\tfrom all lookup 52\n");
	netns_run(
		"ip link add d0 type veth peer name d1; ip link set d1 up; ip addr add 10.1.1.1/24 dev d0; ip link set d0 up; ip route add default via 10.1.1.2; "
		"ip route add 100.90.0.0/16 via 10.1.1.3");
	look("ip route get 100.64.0.2 | grep -o 'dev [a-z0-9]*'", "dev wr0\n");
	look("ip route get 100.64.0.99 2>&1", "RTNETLINK answers: Network is unreachable\n");
	look("ip route get 100.90.1.1 | grep -o 'via [0-9.]*'", "via 10.1.1.3\n");
	look("ip route get 100.128.0.1 | grep -o 'via [0-9.]*'", "via 10.1.1.2\n");
	look("ip route get 100.64.0.99 mark 0x80000 | grep -o 'via [0-9.]*'", "via 10.1.1.2\n");
	look("ip rule del pref 5277", "");
	CHECK_INT(route_apply(r, &want), ==, 0);
	look("ip rule | grep -c 5277", "1\n");
	want.refuse = false;
	CHECK_INT(route_apply(r, &want), ==, 0);
	look("ip rule | grep -c 527", "1\n");
	want.refuse = true;
	CHECK_INT(route_apply(r, &want), ==, 0);
	route_close(r);
	look("ip rule | grep -c 52..:", "0\n");
	netns_run("ip link del d0");
}

static void cleanup_removes_what_a_killed_process_left(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	CHECK_INT(route_cleanup("wr0"), ==, 0); /* nothing there */
	for (int gone = 0; gone < 2; gone++) {
		r = open_route(); /* never closed before cleanup: as if killed */
		local[0] = prefix("10.0.0.0/8");
		want.local = local;
		want.n_local = 1;
		CHECK_INT(route_apply(r, &want), ==, 0);
		if (gone)
			netns_run("ip link del wr0");
		CHECK_INT(route_cleanup("wr0"), ==, 0);
		look_clean();
		if (!gone)
			look_addrs("");
		route_close(r);
	}
}

static void other_rules_routes_and_tables_are_left_alone(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	netns_run(
		"ip link add other type veth peer name far1; ip link set other up; ip link set far1 up; ip addr add 10.5.0.1/24 dev other;"
		" ip route add 10.6.0.0/16 dev other table 52; ip route add 10.7.0.0/16 dev other table 99;"
		" ip rule add pref 5260 lookup 99");
	r = open_route();
	CHECK_INT(route_apply(r, &want), ==, 0);
	route_close(r);
	look_ours(4, "10.6.0.0/16 dev other scope link\n");
	look("ip route show table 99 | sed 's/ *$//'", "10.7.0.0/16 dev other scope link\n");
	look_rules(4, "5260:\tfrom all lookup 99\n");
	look("ip -o -4 addr show dev other | grep -c 10.5.0.1", "1\n");
	netns_run("ip link del other; ip rule del pref 5260");
}

static void interface_without_ipv6_gets_ipv4(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	netns_run("sysctl -q -w net.ipv6.conf.wr0.disable_ipv6=1");
	CHECK_INT(route_apply(r, &want), ==, 0);
	CHECK_TRUE(!route_has_ipv6(r));
	look_addrs("100.64.0.7/32\n");
	look_rules(4, RULES);
	look_rules(6, "");
	route_close(r);
	look_clean();
}

static void ten_thousand_routes_are_set_and_gone(void **state)
{
	static struct ipprefix many[10000];
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	r = open_route();
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = ipprefix_single(
			ipaddr_v4(100, 64 + (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i));
	want.routes = many;
	want.n_routes = ARRAY_LEN(many);
	CHECK_INT(route_apply(r, &want), ==, 0);
	look("ip -4 route show table 52 | wc -l", "10000\n");
	CHECK_INT(route_apply(r, &want), ==, 0);
	CHECK_INT(route_counters(r)->added, ==, 2 + 10000 + 8);
	route_close(r);
	look_clean();
}

static void unknown_interface_is_told(void **state)
{
	struct route_config want = plain();
	struct route *r;

	NEEDS_NETNS();
	CHECK_INT(route_open(&r, loop, "nosuch0", on_look, NULL), ==, -ENODEV);
	r = open_route();
	netns_run("ip link del wr0");
	CHECK_INT(route_apply(r, &want), ==, -ENODEV);
	route_close(r);
	look_clean();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_routes_and_rules_are_as_recorded_and_gone_after_close),
		cmocka_unit_test(second_apply_changes_only_what_differs),
		cmocka_unit_test(default_routes_leave_the_local_network_alone_when_asked),
		cmocka_unit_test(next_apply_repairs_what_somebody_flushed),
		cmocka_unit_test(whatever_was_changed_comes_back_by_itself),
		cmocka_unit_test(what_is_not_ours_makes_no_work),
		cmocka_unit_test(interface_that_is_deleted_is_told),
		cmocka_unit_test(what_goes_to_nobody_is_refused_where_that_is_wanted),
		cmocka_unit_test(cleanup_removes_what_a_killed_process_left),
		cmocka_unit_test(other_rules_routes_and_tables_are_left_alone),
		cmocka_unit_test(interface_without_ipv6_gets_ipv4),
		cmocka_unit_test(ten_thousand_routes_are_set_and_gone),
		cmocka_unit_test(unknown_interface_is_told),
	};
	int rc;

	can = netns_enter();
	CHECK_INT(loop_new(&loop), ==, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop = loop_free(loop);
	return rc;
}
