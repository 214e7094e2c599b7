/* Expired means out: what a device hears whose key has expired, what is heard of it, and that nothing brings the key back. */
#include "tests/coord/letin.h"
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>

enum { LIFE_MS = 3600 * 1000 };

static const struct coord_node_doc *doc_of(const struct rig *w, size_t i)
{
	return node_of(w, &w->devices[i]);
}

/* Devices 0 and 2 are ann's, 1 is bob's; all listen. */
static void three_devices(struct rig *w)
{
	rig_new(w, 5);
	for (size_t i = 0; i < 3; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
		tell_place(w, &w->devices[i]);
	}
	settle(w);
}

static void ask_register(struct rig *w, size_t i, const struct node_pub *key, const char *more)
{
	char text[KEY_TEXT_MAX], body[1024];
	int n;

	key_format(KEY_NODE, key->b, text);
	n = snprintf(body, sizeof(body),
		"{\"Version\":113,\"NodeKey\":\"%s\",\"Hostinfo\":{\"Hostname\":\"box\"}%s}", text,
		more);
	answered = 0;
	coord_register(w->tailnet, &w->devices[i].machine, view_of(body, (size_t)n), &w->devices[i],
		w->now);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
}

static const char *with_auth_key(const struct rig *w, size_t i)
{
	static char text[256];

	snprintf(text, sizeof(text), ",\"Auth\":{\"AuthKey\":\"%s\"}", w->auth_keys[i % 2]);
	return text;
}

static void is_told_expired(const char *file, int line)
{
	if (answered != 200 || !strstr(answer_text, "\"NodeKeyExpired\":true"))
		printf("# %s:%d: %d %s\n", file, line, answered, answer_text);
	CHECK_TRUE(answered == 200 && strstr(answer_text, "\"NodeKeyExpired\":true"));
	CHECK_TRUE(strstr(answer_text, "\"MachineAuthorized\":false") ||
		   !strstr(answer_text, "\"MachineAuthorized\":true"));
}
#define TOLD_EXPIRED() is_told_expired(__FILE__, __LINE__)

/* Its map says that it has expired, and nothing of others. */
static void knows_only_itself(const struct rig *w, size_t i)
{
	const struct device *d = &w->devices[i];
	const char *name;

	CHECK_TRUE(d->map && netmap_self(d->map));
	CHECK_TRUE(netmap_self(d->map)->expired);
	CHECK_INT(netmap_self(d->map)->key_expiry, ==, doc_of(w, i)->key_expiry);
	CHECK_INT(netmap_n_peers(d->map), ==, 0);
	for (size_t k = 0; k < netmap_n_filters(d->map); k++)
		CHECK_INT(netmap_filter(d->map, k, &name)->n, ==, 0);
}

static void others_see_it_expired(const struct rig *w, size_t i, bool expired)
{
	for (size_t k = 0; k < 3; k++) {
		const struct tc_node *p =
			k == i ? NULL : netmap_peer(w->devices[k].map, doc_of(w, i)->id);

		if (k == i)
			continue;
		CHECK_TRUE(p);
		CHECK_INT(p->expired, ==, expired);
		if (expired)
			CHECK_TRUE(p->endpoints.n == 0 && p->home_derp == 0 &&
				   p->allowed_ips.n == 2 && p->online == JSON_NO);
	}
	CHECK_INT(coord_is_member(w->tailnet, &w->devices[i].key, w->now.wall), ==, !expired);
}

static void expire_now(struct rig *w, size_t i)
{
	CHECK_INT(coord_node_expire(w->tailnet, doc_of(w, i)->id, w->now), ==, 0);
	settle(w);
}

/* The clocks go to the moment at which its key ends. */
static void go_to_end(struct rig *w, size_t i)
{
	unix_ms end = doc_of(w, i)->key_expiry;

	w->now.mono += MSEC(end - w->now.wall);
	w->now.wall = end;
}

static void give_life(struct rig *w, size_t i)
{
	CHECK_INT(coord_node_expire_at(w->tailnet, doc_of(w, i)->id, w->now.wall + LIFE_MS, w->now),
		==, 0);
	settle(w);
}

