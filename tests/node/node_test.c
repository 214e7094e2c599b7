/* A device's membership of a tailnet, against the real control server and relay in memory. */
#include "tests/coord/letin.h"
#include "tests/node/testnet.h"

#include <stdlib.h>

static struct testnet net; /* too large for a stack */

static struct dev *join_two(struct testnet *w)
{
	testnet_new(w);
	testnet_join(w, &w->dev[0], "anna");
	testnet_join(w, &w->dev[1], "bert");
	testnet_run(w, SEC(1));
	return w->dev;
}

/* The peer as a device's map has it; NULL: not at all. */
static const struct tc_node *known(const struct dev *at, const struct coord_node_doc *n)
{
	return netmap_peer(node_netmap(at->a), n->id);
}

static void joined_devices_know_and_reach_each_other(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	CHECK_TRUE(known(&d[0], testnet_member(&net, &d[1])) &&
		   known(&d[1], testnet_member(&net, &d[0])));
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	CHECK_TRUE(testnet_ping(&net, &d[1], &d[0]));
	CHECK_INT(dev_events(&d[0], NODE_LOGIN_FINISHED), ==, 1);
	CHECK_INT(node_counters(d[0].a)->bad_netmaps + node_counters(d[0].a)->bad_peers, ==, 0);
	testnet_free(&net);
}

static void states_are_entered_in_order(void **state)
{
	static const enum ipn_state want[] = { IPN_NEEDS_LOGIN, IPN_STARTING, IPN_RUNNING };

	(void)state;
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	CHECK_INT(net.dev[0].n_states, ==, ARRAY_LEN(want));
	CHECK_MEM(net.dev[0].states, want, sizeof(want));
	testnet_free(&net);
}

static void peers_on_one_segment_find_the_direct_path(void **state)
{
	struct dev *d = join_two(&net);
	struct magicsock_peer_status s;

	(void)state;
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	testnet_run(&net, SEC(3));
	CHECK_INT(magicsock_peer_status(
			  node_magicsock(d[0].a), testnet_member(&net, &d[1])->id, net.now, &s),
		==, 0);
	CHECK_TRUE(ipport_eq(s.route.addr, d[1].at));
	testnet_free(&net);
}

static void a_rename_is_seen_by_the_others(void **state)
{
	struct dev *d = join_two(&net);
	const struct coord_node_doc *n = testnet_member(&net, &d[1]);

	(void)state;
	CHECK_STR(known(&d[0], n)->name, "bert.test.");
	CHECK_INT(coord_node_rename(net.tailnet, n->id, "carl", net.now), ==, 0);
	testnet_run(&net, SEC(1));
	CHECK_STR(known(&d[0], n)->name, "carl.test.");
	testnet_free(&net);
}

static void a_removed_device_is_gone_for_the_others(void **state)
{
	struct dev *d = join_two(&net);
	int64_t id = testnet_member(&net, &d[1])->id;
	uint64_t dropped;

	(void)state;
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	CHECK_INT(coord_node_delete(net.tailnet, id, net.now), ==, 0);
	testnet_run(&net, SEC(1));
	CHECK_TRUE(!netmap_peer(node_netmap(d[0].a), id));
	CHECK_INT(dev_events(&d[0], NODE_PEER_REMOVED), ==, 1);
	dropped = magicsock_counters(node_magicsock(d[0].a))->no_route;
	CHECK_TRUE(!testnet_ping(&net, &d[0], &d[1]));
	CHECK_INT(magicsock_counters(node_magicsock(d[0].a))->no_route, >, dropped);
	testnet_free(&net);
}

static void an_expired_key_ends_its_traffic_on_both_sides(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	CHECK_INT(coord_node_expire(net.tailnet, testnet_member(&net, &d[1])->id, net.now), ==, 0);
	testnet_run(&net, SEC(1));
	CHECK_INT(node_state(d[1].a), ==, IPN_NEEDS_LOGIN);
	CHECK_TRUE(!node_net_config(d[1].a)->up);
	CHECK_TRUE(!testnet_ping(&net, &d[0], &d[1]));
	testnet_free(&net);
}

