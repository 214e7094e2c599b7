/*
 * What is written here can be read by json_decode: the same limits hold on both sides, so that no
 * document goes out, or to disk, that nobody takes back.
 */
#include "proto/json/json.h"
#include "base/text/plain.h"
#include "base/text/text.h"

static int encode_value(const struct json_type *t, const void *p, size_t max, struct buf *out);

/* Beyond U+FFFF in two halves. */
int json_encode_hidden(struct buf *out, uint32_t c)
{
	if (c < 0x10000)
		return buf_printf(out, "\\u%04x", (unsigned)c);
	c -= 0x10000;
	return buf_printf(out, "\\u%04x\\u%04x", (unsigned)(0xd800 + (c >> 10)),
		(unsigned)(0xdc00 + (c & 0x3ff)));
}

int json_encode_str(struct buf *out, const char *s, size_t len)
{
	size_t plain = 0;
	int rc = buf_append(out, "\"", 1);

	for (size_t i = 0; i <= len && rc == 0; i++) {
		uint8_t c = i < len ? (uint8_t)s[i] : '"';
		uint32_t rune = 0;
		int wide = c >= 0x80 ? text_rune(s + i, len - i, &rune) : 0;

		if (wide > 1 && text_rune_shows(rune)) {
			i += (size_t)wide - 1;
			continue;
		}
		if (i < len && c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' &&
			c != '>' && c != '&')
			continue;
		rc = buf_append(out, s + plain, i - plain);
		plain = i + 1;
		if (rc < 0 || i == len)
			break;
		if (wide > 1) {
			rc = json_encode_hidden(out, rune);
			i += (size_t)wide - 1;
			plain = i + 1;
		} else if (c >= 0x80) {
			rc = buf_append_str(out, "\\ufffd"); /* as Go writes what is no UTF-8 */
		} else if (c == '"' || c == '\\') {
			rc = buf_printf(out, "\\%c", c);
		} else if (c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
			rc = buf_printf(out, "\\%c",
				c == '\n'   ? 'n'
				: c == '\r' ? 'r'
				: c == '\t' ? 't'
				: c == '\b' ? 'b'
					    : 'f');
		} else {
			rc = buf_printf(out, "\\u%04x", c);
		}
	}
	return rc < 0 ? rc : buf_append(out, "\"", 1);
}

static int encode_text(struct buf *out, const char *s)
{
	return json_encode_str(out, s ? s : "", s ? strlen(s) : 0);
}

static int encode_text_max(struct buf *out, const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0;
	bool grows = len <= max && 3 * len > max && !text_is_utf8(s, len); /* U+FFFD for a byte */

	return len > max || grows ? -ERR_TOO_BIG : json_encode_str(out, s ? s : "", len);
}

static int encode_bytes(struct buf *out, const struct view *v, size_t max)
{
	uint8_t *to;
	int rc = BASE64_LEN(v->len) > max ? -ERR_TOO_BIG : buf_append(out, "\"", 1);

	if (rc == 0)
		rc = buf_reserve(out, BASE64_LEN(v->len) + 1, &to);
	if (rc < 0)
		return rc;
	base64_encode(v->p, v->len, (char *)to);
	buf_commit(out, BASE64_LEN(v->len));
	return buf_append(out, "\"", 1);
}

static bool is_zero(const struct json_type *t, const void *p)
{
	static const uint8_t zero[64];

	switch (t->kind) {
	case JK_STR:
		return !*(const char *const *)p || !**(const char *const *)p;
	case JK_LIST:
		return ((const struct json_list *)p)->n == 0;
	case JK_MAP:
		return ((const struct json_map *)p)->n == 0;
	case JK_RAW:
	case JK_BYTES:
		return ((const struct view *)p)->len == 0;
	case JK_OBJECT:
		for (const struct json_field *f = t->fields; f->name; f++)
			if (!is_zero(f->type, (const char *)p + f->offset))
				return false;
		return true;
	case JK_IP:
	case JK_IPPORT:
	case JK_PREFIX:
		return ((const struct ipaddr *)p)->family == 0;
	case JK_BOOL:
	case JK_OPT_BOOL:
	case JK_INT:
	case JK_U64:
	case JK_F64:
	case JK_KEY:
	case JK_KEY_NL_PRIVATE:
	case JK_TIME:
	case JK_POINTER:
		break;
	}
	return memcmp(p, zero, t->size) == 0;
}

