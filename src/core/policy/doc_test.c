#include "core/policy/lang/doc.h"
#include "proto/tailcfg/tailcfg.h"
#include "testlib/check.h"

/* Parses; on a fault *at is filled. */
static int parse(const char *text, struct policy_doc **ret, struct err_at *at)
{
	*ret = NULL;
	*at = (struct err_at){ 0 };
	return policy_doc_parse(ret, text, strlen(text), at);
}

static void every_section_is_read_and_keeps_its_place(void **state)
{
	static const char text[] =
		"// a policy with everything\n"
		"{\n"
		"  \"Groups\": {\"group:dev\": [\"ann@corp.example\", \"bob@\"]},\n"
		"  \"hosts\": {\"lan\": \"10.20.0.5/16\", \"printer\": \"10.20.3.7\"},\n"
		"  \"ipsets\": {\"ipset:office\": [\"add lan\", \"remove 10.20.128.0/17\", \"192.168.7.7\"]},\n"
		"  \"tagOwners\": {\"tag:web\": [\"group:dev\"], \"tag:gw\": [\"tag:web\", \"autogroup:admin\"]},\n"
		"  \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:gw\"]}, \"exitNode\": [\"tag:gw\"],\n"
		"    \"services\": {\"svc:db\": [\"tag:web\"]}},\n"
		"  \"postures\": {\"posture:new\": [\"node:tsVersion >= '1.80'\", \"node:os IN ['linux', 'macos']\"]},\n"
		"  \"defaultSrcPosture\": [\"posture:new\"],\n"
		"  \"acls\": [{\"action\": \"accept\", \"proto\": \"TCP\", \"src\": [\"group:dev\"], \"dst\": [\"tag:web:80,443\", "
		"\"[fd7a::]/64:1-2\"], \"#note\": 1}],\n"
		"  \"grants\": [{\"src\": [\"*\"], \"dst\": [\"ipset:office\"], \"ip\": [\"tcp:22\", \"53\"], \"via\": [\"tag:gw\"],\n"
		"    \"app\": {\"example.com/cap/x\": [{\"a\": 1, /* c */ \"b\": [true,],}]}, \"srcPosture\": [\"posture:new\"]}],\n"
		"  \"ssh\": [{\"action\": \"check\", \"checkPeriod\": \"1h30m\", \"src\": [\"autogroup:member\"],\n"
		"    \"dst\": [\"autogroup:self\"], \"users\": [\"root\", \"localpart:*@corp.example\"], \"acceptEnv\": [\"LC_*\"]}],\n"
		"  \"nodeAttrs\": [{\"target\": [\"*\"], \"attr\": [\"funnel\"], \"ipPool\": [\"100.81.0.0/16\"]}],\n"
		"  \"attrConfig\": {\"custom:tier\": {\"type\": \"string\", \"allowSetByNode\": true}},\n"
		"  \"derpMap\": {\"OmitDefaultRegions\": true, \"regions\": {\"900\": null, \"7\": {\"RegionCode\": \"own\", \"Nodes\": "
		"[{\"HostName\": \"derp.corp.example\", \"STUNPort\": -1, \"ipv6\": \"none\"}]}}},\n"
		"  \"randomizeClientPort\": true, \"disableIPv4\": false, \"OneCGNATRoute\": \"mac-always\",\n"
		"  \"tests\": [{\"src\": \"ann@corp.example\", \"accept\": [\"tag:web:80\"], \"deny\": [\"printer:0\"]}],\n"
		"  \"sshTests\": [{\"src\": \"ann@corp.example\", \"dst\": [\"tag:web\"], \"deny\": [\"root\"]}],\n"
		"}\n";
	struct policy_doc *d;
	struct err_at at;
	int rc = parse(text, &d, &at);

	(void)state;
	CHECK_ROW("%u:%u %s", at.line, at.column, at.text);
	CHECK_INT(rc, ==, 0);
	CHECK_TRUE(
		d->derp_map.omit_default && d->derp_map.n == 2 && !d->derp_map.regions[0].region);
	CHECK_INT(d->derp_map.regions[1].region->id, ==, 7);
	CHECK_INT(JSON_AT(d->derp_map.regions[1].region->nodes, struct tc_derp_node, 0)->stun_port,
		==, -1);
	CHECK_INT(d->n_acls, ==, 1);
	CHECK_INT(d->acls[0].at.line, ==, 11);
	CHECK_INT(d->acls[0].proto, ==, 6);
	CHECK_INT(d->acls[0].dst[0].ports.n, ==, 2);
	CHECK_INT(d->acls[0].dst[1].term.prefix.bits, ==, 64);
	CHECK_INT(d->grants[0].n_ip, ==, 2);
	CHECK_INT(d->grants[0].ip[0].proto, ==, 6);
	CHECK_INT(d->grants[0].ip[1].proto, ==, PROTO_ANY);
	CHECK_STR(d->grants[0].app.v[0].values, "[{\"a\":1,\"b\":[true]}]");
	CHECK_INT(d->ipsets[0].n_prefixes, ==, 2);
	CHECK_INT(d->ipsets[0].prefixes[0].bits, ==, 17);
	CHECK_STR(d->groups[0].members.v[1].text, "bob");
	CHECK_INT(d->hosts[0].prefix.ip.b[3], ==, 0);
	CHECK_INT(d->ssh[0].period, ==, 5400);
	CHECK_STR(d->ssh[0].users[1].domain, "corp.example");
	CHECK_INT(d->postures[0].n_terms, ==, 2);
	CHECK_INT(d->tests[0].n_deny, ==, 1);
	CHECK_TRUE(d->tests[0].deny[0].fails);
	CHECK_TRUE(d->randomize_client_port);
	policy_doc_free(d);
}

