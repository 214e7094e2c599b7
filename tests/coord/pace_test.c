/* One device's changes cost the others and the disk little, whatever it does; an honest one's are told at once, and the last word always. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <stdlib.h>

enum { LISTENER = 0, MOVER = 1 };

static void two_devices(struct rig *w)
{
	rig_new(w, 31);
	for (size_t i = 0; i < 2; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
	}
	settle(w);
	pass(w, SEC(60)); /* what that took is there again */
}

static int say(struct rig *w, const char *words)
{
	struct device *d = &w->devices[MOVER];
	char key[KEY_TEXT_MAX];
	struct map_session *none;
	struct buf b;

	buf_init(&b, 1 << 20);
	CHECK_INT(buf_printf(&b, "{\"Version\":113,\"NodeKey\":\"%s\",\"OmitPeers\":true,%s}",
			  key_format(KEY_NODE, d->key.b, key), words),
		==, 0);
	CHECK_INT(coord_map(w->tailnet, &d->machine, buf_view(&b), d, w->now, &none), ==, 1);
	buf_fini(&b);
	return answered;
}

static const struct tc_node *seen(const struct rig *w)
{
	return netmap_peer(w->devices[LISTENER].map, node_of(w, &w->devices[MOVER])->id);
}

static struct coord_stats stats(const struct rig *w)
{
	struct coord_stats s;

	coord_stats(w->tailnet, &s);
	return s;
}

static void a_device_that_moves_is_told_of_at_once(void **state)
{
	struct rig w;
	char words[256];

	(void)state;
	two_devices(&w);
	/* From network to network for an hour: each move is an address, another relay, and what the network is like. */
	for (int i = 0; i < 360; i++) {
		CHECK_ROW("move %d", i);
		snprintf(words, sizeof(words), "\"Endpoints\":[\"192.0.2.1:%d\"]", 1000 + i);
		CHECK_INT(say(&w, words), ==, 200);
		turn(&w);
		snprintf(words, sizeof(words),
			"\"Endpoints\":[\"192.0.2.1:%d\",\"198.51.100.7:%d\"],\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\","
			"\"NetInfo\":{\"PreferredDERP\":%d,\"DERPLatency\":{\"1-v4\":0.0%d1}}}",
			1000 + i, 2000 + i, i % 7 + 1, i);
		CHECK_INT(say(&w, words), ==, 200);
		pass(&w, MSEC(200));
		CHECK_INT(seen(&w)->home_derp, ==, i % 7 + 1);
		CHECK_INT(JSON_AT(seen(&w)->endpoints, struct ipport, 1)->port, ==, 2000 + i);
		pass(&w, SEC(10));
	}
	CHECK_INT(stats(&w).updates_held, ==, 0);
	rig_free(&w);
}

/* Seven times a second as much as a member can say, for two minutes. */
static void a_flood_is_told_at_the_pace_of_the_rest_and_its_last_word_in_the_end(void **state)
{
	struct coord_stats before, after;
	char big[2001] = "", words[4096];
	unsigned messages;
	struct rig w;

	(void)state;
	two_devices(&w);
	memset(big, 'A', sizeof(big) - 1);
	before = stats(&w);
	messages = w.devices[LISTENER].messages;
	for (int i = 0; i < 840; i++) {
		snprintf(words, sizeof(words),
			"\"Endpoints\":[\"192.0.2.1:%d\"],\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"os-%d\","
			"\"sshHostKeys\":[\"ssh-rsa %s\",\"ssh-dss %s%d\"]}",
			i + 1, i, big, big + 100, i);
		CHECK_INT(say(&w, words), ==, 200);
		pass(&w, MSEC(140));
	}
	after = stats(&w);
	CHECK_INT(after.updates_held - before.updates_held, >, 700);
	/* 64 KB at once and 1 KB a second, of documents of 4.7 KB; and keep-alives. */
	CHECK_INT(w.devices[LISTENER].messages - messages, <, 50);
	CHECK_INT(after.commits - before.commits, <, 50);
	CHECK_INT(after.waiting, ==, 1);
	pass(&w, SEC(30));
	CHECK_STR(seen(&w)->hostinfo->os, "os-839");
	CHECK_INT(JSON_AT(seen(&w)->endpoints, struct ipport, 0)->port, ==, 840);
	CHECK_STR(node_of(&w, &w.devices[MOVER])->hostinfo->os, "os-839");
	CHECK_INT(stats(&w).waiting, ==, 0);
	rig_free(&w);
}

