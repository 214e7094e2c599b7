#include "localapi/client/client.h"

#include "base/text/plain.h"

#include "proto/http1/http1.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { READ_CHUNK = 64 * 1024, RETRY_MS = 250 };

/* One connection and what has been read of it. */
struct link {
	int fd;
	struct buf in;
	struct http1_head head;
	struct http1_chunks chunks;
	uint64_t left; /* of a body with a length */
	bool ended;
	long long until_ms; /* as of struct lclient */
};

struct lclient_stream {
	struct link link;
	struct buf lines; /* decoded; the line that was returned last is at the front */
	size_t returned;
};

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

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

/* How long may be waited: at most `most` (negative: for ever), and not beyond until_ms. 0: it is over. */
static int patience(long long until_ms, int most)
{
	long long left = until_ms ? MAX_OF(until_ms - now_ms(), 0) : INT32_MAX;

	if (!until_ms || (most >= 0 && most < left))
		return most;
	return (int)MIN_OF(left, INT32_MAX);
}

/* A daemon that hangs lets its queue of connections run full: connecting waits, too. */
static void bound_connect(int fd, long long until_ms)
{
	int ms = MAX_OF(patience(until_ms, -1), 1);
	struct timeval t = { .tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000 };

	if (until_ms)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

static int connect_once(const char *path, long long until_ms)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, rc = 0;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	bound_connect(fd, until_ms);
	if (connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		rc = errno == EAGAIN && until_ms ? -ETIMEDOUT : -errno;
	if (rc < 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

static int dial(struct lclient *c, struct lclient_err *err)
{
	long long now = now_ms();
	int fd;

	if (!c->born_ms)
		c->born_ms = now;
	for (;;) {
		fd = connect_once(c->socket, c->until_ms);
		if (fd >= 0 || (fd != -ENOENT && fd != -ECONNREFUSED))
			break;
		now = now_ms();
		if (now - c->born_ms >= LCLIENT_TIMEOUT_MS || (c->until_ms && now >= c->until_ms))
			break;
		poll(NULL, 0, patience(c->until_ms, RETRY_MS));
	}
	return fd < 0 ? fail(err, fd, "dial unix %s: %s", c->socket, err_text(fd)) : fd;
}

static int write_all(int fd, struct view v)
{
	while (v.len) {
		ssize_t n = send(fd, v.p, v.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno; /* as bound_connect says */
		v = view_of(v.p + n, v.len - (size_t)n);
	}
	return 0;
}

/* Reads what there is. 0; LCLIENT_TIMEOUT; -ERR_CLOSED. */
static int read_some(struct link *l, int timeout_ms)
{
	struct pollfd p = { .fd = l->fd, .events = POLLIN };
	uint8_t *to;
	ssize_t n;
	int rc = poll(&p, 1, patience(l->until_ms, timeout_ms));

	if (rc == 0 && l->until_ms && now_ms() >= l->until_ms)
		return -ETIMEDOUT;
	if (rc <= 0)
		return rc == 0 || errno == EINTR ? LCLIENT_TIMEOUT : -errno;
	rc = buf_reserve(&l->in, READ_CHUNK, &to);
	if (rc < 0)
		return rc;
	n = recv(l->fd, to, READ_CHUNK, 0);
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ERR_CLOSED;
	buf_commit(&l->in, (size_t)n);
	return 0;
}

/* How many bytes the head has; -LCLIENT_TIMEOUT when it does not come in time. */
static int read_head(struct link *l, int timeout_ms)
{
	long long until = now_ms() + timeout_ms;
	size_t used = 0;
	int rc;

	for (;;) {
		rc = http1_parse(buf_data(&l->in), buf_len(&l->in), true, &l->head, &used);
		if (rc == 0 && l->head.status != 100)
			return (int)used;
		if (rc == 0)
			buf_consume(&l->in, used);
		if (rc == HTTP1_MORE)
			rc = read_some(l, timeout_ms ? (int)MAX_OF(until - now_ms(), 0) : -1);
		if (rc < 0)
			return rc;
		if (timeout_ms && now_ms() >= until)
			return -LCLIENT_TIMEOUT;
	}
}

static int send_request(struct link *l, const struct lclient_request *q)
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
		rc = write_all(l->fd, buf_view(&text));
	buf_fini(&text);
	return rc;
}

static void link_close(struct link *l)
{
	if (l->fd >= 0)
		close(l->fd);
	buf_fini(&l->in);
}

/* The head has been read, its text is still in l->in; copies what outlives it. */
static void note_head(struct lclient *c, struct link *l)
{
	struct view v = http1_find(&l->head, "Tailscale-Version");
	size_t n = MIN_OF(v.len, sizeof(c->server_version) - 1);

	memcpy(c->server_version, v.p, n);
	c->server_version[n] = 0;
	l->left = l->head.content_length;
	l->ended = l->head.status == 204 ||
		   (!l->head.chunked && l->head.has_content_length && !l->left);
}

/* One more piece of the body, decoded. 0; -ERR_CLOSED at its end. */
static int read_body(struct link *l, int timeout_ms, struct buf *to)
{
	struct view data;
	size_t used;
	int rc = HTTP1_MORE;

	if (l->ended)
		return -ERR_CLOSED;
	if (buf_len(&l->in) && l->head.chunked) {
		rc = http1_chunks_next(&l->chunks, buf_data(&l->in), buf_len(&l->in), &data, &used);
		l->ended = rc == HTTP1_END;
	} else if (buf_len(&l->in)) {
		used = l->head.has_content_length
			       ? (size_t)MIN_OF((uint64_t)buf_len(&l->in), l->left)
			       : buf_len(&l->in);
		data = view_of(buf_data(&l->in), used);
		l->left -= l->head.has_content_length ? used : 0;
		l->ended = l->head.has_content_length && !l->left;
		rc = 0;
	}
	if (rc == HTTP1_MORE)
		return read_some(l, timeout_ms);
	if (rc < 0)
		return rc;
	rc = buf_append(to, data.p, data.len);
	buf_consume(&l->in, used);
	return rc;
}

static int read_whole_body(struct link *l, struct buf *to)
{
	int rc = 0;

	while (rc >= 0 && !l->ended)
		rc = read_body(l, -1, to);
	/* Without a length the end of the connection is the end of the body. */
	return rc == -ERR_CLOSED && !l->head.chunked && !l->head.has_content_length ? 0
										    : MIN_OF(rc, 0);
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
static int ask(
	struct lclient *c, const struct lclient_request *q, struct link *l, struct lclient_err *err)
{
	int rc;

	err->status = 0;
	err->text[0] = 0;
	*l = (struct link){ .fd = -1, .until_ms = c->until_ms };
	buf_init(&l->in, LCLIENT_ANSWER_MAX);
	rc = dial(c, err);
	if (rc < 0)
		return rc;
	l->fd = rc;
	rc = send_request(l, q);
	if (rc == 0)
		rc = read_head(l, q->timeout_ms);
	if (rc < 0)
		return fail(err, rc, "%s %s: %s", q->method, q->path, err_text(rc));
	note_head(c, l);
	return rc;
}

int lclient_call(struct lclient *c, const struct lclient_request *q, struct buf *body,
	struct lclient_err *err)
{
	size_t before = buf_len(body);
	struct link l;
	int rc = ask(c, q, &l, err), want = q->want ? q->want : 200;

	if (rc >= 0) {
		buf_consume(&l.in, (size_t)rc);
		rc = strcmp(q->method, "HEAD") == 0 ? 0 : read_whole_body(&l, body);
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
	link_close(&l);
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
	struct link l;
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
			rc = read_whole_body(&l, &body);
			rc = rc < 0 ? rc : refused(l.head.status, buf_view(&body), err);
		}
	}
	buf_fini(&body);
	link_close(&l);
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
		rc = read_whole_body(&s->link, &s->lines);
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
	long long until = now_ms() + timeout_ms;

	buf_consume(&s->lines, s->returned);
	s->returned = 0;
	for (;;) {
		const uint8_t *nl = buf_len(&s->lines)
					    ? memchr(buf_data(&s->lines), '\n', buf_len(&s->lines))
					    : NULL;
		long long left = timeout_ms < 0 ? -1 : MAX_OF(until - now_ms(), 0);
		int rc;

		if (nl) {
			*ret = view_of(buf_data(&s->lines), (size_t)(nl - buf_data(&s->lines)));
			s->returned = ret->len + 1;
			return 0;
		}
		rc = read_body(&s->link, (int)left, &s->lines);
		if (rc != 0)
			return rc;
	}
}

struct lclient_stream *lclient_stream_close(struct lclient_stream *s)
{
	if (!s)
		return NULL;
	link_close(&s->link);
	buf_fini(&s->lines);
	free(s);
	return NULL;
}
