/*
 * Against the kernel, in a network namespace of the test's own, looked at with nft and iptables. What the rules do to packets is
 * seen in the labs.
 */
#include "os/firewall/firewall.h"
#include "testlib/check.h"
#include "testlib/netns.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static bool can;

#define NEEDS_NETNS() \
	do { \
		if (!can) \
			skip(); \
	} while (0)

#define MARKS_IN \
	"ct state established,related ct mark & 0x00ff0000 == 0x00080000 meta mark set meta mark & 0xff08ffff | 0x00080000\n"
#define MARKS_OUT \
	"ct state new meta mark & 0x00ff0000 == 0x00080000 ct mark set ct mark & 0xff08ffff | 0x00080000\n"
#define NO_SPOOFING \
	"ip saddr 100.115.92.0/23 counter accept\nip saddr 100.64.0.0/10 counter drop\nip6 saddr fd7a:115c:a1e0::/48 counter drop\n"

static int last_rc;
static bool last_repaired;

static void on_look(void *ctx, int rc, bool repaired)
{
	(void)ctx;
	last_rc = rc;
	last_repaired = repaired;
}

static struct firewall *open_it(void)
{
	struct firewall *f;

	last_repaired = false;
	CHECK_INT(firewall_open(&f, loop, "wr0", on_look, NULL), ==, 0);
	return f;
}

static struct firewall_config router(void)
{
	return (struct firewall_config){
		.mode = FIREWALL_ON, .port4 = 41641, .port6 = 41641, .masquerade = true
	};
}

static void look(const char *what, const char *expect)
{
	CHECK_ROW("%s", what);
	CHECK_STR(netns_run("%s", what), expect);
	CHECK_ROW("%s", "");
}

/* A chain's rules without counts. */
static void look_chain(const char *chain, const char *expect)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd),
		"nft list chain %s | sed -n 's/counter packets [0-9]* bytes [0-9]*/counter/;s/^\\t\\t//p' | grep -v ^type",
		chain);
	look(cmd, expect);
}

static void look_clean(void)
{
	look("nft list tables | grep warren", "");
	look("nft list ruleset | grep warren", "");
}

static void our_table_says_what_the_original_says(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;

	NEEDS_NETNS();
	f = open_it();
	look_clean();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_chain("inet warren-wr0 prerouting", MARKS_IN);
	look_chain("inet warren-wr0 output", MARKS_OUT);
	look_chain("inet warren-wr0 input",
		"iifname \"lo\" counter accept\niifname \"wr0\" counter accept\n" NO_SPOOFING);
	look_chain("inet warren-wr0 forward",
		"iifname \"wr0\" meta mark set meta mark & 0xff04ffff | 0x00040000 counter accept\n"
		"oifname != \"wr0\" counter accept\n" NO_SPOOFING);
	look_chain("inet warren-wr0 postrouting",
		"meta mark & 0x00ff0000 == 0x00040000 oifname != \"wr0\" counter masquerade\n");
	look("nft list tables", "table inet warren-wr0\n");
	firewall_close(f);
	look_clean();
}

static void each_setting_changes_its_rule(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;

	NEEDS_NETNS();
	f = open_it();
	want.masquerade = false;
	want.stateful = true;
	want.n_nets = 1;
	want.nets[0] = (struct ipprefix){ .ip = ipaddr_v4(100, 70, 0, 0), .bits = 16 };
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_chain("inet warren-wr0 postrouting", "");
	look_chain("inet warren-wr0 forward",
		"iifname \"wr0\" meta mark set meta mark & 0xff04ffff | 0x00040000 counter accept\n"
		"oifname != \"wr0\" counter accept\n"
		"ct state ! established,related counter drop\n"
		"ip saddr 100.70.0.0/16 counter accept\n" NO_SPOOFING);
	want.spoofing_allowed = true;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_chain("inet warren-wr0 input",
		"iifname \"lo\" counter accept\niifname \"wr0\" counter accept\n");
	want.mode = FIREWALL_NODIVERT;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("nft list table inet warren-wr0 | grep -c hook", "0\n");
	look("nft add chain inet warren-wr0 mine '{ type filter hook forward priority 0; }' && nft add rule inet warren-wr0 mine jump forward",
		"");
	want.mode = FIREWALL_OFF;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_clean();
	firewall_close(f);
}