/* Both know the time, and neither waits for a word of the hub; sleep, or a clock that is set, does not delay it. */
static void a_key_ends_at_its_time_while_the_hub_is_away(void **state)
{
	struct magicsock_peer_status s;

	(void)state;
	for (int asleep = 0; asleep < 2; asleep++) {
		struct dev *d = join_two(&net);
		unix_ms end = net.now.wall + 600 * 1000;

		CHECK_ROW("asleep %d", asleep);
		CHECK_INT(coord_node_expire_at(
				  net.tailnet, testnet_member(&net, &d[1])->id, end, net.now),
			==, 0);
		testnet_run(&net, SEC(1));
		net.hub_gone = true;
		CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
		testnet_run(&net, SEC(1));
		if (asleep)
			net.now.wall = end + 1000;
		testnet_run(&net, asleep ? SEC(90) : SEC(602));
		CHECK_INT(node_state(d[1].a), ==, IPN_NEEDS_LOGIN);
		CHECK_TRUE(!node_net_config(d[1].a)->up);
		CHECK_TRUE(!testnet_ping(&net, &d[0], &d[1]) && !testnet_ping(&net, &d[1], &d[0]));
		CHECK_INT(magicsock_peer_status(node_magicsock(d[0].a),
				  testnet_member(&net, &d[1])->id, net.now, &s),
			==, 0);
		CHECK_TRUE(s.expired && !s.has_session);
		testnet_free(&net);
	}
}

/* A login with a fresh node key makes the expired device run again, as the same device. */
static void an_expired_device_comes_back_by_a_login(void **state)
{
	struct dev *d = join_two(&net);
	int64_t id = testnet_member(&net, &d[1])->id;

	(void)state;
	CHECK_INT(coord_node_expire(net.tailnet, id, net.now), ==, 0);
	testnet_run(&net, SEC(1));
	node_start(d[1].a, net.auth_key, net.now);
	node_login(d[1].a, net.now);
	testnet_run(&net, SEC(40));
	CHECK_INT(node_state(d[1].a), ==, IPN_RUNNING);
	CHECK_INT(testnet_member(&net, &d[1])->id, ==, id);
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	testnet_free(&net);
}

/* The command says start, with the key, and then login: whatever the hub has answered between the two, one key is enough. */
static void one_key_is_one_login_whenever_it_is_asked_for(void **state)
{
	struct coord_key_spec once = { .preapproved = true };
	const struct coord_key *key;

	(void)state;
	for (mono_ns gap = 0; gap <= SEC(1); gap += gap ? gap : MSEC(1)) {
		struct dev *d = join_two(&net);
		char text[COORD_SECRET_TEXT_MAX];
		unsigned failed;

		CHECK_ROW("gap %lld ns", (long long)gap);
		once.user = net.user;
		CHECK_INT(coord_key_create(net.tailnet, &once, net.now, text, &key), ==, 0);
		CHECK_INT(coord_node_expire(net.tailnet, testnet_member(&net, &d[1])->id, net.now),
			==, 0);
		testnet_run(&net, SEC(1));
		failed = dev_events(&d[1], NODE_LOGIN_FAILED);
		node_start(d[1].a, text, net.now);
		if (gap)
			testnet_run(&net, gap);
		node_login(d[1].a, net.now);
		testnet_run(&net, SEC(2));
		CHECK_INT(node_state(d[1].a), ==, IPN_RUNNING);
		CHECK_INT(dev_events(&d[1], NODE_LOGIN_URL), ==, 0);
		CHECK_INT(dev_events(&d[1], NODE_LOGIN_FAILED), ==, failed);
		CHECK_INT(key->used, ==, 1);
		testnet_free(&net);
	}
}

static void shields_up_lets_nobody_begin_but_answers_come_in(void **state)
{
	struct dev *d = join_two(&net);
	const struct coord_node_doc *n = testnet_member(&net, &d[1]);

	(void)state;
	dev_edit(&d[1], IPN_PREF_SHIELDS_UP, &(struct ipn_prefs){ .shields_up = true });
	testnet_run(&net, SEC(1));
	CHECK_TRUE(!testnet_ping(&net, &d[0], &d[1]));
	CHECK_INT(node_counters(d[1].a)->filter_in_dropped, >, 0);
	CHECK_TRUE(testnet_ping(&net, &d[1], &d[0]));
	CHECK_TRUE(n->hostinfo && n->hostinfo->shields_up); /* and the hub knows */
	testnet_free(&net);
}

