#include "base/time/time.h"
#include "testlib/check.h"

static void parse(const char *s, int want_rc, unix_ms want)
{
	unix_ms t = -1;
	int rc = time_parse_rfc3339(s, strlen(s), &t);

	CHECK_ROW("%s", s);
	CHECK_INT(rc < 0, ==, want_rc < 0);
	if (rc == 0)
		CHECK_INT(t, ==, want);
}

static void parse_accepts_what_go_writes(void **state)
{
	parse("1970-01-01T00:00:00Z", 0, 0);
	parse("2026-08-22T10:11:12.5Z", 0, 1787393472500);
	parse("2026-08-22T10:11:12.123456789Z", 0, 1787393472123);
	parse("2026-08-22T12:11:12+02:00", 0, 1787393472000);
	parse("2026-08-22T02:41:12-07:30", 0, 1787393472000);
	parse("1969-12-31T23:59:59.999Z", 0, -1);
	parse("2000-02-29T00:00:00Z", 0, 951782400000);
	parse("0001-01-01T00:00:00Z", 0, 0);
}

static void parse_rejects_what_is_not_a_time(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-08-22", "2026-08-22 10:11:12Z",
		"2026-13-22T10:11:12Z", "2026-00-22T10:11:12Z", "2026-08-32T10:11:12Z",
		"2026-08-22T24:11:12Z", "2026-08-22T10:60:12Z", "2026-08-22T10:11:12",
		"2026-08-22T10:11:12.Z", "2026-08-22T10:11:12Zx", "2026-08-22T10:11:12+2:00",
		"2026-08-22T10:11:12+24:00" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		parse(bad[i], -1, 0);
}

static void format_cuts_trailing_zeros_and_parses_back(void **state)
{
	static const struct {
		unix_ms t;
		const char *text;
	} rows[] = { { 0, "1970-01-01T00:00:00Z" }, { 1787393472500, "2026-08-22T10:11:12.5Z" },
		{ 1787393472120, "2026-08-22T10:11:12.12Z" }, { -1, "1969-12-31T23:59:59.999Z" },
		{ 123000, "1970-01-01T00:02:03Z" } };
	char out[TIME_RFC3339_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		time_format_rfc3339(rows[i].t, out);
		CHECK_STR(out, rows[i].text);
		parse(out, 0, rows[i].t);
	}
}

static void adding_to_a_deadline_saturates(void **state)
{
	CHECK_INT(mono_add(MONO_NEVER, SEC(1)), ==, MONO_NEVER);
	CHECK_INT(mono_add(MONO_NEVER - 5, 10), ==, MONO_NEVER);
	CHECK_INT(mono_add(5, 10), ==, 15);
}

/* Units change where people change them, and one is not several. */
static void words_are_those_of_people(void **state)
{
	static const struct {
		int64_t seconds; /* ago */
		const char *brief, *full, *span;
	} rows[] = { { 0, "now", "just now", "0 s" }, { 1, "1s ago", "1 second ago", "1 s" },
		{ 59, "59s ago", "59 seconds ago", "59 s" },
		{ 60, "1m ago", "1 minute ago", "1 min" },
		{ 3599, "59m ago", "59 minutes ago", "59 min" },
		{ 3600, "1h ago", "1 hour ago", "1 h" },
		{ 7500, "2h ago", "2 hours ago", "2 h 5 min" },
		{ 86400, "1d ago", "1 day ago", "1 d" },
		{ 180000, "2d ago", "2 days ago", "2 d 2 h" },
		{ -90, "in 1m", "in 1 minute", "0 s" } };
	const unix_ms now = 1787393472500;
	char out[TIME_WORDS_MAX];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		time_format_short(now - rows[i].seconds * 1000, now, out);
		CHECK_STR(out, rows[i].brief);
		time_format_long(now - rows[i].seconds * 1000, now, out);
		CHECK_STR(out, rows[i].full);
		time_format_span(rows[i].seconds, out);
		CHECK_STR(out, rows[i].span);
	}
	time_format_short(0, now, out);
	CHECK_STR(out, "-");
	time_format_long(0, now, out);
	CHECK_STR(out, "never");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_accepts_what_go_writes),
		cmocka_unit_test(parse_rejects_what_is_not_a_time),
		cmocka_unit_test(format_cuts_trailing_zeros_and_parses_back),
		cmocka_unit_test(adding_to_a_deadline_saturates),
		cmocka_unit_test(words_are_those_of_people),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