/* As ufw, Docker, firewalld and an administrator have them. */
static const char *const others[] = {
	"echo 'table ip filter {\n chain INPUT { type filter hook input priority filter; policy drop; }\n"
	" chain FORWARD { type filter hook forward priority filter; policy drop; jump DOCKER-USER; }\n"
	" chain DOCKER-USER { return; }\n}' | nft -f -",
	"echo 'table inet firewalld {\n chain filter_INPUT { type filter hook input priority filter + 10; policy accept;\n"
	"  ct state established,related accept\n  reject with icmpx admin-prohibited; }\n}' | nft -f -",
	"echo 'table ip6 filter {\n chain INPUT { type filter hook input priority filter; policy accept; }\n}' | nft -f -",
	"echo 'table inet early {\n chain pre { type filter hook input priority mangle; policy drop; }\n}' | nft -f -",
};

#define ALL_OTHERS \
	"nft list table ip filter; nft list table inet firewalld; nft list table ip6 filter; nft list table inet early"

static void make_others(void)
{
	netns_run("nft flush ruleset");
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		look(others[i], "");
}

static void chains_that_may_drop_let_us_through_and_are_as_before_afterwards(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;
	char before[4096];

	NEEDS_NETNS();
	make_others();
	snprintf(before, sizeof(before), "%s", netns_run("%s", ALL_OTHERS));
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_chain("ip filter INPUT",
		"udp dport 41641 counter accept comment \"warren-wr0 41641,41641 2\"\n"
		"iifname \"wr0\" counter accept comment \"warren-wr0 41641,41641 0\"\n");
	look_chain("ip filter FORWARD",
		"oifname \"wr0\" counter accept comment \"warren-wr0 41641,41641 1\"\n"
		"iifname \"wr0\" counter accept comment \"warren-wr0 41641,41641 0\"\n"
		"jump DOCKER-USER\n");
	look_chain("inet firewalld filter_INPUT",
		"udp dport 41641 counter accept comment \"warren-wr0 41641,41641 2\"\n"
		"iifname \"wr0\" counter accept comment \"warren-wr0 41641,41641 0\"\n"
		"ct state established,related accept\nreject with icmpx admin-prohibited\n");
	look_chain("ip6 filter INPUT", "");
	look_chain("inet early pre", "");
	want.port4 = want.port6 = 41642;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("nft list ruleset | grep -c 41641", "0\n");
	look("nft list ruleset | grep -c 'dport 41642'", "2\n");
	firewall_close(f);
	look(ALL_OTHERS, before);
}

static void iptables_understands_what_is_in_its_chains(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;

	NEEDS_NETNS();
	make_others();
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("iptables-nft -S FORWARD 2>&1 | head -4",
		"-P FORWARD DROP\n-A FORWARD -o wr0 -m comment --comment \"warren-wr0 41641,41641 1\" -j ACCEPT\n"
		"-A FORWARD -i wr0 -m comment --comment \"warren-wr0 41641,41641 0\" -j ACCEPT\n-A FORWARD -j DOCKER-USER\n");
	firewall_close(f);
	netns_run("nft flush ruleset");
}

static struct firewall *waiting;
static struct loop_timer *check_timer;
static mono_ns give_up_at;
static const char *until, *until_says;

static void on_check(void *ctx)
{
	(void)ctx;
	if (!strcmp(netns_run("%s", until), until_says) || loop_now(loop).mono > give_up_at)
		loop_stop(loop);
	else
		loop_timer_set(check_timer, loop_now(loop).mono + MSEC(20));
}

static void run_until(const char *cmd, const char *says)
{
	until = cmd;
	until_says = says;
	CHECK_INT(loop_timer_new(loop, on_check, NULL, &check_timer), ==, 0);
	give_up_at = loop_now(loop).mono + SEC(20);
	loop_timer_set(check_timer, loop_now(loop).mono);
	loop_run(loop);
	loop_timer_free(check_timer);
	look(cmd, says);
}

