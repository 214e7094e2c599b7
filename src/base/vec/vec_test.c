/* A growing array: it keeps what is in it, and ends at its bound. */
#include "base/err/err.h"
#include "base/vec/vec.h"
#include "testlib/check.h"

#include <stdlib.h>

static void it_grows_and_keeps_what_is_in_it(void **state)
{
	size_t n = 0, cap = 0;
	int64_t *v = NULL;

	(void)state;
	for (int64_t i = 0; i < 1000; i++) {
		if (n == cap)
			CHECK_INT(vec_grow(&v, &cap, sizeof(*v), 1000), ==, 0);
		v[n++] = i;
	}
	for (size_t i = 0; i < n; i++)
		CHECK_INT(v[i], ==, (int64_t)i);
	CHECK_INT(cap, ==, 1000);
	free(v);
}

static void it_ends_at_its_bound(void **state)
{
	size_t cap = 0, before;
	char *v = NULL;

	(void)state;
	while (vec_grow(&v, &cap, 1, 300) == 0)
		;
	CHECK_INT(cap, ==, 300);
	before = cap;
	CHECK_INT(vec_grow(&v, &cap, 1, 300), ==, -ERR_TOO_MANY);
	CHECK_INT(cap, ==, before);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_grows_and_keeps_what_is_in_it),
		cmocka_unit_test(it_ends_at_its_bound),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
