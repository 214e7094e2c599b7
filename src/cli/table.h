/*
 * cli/table: columns as Go's tabwriter lays them out: a column is as wide as its longest cell plus padding, or a minimum.
 * On a terminal lines end with their last letter, and the widest column gives way when a line would not fit.
 */
#ifndef WARREN_CLI_TABLE_H
#define WARREN_CLI_TABLE_H

#include "base/arena/arena.h"

#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 8 };

struct table {
	struct arena *arena;
	size_t min_width, padding;
	bool trailing; /* the last cell is padded, too, where no terminal shows it */
	size_t n_columns, n_rows, cap;
	const char **cells; /* n_columns a row */
	bool failed;        /* out of memory */
};

void table_init(struct table *t, struct arena *a, size_t n_columns, size_t min_width,
	size_t padding, bool trailing);
/* As many texts as there are columns. They are borrowed. */
void table_row(struct table *t, ...);
/* width: of the terminal; 0: no terminal. */
void table_print(struct table *t, FILE *out, size_t width);

#endif
