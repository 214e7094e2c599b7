/*
 * os/log: one line to stderr for each thing worth telling: where, a stable sentence, and fields.
 *
 *	log_warn("derp", "relay closed", "region=%u err=%s", id, err_text(rc));
 *	-> derp: relay closed region=1 err=connection is closed
 *
 * A date goes in front only when stderr is neither a terminal nor the systemd journal; the journal gets the level as it
 * wants it (sd-daemon(3)). Nobody waits for who reads stderr: lines that are not taken are lost, and the next one says how many.
 * A line holds what base/text/plain lets be shown, and what looks like a secret is blanked: a belt over the braces that no such
 * type has a formatter.
 */
#ifndef WARREN_OS_LOG_LOG_H
#define WARREN_OS_LOG_LOG_H

#include "base/attr/attr.h"

enum log_level {
	LOG_LEVEL_ERROR = 3, /* numbers of syslog */
	LOG_LEVEL_WARN = 4,
	LOG_LEVEL_INFO = 6,
	LOG_LEVEL_V1 = 7, /* with --verbose=1 */
	LOG_LEVEL_V2 = 8, /* with --verbose=2 */
};

enum { LOG_LINE_MAX = 2048 }; /* longer lines are cut */

/* 0: errors, warnings, info; 1 and 2: more. May be called again at any time. Before the first call it is 0. */
void log_set_verbose(int verbose);

/* fmt: the fields, or NULL. */
void log_write(enum log_level level, const char *where, const char *what, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#define log_error(where, what, ...) log_write(LOG_LEVEL_ERROR, where, what, __VA_ARGS__)
#define log_warn(where, what, ...) log_write(LOG_LEVEL_WARN, where, what, __VA_ARGS__)
#define log_info(where, what, ...) log_write(LOG_LEVEL_INFO, where, what, __VA_ARGS__)
#define log_v1(where, what, ...) log_write(LOG_LEVEL_V1, where, what, __VA_ARGS__)
#define log_v2(where, what, ...) log_write(LOG_LEVEL_V2, where, what, __VA_ARGS__)

/*
 * For packet paths and whatever a remote party can provoke: LOG_LIMIT_BURST lines at once from one place in the source, then
 * one each LOG_LIMIT_SECONDS, which says how many were left out.
 */
enum { LOG_LIMIT_BURST = 5, LOG_LIMIT_SECONDS = 5 };
struct log_limit {
	int64_t full_at; /* monotonic ns at which the whole burst is allowed again */
	uint64_t dropped;
};
void log_write_limited(struct log_limit *limit, enum log_level level, const char *where,
	const char *what, const char *fmt, ...) PRINTF_LIKE(5, 6);

#define log_limited(level, where, what, ...) \
	do { \
		static struct log_limit log_limit_here; \
		log_write_limited(&log_limit_here, level, where, what, __VA_ARGS__); \
	} while (0)
#define log_warn_limited(where, what, ...) log_limited(LOG_LEVEL_WARN, where, what, __VA_ARGS__)
#define log_info_limited(where, what, ...) log_limited(LOG_LEVEL_INFO, where, what, __VA_ARGS__)
#define log_v1_limited(where, what, ...) log_limited(LOG_LEVEL_V1, where, what, __VA_ARGS__)

#endif
