/*
 * A hub that says whatever it likes to a device that runs: maps put together at random from what must not be, and some of what may.
 * Whatever it says, nothing is used that the owner did not consent to, and the device goes on.
 */
#include "tests/node/testnet.h"

#include "base/text/plain.h"
#include "proto/names/url.h"
#include "proto/tsaddr/tsaddr.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 200, TEXT_MAX = 1 << 16 };

static struct testnet net;
static struct buf text;

static const char *const prefixes[] = { "0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1", "2000::/3",
	"100.64.0.0/10", "100.64.7.7/32", "100.64.0.9/32", "100.64.0.9/24", "100.100.100.100/32",
	"100.115.92.5/32", "10.0.0.0/8", "192.168.1.1/32", "127.0.0.0/8", "127.0.0.1/32",
	"169.254.169.254/32", "224.0.0.0/4", "255.255.255.255/32", "0.0.0.0/32", "::1/128",
	"::/128", "fe80::/10", "ff02::1/128", "fd7a:115c:a1e0::/48", "fd7a:115c:a1e0::9/128",
	"fd7a:115c:a1e0::53/128", "fd7a:115c:a1e0:b1a::1:a00:0/120", "8.8.8.8/32",
	"2001:db8::1/128" };
static const char *const texts[] = { "", "relay.example", "a.example\\r\\nInjected: yes",
	"\\u001b[31mred", "\\u009b0m", "\\u202eevil", "none", "1.2.3.4", "::1", "999.1.1.1", "a b",
	"../../etc/passwd", "\\n\\nGET / HTTP/1.1", "sha256-raw:00", "x\\u0000y", "\\u0007" };
static const char *const numbers[] = { "0", "1", "2", "-1", "-2", "443", "65535", "65536", "70000",
	"4294967297", "9223372036854775807", "-9223372036854775808" };

static const char *any(const char *const *v, size_t n)
{
	return v[rng_below(&net.rng.rng, n)];
}
#define ANY(list) any(list, ARRAY_LEN(list))

static void PRINTF_LIKE(1, 2) add(const char *fmt, ...)
{
	char part[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(part, sizeof(part), fmt, ap);
	va_end(ap);
	CHECK_TRUE(n >= 0 && n < (int)sizeof(part));
	CHECK_INT(buf_append(&text, part, (size_t)n), ==, 0);
}

static bool maybe(void)
{
	return rng_below(&net.rng.rng, 2) == 0;
}

static void add_prefixes(const char *name)
{
	size_t n = rng_below(&net.rng.rng, 4);

	add(",\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		add("%s\"%s\"", i ? "," : "", ANY(prefixes));
	add("]");
}

/* A key as text that no other peer has; now and then none, or our own. */
static void add_key(const struct dev *d, int64_t id)
{
	char key[KEY_TEXT_MAX];
	struct node_pub k = { .b = { 9, (uint8_t)id, (uint8_t)rng_below(&net.rng.rng, 250) } };
	uint64_t what = rng_below(&net.rng.rng, 20);

	if (what == 0)
		k = (struct node_pub){ 0 };
	else if (what == 1)
		k = netmap_self(node_netmap(d->a))->key;
	key_format(KEY_NODE, k.b, key);
	add(",\"Key\":\"%s\"", key);
}

static void add_node(const struct dev *d)
{
	int64_t id = (int64_t)rng_below(&net.rng.rng, 9) + 100;

	add("{\"ID\":%s", maybe() ? "101" : ANY(numbers));
	add_key(d, id);
	add(",\"Name\":\"%s\",\"StableID\":\"%s\"",
		ANY(texts)[0] == 'x' ? "x" : texts[rng_below(&net.rng.rng, 13)], texts[1]);
	if (maybe())
		add_prefixes("Addresses");
	else
		add(",\"Addresses\":[\"100.64.9.%d/32\"]", (int)id);
	add_prefixes("AllowedIPs");
	add(",\"Endpoints\":[\"%s\"],\"HomeDERP\":%s,\"Cap\":%s",
		maybe() ? "0.0.0.0:1" : "224.0.0.1:0", ANY(numbers), ANY(numbers));
	add(",\"Hostinfo\":{\"OS\":\"%s\",\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":%s}]}}",
		texts[rng_below(&net.rng.rng, 13)], ANY(numbers));
}

