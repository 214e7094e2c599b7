#include "testlib/policy_net.h"

#include <errno.h>

#define W \
	"[\"10.20.0.0/16\",\"100.64.0.0-100.115.91.255\",\"100.115.94.0-100.127.255.255\",\"fd7a:115c:a1e0::/48\"]"
#define ANY "\"Ports\":{\"First\":0,\"Last\":65535}"
#define EVERYONE 0x3feu

static void star_is_the_tailnet_and_its_routes_not_the_world(void **state)
{
	(void)state;
	load(HEAD "\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}");
	for (int i = ANA1; i <= CAT1; i++) {
		CHECK_STR(filter(i), "[{\"SrcIPs\":" W ",\"DstPorts\":[{\"IP\":\"*\"," ANY "}]}]");
		CHECK_INT(peers(i), ==, EVERYONE & ~(1u << i));
	}
}

static void no_rules_at_all_is_open_and_an_empty_list_is_closed(void **state)
{
	(void)state;
	load("");
	CHECK_STR(filter(WEB1), "[{\"SrcIPs\":" W ",\"DstPorts\":[{\"IP\":\"*\"," ANY "}]}]");
	load("{\"acls\": []}");
	CHECK_STR(filter(WEB1), "[]");
	CHECK_INT(peers(WEB1), ==, 0);
}

static void a_node_gets_only_what_is_about_itself(void **state)
{
	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web:80,443\", \"tag:db:5432\"]}]}");
	CHECK_STR(filter(WEB1),
		"[{\"SrcIPs\":[\"100.64.0.1-100.64.0.3\",\"fd7a:115c:a1e0::1-fd7a:115c:a1e0::3\"],\"DstPorts\":["
		"{\"IP\":\"100.64.0.4\",\"Ports\":{\"First\":80,\"Last\":80}},{\"IP\":\"100.64.0.4\",\"Ports\":{\"First\":443,\"Last\":443}},"
		"{\"IP\":\"fd7a:115c:a1e0::4\",\"Ports\":{\"First\":80,\"Last\":80}},"
		"{\"IP\":\"fd7a:115c:a1e0::4\",\"Ports\":{\"First\":443,\"Last\":443}}]}]");
	CHECK_STR(filter(ANA1), "[]");
	CHECK_INT(peers(ANA1), ==, BITS2(WEB1, DB1));
	CHECK_INT(peers(WEB1), ==, BITS2(ANA1, ANA2) | 1u << BEN1);
	CHECK_INT(peers(CAT1), ==, 0);
}

static void both_routers_of_a_prefix_get_its_rules_whole(void **state)
{
	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"ana@corp.example\"], \"dst\": [\"printer:9100\"]}, "
		"{\"action\": \"accept\", \"proto\": \"icmp\", \"src\": [\"ana@corp.example\"], \"dst\": [\"printer:*\"]}]}");
	for (int i = GWA; i <= GWB; i++) {
		CHECK_STR(filter(i),
			"[{\"SrcIPs\":[\"100.64.0.1-100.64.0.2\",\"fd7a:115c:a1e0::1-fd7a:115c:a1e0::2\"],\"DstPorts\":["
			"{\"IP\":\"10.20.3.7\",\"Ports\":{\"First\":9100,\"Last\":9100}}]},"
			"{\"SrcIPs\":[\"100.64.0.1-100.64.0.2\",\"fd7a:115c:a1e0::1-fd7a:115c:a1e0::2\"],\"DstPorts\":["
			"{\"IP\":\"10.20.3.7\"," ANY "}],\"IPProto\":[1]}]");
		CHECK_INT(peers(i), ==, BITS2(ANA1, ANA2));
	}
}

static void self_is_the_devices_of_one_person(void **state)
{
	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:*\"]}]}");
	CHECK_STR(filter(ANA1),
		"[{\"SrcIPs\":[\"100.64.0.1-100.64.0.2\",\"fd7a:115c:a1e0::1-fd7a:115c:a1e0::2\"],\"DstPorts\":["
		"{\"IP\":\"100.64.0.1\"," ANY "},{\"IP\":\"fd7a:115c:a1e0::1\"," ANY "}]}]");
	CHECK_INT(peers(ANA1), ==, 1u << ANA2);
	CHECK_INT(peers(BEN1), ==, 0);
	CHECK_STR(filter(WEB1), "[]");
}

