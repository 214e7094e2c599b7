#include "testlib/check.h"

#include <stdio.h>
#include <stdlib.h>

static char row[256];

void check_row(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(row, sizeof(row), fmt, ap);
	va_end(ap);
}

void check_fail(const char *file, int line, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_error(
		"%s:%d: %s%s%s%s\n", file, line, row[0] ? "[" : "", row, row[0] ? "] " : "", text);
	_fail(file, line);
	abort(); /* _fail does not come back */
}

void check_str(const char *file, int line, const char *a, const char *b)
{
	if (!a || !b ? a != b : strcmp(a, b) != 0)
		check_fail(file, line, "\"%s\" is not \"%s\"", a ? a : "(null)", b ? b : "(null)");
}

void check_mem(const char *file, int line, const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (size_t i = 0; i < n; i++)
		if (x[i] != y[i])
			check_fail(
				file, line, "byte %zu of %zu: %02x is not %02x", i, n, x[i], y[i]);
}
