#include "os/file/file.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/warren-file-XXXXXX";
static char path[64];

static void content_is_replaced_whole_and_keeps_its_mode(void **state)
{
	struct stat st;
	struct buf b;

	buf_init(&b, 100);
	CHECK_INT(file_read(path, &b), ==, -ENOENT);
	CHECK_INT(file_write(path, VIEW_LIT("first, longer"), 0600), ==, 0);
	CHECK_INT(file_write(path, VIEW_LIT("second"), 0600), ==, 0);
	CHECK_INT(file_read(path, &b), ==, 0);
	CHECK_STR(buf_cstr(&b), "second");
	CHECK_INT(stat(path, &st), ==, 0);
	CHECK_INT(st.st_mode & 0777, ==, 0600);
	buf_fini(&b);
	buf_init(&b, 3);
	CHECK_INT(file_read(path, &b), ==, -ERR_TOO_BIG);
	buf_fini(&b);
	CHECK_INT(file_write("/nonexistent/x", VIEW_LIT("x"), 0600), ==, -ENOENT);
	unlink(path);
}

static void private_key_is_made_once_and_garbage_is_refused(void **state)
{
	uint8_t a[32], b[32];

	CHECK_INT(file_private_key(path, a), ==, 0);
	CHECK_INT(file_private_key(path, b), ==, 0);
	CHECK_MEM(a, b, 32);
	CHECK_INT(file_write(path, VIEW_LIT("privkey:zz"), 0600), ==, 0);
	CHECK_INT(file_private_key(path, b), ==, -ERR_BAD_FORMAT);
	unlink(path);
}

static void directories_are_made_with_their_parents(void **state)
{
	char deep[64];
	struct stat st;

	snprintf(deep, sizeof(deep), "%s/a/b", dir);
	CHECK_INT(file_make_dir(deep, 0700), ==, 0);
	CHECK_INT(file_make_dir(deep, 0700), ==, 0);
	CHECK_INT(stat(deep, &st), ==, 0);
	CHECK_INT(st.st_mode & 0777, ==, 0700);
	rmdir(deep);
	deep[strlen(deep) - 2] = 0;
	rmdir(deep);
}

/* Sockets lie in directories that others may enter; a careful umask of root must not close those. */
static void the_umask_takes_nothing_away(void **state)
{
	char deep[64];
	struct stat st;
	mode_t before = umask(0077);

	snprintf(deep, sizeof(deep), "%s/c/d", dir);
	CHECK_INT(file_make_dir(deep, 0755), ==, 0);
	umask(before);
	CHECK_INT(stat(deep, &st), ==, 0);
	CHECK_INT(st.st_mode & 0777, ==, 0755);
	rmdir(deep);
	deep[strlen(deep) - 2] = 0;
	CHECK_INT(stat(deep, &st), ==, 0);
	CHECK_INT(st.st_mode & 0777, ==, 0755);
	rmdir(deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_is_replaced_whole_and_keeps_its_mode),
		cmocka_unit_test(private_key_is_made_once_and_garbage_is_refused),
		cmocka_unit_test(directories_are_made_with_their_parents),
		cmocka_unit_test(the_umask_takes_nothing_away),
	};
	int rc;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/f", dir);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return rc;
}
