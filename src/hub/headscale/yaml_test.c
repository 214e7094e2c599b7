/* A configuration as a tree: what headscale's file has, and what is refused. */
#include "hub/headscale/internal.h"
#include "testlib/check.h"

enum { MEM_MAX = 16 << 20 };

static int parse(const char *text, struct arena *mem, struct yaml **ret, struct err_at *at)
{
	*at = (struct err_at){ 0 };
	return yaml_parse(view_of(text, strlen(text)), mem, ret, at);
}

static void values(void **state)
{
	struct arena mem;
	struct err_at at;
	struct yaml *y;

	arena_init(&mem, MEM_MAX);
	CHECK_INT(
		parse("---\n# a comment\na: {b: text, \"c d\": 'quoted: #'}\nlist:\n  - one\n  - two\n"
		      "yes1: true\nyes2: 'on'\nno1: false\nnone: null\nempty: ''\nlong: |\n  x\n  y\n",
			&mem, &y, &at),
		==, 0);
	CHECK_STR(yaml_text(y, "a.b"), "text");
	CHECK_STR(yaml_text(y, "a.c d"), "quoted: #");
	CHECK_STR(yaml_text(y, "long"), "x\ny\n");
	CHECK_STR(yaml_at(y, "list")->first->next->text, "two");
	CHECK_TRUE(!yaml_at(y, "list")->first->next->next);
	CHECK_TRUE(yaml_is_true(y, "yes1", false) && yaml_is_true(y, "yes2", false));
	CHECK_TRUE(!yaml_is_true(y, "no1", true) && yaml_is_true(y, "missing", true));
	CHECK_TRUE(!yaml_text(y, "none") && !yaml_text(y, "empty") && !yaml_text(y, "list") &&
		   !yaml_text(y, "a.b.c") && !yaml_at(y, "list.0"));
	arena_fini(&mem);
}

static void refused(void **state)
{
	static const char *const bad[] = { "", "# nothing\n", "- a\n- b\n", "text", "a: [1, 2\n",
		"a: &x 1\nb: *x\n", "? {a: 1}\n: 2\n", "a: \t\x01", "a: 1\n b: 2\n" };
	char deep[200] = "a: ";
	struct arena mem;
	struct err_at at;
	struct yaml *y;

	arena_init(&mem, MEM_MAX);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_INT(parse(bad[i], &mem, &y, &at), ==, -ERR_BAD_FORMAT);
		CHECK_TRUE(at.text[0] && at.line > 0);
	}
	memset(deep + 3, '[', 2 * YAML_DEPTH_MAX);
	CHECK_INT(parse(deep, &mem, &y, &at), ==, -ERR_TOO_DEEP);
	arena_fini(&mem);
}

static void bounded(void **state)
{
	static char many[YAML_TEXT_MAX + 2];
	struct arena mem;
	struct err_at at;
	struct yaml *y;

	arena_init(&mem, MEM_MAX);
	strcpy(many, "a:\n");
	for (size_t i = 0; i <= YAML_NODES_MAX; i++)
		strcpy(many + 3 + 4 * i, "- x\n");
	CHECK_INT(parse(many, &mem, &y, &at), ==, -ERR_TOO_MANY);
	memset(many, ' ', sizeof(many) - 1);
	CHECK_INT(parse(many, &mem, &y, &at), ==, -ERR_TOO_BIG);
	arena_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(values), cmocka_unit_test(refused),
		cmocka_unit_test(bounded) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
