/* What a policy, and what is said about routes, means to the devices of one tailnet. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>

static const char web_for_ann[] =
	"{\"tagOwners\": {\"tag:web\": [\"ann@warren.test\"]},\n"
	" \"acls\": [{\"action\": \"accept\", \"src\": [\"ann@warren.test\"], \"dst\": [\"tag:web:443\"]}],\n"
	" \"autoApprovers\": {\"routes\": {\"10.0.0.0/8\": [\"tag:web\"]}},\n"
	" \"nodeAttrs\": [{\"target\": [\"tag:web\"], \"attr\": [\"funnel\"]}],\n"
	" \"tests\": [{\"src\": \"ann@warren.test\", \"accept\": [\"tag:web:443\"], \"deny\": [\"tag:web:22\"]}]}";

static struct view text(const char *s)
{
	return view_of(s, strlen(s));
}

static void set_policy(struct rig *w, const char *s)
{
	struct err_at at = { 0 };

	CHECK_INT(coord_policy_set(w->tailnet, text(s), "ann", COORD_POLICY_ANY_VERSION, w->now,
			  NULL, NULL, &at),
		==, 0);
}

/* Devices 0 and 2 are ann's, 1 and 3 bob's; 4 is a web server. */
static void five_devices(struct rig *w)
{
	static const char *const tags[] = { "tag:web" };

	rig_new(w, 1);
	for (size_t i = 0; i < 5; i++) {
		join(w, &w->devices[i], false);
		CHECK_STR(strstr(answer_text, "\"Error\":\"\"") ? "" : answer_text, "");
		listen_to_map(w, &w->devices[i]);
	}
	CHECK_INT(
		coord_node_tag(w->tailnet, node_of(w, &w->devices[4])->id, tags, 1, w->now), ==, 0);
	settle(w);
}

static const struct tc_node *seen(const struct rig *w, size_t viewer, size_t peer)
{
	return netmap_peer(w->devices[viewer].map, node_of(w, &w->devices[peer])->id);
}

static size_t n_rules(const struct rig *w, size_t i)
{
	const char *name;

	CHECK_INT(netmap_n_filters(w->devices[i].map), ==, 1);
	return netmap_filter(w->devices[i].map, 0, &name)->n;
}

static struct ipprefix prefix(const char *s)
{
	struct ipprefix p;

	CHECK_INT(ipprefix_parse(s, strlen(s), &p), ==, 0);
	return p;
}

static bool reaches(const struct tc_node *peer, const char *s)
{
	for (size_t i = 0; peer && i < peer->allowed_ips.n; i++)
		if (ipprefix_eq(*JSON_AT(peer->allowed_ips, struct ipprefix, i), prefix(s)))
			return true;
	return false;
}

static void devices_see_whom_the_policy_shows_them_at_once(void **state)
{
	struct rig w;
	mono_ns t0;

	(void)state;
	five_devices(&w);
	CHECK_INT(netmap_n_peers(w.devices[1].map), ==, 4);
	set_policy(&w, web_for_ann);
	t0 = w.now.mono;
	while (netmap_n_peers(w.devices[1].map))
		turn(&w);
	CHECK_INT(w.now.mono - t0, <=, MSEC(100));
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 1);
	CHECK_TRUE(seen(&w, 0, 4) && seen(&w, 4, 0) && seen(&w, 4, 2) && !seen(&w, 4, 1));
	CHECK_INT(n_rules(&w, 0), ==, 0);
	CHECK_INT(n_rules(&w, 4), ==, 1);
	CHECK_TRUE(json_map_find(&netmap_self(w.devices[4].map)->cap_map, "funnel") != NULL);
	set_policy(&w, "{\"acls\": []}");
	settle(&w);
	for (size_t i = 0; i < 5; i++)
		CHECK_TRUE(netmap_n_peers(w.devices[i].map) == 0 && n_rules(&w, i) == 0);
	set_policy(&w, "");
	settle(&w);
	for (size_t i = 0; i < 5; i++)
		CHECK_TRUE(netmap_n_peers(w.devices[i].map) == 4 && n_rules(&w, i) == 1);
	rig_free(&w);
}

static void changes_of_who_is_not_seen_are_not_told(void **state)
{
	struct rig w;
	unsigned before;

	(void)state;
	five_devices(&w);
	set_policy(&w, web_for_ann);
	settle(&w);
	before = w.devices[1].messages;
	tell_place(&w, &w.devices[4]);
	settle(&w);
	CHECK_INT(w.devices[1].messages, ==, before);
	CHECK_INT(seen(&w, 0, 4)->home_derp, ==, node_of(&w, &w.devices[4])->home_derp);
	rig_free(&w);
}

