#include "relay/front.h"

#include "base/list/list.h"

#include <errno.h>
#include <stdlib.h>

enum { OUT_MAX = 16384 };

struct front {
	struct loop *loop;
	struct relay *relay;
	struct loop_timer *timer;
	struct listener *listeners[FRONT_LISTEN_MAX];
	size_t n_listeners, n_conns;
	struct list conns; /* the longest waiting first */
	struct front_counters n;
};

struct conn {
	struct list link;
	struct front *front;
	struct stream *stream;
	mono_ns since; /* accepted, or the last request */
	bool closing;
	struct buf in, out;
};

static void rearm(struct front *f)
{
	mono_ns at = MONO_NEVER;

	if (!list_empty(&f->conns))
		at = mono_add(container_of(f->conns.next, struct conn, link)->since, SEC(FRONT_TIMEOUT_S));
	loop_timer_set(f->timer, at);
}

static void conn_free(struct conn *c)
{
	struct front *f = c->front;

	list_remove(&c->link);
	f->n_conns--;
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
	rearm(f);
}

static void on_tick(void *ctx)
{
	struct front *f = ctx;
	mono_ns now = loop_now(f->loop).mono;

	list_for_each_safe(l, &f->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (c->since + SEC(FRONT_TIMEOUT_S) > now)
			break;
		c->since = now; /* on_closed comes from the loop: not once more until then */
		list_remove(&c->link);
		list_push_tail(&f->conns, &c->link);
		f->n.timed_out++;
		stream_close(c->stream);
	}
	rearm(f);
}

static void on_closed(void *owner, int rc)
{
	conn_free(owner);
}

static struct view output(void *owner)
{
	return buf_view(&((struct conn *)owner)->out);
}

static void written(void *owner, size_t n)
{
	buf_consume(&((struct conn *)owner)->out, n);
}

/* An error ends the connection: where the next request begins is not known. */
static int refuse(struct conn *c, int status, const char *text)
{
	int rc = http1_respond(&c->out, status, "text/plain; charset=utf-8", "X-Content-Type-Options: nosniff\r\n",
		view_of(text, strlen(text)), false, false);

	c->front->n.bad_requests++;
	c->closing = true;
	stream_finish(c->stream);
	return rc;
}

static int answer(struct conn *c, const struct http1_head *head)
{
	static const char page[] = "<!doctype html><title>DERP</title><h1>DERP</h1><p>This is a relay for encrypted "
				   "packets between the devices of a private network.</p>\n";
	static const char robots[] = "User-agent: *\nDisallow: /\n";
	bool is_head = http1_method_is(head, "HEAD"), is_robots = view_eq(http1_path(head), VIEW_LIT("/robots.txt"));

	if (relay_http(head, &c->out))
		return 0;
	return http1_respond(&c->out, 200, is_robots ? "text/plain; charset=utf-8" : "text/html; charset=utf-8",
		"X-Content-Type-Options: nosniff\r\n", is_robots ? view_of(robots, sizeof(robots) - 1) : view_of(page, sizeof(page) - 1), is_head,
		head->keep_alive);
}

enum { TAKEN = 2 }; /* the connection is the relay's now, and c is gone */

static int upgrade(struct conn *c, const struct http1_head *head, size_t used)
{
	struct view rest = view_of(buf_data(&c->in) + used, buf_len(&c->in) - used);
	int rc = relay_take(c->front->relay, c->stream, head, rest);

	if (rc < 0)
		return refuse(c, rc == -ERR_UNSUPPORTED ? 426 : 503,
			rc == -ERR_UNSUPPORTED ? "DERP requires connection upgrade\n" : "no room for another client\n");
	conn_free(c);
	return TAKEN;
}

/* The request at the front of c->in. 0: done; HTTP1_MORE; TAKEN. */
static int next_request(struct conn *c)
{
	static struct http1_head head;
	size_t used;
	int rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &head, &used);

	if (rc == HTTP1_MORE)
		return rc;
	if (rc < 0)
		return refuse(c, 400, "malformed request\n");
	c->front->n.requests++;
	if (relay_wants(&head))
		return upgrade(c, &head, used);
	if (head.chunked || head.content_length) /* none of the paths takes a body */
		return refuse(c, 413, "request body is not expected\n");
	rc = answer(c, &head);
	if (rc < 0)
		return rc;
	c->closing = !head.keep_alive;
	if (c->closing)
		stream_finish(c->stream);
	buf_consume(&c->in, used);
	c->since = loop_now(c->front->loop).mono;
	list_remove(&c->link);
	list_push_tail(&c->front->conns, &c->link);
	rearm(c->front);
	stream_wake(c->stream);
	return 0;
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct conn *c = owner;
	int rc = c->closing ? 0 : buf_append(&c->in, p, len);

	if (rc < 0)
		return refuse(c, 413, "request is too large\n");
	while (rc == 0 && !c->closing && buf_len(&c->in)) {
		rc = next_request(c);
		if (rc == TAKEN)
			return 0;
	}
	return rc < 0 ? rc : 0;
}

static const struct stream_ops conn_ops = { .on_data = on_data, .output = output, .written = written,
	.on_closed = on_closed };

static void on_accept(void *ctx, struct stream *s)
{
	struct front *f = ctx;
	struct conn *c = f->n_conns < FRONT_CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		f->n.refused++;
		stream_close(s);
		return;
	}
	f->n.accepted++;
	f->n_conns++;
	c->front = f;
	c->stream = s;
	c->since = loop_now(f->loop).mono;
	buf_init(&c->in, 256 * 1024); /* one read of the stream, with packets behind the upgrade */
	buf_init(&c->out, OUT_MAX);
	list_push_tail(&f->conns, &c->link);
	stream_set_owner(s, &conn_ops, c);
	rearm(f);
}

int front_new(struct front **ret, struct loop *loop, struct relay *relay)
{
	struct front *f = calloc(1, sizeof(*f));
	int rc;

	if (!f)
		return -ENOMEM;
	f->loop = loop;
	f->relay = relay;
	list_init(&f->conns);
	rc = loop_timer_new(loop, on_tick, f, &f->timer);
	if (rc < 0) {
		free(f);
		return rc;
	}
	*ret = f;
	return 0;
}

struct front *front_free(struct front *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n_listeners; i++)
		listener_close(f->listeners[i]);
	list_for_each_safe(l, &f->conns) {
		struct conn *c = container_of(l, struct conn, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		conn_free(c);
	}
	loop_timer_free(f->timer);
	free(f);
	return NULL;
}

int front_listen(struct front *f, struct ipport addr, struct tls_ctx *tls)
{
	int rc;

	if (f->n_listeners == FRONT_LISTEN_MAX)
		return -ERR_TOO_MANY;
	rc = stream_listen(f->loop, addr, tls, on_accept, f, &f->listeners[f->n_listeners]);
	f->n_listeners += rc == 0;
	return rc;
}

const struct front_counters *front_counters(const struct front *f)
{
	return &f->n;
}
