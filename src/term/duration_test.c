/* Durations as Go writes them, with days, and lifetimes. */
#include "base/err/err.h"
#include "base/time/time.h"
#include "term/duration.h"
#include "testlib/check.h"

static void durations_are_read_and_written_as_go_does(void **state)
{
	static const struct {
		const char *in;
		int64_t ns;
		const char *out;
	} rows[] = { { "0", 0, "0s" }, { "1ns", 1, "1ns" }, { "1.5us", 1500, "1.5µs" },
		{ "12µs", 12000, "12µs" }, { "31ms", 31000000, "31ms" },
		{ "1500ms", 1500000000, "1.5s" }, { "2m", 120000000000, "2m0s" },
		{ "1h", 3600000000000, "1h0m0s" }, { "1h1ms", 3600001000000, "1h0m0.001s" },
		{ ".5s", 500000000, "500ms" }, { "1d12h", 129600000000000, "36h0m0s" } };
	static const char *const bad[] = { "", "5", "x", "5x", "1h2", "s", "1..2s", "--1s" };
	char text[32];
	int64_t ns;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].in);
		CHECK_INT(duration_parse(rows[i].in, &ns), ==, 0);
		CHECK_INT(ns, ==, rows[i].ns);
		CHECK_STR(duration_format(ns, text), rows[i].out);
	}
	CHECK_INT(duration_parse("-1.5h", &ns), ==, 0);
	CHECK_INT(ns, ==, -5400000000000);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_ROW("%s", bad[i]);
		CHECK_INT(duration_parse(bad[i], &ns), <, 0);
	}
}

static void lifetimes_are_positive_or_never(void **state)
{
	static const struct {
		const char *text;
		unix_ms ms; /* -1: refused */
	} rows[] = { { "30m", 1800000 }, { "24h", 86400000 }, { "90d", 7776000000 },
		{ "1h30m", 5400000 }, { "5s", 5000 }, { "never", 0 }, { "0", 0 }, { "", -1 },
		{ "10", -1 }, { "h", -1 }, { "1w", -1 }, { "-1h", -1 }, { "0h", -1 }, { "1ns", -1 },
		{ "1.5h", 5400000 }, { "999999999999d", -1 } };
	unix_ms ms;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(duration_parse_life(rows[i].text, &ms) == 0 ? ms : -1, ==, rows[i].ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_and_written_as_go_does),
		cmocka_unit_test(lifetimes_are_positive_or_never),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
