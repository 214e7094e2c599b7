/*
 * Exchanges with the exit node: POST to /dns-query of its PeerAPI, through the tunnel, which protects and proves them. HTTP/1.1, one
 * question at a time on each of some connections, which are kept for the next; more questions wait for one to be free.
 */
#include "daemon/dns/internal.h"
#include "proto/http1/http1.h"
#include "proto/names/url.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPE "application/dns-message"

struct request {
	struct list link; /* of waiting, while it has no connection */
	uint64_t exchange;
	char *url;
	struct buf msg;
	bool again; /* it was on a connection that broke before it answered anything */
};

struct conn {
	struct list link;
	struct dnsd_exit *t;
	struct dial *dial;
	char *url;
	struct request *r; /* NULL: it rests */
	bool used;
	mono_ns idle_since;
	struct buf in, out;
};

struct dnsd_exit {
	struct dnsd_env env;
	struct list conns, waiting;
	size_t n_conns, n_waiting;
};

static void request_free(struct request *r)
{
	buf_fini(&r->msg);
	free(r->url);
	free(r);
}

static void conn_free(struct conn *c)
{
	if (c->r)
		request_free(c->r);
	list_remove(&c->link);
	c->t->n_conns--;
	dial_close(c->dial);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c->url);
	free(c);
}

/* ---- A question onto a connection ---- */

static int write_request(struct conn *c, const struct request *r)
{
	struct url at;
	const char *path;
	int rc = url_parse(r->url, &at, &path);

	if (rc == 0)
		rc = buf_printf(&c->out,
			"POST %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nContent-Type: " TYPE
			"\r\nAccept: " TYPE "\r\nContent-Length: %zu\r\n\r\n",
			*path ? path : "/", at.ip.family == 6 ? "[" : "", at.host,
			at.ip.family == 6 ? "]" : "", (unsigned)at.port, buf_len(&r->msg));
	return rc == 0 ? buf_append(&c->out, buf_data(&r->msg), buf_len(&r->msg)) : rc;
}

static void fail(struct dnsd_exit *t, struct request *r, int rc)
{
	struct dnsd_sink *sink = &t->env.sink;
	uint64_t exchange = r->exchange;

	request_free(r);
	sink->failed(sink->ctx, exchange, rc);
}

static struct conn *conn_open(struct dnsd_exit *t, const char *url);

static struct conn *conn_for(struct dnsd_exit *t, const char *url)
{
	list_for_each(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (!c->r && !strcmp(c->url, url))
			return c;
	}
	return t->n_conns < DNSD_EXIT_CONNS_MAX ? conn_open(t, url) : NULL;
}

/* As many as there are connections for. */
static void send_waiting(struct dnsd_exit *t)
{
	struct list *l;

	while (!list_empty(&t->waiting)) {
		struct request *r = container_of(t->waiting.next, struct request, link);
		struct conn *c = conn_for(t, r->url);

		if (!c)
			break;
		list_remove(&r->link);
		t->n_waiting--;
		c->r = r;
		if (write_request(c, r) < 0)
			conn_free(c); /* -ENOMEM; the engine's timeout ends the question */
		else
			dial_wake(c->dial);
	}
	/* Nobody will ever free a connection: there is none. */
	while (!t->n_conns && (l = list_pop_head(&t->waiting))) {
		t->n_waiting--;
		fail(t, container_of(l, struct request, link), -ENOMEM);
	}
}

/* ---- What comes ---- */

/* 1: an answer was taken; 0: more has to come. */
static int take_answer(struct conn *c)
{
	struct dnsd_sink *sink = &c->t->env.sink;
	struct http1_head h;
	size_t head;
	int rc = http1_parse(buf_data(&c->in), buf_len(&c->in), true, &h, &head);
	struct view type;
	uint64_t exchange;

	if (rc != 0)
		return rc == HTTP1_MORE ? 0 : rc;
	if (!c->r || !h.has_content_length || h.content_length > DNS_REPLY_MAX)
		return -EPROTO;
	if (buf_len(&c->in) - head < h.content_length)
		return 0;
	type = http1_find(&h, "content-type");
	exchange = c->r->exchange;
	if (h.status != 200 || !view_eq(type, VIEW_LIT(TYPE)))
		sink->failed(sink->ctx, exchange, -EPROTO);
	else if (!sink->reply(sink->ctx, exchange,
			 view_of(buf_data(&c->in) + head, (size_t)h.content_length)))
		sink->failed(sink->ctx, exchange, -EPROTO);
	request_free(c->r);
	c->r = NULL;
	c->used = true;
	c->idle_since = engine_now(c->t->env.e).mono;
	buf_consume(&c->in, head + (size_t)h.content_length);
	return h.keep_alive ? 1 : -ERR_CLOSED;
}

static void on_up(void *owner)
{
	(void)owner;
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct conn *c = owner;
	int rc = buf_append(&c->in, p, len);

	if (rc == 0)
		rc = take_answer(c);
	if (rc > 0 && buf_len(&c->in))
		return -EPROTO; /* an answer to nothing */
	if (rc > 0)
		send_waiting(c->t);
	return rc < 0 ? rc : 0;
}

