/*
 * HuJSON in its canonical form. What hujson_parse has accepted is read once
 * more, this time with what stands between the values: blanks and comments, here called extras. The
 * steps and their order are those of the formatting that Tailscale's tools do, byte for byte: a
 * policy's ETag is the hash of its canonical form.
 */
#include "proto/hujson/extra.h"
#include "proto/hujson/hujson.h"
#include "proto/json/json.h"

#include <errno.h>

enum { FORMAT_MEM_MAX = 512 << 20, LINE_MAX_LEN = 80 };

struct value {
	struct view before, after; /* extras */
	bool has_after;            /* of the last one of a composite: a comma stands behind it */
	char kind;                 /* '{', '[', or 0: a literal */
	struct view text;          /* literal */
	struct item *first, *last;
	struct view end;       /* extra before the closing bracket */
	bool expanded, has_lf; /* a line break before, in or behind an item; comments of an empty
				  one do not count */
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

/* Reading */

static struct view read_extra(struct format *f)
{
	const uint8_t *start = f->p;

	while (f->p < f->last) {
		struct view rest = view_of(f->p, (size_t)(f->last - f->p));

		if (extra_comment_begins(rest))
			f->p += extra_comment_len(rest);
		else if (extra_is_blank(*f->p))
			f->p++;
		else
			break;
	}
	if (extra_has_comment(view_of(start, (size_t)(f->p - start))))
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
		rc = extra_keep(&f->mem, &b, &v->text);
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
	while (f->p < f->last && !extra_is_blank(*f->p) && !strchr(",]}/", *f->p))
		f->p++;
	v->text = view_of(start, (size_t)(f->p - start));
	return 0;
}

/* Line breaks before a comma or a colon are of no influence. */
static void drop_blank_after(struct value *v)
{
	if (!extra_has_comment(v->after)) {
		v->after.len = 0;
		v->has_after = false;
	}
}

static void normalize(struct value *v)
{
	if (v->kind && !v->first && !extra_has_comment(v->end))
		v->end.len = 0;
	for (struct item *i = v->first; i; i = i->next) {
		drop_blank_after(&i->name);
		drop_blank_after(&i->value);
		normalize(&i->value);
	}
}

/* Which composites need lines of their own */

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
	bool expand = extra_has_lf(v->end) || (v->last && extra_has_lf(v->last->value.after));
	struct view front;

	if (!v->kind)
		return (struct extent){ v->text.len, v->text.len, false };
	for (struct item *i = v->first; i; i = i->next) {
		expand |= extra_has_lf(v->kind == '{' ? i->name.before : i->value.before);
		if (v->kind == '{')
			walk_value(&w, &i->name);
		walk_value(&w, &i->value);
	}
	w.line++;
	walk_line_ends(&w);
	v->expanded = expand || w.too_long;
	if (!v->expanded)
		return (struct extent){ w.first, w.line, w.n > 1 };
	front = !v->first        ? v->end
		: v->kind == '{' ? v->first->name.before
				 : v->first->value.before;
	return (struct extent){ 1 + extra_extent(front).first, 1, true };
}

static int rewrite_value(struct format *f, struct value *v, unsigned depth);

static int rewrite_item(struct format *f, struct value *v, struct item *i, unsigned depth)
{
	int front = (v->expanded ? LEAD_LF : 0) | (i == v->first ? NO_BLANK_FIRST : SPACE);
	unsigned child = depth + v->expanded;
	int rc;

	if (v->kind == '{') {
		rc = extra_rewrite(&f->mem, &i->name.before, depth + 1, front);
		if (rc == 0)
			rc = extra_rewrite(
				&f->mem, &i->name.after, depth + 2, NO_BLANK_FIRST | NO_BLANK_LAST);
		if (rc == 0)
			rc = extra_rewrite(&f->mem, &i->value.before, depth + 2,
				NO_BLANK_FIRST | NO_BLANK_LAST | SPACE);
		child += extra_has_lf(i->name.after) || extra_has_lf(i->value.before);
	} else {
		rc = extra_rewrite(&f->mem, &i->value.before, depth + 1, front);
	}
	if (rc == 0)
		rc = rewrite_value(f, &i->value, child);
	return rc < 0 ? rc
		      : extra_rewrite(&f->mem, &i->value.after, depth + 2,
				NO_BLANK_FIRST | NO_BLANK_LAST);
}

/* The comma behind the last one: never on the same line as the bracket, always when it stands on a
 * line of its own. */
static int settle_comma(struct format *f, struct value *v)
{
	struct value *last = &v->last->value;
	int rc = 0;

	if (last->has_after && !v->expanded && !(last->after.len && v->end.len)) {
		rc = extra_join(&f->mem, last->after, v->end, &v->end);
		last->after.len = 0;
		last->has_after = false;
	} else if (v->expanded && !f->is_standard) {
		last->has_after = true;
	}
	return rc;
}

static bool is_in_run(const struct item *i)
{
	return extra_has_lf(i->name.before) && !extra_has_lf(i->name.after) &&
	       !extra_has_lf(i->value.before) && !i->value.has_lf && !extra_has_lf(i->value.after);
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
			if (extra_join(&f->mem, i->value.before, view_of(pad, n),
				    &i->value.before) < 0)
				return -ENOMEM;
		}
	}
	return 0;
}

static int rewrite_value(struct format *f, struct value *v, unsigned depth)
{
	int flags = NO_BLANK_LAST | OUTDENT | (v->expanded ? TRAIL_LF : 0) |
		    (v->first ? 0 : NO_BLANK_FIRST),
	    rc = 0;

	if (!v->kind)
		return 0;
	for (struct item *i = v->first; i && rc == 0; i = i->next) {
		rc = rewrite_item(f, v, i, depth);
		v->has_lf |= i->value.has_lf || extra_has_lf(i->name.before) ||
			     extra_has_lf(i->name.after) || extra_has_lf(i->value.before) ||
			     extra_has_lf(i->value.after);
	}
	if (rc == 0)
		rc = extra_rewrite(&f->mem, &v->end, depth + 1, flags);
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
		rc = extra_rewrite(&f->mem, &top.before, 0, 0);
	if (rc == 0)
		rc = rewrite_value(f, &top, 0);
	if (rc == 0)
		rc = extra_rewrite(&f->mem, &top.after, 0, 0);
	n = extra_leading(top.before);
	top.before = top.before.len ? view_from(top.before, n) : top.before;
	top.after.len = extra_trimmed(top.after);
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
