/* What deltas mean, and that any sequence of them ends in the map that a plain reading of the rules gives. */
#include "core/netmap/check.h"
#include "core/netmap/netmap.h"

#include "base/rng/rng.h"
#include "testlib/vectors.h"

#include <stdio.h>
#include <stdlib.h>

struct log {
	int n[NETMAP_HEALTH + 1];
	int64_t last[NETMAP_HEALTH + 1];
	int peers; /* as the events tell */
};

static void on_change(void *ctx, enum netmap_change what, int64_t id)
{
	struct log *l = ctx;

	l->n[what]++;
	l->last[what] = id;
	l->peers += what == NETMAP_PEER_ADDED ? 1 : what == NETMAP_PEER_REMOVED ? -1 : 0;
}

static const struct netmap_ops ops = { .on_change = on_change };
static struct log seen;
static struct rng_seeded rng;

static struct netmap *fresh(void)
{
	struct netmap *nm;

	memset(&seen, 0, sizeof(seen));
	rng_seeded_init(&rng, 1);
	CHECK_INT(netmap_new(&nm, &ops, &seen, &rng.rng), ==, 0);
	return nm;
}

/* The text is freed before anything is looked at: nothing may point into it. */
static void apply_at(struct netmap *nm, const char *text, unix_ms wall)
{
	struct tc_map_response r;
	struct err_at at = { 0 };
	struct arena a;
	char *copy = strdup(text);

	arena_init(&a, 1 << 24);
	if (json_decode(&tc_map_response_type, copy, strlen(copy), &r, &a, &at) < 0)
		check_fail(__FILE__, __LINE__, "%s: column %u: %s", text, at.column, at.text);
	memset(seen.n, 0, sizeof(seen.n));
	CHECK_INT(netmap_apply(nm, &r, (struct now){ .wall = wall }), ==, 0);
	arena_fini(&a);
	free(copy);
}

static void apply(struct netmap *nm, const char *text)
{
	apply_at(nm, text, 1000);
}

static void a_full_list_replaces_and_an_empty_one_says_nothing(void **state)
{
	struct netmap *nm = fresh();
	(void)state;

	apply(nm, "{\"Peers\":[{\"ID\":2,\"Name\":\"b\"},{\"ID\":1,\"Name\":\"a\"}]}");
	CHECK_INT(seen.n[NETMAP_PEER_ADDED], ==, 2);
	apply(nm, "{\"Peers\":[]}");
	CHECK_INT(netmap_n_peers(nm), ==, 2);
	apply(nm,
		"{\"Peers\":[{\"ID\":2,\"Name\":\"b\"},{\"ID\":3}],\"PeersRemoved\":[2],\"OnlineChange\":{\"2\":true}}");
	CHECK_INT(seen.n[NETMAP_PEER_ADDED], ==, 1);
	CHECK_INT(seen.n[NETMAP_PEER_REMOVED], ==, 1);
	CHECK_INT(seen.n[NETMAP_PEER_CHANGED], ==, 0);
	CHECK_TRUE(!netmap_peer(nm, 1) && netmap_peer(nm, 3));
	CHECK_STR(netmap_peer(nm, 2)->name, "b");
	CHECK_INT(netmap_peer(nm, 2)->online, ==, JSON_ABSENT);
	netmap_free(nm);
}

static void deltas_come_in_a_fixed_order(void **state)
{
	struct netmap *nm = fresh();
	(void)state;

	apply(nm, "{\"PeersChanged\":[{\"ID\":1,\"Online\":false},{\"ID\":2}]}");
	apply(nm,
		"{\"PeersChangedPatch\":[{\"NodeID\":1,\"Online\":true},{\"NodeID\":99,\"Cap\":1}],"
		"\"OnlineChange\":{\"1\":false,\"77\":true,\"x\":true},\"PeerSeenChange\":{\"1\":true},"
		"\"PeersChanged\":[{\"ID\":1,\"Name\":\"new\"}],\"PeersRemoved\":[2,50]}");
	CHECK_INT(netmap_n_peers(nm), ==, 1);
	CHECK_STR(netmap_peer(nm, 1)->name, "new");
	CHECK_INT(netmap_peer(nm, 1)->online, ==, JSON_YES);
	CHECK_INT(netmap_peer(nm, 1)->last_seen, ==, 1000);
	apply(nm, "{\"PeerSeenChange\":{\"1\":false}}");
	CHECK_INT(netmap_peer(nm, 1)->last_seen, ==, 0);
	apply(nm, "{\"PeersChanged\":[{\"ID\":1,\"Name\":\"new\",\"Online\":true}]}");
	CHECK_INT(seen.n[NETMAP_PEER_CHANGED], ==, 0);
	netmap_free(nm);
}

