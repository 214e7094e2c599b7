/*
 * The greedy algorithm of Myers (An O(ND) Difference Algorithm, 1986): row d of the table says how
 * far one gets on each diagonal with d edits; the way back through the rows is the script.
 */
#include "hubctl/diff.h"

#include <errno.h>
#include <stdlib.h>

struct text {
	struct view *line; /* each with its line feed, if it has one */
	size_t n;
};

enum { DIFF_KEEP, DIFF_CUT, DIFF_ADD };

struct script {
	uint8_t *op; /* DIFF_*, in order */
	size_t n;
};

static int split(struct view v, struct text *t)
{
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++)
		n += v.p[i] == '\n' || i + 1 == v.len;
	t->line = calloc(n + 1, sizeof(*t->line));
	if (!t->line)
		return -ENOMEM;
	while (v.len) {
		const uint8_t *lf = memchr(v.p, '\n', v.len);
		size_t len = lf ? (size_t)(lf - v.p) + 1 : v.len;

		t->line[t->n++] = view_of(v.p, len);
		v = view_of(v.p + len, v.len - len);
	}
	return 0;
}

static bool same(const struct text *a, int i, const struct text *b, int j)
{
	return view_eq(a->line[i], b->line[j]);
}

/* Row d holds diagonals -d to d. */
static int *row_of(int *rows, int d)
{
	return rows + (size_t)d * (size_t)d +
	       (size_t)d; /* the rows before have 1 + 3 + 5 + ... entries */
}

static int reach(const int *before, int d, int k)
{
	if (d == 0)
		return 0;
	if (k == -d || (k != d && before[k - 1] < before[k + 1]))
		return before[k + 1];
	return before[k - 1] + 1;
}

/* The number of edits, with the rows up to it; -1: more than the maximum. */
static int search(const struct text *a, const struct text *b, int *rows, int max)
{
	for (int d = 0; d <= max; d++) {
		int *row = row_of(rows, d), *before = d ? row_of(rows, d - 1) : NULL;

		for (int k = -d; k <= d; k += 2) {
			int x = reach(before, d, k), y = x - k;

			while (x < (int)a->n && y >= 0 && y < (int)b->n && same(a, x, b, y))
				x++, y++;
			row[k] = x;
			if (x >= (int)a->n && y >= (int)b->n)
				return d;
		}
	}
	return -1;
}

static void trace(const struct text *a, const struct text *b, int *rows, int d, struct script *s)
{
	int x = (int)a->n, y = (int)b->n;
	size_t at = a->n + b->n;

	for (; d >= 0; d--) {
		int k = x - y;
		int *before = d ? row_of(rows, d - 1) : NULL;
		bool down = d && (k == -d || (k != d && before[k - 1] < before[k + 1]));
		int from_x = !d     ? 0
			     : down ? before[k + 1]
				    : before[k - 1],
		    from_y = !d ? 0 : from_x - (down ? k + 1 : k - 1);

		while (x > from_x + (d && !down) && y > from_y + down) {
			s->op[--at] = DIFF_KEEP;
			x--, y--;
		}
		if (d)
			s->op[--at] = down ? DIFF_ADD : DIFF_CUT;
		x = from_x;
		y = from_y;
	}
	s->n = a->n + b->n - at;
	memmove(s->op, s->op + at, s->n);
}

static int make_script(const struct text *a, const struct text *b, struct script *s)
{
	int max = (int)MIN_OF(a->n + b->n, (size_t)DIFF_EDITS_MAX), d;
	int *rows = calloc((size_t)(max + 1) * (size_t)(max + 1), sizeof(*rows));

	s->op = malloc(a->n + b->n + 1);
	if (!rows || !s->op) {
		free(rows);
		return -ENOMEM;
	}
	d = search(a, b, rows, max);
	if (d >= 0) {
		trace(a, b, rows, d, s);
	} else {
		memset(s->op, DIFF_CUT, a->n);
		memset(s->op + a->n, DIFF_ADD, b->n);
		s->n = a->n + b->n;
	}
	free(rows);
	return 0;
}

static int put_line(struct buf *out, char mark, struct view line)
{
	int rc = buf_append(out, &mark, 1);

	if (rc == 0)
		rc = buf_append(out, line.p, line.len);
	if (rc == 0 && line.p[line.len - 1] != '\n')
		rc = buf_append_str(out, "\n\\ No newline at end of file\n");
	return rc;
}

/* Where the hunk that begins at the change `i` ends: behind it nothing changes for twice the
 * context. */
static size_t hunk_end(const struct script *s, size_t i)
{
	size_t end = i, quiet = 0;

	for (; i < s->n && quiet <= 2 * DIFF_CONTEXT; i++) {
		quiet = s->op[i] == DIFF_KEEP ? quiet + 1 : 0;
		end = quiet ? end : i + 1;
	}
	return MIN_OF(end + DIFF_CONTEXT, s->n);
}

static int put_hunk(struct buf *out, const struct text *a, size_t ai, const struct text *b,
	size_t bi, const uint8_t *op, size_t n)
{
	size_t na = 0, nb = 0;
	int rc;

	for (size_t i = 0; i < n; i++) {
		na += op[i] != DIFF_ADD;
		nb += op[i] != DIFF_CUT;
	}
	rc = buf_printf(
		out, "@@ -%zu,%zu +%zu,%zu @@\n", na ? ai + 1 : ai, na, nb ? bi + 1 : bi, nb);
	for (size_t i = 0; i < n && rc == 0; i++) {
		if (op[i] == DIFF_KEEP)
			rc = put_line(out, ' ', a->line[ai++]), bi++;
		else
			rc = op[i] == DIFF_CUT ? put_line(out, '-', a->line[ai++])
					       : put_line(out, '+', b->line[bi++]);
	}
	return rc;
}

static int put_hunks(
	struct buf *out, const struct text *a, const struct text *b, const struct script *s)
{
	size_t ai = 0, bi = 0, i = 0;
	int rc = 0;

	while (i < s->n && rc == 0) {
		size_t change = i, start, end;

		while (change < s->n && s->op[change] == DIFF_KEEP)
			change++;
		if (change == s->n)
			break;
		start = change - MIN_OF(change - i, (size_t)DIFF_CONTEXT);
		ai += start - i; /* what is skipped is in both */
		bi += start - i;
		end = hunk_end(s, change);
		rc = put_hunk(out, a, ai, b, bi, s->op + start, end - start);
		for (i = start; i < end; i++) {
			ai += s->op[i] != DIFF_ADD;
			bi += s->op[i] != DIFF_CUT;
		}
	}
	return rc;
}

int diff_unified(
	struct view va, const char *a_name, struct view vb, const char *b_name, struct buf *out)
{
	struct text a = { 0 }, b = { 0 };
	struct script s = { 0 };
	int rc = split(va, &a);

	if (rc == 0)
		rc = split(vb, &b);
	if (rc == 0)
		rc = make_script(&a, &b, &s);
	if (rc == 0 && !view_eq(va, vb))
		rc = buf_printf(out, "--- %s\n+++ %s\n", a_name, b_name);
	if (rc == 0)
		rc = put_hunks(out, &a, &b, &s);
	free(a.line);
	free(b.line);
	free(s.op);
	return rc;
}
