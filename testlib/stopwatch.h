/* What benchmarks measure with. Only they: tests are handed their time. */
#ifndef TESTLIB_STOPWATCH_H
#define TESTLIB_STOPWATCH_H

#include <time.h>

static inline double stopwatch_of(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Seconds since some moment. */
static inline double stopwatch(void)
{
	return stopwatch_of(CLOCK_MONOTONIC);
}

/* Seconds that this thread has computed: does not count who else wants the core. */
static inline double stopwatch_cpu(void)
{
	return stopwatch_of(CLOCK_THREAD_CPUTIME_ID);
}

#endif