static void small_changes_have_a_bound_too(void **state)
{
	struct coord_stats before;
	unsigned messages;
	char words[128];
	struct rig w;

	(void)state;
	two_devices(&w);
	before = stats(&w);
	messages = w.devices[LISTENER].messages;
	for (int i = 0; i < 600; i++) {
		snprintf(words, sizeof(words), "\"Endpoints\":[\"192.0.2.1:%d\"]", i + 1);
		CHECK_INT(say(&w, words), ==, 200);
		pass(&w, MSEC(100));
	}
	CHECK_INT(w.devices[LISTENER].messages - messages, <=, COORD_CHANGE_BURST + 32 + 2);
	CHECK_INT(stats(&w).commits, ==, before.commits); /* places are not worth a write */
	pass(&w, SEC(3));
	CHECK_INT(JSON_AT(seen(&w)->endpoints, struct ipport, 0)->port, ==, 600);
	rig_free(&w);
}

static void use_up_the_burst(struct rig *w)
{
	char words[128];

	for (int i = 0; i < COORD_CHANGE_BURST; i++) {
		snprintf(words, sizeof(words), "\"Endpoints\":[\"192.0.2.9:%d\"]", i + 1);
		CHECK_INT(say(w, words), ==, 200);
	}
	settle(w);
}

static void what_is_taken_back_is_not_told(void **state)
{
	unsigned messages;
	struct rig w;

	(void)state;
	two_devices(&w);
	use_up_the_burst(&w);
	messages = w.devices[LISTENER].messages;
	CHECK_INT(say(&w, "\"Endpoints\":[\"192.0.2.1:1\"]"), ==, 200);
	CHECK_INT(stats(&w).waiting, ==, 1);
	CHECK_INT(say(&w, "\"Endpoints\":[\"192.0.2.9:20\"]"), ==, 200); /* where it was */
	CHECK_INT(stats(&w).waiting, ==, 0);
	pass(&w, SEC(5));
	CHECK_INT(w.devices[LISTENER].messages, ==, messages);
	rig_free(&w);
}

/* What an administrator does meanwhile stays. What waits goes with its device. */
static void what_waits_is_only_what_the_device_says(void **state)
{
	static const char *const tags[] = { "tag:web" };
	struct rig w;
	int64_t id;

	(void)state;
	two_devices(&w);
	id = node_of(&w, &w.devices[MOVER])->id;
	use_up_the_burst(&w);
	CHECK_INT(
		say(&w, "\"Endpoints\":[\"192.0.2.1:1\"],\"Hostinfo\":{\"Hostname\":\"desk\",\"OS\":\"haiku\"}"),
		==, 200);
	CHECK_INT(say(&w, "\"Endpoints\":[\"192.0.2.1:2\"]"), ==, 200);
	CHECK_INT(coord_node_rename(w.tailnet, id, "named", w.now), ==, 0);
	CHECK_INT(coord_node_tag(w.tailnet, id, tags, 1, w.now), ==, 0);
	pass(&w, SEC(3));
	CHECK_STR(seen(&w)->name, "named.warren.test.");
	CHECK_INT(seen(&w)->tags.n, ==, 1);
	CHECK_STR(seen(&w)->hostinfo->os, "haiku");
	CHECK_INT(JSON_AT(seen(&w)->endpoints, struct ipport, 0)->port, ==, 2);
	use_up_the_burst(&w);
	CHECK_INT(say(&w, "\"Hostinfo\":{\"Hostname\":\"desk\",\"OS\":\"plan9\"}"), ==, 200);
	CHECK_INT(stats(&w).waiting, ==, 1);
	CHECK_INT(coord_node_delete(w.tailnet, id, w.now), ==, 0);
	CHECK_INT(stats(&w).waiting, ==, 0);
	pass(&w, SEC(3));
	/* And the whole of it with the server. */
	join(&w, &w.devices[MOVER], false);
	use_up_the_burst(&w);
	CHECK_INT(say(&w, "\"Endpoints\":[\"192.0.2.1:7\"]"), ==, 200);
	rig_free(&w);
}

