#include "proto/hujson/extra.h"
#include "proto/hujson/hujson.h"

#include <errno.h>

bool extra_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool extra_has_lf(struct view v)
{
	return v.len && memchr(v.p, '\n', v.len);
}

bool extra_has_comment(struct view v)
{
	return v.len && memchr(v.p, '/', v.len);
}

/* Length of the comment at the front: without the line feed, or up to the end. */
size_t extra_comment_len(struct view v)
{
	const uint8_t *end;

	if (v.p[1] == '/') {
		end = memchr(v.p, '\n', v.len);
		return end ? (size_t)(end - v.p) : v.len;
	}
	end = v.len > 2 ? memmem(v.p + 2, v.len - 2, "*/", 2) : NULL;
	return end ? (size_t)(end + 2 - v.p) : v.len;
}

bool extra_comment_begins(struct view v)
{
	return v.len > 1 && v.p[0] == '/' && (v.p[1] == '/' || v.p[1] == '*');
}

int extra_keep(struct arena *mem, const struct buf *b, struct view *ret)
{
	char *copy = arena_strndup(mem, buf_data(b), buf_len(b));

	*ret = view_of(copy, copy ? buf_len(b) : 0);
	return copy ? 0 : -ENOMEM;
}

/* Measuring */

static bool is_closed(struct view comment)
{
	return comment.p[1] == '*' && comment.len >= 4 &&
	       !memcmp(comment.p + comment.len - 2, "*/", 2);
}

/* A part of an extra between line breaks. One that begins inside of a block comment counts as
 * nothing, as in the original. */
static size_t extra_line_len(struct view v)
{
	size_t sum = 0;

	while (v.len) {
		size_t n = 1;

		if (extra_comment_begins(v)) {
			n = extra_comment_len(v);
			sum += 1 + n;
			if (!is_closed(view_of(v.p, n)))
				return sum;
		} else if (!extra_is_blank(*v.p)) {
			break;
		}
		v = view_from(v, n);
	}
	return sum ? sum + 1 : 0;
}

struct extent extra_extent(struct view v)
{
	const uint8_t *first = v.len ? memchr(v.p, '\n', v.len) : NULL,
		      *last = v.len ? memrchr(v.p, '\n', v.len) : NULL;
	struct extent e;

	if (!first) {
		e.first = e.last = extra_line_len(v);
		e.multi = false;
		return e;
	}
	e.first = extra_line_len(view_of(v.p, (size_t)(first - v.p)));
	e.last = extra_line_len(view_of(last + 1, (size_t)(v.p + v.len - last - 1)));
	e.multi = true;
	return e;
}

/* Rewriting */

static int indent(struct buf *b, unsigned depth)
{
	int rc = 0;

	while (depth-- && rc == 0)
		rc = buf_append(b, "\t", 1);
	return rc;
}

static bool ends_in_lf(const struct buf *b, size_t n)
{
	size_t len = buf_len(b);

	return len >= n && buf_data(b)[len - 1] == '\n' && buf_data(b)[len - n] == '\n';
}

size_t extra_trimmed(struct view v)
{
	while (v.len && extra_is_blank(v.p[v.len - 1]))
		v.len--;
	return v.len;
}

size_t extra_leading(struct view v)
{
	size_t n = 0;

	while (n < v.len && extra_is_blank(v.p[n]))
		n++;
	return n;
}

static struct view take_line(struct view *rest)
{
	const uint8_t *lf = memchr(rest->p, '\n', rest->len);
	struct view line = view_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);

	*rest = lf ? view_from(*rest, line.len + 1) : view_of(rest->p + rest->len, 0);
	line.len = extra_trimmed(line);
	return line;
}

static void shorten_to_common(struct view *prefix, bool *set, struct view line)
{
	size_t n = 0;

	if (!*set)
		*prefix = line;
	*set = true;
	while (n < prefix->len && n < line.len && prefix->p[n] == line.p[n])
		n++;
	prefix->len = n;
}

static bool is_end_only(struct view line)
{
	return extra_leading(line) + 2 == line.len && line.p[line.len - 2] == '*' &&
	       line.p[line.len - 1] == '/';
}

/* How many bytes each line behind the first is indented by now; *ret_star: a column of stars stands
 * one to the right. */
static size_t block_indent(struct view block, bool *ret_star)
{
	struct view prefix = { 0 }, rest = block;
	bool set = false, has_empty = false;
	size_t n;

	take_line(&rest);
	while (rest.len) {
		struct view line = take_line(&rest);

		has_empty |= !line.len;
		if (line.len && (rest.len || !is_end_only(line)))
			shorten_to_common(&prefix, &set, line);
	}
	n = extra_leading(prefix);
	*ret_star = !has_empty && n < prefix.len && prefix.p[n] == '*';
	return n;
}