static void a_patch_changes_only_what_it_names(void **state)
{
	struct netmap *nm = fresh();
	const struct tc_node *p;
	(void)state;

	apply(nm,
		"{\"Peers\":[{\"ID\":1,\"Name\":\"a\",\"Endpoints\":[\"192.0.2.1:1\"],\"DERP\":\"127.3.3.40:4\","
		"\"CapMap\":{\"x\":[1]},\"Cap\":5}]}");
	apply(nm, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"DERPRegion\":7}]}");
	p = netmap_peer(nm, 1);
	CHECK_INT(p->home_derp, ==, 7);
	CHECK_TRUE(!p->derp || !*p->derp);
	CHECK_INT(p->endpoints.n, ==, 1);
	CHECK_INT(p->cap, ==, 5);
	CHECK_INT(p->cap_map.n, ==, 1);
	apply(nm, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Endpoints\":[],\"CapMap\":{}}]}");
	p = netmap_peer(nm, 1);
	CHECK_INT(p->endpoints.n, ==, 0);
	CHECK_INT(p->cap_map.n, ==, 0);
	CHECK_STR(p->name, "a");
	apply(nm,
		"{\"PeersChangedPatch\":[{\"NodeID\":1,\"KeyExpiry\":\"2026-01-01T00:00:00Z\",\"KeySignature\":\"AQI=\"}]}");
	apply(nm, "{\"PeersChangedPatch\":[{\"NodeID\":1,\"Cap\":6}]}");
	CHECK_INT(netmap_peer(nm, 1)->key_expiry, ==, 1767225600000);
	CHECK_INT(netmap_peer(nm, 1)->key_signature.len, ==, 2);
	apply(nm,
		"{\"PeersChangedPatch\":[{\"NodeID\":1,\"KeyExpiry\":\"0001-01-01T00:00:00Z\"}]}");
	CHECK_INT(netmap_peer(nm, 1)->key_expiry, ==, 0);
	netmap_free(nm);
}

#define RULE \
	"{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}"

static void the_filter_is_its_pieces_by_name(void **state)
{
	struct netmap *nm = fresh();
	const char *name;
	(void)state;

	apply(nm, "{\"PacketFilter\":[" RULE "]}");
	CHECK_INT(netmap_n_filters(nm), ==, 1);
	CHECK_INT(netmap_filter(nm, 0, &name)->n, ==, 1);
	CHECK_STR(name, "base");
	apply(nm, "{}");
	CHECK_INT(seen.n[NETMAP_FILTER], ==, 0);
	apply(nm, "{\"PacketFilters\":{\"z\":[],\"a\":[" RULE "," RULE "],\"gone\":null}}");
	CHECK_INT(seen.n[NETMAP_FILTER], ==, 1);
	CHECK_INT(netmap_n_filters(nm), ==, 3);
	CHECK_INT(netmap_filter(nm, 0, &name)->n, ==, 2);
	CHECK_STR(name, "a");
	CHECK_INT(netmap_filter(nm, 2, &name)->n, ==, 0);
	CHECK_STR(name, "z");
	apply(nm, "{\"PacketFilter\":[]}"); /* block everything, not: no change */
	CHECK_INT(netmap_filter(nm, 1, NULL)->n, ==, 0);
	apply(nm, "{\"PacketFilters\":{\"a\":null,\"*\":[" RULE "]}}");
	CHECK_INT(netmap_n_filters(nm), ==, 2);
	apply(nm, "{\"PacketFilters\":{\"b\":[" RULE "],\"*\":null}}");
	CHECK_INT(netmap_n_filters(nm), ==, 1);
	netmap_filter(nm, 0, &name);
	CHECK_STR(name, "b");
	netmap_free(nm);
}