static void down_ends_the_network_and_up_brings_it_back(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	CHECK_TRUE(node_net_config(d[1].a)->up);
	CHECK_INT(node_net_config(d[1].a)->n_addrs, ==, 2);
	dev_edit(&d[1], IPN_PREF_WANT_RUNNING, &(struct ipn_prefs){ .want_running = false });
	CHECK_INT(node_state(d[1].a), ==, IPN_STOPPED);
	CHECK_TRUE(!node_net_config(d[1].a)->up);
	CHECK_TRUE(!testnet_ping(&net, &d[0], &d[1]));
	dev_edit(&d[1], IPN_PREF_WANT_RUNNING, &(struct ipn_prefs){ .want_running = true });
	testnet_run(&net, SEC(2));
	CHECK_INT(node_state(d[1].a), ==, IPN_RUNNING);
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	testnet_free(&net);
}

static void a_logout_forgets_keys_and_map(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	node_logout(d[1].a, net.now);
	testnet_run(&net, SEC(1));
	CHECK_INT(node_state(d[1].a), ==, IPN_NEEDS_LOGIN);
	CHECK_TRUE(key_is_zero(d[1].id.node.b) && !key_is_zero(d[1].id.machine.b));
	CHECK_TRUE(!node_netmap(d[1].a));
	CHECK_TRUE(node_prefs(d[1].a)->logged_out && !node_prefs(d[1].a)->want_running);
	CHECK_INT(testnet_member(&net, &d[1])->key_expiry, <=, net.now.wall);
	CHECK_TRUE(testnet_member(&net, &d[1])->key_expiry != 0);
	testnet_free(&net);
}

/* Whatever of a login is on its way: an expired device logs in with an auth key, and logs out again before it is done. */
static void a_logout_during_a_login_reaches_the_hub(void **state)
{
	bool more = true;

	(void)state;
	for (size_t hops = 0; more; hops++) {
		struct dev *d = join_two(&net);
		int64_t id = testnet_member(&net, &d[1])->id;

		CHECK_ROW("after %zu hops", hops);
		CHECK_INT(coord_node_expire(net.tailnet, id, net.now), ==, 0);
		node_start(d[1].a, net.auth_key, net.now);
		more = testnet_hops(&net, hops);
		node_logout(d[1].a, net.now);
		testnet_run(&net, SEC(1));
		CHECK_INT(node_state(d[1].a), ==, IPN_NEEDS_LOGIN);
		CHECK_TRUE(key_is_zero(d[1].id.node.b));
		CHECK_TRUE(coord_node_expired(coord_node_find(net.tailnet, id), net.now.wall));
		testnet_free(&net);
	}
}

static void a_logout_without_a_hub_ends_anyway(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	net.hub_gone = true;
	node_logout(d[1].a, net.now);
	testnet_run(&net, SEC(6));
	CHECK_INT(node_state(d[1].a), ==, IPN_NEEDS_LOGIN);
	CHECK_TRUE(key_is_zero(d[1].id.node.b));
	testnet_free(&net);
}

static void a_refused_auth_key_is_told(void **state)
{
	struct dev *d = &net.dev[0];
	struct ipn_prefs p;

	(void)state;
	testnet_new(&net);
	ipn_prefs_init(&p);
	testnet_boot(&net, d, &p, view_of("", 0));
	node_start(d->a, NULL, net.now);
	p.control_url = "http://192.0.2.1:8080";
	p.want_running = true;
	p.logged_out = false;
	CHECK_INT(node_set_prefs(d->a, &p, net.now, NULL), ==, 0);
	node_start(d->a, "wkey-auth-wrong", net.now);
	testnet_run(&net, SEC(1));
	CHECK_INT(dev_events(d, NODE_LOGIN_FAILED), ==, 1);
	CHECK_TRUE(*node_login_error(d->a));
	CHECK_INT(node_state(d->a), ==, IPN_NEEDS_LOGIN);
	testnet_free(&net);
}

