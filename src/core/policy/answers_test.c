/* Routes, tags, SSH and attributes. */
#include "testlib/policy_net.h"

/* ---- routes ---- */

static void set_state(int id, bool offline, bool unhealthy)
{
	struct ipprefix lan = prefix("10.20.0.0/16");
	struct policy_node d = node(id, 0, &gw);

	d.offline = offline;
	d.unhealthy = unhealthy;
	put(d, &lan, 1);
}

static void the_primary_stays_until_it_cannot(void **state)
{
	struct ipprefix lan = prefix("10.20.0.0/16");

	(void)state;
	put(node(CAT1, 0, &gw), &lan, 1); /* a third router */
	load("");
	CHECK_INT(policy_route_primary(plan, lan), ==, GWA);
	CHECK_INT(router_for(ANA1, "10.20.0.0/16"), ==, GWA);
	set_state(GWA, true, false);
	CHECK_INT(policy_route_primary(plan, lan), ==, GWB);
	set_state(GWA, false, false); /* back, but it does not take over */
	CHECK_INT(policy_route_primary(plan, lan), ==, GWB);
	set_state(GWB, false, true);
	CHECK_INT(policy_route_primary(plan, lan), ==, GWA);
	CHECK_INT(router_for(ANA1, "10.20.0.0/16"), ==, GWA);
	set_state(CAT1, false, true);
	set_state(GWA, false, true); /* all are ill: the present one goes on */
	CHECK_INT(policy_route_primary(plan, lan), ==, GWA);
	set_state(GWA, true, false); /* gone, and nobody healthy */
	CHECK_INT(policy_route_primary(plan, lan), ==, 0);
	CHECK_INT(policy_node_remove(directory, GWA), ==, 0);
	set_state(CAT1, false, false);
	CHECK_INT(policy_route_primary(plan, lan), ==, CAT1);
	CHECK_INT(policy_drain(directory, nobody, NULL), ==, 0);
}

static void a_new_policy_keeps_who_is_primary(void **state)
{
	struct ipprefix lan = prefix("10.20.0.0/16");

	(void)state;
	load("");
	policy_route_prefer(plan, lan, GWB);
	load(HEAD "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"lan:*\"]}]}");
	CHECK_INT(policy_route_primary(plan, lan), ==, GWB);
}

static void four_via_six_routes_are_routes_like_others(void **state)
{
	struct ipprefix via = prefix("fd7a:115c:a1e0:b1a:0:7:a01:0/112");

	(void)state;
	put(node(GWA, 0, &gw), &via, 1);
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"[fd7a:115c:a1e0:b1a:0:7:a01:0]/112:443\"]}]}");
	CHECK_TRUE(strstr(filter(GWA), "{\"IP\":\"fd7a:115c:a1e0:b1a:0:7:a01:0/112\""));
	CHECK_INT(router_for(ANA1, "fd7a:115c:a1e0:b1a:0:7:a01:0/112"), ==, GWA);
	CHECK_INT(peers(GWA), ==, BITS2(ANA1, ANA2) | 1u << BEN1);
}

