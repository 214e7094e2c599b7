/*
 * cli/flags: command line flags as Go's flag package reads them, so that habits and scripts carry over: -x and --x, "=" or a
 * space before the value, booleans without a value, flags before arguments, "--" ends them, each flag once.
 */
#ifndef WARREN_CLI_FLAGS_H
#define WARREN_CLI_FLAGS_H

#include "base/attr/attr.h"

enum flag_kind { FLAG_BOOL, FLAG_TEXT, FLAG_INT, FLAG_DURATION };

struct flag {
	const char *name; /* NULL ends a table */
	enum flag_kind kind;
	const char *def; /* default; NULL: "", false, 0 */
	const char *help;
	const char *arg; /* what the value is called in the help; NULL: value */
	bool hidden;
	/* filled in */
	bool is_set, on;
	const char *text;
	int64_t n; /* of an int; nanoseconds of a duration */
};

enum { FLAGS_HELP = 1 };
/*
 * Fills in defaults, then reads flags from argv[0] on; *ret_used are done with, the rest are arguments. FLAGS_HELP: -h or
 * --help was there. -ERR_BAD_VALUE: err says what.
 */
MUST_USE int flags_parse(
	struct flag *table, int argc, char **argv, int *ret_used, char *err, size_t err_size);

/* The flag must be in the table. */
struct flag *flag_find(struct flag *table, const char *name);
bool flag_on(const struct flag *table, const char *name);
bool flag_is_set(const struct flag *table, const char *name);
const char *flag_text(const struct flag *table, const char *name); /* never NULL */
int64_t flag_n(const struct flag *table, const char *name);
bool flags_any_set(const struct flag *table);

/* "1h2m3.5s" as Go reads it; the whole text. -ERR_BAD_FORMAT. */
MUST_USE int duration_parse(const char *s, int64_t *ret_ns);
/* As Go prints it: "0s", "31ms", "1.5s", "2m0s". out has 32 bytes. */
char *duration_format(int64_t ns, char *out);

#endif