/* Who joins sees in a second what is wrong, not after the timeout with a hub that restarts. */
static void a_hub_that_is_not_there_is_named_at_once(void **state)
{
	struct dev *d = &net.dev[0];
	struct ipn_prefs p;
	struct ipn_status s;
	struct arena a;

	(void)state;
	testnet_new(&net);
	net.hub_gone = true;
	ipn_prefs_init(&p);
	testnet_boot(&net, d, &p, view_of("", 0));
	p.control_url = "http://192.0.2.1:8080";
	p.want_running = true;
	p.logged_out = false;
	node_start(d->a, NULL, net.now);
	CHECK_INT(node_set_prefs(d->a, &p, net.now, NULL), ==, 0);
	node_start(d->a, net.auth_key, net.now);
	node_login(d->a, net.now);
	testnet_run(&net, SEC(2));
	arena_init(&a, 1 << 20);
	CHECK_INT(node_status(d->a, false, net.now, &a, &s), ==, 0);
	CHECK_INT(s.health.n, ==, 1);
	CHECK_TRUE(strstr(
		*JSON_AT(s.health, const char *, 0), "http://192.0.2.1:8080 is not reached"));
	arena_fini(&a);
	testnet_free(&net);
}

static void an_interactive_login_shows_its_page_and_goes_on_when_approved(void **state)
{
	struct dev *d = &net.dev[0];
	struct ipn_prefs p;
	struct coord_pending_view who;

	(void)state;
	testnet_new(&net);
	ipn_prefs_init(&p);
	p.control_url = "http://192.0.2.1:8080";
	testnet_boot(&net, d, &p, view_of("", 0));
	node_start(d->a, NULL, net.now);
	node_login(d->a, net.now);
	testnet_run(&net, SEC(1));
	CHECK_INT(dev_events(d, NODE_LOGIN_URL), ==, 1);
	CHECK_TRUE(!strncmp(node_login_url(d->a), "http://192.0.2.1:8080/", 22));
	CHECK_INT(node_state(d->a), ==, IPN_NEEDS_LOGIN);
	node_login(d->a, net.now); /* somebody else asks */
	CHECK_INT(dev_events(d, NODE_LOGIN_URL), ==, 2);
	CHECK_TRUE(coord_pending_next(net.tailnet, NULL, &who));
	CHECK_INT(let_in(net.tailnet, who.code, net.user, net.now, &(int64_t){ 0 }), ==, 0);
	testnet_run(&net, SEC(20));
	CHECK_INT(node_state(d->a), ==, IPN_RUNNING);
	CHECK_TRUE(node_prefs(d->a)->want_running && !*node_login_url(d->a));
	testnet_free(&net);
}

/* The daemon starts again: what it kept is all it has, and nobody is there but its peer. */
static void a_restart_without_the_hub_reaches_the_peers_of_the_map(void **state)
{
	struct dev *d = join_two(&net);
	struct ipn_prefs p;
	struct buf map, prefs_text;
	struct arena a;

	(void)state;
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	testnet_run(&net, SEC(3));
	buf_init(&map, 1 << 20);
	buf_init(&prefs_text, 1 << 16);
	arena_init(&a, 1 << 20);
	CHECK_INT(netmap_save(node_netmap(d[0].a), &map), ==, 0);
	CHECK_INT(json_encode(&ipn_prefs_type, node_prefs(d[0].a), &prefs_text), ==, 0);
	CHECK_INT(json_decode(&ipn_prefs_type, buf_data(&prefs_text), buf_len(&prefs_text), &p, &a,
			  NULL),
		==, 0);
	testnet_halt(&net, &d[0]);
	net.hub_gone = true;
	testnet_run(&net, SEC(1));

	testnet_boot(&net, &d[0], &p, buf_view(&map));
	node_start(d[0].a, NULL, net.now);
	CHECK_TRUE(node_netmap_is_cached(d[0].a) && node_net_config(d[0].a)->up);
	CHECK_INT(node_state(d[0].a), ==, IPN_STARTING);
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	CHECK_TRUE(testnet_ping(&net, &d[1], &d[0]));
	CHECK_INT(node_state(d[0].a), ==, IPN_RUNNING);

	net.hub_gone = false;
	testnet_run(&net, SEC(60));
	CHECK_TRUE(node_is_polling(d[0].a) && !node_netmap_is_cached(d[0].a));
	buf_fini(&map);
	buf_fini(&prefs_text);
	arena_fini(&a);
	testnet_free(&net);
}

