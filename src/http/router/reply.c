#include "http/router/reply.h"

void http_reply_init(struct http_reply *r, const struct http_reply_ops *ops, void *transport)
{
	*r = (struct http_reply){ .ops = ops, .transport = transport };
}

void http_reply_gone(struct http_reply *r)
{
	const struct http_source *source = r->source;
	void (*on_gone)(void *ctx) = r->answered ? NULL : r->on_gone;

	r->source = NULL;
	r->on_gone = NULL;
	r->answered = true;
	if (source)
		source->over(r->source_ctx, -ERR_CLOSED);
	if (on_gone)
		on_gone(r->gone_ctx);
}

typedef int (*send_fn)(struct http_reply *r, const struct http_answer *a, struct view body);

static int send(struct http_reply *r, send_fn fn, const struct http_answer *a, struct view body)
{
	int rc;

	if (r->answered)
		return -ERR_BAD_STATE;
	rc = fn(r, a, body);
	if (rc < 0)
		return rc;
	r->answered = true;
	if (r->later && r->ops->resume)
		r->ops->resume(r);
	return 0;
}

int http_reply_send(struct http_reply *r, int status, const char *content_type, const char *extra,
	struct view body)
{
	struct http_answer a = { .status = status, .content_type = content_type, .extra = extra };

	return send(r, r->ops->send, &a, body);
}

int http_reply_refuse(struct http_reply *r, int status, const char *content_type, const char *extra,
	struct view body)
{
	struct http_answer a = {
		.status = status, .content_type = content_type, .extra = extra, .fault = true
	};

	return send(r, r->ops->send, &a, body);
}

int http_reply_refuse_text(struct http_reply *r, int status, const char *text)
{
	return http_reply_refuse(r, status, "text/plain; charset=utf-8",
		"X-Content-Type-Options: nosniff\r\n", view_of(text, strlen(text)));
}

int http_reply_send_static(
	struct http_reply *r, const char *content_type, const char *extra, struct view body)
{
	struct http_answer a = { .status = 200, .content_type = content_type, .extra = extra };

	return send(r, r->ops->send_static ? r->ops->send_static : r->ops->send, &a, body);
}

int http_reply_stream(struct http_reply *r, int status, const char *content_type, const char *extra,
	int64_t length, const struct http_source *source, void *ctx)
{
	struct http_answer a = { .status = status, .content_type = content_type, .extra = extra };
	int rc;

	if (r->answered)
		return -ERR_BAD_STATE;
	if (!r->ops->stream)
		return -ERR_UNSUPPORTED;
	r->source = source;
	r->source_ctx = ctx;
	rc = r->ops->stream(r, &a, length);
	if (rc < 0) {
		r->source = NULL;
		return rc;
	}
	r->answered = true;
	if (r->later && r->ops->resume)
		r->ops->resume(r);
	return 0;
}

void http_reply_wake(struct http_reply *r)
{
	if ((r->source || !r->answered) && r->ops->wake)
		r->ops->wake(r);
}

void http_reply_later(struct http_reply *r, void (*on_gone)(void *ctx), void *ctx)
{
	r->later = true;
	r->on_gone = on_gone;
	r->gone_ctx = ctx;
}
