/* Homes of devices and the regions that they are reached through. */
#include "tests/magicsock/rig.h"

#include "base/err/err.h"
#include "proto/disco/disco.h"

#include <errno.h>

static void peer_at_home_elsewhere_is_reached_through_its_own_region(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 5, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	node_start(b);
	magicsock_hint_home(b->magicsock, 2, rig_now(&w));
	rig_run(&w, SEC(5));
	CHECK_INT(magicsock_home(a->magicsock), ==, 1);
	CHECK_INT(magicsock_home(b->magicsock), ==, 2);
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 2));
	node_series(a, b, MSEC(100), SEC(3));
	CHECK_INT(node_lost(a), ==, 0);
	CHECK_INT(node_first_answer(a, 0) - a->sent_at[0], <=, MSEC(500));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 2));
	/* b answered on the connection that a opened, or in a's region; a's is closed when it is idle. */
	rig_run(&w, SEC(300));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 1));
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 2));
	rig_close(&w);
}

static void home_that_is_gone_is_left_for_another(void **state)
{
	struct rig w;
	struct node *a, *b;
	uint16_t from;

	rig_open(&w, 5, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	node_start(b);
	magicsock_hint_home(b->magicsock, 1, rig_now(&w));
	for (size_t i = 0; i < 2; i++)
		magicsock_set_hub_up(w.nodes[i].magicsock, true);
	rig_run(&w, SEC(2));
	node_series(a, b, MSEC(100), SEC(5));
	CHECK_INT(node_lost(a), ==, 0);
	relay_crash(&w.relays[0]); /* its power is cut: no stream ends */
	node_series(a, b, MSEC(100), SEC(8));
	CHECK_INT(magicsock_home(a->magicsock), ==, 2);
	CHECK_INT(magicsock_home(b->magicsock), ==, 2);
	from = a->next_seq;
	node_series(a, b, MSEC(100), SEC(2));
	rig_run(&w, SEC(1));
	for (size_t i = from; i < a->next_seq; i++)
		CHECK_TRUE(a->answered_at[i]);
	rig_close(&w);
}

static void peer_whose_home_is_not_known_yet_is_sought_in_ours(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 6, 1);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	w.hub_down = true;
	rig_run(&w, SEC(1));
	a->home = b->home = 0;
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

static void changed_map_moves_the_connections_that_it_changes(void **state)
{
	struct rig w;
	struct node *a, *b;

	rig_open(&w, 8, 2);
	a = node_add(&w, &vnat_hard, NULL);
	b = node_add(&w, &vnat_hard, NULL);
	node_start(a);
	node_start(b);
	magicsock_hint_home(a->magicsock, 1, rig_now(&w));
	rig_run(&w, SEC(2));
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), magicsock_home(a->magicsock)));
	w.derp.regions.n = 1;
	w.derp_pairs[0] = w.derp_pairs[1]; /* only region 2 is left */
	for (int i = 0; i < 2; i++) {
		CHECK_INT(
			magicsock_set_derp_map(w.nodes[i].magicsock, &w.derp, rig_now(&w)), ==, 0);
		node_after(&w.nodes[i]);
	}
	rig_run(&w, SEC(1));
	CHECK_INT(magicsock_home(a->magicsock), ==, 2);
	CHECK_TRUE(relays_is_ready(magicsock_relays(a->magicsock), 2));
	CHECK_TRUE(!relays_is_ready(magicsock_relays(a->magicsock), 1));
	node_series(a, b, MSEC(100), SEC(2));
	CHECK_TRUE(node_first_answer(a, 0) != MONO_NEVER);
	rig_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(peer_at_home_elsewhere_is_reached_through_its_own_region),
		cmocka_unit_test(home_that_is_gone_is_left_for_another),
		cmocka_unit_test(peer_whose_home_is_not_known_yet_is_sought_in_ours),
		cmocka_unit_test(changed_map_moves_the_connections_that_it_changes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
