#include "tests/sim/simnet.h"

#include <string.h>

enum { ROWS_MAX = 32, COLS_MAX = 10, NAME_LEN = 28 };

struct cell {
	double *v;
	size_t n, cap;
};

static struct {
	char rows[ROWS_MAX][NAME_LEN], cols[COLS_MAX][NAME_LEN];
	struct cell cells[ROWS_MAX][COLS_MAX];
	size_t n_rows, n_cols;
} table;

static size_t index_of(char (*names)[NAME_LEN], size_t *n, size_t max, const char *name)
{
	for (size_t i = 0; i < *n; i++)
		if (!strcmp(names[i], name))
			return i;
	CHECK(*n < max);
	snprintf(names[*n], NAME_LEN, "%s", name);
	return (*n)++;
}

void stat_add(const char *row, const char *column, double value)
{
	struct cell *c = &table.cells[index_of(table.rows, &table.n_rows, ROWS_MAX, row)]
				     [index_of(table.cols, &table.n_cols, COLS_MAX, column)];

	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 16;
		c->v = realloc(c->v, c->cap * sizeof(*c->v));
		CHECK(c->v);
	}
	c->v[c->n++] = value;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void print_cell(struct cell *c)
{
	char text[48] = "-";

	if (c->n) {
		qsort(c->v, c->n, sizeof(*c->v), by_value);
		snprintf(text, sizeof(text), "%.3g / %.3g", c->v[c->n / 2],
			c->v[(c->n * 99 + 99) / 100 - 1]);
	}
	printf(" %20s", text);
}

/* As TAP diagnostics. */
void stat_print(void)
{
	if (!table.n_rows)
		return;
	printf("# %-24s", "median / p99");
	for (size_t k = 0; k < table.n_cols; k++)
		printf(" %20s", table.cols[k]);
	putchar('\n');
	for (size_t i = 0; i < table.n_rows; i++) {
		printf("# %-24s", table.rows[i]);
		for (size_t k = 0; k < table.n_cols; k++) {
			print_cell(&table.cells[i][k]);
			free(table.cells[i][k].v);
			table.cells[i][k].v = NULL;
		}
		putchar('\n');
	}
	table.n_rows = 0;
}