static void the_internet_is_reached_through_exit_nodes(void **state)
{
	struct policy_allowed a;
	struct arena mem;

	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"ben@corp.example\"], \"dst\": [\"autogroup:internet:443\"]}]}");
	CHECK_TRUE(strstr(filter(EXIT1),
		"{\"IP\":\"11.0.0.0-100.63.255.255\",\"Ports\":{\"First\":443,\"Last\":443}}"));
	CHECK_TRUE(strstr(filter(EXIT1), "2000::-3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
	CHECK_STR(filter(GWA), "[]");
	CHECK_INT(peers(BEN1), ==, 1u << EXIT1);
	arena_init(&mem, 1 << 16);
	CHECK_INT(policy_allowed(plan, BEN1, EXIT1, &mem, &a), ==, 0);
	CHECK_INT(a.n, ==, 4);
	CHECK_INT(a.n_primary, ==, 2);
	arena_fini(&mem);
}

static void ports_and_protocols_of_a_grant_are_rules_of_their_own(void **state)
{
	(void)state;
	load(HEAD
		"\"grants\": [{\"src\": [\"tag:web\"], \"dst\": [\"tag:db\"], \"ip\": [\"tcp:5432\", \"udp:53\", \"443\"]}]}");
	CHECK_STR(filter(DB1),
		"[{\"SrcIPs\":[\"100.64.0.4\",\"fd7a:115c:a1e0::4\"],\"DstPorts\":[{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":5432,"
		"\"Last\":5432}},{\"IP\":\"fd7a:115c:a1e0::5\",\"Ports\":{\"First\":5432,\"Last\":5432}}],\"IPProto\":[6]},"
		"{\"SrcIPs\":[\"100.64.0.4\",\"fd7a:115c:a1e0::4\"],\"DstPorts\":[{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":53,"
		"\"Last\":53}},{\"IP\":\"fd7a:115c:a1e0::5\",\"Ports\":{\"First\":53,\"Last\":53}}],\"IPProto\":[17]},"
		"{\"SrcIPs\":[\"100.64.0.4\",\"fd7a:115c:a1e0::4\"],\"DstPorts\":[{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":443,"
		"\"Last\":443}},{\"IP\":\"fd7a:115c:a1e0::5\",\"Ports\":{\"First\":443,\"Last\":443}}]}]");
}

static void a_shared_drive_tells_both_sides(void **state)
{
	struct policy_node_cap *caps;
	struct arena mem;
	size_t n;

	(void)state;
	load(HEAD "\"grants\": [{\"src\": [\"ana@corp.example\"], \"dst\": [\"tag:web\"], "
		  "\"app\": {\"tailscale.com/cap/drive\": [{\"shares\": [\"*\"]}]}}]}");
	CHECK_STR(filter(WEB1),
		"[{\"SrcIPs\":[\"100.64.0.1-100.64.0.2\",\"fd7a:115c:a1e0::1-fd7a:115c:a1e0::2\"],\"CapGrant\":["
		"{\"Dsts\":[\"100.64.0.4/32\",\"fd7a:115c:a1e0::4/128\"],\"CapMap\":"
		"{\"tailscale.com/cap/drive\":[{\"shares\":[\"*\"]}]}}]}]");
	CHECK_STR(filter(ANA2),
		"[{\"SrcIPs\":[\"100.64.0.4\",\"fd7a:115c:a1e0::4\"],\"CapGrant\":["
		"{\"Dsts\":[\"100.64.0.2/32\",\"fd7a:115c:a1e0::2/128\"],\"CapMap\":"
		"{\"tailscale.com/cap/drive-sharer\":null}}]}]");
	arena_init(&mem, 1 << 16);
	CHECK_INT(policy_peer_caps(plan, ANA1, WEB1, &mem, &caps, &n), ==, 0);
	CHECK_INT(n, ==, 1);
	CHECK_STR(caps[0].name, "tailscale.com/cap/drive");
	CHECK_STR(caps[0].values, "[{\"shares\":[\"*\"]}]");
	CHECK_INT(policy_peer_caps(plan, BEN1, WEB1, &mem, &caps, &n), ==, 0);
	CHECK_INT(n, ==, 0);
	arena_fini(&mem);
}

static void via_makes_the_named_routers_let_the_literal_prefix_in(void **state)
{
	(void)state;
	load(HEAD
		"\"grants\": [{\"src\": [\"ben@corp.example\"], \"dst\": [\"10.20.5.0/24\"], \"ip\": [\"*\"], \"via\": [\"tag:gw\"]}]}");
	for (int i = GWA; i <= GWB; i++)
		CHECK_STR(filter(i),
			"[{\"SrcIPs\":[\"100.64.0.3\",\"fd7a:115c:a1e0::3\"],\"DstPorts\":[{\"IP\":\"10.20.5.0/24\"," ANY
			"}]}]");
	CHECK_STR(filter(WEB1), "[]");
	CHECK_INT(peers(BEN1), ==, BITS2(GWA, GWB));
	CHECK_INT(router_for(BEN1, "10.20.0.0/16"), ==, GWA);
	CHECK_INT(router_for(CAT1, "10.20.0.0/16"), ==, 0);
}

static void ranges_literals_and_everybody_are_sources(void **state)
{
	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"lan\"], \"dst\": [\"tag:web:80\"]}]}");
	CHECK_TRUE(strstr(filter(WEB1), "\"SrcIPs\":[\"10.20.0.0/16\"]"));
	CHECK_INT(peers(WEB1), ==, BITS2(GWA, GWB));
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:danger-all\"], \"dst\": [\"tag:web:443\"]}]}");
	CHECK_TRUE(strstr(filter(WEB1), "\"SrcIPs\":[\"*\"]"));
	CHECK_INT(peers(WEB1), ==, EVERYONE & ~(1u << WEB1));
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"100.64.0.1\"], \"dst\": [\"100.64.0.4:22\"]}]}");
	CHECK_STR(filter(WEB1),
		"[{\"SrcIPs\":[\"100.64.0.1\"],\"DstPorts\":[{\"IP\":\"100.64.0.4\",\"Ports\":{\"First\":22,"
		"\"Last\":22}}]}]");
	CHECK_INT(peers(WEB1), ==, 1u << ANA1);
}

