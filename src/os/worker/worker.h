/*
 * os/worker: one thread beside the loop, for what may have to wait for a disk. Jobs run one after another, in the order in which
 * they were given, and the loop hears of each when it is done. What a job touches belongs to the thread from worker_add until its
 * `done` is called.
 */
#ifndef WARREN_OS_WORKER_WORKER_H
#define WARREN_OS_WORKER_WORKER_H

#include "base/list/list.h"
#include "os/loop/loop.h"

struct worker;

/* Part of what its owner gives; the owner's again when done is called. */
struct worker_job {
	struct list link;
	void (*run)(struct worker_job *j);  /* in the thread */
	void (*done)(struct worker_job *j); /* on the loop; may give another job */
};

/* Starts the thread, with the rights that the process has at that moment and without its signals. -errno. */
MUST_USE int worker_new(struct worker **ret, struct loop *l);
void worker_add(struct worker *w, struct worker_job *j);
/* Waits until all jobs are done, also those that a `done` gives: for the end of a program, when no loop runs any more. */
void worker_finish(struct worker *w);
/* Jobs that have not begun are not run: worker_finish is called before. */
struct worker *worker_free(struct worker *w);

#endif
