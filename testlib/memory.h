/*
 * testlib/memory: the nth allocation of a program is refused. For programs that depend on memory_dep, which puts this between their
 * code and malloc; what shared libraries allocate by themselves is not seen.
 *
 * A test tells a story with the nth allocation refused, for every n until the story needs fewer: nothing crashes, nothing leaks
 * (under the sanitizers), and what went wrong is repaired afterwards, when there is memory again.
 */
#ifndef WARREN_TESTLIB_MEMORY_H
#define WARREN_TESTLIB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* The nth allocation from now on fails, n >= 1; only that one. */
void memory_refuse(size_t nth);
/* No more. True: one was refused since memory_refuse. */
bool memory_allow(void);

/*
 * Where more than the engine under test allocates: what comes after memory_outside is not counted, until memory_inside. Both nest, and
 * every program begins inside.
 */
void memory_outside(void);
void memory_inside(void);

#endif