static void rules_of_one_source_become_one(void **state)
{
	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:web\"], \"dst\": [\"100.64.0.5:1\"]}, "
		"{\"action\": \"accept\", \"src\": [\"tag:web\"], \"dst\": [\"100.64.0.5:2\", \"100.64.0.5:1\"]}]}");
	CHECK_STR(filter(DB1),
		"[{\"SrcIPs\":[\"100.64.0.4\",\"fd7a:115c:a1e0::4\"],\"DstPorts\":["
		"{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":1,\"Last\":1}},{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":2,"
		"\"Last\":2}},{\"IP\":\"100.64.0.5\",\"Ports\":{\"First\":1,\"Last\":1}}]}]");
}

static void postures_ask_the_device(void **state)
{
	struct policy_attr attrs[] = { { "node:os", "linux" }, { "node:tsVersion", "1.80.10" } };
	struct policy_node d = node(ANA2, 1, NULL);

	(void)state;
	load(HEAD
		"\"postures\": {\"posture:new\": [\"node:os IN ['linux', 'macos']\", \"node:tsVersion >= '1.80.9'\"]}, "
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"tag:web:22\"], "
		"\"srcPosture\": [\"posture:new\"]}]}");
	CHECK_STR(filter(WEB1), "[]");
	d.attrs = attrs;
	d.n_attrs = 2;
	CHECK_INT(policy_node_put(directory, &d), ==, 0);
	CHECK_TRUE(strstr(filter(WEB1), "\"SrcIPs\":[\"100.64.0.2\",\"fd7a:115c:a1e0::2\"]"));
	CHECK_INT(peers(WEB1), ==, 1u << ANA2);
	attrs[1].value = "1.80.8";
	CHECK_INT(policy_node_put(directory, &d), ==, 0);
	CHECK_STR(filter(WEB1), "[]");
	CHECK_INT(policy_drain(directory, nobody, NULL), ==, 0);
}

/* ---- faults that the directory shows ---- */

static void a_name_of_two_people_is_refused_when_new_only(void **state)
{
	struct policy_user other = { .id = 7, .login = "ana@lab.example", .name = "ana" };
	const char *text =
		"{\"acls\": [{\"action\": \"accept\", \"src\": [\n\"ana@\"], \"dst\": [\"*:*\"]}]}";
	struct err_at at;

	(void)state;
	CHECK_INT(policy_user_put(directory, &other), ==, 0);
	CHECK_INT(compile(text, POLICY_NEW, &at), ==, -ERR_BAD_VALUE);
	CHECK_INT(at.line, ==, 2);
	CHECK_TRUE(strstr(at.text, "multiple users found: token \"ana\""));
	CHECK_INT(compile(text, POLICY_STORED, &at), ==, 0);
	policy_plan_free(plan);
}