static void count_failure(void *ctx, const struct policy_failure *f)
{
	CHECK_INT(f->line, >, 0);
	++*(int *)ctx;
}

static void refused_policies_leave_the_running_one(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned line;
	} rows[] = {
		{ "{\"acls\": [\n{\"action\": \"drop\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]}",
			-ERR_BAD_VALUE, 2 },
		{ "{\"acls\": [}", -ERR_BAD_FORMAT, 1 },
		{ "{\"acls\": [\n\n{\"action\": \"accept\", \"src\": [\"tag:none\"], \"dst\": [\"*:*\"]}]}",
			-ERR_BAD_VALUE, 3 },
		{ "{\"acls\": [], \"tests\": [{\"src\": \"ann@warren.test\", \"accept\": [\"bob@warren.test:22\"]}]}",
			COORD_POLICY_TESTS_FAILED, 0 },
	};
	struct rig w;
	struct err_at at;
	int failures = 0;

	(void)state;
	five_devices(&w);
	set_policy(&w, web_for_ann);
	settle(&w);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("row %zu", i);
		at = (struct err_at){ 0 };
		CHECK_INT(coord_policy_set(w.tailnet, text(rows[i].text), "bob",
				  COORD_POLICY_ANY_VERSION, w.now, count_failure, &failures, &at),
			==, rows[i].rc);
		CHECK_INT(at.line, ==, rows[i].line);
		CHECK_TRUE(!rows[i].line || at.text[0]);
	}
	CHECK_INT(failures, ==, 1);
	CHECK_INT(coord_policy_set(w.tailnet, text("{}"), "bob", 0, w.now, NULL, NULL, &at), ==,
		-ERR_CONFLICT);
	CHECK_INT(coord_policy_current(w.tailnet)->id, ==, 1);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[1].map), ==, 0);
	rig_free(&w);
}

static void versions_are_kept_and_the_last_one_runs_after_a_restart(void **state)
{
	const struct coord_policy_version *v = NULL;
	struct rig w;
	struct view got;
	struct err_at at;
	char other[64];
	size_t n = 0;

	(void)state;
	five_devices(&w);
	for (int i = 0; i < COORD_POLICY_VERSIONS_MAX + 5; i++) {
		snprintf(other, sizeof(other), "{\"acls\": []} // %d\n", i);
		set_policy(&w, other);
	}
	set_policy(&w, web_for_ann);
	set_policy(&w, web_for_ann); /* nothing new */
	CHECK_INT(coord_turn_end(w.tailnet, w.now), ==, 0);
	for (size_t i = 0; i < 5; i++)
		hang_up(&w, &w.devices[i]);
	coord_free(w.tailnet);
	store_mem_crash(w.store);
	rig_start(&w);
	while ((v = coord_policy_next(w.tailnet, v)))
		CHECK_INT(v->id, ==, (size_t)COORD_POLICY_VERSIONS_MAX + 6 - n++);
	CHECK_INT(n, ==, COORD_POLICY_VERSIONS_MAX);
	v = coord_policy_current(w.tailnet);
	CHECK_STR(v->author, "ann");
	CHECK_INT(v->created, ==, w.now.wall);
	CHECK_INT(coord_policy_text(w.tailnet, 0, &got), ==, 0);
	CHECK_TRUE(view_eq(got, text(web_for_ann)));
	CHECK_INT(coord_policy_text(w.tailnet, 1, &got), ==, -ENOENT);
	listen_to_map(&w, &w.devices[1]);
	settle(&w);
	CHECK_INT(netmap_n_peers(w.devices[1].map), ==, 0);
	CHECK_INT(coord_policy_set(w.tailnet, text(other), "bob", v->id, w.now, NULL, NULL, &at),
		==, 0);
	CHECK_INT(coord_policy_current(w.tailnet)->id, ==, v->id + 1);
	rig_free(&w);
}

static void note_change(void *ctx, const struct policy_change *c)
{
	*(size_t *)ctx += c->peers_lost;
}

