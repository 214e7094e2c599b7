#include "proto/hujson/hujson.h"
#include "base/text/text.h"
#include "proto/json/json.h"

#include <errno.h>

struct scan {
	const uint8_t *p, *end;
	unsigned line, column;
	struct arena *arena;
	struct err_at *at;
};

static int fault(const struct scan *s, int rc, const char *what)
{
	err_at_set(s->at, s->line, s->column, "%s", what);
	return rc;
}

static int out_of_memory(struct scan *s)
{
	return fault(s, -ENOMEM, "the document needs more memory than it may have");
}

/* One byte on. Continuation bytes of UTF-8 belong to the column of their first byte. */
static void step(struct scan *s)
{
	uint8_t c = *s->p++;

	if (c == '\n') {
		s->line++;
		s->column = 1;
	} else if ((c & 0xc0) != 0x80) {
		s->column++;
	}
}

/* What the parser can stand on next: 0 at the end, which no document contains elsewhere (NUL is refused). */
static int look(const struct scan *s, size_t ahead)
{
	return (size_t)(s->end - s->p) > ahead ? s->p[ahead] : 0;
}

static int skip_block_comment(struct scan *s)
{
	struct scan start = *s;

	step(s);
	step(s);
	while (s->p < s->end) {
		if (look(s, 0) == '*' && look(s, 1) == '/') {
			step(s);
			step(s);
			return 0;
		}
		step(s);
	}
	return fault(&start, -ERR_TRUNCATED, "this comment is never closed: end it with */");
}

static int skip_blank(struct scan *s)
{
	int rc;

	for (;;) {
		int c = look(s, 0);

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
			step(s);
		} else if (c == '/' && look(s, 1) == '/') {
			while (s->p < s->end && *s->p != '\n')
				step(s);
		} else if (c == '/' && look(s, 1) == '*') {
			rc = skip_block_comment(s);
			if (rc < 0)
				return rc;
		} else {
			return 0;
		}
	}
}

/* From the opening quote to behind the closing one. json_decode judges the escapes. */
static int parse_string(struct scan *s, const char **ret)
{
	struct scan start = *s;
	int rc;

	step(s);
	for (;;) {
		int c = look(s, 0);

		if (c == 0)
			return fault(&start, -ERR_TRUNCATED,
				"this text is never closed: end it with \"");
		if (c < 0x20)
			return fault(s, -ERR_BAD_FORMAT,
				"a text ends on its line: close it with \" or write the control character as an escape");
		step(s);
		if (c == '"')
			break;
		if (c == '\\' && s->p < s->end)
			step(s);
	}
	rc = json_decode(&json_str, start.p, (size_t)(s->p - start.p), ret, s->arena, NULL);
	if (rc == -ENOMEM)
		return out_of_memory(&start);
	if (rc == -ERR_TOO_BIG)
		return fault(&start, rc, "this text is too long");
	if (rc < 0)
		return fault(&start, -ERR_BAD_FORMAT,
			"this text has an escape that does not exist in JSON");
	return 0;
}

static bool is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool skip_digits(struct scan *s)
{
	if (!is_digit(look(s, 0)))
		return false;
	while (is_digit(look(s, 0)))
		step(s);
	return true;
}

/* RFC 8259, section 6: no leading plus, no leading zeros, digits on both sides of the point. */
static int parse_number(struct scan *s)
{
	struct scan start = *s;
	bool ok;

	if (look(s, 0) == '-')
		step(s);
	if (look(s, 0) == '0') {
		step(s);
		ok = !is_digit(look(s, 0));
	} else {
		ok = skip_digits(s);
	}
	if (ok && look(s, 0) == '.') {
		step(s);
		ok = skip_digits(s);
	}
	if (ok && (look(s, 0) == 'e' || look(s, 0) == 'E')) {
		step(s);
		if (look(s, 0) == '+' || look(s, 0) == '-')
			step(s);
		ok = skip_digits(s);
	}
	return ok ? 0 : fault(&start, -ERR_BAD_FORMAT, "this is not a number as JSON writes them");
}

static int parse_word(struct scan *s, struct hujson *v)
{
	static const struct {
		const char *word;
		enum hujson_kind kind;
		bool yes;
	} words[] = {
		{ "null", HUJSON_NULL, false },
		{ "true", HUJSON_BOOL, true },
		{ "false", HUJSON_BOOL, false },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].word);
		int after = look(s, n);

		if ((size_t)(s->end - s->p) < n || memcmp(s->p, words[i].word, n) != 0 ||
			is_digit(after) ||
			(ascii_lower((char)after) >= 'a' && ascii_lower((char)after) <= 'z'))
			continue;
		while (n--)
			step(s);
		v->kind = words[i].kind;
		v->yes = words[i].yes;
		return 0;
	}
	return fault(s, -ERR_BAD_FORMAT, "expected a value; texts need \" around them");
}

static int parse_value(struct scan *s, struct hujson *v, unsigned depth);

