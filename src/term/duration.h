/* term/duration: durations as people write and read them. One grammar: Go's "1h2m3.5s", and d for days. */
#ifndef WARREN_TERM_DURATION_H
#define WARREN_TERM_DURATION_H

#include "base/attr/attr.h"

#include <stdint.h>

enum { DURATION_TEXT_MAX = 32 };

/* "1h2m3.5s", "90d", "-5ms", "0"; the whole text. In nanoseconds. -ERR_BAD_VALUE. */
MUST_USE int duration_parse(const char *s, int64_t *ret_ns);
/* How long something holds, in milliseconds: "30m", "90d"; "0" and "never" give 0. -ERR_BAD_VALUE, also for less than 1 ms. */
MUST_USE int duration_parse_life(const char *s, int64_t *ret_ms);
/* As Go prints it: "0s", "31ms", "1.5s", "2m0s". Returns out. */
char *duration_format(int64_t ns, char out[static DURATION_TEXT_MAX]);

#endif
