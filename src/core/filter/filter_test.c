#include "testlib/naive_filter.h"
#include "core/netmap/netmap.h"
#include "base/err/err.h"
#include "testlib/vectors.h"

static struct rng_seeded rng;
static json_t *lines;

static struct ipaddr addr(const char *s)
{
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(s, strlen(s), &a), ==, 0);
	return a;
}

/* --- recorded verdicts --- */

/* What a test of the file needs in memory while it builds rules. */
struct build {
	struct arena a;
	struct json_list list;
	struct filter_cfg cfg;
};

static void rules_decode(struct build *b, const json_t *rules)
{
	char *text;

	b->list = json_list_of(
		arena_array(&b->a, json_array_size(rules), sizeof(struct tc_filter_rule)), 0);
	for (size_t i = 0; i < json_array_size(rules); i++) {
		text = json_dumps(json_array_get(rules, i), 0);
		CHECK_INT(
			json_decode(&tc_filter_rule_type, arena_strdup(&b->a, text), strlen(text),
				JSON_AT(b->list, struct tc_filter_rule, b->list.n++), &b->a, NULL),
			==, 0);
		free(text);
	}
	b->cfg.lists = &b->list;
	b->cfg.n_lists = 1;
}

static void local_decode(struct build *b, const json_t *local)
{
	struct ipprefix *v = arena_array(&b->a, json_array_size(local), sizeof(*v));

	for (size_t i = 0; i < json_array_size(local); i++) {
		const char *s = json_string_value(json_array_get(local, i));

		CHECK_INT(ipprefix_parse(s, strlen(s), &v[i]), ==, 0);
	}
	b->cfg.local = v;
	b->cfg.n_local = json_array_size(local);
}

static void holders_decode(struct build *b, json_t *source_caps)
{
	struct filter_holder *v = arena_array(&b->a, json_object_size(source_caps), sizeof(*v));
	const char *src;
	json_t *caps;

	json_object_foreach(source_caps, src, caps)
	{
		struct json_map *m = arena_new(&b->a, struct json_map);

		m->v = arena_array(&b->a, json_array_size(caps), sizeof(*m->v));
		for (; m->n < json_array_size(caps); m->n++)
			m->v[m->n] = (struct json_pair){
				.key = json_string_value(json_array_get(caps, m->n)), .value = v
			};
		v[b->cfg.n_holders++] = (struct filter_holder){ addr(src), m };
	}
	b->cfg.holders = v;
}

static struct filter_rules *rules_of(const char *id)
{
	struct build b = { 0 };
	struct filter_rules *r;
	size_t i;
	json_t *c;

	arena_init(&b.a, 1 << 24);
	json_array_foreach(lines, i, c) if (strcmp(vec_str(c, "kind"), "ruleset") == 0 &&
					    strcmp(vec_str(c, "id"), id) == 0)
	{
		rules_decode(&b, json_object_get(c, "rules"));
		local_decode(&b, json_object_get(c, "local"));
		holders_decode(&b, json_object_get(c, "source_caps"));
	}
	CHECK_TRUE(b.cfg.n_local);
	CHECK_INT(filter_rules_new(&r, &b.cfg), ==, 0);
	arena_fini(&b.a);
	return r;
}

static struct filter *filter_with(struct filter_rules *take)
{
	struct filter *f;

	CHECK_INT(filter_new(&f, &rng.rng), ==, 0);
	CHECK_TRUE(!filter_swap(f, take));
	return f;
}

static bool passes(struct filter *f, const json_t *c)
{
	bool in = strcmp(vec_str(c, "dir"), "in") == 0;
	size_t len;
	uint8_t *pkt = vec_hex(c, "packet", &len);
	enum filter_verdict v = in ? filter_in(f, pkt, len, false) : filter_out(f, pkt, len, false);

	free(pkt);
	return filter_accepts(v);
}

static bool wanted(const json_t *c)
{
	return strcmp(vec_str(c, "verdict"), "accept") == 0;
}

