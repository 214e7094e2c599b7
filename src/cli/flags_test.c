/* Flags and tables, as Go's packages read and write them. */
#include "base/err/err.h"
#include "cli/flags.h"
#include "cli/table.h"
#include "testlib/check.h"

static struct flag table[] = {
	{ .name = "json", .kind = FLAG_BOOL },
	{ .name = "peers", .kind = FLAG_BOOL, .def = "true" },
	{ .name = "name", .kind = FLAG_TEXT, .def = "x" },
	{ .name = "c", .kind = FLAG_INT, .def = "10" },
	{ .name = "timeout", .kind = FLAG_DURATION, .def = "5s" },
	{ .name = NULL },
};

static int parse(char *line, int *ret_used, char *err)
{
	char *argv[16], *rest;
	int argc = 0;

	for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	return flags_parse(table, argc, argv, ret_used, err, 200);
}

static void flags_are_read_as_go_reads_them(void **state)
{
	char line[] = "-json --peers=f --name a=b -c=3 --timeout 1h2m3.5s arg --c=4", err[200];
	int used;

	CHECK_INT(parse(line, &used, err), ==, 0);
	CHECK_INT(used, ==, 7);
	CHECK_TRUE(flag_on(table, "json") && !flag_on(table, "peers"));
	CHECK_STR(flag_text(table, "name"), "a=b");
	CHECK_INT(flag_n(table, "c"), ==, 3);
	CHECK_INT(flag_n(table, "timeout"), ==, 3723500000000);
	CHECK_TRUE(flag_is_set(table, "c") && flags_any_set(table));
}

static void what_is_not_given_has_its_default(void **state)
{
	char line[] = "-- --json", err[200];
	int used;

	CHECK_INT(parse(line, &used, err), ==, 0);
	CHECK_INT(used, ==, 1);
	CHECK_TRUE(!flag_on(table, "json") && flag_on(table, "peers"));
	CHECK_STR(flag_text(table, "name"), "x");
	CHECK_INT(flag_n(table, "timeout"), ==, 5000000000);
	CHECK_TRUE(!flags_any_set(table));
}

static void faults_are_told_in_the_words_of_go(void **state)
{
	static const struct {
		const char *line, *err;
	} rows[] = {
		{ "--nope", "flag provided but not defined: -nope" },
		{ "---x", "bad flag syntax: ---x" },
		{ "--=x", "bad flag syntax: --=x" },
		{ "--name", "flag needs an argument: -name" },
		{ "--json=maybe", "invalid boolean value \"maybe\" for -json: parse error" },
		{ "--json --json", "invalid boolean flag json: flag provided multiple times" },
		{ "--name=a --name=b",
			"invalid value \"b\" for flag -name: flag provided multiple times" },
		{ "--c=x", "invalid value \"x\" for flag -c: parse error" },
		{ "--c=99999999999999999999",
			"invalid value \"99999999999999999999\" for flag -c: value out of range" },
		{ "--timeout=5", "invalid value \"5\" for flag -timeout: parse error" },
	};
	char line[100], err[200];
	int used;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s", rows[i].line);
		strcpy(line, rows[i].line);
		CHECK_INT(parse(line, &used, err), ==, -ERR_BAD_VALUE);
		CHECK_STR(err, rows[i].err);
	}
	strcpy(line, "-h");
	CHECK_INT(parse(line, &used, err), ==, FLAGS_HELP);
}

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
		{ ".5s", 500000000, "500ms" } };
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

static void print(size_t width, bool trailing, const char *want)
{
	struct arena a;
	struct table t;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	arena_init(&a, 100000);
	table_init(&t, &a, 3, 4, 2, trailing);
	table_row(&t, "a", "bb", "c");
	table_row(&t, "ä", "a rather long cell", "ccc");
	table_print(&t, f, width);
	fclose(f);
	CHECK_STR(text, want);
	free(text);
	arena_fini(&a);
}

static void columns_are_as_wide_as_their_cells(void **state)
{
	print(0, false, "a   bb                  c\nä   a rather long cell  ccc\n");
	print(0, true, "a   bb                  c    \nä   a rather long cell  ccc  \n");
	print(80, true, "a   bb                  c\nä   a rather long cell  ccc\n");
	print(20, true, "a   bb           c\nä   a rather l…  ccc\n");
	print(5, false, "a   bb        c\nä   a rathe…  ccc\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_read_as_go_reads_them),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(faults_are_told_in_the_words_of_go),
		cmocka_unit_test(durations_are_read_and_written_as_go_does),
		cmocka_unit_test(columns_are_as_wide_as_their_cells),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
