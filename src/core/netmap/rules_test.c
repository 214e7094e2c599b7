/*
 * What a response means, rule by rule: absent, null, empty and a value are told apart. The numbers are those of the table in
 * docs/protocol/control.md, and of tests/coord/map_rules_test.c, which has the hub's side.
 */
#include "core/netmap/netmap.h"

#include "base/rng/rng.h"
#include "testlib/check.h"

#include <stdlib.h>

struct seen {
	int n[NETMAP_HEALTH + 1];
	char order[64]; /* of events, a letter each */
};
static struct seen seen;

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	static const char letters[] = "acrsfdnyumh"; /* as enum netmap_change has them */
	size_t at = strlen(seen.order);

	(void)ctx;
	(void)id;
	seen.n[what]++;
	if (at + 1 < sizeof(seen.order))
		seen.order[at] = letters[what];
}

static const struct netmap_ops ops = { .on_change = on_change };

static struct netmap *fresh(void)
{
	static struct rng_seeded rng;
	struct netmap *nm;

	rng_seeded_init(&rng, 1);
	CHECK_INT(netmap_new(&nm, &ops, NULL, &rng.rng), ==, 0);
	return nm;
}

static int try_apply(struct netmap *nm, const char *text)
{
	struct tc_map_response r;
	struct arena a;
	char *copy = strdup(text); /* freed before anything is looked at */
	int rc;

	arena_init(&a, 1 << 24);
	rc = json_decode(&tc_map_response_type, copy, strlen(copy), &r, &a, NULL);
	if (rc < 0)
		check_fail(__FILE__, __LINE__, "%s", text);
	memset(&seen, 0, sizeof(seen));
	rc = netmap_apply(nm, &r, (struct now){ .wall = 1000 });
	arena_fini(&a);
	free(copy);
	return rc;
}

static void apply(struct netmap *nm, const char *text)
{
	CHECK_INT(try_apply(nm, text), ==, 0);
}

/* The map that came back from the disk has to mean the same. */
static struct netmap *reloaded(struct netmap *nm)
{
	struct netmap *again = fresh();
	struct buf text;

	buf_init(&text, 1 << 20);
	CHECK_INT(netmap_save(nm, &text), ==, 0);
	CHECK_INT(netmap_load(again, buf_data(&text), buf_len(&text), NULL, NULL,
			  (struct now){ .wall = 1000 }),
		==, 0);
	buf_fini(&text);
	netmap_free(nm);
	return again;
}

#define RULE \
	"{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"
#define KEY1 "discokey:0101010101010101010101010101010101010101010101010101010101010101"
#define ALL \
	"{\"Node\":{\"ID\":9},\"Peers\":[{\"ID\":1},{\"ID\":2}],\"Domain\":\"x.y\",\"DNSConfig\":{\"Domains\":[\"d\"]}," \
	"\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1}}},\"UserProfiles\":[{\"ID\":4,\"LoginName\":\"u\"}]," \
	"\"SSHPolicy\":{\"rules\":[]},\"Health\":[\"ill\"],\"DisplayMessages\":{\"m\":{\"Title\":\"T\"}}," \
	"\"PacketFilters\":{\"base\":[" RULE "],\"more\":[" RULE "]}}"