static void foreign_domains_and_unknown_targets_are_refused(void **state)
{
	struct err_at at;

	(void)state;
	CHECK_INT(
		compile("{\"ssh\": [{\"action\": \"accept\", \"src\": [\"user:*@lab.example\"], \"users\": [\"x\"]}]}",
			POLICY_NEW, &at),
		==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "[ssh] lab.example is not associated with this Tailnet"));
	CHECK_INT(at.column, ==, 39);
	CHECK_INT(
		compile("{\"nodeAttrs\": [{\"target\": [\"gone@corp.example\"], \"attr\": [\"x\"]}]}",
			POLICY_NEW, &at),
		==, -ERR_BAD_VALUE);
	CHECK_TRUE(strstr(at.text, "user not found"));
	load("{\"acls\": [{\"action\": \"accept\", \"src\": [\"gone@corp.example\"], \"dst\": [\"*:*\"]}]}"); /* people leave */
	CHECK_STR(filter(WEB1), "[]");
}

static void the_running_policy_stays_when_a_new_one_is_bad(void **state)
{
	struct policy_plan *before;
	struct err_at at;

	(void)state;
	load("{\"acls\": []}");
	before = policy_installed(directory);
	CHECK_INT(compile("{\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:x\"]}]}",
			  POLICY_NEW, &at),
		<, 0);
	CHECK_TRUE(policy_installed(directory) == before);
	plan = before;
	CHECK_STR(filter(WEB1), "[]");
}

/* ---- questions ---- */

static void a_question_names_the_rule(void **state)
{
	struct policy_reach r;

	(void)state;
	load("{\"tagOwners\": {\"tag:web\": []},\n\"acls\": [\n{\"action\": \"accept\", \"src\": [\"ben@corp.example\"], \"dst\": "
	     "[\"tag:web:80\"]},\n{\"action\": \"accept\", \"src\": [\"ana@corp.example\"], \"dst\": [\"tag:web:22\"]}]}");
	policy_can_reach(plan, ipaddr_v4(100, 64, 0, 1), ipaddr_v4(100, 64, 0, 4), 6, 22, &r);
	CHECK_TRUE(r.allowed && !r.grant);
	CHECK_INT(r.index, ==, 1);
	CHECK_INT(r.line, ==, 4);
	policy_can_reach(plan, ipaddr_v4(100, 64, 0, 1), ipaddr_v4(100, 64, 0, 4), 6, 80, &r);
	CHECK_TRUE(!r.allowed);
	policy_can_reach(plan, ipaddr_v4(100, 64, 0, 1), ipaddr_v4(100, 64, 0, 4), 132, 22, &r);
	CHECK_TRUE(!r.allowed); /* SCTP wants a rule of its own */
}

struct failures {
	size_t n;
	char last[256];
	unsigned line;
	bool ssh;
};

static void note_failure(void *ctx, const struct policy_failure *f)
{
	struct failures *fs = ctx;

	fs->n++;
	fs->line = f->line;
	fs->ssh = f->ssh;
	snprintf(fs->last, sizeof(fs->last), "%s: %s", f->src, f->text);
}

