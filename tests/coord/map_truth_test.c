/*
 * The coordination server and the map that a device keeps, against each other, without a network
 * between: whatever happens to the tailnet in whatever order, the map of every device that listens is
 * the truth of the tailnet.
 */
#include "tests/coord/rig.h"
#include "testlib/check.h"

enum { STEPS = 400, SEEDS = 8 };

static void check_peer(const struct tc_node *p, const struct coord_node_doc *n)
{
	char name[512];

	CHECK_TRUE(p != NULL);
	snprintf(name, sizeof(name), "%s.warren.test.", n->name);
	CHECK_STR(p->name, name);
	CHECK_MEM(p->key.b, n->key.b, KEY_LEN);
	CHECK_MEM(p->disco_key.b, n->disco.b, KEY_LEN);
	CHECK_INT(p->online, ==, n->online);
	CHECK_INT(p->expired, ==, n->key_expired);
	CHECK_INT(p->key_expiry, ==, n->key_expiry);
	CHECK_INT(p->tags.n, ==, n->tags.n);
	CHECK_TRUE(p->hostinfo != NULL);
	if (n->key_expired) { /* where it is nobody is to know */
		CHECK_INT(p->home_derp, ==, 0);
		CHECK_INT(p->endpoints.n, ==, 0);
		return;
	}
	CHECK_INT(p->home_derp, ==, n->home_derp);
	CHECK_INT(p->endpoints.n, ==, n->endpoints.n);
	CHECK_TRUE(
		n->endpoints.n == 0 || json_same(&json_ipport_list, &p->endpoints, &n->endpoints));
}

static void check_map(const struct rig *w, const struct device *d)
{
	const struct coord_node_doc *self = node_of(w, d), *n = NULL;
	size_t known = 0;

	CHECK_TRUE(self && netmap_self(d->map));
	CHECK_INT(netmap_self(d->map)->id, ==, self->id);
	CHECK_INT(netmap_self(d->map)->expired, ==, self->key_expired);
	while ((n = coord_node_next(w->tailnet, n))) {
		const struct tc_node *p = netmap_peer(d->map, n->id);

		if (n->id == self->id || self->key_expired) { /* who has expired knows nobody */
			CHECK_TRUE(!p);
			continue;
		}
		known++;
		check_peer(p, n);
	}
	CHECK_INT(netmap_n_peers(d->map), ==, known); /* nobody who is gone */
}

static void check_truth(const struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		if (w->devices[i].poll)
			check_map(w, &w->devices[i]);
}

static void every_map_is_the_truth_after_any_changes(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct rig w;

		rig_new(&w, seed);
		for (int step = 0; step < STEPS; step++) {
			CHECK_ROW("seed %llu, step %d", (unsigned long long)seed, step);
			random_step(&w);
			if (step % 7 == 0) {
				settle(&w);
				check_truth(&w);
			}
		}
		rig_free(&w);
	}
}

static void what_was_answered_is_there_after_a_crash(void **state)
{
	struct rig w;
	size_t n = 0;

	(void)state;
	rig_new(&w, 99);
	for (size_t i = 0; i < DEVICES; i++)
		join(&w, &w.devices[i], false);
	coord_free(w.tailnet);
	store_mem_crash(w.store);
	rig_start(&w);
	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(w.tailnet, d));)
		n++;
	CHECK_INT(n, ==, DEVICES);
	for (size_t i = 0; i < DEVICES; i++) {
		CHECK_TRUE(node_of(&w, &w.devices[i]) != NULL);
		listen_to_map(&w, &w.devices[i]);
	}
	settle(&w);
	check_truth(&w);
	rig_free(&w);
}

static void a_commit_that_fails_is_answered_as_an_error(void **state)
{
	struct rig w;
	char key[KEY_TEXT_MAX], body[512];
	int n;

	(void)state;
	rig_new(&w, 7);
	CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
	store_mem_fail_commits(w.store);
	key_format(KEY_NODE, w.devices[0].key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},\"Hostinfo\":{}}",
		key, w.auth_keys[0]);
	answered = 0;
	coord_register(w.tailnet, &w.devices[0].machine, view_of(body, (size_t)n), NULL, w.now);
	CHECK_INT(answered, ==, 0); /* not before the commit */
	CHECK_INT(coord_turn_end(w.tailnet, w.now), <, 0);
	CHECK_INT(answered, ==, 503);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_map_is_the_truth_after_any_changes),
		cmocka_unit_test(what_was_answered_is_there_after_a_crash),
		cmocka_unit_test(a_commit_that_fails_is_answered_as_an_error),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
