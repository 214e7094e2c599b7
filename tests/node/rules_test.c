/* What a device does with its hub's messages, rule by rule; the numbers are those of docs/protocol/control.md. */
#include "core/node/packets/packets.h"
#include "tests/node/testnet.h"
#include "testlib/vectors.h"

static struct testnet net;

static struct dev *join_one(void)
{
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_settle(&net);
	return net.dev;
}

/* The texts of status, one after another. */
static const char *health(const struct dev *d)
{
	static char text[2048];
	struct ipn_status s;
	struct arena a;

	text[0] = 0;
	arena_init(&a, 1 << 20);
	CHECK_INT(node_status(d->a, false, net.now, &a, &s), ==, 0);
	for (size_t i = 0; i < s.health.n; i++) {
		strncat(text, *JSON_AT(s.health, const char *, i), 500);
		strcat(text, "|");
	}
	arena_fini(&a);
	return text;
}

static void rule_8_a_question_with_the_url_of_the_last_is_the_same_question(void **state)
{
	static const char q[] =
		"{\"KeepAlive\":true,\"PingRequest\":{\"URL\":\"https://unused/q\",\"URLIsNoise\":true}}";

	join_one();
	testnet_say(&net, q); /* rule 9: a keep-alive carries it, too */
	CHECK_INT(net.asked.n, ==, 1);
	testnet_say(&net, q);
	CHECK_INT(net.asked.n, ==, 0);
	testnet_say(&net, "{\"PingRequest\":{\"URL\":\"https://unused/r\",\"URLIsNoise\":true}}");
	CHECK_INT(net.asked.n, ==, 1);
	testnet_free(&net);
	(void)state;
}

static void rule_33_messages_hide_health_until_the_last_is_gone(void **state)
{
	struct dev *d = join_one();
	struct ipn_health h;
	struct arena a;
	const struct ipn_health_warning *w;

	testnet_say(&net, "{\"Health\":[\"old way\"]}");
	CHECK_STR(health(d), "old way|");
	testnet_say(&net,
		"{\"DisplayMessages\":{\"m1\":{\"Title\":\"Out of date\",\"Text\":\"update it\",\"Severity\":\"low\","
		"\"PrimaryAction\":{\"URL\":\"https://x.test\",\"Label\":\"Go\"}}}}");
	CHECK_STR(health(d), "Out of date: update it|");
	arena_init(&a, 1 << 20);
	CHECK_INT(node_health(d->a, net.now, &a, &h), ==, 0);
	w = json_map_find(&h.warnings, "control-health.m1");
	CHECK_TRUE(w != NULL);
	CHECK_STR(w->severity, "low");
	CHECK_STR(w->primary_action->url, "https://x.test");
	CHECK_TRUE(!w->impacts_connectivity);
	arena_fini(&a);
	testnet_say(&net, "{\"DisplayMessages\":{\"m2\":{\"Title\":\"More\"}}}");
	CHECK_STR(health(d), "Out of date: update it|More.|");
	testnet_say(&net, "{\"DisplayMessages\":{\"*\":null}}");
	CHECK_STR(health(d), "old way|");
	testnet_say(&net, "{\"Health\":[]}");
	CHECK_STR(health(d), "");
	testnet_free(&net);
	(void)state;
}

static void rule_3_what_a_new_session_leaves_out_is_gone(void **state)
{
	struct dev *d = join_one();

	testnet_say(&net,
		"{\"DisplayMessages\":{\"m1\":{\"Title\":\"Old\"}},\"PacketFilters\":{\"extra\":["
		"{\"SrcIPs\":[\"*\"],\"DstPorts\":[{\"IP\":\"*\",\"Ports\":{\"First\":0,\"Last\":65535}}]}]}}");
	CHECK_INT(netmap_n_filters(node_netmap(d->a)), ==, 2);
	node_set_local(d->a, &(struct ipprefix){ d->at.ip, 24 }, 1, d->at.port, 0, true,
		net.now); /* another network: another stream */
	testnet_run(&net, SEC(2));
	CHECK_TRUE(node_is_polling(d->a));
	CHECK_STR(health(d), "");
	CHECK_INT(netmap_n_filters(node_netmap(d->a)), ==, 1);
	testnet_free(&net);
	(void)state;
}

static void v148_the_tailnet_id_is_in_status_while_the_hub_tells_it(void **state)
{
	struct dev *d = join_one();
	struct ipn_status s;
	struct arena a;

	arena_init(&a, 1 << 20);
	CHECK_INT(node_status(d->a, false, net.now, &a, &s), ==, 0);
	CHECK_STR(s.current_tailnet->stable_id, coord_tailnet_id(net.tailnet));
	arena_fini(&a);
	testnet_free(&net);
	(void)state;
}

/* ---- Version 146: connections that were turned down ---- */