static void what_is_flushed_or_comes_later_gets_our_rules(void **state)
{
	struct firewall_config want = router();

	NEEDS_NETNS();
	make_others();
	waiting = open_it();
	CHECK_INT(firewall_apply(waiting, &want), ==, 0);
	look("nft flush ruleset; nft list tables", "table inet warren-wr0\n");
	look(others[0], "");
	run_until("nft list chain ip filter FORWARD | grep -c warren-wr0", "2\n");
	CHECK_INT(firewall_counters(waiting)->repaired, >=, 1);
	CHECK_INT(last_rc, ==, 0);
	look("nft flush chain ip filter FORWARD", "");
	run_until("nft list chain ip filter FORWARD | grep -c warren-wr0", "2\n");
	firewall_close(waiting);
	netns_run("nft flush ruleset");
}

/* Where the kernel does not own the table, or an administrator has to reach it. */
static void an_unhooked_table_that_was_removed_comes_back(void **state)
{
	struct firewall_config want = router();

	NEEDS_NETNS();
	waiting = open_it();
	want.mode = FIREWALL_NODIVERT;
	CHECK_INT(firewall_apply(waiting, &want), ==, 0);
	look("nft flush ruleset; nft list tables", "");
	run_until("nft list table inet warren-wr0 2>/dev/null | grep -c masquerade", "1\n");
	firewall_close(waiting);
	look_clean();
}

static void what_a_killed_process_left_goes(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;
	int status;
	pid_t child;

	NEEDS_NETNS();
	make_others();
	child = fork();
	if (child == 0) {
		if (firewall_open(&f, loop, "wr0", on_look, NULL) < 0 ||
			firewall_apply(f, &want) < 0)
			_exit(1);
		_exit(0); /* without a word, as if killed */
	}
	CHECK_INT(waitpid(child, &status, 0), ==, child);
	CHECK_INT(status, ==, 0);
	look("nft list tables | grep warren", "");
	look("nft list ruleset | grep -c 'warren-wr0 '", "6\n");
	CHECK_INT(firewall_cleanup("wr0", true), ==, 0);
	look_clean();
	CHECK_INT(firewall_cleanup("wr0", true), ==, 0);
	netns_run("nft flush ruleset");
}

static struct firewall_config only_tunnel(void)
{
	return (struct firewall_config){ .mode = FIREWALL_OFF,
		.killswitch = true,
		.lans = { { ipaddr_v4(192, 168, 1, 0), 24 } },
		.n_lans = 1 };
}

#define KILLSWITCH_THERE "nft list tables | grep -c only"

static void the_kill_switch_lets_through_what_a_machine_needs_and_stays_when_we_end(void **state)
{
	struct firewall_config want = only_tunnel();
	struct firewall *f;

	NEEDS_NETNS();
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_chain("inet warren-wr0-only output",
		"oifname \"lo\" counter accept\noifname \"wr0\" counter accept\n"
		"meta mark & 0x00ff0000 == 0x00080000 counter accept\n"
		"udp sport 68 udp dport 67 counter accept\nudp sport 546 udp dport 547 counter accept\n"
		"icmpv6 type nd-router-solicit counter accept\nicmpv6 type nd-router-advert counter accept\n"
		"icmpv6 type nd-neighbor-solicit counter accept\nicmpv6 type nd-neighbor-advert counter accept\n"
		"ip daddr 192.168.1.0/24 counter accept\ncounter reject with icmpx admin-prohibited\n");
	look_chain("inet warren-wr0-only forward",
		"iifname \"wr0\" counter accept\noifname \"wr0\" counter accept\n"
		"ip daddr 192.168.1.0/24 counter accept\ncounter reject with icmpx admin-prohibited\n");
	firewall_close(f);
	look(KILLSWITCH_THERE, "1\n");
	CHECK_INT(firewall_has_killswitch("wr0"), ==, 1);
	CHECK_INT(firewall_cleanup("wr0", false), ==, 0);
	look(KILLSWITCH_THERE, "1\n");
	f = open_it(); /* the next life: it stays until that knows what it wants */
	look(KILLSWITCH_THERE, "1\n");
	want.killswitch = false;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look_clean();
	CHECK_INT(firewall_has_killswitch("wr0"), ==, 0);
	want.killswitch = true;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	firewall_close(f);
	CHECK_INT(firewall_cleanup("wr0", true), ==, 0);
	look_clean();
}

