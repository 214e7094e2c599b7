#include "proto/hujson/hujson.h"
#include "testlib/check.h"

#include <errno.h>

static struct arena arena;

static int parse(const char *s, struct hujson **ret, struct err_at *at)
{
	arena_reset(&arena);
	return hujson_parse(s, strlen(s), &arena, ret, at);
}

static void a_policy_with_comments_and_trailing_commas_is_read(void **state)
{
	static const char text[] =
		"// who may what\n"
		"{\n"
		"\t\"groups\": { /* people */ \"group:dev\": [\"ann@\", \"bob@\",], },\n"
		"\t\"acls\": [\n"
		"\t\t{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}, // all\n"
		"\t],\n"
		"} // done";
	const struct hujson *dev, *acls;
	struct hujson *root;

	(void)state;
	CHECK_INT(parse(text, &root, NULL), ==, 0);
	CHECK_INT(root->kind, ==, HUJSON_OBJECT);
	CHECK_INT(root->n, ==, 2);
	CHECK_INT(root->line, ==, 2);
	dev = hujson_get(hujson_get(root, "groups"), "group:dev");
	CHECK_TRUE(dev && dev->n == 2);
	CHECK_STR(dev->first->text, "ann@");
	CHECK_STR(dev->first->next->text, "bob@");
	CHECK_INT(dev->name_line, ==, 3);
	CHECK_INT(dev->name_column, ==, 27);
	acls = hujson_get(root, "acls");
	CHECK_INT(acls->n, ==, 1);
	CHECK_INT(acls->first->line, ==, 5);
	CHECK_INT(acls->first->column, ==, 3);
	CHECK_STR(hujson_get(acls->first, "action")->text, "accept");
	CHECK_TRUE(!hujson_get(root, "Groups"));
	CHECK_TRUE(!hujson_get(acls, "action"));
}

static void a_column_counts_characters_not_bytes(void **state)
{
	struct hujson *root;

	(void)state;
	CHECK_INT(parse("[\"\xc3\xa4\xe2\x82\xac\", 1]", &root, NULL), ==, 0);
	CHECK_INT(root->first->next->column, ==, 8);
}

static void texts_are_unescaped_and_a_comment_inside_is_text(void **state)
{
	struct hujson *root;

	(void)state;
	CHECK_INT(parse("[\"a\\\"\\u00e4\\\\\", \"http://x/*y*/\"]", &root, NULL), ==, 0);
	CHECK_STR(root->first->text, "a\"\xc3\xa4\\");
	CHECK_STR(root->first->next->text, "http://x/*y*/");
}

static void numbers_are_whole_or_refused_as_integers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t n;
	} rows[] = {
		{ "0", true, 0 },
		{ "-12", true, -12 },
		{ "9223372036854775807", true, INT64_MAX },
		{ "9223372036854775808", false, 0 },
		{ "1.5", false, 0 },
		{ "\"1\"", false, 0 },
	};
	struct hujson *root;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int64_t n = 0;

		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(parse(rows[i].text, &root, NULL), ==, 0);
		CHECK_INT(hujson_int(root, &n), ==, rows[i].ok ? 0 : -ERR_BAD_VALUE);
		CHECK_INT(n, ==, rows[i].n);
	}
}