static void add_relay(void)
{
	add("{\"Name\":\"%s\",\"RegionID\":%s,\"HostName\":\"%s\",",
		texts[rng_below(&net.rng.rng, 13)], ANY(numbers),
		texts[rng_below(&net.rng.rng, 13)]);
	add("\"CertName\":\"%s\",\"IPv4\":\"%s\",\"IPv6\":\"%s\",",
		texts[rng_below(&net.rng.rng, 13)], texts[rng_below(&net.rng.rng, 13)],
		texts[rng_below(&net.rng.rng, 13)]);
	add("\"STUNPort\":%s,\"DERPPort\":%s}", ANY(numbers), ANY(numbers));
}

static void add_relays(void)
{
	size_t n = rng_below(&net.rng.rng, 4);

	add(",\"DERPMap\":{\"HomeParams\":{\"RegionScore\":{\"1\":-5,\"2\":1e300}},\"Regions\":{");
	for (size_t i = 0; i < n; i++) {
		add("%s\"%s\":{\"RegionID\":%s,\"RegionCode\":\"%s\",\"Nodes\":[", i ? "," : "",
			ANY(numbers), ANY(numbers), texts[rng_below(&net.rng.rng, 13)]);
		add_relay();
		add("]}");
	}
	add("}}");
}

/* A response, as JSON. What no reader of JSON would take is not the point here: texts are without NUL. */
static const char *make(const struct dev *d)
{
	buf_clear(&text);
	add("{\"Domain\":\"%s\"", texts[rng_below(&net.rng.rng, 13)]);
	if (rng_below(&net.rng.rng, 8) == 0) {
		add(",\"Node\":");
		add_node(d);
	}
	if (maybe()) {
		add(",\"%s\":[", maybe() ? "Peers" : "PeersChanged");
		add_node(d);
		add(",");
		add_node(d);
		add("]");
	}
	if (maybe()) {
		add(",\"PeersChangedPatch\":[{\"NodeID\":101,\"DERPRegion\":%s,\"Endpoints\":[\"0.0.0.0:7\"]",
			ANY(numbers));
		add_key(d, 101);
		add("}]");
	}
	if (maybe())
		add_relays();
	add(",\"DNSConfig\":{\"Resolvers\":[{\"Addr\":\"%s\"}],\"Domains\":[\"%s\"]}",
		texts[rng_below(&net.rng.rng, 13)], texts[rng_below(&net.rng.rng, 13)]);
	add(",\"Health\":[\"%s\"],\"PopBrowserURL\":\"%s\"", texts[rng_below(&net.rng.rng, 13)],
		texts[rng_below(&net.rng.rng, 13)]);
	add(",\"PingRequest\":{\"URL\":\"http://192.0.2.1:8080/x\\r\\nInjected: yes\"}}");
	CHECK_INT(buf_append(&text, "", 1), ==, 0);
	return (const char *)buf_data(&text);
}

static void is_plain(void *ctx, char *s)
{
	(void)ctx;
	if (!text_is_plain(s, strlen(s)))
		check_fail(__FILE__, __LINE__, "in the map: %s", s);
}

static void texts_are_plain(const struct netmap *nm)
{
	struct tc_map_response r;
	struct arena mem;
	struct buf out;

	buf_init(&out, 1 << 24);
	arena_init(&mem, 1 << 24);
	CHECK_INT(netmap_save(nm, &out), ==, 0);
	CHECK_INT(json_decode(&tc_map_response_type, buf_data(&out), buf_len(&out), &r, &mem, NULL),
		==, 0);
	json_each_text(&tc_map_response_type, &r, is_plain, NULL);
	buf_fini(&out);
	arena_fini(&mem);
}