static void the_kill_switch_comes_back_when_it_is_flushed(void **state)
{
	struct firewall_config want = only_tunnel();

	NEEDS_NETNS();
	waiting = open_it();
	CHECK_INT(firewall_apply(waiting, &want), ==, 0);
	look("nft flush ruleset; nft list tables", "");
	run_until(KILLSWITCH_THERE, "1\n");
	look("nft flush chain inet warren-wr0-only output", "");
	run_until("nft list chain inet warren-wr0-only output | grep -c reject", "1\n");
	want.killswitch = false;
	CHECK_INT(firewall_apply(waiting, &want), ==, 0);
	firewall_close(waiting);
	look_clean();
}

/* As ufw and Docker have them on a host with the old ip_tables. */
static const char *const legacy_others =
	"echo '*filter\n:INPUT DROP [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER-USER - [0:0]\n"
	"-A INPUT -i lo -m comment --comment \"warren-wr0 of another\" -j ACCEPT\n-A FORWARD -j DOCKER-USER\nCOMMIT' | iptables-legacy-restore";
#define LEGACY4 "iptables-legacy-save -t filter | grep ^[:-] | sed 's/ .[0-9]*:[0-9]*.$//'"
#define LEGACY6 "ip6tables-legacy -S"

static bool has_legacy(void)
{
	netns_run("iptables-legacy -F; iptables-legacy -X; ip6tables-legacy -F");
	return can && !strcmp(netns_run("iptables-legacy -S 2>&1 | grep -c ^-P"), "3\n") &&
	       !strcmp(netns_run("ip6tables-legacy -S 2>&1 | grep -c ^-P"), "3\n");
}

static void no_legacy(void)
{
	netns_run(
		"iptables-legacy -P INPUT ACCEPT; iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F; iptables-legacy -X; ip6tables-legacy -F");
}

/* Before this test nobody has used ip_tables here. */
static void a_look_at_ip_tables_makes_no_table_of_it(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;

	NEEDS_NETNS();
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	CHECK_INT(firewall_legacy(f), ==, 0);
	firewall_close(f);
	look("cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null", "");
}

static void ip_tables_lets_us_through_and_is_as_before_afterwards(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;
	char before[4096];

	if (!has_legacy())
		skip();
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("iptables-legacy -S | grep -c wr0", "0\n"); /* an empty table needs nothing */
	CHECK_INT(firewall_legacy(f), ==, 0);
	firewall_close(f);
	look(legacy_others, "");
	look("ip6tables-legacy -A FORWARD -j REJECT", "");
	snprintf(before, sizeof(before), "%s", netns_run("%s; %s", LEGACY4, LEGACY6));
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("iptables-legacy -S INPUT",
		"-P INPUT DROP\n-A INPUT -p udp -m udp --dport 41641 -m comment --comment \"warren-wr0 41641,41641 2\" -j ACCEPT\n"
		"-A INPUT -i wr0 -m comment --comment \"warren-wr0 41641,41641 0\" -j ACCEPT\n"
		"-A INPUT -i lo -m comment --comment \"warren-wr0 of another\" -j ACCEPT\n");
	look("iptables-legacy -S FORWARD",
		"-P FORWARD DROP\n-A FORWARD -o wr0 -m comment --comment \"warren-wr0 41641,41641 1\" -j ACCEPT\n"
		"-A FORWARD -i wr0 -m comment --comment \"warren-wr0 41641,41641 0\" -j ACCEPT\n-A FORWARD -j DOCKER-USER\n");
	look("ip6tables-legacy -S | grep -c warren-wr0",
		"2\n"); /* nothing is dropped at its INPUT */
	want.port4 = want.port6 = 41642;
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("iptables-legacy -S | grep -c 41641", "0\n");
	look("iptables-legacy -S | grep -c 'warren-wr0 41642'", "4\n");
	CHECK_INT(firewall_legacy(f), ==, 0);
	firewall_close(f);
	look(LEGACY4 "; " LEGACY6, before);
	no_legacy();
}

static void what_is_flushed_in_ip_tables_comes_back(void **state)
{
	struct firewall_config want = router();

	if (!has_legacy())
		skip();
	look(legacy_others, "");
	waiting = open_it();
	CHECK_INT(firewall_apply(waiting, &want), ==, 0);
	look("iptables-legacy -F", "");
	run_until("iptables-legacy -S | grep -c 'warren-wr0 41641'", "4\n");
	CHECK_INT(firewall_counters(waiting)->repaired, >=, 1);
	CHECK_INT(last_rc, ==, 0);
	firewall_close(waiting);
	look("iptables-legacy -S | grep -c 'warren-wr0 41641'", "0\n");
	no_legacy();
}

