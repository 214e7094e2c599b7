/*
 * testlib/memory_calls: functions that say to testlib/memory where the engine under test begins and ends. A test begins outside
 * (memory_outside), defines one of these for each function of the engine that it calls, by way of which calls count, and one for each
 * function of the network around that the engine calls back; and its meson.build links with -Wl,--wrap=NAME for each of them.
 */
#ifndef WARREN_TESTLIB_MEMORY_CALLS_H
#define WARREN_TESTLIB_MEMORY_CALLS_H

#include "testlib/memory.h"

#define MEMORY_INSIDE(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		type result; \
		memory_inside(); \
		result = __real_##name args; \
		memory_outside(); \
		return result; \
	}
#define MEMORY_INSIDE_VOID(name, params, args) \
	void __real_##name params; \
	void __wrap_##name params; \
	void __wrap_##name params \
	{ \
		memory_inside(); \
		__real_##name args; \
		memory_outside(); \
	}
#define MEMORY_OUTSIDE(type, name, params, args) \
	type __real_##name params; \
	type __wrap_##name params; \
	type __wrap_##name params \
	{ \
		type result; \
		memory_outside(); \
		result = __real_##name args; \
		memory_inside(); \
		return result; \
	}

#endif
