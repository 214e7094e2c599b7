/* DNS settings of a tailnet: what is taken, what is refused, and who is told what of it. */
#include "testlib/check.h"
#include "tests/coord/rig.h"

#include <errno.h>

static struct tc_resolver resolver(const char *addr)
{
	return (struct tc_resolver){ .addr = addr };
}

/* The settings as they are, for a change. */
static struct coord_dns copy_of(const struct rig *w)
{
	return *coord_dns(w->tailnet);
}

static void set(struct rig *w, const struct coord_dns *d)
{
	struct err_at at = { 0 };

	CHECK_INT(coord_dns_set(w->tailnet, d, w->now, &at), ==, 0);
	settle(w);
}

static void set_resolvers(struct rig *w, const char *addr)
{
	struct tc_resolver r = resolver(addr);
	struct coord_dns d = copy_of(w);

	d.resolvers = json_list_of(&r, 1);
	set(w, &d);
}

static void set_records(struct rig *w, const char *name, const char *value)
{
	struct tc_dns_record r = { .name = name, .value = value };
	struct coord_dns d = copy_of(w);

	d.records = json_list_of(&r, 1);
	set(w, &d);
}

static void set_policy(struct rig *w, const char *s)
{
	struct err_at at = { 0 };
	int rc = coord_policy_set(w->tailnet, view_of(s, strlen(s)), "ann",
		COORD_POLICY_ANY_VERSION, w->now, NULL, NULL, &at);

	CHECK_STR(at.text, "");
	CHECK_INT(rc, ==, 0);
	settle(w);
}

static void three_devices(struct rig *w)
{
	rig_new(w, 7);
	for (size_t i = 0; i < 3; i++) {
		join(w, &w->devices[i], false);
		listen_to_map(w, &w->devices[i]);
	}
	settle(w);
}

/* The DNSConfig of the last message; "" if it has none. */
static const char *dns_of(const struct rig *w, size_t i)
{
	static char text[4096];
	const char *at = strstr(w->devices[i].frame, "\"DNSConfig\":");
	size_t depth = 0, n = 0;

	text[0] = 0;
	if (!at)
		return text;
	for (at += strlen("\"DNSConfig\":"); n + 1 < sizeof(text); at++) {
		depth += *at == '{';
		text[n++] = *at;
		depth -= *at == '}';
		if (!depth)
			break;
	}
	text[n] = 0;
	return text;
}

static bool tells(const struct rig *w, size_t i, const char *what)
{
	return strstr(dns_of(w, i), what) != NULL;
}

static void a_tailnet_begins_with_names_of_devices_and_nothing_else(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_STR(dns_of(&w, 2),
		"{\"Routes\":{\"warren.test.\":null},\"Domains\":[\"warren.test\"],\"Proxied\":true}");
	rig_free(&w);
}

static void a_change_is_one_message_with_nothing_else_to_each(void **state)
{
	struct rig w;
	unsigned before[3];

	(void)state;
	three_devices(&w);
	for (size_t i = 0; i < 3; i++)
		before[i] = w.devices[i].messages;
	set_resolvers(&w, "9.9.9.9");
	for (size_t i = 0; i < 3; i++) {
		CHECK_INT(w.devices[i].messages, ==, before[i] + 1);
		CHECK_TRUE(tells(&w, i, "\"Resolvers\":[{\"Addr\":\"9.9.9.9\"}]"));
		CHECK_TRUE(!strstr(w.devices[i].frame, "\"Peers") &&
			   !strstr(w.devices[i].frame, "\"Node\"") &&
			   !strstr(w.devices[i].frame, "Filter"));
	}
	set_resolvers(&w, "9.9.9.9"); /* it is what it was */
	for (size_t i = 0; i < 3; i++)
		CHECK_INT(w.devices[i].messages, ==, before[i] + 1);
	rig_free(&w);
}

