#include "proto/http1/http1.h"
#include "base/err/err.h"
#include "base/text/text.h"

static bool is_token(struct view v)
{
	static const char marks[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < v.len; i++) {
		uint8_t c = v.p[i], l = (uint8_t)ascii_lower((char)c);

		if (!(l >= 'a' && l <= 'z') && !(c >= '0' && c <= '9') && !(c && strchr(marks, c)))
			return false;
	}
	return v.len > 0;
}

static bool has_controls(struct view v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((v.p[i] < 0x20 && v.p[i] != '\t') || v.p[i] == 0x7f)
			return true;
	return false;
}

/* The next line without its CRLF (a bare LF ends a line, too). False: not there yet. */
static bool next_line(struct cur *c, struct view *ret)
{
	const uint8_t *nl = cur_left(c) ? memchr(c->p, '\n', cur_left(c)) : NULL;
	size_t n;

	if (!nl)
		return false;
	n = (size_t)(nl - c->p);
	*ret = cur_view(c, n);
	cur_skip(c, 1);
	if (ret->len && ret->p[ret->len - 1] == '\r')
		ret->len--;
	return true;
}

static struct view cut(struct view *v, char at)
{
	const uint8_t *p = v->len ? memchr(v->p, at, v->len) : NULL;
	struct view left = *v;

	if (!p) {
		*v = view_of(v->p + v->len, 0);
		return left;
	}
	left.len = (size_t)(p - v->p);
	*v = view_of(p + 1, v->len - left.len - 1);
	return left;
}

static int parse_version(struct view v, int *ret_minor)
{
	if (v.len != 8 || memcmp(v.p, "HTTP/1.", 7) != 0 || v.p[7] < '0' || v.p[7] > '9')
		return -ERR_BAD_FORMAT;
	*ret_minor = v.p[7] - '0';
	return 0;
}

static int first_line(struct view line, struct http1_head *h)
{
	uint64_t status;

	if (has_controls(line))
		return -ERR_BAD_FORMAT;
	if (h->is_response) {
		struct view version = cut(&line, ' '), code = cut(&line, ' ');

		if (parse_version(version, &h->minor) < 0 || code.len != 3 ||
			text_u64((const char *)code.p, code.len, 999, &status) < 0)
			return -ERR_BAD_FORMAT;
		h->status = (int)status;
		return 0;
	}
	h->method = cut(&line, ' ');
	h->target = cut(&line, ' ');
	if (!is_token(h->method) || !h->target.len)
		return -ERR_BAD_FORMAT;
	return parse_version(line, &h->minor);
}