static void what_a_killed_process_left_in_ip_tables_goes(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;
	char before[4096];
	int status;
	pid_t child;

	if (!has_legacy())
		skip();
	look(legacy_others, "");
	snprintf(before, sizeof(before), "%s", netns_run("%s", LEGACY4));
	for (int by_start = 0; by_start < 2; by_start++) {
		child = fork();
		if (child == 0) {
			if (firewall_open(&f, loop, "wr0", on_look, NULL) < 0 ||
				firewall_apply(f, &want) < 0)
				_exit(1);
			_exit(0);
		}
		CHECK_INT(waitpid(child, &status, 0), ==, child);
		CHECK_INT(status, ==, 0);
		look("iptables-legacy -S | grep -c 'warren-wr0 41641'", "4\n");
		if (by_start)
			firewall_close(open_it());
		else
			CHECK_INT(firewall_cleanup("wr0", true), ==, 0);
		look(LEGACY4, before);
	}
	no_legacy();
}

static int without_programs(void)
{
	struct firewall_config want = router();
	struct firewall *f;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("none", "/usr/sbin", "tmpfs", 0, NULL) < 0 ||
		firewall_open(&f, loop, "wr0", on_look, NULL) < 0)
		return 1;
	if (firewall_apply(f, &want) < 0)
		return 2;
	return firewall_legacy(f) == -ENOENT ? 0 : 3;
}

static void where_the_program_is_missing_it_says_so(void **state)
{
	int status;
	pid_t child;

	if (!has_legacy())
		skip();
	look(legacy_others, "");
	child = fork();
	if (child == 0)
		_exit(without_programs());
	CHECK_INT(waitpid(child, &status, 0), ==, child);
	CHECK_INT(status, ==, 0);
	look("iptables-legacy -S | grep -c warren-wr0.4", "0\n");
	no_legacy();
}

/* Rules with several matches, more than any small buffer holds. */
static void a_long_table_is_read_whole(void **state)
{
	struct firewall_config want = router();
	struct firewall *f;

	if (!has_legacy())
		skip();
	look("(echo '*filter'; echo ':FORWARD DROP'; for i in $(seq 3000); do echo \"-A FORWARD -s 10.0.0.0/8 -p tcp -m tcp --dport $i -m conntrack "
	     "--ctstate NEW -m comment --comment n$i -j DROP\"; done; echo COMMIT) | iptables-legacy-restore",
		"");
	f = open_it();
	CHECK_INT(firewall_apply(f, &want), ==, 0);
	look("iptables-legacy -S FORWARD | sed -n 2,3p | grep -c warren-wr0", "2\n");
	firewall_close(f);
	look("iptables-legacy -S FORWARD | grep -c warren", "0\n");
	no_legacy();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(our_table_says_what_the_original_says),
		cmocka_unit_test(each_setting_changes_its_rule),
		cmocka_unit_test(chains_that_may_drop_let_us_through_and_are_as_before_afterwards),
		cmocka_unit_test(iptables_understands_what_is_in_its_chains),
		cmocka_unit_test(what_is_flushed_or_comes_later_gets_our_rules),
		cmocka_unit_test(an_unhooked_table_that_was_removed_comes_back),
		cmocka_unit_test(what_a_killed_process_left_goes),
		cmocka_unit_test(
			the_kill_switch_lets_through_what_a_machine_needs_and_stays_when_we_end),
		cmocka_unit_test(the_kill_switch_comes_back_when_it_is_flushed),
		cmocka_unit_test(a_look_at_ip_tables_makes_no_table_of_it),
		cmocka_unit_test(ip_tables_lets_us_through_and_is_as_before_afterwards),
		cmocka_unit_test(what_is_flushed_in_ip_tables_comes_back),
		cmocka_unit_test(what_a_killed_process_left_in_ip_tables_goes),
		cmocka_unit_test(where_the_program_is_missing_it_says_so),
		cmocka_unit_test(a_long_table_is_read_whole),
	};
	int rc;

	can = netns_enter();
	CHECK_INT(loop_new(&loop), ==, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return rc;
}