static void settings_come_to_devices_in_the_field_that_clients_read(void **state)
{
	struct tc_resolver split = resolver("10.0.0.53"), global = resolver("1.1.1.1");
	struct coord_dns_split s[] = { { "Corp.Example.", json_list_of(&split, 1) },
		{ "only.here", json_list_of(NULL, 0) } };
	const char *search[] = { "corp.example" };
	struct tc_dns_record r[] = { { "db.corp.example", NULL, "10.0.0.9" },
		{ "Www.Corp.Example.", "aaaa", "FD00::1" } };
	struct coord_dns d = { .splits = json_list_of(s, 2),
		.search = json_list_of(search, 1),
		.records = json_list_of(r, 2),
		.resolvers = json_list_of(&global, 1),
		.override_off = true };
	struct rig w;

	(void)state;
	global.use_with_exit_node = true;
	three_devices(&w);
	set(&w, &d);
	CHECK_STR(dns_of(&w, 0),
		"{\"Routes\":{\"warren.test.\":null,\"corp.example\":[{\"Addr\":\"10.0.0.53\"}],\"only.here\":null},"
		"\"FallbackResolvers\":[{\"Addr\":\"1.1.1.1\",\"UseWithExitNode\":true}],"
		"\"Domains\":[\"warren.test\",\"corp.example\"],\"Proxied\":true,"
		"\"ExtraRecords\":[{\"Name\":\"db.corp.example\",\"Type\":\"A\",\"Value\":\"10.0.0.9\"},"
		"{\"Name\":\"www.corp.example\",\"Type\":\"AAAA\",\"Value\":\"fd00::1\"}]}");
	d = copy_of(&w);
	d.magic_off = true;
	d.override_off = false;
	set(&w, &d);
	CHECK_TRUE(!tells(&w, 0, "Proxied") && !tells(&w, 0, "warren.test."));
	CHECK_TRUE(tells(&w, 0, "\"Resolvers\":[{\"Addr\":\"1.1.1.1\""));
	rig_free(&w);
}

static void settings_are_there_after_a_restart(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	set_records(&w, "db.corp.example", "10.0.0.9");
	for (size_t i = 0; i < 3; i++)
		hang_up(&w, &w.devices[i]);
	turn(&w);
	coord_free(w.tailnet);
	rig_start(&w);
	CHECK_INT(coord_dns(w.tailnet)->records.n, ==, 1);
	listen_to_map(&w, &w.devices[1]);
	settle(&w);
	CHECK_TRUE(tells(&w, 1, "\"Value\":\"10.0.0.9\""));
	rig_free(&w);
}

/* Ann sees nobody of Bob's, and hears of records all the same; a long list is shared as a frame of its own. */
static void who_sees_few_devices_hears_of_all_records(void **state)
{
	struct tc_dns_record r[200];
	char names[200][32];
	struct coord_dns d;
	struct rig w;

	(void)state;
	three_devices(&w);
	set_policy(&w, "{\"acls\": [{\"action\": \"accept\", \"src\": [\"ann@warren.test\"], "
		       "\"dst\": [\"ann@warren.test:*\"]}]}");
	CHECK_INT(netmap_n_peers(w.devices[0].map), ==, 1);
	for (size_t i = 0; i < 200; i++) {
		snprintf(names[i], sizeof(names[i]), "h%03zu.corp.example", i);
		r[i] = (struct tc_dns_record){ .name = names[i], .value = "10.0.0.9" };
	}
	d = copy_of(&w);
	d.records = json_list_of(r, 200);
	set(&w, &d);
	for (size_t i = 0; i < 3; i++)
		CHECK_TRUE(strstr(w.devices[i].frame, "h199.corp.example") != NULL);
	rig_free(&w);
}

static void a_device_that_is_out_is_told_of_no_names(void **state)
{
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_INT(coord_node_expire(w.tailnet, node_of(&w, &w.devices[0])->id, w.now), ==, 0);
	settle(&w);
	CHECK_STR(dns_of(&w, 0), "{}");
	set_records(&w, "db.corp.example", "10.0.0.9");
	CHECK_TRUE(!strstr(w.devices[0].frame, "db.corp.example"));
	CHECK_TRUE(tells(&w, 1, "db.corp.example"));
	CHECK_INT(coord_node_expire_at(w.tailnet, node_of(&w, &w.devices[0])->id, 0, w.now), ==, 0);
	settle(&w);
	hang_up(&w, &w.devices[0]);
	listen_to_map(&w, &w.devices[0]);
	settle(&w);
	CHECK_TRUE(w.devices[0].map && netmap_dns(w.devices[0].map));
	CHECK_INT(netmap_dns(w.devices[0].map)->extra_records.n, ==, 1);
	rig_free(&w);
}