/* A connection that begins: TCP with SYN. */
static void connect_to(struct dev *from, struct dev *to, uint16_t sport, uint16_t dport)
{
	static uint8_t mem[PKT_ROOM(256)];
	struct pkt pkt = pkt_in(mem, 40);
	uint8_t *p = pkt.p;

	memset(p, 0, 40);
	p[0] = 0x45;
	store_be16(p + 2, 40);
	p[8] = 64;
	p[9] = IP_PROTO_TCP;
	memcpy(p + 12, dev_ip(from).b, 4);
	memcpy(p + 16, dev_ip(to).b, 4);
	store_be16(p + 20, sport);
	store_be16(p + 22, dport);
	p[32] = 5 << 4;
	p[33] = 2;
	node_port_in(from->a, NODE_PORT_TUN, &pkt, 1, net.now);
	dev_take_packets(from);
	testnet_run(&net, MSEC(200));
}

/* As the LocalAPI writes it. */
static json_t *rejects(const struct dev *d)
{
	struct ipn_rejects r;
	struct arena a;
	struct buf b;
	json_t *j;

	arena_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	CHECK_INT(node_rejects(d->a, &a, &r), ==, 0);
	CHECK_INT(json_encode(&ipn_rejects_type, &r, &b), ==, 0);
	j = json_loadb((const char *)buf_data(&b), buf_len(&b), 0, NULL);
	CHECK_TRUE(j);
	buf_fini(&b);
	arena_fini(&a);
	return j;
}

static const char *field(json_t *e, const char *name)
{
	const char *s = json_string_value(json_object_get(e, name));

	return s ? s : "(none)";
}

static void give_attribute(bool on)
{
	struct view text =
		on ? VIEW_LIT(
			     "{\"acls\":[{\"action\":\"accept\",\"src\":[\"*\"],\"dst\":[\"*:*\"]}],"
			     "\"nodeAttrs\":[{\"target\":[\"*\"],\"attr\":[\"debug-conn-reject\"]}]}")
		   : VIEW_LIT("");

	CHECK_INT(coord_policy_set(net.tailnet, text, "t", COORD_POLICY_ANY_VERSION, net.now, NULL,
			  NULL, NULL),
		==, 0);
	testnet_run(&net, SEC(1));
}

static void join_two_of_which_the_second_is_shut(void)
{
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_join(&net, &net.dev[1], "bert");
	testnet_run(&net, SEC(1));
	dev_edit(&net.dev[1], IPN_PREF_SHIELDS_UP, &(struct ipn_prefs){ .shields_up = true });
	testnet_run(&net, SEC(1));
}

static void v146_nothing_is_recorded_unless_the_hub_asks_for_it(void **state)
{
	json_t *j;

	join_two_of_which_the_second_is_shut();
	connect_to(&net.dev[0], &net.dev[1], 1000, 80);
	j = rejects(&net.dev[0]);
	CHECK_TRUE(json_is_false(json_object_get(j, "Enabled")));
	CHECK_TRUE(json_is_array(json_object_get(j, "Outgoing")) &&
		   json_is_array(json_object_get(j, "Incoming"))); /* never null */
	CHECK_INT(json_array_size(json_object_get(j, "Outgoing")), ==, 0);
	json_decref(j);
	testnet_free(&net);
	(void)state;
}

static void v146_both_sides_record_a_connection_that_is_turned_down(void **state)
{
	char src[IPPORT_TEXT_MAX], dst[IPPORT_TEXT_MAX];
	struct dev *d = net.dev;
	json_t *out, *in, *e;

	join_two_of_which_the_second_is_shut();
	give_attribute(true);
	connect_to(&d[0], &d[1], 1000, 80);
	connect_to(&d[0], &d[1], 1001,
		81); /* the same peer, protocol and reason: one entry, the newest flow */
	ipport_format((struct ipport){ dev_ip(&d[0]), 1001 }, src);
	ipport_format((struct ipport){ dev_ip(&d[1]), 81 }, dst);
	out = rejects(&d[0]);
	in = rejects(&d[1]);
	CHECK_TRUE(json_is_true(json_object_get(out, "Enabled")));
	CHECK_INT(json_array_size(json_object_get(out, "Outgoing")), ==, 1);
	CHECK_INT(json_array_size(json_object_get(out, "Incoming")), ==, 0);
	e = json_array_get(json_object_get(out, "Outgoing"), 0);
	CHECK_INT(json_integer_value(json_object_get(e, "Count")), ==, 2);
	CHECK_STR(field(e, "Direction"), "outgoing");
	CHECK_STR(field(e, "Reason"), "shields");
	CHECK_STR(field(e, "Source"), "tsmp_recv");
	CHECK_STR(field(e, "Src"), src);
	CHECK_STR(field(e, "Dst"), dst);
	CHECK_INT(json_integer_value(json_object_get(e, "Proto")), ==, 6);
	CHECK_TRUE(json_is_false(json_object_get(e, "MaybeBroken")));
	CHECK_TRUE(strcmp(field(e, "First"), field(e, "Last")) < 0);
	CHECK_INT(json_array_size(json_object_get(in, "Outgoing")), ==, 0);
	e = json_array_get(json_object_get(in, "Incoming"), 0);
	CHECK_STR(field(e, "Direction"), "incoming");
	CHECK_STR(field(e, "Source"), "tsmp_sent");
	CHECK_STR(field(e, "Src"), src); /* of the flow: it began there */
	CHECK_STR(field(e, "Dst"), dst);
	json_decref(out);
	json_decref(in);
	/* The hub may ask, too: "GET /debug/rejects HTTP/1.1". */
	testnet_say(&net,
		"{\"PingRequest\":{\"URL\":\"https://unused/c2n/1\",\"Types\":\"c2n\",\"Payload\":"
		"\"R0VUIC9kZWJ1Zy9yZWplY3RzIEhUVFAvMS4xDQoNCg==\"}}");
	CHECK_TRUE(!strncmp(net.asked.body, "HTTP/1.1 200 OK\r\n", 17) &&
		   strstr(net.asked.body, "\"Reason\":\"shields\""));
	give_attribute(false);
	out = rejects(&d[0]);
	CHECK_TRUE(json_is_false(json_object_get(out, "Enabled")) &&
		   json_array_size(json_object_get(out, "Outgoing")) == 0);
	json_decref(out);
	testnet_free(&net);
	(void)state;
}

