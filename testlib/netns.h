/*
 * testlib/netns: a network namespace of the test's own, so that it may make interfaces, routes and rules. Needs root or the
 * right to make user namespaces.
 */
#ifndef WARREN_TESTLIB_NETNS_H
#define WARREN_TESTLIB_NETNS_H

#include <stdbool.h>

/* Enters a new one, with the loopback interface up. False: not possible here; says so, and the test is to be skipped. */
bool netns_enter(void);
/* Runs a program of the system (printf-like command line, by the shell), its output and errors together; static storage. */
const char *netns_run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The caller has an interface of this name? */
bool netns_has_if(const char *name);

#endif
