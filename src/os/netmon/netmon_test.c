/* Against the kernel, in a network namespace of the test's own; each step of a story is waited for. */
#include "os/netmon/netmon.h"
#include "testlib/check.h"
#include "testlib/netns.h"

static struct loop *loop;
static struct netmon *mon;
static bool can;
static int changes, link_changes;
static bool (*until)(const struct netmon_state *s);

#define NEEDS_NETNS() \
	do { \
		if (!can) \
			skip(); \
	} while (0)

static void on_change(void *ctx, bool link_changed)
{
	changes++;
	link_changes += link_changed;
	if (until && until(netmon_state(mon)))
		loop_stop(loop);
}

static void on_timeout(void *ctx)
{
	loop_stop(loop);
}

/* Runs until the state is as wanted. False after a time that no machine needs. */
static bool wait_for(bool (*fn)(const struct netmon_state *s), int seconds)
{
	struct loop_timer *t;

	until = fn;
	CHECK_INT(loop_timer_new(loop, on_timeout, NULL, &t), ==, 0);
	loop_timer_set(t, loop_now(loop).mono + SEC(seconds));
	if (!fn(netmon_state(mon)))
		loop_run(loop);
	loop_timer_free(t);
	until = NULL;
	return fn(netmon_state(mon));
}

static bool has(const struct netmon_state *s, const char *text)
{
	struct ipprefix p = { 0 };

	CHECK_INT(ipprefix_parse(text, strlen(text), &p), ==, 0);
	for (size_t i = 0; i < s->n_addrs; i++)
		if (ipprefix_eq(s->addrs[i], p))
			return true;
	return false;
}

static void start(void)
{
	netns_run(
		"ip link add e0 type veth peer name far0; ip link set far0 up; ip link add zt7 type veth peer name ours0");
	changes = link_changes = 0;
	CHECK_INT(netmon_open(&mon, loop, "ours0", on_change, NULL), ==, 0);
}

static void stop(void)
{
	mon = netmon_close(mon);
	netns_run("ip link del e0; ip link del zt7");
}

static bool first_address(const struct netmon_state *s)
{
	return has(s, "192.168.1.2/24") && has(s, "2001:db8::2/64");
}

static bool default_there(const struct netmon_state *s)
{
	return s->default4 && strcmp(s->default_if, "e0") == 0 &&
	       ipaddr_eq(s->gateway4, ipaddr_v4(192, 168, 1, 1)) &&
	       ipaddr_eq(s->default_addr4, ipaddr_v4(192, 168, 1, 2));
}

static bool default6_there(const struct netmon_state *s)
{
	return s->default6;
}

static bool other_address(const struct netmon_state *s)
{
	return ipaddr_eq(s->default_addr4, ipaddr_v4(192, 168, 9, 3)) && !has(s, "192.168.1.2/24");
}

static bool nothing_left(const struct netmon_state *s)
{
	return !s->default4 && !s->default6 && !s->default_if[0] && has(s, "127.0.0.1/8") &&
	       s->n_addrs <= 2;
}

static void a_cable_is_plugged_in_moved_and_pulled(void **state)
{
	int n;

	NEEDS_NETNS();
	start();
	CHECK_TRUE(has(netmon_state(mon), "127.0.0.1/8"));
	CHECK_TRUE(!netmon_state(mon)->default4 && !netmon_state(mon)->default6);
	netns_run(
		"ip link set e0 up; ip addr add 192.168.1.2/24 dev e0; ip addr add 2001:db8::2/64 dev e0 nodad");
	CHECK_TRUE(wait_for(first_address, 10));
	CHECK_INT(link_changes, ==, 0); /* no default route: nothing that was trusted is lost */
	netns_run("ip route add default via 192.168.1.1 dev e0");
	CHECK_TRUE(wait_for(default_there, 10));
	CHECK_INT(link_changes, ==, 1);
	netns_run("ip -6 route add default via 2001:db8::1 dev e0");
	CHECK_TRUE(wait_for(default6_there, 10));
	n = link_changes;
	netns_run("ip addr add 192.168.9.3/24 dev e0; ip addr del 192.168.1.2/24 dev e0;"
		  " ip route replace default via 192.168.9.1 dev e0");
	CHECK_TRUE(wait_for(other_address, 10));
	CHECK_INT(link_changes, >, n);
	netns_run("ip link set e0 down");
	CHECK_TRUE(wait_for(nothing_left, 10));
	stop();
}

static bool has_own(const struct netmon_state *s)
{
	return has(s, "100.64.0.9/32") || has(s, "10.147.17.2/24") ||
	       strcmp(s->default_if, "ours0") == 0;
}

