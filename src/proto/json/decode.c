#include "proto/json/json.h"
#include "base/text/text.h"

#include <errno.h>
#include <math.h>

struct in {
	const uint8_t *start, *p, *end;
	struct arena *arena;
	unsigned depth;
	const char *field; /* the innermost known one, for messages */
};

static int value(struct in *in, const struct json_type *t, size_t max, void *out);

static void blanks(struct in *in)
{
	while (in->p < in->end &&
		(*in->p == ' ' || *in->p == '\t' || *in->p == '\n' || *in->p == '\r'))
		in->p++;
}

/* The next character that is no blank, or 0 at the end. */
static int peek(struct in *in)
{
	blanks(in);
	return in->p < in->end ? *in->p : 0;
}

static bool eat(struct in *in, char c)
{
	if (peek(in) != c)
		return false;
	in->p++;
	return true;
}

static bool word(struct in *in, const char *w)
{
	size_t n = strlen(w);

	blanks(in);
	if ((size_t)(in->end - in->p) < n || memcmp(in->p, w, n) != 0)
		return false;
	in->p += n;
	return true;
}

static int hex4(const uint8_t *p, const uint8_t *end, uint32_t *ret)
{
	uint8_t b[2];

	if (end - p < 4 || hex_decode((const char *)p, 4, b) < 0)
		return -ERR_BAD_FORMAT;
	*ret = load_be16(b);
	return 0;
}

/* p is at a backslash: how many more characters belong to it. 0: it begins no escape. */
static size_t escape_len(const uint8_t *p, const uint8_t *end)
{
	uint32_t unit;

	if (end - p < 2)
		return 0;
	if (p[1] == 'u')
		return hex4(p + 2, end, &unit) == 0 ? 5 : 0;
	return p[1] && strchr("\"\\/bfnrt", p[1]) ? 1 : 0;
}

/*
 * Finds the end of a text: ret covers what is between the quotes, escapes undecoded, but looked at: a value that is kept as it is
 * has to be one for its next reader, too.
 */
static int text_raw(struct in *in, struct view *ret, bool *ret_escapes)
{
	const uint8_t *from, *p, *end = in->end;

	*ret_escapes = false;
	if (!eat(in, '"'))
		return -ERR_BAD_FORMAT;
	for (p = from = in->p; p < end && *p != '"'; p++) {
		if (*p < 0x20)
			break;
		if (*p == '\\') {
			size_t more = escape_len(p, end);

			*ret_escapes = true;
			if (!more)
				break;
			p += more;
		}
	}
	in->p = p;
	if (p == end || *p != '"')
		return -ERR_BAD_FORMAT;
	*ret = view_of(from, (size_t)(p - from));
	in->p++;
	return 0;
}

