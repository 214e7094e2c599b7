/*
 *	a name --> LOOKUP --address--> stream --head, body--> answered          timeout over, or an error: failed
 *
 * Who is cancelled while the resolver is at work stays until it comes back, and then goes without a word.
 */
#include "http/client/client.h"
#include "os/addr/addr.h"
#include "os/loop/loop.h"
#include "os/stream/stream.h"
#include "proto/http1/http1.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <uv.h>

struct httpask {
	struct httpask_cfg cfg;
	httpask_fn fn; /* NULL: cancelled, or answered */
	void *ctx;
	uv_getaddrinfo_t lookup;
	bool looking_up;
	struct stream *s;
	struct loop_timer *timer; /* timeout, and the word of a failure */
	int rc;
	struct buf out, in;
};

int httpask_url_parse(const char *text, struct httpask_url *ret)
{
	const char *path;

	for (const char *s = text; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '#')
			return -ERR_BAD_VALUE;
	if (url_parse(text, &ret->at, &path) < 0 || strlen(path) + 2 > sizeof(ret->path))
		return -ERR_BAD_VALUE;
	snprintf(ret->path, sizeof(ret->path), "%s%s", *path == '/' ? "" : "/", path);
	return 0;
}

static void ask_free(struct httpask *a)
{
	if (a->looking_up || a->s)
		return;
	loop_timer_free(a->timer);
	buf_fini(&a->out);
	buf_fini(&a->in);
	free(a);
}

static void finish(struct httpask *a, int rc, int status, struct view body)
{
	httpask_fn fn = a->fn;

	a->fn = NULL;
	loop_timer_set(a->timer, MONO_NEVER);
	if (fn)
		fn(a->ctx, rc, status, body);
	if (a->s)
		stream_close(a->s); /* on_closed frees it */
}

/* What is still on its way frees it. */
static void fail(struct httpask *a, int rc)
{
	finish(a, rc, 0, view_of("", 0));
	ask_free(a);
}

static void on_timer(void *ctx)
{
	struct httpask *a = ctx;

	fail(a, a->rc ? a->rc : -ETIMEDOUT);
}

/* 0: the answer is whole; HTTP1_MORE; negative: it is none. at_end: nothing more will come. */
static int read_answer(struct httpask *a, bool at_end)
{
	struct http1_head head;
	struct http1_chunks chunks = { 0 };
	struct view body, part;
	struct buf whole;
	size_t used, n;
	int rc = http1_parse(buf_data(&a->in), buf_len(&a->in), true, &head, &used);

	if (rc != 0)
		return rc < 0 ? -ERR_NOT_HTTP : rc;
	body = view_of(buf_data(&a->in) + used, buf_len(&a->in) - used);
	if (!head.chunked) {
		if (head.has_content_length ? body.len < head.content_length : !at_end)
			return HTTP1_MORE;
		finish(a, 0, head.status,
			view_of(body.p,
				head.has_content_length ? (size_t)head.content_length : body.len));
		return 0;
	}
	buf_init(&whole, HTTPASK_BODY_MAX);
	while (rc == 0) {
		rc = http1_chunks_next(&chunks, body.p, body.len, &part, &n);
		if (rc < 0 || rc == HTTP1_MORE)
			break;
		body = view_of(body.p + n, body.len - n);
		if (buf_append(&whole, part.p, part.len) < 0)
			rc = -ERR_TOO_BIG;
	}
	if (rc == HTTP1_END) {
		finish(a, 0, head.status, buf_view(&whole));
		rc = 0;
	}
	buf_fini(&whole);
	return rc;
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct httpask *a = owner;
	int rc = a->fn ? buf_append(&a->in, p, len) : -ERR_CLOSED;

	if (rc == 0)
		rc = read_answer(a, false);
	return rc < 0 ? rc : 0;
}

static struct view output(void *owner)
{
	return buf_view(&((struct httpask *)owner)->out);
}

