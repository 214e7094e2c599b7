/* Bodies of requests: collected, passed on as they come, or skipped. */
#include "http/server/internal.h"

static void begin_chunks(struct httpd_conn *c, size_t max)
{
	if (c->has_chunks)
		return;
	c->has_chunks = true;
	c->chunks = (struct http1_chunks){ 0 };
	c->framing = 0;
	buf_init(&c->body, max);
	buf_set_holder(&c->body, stream_holder(c->stream));
}

/* A piece of a body that is not collected. */
static int pass_piece(struct httpd_conn *c, struct view piece)
{
	if (!c->sink || !piece.len)
		return 0;
	answer_earn(c, piece.len);
	if (piece.len > c->body_max)
		return -ERR_TOO_BIG;
	c->body_max -= piece.len;
	return c->sink->data(c->sink_ctx, piece);
}

/*
 * Goes on where it ended; what was read is taken out of `in`, behind the head of at bytes. 0: the body is whole; HTTP1_MORE;
 * negative: no body.
 */
static int read_chunks(struct httpd_conn *c, size_t at)
{
	size_t done = at;
	int rc = 0, data_rc;

	while (rc == 0) {
		struct view data;
		size_t used;

		rc = http1_chunks_next(
			&c->chunks, buf_data(&c->in) + done, buf_len(&c->in) - done, &data, &used);
		if (rc < 0 || rc == HTTP1_MORE)
			break;
		done += used;
		/* Of a body that nobody reads all bytes count as framing, of one that is passed on none of its content does. */
		c->framing += c->skip_chunks && !c->sink ? used : used - data.len;
		if (c->framing > HTTP1_HEAD_MAX + c->body.max)
			return -ERR_TOO_BIG;
		if (c->skip_chunks)
			data_rc = pass_piece(c, data);
		else
			data_rc = buf_append(&c->body, data.p, data.len) < 0 ? -ERR_TOO_BIG : 0;
		if (data_rc < 0)
			return data_rc;
	}
	buf_remove(&c->in, at, done - at);
	return rc == HTTP1_END ? 0 : rc;
}

int body_pass(struct httpd_conn *c)
{
	size_t n = (size_t)MIN_OF(c->skip, (uint64_t)buf_len(&c->in));
	int rc;

	if (c->skip_chunks) {
		rc = read_chunks(c, 0);
		c->skip_chunks = c->has_chunks = rc == HTTP1_MORE;
		return rc;
	}
	rc = pass_piece(c, view_of(buf_data(&c->in), n));
	buf_consume(&c->in, n);
	c->skip -= n;
	return rc < 0 ? rc : c->skip ? HTTP1_MORE : 0;
}

int body_read(struct httpd_conn *c, const struct http1_head *head, const struct httpd_limits *l,
	size_t head_len, struct view *ret_body, size_t *ret_whole)
{
	int rc;

	if ((head->chunked && !l->chunked) || head->content_length > l->body)
		return -ERR_TOO_BIG;
	*ret_whole = head_len;
	if (head->chunked)
		begin_chunks(c, (size_t)MIN_OF(l->body, (uint64_t)(SIZE_MAX / 2)));
	if (l->head_only) {
		c->skip = head->content_length;
		c->skip_chunks = head->chunked;
		c->body_max = l->body;
		return 0;
	}
	if (head->chunked) {
		rc = read_chunks(c, head_len);
		*ret_body = buf_view(&c->body);
		return rc;
	}
	*ret_whole += (size_t)head->content_length;
	c->needs = *ret_whole;
	if (buf_len(&c->in) < c->needs)
		return HTTP1_MORE;
	*ret_body = view_of(buf_data(&c->in) + head_len, (size_t)head->content_length);
	return 0;
}
