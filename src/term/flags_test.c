/* Flags, as Go's package reads them. */
#include "base/err/err.h"
#include "term/flags.h"
#include "testlib/check.h"

enum { ERR_SIZE = 200 };

static struct flag table[] = {
	{ .name = "json", .kind = FLAG_BOOL },
	{ .name = "peers", .kind = FLAG_BOOL, .def = "true" },
	{ .name = "some", .kind = FLAG_BOOL, .or_list = true },
	{ .name = "name", .kind = FLAG_TEXT, .def = "x" },
	{ .name = "c", .kind = FLAG_INT, .def = "10" },
	{ .name = "timeout", .kind = FLAG_DURATION, .def = "5s" },
	{ .name = NULL },
};

static int parse(char *line, int *ret_used, char *err)
{
	struct flags_error e;
	char *argv[16], *rest;
	int argc = 0, rc;

	for (char *w = strtok_r(line, " ", &rest); w; w = strtok_r(NULL, " ", &rest))
		argv[argc++] = w;
	rc = flags_parse(&(struct flags){ .table = table, .once = true }, argc, argv, ret_used, &e);
	if (rc < 0)
		flags_explain_go(&e, err, ERR_SIZE);
	return rc;
}

static void flags_are_read_as_go_reads_them(void **state)
{
	char line[] = "-json --peers=f --name a=b -c=3 --timeout 1h2m3.5s arg --c=4", err[ERR_SIZE];
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
	char line[] = "-- --json", err[ERR_SIZE];
	int used;

	CHECK_INT(parse(line, &used, err), ==, 0);
	CHECK_INT(used, ==, 1);
	CHECK_TRUE(!flag_on(table, "json") && flag_on(table, "peers"));
	CHECK_STR(flag_text(table, "name"), "x");
	CHECK_INT(flag_n(table, "timeout"), ==, 5000000000);
	CHECK_TRUE(!flags_any_set(table));
}

static void a_boolean_may_be_a_list_and_no_misspelt_one_is(void **state)
{
	static const char *const lists[] = { "--some=a,b", "--some=10.0.0.0/8", "--some=nas:*" };
	char line[] = "--some", bad[] = "--some=ture", err[ERR_SIZE];
	int used;

	CHECK_INT(parse(line, &used, err), ==, 0);
	CHECK_TRUE(flag_on(table, "some"));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		char one[64];

		snprintf(one, sizeof(one), "%s", lists[i]);
		CHECK_INT(parse(one, &used, err), ==, 0);
		CHECK_TRUE(flag_on(table, "some"));
		CHECK_STR(flag_text(table, "some"), lists[i] + strlen("--some="));
	}
	CHECK_INT(parse(bad, &used, err), <, 0);
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
	char line[100], err[ERR_SIZE];
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

/* ---- flags and words mixed, into a struct ---- */

struct options {
	const char *url, *names, *mode;
	bool on;
	int64_t port;
};

static const char *no_blanks(const char *value)
{
	return strchr(value, ' ') ? "write it without blanks" : NULL;
}

static struct flag mixed[] = {
	{ .name = "url", .kind = FLAG_TEXT, .member = offsetof(struct options, url) },
	{ .name = "names",
		.kind = FLAG_LIST,
		.check = no_blanks,
		.member = offsetof(struct options, names) },
	{ .name = "mode",
		.kind = FLAG_TEXT,
		.def = "plain",
		.member = offsetof(struct options, mode) },
	{ .name = "on", .kind = FLAG_BOOL, .member = offsetof(struct options, on) },
	{ .name = "port",
		.kind = FLAG_INT,
		.min = 0,
		.max = 65535,
		.member = offsetof(struct options, port) },
	{ .name = NULL },
};

static int parse_mixed(const char *const *argv, size_t n, struct options *o, const char **words,
	size_t *ret_n, char *text)
{
	struct flags_error e;
	struct arena mem;
	int rc;

	*o = (struct options){ 0 };
	arena_init(&mem, 1000);
	rc = flags_parse_mixed(&(struct flags){ .table = mixed, .mem = &mem }, (int)n,
		(char *const *)(uintptr_t)argv, words, 2, ret_n, &e);
	if (rc < 0)
		flags_explain(&e, "prog", text, ERR_SIZE);
	if (rc == 0)
		flags_store(mixed, o);
	if (rc == 0 && o->names)
		CHECK_STR(o->names, "a,b"); /* while its memory is there */
	arena_fini(&mem);
	return rc;
}

#define PARSE(...) \
	parse_mixed((const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), &o, words, &n, \
		text)

static void flags_stand_between_words_and_the_last_one_counts(void **state)
{
	const char *words[2];
	char text[ERR_SIZE];
	struct options o;
	size_t n;

	CHECK_INT(PARSE("--url=1", "list", "--names", "a", "--names=b", "--on", "x", "--url", "2",
			  "--port=7"),
		==, 0);
	CHECK_INT(n, ==, 2);
	CHECK_STR(words[1], "x");
	CHECK_STR(o.url, "2");
	CHECK_STR(o.mode, "plain");
	CHECK_TRUE(o.on);
	CHECK_INT(o.port, ==, 7);
	CHECK_INT(PARSE("a", "--", "--on"), ==, 0);
	CHECK_STR(words[1], "--on");
	CHECK_TRUE(!o.on && !o.url);
}

static void faults_say_what_to_do(void **state)
{
	const char *words[2];
	char text[ERR_SIZE];
	struct options o;
	size_t n;

	CHECK_INT(PARSE("--urk"), <, 0);
	CHECK_STR(text, "unknown option --urk; did you mean --url?");
	CHECK_INT(PARSE("--something-else"), <, 0);
	CHECK_STR(text, "unknown option --something-else; prog --help lists all");
	CHECK_INT(PARSE("--url"), <, 0);
	CHECK_STR(text, "--url needs a value");
	CHECK_INT(PARSE("--on=perhaps"), <, 0);
	CHECK_STR(text, "--on is true or false, not \"perhaps\"");
	CHECK_INT(PARSE("--names", "a b"), <, 0);
	CHECK_STR(text, "--names: write it without blanks");
	CHECK_INT(PARSE("--port=65536"), <, 0);
	CHECK_STR(text, "--port \"65536\": write a number from 0 to 65535");
	CHECK_INT(PARSE("a", "b", "c"), <, 0);
	CHECK_TRUE(strstr(text, "\"c\""));
}

static void what_was_said_first_goes_before(void **state)
{
	struct flag few[] = { { .name = "a" }, { .name = "b", .kind = FLAG_BOOL }, { 0 } };
	char *argv[] = { (char[]){ "--b=false" } };
	struct flags_error e;
	int used;

	CHECK_INT(flags_parse(&(struct flags){ .table = few }, 1, argv, &used, &e), ==, 0);
	CHECK_INT(flags_give(&few[0], "true", &e), ==, 0);
	CHECK_INT(flags_give(&few[1], "true", &e), ==, 0);
	CHECK_TRUE(flag_on(few, "a") && !flag_on(few, "b"));
	few[0].is_set = false;
	CHECK_INT(flags_give(&few[0], "x", &e), <, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_read_as_go_reads_them),
		cmocka_unit_test(what_is_not_given_has_its_default),
		cmocka_unit_test(a_boolean_may_be_a_list_and_no_misspelt_one_is),
		cmocka_unit_test(faults_are_told_in_the_words_of_go),
		cmocka_unit_test(flags_stand_between_words_and_the_last_one_counts),
		cmocka_unit_test(faults_say_what_to_do),
		cmocka_unit_test(what_was_said_first_goes_before),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