static void other_parts_stay_until_they_are_sent_again(void **state)
{
	struct netmap *nm = fresh();
	(void)state;

	CHECK_STR(netmap_domain(nm), "");
	apply(nm,
		"{\"Node\":{\"ID\":9,\"Name\":\"me\"},\"Domain\":\"x.y\",\"DNSConfig\":{\"Domains\":[\"d\"]},"
		"\"DERPMap\":{\"Regions\":{\"1\":{\"RegionID\":1}}},\"UserProfiles\":[{\"ID\":4,\"LoginName\":\"u\"}],"
		"\"SSHPolicy\":{\"rules\":[]},\"ControlTime\":\"1970-01-01T00:00:05Z\",\"Health\":[\"ill\"]}");
	apply(nm, "{\"Domain\":\"\",\"SSHPolicy\":null}");
	apply(nm, "{\"KeepAlive\":true,\"Domain\":\"other\"}");
	CHECK_STR(netmap_domain(nm), "x.y");
	CHECK_STR(netmap_self(nm)->name, "me");
	CHECK_INT(netmap_derp_map(nm)->regions.n, ==, 1);
	CHECK_STR(netmap_user(nm, 4)->login_name, "u");
	CHECK_TRUE(view_eq(netmap_ssh_policy(nm), VIEW_LIT("{\"rules\":[]}")));
	CHECK_INT(netmap_control_skew_ms(nm), ==, 4000);
	CHECK_INT(netmap_health(nm)->n, ==, 1);
	apply(nm, "{\"DNSConfig\":{},\"Health\":[]}");
	CHECK_INT(seen.n[NETMAP_DNS], ==, 1);
	CHECK_INT(netmap_dns(nm)->domains.n, ==, 0);
	CHECK_INT(netmap_health(nm)->n, ==, 0);
	netmap_free(nm);
}

/* The reference: a row per possible ID. */
enum { IDS = 12 };
struct row {
	bool there;
	int name, derp, online;
	unix_ms seen;
};

static int pick(int n)
{
	return (int)rng_below(&rng.rng, (uint64_t)n);
}

static const char *put_node(char *text, struct row *row, int id)
{
	*row = (struct row){ .there = true, .name = pick(5), .derp = pick(4), .online = pick(3) };
	sprintf(text + strlen(text), "{\"ID\":%d,\"Name\":\"n%d\",\"HomeDERP\":%d%s}", id,
		row->name, row->derp,
		row->online == JSON_YES  ? ",\"Online\":true"
		: row->online == JSON_NO ? ",\"Online\":false"
					 : "");
	return ",";
}

static void make_full(char *text, struct row *rows)
{
	struct row next[IDS] = { 0 };
	const char *sep = "";

	strcat(text, "\"Peers\":[");
	for (int id = 1; id < IDS; id++)
		if (pick(2)) {
			strcat(text, sep);
			sep = put_node(text, &next[id], id);
		}
	if (*sep)
		memcpy(rows, next, sizeof(next));
	strcat(text, "]");
}

static void make_delta(char *text, struct row *rows, unix_ms now)
{
	bool gone[IDS] = {
		false
	}; /* known, and removed: a change in the same message does not bring it back */
	const char *sep = "";

	strcat(text, "\"PeersRemoved\":[");
	for (int id = 1 + pick(3); id < IDS; id += 1 + pick(8), sep = ",") {
		sprintf(text + strlen(text), "%s%d", sep, id);
		gone[id] = rows[id].there;
		rows[id].there = false;
	}
	sep = "";
	strcat(text, "],\"PeersChanged\":[");
	for (int id = 1 + pick(4); id < IDS; id += 1 + pick(6)) {
		strcat(text, sep);
		sep = put_node(text, &rows[id], id);
		rows[id].there = !gone[id];
	}
	sep = "";
	strcat(text, "],\"PeerSeenChange\":{");
	for (int id = 1 + pick(4); id < IDS; id += 1 + pick(6), sep = ",") {
		int on = pick(2);

		sprintf(text + strlen(text), "%s\"%d\":%s", sep, id, on ? "true" : "false");
		rows[id].seen = on ? now : 0;
	}
	sep = "";
	strcat(text, "},\"OnlineChange\":{");
	for (int id = 1 + pick(4); id < IDS; id += 1 + pick(6), sep = ",") {
		int on = pick(2);

		sprintf(text + strlen(text), "%s\"%d\":%s", sep, id, on ? "true" : "false");
		rows[id].online = on ? JSON_YES : JSON_NO;
	}
	sep = "";
	strcat(text, "},\"PeersChangedPatch\":[");
	for (int id = 1 + pick(4); id < IDS; id += 1 + pick(6), sep = ",") {
		int derp = pick(4);

		sprintf(text + strlen(text), "%s{\"NodeID\":%d,\"DERPRegion\":%d}", sep, id, derp);
		rows[id].derp = derp ? derp : rows[id].derp;
	}
	strcat(text, "]");
}

