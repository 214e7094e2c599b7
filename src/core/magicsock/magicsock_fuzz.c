/*
 * One mesh with one peer, a relay and the time in the hands of an attacker: each step is an operation, a length and so
 * many bytes. Messages that have to be sealed are sealed with the peer's key, so that what lies behind the box is reached.
 */
#include "core/magicsock/magicsock.h"
#include "proto/derpframe/derpframe.h"
#include "proto/disco/disco.h"

enum { STEPS_MAX = 200, FRAME_MAX = 1024 };

static void udp_send(void *owner, struct ipport to, const struct pkt *d, size_t n)
{
	CHECK(ipaddr_is_set(to.ip) && to.port && n);
}

static void take_packets(struct magicsock *m)
{
	struct magicsock_packets in;

	while (magicsock_next_packets(m, &in))
		CHECK(in.peer == 1 && in.n);
}

static void relay_dial(void *owner, int region, const struct tc_derp_node *node) {}

static void relay_hangup(void *owner, int region)
{
	*(bool *)owner = false;
}

static void relay_wake(void *owner, int region) {}

static void self_changed(void *owner, unsigned what) {}

static void peer_event(void *owner, int64_t peer, enum magicsock_peer_event ev) {}

static const struct magicsock_ops ops = { .udp_send = udp_send,
	.relay_dial = relay_dial,
	.relay_hangup = relay_hangup,
	.relay_wake = relay_wake,
	.self_changed = self_changed,
	.peer_event = peer_event };

static const struct secret_node peer_node = { { 16, [31] = 64 } };
static const struct secret_disco peer_disco = { { 24, [31] = 64 } };

struct fuzz {
	struct magicsock *m;
	struct rng_seeded rng;
	struct now now;
	struct node_pub peer_key;
	struct disco_pub peer_disco;
	struct box_shared box;
	bool hung_up, connected;
};

static void derp_map(struct fuzz *f)
{
	struct tc_derp_node node = {
		.name = "1a", .hostname = "203.0.113.1", .ipv4 = "203.0.113.1", .ipv6 = "none"
	};
	struct tc_derp_region region = { .id = 1, .nodes = json_list_of(&node, 1) };
	struct json_pair pair = { "1", &region };
	struct tc_derp_map map = { .regions = { .v = &pair, .n = 1, .present = true } };

	CHECK(magicsock_set_derp_map(f->m, &map, f->now) == 0);
}

static void open_mesh(struct fuzz *f)
{
	struct magicsock_cfg cfg = { .node = { { 8, [31] = 64 } },
		.disco = { { 32, [31] = 64 } },
		.mtu = 1280,
		.rng = &f->rng.rng,
		.ops = &ops,
		.owner = &f->connected };
	struct ipprefix local = { ipaddr_v4(192, 168, 1, 2), 24 },
			route = { ipaddr_v4(100, 64, 0, 1), 32 };
	struct ipport ep = { ipaddr_v4(203, 0, 113, 9), 41641 };
	struct tc_node peer = { .id = 1,
		.home_derp = 1,
		.endpoints = json_list_of(&ep, 1),
		.addresses = json_list_of(&route, 1) };

	rng_seeded_init(&f->rng, 1);
	CHECK(magicsock_new(&f->m, &cfg, f->now) == 0);
	CHECK(key_public(peer_node.b, f->peer_key.b) == 0 &&
		key_public(peer_disco.b, f->peer_disco.b) == 0);
	CHECK(box_precompute(&f->box, peer_disco.b, magicsock_disco_key(f->m)->b) == 0);
	peer.key = f->peer_key;
	peer.disco_key = f->peer_disco;
	magicsock_set_self(f->m, ipaddr_v4(100, 64, 0, 2), (struct ipaddr){ 0 }, 1, 0);
	derp_map(f);
	magicsock_set_local(f->m, &local, 1, 41641, 41641, false, f->now);
	CHECK(magicsock_set_peer(f->m, &peer, &route, 1, f->now) == 0);
}