static void a_preview_tells_who_would_lose_whom(void **state)
{
	struct coord_reach reach;
	struct rig w;
	struct err_at at;
	struct view next = text(web_for_ann);
	size_t lost = 0;
	char dst[128];

	(void)state;
	five_devices(&w);
	CHECK_INT(coord_policy_preview(w.tailnet, next, note_change, &lost, &at), ==, 0);
	CHECK_INT(lost, ==, 5 * 4 - 2 * 2);
	snprintf(dst, sizeof(dst), "%s", node_of(&w, &w.devices[4])->name);
	CHECK_INT(coord_policy_can_reach(w.tailnet, NULL, "100.64.0.2", dst, 6, 443, &reach, &at),
		==, 0);
	CHECK_TRUE(reach.allowed);
	CHECK_INT(coord_policy_can_reach(w.tailnet, &next, "100.64.0.2", dst, 6, 443, &reach, &at),
		==, 0);
	CHECK_TRUE(!reach.allowed);
	CHECK_INT(coord_policy_can_reach(w.tailnet, &next, node_of(&w, &w.devices[0])->name, dst, 6,
			  443, &reach, &at),
		==, 0);
	CHECK_TRUE(reach.allowed && reach.by.line == 2);
	CHECK_INT(coord_policy_can_reach(w.tailnet, NULL, "nobody", dst, 6, 443, &reach, &at), ==,
		-ENOENT);
	CHECK_TRUE(!coord_policy_current(w.tailnet));
	rig_free(&w);
}

static void tags_are_given_to_whom_the_policy_lets(void **state)
{
	static const char *const unknown[] = { "tag:db" };
	struct rig w;

	(void)state;
	rig_new(&w, 2);
	set_policy(&w, "{\"tagOwners\": {\"tag:web\": [\"ann@warren.test\"]}}");
	w.devices[0].tags = w.devices[1].tags = "[\"tag:web\"]";
	join(&w, &w.devices[0], false);
	CHECK_INT(node_of(&w, &w.devices[0])->tags.n, ==, 1);
	join(&w, &w.devices[1], false); /* bob's */
	CHECK_TRUE(strstr(answer_text, "tags") && !node_of(&w, &w.devices[1]));
	CHECK_INT(coord_node_tag(w.tailnet, node_of(&w, &w.devices[0])->id, unknown, 1, w.now), ==,
		-ERR_DENIED);
	rig_free(&w);
}

static void addresses_come_from_the_pool_that_the_policy_names(void **state)
{
	struct rig w;
	struct coord_stats stats;
	char text_of[IPADDR_TEXT_MAX];

	(void)state;
	rig_new(&w, 3);
	set_policy(&w,
		"{\"nodeAttrs\": [{\"target\": [\"ann@warren.test\"], \"ipPool\": [\"100.81.7.0/30\"]}]}");
	for (size_t i = 0; i < 8; i++)
		join(&w, &w.devices[i], false);
	/* 100.81.7.0 is nobody's, three are ann's, and her fourth device is refused. */
	for (size_t i = 0; i < 6; i += 2)
		CHECK_TRUE(ipprefix_contains(
			prefix("100.81.7.0/30"), node_of(&w, &w.devices[i])->ip4));
	CHECK_TRUE(!node_of(&w, &w.devices[6]) && node_of(&w, &w.devices[7]));
	join(&w, &w.devices[6], false);
	CHECK_TRUE(strstr(answer_text, "ipPool") && !node_of(&w, &w.devices[6]));
	coord_stats(w.tailnet, &stats);
	CHECK_INT(stats.pools_full, ==, 2);
	CHECK_INT(coord_node_delete(w.tailnet, node_of(&w, &w.devices[2])->id, w.now), ==, 0);
	join(&w, &w.devices[6], false); /* there is room again */
	CHECK_TRUE(ipprefix_contains(prefix("100.81.7.0/30"), node_of(&w, &w.devices[6])->ip4));
	CHECK_STR(ipaddr_format(node_of(&w, &w.devices[1])->ip4, text_of), "100.64.0.2");
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(
		ipaddr_eq(JSON_AT(netmap_self(w.devices[0].map)->addresses, struct ipprefix, 0)->ip,
			node_of(&w, &w.devices[0])->ip4));
	rig_free(&w);
}

/* routes */

static struct coord_route found;

static int find_route(void *ctx, const struct coord_route *r)
{
	if (ipprefix_eq(r->prefix, prefix(ctx)))
		found = *r;
	return 0;
}

static struct coord_route route_of(const struct rig *w, size_t i, const char *s)
{
	found = (struct coord_route){ 0 };
	CHECK_INT(coord_routes(w->tailnet, node_of(w, &w->devices[i])->id, find_route,
			  (void *)(uintptr_t)s),
		==, 0);
	return found;
}