static void rule_3_a_new_session_starts_empty(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, ALL);
	netmap_begin(nm);
	apply(nm, "{\"KeepAlive\":true}"); /* not yet */
	CHECK_INT(netmap_n_peers(nm), ==, 2);
	apply(nm,
		"{\"Node\":{\"ID\":9},\"PeersChanged\":[{\"ID\":2}],\"PacketFilter\":[" RULE "]}");
	CHECK_INT(netmap_n_peers(nm), ==, 1);
	CHECK_INT(seen.n[NETMAP_PEER_REMOVED], ==, 1);
	CHECK_INT(seen.n[NETMAP_PEER_ADDED] + seen.n[NETMAP_PEER_CHANGED], ==,
		0); /* who stays is not disturbed */
	CHECK_INT(netmap_n_filters(nm), ==,
		1); /* a piece of an earlier session would let somebody in */
	CHECK_TRUE(!netmap_derp_map(nm) && !netmap_dns(nm) && !netmap_health(nm) &&
		   !netmap_display(nm) && !netmap_user(nm, 4));
	CHECK_STR(netmap_domain(nm), "");
	CHECK_INT(netmap_ssh_policy(nm).len, ==, 0);
	apply(nm, "{\"Domain\":\"z\"}"); /* from now on absent is unchanged */
	CHECK_INT(netmap_n_peers(nm), ==, 1);
	CHECK_INT(netmap_n_filters(nm), ==, 1);
	netmap_begin(nm);
	apply(nm, "{\"Node\":{\"ID\":9},\"Peers\":[]}");
	CHECK_INT(netmap_n_peers(nm), ==, 0);
	CHECK_INT(netmap_n_filters(nm), ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_3_the_same_session_again_changes_nothing(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, ALL);
	netmap_begin(nm);
	apply(nm, ALL);
	CHECK_STR(seen.order, "");
	netmap_free(nm);
	(void)state;
}

static void rule_12_old_ways_to_say_a_thing_become_the_new_one(void **state)
{
	struct netmap *nm = fresh();
	const struct tc_node *n;

	apply(nm,
		"{\"Node\":{\"ID\":9,\"Capabilities\":[\"a\",\"b\"],\"CapMap\":{\"b\":[1]}},"
		"\"Peers\":[{\"ID\":1,\"DERP\":\"127.3.3.40:12\",\"Addresses\":[\"100.64.0.1/32\"]},"
		"{\"ID\":2,\"DERP\":\"127.3.3.40:12\",\"HomeDERP\":7,\"Addresses\":[\"100.64.0.2/32\"],\"AllowedIPs\":[]},"
		"{\"ID\":3,\"DERP\":\"127.3.3.41:12\",\"Addresses\":[\"100.64.0.3/32\"],\"AllowedIPs\":null},"
		"{\"ID\":4,\"Addresses\":[\"100.64.0.4/32\"],\"AllowedIPs\":[\"100.64.0.4/32\",\"10.0.0.0/8\"],"
		"\"UnsignedPeerAPIOnly\":true}]}");
	for (int round = 0; round < 2; round++) {
		n = netmap_self(nm);
		CHECK_INT(n->cap_map.n, ==, 2);
		CHECK_TRUE(json_map_find(&n->cap_map, "a"));
		CHECK_INT(((const struct json_list *)json_map_find(&n->cap_map, "b"))->n, ==, 1);
		n = netmap_peer(nm, 1);
		CHECK_INT(n->home_derp, ==, 12);
		CHECK_INT(n->allowed_ips.n, ==, 1); /* absent: its addresses */
		n = netmap_peer(nm, 2);
		CHECK_INT(n->home_derp, ==, 7); /* the number wins */
		CHECK_TRUE(n->allowed_ips.present &&
			   n->allowed_ips.n == 0); /* empty: nothing, not even those */
		n = netmap_peer(nm, 3);
		CHECK_INT(n->home_derp, ==, 0);
		CHECK_INT(n->allowed_ips.n, ==, 1); /* null: as absent */
		CHECK_INT(netmap_peer(nm, 4)->allowed_ips.n, ==,
			1); /* no routes of who is not signed for */
		nm = reloaded(nm);
	}
	netmap_free(nm);
	(void)state;
}

