/* The sink calls the device back, from everywhere and with everything that is allowed; afterwards packets flow as ever. */
#include "core/wg/wg.h"
#include "testlib/check.h"

#include <errno.h>

enum { WIRE_MAX = 32, DEPTH_MAX = 3, SEEDS = 8, ROUNDS = 400 };

/* One device that is called back, and an ordinary one that knows both of its identities. */
struct side {
	struct wg_sink sink;
	struct rng_seeded rng;
	struct wg_device *dev;
	struct wg_peer *peer; /* NULL: removed */
	uint8_t wire[WIRE_MAX][256];
	size_t wire_len[WIRE_MAX], n_wire, n_packets;
};

static struct side a, b;
static struct rng_seeded dice;
static struct now now;
static int depth;
static bool wild;
static unsigned n_calls_back;

static const struct secret_node identity[2] = { { { 8, [31] = 64 } }, { { 24, [31] = 64 } } };
static struct node_pub key_of_b;

static void add_peer(void)
{
	struct ipprefix its = { .ip = ipaddr_v4(10, 0, 0, 2), .bits = 32 };

	if (a.peer)
		return;
	CHECK_INT(wg_peer_add(a.dev, &key_of_b, &a.peer), ==, 0);
	CHECK_INT(wg_peer_allow(a.dev, a.peer, its), ==, 0);
}

static void remove_peer(void)
{
	if (a.peer)
		wg_peer_remove(a.dev, a.peer);
	a.peer = NULL;
}

static void send_from_a(size_t n)
{
	static const uint8_t head[20] = { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0,
		2 };
	uint8_t mem[4][PKT_ROOM(20)];
	struct pkt pkt[4];

	for (size_t i = 0; i < n; i++) {
		pkt[i] = pkt_in(mem[i], sizeof(head));
		memcpy(pkt[i].p, head, sizeof(head));
	}
	if (a.peer)
		wg_send(a.dev, a.peer, pkt, n, now);
}

/* What the other one has sent, in one batch. */
static void deliver(struct side *from, struct side *to)
{
	static uint8_t copy[DEPTH_MAX + 1][WIRE_MAX][256];
	struct wg_datagram dg[WIRE_MAX];
	size_t n = from->n_wire;

	from->n_wire = 0;
	for (size_t i = 0; i < n; i++) {
		memcpy(copy[depth][i], from->wire[i], from->wire_len[i]);
		dg[i] = (struct wg_datagram){ .p = copy[depth][i],
			.len = from->wire_len[i],
			.source = { .len = 6, .b = { (uint8_t)rng_below(&dice.rng, 2) } } };
	}
	wg_receive(to->dev, dg, n, now);
}

static void call_back(void)
{
	if (!wild || depth == DEPTH_MAX || rng_below(&dice.rng, 3))
		return;
	depth++;
	n_calls_back++;
	switch (rng_below(&dice.rng, 10)) {
	case 0:
		remove_peer();
		break;
	case 1:
		remove_peer();
		add_peer();
		break;
	case 2:
		add_peer();
		break;
	case 3:
		send_from_a(1 + rng_below(&dice.rng, 4));
		break;
	case 4:
		CHECK_INT(
			wg_set_private(a.dev, &identity[rng_below(&dice.rng, 2)], now.mono), ==, 0);
		break;
	case 5:
		wg_tick(a.dev, now);
		break;
	case 6:
		deliver(&b, &a);
		break;
	case 7:
		if (a.peer)
			wg_retry_handshake(a.dev, a.peer, now);
		break;
	case 8:
		if (a.peer)
			wg_renew(a.dev, a.peer, now);
		break;
	default:
		if (a.peer)
			wg_keepalive(a.dev, a.peer, now);
		break;
	}
	depth--;
}

static void to_peer(struct wg_sink *sink, struct wg_peer *p, const struct pkt *d, size_t n)
{
	struct side *s = container_of(sink, struct side, sink);

	for (size_t i = 0; i < n && s->n_wire < WIRE_MAX; i++) {
		memcpy(s->wire[s->n_wire], d[i].p, d[i].len);
		s->wire_len[s->n_wire++] = d[i].len;
	}
	if (s == &a)
		call_back();
}

