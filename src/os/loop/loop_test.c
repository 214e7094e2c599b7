#include "os/loop/loop.h"
#include "testlib/check.h"

#include <sys/wait.h>
#include <unistd.h>

static struct loop *loop;
static int ends[2];
static mono_ns at_timer, at_read;

static void on_timer(void *ctx)
{
	at_timer = loop_now(loop).mono;
}

static void on_readable(void *ctx, int events)
{
	at_read = loop_now(loop).mono;
	loop_stop(loop);
}

static void hook(void *ctx)
{
	(void)loop_now(loop); /* as hooks do */
}

static void what_arrives_after_a_sleep_sees_the_time_of_its_arrival(void **state)
{
	struct loop_watch *w;
	struct loop_timer *t;
	pid_t child;

	CHECK_INT(loop_new(&loop), ==, 0);
	CHECK_INT(pipe(ends), ==, 0);
	CHECK_INT(loop_on_turn_end(loop, hook, NULL), ==, 0);
	CHECK_INT(loop_watch_new(loop, ends[0], on_readable, NULL, &w), ==, 0);
	loop_watch_set(w, LOOP_READ);
	CHECK_INT(loop_timer_new(loop, on_timer, NULL, &t), ==, 0);
	loop_timer_set(t, loop_now(loop).mono);
	child = fork();
	if (child == 0) {
		usleep(50000); /* what is tested is that time passed */
		_exit(write(ends[1], "x", 1) != 1);
	}
	loop_run(loop);
	CHECK_INT(waitpid(child, NULL, 0), ==, child);
	CHECK_TRUE(at_timer > 0);
	CHECK_INT(at_read - at_timer, >=, MSEC(40));
	loop_watch_free(w);
	loop_timer_free(t);
	loop = loop_free(loop);
	close(ends[0]);
	close(ends[1]);
}

static struct loop_task task, another;
static int order[4], n_order;

static void on_another(void *ctx)
{
	order[n_order++] = 3;
	loop_stop(loop);
}

static void on_task(void *ctx)
{
	order[n_order++] = 2;
	loop_soon(loop, &another, on_another, NULL);
}

static void asks_for_a_task(void *ctx)
{
	loop_soon(loop, &task, on_task, NULL);
	loop_soon(loop, &task, on_task, NULL);
	order[n_order++] = 1;
}

static void a_task_runs_once_when_the_callback_is_over(void **state)
{
	struct loop_timer *t;

	CHECK_INT(loop_new(&loop), ==, 0);
	CHECK_INT(loop_timer_new(loop, asks_for_a_task, NULL, &t), ==, 0);
	loop_timer_set(t, loop_now(loop).mono);
	loop_run(loop);
	CHECK_INT(n_order, ==, 3);
	CHECK_TRUE(order[0] == 1 && order[1] == 2 && order[2] == 3);
	loop_timer_free(t);
	loop = loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_arrives_after_a_sleep_sees_the_time_of_its_arrival),
		cmocka_unit_test(a_task_runs_once_when_the_callback_is_over),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