static void offer(struct rig *w, size_t i, const char *routes)
{
	w->devices[i].routes = routes;
	tell_place(w, &w->devices[i]);
	settle(w);
}

static void routes_are_used_when_somebody_or_the_policy_approves(void **state)
{
	struct rig w;
	struct coord_route r;
	int64_t id;

	(void)state;
	five_devices(&w);
	id = node_of(&w, &w.devices[0])->id;
	offer(&w, 0, "[\"10.1.0.0/16\",\"0.0.0.0/0\",\"::/0\"]");
	r = route_of(&w, 0, "10.1.0.0/16");
	CHECK_TRUE(r.advertised && !r.approved && !r.in_use &&
		   !reaches(seen(&w, 1, 0), "10.1.0.0/16"));
	CHECK_INT(coord_route_approve(w.tailnet, id, prefix("10.1.0.0/16"), "bob", w.now), ==, 0);
	CHECK_INT(coord_route_approve(w.tailnet, id, prefix("0.0.0.0/0"), "bob", w.now), ==, 0);
	settle(&w);
	r = route_of(&w, 0, "10.1.0.0/16");
	CHECK_TRUE(r.approved && r.in_use && r.primary && r.online);
	CHECK_STR(r.by, "bob");
	CHECK_TRUE(reaches(seen(&w, 1, 0), "10.1.0.0/16") && reaches(seen(&w, 1, 0), "0.0.0.0/0"));
	CHECK_INT(seen(&w, 1, 0)->primary_routes.n, ==, 1);
	CHECK_TRUE(json_map_find(&seen(&w, 1, 0)->cap_map, "suggest-exit-node") != NULL);
	CHECK_INT(coord_route_unapprove(w.tailnet, id, prefix("10.1.0.0/16"), w.now), ==, 0);
	settle(&w);
	CHECK_TRUE(!reaches(seen(&w, 1, 0), "10.1.0.0/16"));
	set_policy(&w, web_for_ann);
	offer(&w, 4, "[\"10.2.0.0/16\",\"192.168.0.0/16\"]");
	CHECK_TRUE(route_of(&w, 4, "10.2.0.0/16").in_use &&
		   !route_of(&w, 4, "192.168.0.0/16").approved);
	CHECK_STR(route_of(&w, 4, "10.2.0.0/16").by, "");
	rig_free(&w);
}

static void two_routers(struct rig *w)
{
	five_devices(w);
	for (size_t i = 0; i < 2; i++) {
		offer(w, i, "[\"10.1.0.0/16\"]");
		CHECK_INT(coord_route_approve(w->tailnet, node_of(w, &w->devices[i])->id,
				  prefix("10.1.0.0/16"), "bob", w->now),
			==, 0);
		settle(w);
	}
}

static void a_standby_takes_over_when_the_primary_is_gone(void **state)
{
	struct rig w;
	mono_ns t0;

	(void)state;
	two_routers(&w);
	CHECK_TRUE(
		reaches(seen(&w, 2, 0), "10.1.0.0/16") && !reaches(seen(&w, 2, 1), "10.1.0.0/16"));
	hang_up(&w, &w.devices[0]);
	t0 = w.now.mono;
	while (!reaches(seen(&w, 2, 1), "10.1.0.0/16"))
		turn(&w);
	CHECK_INT(w.now.mono - t0, >=, COORD_WATCH_GRACE);
	CHECK_INT(w.now.mono - t0, <=, COORD_WATCH_GRACE + MSEC(200));
	CHECK_TRUE(!reaches(seen(&w, 2, 0), "10.1.0.0/16"));
	listen_to_map(&w, &w.devices[0]); /* who comes back stands by */
	settle(&w);
	CHECK_TRUE(
		reaches(seen(&w, 2, 1), "10.1.0.0/16") && !reaches(seen(&w, 2, 0), "10.1.0.0/16"));
	hang_up(&w, &w.devices[1]);
	pass(&w, COORD_WATCH_GRACE + MSEC(200));
	CHECK_TRUE(reaches(seen(&w, 2, 0), "10.1.0.0/16"));
	rig_free(&w);
}

static void restart(struct rig *w)
{
	for (size_t i = 0; i < DEVICES; i++)
		hang_up(w, &w->devices[i]);
	coord_free(w->tailnet);
	store_mem_crash(w->store);
	rig_start(w);
}