static void absent_and_empty_lists_of_rules_are_two_things(void **state)
{
	struct policy_doc *d;
	struct err_at at;

	(void)state;
	CHECK_INT(parse("{\"ssh\": []}", &d, &at), ==, 0);
	CHECK_TRUE(!d->has_acls && !d->has_grants && d->has_ssh);
	policy_doc_free(d);
	CHECK_INT(parse("{\"acls\": []}", &d, &at), ==, 0);
	CHECK_TRUE(d->has_acls);
	policy_doc_free(d);
	CHECK_INT(parse("{\"acls\": null}", &d, &at), ==, 0);
	CHECK_TRUE(!d->has_acls);
	policy_doc_free(d);
	CHECK_INT(parse("", &d, &at), ==, 0);
	policy_doc_free(d);
}

/* One faulty policy per section and kind of fault. The fault is where the mark is: a line, and the
 * column of the character. */
static const struct {
	const char *text;
	unsigned line, column;
	const char *says; /* a part of the message */
} faults[] = {
	/* the text */
	{ "// nothing\n", 2, 1, "ends here" },
	{ "{\n  'acls': []}", 2, 3, "expected a name" },
	{ "{\n\"acls\": [}", 2, 10, "expected a value" },
	{ "[]", 1, 1, "an object with the sections" },
	{ "{\n \"acl\": []}", 2, 2, "unknown field: \"acl\"" },
	{ "{\"acls\": [],\n \"ACLs\": []}", 2, 2, "there twice" },
	/* acls */
	{ "{\"acls\": 1}", 1, 10, "must be an array" },
	{ "{\"acls\": [\n{\"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", 2, 1, "action is missing" },
	{ "{\"acls\": [{\"action\": \"deny\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}", 1, 22,
		"action=\"deny\" is not supported" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"tag:x\"], \"dst\": [\"*:*\"]}]}", 1, 40,
		"src=tag not found: \"tag:x\"" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"tag:x:1\"]}]}", 1, 54,
		"dst=\"tag:x\": tag not found: \"tag:x\"" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"host\"]}]}", 1, 54,
		"must contain a colon" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"autogroup:self\"]}]}",
		1, 54, "dst=\"autogroup:self\": port range \"self\": invalid first integer" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"[10.0.0.1]:22\"]}]}",
		1, 54, "square brackets" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:70000\"]}]}", 1, 54,
		"out of range" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:9-8\"]}]}", 1, 54,
		"greater than last" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:0\"]}]}", 1, 54,
		"first port must be >0" },
	{ "{\"acls\": [{\"action\": \"accept\", \"proto\": \"icmp\", \"src\": [\"*\"], \"dst\": [\"*:22\"]}]}",
		1, 71, "does not support specific ports" },
	{ "{\"acls\": [{\"action\": \"accept\", \"proto\": \"07\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}",
		1, 41, "leading 0" },
	{ "{\"acls\": [{\"action\": \"accept\", \"proto\": \"300\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}",
		1, 41, "out of range" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:self\"], \"dst\": [\"*:*\"]}]}",
		1, 40, "\"autogroup:self\" not valid on the src side of a rule" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"10.0.0.1\"], \"dst\": [\"autogroup:self:*\"]}]}",
		1, 40,
		"autogroup:self can only be used with users, groups, or supported autogroups" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"autogroup:danger-all:*\"]}]}",
		1, 54, "cannot use autogroup:danger-all as a dst" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"a:b\"], \"dst\": [\"*:*\"]}]}", 1, 40,
		"invalid alias format: \"a:b\"" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:x\"], \"dst\": [\"*:*\"]}]}",
		1, 40, "is not an autogroup" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"group:x\"], \"dst\": [\"*:*\"]}]}", 1,
		40, "group not defined" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"srv\"], \"dst\": [\"*:*\"]}]}", 1, 40,
		"host not defined" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [1], \"dst\": [\"*:*\"]}]}", 1, 40,
		"expected a string" },
	{ "{\"acls\": [{\"action\": \"accept\", \"sorce\": [\"*\"]}]}", 1, 32,
		"unknown field: \"sorce\"" },
	{ "{\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"], \"srcPosture\": [\"posture:x\"]}]}",
		1, 77, "posture not defined" },
	/* grants */
	{ "{\"grants\": [\n {\"src\": [\"*\"], \"dst\": [\"*\"]}]}", 2, 2,
		"ip and app can not both be empty" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"icmp\"]}]}", 1, 49,
		"port range \"icmp\": invalid first integer" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"tcp:1:2\"]}]}", 1, 49,
		"expected only one colon" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"TCP:1\"]}]}", 1, 49,
		"not known" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"0.0.0.0/0\"], \"ip\": [\"*\"]}]}", 1, 36,
		"dst \"0.0.0.0/0\": to allow all IP addresses, use \"*\" or \"autogroup:internet\"" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:self\"], \"ip\": [\"*\"]}]}", 1,
		22, "autogroup:self can only be used" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"autogroup:internet\"], \"app\": {\"a.b/c\": []}}]}",
		1, 36, "cannot use app grants with autogroup:internet" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"via\": [\"autogroup:tagged\"]}]}",
		1, 63, "via can only be a tag" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"], \"via\": [\"tag:x\"]}]}",
		1, 63, "tag \"tag:x\" not found" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"app\": {\"https://x/y\": [1]}}]}",
		1, 50, "capability name must have the form {domain}/{path}" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"app\": {\"tailscale.com/cap/funnel\": [1]}}]}",
		1, 50, "capability name must not be in the tailscale.com domain" },
	{ "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"app\": {\"a.b/c\": {}}}]}", 1, 59,
		"must be an array" },
	/* groups, hosts, ipsets, tags */
	{ "{\"groups\": {\"dev\": []}}", 1, 13, "must start with \"group:\"" },
	{ "{\"groups\": {\"group:a\": \"x@y\"}}", 1, 24, "must be an array of users" },
	{ "{\"groups\": {\"group:a\": [], \"group:b\": [\"group:a\"]}}", 1, 40,
		"groups[\"group:b\"]: \"group:a\": group members cannot be recursive" },
	{ "{\"groups\": {\"group:a\": [\"tag:x\"]}}", 1, 25, "username must contain @" },
	{ "{\"groups\": {\"group:a\": [],\n \"group:a\": []}}", 2, 2, "there twice" },
	{ "{\"hosts\": {\"a\": \"10.0.0\"}}", 1, 17, "invalid IP address" },
	{ "{\"hosts\": {\"a@b\": \"10.0.0.1\"}}", 1, 12, "has no @" },
	{ "{\"ipsets\": {\"ipset:a\": [\"add ipset:b\"], \"ipset:b\": [\"ipset:a\"]}}", 1, 53,
		"contains itself" },
	{ "{\"ipsets\": {\"ipset:a\": [\"tag:x\"]}}", 1, 25, "made of addresses" },
	{ "{\"tagOwners\": {\"tag:1x\": []}}", 1, 16,
		"tag names must start with a letter, after 'tag:'" },
	{ "{\"tagOwners\": {\"tag:a\": [\"tag:b\"]}}", 1, 26, "references undefined tag" },
	{ "{\"tagOwners\": {\"tag:a\": [\"10.0.0.1\"]}}", 1, 26, "cannot stand in tagOwners" },
	/* autoApprovers, nodeAttrs, postures, switches */
	{ "{\"autoApprovers\": {\"routes\": {\"10.0.0.0/33\": []}}}", 1, 31, "is not a CIDR" },
	{ "{\"autoApprovers\": {\"exitNode\": [\"tag:x\"]}}", 1, 33, "tag not found: \"tag:x\"" },
	{ "{\"autoApprovers\": {\"exits\": []}}", 1, 20, "unknown field" },
	{ "{\"nodeAttrs\": [{\"target\": [\"%bogus%\"], \"attr\": [\"x\"]}]}", 1, 28,
		"\"%bogus%\": invalid address" },
	{ "{\"nodeAttrs\": [{\"target\": [\"autogroup:self\"], \"attr\": [\"x\"]}]}", 1, 28,
		"cannot stand in" },
	{ "{\"nodeAttrs\": [{\"target\": [\"*\"], \"ipPool\": [\"100.100.100.0/24\"]}]}", 1, 45,
		"IPPool(100.100.100.0/24): network within reserved range" },
	{ "{\"nodeAttrs\": [{\"target\": [\"*\"], \"ipPool\": [\"10.0.0.0/8\"]}]}", 1, 45,
		"must lie within" },
	{ "{\"postures\": {\"posture:a\": [\"node:os = 'x'\"]}}", 1, 29, "expected ==" },
	{ "{\"postures\": {\"posture:a\": [\"node:os == 'x\"]}}", 1, 29, "never closed" },
	{ "{\"defaultSrcPosture\": [\"posture:a\"]}", 1, 24, "posture not defined" },
	{ "{\"attrConfig\": {\"custom:a\": {\"type\": \"float\"}}}", 1, 17, "type must be" },
	{ "{\"derpMap\": {\"regions\": {\"x\": null}}}", 1, 26, "is not the number of a region" },
	{ "{\"derpMap\": {\"regions\": {\"070\": null}}}", 1, 26, "is not the number of a region" },
	{ "{\"derpMap\": {\"regions\": {\"70000\": null}}}", 1, 26,
		"is not the number of a region" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {}}}}", 1, 31, "has no nodes" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {\"nodes\": [{}]}}}}", 1, 42, "no hostName" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {\"nodes\": [{\"hostName\": \"a b\"}]}}}}", 1, 55,
		"is not the name of a host" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {\"regionID\": 8, \"nodes\": [{\"hostName\": \"a\"}]}}}}",
		1, 31, "another number" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {\"nodes\": [{\"hostName\": \"a\", \"ipv4\": \"::1\"}]}}}}",
		1, 68, "such an address" },
	{ "{\"derpMap\": {\"regions\": {\"7\": {\"nodes\": [{\"hostName\": \"a\", \"derpPort\": 70000}]}}}}",
		1, 72, "a whole number from 0 to 65535" },
	{ "{\"randomizeClientPort\": 1}", 1, 25, "true or false" },
	{ "{\"OneCGNATRoute\": \"x\"}", 1, 19, "OneCGNATRoute" },
	/* ssh */
	{ "{\"ssh\": [{\"src\": [], \"dst\": [], \"users\": [\"root\"]}]}", 1, 10,
		"action must be specified" },
	{ "{\"ssh\": [{\"action\": \"Accept\", \"users\": [\"root\"]}]}", 1, 21,
		"\"Accept\" is not a valid action" },
	{ "{\"ssh\": [{\"action\": \"accept\", \"users\": null}]}", 1, 10,
		"users must be specified" },
	{ "{\"ssh\": [{\"action\": \"accept\", \"users\": [\"root\", \"*\"]}]}", 1, 49,
		"user \"*\" is not valid" },
	{ "{\"ssh\": [{\"action\": \"accept\", \"users\": [\"root\"], \"acceptEnv\": [\"\"]}]}", 1,
		64, "acceptEnv values cannot be empty" },
	{ "{\"ssh\": [{\"action\": \"check\", \"users\": [\"root\"], \"checkPeriod\": \"168h0m1s\"}]}",
		1, 64, "checkPeriod 168h0m1s is above the max (168h)" },
	{ "{\"ssh\": [{\"action\": \"check\", \"users\": [\"root\"], \"checkPeriod\": \"-1m\"}]}",
		1, 64, "checkPeriod -1m0s must be a positive duration" },
	{ "{\"ssh\": [{\"action\": \"check\", \"users\": [\"root\"], \"checkPeriod\": \"abc\"}]}",
		1, 64, "time: invalid duration \"abc\"" },
	{ "{\"hosts\": {\"srv\": \"100.64.0.1\"}, \"ssh\": [{\"action\": \"accept\", \"dst\": [\"srv\"], \"users\": [\"root\"]}]}",
		1, 71, "invalid dst \"srv\"" },
	{ "{\"tagOwners\": {\"tag:a\": []}, \"ssh\": [{\"action\": \"accept\", \"src\": [\"tag:a\"], \"dst\": [\"autogroup:self\"], "
	  "\"users\": [\"x\"]}]}",
		1, 85, "tags in SSH source cannot access user-owned devices" },
	{ "{\"ssh\": [{\"action\": \"accept\", \"src\": [\"a@x\"], \"dst\": [\"b@x\"], \"users\": [\"x\"]}]}",
		1, 55, "user destination requires source" },
	/* tests: a test that cannot be asked fails when it is run; what is no test at all is a
	   fault */
	{ "{\"tests\": [{\"src\": \"a@x\", \"acept\": []}]}", 1, 27, "unknown field: \"acept\"" },
	{ "{\"tests\": [{\"src\": \"a@x\", \"srcPostureAttrs\": {\"node:os\": []}}]}", 1, 58,
		"must be a string" },
	{ "{\"sshTests\": [{\"src\": \"a@x\", \"dst\": [\"autogroup:internet\"]}]}", 1, 38,
		"SSH tests dst contains disallowed element \"autogroup:internet\"" },
	{ "{\"sshTests\": [{\"src\": \"a@x\", \"dst\": [\"tag:a:22\"]}]}", 1, 38,
		"SSH tests dst contains unknown tag \"tag:a:22\"" },
};

static void a_fault_names_its_place_and_what_to_do(void **state)
{
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		struct policy_doc *d;
		struct err_at at;
		int rc;

		rc = parse(faults[i].text, &d, &at);
		CHECK_ROW("%s\n  %u:%u %s", faults[i].text, at.line, at.column, at.text);
		CHECK_INT(rc, <, 0);
		CHECK_INT(at.line, ==, faults[i].line);
		CHECK_INT(at.column, ==, faults[i].column);
		CHECK_TRUE(strstr(at.text, faults[i].says));
		n++;
	}
	printf("# %zu faulty policies, each refused with its place\n", n);
}

