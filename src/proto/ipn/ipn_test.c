/* Every recorded document of the local API is read, and written again with the same fields in the
 * same order. */
#include "proto/ipn/ipn.h"
#include "testlib/vectors.h"

static const struct {
	const char *doc;
	const struct json_type *type;
} kinds[] = { { "status", &ipn_status_type }, { "prefs", &ipn_prefs_type },
	{ "masked", &ipn_masked_prefs_type }, { "profiles", &ipn_login_profile_list },
	{ "profile", &ipn_login_profile_type }, { "whois", &ipn_whois_type },
	{ "ping", &ipn_ping_result_type }, { "notify", &ipn_notify_type } };

static const struct json_type *type_of(const char *doc)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].doc, doc) == 0)
			return kinds[i].type;
	check_fail(__FILE__, __LINE__, "no type for %s", doc);
}

static void same(const char *path, const json_t *want, const json_t *got);

static void same_object(const char *path, const json_t *want, const json_t *got)
{
	void *w = json_object_iter((json_t *)want), *g = json_object_iter((json_t *)got);

	for (; w; w = json_object_iter_next((json_t *)want, w)) {
		char sub[1024];

		/* Old clients send their unknown facts as null, new ones leave them out; a Hostinfo
		 * is passed on as ours. */
		if (strstr(path, ".Hostinfo") && json_is_null(json_object_iter_value(w)))
			continue;
		snprintf(sub, sizeof(sub), "%s.%s", path, json_object_iter_key(w));
		CHECK_ROW("%s", sub);
		CHECK_STR(g ? json_object_iter_key(g) : "(end)", json_object_iter_key(w));
		same(sub, json_object_iter_value(w), json_object_iter_value(g));
		g = json_object_iter_next((json_t *)got, g);
	}
	CHECK_STR(g ? json_object_iter_key(g) : "(end)", "(end)");
}

/* Ours keep milliseconds, the recorded ones nanoseconds. */
static bool same_time(const char *a, const char *b)
{
	unix_ms x, y;

	return time_parse_rfc3339(a, strlen(a), &x) == 0 &&
	       time_parse_rfc3339(b, strlen(b), &y) == 0 && x == y;
}

static void same(const char *path, const json_t *want, const json_t *got)
{
	const json_t *v;
	size_t i;

	CHECK_ROW("%s", path);
	CHECK_INT(json_typeof(got), ==, json_typeof(want));
	if (json_is_object(want)) {
		same_object(path, want, got);
	} else if (json_is_array(want)) {
		CHECK_INT(json_array_size(got), ==, json_array_size(want));
		json_array_foreach((json_t *)want, i, v) same(path, v, json_array_get(got, i));
	} else if (!json_is_string(want) ||
		   !same_time(json_string_value(want), json_string_value(got))) {
		CHECK_TRUE(json_equal(want, got));
	}
}

static void recorded_documents_come_back_as_they_were(void **state)
{
	json_t *all, *c;
	size_t i;

	setenv("VECTORS_DIR", FIXTURES_DIR, 1);
	all = vectors_load_lines("localapi/docs.jsonl");
	json_array_foreach(all, i, c)
	{
		const struct json_type *t = type_of(vec_str(c, "doc"));
		char *text = json_dumps(json_object_get(c, "body"), JSON_COMPACT);
		struct err_at at = { 0 };
		struct arena a;
		struct buf out;
		json_t *again;
		void *doc;

		arena_init(&a, 64 << 20);
		buf_init(&out, 16 << 20);
		doc = arena_alloc(&a, t->size);
		CHECK_ROW("%s", vec_str(c, "from"));
		if (json_decode(t, text, strlen(text), doc, &a, &at) < 0)
			check_fail(__FILE__, __LINE__, "%s: column %u: %s", vec_str(c, "from"),
				at.column, at.text);
		CHECK_INT(json_encode(t, doc, &out), ==, 0);
		again = json_loadb(
			(const char *)buf_data(&out), buf_len(&out), JSON_DECODE_ANY, NULL);
		CHECK_TRUE(again);
		if (strcmp(vec_str(c, "doc"), "masked") !=
			0) /* written with every field, read with the named ones */
			same(vec_str(c, "from"), json_object_get(c, "body"), again);
		json_decref(again);
		buf_fini(&out);
		arena_fini(&a);
		free(text);
	}
	vectors_count("localapi/docs.jsonl", "documents", json_array_size(all));
	json_decref(all);
}

static void masked(const char *in, struct ipn_masked_prefs *ret, struct arena *a)
{
	CHECK_INT(json_decode(&ipn_masked_prefs_type, in, strlen(in), ret, a, NULL), ==, 0);
}

