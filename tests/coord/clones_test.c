/* Two devices with one identity: how often each gets a map, what both are told, and when it is over. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

enum { A = 0, B = 5, WATCHER = 1 }; /* B is a copy of A */

static void listen_as(struct rig *w, size_t i, const char *handle)
{
	struct device *d = &w->devices[i];
	char key[KEY_TEXT_MAX], body[512];
	int n;

	hang_up(w, d);
	key_format(KEY_NODE, d->key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Stream\":true,\"Compress\":\"zstd\",\"ConnectionHandleForTest\":\"%s\"}",
		key, handle);
	answered = 0;
	if (coord_map(w->tailnet, &d->machine, view_of(body, (size_t)n), d, w->now, &d->poll) != 0)
		return;
	CHECK_INT(netmap_new(&d->map, &tailnet_map_ops, NULL, &w->rng.rng), ==, 0);
}

static void say_place(struct rig *w, size_t i, const char *handle, const char *endpoint)
{
	char key[KEY_TEXT_MAX], body[512];
	struct map_session *none;
	int n;

	key_format(KEY_NODE, w->devices[i].key.b, key);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"OmitPeers\":true,\"ConnectionHandleForTest\":\"%s\",\"Endpoints\":[\"%s\"]}",
		key, handle, endpoint);
	CHECK_INT(coord_map(w->tailnet, &w->devices[i].machine, view_of(body, (size_t)n),
			  &w->devices[i], w->now, &none),
		==, 1);
}

static uint64_t n_maps(const struct rig *w)
{
	struct coord_stats s;

	coord_stats(w->tailnet, &s);
	return s.maps;
}

static bool duplicate(const struct rig *w)
{
	struct coord_stats s;
	bool is = coord_node_duplicate(w->tailnet, node_of(w, &w->devices[A])->id);

	coord_stats(w->tailnet, &s);
	CHECK_INT(s.duplicates, ==, is);
	return is;
}

static void a_device_and_its_copy(struct rig *w)
{
	rig_new(w, 9);
	join(w, &w->devices[A], false);
	join(w, &w->devices[WATCHER], false);
	w->devices[B].machine = w->devices[A].machine;
	w->devices[B].key = w->devices[A].key;
	listen_as(w, WATCHER, "w");
	settle(w);
}

static bool n_health(const struct rig *w, size_t i)
{
	const struct json_list *h = w->devices[i].map ? netmap_health(w->devices[i].map) : NULL;

	return h && h->n == 1;
}

/* Each comes back as soon as its stream ends, as the worst of clients do. */
static void fight(struct rig *w, mono_ns span, unsigned told[2])
{
	for (mono_ns end = w->now.mono + span; w->now.mono < end; turn(w)) {
		if (!w->devices[A].poll)
			listen_as(w, A, "a");
		if (!w->devices[B].poll)
			listen_as(w, B, "b");
		told[0] += n_health(w, A);
		told[1] += n_health(w, B);
	}
}

static void copies_get_few_maps_and_both_are_told(void **state)
{
	unsigned told[2] = { 0 };
	struct rig w;
	uint64_t before;

	(void)state;
	a_device_and_its_copy(&w);
	before = n_maps(&w);
	fight(&w, SEC(40), told);
	CHECK_INT(n_maps(&w) - before, <=, 12);
	CHECK_TRUE(duplicate(&w) && told[0] && told[1]);
	before = n_maps(&w);
	fight(&w, SEC(300), told); /* as long as it lasts */
	CHECK_INT(n_maps(&w) - before, <=, 11);
	CHECK_TRUE(duplicate(&w));
	CHECK_TRUE(netmap_peer(w.devices[WATCHER].map, node_of(&w, &w.devices[A])->id)->online ==
		   JSON_YES);
	rig_free(&w);
}

static void who_does_not_have_the_stream_changes_nothing(void **state)
{
	unsigned told[2] = { 0 };
	const struct coord_node_doc *doc;
	struct rig w;
	size_t holder;

	(void)state;
	a_device_and_its_copy(&w);
	fight(&w, SEC(20), told);
	holder = w.devices[A].messages > 0 && w.devices[A].map && netmap_self(w.devices[A].map) ? A
												: B;
	say_place(&w, holder, holder == A ? "a" : "b", "192.0.2.1:1");
	say_place(&w, holder == A ? B : A, holder == A ? "b" : "a", "192.0.2.2:2");
	doc = node_of(&w, &w.devices[A]);
	CHECK_INT(doc->endpoints.n, ==, 1);
	CHECK_INT(JSON_AT(doc->endpoints, struct ipport, 0)->port, ==, 1);
	rig_free(&w);
}

static void it_is_over_when_one_is_gone(void **state)
{
	unsigned told[2] = { 0 };
	struct rig w;
	mono_ns t0;

	(void)state;
	a_device_and_its_copy(&w);
	fight(&w, SEC(40), told);
	hang_up(&w, &w.devices[A]);
	t0 = w.now.mono;
	while (!w.devices[B].poll || !w.devices[B].map || !netmap_self(w.devices[B].map)) {
		if (!w.devices[B].poll)
			listen_as(&w, B, "b");
		turn(&w);
	}
	CHECK_INT(w.now.mono - t0, <=, MSEC(200)); /* who waited has its turn */
	CHECK_TRUE(n_health(&w, B));
	pass(&w, SEC(61));
	CHECK_TRUE(!duplicate(&w) && !n_health(&w, B));
	CHECK_TRUE(w.devices[B].poll && !w.devices[B].ended);
	rig_free(&w);
}

static void restarts_and_roaming_are_no_copies(void **state)
{
	char handle[16];
	uint64_t before;
	struct rig w;

	(void)state;
	a_device_and_its_copy(&w);
	before = n_maps(&w);
	for (int i = 0; i < 40; i++) {
		size_t connection = i % 2 ? A : B; /* the old one still seems to live */

		snprintf(handle, sizeof(handle), "life-%d",
			MIN_OF(i, 20)); /* restarts; then another network, and back */
		listen_as(&w, connection, handle);
		turn(&w);
		CHECK_TRUE(netmap_self(w.devices[connection].map));
	}
	CHECK_TRUE(!duplicate(&w));
	CHECK_INT(n_maps(&w) - before, ==, 40);
	rig_free(&w);
}

static void a_crowd_of_copies_is_bounded(void **state)
{
	struct rig w;
	int refused = 0;

	(void)state;
	a_device_and_its_copy(&w);
	for (size_t i = B; i < DEVICES; i++) {
		w.devices[i].machine = w.devices[A].machine;
		w.devices[i].key = w.devices[A].key;
	}
	for (mono_ns end = w.now.mono + SEC(60); w.now.mono < end; turn(&w)) {
		for (size_t i = B; i < DEVICES; i++) {
			char handle[16];

			if (w.devices[i].poll)
				continue;
			snprintf(handle, sizeof(handle), "copy-%zu", i);
			listen_as(&w, i, handle);
			refused += answered == 429;
		}
	}
	CHECK_TRUE(duplicate(&w) && refused);
	CHECK_INT(coord_node_delete(w.tailnet, node_of(&w, &w.devices[A])->id, w.now), ==, 0);
	settle(&w);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies_get_few_maps_and_both_are_told),
		cmocka_unit_test(who_does_not_have_the_stream_changes_nothing),
		cmocka_unit_test(it_is_over_when_one_is_gone),
		cmocka_unit_test(restarts_and_roaming_are_no_copies),
		cmocka_unit_test(a_crowd_of_copies_is_bounded),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