static void a_stream_that_is_open_ends_with_itself_at_that_moment(void **state)
{
	struct rig w;
	unsigned out = keys_out;

	(void)state;
	three_devices(&w);
	give_life(&w, 0);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 2);
	go_to_end(&w, 0);
	CHECK_TRUE(!coord_is_member(
		w.tailnet, &w.devices[0].key, w.now.wall)); /* before anything else has happened */
	CHECK_TRUE(coord_is_member(w.tailnet, &w.devices[0].key, w.now.wall - 1));
	settle(&w);
	knows_only_itself(&w, 0);
	others_see_it_expired(&w, 0, true);
	CHECK_INT(keys_out, ==, out + 1);
	CHECK_MEM(last_key_out.b, w.devices[0].key.b, KEY_LEN);
	rig_free(&w);
}

/* A policy that shows each only their own: its readers are told by other ways. */
static void so_it_is_under_a_policy(void **state)
{
	static const char text[] =
		"{\"acls\":[{\"action\":\"accept\",\"src\":[\"autogroup:member\"],\"dst\":[\"*:*\"]}],"
		"\"ssh\":[{\"action\":\"accept\",\"src\":[\"autogroup:member\"],\"dst\":[\"autogroup:self\"],\"users\":[\"root\"]}],"
		"\"nodeAttrs\":[{\"target\":[\"*\"],\"attr\":[\"secret-attr\"]}]}";
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_INT(coord_policy_set(w.tailnet, view_of(text, sizeof(text) - 1), "",
			  COORD_POLICY_ANY_VERSION, w.now, NULL, NULL, NULL),
		==, 0);
	settle(&w);
	CHECK_TRUE(json_map_find(&netmap_self(w.devices[0].map)->cap_map, "secret-attr"));
	CHECK_TRUE(strstr((const char *)netmap_ssh_policy(w.devices[0].map).p, "principals"));
	expire_now(&w, 0);
	knows_only_itself(&w, 0);
	others_see_it_expired(&w, 0, true);
	CHECK_TRUE(!json_map_find(&netmap_self(w.devices[0].map)->cap_map, "secret-attr"));
	CHECK_TRUE(
		!strstr(w.devices[0].frame, "principals") && !strstr(w.devices[0].frame, "bob@"));
	CHECK_TRUE(strstr(w.devices[0].frame, "\"DNSConfig\":{}"));
	listen_to_map(&w, &w.devices[0]); /* a new stream is told no more */
	settle(&w);
	knows_only_itself(&w, 0);
	join(&w, &w.devices[3], false); /* nor of what happens then */
	tell_place(&w, &w.devices[1]);
	CHECK_INT(coord_policy_set(w.tailnet, VIEW_LIT(""), "", COORD_POLICY_ANY_VERSION, w.now,
			  NULL, NULL, NULL),
		==, 0);
	settle(&w);
	knows_only_itself(&w, 0);
	rig_free(&w);
}

static void what_it_says_counts_for_nothing(void **state)
{
	struct coord_node_doc before;
	struct rig w;
	unsigned told;

	(void)state;
	three_devices(&w);
	expire_now(&w, 0);
	before = *doc_of(&w, 0);
	told = w.devices[1].messages;
	w.devices[0].hostname = "renamed-by-itself";
	tell_place(&w, &w.devices[0]);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_INT(w.devices[1].messages, ==, told);
	CHECK_INT(doc_of(&w, 0)->home_derp, ==, before.home_derp);
	CHECK_STR(doc_of(&w, 0)->name, "box");
	CHECK_TRUE(json_same(&json_ipport_list, &doc_of(&w, 0)->endpoints, &before.endpoints));
	rig_free(&w);
}

/* More time from an admin: the stream ends, so that the device comes at once and says where it is. */
static void an_admin_gives_it_more_time(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	expire_now(&w, 0);
	give_life(&w, 0);
	CHECK_TRUE(!w.devices[0].poll);
	others_see_it_expired(&w, 0, false);
	CHECK_INT(doc_of(&w, 0)->online, ==, JSON_YES); /* it has a moment for that */
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 2);
	CHECK_TRUE(!netmap_self(w.devices[0].map)->expired);
	rig_free(&w);
}

