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

/* The first and last of the 64 vectors of the SipHash paper's reference program. */
static void siphash_agrees_with_its_reference(void **state)
{
	static const uint8_t none[8] = { 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 };
	static const uint8_t fifteen[8] = { 0xe5, 0x45, 0xbe, 0x49, 0x61, 0xca, 0x29, 0xa1 };
	uint8_t key[16], in[15];

	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	CHECK_TRUE(siphash24(key, in, 0) == load_le64(none));
	CHECK_TRUE(siphash24(key, in, 15) == load_le64(fifteen));
}

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
		cmocka_unit_test(siphash_agrees_with_its_reference),
		cmocka_unit_test(table_equals_a_plain_array_after_any_sequence),
		cmocka_unit_test(key_that_is_there_is_not_inserted_twice),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
