/*
 * Exchanges over TCP and TLS (RFC 7766, 7858): questions of all clients to one server share a connection, answers come in any order
 * and find their exchange by the message's id. A connection rests for some seconds. If a server closes one that had rested just as we
 * use it again, the questions go out once more, on a fresh one.
 */
#include "daemon/dns/internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	HOST_MAX = 256,
	LEN = 2, /* bytes of length before each message */
	OUT_MAX = DNSD_STREAM_EXCHANGES_MAX * (LEN + DNS_ASK_MAX + 64),
};

struct pending {
	uint64_t exchange;
	uint16_t id;
	struct buf msg; /* with its length before it: to be sent again */
};

struct conn {
	struct list link;
	struct dnsd_streams *t;
	struct dial *dial;
	/* Whom it goes to. */
	enum dns_transport transport;
	struct ipport addr;
	char host[HOST_MAX];

	bool used;       /* a message came, since it is there */
	bool again;      /* these are questions of another one that broke */
	unsigned silent; /* given up since the last byte came */
	mono_ns idle_since;
	struct buf in, out;
	struct pending pending[DNSD_STREAM_EXCHANGES_MAX];
	size_t n;
};

struct dnsd_streams {
	struct dnsd_env env;
	struct list conns;
	size_t n_conns;
};

static void pending_drop(struct conn *c, size_t i)
{
	buf_fini(&c->pending[i].msg);
	c->pending[i] = c->pending[--c->n];
	if (!c->n)
		c->idle_since = engine_now(c->t->env.e).mono;
}