static bool is_kind(const json_t *c, const char *kind)
{
	return strcmp(vec_str(c, "kind"), kind) == 0;
}

static void verdicts_are_those_of_the_library(void **state)
{
	size_t i, n = 0;
	json_t *c;

	json_array_foreach(lines, i, c)
	{
		struct filter *f;

		if (!is_kind(c, "case"))
			continue;
		CHECK_ROW(
			"line %zu: %s under %s", i + 1, vec_str(c, "name"), vec_str(c, "ruleset"));
		f = filter_with(rules_of(vec_str(c, "ruleset")));
		CHECK_INT(passes(f, c), ==, wanted(c));
		filter_free(f);
		n++;
	}
	CHECK_INT(n, >, 700);
	vectors_count("filter.jsonl", "case", n);
}

/* The steps that a sequence leaves out, as its text says: packets like the second, source ports
 * 2001 to 2510. */
static void expand(struct filter *f, const json_t *second)
{
	size_t len;
	uint8_t *pkt = vec_hex(second, "packet", &len);

	for (uint16_t port = 2001; port <= 2510; port++) {
		store_be16(pkt + 20, port);
		CHECK_TRUE(filter_accepts(filter_out(f, pkt, len, false)));
	}
	free(pkt);
}

static void sequences_end_as_with_the_library(void **state)
{
	size_t i, j, n = 0;
	json_t *c, *step;

	json_array_foreach(lines, i, c)
	{
		const json_t *steps = json_object_get(c, "steps");
		struct filter *f;

		if (!is_kind(c, "sequence"))
			continue;
		f = filter_with(rules_of(vec_str(c, "ruleset")));
		json_array_foreach(steps, j, step)
		{
			CHECK_ROW("line %zu step %zu: %s", i + 1, j, vec_str(c, "name"));
			if (j == 2 && json_object_get(c, "expand"))
				expand(f, json_array_get(steps, 1));
			CHECK_INT(passes(f, step), ==, wanted(step));
		}
		filter_free(f);
		n++;
	}
	CHECK_INT(n, ==, 6);
	vectors_count("filter.jsonl", "sequence", n);
}

static void check_caps(const json_t *c)
{
	struct filter_rules *r = rules_of(vec_str(c, "ruleset"));
	json_t *want = json_object_get(c, "caps"), *got;
	struct buf text;
	struct json_map m;
	struct arena a;

	arena_init(&a, 1 << 20);
	buf_init(&text, 1 << 20);
	CHECK_INT(filter_caps(r, addr(vec_str(c, "src")), addr(vec_str(c, "dst")), &a, &m), ==, 0);
	CHECK_INT(json_encode(&json_raw_list_map, &m, &text), ==, 0);
	got = json_loadb((const char *)buf_data(&text), buf_len(&text), JSON_DECODE_ANY, NULL);
	if (json_is_null(want))
		CHECK_INT(m.n, ==, 0);
	else if (!got || !json_equal(got, want))
		check_fail(__FILE__, __LINE__, "got %s", buf_cstr(&text));
	json_decref(got);
	buf_fini(&text);
	arena_fini(&a);
	filter_rules_free(r);
}

static void capabilities_are_those_of_the_library(void **state)
{
	size_t i, n = 0;
	json_t *c;

	json_array_foreach(lines, i, c)
	{
		if (!is_kind(c, "caps"))
			continue;
		CHECK_ROW("line %zu", i + 1);
		check_caps(c);
		n++;
	}
	vectors_count("filter.jsonl", "caps", n);
}