static void tests_of_a_policy_are_run(void **state)
{
	static const char rules[] = HEAD
		"\n\"postures\": {\"posture:mac\": [\"node:os == 'macos'\"]},\n"
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web:22\"]},\n"
		"{\"action\": \"accept\", \"src\": [\"autogroup:member\"], \"dst\": [\"autogroup:self:*\"]},\n"
		"{\"action\": \"accept\", \"src\": [\"cat@lab.example\"], \"dst\": [\"tag:db:1\"], \"srcPosture\": [\"posture:mac\"]}],\n"
		"\"ssh\": [{\"action\": \"check\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web\"], \"users\": [\"deploy\"]}],\n";
	static const struct {
		const char *tests, *failure;
	} rows[] = {
		{ "\"tests\": [{\"src\": \"ana@corp.example\", \"accept\": [\"tag:web:22\"], \"deny\": [\"tag:web:23\", \"tag:db:22\"]}]",
			NULL },
		{ "\"tests\": [{\"src\": \"ana@corp.example\", \"accept\": [\"100.64.0.2:9\"]}]",
			NULL },
		{ "\"tests\": [{\"src\": \"cat@lab.example\", \"accept\": [\"tag:web:22\"]}]",
			"cat@lab.example: address \"tag:web:22\": want: Accept, got: Drop" },
		{ "\"tests\": [{\"src\": \"group:eng\", \"deny\": [\"tag:web:22\"]}]",
			"group:eng: address \"tag:web:22\": want: Drop, got: Accept" },
		{ "\"tests\": [{\"src\": \"ana@corp.example\", \"accept\": [\"tag:web:22,23\"]}]",
			"one port" },
		{ "\"tests\": [{\"src\": \"tag:nowhere\", \"accept\": [\"tag:web:22\"]}]",
			"no device" },
		{ "\"tests\": [{\"src\": \"ana@corp.example\"}]", "needs accept or deny" },
		{ "\"tests\": [{\"src\": \"cat@lab.example\", \"srcPostureAttrs\": {\"node:os\": \"macos\"}, \"accept\": [\"tag:db:1\"]}]",
			NULL },
		{ "\"tests\": [{\"src\": \"cat@lab.example\", \"accept\": [\"tag:db:1\"]}]",
			"want: Accept" },
		{ "\"sshTests\": [{\"src\": \"ana@corp.example\", \"dst\": [\"tag:web\"], \"check\": [\"deploy\"], \"deny\": [\"root\"]}]",
			NULL },
		{ "\"sshTests\": [{\"src\": \"ana@corp.example\", \"dst\": [\"tag:web\"], \"accept\": [\"root\"]}]",
			"user \"root\": want: accept, got: deny" },
		{ "\"sshTests\": [{\"src\": \"ana@corp.example\", \"dst\": [\"tag:gw\"], \"deny\": [\"deploy\"]}]",
			NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct failures fs = { 0 };
		char text[4096];
		int rc;

		snprintf(text, sizeof(text), "%s%s}", rules, rows[i].tests);
		load(text);
		rc = policy_test(plan, note_failure, &fs);
		CHECK_ROW("%s: %s", rows[i].tests, fs.last);
		CHECK_INT(rc, ==, rows[i].failure ? 1 : 0);
		if (rows[i].failure) {
			CHECK_TRUE(strstr(fs.last, rows[i].failure));
			CHECK_INT(fs.line, ==, 7);
		}
	}
}

static void note_change(void *ctx, const struct policy_change *c)
{
	struct policy_change *v = ctx;

	v[c->node] = *c;
}

static void a_preview_tells_what_would_change_for_whom(void **state)
{
	struct policy_change v[CAT1 + 1] = { 0 };
	struct policy_plan *now;
	struct err_at at;

	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web:22\"]}]}");
	now = plan;
	CHECK_INT(
		compile(HEAD
			"\"acls\": [{\"action\": \"accept\", \"src\": [\"ana@corp.example\"], \"dst\": [\"tag:web:22\", "
			"\"tag:db:22\"]}]}",
			POLICY_NEW, &at),
		==, 0);
	CHECK_INT(policy_preview(now, plan, note_change, v), ==, 0);
	CHECK_INT(v[BEN1].what, ==, POLICY_TOUCHED_PEER);
	CHECK_INT(v[BEN1].peers_lost, ==, 1);
	CHECK_INT(v[WEB1].what, ==, POLICY_TOUCHED_PEER | POLICY_TOUCHED_FILTER);
	CHECK_INT(v[DB1].peers_gained, ==, 2);
	CHECK_INT(v[ANA1].peers_gained, ==, 1);
	CHECK_INT(v[CAT1].what, ==, 0);
	policy_plan_free(plan);
}

/* ---- changes ---- */

static void note_told(void *ctx, int64_t id, unsigned what, int64_t peer)
{
	unsigned *told = ctx;

	(void)peer;
	told[id] |= what;
}

