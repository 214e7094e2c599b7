/* What a hub tells devices of its relay and STUN, for each way to be reached: the table of the operator guide. */
#include "hub/state/reach.h"
#include "testlib/check.h"

#include <stdio.h>

struct row {
	const char *url, *listen;
	bool cert;
	const char *relay_listen, *relay_url, *stun_listen, *stun_url;
	const char *opens; /* listeners beside --listen: "relay ADDR stun ADDR" */
	const char
		*told; /* nodes of the map: "NAME(/ADDRESS):PORT [pin|cert=NAME] [80] stun=PORT" */
};

static const struct row rows[] = {
	/* A certificate of the hub's own: everything on one port, also when that is forwarded from another. */
	{ "https://hub.test", ":443", true, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test", "10.0.0.5:8443", true, NULL, NULL, NULL, NULL, "stun 10.0.0.5:3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test:8443", ":443", true, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:8443 stun=3478" },
	{ "https://hub.test", ":443", true, "off", NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test", ":443", true, ":8443", NULL, NULL, NULL, "relay :8443 stun :3478",
		"hub.test:8443 stun=3478" },
	{ "https://hub.test", ":443", true, ":443", NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test", "10.0.0.5:443", true, ":443", NULL, NULL, NULL, "stun 10.0.0.5:3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test", "10.0.0.5:443", true, "10.0.0.6:443", NULL, NULL, NULL,
		"relay 10.0.0.6:443 stun 10.0.0.5:3478", "hub.test:443 stun=3478" },
	{ "http://hub.test", ":443", true, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:443 80 stun=3478" },
	{ "https://198.51.100.1", ":443", true, NULL, NULL, NULL, NULL, "stun :3478",
		"198.51.100.1/198.51.100.1:443 stun=3478" },
	{ "https://[2001:db8::1]", ":443", true, NULL, NULL, NULL, NULL, "stun :3478",
		"relay.net/2001:db8::1:443 cert=2001:db8::1 stun=3478" },
	/* None, and plain HTTP: a TLS port of the relay's own, and devices know its certificate. */
	{ "http://hub.test:8080", ":8080", false, NULL, NULL, NULL, NULL, "relay :443? stun :3478",
		"hub.test:443 pin stun=3478" },
	{ "http://hub.test", ":80", false, ":8443", NULL, NULL, NULL, "relay :8443 stun :3478",
		"hub.test:8443 pin 80 stun=3478" },
	{ "http://10.0.0.5:8080", "10.0.0.5:8080", false, NULL, NULL, NULL, NULL,
		"relay 10.0.0.5:443? stun 10.0.0.5:3478", "10.0.0.5/10.0.0.5:443 pin stun=3478" },
	{ "http://[2001:db8::1]", ":80", false, NULL, NULL, NULL, NULL, "relay :443? stun :3478",
		"relay.net/2001:db8::1:443 pin stun=3478" },
	{ "http://hub.test:8080", ":8080", false, "off", NULL, NULL, NULL, "", "" },
	{ "http://127.0.0.1:8080", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL,
		"relay 127.0.0.1:443? stun 127.0.0.1:3478",
		"127.0.0.1/127.0.0.1:443 pin stun=3478" },
	{ "http://localhost:8080", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL,
		"relay 127.0.0.1:443? stun 127.0.0.1:3478", "localhost:443 pin stun=3478" },
	/* A proxy in front that ends TLS: the relay is where the URL says, with the proxy's certificate; STUN is reachable. */
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test", "[::1]:8080", false, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://hub.test:8443", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL, "stun :3478",
		"hub.test:8443 stun=3478" },
	{ "https://hub.test", "127.0.0.1:8080", false, "off", NULL, NULL, NULL, "stun :3478",
		"hub.test:443 stun=3478" },
	{ "https://198.51.100.1", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL, "stun :3478",
		"198.51.100.1/198.51.100.1:443 stun=3478" },
	{ "https://[2001:db8::1]", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL, "stun :3478",
		"relay.net/2001:db8::1:443 cert=2001:db8::1 stun=3478" },
	{ "https://hub.test", "10.0.0.5:8080", false, NULL, NULL, NULL, NULL, "stun 10.0.0.5:3478",
		"hub.test:443 stun=3478" },
	/* The proxy does not pass /derp, or is not to carry it: a port beside it. */
	{ "https://hub.test", "127.0.0.1:8080", false, ":8443", NULL, NULL, NULL,
		"relay :8443 stun :3478", "hub.test:8443 pin stun=3478" },
	{ "https://hub.test", "127.0.0.1:8080", true, ":8443", NULL, NULL, NULL,
		"relay :8443 stun :3478", "hub.test:8443 stun=3478" },
	/* A proxy for plain HTTP: the relay's port is beside it, and not on loopback. */
	{ "http://hub.test", "127.0.0.1:8080", false, NULL, NULL, NULL, NULL,
		"relay :443? stun :3478", "hub.test:443 pin 80 stun=3478" },
	/* Somewhere else. */
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, "https://relay.test", NULL, NULL,
		"stun :3478", "relay.test:443 stun=-1, hub.test stun=3478" },
	{ "http://hub.test:8080", ":8080", false, NULL, "https://hub.test:8443", NULL, NULL,
		"stun :3478", "hub.test:8443 stun=3478" },
	{ "http://hub.test:8080", ":8080", false, ":9000", "https://hub.test:8443", NULL, NULL,
		"relay :9000 stun :3478", "hub.test:8443 pin stun=3478" },
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, NULL, "10.0.0.5:3479", NULL,
		"stun 10.0.0.5:3479", "hub.test:443 stun=3479" },
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, NULL, "10.0.0.5:3479", "stun:hub.test",
		"stun 10.0.0.5:3479", "hub.test:443 stun=3478" },
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, NULL, NULL, "192.0.2.7:3480",
		"stun :3478", "hub.test:443 stun=-1, 192.0.2.7/192.0.2.7 stun=3480" },
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, NULL, "off", "stun.test", "",
		"hub.test:443 stun=-1, stun.test stun=3478" },
	{ "https://hub.test", "127.0.0.1:8080", false, NULL, "https://r.test", "off",
		"stun:[2001:db8::9]:3478", "",
		"r.test:443 stun=-1, stun.net/2001:db8::9 stun=3478" },
	/* Switched off. */
	{ "https://hub.test", ":443", true, NULL, NULL, "off", NULL, "", "hub.test:443 stun=-1" },
	{ "https://hub.test", ":443", true, NULL, NULL, NULL, "off", "", "hub.test:443 stun=-1" },
	{ "https://hub.test", ":443", true, NULL, "off", NULL, NULL, "", "" },
	{ "http://hub.test", ":80", false, "off", "off", ":3478", NULL, "stun :3478", "" },
};