static bool is_left_out(const struct json_field *f, const void *v)
{
	if (!(f->flags & JSON_OMIT) || !is_zero(f->type, v))
		return false;
	if (!(f->flags & JSON_EMPTY))
		return true;
	if (f->type->kind == JK_LIST)
		return !((const struct json_list *)v)->present;
	return f->type->kind != JK_MAP || !((const struct json_map *)v)->present;
}

static int encode_fields(const struct json_type *t, const void *p, struct buf *out)
{
	bool first = true;
	int rc = buf_append(out, "{", 1);

	for (const struct json_field *f = t->fields; f->name && rc == 0; f++) {
		const void *v = (const char *)p + f->offset;
		if (is_left_out(f, v))
			continue;
		if (!first)
			rc = buf_append(out, ",", 1);
		first = false;
		if (rc == 0)
			rc = encode_text(out, f->name);
		if (rc == 0)
			rc = buf_append(out, ":", 1);
		if (rc == 0 && (f->flags & JSON_NULLABLE) && f->type->kind == JK_STR &&
			!*(const char *const *)v)
			rc = buf_append(out, "null", 4);
		else if (rc == 0)
			rc = encode_value(f->type, v, f->max ? f->max : JSON_DEFAULT_MAX, out);
	}
	return rc < 0 ? rc : buf_append(out, "}", 1);
}

static int encode_list(
	const struct json_type *t, const struct json_list *l, size_t max, struct buf *out)
{
	int rc;

	if (!l->present && l->n == 0)
		return buf_append(out, "null", 4);
	if (l->n > max)
		return -ERR_TOO_MANY;
	rc = buf_append(out, "[", 1);
	for (size_t i = 0; i < l->n && rc == 0; i++) {
		if (i)
			rc = buf_append(out, ",", 1);
		if (rc == 0)
			rc = encode_value(t->elem, (const char *)l->v + i * t->elem->size,
				json_elem_max(t), out);
	}
	return rc < 0 ? rc : buf_append(out, "]", 1);
}

static int encode_map(
	const struct json_type *t, const struct json_map *m, size_t max, struct buf *out)
{
	int rc;

	if (!m->present && m->n == 0)
		return buf_append(out, "null", 4);
	if (m->n > max)
		return -ERR_TOO_MANY;
	rc = buf_append(out, "{", 1);
	for (size_t i = 0; i < m->n && rc == 0; i++) {
		if (i)
			rc = buf_append(out, ",", 1);
		if (rc == 0)
			rc = encode_text_max(out, m->v[i].key, JSON_DEFAULT_MAX);
		if (rc == 0)
			rc = buf_append(out, ":", 1);
		if (rc == 0)
			rc = encode_value(t->elem, m->v[i].value, json_elem_max(t), out);
	}
	return rc < 0 ? rc : buf_append(out, "}", 1);
}

static int encode_time(struct buf *out, unix_ms t)
{
	char text[TIME_RFC3339_MAX];

	if (!t)
		return buf_append_str(out, "\"0001-01-01T00:00:00Z\"");
	time_format_rfc3339(t, text);
	return buf_printf(out, "\"%s\"", text);
}

/*
 * The shortest digits that give the same number back, as Go writes them: plain between 1e-6 and
 * 1e21, else with an exponent of no leading zeros.
 */