static void rule_13_a_full_list_makes_all_other_peer_fields_void(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1,\"Name\":\"a\",\"Online\":false}]}");
	apply(nm,
		"{\"Peers\":[{\"ID\":1,\"Name\":\"b\",\"Online\":false},{\"ID\":2}],\"PeersRemoved\":[1],\"PeersChanged\":[{\"ID\":3}],"
		"\"PeerSeenChange\":{\"1\":true},\"OnlineChange\":{\"1\":true},\"PeersChangedPatch\":[{\"NodeID\":1,\"Cap\":5}]}");
	CHECK_INT(netmap_n_peers(nm), ==, 2);
	CHECK_STR(netmap_peer(nm, 1)->name, "b");
	CHECK_INT(netmap_peer(nm, 1)->online, ==, JSON_NO);
	CHECK_INT(netmap_peer(nm, 1)->last_seen, ==, 0);
	CHECK_INT(netmap_peer(nm, 1)->cap, ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_15_a_known_peer_that_is_removed_and_changed_is_removed(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1},{\"ID\":2}]}");
	apply(nm,
		"{\"PeersRemoved\":[2,3],\"PeersChanged\":[{\"ID\":2,\"Name\":\"x\"},{\"ID\":3}]}");
	CHECK_TRUE(netmap_peer(nm, 1) && !netmap_peer(nm, 2));
	CHECK_TRUE(netmap_peer(nm, 3) != NULL); /* it was not known: there was nothing to remove */
	netmap_free(nm);
	(void)state;
}

static void rule_16_users_and_filter_are_there_before_the_peers_that_need_them(void **state)
{
	struct netmap *nm = fresh();

	apply(nm,
		"{\"Peers\":[{\"ID\":1,\"User\":4}],\"PacketFilter\":[],\"UserProfiles\":[{\"ID\":4}]}");
	CHECK_STR(seen.order, "ufa");
	netmap_free(nm);
	(void)state;
}

static void rule_17_19_absent_null_and_empty_peers_change_nothing(void **state)
{
	static const char *const none[] = { "{}", "{\"Peers\":null}", "{\"Peers\":[]}" };
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1}]}");
	for (size_t i = 0; i < ARRAY_LEN(none); i++) {
		apply(nm, none[i]);
		CHECK_INT(netmap_n_peers(nm), ==, 1);
		CHECK_STR(seen.order, "");
	}
	apply(nm, "{\"PeersRemoved\":[1]}"); /* the last one goes so only */
	CHECK_INT(netmap_n_peers(nm), ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_20_a_changed_peer_inherits_nothing(void **state)
{
	struct netmap *nm = fresh();
	const struct tc_node *n;

	apply(nm,
		"{\"Peers\":[{\"ID\":1,\"Name\":\"a\",\"DiscoKey\":\"" KEY1
		"\",\"Endpoints\":[\"192.0.2.1:1\"],\"HomeDERP\":3,"
		"\"CapMap\":{\"c\":[]},\"Online\":true,\"LastSeen\":\"2026-01-01T00:00:00Z\",\"Tags\":[\"tag:x\"]}]}");
	apply(nm, "{\"PeersChanged\":[{\"ID\":1,\"Name\":\"b\"}]}");
	n = netmap_peer(nm, 1);
	CHECK_STR(n->name, "b");
	CHECK_TRUE(!n->endpoints.n && !n->home_derp && !n->cap_map.n && n->online == JSON_ABSENT &&
		   !n->last_seen && !n->tags.n && key_is_zero(n->disco_key.b));
	netmap_free(nm);
	(void)state;
}

static void rule_22_a_patch_of_nobody_known_is_ignored(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1}]}");
	apply(nm,
		"{\"PeersChangedPatch\":[{\"NodeID\":7,\"Online\":true}],\"OnlineChange\":{\"8\":true},\"PeerSeenChange\":{\"9\":true}}");
	CHECK_INT(netmap_n_peers(nm), ==, 1);
	CHECK_STR(seen.order, "");
	netmap_free(nm);
	(void)state;
}