static void a_primary_is_the_same_after_a_restart(void **state)
{
	struct rig w;

	(void)state;
	two_routers(&w);
	hang_up(&w,
		&w.devices[0]); /* the one with the lower number, which an election would take */
	pass(&w, COORD_WATCH_GRACE + MSEC(200));
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(route_of(&w, 1, "10.1.0.0/16").primary);
	restart(&w);
	listen_to_map(&w, &w.devices[0]);
	listen_to_map(&w, &w.devices[2]);
	settle(&w);
	CHECK_TRUE(!route_of(&w, 0, "10.1.0.0/16").primary);
	CHECK_TRUE(!route_of(&w, 1, "10.1.0.0/16").primary); /* nor it, for it is not here */
	listen_to_map(&w, &w.devices[1]);
	settle(&w);
	CHECK_TRUE(route_of(&w, 1, "10.1.0.0/16").primary);
	CHECK_TRUE(
		reaches(seen(&w, 2, 1), "10.1.0.0/16") && !reaches(seen(&w, 2, 0), "10.1.0.0/16"));
	pass(&w, COORD_RETURN_GRACE + MSEC(200));
	CHECK_TRUE(route_of(&w, 1, "10.1.0.0/16").primary);
	rig_free(&w);
}

static void a_primary_that_does_not_come_back_is_replaced(void **state)
{
	struct rig w;

	(void)state;
	two_routers(&w);
	CHECK_TRUE(route_of(&w, 0, "10.1.0.0/16").primary);
	restart(&w);
	listen_to_map(&w, &w.devices[1]);
	listen_to_map(&w, &w.devices[2]);
	pass(&w, COORD_RETURN_GRACE - SEC(1));
	CHECK_TRUE(!route_of(&w, 1, "10.1.0.0/16").primary);
	pass(&w, SEC(2));
	CHECK_TRUE(route_of(&w, 1, "10.1.0.0/16").primary);
	CHECK_TRUE(reaches(seen(&w, 2, 1), "10.1.0.0/16"));
	restart(&w);
	listen_to_map(&w, &w.devices[0]);
	listen_to_map(&w, &w.devices[1]);
	settle(&w);
	CHECK_TRUE(route_of(&w, 1, "10.1.0.0/16").primary); /* that is kept, too */
	rig_free(&w);
}

static void routers_that_stand_by_for_each_other_are_watched(void **state)
{
	struct rig w;
	unsigned before[3];

	(void)state;
	two_routers(&w);
	CHECK_TRUE(w.devices[0].watched && w.devices[1].watched && !w.devices[2].watched);
	for (size_t i = 0; i < 3; i++)
		before[i] = w.devices[i].messages;
	pass(&w, 4 * COORD_WATCH_KEEP_ALIVE + MSEC(500));
	CHECK_INT(w.devices[0].messages - before[0], ==, 4);
	CHECK_INT(w.devices[1].messages - before[1], ==, 4);
	CHECK_INT(w.devices[2].messages - before[2], ==, 0);
	listen_to_map(&w, &w.devices[1]);
	CHECK_TRUE(w.devices[1].watched);
	offer(&w, 1, "[]");
	CHECK_TRUE(!w.devices[0].watched && !w.devices[1].watched);
	rig_free(&w);
}

static void who_offers_the_organisations_own_networks_is_kept_apart(void **state)
{
	struct ipprefix own = prefix("10.0.0.0/8");
	struct rig w;
	int64_t id;

	(void)state;
	five_devices(&w);
	id = node_of(&w, &w.devices[0])->id;
	offer(&w, 0, "[\"10.1.0.0/16\"]");
	CHECK_INT(coord_protected_prefixes_set(w.tailnet, &own, 1, COORD_PROTECTED_SHOW, w.now), ==,
		0);
	settle(&w);
	CHECK_TRUE(route_of(&w, 0, "10.1.0.0/16").protected &&
		   ipprefix_eq(*route_of(&w, 0, "10.1.0.0/16").protected, own));
	CHECK_TRUE(seen(&w, 1, 0) && !coord_node_quarantined(w.tailnet, id));
	CHECK_INT(coord_protected_prefixes_set(w.tailnet, &own, 1, COORD_PROTECTED_REFUSE, w.now),
		==, 0);
	settle(&w);
	CHECK_TRUE(coord_node_quarantined(w.tailnet, id) && !seen(&w, 1, 0));
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 0);
	CHECK_INT(netmap_health(w.devices[0].map)->n, ==, 1);
	w.devices[5].routes = "[\"10.9.0.0/24\"]";
	join(&w, &w.devices[5], false);
	CHECK_TRUE(!node_of(&w, &w.devices[5]) && strstr(answer_text, "organisation"));
	offer(&w, 0, "[]");
	CHECK_TRUE(seen(&w, 1, 0) && netmap_n_peers(w.devices[0].map) == 4);
	CHECK_INT(netmap_health(w.devices[0].map)->n, ==, 0);
	CHECK_INT(coord_route_approve(w.tailnet, id, prefix("10.1.0.0/16"), "bob", w.now), ==,
		0); /* this one is ours */
	offer(&w, 0, "[\"10.1.0.0/16\"]");
	CHECK_TRUE(reaches(seen(&w, 1, 0), "10.1.0.0/16"));
	CHECK_INT(coord_protected_prefixes_set(
			  w.tailnet, &(struct ipprefix){ 0 }, 1, COORD_PROTECTED_SHOW, w.now),
		==, -ERR_BAD_VALUE);
	rig_free(&w);
}