static void relays_are_sound(const struct netmap *nm)
{
	const struct tc_derp_map *map = netmap_derp_map(nm);

	for (size_t i = 0; map && i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;

		CHECK_TRUE(r->id > 0 && r->id <= 65535 &&
			   (int64_t)strtoll(map->regions.v[i].key, NULL, 10) == r->id);
		for (size_t k = 0; k < r->nodes.n; k++) {
			const struct tc_derp_node *n = JSON_AT(r->nodes, struct tc_derp_node, k);

			CHECK_TRUE(url_host_is_sound(n->hostname));
			CHECK_TRUE(n->derp_port >= 0 && n->derp_port <= 65535 &&
				   n->stun_port >= -1 && n->stun_port <= 65535);
			CHECK_TRUE(!n->name || !strpbrk(n->name, " :/[?"));
		}
	}
}

static int64_t route_of(const struct dev *d, const char *to)
{
	uint8_t pkt[60] = { 0 };
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(to, strlen(to), &a), ==, 0);
	if (a.family == 4) {
		pkt[0] = 0x45;
		pkt[3] = sizeof(pkt);
		pkt[9] = 17;
		memcpy(pkt + 16, a.b, 4);
	} else {
		pkt[0] = 0x60;
		pkt[5] = sizeof(pkt) - 40;
		pkt[6] = 17;
		memcpy(pkt + 24, a.b, 16);
	}
	return magicsock_peer_for(node_magicsock(d->a), pkt, sizeof(pkt));
}

/* Without consent to subnets or to an exit node there are single addresses of the tailnet, and nothing else. */
static void nothing_but_the_tailnet(const struct dev *d)
{
	static const char *const elsewhere[] = { "8.8.8.8", "10.0.0.1", "192.168.1.1", "127.0.0.1",
		"169.254.169.254", "100.100.100.100", "224.0.0.1", "255.255.255.255", "0.0.0.0",
		"2001:db8::1", "::1", "fe80::1", "ff02::1", "fd7a:115c:a1e0::53" };
	const struct node_net_config *c = node_net_config(d->a);
	char own[IPADDR_TEXT_MAX];

	for (size_t i = 0; i < c->n_routes; i++) {
		char s[IPPREFIX_TEXT_MAX];

		if (!ipprefix_eq(c->routes[i], tsaddr_ula) &&
			(c->routes[i].bits != ipaddr_bits(c->routes[i].ip) ||
				!tsaddr_is_tailscale(c->routes[i].ip)))
			check_fail(__FILE__, __LINE__, "a route without consent: %s",
				ipprefix_format(c->routes[i], s));
		CHECK_TRUE(!ipaddr_eq(c->routes[i].ip, dev_ip(d)));
	}
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		CHECK_ROW("%s", elsewhere[i]);
		CHECK_INT(route_of(d, elsewhere[i]), ==, 0);
	}
	CHECK_INT(route_of(d, ipaddr_format(dev_ip(d), own)), ==, 0);
}

static void round_of(struct dev *d, size_t i)
{
	const char *json = make(d);

	CHECK_ROW("round %zu: %s", i, json);
	testnet_say(&net, json);
	CHECK_TRUE(node_is_polling(d->a));
	CHECK_TRUE(node_netmap(d->a) != NULL);
	CHECK_TRUE(tsaddr_is_tailscale(dev_ip(d)));
	CHECK_INT(netmap_self(node_netmap(d->a))->addresses.n, >, 0);
	texts_are_plain(node_netmap(d->a));
	relays_are_sound(node_netmap(d->a));
	nothing_but_the_tailnet(d);
	CHECK_TRUE(!strstr(net.asked.path, "Injected"));
}

static void whatever_a_hub_says_nothing_is_used_without_consent(void **state)
{
	(void)state;
	testnet_new(&net);
	buf_init(&text, TEXT_MAX);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_run(&net, SEC(1));
	for (size_t i = 0; i < ROUNDS; i++)
		round_of(&net.dev[0], i);
	CHECK_INT(node_counters(net.dev[0].a)->bad_netmaps, ==, 0);
	buf_fini(&text);
	testnet_free(&net);
}

