/* os/log that says nothing: a hub says a line for most of what a fuzzer does. */
#include "os/log/log.h"

void log_set_verbose(int verbose) {}

void log_write(enum log_level level, const char *where, const char *what, const char *fmt, ...) {}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *where,
	const char *what, const char *fmt, ...)
{
}