static void nextdns_is_told_which_device_asks_and_the_policy_says_how(void **state)
{
	struct rig w;
	unsigned before;

	(void)state;
	three_devices(&w);
	set_resolvers(&w, "https://dns.nextdns.io/abc123");
	CHECK_TRUE(
		tells(&w, 0,
			"https://dns.nextdns.io/abc123?device_ip=100.64.0.1\\u0026device_model=") ||
		tells(&w, 0, "https://dns.nextdns.io/abc123?device_ip=100."));
	CHECK_TRUE(tells(&w, 0, "device_name=box"));
	before = w.devices[1].messages;
	set_policy(&w, "{\"grants\": [{\"src\": [\"*\"], \"dst\": [\"*\"], \"ip\": [\"*\"]}],"
		       " \"nodeAttrs\": [{\"target\": [\"ann@warren.test\"], \"attr\": "
		       "[\"nextdns:def456\", \"nextdns:no-device-info\"]}]}");
	CHECK_TRUE(tells(&w, 0, "\"https://dns.nextdns.io/def456\""));
	CHECK_TRUE(!tells(&w, 1, "def456"));
	CHECK_TRUE(strstr(w.devices[0].frame, "nextdns:no-device-info") !=
		   NULL); /* as its attribute, too */
	CHECK_INT(w.devices[1].messages, <=, before + 1);
	set_resolvers(&w, "https://dns.controld.com/xyz");
	CHECK_TRUE(tells(&w, 1, "https://dns.controld.com/xyz/box-1"));
	rig_free(&w);
}

static void a_device_may_have_a_certificate_for_its_own_name(void **state)
{
	struct coord_dns d = { .certificates = true };
	struct rig w;

	(void)state;
	three_devices(&w);
	set(&w, &d);
	CHECK_TRUE(tells(&w, 1, "\"CertDomains\":[\"box-1.warren.test\"]"));
	CHECK_INT(coord_node_rename(w.tailnet, node_of(&w, &w.devices[1])->id, "printer", w.now),
		==, 0);
	settle(&w);
	CHECK_TRUE(tells(&w, 1, "\"CertDomains\":[\"printer.warren.test\"]"));
	rig_free(&w);
}

static bool peer_has_names_below(const struct rig *w, size_t viewer, size_t peer)
{
	const struct tc_node *n =
		netmap_peer(w->devices[viewer].map, node_of(w, &w->devices[peer])->id);

	return n && json_map_find(&n->cap_map, "dns-subdomain-resolve") != NULL;
}

static void names_below_each_device_are_a_switch(void **state)
{
	struct coord_dns d = { .wildcard = true };
	struct rig w;

	(void)state;
	three_devices(&w);
	CHECK_TRUE(!peer_has_names_below(&w, 0, 1));
	set(&w, &d);
	CHECK_TRUE(peer_has_names_below(&w, 0, 1) && peer_has_names_below(&w, 1, 2));
	join(&w, &w.devices[3], false);
	settle(&w);
	CHECK_TRUE(peer_has_names_below(&w, 0, 3)); /* who comes later, too */
	d.wildcard = false;
	set(&w, &d);
	CHECK_TRUE(!peer_has_names_below(&w, 0, 1) && !peer_has_names_below(&w, 0, 3));
	rig_free(&w);
}

