#include "localapi/client/client.h"

#include "base/text/plain.h"

#include "http/client/unix.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>

enum { RETRY_MS = 250 };

struct lclient_stream {
	struct http_unix link;
	struct buf lines; /* decoded; the line that was returned last is at the front */
	size_t returned;
};

static int fail(struct lclient_err *err, int rc, const char *fmt, ...) PRINTF_LIKE(3, 4);

static int fail(struct lclient_err *err, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	text_make_plain(err->text, strlen(err->text));
	return rc;
}

static int dial(struct lclient *c, struct http_unix *l, struct lclient_err *err)
{
	long long now = http_unix_now_ms();
	int rc;

	if (!c->born_ms)
		c->born_ms = now;
	for (;;) {
		rc = http_unix_open(l, c->socket, LCLIENT_ANSWER_MAX, c->until_ms);
		if (rc != -ENOENT && rc != -ECONNREFUSED)
			break;
		now = http_unix_now_ms();
		if (now - c->born_ms >= LCLIENT_TIMEOUT_MS || (c->until_ms && now >= c->until_ms))
			break;
		poll(NULL, 0, http_unix_timeout(c->until_ms, RETRY_MS));
	}
	return rc < 0 ? fail(err, rc, "dial unix %s: %s", c->socket, err_text(rc)) : 0;
}

static int send_request(struct http_unix *l, const struct lclient_request *q)
{
	struct buf text;
	int rc;

	buf_init_secret(&text, (size_t)1 << 24);
	rc = buf_printf(&text,
		"%s /localapi/v0/%s HTTP/1.1\r\nHost: local-tailscaled.sock\r\nTailscale-Cap: %d\r\n%s",
		q->method, q->path, IPN_CAPABILITY, q->headers ? q->headers : "");
	if (rc == 0 && (q->body.len || strcmp(q->method, "GET") != 0))
		rc = buf_printf(&text, "Content-Length: %zu\r\n", q->body.len);
	if (rc == 0)
		rc = buf_append_str(&text, "\r\n");
	if (rc == 0)
		rc = buf_append(&text, q->body.p, q->body.len);
	if (rc == 0)
		rc = http_unix_send(l, buf_view(&text));
	buf_fini(&text);
	return rc;
}

/* The head has been read, its text is still in l->in; copies what outlives it. */
static void note_head(struct lclient *c, struct http_unix *l)
{
	struct view v = http1_find(&l->head, "Tailscale-Version");
	size_t n = MIN_OF(v.len, sizeof(c->server_version) - 1);

	memcpy(c->server_version, v.p, n);
	c->server_version[n] = 0;
}

struct json_error {
	const char *error;
};
static const struct json_field json_error_fields[] = {
	JSON_F(struct json_error, error, "Error", json_str, 0), JSON_END
};
static JSON_OBJECT_TYPE(json_error_type, struct json_error, json_error_fields);

/* What a body says went wrong: the "error" of a JSON object, else all of it. */
static void error_words(struct view body, char *out, size_t size)
{
	struct json_error e = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	if (body.len && json_decode_first(&json_error_type, body.p, body.len, &e, &a, NULL) == 0 &&
		e.error && *e.error) {
		snprintf(out, size, "%s", e.error);
	} else {
		while (body.len && body.p[body.len - 1] <= ' ')
			body.len--;
		snprintf(out, size, "%.*s", (int)MIN_OF(body.len, size - 1), (const char *)body.p);
	}
	arena_fini(&a);
}

static int refused(int status, struct view body, struct lclient_err *err)
{
	bool is_json = body.len && body.p[0] == '{';
	char words[900];

	error_words(body, words, sizeof(words));
	err->status = status;
	if (status == 403)
		return fail(err, -ERR_DENIED, "Access denied: %s", words);
	if (status == 412)
		return fail(err, -ERR_PEER, "Preconditions failed: %s", words);
	if (is_json)
		return fail(err, -ERR_PEER, "%s", words);
	return fail(err, -ERR_PEER, "%d %s: %s", status, http1_reason(status), words);
}

/* Connects, asks, reads the head. */
static int ask(struct lclient *c, const struct lclient_request *q, struct http_unix *l,
	struct lclient_err *err)
{
	int rc;

	err->status = 0;
	err->text[0] = 0;
	rc = dial(c, l, err);
	if (rc < 0)
		return rc;
	rc = send_request(l, q);
	if (rc == 0)
		rc = http_unix_read_head(l, q->timeout_ms);
	if (rc < 0)
		return fail(err, rc, "%s %s: %s", q->method, q->path, err_text(rc));
	note_head(c, l);
	return rc;
}

