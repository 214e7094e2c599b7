#include "os/filequeue/filequeue.h"
#include "os/file/file.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	struct loop *loop;
	struct filequeue *queue;
	char dir[64], path[96], deep[128];
	unsigned written;
	int rc;
} w;

static void on_written(void *ctx, const char *path, int rc)
{
	CHECK_TRUE(ctx == &w);
	CHECK_TRUE(!strcmp(path, w.path) || !strcmp(path, w.deep) || rc < 0);
	w.written++;
	w.rc = rc;
}

static void start(void)
{
	memset(&w, 0, sizeof(w));
	strcpy(w.dir, "/tmp/warren-queue-XXXXXX");
	CHECK_TRUE(mkdtemp(w.dir));
	snprintf(w.path, sizeof(w.path), "%s/state", w.dir);
	snprintf(w.deep, sizeof(w.deep), "%s/a/b/map", w.dir);
	CHECK_INT(loop_new(&w.loop), ==, 0);
	CHECK_INT(filequeue_new(&w.queue, w.loop, on_written, &w), ==, 0);
}

static void end(void)
{
	w.queue = filequeue_free(w.queue);
	loop_free(w.loop);
}

static void write_text(const char *path, const char *text)
{
	struct buf b;

	buf_init_secret(&b, 1024);
	CHECK_INT(buf_append_str(&b, text), ==, 0);
	CHECK_INT(filequeue_write(w.queue, path, &b, 0600), ==, 0);
	CHECK_INT(buf_len(&b), ==, 0); /* it was taken */
}

static void check_file(const char *path, const char *want)
{
	struct buf b;

	buf_init(&b, 1024);
	CHECK_INT(file_read(path, &b), ==, 0);
	CHECK_STR(buf_cstr(&b), want);
	buf_fini(&b);
}

static void later_writes_replace_those_that_wait(void **state)
{
	char text[16];

	(void)state;
	start();
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%d", i);
		write_text(w.path, text);
		CHECK_TRUE(filequeue_has(w.queue, w.path));
	}
	loop_run(w.loop); /* it ends when nothing is to be waited for */
	CHECK_TRUE(!filequeue_has(w.queue, w.path));
	CHECK_INT(w.written, ==, 2); /* the first, and the last */
	CHECK_INT(w.rc, ==, 0);
	check_file(w.path, "99");
	unlink(w.path);
	end();
	rmdir(w.dir);
}

static void directories_come_and_go_and_the_end_waits(void **state)
{
	struct stat st;
	char dir[128];

	(void)state;
	start();
	write_text(w.path, "s");
	write_text(w.deep, "m");
	end();
	CHECK_INT(w.written, ==, 2);
	check_file(w.path, "s");
	check_file(w.deep, "m");
	CHECK_INT(loop_new(&w.loop), ==, 0);
	CHECK_INT(filequeue_new(&w.queue, w.loop, on_written, &w), ==, 0);
	write_text(w.deep, "again");
	CHECK_INT(filequeue_remove(w.queue, w.deep), ==, 0);
	CHECK_INT(filequeue_remove(w.queue, w.path), ==, 0);
	CHECK_TRUE(!filequeue_has(w.queue, w.path));
	end();
	snprintf(dir, sizeof(dir), "%s/a/b", w.dir);
	CHECK_TRUE(stat(dir, &st) < 0 && errno == ENOENT);
	snprintf(dir, sizeof(dir), "%s/a", w.dir);
	rmdir(dir);
	CHECK_INT(rmdir(w.dir), ==, 0); /* nothing else is left in it */
}

static void what_fails_is_told(void **state)
{
	(void)state;
	start();
	write_text("/proc/nothing/here", "x");
	loop_run(w.loop);
	CHECK_INT(w.written, ==, 1);
	CHECK_INT(w.rc, <, 0);
	end();
	rmdir(w.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(later_writes_replace_those_that_wait),
		cmocka_unit_test(directories_come_and_go_and_the_end_waits),
		cmocka_unit_test(what_fails_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