static void where(char *out, size_t size, const char *what, struct ipport a, bool any)
{
	char text[IPPORT_TEXT_MAX];
	size_t n = strlen(out);

	if (a.ip.family)
		ipport_format(a, text);
	else
		snprintf(text, sizeof(text), ":%u", a.port);
	snprintf(out + n, size - n, "%s%s %s%s", n ? " " : "", what, text,
		any && !strcmp(what, "relay") ? "?" : "");
}

static void map_text(const struct tc_derp_map *m, char *out, size_t size)
{
	size_t at = 0;

	*out = 0;
	CHECK_INT(m->regions.n, <=, 1);
	if (!m->regions.n)
		return;
	const struct tc_derp_region *r = JSON_AT(m->regions, struct json_pair, 0)->value;

	for (size_t i = 0; i < r->nodes.n; i++) {
		const struct tc_derp_node *n = JSON_AT(r->nodes, struct tc_derp_node, i);
		const char *ip = n->ipv4 && strcmp(n->ipv4, "none") != 0 ? n->ipv4 : n->ipv6;
		char port[16];

		CHECK_INT(n->stun_only, ==, i == 1);
		snprintf(port, sizeof(port), ":%d", (int)(n->derp_port ? n->derp_port : 443));
		at += (size_t)snprintf(out + at, size - at, "%s%s%s%s%s", i ? ", " : "",
			n->hostname, ip ? "/" : "", ip ? ip : "", n->stun_only ? "" : port);
		if (n->cert_name)
			at += (size_t)snprintf(out + at, size - at, " %s%s",
				!strcmp(n->cert_name, "pin") ? "" : "cert=", n->cert_name);
		at += (size_t)snprintf(out + at, size - at, "%s stun=%d",
			n->can_port80 ? " 80" : "", (int)(n->stun_port ? n->stun_port : 3478));
	}
}

