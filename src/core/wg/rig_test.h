/* Two devices without a network between them, and what came out of each: for the tests of core/wg. */
#ifndef WARREN_CORE_WG_RIG_TEST_H
#define WARREN_CORE_WG_RIG_TEST_H

#include "base/err/err.h"
#include "core/wg/internal.h"
#include "testlib/vectors.h"

#include <errno.h>
#include <stdlib.h>

/* Randomness that gives recorded bytes in order, then a count. */
struct rng_script {
	struct rng rng;
	uint8_t bytes[256];
	size_t at, len, spent;
};

static inline void script_fill(struct rng *r, void *out, size_t n)
{
	struct rng_script *s = container_of(r, struct rng_script, rng);

	for (size_t i = 0; i < n; i++)
		((uint8_t *)out)[i] = s->at < s->len ? s->bytes[s->at++] : (uint8_t)++s->spent;
}

static inline void script_add(struct rng_script *s, const void *p, size_t n)
{
	memcpy(s->bytes + s->len, p, n);
	s->len += n;
}

/* What came out, the last of everything. */
struct keep {
	uint8_t dg[64][2048];
	size_t dg_len[64], n_dg;
	uint8_t pkt[64][2048];
	size_t pkt_len[64], n_pkt;
	uint8_t reply[256];
	size_t reply_len;
	unsigned sessions, unreachable, no_session;
};

struct side {
	struct rng_script rng;
	struct rng_seeded seeded;
	struct keep keep;
	struct wg_device *dev;
	struct wg_peer *peer;
};

static inline void keep_all(const struct wg_out *o, uint8_t to[64][2048], size_t len[64], size_t *n)
{
	for (size_t i = 0; i < o->n && *n < 64; i++) {
		memcpy(to[*n], o->pkt[i].p, o->pkt[i].len);
		len[(*n)++] = o->pkt[i].len;
	}
}

static inline void side_take(struct side *s)
{
	struct keep *k = &s->keep;
	struct wg_out o;

	while (wg_next(s->dev, &o))
		switch (o.kind) {
		case WG_OUT_DATAGRAMS:
			keep_all(&o, k->dg, k->dg_len, &k->n_dg);
			break;
		case WG_OUT_PACKETS:
			keep_all(&o, k->pkt, k->pkt_len, &k->n_pkt);
			break;
		case WG_OUT_REPLY:
			memcpy(k->reply, o.pkt->p, o.pkt->len);
			k->reply_len = o.pkt->len;
			break;
		case WG_OUT_UNKNOWN_SESSION:
			CHECK_INT(o.datagram->source.len, >, 0);
			k->no_session++;
			break;
		case WG_OUT_SESSION:
			k->sessions++;
			break;
		case WG_OUT_UNREACHABLE:
			k->unreachable++;
			break;
		case WG_OUT_ROAMED:
		case WG_OUT_ANSWERED:
		case WG_OUT_UNKNOWN_PEER:
			break;
		}
}

static inline void side_add(struct side *s, const struct node_pub *key)
{
	CHECK_INT(wg_peer_add(s->dev, key, &s->peer), ==, 0);
}

static inline void feed(struct side *s, const uint8_t *p, size_t n, struct now now)
{
	static uint8_t mem[4096];
	struct wg_datagram d = { .p = mem, .len = n, .source = { .len = 6, .b = { 1 } } };

	memcpy(mem, p, n);
	wg_receive(s->dev, &d, 1, now);
	side_take(s);
}

static inline void send_plain(struct side *s, const uint8_t *p, size_t n, struct now now)
{
	uint8_t mem[PKT_ROOM(2048)];
	struct pkt pkt = pkt_in(mem, n);

	memcpy(pkt.p, p, n);
	if (n)
		wg_send(s->dev, s->peer, &pkt, 1, now);
	else
		wg_keepalive(s->dev, s->peer, now);
	side_take(s);
}

/* Two live engines with a virtual clock and a lossless wire. */
struct live {
	struct side s[2];
	struct now now;
};

static inline void live_open(struct live *l)
{
	static const uint8_t priv[2][KEY_LEN] = { { 8, [31] = 64 }, { 16, [31] = 64 } };

	memset(l, 0, sizeof(*l));
	for (int i = 0; i < 2; i++) {
		struct side *s = &l->s[i];
		struct wg_cfg cfg = { .mtu = 1420, .rng = &s->seeded.rng };

		rng_seeded_init(&s->seeded, (uint64_t)i + 1);
		memcpy(cfg.private.b, priv[i], KEY_LEN);
		CHECK_INT(wg_new(&s->dev, &cfg), ==, 0);
	}
	for (int i = 0; i < 2; i++) {
		struct ipprefix p = { .ip = ipaddr_v4(10, 0, 0, (uint8_t)(2 - i)), .bits = 32 };

		side_add(&l->s[i], wg_public(l->s[1 - i].dev));
		CHECK_INT(wg_peer_allow(l->s[i].dev, l->s[i].peer, p), ==, 0);
	}
	l->now = (struct now){ .mono = SEC(1000), .wall = 1800000000000 };
}

static inline void live_close(struct live *l)
{
	wg_free(l->s[0].dev);
	wg_free(l->s[1].dev);
}

static inline unsigned live_exchange(struct live *l, bool deliver)
{
	unsigned moved = 0;

	for (bool more = true; more;) {
		more = false;
		for (int i = 0; i < 2; i++) {
			struct keep *k = &l->s[i].keep;
			size_t n;

			side_take(&l->s[i]);
			n = k->n_dg;
			k->n_dg = 0;
			for (size_t j = 0; j < n; j++, moved++, more = true) {
				static uint8_t copy[2048];

				memcpy(copy, k->dg[j], k->dg_len[j]);
				if (deliver)
					feed(&l->s[1 - i], copy, k->dg_len[j], l->now);
			}
		}
	}
	return moved;
}

static inline void live_run(struct live *l, mono_ns until, bool deliver)
{
	for (;;) {
		mono_ns next = mono_min(wg_deadline(l->s[0].dev), wg_deadline(l->s[1].dev));

		if (next > until)
			break;
		l->now.wall += (next - l->now.mono) / MSEC(1);
		l->now.mono = MAX_OF(next, l->now.mono);
		wg_tick(l->s[0].dev, l->now);
		wg_tick(l->s[1].dev, l->now);
		live_exchange(l, deliver);
	}
	l->now.wall += (until - l->now.mono) / MSEC(1);
	l->now.mono = until;
}

static inline void live_ping(struct live *l, int from)
{
	uint8_t pkt[20] = { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, (uint8_t)(1 + from), 10, 0,
		0, (uint8_t)(2 - from) };

	send_plain(&l->s[from], pkt, sizeof(pkt), l->now);
	live_exchange(l, true);
}

#endif
