#include "os/worker/worker.h"
#include "testlib/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { JOBS = 200 };

struct note {
	struct worker_job job;
	struct rig *w;
	int number;
	pthread_t ran_in;
	bool term_blocked;
};

struct rig {
	struct loop *loop;
	struct worker *worker;
	struct note notes[JOBS];
	int ran[JOBS], n_ran; /* the thread's, until it is done */
	int n_done;
	bool again;  /* each done gives one more job */
	int gate[2]; /* the first job waits until it can read a byte */
};

static void run(struct worker_job *j)
{
	struct note *n = container_of(j, struct note, job);
	sigset_t set;
	char c;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	n->term_blocked = sigismember(&set, SIGTERM) == 1;
	n->ran_in = pthread_self();
	if (n->number == 0 && n->w->gate[0] >= 0)
		CHECK_INT(read(n->w->gate[0], &c, 1), ==, 1);
	n->w->ran[n->w->n_ran++] = n->number;
}

static void done(struct worker_job *j)
{
	struct note *n = container_of(j, struct note, job);
	struct rig *w = n->w;

	CHECK_INT(w->ran[w->n_done], ==, n->number);
	w->n_done++;
	if (w->again && n->number + 1 < JOBS)
		worker_add(w->worker, &w->notes[n->number + 1].job);
	if (w->n_done == JOBS)
		loop_stop(w->loop);
}

static void rig_new(struct rig *w)
{
	*w = (struct rig){ .gate = { -1, -1 } };
	CHECK_INT(loop_new(&w->loop), ==, 0);
	CHECK_INT(worker_new(&w->worker, w->loop), ==, 0);
	for (int i = 0; i < JOBS; i++)
		w->notes[i] =
			(struct note){ .job = { .run = run, .done = done }, .w = w, .number = i };
}

static void rig_free(struct rig *w)
{
	worker_free(w->worker);
	loop_free(w->loop);
	if (w->gate[0] >= 0) {
		close(w->gate[0]);
		close(w->gate[1]);
	}
}

static void let_go(void *ctx)
{
	struct rig *w = ctx;

	CHECK_INT(w->n_done, ==, 0); /* the loop ran on while the thread was stuck */
	CHECK_INT(write(w->gate[1], "x", 1), ==, 1);
}

static void jobs_run_in_order_beside_the_loop(void **state)
{
	static struct rig w;
	struct loop_timer *t;

	(void)state;
	rig_new(&w);
	CHECK_INT(pipe(w.gate), ==, 0);
	CHECK_INT(loop_timer_new(w.loop, let_go, &w, &t), ==, 0);
	loop_timer_set(t, loop_now(w.loop).mono + MSEC(30));
	for (int i = 0; i < JOBS; i++)
		worker_add(w.worker, &w.notes[i].job);
	loop_run(w.loop);
	CHECK_INT(w.n_done, ==, JOBS);
	CHECK_TRUE(!pthread_equal(w.notes[0].ran_in, pthread_self()));
	CHECK_TRUE(w.notes[0].term_blocked);
	loop_timer_free(t);
	rig_free(&w);
}

static void a_finish_waits_for_all_and_for_what_they_give(void **state)
{
	static struct rig w;

	(void)state;
	rig_new(&w);
	w.again = true;
	worker_add(w.worker, &w.notes[0].job);
	worker_finish(w.worker);
	CHECK_INT(w.n_done, ==, JOBS);
	worker_finish(w.worker); /* nothing to do */
	rig_free(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_run_in_order_beside_the_loop),
		cmocka_unit_test(a_finish_waits_for_all_and_for_what_they_give),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
