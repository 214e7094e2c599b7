/* Tables, as Go's tabwriter lays them out and as they fit a terminal. */
#include "base/err/err.h"
#include "term/table.h"
#include "testlib/check.h"

#include <stdlib.h>

static void print(size_t width, bool trailing, const char *want)
{
	struct arena a;
	struct table t;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	arena_init(&a, 100000);
	table_init_tabs(&t, &a, 3, 4, 2, trailing);
	TABLE_ROW(&t, "a", "bb", "c");
	TABLE_ROW(&t, "ä", "a rather long cell", "ccc");
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

static void tables_fit_the_terminal_and_show_no_control_characters(void **state)
{
	char *text = NULL;
	size_t len = 0;
	struct arena mem;
	struct table t;
	FILE *f = open_memstream(&text, &len);

	arena_init(&mem, 1 << 20);
	table_init_head(&t, &mem, (const char *const[]){ "ID", "NAME" }, 2);
	CHECK_INT(TABLE_ROW(&t, "1", "short"), ==, 0);
	CHECK_INT(TABLE_ROW(&t, "22", "a name that is long\033[2J"), ==, 0);
	table_print(&t, f, 16);
	table_print(&t, f, 0);
	fclose(f);
	CHECK_STR(text, "ID  NAME\n1   short\n22  a name that\xe2\x80\xa6\n"
			"ID  NAME\n1   short\n22  a name that is long?[2J\n");
	free(text);
	arena_fini(&mem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_cells),
		cmocka_unit_test(tables_fit_the_terminal_and_show_no_control_characters),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
