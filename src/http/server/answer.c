/* Answers into a connection's output: whole, borrowed, as a stream; and how long a connection may take for all that. */
#include "http/server/internal.h"

#include <stdio.h>

/* Its time */

static void set_due(struct httpd_conn *c, mono_ns at)
{
	if (heap_set(&c->httpd->due, &c->due, at) < 0)
		stream_close(c->stream);
	httpd_rearm(c->httpd);
}

static mono_ns in_full(const struct httpd_conn *c)
{
	return mono_add(loop_now(c->httpd->cfg.loop).mono, SEC(HTTPD_TIMEOUT_S));
}

void answer_touch(struct httpd_conn *c)
{
	list_remove(&c->link);
	list_push_tail(&c->httpd->conns, &c->link);
	set_due(c, in_full(c));
}

/* Who is slow has time for each byte, and who moves nothing has none. */
void answer_earn(struct httpd_conn *c, size_t n)
{
	if (c->due.pos)
		set_due(c, mono_min(mono_add(c->due.at, (mono_ns)n * SEC(1) / HTTPD_RATE_MIN),
				   in_full(c)));
}

void answer_stop_time(struct httpd_conn *c)
{
	heap_remove(&c->httpd->due, &c->due);
	httpd_rearm(c->httpd);
}

void answer_done(struct httpd_conn *c)
{
	c->closing = !c->keep_alive;
	if (c->closing)
		stream_finish(c->stream);
	answer_touch(c);
	stream_wake(c->stream);
}

/* Whole answers */

static int put(struct httpd_conn *c, const struct http_answer *a, struct view body, bool head_only)
{
	size_t had = buf_len(&c->out);
	int rc = http1_respond(
		&c->out, a->status, a->content_type, a->extra, body, head_only, c->keep_alive);

	if (rc < 0)
		buf_truncate(&c->out, had); /* there may be room for a shorter answer */
	else
		c->httpd->n.bad_requests += a->fault;
	return rc;
}

int answer_put(struct httpd_conn *c, const struct http_answer *a, struct view body)
{
	return put(c, a, body, c->is_head);
}

int answer_continue(struct httpd_conn *c)
{
	int rc = 0;

	if (!c->told_to_go_on) {
		rc = buf_append_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		c->answer_at = buf_len(&c->out); /* not a part of what may be held */
		stream_wake(c->stream);
	}
	c->told_to_go_on = true;
	return rc;
}

int answer_put_static(struct httpd_conn *c, const struct http_answer *a, struct view body)
{
	int rc = put(c, a, body, true);

	if (rc == 0 && !c->is_head)
		c->after = body;
	return rc;
}

/* Whoever holds it has a bound of his own: its time stops. */
void answer_hold(struct httpd_conn *c, uint64_t ticket, const struct http_instead *instead)
{
	struct httpd *h = c->httpd;

	c->instead = instead;
	c->ticket = ticket;
	list_remove(&c->link);
	list_push_tail(&h->held, &c->link);
	h->n_held++;
	answer_stop_time(c);
}

/* Streams */

static int put_stream_head(struct httpd_conn *c, const struct http_answer *a, int64_t length)
{
	int rc = buf_printf(&c->out, "HTTP/1.1 %d %s\r\n", a->status, http1_reason(a->status));

	if (rc == 0 && a->content_type)
		rc = buf_printf(&c->out, "Content-Type: %s\r\n", a->content_type);
	if (rc == 0 && length >= 0)
		rc = buf_printf(&c->out, "Content-Length: %lld\r\n", (long long)length);
	if (rc == 0 && c->framed)
		rc = buf_append_str(&c->out, "Transfer-Encoding: chunked\r\n");
	if (rc == 0)
		rc = buf_printf(&c->out, "%s%s\r\n", a->extra,
			c->keep_alive ? "" : "Connection: close\r\n");
	return rc;
}

static void stream_over(struct httpd_conn *c)
{
	const struct http_source *source = c->reply.source;

	c->reply.source = NULL;
	source->over(c->reply.source_ctx, 0);
}

int answer_begin_stream(struct httpd_conn *c, const struct http_answer *a, int64_t length)
{
	size_t had = buf_len(&c->out);
	int rc;

	/* Who speaks HTTP/1.0 knows no chunks: the end of the connection is the end of the body. */
	c->framed = length < 0 && !c->is_old;
	c->keep_alive = c->keep_alive && (length >= 0 || c->framed);
	c->left = length;
	rc = put_stream_head(c, a, length);
	if (rc < 0)
		buf_truncate(&c->out, had);
	else if (c->is_head || length == 0)
		stream_over(c);
	return rc;
}

/* What the source has, at most room bytes, behind what is in out. */
static int fill_plain(struct httpd_conn *c, size_t room)
{
	size_t had = buf_len(&c->out), n;
	int rc = c->reply.source->fill(c->reply.source_ctx, &c->out, room);

	n = buf_len(&c->out) - had;
	if (rc < 0 || n > room)
		return rc < 0 ? rc : -ERR_BAD_VALUE;
	if (c->left >= 0)
		c->left -= (int64_t)n;
	if (rc == HTTP_SOURCE_END && c->left > 0)
		return -ERR_TRUNCATED;
	return c->left == 0 ? HTTP_SOURCE_END : rc;
}

static int fill_chunk(struct httpd_conn *c, size_t room)
{
	struct buf piece;
	int rc, put_rc = 0;

	buf_init(&piece, room);
	rc = c->reply.source->fill(c->reply.source_ctx, &piece, room);
	if (rc >= 0 && buf_len(&piece)) {
		put_rc = buf_printf(&c->out, "%zx\r\n", buf_len(&piece));
		if (put_rc == 0)
			put_rc = buf_append(&c->out, buf_data(&piece), buf_len(&piece));
		if (put_rc == 0)
			put_rc = buf_append_str(&c->out, "\r\n");
	}
	if (rc == HTTP_SOURCE_END && put_rc == 0)
		put_rc = buf_append_str(&c->out, "0\r\n\r\n");
	buf_fini(&piece);
	return put_rc < 0 ? put_rc : rc;
}

int answer_pull(struct httpd_conn *c)
{
	size_t had = 0, room = HTTPD_FILL;
	int rc = 0;

	while (rc == 0 && c->reply.source && buf_len(&c->out) < HTTPD_FILL) {
		had = buf_len(&c->out);
		if (c->left >= 0)
			room = (size_t)MIN_OF((uint64_t)c->left, (uint64_t)HTTPD_FILL);
		rc = c->framed ? fill_chunk(c, room) : fill_plain(c, room);
		if (rc == 0 && buf_len(&c->out) == had)
			break; /* nothing now */
	}
	if (rc == HTTP_SOURCE_END)
		stream_over(c);
	return rc < 0 ? rc : 0;
}
