/* hub/table: rows of text in columns that fit the terminal. */
#ifndef WARREN_HUB_TABLE_H
#define WARREN_HUB_TABLE_H

#include "base/arena/arena.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 12 };

struct table {
	struct arena *mem; /* borrowed; cells must live as long */
	size_t n_columns, n_rows, cap;
	const char **cell; /* row by row; the first row is the head */
	bool whole[TABLE_COLUMNS_MAX];
};

/* The head's texts, NULL at the end; one that begins with = is of a column that is never shortened. */
void table_init(struct table *t, struct arena *mem, const char *const *head);
/* As many cells as there are columns. -ENOMEM. */
MUST_USE int table_add(struct table *t, const char *const *cells);
/*
 * width 0: as wide as the content; else the widest columns give way and long cells end in an ellipsis; where that is not enough, the
 * last columns are left out. Control characters, which a device may have put into its name, are shown as question marks.
 */
void table_print(const struct table *t, size_t width, FILE *out);
/* Of the terminal behind a stream; 0 if it is none. */
size_t table_terminal_width(void);

#endif