static void conn_free(struct conn *c)
{
	while (c->n)
		pending_drop(c, c->n - 1);
	list_remove(&c->link);
	c->t->n_conns--;
	dial_close(c->dial);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* ---- What comes ---- */

static void take_message(struct conn *c, struct view msg)
{
	struct dnsd_sink *sink = &c->t->env.sink;

	c->used = true;
	for (size_t i = 0; msg.len >= 2 && i < c->n; i++) {
		uint64_t exchange = c->pending[i].exchange;

		if (c->pending[i].id != load_be16(msg.p) || !sink->reply(sink->ctx, exchange, msg))
			continue;
		pending_drop(c, i);
		return;
	}
	c->t->env.n->stream_late++;
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct conn *c = owner;
	int rc = buf_append(&c->in, p, len);

	c->silent = 0;
	while (rc == 0 && buf_len(&c->in) >= LEN) {
		size_t n = load_be16(buf_data(&c->in));

		if (buf_len(&c->in) < LEN + n)
			break;
		take_message(c, view_of(buf_data(&c->in) + LEN, n));
		buf_consume(&c->in, LEN + n);
	}
	return rc;
}

static struct view on_output(void *owner)
{
	struct conn *c = owner;

	return buf_view(&c->out);
}

static void on_written(void *owner, size_t n)
{
	buf_consume(&((struct conn *)owner)->out, n);
}

static void on_up(void *owner)
{
	(void)owner;
}

static struct conn *conn_open(struct dnsd_streams *t, const struct dns_upstream *up);

/* All that waits goes out again, on a fresh connection. False: there is none. */
static bool send_again(struct conn *c)
{
	struct dns_upstream up = { .transport = c->transport, .addr = c->addr, .host = c->host };
	struct conn *fresh = conn_open(c->t, &up);

	if (!fresh)
		return false;
	fresh->again = true;
	for (; c->n; c->n--) {
		struct pending *p = &c->pending[c->n - 1];

		/* It fits: this is less than what a connection may hold. */
		if (buf_append(&fresh->out, buf_data(&p->msg), buf_len(&p->msg)) < 0)
			break;
		fresh->pending[fresh->n++] = *p;
	}
	dial_wake(fresh->dial);
	return !c->n;
}

static void on_closed(void *owner, int rc)
{
	struct conn *c = owner;
	struct dnsd_sink *sink = &c->t->env.sink;

	c->dial = NULL;
	if (c->n && c->used && !c->again && send_again(c)) {
		conn_free(c);
		return;
	}
	while (c->n) {
		uint64_t exchange = c->pending[c->n - 1].exchange;

		pending_drop(c, c->n - 1);
		sink->failed(sink->ctx, exchange, rc < 0 ? rc : -ERR_CLOSED);
	}
	conn_free(c);
}

static const struct dial_ops ops = { on_up, on_data, on_output, on_written, on_closed };

/* ---- What goes ---- */

static struct conn *conn_open(struct dnsd_streams *t, const struct dns_upstream *up)
{
	struct conn *c = t->n_conns < DNSD_STREAMS_MAX ? calloc(1, sizeof(*c)) : NULL;
	char text[IPADDR_TEXT_MAX];
	struct node_dial to = { .port = up->addr.port,
		.tls = up->transport == DNS_TLS ? NODE_TLS_VERIFIED : NODE_TLS_NONE };
	struct dial_how how = { .addrs = up->n_dial ? up->dial : &up->addr.ip,
		.n_addrs = up->n_dial ? up->n_dial : ipaddr_is_set(up->addr.ip),
		.by_routes = true };

	if (!c)
		return NULL;
	*c = (struct conn){ .t = t, .transport = up->transport, .addr = up->addr };
	snprintf(c->host, sizeof(c->host), "%s", up->host ? up->host : "");
	to.host = *c->host ? c->host : ipaddr_format(up->addr.ip, text);
	buf_init(&c->in, LEN + DNS_REPLY_MAX + STREAM_READ_MAX);
	buf_init(&c->out, OUT_MAX);
	list_push_head(&t->conns, &c->link); /* the newest is tried first */
	t->n_conns++;
	t->env.n->streams++;
	c->dial = dial_open(t->env.dialer, &to, &how, &ops, c);
	if (!c->dial) {
		conn_free(c);
		return NULL;
	}
	return c;
}

/* Room for one more, and nobody waits under this id. */
static bool takes(const struct conn *c, const struct dns_upstream *up, uint16_t id)
{
	if (c->transport != up->transport || !ipport_eq(c->addr, up->addr) ||
		strcmp(c->host, up->host ? up->host : "") != 0 ||
		c->n == DNSD_STREAM_EXCHANGES_MAX || c->silent >= DNSD_STREAM_SILENT_MAX)
		return false;
	for (size_t i = 0; i < c->n; i++)
		if (c->pending[i].id == id)
			return false;
	return true;
}

static struct conn *conn_for(struct dnsd_streams *t, const struct dns_upstream *up, uint16_t id)
{
	list_for_each(l, &t->conns)
		if (takes(container_of(l, struct conn, link), up, id))
			return container_of(l, struct conn, link);
	return conn_open(t, up);
}

int dnsd_streams_send(
	struct dnsd_streams *t, uint64_t exchange, const struct dns_upstream *up, struct view msg)
{
	struct conn *c = conn_for(t, up, load_be16(msg.p));
	uint8_t len[LEN];
	struct pending p = { .exchange = exchange, .id = load_be16(msg.p) };
	int rc;

	if (!c) {
		t->env.n->stream_full++;
		return -ERR_TOO_MANY;
	}
	store_be16(len, (uint16_t)msg.len);
	buf_init(&p.msg, LEN + msg.len);
	rc = buf_append(&p.msg, len, LEN);
	if (rc == 0)
		rc = buf_append(&p.msg, msg.p, msg.len);
	if (rc == 0)
		rc = buf_append(&c->out, buf_data(&p.msg), buf_len(&p.msg));
	if (rc < 0) {
		buf_fini(&p.msg);
		return rc;
	}
	c->pending[c->n++] = p;
	dial_wake(c->dial);
	return 0;
}

/* A connection that has not come about by now is of no use to anybody. */
bool dnsd_streams_cancel(struct dnsd_streams *t, uint64_t exchange)
{
	list_for_each(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		for (size_t i = 0; i < c->n; i++) {
			if (c->pending[i].exchange != exchange)
				continue;
			pending_drop(c, i);
			c->silent++;
			if (!c->n && (!c->used || c->silent >= DNSD_STREAM_SILENT_MAX))
				conn_free(c);
			return true;
		}
	}
	return false;
}

/* ---- Life ---- */

static mono_ns rests_until(const struct conn *c)
{
	return c->n ? MONO_NEVER : c->idle_since + SEC(DNSD_STREAM_IDLE_S);
}

void dnsd_streams_tick(struct dnsd_streams *t, mono_ns now)
{
	list_for_each_safe(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (now >= rests_until(c))
			conn_free(c);
	}
}

mono_ns dnsd_streams_deadline(const struct dnsd_streams *t)
{
	mono_ns at = MONO_NEVER;

	list_for_each(l, &t->conns)
		at = MIN_OF(at, rests_until(container_of(l, struct conn, link)));
	return at;
}

void dnsd_streams_close_all(struct dnsd_streams *t)
{
	list_for_each_safe(l, &t->conns)
		conn_free(container_of(l, struct conn, link));
}

int dnsd_streams_new(struct dnsd_streams **ret, const struct dnsd_env *env)
{
	struct dnsd_streams *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->env = *env;
	list_init(&t->conns);
	*ret = t;
	return 0;
}

struct dnsd_streams *dnsd_streams_free(struct dnsd_streams *t)
{
	if (t)
		dnsd_streams_close_all(t);
	free(t);
	return NULL;
}