static void nothing_else_brings_the_key_back(void **state)
{
	struct node_pub fresh = { .b = { 7 } }, key;
	struct rig w;
	int64_t id;

	(void)state;
	three_devices(&w);
	key = w.devices[0].key;
	id = doc_of(&w, 0)->id;
	expire_now(&w, 0);
	ask_register(&w, 0, &key, "");
	TOLD_EXPIRED();
	ask_register(&w, 0, &key, with_auth_key(&w, 0));
	TOLD_EXPIRED();
	ask_register(&w, 0, &key, ",\"Followup\":\"http://hub.test/register/BCDF-GHJK\"");
	TOLD_EXPIRED();
	ask_register(&w, 0, &key, ",\"Expiry\":\"2100-01-01T00:00:00Z\"");
	TOLD_EXPIRED();
	ask_register(&w, 0, &key,
		",\"Expiry\":\"1970-01-01T00:02:03Z\""); /* logs out once more: nothing changes */
	TOLD_EXPIRED();
	w.now.wall -= 2 * LIFE_MS; /* the clock is set back */
	ask_register(&w, 0, &key, with_auth_key(&w, 0));
	TOLD_EXPIRED();
	CHECK_TRUE(!coord_is_member(w.tailnet, &key, w.now.wall));
	settle(&w);
	others_see_it_expired(&w, 0, true);
	ask_register(&w, 1, &key, with_auth_key(&w, 1)); /* another machine */
	CHECK_TRUE(strstr(answer_text, "belongs to another device"));
	CHECK_INT(coord_node_move(w.tailnet, id, w.people[1], w.now), ==,
		0); /* an admin's word, but none about time */
	settle(&w);
	others_see_it_expired(&w, 0, true);
	CHECK_INT(coord_node_move(w.tailnet, id, w.people[0], w.now), ==, 0);
	ask_register(&w, 0, &fresh, with_auth_key(&w, 0));
	CHECK_TRUE(!strstr(answer_text, "\"NodeKeyExpired\":true"));
	w.devices[0].key = fresh;
	settle(&w);
	CHECK_INT(doc_of(&w, 0)->id, ==, id);
	others_see_it_expired(&w, 0, false);
	rig_free(&w);
}

/* After the login with a fresh key the old one opens nothing, and the stream that it had has ended. */
static void a_former_key_is_told_so(void **state)
{
	struct node_pub old;
	struct rig w;

	(void)state;
	three_devices(&w);
	old = w.devices[0].key;
	expire_now(&w, 0);
	join(&w, &w.devices[0], true);
	settle(&w);
	CHECK_TRUE(!w.devices[0].poll); /* ended: nobody hears of others by the old key */
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	others_see_it_expired(&w, 0, false);
	CHECK_TRUE(!coord_is_member(w.tailnet, &old, w.now.wall));
	ask_register(&w, 0, &old, "");
	TOLD_EXPIRED();
	ask_register(&w, 0, &old, with_auth_key(&w, 0));
	TOLD_EXPIRED();
	/* It opens no map; the device's own stream goes on. */
	w.devices[4] = (struct device){
		.machine = w.devices[0].machine, .key = old, .routes = "[]", .hostname = "thief"
	};
	listen_to_map(&w, &w.devices[4]);
	CHECK_TRUE(!w.devices[4].poll && w.devices[0].poll);
	CHECK_INT(answered, ==, 404);
	rig_free(&w);
}

/* A rotation without an expiry leaves a key that is told so, too; of each device only the last few are known. */
static void former_keys_are_bounded(void **state)
{
	struct node_pub keys[COORD_FORMER_KEYS_MAX + 2];
	struct rig w;

	(void)state;
	three_devices(&w);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		keys[i] = w.devices[0].key;
		join(&w, &w.devices[0], true);
	}
	CHECK_INT(doc_of(&w, 0)->former_keys.n, ==, COORD_FORMER_KEYS_MAX);
	for (size_t i = 0; i < 3; i++)
		hang_up(&w, &w.devices[i]);
	coord_free(w.tailnet); /* they are kept */
	store_mem_crash(w.store);
	rig_start(&w);
	for (size_t i = 2; i < ARRAY_LEN(keys); i++) {
		ask_register(&w, 0, &keys[i], with_auth_key(&w, 0));
		TOLD_EXPIRED();
	}
	ask_register(&w, 0, &keys[0], "");
	CHECK_TRUE(strstr(answer_text, "\"AuthURL\":\"http"));
	rig_free(&w);
}

static void restart(struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	settle(w);
	coord_free(w->tailnet);
	rig_start(w);
}

