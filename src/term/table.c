#include "term/table.h"

#include "base/err/err.h"

#include <errno.h>
#include <string.h>

enum { TABS_NARROWEST = 8, GAP = 2, NARROWEST = 6, KEPT = 3, ROWS_MIN = 16, CELLS_MAX = 1 << 22 };

void table_init_tabs(struct table *t, struct arena *mem, size_t n_columns, size_t min_width,
	size_t gap, bool pad_last)
{
	CHECK(n_columns && n_columns <= TABLE_COLUMNS_MAX);
	*t = (struct table){ .mem = mem,
		.n_columns = n_columns,
		.gap = gap,
		.min_width = min_width > gap ? min_width - gap : 0,
		.narrowest = TABS_NARROWEST,
		.n_kept = n_columns,
		.pad_last = pad_last };
	t->whole[n_columns - 1] = true;
}

void table_init_head(struct table *t, struct arena *mem, const char *const *head, size_t n)
{
	const char *texts[TABLE_COLUMNS_MAX];

	CHECK(n && n <= TABLE_COLUMNS_MAX);
	*t = (struct table){
		.mem = mem, .n_columns = n, .gap = GAP, .narrowest = NARROWEST, .n_kept = KEPT
	};
	for (size_t i = 0; i < n; i++) {
		t->whole[i] = head[i][0] == '=';
		texts[i] = head[i] + t->whole[i];
	}
	table_add(t, texts, n);
}

static bool make_room(struct table *t)
{
	size_t cap = t->cap ? 2 * t->cap : ROWS_MIN, n = t->n_columns;
	const char **more;

	if (t->n_rows < t->cap)
		return true;
	more = cap * n <= CELLS_MAX ? arena_array(t->mem, cap * n, sizeof(*more)) : NULL;
	if (!more)
		return false;
	if (t->n_rows)
		memcpy(more, t->cells, t->n_rows * n * sizeof(*more));
	t->cells = more;
	t->cap = cap;
	return true;
}

int table_add(struct table *t, const char *const *cells, size_t n)
{
	CHECK(n == t->n_columns);
	if (t->failed || !make_room(t)) {
		t->failed = true;
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		t->cells[t->n_rows * n + i] = cells[i] ? cells[i] : "";
	t->n_rows++;
	return 0;
}

static bool starts_letter(char c)
{
	return (c & 0xc0) != 0x80;
}

/* Letters, not bytes. */
static size_t letters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += starts_letter(*s);
	return n;
}

static void measure(const struct table *t, size_t width[static TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < t->n_columns; i++) {
		width[i] = t->min_width;
		for (size_t r = 0; r < t->n_rows; r++)
			width[i] = MAX_OF(width[i], letters(t->cells[r * t->n_columns + i]));
	}
}

static size_t line_length(const size_t *width, size_t n, size_t gap)
{
	size_t sum = (n - 1) * gap;

	for (size_t i = 0; i < n; i++)
		sum += width[i];
	return sum;
}

/* The widest of n columns gives one letter at a time, until all fits or all that may give are narrow. */
static bool fit(const struct table *t, size_t *width, size_t n, size_t total)
{
	while (line_length(width, n, t->gap) > total) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++)
			if (!t->whole[i] && width[i] > t->narrowest &&
				(widest == n || width[i] > width[widest]))
				widest = i;
		if (widest == n)
			return false;
		width[widest]--;
	}
	return true;
}

/* How many columns are shown. */
static size_t choose(const struct table *t, size_t width[static TABLE_COLUMNS_MAX], size_t total)
{
	size_t n = t->n_columns;

	measure(t, width);
	for (; total && !fit(t, width, n, total) && n > t->n_kept; n--)
		measure(t, width);
	return n;
}

static void print_cell(const char *s, size_t width, size_t padding, FILE *out)
{
	size_t len = letters(s), n = len <= width ? len : width - 1, shown = 0;

	for (; *s; s++) {
		if (starts_letter(*s) && shown++ == n)
			break;
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
	}
	if (len > width)
		fputs("…", out);
	for (size_t i = MIN_OF(len, width); i < padding; i++)
		fputc(' ', out);
}

void table_print(const struct table *t, FILE *out, size_t total)
{
	size_t width[TABLE_COLUMNS_MAX], n = choose(t, width, total);

	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t i = 0; i < n; i++) {
			bool padded = i + 1 < n || (t->pad_last && !total);

			print_cell(t->cells[r * t->n_columns + i], width[i],
				padded ? width[i] + t->gap : 0, out);
		}
		fputc('\n', out);
	}
	if (t->failed)
		fputs("(the rest does not fit into memory)\n", out);
}
