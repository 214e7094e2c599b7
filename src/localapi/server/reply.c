/* The reply object over a connection: answers become bytes in its output, at once or later, whole or piece by piece. */
#include "localapi/server/internal.h"

#include <errno.h>

enum { SAVE_TIMEOUT_S = 5 }; /* for the disk; who has waited so long is answered anyway */

void lconn_finish(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_finish(c->stream);
}

void lconn_abort(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_close(c->stream);
}

void lconn_let_go(struct lconn *c)
{
	c->held = false;
	if (c->state == CONN_CLOSING)
		stream_finish(c->stream);
	stream_wake(c->stream);
}

void lapi_saved(struct lapi *a)
{
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		if (c->held)
			lconn_let_go(c);
	}
	a->n_held = 0;
	loop_timer_set(a->save_timer, MONO_NEVER);
}

int lconn_respond(
	struct lconn *c, int status, const char *content_type, const char *extra, struct view body)
{
	bool head_only = c->have_head && http1_method_is(&c->head, "HEAD");
	bool keep = c->have_head && c->body_whole && c->head.keep_alive;
	size_t before = buf_len(&c->out);
	int rc = http1_respond(&c->out, status, content_type, extra, body, head_only, keep);

	if (rc < 0) {
		buf_truncate(&c->out, before);
		return rc;
	}
	c->state = keep ? CONN_READING : CONN_CLOSING;
	return 0;
}

/* ---- Whole answers ---- */

static int reply_send(struct http_reply *r, const struct http_answer *a, struct view body)
{
	struct lconn *c = r->transport;
	struct buf lines;
	int rc;

	buf_init(&lines, HTTP1_HEAD_MAX);
	rc = buf_printf(&lines, "%s%s", c->lapi->header_lines, a->extra);
	if (rc == 0)
		rc = buf_append(&lines, "", 1);
	if (rc == 0)
		rc = lconn_respond(
			c, a->status, a->content_type, (const char *)buf_data(&lines), body);
	buf_fini(&lines);
	return rc;
}

/* Nothing more is read of this connection until it is let go: `out` is not empty. */
static void reply_hold(struct http_reply *r, uint64_t ticket, const struct http_instead *instead)
{
	struct lconn *c = r->transport;
	struct lapi *a = c->lapi;

	(void)ticket;
	(void)instead;
	c->held = true;
	if (!a->n_held++)
		loop_timer_set(a->save_timer, loop_now(a->loop).mono + SEC(SAVE_TIMEOUT_S));
}

/* The next request, if there is one, is answered when this answer has been written. */
static void reply_resume(struct http_reply *r)
{
	struct lconn *c = r->transport;

	if (c->state == CONN_READING)
		c->have_head = false;
	lconn_let_go(c);
}

/* ---- Answers that do not end ---- */

static int reply_stream(struct http_reply *r, const struct http_answer *a, int64_t length)
{
	struct lconn *c = r->transport;
	size_t before = buf_len(&c->out);
	int rc;

	if (length != HTTP_LENGTH_UNKNOWN)
		return -ERR_UNSUPPORTED;
	rc = buf_printf(&c->out,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\n%s%sTransfer-Encoding: chunked\r\n\r\n",
		a->status, http1_reason(a->status), a->content_type, c->lapi->header_lines,
		a->extra);
	if (rc < 0) {
		buf_truncate(&c->out, before);
		return rc;
	}
	c->state = CONN_STREAMING;
	c->streams = true;
	c->lapi->n.n_watchers++;
	return 0;
}

/* What the source gave at once is one chunk. */
static int append_chunk(struct buf *out, struct view piece)
{
	size_t before = buf_len(out);
	int rc = buf_printf(out, "%zx\r\n", piece.len);

	if (rc == 0)
		rc = buf_append(out, piece.p, piece.len);
	if (rc == 0)
		rc = buf_append_str(out, "\r\n");
	if (rc < 0)
		buf_truncate(out, before);
	return rc;
}

static void source_over(struct lconn *c, int rc)
{
	const struct http_source *source = c->reply.source;

	c->reply.source = NULL;
	c->waits = 0;
	source->over(c->reply.source_ctx, rc);
}

void lconn_pull(struct lconn *c)
{
	struct buf piece;
	int rc;

	if (c->state != CONN_STREAMING || !c->reply.source || buf_len(&c->out))
		return;
	buf_init(&piece, LAPI_ANSWER_MAX);
	rc = c->reply.source->fill(c->reply.source_ctx, &piece, LAPI_ANSWER_MAX);
	c->waits -= MIN_OF(c->waits, buf_len(&piece));
	if (rc >= 0 && buf_len(&piece) && append_chunk(&c->out, buf_view(&piece)) < 0)
		rc = -ENOMEM;
	if (rc == HTTP_SOURCE_END && buf_append_str(&c->out, "0\r\n\r\n") < 0)
		rc = -ENOMEM;
	buf_fini(&piece);
	if (rc == 0)
		return;
	source_over(c, MIN_OF(rc, 0));
	if (rc < 0)
		lconn_abort(c);
	else
		lconn_finish(c);
}

static void reply_wake(struct http_reply *r)
{
	struct lconn *c = r->transport;

	lconn_pull(c);
	stream_wake(c->stream);
}

const struct http_reply_ops lconn_reply_ops = {
	.send = reply_send,
	.stream = reply_stream,
	.wake = reply_wake,
	.hold = reply_hold,
	.resume = reply_resume,
};