static void rule_23_each_field_of_a_patch_absent_null_empty_and_set(void **state)
{
	static const struct {
		const char *field;
		int endpoints, derp, cap, caps, online;
		bool seen, expires;
	} rows[] = {
		{ "\"DERPRegion\":0", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"DERPRegion\":8", 1, 8, 5, 1, JSON_YES, true, true },
		{ "\"Cap\":0", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"Cap\":6", 1, 3, 6, 1, JSON_YES, true, true },
		{ "\"Endpoints\":null", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"Endpoints\":[]", 0, 3, 5, 1, JSON_YES, true, true },
		{ "\"Endpoints\":[\"192.0.2.1:1\",\"192.0.2.1:2\"]", 2, 3, 5, 1, JSON_YES, true,
			true },
		{ "\"CapMap\":null", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"CapMap\":{}", 1, 3, 5, 0, JSON_YES, true, true },
		{ "\"CapMap\":{\"x\":null,\"y\":[]}", 1, 3, 5, 2, JSON_YES, true, true },
		{ "\"Online\":null", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"Online\":false", 1, 3, 5, 1, JSON_NO, true, true },
		{ "\"LastSeen\":null", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"LastSeen\":\"0001-01-01T00:00:00Z\"", 1, 3, 5, 1, JSON_YES, true,
			true }, /* cannot be cleared */
		{ "\"KeyExpiry\":null", 1, 3, 5, 1, JSON_YES, true, true },
		{ "\"KeyExpiry\":\"0001-01-01T00:00:00Z\"", 1, 3, 5, 1, JSON_YES, true,
			false }, /* does not expire */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct netmap *nm = fresh();
		const struct tc_node *n;
		char text[300];

		apply(nm,
			"{\"Peers\":[{\"ID\":1,\"Endpoints\":[\"192.0.2.1:1\"],\"HomeDERP\":3,\"Cap\":5,\"CapMap\":{\"c\":[]},\"Online\":true,"
			"\"LastSeen\":\"2026-01-01T00:00:00Z\",\"KeyExpiry\":\"2027-01-01T00:00:00Z\"}]}");
		snprintf(text, sizeof(text), "{\"PeersChangedPatch\":[{\"NodeID\":1,%s}]}",
			rows[i].field);
		apply(nm, text);
		n = netmap_peer(nm, 1);
		if ((int)n->endpoints.n != rows[i].endpoints || n->home_derp != rows[i].derp ||
			n->cap != rows[i].cap || (int)n->cap_map.n != rows[i].caps ||
			n->online != rows[i].online || !n->last_seen == rows[i].seen ||
			!n->key_expiry == rows[i].expires)
			check_fail(__FILE__, __LINE__, "%s", rows[i].field);
		netmap_free(nm);
	}
	(void)state;
}

static void rule_24_seen_true_is_now_and_false_unknown(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1}]}");
	apply(nm, "{\"PeerSeenChange\":{\"1\":true}}");
	CHECK_INT(netmap_peer(nm, 1)->last_seen, ==, 1000);
	apply(nm, "{\"PeerSeenChange\":{\"1\":false}}");
	CHECK_INT(netmap_peer(nm, 1)->last_seen, ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_25_a_disco_key_in_a_patch_is_applied_as_sent(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Peers\":[{\"ID\":1,\"LastSeen\":\"2026-01-02T00:00:00Z\",\"Online\":true}]}");
	apply(nm, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Online\":false,\"DiscoKey\":\"" KEY1
		  "\",\"LastSeen\":\"2026-01-01T00:00:00Z\"}]}");
	CHECK_INT(netmap_peer(nm, 1)->online, ==, JSON_NO);
	CHECK_INT(netmap_peer(nm, 1)->disco_key.b[0], ==, 1);
	netmap_free(nm);
	(void)state;
}

static void rule_26_a_self_node_that_comes_replaces_all_of_it(void **state)
{
	struct netmap *nm = fresh();

	apply(nm,
		"{\"Node\":{\"ID\":9,\"Name\":\"me\",\"StableTailnetID\":\"T1\",\"CapMap\":{\"a\":[]}}}");
	apply(nm, "{\"Node\":null}");
	CHECK_STR(netmap_self(nm)->name, "me");
	apply(nm, "{\"Node\":{\"ID\":9}}");
	CHECK_TRUE(!netmap_self(nm)->stable_tailnet_id || !*netmap_self(nm)->stable_tailnet_id);
	CHECK_INT(netmap_self(nm)->cap_map.n, ==, 0);
	netmap_free(nm);
	(void)state;
}

static double score(const struct netmap *nm, const char *id)
{
	const struct tc_derp_map *m = netmap_derp_map(nm);
	const double *d = m->home_params ? json_map_find(&m->home_params->region_score, id) : NULL;

	return d ? *d : 0;
}