/* The library refuses a list with a fault and uses what it could read; we say both. */
static void faulty_entries_are_noticed(void **state)
{
	size_t i, n = 0;
	json_t *c;

	json_array_foreach(lines, i, c)
	{
		struct build b = { 0 };
		struct filter_rules *r;
		struct filter_rules_info info;
		json_t *list;

		if (!is_kind(c, "rule"))
			continue;
		CHECK_ROW("line %zu", i + 1);
		arena_init(&b.a, 1 << 20);
		list = json_pack("[O]", json_object_get(c, "rule"));
		rules_decode(&b, list);
		CHECK_INT(filter_rules_new(&r, &b.cfg), ==, 0);
		info = filter_rules_info(r);
		CHECK_INT(info.n_bad == 0 && !info.refused, ==, vec_bool(c, "accept"));
		filter_rules_free(r);
		json_decref(list);
		arena_fini(&b.a);
		n++;
	}
	CHECK_INT(n, ==, 25);
	vectors_count("filter.jsonl", "rule", n);
}

/* --- behaviour --- */

static const struct naive_world home = {
	.v4 = 0x64400001, .v6 = 1, .n = 14, .cap_holder = 3, .one_in_wide = 3
};

static struct filter_rules *rules_text(const char *rules, bool shields_up)
{
	static const char *const local = "[\"100.64.0.1/32\",\"fd7a::1/128\"]";
	struct build b = { .cfg = { .shields_up = shields_up } };
	json_t *r = json_loads(rules, 0, NULL), *l = json_loads(local, 0, NULL);
	struct filter_rules *ret;

	CHECK_TRUE(r && l);
	arena_init(&b.a, 1 << 20);
	rules_decode(&b, r);
	local_decode(&b, l);
	CHECK_INT(filter_rules_new(&ret, &b.cfg), ==, 0);
	arena_fini(&b.a);
	json_decref(r);
	json_decref(l);
	return ret;
}

#define ALL \
	"[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}]"

/* A packet of peer 100.64.0.2 to us, or of ours to it. */
static size_t packet(bool in, uint8_t proto, uint16_t sport, uint16_t dport, uint8_t *out)
{
	struct naive_packet p = { .syn = true,
		.src = in ? 0x64400002 : 0x64400001,
		.dst = in ? 0x64400001 : 0x64400002,
		.proto = proto,
		.sport = sport,
		.dport = dport };

	return naive_packet_encode(&p, out);
}

static void nothing_passes_before_the_first_rules(void **state)
{
	uint8_t pkt[NAIVE_PACKET_MAX], out[TSMP_PACKET_MAX];
	size_t len = packet(true, 6, 1, 2, pkt);
	struct filter *f;

	CHECK_INT(filter_new(&f, &rng.rng), ==, 0);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_NO_RULES);
	CHECK_INT(filter_out(f, pkt, len, false), ==, FILTER_DROP_NO_RULES);
	CHECK_INT(filter_reject(FILTER_DROP_NO_RULES, pkt, len, out), ==, 0);
	CHECK_INT(filter_counters(f)->in[FILTER_DROP_NO_RULES], ==, 1);
	filter_free(f);
}

static void flows_survive_new_rules_but_not_shields(void **state)
{
	uint8_t ask[NAIVE_PACKET_MAX], answer[NAIVE_PACKET_MAX];
	size_t len = packet(false, 17, 4000, 53, ask);
	struct filter *f = filter_with(rules_text("[]", false));

	packet(true, 17, 53, 4000, answer);
	CHECK_INT(filter_in(f, answer, len, false), ==, FILTER_DROP_RULES);
	CHECK_INT(filter_out(f, ask, len, false), ==, FILTER_ACCEPT_OUT);
	filter_rules_free(filter_swap(f, rules_text("[]", false)));
	CHECK_INT(filter_in(f, answer, len, false), ==, FILTER_ACCEPT_FLOW);
	filter_rules_free(filter_swap(f, rules_text(ALL, true)));
	CHECK_INT(filter_in(f, answer, len, false), ==, FILTER_DROP_SHIELDS);
	CHECK_INT(filter_out(f, ask, len, false), ==, FILTER_ACCEPT_OUT);
	filter_rules_free(filter_swap(f, rules_text(ALL, true)));
	CHECK_INT(filter_in(f, answer, len, false), ==, FILTER_ACCEPT_FLOW);
	filter_free(f);
}

