#include "http/router/shared.h"

#include <errno.h>
#include <stdlib.h>

struct http_shared {
	size_t refs, len;
	uint8_t b[];
};

struct reading {
	struct http_shared *body;
	size_t at;
};

struct http_shared *http_shared_new(struct view body)
{
	struct http_shared *s = malloc(sizeof(*s) + body.len);

	if (!s)
		return NULL;
	s->refs = 1;
	s->len = body.len;
	memcpy(s->b, body.p, body.len);
	return s;
}

struct http_shared *http_shared_put(struct http_shared *s)
{
	if (s && --s->refs == 0)
		free(s);
	return NULL;
}

static int fill(void *ctx, struct buf *out, size_t room)
{
	struct reading *r = ctx;
	size_t n = MIN_OF(room, r->body->len - r->at);
	int rc = buf_append(out, r->body->b + r->at, n);

	r->at += n;
	return rc < 0 ? rc : r->at == r->body->len ? HTTP_SOURCE_END : 0;
}

static void over(void *ctx, int rc)
{
	struct reading *r = ctx;

	http_shared_put(r->body);
	free(r);
}

static const struct http_source source = { fill, over };

int http_reply_send_shared(
	struct http_reply *r, const char *content_type, const char *extra, struct http_shared *body)
{
	struct reading *reading = malloc(sizeof(*reading));
	int rc;

	if (!reading)
		return -ENOMEM;
	*reading = (struct reading){ .body = body };
	body->refs++;
	rc = http_reply_stream(r, 200, content_type, extra, (int64_t)body->len, &source, reading);
	if (rc < 0)
		over(reading, rc);
	return rc;
}
