#include "hub/table.h"
#include "base/err/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { GAP = 2, WIDTH_MIN = 6, COLUMNS_KEPT = 3, CELLS_MAX = 1 << 22 };

void table_init(struct table *t, struct arena *mem, const char *const *head)
{
	const char *texts[TABLE_COLUMNS_MAX];

	*t = (struct table){ .mem = mem };
	for (size_t i = 0; head[i]; i++) {
		CHECK(i < TABLE_COLUMNS_MAX);
		t->whole[i] = head[i][0] == '=';
		texts[t->n_columns++] = head[i] + t->whole[i];
	}
	if (table_add(t, texts) < 0)
		t->n_rows = 0;
}

int table_add(struct table *t, const char *const *cells)
{
	if (t->n_rows == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		const char **v = cap * t->n_columns <= CELLS_MAX
					 ? arena_array(t->mem, cap * t->n_columns, sizeof(*v))
					 : NULL;

		if (!v)
			return -ENOMEM;
		if (t->n_rows)
			memcpy(v, t->cell, t->n_rows * t->n_columns * sizeof(*v));
		t->cell = v;
		t->cap = cap;
	}
	for (size_t i = 0; i < t->n_columns; i++)
		t->cell[t->n_rows * t->n_columns + i] = cells[i] ? cells[i] : "";
	t->n_rows++;
	return 0;
}

static bool starts_character(char c)
{
	return (c & 0xc0) != 0x80;
}

static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += starts_character(*s);
	return n;
}

static void measure(const struct table *t, size_t width[])
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
		size_t n = width_of(t->cell[i]);

		if (width[i % t->n_columns] < n)
			width[i % t->n_columns] = n;
	}
}

static size_t sum_of(const size_t width[], size_t n)
{
	size_t sum = (n - 1) * GAP;

	for (size_t i = 0; i < n; i++)
		sum += width[i];
	return sum;
}

/* The widest column gives one character at a time, until all fits or all that may give are narrow. */
static bool fit(const struct table *t, size_t width[], size_t n, size_t total)
{
	while (sum_of(width, n) > total) {
		size_t widest = n;

		for (size_t i = 0; i < n; i++)
			if (!t->whole[i] && width[i] > WIDTH_MIN &&
				(widest == n || width[i] > width[widest]))
				widest = i;
		if (widest == n)
			return false;
		width[widest]--;
	}
	return true;
}

/* How many columns are shown. */
static size_t choose(const struct table *t, size_t width[], size_t total)
{
	size_t n = t->n_columns;

	for (;;) {
		memset(width, 0, TABLE_COLUMNS_MAX * sizeof(*width));
		measure(t, width);
		if (!total || fit(t, width, n, total) || n <= COLUMNS_KEPT)
			return n;
		n--;
	}
}

static void print_cell(const char *s, size_t width, bool last, FILE *out)
{
	size_t len = width_of(s), n = len <= width ? len : width - 1, shown = 0;

	for (; *s; s++) {
		if (starts_character(*s) && shown++ == n)
			break;
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, out);
	}
	if (len > width)
		fputs("\xe2\x80\xa6", out);
	for (size_t i = MIN_OF(len, width); !last && i < width + GAP; i++)
		fputc(' ', out);
}

void table_print(const struct table *t, size_t total, FILE *out)
{
	size_t width[TABLE_COLUMNS_MAX], n = choose(t, width, total);

	for (size_t r = 0; r < t->n_rows; r++) {
		for (size_t i = 0; i < n; i++)
			print_cell(t->cell[r * t->n_columns + i], width[i], i + 1 == n, out);
		fputc('\n', out);
	}
}

size_t table_terminal_width(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}
