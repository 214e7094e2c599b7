/* Packet ports: what goes to whom, and what goes nowhere. */
#include "base/bytes/bytes.h"
#include "core/node/packets/packets.h"
#include "proto/ip/ip.h"
#include "proto/tsaddr/tsaddr.h"
#include "testnet.h"

#include <cmocka.h>

static struct testnet net;

enum { LEN = 60, BATCH = 6 };

static void join_two(void)
{
	testnet_new(&net);
	testnet_join(&net, &net.dev[0], "anna");
	testnet_join(&net, &net.dev[1], "bert");
	testnet_run(&net, SEC(1));
}

/* UDP from one address to another of its family. */
static struct pkt udp_packet(
	uint8_t mem[static PKT_ROOM(LEN)], struct ipaddr src, struct ipaddr dst, uint8_t number)
{
	struct pkt pkt = pkt_in(mem, LEN);
	uint8_t *p = pkt.p;
	size_t at = src.family == 4 ? 20 : 40;

	memset(p, 0, LEN);
	if (src.family == 4) {
		p[0] = 0x45;
		store_be16(p + 2, LEN);
		p[8] = 64;
		p[9] = IP_PROTO_UDP;
		memcpy(p + 12, src.b, 4);
		memcpy(p + 16, dst.b, 4);
	} else {
		p[0] = 0x60;
		store_be16(p + 4, LEN - 40);
		p[6] = IP_PROTO_UDP;
		p[7] = 64;
		memcpy(p + 8, src.b, 16);
		memcpy(p + 24, dst.b, 16);
	}
	store_be16(p + at, 5000);
	store_be16(p + at + 2, 53);
	store_be16(p + at + 4, (uint16_t)(LEN - at));
	p[LEN - 1] = number;
	return pkt;
}

/* A device's port says one packet. */
static void say(struct dev *d, enum node_port from, struct ipaddr src, struct ipaddr dst)
{
	uint8_t mem[PKT_ROOM(LEN)];
	struct pkt pkt = udp_packet(mem, src, dst, 1);

	d->n_got = 0;
	node_port_in(d->a, from, &pkt, 1, net.now);
	dev_take_packets(d);
}

static struct ipaddr other4(void)
{
	return ipaddr_v4(100, 64, 77, 77);
}

static void packets_to_quad100_go_to_its_port_once_it_is_open(void **state)
{
	struct dev *d = net.dev;
	struct ipaddr six;

	join_two();
	CHECK_INT(tsaddr_4to6(dev_ip(d), &six), ==, 0);
	say(d, NODE_PORT_TUN, dev_ip(d), tsaddr_service);
	CHECK_INT(d->n_got, ==, 0);
	node_port_open(d->a, NODE_PORT_QUAD100, true);
	say(d, NODE_PORT_TUN, dev_ip(d), tsaddr_service);
	CHECK_INT(d->n_got, ==, 1);
	CHECK_INT(d->got[0].port, ==, NODE_PORT_QUAD100);
	say(d, NODE_PORT_TUN, six, tsaddr_service6);
	CHECK_INT(d->n_got, ==, 1);
	CHECK_INT(d->got[0].port, ==, NODE_PORT_QUAD100);
	CHECK_INT(d->got[0].len, ==, LEN);
	CHECK_INT(node_counters(d->a)->ports_out, ==, 2);
	node_port_open(d->a, NODE_PORT_QUAD100, false);
	say(d, NODE_PORT_TUN, dev_ip(d), tsaddr_service);
	CHECK_INT(d->n_got, ==, 0);
	testnet_free(&net);
	(void)state;
}

