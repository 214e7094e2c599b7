#include "base/bucket/bucket.h"

#include "testlib/check.h"

static void a_full_bucket_gives_its_burst_at_once_and_then_its_rate(void **state)
{
	struct bucket b;
	int64_t got = 0;

	bucket_init(&b, 1000, 500);
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

	bucket_init(&b, (int64_t)1 << 32, 100);
	CHECK_TRUE(bucket_take(&b, 100, 0));
	CHECK_TRUE(!bucket_take(&b, 101, SEC(1000000)));
	CHECK_TRUE(bucket_take(&b, 100, SEC(1000000)));
}

static void rate_zero_is_no_limit(void **state)
{
	struct bucket b;

	bucket_init(&b, 0, 0);
	CHECK_TRUE(bucket_take(&b, INT64_MAX, 0));
}

static void what_is_given_back_can_be_taken_but_no_more_than_the_burst(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 10, 5);
	CHECK_TRUE(bucket_take(&b, 5, SEC(1)));
	bucket_give(&b, 2);
	CHECK_TRUE(!bucket_take(&b, 3, SEC(1)));
	CHECK_TRUE(bucket_take(&b, 2, SEC(1)));
	bucket_give(&b, 100);
	CHECK_TRUE(!bucket_take(&b, 6, SEC(1)));
	CHECK_TRUE(bucket_take(&b, 5, SEC(1)));
	CHECK_TRUE(!bucket_take(&b, 1, SEC(1)));
}

static void under_another_rule_what_was_taken_stays_taken(void **state)
{
	struct bucket b;

	(void)state;
	bucket_init(&b, 10, 5);
	CHECK_TRUE(bucket_take(&b, 4, SEC(1)));
	bucket_change(&b, 100, 50, SEC(1));
	CHECK_TRUE(!bucket_take(&b, 47, SEC(1)));
	CHECK_TRUE(bucket_take(&b, 46, SEC(1)));
	CHECK_TRUE(bucket_take(&b, 1, SEC(1) + MSEC(10)));
}

static void one_number_is_enough(void **state)
{
	mono_ns full_at = 0, now = SEC(7);
	int got = 0;

	(void)state;
	CHECK_INT(bucket_lacks(full_at, SEC(1), SEC(3), now), ==, 0);
	for (int i = 0; i < 10; i++)
		got += bucket_spend(&full_at, SEC(1), SEC(3), now);
	CHECK_INT(got, ==, 3);
	CHECK_INT(bucket_lacks(full_at, SEC(1), SEC(3), now), ==, SEC(1));
	CHECK_TRUE(!bucket_spend(&full_at, SEC(1), SEC(3), now + SEC(1) - 1));
	CHECK_TRUE(bucket_spend(&full_at, SEC(1), SEC(3), now + SEC(1)));
	bucket_charge(&full_at, SEC(5), now + SEC(1)); /* whether it is there or not */
	CHECK_INT(bucket_lacks(full_at, SEC(1), SEC(3), now + SEC(1)), ==, SEC(6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_bucket_gives_its_burst_at_once_and_then_its_rate),
		cmocka_unit_test(a_long_rest_fills_it_and_no_more),
		cmocka_unit_test(rate_zero_is_no_limit),
		cmocka_unit_test(what_is_given_back_can_be_taken_but_no_more_than_the_burst),
		cmocka_unit_test(under_another_rule_what_was_taken_stays_taken),
		cmocka_unit_test(one_number_is_enough),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