static void resolvers_are_taken_in_any_spelling_or_refused_with_the_reason(void **state)
{
	static const struct {
		const char *in, *out, *words;
	} t[] = { { "9.9.9.9", "9.9.9.9", "" }, { "9.9.9.9:53", "9.9.9.9", "" },
		{ "10.0.0.53:5353", "10.0.0.53:5353", "" }, { "FD00::0053", "fd00::53", "" },
		{ "[fd00::53]:853", "[fd00::53]:853", "" },
		{ "https://DNS.Google/dns-query", "https://dns.google/dns-query", "" },
		{ "https://dns.nextdns.io/AbC", "https://dns.nextdns.io/AbC", "" },
		{ "TLS://Dns.Corp.Example", "tls://dns.corp.example", "" },
		{ "tls://dns.corp.example:8853", "tls://dns.corp.example:8853", "" },
		{ "", NULL, "no resolver" }, { "dns.google", NULL, "no resolver" },
		{ "9.9.9.9:0", NULL, "no resolver" }, { "9.9.9", NULL, "no resolver" },
		{ "https://", NULL, "no resolver" }, { "https://dns.google", NULL, "no resolver" },
		{ "https://dns.google/a b", NULL, "no resolver" },
		{ "https://dns.google/a\"b", NULL, "no resolver" },
		{ "tls://dns.google/path", NULL, "no resolver" },
		{ "http://dns.google/dns-query", NULL, "in clear" },
		{ "100.100.100.100", NULL, "ask itself" },
		{ "[fd7a:115c:a1e0::53]:53", NULL, "ask itself" },
		{ "127.0.0.1", NULL, "each device itself" }, { "0.0.0.0", NULL, "single machine" },
		{ "https://127.0.0.1/dns-query", NULL, "each device itself" },
		{ "224.0.0.251", NULL, "single machine" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct tc_resolver r = resolver(t[i].in);
		struct coord_dns d = { .resolvers = json_list_of(&r, 1) }, out;
		struct err_at at = { 0 };
		struct arena a;
		int rc;

		arena_init(&a, 1 << 20);
		rc = coord_dns_clean(&d, "warren.test", &a, &out, &at);
		if (t[i].out)
			CHECK_STR(rc == 0 ? JSON_AT(out.resolvers, struct tc_resolver, 0)->addr
					  : at.text,
				t[i].out);
		else
			CHECK_STR(
				rc == -ERR_BAD_VALUE && strstr(at.text, t[i].words) ? "" : t[i].in,
				"");
		arena_fini(&a);
	}
}

static int clean(const struct coord_dns *d, struct err_at *at)
{
	struct coord_dns out;
	struct arena a;
	int rc;

	arena_init(&a, 8 << 20);
	*at = (struct err_at){ 0 };
	rc = coord_dns_clean(d, "warren.test", &a, &out, at);
	arena_fini(&a);
	return rc;
}

static void records_and_names_are_refused_with_what_to_do(void **state)
{
	static const struct {
		struct tc_dns_record r;
		const char *words;
	} t[] = { { { "db.corp.example", "TXT", "hello" }, "A and AAAA only" },
		{ { "db.corp.example", "CNAME", "other.example" }, "A and AAAA only" },
		{ { "db.corp.example", "A", "fd00::1" }, "no address" },
		{ { "db.corp.example", "AAAA", "10.0.0.1" }, "no address" },
		{ { "db.corp.example", NULL, "" }, "no address" },
		{ { "*.corp.example", "A", "10.0.0.1" }, "dns wildcard on" },
		{ { "x.onion", "A", "10.0.0.1" }, ".onion" },
		{ { "db corp", "A", "10.0.0.1" }, "is no name" },
		{ { "..", "A", "10.0.0.1" }, "is no name" },
		{ { "", "A", "10.0.0.1" }, "is no name" },
		{ { NULL, "A", "10.0.0.1" }, "is no name" },
		{ { "10.0.0.1", "A", "10.0.0.1" }, "is an address" } };
	struct err_at at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct tc_dns_record r = t[i].r;
		struct coord_dns d = { .records = json_list_of(&r, 1) };

		CHECK_INT(clean(&d, &at), ==, -ERR_BAD_VALUE);
		CHECK_STR(strstr(at.text, t[i].words) ? "" : at.text, "");
	}
	{
		const char *search[] = { "Warren.Test." };
		struct coord_dns d = { .search = json_list_of(search, 1) };

		CHECK_INT(clean(&d, &at), ==, -ERR_BAD_VALUE);
		CHECK_TRUE(strstr(at.text, "searched first") != NULL);
	}
	{
		struct coord_dns_split s = { .suffix = "warren.test" };
		struct coord_dns d = { .splits = json_list_of(&s, 1) };

		CHECK_INT(clean(&d, &at), ==, -ERR_BAD_VALUE);
		CHECK_TRUE(strstr(at.text, "base domain") != NULL);
	}
}

static void there_are_bounds(void **state)
{
	static struct tc_dns_record r[COORD_DNS_RECORDS_MAX + 1];
	static struct coord_dns_split s[COORD_DNS_SPLITS_MAX + 1];
	static char names[COORD_DNS_RECORDS_MAX + 1][32];
	struct tc_resolver v[COORD_DNS_RESOLVERS_MAX + 1];
	struct coord_dns d = { 0 };
	struct err_at at;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(r); i++) {
		snprintf(names[i], sizeof(names[i]), "h%zu.corp.example", i);
		r[i] = (struct tc_dns_record){ .name = names[i], .value = "10.0.0.1" };
	}
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		s[i].suffix = names[i];
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		v[i] = resolver("9.9.9.9");
	d.records = json_list_of(r, COORD_DNS_RECORDS_MAX);
	d.splits = json_list_of(s, COORD_DNS_SPLITS_MAX);
	CHECK_INT(clean(&d, &at), ==, 0);
	d.records.n++;
	CHECK_INT(clean(&d, &at), ==, -ERR_TOO_MANY);
	d.records.n--;
	d.splits.n++;
	CHECK_INT(clean(&d, &at), ==, -ERR_TOO_MANY);
	d.splits.n--;
	d.resolvers = json_list_of(v, ARRAY_LEN(v));
	CHECK_INT(clean(&d, &at), ==, -ERR_TOO_MANY);
}

