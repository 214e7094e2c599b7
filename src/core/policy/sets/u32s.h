/* core/policy/sets/u32s: a growing list of numbers; sorted, a set. Zeroed is empty. */
#ifndef WARREN_CORE_POLICY_SETS_U32S_H
#define WARREN_CORE_POLICY_SETS_U32S_H

#include "base/attr/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct u32s {
	uint32_t *v;
	uint32_t n, cap;
};

MUST_USE int u32s_push(struct u32s *s, uint32_t x); /* -ENOMEM */
void u32s_fini(struct u32s *s);
void u32s_sort(struct u32s *s); /* ascending, doubles gone */
/* Where in a sorted one x is, or would be. */
uint32_t u32s_place(const struct u32s *s, uint32_t x);
bool u32s_has(const struct u32s *s, uint32_t x); /* in a sorted one */
/* Have two sorted ones anything in common? */
bool u32s_meet(const struct u32s *a, const struct u32s *b);

#endif