static int encode_f64(struct buf *out, double v)
{
	char digits[32], *e;
	int exp, n = 0;

	do
		snprintf(digits, sizeof(digits), "%.*e", n, v);
	while (strtod(digits, NULL) != v && ++n < 17);
	e = strchr(digits, 'e');
	if (!e)
		return -ERR_BAD_VALUE; /* infinite or no number: JSON has no word for it */
	exp = atoi(e + 1);
	if (exp >= -6 && exp < 21)
		return buf_printf(out, "%.*f", exp >= n ? 0 : n - exp, v);
	return buf_printf(
		out, "%.*se%c%02d", (int)(e - digits), digits, exp < 0 ? '-' : '+', abs(exp));
}

static int encode_nl_private(struct buf *out, const uint8_t *key)
{
	char hex[2 * KEY_NL_PRIVATE_LEN + 1];
	int rc;

	hex_encode(key, KEY_NL_PRIVATE_LEN, hex);
	rc = buf_printf(out, "\"nlpriv:%s\"", hex);
	key_wipe(hex, sizeof(hex));
	return rc;
}

static int encode_value(const struct json_type *t, const void *p, size_t max, struct buf *out)
{
	char text[KEY_TEXT_MAX];
	const struct view *v = p;

	switch (t->kind) {
	case JK_BOOL:
		return buf_append_str(out, *(const bool *)p ? "true" : "false");
	case JK_OPT_BOOL:
		return buf_append_str(out, *(const uint8_t *)p == JSON_YES  ? "true"
					   : *(const uint8_t *)p == JSON_NO ? "false"
									    : "null");
	case JK_INT:
		if (t->elem_max && (uint64_t) * (const int64_t *)p > t->elem_max)
			return -ERR_BAD_VALUE;
		return buf_printf(out, "%lld", (long long)*(const int64_t *)p);
	case JK_U64:
		return buf_printf(out, "%llu", (unsigned long long)*(const uint64_t *)p);
	case JK_F64:
		return encode_f64(out, *(const double *)p);
	case JK_STR:
		return encode_text_max(out, *(const char *const *)p, max);
	case JK_RAW:
		return v->len ? buf_append(out, v->p, v->len) : buf_append(out, "null", 4);
	case JK_BYTES:
		return v->p ? encode_bytes(out, v, max) : buf_append(out, "null", 4);
	case JK_KEY:
		return encode_text(out, key_format(t->key, p, text));
	case JK_KEY_NL_PRIVATE:
		return encode_nl_private(out, p);
	case JK_TIME:
		return encode_time(out, *(const unix_ms *)p);
	case JK_IP:
		return encode_text(out, ipaddr_format(*(const struct ipaddr *)p, text));
	case JK_IPPORT:
		return encode_text(out, ((const struct ipport *)p)->ip.family
						? ipport_format(*(const struct ipport *)p, text)
						: "");
	case JK_PREFIX:
		return encode_text(out, ((const struct ipprefix *)p)->ip.family
						? ipprefix_format(*(const struct ipprefix *)p, text)
						: "");
	case JK_OBJECT:
		return encode_fields(t, p, out);
	case JK_POINTER:
		return *(void *const *)p ? encode_value(t->elem, *(void *const *)p, max, out)
					 : buf_append(out, "null", 4);
	case JK_LIST:
		return encode_list(t, p, max, out);
	case JK_MAP:
		return encode_map(t, p, max, out);
	}
	CHECK(false);
}

int json_encode(const struct json_type *t, const void *p, struct buf *out)
{
	return encode_value(t, p, JSON_DEFAULT_MAX, out);
}

bool json_same(const struct json_type *t, const void *a, const void *b)
{
	struct buf x, y;
	bool same;

	buf_init(&x, (size_t)1 << 26);
	buf_init(&y, (size_t)1 << 26);
	same = json_encode(t, a, &x) == 0 && json_encode(t, b, &y) == 0 &&
	       view_eq(buf_view(&x), buf_view(&y));
	buf_fini(&x);
	buf_fini(&y);
	return same;
}