static void to_source(struct wg_sink *s, const struct wg_source *to, const uint8_t *d, size_t len)
{
}

static void packets(struct wg_sink *sink, struct wg_peer *p, struct pkt *pkt, size_t n)
{
	struct side *s = container_of(sink, struct side, sink);

	s->n_packets += n;
	if (s == &a)
		call_back();
}

static void event(struct wg_sink *s, struct wg_peer *p, enum wg_event ev)
{
	if (container_of(s, struct side, sink) != &a)
		return;
	CHECK_TRUE(p == a.peer); /* not of one that was removed */
	call_back();
}

static struct wg_peer *unknown_peer(struct wg_sink *s, const struct node_pub *key)
{
	if (container_of(s, struct side, sink) != &a)
		return NULL;
	call_back();
	add_peer();
	return a.peer;
}

static void unknown_session(struct wg_sink *s, const struct wg_source *from)
{
	if (container_of(s, struct side, sink) == &a)
		call_back();
}

static void side_open(struct side *s, const struct secret_node *private, uint64_t seed)
{
	struct wg_cfg cfg = {
		.private = *private, .mtu = 1280, .rng = &s->rng.rng, .sink = &s->sink
	};

	*s = (struct side){ .sink = { to_peer, to_source, packets, event, unknown_peer,
				    unknown_session } };
	rng_seeded_init(&s->rng, seed);
	CHECK_INT(wg_new(&s->dev, &cfg), ==, 0);
}

static void answer_from_b(void)
{
	static const uint8_t head[20] = { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 2, 10, 0, 0,
		1 };
	uint8_t mem[PKT_ROOM(20)];

	for (struct wg_peer *p = wg_peer_next(b.dev, NULL); p; p = wg_peer_next(b.dev, p)) {
		struct pkt pkt = pkt_in(mem, sizeof(head));

		memcpy(pkt.p, head, sizeof(head));
		wg_send(b.dev, p, &pkt, 1, now);
	}
}

static void step(void)
{
	now.mono += MSEC(rng_below(&dice.rng, 3000));
	now.wall += 3000;
	wg_tick(a.dev, now);
	wg_tick(b.dev, now);
	for (int i = 0; i < 3; i++) {
		deliver(&a, &b);
		deliver(&b, &a);
	}
}

static void open_both(uint64_t seed)
{
	static const struct secret_node private_b = { { 16, [31] = 64 } };

	now = (struct now){ .mono = SEC(1000), .wall = 1800000000000 };
	rng_seeded_init(&dice, seed);
	side_open(&a, &identity[0], seed);
	side_open(&b, &private_b, seed + 1000);
	key_of_b = *wg_public(b.dev);
	for (int i = 0; i < 2; i++) {
		struct node_pub key;
		struct wg_peer *p;

		CHECK_INT(key_public(identity[i].b, key.b), ==, 0);
		CHECK_INT(wg_peer_add(b.dev, &key, &p), ==, 0);
		CHECK_INT(wg_peer_allow(b.dev, p, (struct ipprefix){ ipaddr_v4(10, 0, 0, 1), 32 }),
			==, 0);
	}
	add_peer();
}

static void sink_may_call_the_device_back(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		CHECK_ROW("seed %d", (int)seed);
		open_both(seed);
		wild = true;
		for (int i = 0; i < ROUNDS; i++) {
			add_peer();
			send_from_a(1 + i % 4);
			answer_from_b();
			step();
		}
		wild = false;
		add_peer();
		CHECK_INT(wg_set_private(a.dev, &identity[1], now.mono), ==, 0);
		for (int i = 0; i < 40; i++)
			step();
		a.n_packets = b.n_packets = 0;
		CHECK_INT(wg_peer_allow(b.dev, wg_peer_find(b.dev, wg_public(a.dev)),
				  (struct ipprefix){ ipaddr_v4(10, 0, 0, 1), 32 }),
			==, 0);
		send_from_a(1);
		for (int i = 0; i < 20; i++)
			step();
		CHECK_INT(b.n_packets, >=, 1);
		wg_free(a.dev);
		wg_free(b.dev);
	}
	CHECK_INT(n_calls_back, >, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sink_may_call_the_device_back),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
