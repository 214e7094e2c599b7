#include "base/arena/arena.h"
#include "testlib/check.h"

static void memory_is_zeroed_aligned_and_apart(void **state)
{
	struct arena a;
	uint8_t *prev = NULL;

	arena_init(&a, 1 << 20);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 0; n < 300; n++) {
			uint8_t *p = arena_alloc(&a, n);

			CHECK_TRUE(p);
			CHECK_INT((uintptr_t)p % _Alignof(max_align_t), ==, 0);
			for (size_t i = 0; i < n; i++)
				CHECK_INT(p[i], ==, 0);
			memset(p, 0xff, n);
			CHECK_TRUE(n == 0 || p != prev);
			prev = n ? p : prev;
		}
		arena_reset(&a);
	}
	arena_fini(&a);
}

static void maximum_bounds_the_sum_and_reset_gives_it_back(void **state)
{
	struct arena a;

	arena_init(&a, 1024);
	CHECK_TRUE(arena_alloc(&a, 1024));
	CHECK_TRUE(!arena_alloc(&a, 1));
	arena_reset(&a);
	CHECK_TRUE(arena_alloc(&a, 512));
	CHECK_TRUE(!arena_alloc(&a, 513));
	CHECK_TRUE(!arena_alloc(&a, SIZE_MAX));
	CHECK_TRUE(!arena_array(&a, SIZE_MAX / 2, 4));
	arena_fini(&a);
}

static void texts_are_copied_and_terminated(void **state)
{
	struct arena a;

	arena_init(&a, 4096);
	CHECK_STR(arena_strndup(&a, "hello world", 5), "hello");
	CHECK_STR(arena_strdup(&a, ""), "");
	CHECK_STR(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
	arena_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_aligned_and_apart),
		cmocka_unit_test(maximum_bounds_the_sum_and_reset_gives_it_back),
		cmocka_unit_test(texts_are_copied_and_terminated),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