static void approval_follows_the_longest_claim_and_exits_their_own_list(void **state)
{
	static const struct {
		const char *policy;
		int node;
		const char *route;
		bool want;
	} rows[] = {
		{ "{\"routes\": {\"10.0.0.0/8\": [\"tag:gw\"]}}", GWA, "10.20.0.0/16", true },
		{ "{\"routes\": {\"10.0.0.0/8\": [\"tag:gw\"]}}", GWA, "192.168.1.0/24", false },
		{ "{\"routes\": {\"10.20.0.0/16\": [\"tag:gw\"]}}", GWA, "10.0.0.0/8", false },
		{ "{\"routes\": {\"0.0.0.0/0\": [\"tag:exit\"]}, \"exitNode\": []}", EXIT1,
			"0.0.0.0/0", false },
		{ "{\"exitNode\": [\"tag:exit\"]}", EXIT1, "::/0", true },
		{ "{\"exitNode\": [\"tag:exit\"]}", EXIT1, "10.9.0.0/16", false },
		{ "{\"routes\": {\"0.0.0.0/0\": [\"tag:gw\"]}}", GWA, "10.20.0.0/16", true },
		{ "{\"routes\": {\"10.0.0.0/8\": [\"group:eng\"]}}", ANA1, "10.20.0.0/16", true },
		{ "{\"routes\": {\"10.0.0.0/8\": [\"group:eng\"]}}", CAT1, "10.20.0.0/16", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[1024];

		snprintf(text, sizeof(text), HEAD "\"autoApprovers\": %s}", rows[i].policy);
		load(text);
		CHECK_ROW("%s node %d route %s", rows[i].policy, rows[i].node, rows[i].route);
		CHECK_INT(policy_route_auto_approved(plan, rows[i].node, prefix(rows[i].route)), ==,
			rows[i].want);
	}
}

static void tags_belong_to_their_owners_through_other_tags_too(void **state)
{
	(void)state;
	load(HEAD "\"acls\": []}");
	CHECK_TRUE(policy_tag_allowed(plan, "tag:web", 1, 0)); /* ana through group:eng */
	CHECK_TRUE(policy_tag_allowed(plan, "tag:db", 1, 0));  /* tag:web owns it */
	CHECK_TRUE(!policy_tag_allowed(plan, "tag:web", 3, 0));
	CHECK_TRUE(!policy_tag_allowed(plan, "tag:gw", 1, 0)); /* no owner: administrators only */
	CHECK_TRUE(policy_tag_allowed(plan, "tag:db", 0, WEB1));
	CHECK_TRUE(!policy_tag_allowed(plan, "tag:nowhere", 1, 0));
	CHECK_TRUE(policy_tag_owned_by_tag(plan, "tag:db", "tag:web"));
	CHECK_TRUE(!policy_tag_owned_by_tag(plan, "tag:web", "tag:db"));
	load("{\"tagOwners\": {\"tag:a\": [\"tag:b\"], \"tag:b\": [\"tag:a\"]}}");
	CHECK_TRUE(!policy_tag_allowed(plan, "tag:a", 1, 0));
}

/* ---- ssh ---- */

#define ACCEPT \
	"\"action\":{\"accept\":true,\"allowAgentForwarding\":true,\"allowLocalPortForwarding\":true," \
	"\"allowRemotePortForwarding\":true}"
#define CHECK_ACTION "\"action\":{\"holdAndDelegate\":\"https://hub/x\"}"
#define ANA \
	"{\"nodeIP\":\"100.64.0.1\"},{\"nodeIP\":\"fd7a:115c:a1e0::1\"},{\"nodeIP\":\"100.64.0.2\"},{\"nodeIP\":\"fd7a:115c:a1e0::2\"}"
#define BEN "{\"nodeIP\":\"100.64.0.3\"},{\"nodeIP\":\"fd7a:115c:a1e0::3\"}"

static const char *ssh(int64_t id)
{
	buf_clear(&out);
	CHECK_INT(policy_ssh(plan, id, "https://hub/x", &out), ==, 0);
	return buf_cstr(&out);
}

static void ssh_rules_are_for_their_destination(void **state)
{
	int64_t period = 0;

	(void)state;
	load(HEAD
		"\"ssh\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web\"], "
		"\"users\": [\"autogroup:nonroot\", \"deploy\"]}]}");
	CHECK_STR(ssh(WEB1),
		"{\"rules\":[{\"principals\":[" ANA "," BEN
		"],\"sshUsers\":{\"*\":\"=\",\"root\":\"\",\"deploy\":\"deploy\"}," ACCEPT "}]}");
	CHECK_STR(ssh(DB1), "{\"rules\":[]}");
	CHECK_INT(policy_ssh_verdict(plan, ANA1, WEB1, "alice", &period), ==, POLICY_SSH_ACCEPT);
	CHECK_INT(policy_ssh_verdict(plan, ANA1, WEB1, "root", &period), ==, POLICY_SSH_NO);
	CHECK_INT(policy_ssh_verdict(plan, CAT1, WEB1, "alice", &period), ==, POLICY_SSH_NO);
	load("{\"acls\": []}");
	CHECK_INT(policy_ssh(plan, WEB1, "", &out), ==, 1);
}

static void a_check_asks_again_after_its_period(void **state)
{
	int64_t period = 0;

	(void)state;
	load(HEAD
		"\"ssh\": [{\"action\": \"check\", \"checkPeriod\": \"2h\", \"src\": [\"autogroup:member\"], "
		"\"dst\": [\"autogroup:self\"], \"users\": [\"root\", \"autogroup:nonroot\"]}]}");
	CHECK_STR(ssh(ANA2), "{\"rules\":[{\"principals\":[" ANA
			     "],\"sshUsers\":{\"*\":\"=\",\"root\":\"root\"}," CHECK_ACTION "}]}");
	CHECK_STR(ssh(WEB1), "{\"rules\":[]}");
	CHECK_INT(policy_ssh_verdict(plan, ANA1, ANA2, "root", &period), ==, POLICY_SSH_CHECK);
	CHECK_INT(period, ==, 7200);
	CHECK_INT(policy_ssh_verdict(plan, ANA1, BEN1, "root", &period), ==, POLICY_SSH_NO);
}

static void local_names_come_from_the_login(void **state)
{
	(void)state;
	load(HEAD
		"\"ssh\": [{\"action\": \"accept\", \"src\": [\"group:eng\", \"tag:db\"], \"dst\": [\"tag:web\"], "
		"\"users\": [\"localpart:*@corp.example\"]}]}");
	CHECK_STR(ssh(WEB1),
		"{\"rules\":[{\"principals\":[" ANA "],\"sshUsers\":{\"root\":\"\"}," ACCEPT "},"
		"{\"principals\":[" ANA "],\"sshUsers\":{\"ana\":\"ana\"}," ACCEPT "},"
		"{\"principals\":[" BEN "],\"sshUsers\":{\"root\":\"\"}," ACCEPT "},"
		"{\"principals\":[" BEN "],\"sshUsers\":{\"ben\":\"ben\"}," ACCEPT "},"
		"{\"principals\":[{\"nodeIP\":\"100.64.0.5\"},{\"nodeIP\":\"fd7a:115c:a1e0::5\"}],\"sshUsers\":{\"root\":\"\"}," ACCEPT
		"}]}");
	CHECK_STR(ssh(BEN1),
		"{\"rules\":[{\"principals\":[" BEN "],\"sshUsers\":{\"root\":\"\"}," ACCEPT "},"
		"{\"principals\":[" BEN "],\"sshUsers\":{\"ben\":\"ben\"}," ACCEPT "}]}");
}

static void checks_stand_before_accepts(void **state)
{
	(void)state;
	load(HEAD
		"\"ssh\": [{\"action\": \"accept\", \"src\": [\"ana@corp.example\"], \"dst\": [\"tag:web\"], \"users\": [\"root\"], "
		"\"acceptEnv\": [\"LC_*\"]}, {\"action\": \"check\", \"src\": [\"ben@corp.example\"], \"dst\": [\"tag:web\"], "
		"\"users\": [\"root\"]}]}");
	CHECK_STR(ssh(WEB1), "{\"rules\":[{\"principals\":[" BEN
			     "],\"sshUsers\":{\"root\":\"root\"}," CHECK_ACTION "},"
			     "{\"principals\":[" ANA "],\"sshUsers\":{\"root\":\"root\"}," ACCEPT
			     ",\"acceptEnv\":[\"LC_*\"]}]}");
}

/* ---- attributes ---- */

static void attributes_go_to_their_targets(void **state)
{
	struct policy_node_cap *caps;
	const struct ipprefix *pool;
	struct arena mem;
	size_t n;

	(void)state;
	load(HEAD
		"\"randomizeClientPort\": true, \"nodeAttrs\": [{\"target\": [\"autogroup:member\"], \"attr\": [\"funnel\"], "
		"\"app\": {\"example.com/a\": [1]}}, {\"target\": [\"group:eng\"], \"app\": {\"example.com/a\": [2]}, "
		"\"ipPool\": [\"100.81.0.0/16\"]}, {\"target\": [\"tag:web\"], \"attr\": [\"disable-ipv4\"]}]}");
	arena_init(&mem, 1 << 16);
	CHECK_INT(policy_node_caps(plan, ANA1, &mem, &caps, &n), ==, 0);
	CHECK_INT(n, ==, 4);
	CHECK_STR(caps[0].name, "example.com/a");
	CHECK_STR(caps[0].values, "[1,2]");
	CHECK_STR(caps[1].name, "funnel");
	CHECK_STR(caps[3].name, "randomize-client-port");
	CHECK_INT(policy_node_caps(plan, DB1, &mem, &caps, &n), ==, 0);
	CHECK_INT(n, ==, 1);
	CHECK_TRUE(policy_node_hides_ip4(plan, WEB1) && !policy_node_hides_ip4(plan, DB1));
	CHECK_INT(policy_node_pools(plan, BEN1, &pool, 1), ==, 1);
	CHECK_INT(pool->bits, ==, 16);
	CHECK_INT(policy_node_pools(plan, CAT1, &pool, 1), ==, 0);
	arena_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_primary_stays_until_it_cannot),
		T(a_new_policy_keeps_who_is_primary),
		T(four_via_six_routes_are_routes_like_others),
		T(approval_follows_the_longest_claim_and_exits_their_own_list),
		T(tags_belong_to_their_owners_through_other_tags_too),
		T(ssh_rules_are_for_their_destination),
		T(a_check_asks_again_after_its_period),
		T(local_names_come_from_the_login),
		T(checks_stand_before_accepts),
		T(attributes_go_to_their_targets),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
