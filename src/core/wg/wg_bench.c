/* Two devices in one program: packets of 1,280 bytes, sealed by the one and opened by the other, 64 a call. */
#include "core/wg/wg.h"
#include "testlib/stopwatch.h"

#include <stdlib.h>

enum { BATCH = 64, LEN = 1280, STRIDE = PKT_ROOM(LEN), ROUNDS = 20000, TIMES = 7, WAITS_MAX = 4 };

struct side {
	struct rng_seeded rng;
	struct wg_device *dev;
	struct wg_peer *peer;
	struct side *other;
	uint8_t waits[WAITS_MAX][PKT_ROOM(LEN)];
	size_t waits_len[WAITS_MAX], n_waits, n_opened;
};

static struct now now = { .mono = SEC(1000), .wall = 1800000000000 };

static void take(struct side *s);

static void deliver(struct side *to, const struct pkt *d, size_t n)
{
	struct wg_datagram dg[PKT_BATCH_MAX];

	for (size_t i = 0; i < n; i++)
		dg[i] = (struct wg_datagram){
			.p = d[i].p, .len = d[i].len, .source = { .len = 6, .b = { 1 } }
		};
	wg_receive(to->dev, dg, n, now);
	take(to);
}

/* Batches go to the other device at once, which sends nothing then; what belongs to the handshake waits for its turn. */
static void sent(struct side *s, const struct pkt *d, size_t n)
{
	if (n == BATCH) {
		deliver(s->other, d, n);
		return;
	}
	for (size_t i = 0; i < n && s->n_waits < WAITS_MAX; i++) {
		memcpy(s->waits[s->n_waits], d[i].p, d[i].len);
		s->waits_len[s->n_waits++] = d[i].len;
	}
}

static void take(struct side *s)
{
	struct wg_out o;

	while (wg_next(s->dev, &o))
		if (o.kind == WG_OUT_DATAGRAMS)
			sent(s, o.pkt, o.n);
		else if (o.kind == WG_OUT_PACKETS)
			s->n_opened += o.n;
}

static void exchange(struct side *s)
{
	size_t n = s->n_waits;

	s->n_waits = 0;
	for (size_t i = 0; i < n; i++)
		deliver(s->other, &(struct pkt){ s->waits[i], s->waits_len[i] }, 1);
}

static void open_side(struct side *s, struct side *other, uint8_t private)
{
	struct wg_cfg cfg = {
		.private = { { private, [31] = 64 } }, .mtu = LEN, .rng = &s->rng.rng
	};

	s->other = other;
	rng_seeded_init(&s->rng, private);
	CHECK(wg_new(&s->dev, &cfg) == 0);
}

static void know(struct side *s, uint8_t its_host)
{
	struct ipprefix its = { .ip = ipaddr_v4(10, 0, 0, its_host), .bits = 32 };

	CHECK(wg_peer_add(s->dev, wg_public(s->other->dev), &s->peer) == 0);
	CHECK(wg_peer_allow(s->dev, s->peer, its) == 0);
}

static void send_batch(struct side *s, uint8_t *mem)
{
	static const uint8_t head[20] = { 0x45, 0, LEN >> 8, LEN & 0xff, [8] = 64, [12] = 10, 0, 0,
		1, 10, 0, 0, 2 };
	struct pkt pkt[BATCH];

	for (size_t i = 0; i < BATCH; i++) {
		pkt[i] = pkt_in(mem + i * STRIDE, LEN);
		memcpy(pkt[i].p, head, sizeof(head));
	}
	wg_send(s->dev, s->peer, pkt, BATCH, now);
	take(s);
}

int main(void)
{
	static struct side a, b;
	static uint8_t mem[BATCH * STRIDE];
	double best = 1e9;

	open_side(&a, &b, 8);
	open_side(&b, &a, 16);
	know(&a, 2);
	know(&b, 1);
	wg_start_handshake(a.dev, a.peer, now);
	take(&a);
	for (int i = 0; i < 4; i++)
		exchange(i % 2 ? &b : &a);
	b.n_opened = 0;
	for (int t = 0; t < TIMES; t++) {
		double from = stopwatch_cpu();

		for (int i = 0; i < ROUNDS / TIMES; i++)
			send_batch(&a, mem);
		best = MIN_OF(best, (stopwatch_cpu() - from) / (ROUNDS / TIMES * BATCH));
	}
	CHECK(b.n_opened == (size_t)(ROUNDS / TIMES) * TIMES * BATCH);
	printf("wg: %.0f ns a packet, sealed and opened\n", best * 1e9);
	wg_free(a.dev);
	wg_free(b.dev);
	return 0;
}