static void rule_27_a_relay_map_is_merged(void **state)
{
	struct netmap *nm = fresh();

	apply(nm,
		"{\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1},\"2\":null,\"3\":{\"RegionID\":3}},\"omitDefaultRegions\":true,"
		"\"HomeParams\":{\"RegionScore\":{\"1\":0.5}}}}");
	CHECK_INT(netmap_derp_map(nm)->regions.n, ==, 2); /* a null is no region */
	apply(nm, "{\"DERPMap\":{}}");
	CHECK_INT(seen.n[NETMAP_DERP], ==, 0);
	apply(nm, "{\"DERPMap\":null}");
	CHECK_INT(seen.n[NETMAP_DERP], ==, 0);
	apply(nm,
		"{\"DERPMap\":{\"HomeParams\":{\"RegionScore\":{\"3\":2}}}}"); /* regions stay, and what belongs to them */
	CHECK_INT(netmap_derp_map(nm)->regions.n, ==, 2);
	CHECK_TRUE(netmap_derp_map(nm)->omit_default_regions);
	CHECK_TRUE(score(nm, "1") == 0 && score(nm, "3") == 2);
	apply(nm, "{\"DERPMap\":{\"HomeParams\":{}}}");
	CHECK_TRUE(score(nm, "3") == 2);
	apply(nm, "{\"DERPMap\":{\"Regions\":{\"4\":{\"RegionID\":4}}}}");
	CHECK_INT(netmap_derp_map(nm)->regions.n, ==, 1);
	CHECK_TRUE(!netmap_derp_map(nm)->omit_default_regions);
	CHECK_TRUE(score(nm, "3") == 2);
	nm = reloaded(nm);
	CHECK_TRUE(score(nm, "3") == 2);
	apply(nm, "{\"DERPMap\":{\"HomeParams\":{\"RegionScore\":{}}}}");
	CHECK_TRUE(score(nm, "3") == 0);
	apply(nm, "{\"DERPMap\":{\"Regions\":{}}}");
	CHECK_INT(netmap_derp_map(nm)->regions.n, ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_28_an_empty_dns_configuration_clears(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"DNSConfig\":{\"Domains\":[\"d\"],\"Proxied\":true}}");
	apply(nm, "{\"DNSConfig\":null}");
	CHECK_INT(netmap_dns(nm)->domains.n, ==, 1);
	apply(nm, "{\"DNSConfig\":{}}");
	CHECK_TRUE(!netmap_dns(nm)->domains.n && !netmap_dns(nm)->proxied);
	netmap_free(nm);
	(void)state;
}

static void rule_29_an_empty_domain_is_no_change(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Domain\":\"x\",\"CollectServices\":true}");
	apply(nm, "{\"Domain\":\"\",\"CollectServices\":null}");
	CHECK_STR(netmap_domain(nm), "x");
	CHECK_STR(seen.order, "");
	netmap_free(nm);
	(void)state;
}

static void rule_30_profiles_only_grow(void **state)
{
	struct netmap *nm = fresh();

	apply(nm,
		"{\"UserProfiles\":[{\"ID\":1,\"LoginName\":\"a\"},{\"ID\":2,\"LoginName\":\"b\"}]}");
	apply(nm, "{\"UserProfiles\":[{\"ID\":2,\"LoginName\":\"c\"}]}");
	apply(nm, "{\"UserProfiles\":[]}");
	CHECK_STR(netmap_user(nm, 1)->login_name, "a");
	CHECK_STR(netmap_user(nm, 2)->login_name, "c");
	netmap_free(nm);
	(void)state;
}

static void rule_31_an_empty_filter_empties_one_piece(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"PacketFilters\":{\"base\":[" RULE "],\"other\":[" RULE "]}}");
	apply(nm, "{\"PacketFilter\":null}");
	CHECK_INT(netmap_filter(nm, 0, NULL)->n, ==, 1);
	apply(nm, "{\"PacketFilter\":[]}");
	CHECK_INT(netmap_n_filters(nm), ==, 2);
	CHECK_INT(netmap_filter(nm, 0, NULL)->n, ==, 0);
	CHECK_INT(netmap_filter(nm, 1, NULL)->n, ==, 1); /* so it does not block everything */
	netmap_free(nm);
	(void)state;
}