static void every_fault_names_its_place(void **state)
{
	static const struct {
		const char *text;
		int rc;
		unsigned line, column;
	} rows[] = {
		{ "", -ERR_TRUNCATED, 1, 1 },
		{ "// only\n", -ERR_TRUNCATED, 2, 1 },
		{ "{\n \"a\": 1\n \"b\": 2}", -ERR_BAD_FORMAT, 3, 2 },
		{ "{\"a\" 1}", -ERR_BAD_FORMAT, 1, 6 },
		{ "{a: 1}", -ERR_BAD_FORMAT, 1, 2 },
		{ "{,}", -ERR_BAD_FORMAT, 1, 2 },
		{ "[,]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[1,,2]", -ERR_BAD_FORMAT, 1, 4 },
		{ "[1 2]", -ERR_BAD_FORMAT, 1, 4 },
		{ "[1}", -ERR_BAD_FORMAT, 1, 3 },
		{ "\n [1, [2]", -ERR_TRUNCATED, 2, 2 },
		{ "{\"a\": {", -ERR_TRUNCATED, 1, 7 },
		{ "{\"a\":", -ERR_TRUNCATED, 1, 6 },
		{ "[\"abc", -ERR_TRUNCATED, 1, 2 },
		{ "[\"abc\\", -ERR_TRUNCATED, 1, 2 },
		{ "[\"a\nb\"]", -ERR_BAD_FORMAT, 1, 4 },
		{ "[\"\\q\"]", -ERR_BAD_FORMAT, 1, 2 },
		{ "1 /* x", -ERR_TRUNCATED, 1, 3 },
		{ "[1] 2", -ERR_TRAILING, 1, 5 },
		{ "1,", -ERR_TRAILING, 1, 2 },
		{ "01", -ERR_BAD_FORMAT, 1, 1 },
		{ "[-]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[1.]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[1e]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[+1]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[True]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[truely]", -ERR_BAD_FORMAT, 1, 2 },
		{ "[nul", -ERR_BAD_FORMAT, 1, 2 },
		{ "['a']", -ERR_BAD_FORMAT, 1, 2 },
		{ "# no", -ERR_BAD_FORMAT, 1, 1 },
		{ "\xff", -ERR_BAD_FORMAT, 0, 0 },
	};
	struct hujson *root;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err_at at = { 0 };

		CHECK_ROW("%s", rows[i].text);
		CHECK_INT(parse(rows[i].text, &root, &at), ==, rows[i].rc);
		CHECK_INT(at.line, ==, rows[i].line);
		CHECK_INT(at.column, ==, rows[i].column);
		CHECK_TRUE(at.text[0] != 0);
	}
}

static void depth_and_memory_are_bounded(void **state)
{
	char deep[2 * HUJSON_DEPTH_MAX + 2];
	struct hujson *root;
	struct arena small;

	(void)state;
	memset(deep, '[', HUJSON_DEPTH_MAX);
	memset(deep + HUJSON_DEPTH_MAX, ']', HUJSON_DEPTH_MAX);
	arena_reset(&arena);
	CHECK_INT(hujson_parse(deep, 2 * HUJSON_DEPTH_MAX, &arena, &root, NULL), ==, 0);
	memset(deep, '[', HUJSON_DEPTH_MAX + 1);
	memset(deep + HUJSON_DEPTH_MAX + 1, ']', HUJSON_DEPTH_MAX + 1);
	CHECK_INT(hujson_parse(deep, 2 * HUJSON_DEPTH_MAX + 2, &arena, &root, NULL), ==,
		-ERR_TOO_DEEP);
	arena_init(&small, 400);
	CHECK_INT(hujson_parse("[1,2,3,4,5,6,7,8]", 17, &small, &root, NULL), ==, -ENOMEM);
	arena_fini(&small);
}

static void the_last_of_doubled_names_counts_and_all_are_kept(void **state)
{
	struct hujson *root;
	int64_t n;

	(void)state;
	CHECK_INT(parse("{\"a\": 1, \"a\": 2}", &root, NULL), ==, 0);
	CHECK_INT(root->n, ==, 2);
	CHECK_INT(hujson_int(hujson_get(root, "a"), &n), ==, 0);
	CHECK_INT(n, ==, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_with_comments_and_trailing_commas_is_read),
		cmocka_unit_test(a_column_counts_characters_not_bytes),
		cmocka_unit_test(texts_are_unescaped_and_a_comment_inside_is_text),
		cmocka_unit_test(numbers_are_whole_or_refused_as_integers),
		cmocka_unit_test(every_fault_names_its_place),
		cmocka_unit_test(depth_and_memory_are_bounded),
		cmocka_unit_test(the_last_of_doubled_names_counts_and_all_are_kept),
	};
	int rc;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	arena_init(&arena, 1 << 20);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	arena_fini(&arena);
	return rc;
}