int lclient_call(struct lclient *c, const struct lclient_request *q, struct buf *body,
	struct lclient_err *err)
{
	size_t before = buf_len(body);
	struct http_unix l;
	int rc = ask(c, q, &l, err), want = q->want ? q->want : 200;

	if (rc >= 0) {
		buf_consume(&l.in, (size_t)rc);
		rc = strcmp(q->method, "HEAD") == 0 ? 0 : http_unix_read_all(&l, body);
		if (rc < 0)
			(void)fail(err, rc, "%s %s: %s", q->method, q->path, err_text(rc));
	}
	if (rc == -LCLIENT_TIMEOUT)
		rc = LCLIENT_TIMEOUT;
	if (rc == 0) {
		err->status = l.head.status;
		if (l.head.status != want) {
			rc = refused(l.head.status,
				view_of(buf_data(body) + before, buf_len(body) - before), err);
			buf_truncate(body, before);
		}
	}
	http_unix_close(&l);
	return rc;
}

int lclient_get(struct lclient *c, const char *path, const struct json_type *t, void *ret,
	struct arena *a, struct lclient_err *err)
{
	const struct lclient_request q = { .method = "GET", .path = path };
	struct err_at at = { 0 };
	struct buf body;
	char *kept;
	int rc;

	buf_init(&body, LCLIENT_ANSWER_MAX);
	rc = lclient_call(c, &q, &body, err);
	kept = rc == 0 ? arena_strndup(a, buf_data(&body), buf_len(&body)) : NULL;
	if (rc == 0) {
		rc = kept ? json_decode_first(t, kept, buf_len(&body), ret, a, &at) : -ENOMEM;
		if (rc < 0)
			(void)fail(err, rc, "the daemon's answer to %s cannot be read: %s", path,
				at.text);
		else
			json_make_plain(t, ret);
	}
	buf_fini(&body);
	return rc;
}

int lclient_header(struct lclient *c, const struct lclient_request *q, const char *name, char *ret,
	size_t size, struct lclient_err *err)
{
	struct http_unix l;
	struct buf body;
	struct view v;
	int rc = ask(c, q, &l, err);

	buf_init(&body, 65536);
	if (rc >= 0) {
		v = http1_find(&l.head, name);
		snprintf(ret, size, "%.*s", (int)MIN_OF(v.len, size - 1), (const char *)v.p);
		buf_consume(&l.in, (size_t)rc);
		rc = 0;
		if (l.head.status != (q->want ? q->want : 200)) {
			rc = http_unix_read_all(&l, &body);
			rc = rc < 0 ? rc : refused(l.head.status, buf_view(&body), err);
		}
	}
	buf_fini(&body);
	http_unix_close(&l);
	return rc;
}

/* ---- Streams ---- */

int lclient_stream_open(struct lclient *c, const struct lclient_request *q,
	struct lclient_stream **ret, struct lclient_err *err)
{
	struct lclient_stream *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return -ENOMEM;
	buf_init(&s->lines, LCLIENT_ANSWER_MAX);
	rc = ask(c, q, &s->link, err);
	if (rc >= 0) {
		buf_consume(&s->link.in, (size_t)rc);
		rc = 0;
	}
	if (rc == 0 && s->link.head.status != (q->want ? q->want : 200)) {
		rc = http_unix_read_all(&s->link, &s->lines);
		rc = rc < 0 ? rc : refused(s->link.head.status, buf_view(&s->lines), err);
	}
	if (rc < 0) {
		lclient_stream_close(s);
		return rc == -LCLIENT_TIMEOUT ? LCLIENT_TIMEOUT : rc;
	}
	s->link.until_ms = 0;
	*ret = s;
	return 0;
}

int lclient_stream_next(struct lclient_stream *s, int timeout_ms, struct view *ret)
{
	long long until = http_unix_now_ms() + timeout_ms;

	buf_consume(&s->lines, s->returned);
	s->returned = 0;
	for (;;) {
		const uint8_t *nl = buf_len(&s->lines)
					    ? memchr(buf_data(&s->lines), '\n', buf_len(&s->lines))
					    : NULL;
		long long left = timeout_ms < 0 ? -1 : MAX_OF(until - http_unix_now_ms(), 0);
		int rc;

		if (nl) {
			*ret = view_of(buf_data(&s->lines), (size_t)(nl - buf_data(&s->lines)));
			s->returned = ret->len + 1;
			return 0;
		}
		rc = http_unix_read_body(&s->link, (int)left, &s->lines);
		if (rc != 0)
			return rc;
	}
}

struct lclient_stream *lclient_stream_close(struct lclient_stream *s)
{
	if (!s)
		return NULL;
	http_unix_close(&s->link);
	buf_fini(&s->lines);
	free(s);
	return NULL;
}
