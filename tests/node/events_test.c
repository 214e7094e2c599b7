/* The queue of what has happened: bounded, in order, and what says "look again" is in it once. */
#include "tests/node/testnet.h"

enum { MANY = 1500, ROOM = 1024 };

static struct testnet net; /* too large for a stack */

static void what_says_look_again_waits_once(void **state)
{
	struct dev *d = &net.dev[0];
	unsigned prefs;
	struct ipn_prefs p;

	(void)state;
	testnet_new(&net);
	testnet_join(&net, d, "anna");
	prefs = dev_events(d, NODE_PREFS);
	p = *node_prefs(d->a);
	for (int i = 0; i < 4; i++) {
		p.shields_up = !p.shields_up;
		dev_edit(d, IPN_PREF_SHIELDS_UP, &p);
	}
	CHECK_INT(dev_events(d, NODE_PREFS), ==, prefs + 1);
	dev_edit(d, IPN_PREF_SHIELDS_UP, &(struct ipn_prefs){ .shields_up = true });
	CHECK_INT(dev_events(d, NODE_PREFS), ==, prefs + 2);
	CHECK_INT(node_counters(d->a)->events_dropped, ==, 0);
	testnet_free(&net);
}

static void more_peers_than_there_is_room_for_are_counted_and_told(void **state)
{
	struct dev *d = &net.dev[0];
	struct buf json;

	(void)state;
	testnet_new(&net);
	testnet_join(&net, d, "anna");
	buf_init(&json, 1 << 20);
	CHECK_INT(buf_printf(&json, "{\"PeersChanged\":["), ==, 0);
	for (unsigned i = 0; i < MANY; i++)
		CHECK_INT(buf_printf(&json,
				  "%s{\"ID\":%u,\"StableID\":\"n%u\",\"Name\":\"p%u.test.\","
				  "\"Key\":\"nodekey:%064x\",\"Addresses\":[\"100.70.%u.%u/32\"]}",
				  i ? "," : "", 1000 + i, i, i, i + 1, i / 250, i % 250 + 1),
			==, 0);
	CHECK_INT(buf_append(&json, "]}", 3), ==, 0);
	testnet_say(&net, (const char *)buf_data(&json));
	buf_fini(&json);
	CHECK_INT(netmap_n_peers(node_netmap(d->a)), ==, MANY);
	CHECK_INT(dev_events(d, NODE_PEER_ADDED), ==, ROOM);
	CHECK_INT(dev_events(d, NODE_PEERS_LOST), ==, 1);
	CHECK_INT(node_counters(d->a)->events_dropped, ==, MANY - ROOM);
	testnet_say(&net, "{\"PeersRemoved\":[1000]}");
	CHECK_INT(dev_events(d, NODE_PEER_REMOVED), ==, 1);
	CHECK_INT(dev_events(d, NODE_PEERS_LOST), ==, 1);
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_says_look_again_waits_once),
		cmocka_unit_test(more_peers_than_there_is_room_for_are_counted_and_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