#define ONE_PORT \
	"[{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":22,\"Last\":22}}]}]"

static size_t packet_of_connection(bool in, uint16_t sport, uint16_t dport, uint8_t *out)
{
	struct naive_packet p = { .src = in ? 0x64400002 : 0x64400001,
		.dst = in ? 0x64400001 : 0x64400002,
		.proto = 6,
		.sport = sport,
		.dport = dport };

	return naive_packet_encode(&p, out);
}

static void a_connection_that_was_let_in_ends_with_its_rule(void **state)
{
	uint8_t syn[NAIVE_PACKET_MAX], data[NAIVE_PACKET_MAX], back[NAIVE_PACKET_MAX];
	size_t len = packet(true, 6, 4000, 80, syn), n = packet_of_connection(true, 4000, 80, data);
	struct filter *f = filter_with(rules_text(ALL, false));

	CHECK_INT(filter_in(f, syn, len, false), ==, FILTER_ACCEPT_RULE);
	CHECK_INT(filter_in(f, data, n, false), ==, FILTER_ACCEPT_TCP_FLOW);
	filter_rules_free(filter_swap(f, rules_text(ONE_PORT, false)));
	CHECK_INT(filter_in(f, data, n, false), ==, FILTER_DROP_REVOKED);
	CHECK_INT(filter_in(f, syn, len, false), ==, FILTER_DROP_RULES);
	/* What this node began itself, and what was never seen to begin, goes on. */
	packet_of_connection(true, 80, 4000, back);
	CHECK_INT(filter_in(f, back, n, false), ==, FILTER_ACCEPT_TCP_FLOW);
	/* The rule comes back, and so does the connection. */
	filter_rules_free(filter_swap(f, rules_text(ALL, false)));
	CHECK_INT(filter_in(f, data, n, false), ==, FILTER_ACCEPT_TCP_FLOW);
	filter_rules_free(filter_swap(f, rules_text(ALL, true)));
	CHECK_INT(filter_in(f, data, n, false), ==, FILTER_DROP_REVOKED);
	filter_free(f);
}

/* Our answers make it a flow that may be answered: that must not keep it alive. */
static void answered_udp_ends_with_its_rule(void **state)
{
	uint8_t ask[NAIVE_PACKET_MAX], answer[NAIVE_PACKET_MAX];
	size_t len = packet(true, 17, 4000, 53, ask);
	struct filter *f = filter_with(rules_text(ALL, false));

	packet(false, 17, 53, 4000, answer);
	CHECK_INT(filter_in(f, ask, len, false), ==, FILTER_ACCEPT_RULE);
	CHECK_INT(filter_out(f, answer, len, false), ==, FILTER_ACCEPT_OUT);
	CHECK_INT(filter_in(f, ask, len, false), ==, FILTER_ACCEPT_FLOW);
	filter_rules_free(filter_swap(f, rules_text(ONE_PORT, false)));
	CHECK_INT(filter_in(f, ask, len, false), ==, FILTER_DROP_REVOKED);
	filter_free(f);
}

static void flows_that_were_let_in_are_remembered_within_a_bound(void **state)
{
	uint8_t pkt[NAIVE_PACKET_MAX];
	struct filter *f = filter_with(rules_text(ALL, false));

	for (unsigned i = 0; i < FILTER_ADMITTED_MAX + 10; i++) {
		size_t len = packet(true, 6, (uint16_t)(1000 + i), 80, pkt);

		CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_ACCEPT_RULE);
	}
	CHECK_INT(filter_counters(f)->admitted_evicted, ==, 10);
	filter_rules_free(filter_swap(f, rules_text("[]", false)));
	CHECK_INT(filter_in(f, pkt, packet_of_connection(true, 1009, 80, pkt), false), ==,
		FILTER_ACCEPT_TCP_FLOW);
	CHECK_INT(filter_in(f, pkt, packet_of_connection(true, 1010, 80, pkt), false), ==,
		FILTER_DROP_REVOKED);
	filter_free(f);
}