static void one(const struct row *row)
{
	struct reach_ask ask = { .own_cert = row->cert,
		.relay_listen = row->relay_listen,
		.relay_url = row->relay_url,
		.stun_listen = row->stun_listen,
		.stun_url = row->stun_url };
	struct reach_bound b = { .base_domain = "net" };
	char opens[200] = "", told[400];
	struct err_at at = { 0 };
	struct tc_derp_map map;
	struct arena mem;
	struct reach r;

	CHECK_ROW("%s on %s%s relay=%s,%s stun=%s,%s", row->url, row->listen,
		row->cert ? " with a certificate" : "", row->relay_listen, row->relay_url,
		row->stun_listen, row->stun_url);
	CHECK_INT(hub_url_parse(row->url, &ask.url), ==, 0);
	CHECK_INT(hub_listen_parse(row->listen, &ask.listen), ==, 0);
	CHECK_INT(reach_decide(&ask, &r, &at), ==, 0);
	if (r.relay == REACH_RELAY_OWN_PORT || r.relay == REACH_RELAY_PINNED)
		where(opens, sizeof(opens), "relay", r.relay_listen, r.relay_any_port);
	if (r.stun)
		where(opens, sizeof(opens), "stun", r.stun_listen, r.stun_any_port);
	CHECK_STR(opens, row->opens);
	b.relay_port = r.relay == REACH_RELAY_SHARED ? ask.listen.port : r.relay_listen.port;
	b.stun_port = r.stun_listen.port;
	b.plain_80 = !ask.url.https && ask.url.port == 80;
	b.pin = r.relay == REACH_RELAY_PINNED ? "pin" : "";
	arena_init(&mem, 1 << 16);
	CHECK_INT(reach_map(&r, &ask.url, &b, false, &mem, &map), ==, 0);
	map_text(&map, told, sizeof(told));
	CHECK_STR(told, row->told);
	arena_fini(&mem);
}

static void devices_are_told_where_the_url_and_the_options_say(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		one(&rows[i]);
}

static void what_contradicts_itself_is_refused_by_name(void **state)
{
	static const struct {
		struct reach_ask ask;
		const char *names;
	} bad[] = {
		{ { .relay_url = "http://relay.test" }, "--relay-url" },
		{ { .relay_url = "relay.test" }, "--relay-url" },
		{ { .relay_url = "off", .relay_listen = ":443" }, "--relay-listen" },
		{ { .relay_listen = "8443" }, "--relay-listen" },
		{ { .stun_listen = "3478" }, "--stun-listen" },
		{ { .stun_url = "stun.test/x" }, "--stun-url" },
		{ { .stun_url = "stun.test:0" }, "--stun-url" },
		{ { .stun_url = "" }, "--stun-url" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct reach_ask ask = bad[i].ask;
		struct err_at at = { 0 };
		struct reach r;

		CHECK_ROW("%zu", i);
		CHECK_INT(hub_url_parse("http://hub.test", &ask.url), ==, 0);
		CHECK_INT(reach_decide(&ask, &r, &at), ==, -ERR_BAD_VALUE);
		CHECK_TRUE(strstr(at.text, bad[i].names));
	}
}

/* Clients that know no pins are told not to look, and nobody else is. */
static void old_clients_get_the_same_without_the_pin(void **state)
{
	struct reach_ask ask = { 0 };
	struct reach_bound b = { .relay_port = 443, .pin = "pin", .base_domain = "net" };
	struct err_at at = { 0 };
	struct tc_derp_map map;
	struct arena mem;
	struct reach r;

	arena_init(&mem, 1 << 16);
	CHECK_INT(hub_url_parse("http://hub.test", &ask.url), ==, 0);
	CHECK_INT(reach_decide(&ask, &r, &at), ==, 0);
	for (int unpinned = 0; unpinned < 2; unpinned++) {
		CHECK_INT(reach_map(&r, &ask.url, &b, unpinned, &mem, &map), ==, 0);
		const struct tc_derp_region *g = JSON_AT(map.regions, struct json_pair, 0)->value;
		const struct tc_derp_node *n = JSON_AT(g->nodes, struct tc_derp_node, 0);

		CHECK_INT(n->insecure_for_tests, ==, unpinned);
		CHECK_INT(n->cert_name != NULL, ==, !unpinned);
	}
	arena_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_are_told_where_the_url_and_the_options_say),
		cmocka_unit_test(what_contradicts_itself_is_refused_by_name),
		cmocka_unit_test(old_clients_get_the_same_without_the_pin),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
