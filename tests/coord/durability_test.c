/* The server on a store that writes late, fails or is full: who waits, who does not, and that nobody hears of what a crash undoes. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <stdlib.h>

enum { STEPS = 1500, EVER_MAX = 4096 };

static void start(struct rig *w, size_t joined)
{
	rig_new(w, 11);
	for (size_t i = 0; i < joined; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
	}
	settle(w);
	store_mem_hold(w->store, true);
}

static void a_join_is_answered_and_told_when_it_is_durable(void **state)
{
	struct rig w;

	(void)state;
	start(&w, 2);
	ask_to_join(&w, &w.devices[2], false);
	pass(&w, SEC(30));
	CHECK_INT(answered, ==, 0);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 1);
	store_mem_write(w.store);
	turn(&w);
	CHECK_INT(answered, ==, 200);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 2);
	rig_free(&w);
}

static void a_reader_that_comes_meanwhile_waits_for_its_first_map(void **state)
{
	struct rig w;

	(void)state;
	start(&w, 3);
	hang_up(&w, &w.devices[2]);
	ask_to_join(&w, &w.devices[3], false);
	listen_to_map(&w, &w.devices[2]);
	pass(&w, SEC(5));
	CHECK_INT(w.devices[2].messages, ==, 1); /* before it hung up */
	store_mem_write(w.store);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[2].map), ==, 3);
	rig_free(&w);
}

static void keep_alives_go_on_before_a_message_that_waits(void **state)
{
	struct rig w;
	unsigned before;

	(void)state;
	start(&w, 2);
	before = w.devices[0].messages;
	ask_to_join(&w, &w.devices[2], false);
	pass(&w, 2 * COORD_KEEP_ALIVE + SEC(2));
	CHECK_INT(w.devices[0].messages, ==, before + 2);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 1);
	store_mem_write(w.store);
	settle(&w);
	CHECK_INT(w.devices[0].messages, >, before + 2);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 2);
	rig_free(&w);
}

static bool sees_online(const struct rig *w, const struct device *d, const struct device *other)
{
	const struct tc_node *n = netmap_peer(d->map, node_of(w, other)->id);

	return n && n->online == JSON_YES;
}

/* While nothing is promised: places and who is there need no disk. */
static void what_a_device_says_of_itself_is_told_at_once(void **state)
{
	struct rig w;
	unsigned before;

	(void)state;
	start(&w, 3);
	before = w.devices[0].messages;
	tell_place(&w, &w.devices[1]);
	settle(&w);
	CHECK_INT(w.devices[0].messages, ==, before + 1);
	CHECK_TRUE(sees_online(&w, &w.devices[0], &w.devices[2]));
	hang_up(&w, &w.devices[2]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	CHECK_TRUE(!sees_online(&w, &w.devices[0], &w.devices[2]));
	CHECK_TRUE(coord_store_settled(store_mem_store(w.store)));
	rig_free(&w);
}

static void turns_share_the_next_write(void **state)
{
	struct rig w;
	struct coord_store *s;
	uint64_t durable;

	(void)state;
	start(&w, 1);
	s = store_mem_store(w.store);
	durable = s->durable;
	for (size_t i = 1; i < 6; i++)
		ask_to_join(&w, &w.devices[i],
			false); /* the first one's is being written, the others' gather */
	store_mem_write(w.store);
	turn(&w);
	CHECK_INT(s->durable, ==, durable + 1);
	store_mem_write(w.store);
	turn(&w);
	CHECK_INT(s->durable, ==, durable + 2);
	CHECK_TRUE(coord_store_settled(s));
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 5);
	rig_free(&w);
}

static void a_late_failure_is_answered_as_an_error_and_told_to_nobody(void **state)
{
	struct rig w;

	(void)state;
	start(&w, 2);
	ask_to_join(&w, &w.devices[2], false);
	CHECK_INT(answered, ==, 0);
	store_mem_fail_commits(w.store);
	store_mem_write(w.store);
	CHECK_INT(coord_turn_end(w.tailnet, w.now), <, 0);
	CHECK_INT(answered, ==, 503);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 1);
	rig_free(&w);
}

static void a_full_store_refuses_joins_and_changes_and_keeps_the_streams(void **state)
{
	struct rig w;
	struct device *d;

	(void)state;
	start(&w, 2);
	store_mem_hold(w.store, false);
	store_mem_set_full(w.store, true);
	ask_to_join(&w, &w.devices[2], false);
	CHECK_INT(answered, ==, 503);
	d = &w.devices[0];
	d->routes = "[\"10.1.0.0/16\"]";
	tell_place(&w, d);
	CHECK_INT(answered, ==, 503);
	pass(&w, COORD_KEEP_ALIVE + SEC(1));
	CHECK_TRUE(d->poll && !d->ended);
	ask_to_join(&w, d, false);
	CHECK_INT(answered, ==, 200); /* it starts again, and needs no change */
	store_mem_set_full(w.store, false);
	join(&w, &w.devices[2], false);
	settle(&w);
	CHECK_INT(netmap_n_peers(d->map), ==, 2);
	rig_free(&w);
}