static void udp_in(struct fuzz *f, uint8_t *p, size_t len)
{
	struct magicsock_datagram d = {
		.p = p, .len = len, .from = { ipaddr_v4(203, 0, 113, 9), (uint16_t)(len + 1) }
	};

	magicsock_udp_in(f->m, &d, 1, f->now);
}

/* The length of the packet with this message in its box. */
static size_t sealed(struct fuzz *f, struct view msg, uint8_t *out)
{
	uint8_t nonce[BOX_NONCE_LEN] = { 1 };

	memcpy(out, disco_magic, DISCO_MAGIC_LEN);
	memcpy(out + DISCO_MAGIC_LEN, f->peer_disco.b, KEY_LEN);
	box_seal(&f->box, nonce, msg.p, msg.len, out + DISCO_HEADER_LEN);
	return DISCO_OVERHEAD + msg.len;
}

static void relay_in(struct fuzz *f, const uint8_t *p, size_t len)
{
	static const struct node_pub relay_key = { { 9 } };

	if (!f->connected && magicsock_relay_connected(f->m, 1, &relay_key, f->now) == 0)
		f->connected = true;
	if (f->connected && magicsock_relay_feed(f->m, 1, p, len, f->now) < 0)
		f->hung_up = true;
}

static void relay_packet(struct fuzz *f, const uint8_t *p, size_t len)
{
	uint8_t frame[FRAME_MAX];

	derpframe_header(frame, DERP_RECV_PACKET, KEY_LEN + len);
	memcpy(frame + DERP_HEADER_LEN, f->peer_key.b, KEY_LEN);
	memcpy(frame + DERP_HEADER_LEN + KEY_LEN, p, len);
	relay_in(f, frame, DERP_HEADER_LEN + KEY_LEN + len);
}

static void send_packet(struct fuzz *f)
{
	uint8_t mem[PKT_ROOM(20)] = { 0 };
	struct pkt pkt = pkt_in(mem, 20);

	memcpy(pkt.p, (uint8_t[]){ 0x45, 0, 0, 20, [8] = 64, [12] = 100, 64, 0, 2, 100, 64, 0, 1 },
		20);
	magicsock_send(f->m, &pkt, 1, f->now);
}

static void step(struct fuzz *f, uint8_t op, struct view arg)
{
	uint8_t mem[FRAME_MAX];
	size_t len;

	switch (op % 6) {
	case 0:
		memcpy(mem, arg.p, arg.len);
		udp_in(f, mem, arg.len);
		break;
	case 1:
		len = sealed(f, arg, mem);
		udp_in(f, mem, len);
		break;
	case 2:
		relay_in(f, arg.p, arg.len);
		break;
	case 3:
		len = sealed(f, arg, mem);
		relay_packet(f, mem, len);
		break;
	case 4:
		relay_packet(f, arg.p, arg.len);
		break;
	default:
		send_packet(f);
		f->now.mono += MSEC(50) * (mono_ns)arg.len;
		f->now.wall += 50 * (unix_ms)arg.len;
		magicsock_tick(f->m, f->now);
		CHECK(magicsock_deadline(f->m) > f->now.mono);
		break;
	}
	if (f->hung_up) {
		f->hung_up = f->connected = false;
		magicsock_relay_closed(f->m, 1, 0, f->now);
	}
	take_packets(f->m);
	(void)magicsock_relay_output(f->m, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz f = { .now = { .mono = SEC(1000), .wall = 1800000000000 } };
	struct cur c = cur_over(data, len);

	open_mesh(&f);
	for (int i = 0; i < STEPS_MAX && cur_left(&c); i++) {
		uint8_t op = cur_u8(&c);
		size_t n = cur_u8(&c);

		step(&f, op, cur_view(&c, MIN_OF(n, cur_left(&c))));
	}
	magicsock_free(f.m);
	return 0;
}