/* Every other packet is for the peer; each side gets its own in order, whole. */
static void a_batch_may_hold_packets_for_peers_and_for_a_port(void **state)
{
	static uint8_t mem[BATCH][PKT_ROOM(LEN)];
	struct dev *d = net.dev, *e = &net.dev[1];
	struct pkt pkt[BATCH];

	join_two();
	CHECK_TRUE(testnet_ping(&net, d, e));
	node_port_open(d->a, NODE_PORT_QUAD100, true);
	for (size_t i = 0; i < BATCH; i++)
		pkt[i] = udp_packet(
			mem[i], dev_ip(d), i % 2 ? dev_ip(e) : tsaddr_service, (uint8_t)i);
	d->n_got = e->n_got = 0;
	node_port_in(d->a, NODE_PORT_TUN, pkt, BATCH, net.now);
	dev_take_packets(d);
	testnet_settle(&net);
	CHECK_INT(d->n_got, ==, BATCH / 2);
	CHECK_INT(e->n_got, ==, BATCH / 2);
	for (size_t i = 0; i < BATCH / 2; i++) {
		CHECK_INT(d->got[i].port, ==, NODE_PORT_QUAD100);
		CHECK_INT(d->got[i].b[LEN - 1], ==, 2 * i);
		CHECK_INT(e->got[i].port, ==, NODE_PORT_TUN);
		CHECK_INT(e->got[i].b[LEN - 1], ==, 2 * i + 1);
	}
	testnet_free(&net);
	(void)state;
}

static void what_a_port_says_goes_to_this_system_and_to_nobody_else(void **state)
{
	struct dev *d = net.dev, *e = &net.dev[1];

	join_two();
	node_port_open(d->a, NODE_PORT_QUAD100, true);
	say(d, NODE_PORT_QUAD100, tsaddr_service, dev_ip(d));
	CHECK_INT(d->n_got, ==, 1);
	CHECK_INT(d->got[0].port, ==, NODE_PORT_TUN);
	e->n_got = 0;
	say(d, NODE_PORT_QUAD100, tsaddr_service, dev_ip(e));
	say(d, NODE_PORT_QUAD100, tsaddr_service, other4());
	testnet_settle(&net);
	CHECK_INT(d->n_got, ==, 0);
	CHECK_INT(e->n_got, ==, 0);
	CHECK_INT(node_counters(d->a)->ports_in, ==, 3);
	CHECK_INT(node_counters(d->a)->ports_dropped, ==, 2);
	testnet_free(&net);
	(void)state;
}

static void what_nobody_takes_is_dropped_and_counted(void **state)
{
	uint8_t mem[PKT_ROOM(LEN)];
	struct dev *d = net.dev;
	struct node_packets p;
	struct pkt pkt;

	join_two();
	node_port_open(d->a, NODE_PORT_QUAD100, true);
	for (int i = 0; i < 3; i++) {
		pkt = udp_packet(mem, dev_ip(d), tsaddr_service, (uint8_t)i);
		node_port_in(d->a, NODE_PORT_TUN, &pkt, 1, net.now);
	}
	CHECK_INT(node_counters(d->a)->ports_dropped, ==, 2);
	CHECK_TRUE(node_next_packets(d->a, &p));
	CHECK_INT(p.pkt[0].p[LEN - 1], ==, 2);
	CHECK_TRUE(!node_next_packets(d->a, &p));
	CHECK_INT(node_counters(d->a)->ports_dropped, ==, 2);
	testnet_free(&net);
	(void)state;
}

/* An exit node has all addresses: it must not speak as the port to whom only the port may speak. */
static void no_peer_speaks_from_the_address_of_a_port(void **state)
{
	uint8_t mem[2][PKT_ROOM(LEN)];
	struct dev *d = net.dev;
	struct pkt pkt[2];
	int64_t peer;

	join_two();
	peer = testnet_member(&net, &net.dev[1])->id;
	node_port_open(d->a, NODE_PORT_QUAD100, true);
	pkt[0] = udp_packet(mem[0], tsaddr_service, dev_ip(d), 0);
	pkt[1] = udp_packet(mem[1], dev_ip(&net.dev[1]), dev_ip(d), 1);
	CHECK_INT(node_packets_in(d->a, peer, pkt, 2), ==, 1);
	CHECK_INT(pkt[0].p[LEN - 1], ==, 1);
	CHECK_INT(node_counters(d->a)->ports_forged, ==, 1);
	testnet_free(&net);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_to_quad100_go_to_its_port_once_it_is_open),
		cmocka_unit_test(a_batch_may_hold_packets_for_peers_and_for_a_port),
		cmocka_unit_test(what_a_port_says_goes_to_this_system_and_to_nobody_else),
		cmocka_unit_test(what_nobody_takes_is_dropped_and_counted),
		cmocka_unit_test(no_peer_speaks_from_the_address_of_a_port),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
