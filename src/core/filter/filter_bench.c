/*
 * How long a verdict takes, beside a plain scan of the rules in their order: 10, 1,000 and 10,000
 * rules, each with a few sources among 20,000 addresses and a few destinations among the 16 that
 * are local. Rounds alternate.
 */
#include "testlib/naive_filter.h"
#include "testlib/stopwatch.h"

enum { PACKETS = 4096, ROUNDS = 11, LOCAL = 16 };

static const struct naive_world world = {
	.v4 = 0x64400000, .v6 = 1 << 20, .n = 20000, .one_in_wide = 1000
};
static struct rng_seeded rng;
static struct naive_packet packets[PACKETS];
static uint8_t wire[PACKETS][NAIVE_PACKET_MAX];
static size_t len[PACKETS];

static double now_ns(void)
{
	return stopwatch() * 1e9;
}

/* Rules as a hub would send them: the destinations are this node's. */
static struct naive_rule *make_rules(size_t n)
{
	struct naive_rule *v = calloc(n, sizeof(*v));

	CHECK(v);
	for (size_t i = 0; i < n; i++) {
		v[i] = naive_rule_random(&world, &rng.rng);
		v[i].by_cap = false;
		for (size_t k = 0; k < v[i].n_dst; k++) {
			bool v6 = v[i].dst[k].v6;

			v[i].dst[k].first = v[i].dst[k].last =
				(v6 ? world.v6 : world.v4) + rng_below(&rng.rng, LOCAL);
			v[i].dst[k].both = false;
		}
	}
	return v;
}

static struct filter *compile(const struct naive_rule *rules, size_t n, double *ret_ms)
{
	const struct ipprefix local[] = { { naive_addr(false, world.v4), 28 },
		{ naive_addr(true, world.v6), 124 } };
	struct filter_rules *r;
	struct filter *f;
	struct json_list list;
	struct filter_cfg cfg = { .lists = &list, .n_lists = 1, .local = local, .n_local = 2 };
	struct arena a;
	double t;

	arena_init(&a, SIZE_MAX);
	list = json_list_of(arena_array(&a, n, sizeof(struct tc_filter_rule)), n);
	for (size_t i = 0; i < n; i++)
		naive_rule_write(&rules[i], JSON_AT(list, struct tc_filter_rule, i), &a);
	t = now_ns();
	CHECK(filter_rules_new(&r, &cfg) == 0 && filter_new(&f, &rng.rng) == 0);
	*ret_ms = (now_ns() - t) / 1e6;
	CHECK(filter_rules_info(r).n_scanned == 0 && !filter_swap(f, r));
	arena_fini(&a);
	return f;
}

static void make_packets(void)
{
	for (size_t i = 0; i < PACKETS; i++) {
		packets[i] = naive_packet_random(&world, &rng.rng);
		packets[i].dst = (packets[i].v6 ? world.v6 : world.v4) + rng_below(&rng.rng, LOCAL);
		packets[i].syn = true;
		len[i] = naive_packet_encode(&packets[i], wire[i]);
	}
}

static double ours(struct filter *f, size_t *accepted)
{
	double t = now_ns();

	for (size_t i = 0; i < PACKETS; i++)
		*accepted += filter_accepts(filter_in(f, wire[i], len[i], false));
	return (now_ns() - t) / PACKETS;
}

static double plain(const struct naive_rule *rules, size_t n, size_t n_packets, size_t *accepted)
{
	double t = now_ns();

	for (size_t i = 0; i < n_packets; i++)
		*accepted += naive_allows(&world, rules, n, &packets[i]);
	return (now_ns() - t) / (double)n_packets;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void measure(size_t n)
{
	struct naive_rule *rules = make_rules(n);
	double o[ROUNDS], b[ROUNDS], r[ROUNDS], ms;
	struct filter *f = compile(rules, n, &ms);
	size_t n_plain = MIN_OF((size_t)PACKETS, 4000000 / n), accepted = 0, by_plain = 0, sink = 0;

	make_packets();
	for (int i = 0; i < ROUNDS; i++) {
		o[i] = ours(f, i ? &sink : &accepted);
		b[i] = plain(rules, n, i ? n_plain : PACKETS, i ? &sink : &by_plain);
		r[i] = o[i] / b[i];
	}
	CHECK(accepted == by_plain);
	qsort(o, ROUNDS, sizeof(*o), by_value);
	qsort(b, ROUNDS, sizeof(*b), by_value);
	qsort(r, ROUNDS, sizeof(*r), by_value);
	printf("filter, %5zu rules %9.1f ns%12.1f ns%11.4f%9.4f   plain scan (compiled in %.1f ms, %zu of %d pass)\n",
		n, o[ROUNDS / 2], b[ROUNDS / 2], r[ROUNDS / 2], r[ROUNDS - 2] - r[1], ms, accepted,
		PACKETS);
	filter_free(f);
	free(rules);
}

int main(void)
{
	rng_seeded_init(&rng, 1);
	printf("%-19s%12s%15s%11s%9s   base is\n", "bench", "ours", "base", "ours/base", "spread");
	measure(10);
	measure(1000);
	measure(10000);
	return 0;
}
