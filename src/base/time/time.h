/*
 * base/time: time types and their arithmetic. No clock here: the event loop samples the clocks once per
 * wake-up and hands the values down.
 */
#ifndef WARREN_BASE_TIME_TIME_H
#define WARREN_BASE_TIME_TIME_H

#include "base/attr/attr.h"

typedef int64_t mono_ns; /* nanoseconds of a clock that never steps; the origin has no meaning */
typedef int64_t unix_ms; /* milliseconds since 1970 UTC; 0 is "none" */

#define MONO_NEVER INT64_MAX
#define UNIX_MS_MAX 253402300799999 /* the last of year 9999: no text has a later one */
#define NSEC(n) ((mono_ns)(n))
#define USEC(n) ((mono_ns)(n)*1000)
#define MSEC(n) ((mono_ns)(n)*1000000)
#define SEC(n) ((mono_ns)(n)*1000000000)

/* Both clocks as sampled at one wake-up. */
struct now {
	mono_ns mono;
	unix_ms wall;
};

static inline mono_ns mono_min(mono_ns a, mono_ns b)
{
	return a < b ? a : b;
}

/* t + d that saturates at MONO_NEVER. d is not negative. */
static inline mono_ns mono_add(mono_ns t, mono_ns d)
{
	return t > MONO_NEVER - d ? MONO_NEVER : t + d;
}

#define TIME_RFC3339_MAX 36

/* "2006-01-02T15:04:05.123Z" (Go's RFC3339Nano: trailing zeros of the fraction are cut). out: TIME_RFC3339_MAX. */
void time_format_rfc3339(unix_ms t, char *out);
/* Accepts fractions of any length and offsets. Go's zero time (year 1) gives 0. -ERR_BAD_FORMAT. */
MUST_USE int time_parse_rfc3339(const char *s, size_t len, unix_ms *ret);

/* For people. out: TIME_WORDS_MAX. */
#define TIME_WORDS_MAX 48
/* For tables: "3m ago", "in 2d", "now"; "-" for none. */
void time_format_short(unix_ms t, unix_ms now, char *out);
/* In sentences: "3 minutes ago", "in 1 day", "just now"; "never" for none. */
void time_format_long(unix_ms t, unix_ms now, char *out);
/* How long: "45 s", "12 min", "3 h 5 min", "4 d 2 h". */
void time_format_span(int64_t seconds, char *out);

#endif
