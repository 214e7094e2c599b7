/*
 * The nth allocation is refused, for every n until nothing is refused any more: nothing crashes,
 * nothing leaks (under the sanitizers), and afterwards a plan can be made of the same directory.
 */
#include "testlib/memory.h"
#include "testlib/policy_net.h"

#include <errno.h>

static const char policy[] = HEAD
	"\"postures\": {\"posture:p\": [\"node:os == 'linux'\"]}, "
	"\"acls\": [{\"action\": \"accept\", \"src\": [\"group:eng\", \"*\"], \"dst\": [\"tag:web:80,443\", "
	"\"lan:22\", \"autogroup:self:*\"]}], "
	"\"grants\": [{\"src\": [\"autogroup:member\"], \"dst\": [\"tag:db\"], \"ip\": [\"tcp:1\"], "
	"\"app\": {\"tailscale.com/cap/drive\": [1]}, \"srcPosture\": [\"posture:p\"]}, "
	"{\"src\": [\"ben@corp.example\"], \"dst\": [\"10.20.5.0/24\"], \"ip\": [\"*\"], \"via\": "
	"[\"tag:gw\"]}], "
	"\"ssh\": [{\"action\": \"check\", \"src\": [\"group:eng\"], \"dst\": [\"tag:web\"], \"users\": "
	"[\"root\", \"localpart:*@corp.example\"]}], "
	"\"nodeAttrs\": [{\"target\": [\"*\"], \"attr\": [\"x\"]}], "
	"\"tests\": [{\"src\": \"group:eng\", \"accept\": [\"tag:web:80\"]}]}";

static void ignore_failure(void *ctx, const struct policy_failure *f)
{
	(void)ctx;
	(void)f;
}

static void ask(struct policy_plan *p, int64_t id)
{
	struct policy_allowed allowed;
	unsigned set = 0;
	struct arena a;
	struct buf b;
	int rc;

	buf_init(&b, 1 << 20);
	arena_init(&a, 1 << 20);
	rc = policy_filter(p, id, &b);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM || rc == -ENOENT);
	buf_clear(&b);
	rc = policy_ssh(p, id, "https://hub/x", &b);
	CHECK_TRUE(rc >= 0 || rc == -ENOMEM || rc == -ENOENT);
	rc = policy_peers(p, id, add_peer, &set);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM || rc == -ENOENT);
	rc = policy_allowed(p, ANA1, id, &a, &allowed);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM || rc == -ENOENT);
	arena_fini(&a);
	buf_fini(&b);
}

static int try_node(int n, int64_t user, const char *const *tag, const char *route)
{
	struct policy_node d = node(n, user, tag);
	struct ipprefix r;

	if (route) {
		r = prefix(route);
		d.routes = &r;
		d.n_routes = 1;
	}
	return policy_node_put(directory, &d);
}

/* 0: nothing was refused. */
static int live_through(void)
{
	struct policy_plan *p = NULL;
	struct policy_doc *d;
	struct err_at at;
	int rc = policy_doc_parse(&d, policy, sizeof(policy) - 1, &at), failed = rc;

	if (rc == 0)
		rc = policy_plan_new(&p, directory, d, POLICY_NEW, &at);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	if (rc < 0)
		return rc;
	policy_install(directory, p);
	for (int64_t id = ANA1; id <= CAT1; id++)
		ask(p, id);
	rc = policy_test(p, ignore_failure, NULL);
	CHECK_TRUE(rc >= 0 || rc == -ENOMEM);
	failed |= rc < 0;
	failed |= try_node(10, 2, NULL, NULL);
	failed |= try_node(BEN1, 2, NULL, "10.20.5.0/24");
	failed |= try_node(WEB1, 0, &db, NULL);
	failed |= policy_node_remove(directory, GWA);
	failed |= policy_drain(directory, nobody, NULL);
	for (int64_t id = ANA1; id <= CAT1 + 1; id++)
		ask(p, id);
	return failed;
}

static void short_of_memory_nothing_crashes_and_the_plan_can_be_made_anew(void **state)
{
	size_t n = 1, refusals = 0;

	for (bool more = true; more; n++) {
		struct policy_plan *p;
		struct policy_doc *d;
		struct err_at at;

		CHECK_INT(setup(state), ==, 0);
		memory_refuse(n);
		(void)live_through();
		more = memory_allow();
		refusals += more;
		CHECK_INT(policy_doc_parse(&d, policy, sizeof(policy) - 1, &at), ==, 0);
		CHECK_INT(policy_plan_new(&p, directory, d, POLICY_NEW, &at), ==, 0);
		policy_install(directory, p);
		for (int64_t id = ANA1; id <= CAT1 + 1; id++)
			ask(p, id);
		teardown(state);
	}
	printf("# %zu allocations refused, one a run\n", refusals);
	CHECK_INT(refusals, >, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_nothing_crashes_and_the_plan_can_be_made_anew),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