static void an_edit_changes_only_what_it_names(void **state)
{
	struct ipn_masked_prefs m;
	struct ipn_prefs p, old;
	struct arena a;

	arena_init(&a, 1 << 20);
	ipn_prefs_init(&p);
	old = p;
	masked("{\"ShieldsUp\":true,\"Hostname\":\"x\"}", &m, &a);
	CHECK_TRUE(ipn_masked_is_empty(&m));
	ipn_prefs_merge(&p, &m);
	CHECK_TRUE(ipn_prefs_same(&p, &old));

	masked("{\"ShieldsUp\":true,\"Hostname\":\"x\",\"hostnameSET\":true,\"AutoUpdate\":{\"Check\":false,\"Apply\":true},"
	       "\"AutoUpdateSet\":{\"ApplySet\":true}}",
		&m, &a);
	CHECK_TRUE(!ipn_masked_is_empty(&m));
	ipn_prefs_merge(&p, &m);
	CHECK_TRUE(!p.shields_up);
	CHECK_STR(p.hostname, "x");
	CHECK_TRUE(p.auto_update.check);
	CHECK_INT(p.auto_update.apply, ==, JSON_YES);
	CHECK_TRUE(!ipn_prefs_same(&p, &old));
	arena_fini(&a);
}

static void a_new_profile_has_the_defaults_of_the_original(void **state)
{
	struct ipn_prefs p;
	struct buf out;

	ipn_prefs_init(&p);
	buf_init(&out, 10000);
	CHECK_INT(json_encode(&ipn_prefs_type, &p, &out), ==, 0);
	CHECK_STR(buf_cstr(&out),
		"{\"ControlURL\":\"\",\"RouteAll\":false,\"ExitNodeID\":\"\",\"ExitNodeIP\":\"\",\"InternalExitNodePrior\":\"\","
		"\"ExitNodeAllowLANAccess\":false,\"CorpDNS\":true,\"RunSSH\":false,\"RunWebClient\":false,\"WantRunning\":false,"
		"\"LoggedOut\":true,\"ShieldsUp\":false,\"AdvertiseTags\":null,\"Hostname\":\"\",\"NotepadURLs\":false,"
		"\"AdvertiseRoutes\":null,\"AdvertiseServices\":null,\"Sync\":null,\"NoSNAT\":false,\"NoStatefulFiltering\":true,"
		"\"NetfilterMode\":2,\"AutoUpdate\":{\"Check\":true,\"Apply\":null},\"AppConnector\":{\"Advertise\":false},"
		"\"PostureChecking\":false,\"NetfilterKind\":\"\",\"RemoteConfig\":false,\"DriveShares\":null,\"Config\":null}");
	buf_fini(&out);
}

static void names_of_states_and_pings_are_read_back(void **state)
{
	enum ipn_ping_type t;
	enum ipn_state s;

	for (int i = IPN_NO_STATE; i <= IPN_RUNNING; i++) {
		CHECK_INT(ipn_state_parse(ipn_state_name((enum ipn_state)i), &s), ==, 0);
		CHECK_INT(s, ==, i);
	}
	for (int i = IPN_PING_DISCO; i <= IPN_PING_PEERAPI; i++) {
		CHECK_INT(
			ipn_ping_type_parse(ipn_ping_type_name((enum ipn_ping_type)i), &t), ==, 0);
		CHECK_INT(t, ==, i);
	}
	CHECK_INT(ipn_state_parse("running", &s), <, 0);
	CHECK_INT(ipn_ping_type_parse("", &t), <, 0);
}

static void only_urls_of_hubs_are_taken(void **state)
{
	static const char *const good[] = { "", "http://hub", "https://hub.test/",
		"http://127.0.0.1:8080", "https://[fd7a::1]", "https://[fd7a::1]:8443/x",
		"http://hub:1" };
	static const char *const bad[] = { "hub:8080", "hub", "http:/hub", "http://", "https:///x",
		"ftp://hub", "http://hub:0", "http://hub:70000", "http://hub:x", "http://:80",
		"http://a b", "http://a\"b", "HTTP://hub" };
	struct err_at at;

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		CHECK_ROW("%s", good[i]);
		CHECK_INT(ipn_check_control_url(good[i], &at), ==, 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(ipn_check_control_url(bad[i], &at), ==, -ERR_BAD_VALUE);
		CHECK_TRUE(strstr(at.text, "is not the URL of a hub"));
	}
}

