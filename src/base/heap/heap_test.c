#include "base/heap/heap.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

enum { N = 200 };

static mono_ns earliest(const mono_ns at[N])
{
	mono_ns min = MONO_NEVER;

	for (int i = 0; i < N; i++)
		min = mono_min(min, at[i]);
	return min;
}

static void deadline_is_the_earliest_after_any_sequence(void **state)
{
	static struct heap_node nodes[N];
	mono_ns at[N];
	struct rng_seeded r;
	struct heap h = { 0 };

	rng_seeded_init(&r, 4);
	for (int i = 0; i < N; i++)
		at[i] = MONO_NEVER;
	for (int i = 0; i < 30000; i++) {
		size_t k = rng_below(&r.rng, N);

		switch (rng_below(&r.rng, 4)) {
		case 0:
			heap_remove(&h, &nodes[k]);
			at[k] = MONO_NEVER;
			break;
		case 1: {
			mono_ns now = (mono_ns)rng_below(&r.rng, 1000);
			struct heap_node *n = heap_pop_due(&h, now);

			CHECK_TRUE(n ? n->at == earliest(at) && n->at <= now : earliest(at) > now);
			if (n)
				at[n - nodes] = MONO_NEVER;
			break;
		}
		default:
			at[k] = (mono_ns)rng_below(&r.rng, 1000);
			CHECK_INT(heap_set(&h, &nodes[k], at[k]), ==, 0);
		}
		CHECK_INT(heap_deadline(&h), ==, earliest(at));
	}
	heap_fini(&h);
}

static void setting_never_removes(void **state)
{
	struct heap h = { 0 };
	struct heap_node n = { 0 };

	CHECK_INT(heap_set(&h, &n, 5), ==, 0);
	CHECK_INT(heap_set(&h, &n, MONO_NEVER), ==, 0);
	CHECK_INT(heap_deadline(&h), ==, MONO_NEVER);
	CHECK_TRUE(!heap_pop_due(&h, MONO_NEVER - 1));
	heap_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadline_is_the_earliest_after_any_sequence),
		cmocka_unit_test(setting_never_removes),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
