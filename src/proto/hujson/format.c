/*
 * HuJSON in its canonical form, and as plain JSON. What hujson_parse has accepted is read once more, this time with what
 * stands between the values: blanks and comments, here called extras. The steps and their order are those of the formatting
 * that Tailscale's tools do, byte for byte: a policy's ETag is the hash of its canonical form.
 */
#include "proto/hujson/hujson.h"
#include "proto/json/json.h"

#include <errno.h>

enum { FORMAT_MEM_MAX = 512 << 20, LINE_MAX_LEN = 80 };

struct value {
	struct view before, after; /* extras */
	bool has_after; /* of the last one of a composite: a comma stands behind it */
	char kind; /* '{', '[', or 0: a literal */
	struct view text; /* literal */
	struct item *first, *last;
	struct view end; /* extra before the closing bracket */
	bool expanded, has_lf; /* a line break before, in or behind an item; comments of an empty one do not count */
};

struct item {
	struct value name, value; /* name only in objects */
	struct item *next;
};

struct format {
	const uint8_t *p, *last; /* reading: what is left */
	struct arena mem;
	bool is_standard; /* no comments, no comma behind a last one */
};

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool has_lf(struct view v)
{
	return v.len && memchr(v.p, '\n', v.len);
}

static bool has_comment(struct view v)
{
	return v.len && memchr(v.p, '/', v.len);
}

/* Length of the comment at the front: without the line feed, or up to the end. */
static size_t comment_len(struct view v)
{
	const uint8_t *end;

	if (v.p[1] == '/') {
		end = memchr(v.p, '\n', v.len);
		return end ? (size_t)(end - v.p) : v.len;
	}
	end = v.len > 2 ? memmem(v.p + 2, v.len - 2, "*/", 2) : NULL;
	return end ? (size_t)(end + 2 - v.p) : v.len;
}

static bool comment_begins(struct view v)
{
	return v.len > 1 && v.p[0] == '/' && (v.p[1] == '/' || v.p[1] == '*');
}

static struct view view_from(struct view v, size_t n)
{
	return view_of(v.p + n, v.len - n);
}

/* Reading */

static struct view read_extra(struct format *f)
{
	const uint8_t *start = f->p;

	while (f->p < f->last) {
		struct view rest = view_of(f->p, (size_t)(f->last - f->p));

		if (comment_begins(rest))
			f->p += comment_len(rest);
		else if (is_blank(*f->p))
			f->p++;
		else
			break;
	}
	if (has_comment(view_of(start, (size_t)(f->p - start))))
		f->is_standard = false;
	return view_of(start, (size_t)(f->p - start));
}

/* Escapes only where JSON demands them. */
static int write_text(struct buf *b, const char *s)
{
	static const char short_of[] = "\b\t\n\f\r\"\\", letter[] = "btnfr\"\\";
	int rc = buf_append(b, "\"", 1);

	for (; *s && rc == 0; s++) {
		const char *e = strchr(short_of, *s);

		if (e)
			rc = buf_printf(b, "\\%c", letter[e - short_of]);
		else if ((uint8_t)*s < 0x20)
			rc = buf_printf(b, "\\u%04x", (unsigned)*s);
		else
			rc = buf_append(b, s, 1);
	}
	return rc == 0 ? buf_append(b, "\"", 1) : rc;
}

static int keep(struct format *f, struct buf *b, struct view *ret)
{
	char *copy = arena_strndup(&f->mem, buf_data(b), buf_len(b));

	*ret = view_of(copy, copy ? buf_len(b) : 0);
	return copy ? 0 : -ENOMEM;
}

static int read_text(struct format *f, struct value *v)
{
	const uint8_t *start = f->p++;
	const char *text;
	struct buf b;
	int rc;

	while (*f->p != '"')
		f->p += *f->p == '\\' ? 2 : 1;
	f->p++;
	v->text = view_of(start, (size_t)(f->p - start));
	if (!memchr(v->text.p, '\\', v->text.len))
		return 0;
	rc = json_decode(&json_str, v->text.p, v->text.len, &text, &f->mem, NULL);
	if (rc < 0)
		return rc;
	buf_init(&b, HUJSON_MAX);
	rc = write_text(&b, text);
	if (rc == 0)
		rc = keep(f, &b, &v->text);
	buf_fini(&b);
	return rc;
}

