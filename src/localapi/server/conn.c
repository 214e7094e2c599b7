/* Connections: requests in, one after the other; what was answered out. */
#include "localapi/server/shares.h"

#include <errno.h>
#include <unistd.h>

enum {
	IN_MAX = 256 * 1024,    /* read ahead of what is being answered, at the most */
	IN_ENOUGH = 16 * 1024,  /* with so much nothing more is read until that is answered */
	OPERATOR_TIMEOUT_S = 5, /* for who the operator is; then who asked is none */
};

const char lapi_security_lines[] =
	"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; script-src 'none'; script-src-elem 'none'; "
	"script-src-attr 'none'\r\n"
	"X-Frame-Options: DENY\r\n"
	"X-Content-Type-Options: nosniff\r\n";

/* ---- Requests ---- */

/* An answer of the connection itself, not of a table. */
static void refuse(struct lconn *c, int status, const char *extra, struct view text)
{
	if (lconn_respond(c, status, "text/plain; charset=utf-8", extra, text) < 0)
		lconn_abort(c);
	else
		lconn_let_go(c);
}

/* Where the next request would begin is not known after a fault: the connection ends. */
static void bad_request(struct lconn *c, int status, const char *text)
{
	c->lapi->n.bad_requests++;
	c->have_head = false;
	refuse(c, status, lapi_security_lines, view_of(text, strlen(text)));
}

static bool from_a_browser(const struct http1_head *h)
{
	struct view host = http1_find(h, "Host");

	return http1_find(h, "Referer").len || http1_find(h, "Origin").len ||
	       (host.len && !view_eq(host, VIEW_LIT("local-tailscaled.sock")));
}

/* Who may be the operator waits until it is known. */
static bool waits_for_operator(struct lconn *c)
{
	struct lapi *a = c->lapi;
	const char *name = a->cfg.operator_user(a->cfg.owner);
	uid_t uid;

	if (!c->has_uid || c->uid == 0 || c->uid == getuid() || !name || !*name ||
		a->operator_late || users_uid(a->users, name, &uid) != USERS_PENDING)
		return false;
	c->state = CONN_WAITING;
	c->asks_operator = true;
	loop_timer_set(a->operator_timer, loop_now(a->loop).mono + SEC(OPERATOR_TIMEOUT_S));
	return true;
}

static void answer(struct lconn *c)
{
	static const char refused[] = "invalid localapi request\n";

	c->lapi->n.requests++;
	if (from_a_browser(&c->head)) {
		c->lapi->n.refused++;
		refuse(c, 403, "X-Content-Type-Options: nosniff\r\n",
			view_of(refused, sizeof(refused) - 1));
		return;
	}
	if (waits_for_operator(c))
		return;
	if (!share_may_ask(c)) {
		c->lapi->n.work_refused++;
		c->head.keep_alive = false; /* what was sent behind it is not read */
		refuse(c, 429, lapi_security_lines,
			VIEW_LIT("too many requests of this user; wait a moment\n"));
		return;
	}
	if (!share_may_hold(c, 0)) {
		c->lapi->n.bytes_refused++;
		refuse(c, 503, lapi_security_lines,
			VIEW_LIT("too much waits to be read by this user\n"));
		return;
	}
	if (lconn_dispatch(c) < 0)
		lconn_abort(c);
	else if (!c->held)
		lconn_let_go(c);
}

static int take_head(struct lconn *c)
{
	static struct http1_head probe;
	size_t used;
	int rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &probe, &used);

	if (rc != 0)
		return rc;
	buf_clear(&c->head_text);
	buf_clear(&c->body);
	rc = buf_append(&c->head_text, buf_data(&c->in), used);
	if (rc == 0) /* again, for views that stay */
		rc = http1_parse(buf_data(&c->head_text), used, false, &c->head, &used);
	if (rc != 0)
		return rc < 0 ? rc : -ERR_BAD_FORMAT;
	buf_consume(&c->in, used);
	c->have_head = true;
	c->body_whole = !c->head.chunked && !c->head.content_length;
	c->chunks = (struct http1_chunks){ 0 };
	c->body_max = c->body_whole ? 0 : lconn_body_max(c);
	if (c->head.content_length > c->body_max)
		return -ERR_TOO_BIG;
	if (!c->body_whole && http1_has_token(&c->head, "Expect", "100-continue")) {
		rc = buf_append_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		stream_wake(c->stream);
	}
	return rc;
}

/* 0: whole; HTTP1_MORE. */
static int take_chunks(struct lconn *c)
{
	struct view data;
	size_t used;
	int rc = 0;

	while (rc == 0) {
		rc = http1_chunks_next(&c->chunks, buf_data(&c->in), buf_len(&c->in), &data, &used);
		if (rc >= 0 && data.len &&
			(data.len > c->body_max - buf_len(&c->body) ||
				buf_append(&c->body, data.p, data.len) < 0))
			return -ERR_TOO_BIG;
		if (rc >= 0)
			buf_consume(&c->in, used);
	}
	return rc == HTTP1_END ? 0 : rc;
}