static void a_jailed_peer_may_only_answer(void **state)
{
	uint8_t ask[NAIVE_PACKET_MAX], answer[NAIVE_PACKET_MAX];
	size_t len = packet(false, 17, 4000, 53, ask);
	struct filter *f = filter_with(rules_text(ALL, false));

	packet(true, 17, 53, 4000, answer);
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_DROP_JAILED);
	CHECK_INT(filter_out(f, ask, len, false), ==,
		FILTER_ACCEPT_OUT); /* a flow to somebody else */
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_DROP_JAILED);
	CHECK_INT(filter_out(f, ask, len, true), ==, FILTER_ACCEPT_OUT);
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_ACCEPT_FLOW);
	packet(true, 1, 0, 0, answer);
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_DROP_JAILED);
	CHECK_INT(filter_in(f, answer, len, false), ==, FILTER_ACCEPT_RULE);
	packet(true, 6, 1, 22, answer);
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_DROP_JAILED);
	answer[33] = TCP_SYN | TCP_ACK;
	CHECK_INT(filter_in(f, answer, len, true), ==, FILTER_ACCEPT_TCP_FLOW);
	filter_free(f);
}

static void the_peerapi_is_reached_whatever_the_rules(void **state)
{
	const struct ipport at = { addr("100.64.0.1"), 58436 };
	uint8_t pkt[NAIVE_PACKET_MAX];
	size_t len = packet(true, 6, 1, 58436, pkt);
	struct filter *f = filter_with(rules_text("[]", true));

	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_SHIELDS);
	filter_set_peerapi(f, &at, 1);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_ACCEPT_PEERAPI);
	CHECK_INT(filter_in(f, pkt, len, true), ==, FILTER_ACCEPT_PEERAPI);
	packet(true, 6, 1, 58437, pkt);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_SHIELDS);
	packet(true, 17, 1, 58436, pkt);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_SHIELDS);
	filter_free(f);
}

static void a_dropped_syn_is_told_of(void **state)
{
	uint8_t pkt[NAIVE_PACKET_MAX], out[TSMP_PACKET_MAX];
	size_t len = packet(true, 6, 40000, 22, pkt), n, want_len;
	uint8_t *want =
		hex_bytes("4500001b000000004063b1fc64400001644000022106419c400016", &want_len);

	n = filter_reject(FILTER_DROP_RULES, pkt, len, out);
	CHECK_INT(n, ==, want_len);
	CHECK_MEM(out, want, 10); /* header checksum: other addresses than the recorded one */
	CHECK_MEM(out + 12, want + 12, n - 12);
	CHECK_INT(filter_reject(FILTER_DROP_JAILED, pkt, len, out), ==, want_len);
	CHECK_INT(out[22], ==, TSMP_REASON_SHIELDS);
	CHECK_INT(filter_reject(FILTER_ACCEPT_RULE, pkt, len, out), ==, 0);
	packet(true, 17, 40000, 22, pkt);
	CHECK_INT(filter_reject(FILTER_DROP_RULES, pkt, len, out), ==, 0);
	free(want);
}

static void every_verdict_has_a_text(void **state)
{
	for (int v = 0; v < FILTER_N_VERDICTS; v++)
		CHECK_TRUE(filter_verdict_text((enum filter_verdict)v)[0]);
	CHECK_TRUE(filter_accepts(FILTER_ACCEPT_OUT) && !filter_accepts(FILTER_DROP_NO_RULES));
}