static void one_thing_is_added_or_taken_out_by_name(void **state)
{
	struct tc_resolver r[] = { resolver("9.9.9.9"), resolver("1.1.1.1:53") };
	struct json_list both = json_list_of(r, 2), second = json_list_of(r + 1, 1);
	struct tc_dns_record rec[] = { { "a.corp.example", NULL, "10.0.0.1" },
		{ "a.corp.example", NULL, "10.0.0.2" }, { "A.Corp.Example", NULL, NULL } };
	struct json_list two = json_list_of(rec, 2), all = json_list_of(rec + 2, 1);
	const char *name[] = { "Corp.Example" };
	struct json_list search = json_list_of(name, 1);
	struct coord_dns d = { 0 };
	struct err_at at;
	struct arena a;

	(void)state;
	arena_init(&a, 1 << 20);
	CHECK_INT(coord_dns_edit_resolvers(&d, COORD_DNS_ADD, &both, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_resolvers(&d, COORD_DNS_ADD, &second, &a, &at), ==, -EEXIST);
	CHECK_INT(coord_dns_edit_resolvers(&d, COORD_DNS_REMOVE, &second, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_resolvers(&d, COORD_DNS_REMOVE, &second, &a, &at), ==, -ENOENT);
	CHECK_INT(d.resolvers.n, ==, 1);
	CHECK_INT(coord_dns_edit_resolvers(&d, COORD_DNS_SET, &second, &a, &at), ==, 0);
	CHECK_STR(JSON_AT(d.resolvers, struct tc_resolver, 0)->addr, "1.1.1.1");
	CHECK_INT(coord_dns_edit_records(&d, COORD_DNS_ADD, &two, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_records(&d, COORD_DNS_REMOVE, &all, &a, &at), ==, 0);
	CHECK_INT(d.records.n, ==, 0);
	CHECK_INT(coord_dns_edit_records(&d, COORD_DNS_REMOVE, &all, &a, &at), ==, -ENOENT);
	CHECK_INT(coord_dns_edit_search(&d, COORD_DNS_ADD, &search, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_search(&d, COORD_DNS_ADD, &search, &a, &at), ==, -EEXIST);
	CHECK_INT(coord_dns_edit_search(&d, COORD_DNS_REMOVE, &search, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_split(&d, COORD_DNS_ADD, "corp.example", &both, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_split(&d, COORD_DNS_REMOVE, "corp.example", &second, &a, &at), ==,
		0);
	CHECK_INT(JSON_AT(d.splits, struct coord_dns_split, 0)->resolvers.n, ==, 1);
	CHECK_INT(coord_dns_edit_split(&d, COORD_DNS_REMOVE, "corp.example", NULL, &a, &at), ==, 0);
	CHECK_INT(coord_dns_edit_split(&d, COORD_DNS_REMOVE, "corp.example", NULL, &a, &at), ==,
		-ENOENT);
	arena_fini(&a);
}

static enum coord_dns_how how(const struct rig *w, const char *name, const char **ret_first)
{
	static char first[64];
	struct coord_dns_preview p;
	struct err_at at = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	CHECK_INT(coord_dns_preview(w->tailnet, name, 0, &a, &p, &at), ==, 0);
	snprintf(first, sizeof(first), "%s",
		p.values.n      ? *JSON_AT(p.values, const char *, 0)
		: p.resolvers.n ? JSON_AT(p.resolvers, struct tc_resolver, 0)->addr
				: "");
	arena_fini(&a);
	*ret_first = first;
	return p.how;
}

static void a_preview_says_who_answers(void **state)
{
	struct tc_resolver deep = resolver("10.0.0.54"), split = resolver("10.0.0.53"),
			   global = resolver("9.9.9.9");
	struct coord_dns_split s[] = { { "corp.example", json_list_of(&split, 1) },
		{ "deep.corp.example", json_list_of(&deep, 1) }, { "none.example", { 0 } } };
	struct tc_dns_record r = { "db.corp.example", NULL, "10.0.0.9" };
	struct coord_dns d = { .splits = json_list_of(s, 3), .records = json_list_of(&r, 1) };
	const char *first;
	struct rig w;

	(void)state;
	three_devices(&w);
	set(&w, &d);
	CHECK_INT(how(&w, "box-1", &first), ==, COORD_DNS_DEVICE);
	CHECK_INT(how(&w, "Box.Warren.Test.", &first), ==, COORD_DNS_DEVICE);
	CHECK_INT(how(&w, "x.box.warren.test", &first), ==, COORD_DNS_NOTHING);
	CHECK_INT(how(&w, "nobody.warren.test", &first), ==, COORD_DNS_NOTHING);
	CHECK_INT(how(&w, "db.corp.example", &first), ==, COORD_DNS_RECORD);
	CHECK_STR(first, "10.0.0.9");
	CHECK_INT(how(&w, "www.corp.example", &first), ==, COORD_DNS_SPLIT);
	CHECK_STR(first, "10.0.0.53");
	CHECK_INT(how(&w, "a.deep.corp.example", &first), ==, COORD_DNS_SPLIT);
	CHECK_STR(first, "10.0.0.54");
	CHECK_INT(how(&w, "xcorp.example", &first), ==, COORD_DNS_SYSTEM);
	CHECK_INT(how(&w, "x.none.example", &first), ==, COORD_DNS_NOTHING);
	d.resolvers = json_list_of(&global, 1);
	d.wildcard = true;
	set(&w, &d);
	CHECK_INT(how(&w, "x.box.warren.test", &first), ==, COORD_DNS_DEVICE);
	CHECK_INT(how(&w, "example.org", &first), ==, COORD_DNS_GLOBAL);
	CHECK_STR(first, "9.9.9.9");
	rig_free(&w);
}

static void a_device_is_called_as_its_host_name_says(void **state)
{
	static const struct {
		const char *hostname, *name;
	} t[] = { { "Joe's Mac mini", "joes-mac-mini" }, { "Test@Host", "test-host" },
		{ "mail.server", "mail-server" }, { "My-PC!", "my-pc" },
		{ "\xe6\x88\x91\xe7\x9a\x84", "device" }, { "nas.local", "nas" },
		{ "box.lan", "box" }, { "BOX", "box-1" }, { "box", "box-2" }, { "-_x_-", "x" } };
	struct rig w;

	(void)state;
	rig_new(&w, 3);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		w.devices[i].hostname = t[i].hostname;
		join(&w, &w.devices[i], false);
		listen_to_map(&w, &w.devices[i]);
		settle(&w);
		CHECK_STR(node_of(&w, &w.devices[i])->name, t[i].name);
	}
	CHECK_INT(
		coord_node_rename(w.tailnet, node_of(&w, &w.devices[0])->id, "mini", w.now), ==, 0);
	{
		static const char *const none[] = { "", "Mini", "a.b", "-a", "a-", "a b", "a_b",
			"0123456789012345678901234567890123456789012345678901234567890123" };

		for (size_t i = 0; i < ARRAY_LEN(none); i++)
			CHECK_INT(coord_node_rename(w.tailnet, node_of(&w, &w.devices[0])->id,
					  none[i], w.now),
				==, -ERR_BAD_VALUE);
	}
	CHECK_INT(coord_node_rename(w.tailnet, node_of(&w, &w.devices[0])->id, "box", w.now), ==,
		-EEXIST);
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tailnet_begins_with_names_of_devices_and_nothing_else),
		cmocka_unit_test(a_change_is_one_message_with_nothing_else_to_each),
		cmocka_unit_test(settings_come_to_devices_in_the_field_that_clients_read),
		cmocka_unit_test(settings_are_there_after_a_restart),
		cmocka_unit_test(who_sees_few_devices_hears_of_all_records),
		cmocka_unit_test(a_device_that_is_out_is_told_of_no_names),
		cmocka_unit_test(nextdns_is_told_which_device_asks_and_the_policy_says_how),
		cmocka_unit_test(a_device_may_have_a_certificate_for_its_own_name),
		cmocka_unit_test(names_below_each_device_are_a_switch),
		cmocka_unit_test(resolvers_are_taken_in_any_spelling_or_refused_with_the_reason),
		cmocka_unit_test(records_and_names_are_refused_with_what_to_do),
		cmocka_unit_test(there_are_bounds),
		cmocka_unit_test(one_thing_is_added_or_taken_out_by_name),
		cmocka_unit_test(a_preview_says_who_answers),
		cmocka_unit_test(a_device_is_called_as_its_host_name_says),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
