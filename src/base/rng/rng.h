/*
 * base/rng: randomness that is handed in. os/rng gives the kernel's; tests and the simulator give a seeded one,
 * vectors a recorded one. Everything below floor 3 takes a `struct rng *`.
 */
#ifndef WARREN_BASE_RNG_RNG_H
#define WARREN_BASE_RNG_RNG_H

#include "base/attr/attr.h"

struct rng {
	void (*fill)(
		struct rng *r, void *out, size_t n); /* never fails; the real one aborts instead */
};

static inline void rng_fill(struct rng *r, void *out, size_t n)
{
	r->fill(r, out, n);
}

uint32_t rng_u32(struct rng *r);
uint64_t rng_u64(struct rng *r);
/* Uniform in [0, n); n > 0. */
uint64_t rng_below(struct rng *r, uint64_t n);

/* A seeded generator (xoshiro256**) for simulation and tests. Not for keys that matter. */
struct rng_seeded {
	struct rng rng;
	uint64_t s[4];
};
void rng_seeded_init(struct rng_seeded *r, uint64_t seed);

#endif