static void the_map_of_another_device_is_not_taken(void **state)
{
	struct dev *d = join_two(&net);
	struct ipn_prefs p;
	struct buf map;

	(void)state;
	buf_init(&map, 1 << 20);
	CHECK_INT(netmap_save(node_netmap(d[1].a), &map), ==, 0);
	testnet_halt(&net, &d[0]);
	ipn_prefs_init(&p);
	testnet_boot(&net, &d[0], &p, buf_view(&map));
	CHECK_TRUE(!node_netmap(d[0].a));
	CHECK_INT(node_counters(d[0].a)->bad_netmaps, ==, 1);
	buf_fini(&map);
	testnet_free(&net);
}

struct ping_note {
	unsigned called;
	char err[128];
	bool local;
	double latency;
};

static void note_ping(void *ctx, const struct ipn_ping_result *r)
{
	struct ping_note *n = ctx;

	n->called++;
	n->local = r->is_local_ip;
	n->latency = r->latency_seconds;
	snprintf(n->err, sizeof(n->err), "%s", r->err ? r->err : "");
}

static void pings_of_every_kind_are_answered(void **state)
{
	static const enum ipn_ping_type types[] = { IPN_PING_DISCO, IPN_PING_TSMP, IPN_PING_ICMP };
	struct dev *d = join_two(&net);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct ping_note n = { 0 };

		CHECK_ROW("%s", ipn_ping_type_name(types[i]));
		node_ping(d[0].a, dev_ip(&d[1]), types[i], 0, note_ping, &n, net.now);
		/* An echo request is answered by the other machine's system, which is not here. */
		if (types[i] == IPN_PING_ICMP)
			node_ping_cancel(d[0].a, &n);
		testnet_run(&net, SEC(1));
		CHECK_INT(n.called, ==, types[i] != IPN_PING_ICMP);
		CHECK_STR(n.err, "");
	}
	testnet_free(&net);
}

/* A peer of which the hub says that it has a PeerAPI; what that answers is up to it. */
static void a_ping_by_peerapi_takes_what_comes(void **state)
{
	static const char head[] = "HEAD / HTTP/1.1\r\nHost: 100.90.0.1:80\r\n";
	static char too_long[70000];
	static const struct {
		const char *answer; /* NULL: it closes */
		const char *err;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "" },
		{ "HTTP/1.1 403 Forbidden\r\n\r\n", "refused" },
		{ "SSH-2.0-x\r\n\r\n", "something else" },
		{ too_long, "something else" },
		{ NULL, "closed" },
	};
	struct dev *d = join_two(&net);
	struct ipaddr ip = ipaddr_v4(100, 90, 0, 1);

	memset(too_long, 'x', sizeof(too_long) - 1);
	testnet_say(&net,
		"{\"PeersChanged\":[{\"ID\":900,\"StableID\":\"n900\",\"Name\":\"p.x.\",\"Key\":\"nodekey:"
		"0000000000000000000000000000000000000000000000000000000000000384\",\"Cap\":100,\"HomeDERP\":1,\"Online\":true,"
		"\"Addresses\":[\"100.90.0.1/32\"],\"AllowedIPs\":[\"100.90.0.1/32\"],"
		"\"Hostinfo\":{\"Services\":[{\"Proto\":\"peerapi4\",\"Port\":80}]}}]}");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct ping_note n = { 0 };
		const unsigned stream = NODE_STREAM_PEERAPI; /* free again each time */
		struct view ask;

		CHECK_ROW("%.20s", rows[i].answer ? rows[i].answer : "closed");
		node_ping(d[0].a, ip, IPN_PING_PEERAPI, 0, note_ping, &n, net.now);
		CHECK_INT(node_stream_output(d[0].a, stream).len, ==, 0);
		node_stream_connected(d[0].a, stream, NULL, net.now);
		ask = node_stream_output(d[0].a, stream);
		CHECK_TRUE(ask.len > sizeof(head) && !memcmp(ask.p, head, sizeof(head) - 1));
		node_stream_written(d[0].a, stream, ask.len);
		for (size_t at = 0; rows[i].answer && !n.called; at++)
			if (node_stream_feed(
				    d[0].a, stream, (uint8_t *)rows[i].answer + at, 1, net.now) < 0)
				break;
		node_stream_closed(d[0].a, stream, 0, net.now);
		CHECK_INT(n.called, ==, 1);
		CHECK_TRUE(*rows[i].err ? strstr(n.err, rows[i].err) != NULL : !*n.err);
	}
	testnet_free(&net);
}