static struct view trim(struct view v)
{
	while (v.len && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = view_of(v.p + 1, v.len - 1);
	while (v.len && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
		v.len--;
	return v;
}

static bool name_is(struct view v, const char *name)
{
	return text_ieq((const char *)v.p, v.len, name, strlen(name));
}

static int add_header(struct http1_head *h, struct view line)
{
	struct http1_header f;

	if (h->n_headers == HTTP1_HEADERS_MAX)
		return -ERR_TOO_MANY;
	f.name = cut(&line, ':');
	f.value = trim(line);
	if (!is_token(f.name) || f.value.p == f.name.p + f.name.len || has_controls(f.value))
		return -ERR_BAD_FORMAT;
	h->header[h->n_headers++] = f;
	if (name_is(f.name, "content-length")) {
		if (h->has_content_length || text_u64((const char *)f.value.p, f.value.len,
						     INT64_MAX, &h->content_length) < 0)
			return -ERR_BAD_FORMAT;
		h->has_content_length = true;
	}
	if (name_is(f.name, "transfer-encoding")) {
		if (h->chunked || !name_is(f.value, "chunked"))
			return -ERR_BAD_FORMAT;
		h->chunked = true;
	}
	return 0;
}

int http1_parse(
	const uint8_t *p, size_t len, bool response, struct http1_head *ret, size_t *ret_used)
{
	struct cur c = cur_over(p, MIN_OF(len, (size_t)HTTP1_HEAD_MAX));
	struct http1_head *h = ret;
	struct view line;
	int rc;

	h->is_response = response;
	h->n_headers = 0;
	h->content_length = 0;
	h->has_content_length = h->chunked = false;
	if (!next_line(&c, &line))
		return len >= HTTP1_HEAD_MAX ? -ERR_TOO_BIG : HTTP1_MORE;
	rc = first_line(line, h);
	while (rc == 0) {
		if (!next_line(&c, &line))
			return len >= HTTP1_HEAD_MAX ? -ERR_TOO_BIG : HTTP1_MORE;
		if (!line.len)
			break;
		rc = add_header(h, line);
	}
	if (rc < 0)
		return rc;
	if (h->chunked && h->has_content_length)
		return -ERR_BAD_FORMAT;
	h->keep_alive = h->minor >= 1 ? !http1_has_token(h, "connection", "close")
				      : http1_has_token(h, "connection", "keep-alive");
	*ret_used = (size_t)(c.p - p);
	return 0;
}

struct view http1_find(const struct http1_head *h, const char *name)
{
	for (size_t i = 0; i < h->n_headers; i++)
		if (name_is(h->header[i].name, name))
			return h->header[i].value;
	return view_of("", 0);
}

bool http1_has_token(const struct http1_head *h, const char *name, const char *token)
{
	struct view v = http1_find(h, name);

	while (v.len)
		if (name_is(trim(cut(&v, ',')), token))
			return true;
	return false;
}

struct view http1_path(const struct http1_head *h)
{
	struct view v = h->target;

	return cut(&v, '?');
}

bool http1_form(struct view form, const char *name, struct view *ret)
{
	while (form.len) {
		struct view pair = cut(&form, '&'), key = cut(&pair, '=');

		if (!view_eq(key, view_of(name, strlen(name))))
			continue;
		*ret = pair;
		return true;
	}
	return false;
}

struct view http1_query(const struct http1_head *h, const char *name)
{
	struct view v = h->target, value = view_of("", 0);

	cut(&v, '?');
	(void)http1_form(v, name, &value);
	return value;
}

int http1_unescape(struct view v, bool form, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < v.len; i++, n++) {
		uint8_t c = v.p[i];

		if (n + 1 >= size)
			return -ERR_TOO_BIG;
		if (c == '%') {
			if (v.len - i < 3 || hex_decode((const char *)v.p + i + 1, 2, &c) < 0)
				return -ERR_BAD_FORMAT;
			i += 2;
		} else if (c == '+' && form) {
			c = ' ';
		}
		if (!c)
			return -ERR_BAD_FORMAT;
		out[n] = (char)c;
	}
	if (!size)
		return -ERR_TOO_BIG;
	out[n] = 0;
	return 0;
}

enum { CHUNK_SIZE, CHUNK_DATA, CHUNK_DATA_END, CHUNK_TRAILER };

static int chunk_size(struct http1_chunks *c, struct view line)
{
	struct view digits = trim(cut(&line, ';'));
	char padded[17] = "0000000000000000";
	uint8_t raw[8];

	if (!digits.len || digits.len > 15)
		return -ERR_BAD_FORMAT;
	memcpy(padded + 16 - digits.len, digits.p, digits.len);
	if (hex_decode(padded, 16, raw) < 0)
		return -ERR_BAD_FORMAT;
	c->left = load_be64(raw);
	c->state = c->left ? CHUNK_DATA : CHUNK_TRAILER;
	return 0;
}

int http1_chunks_next(struct http1_chunks *c, const uint8_t *p, size_t len, struct view *ret_data,
	size_t *ret_used)
{
	struct cur in = cur_over(p, len);
	struct view line;

	*ret_data = view_of("", 0);
	*ret_used = 0;
	if (c->state == CHUNK_DATA) {
		*ret_used = (size_t)MIN_OF((uint64_t)len, c->left);
		*ret_data = view_of(p, *ret_used);
		c->left -= *ret_used;
		if (!c->left)
			c->state = CHUNK_DATA_END;
		return *ret_used ? 0 : HTTP1_MORE;
	}
	if (!next_line(&in, &line))
		return len > HTTP1_CHUNK_LINE_MAX ? -ERR_BAD_FORMAT : HTTP1_MORE;
	if (line.len > HTTP1_CHUNK_LINE_MAX)
		return -ERR_BAD_FORMAT;
	*ret_used = (size_t)(in.p - p);
	if (c->state == CHUNK_SIZE)
		return chunk_size(c, line);
	if (c->state == CHUNK_TRAILER)
		return line.len ? 0 : HTTP1_END;
	c->state = CHUNK_SIZE;
	return line.len ? -ERR_BAD_FORMAT : 0;
}

bool http1_method_is(const struct http1_head *h, const char *method)
{
	return view_eq(h->method, view_of(method, strlen(method)));
}

const char *http1_reason(int status)
{
	static const struct {
		int status;
		const char *text;
	} rows[] = { { 101, "Switching Protocols" }, { 200, "OK" }, { 201, "Created" },
		{ 202, "Accepted" }, { 204, "No Content" }, { 301, "Moved Permanently" },
		{ 302, "Found" }, { 303, "See Other" }, { 304, "Not Modified" },
		{ 400, "Bad Request" }, { 401, "Unauthorized" }, { 403, "Forbidden" },
		{ 404, "Not Found" }, { 405, "Method Not Allowed" }, { 409, "Conflict" },
		{ 410, "Gone" }, { 412, "Precondition Failed" },
		{ 413, "Request Entity Too Large" }, { 426, "Upgrade Required" },
		{ 429, "Too Many Requests" }, { 500, "Internal Server Error" },
		{ 501, "Not Implemented" }, { 502, "Bad Gateway" },
		{ 503, "Service Unavailable" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].status == status)
			return rows[i].text;
	return "Status";
}

int http1_respond(struct buf *out, int status, const char *content_type, const char *extra,
	struct view body, bool head_only, bool keep_alive)
{
	int rc = buf_printf(out, "HTTP/1.1 %d %s\r\n", status, http1_reason(status));

	if (rc == 0 && content_type)
		rc = buf_printf(out, "Content-Type: %s\r\n", content_type);
	if (rc == 0 && status != 204)
		rc = buf_printf(out, "Content-Length: %zu\r\n", body.len);
	if (rc == 0)
		rc = buf_printf(out, "%s%s\r\n", extra, keep_alive ? "" : "Connection: close\r\n");
	if (rc == 0 && !head_only && status != 204)
		rc = buf_append(out, body.p, body.len);
	return rc;
}