static struct view on_output(void *owner)
{
	return buf_view(&((struct conn *)owner)->out);
}

static void on_written(void *owner, size_t n)
{
	buf_consume(&((struct conn *)owner)->out, n);
}

/* If it had rested just as it was used again, its question goes out once more. */
static void on_closed(void *owner, int rc)
{
	struct conn *c = owner;
	struct dnsd_exit *t = c->t;
	struct request *r = c->r;

	c->dial = NULL;
	c->r = NULL;
	if (r && c->used && !r->again) {
		r->again = true;
		list_push_head(&t->waiting, &r->link);
		t->n_waiting++;
	} else if (r) {
		fail(t, r, rc < 0 ? rc : -ERR_CLOSED);
	}
	conn_free(c);
	send_waiting(t);
}

static const struct dial_ops ops = { on_up, on_data, on_output, on_written, on_closed };

static struct conn *conn_open(struct dnsd_exit *t, const char *url)
{
	struct conn *c = calloc(1, sizeof(*c));
	struct node_dial to = { .tls = NODE_TLS_NONE };
	struct dial_how how = { .n_addrs = 1, .by_routes = true };
	const char *path;
	struct url at;

	if (!c)
		return NULL;
	*c = (struct conn){ .t = t, .url = strdup(url) };
	buf_init(&c->in, HTTP1_HEAD_MAX + DNS_REPLY_MAX + STREAM_READ_MAX);
	buf_init(&c->out, HTTP1_HEAD_MAX + 2 * DNS_ASK_MAX);
	list_push_tail(&t->conns, &c->link);
	t->n_conns++;
	t->env.n->streams++;
	if (c->url && url_parse(url, &at, &path) == 0 && ipaddr_is_set(at.ip)) {
		to.host = at.host;
		to.port = at.port;
		how.addrs = &at.ip;
		c->dial = dial_open(t->env.dialer, &to, &how, &ops, c);
	}
	if (!c->dial) {
		conn_free(c);
		return NULL;
	}
	return c;
}

/* ---- What goes ---- */

int dnsd_exit_send(
	struct dnsd_exit *t, uint64_t exchange, const struct dns_upstream *up, struct view msg)
{
	struct request *r;
	const char *path;
	struct url at;

	if (!up->url || url_parse(up->url, &at, &path) < 0 || !ipaddr_is_set(at.ip))
		return -ERR_BAD_VALUE;
	if (t->n_waiting == DNSD_EXIT_WAITING_MAX) {
		t->env.n->stream_full++;
		return -ERR_TOO_MANY;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->exchange = exchange;
	r->url = strdup(up->url);
	buf_init(&r->msg, 2 * DNS_ASK_MAX);
	if (!r->url || buf_append(&r->msg, msg.p, msg.len) < 0) {
		request_free(r);
		return -ENOMEM;
	}
	list_push_tail(&t->waiting, &r->link);
	t->n_waiting++;
	send_waiting(t);
	return 0;
}

bool dnsd_exit_cancel(struct dnsd_exit *t, uint64_t exchange)
{
	list_for_each(l, &t->waiting) {
		struct request *r = container_of(l, struct request, link);

		if (r->exchange == exchange) {
			list_remove(&r->link);
			t->n_waiting--;
			request_free(r);
			return true;
		}
	}
	list_for_each(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (c->r && c->r->exchange == exchange) {
			conn_free(c); /* its answer may still come, and belongs to nobody */
			send_waiting(t);
			return true;
		}
	}
	return false;
}

/* ---- Life ---- */

static mono_ns rests_until(const struct conn *c)
{
	return c->r ? MONO_NEVER : c->idle_since + SEC(DNSD_EXIT_IDLE_S);
}

void dnsd_exit_tick(struct dnsd_exit *t, mono_ns now)
{
	list_for_each_safe(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (now >= rests_until(c))
			conn_free(c);
	}
}

mono_ns dnsd_exit_deadline(const struct dnsd_exit *t)
{
	mono_ns at = MONO_NEVER;

	list_for_each(l, &t->conns)
		at = MIN_OF(at, rests_until(container_of(l, struct conn, link)));
	return at;
}

void dnsd_exit_close_all(struct dnsd_exit *t)
{
	struct list *l;

	while ((l = list_pop_head(&t->waiting)))
		request_free(container_of(l, struct request, link));
	t->n_waiting = 0;
	list_for_each_safe(k, &t->conns)
		conn_free(container_of(k, struct conn, link));
}

int dnsd_exit_new(struct dnsd_exit **ret, const struct dnsd_env *env)
{
	struct dnsd_exit *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->env = *env;
	list_init(&t->conns);
	list_init(&t->waiting);
	*ret = t;
	return 0;
}

struct dnsd_exit *dnsd_exit_free(struct dnsd_exit *t)
{
	if (t)
		dnsd_exit_close_all(t);
	free(t);
	return NULL;
}