static int parse_name(struct scan *s, struct hujson *v)
{
	int rc;

	v->name_line = s->line;
	v->name_column = s->column;
	if (look(s, 0) != '"')
		return fault(s, -ERR_BAD_FORMAT, "expected a name in \" or the closing }");
	rc = parse_string(s, &v->name);
	if (rc < 0)
		return rc;
	rc = skip_blank(s);
	if (rc < 0)
		return rc;
	if (look(s, 0) != ':')
		return fault(s, -ERR_BAD_FORMAT, "expected : behind the name");
	step(s);
	return skip_blank(s);
}

/* Behind the opening bracket: members with commas between, and one behind the last if the author likes. */
static int parse_children(struct scan *s, struct hujson *v, const struct scan *open, unsigned depth)
{
	bool object = v->kind == HUJSON_OBJECT;
	int close = object ? '}' : ']';
	struct hujson **tail = &v->first;
	int rc;

	for (;;) {
		rc = skip_blank(s);
		if (rc < 0)
			return rc;
		if (look(s, 0) == close)
			break;
		if (s->p == s->end)
			goto unclosed;
		*tail = arena_new(s->arena, struct hujson);
		if (!*tail)
			return out_of_memory(s);
		rc = object ? parse_name(s, *tail) : 0;
		if (rc == 0)
			rc = parse_value(s, *tail, depth + 1);
		if (rc == 0)
			rc = skip_blank(s);
		if (rc < 0)
			return rc;
		tail = &(*tail)->next;
		v->n++;
		if (look(s, 0) == ',')
			step(s);
		else if (s->p == s->end)
			goto unclosed;
		else if (look(s, 0) != close)
			return fault(s, -ERR_BAD_FORMAT,
				object ? "expected , or } behind this member"
				       : "expected , or ] behind this value");
	}
	step(s);
	return 0;
unclosed:
	return fault(
		open, -ERR_TRUNCATED, object ? "this { is never closed" : "this [ is never closed");
}

static int parse_value(struct scan *s, struct hujson *v, unsigned depth)
{
	struct scan start = *s;
	int c = look(s, 0);
	int rc;

	v->line = s->line;
	v->column = s->column;
	if (depth >= HUJSON_DEPTH_MAX)
		return fault(s, -ERR_TOO_DEEP, "nested too deep");
	if (c == '{' || c == '[') {
		v->kind = c == '{' ? HUJSON_OBJECT : HUJSON_ARRAY;
		step(s);
		rc = parse_children(s, v, &start, depth);
	} else if (c == '"') {
		v->kind = HUJSON_STRING;
		rc = parse_string(s, &v->text);
	} else if (c == '-' || is_digit(c)) {
		v->kind = HUJSON_NUMBER;
		rc = parse_number(s);
	} else if (s->p == s->end) {
		rc = fault(s, -ERR_TRUNCATED, "expected a value, but the document ends here");
	} else {
		rc = parse_word(s, v);
	}
	v->raw = view_of(start.p, (size_t)(s->p - start.p));
	return rc;
}

int hujson_parse(
	const void *in, size_t len, struct arena *a, struct hujson **ret, struct err_at *at)
{
	struct scan s = { .p = in, .line = 1, .column = 1, .arena = a, .at = at };
	struct hujson *root;
	int rc;

	if (len > HUJSON_MAX)
		return fault(&s, -ERR_TOO_BIG, "the document is larger than 8 MiB");
	if (len == 0)
		return fault(&s, -ERR_TRUNCATED, "the document is empty");
	s.end = s.p + len;
	if (memchr(in, 0, len) || !text_is_utf8(in, len)) {
		err_at_set(at, 0, 0, "the document is not text in UTF-8");
		return -ERR_BAD_FORMAT;
	}
	root = arena_new(a, struct hujson);
	if (!root)
		return out_of_memory(&s);
	rc = skip_blank(&s);
	if (rc == 0)
		rc = parse_value(&s, root, 0);
	if (rc == 0)
		rc = skip_blank(&s);
	if (rc < 0)
		return rc;
	if (s.p < s.end)
		return fault(&s, -ERR_TRAILING, "the document has ended before this");
	*ret = root;
	return 0;
}

const struct hujson *hujson_get(const struct hujson *obj, const char *name)
{
	const struct hujson *found = NULL;

	if (!obj || obj->kind != HUJSON_OBJECT)
		return NULL;
	hujson_for_each(m, obj) if (strcmp(m->name, name) == 0) found = m;
	return found;
}

int hujson_int(const struct hujson *v, int64_t *ret)
{
	struct arena none;
	int64_t n;
	int rc;

	if (v->kind != HUJSON_NUMBER)
		return -ERR_BAD_VALUE;
	arena_init(&none, 1024);
	rc = json_decode(&json_int, v->raw.p, v->raw.len, &n, &none, NULL);
	arena_fini(&none);
	if (rc < 0)
		return -ERR_BAD_VALUE;
	*ret = n;
	return 0;
}

const char *hujson_kind_text(enum hujson_kind kind)
{
	switch (kind) {
	case HUJSON_NULL:
		return "null";
	case HUJSON_BOOL:
		return "true or false";
	case HUJSON_NUMBER:
		return "a number";
	case HUJSON_STRING:
		return "a string";
	case HUJSON_ARRAY:
		return "an array";
	case HUJSON_OBJECT:
		return "an object";
	}
	return "a value";
}
