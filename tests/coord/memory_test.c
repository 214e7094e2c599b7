/*
 * The nth allocation is refused while a tailnet lives on: nothing crashes, nothing leaks (under the sanitizers), the end of the turn says
 * that memory was short and does not blame the store, and the engine begins anew from what is stored.
 */
#include "testlib/check.h"
#include "testlib/memory.h"
#include "tests/coord/tailnet.h"

#include <errno.h>

static const char policy[] =
	"{\"acls\": [{\"action\": \"accept\", \"src\": [\"ann@warren.test\"], \"dst\": [\"bob@warren.test:443\"]}],"
	" \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"bob@warren.test\"]}}}";

static void check_rc(int rc)
{
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
}

/* What the end of the turn says. */
static int live_on(struct world *w, const int64_t ids[static 4])
{
	struct err_at at;
	int rc;

	check_rc(coord_policy_set(w->tailnet, view_of(policy, sizeof(policy) - 1), "ann",
		COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, &at));
	check_rc(coord_node_expire(w->tailnet, ids[0], w->now));
	check_rc(coord_node_move(w->tailnet, ids[1], w->people[0], w->now));
	check_rc(coord_node_delete(w->tailnet, ids[2], w->now));
	w->now.mono += COORD_COALESCE;
	coord_tick(w->tailnet, w->now);
	rc = coord_turn_end(w->tailnet, w->now);
	check_rc(rc);
	return rc;
}

static void short_of_memory_the_engine_ends_or_goes_on_and_the_store_is_not_blamed(void **state)
{
	size_t ended = 0;
	bool more = true;

	(void)state;
	for (size_t n = 1; more; n++) {
		struct world w;
		int64_t ids[4];

		world_new(&w, 1);
		for (size_t i = 0; i < 4; i++) {
			w.devices[i].routes = "[\"10.1.0.0/16\"]";
			join(&w, &w.devices[i], false);
			listen_to_map(&w, &w.devices[i]);
			ids[i] = node_of(&w, &w.devices[i])->id;
		}
		settle(&w);
		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		ended += live_on(&w, ids) < 0;
		more = memory_allow();
		for (size_t i = 0; i < DEVICES; i++)
			hang_up(&w, &w.devices[i]);
		coord_free(w.tailnet);
		world_start(&w);
		settle(&w);
		world_free(&w);
	}
	CHECK_TRUE(ended > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			short_of_memory_the_engine_ends_or_goes_on_and_the_store_is_not_blamed),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