/* As full, but what a device says of itself is taken: it needs no promise. */
static void a_disk_that_refuses_keeps_nobody_from_its_map(void **state)
{
	struct rig w;
	struct device *d;
	size_t n;

	(void)state;
	start(&w, 2);
	store_mem_hold(w.store, false);
	store_mem_store(w.store)->refuses = "the disk is full\n";
	ask_to_join(&w, &w.devices[2], false);
	CHECK_INT(answered, ==, 503);
	d = &w.devices[0];
	d->routes = "[\"10.1.0.0/16\"]";
	n = netmap_n_peers(w.devices[1].map);
	tell_place(&w, d);
	CHECK_INT(answered, ==, 200);
	settle(&w);
	CHECK_TRUE(coord_store_settled(
		store_mem_store(w.store))); /* no route was approved, no name given */
	CHECK_INT(netmap_n_peers(w.devices[1].map), ==, n);
	store_mem_store(w.store)->refuses = NULL;
	CHECK_INT(coord_store_back(w.tailnet, w.now), ==, 0);
	join(&w, &w.devices[2], false);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[1].map), ==, 2);
	rig_free(&w);
}

/* Every identity that the server ever gave, and the batch that made it durable: itself, or one that came after it. */
struct ever {
	size_t n;
	struct {
		int64_t id;
		struct node_pub key;
		uint64_t batch;
	} v[EVER_MAX];
};

/* 0: was never given. */
static uint64_t batch_of(const struct ever *e, int64_t id, const struct node_pub *key)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->v[i].id == id && !memcmp(e->v[i].key.b, key->b, KEY_LEN))
			return e->v[i].batch;
	return 0;
}

static void note_given(struct ever *e, const struct rig *w)
{
	for (const struct coord_node_doc *n = NULL; (n = coord_node_next(w->tailnet, n));) {
		if (batch_of(e, n->id, &n->key))
			continue;
		CHECK_INT(e->n, <, EVER_MAX);
		e->v[e->n].id = n->id;
		e->v[e->n].key = n->key;
		e->v[e->n++].batch = store_mem_store(w->store)->promised;
	}
}

static void check_told(const struct rig *w, const struct ever *e)
{
	const struct tc_node
		*peers[DEVICES *
			3]; /* one machine may be a device of each person, and one with tags */

	for (size_t i = 0; i < DEVICES; i++) {
		const struct netmap *m = w->devices[i].map;

		CHECK_TRUE(!m || netmap_n_peers(m) <= ARRAY_LEN(peers));
		if (m)
			netmap_peers(m, peers);
		for (size_t k = 0; m && k < netmap_n_peers(m); k++) {
			uint64_t batch = batch_of(e, peers[k]->id, &peers[k]->key);

			CHECK_TRUE(batch && batch <= store_mem_store(w->store)->durable);
		}
	}
}

static void nobody_is_told_of_a_device_that_a_crash_would_undo(void **state)
{
	static struct ever ever;
	struct coord_store *s;
	struct rig w;

	(void)state;
	start(&w, 0);
	s = store_mem_store(w.store);
	for (int i = 0; i < STEPS; i++) {
		random_step(&w);
		note_given(&ever, &w);
		if (rng_below(&w.rng.rng, 5) == 0)
			store_mem_write(w.store);
		turn(&w);
		check_told(&w, &ever);
	}
	for (int i = 0; i < 3; i++) {
		store_mem_write(w.store);
		settle(&w);
	}
	CHECK_TRUE(coord_store_settled(s));
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_join_is_answered_and_told_when_it_is_durable),
		cmocka_unit_test(a_reader_that_comes_meanwhile_waits_for_its_first_map),
		cmocka_unit_test(keep_alives_go_on_before_a_message_that_waits),
		cmocka_unit_test(what_a_device_says_of_itself_is_told_at_once),
		cmocka_unit_test(turns_share_the_next_write),
		cmocka_unit_test(a_late_failure_is_answered_as_an_error_and_told_to_nobody),
		cmocka_unit_test(a_full_store_refuses_joins_and_changes_and_keeps_the_streams),
		cmocka_unit_test(a_disk_that_refuses_keeps_nobody_from_its_map),
		cmocka_unit_test(nobody_is_told_of_a_device_that_a_crash_would_undo),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
