/* testlib/check: the few helpers over cmocka. They print both values and are never compiled out. */
#ifndef WARREN_TESTLIB_CHECK_H
#define WARREN_TESTLIB_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <string.h>
#include <cmocka.h>

#define CHECK_INT(a, op, b) \
	do { \
		long long check_a = (long long)(a), check_b = (long long)(b); \
		if (!(check_a op check_b)) \
			check_fail(__FILE__, __LINE__, "%s %s %s: %lld, %lld", #a, #op, #b, \
				check_a, check_b); \
	} while (0)
#define CHECK_TRUE(c) \
	do { \
		if (!(c)) \
			check_fail(__FILE__, __LINE__, "not true: %s", #c); \
	} while (0)
#define CHECK_STR(a, b) check_str(__FILE__, __LINE__, (a), (b))
#define CHECK_MEM(a, b, n) check_mem(__FILE__, __LINE__, (a), (b), (n))
/* Names the row of a table test; printed when a check fails, until the next row. */
#define CHECK_ROW(...) check_row(__VA_ARGS__)

void check_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void check_str(const char *file, int line, const char *a, const char *b);
void check_mem(const char *file, int line, const void *a, const void *b, size_t n);
void check_row(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