/* Also when the clock of the hub's machine is wrong after its start. */
static void expiry_while_the_hub_was_down(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	give_life(&w, 0);
	restart(&w);
	w.now.wall += 2 * (unix_ms)LIFE_MS;
	for (size_t i = 0; i < 3; i++)
		listen_to_map(&w, &w.devices[i]);
	CHECK_TRUE(!coord_is_member(w.tailnet, &w.devices[0].key, w.now.wall));
	settle(&w);
	knows_only_itself(&w, 0);
	others_see_it_expired(&w, 0, true);
	restart(&w);
	w.now.wall -= (unix_ms)100 * 24 * LIFE_MS;
	for (size_t i = 0; i < 3; i++)
		listen_to_map(&w, &w.devices[i]);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 0);
	others_see_it_expired(&w, 0, true);
	ask_register(&w, 0, &w.devices[0].key, with_auth_key(&w, 0));
	TOLD_EXPIRED();
	rig_free(&w);
}

static void two_keys_of_one_machine(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	w.devices[1].machine = w.devices[3].machine = w.devices[0].machine;
	join(&w, &w.devices[3], false); /* bob's, on ann's machine */
	listen_to_map(&w, &w.devices[3]);
	settle(&w);
	expire_now(&w, 0);
	knows_only_itself(&w, 0);
	CHECK_TRUE(
		netmap_n_peers(w.devices[3].map) == 3 && !netmap_self(w.devices[3].map)->expired);
	listen_to_map(&w, &w.devices[0]); /* the machine has a good key, but this is not it */
	settle(&w);
	knows_only_itself(&w, 0);
	rig_free(&w);
}

static void one_map_without_a_stream(void **state)
{
	static const char *const more[] = { "\"Stream\":false", "\"ReadOnly\":true",
		"\"Stream\":true,\"ReadOnly\":true" };
	struct rig w;

	(void)state;
	three_devices(&w);
	hang_up(&w, &w.devices[0]);
	give_life(&w, 0);
	go_to_end(&w, 0);
	for (size_t i = 0; i < ARRAY_LEN(more); i++) {
		struct device *d = &w.devices[0];
		char key[KEY_TEXT_MAX], body[512];
		int n;

		hang_up(&w, d);
		key_format(KEY_NODE, d->key.b, key);
		n = snprintf(body, sizeof(body),
			"{\"Version\":113,\"NodeKey\":\"%s\",\"Compress\":\"zstd\",%s}", key,
			more[i]);
		CHECK_INT(coord_map(w.tailnet, &d->machine, view_of(body, (size_t)n), d, w.now,
				  &d->poll),
			==, 0);
		CHECK_INT(netmap_new(&d->map, &tailnet_map_ops, NULL, &w.rng.rng), ==, 0);
		turn(&w);
		CHECK_TRUE(strstr(d->frame, "\"Expired\":true") &&
			   strstr(d->frame, "\"Peers\":[]") && !strstr(d->frame, "bob@"));
	}
	rig_free(&w);
}

/* A login that waited, of a key that meanwhile joined by another way and expired. */
static void an_approval_brings_back_no_key(void **state)
{
	struct coord_pending_view p;
	struct node_pub key = { .b = { 9 } };
	struct rig w;
	char code[32];
	int64_t id;

	(void)state;
	three_devices(&w);
	ask_register(&w, 5, &key, "");
	CHECK_TRUE(coord_pending_next(w.tailnet, NULL, &p));
	snprintf(code, sizeof(code), "%s", p.code);
	ask_register(&w, 5, &key, with_auth_key(&w, 0));
	w.devices[5].key = key;
	expire_now(&w, 5);
	CHECK_INT(let_in(w.tailnet, code, w.people[0], w.now, &id), ==, -ERR_EXPIRED);
	CHECK_TRUE(!coord_pending_next(w.tailnet, NULL, &p));
	CHECK_TRUE(!coord_is_member(w.tailnet, &key, w.now.wall));
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_that_is_open_ends_with_itself_at_that_moment),
		cmocka_unit_test(so_it_is_under_a_policy),
		cmocka_unit_test(what_it_says_counts_for_nothing),
		cmocka_unit_test(an_admin_gives_it_more_time),
		cmocka_unit_test(nothing_else_brings_the_key_back),
		cmocka_unit_test(a_former_key_is_told_so),
		cmocka_unit_test(former_keys_are_bounded),
		cmocka_unit_test(expiry_while_the_hub_was_down),
		cmocka_unit_test(two_keys_of_one_machine),
		cmocka_unit_test(one_map_without_a_stream),
		cmocka_unit_test(an_approval_brings_back_no_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