static void rule_32_pieces_of_the_filter_by_name(void **state)
{
	struct netmap *nm = fresh();
	const char *name;

	apply(nm, "{\"PacketFilters\":{\"a\":[" RULE "],\"b\":[" RULE "]}}");
	apply(nm, "{\"PacketFilters\":{}}");
	apply(nm, "{\"PacketFilters\":null}");
	CHECK_INT(netmap_n_filters(nm), ==, 2);
	apply(nm, "{\"PacketFilters\":{\"a\":[]}}"); /* empty, and still there */
	CHECK_INT(netmap_n_filters(nm), ==, 2);
	apply(nm, "{\"PacketFilters\":{\"a\":null}}"); /* gone */
	CHECK_INT(netmap_n_filters(nm), ==, 1);
	apply(nm, "{\"PacketFilters\":{\"*\":[" RULE "]}}"); /* with rules it is no name */
	CHECK_INT(netmap_n_filters(nm), ==, 1);
	/* The old field first, then all are cleared, then those of the message: wherever the star stands. */
	apply(nm, "{\"PacketFilters\":{\"z\":[],\"*\":null,\"c\":[" RULE
		  "]},\"PacketFilter\":[" RULE "]}");
	CHECK_INT(netmap_n_filters(nm), ==, 2);
	netmap_filter(nm, 0, &name);
	CHECK_STR(name, "c");
	netmap_filter(nm, 1, &name);
	CHECK_STR(name, "z");
	netmap_free(nm);
	(void)state;
}

static size_t n_messages(const struct netmap *nm)
{
	return netmap_display(nm) ? netmap_display(nm)->n : 0;
}

static void rule_33_messages_are_patched_and_health_is_kept_behind_them(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Health\":[\"ill\"]}");
	apply(nm, "{\"Health\":null,\"DisplayMessages\":null}");
	CHECK_INT(netmap_health(nm)->n, ==, 1);
	apply(nm,
		"{\"DisplayMessages\":{\"b\":{\"Title\":\"B\"},\"a\":{\"Title\":\"A\",\"Text\":\"t\",\"Severity\":\"high\","
		"\"ImpactsConnectivity\":true,\"PrimaryAction\":{\"URL\":\"https://x\",\"Label\":\"go\"}}}}");
	CHECK_INT(n_messages(nm), ==, 2);
	CHECK_STR(netmap_display(nm)->v[0].key, "a");
	CHECK_STR((*(struct tc_display_message **)netmap_display(nm)->v[0].value)
			  ->primary_action->label,
		"go");
	apply(nm, "{\"DisplayMessages\":{}}");
	CHECK_STR(seen.order, "");
	apply(nm,
		"{\"DisplayMessages\":{\"a\":null,\"nobody\":null,\"b\":{\"Title\":\"B2\"},\"c\":{\"Title\":\"C\"}}}");
	CHECK_INT(n_messages(nm), ==, 2);
	CHECK_STR((*(struct tc_display_message **)netmap_display(nm)->v[0].value)->title, "B2");
	nm = reloaded(nm);
	CHECK_INT(n_messages(nm), ==, 2);
	apply(nm, "{\"DisplayMessages\":{\"d\":{\"Title\":\"D\"},\"*\":null}}");
	CHECK_INT(n_messages(nm), ==, 1);
	apply(nm, "{\"DisplayMessages\":{\"*\":null}}");
	CHECK_INT(n_messages(nm), ==, 0);
	CHECK_INT(netmap_health(nm)->n, ==, 1); /* to be shown again */
	apply(nm, "{\"Health\":[]}");
	CHECK_INT(netmap_health(nm)->n, ==, 0);
	netmap_free(nm);
	(void)state;
}