static int read_value(struct format *f, struct value *v);

static int read_item(struct format *f, struct value *v)
{
	struct item *i = arena_new(&f->mem, struct item);
	struct view before = read_extra(f);
	int rc = 0;

	if (!i)
		return -ENOMEM;
	if (*f->p == '}' || *f->p == ']') {
		v->end = before;
		return 1;
	}
	if (v->last)
		v->last->next = i;
	else
		v->first = i;
	v->last = i;
	if (v->kind == '{') {
		i->name.before = before;
		rc = read_text(f, &i->name);
		i->name.after = read_extra(f);
		f->p++; /* the colon */
		before = read_extra(f);
	}
	i->value.before = before;
	if (rc == 0)
		rc = read_value(f, &i->value);
	if (rc < 0)
		return rc;
	i->value.after = read_extra(f);
	i->value.has_after = *f->p == ',';
	if (!i->value.has_after) {
		v->end = i->value.after;
		i->value.after.len = 0;
		return 1;
	}
	f->p++;
	return 0;
}

static int read_value(struct format *f, struct value *v)
{
	const uint8_t *start = f->p;
	int rc = 0;

	if (*f->p == '"')
		return read_text(f, v);
	if (*f->p == '{' || *f->p == '[') {
		v->kind = (char)*f->p++;
		while (rc == 0)
			rc = read_item(f, v);
		f->p++; /* the bracket */
		if (v->last && v->last->value.has_after)
			f->is_standard = false;
		return rc < 0 ? rc : 0;
	}
	while (f->p < f->last && !is_blank(*f->p) && !strchr(",]}/", *f->p))
		f->p++;
	v->text = view_of(start, (size_t)(f->p - start));
	return 0;
}

/* Line breaks before a comma or a colon are of no influence. */
static void drop_blank_after(struct value *v)
{
	if (!has_comment(v->after)) {
		v->after.len = 0;
		v->has_after = false;
	}
}

static void normalize(struct value *v)
{
	if (v->kind && !v->first && !has_comment(v->end))
		v->end.len = 0;
	for (struct item *i = v->first; i; i = i->next) {
		drop_blank_after(&i->name);
		drop_blank_after(&i->value);
		normalize(&i->value);
	}
}

/* Which composites need lines of their own */

struct extent {
	size_t first, last; /* lengths of the first and the last line */
	bool multi;
};

static size_t extra_line_len(struct view v)
{
	size_t sum = 0;

	while (v.len) {
		size_t n = 1;

		if (comment_begins(v)) {
			n = comment_len(v);
			sum += 1 + n;
			if (v.p[1] == '/')
				return sum;
		}
		v = view_from(v, n);
	}
	return sum ? sum + 1 : 0;
}

static struct extent extra_extent(struct view v)
{
	const uint8_t *first = v.len ? memchr(v.p, '\n', v.len) : NULL, *last = v.len ? memrchr(v.p, '\n', v.len) : NULL;
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

struct walk {
	size_t line, first, n;
	bool too_long;
};

static void walk_line_ends(struct walk *w)
{
	if (w->n++ == 0)
		w->first = w->line;
	w->too_long |= w->line > LINE_MAX_LEN;
}

static void walk_part(struct walk *w, struct extent e)
{
	w->line += e.first;
	if (e.multi) {
		walk_line_ends(w);
		w->line = e.last;
	}
}

static struct extent measure(struct value *v);

static void walk_value(struct walk *w, struct value *v)
{
	walk_part(w, extra_extent(v->before));
	walk_part(w, measure(v));
	walk_part(w, extra_extent(v->after));
	w->line += 2;
}

static struct extent measure(struct value *v)
{
	struct walk w = { .line = 1 };
	bool expand = has_lf(v->end) || (v->last && has_lf(v->last->value.after));
	struct view front;

