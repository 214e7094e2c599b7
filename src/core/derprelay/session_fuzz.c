/*
 * A relay with clients that come, speak, stall, are judged and go, as the input says, and two honest ones among them: whatever the
 * others do, each packet of the one arrives at the other, and what waits stays within its bounds.
 */
#include "core/derprelay/derprelay.h"
#include "crypto/keys/keys.h"

#include <stdio.h>
#include <stdlib.h>

enum { GUESTS = 6, KEYS = 3, HONEST_A = GUESTS, HONEST_B, CLIENTS, LOGINS_MAX = 12 };

#define PROMISE(what) \
	do { \
		if (!(what)) { \
			fprintf(stderr, "not kept: %s\n", #what); \
			abort(); \
		} \
	} while (0)

struct guest {
	struct derpconn *conn;
	bool close_asked;
};

static struct guest guests[CLIENTS];
static struct buf logins[KEYS + 2]; /* of each key; the last two are the honest ones' */
static struct node_pub keys[KEYS + 2];
static struct rng_seeded rng;
static struct derprelay *relay;
static enum derprelay_verdict verdict;
static mono_ns now;
static unsigned n_logins;

static void on_output(void *owner) {}

static void on_close(void *owner)
{
	((struct guest *)owner)->close_asked = true;
}

static bool is_honest(const struct node_pub *key)
{
	return !memcmp(key, &keys[KEYS], KEY_LEN) || !memcmp(key, &keys[KEYS + 1], KEY_LEN);
}

static enum derprelay_verdict admit(void *ctx, void *owner, const struct node_pub *key, bool proven)
{
	return is_honest(key) ? DERPRELAY_YES : verdict;
}

static void leave(struct guest *g)
{
	if (g->conn)
		derprelay_close(g->conn);
	*g = (struct guest){ 0 };
}

static void say(struct guest *g, const uint8_t *p, size_t len)
{
	if (g->conn && (derprelay_feed(g->conn, p, len, now) < 0 || g->close_asked))
		leave(g);
}

static void come(struct guest *g)
{
	leave(g);
	if (derprelay_accept(relay, (struct ipport){ 0 }, false, g, now, NULL, &g->conn) < 0)
		g->conn = NULL;
}

static void log_in(struct guest *g, size_t key)
{
	say(g, buf_data(&logins[key]), buf_len(&logins[key]));
}

/* Reads at most so much. How many packets of this key were in it, if it is read from its beginning on. */
static unsigned reads(struct guest *g, size_t max, const struct node_pub *from)
{
	static uint8_t all[4 << 20];
	struct derpframe f;
	size_t n = 0;
	unsigned found = 0;

	while (g->conn && n < max) {
		struct view v = derprelay_output(g->conn);
		size_t take = MIN_OF(v.len, MIN_OF(max, sizeof(all)) - n);

		if (!take)
			break;
		memcpy(all + n, v.p, take);
		derprelay_written(g->conn, take);
		n += take;
	}
	for (const uint8_t *p = all; from && derpframe_next(p, n, sizeof(all), &f) == 0;
		p += DERP_HEADER_LEN + f.len) {
		found += f.type == DERP_RECV_PACKET && !memcmp(f.payload, from->b, KEY_LEN);
		n -= DERP_HEADER_LEN + f.len;
	}
	return found;
}

static void say_frame(struct guest *g, uint8_t type, const struct node_pub *to, size_t len)
{
	static uint8_t frame[DERP_HEADER_LEN + KEY_LEN + DERP_PACKET_MAX + 8];

	len = MIN_OF(len, sizeof(frame) - DERP_HEADER_LEN - KEY_LEN);
	derpframe_header(frame, type, KEY_LEN + len);
	memcpy(frame + DERP_HEADER_LEN, to->b, KEY_LEN);
	say(g, frame, DERP_HEADER_LEN + KEY_LEN + len);
}

static void promises(void)
{
	struct guest *a = &guests[HONEST_A], *b = &guests[HONEST_B];

	for (size_t i = 0; i < CLIENTS; i++)
		if (guests[i].close_asked)
			leave(&guests[i]);
	PROMISE(a->conn && b->conn);
	say_frame(a, DERP_SEND_PACKET, &keys[KEYS + 1], 100);
	PROMISE(reads(b, SIZE_MAX, &keys[KEYS]) == 1);
	reads(a, SIZE_MAX, NULL);
	PROMISE(derprelay_queued(relay) <=
		DERPRELAY_LEFT_MAX + (size_t)GUESTS * DERPRELAY_SENT_MAX);
	PROMISE(derprelay_queued(relay) <= (size_t)CLIENTS * 2 * DERPRELAY_QUEUE_BYTES);
	PROMISE(derprelay_counters(relay)->notes <= (size_t)CLIENTS * CLIENTS);
	PROMISE(derprelay_clients(relay) <= CLIENTS);
}

/* One step: four bytes, and for raw bytes those behind them. How many were used. */
static size_t step(const uint8_t *p, size_t len)
{
	struct guest *g = &guests[p[1] % GUESTS];
	const struct node_pub *to = &keys[p[2] % (KEYS + 2)];
	size_t n = (size_t)p[3] * p[3]; /* up to 65,025 */

	switch (p[0] % 12) {
	case 0:
		come(g);
		break;
	case 1:
		if (n_logins++ < LOGINS_MAX)
			log_in(g, p[2] % KEYS);
		break;
	case 2:
		n = MIN_OF(n % 256, len - 4);
		say(g, p + 4, n);
		return 4 + n;
	case 3:
	case 4:
		for (int i = 0; i < 1 + p[2] / 8; i++)
			say_frame(g, DERP_SEND_PACKET, to, n);
		break;
	case 5:
		say_frame(g, p[2], &keys[p[2] % KEYS], n);
		break;
	case 6:
		reads(g, n, NULL);
		break;
	case 7:
		leave(g);
		break;
	case 8:
		now += SEC(p[3] % 16);
		derprelay_tick(relay, now);
		break;
	case 9:
		verdict = (enum derprelay_verdict)(p[2] % 3);
		break;
	case 10:
		if (g->conn && derprelay_waits(g->conn) &&
			derprelay_decide(g->conn, p[2] & 1, now) < 0)
			leave(g);
		break;
	case 11:
		derprelay_recheck(relay, to, now);
		break;
	}
	return 4;
}

static void set_up(void)
{
	const struct derp_client_info info = { .version = 2 };
	struct derprelay_cfg cfg = { .private = { { 8, [31] = 64 } },
		.rng = &rng.rng,
		.on_output = on_output,
		.on_close = on_close,
		.admit = admit };

	rng_seeded_init(&rng, 1);
	now = SEC(1);
	verdict = DERPRELAY_YES;
	n_logins = 0;
	if (derprelay_new(&relay, &cfg) < 0)
		abort();
	for (size_t i = 0; i < KEYS + 2 && !logins[i].cap; i++) { /* once for all inputs */
		uint8_t private[KEY_LEN] = { 16, (uint8_t)i, [31] = 64 };

		buf_init(&logins[i], 1000);
		if (key_public(private, keys[i].b) < 0 ||
			derp_client_info_encode(&logins[i], private, derprelay_public(relay)->b,
				&rng.rng, &info) < 0)
			abort();
	}
	for (size_t i = HONEST_A; i < CLIENTS; i++) {
		come(&guests[i]);
		log_in(&guests[i], KEYS + i - HONEST_A);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	set_up();
	promises();
	while (len >= 4) {
		size_t used = step(data, len);

		data += used;
		len -= used;
		promises();
	}
	for (size_t i = 0; i < CLIENTS; i++)
		leave(&guests[i]);
	PROMISE(derprelay_queued(relay) == 0 && derprelay_counters(relay)->notes == 0);
	relay = derprelay_free(relay);
	return 0;
}