static void written(void *owner, size_t n)
{
	buf_consume(&((struct httpask *)owner)->out, n);
}

static void on_connected(void *owner)
{
	stream_wake(((struct httpask *)owner)->s);
}

static void on_closed(void *owner, int rc)
{
	struct httpask *a = owner;

	a->s = NULL;
	if (a->fn && rc == 0)
		rc = read_answer(a, true);
	fail(a, rc < 0 ? rc : -ERR_CLOSED); /* nobody is told who has his answer */
}

static const struct stream_ops stream_ops = { on_connected, on_data, output, written, on_closed,
	NULL };

static void connect_to(struct httpask *a, struct ipaddr ip)
{
	const struct url *u = &a->cfg.url->at;
	struct ipport to = { .ip = ip, .port = u->port };

	a->rc = stream_connect(
		a->cfg.loop, to, u->https ? a->cfg.tls : NULL, u->host, 0, &stream_ops, a, &a->s);
	if (a->rc < 0)
		loop_timer_set(a->timer, loop_now(a->cfg.loop).mono);
}

static void on_looked_up(uv_getaddrinfo_t *req, int status, struct addrinfo *ai)
{
	struct httpask *a = container_of(req, struct httpask, lookup);
	struct sockaddr_storage ss = { 0 };
	struct ipaddr ip;

	a->looking_up = false;
	if (status == 0 && ai && ai->ai_addrlen <= sizeof(ss))
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
	ip = addr_from_sockaddr(&ss).ip;
	uv_freeaddrinfo(ai);
	if (!a->fn)
		ask_free(a);
	else if (!ip.family)
		fail(a, -ERR_NO_NAME);
	else
		connect_to(a, ip);
}

static int begin(struct httpask *a)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_ADDRCONFIG };

	if (a->cfg.url->at.ip.family) {
		connect_to(a, a->cfg.url->at.ip);
		return 0;
	}
	if (uv_getaddrinfo(loop_uv(a->cfg.loop), &a->lookup, on_looked_up, a->cfg.url->at.host,
		    NULL, &hints) != 0)
		return -ENOMEM;
	a->looking_up = true;
	return 0;
}

static int write_request(struct httpask *a, struct view body)
{
	const struct url *u = &a->cfg.url->at;
	bool v6 = u->ip.family == 6;
	int rc = buf_printf(&a->out,
		"POST %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: warren\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n\r\n",
		a->cfg.url->path, v6 ? "[" : "", u->host, v6 ? "]" : "", u->port, body.len);

	return rc < 0 ? rc : buf_append(&a->out, body.p, body.len);
}

int httpask_post(struct httpask **ret, const struct httpask_cfg *cfg, struct view body,
	httpask_fn fn, void *ctx)
{
	struct httpask *a = body.len <= HTTPASK_BODY_MAX ? calloc(1, sizeof(*a)) : NULL;
	int rc;

	if (!a)
		return body.len <= HTTPASK_BODY_MAX ? -ENOMEM : -ERR_TOO_BIG;
	*a = (struct httpask){ .cfg = *cfg, .fn = fn, .ctx = ctx };
	buf_init(&a->out, HTTPASK_PATH_MAX + HOST_MAX + 512 + HTTPASK_BODY_MAX);
	buf_init(&a->in, HTTP1_HEAD_MAX + 2 * HTTPASK_BODY_MAX);
	rc = loop_timer_new(cfg->loop, on_timer, a, &a->timer);
	if (rc < 0) {
		free(a);
		return rc;
	}
	loop_timer_set(a->timer, mono_add(loop_now(cfg->loop).mono, cfg->timeout));
	rc = write_request(a, body);
	if (rc == 0)
		rc = begin(a);
	if (rc < 0) {
		ask_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

struct httpask *httpask_cancel(struct httpask *a)
{
	if (!a)
		return NULL;
	a->fn = NULL;
	fail(a, 0);
	return NULL;
}
