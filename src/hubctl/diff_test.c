#include "hubctl/diff.h"
#include "testlib/check.h"

static const char *diff(const char *a, const char *b)
{
	static char text[4096];
	struct buf out;

	buf_init(&out, sizeof(text) - 1);
	CHECK_INT(
		diff_unified(view_of(a, strlen(a)), "a", view_of(b, strlen(b)), "b", &out), ==, 0);
	strcpy(text, buf_cstr(&out));
	buf_fini(&out);
	return text;
}

static void equal_texts_have_no_difference(void **state)
{
	(void)state;
	CHECK_STR(diff("", ""), "");
	CHECK_STR(diff("x\ny\n", "x\ny\n"), "");
}

static void a_changed_line_is_shown_with_three_lines_around_it(void **state)
{
	(void)state;
	CHECK_STR(diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n"),
		"--- a\n+++ b\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

static void changes_far_apart_are_two_hunks_and_near_ones_are_one(void **state)
{
	(void)state;
	CHECK_STR(diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n"),
		"--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n");
	CHECK_STR(diff("a\n1\n2\nb\n", "A\n1\n2\nB\n"),
		"--- a\n+++ b\n@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n-b\n+B\n");
}

static void a_text_that_comes_or_goes_is_shown_whole(void **state)
{
	(void)state;
	CHECK_STR(diff("", "x\n"), "--- a\n+++ b\n@@ -0,0 +1,1 @@\n+x\n");
	CHECK_STR(diff("x\ny\n", ""), "--- a\n+++ b\n@@ -1,2 +0,0 @@\n-x\n-y\n");
}

static void a_missing_last_line_feed_is_told(void **state)
{
	(void)state;
	CHECK_STR(diff("x\n", "x"),
		"--- a\n+++ b\n@@ -1,1 +1,1 @@\n-x\n+x\n\\ No newline at end of file\n");
}

static void insertions_and_deletions_in_between_are_minimal(void **state)
{
	(void)state;
	CHECK_STR(diff("a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n"),
		"--- a\n+++ b\n@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n");
}

static void texts_without_a_common_line_beyond_the_bound_are_exchanged_as_a_whole(void **state)
{
	struct buf a, b, out;
	size_t cuts = 0;

	(void)state;
	buf_init(&a, 1 << 20);
	buf_init(&b, 1 << 20);
	buf_init(&out, 1 << 20);
	for (int i = 0; i < DIFF_EDITS_MAX; i++) {
		CHECK_INT(buf_printf(&a, "a%d\n", i), ==, 0);
		CHECK_INT(buf_printf(&b, "b%d\n", i), ==, 0);
	}
	CHECK_INT(diff_unified(buf_view(&a), "a", buf_view(&b), "b", &out), ==, 0);
	for (size_t i = 1; i < buf_len(&out); i++)
		cuts += buf_data(&out)[i] == '-' && buf_data(&out)[i - 1] == '\n';
	CHECK_INT(cuts, ==, DIFF_EDITS_MAX);
	buf_fini(&a);
	buf_fini(&b);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_have_no_difference),
		cmocka_unit_test(a_changed_line_is_shown_with_three_lines_around_it),
		cmocka_unit_test(changes_far_apart_are_two_hunks_and_near_ones_are_one),
		cmocka_unit_test(a_text_that_comes_or_goes_is_shown_whole),
		cmocka_unit_test(a_missing_last_line_feed_is_told),
		cmocka_unit_test(insertions_and_deletions_in_between_are_minimal),
		cmocka_unit_test(
			texts_without_a_common_line_beyond_the_bound_are_exchanged_as_a_whole),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
