/* testlib: a small network with a policy, for the tests of core/policy. */
#ifndef WARREN_TESTLIB_POLICY_NET_H
#define WARREN_TESTLIB_POLICY_NET_H

#include "core/policy/policy.h"
#include "testlib/check.h"

#include <stdio.h>

/*
 * 4.n is 100.64.0.n, 6.n is fd7a:115c:a1e0::n.
 *   ana1 1, ana2 2, ben1 3, web1 4 (tag:web), db1 5 (tag:db), gwa 6 and gwb 7
 * (tag:gw, 10.20.0.0/16), exit1 8 (tag:exit), cat1 9
 */
enum { ANA1 = 1, ANA2, BEN1, WEB1, DB1, GWA, GWB, EXIT1, CAT1 };

static struct policy_directory *directory;
static struct policy_plan *plan;
static struct buf out;

#define HEAD \
	"{\"groups\": {\"group:eng\": [\"ana@corp.example\", \"ben@corp.example\"]}, " \
	"\"hosts\": {\"lan\": \"10.20.0.0/16\", \"printer\": \"10.20.3.7\"}, " \
	"\"tagOwners\": {\"tag:web\": [\"group:eng\"], \"tag:db\": [\"tag:web\"], \"tag:gw\": [], \"tag:exit\": []}, "

static UNUSED struct ipprefix prefix(const char *s)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

static UNUSED struct policy_node node(int n, int64_t user, const char *const *tag)
{
	struct policy_node d = { .id = n, .user = user, .tags = tag, .n_tags = tag ? 1 : 0 };

	d.ip4 = ipaddr_v4(100, 64, 0, (uint8_t)n);
	d.ip6 = (struct ipaddr){ 6, { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, [15] = (uint8_t)n } };
	return d;
}

static UNUSED void put(struct policy_node d, const struct ipprefix *routes, size_t n)
{
	d.routes = routes;
	d.n_routes = n;
	CHECK_INT(policy_node_put(directory, &d), ==, 0);
}

static UNUSED const char *const web = "tag:web", *const db = "tag:db", *const gw = "tag:gw",
				*const exit_tag = "tag:exit";

static UNUSED int setup(void **state)
{
	static const char *const domain = "corp.example";
	static const char *const names[] = { "ana", "ben", "cat" };
	struct policy_cfg cfg = { .domains = &domain, .n_domains = 1 };
	struct ipprefix lan = prefix("10.20.0.0/16"),
			all[] = { prefix("0.0.0.0/0"), prefix("::/0") };

	(void)state;
	buf_init(&out, 1 << 20);
	CHECK_INT(policy_directory_new(&directory, &cfg), ==, 0);
	for (int i = 0; i < 3; i++) {
		char login[32];
		struct policy_user u = { .id = i + 1,
			.login = login,
			.name = names[i],
			.role = i == 0 ? POLICY_OWNER : POLICY_MEMBER };

		snprintf(login, sizeof(login), "%s@%s.example", names[i], i == 2 ? "lab" : "corp");
		CHECK_INT(policy_user_put(directory, &u), ==, 0);
	}
	put(node(ANA1, 1, NULL), NULL, 0);
	put(node(ANA2, 1, NULL), NULL, 0);
	put(node(BEN1, 2, NULL), NULL, 0);
	put(node(WEB1, 0, &web), NULL, 0);
	put(node(DB1, 0, &db), NULL, 0);
	put(node(GWA, 0, &gw), &lan, 1);
	put(node(GWB, 0, &gw), &lan, 1);
	put(node(EXIT1, 0, &exit_tag), all, 2);
	put(node(CAT1, 3, NULL), NULL, 0);
	return 0;
}

static UNUSED int teardown(void **state)
{
	(void)state;
	directory = policy_directory_free(directory);
	plan = NULL;
	buf_fini(&out);
	return 0;
}

static UNUSED int compile(const char *text, enum policy_origin origin, struct err_at *at)
{
	struct policy_doc *d;
	int rc;

	*at = (struct err_at){ 0 };
	rc = policy_doc_parse(&d, text, strlen(text), at);
	return rc < 0 ? rc : policy_plan_new(&plan, directory, d, origin, at);
}

static UNUSED void load(const char *text)
{
	struct err_at at;
	int rc = compile(text, POLICY_NEW, &at);

	CHECK_ROW("%s\n  %u:%u %s", text, at.line, at.column, at.text);
	CHECK_INT(rc, ==, 0);
	policy_install(directory, plan);
}

static UNUSED void nobody(void *ctx, int64_t id, unsigned what, int64_t peer)
{
	(void)ctx;
	(void)id;
	(void)what;
	(void)peer;
}

static UNUSED const char *filter(int64_t id)
{
	buf_clear(&out);
	CHECK_INT(policy_filter(plan, id, &out), ==, 0);
	return buf_cstr(&out);
}

static UNUSED int add_peer(void *ctx, int64_t id)
{
	unsigned *set = ctx;

	*set |= 1u << id;
	return 0;
}

/* Peers as a set of bits, which visibility must confirm. */
static UNUSED unsigned peers(int64_t id)
{
	unsigned set = 0;

	CHECK_INT(policy_peers(plan, id, add_peer, &set), ==, 0);
	for (int i = ANA1; i <= CAT1; i++)
		CHECK_INT(policy_visible(plan, id, i), ==, set >> i & 1);
	return set;
}

/* The peer through which the viewer reaches a route; 0: none. */
static UNUSED int64_t router_for(int64_t viewer, const char *route)
{
	struct ipprefix want = prefix(route);
	int64_t found = 0;

	for (int i = ANA1; i <= CAT1; i++) {
		struct policy_allowed a;
		struct arena mem;

		if (i == viewer || !policy_node_exists(directory, i))
			continue;
		arena_init(&mem, 1 << 16);
		CHECK_INT(policy_allowed(plan, viewer, i, &mem, &a), ==, 0);
		for (size_t k = a.n_addresses; k < a.n; k++)
			if (ipprefix_eq(a.v[k], want)) {
				CHECK_INT(found, ==, 0); /* one router at a time */
				found = i;
			}
		arena_fini(&mem);
	}
	return found;
}

#define BITS2(a, b) (1u << (a) | 1u << (b))

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
