/*
 * How near the batch calls come to the cipher itself: packets of 1420 bytes, sealed and opened in batches of 47 (one
 * 64 KiB super-packet), beside the same bytes as one message, where nothing is done per packet. Rounds alternate.
 *
 *   chapoly_bench          a table for people
 *   chapoly_bench --gbps   two numbers for bench/wg: seal and open, Gb/s on one core
 */
#include "crypto/chapoly/chapoly.h"
#include "testlib/stopwatch.h"

enum { PACKET = 1420, STRIDE = 1472, BATCH = 47, ROUNDS = 15, REPEAT = 60, WHOLE = PACKET * BATCH };

static uint8_t plain[BATCH * STRIDE], sealed[BATCH * STRIDE], one[WHOLE + CHAPOLY_TAG_LEN],
	one_plain[WHOLE];

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* What one round does; the counter moves on, as nonces must. */
static void seal_packets(struct chapoly *c, uint64_t *counter)
{
	struct chapoly_job j[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		j[i] = (struct chapoly_job){ .counter = (*counter)++,
			.in = plain + i * STRIDE,
			.len = PACKET,
			.out = sealed + i * STRIDE };
	chapoly_seal_batch(c, j, BATCH);
}

static void open_packets(struct chapoly *c, uint64_t *counter)
{
	struct chapoly_job j[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		j[i] = (struct chapoly_job){ .counter = *counter - BATCH + i,
			.in = sealed + i * STRIDE,
			.len = PACKET + CHAPOLY_TAG_LEN,
			.out = plain + i * STRIDE };
	chapoly_open_batch(c, j, BATCH);
	for (size_t i = 0; i < BATCH; i++)
		CHECK(j[i].ok);
}

static void seal_one(struct chapoly *c, uint64_t *counter)
{
	struct chapoly_job j = {
		.counter = (*counter)++, .in = one_plain, .len = WHOLE, .out = one
	};

	chapoly_seal_batch(c, &j, 1);
}

static void open_one(struct chapoly *c, uint64_t *counter)
{
	struct chapoly_job j = {
		.counter = *counter - 1, .in = one, .len = WHOLE + CHAPOLY_TAG_LEN, .out = one_plain
	};

	chapoly_open_batch(c, &j, 1);
	CHECK(j.ok);
}

static double gbps(
	void (*fn)(struct chapoly *c, uint64_t *counter), struct chapoly *c, uint64_t *counter)
{
	double t = stopwatch();

	for (int i = 0; i < REPEAT; i++)
		fn(c, counter);
	return (double)WHOLE * REPEAT * 8 / (stopwatch() - t) / 1e9;
}

/* Medians of ours and base, and the ratio with its spread. */
static double measure(const char *name, void (*ours)(struct chapoly *, uint64_t *),
	void (*base)(struct chapoly *, uint64_t *), struct chapoly *c, uint64_t *n_ours,
	uint64_t *n_base, bool print)
{
	double o[ROUNDS], b[ROUNDS], r[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		o[i] = gbps(ours, c, n_ours);
		b[i] = gbps(base, c, n_base);
		r[i] = o[i] / b[i];
	}
	qsort(o, ROUNDS, sizeof(*o), by_value);
	qsort(b, ROUNDS, sizeof(*b), by_value);
	qsort(r, ROUNDS, sizeof(*r), by_value);
	if (print)
		printf("%-16s%7.2f Gb/s%7.2f Gb/s%11.2f%9.2f   one message of the same bytes\n",
			name, o[ROUNDS / 2], b[ROUNDS / 2], r[ROUNDS / 2], r[ROUNDS - 2] - r[1]);
	return o[ROUNDS / 2];
}

int main(int argc, char **argv)
{
	const uint8_t key[CHAPOLY_KEY_LEN] = { 1 };
	bool print = !(argc > 1 && strcmp(argv[1], "--gbps") == 0);
	uint64_t packets = 0, ones = (uint64_t)1 << 40;
	struct chapoly c;
	double seal, open;

	CHECK(chapoly_init(&c, key) == 0);
	if (print)
		printf("%-16s%12s%12s%11s%9s   base is\n", "bench", "ours", "base", "ours/base",
			"spread");
	seal = measure("chapoly_seal", seal_packets, seal_one, &c, &packets, &ones, print);
	seal_packets(&c, &packets);
	open = measure("chapoly_open", open_packets, open_one, &c, &packets, &ones, print);
	if (!print)
		printf("%.3f %.3f\n", seal, open);
	chapoly_fini(&c);
	return 0;
}