static void a_change_is_told_to_those_whom_it_concerns_and_no_others(void **state)
{
	unsigned told[CAT1 + 2] = { 0 };

	(void)state;
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web:22\"]}]}");
	CHECK_INT(policy_drain(directory, note_told, told), ==, 0);
	CHECK_INT(told[CAT1], ==, POLICY_TOUCHED_ALL);
	memset(told, 0, sizeof(told));
	put(node(CAT1 + 1, 2, NULL), NULL, 0); /* ben gets another device */
	CHECK_INT(policy_drain(directory, note_told, told), ==, 0);
	CHECK_INT(told[WEB1], ==, POLICY_TOUCHED_FILTER | POLICY_TOUCHED_PEER);
	CHECK_INT(told[ANA1] | told[BEN1] | told[DB1] | told[CAT1], ==, 0);
	CHECK_TRUE(strstr(filter(WEB1), "\"100.64.0.10\""));
	memset(told, 0, sizeof(told));
	put(node(CAT1 + 1, 2, NULL), NULL, 0); /* the same again */
	CHECK_INT(policy_drain(directory, note_told, told), ==, 0);
	CHECK_INT(told[WEB1], ==, 0);
}

static int count_part(void *ctx, uint64_t id, struct view bytes)
{
	uint64_t *shared = ctx;

	if (id) {
		CHECK_TRUE(bytes.len > 0);
		*shared = id;
	}
	return 0;
}

static void nodes_that_policy_treats_alike_share_one_text(void **state)
{
	uint64_t first = 0, second = 0;
	struct policy_stats stats;

	(void)state;
	for (int i = 20; i < 60; i++)
		put(node(2 * i, 1 + i % 2, NULL), NULL, 0);
	load(HEAD
		"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web:22\", \"tag:db:22\"]}]}");
	CHECK_INT(policy_filter_parts(plan, WEB1, count_part, &first), ==, 0);
	CHECK_INT(policy_filter_parts(plan, DB1, count_part, &second), ==, 0);
	CHECK_TRUE(first && first == second);
	policy_stats(plan, &stats);
	CHECK_INT(stats.nodes, ==, 49);
	CHECK_INT(stats.classes, ==, 6); /* eng, cat1, web, db, the two routers, exit */
}

static void what_cannot_be_is_refused(void **state)
{
	struct policy_node bad = node(0, 1, NULL);
	struct policy_user nobody_at_all = { .id = 0 };
	struct buf b;

	(void)state;
	CHECK_INT(policy_node_put(directory, &bad), ==, -ERR_BAD_VALUE);
	bad = node(1, 1, NULL);
	bad.n_routes = POLICY_ROUTES_MAX + 1;
	CHECK_INT(policy_node_put(directory, &bad), ==, -ERR_BAD_VALUE);
	CHECK_INT(policy_user_put(directory, &nobody_at_all), ==, -ERR_BAD_VALUE);
	CHECK_INT(policy_node_remove(directory, 77), ==, -ENOENT);
	CHECK_INT(policy_user_remove(directory, 77), ==, -ENOENT);
	load("");
	buf_init(&b, 16);
	CHECK_INT(policy_filter(plan, 77, &b), ==, -ENOENT);
	CHECK_INT(policy_filter(plan, WEB1, &b), ==, -ERR_TOO_BIG);
	CHECK_INT(buf_len(&b), ==, 0);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(star_is_the_tailnet_and_its_routes_not_the_world),
		T(no_rules_at_all_is_open_and_an_empty_list_is_closed),
		T(a_node_gets_only_what_is_about_itself),
		T(both_routers_of_a_prefix_get_its_rules_whole),
		T(self_is_the_devices_of_one_person),
		T(the_internet_is_reached_through_exit_nodes),
		T(ports_and_protocols_of_a_grant_are_rules_of_their_own),
		T(a_shared_drive_tells_both_sides),
		T(via_makes_the_named_routers_let_the_literal_prefix_in),
		T(ranges_literals_and_everybody_are_sources),
		T(rules_of_one_source_become_one),
		T(postures_ask_the_device),
		T(a_name_of_two_people_is_refused_when_new_only),
		T(foreign_domains_and_unknown_targets_are_refused),
		T(the_running_policy_stays_when_a_new_one_is_bad),
		T(a_question_names_the_rule),
		T(tests_of_a_policy_are_run),
		T(a_preview_tells_what_would_change_for_whom),
		T(a_change_is_told_to_those_whom_it_concerns_and_no_others),
		T(nodes_that_policy_treats_alike_share_one_text),
		T(what_cannot_be_is_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