static void check_rows(const struct netmap *nm, const struct row *rows)
{
	int n = 0;

	for (int id = 0; id < IDS; id++) {
		const struct tc_node *p = netmap_peer(nm, id);
		char name[8];

		CHECK_INT(!!p, ==, rows[id].there);
		if (!p)
			continue;
		n++;
		snprintf(name, sizeof(name), "n%d", rows[id].name);
		CHECK_STR(p->name, name);
		CHECK_INT(p->home_derp, ==, rows[id].derp);
		CHECK_INT(p->online, ==, rows[id].online);
		CHECK_INT(p->last_seen, ==, rows[id].seen);
	}
	CHECK_INT(netmap_n_peers(nm), ==, n);
}

static void check_saved(const struct netmap *nm, const struct row *rows)
{
	struct netmap *again;
	struct buf one, two;
	struct log none = { 0 };

	CHECK_INT(netmap_new(&again, &ops, &none, &rng.rng), ==, 0);
	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	CHECK_INT(netmap_save(nm, &one), ==, 0);
	CHECK_INT(netmap_load(again, buf_data(&one), buf_len(&one), NULL, NULL,
			  (struct now){ .wall = 7 }),
		==, 0);
	check_rows(again, rows);
	CHECK_INT(netmap_save(again, &two), ==, 0);
	CHECK_TRUE(view_eq(buf_view(&one), buf_view(&two)));
	buf_fini(&one);
	buf_fini(&two);
	netmap_free(again);
}

static void any_sequence_of_deltas_ends_in_the_plain_result(void **state)
{
	struct netmap *nm = fresh();
	struct row rows[IDS] = { 0 };
	(void)state;

	for (int round = 0; round < 5000; round++) {
		char text[8192] = "{";
		unix_ms now = 1700000000000 + round * 1000;

		CHECK_ROW("round %d", round);
		if (pick(10) == 0)
			make_full(text, rows);
		else
			make_delta(text, rows, now);
		strcat(text, "}");
		for (int id = 0; id < IDS; id++)
			if (!rows[id].there)
				rows[id] = (struct row){ 0 };
		apply_at(nm, text, now);
		check_rows(nm, rows);
		CHECK_INT(seen.peers, ==, netmap_n_peers(nm));
		if (round % 50 == 0)
			check_saved(nm, rows);
	}
	netmap_free(nm);
}

/* What real hubs sent, one after the other; nothing is lost by a save in between. */
static void recorded_responses_apply_and_survive_a_restart(void **state)
{
	struct netmap *nm = fresh(), *again;
	struct buf one, two;
	json_t *all, *c;
	size_t i;
	(void)state;

	setenv("VECTORS_DIR", FIXTURES_DIR, 1);
	all = vectors_load_lines("control/map_response.jsonl");
	buf_init(&one, 1 << 24);
	buf_init(&two, 1 << 24);
	json_array_foreach(all, i, c)
	{
		char *text = json_dumps(json_object_get(c, "doc"), JSON_COMPACT);

		CHECK_ROW("response %zu", i);
		apply(nm, text);
		CHECK_INT(netmap_new(&again, &ops, &seen, &rng.rng), ==, 0);
		CHECK_INT(netmap_save(nm, &one), ==, 0);
		CHECK_INT(netmap_load(again, buf_data(&one), buf_len(&one), NULL, NULL,
				  (struct now){ .wall = 7 }),
			==, 0);
		CHECK_INT(netmap_save(again, &two), ==, 0);
		CHECK_TRUE(view_eq(buf_view(&one), buf_view(&two)));
		netmap_free(again);
		buf_clear(&one);
		buf_clear(&two);
		free(text);
	}
	CHECK_TRUE(netmap_self(nm) && netmap_derp_map(nm) && netmap_n_filters(nm));
	vectors_count("control/map_response.jsonl", "responses", i);
	json_decref(all);
	buf_fini(&one);
	buf_fini(&two);
	netmap_free(nm);
}