static void rule_33_messages_have_a_bound(void **state)
{
	struct netmap *nm = fresh();
	struct buf b;

	buf_init(&b, 1 << 20);
	CHECK_INT(buf_append_str(&b, "{\"DisplayMessages\":{"), ==, 0);
	for (int i = 0; i < 300; i++)
		CHECK_INT(buf_printf(&b, "%s\"m%d\":{\"Title\":\"x\"}", i ? "," : "", i), ==, 0);
	CHECK_INT(buf_append(&b, "}}", 3), ==, 0);
	CHECK_INT(try_apply(nm, (const char *)buf_data(&b)), ==, -ERR_TOO_MANY);
	buf_fini(&b);
	netmap_free(nm);
	(void)state;
}

static void rule_34_rules_of_ssh_are_replaced(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"SSHPolicy\":{\"rules\":[{}]}}");
	apply(nm, "{\"SSHPolicy\":null}");
	CHECK_TRUE(view_eq(netmap_ssh_policy(nm), VIEW_LIT("{\"rules\":[{}]}")));
	apply(nm, "{\"SSHPolicy\":{\"rules\":[]}}");
	CHECK_TRUE(view_eq(netmap_ssh_policy(nm), VIEW_LIT("{\"rules\":[]}")));
	netmap_free(nm);
	(void)state;
}

static void rules_9_10_35_36_what_a_device_of_ours_does_not_look_at_changes_nothing(void **state)
{
	struct netmap *nm = fresh();

	apply(nm, "{\"Node\":{\"ID\":9},\"Peers\":[{\"ID\":1}]}");
	apply(nm,
		"{\"MapSessionHandle\":\"h\",\"Seq\":7,\"TKAInfo\":{\"Disabled\":true},\"DefaultAutoUpdate\":true,\"ControlDialPlan\":{},"
		"\"ClientVersion\":{\"RunningLatest\":true},\"DomainDataPlaneAuditLogID\":\"x\",\"Unknown\":[1]}");
	CHECK_STR(seen.order, "");
	apply(nm,
		"{\"KeepAlive\":true,\"Peers\":[{\"ID\":2}],\"Node\":{\"ID\":8},\"ControlTime\":\"1970-01-01T00:00:03Z\"}");
	CHECK_STR(seen.order, "");
	CHECK_INT(netmap_control_skew_ms(nm), ==, 2000);
	netmap_free(nm);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_3_a_new_session_starts_empty),
		cmocka_unit_test(rule_3_the_same_session_again_changes_nothing),
		cmocka_unit_test(rule_12_old_ways_to_say_a_thing_become_the_new_one),
		cmocka_unit_test(rule_13_a_full_list_makes_all_other_peer_fields_void),
		cmocka_unit_test(rule_15_a_known_peer_that_is_removed_and_changed_is_removed),
		cmocka_unit_test(
			rule_16_users_and_filter_are_there_before_the_peers_that_need_them),
		cmocka_unit_test(rule_17_19_absent_null_and_empty_peers_change_nothing),
		cmocka_unit_test(rule_20_a_changed_peer_inherits_nothing),
		cmocka_unit_test(rule_22_a_patch_of_nobody_known_is_ignored),
		cmocka_unit_test(rule_23_each_field_of_a_patch_absent_null_empty_and_set),
		cmocka_unit_test(rule_24_seen_true_is_now_and_false_unknown),
		cmocka_unit_test(rule_25_a_disco_key_in_a_patch_is_applied_as_sent),
		cmocka_unit_test(rule_26_a_self_node_that_comes_replaces_all_of_it),
		cmocka_unit_test(rule_27_a_relay_map_is_merged),
		cmocka_unit_test(rule_28_an_empty_dns_configuration_clears),
		cmocka_unit_test(rule_29_an_empty_domain_is_no_change),
		cmocka_unit_test(rule_30_profiles_only_grow),
		cmocka_unit_test(rule_31_an_empty_filter_empties_one_piece),
		cmocka_unit_test(rule_32_pieces_of_the_filter_by_name),
		cmocka_unit_test(rule_33_messages_are_patched_and_health_is_kept_behind_them),
		cmocka_unit_test(rule_33_messages_have_a_bound),
		cmocka_unit_test(rule_34_rules_of_ssh_are_replaced),
		cmocka_unit_test(
			rules_9_10_35_36_what_a_device_of_ours_does_not_look_at_changes_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