static void what_looks_wrong_but_is_legal_is_accepted(void **state)
{
	static const char *const texts[] = {
		"{\"groups\": {\"group:empty\": []}}",
		"{\"acls\": [{\"action\": \"accept\", \"src\": [], \"dst\": []}]}",
		"{\"acls\": [{\"action\": \"accept\", \"users\": [\"*\"], \"ports\": [\"*:*\"]}]}",
		"{\"acls\": [{\"action\": \"accept\", \"src\": [\" gone@corp.example \"], \"dst\": [\"0.0.0.0/0:*\"]}]}",
		"{\"tagOwners\": {\"tag:a\": [\"tag:b\"], \"tag:b\": [\"tag:a\"], \"tag:c\": [\"tag:c\"]}}",
		"{\"ssh\": [{\"action\": \" accept \", \"users\": [\"group:x\", \"tag:x\", \"autogroup:member\"], \"acceptEnv\": [\"**\"]}]}",
		"{\"ssh\": [{\"action\": \"check\", \"checkPeriod\": \"0s\", \"src\": null, \"users\": [\"localpart:*@\"]}]}",
		"{\"ssh\": [{\"action\": \"check\", \"checkPeriod\": \"168h\", \"users\": [\"root\"]}]}",
		"{\"nodeAttrs\": [{\"target\": [\"*\"]}]}",
		"{\"tests\": [{\"accept\": [\"tag:nowhere:1,2\"]}]}",
		"{\"grants\": [{\"src\": [\"autogroup:danger-all\"], \"dst\": [\"autogroup:members\"], \"ip\": [\"icmp:*\"]}]}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct policy_doc *d;
		struct err_at at;
		int rc = parse(texts[i], &d, &at);

		CHECK_ROW("%s\n  %u:%u %s", texts[i], at.line, at.column, at.text);
		CHECK_INT(rc, ==, 0);
		policy_doc_free(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_section_is_read_and_keeps_its_place),
		cmocka_unit_test(absent_and_empty_lists_of_rules_are_two_things),
		cmocka_unit_test(a_fault_names_its_place_and_what_to_do),
		cmocka_unit_test(what_looks_wrong_but_is_legal_is_accepted),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