static int take_body(struct lconn *c)
{
	size_t n;
	int rc;

	if (c->head.chunked)
		return take_chunks(c);
	n = MIN_OF((size_t)c->head.content_length - buf_len(&c->body), buf_len(&c->in));
	rc = buf_append(&c->body, buf_data(&c->in), n);
	if (rc < 0)
		return rc;
	buf_consume(&c->in, n);
	return buf_len(&c->body) < c->head.content_length ? HTTP1_MORE : 0;
}

/* Requests are answered one after the other, the next when the answer before it has been taken. */
static void pump(struct lconn *c)
{
	while (c->state == CONN_READING && !buf_len(&c->out)) {
		int rc = 0;

		if (!c->have_head)
			rc = take_head(c);
		if (rc == 0 && !c->body_whole)
			rc = take_body(c);
		if (rc == HTTP1_MORE)
			return;
		if (rc < 0) {
			bool big = rc == -ERR_TOO_BIG;
			bad_request(c, big ? 413 : 400,
				big ? "request is too large\n" : "malformed request\n");
			return;
		}
		c->body_whole = true;
		answer(c);
		if (c->state == CONN_READING)
			c->have_head = false;
	}
}

static void operator_known(struct lapi *a)
{
	loop_timer_set(a->operator_timer, MONO_NEVER);
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		if (!c->asks_operator)
			continue;
		c->asks_operator = false;
		c->state = CONN_READING;
		answer(c);
		if (c->state == CONN_READING)
			c->have_head = false;
	}
}

void lconn_on_operator(void *ctx)
{
	struct lapi *a = ctx;

	a->operator_late = false;
	operator_known(a);
}

void lconn_on_operator_late(void *ctx)
{
	struct lapi *a = ctx;

	a->operator_late = true;
	a->n.operator_late++;
	operator_known(a);
}

/* ---- Streams ---- */

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct lconn *c = owner;

	if (c->state == CONN_CLOSING ||
		c->state == CONN_STREAMING) /* nothing more is asked there */
		return 0;
	if (!share_may_hold(c, len)) {
		c->lapi->n.bytes_refused++;
		return -ERR_NO_ROOM;
	}
	if (buf_append(&c->in, p, len) < 0) {
		c->lapi->n.bad_requests++;
		return -ERR_TOO_BIG;
	}
	pump(c);
	return 0;
}

/* Where enough waits to be answered the rest waits with who sends it. */
static bool full(void *owner)
{
	const struct lconn *c = owner;
	bool busy = c->state == CONN_WAITING || (c->state == CONN_READING && buf_len(&c->out));

	return busy && buf_len(&c->in) >= IN_ENOUGH;
}

static struct view output(void *owner)
{
	struct lconn *c = owner;

	return c->held ? view_of("", 0) : buf_view(&c->out);
}

static void written(void *owner, size_t n)
{
	struct lconn *c = owner;

	buf_consume(&c->out, n);
	lconn_pull(c);
	pump(c);
}

void lconn_free(struct lconn *c)
{
	if (c->reply.ops)
		http_reply_gone(&c->reply);
	c->lapi->n.n_watchers -= c->streams;
	list_remove(&c->link);
	c->lapi->n.n_connections--;
	c->lapi->n_common -= c->common;
	buf_fini(&c->in);
	buf_fini(&c->head_text);
	buf_fini(&c->body);
	buf_fini(&c->out);
	free(c);
}

static void on_closed(void *owner, int rc)
{
	lconn_free(owner);
}

static const struct stream_ops conn_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.full = full,
	.on_closed = on_closed };

void lconn_accept(void *ctx, struct stream *s)
{
	struct lapi *a = ctx;
	struct lconn *c = calloc(1, sizeof(*c));

	if (c) {
		c->lapi = a;
		c->stream = s;
		c->uid = (uid_t)-1;
		c->has_uid = stream_peer_uid(s, &c->uid);
	}
	if (!c || !share_has_room(c)) {
		a->n.connections_refused++;
		stream_close(s);
		free(c);
		return;
	}
	a->n.n_connections++;
	c->common = !share_is_trusted(c);
	a->n_common += c->common;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->head_text, HTTP1_HEAD_MAX);
	buf_init_secret(&c->body, LAPI_BODY_MAX); /* auth keys come this way */
	buf_init(&c->out, LAPI_ANSWER_MAX);
	list_push_tail(&a->conns, &c->link);
	stream_set_owner(s, &conn_ops, c);
}
