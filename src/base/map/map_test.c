#include "base/map/map.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

#include <stdlib.h>

enum { N_KEYS = 500 };

struct item {
	struct map_node node;
	uint32_t key;
	bool in;
};

static void table_equals_a_plain_array_after_any_sequence(void **state)
{
	static struct item items[N_KEYS];
	const uint8_t seed[16] = { 1 };
	struct rng_seeded r;
	struct map m;
	size_t n_in = 0;

	rng_seeded_init(&r, 3);
	map_init(&m, seed);
	for (int i = 0; i < 50000; i++) {
		struct item *it = &items[rng_below(&r.rng, N_KEYS)];

		it->key = (uint32_t)(it - items);
		if (rng_below(&r.rng, 2)) {
			CHECK_INT(map_insert(&m, &it->node, &it->key, sizeof(it->key)), ==, it->in);
			n_in += !it->in;
			it->in = true;
		} else if (it->in) {
			map_remove(&m, &it->node);
			it->in = false;
			n_in--;
		}
		CHECK_INT(m.n_items, ==, n_in);
		it = &items[rng_below(&r.rng, N_KEYS)];
		it->key = (uint32_t)(it - items);
		CHECK_TRUE(map_find(&m, &it->key, sizeof(it->key)) == (it->in ? &it->node : NULL));
	}
	map_for_each(node, &m) { /* removing while walking */
		struct item *it = container_of(node, struct item, node);

		CHECK_TRUE(it->in);
		map_remove(&m, node);
		n_in--;
	}
	CHECK_INT(n_in, ==, 0);
	CHECK_TRUE(!map_first(&m));
	map_fini(&m);
}

static void key_that_is_there_is_not_inserted_twice(void **state)
{
	const uint8_t seed[16] = { 0 };
	struct map_node a, b;
	struct map m;

	map_init(&m, seed);
	CHECK_TRUE(!map_find(&m, "k", 1));
	CHECK_INT(map_insert(&m, &a, "k", 1), ==, 0);
	CHECK_INT(map_insert(&m, &b, "k", 1), ==, 1);
	CHECK_TRUE(map_find(&m, "k", 1) == &a);
	map_fini(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_equals_a_plain_array_after_any_sequence),
		cmocka_unit_test(key_that_is_there_is_not_inserted_twice),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