static void more_rules_than_the_limit_are_refused(void **state)
{
	static const char *src = "*";
	static struct tc_net_port_range dst = { .ip = "*", .ports = { 0, 1 } };
	const struct tc_filter_rule rule = { .src_ips = json_list_of(&src, 1),
		.dst_ports = json_list_of(&dst, 1) };
	size_t n = FILTER_RULES_MAX + 1;
	struct tc_filter_rule *v = calloc(n, sizeof(*v));
	struct json_list list = json_list_of(v, n);
	struct filter_cfg cfg = { .lists = &list, .n_lists = 1 };
	struct filter_rules *r = NULL;

	for (size_t i = 0; i < n; i++)
		v[i] = rule;
	CHECK_INT(filter_rules_new(&r, &cfg), ==, -ERR_TOO_MANY);
	list.n--;
	CHECK_INT(filter_rules_new(&r, &cfg), ==, 0);
	filter_rules_free(r);
	free(v);
}

/* --- from the network map --- */

static void on_change(void *ctx, enum netmap_change what, int64_t id) {}

static struct netmap *netmap_text(const char *text)
{
	static const struct netmap_ops ops = { .on_change = on_change };
	struct tc_map_response r;
	struct netmap *nm;
	struct err_at at;
	struct arena a;

	arena_init(&a, 1 << 20);
	if (json_decode(&tc_map_response_type, text, strlen(text), &r, &a, &at) < 0)
		check_fail(__FILE__, __LINE__, "column %u: %s", at.column, at.text);
	CHECK_INT(netmap_new(&nm, &ops, NULL, &rng.rng), ==, 0);
	CHECK_INT(netmap_apply(nm, &r, (struct now){ .wall = 1 }), ==, 0);
	arena_fini(&a);
	return nm;
}

#define NETMAP(approved, unsigned_peer) \
	"{\"Node\":{\"ID\":1,\"Addresses\":[\"100.64.0.1/32\"],\"AllowedIPs\":[\"100.64.0.1/32\"" approved \
	"]}," \
	"\"Peers\":[{\"ID\":2,\"Addresses\":[\"100.64.0.2/32\"],\"AllowedIPs\":[\"100.64.0.2/32\"]," \
	"\"CapMap\":{\"x\":null}},{\"ID\":3,\"Addresses\":[\"100.64.0.3/32\"],\"AllowedIPs\":" \
	"[\"100.64.0.3/32\"]" unsigned_peer \
	"}],\"PacketFilters\":{\"a\":[{\"SrcIPs\":[\"cap:x\"]," \
	"\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":22,\"Last\":22}}]}],\"b\":[{\"SrcIPs\":[" \
	"\"100.64.0.3\"],\"DstPorts\":[{\"IP\":\"192.168.0.0/16\",\"Ports\":{\"First\":80,\"Last\":80}}]}]}}"

static void the_network_map_gives_rules_addresses_and_capabilities(void **state)
{
	const struct ipprefix route = { addr("192.168.1.0"), 24 };
	const struct filter_carry carry = { .offered = &route, .n_offered = 1 };
	struct netmap *nm = netmap_text(NETMAP(",\"192.168.1.0/24\",\"10.0.0.0/8\"", ""));
	uint8_t pkt[NAIVE_PACKET_MAX];
	struct filter_rules *r;
	struct filter *f;
	size_t len;

	CHECK_INT(filter_rules_from_netmap(&r, nm, &carry, false), ==, 0);
	CHECK_TRUE(filter_rules_info(r).uses_caps && !filter_rules_info(r).refused);
	CHECK_INT(filter_rules_info(r).n_rules, ==, 2);
	netmap_free(nm); /* nothing is borrowed */
	f = filter_with(r);
	len = packet(true, 6, 1, 22, pkt);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_ACCEPT_RULE);
	pkt[15] = 3;
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_RULES);
	store_be32(pkt + 16, 0xc0a80107);
	store_be16(pkt + 22, 80);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_ACCEPT_RULE);
	store_be32(pkt + 16, 0xc0a80207);
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_NOT_LOCAL);
	store_be32(pkt + 16, 0x0a000001); /* approved, but not offered any more */
	CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_NOT_LOCAL);
	filter_free(f);
}