/* A request for tags that waits for its turn lacks them from its turn on, and the device is told then. */
static void what_is_lacked_is_told_when_its_turn_comes(void **state)
{
	static const char asks[] =
		"\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"RequestTags\":[\"tag:x\"]}";
	struct rig w;

	(void)state;
	two_devices(&w);
	for (int waits = 0; waits < 2; waits++) {
		CHECK_ROW("waits %d", waits);
		if (waits)
			use_up_the_burst(&w);
		CHECK_INT(say(&w, asks), ==, 200);
		CHECK_INT(stats(&w).waiting, ==, waits);
		pass(&w, SEC(5));
		CHECK_INT(netmap_health(w.devices[MOVER].map)->n, ==, 1);
		CHECK_INT(say(&w, "\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\"}"), ==, 200);
		pass(&w, SEC(5));
		CHECK_INT(netmap_health(w.devices[MOVER].map)->n, ==, 0);
	}
	rig_free(&w);
}

static void what_the_network_is_like_concerns_nobody(void **state)
{
	struct coord_stats before;
	unsigned messages;
	char words[256];
	struct rig w;

	(void)state;
	two_devices(&w);
	CHECK_INT(
		say(&w, "\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"NetInfo\":{\"PreferredDERP\":1}}"),
		==, 200);
	settle(&w);
	before = stats(&w);
	messages = w.devices[LISTENER].messages;
	for (int i = 0; i < 10; i++) {
		snprintf(words, sizeof(words),
			"\"Endpoints\":[],\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"linux\",\"NetInfo\":{\"PreferredDERP\":1,"
			"\"DERPLatency\":{\"1-v4\":0.0%d}}}",
			i + 1);
		CHECK_INT(say(&w, words), ==, 200);
		pass(&w, SEC(1));
	}
	CHECK_INT(stats(&w).commits, ==, before.commits);
	CHECK_INT(w.devices[LISTENER].messages, ==, messages);
	rig_free(&w);
}

static int enroll(struct rig *w, bool new_key)
{
	ask_to_join(w, &w->devices[MOVER], new_key);
	return answered;
}

static void who_registers_all_the_time_is_told_to_come_later(void **state)
{
	struct coord_stats before;
	unsigned later = 0;
	struct node_pub kept;
	struct rig w;

	(void)state;
	two_devices(&w);
	before = stats(&w);
	for (int i = 0; i < 300; i++) { /* the same again: nothing is written */
		CHECK_INT(enroll(&w, false), ==, 200);
		turn(&w);
	}
	CHECK_INT(stats(&w).commits, ==, before.commits);
	for (int i = 0; i < 300; i++) {
		kept = w.devices[MOVER].key;
		if (enroll(&w, true) == 429) {
			CHECK_TRUE(answered_later >= 1 && answered_later <= COORD_RETRY_MAX);
			w.devices[MOVER].key = kept;
			later++;
		}
		turn(&w); /* 50 ms */
	}
	CHECK_INT(300 - later, <=, COORD_CHANGE_BURST + 15 / 2 + 1);
	CHECK_INT(stats(&w).paced_logins, ==, later);
	pass(&w, SEC(3));
	CHECK_INT(enroll(&w, true), ==, 200);
	listen_to_map(&w, &w.devices[MOVER]);
	settle(&w);
	CHECK_TRUE(seen(&w));
	rig_free(&w);
}