static void own_interface_and_other_overlays_do_not_count(void **state)
{
	NEEDS_NETNS();
	start();
	netns_run(
		"ip link set ours0 up; ip link set zt7 up; ip addr add 100.64.0.9/32 dev ours0; ip addr add 10.147.17.2/24 dev zt7;"
		" ip route add default dev ours0; ip link set e0 up; ip addr add 192.168.1.2/24 dev e0;"
		" ip addr add 2001:db8::2/64 dev e0 nodad");
	CHECK_TRUE(wait_for(first_address, 10));
	CHECK_TRUE(!has_own(netmon_state(mon)));
	CHECK_TRUE(!netmon_state(mon)->default4);
	stop();
}

static bool is_on(const struct netmon_state *s, const char *text)
{
	struct ipaddr a = { 0 };

	CHECK_INT(ipaddr_parse(text, strlen(text), &a), ==, 0);
	for (size_t i = 0; i < s->n_nets; i++)
		if (ipprefix_contains(s->nets[i], a))
			return true;
	return false;
}

static bool line_there(const struct netmon_state *s)
{
	return is_on(s, "203.0.113.9") && is_on(s, "198.51.100.1") && is_on(s, "192.0.2.77") &&
	       is_on(s, "2001:db8:5::1") && is_on(s, "198.51.100.200");
}

static bool zt_gone(const struct netmon_state *s)
{
	return !is_on(s, "10.147.17.9");
}

static void every_network_of_the_machine_is_told_but_our_own(void **state)
{
	NEEDS_NETNS();
	start();
	CHECK_TRUE(is_on(netmon_state(mon), "127.9.9.9") && is_on(netmon_state(mon), "::1"));
	netns_run(
		"ip link set ours0 up; ip addr add 100.64.0.9/32 dev ours0; ip route add 100.64.0.10/32 dev ours0;"
		" ip addr add 10.147.17.2/24 dev zt7; ip addr add 203.0.113.2/24 dev e0; ip link set e0 up"); /* zt7 is down, and another overlay's */
	netns_run(
		"ip addr add 198.51.100.2/32 peer 198.51.100.1/32 dev e0; ip route add 192.0.2.0/24 dev e0;"
		" ip addr add 2001:db8:5::2/64 dev e0; ip route add local 198.51.100.192/27 dev lo;"
		" ip route add default via 203.0.113.1; ip route add 1.0.0.0/8 via 203.0.113.1; ip route add 128.0.0.0/1 dev e0");
	CHECK_TRUE(wait_for(line_there, 10));
	CHECK_TRUE(is_on(netmon_state(mon), "10.147.17.9"));
	CHECK_TRUE(!is_on(netmon_state(mon), "100.64.0.9") &&
		   !is_on(netmon_state(mon), "100.64.0.10"));
	CHECK_TRUE(!is_on(netmon_state(mon), "1.1.1.1") &&
		   !is_on(netmon_state(mon), "200.1.1.1")); /* by a gateway; half the internet */
	CHECK_TRUE(netmon_state(mon)->nets_all);
	netns_run("ip addr del 10.147.17.2/24 dev zt7");
	CHECK_TRUE(wait_for(zt_gone, 10));
	stop();
}

static bool too_many(const struct netmon_state *s)
{
	return !s->nets_all;
}

static void more_networks_than_the_bound_are_said_to_be_more(void **state)
{
	NEEDS_NETNS();
	start();
	netns_run(
		"for i in 0 1 2; do for k in $(seq 200); do echo \"addr add 203.$i.$k.1/24 dev e0\"; done; done | ip -batch -");
	CHECK_TRUE(wait_for(too_many, 10));
	CHECK_INT(netmon_state(mon)->n_nets, <=, NETMON_NETS_MAX);
	stop();
}

static void many_changes_at_once_give_few_calls(void **state)
{
	NEEDS_NETNS();
	netns_run("ip link add e0 type veth peer name far0; ip link set far0 up");
	changes = 0;
	CHECK_INT(netmon_open(&mon, loop, "ours0", on_change, NULL), ==, 0);
	netns_run("for i in $(seq 30); do ip addr add 10.3.$i.1/24 dev e0; done; ip link set e0 up;"
		  " ip addr add 192.168.1.2/24 dev e0; ip addr add 2001:db8::2/64 dev e0 nodad");
	CHECK_TRUE(wait_for(first_address, 10));
	CHECK_INT(netmon_state(mon)->n_addrs, >=, 32);
	CHECK_INT(changes, <=, 3);
	for (size_t i = 1; i < netmon_state(mon)->n_addrs; i++)
		CHECK_INT(ipaddr_cmp(netmon_state(mon)->addrs[i - 1].ip,
				  netmon_state(mon)->addrs[i].ip),
			<=, 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cable_is_plugged_in_moved_and_pulled),
		cmocka_unit_test(own_interface_and_other_overlays_do_not_count),
		cmocka_unit_test(every_network_of_the_machine_is_told_but_our_own),
		cmocka_unit_test(more_networks_than_the_bound_are_said_to_be_more),
		cmocka_unit_test(many_changes_at_once_give_few_calls),
	};
	int rc;

	can = netns_enter();
	CHECK_INT(loop_new(&loop), ==, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop = loop_free(loop);
	return rc;
}