static void what_is_offered_and_not_approved_is_not_served(void **state)
{
	const struct ipprefix route[] = { { addr("192.168.0.0"), 16 }, { addr("0.0.0.0"), 0 } };
	const struct filter_carry carry = { .offered = route, .n_offered = 2, .nets_known = true };
	struct netmap *nm = netmap_text(NETMAP(",\"192.168.1.0/24\",\"::/0\"", ""));
	uint8_t pkt[NAIVE_PACKET_MAX];
	struct filter_rules *r;
	struct filter *f;
	size_t len;

	CHECK_INT(filter_rules_from_netmap(&r, nm, &carry, false), ==, 0);
	netmap_free(nm);
	f = filter_with(r);
	len = packet(true, 6, 1, 80, pkt);
	pkt[15] = 3;
	for (size_t i = 0; i < 2; i++) { /* inside what is approved, too: that is another route */
		store_be32(pkt + 16, i ? 0x08080808 : 0xc0a80107);
		CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_NOT_LOCAL);
		store_be16(pkt + 6, 100); /* a later fragment gets no further */
		CHECK_INT(filter_in(f, pkt, len, false), ==, FILTER_DROP_NOT_LOCAL);
		store_be16(pkt + 6, 0);
	}
	filter_free(f);
}

static void rules_that_let_in_an_unsigned_peer_are_discarded(void **state)
{
	const struct filter_carry carry = { .nets_known = true };
	struct netmap *nm = netmap_text(NETMAP("", ",\"UnsignedPeerAPIOnly\":true"));
	struct filter_rules *r;

	CHECK_INT(filter_rules_from_netmap(&r, nm, &carry, false), ==, 0);
	CHECK_TRUE(filter_rules_info(r).refused);
	CHECK_INT(filter_rules_info(r).n_rules, ==, 0);
	filter_rules_free(r);
	netmap_free(nm);
}

/* --- against the plain reading --- */

struct random_rules {
	struct naive_rule *naive;
	struct filter_rules *compiled;
	struct ipprefix local[3];
};

static void random_rules_make(struct random_rules *x, const struct naive_world *w, size_t n)
{
	struct json_pair cap = { .key = "x", .value = &cap };
	const struct json_map caps = { .v = &cap, .n = 1 };
	struct filter_holder holders[2];
	struct filter_cfg cfg = {
		.n_lists = 1, .local = x->local, .n_local = 3, .holders = holders, .n_holders = 2
	};
	struct json_list list;
	struct arena a;

	arena_init(&a, SIZE_MAX);
	for (int v6 = 0; v6 < 2; v6++)
		holders[v6] = (struct filter_holder){
			naive_addr(v6, (v6 ? w->v6 : w->v4) + w->cap_holder), &caps
		};
	x->local[0] = (struct ipprefix){ naive_addr(false, w->v4 & ~7ull), 29 };
	x->local[1] = (struct ipprefix){ naive_addr(true, w->v6 & ~7ull), 125 };
	x->local[2] = ipprefix_single(naive_addr(false, w->v4 + w->n - 1));
	x->naive = calloc(n, sizeof(*x->naive));
	list = json_list_of(arena_array(&a, n, sizeof(struct tc_filter_rule)), n);
	for (size_t i = 0; i < n; i++) {
		x->naive[i] = naive_rule_random(w, &rng.rng);
		naive_rule_write(&x->naive[i], JSON_AT(list, struct tc_filter_rule, i), &a);
	}
	cfg.lists = &list;
	CHECK_INT(filter_rules_new(&x->compiled, &cfg), ==, 0);
	CHECK_INT(filter_rules_info(x->compiled).n_bad, ==, 0);
	arena_fini(&a);
}

static bool is_local(const struct random_rules *x, const struct naive_packet *p)
{
	for (size_t i = 0; i < ARRAY_LEN(x->local); i++)
		if (ipprefix_contains(x->local[i], naive_addr(p->v6, p->dst)))
			return true;
	return false;
}