static bool health_has(const struct dev *d, const char *words, char *ret, size_t room)
{
	struct ipn_health h;
	struct arena mem;
	bool found = false;

	arena_init(&mem, 1 << 20);
	CHECK_INT(node_health(d->a, net.now, &mem, &h), ==, 0);
	for (size_t i = 0; i < h.warnings.n; i++) {
		const struct ipn_health_warning *w = h.warnings.v[i].value;

		if (!strcmp(w->code, "invalid-network-map")) {
			snprintf(ret, room, "%s", w->text);
			found = strstr(w->text, words) != NULL;
		}
	}
	arena_fini(&mem);
	return found;
}

#define PEER(more) \
	"{\"PeersChanged\":[{\"ID\":7,\"StableID\":\"n7\",\"Name\":\"mallory.test.\",\"Key\":\"nodekey:" \
	"1111111111111111111111111111111111111111111111111111111111111111\"," more "}]}"

/* One bad peer is left out, the others stay, the owner hears of it, and of its end. */
static void a_bad_peer_is_left_out_and_told_of(void **state)
{
	struct dev *d = net.dev;
	char said[512] = "";

	(void)state;
	testnet_new(&net);
	testnet_join(&net, &d[0], "anna");
	testnet_join(&net, &d[1], "bert");
	testnet_run(&net, SEC(10));
	testnet_say(&net, PEER("\"Addresses\":[\"0.0.0.0/0\"],\"AllowedIPs\":[\"0.0.0.0/0\"]"));
	CHECK_TRUE(!netmap_peer(node_netmap(d[0].a), 7));
	CHECK_INT(route_of(&d[0], "8.8.8.8"), ==, 0);
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	if (!health_has(&d[0], "\"mallory.test.\": an address of it is a whole network", said,
		    sizeof(said)))
		check_fail(__FILE__, __LINE__, "said: %s", said);
	testnet_say(&net,
		PEER("\"Addresses\":[\"100.64.5.5/32\"],\"AllowedIPs\":[\"100.64.5.5/32\",\"0.0.0.0/1\",\"128.0.0.0/1\",\"::/1\",\"127.0.0.1/32\"]"));
	CHECK_TRUE(netmap_peer(node_netmap(d[0].a), 7) != NULL);
	CHECK_INT(route_of(&d[0], "100.64.5.5"), ==, 7);
	CHECK_INT(route_of(&d[0], "8.8.8.8"), ==, 0);
	CHECK_TRUE(!health_has(&d[0], "a whole network", said, sizeof(said)));
	CHECK_TRUE(health_has(&d[0], "where no route may lead", said, sizeof(said)));
	testnet_free(&net);
}

/* With consent to subnets the internet in two halves is still none of them. */
static void halves_of_a_default_route_are_one(void **state)
{
	struct dev *d = net.dev;
	struct ipn_prefs p;

	(void)state;
	testnet_new(&net);
	testnet_join(&net, &d[0], "anna");
	ipn_prefs_init(&p);
	p.route_all = true;
	dev_edit(&d[0], IPN_PREF_ROUTE_ALL, &p);
	testnet_say(&net,
		PEER("\"Addresses\":[\"100.64.5.5/32\"],\"AllowedIPs\":[\"100.64.5.5/32\",\"0.0.0.0/1\",\"128.0.0.0/1\",\"10.0.0.0/8\",\"2000::/3\"]"));
	CHECK_INT(route_of(&d[0], "10.1.2.3"), ==, 7);
	CHECK_INT(route_of(&d[0], "8.8.8.8"), ==, 0);
	CHECK_INT(route_of(&d[0], "192.0.2.7"), ==, 0);
	CHECK_INT(route_of(&d[0], "2001:db8::1"), ==, 0);
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_a_hub_says_nothing_is_used_without_consent),
		cmocka_unit_test(a_bad_peer_is_left_out_and_told_of),
		cmocka_unit_test(halves_of_a_default_route_are_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
