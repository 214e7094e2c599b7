/*
 * term/table: rows of text in columns. A column is as wide as its longest cell. Where the lines do not fit the terminal, the widest column
 * gives way, one letter at a time, and what is cut ends in an ellipsis; where that is not enough, columns are left out from the right.
 * Control characters, which a device may have put into its name, are shown as question marks.
 */
#ifndef WARREN_TERM_TABLE_H
#define WARREN_TERM_TABLE_H

#include "base/arena/arena.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12 };

struct table {
	struct arena *mem; /* borrowed */
	size_t n_columns;
	size_t gap;       /* between two columns */
	size_t min_width; /* of a column without its gap */
	size_t narrowest; /* a column gives way no further */
	size_t n_kept;    /* columns that are never left out */
	bool pad_last;    /* the last cell is padded, too, where no terminal shows it */
	bool whole[TABLE_COLUMNS_MAX]; /* never shortened */
	size_t n_rows, cap;
	const char **cells; /* n_columns a row */
	bool failed;        /* out of memory: rows are missing */
};

/* As Go's tabwriter lays columns out: min_width is with the gap. All columns stay, and the last is never shortened. */
void table_init_tabs(struct table *t, struct arena *mem, size_t n_columns, size_t min_width,
	size_t gap, bool pad_last);
/*
 * With the first row: texts of n columns; one that begins with = is of a column that is never shortened. Two blanks between columns, three
 * columns stay on a narrow terminal.
 */
void table_init_head(struct table *t, struct arena *mem, const char *const *head, size_t n);
/* As many cells as there are columns; NULL is "". They are borrowed. -ENOMEM, and the table says so when it is printed. */
int table_add(struct table *t, const char *const *cells, size_t n);
#define TABLE_ROW(t, ...) \
	table_add((t), (const char *const[]){ __VA_ARGS__ }, \
		sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))
/* width: of the terminal; 0: no terminal, as wide as the content. */
void table_print(const struct table *t, FILE *out, size_t width);

#endif