/* As a device does it. The sentence of its health, or "". */
static const char *apply_checked(struct netmap *nm, struct netmap_check *check, const char *text)
{
	static struct arena told;
	struct netmap_check_by by = { .self = netmap_self(nm) };
	struct tc_map_response r;
	struct arena a;
	const char *says;

	arena_init(&a, 1 << 24);
	CHECK_INT(json_decode(&tc_map_response_type, text, strlen(text), &r, &a, NULL), ==, 0);
	netmap_check(check, &r, &by);
	CHECK_INT(netmap_apply(nm, &r, (struct now){ .wall = 1000 }), ==, 0);
	arena_fini(&a);
	arena_fini(&told);
	arena_init(&told, 1 << 16);
	says = netmap_check_text(check, &told);
	return says ? says : "";
}

#define PEER(id, rest) \
	"{\"ID\":" #id ",\"Name\":\"n" #id \
	".\",\"Key\":\"nodekey:00000000000000000000000000000000000000000000000000000000000000" #id #id \
	"\"" rest "}"

/* In a full list, in a delta and in a patch, each with what was told of all maps before it was left out. */
static void a_peer_that_cannot_be_read_is_left_out_and_the_others_stay(void **state)
{
	struct netmap_check check = { 0 };
	struct netmap *nm = fresh();
	const char *says;

	(void)state;
	says = apply_checked(nm, &check,
		"{\"Peers\":[" PEER(1, "") "," PEER(2,
			",\"Hostinfo\":{\"Services\":[{\"Proto\":\"tcp\",\"Port\":70000}]}") "," PEER(3,
			",\"Hostinfo\":{\"Location\":{\"x\":\"\\q\"}}") "," PEER(4, "") "]}");
	CHECK_INT(netmap_n_peers(nm), ==, 2);
	CHECK_TRUE(netmap_peer(nm, 1) && netmap_peer(nm, 4) && strstr(says, "\"n2.\": Port: ") &&
		   strstr(says, "and 1 more"));
	/* Of a change that cannot be read what was known stays. */
	says = apply_checked(nm, &check,
		"{\"PeersChanged\":[" PEER(1, ",\"HomeDERP\":-5") "," PEER(
			5, "") ",{\"ID\":\"x\"}],\"PeersRemoved\":[2,3]}");
	CHECK_INT(netmap_n_peers(nm), ==, 3);
	CHECK_TRUE(netmap_peer(nm, 5) && strstr(says, "and 1 more"));
	(void)apply_checked(nm, &check,
		"{\"PeersChangedPatch\":[{\"NodeID\":4,\"DERPRegion\":3000000000},{\"NodeID\":5,\"DERPRegion\":7},"
		"{\"NodeID\":77,\"Cap\":-1}]}");
	CHECK_INT(netmap_peer(nm, 4)->home_derp, ==, 0);
	CHECK_INT(netmap_peer(nm, 5)->home_derp, ==, 7);
	CHECK_INT(check.refused[MAP_PEERS], ==, 6);
	/* The device's own node stays as it was. */
	says = apply_checked(nm, &check, "{\"Node\":" PEER(9, "") ",\"Peers\":[" PEER(1, "") "]}");
	CHECK_STR(says, "");
	says = apply_checked(nm, &check, "{\"Node\":" PEER(9, ",\"Cap\":-1") "}");
	CHECK_TRUE(strstr(says, "of this device, Cap: ") && netmap_self(nm)->id == 9);
	netmap_free(nm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_list_replaces_and_an_empty_one_says_nothing),
		cmocka_unit_test(deltas_come_in_a_fixed_order),
		cmocka_unit_test(a_patch_changes_only_what_it_names),
		cmocka_unit_test(the_filter_is_its_pieces_by_name),
		cmocka_unit_test(other_parts_stay_until_they_are_sent_again),
		cmocka_unit_test(any_sequence_of_deltas_ends_in_the_plain_result),
		cmocka_unit_test(a_peer_that_cannot_be_read_is_left_out_and_the_others_stay),
		cmocka_unit_test(recorded_responses_apply_and_survive_a_restart),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
