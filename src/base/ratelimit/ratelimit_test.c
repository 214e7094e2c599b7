#include "base/ratelimit/ratelimit.h"
#include "testlib/check.h"

enum { BURST = 5, PER_SECOND = 20 };

static void host_gets_a_burst_and_then_so_many_a_second(void **state)
{
	struct ratelimit r = { .burst = BURST, .per_second = PER_SECOND, .seed = { 1 } };
	struct view one = VIEW_LIT("a"), other = VIEW_LIT("b");
	mono_ns now = SEC(5);
	int passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += ratelimit_allow(&r, one, now);
	CHECK_INT(passed, ==, BURST);
	CHECK_TRUE(ratelimit_allow(&r, other, now));
	CHECK_TRUE(!ratelimit_allow(&r, one, now + MSEC(49)));
	CHECK_TRUE(ratelimit_allow(&r, one, now + MSEC(51)));
	for (int i = 0; i < 1000; i++)
		passed += ratelimit_allow(&r, one, now + SEC(1) + MSEC(i));
	CHECK_INT(passed, >=, BURST + 19 + BURST);
	CHECK_INT(passed, <=, BURST + 21 + BURST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_gets_a_burst_and_then_so_many_a_second),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
