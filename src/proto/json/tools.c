/* Building, copying and laying out values. */
#include "proto/json/json.h"

#include "base/text/plain.h"

#include <errno.h>

enum { COPY_MAX = 1 << 28 };

/* Capacities are powers of two from 4 on: full exactly when the count is one of them. */
static bool is_full(size_t n)
{
	return n == 0 || (n >= 4 && (n & (n - 1)) == 0);
}

static int grown(struct arena *a, void **v, size_t n, size_t size)
{
	void *mem;

	if (!is_full(n))
		return 0;
	mem = arena_array(a, n ? 2 * n : 4, size);
	if (!mem)
		return -ENOMEM;
	if (n)
		memcpy(mem, *v, n * size);
	*v = mem;
	return 0;
}

int json_map_add(struct json_map *m, struct arena *a, const char *key, void *value)
{
	void *v = m->v;
	int rc = grown(a, &v, m->n, sizeof(*m->v));

	if (rc < 0)
		return rc;
	m->v = v;
	m->v[m->n++] = (struct json_pair){ .key = key, .value = value };
	m->present = true;
	return 0;
}

void *json_list_add(struct json_list *l, struct arena *a, size_t item_size)
{
	if (grown(a, &l->v, l->n, item_size) < 0)
		return NULL;
	l->present = true;
	return (char *)l->v + l->n++ * item_size;
}

size_t json_list_keep(struct json_list *l, size_t item_size, size_t max,
	bool (*is_good)(void *ctx, void *item), void *ctx)
{
	char *v = l->v;
	size_t k = 0, gone;

	for (size_t i = 0; i < l->n; i++) {
		if (k == max || !is_good(ctx, v + i * item_size))
			continue;
		if (k != i)
			memmove(v + k * item_size, v + i * item_size, item_size);
		k++;
	}
	gone = l->n - k;
	l->n = k;
	return gone;
}

void *json_map_find(const struct json_map *m, const char *key)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->v[i].key, key) == 0)
			return m->v[i].value;
	return NULL;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct json_pair *)a)->key, ((const struct json_pair *)b)->key);
}

void json_map_sort(struct json_map *m)
{
	if (m->n)
		qsort(m->v, m->n, sizeof(*m->v), by_key);
}

int json_clone(const struct json_type *t, const void *value, void *ret, struct arena *a)
{
	struct buf text;
	char *kept;
	int rc;

	buf_init_secret(&text, COPY_MAX);
	rc = json_encode(t, value, &text);
	kept = rc == 0 ? arena_strndup(a, buf_data(&text), buf_len(&text)) : NULL;
	if (rc == 0)
		rc = kept ? json_decode(t, kept, buf_len(&text), ret, a, NULL) : -ENOMEM;
	buf_fini(&text);
	return rc;
}

struct layout {
	const char *prefix, *indent;
	struct buf *out;
	unsigned depth;
};

static int new_line(const struct layout *l)
{
	int rc = buf_printf(l->out, "\n%s", l->prefix);

	for (unsigned i = 0; i < l->depth && rc == 0; i++)
		rc = buf_append_str(l->out, l->indent);
	return rc;
}

static size_t blanks(struct view in, size_t i)
{
	while (i < in.len && strchr(" \t\r\n", in.p[i]))
		i++;
	return i;
}

/* A quoted text from i on; the place behind it. */
static size_t text_end(struct view in, size_t i)
{
	for (i++; i < in.len && in.p[i] != '"'; i++)
		if (in.p[i] == '\\')
			i++;
	return i < in.len ? i + 1 : in.len;
}

static int opened(struct layout *l, struct view in, size_t *i)
{
	char pair[3] = { (char)in.p[*i], in.p[*i] == '{' ? '}' : ']', 0 };
	size_t next = blanks(in, *i + 1);

	if (next < in.len && in.p[next] == pair[1]) {
		*i = next + 1;
		return buf_append_str(l->out, pair);
	}
	*i += 1;
	l->depth++;
	pair[1] = 0;
	return buf_append_str(l->out, pair) < 0 ? -ENOMEM : new_line(l);
}

