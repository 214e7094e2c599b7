/* base/attr: short names for the compiler attributes that we use, and the checks that stay on. */
#ifndef WARREN_BASE_ATTR_ATTR_H
#define WARREN_BASE_ATTR_ATTR_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(a, b) __attribute__((format(printf, a, b)))
#define FALLTHROUGH __attribute__((fallthrough))
#define UNUSED __attribute__((unused))

/*
 * AUTO(relay) *r = relay_new(); frees on every early return. The type needs
 * DEFINE_AUTO(relay) after the declaration of relay_free.
 */
#define AUTO(name) __attribute__((cleanup(name##_auto_free))) struct name
#define DEFINE_AUTO(name) \
	static inline void name##_auto_free(struct name **p) \
	{ \
		name##_free(*p); \
	}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))
#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* For our own mistakes, never for input. Stays on in release builds. */
#define CHECK(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #cond); \
			abort(); \
		} \
	} while (0)

#endif
