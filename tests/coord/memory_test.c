/*
 * The nth allocation is refused while a tailnet lives on: nothing crashes, nothing leaks (under the sanitizers), the end of the turn says
 * that memory was short and does not blame the store, and the engine begins anew from what is stored.
 */
#include "testlib/check.h"
#include "testlib/memory.h"
#include "tests/coord/rig.h"

#include <errno.h>

static const char policy[] =
	"{\"acls\": [{\"action\": \"accept\", \"src\": [\"ann@warren.test\"], \"dst\": [\"bob@warren.test:443\"]}],"
	" \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"bob@warren.test\"]}}}";

static void check_rc(int rc)
{
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
}

/* What the end of the turn says. */
static int live_on(struct rig *w, const int64_t ids[static 4])
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
		struct rig w;
		int64_t ids[4];

		rig_new(&w, 1);
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
		rig_start(&w);
		settle(&w);
		rig_free(&w);
	}
	CHECK_TRUE(ended > 0);
}

static void key_for_one_device(struct rig *w, int64_t user, char text[static COORD_SECRET_TEXT_MAX])
{
	struct coord_key_spec spec = { .user = user, .preapproved = true };
	const struct coord_key *key;

	CHECK_INT(coord_key_create(w->tailnet, &spec, w->now, text, &key), ==, 0);
}

static void begin_anew(struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	coord_free(w->tailnet);
	store_mem_crash(w->store);
	rig_start(w);
}

/* With the old key when it has one: it comes back with a fresh one then. */
static int ask(struct rig *w, struct device *d, const struct node_pub *old, const char *auth_key)
{
	char key[KEY_TEXT_MAX], old_key[KEY_TEXT_MAX] = "", body[512];
	int len;

	if (old)
		key_format(KEY_NODE, old->b, old_key);
	len = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"OldNodeKey\":\"%s\",\"Auth\":{\"AuthKey\":\"%s\"},"
		"\"Hostinfo\":{\"Hostname\":\"%s\",\"OS\":\"linux\",\"RoutableIPs\":[\"10.1.0.0/16\"]}}",
		key_format(KEY_NODE, d->key.b, key), old_key, auth_key, d->hostname);
	answered = 0;
	coord_register(w->tailnet, &d->machine, view_of(body, (size_t)len), d, w->now);
	return coord_turn_end(w->tailnet, w->now);
}

static bool was_let_in(void)
{
	return answered == 200 && strstr(answer_text, "\"Error\":\"\"");
}

/* One that is in is so after a crash, too; and it is known to those who listen. */
static void check_is_in(struct rig *w, struct device *d, struct device *peer)
{
	const struct coord_key *key = NULL;
	int64_t id, used = 0;

	listen_to_map(w, peer);
	listen_to_map(w, d);
	settle(w);
	CHECK_TRUE(node_of(w, d) != NULL);
	id = node_of(w, d)->id;
	CHECK_TRUE(netmap_peer(peer->map, id) != NULL);
	CHECK_TRUE(memcmp(netmap_peer(peer->map, id)->key.b, d->key.b, KEY_LEN) == 0);
	begin_anew(w);
	CHECK_TRUE(node_of(w, d) != NULL);
	CHECK_INT(node_of(w, d)->id, ==, id);
	while ((key = coord_key_next(w->tailnet, key)))
		used += key->reusable ? 0 : key->used;
	CHECK_INT(used, ==, 1);
}

/*
 * It is in, or it is not; nothing of it stays behind that keeps it out, and a key that works once lets it in when it asks again. comes_back:
 * it was a member before, under another key and another name.
 */
static void joins_or_can_come_again(bool comes_back)
{
	size_t ended = 0, refused = 0;
	bool more = true;

	for (size_t n = 1; more; n++) {
		struct rig w;
		struct device *d, *peer;
		struct node_pub old;
		char key[COORD_SECRET_TEXT_MAX];
		int rc;

		rig_new(&w, 1);
		d = &w.devices[0];
		peer = &w.devices[1];
		old = d->key;
		if (comes_back)
			join(&w, d, false);
		if (comes_back)
			rng_fill(&w.rng.rng, d->key.b, KEY_LEN);
		d->hostname = "desk";
		join(&w, peer, false);
		key_for_one_device(&w, w.people[0], key);
		settle(&w);
		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		rc = ask(&w, d, comes_back ? &old : NULL, key);
		more = memory_allow();
		check_rc(rc);
		if (rc < 0) {
			ended++;
			CHECK_TRUE(!was_let_in());
			begin_anew(&w);
		}
		if (!was_let_in()) {
			refused++;
			CHECK_INT(ask(&w, d, comes_back ? &old : NULL, key), ==, 0);
			CHECK_TRUE(was_let_in());
		}
		check_is_in(&w, d, peer);
		rig_free(&w);
	}
	CHECK_TRUE(ended > 0 && refused > ended);
}

static void short_of_memory_a_device_joins_or_can_come_again(void **state)
{
	joins_or_can_come_again(false);
}

static void short_of_memory_a_device_comes_back_or_can_come_again(void **state)
{
	joins_or_can_come_again(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			short_of_memory_the_engine_ends_or_goes_on_and_the_store_is_not_blamed),
		cmocka_unit_test(short_of_memory_a_device_joins_or_can_come_again),
		cmocka_unit_test(short_of_memory_a_device_comes_back_or_can_come_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