static void pings_that_cannot_be_are_answered_in_words(void **state)
{
	struct dev *d = join_two(&net);
	struct ping_note self = { 0 }, nobody = { 0 };

	(void)state;
	node_ping(d[0].a, dev_ip(&d[0]), IPN_PING_DISCO, 0, note_ping, &self, net.now);
	node_ping(
		d[0].a, ipaddr_v4(100, 99, 99, 99), IPN_PING_DISCO, 0, note_ping, &nobody, net.now);
	CHECK_INT(self.called, ==, 1);
	CHECK_TRUE(self.local && strstr(self.err, "is local Tailscale IP"));
	CHECK_INT(nobody.called, ==, 1);
	CHECK_STR(nobody.err, "no matching peer");
	testnet_free(&net);
}

static void whois_tells_whose_an_address_is(void **state)
{
	struct dev *d = join_two(&net);

	(void)state;
	CHECK_STR(node_whois(d[0].a, dev_ip(&d[1]))->name, "bert.test.");
	CHECK_STR(node_whois(d[0].a, dev_ip(&d[0]))->name, "anna.test.");
	CHECK_TRUE(!node_whois(d[0].a, ipaddr_v4(100, 99, 99, 99)));
	testnet_free(&net);
}

static void preferences_that_cannot_be_are_refused_in_words(void **state)
{
	struct dev *d = join_two(&net);
	struct ipprefix crooked = { ipaddr_v4(10, 1, 2, 3), 8 };
	struct ipn_masked_prefs m = { .p.advertise_routes = json_list_of(&crooked, 1) };
	struct err_at at = { 0 };

	(void)state;
	m.set[IPN_PREF_ADVERTISE_ROUTES] = true;
	CHECK_INT(node_edit_prefs(d[0].a, &m, net.now, &at), ==, -ERR_BAD_VALUE);
	CHECK_STR(at.text, "route 10.1.2.3/8 has non-address bits set; expected 10.0.0.0/8");
	CHECK_INT(node_prefs(d[0].a)->advertise_routes.n, ==, 0);
	testnet_free(&net);
}

static bool says(const struct dev *d, const char *text)
{
	struct ipn_status s;
	struct arena a;
	bool found = false;

	arena_init(&a, 1 << 20);
	CHECK_INT(node_status(d->a, true, net.now, &a, &s), ==, 0);
	for (size_t i = 0; i < s.health.n; i++)
		found |= strstr(*JSON_AT(s.health, const char *, i), text) != NULL;
	CHECK_TRUE(!found || (s.exit_node_status && !s.exit_node_status->online));
	arena_fini(&a);
	return found;
}

static void an_exit_node_that_is_not_there_blocks_rather_than_leaks(void **state)
{
	struct dev *d = join_two(&net);
	const struct node_net_config *c = node_net_config(d[0].a);
	size_t before = c->n_routes, defaults = 0;

	(void)state;
	dev_edit(&d[0], IPN_PREF_EXIT_NODE_ID, &(struct ipn_prefs){ .exit_node_id = "n999" });
	for (size_t i = 0; i < c->n_routes; i++)
		defaults += c->routes[i].bits == 0;
	CHECK_INT(defaults, ==, 2);
	CHECK_INT(c->n_routes, ==, before + 2);
	CHECK_TRUE(says(&d[0], "is not in the tailnet any more"));
	dev_edit(&d[0], IPN_PREF_EXIT_NODE_ID, &(struct ipn_prefs){ .exit_node_id = "" });
	CHECK_INT(c->n_routes, ==, before);
	testnet_free(&net);
}

static void the_hubs_keys_and_ours_are_kept_before_they_are_used(void **state)
{
	struct dev *d = join_two(&net);
	struct node_pub pub;

	(void)state;
	CHECK_INT(key_public(d[0].id.node.b, pub.b), ==, 0);
	CHECK_MEM(&testnet_member(&net, &d[0])->key, &pub, sizeof(pub));
	CHECK_INT(key_public(net.hub.b, pub.b), ==, 0);
	CHECK_MEM(&d[0].id.hub, &pub, sizeof(pub));
	testnet_free(&net);
}