/* From a peer that sends what it likes: as many addresses as there are, each once and some again. */
static void v146_256_are_kept_each_way_the_oldest_goes(void **state)
{
	struct dev *d = net.dev;
	uint8_t p[TSMP_PACKET_MAX];
	json_t *j, *l;

	join_two_of_which_the_second_is_shut();
	give_attribute(true);
	for (unsigned i = 0; i < 300; i++) {
		struct tsmp t = { .type = TSMP_REJECT,
			.proto = IP_PROTO_TCP,
			.reason = i % 2 ? 'T' : 'A',
			.sport = 5,
			.dport = 6,
			.maybe_broken = true };
		struct ipaddr peer = ipaddr_v4(100, 64, 9, (uint8_t)(i % 250));

		if (i >= 250)
			t.proto = IP_PROTO_UDP;
		CHECK_INT(tsmp_encode(peer, dev_ip(&d[0]), &t, p), >, 0);
		node_rejects_note(d[0].a, NODE_REJECT_OUT, p,
			(size_t)tsmp_encode(peer, dev_ip(&d[0]), &t, p));
	}
	j = rejects(&d[0]);
	l = json_object_get(j, "Outgoing");
	CHECK_INT(json_array_size(l), ==, 256);
	CHECK_STR(field(json_array_get(l, 0), "Dst"), "100.64.9.44:6"); /* 0 to 43 went */
	CHECK_STR(field(json_array_get(l, 255), "Dst"), "100.64.9.49:6");
	CHECK_STR(field(json_array_get(l, 255), "Reason"),
		"unknown"); /* a letter of a later version */
	CHECK_TRUE(json_is_true(json_object_get(json_array_get(l, 255), "MaybeBroken")));
	json_decref(j);
	testnet_free(&net);
	(void)state;
}

/* Eight senders a batch are told; who is not is counted. */
static void refusals_that_are_not_told_are_counted(void **state)
{
	struct dev *d = net.dev;
	struct pkt p[10];
	uint8_t syn[10][40] = { { 0 } };

	join_two_of_which_the_second_is_shut();
	for (size_t i = 0; i < ARRAY_LEN(p); i++) {
		uint8_t *b = syn[i];

		b[0] = 0x45;
		b[3] = sizeof(syn[i]);
		b[8] = 64;
		b[9] = IP_PROTO_TCP;
		memcpy(b + 12, dev_ip(&d[0]).b, 4);
		memcpy(b + 16, dev_ip(&d[1]).b, 4);
		b[23] = (uint8_t)(i + 1); /* the port */
		b[32] = 0x50;
		b[33] = 2; /* SYN */
		p[i] = (struct pkt){ .p = b, .len = sizeof(syn[i]) };
	}
	node_packets_in(d[1].a, testnet_member(&net, &d[0])->id, p, ARRAY_LEN(p));
	CHECK_INT(node_counters(d[1].a)->filter_in_dropped, ==, ARRAY_LEN(p));
	CHECK_INT(node_counters(d[1].a)->rejects_dropped, ==, 2);
	testnet_free(&net);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_8_a_question_with_the_url_of_the_last_is_the_same_question),
		cmocka_unit_test(rule_33_messages_hide_health_until_the_last_is_gone),
		cmocka_unit_test(rule_3_what_a_new_session_leaves_out_is_gone),
		cmocka_unit_test(v146_nothing_is_recorded_unless_the_hub_asks_for_it),
		cmocka_unit_test(v146_both_sides_record_a_connection_that_is_turned_down),
		cmocka_unit_test(v146_256_are_kept_each_way_the_oldest_goes),
		cmocka_unit_test(refusals_that_are_not_told_are_counted),
		cmocka_unit_test(v148_the_tailnet_id_is_in_status_while_the_hub_tells_it),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
