/* Who counts as online: devices that may take part and listen; what others are told of it, and when. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>

enum { LIFE_MS = 3600 * 1000, AT_ONCE = 200 }; /* AT_ONCE: ms, some turns */

static struct ipprefix prefix(const char *s)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

/* Devices 0 and 2 are ann's, 1 is bob's; all listen. */
static void three_devices(struct rig *w)
{
	rig_new(w, 5);
	for (size_t i = 0; i < 3; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
	}
	settle(w);
}

static int64_t id_of(const struct rig *w, size_t i)
{
	return node_of(w, &w->devices[i])->id;
}

static const struct tc_node *seen(const struct rig *w, size_t viewer, size_t peer)
{
	return netmap_peer(w->devices[viewer].map, id_of(w, peer));
}

static size_t n_online(const struct rig *w)
{
	struct coord_stats s;

	coord_stats(w->tailnet, &s);
	return s.online;
}

/* The hub's list, its count and what a peer was told say the same. */
static void check_online(const struct rig *w, size_t i, bool online, size_t count)
{
	CHECK_INT(node_of(w, &w->devices[i])->online == JSON_YES, ==, online);
	CHECK_INT(seen(w, 1, i)->online == JSON_YES, ==, online);
	CHECK_INT(n_online(w), ==, count);
}

/* Asks for a sooner expiry, as a device may. */
static void expire_in(struct rig *w, size_t i, unix_ms life)
{
	char key[KEY_TEXT_MAX], time[TIME_RFC3339_MAX], body[512];
	int n;

	key_format(KEY_NODE, w->devices[i].key.b, key);
	time_format_rfc3339(w->now.wall + life, time);
	n = snprintf(body, sizeof(body), "{\"Version\":113,\"NodeKey\":\"%s\",\"Expiry\":\"%s\"}",
		key, time);
	coord_register(w->tailnet, &w->devices[i].machine, view_of(body, (size_t)n), &w->devices[i],
		w->now);
	settle(w);
}

static void a_key_that_expires_ends_presence_at_that_moment(void **state)
{
	struct rig w;
	unix_ms end;

	(void)state;
	three_devices(&w);
	expire_in(&w, 0, LIFE_MS);
	end = node_of(&w, &w.devices[0])->key_expiry;
	CHECK_INT(end, >, w.now.wall);
	w.now.mono += MSEC(end - w.now.wall - 500);
	w.now.wall = end - 500;
	settle(&w);
	check_online(&w, 0, true, 3);
	while (w.now.wall < end + AT_ONCE)
		turn(&w);
	check_online(&w, 0, false, 2);
	CHECK_INT(seen(&w, 1, 0)->last_seen, >=, end);
	listen_to_map(
		&w, &w.devices[0]); /* who expired may listen, so that it hears of its return */
	settle(&w);
	check_online(&w, 0, false, 2);
	rig_free(&w);
}

static void the_end_of_a_key_is_looked_for_by_the_wall_clock(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	expire_in(&w, 0, LIFE_MS);
	w.now.wall += LIFE_MS; /* somebody set the clock */
	pass(&w, SEC(61));
	check_online(&w, 0, false, 2);
	rig_free(&w);
}

static void an_end_is_looked_for_after_a_restart(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	expire_in(&w, 0, 10000);
	for (size_t i = 0; i < 3; i++)
		hang_up(&w, &w.devices[i]);
	coord_free(w.tailnet);
	store_mem_crash(w.store);
	rig_start(&w);
	for (size_t i = 0; i < 3; i++)
		listen_to_map(&w, &w.devices[i]);
	settle(&w);
	check_online(&w, 0, true, 3);
	pass(&w, SEC(10));
	check_online(&w, 0, false, 2);
	rig_free(&w);
}

static void an_admins_word_and_a_logout_end_it_and_a_login_begins_it(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_INT(coord_node_expire(w.tailnet, id_of(&w, 0), w.now), ==, 0);
	settle(&w);
	check_online(&w, 0, false, 2);
	join(&w, &w.devices[0], true);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	check_online(&w, 0, true, 3);
	expire_in(&w, 0, -1000); /* a logout */
	check_online(&w, 0, false, 2);
	join(&w, &w.devices[0], true);
	settle(&w);
	check_online(&w, 0, true, 3);
	rig_free(&w);
}

