/* What came out and waits: the owner calls anything between two of them, peers go, nobody takes it. */
#include "core/wg/internal.h"
#include "testlib/check.h"

#include <errno.h>

enum { WIRE_MAX = 32, CALLS_MAX = 20, SLOTS = 32, SEEDS = 8, ROUNDS = 400 };

/* One device that is called between what comes out of it, and an ordinary one that knows both of its identities. */
struct side {
	struct rng_seeded rng;
	struct wg_device *dev;
	struct wg_peer *peer; /* NULL: removed */
	uint8_t wire[WIRE_MAX][256];
	size_t wire_len[WIRE_MAX], n_wire, n_packets;
};

static struct side a, b;
static struct rng_seeded dice;
static struct now now;
static unsigned slot;  /* of the memory that a call's packets stay in until all was taken */
static unsigned calls; /* since then */
static bool wild;
static unsigned n_calls;

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
	static uint8_t mem[SLOTS][4][PKT_ROOM(20)];
	static struct pkt all[SLOTS][4];
	struct pkt *pkt = all[++slot % SLOTS];

	for (size_t i = 0; i < n; i++) {
		pkt[i] = pkt_in(mem[slot % SLOTS][i], sizeof(head));
		memcpy(pkt[i].p, head, sizeof(head));
	}
	if (a.peer)
		wg_send(a.dev, a.peer, pkt, n, now);
}

/* What the other one has sent, in one batch. */
static void deliver(struct side *from, struct side *to)
{
	static uint8_t copies[SLOTS][WIRE_MAX][256];
	static struct wg_datagram all[SLOTS][WIRE_MAX];
	struct wg_datagram *dg = all[++slot % SLOTS];
	size_t n = from->n_wire;

	from->n_wire = 0;
	for (size_t i = 0; i < n; i++) {
		uint8_t *copy = copies[slot % SLOTS][i];

		memcpy(copy, from->wire[i], from->wire_len[i]);
		dg[i] = (struct wg_datagram){ .p = copy,
			.len = from->wire_len[i],
			.source = { .len = 6, .b = { (uint8_t)rng_below(&dice.rng, 2) } } };
	}
	wg_receive(to->dev, dg, n, now);
}

static void call_anything(void)
{
	if (!wild || calls == CALLS_MAX || rng_below(&dice.rng, 3))
		return;
	calls++;
	n_calls++;
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
}

static void sent(struct side *s, const struct wg_out *o)
{
	for (size_t i = 0; i < o->n && s->n_wire < WIRE_MAX; i++) {
		memcpy(s->wire[s->n_wire], o->pkt[i].p, o->pkt[i].len);
		s->wire_len[s->n_wire++] = o->pkt[i].len;
	}
}

/* One thing after the other, and between them anything. What the calls bring out comes behind. */
static void take(struct side *s)
{
	struct wg_out o;

	calls = 0;
	while (wg_next(s->dev, &o)) {
		CHECK_TRUE(
			s != &a || !o.peer || o.peer == a.peer); /* none of one that was removed */
		if (o.kind == WG_OUT_DATAGRAMS)
			sent(s, &o);
		s->n_packets += o.kind == WG_OUT_PACKETS ? o.n : 0;
		if (s != &a)
			continue;
		if (o.kind == WG_OUT_UNKNOWN_PEER) {
			CHECK_MEM(o.key, &key_of_b, sizeof(key_of_b));
			add_peer();
			wg_receive(a.dev, o.datagram, 1, now);
		}
		call_anything();
	}
}

static void side_open(struct side *s, const struct secret_node *private, uint64_t seed)
{
	struct wg_cfg cfg = { .private = *private, .mtu = 1280, .rng = &s->rng.rng };

	*s = (struct side){ 0 };
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
		take(&b);
	}
}

