#include "cli/table.h"

#include <stdarg.h>

enum { NARROWEST = 8 }; /* a column gives way no further */

void table_init(struct table *t, struct arena *a, size_t n_columns, size_t min_width,
	size_t padding, bool trailing)
{
	CHECK(n_columns <= TABLE_COLUMNS_MAX);
	*t = (struct table){ .arena = a,
		.min_width = min_width,
		.padding = padding,
		.trailing = trailing,
		.n_columns = n_columns };
}

void table_row(struct table *t, ...)
{
	va_list ap;

	if (t->n_rows == t->cap) {
		const char **more = arena_array(
			t->arena, t->cap ? 2 * t->cap : 16, t->n_columns * sizeof(*more));

		if (!more) {
			t->failed = true;
			return;
		}
		if (t->n_rows)
			memcpy(more, t->cells, t->n_rows * t->n_columns * sizeof(*more));
		t->cells = more;
		t->cap = t->cap ? 2 * t->cap : 16;
	}
	va_start(ap, t);
	for (size_t i = 0; i < t->n_columns; i++) {
		const char *cell = va_arg(ap, const char *);
		t->cells[t->n_rows * t->n_columns + i] = cell ? cell : "";
	}
	va_end(ap);
	t->n_rows++;
}

/* Letters, not bytes. */
static size_t letters(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static size_t widest(const struct table *t, size_t column)
{
	size_t w = 0;

	for (size_t r = 0; r < t->n_rows; r++)
		w = MAX_OF(w, letters(t->cells[r * t->n_columns + column]));
	return w;
}

/* Makes the columns but the last narrower until the longest line fits, or nothing more can give way. */
static void fit(const struct table *t, size_t *widths, size_t width)
{
	for (;;) {
		size_t sum = widest(t, t->n_columns - 1), most = 0;

		for (size_t i = 0; i + 1 < t->n_columns; i++) {
			sum += widths[i];
			if (widths[i] > widths[most])
				most = i;
		}
		if (sum <= width || widths[most] <= NARROWEST + t->padding || t->n_columns < 2)
			return;
		widths[most]--;
	}
}

static void print_cell(FILE *out, const char *s, size_t room, size_t padding, bool pad)
{
	size_t n = letters(s), keep = n + padding > room && room > padding ? room - padding : n;

	for (size_t k = 0; *s; s++) {
		if (((unsigned char)*s & 0xc0) != 0x80 && k++ >= keep - (keep < n))
			break;
		fputc(*s, out);
	}
	if (keep < n)
		fputs("…", out);
	for (size_t k = keep; pad && k < room; k++)
		fputc(' ', out);
}

void table_print(struct table *t, FILE *out, size_t width)
{
	size_t widths[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < t->n_columns; i++)
		widths[i] = MAX_OF(widest(t, i) + t->padding, t->min_width);
	if (width)
		fit(t, widths, width);
	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t i = 0; i < t->n_columns; i++) {
			bool last = i + 1 == t->n_columns;
			const char *cell = t->cells[r * t->n_columns + i];

			print_cell(out, cell, last ? letters(cell) + t->padding : widths[i],
				t->padding, false);
			if (!last || (t->trailing && !width))
				for (size_t k = MIN_OF(letters(cell), widths[i] - t->padding);
					k < widths[i]; k++)
					fputc(' ', out);
		}
		fputc('\n', out);
	}
	if (t->failed)
		fputs("(the rest does not fit into memory)\n", out);
}
