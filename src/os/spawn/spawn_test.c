#include "os/spawn/spawn.h"
#include "os/loop/loop.h"
#include "testlib/check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct loop *loop;
static int end_rc, end_status, n_ends;
static char end_out[256], end_err[SPAWN_ERR_MAX + 1];

static void copy(char *to, size_t size, struct view v)
{
	snprintf(to, size, "%.*s", (int)v.len, (const char *)v.p);
}

static void on_end(void *ctx, int rc, int status, struct view out, struct view err)
{
	(void)ctx;
	n_ends++;
	end_rc = rc;
	end_status = status;
	copy(end_out, sizeof(end_out), out);
	copy(end_err, sizeof(end_err), err);
	loop_stop(loop);
}

static size_t file_max;
static struct view input;
static const char *const env[] = { "PATH=/usr/bin:/bin", "GREETING=hello", NULL };

static int run(const char *const *argv, size_t out_max, int64_t timeout)
{
	struct spawn_cfg cfg = { .loop = loop,
		.argv = argv,
		.env = env,
		.dir = "/",
		.in = input,
		.out_max = out_max,
		.file_max = file_max,
		.timeout = timeout,
		.on_end = on_end };
	struct spawn *s;
	int rc = spawn_new(&s, &cfg);

	if (rc == 0)
		loop_run(loop);
	return rc;
}

static void a_program_gets_its_arguments_and_environment_as_they_are(void **state)
{
	static const char *const argv[] = { "printf", "%s|%s", "a b; $(c)", "*", NULL },
				 *const printenv[] = { "env", NULL };

	(void)state;
	CHECK_INT(run(argv, 100, SEC(20)), ==, 0);
	CHECK_INT(end_rc, ==, 0);
	CHECK_STR(end_out, "a b; $(c)|*");
	CHECK_INT(run(printenv, 100, SEC(20)), ==, 0);
	CHECK_STR(end_out, "PATH=/usr/bin:/bin\nGREETING=hello\n");
}

static void it_reads_what_it_is_given(void **state)
{
	static const char *const argv[] = { "cat", NULL };

	(void)state;
	CHECK_INT(run(argv, 100, SEC(20)), ==, 0);
	CHECK_STR(end_out, "");
	input = VIEW_LIT("nameserver 10.0.0.1\n");
	CHECK_INT(run(argv, 100, SEC(20)), ==, 0);
	input = (struct view){ 0 };
	CHECK_INT(end_status, ==, 0);
	CHECK_STR(end_out, "nameserver 10.0.0.1\n");
}

static void its_status_and_what_it_complains_of_come_back(void **state)
{
	static const char *const argv[] = { "ls", "/does/not/exist", NULL };

	(void)state;
	CHECK_INT(run(argv, 100, SEC(20)), ==, 0);
	CHECK_INT(end_rc, ==, 0);
	CHECK_INT(end_status, ==, 2);
	CHECK_TRUE(strstr(end_err, "/does/not/exist"));
}

static void a_file_without_end_is_cut_off(void **state)
{
	static const char *const argv[] = { "dd", "if=/dev/zero", "of=/dev/shm/warren-spawn-test",
		"bs=1M", "count=3", NULL };

	(void)state;
	file_max = 1 << 20;
	CHECK_INT(run(argv, 100, SEC(20)), ==, 0);
	file_max = 0;
	CHECK_INT(end_status, ==, 128 + SIGXFSZ);
	CHECK_INT(unlink("/dev/shm/warren-spawn-test"), ==, 0);
}

static void output_without_end_is_cut_off(void **state)
{
	static const char *const argv[] = { "yes", NULL };

	(void)state;
	CHECK_INT(run(argv, 100000, SEC(20)), ==, 0);
	CHECK_INT(end_rc, ==, -ERR_TOO_BIG);
}

static void time_is_bounded_for_its_children_too(void **state)
{
	static const char *const argv[] = { "timeout", "60", "sleep", "60", NULL };

	(void)state;
	CHECK_INT(run(argv, 100, MSEC(100)), ==, 0);
	CHECK_INT(end_rc, ==, -ETIMEDOUT);
	CHECK_INT(end_status, ==, 128 + SIGKILL);
}

static void a_program_that_is_not_there_is_said_at_once(void **state)
{
	static const char *const argv[] = { "no-such-program", NULL };

	(void)state;
	CHECK_INT(run(argv, 100, SEC(20)), ==, -ENOENT);
}

static void stop(void *ctx)
{
	(void)ctx;
	loop_stop(loop);
}

static void freed_early_it_ends_without_a_word(void **state)
{
	static const char *const argv[] = { "sleep", "60", NULL };
	struct spawn_cfg cfg = { .loop = loop,
		.argv = argv,
		.env = env,
		.out_max = 1,
		.timeout = SEC(60),
		.on_end = on_end };
	struct loop_timer *t;
	struct spawn *s;
	int before = n_ends;

	(void)state;
	CHECK_INT(spawn_new(&s, &cfg), ==, 0);
	spawn_free(s);
	CHECK_INT(loop_timer_new(loop, stop, NULL, &t), ==, 0);
	loop_timer_set(t, mono_add(loop_now(loop).mono, MSEC(50)));
	loop_run(loop);
	loop_timer_free(t);
	CHECK_INT(n_ends, ==, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_gets_its_arguments_and_environment_as_they_are),
		cmocka_unit_test(it_reads_what_it_is_given),
		cmocka_unit_test(its_status_and_what_it_complains_of_come_back),
		cmocka_unit_test(a_file_without_end_is_cut_off),
		cmocka_unit_test(output_without_end_is_cut_off),
		cmocka_unit_test(time_is_bounded_for_its_children_too),
		cmocka_unit_test(a_program_that_is_not_there_is_said_at_once),
		cmocka_unit_test(freed_early_it_ends_without_a_word),
	};
	int rc;

	cmocka_set_message_output(CM_OUTPUT_TAP);
	if (loop_new(&loop) < 0)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop_free(loop);
	return rc;
}