	if (!v->kind)
		return (struct extent){ v->text.len, v->text.len, false };
	for (struct item *i = v->first; i; i = i->next) {
		expand |= has_lf(v->kind == '{' ? i->name.before : i->value.before);
		if (v->kind == '{')
			walk_value(&w, &i->name);
		walk_value(&w, &i->value);
	}
	w.line++;
	walk_line_ends(&w);
	v->expanded = expand || w.too_long;
	if (!v->expanded)
		return (struct extent){ w.first, w.line, w.n > 1 };
	front = !v->first ? v->end : v->kind == '{' ? v->first->name.before : v->first->value.before;
	return (struct extent){ 1 + extra_extent(front).first, 1, true };
}

/* Rewriting extras */

enum {
	LEAD_LF = 1, /* begins with a line feed, if it has none anywhere */
	TRAIL_LF = 2, /* ends with a line feed */
	NO_BLANK_FIRST = 4, /* no empty line at its front */
	NO_BLANK_LAST = 8, /* nor at its end */
	SPACE = 16, /* at least a space */
	OUTDENT = 32, /* what follows stands one level less deep */
};

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

static size_t trimmed_len(struct view v)
{
	while (v.len && is_blank(v.p[v.len - 1]))
		v.len--;
	return v.len;
}

static size_t leading_len(struct view v)
{
	size_t n = 0;

	while (n < v.len && is_blank(v.p[n]))
		n++;
	return n;
}

static struct view take_line(struct view *rest)
{
	const uint8_t *lf = memchr(rest->p, '\n', rest->len);
	struct view line = view_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);

	*rest = lf ? view_from(*rest, line.len + 1) : view_of(rest->p + rest->len, 0);
	line.len = trimmed_len(line);
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
	return leading_len(line) + 2 == line.len && line.p[line.len - 2] == '*' && line.p[line.len - 1] == '/';
}

/* How many bytes each line behind the first is indented by now; *ret_star: a column of stars stands one to the right. */
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
	n = leading_len(prefix);
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
		line = view_from(line, !block.len && is_end_only(line) ? leading_len(line) : MIN_OF(n, line.len));
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
static int without_cr(struct format *f, struct view *v)
{
	uint8_t *out;
	size_t n = 0;

	if (!v->len || !memchr(v->p, '\r', v->len))
		return 0;
	out = arena_alloc(&f->mem, v->len);
	if (!out)
		return -ENOMEM;
	for (size_t i = 0; i < v->len; i++) {
		bool pair = i + 1 < v->len && v->p[i] + v->p[i + 1] == '\r' + '\n' && v->p[i] != v->p[i + 1] && (v->p[i] == '\r' || v->p[i] == '\n');

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

		if (comment_begins(v)) {
			struct view c = view_of(v.p, comment_len(v));

			rc = ends_in_lf(b, 1) ? indent(b, depth) : buf_append(b, " ", 1);
			if (rc == 0)
				rc = has_lf(c) ? write_block(b, c, depth) : buf_append(b, c.p, trimmed_len(c));
			n = c.len;
		} else {
			while (n < v.len && is_blank(v.p[n]))
				lines += v.p[n++] == '\n';
			rc = buf_append(b, "\n\n", MIN_OF(lines, (size_t)2));
		}
		v = view_from(v, n);
	}
	return rc;
}

static int rewrite_into(struct buf *b, struct view v, unsigned depth, int flags)
{
	int rc = flags & LEAD_LF && !has_lf(v) ? buf_append(b, "\n", 1) : 0;

	if (rc == 0)
		rc = write_pieces(b, v, depth);
	if (rc == 0 && flags & TRAIL_LF && !ends_in_lf(b, 1))
		rc = buf_append(b, "\n", 1);
	while (flags & NO_BLANK_FIRST && buf_len(b) > 1 && buf_data(b)[0] == '\n' && buf_data(b)[1] == '\n')
		buf_consume(b, 1);
	while (flags & NO_BLANK_LAST && ends_in_lf(b, 2) && buf_len(b) > 1)
		buf_truncate(b, buf_len(b) - 1);
	if (rc == 0 && ends_in_lf(b, 1))
		rc = indent(b, flags & OUTDENT ? depth - 1 : depth);
	else if (rc == 0 && (buf_len(b) || flags & SPACE))
		rc = buf_append(b, " ", 1);
	return rc;
}

