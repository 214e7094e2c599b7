/*
 * os/loop: the event loop, over libuv. One loop owns all engines of a program. It samples the clocks once per turn
 * (loop_now) and runs the end-of-turn hooks before it sleeps: that is where changes of a whole turn are committed.
 */
#ifndef WARREN_OS_LOOP_LOOP_H
#define WARREN_OS_LOOP_LOOP_H

#include "base/err/err.h"
#include "base/time/time.h"

struct loop;
struct loop_timer;
struct loop_watch;

MUST_USE int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *l);
void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);
struct now loop_now(struct loop *l);      /* of this turn */
uint64_t loop_turn(const struct loop *l); /* its number, from 1 */
void *loop_uv(struct loop *l);            /* uv_loop_t, for other edges of this floor */
/* Scratch memory that is free between two callbacks. */
enum { LOOP_SCRATCH_LEN = 256 * 1024 };
uint8_t *loop_scratch(struct loop *l);

/* Calls back at or soon after the deadline that was set last. MONO_NEVER stops. */
MUST_USE int loop_timer_new(
	struct loop *l, void (*fn)(void *ctx), void *ctx, struct loop_timer **ret);
void loop_timer_set(struct loop_timer *t, mono_ns at);
struct loop_timer *loop_timer_free(struct loop_timer *t);

enum {
	LOOP_READ = 1,
	LOOP_WRITE = 2,
	LOOP_URGENT = 4
}; /* urgent: POLLPRI, as files of the kernel tell that they changed */
MUST_USE int loop_watch_new(struct loop *l, int fd, void (*fn)(void *ctx, int events), void *ctx,
	struct loop_watch **ret);
void loop_watch_set(struct loop_watch *w, int events);
struct loop_watch *loop_watch_free(struct loop_watch *w); /* does not close the descriptor */

/* Embedded by its owner, who zeroes it. */
struct loop_task {
	struct loop_task *next;
	void (*fn)(void *ctx);
	void *ctx;
	bool waits;
};
/*
 * Calls back as soon as the present callback is over: nobody's engine is in the middle of anything then. Harmless twice. The task
 * stays where it is until it was called.
 */
void loop_soon(struct loop *l, struct loop_task *t, void (*fn)(void *ctx), void *ctx);

/* Once, at the end of each turn. */
MUST_USE int loop_on_turn_end(struct loop *l, void (*fn)(void *ctx), void *ctx);
/* SIGTERM and SIGINT stop the loop; SIGPIPE is ignored. */
MUST_USE int loop_stop_on_signals(struct loop *l);
/* SIGHUP calls this; until then it ends the program. */
MUST_USE int loop_on_hup(struct loop *l, void (*fn)(void *ctx), void *ctx);

/* The kernel's randomness; aborts when there is none. */
struct rng;
struct rng *loop_rng(void);

#endif
