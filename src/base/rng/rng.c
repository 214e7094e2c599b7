#include "base/rng/rng.h"

#include <string.h>

uint32_t rng_u32(struct rng *r)
{
	uint32_t v;

	rng_fill(r, &v, sizeof(v));
	return v;
}

uint64_t rng_u64(struct rng *r)
{
	uint64_t v;

	rng_fill(r, &v, sizeof(v));
	return v;
}

uint64_t rng_below(struct rng *r, uint64_t n)
{
	uint64_t limit, v;

	CHECK(n > 0);
	limit = UINT64_MAX - UINT64_MAX % n; /* draw again past the last whole multiple: no bias */
	do {
		v = rng_u64(r);
	} while (v >= limit);
	return v % n;
}

static uint64_t rotl(uint64_t x, int k)
{
	return x << k | x >> (64 - k);
}

static uint64_t seeded_next(struct rng_seeded *r)
{
	uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = rotl(s[3], 45);
	return result;
}

static void seeded_fill(struct rng *base, void *out, size_t n)
{
	struct rng_seeded *r = container_of(base, struct rng_seeded, rng);
	uint8_t *p = out;

	while (n) {
		uint64_t v = seeded_next(r);
		size_t k = MIN_OF(n, sizeof(v));

		memcpy(p, &v, k);
		p += k;
		n -= k;
	}
}

void rng_seeded_init(struct rng_seeded *r, uint64_t seed)
{
	r->rng.fill = seeded_fill;
	for (int i = 0; i < 4; i++) { /* splitmix64, as the authors of xoshiro advise */
		uint64_t z = (seed += 0x9e3779b97f4a7c15);

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
		z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
		r->s[i] = z ^ (z >> 31);
	}
}