static void an_admin_is_told_that_he_is_one(void **state)
{
	struct rig w;

	(void)state;
	five_devices(&w);
	CHECK_INT(coord_user_set_role(w.tailnet, w.people[0], "king", w.now), ==, -ERR_BAD_VALUE);
	CHECK_INT(coord_user_set_role(w.tailnet, w.people[0], "admin", w.now), ==, 0);
	settle(&w);
	CHECK_TRUE(json_map_find(&netmap_self(w.devices[0].map)->cap_map,
			   "https://tailscale.com/cap/is-admin") != NULL);
	CHECK_TRUE(!json_map_find(
		&netmap_self(w.devices[1].map)->cap_map, "https://tailscale.com/cap/is-admin"));
	set_policy(&w,
		"{\"acls\": [{\"action\": \"accept\", \"src\": [\"autogroup:admin\"], \"dst\": [\"bob@warren.test:22\"]}]}");
	settle(&w);
	CHECK_TRUE(seen(&w, 0, 1) && !seen(&w, 0, 4));
	CHECK_INT(coord_user_set_role(w.tailnet, w.people[0], "member", w.now), ==, 0);
	settle(&w);
	CHECK_TRUE(!seen(&w, 0, 1));
	rig_free(&w);
}

#define RELAYS \
	"\"derpMap\": {\"Regions\": {\"7\": {\"Nodes\": [{\"HostName\": \"derp.corp.example\"}]}}}"

#define FROM_ALL_TO(dst) \
	"\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"" dst "\"]}]"

static void devices_hear_of_the_relays_of_a_policy_when_they_change(void **state)
{
	struct rig w;
	size_t told = 0;

	(void)state;
	five_devices(&w);
	set_policy(&w, "{" RELAYS ", " FROM_ALL_TO("*:22") "}");
	settle(&w);
	for (size_t i = 0; i < 5; i++)
		told += strstr(w.devices[i].frame, "\"HostName\":\"derp.corp.example\"") != NULL;
	CHECK_INT(told, ==, 5);
	set_policy(&w, "{" RELAYS ", " FROM_ALL_TO("*:23") "}");
	settle(&w);
	for (size_t i = 0; i < 5; i++)
		CHECK_TRUE(!strstr(w.devices[i].frame, "DERPMap"));
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_hear_of_the_relays_of_a_policy_when_they_change),
		cmocka_unit_test(devices_see_whom_the_policy_shows_them_at_once),
		cmocka_unit_test(changes_of_who_is_not_seen_are_not_told),
		cmocka_unit_test(refused_policies_leave_the_running_one),
		cmocka_unit_test(versions_are_kept_and_the_last_one_runs_after_a_restart),
		cmocka_unit_test(a_preview_tells_who_would_lose_whom),
		cmocka_unit_test(tags_are_given_to_whom_the_policy_lets),
		cmocka_unit_test(addresses_come_from_the_pool_that_the_policy_names),
		cmocka_unit_test(routes_are_used_when_somebody_or_the_policy_approves),
		cmocka_unit_test(a_standby_takes_over_when_the_primary_is_gone),
		cmocka_unit_test(a_primary_is_the_same_after_a_restart),
		cmocka_unit_test(a_primary_that_does_not_come_back_is_replaced),
		cmocka_unit_test(routers_that_stand_by_for_each_other_are_watched),
		cmocka_unit_test(who_offers_the_organisations_own_networks_is_kept_apart),
		cmocka_unit_test(an_admin_is_told_that_he_is_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