static void what_is_there_already_is_not_asked_for_again(void **state)
{
	const char *tag = "tag:web_1", *other = "tag:x_2";
	int64_t port = 70000;
	struct ipn_prefs p, now;
	struct err_at at;

	ipn_prefs_init(&p);
	CHECK_INT(ipn_prefs_check(&p, NULL, &at), ==, 0);
	p.advertise_tags = json_list_of(&tag, 1);
	p.control_url = "hub";
	p.hostname = "a\tb";
	now = p;
	CHECK_INT(ipn_prefs_check(&p, NULL, &at), <, 0);
	p.shields_up = true;
	CHECK_INT(ipn_prefs_check(&p, &now, &at), ==, 0);
	p.advertise_tags = json_list_of(&other, 1);
	CHECK_INT(ipn_prefs_check(&p, &now, &at), <, 0);
	CHECK_STR(at.text,
		"tag: \"tag:x_2\": tag names can only contain numbers, letters, or dashes");
	p = now;
	p.relay_port = &port;
	CHECK_INT(ipn_prefs_check(&p, &now, &at), <, 0);
	p = now;
	p.netfilter_mode = 3;
	CHECK_INT(ipn_prefs_check(&p, &now, &at), <, 0);
}

static void half_an_exit_node_is_none(void **state)
{
	struct ipprefix all[] = { { .ip = { .family = 4 } }, { .ip = { .family = 6 } } };
	struct ipn_prefs p;
	struct err_at at;

	ipn_prefs_init(&p);
	p.advertise_routes = json_list_of(all, 2);
	CHECK_INT(ipn_prefs_check(&p, NULL, &at), ==, 0);
	p.advertise_routes.n = 1;
	CHECK_INT(ipn_prefs_check(&p, NULL, &at), <, 0);
	CHECK_STR(at.text,
		"0.0.0.0/0 advertised without its IPv6 counterpart, please also advertise ::/0");
}

static void chosen_routes_are_by_network_by_router_or_both(void **state)
{
	const char *list[] = { "10.0.0.0/8", "nas:*", "office:192.168.1.0/24", "lab:fd00::/8",
		"2001:db8::/32" };
	struct json_list l = json_list_of(list, ARRAY_LEN(list)), none = { 0 };
	static const struct {
		const char *router, *route;
		bool taken;
	} rows[] = {
		{ "any.tail.test.", "10.0.0.0/8", true },
		{ "any.tail.test.", "10.7.0.0/16", true },
		{ "any.tail.test.", "10.0.0.0/7", false },
		{ "any.tail.test.", "11.0.0.0/8", false },
		{ "nas.tail.test.", "172.16.0.0/24", true },
		{ "NAS.tail.test.", "fd12::/64", true },
		{ "nas-1.tail.test.", "172.16.0.0/24", false },
		{ "na", "172.16.0.0/24", false },
		{ "office.tail.test.", "192.168.1.0/24", true },
		{ "office.tail.test.", "192.168.1.128/25", true },
		{ "office.tail.test.", "192.168.0.0/16", false },
		{ "home.tail.test.", "192.168.1.0/24", false },
		{ "lab.tail.test.", "fd00:1::/64", true },
		{ "home.tail.test.", "fd00:1::/64", false },
		{ NULL, "2001:db8:5::/48", true },
		{ NULL, "172.16.0.0/24", false },
	};
	struct err_at at;

	CHECK_INT(ipn_check_accepted(&l, &at), ==, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ipprefix p;

		CHECK_ROW("%s %s", rows[i].router ? rows[i].router : "", rows[i].route);
		CHECK_INT(ipprefix_parse(rows[i].route, strlen(rows[i].route), &p), ==, 0);
		CHECK_INT(ipn_accepts(&l, rows[i].router, p), ==, rows[i].taken);
		CHECK_TRUE(ipn_accepts(&none, rows[i].router, p));
	}
}

static void what_chooses_no_route_is_refused(void **state)
{
	static const char *const bad[] = { "", ":", "nas:", "nas", ":*", ":10.0.0.0/8",
		"nas:10.0.0.0", "nas.tail:*", "10.0.0.0/33", "a b:*", "nas:nas:10.0.0.0/8",
		"-nas:*" };
	const char *many[IPN_ACCEPTED_MAX + 1];
	struct json_list l;
	struct err_at at;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *one = bad[i];

		l = json_list_of(&one, 1);
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(ipn_check_accepted(&l, &at), ==, -ERR_BAD_VALUE);
		CHECK_TRUE(strstr(at.text, "192.168.1.0/24") != NULL);
	}
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = "nas:*";
	l = json_list_of(many, ARRAY_LEN(many));
	CHECK_INT(ipn_check_accepted(&l, &at), ==, -ERR_TOO_MANY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(chosen_routes_are_by_network_by_router_or_both),
		cmocka_unit_test(what_chooses_no_route_is_refused),
		cmocka_unit_test(recorded_documents_come_back_as_they_were),
		cmocka_unit_test(an_edit_changes_only_what_it_names),
		cmocka_unit_test(a_new_profile_has_the_defaults_of_the_original),
		cmocka_unit_test(names_of_states_and_pings_are_read_back),
		cmocka_unit_test(only_urls_of_hubs_are_taken),
		cmocka_unit_test(what_is_there_already_is_not_asked_for_again),
		cmocka_unit_test(half_an_exit_node_is_none),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