static size_t put_utf8(uint8_t *o, uint32_t c)
{
	if (c < 0x80) {
		o[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		o[0] = (uint8_t)(0xc0 | c >> 6);
		o[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		o[0] = (uint8_t)(0xe0 | c >> 12);
		o[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		o[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	o[0] = (uint8_t)(0xf0 | c >> 18);
	o[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	o[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	o[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

/* \uXXXX, with its second half where there is one; lone halves become U+FFFD as in Go. p is behind
 * the u. */
static int unicode_escape(const uint8_t **p, const uint8_t *end, uint32_t *ret)
{
	uint32_t c, low;

	if (hex4(*p, end, &c) < 0)
		return -ERR_BAD_FORMAT;
	*p += 4;
	if (c >= 0xd800 && c < 0xdc00 && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u' &&
		hex4(*p + 2, end, &low) == 0 && low >= 0xdc00 && low < 0xe000) {
		*p += 6;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*ret = c >= 0xd800 && c < 0xe000 ? 0xfffd : c;
	return 0;
}

/* out has room for raw.len: an escape is never shorter than what it stands for. */
static int unescape(struct view raw, uint8_t *out, size_t *ret_len)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const uint8_t *p = raw.p, *end = raw.p + raw.len;
	uint8_t *o = out;

	while (p < end) {
		const char *e;
		uint32_t c;

		if (*p != '\\') {
			*o++ = *p++;
			continue;
		}
		p++;
		if (*p == 'u') {
			p++;
			if (unicode_escape(&p, end, &c) < 0)
				return -ERR_BAD_FORMAT;
			o += put_utf8(o, c);
			continue;
		}
		e = *p ? strchr(from, *p) : NULL;
		if (!e)
			return -ERR_BAD_FORMAT;
		*o++ = (uint8_t)to[e - from];
		p++;
	}
	*ret_len = (size_t)(o - out);
	return 0;
}

/* The text between quotes, in the arena. */
static int text_copy(
	struct in *in, struct view raw, bool escapes, size_t max, char **ret, size_t *ret_len)
{
	size_t len;
	char *s;
	int rc = 0;

	if (raw.len / (escapes ? 6 : 1) > max)
		return -ERR_TOO_BIG;
	s = arena_alloc(in->arena, raw.len + 1);
	if (!s)
		return -ENOMEM;
	len = raw.len;
	if (escapes)
		rc = unescape(raw, (uint8_t *)s, &len);
	else if (len)
		memcpy(s, raw.p, len);
	if (rc < 0)
		return rc;
	s[len] = 0;
	if (len > max)
		return -ERR_TOO_BIG;
	if ((escapes && memchr(s, 0, len)) || !text_is_utf8(s, len))
		return -ERR_BAD_VALUE;
	*ret = s;
	*ret_len = len;
	return 0;
}

static int text(struct in *in, size_t max, char **ret, size_t *ret_len)
{
	struct view raw;
	bool escapes;
	int rc = text_raw(in, &raw, &escapes);

	return rc < 0 ? rc : text_copy(in, raw, escapes, max, ret, ret_len);
}

/* The characters of a number, checked against the grammar. */
static int number(struct in *in, struct view *ret, bool *ret_integer)
{
	const uint8_t *from;
	bool integer = true;

	blanks(in);
	from = in->p;
#define DIGITS() \
	do { \
		const uint8_t *d = in->p; \
		while (in->p < in->end && *in->p >= '0' && *in->p <= '9') \
			in->p++; \
		if (in->p == d) \
			return -ERR_BAD_FORMAT; \
	} while (0)
	if (in->p < in->end && *in->p == '-')
		in->p++;
	if (in->p < in->end && *in->p == '0')
		in->p++;
	else
		DIGITS();
	if (in->p < in->end && *in->p == '.') {
		integer = false;
		in->p++;
		DIGITS();
	}
	if (in->p < in->end && (*in->p | 32) == 'e') {
		integer = false;
		in->p++;
		if (in->p < in->end && (*in->p == '+' || *in->p == '-'))
			in->p++;
		DIGITS();
	}
#undef DIGITS
	*ret = view_of(from, (size_t)(in->p - from));
	*ret_integer = integer;
	return 0;
}

static int integer(struct in *in, const struct json_type *t, void *out)
{
	bool is_signed = t->kind == JK_INT;
	struct view v;
	bool whole, minus;
	uint64_t n;
	int rc = number(in, &v, &whole);

	if (rc < 0)
		return rc;
	minus = v.len && v.p[0] == '-';
	if (!whole || (minus && !is_signed))
		return -ERR_BAD_VALUE;
	rc = text_u64((const char *)v.p + minus, v.len - minus,
		is_signed ? (uint64_t)INT64_MAX + minus : UINT64_MAX, &n);
	if (rc < 0)
		return -ERR_BAD_VALUE;
	if (t->elem_max && n && (minus || n > t->elem_max))
		return -ERR_BAD_VALUE;
	n = minus ? 0 - n : n;
	memcpy(out, &n, sizeof(n));
	return 0;
}

static int real(struct in *in, double *out)
{
	char mem[64];
	struct view v;
	bool whole;
	int rc = number(in, &v, &whole);

	if (rc < 0)
		return rc;
	if (v.len >= sizeof(mem))
		return -ERR_BAD_VALUE;
	memcpy(mem, v.p, v.len);
	mem[v.len] = 0;
	*out = strtod(mem, NULL);
	return isfinite(*out) ? 0 : -ERR_BAD_VALUE; /* 1e999 */
}

static int skip(struct in *in);

static int skip_members(struct in *in, char close, bool keyed)
{
	if (eat(in, close))
		return 0;
	do {
		struct view v;
		bool esc;
		int rc = keyed ? text_raw(in, &v, &esc) : 0;

		if (rc == 0 && keyed && !eat(in, ':'))
			rc = -ERR_BAD_FORMAT;
		if (rc == 0)
			rc = skip(in);
		if (rc < 0)
			return rc;
	} while (eat(in, ','));
	return eat(in, close) ? 0 : -ERR_BAD_FORMAT;
}

static int skip(struct in *in)
{
	struct view v;
	bool flag;
	int rc;

	switch (peek(in)) {
	case '{':
	case '[':
		if (++in->depth > JSON_DEPTH_MAX)
			return -ERR_TOO_DEEP;
		flag = *in->p == '{';
		in->p++;
		rc = skip_members(in, flag ? '}' : ']', flag);
		in->depth--;
		return rc;
	case '"':
		return text_raw(in, &v, &flag);
	case 't':
		return word(in, "true") ? 0 : -ERR_BAD_FORMAT;
	case 'f':
		return word(in, "false") ? 0 : -ERR_BAD_FORMAT;
	case 'n':
		return word(in, "null") ? 0 : -ERR_BAD_FORMAT;
	default:
		return number(in, &v, &flag);
	}
}

static bool field_is(const struct json_field *f, const char *name, size_t len)
{
	return ascii_lower(f->name[0]) == ascii_lower(name[0]) &&
	       text_ieq(f->name, strlen(f->name), name, len);
}

/* From `guess` on, then from the start: documents keep to the order of their table, with fields left out. */
static const struct json_field *field_find(const struct json_field *fields,
	const struct json_field *guess, const char *name, size_t len)
{
	if (!len)
		return NULL;
	for (const struct json_field *f = guess; f->name; f++)
		if (field_is(f, name, len))
			return f;
	for (const struct json_field *f = fields; f != guess; f++)
		if (field_is(f, name, len))
			return f;
	return NULL;
}

static int object(struct in *in, const struct json_type *t, void *out)
{
	const struct json_field *guess = t->fields;
	const char *outer = in->field;

	if (!eat(in, '{'))
		return -ERR_BAD_VALUE;
	if (eat(in, '}'))
		return 0;
	do {
		const struct json_field *f;
		struct view name;
		bool escapes;
		int rc = text_raw(in, &name,
			&escapes); /* our names need no escapes: an escaped one is unknown */

		if (rc == 0 && !eat(in, ':'))
			rc = -ERR_BAD_FORMAT;
		if (rc < 0)
			return rc;
		f = field_find(t->fields, guess, (const char *)name.p, name.len);
		if (f) {
			in->field = f->name;
			guess = f + 1;
		}
		rc = f ? value(in, f->type, f->max ? f->max : JSON_DEFAULT_MAX,
				 (char *)out + f->offset)
		       : skip(in);
		if (rc < 0)
			return rc;
		in->field = outer;
	} while (eat(in, ','));
	return eat(in, '}') ? 0 : -ERR_BAD_FORMAT;
}

/* Grows by doubling inside the arena: at most twice the memory of the result. */
static int grow(struct in *in, void **v, size_t n, size_t *cap, size_t size)
{
	size_t more = *cap ? *cap * 2 : 4;
	void *mem;

	if (n < *cap)
		return 0;
	mem = arena_array(in->arena, more, size);
	if (!mem)
		return -ENOMEM;
	if (n)
		memcpy(mem, *v, n * size);
	*v = mem;
	*cap = more;
	return 0;
}

/* Up to what follows a value, whatever is in it: only texts and brackets count. */
static int pass_over(struct in *in)
{
	size_t open = 0;

	for (; in->p < in->end; in->p++) {
		if (*in->p == '"') {
			for (in->p++; in->p < in->end && *in->p != '"'; in->p++)
				if (*in->p == '\\' && in->end - in->p > 1)
					in->p++;
			if (in->p == in->end)
				break;
		} else if (*in->p == '[' || *in->p == '{') {
			open++;
		} else if (*in->p == ']' || *in->p == '}') {
			if (!open--)
				return 0;
		} else if (*in->p == ',' && !open) {
			return 0;
		}
	}
	return -ERR_BAD_FORMAT;
}

/* A value that cannot be read spoils what is around it only if its type has no place to note that. */
static int guarded(struct in *in, const struct json_type *e, size_t max, void *out)
{
	const char *outer = in->field, **fault;
	unsigned depth = in->depth;
	const uint8_t *from;
	int rc;

	blanks(in);
	from = in->p;
	rc = value(in, e, max, out);
	if (rc == 0 || rc == -ENOMEM || !e->fault_at)
		return rc;
	fault = (const char **)((char *)out + e->fault_at);
	*fault = arena_printf(in->arena, "%s%s%s", in->field ? in->field : "",
		in->field ? ": " : "", err_text(rc));
	if (!*fault)
		return -ENOMEM;
	in->p = from;
	in->depth = depth;
	in->field = outer;
	return pass_over(in);
}

static int list(struct in *in, const struct json_type *t, size_t max, struct json_list *out)
{
	size_t cap = 0;

	if (!eat(in, '['))
		return -ERR_BAD_VALUE;
	*out = (struct json_list){ .present = true };
	if (eat(in, ']'))
		return 0;
	do {
		int rc = out->n < max ? grow(in, &out->v, out->n, &cap, t->elem->size)
				      : -ERR_TOO_MANY;

		if (rc == 0)
			rc = guarded(in, t->elem, json_elem_max(t),
				(char *)out->v + out->n * t->elem->size);
		if (rc < 0)
			return rc;
		out->n++;
	} while (eat(in, ','));
	return eat(in, ']') ? 0 : -ERR_BAD_FORMAT;
}

static int map(struct in *in, const struct json_type *t, size_t max, struct json_map *out)
{
	size_t cap = 0, len;
	void *v = NULL;

	if (!eat(in, '{'))
		return -ERR_BAD_VALUE;
	*out = (struct json_map){ .present = true };
	if (eat(in, '}'))
		return 0;
	do {
		struct json_pair pair = { 0 };
		char *key;
		int rc = out->n < max ? grow(in, &v, out->n, &cap, sizeof(pair)) : -ERR_TOO_MANY;

		if (rc == 0)
			rc = text(in, JSON_DEFAULT_MAX, &key, &len);
		if (rc == 0 && !eat(in, ':'))
			rc = -ERR_BAD_FORMAT;
		if (rc < 0)
			return rc;
		pair.key = key;
		pair.value = arena_alloc(in->arena, t->elem->size);
		rc = pair.value ? value(in, t->elem, json_elem_max(t), pair.value) : -ENOMEM;
		if (rc < 0)
			return rc;
		out->v = v;
		out->v[out->n++] = pair;
	} while (eat(in, ','));
	return eat(in, '}') ? 0 : -ERR_BAD_FORMAT;
}

/* Values that are written as texts. An empty text is the zero value where Go's types say so. */
static int from_text(struct in *in, const struct json_type *t, size_t max, void *out)
{
	struct view *bytes = out, raw;
	bool escapes, is_kept = t->kind == JK_STR || t->kind == JK_BYTES;
	size_t len;
	char *s;
	int rc = text_raw(in, &raw, &escapes);

	if (rc < 0)
		return rc;
	/* Keys, times and addresses are read where they stand; their parsers take nothing but their own characters. */
	s = (char *)(uintptr_t)raw.p;
	len = raw.len;
	if (is_kept || escapes || len > max) {
		rc = text_copy(in, raw, escapes, max, &s, &len);
		if (rc < 0)
			return rc;
	}
	switch (t->kind) {
	case JK_STR:
		*(const char **)out = s;
		return 0;
	case JK_BYTES:
		rc = base64_decode(s, len, (uint8_t *)s, &len);
		*bytes = view_of(s, rc == 0 ? len : 0);
		break;
	case JK_KEY:
		rc = len ? key_parse(t->key, s, len, out) : 0;
		break;
	case JK_KEY_NL_PRIVATE:
		rc = len ? key_nl_private_parse(s, len, out) : 0;
		break;
	case JK_TIME:
		rc = time_parse_rfc3339(s, len, out);
		break;
	case JK_IP:
		rc = len ? ipaddr_parse(s, len, out) : 0;
		break;
	case JK_IPPORT:
		rc = len ? ipport_parse(s, len, out) : 0;
		break;
	case JK_PREFIX:
		rc = len ? ipprefix_parse(s, len, out) : 0;
		break;
	case JK_BOOL:
	case JK_OPT_BOOL:
	case JK_INT:
	case JK_U64:
	case JK_F64:
	case JK_RAW:
	case JK_OBJECT:
	case JK_POINTER:
	case JK_LIST:
	case JK_MAP:
		CHECK(false);
	}
	return rc < 0 ? -ERR_BAD_VALUE : 0;
}

static int boolean(struct in *in, const struct json_type *t, void *out)
{
	bool yes = word(in, "true");

	if (!yes && !word(in, "false"))
		return -ERR_BAD_VALUE;
	if (t->kind == JK_BOOL)
		*(bool *)out = yes;
	else
		*(uint8_t *)out = yes ? JSON_YES : JSON_NO;
	return 0;
}

static int raw(struct in *in, struct view *out)
{
	const uint8_t *from;
	int rc;

	blanks(in);
	from = in->p;
	rc = skip(in);
	if (rc == 0)
		*out = view_of(from, (size_t)(in->p - from));
	return rc;
}

static int nested(struct in *in, const struct json_type *t, size_t max, void *out)
{
	void *p;

	if (t->kind == JK_OBJECT)
		return object(in, t, out);
	if (t->kind == JK_LIST)
		return list(in, t, max, out);
	if (t->kind == JK_MAP)
		return map(in, t, max, out);
	p = arena_alloc(in->arena, t->elem->size);
	if (!p)
		return -ENOMEM;
	*(void **)out = p;
	return guarded(in, t->elem, max, p);
}

static int value(struct in *in, const struct json_type *t, size_t max, void *out)
{
	int rc;

	if (t->kind == JK_RAW)
		return raw(in, out);
	if (peek(in) == 'n')
		return word(in, "null") ? 0 : -ERR_BAD_FORMAT;
	switch (t->kind) {
	case JK_BOOL:
	case JK_OPT_BOOL:
		return boolean(in, t, out);
	case JK_INT:
	case JK_U64:
		return integer(in, t, out);
	case JK_F64:
		return real(in, out);
	case JK_STR:
	case JK_BYTES:
	case JK_KEY:
	case JK_KEY_NL_PRIVATE:
	case JK_TIME:
	case JK_IP:
	case JK_IPPORT:
	case JK_PREFIX:
		return peek(in) == '"' ? from_text(in, t, max, out) : -ERR_BAD_VALUE;
	case JK_RAW:
	case JK_OBJECT:
	case JK_POINTER:
	case JK_LIST:
	case JK_MAP:
		break;
	}
	if (++in->depth > JSON_DEPTH_MAX)
		return -ERR_TOO_DEEP;
	rc = nested(in, t, max, out);
	in->depth--;
	return rc;
}

static void locate(const struct in *in, struct err_at *at, int rc)
{
	unsigned line = 1, column = 1;

	for (const uint8_t *p = in->start; p < in->p && p < in->end; p++) {
		column++;
		if (*p == '\n')
			line++, column = 1;
	}
	err_at_set(at, line, column, "%s%s%s", in->field ? in->field : "", in->field ? ": " : "",
		err_text(rc));
}

static int decode(
	const struct json_type *t, struct in *in, void *ret, bool whole, struct err_at *at)
{
	int rc;

	memset(ret, 0, t->size);
	rc = value(in, t, JSON_DEFAULT_MAX, ret);
	if (rc == 0 && whole && peek(in))
		rc = -ERR_TRAILING;
	if (rc == 0 && whole && in->p != in->end)
		rc = -ERR_TRAILING; /* a NUL behind the value */
	if (rc < 0 && at)
		locate(in, at, rc);
	return rc;
}

int json_decode(const struct json_type *t, const void *p, size_t len, void *ret, struct arena *a,
	struct err_at *at)
{
	struct in in = { .start = p, .p = p, .end = (const uint8_t *)p + len, .arena = a };

	return decode(t, &in, ret, true, at);
}

int json_decode_first(const struct json_type *t, const void *p, size_t len, void *ret,
	struct arena *a, struct err_at *at)
{
	struct in in = { .start = p, .p = p, .end = (const uint8_t *)p + len, .arena = a };

	return decode(t, &in, ret, false, at);
}