static void an_earlier_end_of_the_key_is_a_change(void **state)
{
	char key[KEY_TEXT_MAX], time[TIME_RFC3339_MAX], body[512];
	struct device *d;
	struct rig w;
	int later = 0;

	(void)state;
	two_devices(&w);
	d = &w.devices[MOVER];
	for (int i = 0; i < 100; i++) {
		time_format_rfc3339(w.now.wall + 86400000 - 1000 * (unix_ms)i, time);
		int n = snprintf(body, sizeof(body),
			"{\"Version\":113,\"NodeKey\":\"%s\",\"Expiry\":\"%s\",\"Hostinfo\":{}}",
			key_format(KEY_NODE, d->key.b, key), time);

		coord_register(w.tailnet, &d->machine, view_of(body, (size_t)n), d, w.now);
		CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
		later += answered == 429;
	}
	CHECK_INT(later, ==, 100 - COORD_CHANGE_BURST);
	rig_free(&w);
}

/* It comes and goes, each time long enough to be told of. */
static void who_comes_and_goes_counts_as_here_now_and_then(void **state)
{
	unsigned messages;
	struct rig w;

	(void)state;
	two_devices(&w);
	use_up_the_burst(&w);
	hang_up(&w, &w.devices[MOVER]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	CHECK_INT(seen(&w)->online, ==, JSON_NO);
	use_up_the_burst(&w);
	messages = w.devices[LISTENER].messages;
	listen_to_map(&w, &w.devices[MOVER]);
	settle(&w);
	CHECK_INT(seen(&w)->online, ==, JSON_NO);
	CHECK_INT(w.devices[LISTENER].messages, ==, messages);
	pass(&w, SEC(5)); /* it stays: it is here */
	CHECK_INT(seen(&w)->online, ==, JSON_YES);
	/* Gone again before its time has come: nobody hears of it. */
	hang_up(&w, &w.devices[MOVER]);
	pass(&w, COORD_OFFLINE_GRACE + SEC(1));
	use_up_the_burst(&w);
	for (int i = 0; stats(&w).waiting && i < 100; i++)
		turn(&w); /* what waited of that is paid */
	settle(&w);       /* and told */
	messages = w.devices[LISTENER].messages;
	listen_to_map(&w, &w.devices[MOVER]);
	turn(&w);
	CHECK_INT(stats(&w).waiting, ==, 1);
	hang_up(&w, &w.devices[MOVER]);
	pass(&w, SEC(12));
	CHECK_INT(w.devices[LISTENER].messages, ==, messages);
	rig_free(&w);
}

/* While the store takes nothing more, a change is refused, and what waits goes on waiting. */
static void a_full_store_delays_what_waits(void **state)
{
	struct rig w;

	(void)state;
	two_devices(&w);
	use_up_the_burst(&w);
	CHECK_INT(
		say(&w, "\"Endpoints\":[\"192.0.2.1:1\"],\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"haiku\"}"),
		==, 200);
	store_mem_set_full(w.store, true);
	CHECK_INT(say(&w, "\"Hostinfo\":{\"Hostname\":\"box\",\"OS\":\"other\"}"), ==, 503);
	pass(&w, SEC(5));
	CHECK_STR(seen(&w)->hostinfo->os, "linux");
	store_mem_set_full(w.store, false);
	pass(&w, SEC(2));
	CHECK_STR(seen(&w)->hostinfo->os, "haiku");
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_that_moves_is_told_of_at_once),
		cmocka_unit_test(
			a_flood_is_told_at_the_pace_of_the_rest_and_its_last_word_in_the_end),
		cmocka_unit_test(small_changes_have_a_bound_too),
		cmocka_unit_test(what_is_taken_back_is_not_told),
		cmocka_unit_test(what_waits_is_only_what_the_device_says),
		cmocka_unit_test(what_is_lacked_is_told_when_its_turn_comes),
		cmocka_unit_test(what_the_network_is_like_concerns_nobody),
		cmocka_unit_test(who_registers_all_the_time_is_told_to_come_later),
		cmocka_unit_test(an_earlier_end_of_the_key_is_a_change),
		cmocka_unit_test(who_comes_and_goes_counts_as_here_now_and_then),
		cmocka_unit_test(a_full_store_delays_what_waits),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