static int rewrite(struct format *f, struct view *v, unsigned depth, int flags)
{
	struct buf b;
	int rc = without_cr(f, v);

	if (rc < 0)
		return rc;
	if (!v->len && !(flags & (LEAD_LF | TRAIL_LF | SPACE)))
		return 0;
	buf_init(&b, 2 * HUJSON_MAX);
	rc = rewrite_into(&b, *v, depth, flags);
	if (rc == 0)
		rc = keep(f, &b, v);
	buf_fini(&b);
	return rc;
}

static int join(struct format *f, struct view a, struct view b, struct view *ret)
{
	uint8_t *p = arena_alloc(&f->mem, a.len + b.len);

	if (!p)
		return -ENOMEM;
	if (a.len)
		memcpy(p, a.p, a.len);
	if (b.len)
		memcpy(p + a.len, b.p, b.len);
	*ret = view_of(p, a.len + b.len);
	return 0;
}

static int rewrite_value(struct format *f, struct value *v, unsigned depth);

static int rewrite_item(struct format *f, struct value *v, struct item *i, unsigned depth)
{
	int front = (v->expanded ? LEAD_LF : 0) | (i == v->first ? NO_BLANK_FIRST : SPACE);
	unsigned child = depth + v->expanded;
	int rc;

	if (v->kind == '{') {
		rc = rewrite(f, &i->name.before, depth + 1, front);
		if (rc == 0)
			rc = rewrite(f, &i->name.after, depth + 2, NO_BLANK_FIRST | NO_BLANK_LAST);
		if (rc == 0)
			rc = rewrite(f, &i->value.before, depth + 2, NO_BLANK_FIRST | NO_BLANK_LAST | SPACE);
		child += has_lf(i->name.after) || has_lf(i->value.before);
	} else {
		rc = rewrite(f, &i->value.before, depth + 1, front);
	}
	if (rc == 0)
		rc = rewrite_value(f, &i->value, child);
	return rc < 0 ? rc : rewrite(f, &i->value.after, depth + 2, NO_BLANK_FIRST | NO_BLANK_LAST);
}

/* The comma behind the last one: never on the same line as the bracket, always when it stands on a line of its own. */
static int settle_comma(struct format *f, struct value *v)
{
	struct value *last = &v->last->value;
	int rc = 0;

	if (last->has_after && !v->expanded && !(last->after.len && v->end.len)) {
		rc = join(f, last->after, v->end, &v->end);
		last->after.len = 0;
		last->has_after = false;
	} else if (v->expanded && !f->is_standard) {
		last->has_after = true;
	}
	return rc;
}

static bool is_in_run(const struct item *i)
{
	return has_lf(i->name.before) && !has_lf(i->name.after) && !has_lf(i->value.before) && !i->value.has_lf &&
		!has_lf(i->value.after);
}

static size_t value_column(const struct item *i)
{
	return i->name.text.len + i->name.after.len + 1 + i->value.before.len;
}

static bool run_begins(const struct item *i)
{
	const uint8_t *lf = memchr(i->name.before.p, '\n', i->name.before.len);

	return memchr(lf + 1, '\n', (size_t)(i->name.before.p + i->name.before.len - lf - 1));
}