static void a_longer_life_brings_it_back(void **state)
{
	static const char *const tags[] = { "tag:web" };
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_INT(coord_node_expire(w.tailnet, id_of(&w, 0), w.now), ==, 0);
	settle(&w);
	CHECK_INT(coord_node_tag(w.tailnet, id_of(&w, 0), tags, 1, w.now), ==,
		0); /* its key does not expire any more */
	settle(&w);
	check_online(&w, 0, true, 3);
	CHECK_INT(coord_node_expire(w.tailnet, id_of(&w, 2), w.now), ==, 0);
	settle(&w);
	check_online(&w, 2, false, 2);
	CHECK_INT(
		coord_node_expire_at(w.tailnet, id_of(&w, 2), w.now.wall + LIFE_MS, w.now), ==, 0);
	settle(&w);
	check_online(&w, 2, true, 3);
	rig_free(&w);
}

static void who_is_kept_apart_is_not_online(void **state)
{
	struct ipprefix own = prefix("10.0.0.0/8");
	struct rig w;

	(void)state;
	three_devices(&w);
	w.devices[0].routes = "[\"10.1.0.0/16\"]";
	tell_place(&w, &w.devices[0]);
	CHECK_INT(
		coord_protected_prefixes_set(w.tailnet, &own, 1, COORD_PROTECTED_QUARANTINE, w.now),
		==, 0);
	settle(&w);
	CHECK_TRUE(!seen(&w, 1, 0) && node_of(&w, &w.devices[0])->online != JSON_YES);
	CHECK_INT(n_online(&w), ==, 2);
	CHECK_INT(coord_route_approve(w.tailnet, id_of(&w, 0), prefix("10.1.0.0/16"), "bob", w.now),
		==, 0);
	settle(&w);
	check_online(&w, 0, true, 3);
	rig_free(&w);
}

static bool carries(const struct rig *w, size_t i)
{
	const struct tc_node *n = seen(w, 1, i);

	for (size_t k = 0; n && k < n->allowed_ips.n; k++)
		if (ipprefix_eq(
			    *JSON_AT(n->allowed_ips, struct ipprefix, k), prefix("10.1.0.0/16")))
			return true;
	return false;
}

static void a_routers_standby_takes_over_when_its_key_expires(void **state)
{
	struct rig w;
	unix_ms end;

	(void)state;
	three_devices(&w);
	for (size_t i = 0; i < 3; i += 2) {
		w.devices[i].routes = "[\"10.1.0.0/16\"]";
		tell_place(&w, &w.devices[i]);
		CHECK_INT(coord_route_approve(
				  w.tailnet, id_of(&w, i), prefix("10.1.0.0/16"), "bob", w.now),
			==, 0);
		settle(&w);
	}
	CHECK_TRUE(carries(&w, 0) && !carries(&w, 2));
	expire_in(&w, 0, LIFE_MS);
	end = node_of(&w, &w.devices[0])->key_expiry;
	w.now.mono += MSEC(end - w.now.wall);
	w.now.wall = end;
	while (w.now.wall < end + AT_ONCE)
		turn(&w);
	CHECK_TRUE(!carries(&w, 0) && carries(&w, 2));
	join(&w, &w.devices[0], true); /* who comes back stands by */
	settle(&w);
	CHECK_TRUE(!carries(&w, 0) && carries(&w, 2));
	check_online(&w, 0, true, 3);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_that_expires_ends_presence_at_that_moment),
		cmocka_unit_test(the_end_of_a_key_is_looked_for_by_the_wall_clock),
		cmocka_unit_test(an_end_is_looked_for_after_a_restart),
		cmocka_unit_test(an_admins_word_and_a_logout_end_it_and_a_login_begins_it),
		cmocka_unit_test(a_longer_life_brings_it_back),
		cmocka_unit_test(who_is_kept_apart_is_not_online),
		cmocka_unit_test(a_routers_standby_takes_over_when_its_key_expires),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