static void step(void)
{
	now.mono += MSEC(rng_below(&dice.rng, 3000));
	now.wall += 3000;
	wg_tick(a.dev, now);
	take(&a);
	wg_tick(b.dev, now);
	take(&b);
	for (int i = 0; i < 3; i++) {
		deliver(&a, &b);
		take(&b);
		deliver(&b, &a);
		take(&a);
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

static void anything_may_be_called_between_what_comes_out(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		CHECK_ROW("seed %d", (int)seed);
		open_both(seed);
		wild = true;
		for (int i = 0; i < ROUNDS; i++) {
			add_peer();
			send_from_a(1 + i % 4);
			take(&a);
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
		take(&a);
		for (int i = 0; i < 20; i++)
			step();
		CHECK_INT(b.n_packets, >=, 1);
		wg_free(a.dev);
		wg_free(b.dev);
	}
	CHECK_INT(n_calls, >, 1000);
}

static void close_both(void)
{
	wg_free(a.dev);
	wg_free(b.dev);
}

static void nothing_comes_out_of_a_peer_that_was_removed(void **state)
{
	struct wg_out o;

	open_both(1);
	wg_start_handshake(a.dev, a.peer, now);
	remove_peer();
	CHECK_TRUE(!wg_next(a.dev, &o));
	close_both();
}

/* Both kinds of memory: messages, and what only has a place in the queue. */
static void what_nobody_takes_is_bounded_and_counted(void **state)
{
	size_t n = 0;
	struct wg_out o;

	open_both(1);
	CHECK_INT(wg_set_private(a.dev, &identity[1], now.mono), ==,
		0); /* to whom 10.0.0.1 belongs */
	send_from_a(1);
	take(&a);
	for (int i = 0; i < 10; i++)
		step();
	for (size_t i = 0; i < MESSAGES_MAX + 10; i++)
		wg_keepalive(a.dev, a.peer, now);
	CHECK_INT(wg_counters(a.dev)->out_dropped, ==, 10);
	for (size_t i = 0; i < QUEUE_MAX; i++)
		send_from_a(1);
	CHECK_INT(wg_counters(a.dev)->out_dropped, ==, 10 + MESSAGES_MAX);
	for (; wg_next(a.dev, &o); n++)
		;
	CHECK_INT(n, ==, QUEUE_MAX);
	b.n_packets = 0;
	send_from_a(1);
	take(&a);
	step();
	CHECK_INT(b.n_packets, ==, 1);
	close_both();
}

static void a_tick_goes_on_when_there_is_room_again(void **state)
{
	enum { PEERS = 3 * MESSAGES_MAX };
	size_t said = 0, most = 0;
	struct wg_out o;

	open_both(1);
	for (size_t i = 0; i < PEERS; i++) {
		struct node_pub key = { { 9, (uint8_t)i, (uint8_t)(i >> 8) } };
		struct wg_peer *p;

		CHECK_INT(wg_peer_add(a.dev, &key, &p), ==, 0);
		wg_peer_set_keepalive(a.dev, p, 25, now.mono);
	}
	for (int i = 0; i < 10 && wg_deadline(a.dev) <= now.mono; i++) {
		size_t n = 0;

		wg_tick(a.dev, now);
		for (; wg_next(a.dev, &o); n++)
			;
		most = MAX_OF(most, n);
		said += n;
	}
	CHECK_INT(said, ==, PEERS);
	CHECK_INT(most, <=, MESSAGES_MAX);
	CHECK_INT(wg_counters(a.dev)->out_dropped, ==, 0);
	close_both();
}

static void an_unknown_peer_is_added_and_its_initiation_handed_in_again(void **state)
{
	open_both(1);
	remove_peer();
	answer_from_b(); /* to both of a's identities: one of them is there */
	deliver(&b, &a);
	take(&a);
	CHECK_TRUE(a.peer != NULL);
	CHECK_INT(wg_counters(a.dev)->no_peer, ==, 1);
	for (int i = 0; i < 3; i++)
		step();
	CHECK_INT(a.n_packets, ==, 1);
	close_both();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_may_be_called_between_what_comes_out),
		cmocka_unit_test(nothing_comes_out_of_a_peer_that_was_removed),
		cmocka_unit_test(what_nobody_takes_is_bounded_and_counted),
		cmocka_unit_test(a_tick_goes_on_when_there_is_room_again),
		cmocka_unit_test(an_unknown_peer_is_added_and_its_initiation_handed_in_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