static int write_block(struct buf *b, struct view block, unsigned depth)
{
	bool star;
	size_t n = block_indent(block, &star);
	struct view line = take_line(&block);
	int rc = buf_append(b, line.p, line.len);

	while (block.len && rc == 0) {
		line = take_line(&block);
		line = view_from(line, !block.len && is_end_only(line) ? extra_leading(line)
								       : MIN_OF(n, line.len));
		rc = buf_append(b, "\n", 1);
		if (rc == 0 && line.len)
			rc = indent(b, depth);
		if (rc == 0 && line.len && star)
			rc = buf_append(b, " ", 1);
		if (rc == 0)
			rc = buf_append(b, line.p, line.len);
	}
	return rc;
}

/* CR LF and LF CR are one line feed, a CR alone is a blank. */
static int without_cr(struct arena *mem, struct view *v)
{
	uint8_t *out;
	size_t n = 0;

	if (!v->len || !memchr(v->p, '\r', v->len))
		return 0;
	out = arena_alloc(mem, v->len);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < v->len; i++) {
		bool pair = i + 1 < v->len && v->p[i] + v->p[i + 1] == '\r' + '\n' &&
			    v->p[i] != v->p[i + 1] && (v->p[i] == '\r' || v->p[i] == '\n');

		out[n++] = pair ? '\n' : v->p[i] == '\r' ? ' ' : v->p[i];
		i += pair;
	}
	*v = view_of(out, n);
	return 0;
}

static int write_pieces(struct buf *b, struct view v, unsigned depth)
{
	int rc = 0;

	while (v.len && rc == 0) {
		size_t n = 0, lines = 0;

		if (extra_comment_begins(v)) {
			struct view c = view_of(v.p, extra_comment_len(v));

			rc = ends_in_lf(b, 1) ? indent(b, depth) : buf_append(b, " ", 1);
			if (rc == 0)
				rc = extra_has_lf(c) ? write_block(b, c, depth)
						     : buf_append(b, c.p, extra_trimmed(c));
			n = c.len;
		} else {
			while (n < v.len && extra_is_blank(v.p[n]))
				lines += v.p[n++] == '\n';
			rc = buf_append(b, "\n\n", MIN_OF(lines, (size_t)2));
		}
		v = view_from(v, n);
	}
	return rc;
}

static int rewrite_into(struct buf *b, struct view v, unsigned depth, int flags)
{
	int rc = flags & LEAD_LF && !extra_has_lf(v) ? buf_append(b, "\n", 1) : 0;

	if (rc == 0)
		rc = write_pieces(b, v, depth);
	if (rc == 0 && flags & TRAIL_LF && !ends_in_lf(b, 1))
		rc = buf_append(b, "\n", 1);
	while (flags & NO_BLANK_FIRST && buf_len(b) > 1 && buf_data(b)[0] == '\n' &&
		buf_data(b)[1] == '\n')
		buf_consume(b, 1);
	while (flags & NO_BLANK_LAST && ends_in_lf(b, 2) && buf_len(b) > 1)
		buf_truncate(b, buf_len(b) - 1);
	if (rc == 0 && ends_in_lf(b, 1))
		rc = indent(b, flags & OUTDENT ? depth - 1 : depth);
	else if (rc == 0 && (buf_len(b) || flags & SPACE))
		rc = buf_append(b, " ", 1);
	return rc;
}

int extra_rewrite(struct arena *mem, struct view *v, unsigned depth, int flags)
{
	struct buf b;
	int rc = without_cr(mem, v);

	if (rc < 0)
		return rc;
	if (!v->len && !(flags & (LEAD_LF | TRAIL_LF | SPACE)))
		return 0;
	buf_init(&b, 2 * HUJSON_MAX);
	rc = rewrite_into(&b, *v, depth, flags);
	if (rc == 0)
		rc = extra_keep(mem, &b, v);
	buf_fini(&b);
	return rc;
}

int extra_join(struct arena *mem, struct view a, struct view b, struct view *ret)
{
	uint8_t *p = arena_alloc(mem, a.len + b.len);

	if (!p)
		return -ENOMEM;
	if (a.len)
		memcpy(p, a.p, a.len);
	if (b.len)
		memcpy(p + a.len, b.p, b.len);
	*ret = view_of(p, a.len + b.len);
	return 0;
}