static void compare(
	struct filter *f, const struct random_rules *x, const struct naive_world *w, size_t n)
{
	struct naive_packet p = naive_packet_random(w, &rng.rng);
	uint8_t pkt[NAIVE_PACKET_MAX];
	size_t len = naive_packet_encode(&p, pkt);
	bool want = is_local(x, &p) &&
		    ((p.proto == IP_PROTO_TCP && !p.syn) || naive_allows(w, x->naive, n, &p));
	enum filter_verdict v = filter_in(f, pkt, len, false);

	if (filter_accepts(v) != want)
		check_fail(__FILE__, __LINE__,
			"ipv%d proto %d src %llx dst %llx port %d: %s, wanted %s", p.v6 ? 6 : 4,
			p.proto, (unsigned long long)p.src, (unsigned long long)p.dst, p.dport,
			filter_verdict_text(v), want ? "accept" : "drop");
}

static void compiled_rules_say_what_a_plain_reading_says(void **state)
{
	for (unsigned seed = 1; seed <= 400; seed++) {
		struct random_rules x = { 0 };
		size_t n = seed % 25;
		struct filter *f;

		CHECK_ROW("seed %u", seed);
		rng_seeded_init(&rng, seed);
		random_rules_make(&x, &home, n);
		f = filter_with(x.compiled);
		for (int i = 0; i < 500; i++)
			compare(f, &x, &home, n);
		filter_free(f);
		free(x.naive);
	}
}

/* Wide rules that all overlap differently outgrow the table; what is scanned then gives the same
 * verdicts. */
static void rules_that_outgrow_the_table_are_scanned(void **state)
{
	const struct naive_world wide = {
		.v4 = 0x0a000000, .v6 = 1 << 20, .n = 1 << 16, .one_in_wide = 1
	};
	struct random_rules x = { 0 };
	size_t n = 3000;
	struct filter *f;

	rng_seeded_init(&rng, 7);
	random_rules_make(&x, &wide, n);
	CHECK_INT(filter_rules_info(x.compiled).n_scanned, >, 0);
	CHECK_INT(filter_rules_info(x.compiled).n_cells, <=, FILTER_TABLE_MAX);
	f = filter_with(x.compiled);
	for (int i = 0; i < 3000; i++)
		compare(f, &x, &wide, n);
	filter_free(f);
	free(x.naive);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verdicts_are_those_of_the_library),
		cmocka_unit_test(sequences_end_as_with_the_library),
		cmocka_unit_test(capabilities_are_those_of_the_library),
		cmocka_unit_test(faulty_entries_are_noticed),
		cmocka_unit_test(nothing_passes_before_the_first_rules),
		cmocka_unit_test(flows_survive_new_rules_but_not_shields),
		cmocka_unit_test(a_connection_that_was_let_in_ends_with_its_rule),
		cmocka_unit_test(answered_udp_ends_with_its_rule),
		cmocka_unit_test(flows_that_were_let_in_are_remembered_within_a_bound),
		cmocka_unit_test(a_jailed_peer_may_only_answer),
		cmocka_unit_test(the_peerapi_is_reached_whatever_the_rules),
		cmocka_unit_test(a_dropped_syn_is_told_of),
		cmocka_unit_test(every_verdict_has_a_text),
		cmocka_unit_test(more_rules_than_the_limit_are_refused),
		cmocka_unit_test(the_network_map_gives_rules_addresses_and_capabilities),
		cmocka_unit_test(what_is_offered_and_not_approved_is_not_served),
		cmocka_unit_test(rules_that_let_in_an_unsigned_peer_are_discarded),
		cmocka_unit_test(compiled_rules_say_what_a_plain_reading_says),
		cmocka_unit_test(rules_that_outgrow_the_table_are_scanned),
	};

	rng_seeded_init(&rng, 1);
	lines = vectors_load_lines("filter.jsonl");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
