#include "testlib/memory.h"

#include <stdlib.h>
#include <string.h>

static size_t left; /* allocations until one is refused; 0: none will be */
static bool did;
static int outside; /* how often it was left */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void memory_refuse(size_t nth)
{
	left = nth;
	did = false;
}

bool memory_allow(void)
{
	left = 0;
	return did;
}

void memory_outside(void)
{
	outside++;
}

void memory_inside(void)
{
	outside--;
}

static bool refused(void)
{
	if (outside > 0 || !left || --left)
		return false;
	did = true;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return refused() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return refused() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = __wrap_malloc(n);

	return copy ? memcpy(copy, s, n) : NULL;
}