int json_indent(struct view in, const char *prefix, const char *indent, struct buf *out)
{
	struct layout l = { prefix, indent, out, 0 };
	size_t i = blanks(in, 0), end;
	int rc = 0;

	for (; i < in.len && rc == 0; i = blanks(in, i)) {
		switch (in.p[i]) {
		case '{':
		case '[':
			rc = opened(&l, in, &i);
			break;
		case '}':
		case ']':
			l.depth -= l.depth > 0;
			rc = new_line(&l);
			FALLTHROUGH;
		case ':':
		case ',':
			if (rc == 0)
				rc = buf_append(out, &in.p[i], 1);
			if (rc == 0 && in.p[i] == ':')
				rc = buf_append(out, " ", 1);
			else if (rc == 0 && in.p[i] == ',')
				rc = new_line(&l);
			i++;
			break;
		default:
			end = in.p[i] == '"' ? text_end(in, i) : i + 1;
			rc = buf_append(out, &in.p[i], end - i);
			i = end;
		}
	}
	return rc;
}

static void each_in_map(const struct json_type *t, struct json_map *m, json_text_fn fn, void *ctx)
{
	for (size_t i = 0; i < m->n; i++) {
		if (*m->v[i].key)
			fn(ctx, (char *)(uintptr_t)m->v[i].key);
		json_each_text(t->elem, m->v[i].value, fn, ctx);
	}
}

void json_each_text(const struct json_type *t, void *value, json_text_fn fn, void *ctx)
{
	char *s;
	void *p;

	switch (t->kind) {
	case JK_STR:
		s = *(char **)value;
		if (s && *s)
			fn(ctx, s);
		break;
	case JK_OBJECT:
		for (const struct json_field *f = t->fields; f->name; f++)
			json_each_text(f->type, (char *)value + f->offset, fn, ctx);
		break;
	case JK_POINTER:
		p = *(void **)value;
		if (p)
			json_each_text(t->elem, p, fn, ctx);
		break;
	case JK_LIST:
		for (size_t i = 0; i < ((struct json_list *)value)->n; i++)
			json_each_text(t->elem,
				(char *)((struct json_list *)value)->v + i * t->elem->size, fn,
				ctx);
		break;
	case JK_MAP:
		each_in_map(t, value, fn, ctx);
		break;
	case JK_BOOL:
	case JK_OPT_BOOL:
	case JK_INT:
	case JK_U64:
	case JK_F64:
	case JK_RAW:
	case JK_BYTES:
	case JK_KEY:
	case JK_KEY_NL_PRIVATE:
	case JK_TIME:
	case JK_IP:
	case JK_IPPORT:
	case JK_PREFIX:
		break;
	}
}

static void make_plain(void *ctx, char *s)
{
	(void)ctx;
	text_make_plain(s, strlen(s));
}

void json_make_plain(const struct json_type *t, void *value)
{
	json_each_text(t, value, make_plain, NULL);
}

int json_escape_hidden(struct view json, struct buf *out)
{
	size_t plain = 0;
	int rc = 0;

	for (size_t i = 0; i < json.len && rc == 0;) {
		uint32_t c;
		int n = text_rune(json.p + i, json.len - i, &c);
		size_t next = i + (n > 0 ? (size_t)n : 1);

		if (n > 0 && (text_rune_shows(c) || c == '\n' || c == '\t' || c == '\r')) {
			i = next;
			continue;
		}
		rc = buf_append(out, json.p + plain, i - plain);
		if (rc == 0)
			rc = n > 0 && c >= 0x7f ? json_encode_hidden(out, c)
						: buf_append(out, "?", 1);
		plain = i = next;
	}
	return rc < 0 ? rc : buf_append(out, json.p + plain, json.len - plain);
}
