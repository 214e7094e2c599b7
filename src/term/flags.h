/*
 * term/flags: command line flags as Go's flag package reads them, so that habits and scripts carry over: -x and --x, "=" or a space before
 * the value, booleans without a value, "--" ends them. A table says what there is; what was given stands in it after reading.
 */
#ifndef WARREN_TERM_FLAGS_H
#define WARREN_TERM_FLAGS_H

#include "base/arena/arena.h"

#include <stdio.h>

enum flag_kind {
	FLAG_BOOL,
	FLAG_TEXT,
	FLAG_LIST, /* a text; given several times, the values are joined by commas */
	FLAG_INT,
	FLAG_DURATION
};

struct flag {
	const char *name; /* NULL ends a table */
	enum flag_kind kind;
	const char *def; /* default; NULL: "", false, 0 */
	const char *help;
	const char *arg;  /* what the value is called in the help; NULL: value */
	int64_t min, max; /* of an int; both 0: any */
	const char *(*check)(const char *value); /* NULL, or what is wrong with it */
	size_t member;                           /* flags_store: where it belongs, by offsetof */
	unsigned of;                             /* the program's own: which commands take it */
	bool hidden;
	bool or_list; /* of a boolean: a list (with one of "/:,", so that no misspelt boolean is one) is taken, too, and means that it is on */
	/* filled in */
	bool is_set, on;
	const char *text;
	int64_t n; /* of an int; nanoseconds of a duration */
};

enum flags_fault {
	FLAGS_SYNTAX,   /* "---x" */
	FLAGS_UNKNOWN,  /* there is none of this name */
	FLAGS_NO_VALUE, /* the last argument wants one */
	FLAGS_TWICE,
	FLAGS_BAD_VALUE,
	FLAGS_TOO_MANY_WORDS,
	FLAGS_NO_MEMORY
};

struct flags_error {
	enum flags_fault fault;
	const char *given; /* the argument as it stands */
	const char *name;  /* in it; not closed by a NUL */
	size_t name_len;
	const struct flag *flag; /* NULL: unknown */
	const char *value, *why; /* of FLAGS_TWICE and FLAGS_BAD_VALUE */
	const char *meant;       /* of FLAGS_UNKNOWN: one of a name like it; NULL: none */
};

/* A table and how it is read. */
struct flags {
	struct flag *table;
	struct arena *mem; /* of joined lists; NULL where the table has none */
	bool once;         /* a flag that is given twice is a mistake; else the last one counts */
};

enum { FLAGS_HELP = 1 };
/*
 * Fills in defaults, then reads flags from argv[0] on, until the first word that is none; *ret_used are done with. FLAGS_HELP: -h or --help
 * was there and is none of the table. -ERR_BAD_VALUE, -ENOMEM: err says what.
 */
MUST_USE int flags_parse(const struct flags *f, int argc, char *const argv[], int *ret_used,
	struct flags_error *err);
/* Flags stand before, between and behind words: these are handed out, at most max. */
MUST_USE int flags_parse_mixed(const struct flags *f, int argc, char *const argv[],
	const char **ret_words, size_t max, size_t *ret_n, struct flags_error *err);
/* A value from elsewhere (environment, file), for after parsing: what was given before goes before. */
MUST_USE int flags_give(struct flag *flag, const char *value, struct flags_error *err);
/* Puts what was given, and what has a default, to its member of options: const char *, bool or int64_t. The others stay as they are. */
void flags_store(const struct flag *table, void *options);

/* In the words of Go's flag package, which scripts know. */
void flags_explain_go(const struct flags_error *err, char *out, size_t size);
/* In words that say what to do. */
void flags_explain(const struct flags_error *err, const char *program, char *out, size_t size);

/*
 * The flags that are of one of these (0: all) and not hidden, a line each; help texts begin in this column, and go on there behind a line
 * end.
 */
void flags_print_help(const struct flag *table, unsigned of, int column, FILE *out);
void flags_print_one(const struct flag *flag, const char *help, int column, FILE *out);

/* NULL: there is none. */
struct flag *flags_find(struct flag *table, const char *name, size_t len);
/* The words of Go's strconv.ParseBool. -ERR_BAD_VALUE. */
MUST_USE int flags_parse_bool(const char *s, bool *ret);
bool flags_any_set(const struct flag *table);
/* The flag must be in the table. */
bool flag_on(const struct flag *table, const char *name);
bool flag_is_set(const struct flag *table, const char *name);
const char *flag_text(const struct flag *table, const char *name); /* never NULL */
int64_t flag_n(const struct flag *table, const char *name);

#endif