/* Values of members that stand below each other, one a line, begin in one column. */
static int align(struct format *f, struct value *v)
{
	struct item *end;

	for (struct item *i = v->first; i; i = end ? end : NULL) {
		size_t column = 0;

		end = i->next;
		if (!is_in_run(i))
			continue;
		column = value_column(i);
		for (; end && is_in_run(end) && !run_begins(end); end = end->next)
			column = value_column(end) > column ? value_column(end) : column;
		for (; i != end; i = i->next) {
			size_t n = column - value_column(i);
			uint8_t *pad = arena_alloc(&f->mem, n);

			if (!pad)
				return -ENOMEM;
			memset(pad, ' ', n);
			if (join(f, i->value.before, view_of(pad, n), &i->value.before) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int rewrite_value(struct format *f, struct value *v, unsigned depth)
{
	int flags = NO_BLANK_LAST | OUTDENT | (v->expanded ? TRAIL_LF : 0) | (v->first ? 0 : NO_BLANK_FIRST), rc = 0;

	if (!v->kind)
		return 0;
	for (struct item *i = v->first; i && rc == 0; i = i->next) {
		rc = rewrite_item(f, v, i, depth);
		v->has_lf |= i->value.has_lf || has_lf(i->name.before) || has_lf(i->name.after) || has_lf(i->value.before) ||
			has_lf(i->value.after);
	}
	if (rc == 0)
		rc = rewrite(f, &v->end, depth + 1, flags);
	if (rc == 0 && v->last)
		rc = settle_comma(f, v);
	if (rc == 0 && v->kind == '{')
		rc = align(f, v);
	return rc;
}

/* Writing */

static int write_view(struct buf *out, struct view v)
{
	return buf_append(out, v.p, v.len);
}

static int write_value(struct buf *out, const struct value *v)
{
	int rc = write_view(out, v->before);

	if (rc == 0)
		rc = v->kind ? buf_append(out, &v->kind, 1) : write_view(out, v->text);
	for (const struct item *i = v->first; i && rc == 0; i = i->next) {
		if (v->kind == '{')
			rc = write_value(out, &i->name);
		if (rc == 0 && v->kind == '{')
			rc = buf_append(out, ":", 1);
		if (rc == 0)
			rc = write_value(out, &i->value);
		if (rc == 0 && (i->next || i->value.has_after))
			rc = buf_append(out, ",", 1);
	}
	if (rc == 0 && v->kind)
		rc = write_view(out, v->end);
	if (rc == 0 && v->kind)
		rc = buf_append(out, v->kind == '{' ? "}" : "]", 1);
	return rc == 0 ? write_view(out, v->after) : rc;
}

static int format(struct format *f, struct buf *out)
{
	struct value top = { .before = read_extra(f) };
	int rc = read_value(f, &top);
	size_t n;

	top.after = read_extra(f);
	normalize(&top);
	measure(&top);
	if (rc == 0)
		rc = rewrite(f, &top.before, 0, 0);
	if (rc == 0)
		rc = rewrite_value(f, &top, 0);
	if (rc == 0)
		rc = rewrite(f, &top.after, 0, 0);
	n = leading_len(top.before);
	top.before = top.before.len ? view_from(top.before, n) : top.before;
	top.after.len = trimmed_len(top.after);
	if (rc == 0)
		rc = write_value(out, &top);
	return rc == 0 ? buf_append(out, "\n", 1) : rc;
}

static int check(const void *in, size_t len, struct arena *mem, struct err_at *at)
{
	struct hujson *root;
	int rc = hujson_parse(in, len, mem, &root, at);

	arena_reset(mem);
	return rc;
}

int hujson_format(const void *in, size_t len, struct buf *out, struct err_at *at)
{
	struct format f = { .p = in, .is_standard = true };
	size_t had = buf_len(out);
	int rc;

	arena_init(&f.mem, FORMAT_MEM_MAX);
	rc = check(in, len, &f.mem, at);
	f.last = f.p + len;
	if (rc == 0)
		rc = format(&f, out);
	if (rc < 0)
		buf_truncate(out, had);
	arena_fini(&f.mem);
	return rc;
}

/* Comments become blanks of the same length, line breaks in them stay. */
static void blank(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_blank(p[i]))
			p[i] = ' ';
}

static void standardize(uint8_t *p, size_t len)
{
	size_t comma = len; /* the last one without a value behind it yet */

	for (size_t i = 0; i < len;) {
		struct view rest = view_of(p + i, len - i);
		size_t n = 1;

		if (comment_begins(rest)) {
			n = comment_len(rest);
			blank(p + i, n);
		} else if (p[i] == '"') {
			while (p[i + n] != '"')
				n += p[i + n] == '\\' ? 2 : 1;
			n++;
			comma = len;
		} else if (p[i] == ',') {
			comma = i;
		} else if (!is_blank(p[i])) {
			if ((p[i] == '}' || p[i] == ']') && comma < len)
				p[comma] = ' ';
			comma = len;
		}
		i += n;
	}
}

int hujson_standardize(const void *in, size_t len, struct buf *out, struct err_at *at)
{
	struct arena mem;
	uint8_t *p;
	int rc;

	arena_init(&mem, FORMAT_MEM_MAX);
	rc = check(in, len, &mem, at);
	arena_fini(&mem);
	if (rc == 0)
		rc = buf_reserve(out, len, &p);
	if (rc < 0)
		return rc;
	memcpy(p, in, len);
	standardize(p, len);
	buf_commit(out, len);
	return 0;
}
