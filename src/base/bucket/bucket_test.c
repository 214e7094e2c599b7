#include "base/bucket/bucket.h"

#include "testlib/check.h"

static void a_full_bucket_gives_its_burst_at_once_and_then_its_rate(void **state)
{
	struct bucket b;
	int64_t got = 0;

	bucket_init(&b, 1000, 500, SEC(5));
	CHECK_TRUE(bucket_take(&b, 500, SEC(5)));
	CHECK_TRUE(!bucket_take(&b, 1, SEC(5)));
	CHECK_TRUE(bucket_take(&b, 100, SEC(5) + MSEC(100)));
	CHECK_TRUE(!bucket_take(&b, 1, SEC(5) + MSEC(100)));
	for (mono_ns t = SEC(6); t < SEC(16); t += USEC(100)) /* less than a token between two */
		got += bucket_take(&b, 1, t);
	CHECK_TRUE(got >= 9999 && got <= 10500);
}

static void a_long_rest_fills_it_and_no_more(void **state)
{
	struct bucket b;

	bucket_init(&b, (int64_t)1 << 32, 100, 0);
	CHECK_TRUE(bucket_take(&b, 100, 0));
	CHECK_TRUE(!bucket_take(&b, 101, SEC(1000000)));
	CHECK_TRUE(bucket_take(&b, 100, SEC(1000000)));
}

static void rate_zero_is_no_limit(void **state)
{
	struct bucket b;

	bucket_init(&b, 0, 0, 0);
	CHECK_TRUE(bucket_take(&b, INT64_MAX, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_gives_its_burst_at_once_and_then_its_rate),
		cmocka_unit_test(a_long_rest_fills_it_and_no_more),
		cmocka_unit_test(rate_zero_is_no_limit),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