static void status_says_what_is(void **state)
{
	struct dev *d = join_two(&net);
	struct ipn_status s;
	struct arena a;
	struct buf out;

	(void)state;
	CHECK_TRUE(testnet_ping(&net, &d[0], &d[1]));
	testnet_run(&net, SEC(3));
	arena_init(&a, 1 << 20);
	buf_init(&out, 1 << 20);
	CHECK_INT(node_status(d[0].a, true, net.now, &a, &s), ==, 0);
	CHECK_STR(s.backend_state, "Running");
	CHECK_STR(s.self->host_name, "anna");
	CHECK_STR(s.self->relay, "here");
	CHECK_INT(s.health.n, ==, 0);
	CHECK_INT(s.peer.n, ==, 1);
	CHECK_STR(((const struct ipn_peer_status *)s.peer.v[0].value)->cur_addr, "10.0.0.2:41641");
	CHECK_STR(s.magic_dns_suffix, "test");
	CHECK_INT(json_encode(&ipn_status_type, &s, &out), ==, 0);
	net.hub_gone = true;
	testnet_run(&net, SEC(20));
	CHECK_INT(node_status(d[0].a, false, net.now, &a, &s), ==, 0);
	CHECK_TRUE(s.health.n > 0 && strstr(*JSON_AT(s.health, const char *, 0), "relay"));
	arena_fini(&a);
	buf_fini(&out);
	testnet_free(&net);
}

/* Of base64: "GET /echo HTTP/1.1", "GET /nothing HTTP/1.1", each with an empty line; the first with a body. */
#define ECHO "UE9TVCAvZWNobyBIVFRQLzEuMQ0KQ29udGVudC1MZW5ndGg6IDUNCg0KaGVsbG8="
#define NOTHING "R0VUIC9ub3RoaW5nIEhUVFAvMS4xDQoNCg=="

static void the_hubs_questions_are_answered_to_the_hub(void **state)
{
	struct dev *d = join_two(&net);
	char json[512], ip[IPADDR_TEXT_MAX];

	(void)state;
	testnet_say(&net, "{\"PingRequest\":{\"URL\":\"http://192.0.2.1:8080/live?id=1\"}}");
	CHECK_INT(net.asked.n, ==, 1);
	CHECK_STR(net.asked.method, "HEAD");
	CHECK_STR(net.asked.path, "/live?id=1");

	testnet_say(
		&net, "{\"PingRequest\":{\"URL\":\"https://unused/noise/2\",\"URLIsNoise\":true}}");
	CHECK_INT(net.asked.n, ==, 1);
	CHECK_STR(net.asked.path, "/noise/2");

	snprintf(json, sizeof(json),
		"{\"PingRequest\":{\"URL\":\"https://unused/pong/3\",\"URLIsNoise\":true,\"Types\":\"disco,TSMP\",\"IP\":\"%s\"}}",
		ipaddr_format(dev_ip(&d[1]), ip));
	testnet_say(&net, json);
	CHECK_INT(net.asked.n, ==, 2);
	CHECK_STR(net.asked.method, "POST");
	CHECK_TRUE(strstr(net.asked.body, ip) && strstr(net.asked.body, "\"NodeName\":\"bert\"") &&
		   !strstr(net.asked.body, "Err"));

	testnet_say(&net,
		"{\"PingRequest\":{\"URL\":\"https://unused/c2n/4\",\"Types\":\"c2n\",\"Payload\":\"" ECHO
		"\"}}");
	CHECK_TRUE(!strncmp(net.asked.body, "HTTP/1.1 200 OK\r\n", 17) &&
		   strstr(net.asked.body, "\r\n\r\nhello"));
	testnet_say(&net,
		"{\"PingRequest\":{\"URL\":\"https://unused/c2n/5\",\"Types\":\"c2n\",\"Payload\":\"" NOTHING
		"\"}}");
	CHECK_TRUE(!strncmp(net.asked.body, "HTTP/1.1 400 ", 13) &&
		   strstr(net.asked.body, "unknown c2n path"));
	CHECK_INT(node_counters(d[0].a)->probes, ==, 5);
	CHECK_INT(node_counters(d[0].a)->probes_refused, ==, 0);
	testnet_free(&net);
}

