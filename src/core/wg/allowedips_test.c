#include "core/wg/allowedips.h"
#include "base/rng/rng.h"
#include "testlib/vectors.h"

/* The trie against a list that is searched from end to end. */
static void longest_prefix_agrees_with_a_naive_search(void **state)
{
	enum { N = 300 };
	struct ipprefix list[N];
	int owner[N];
	static struct allowedips_owner peers[8];
	struct allowedips t = { 0 };
	struct rng_seeded r;
	size_t n = 0;

	rng_seeded_init(&r, 8);
	for (int i = 0; i < 8; i++)
		wg_allowedips_owner_init(&peers[i]);
	for (int step = 0; step < 20000; step++) {
		struct ipprefix p = { .ip = { .family = rng_below(&r.rng, 2) ? 4 : 6 } };
		size_t k, best = N;
		void *got;

		p.ip.b[0] = (uint8_t)rng_below(&r.rng, 4);
		p.ip.b[1] = (uint8_t)rng_below(&r.rng, 4);
		p.ip.b[3] = (uint8_t)rng_below(&r.rng, 4);
		p.bits = (uint8_t)rng_below(&r.rng, ipaddr_bits(p.ip) + 1);
		p = ipprefix_masked(p);
		for (k = 0; k < n && !ipprefix_eq(list[k], p); k++)
			;
		if (rng_below(&r.rng, 2) && (k < n || n < N)) {
			list[k] = p;
			owner[k] = (int)rng_below(&r.rng, 8);
			n += k == n;
			CHECK_INT(wg_allowedips_set(&t, p, &peers[owner[k]]), ==, 0);
		} else if (k < n) {
			wg_allowedips_remove(&t, p, &peers[owner[k]]);
			list[k] = list[--n];
			owner[k] = owner[n];
		}
		CHECK_INT(t.n, ==, n);
		p.ip.b[2] = (uint8_t)rng_below(&r.rng, 256);
		for (k = 0; k < n; k++)
			if (ipprefix_contains(list[k], p.ip) &&
				(best == N || list[k].bits > list[best].bits))
				best = k;
		got = p.ip.family == 4 ? wg_allowedips_find4(&t, p.ip.b)
				       : wg_allowedips_find6(&t, p.ip.b);
		CHECK_TRUE(got == (best == N ? NULL : &peers[owner[best]]));
	}
	for (int i = 0; i < 8; i++)
		wg_allowedips_remove_all(&t, &peers[i]);
	CHECK_INT(t.n, ==, 0);
	CHECK_TRUE(!t.root4 && !t.root6);
	wg_allowedips_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(longest_prefix_agrees_with_a_naive_search),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