static void a_question_for_pings_is_one_of_each_type(void **state)
{
	struct dev *d = join_two(&net);
	char ip[IPADDR_TEXT_MAX], json[256];

	(void)state;
	snprintf(json, sizeof(json),
		"{\"PingRequest\":{\"URL\":\"https://unused/pong/3\",\"URLIsNoise\":true,"
		"\"Types\":\"disco,TSMP,disco,disco\",\"IP\":\"%s\"}}",
		ipaddr_format(dev_ip(&d[1]), ip));
	testnet_say(&net, json);
	CHECK_INT(net.asked.n, ==, 2);
	CHECK_INT(node_counters(d[0].a)->probes_refused, ==, 2);
	testnet_free(&net);
}

static void nobody_else_is_asked_on_the_hubs_word(void **state)
{
	static const char *const others[] = {
		"{\"PingRequest\":{\"URL\":\"http://10.0.0.2/x\"}}",
		"{\"PingRequest\":{\"URL\":\"http://192.0.2.1:80801/x\"}}",
		"{\"PingRequest\":{\"URL\":\"http://192.0.2.1:8080.evil/x\"}}",
		"{\"PingRequest\":{\"URL\":\"x\",\"Types\":\"disco\",\"IP\":\"100.64.0.2\"}}",
		"{\"PingRequest\":{\"URL\":7}}",
		"{\"PingRequest\":{}}",
	};
	struct dev *d = join_two(&net);
	unsigned dials = net.dials;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		CHECK_ROW("%s", others[i]);
		testnet_say(&net, others[i]);
		CHECK_INT(net.asked.n, ==, 0);
		CHECK_INT(node_counters(d[0].a)->probes_refused, ==, i + 1);
	}
	CHECK_INT(net.dials, ==, dials);
	testnet_free(&net);
}

static void a_question_told_twice_is_one(void **state)
{
	static const char q[] = "{\"PingRequest\":{\"URL\":\"http://192.0.2.1:8080/live\"}}";

	(void)state;
	join_two(&net);
	testnet_say(&net, q);
	CHECK_INT(net.asked.n, ==, 1);
	testnet_say(&net, q);
	CHECK_INT(net.asked.n, ==, 0);
	testnet_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(joined_devices_know_and_reach_each_other),
		cmocka_unit_test(states_are_entered_in_order),
		cmocka_unit_test(peers_on_one_segment_find_the_direct_path),
		cmocka_unit_test(a_rename_is_seen_by_the_others),
		cmocka_unit_test(a_removed_device_is_gone_for_the_others),
		cmocka_unit_test(an_expired_key_ends_its_traffic_on_both_sides),
		cmocka_unit_test(a_key_ends_at_its_time_while_the_hub_is_away),
		cmocka_unit_test(an_expired_device_comes_back_by_a_login),
		cmocka_unit_test(one_key_is_one_login_whenever_it_is_asked_for),
		cmocka_unit_test(shields_up_lets_nobody_begin_but_answers_come_in),
		cmocka_unit_test(down_ends_the_network_and_up_brings_it_back),
		cmocka_unit_test(a_logout_forgets_keys_and_map),
		cmocka_unit_test(a_logout_during_a_login_reaches_the_hub),
		cmocka_unit_test(a_logout_without_a_hub_ends_anyway),
		cmocka_unit_test(a_refused_auth_key_is_told),
		cmocka_unit_test(a_hub_that_is_not_there_is_named_at_once),
		cmocka_unit_test(an_interactive_login_shows_its_page_and_goes_on_when_approved),
		cmocka_unit_test(a_restart_without_the_hub_reaches_the_peers_of_the_map),
		cmocka_unit_test(the_map_of_another_device_is_not_taken),
		cmocka_unit_test(pings_of_every_kind_are_answered),
		cmocka_unit_test(a_ping_by_peerapi_takes_what_comes),
		cmocka_unit_test(pings_that_cannot_be_are_answered_in_words),
		cmocka_unit_test(whois_tells_whose_an_address_is),
		cmocka_unit_test(preferences_that_cannot_be_are_refused_in_words),
		cmocka_unit_test(an_exit_node_that_is_not_there_blocks_rather_than_leaks),
		cmocka_unit_test(the_hubs_keys_and_ours_are_kept_before_they_are_used),
		cmocka_unit_test(status_says_what_is),
		cmocka_unit_test(the_hubs_questions_are_answered_to_the_hub),
		cmocka_unit_test(a_question_for_pings_is_one_of_each_type),
		cmocka_unit_test(nobody_else_is_asked_on_the_hubs_word),
		cmocka_unit_test(a_question_told_twice_is_one),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
