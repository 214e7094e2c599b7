/*
 * Exchanges over HTTPS (RFC 8484): each is a POST in a stream of an HTTP/2 connection, which is kept for the next. A connection is for
 * one URL, so that what one provider knows of a device's path is told to no other. If a server closes one that had rested just as we
 * use it again, the questions go out once more, on a fresh one.
 */
#include "daemon/dns/internal.h"
#include "proto/names/url.h"

#include <errno.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#define TYPE "application/dns-message"

struct request {
	struct list link;
	struct conn *c;
	uint64_t exchange;
	int32_t id;
	struct buf msg;
	size_t sent;
	struct buf reply;
	int status;
	bool typed; /* the answer is a DNS message */
};

struct conn {
	struct list link;
	struct dnsd_h2 *t;
	struct dial *dial;
	char *url; /* whom it is for */
	struct url at;
	const char *path; /* in url */
	struct ipaddr dial_to[DNS_DIAL_MAX];
	size_t n_dial;
	nghttp2_session *h2; /* NULL until it is up */
	struct view out;     /* HTTP/2's, until it is asked for the next */
	bool used, again;
	unsigned silent;
	mono_ns idle_since;
	struct list requests;
	size_t n;
};

struct dnsd_h2 {
	struct dnsd_env env;
	struct list conns;
	size_t n_conns;
};

/* ---- Life of a request ---- */

static void request_free(struct request *r)
{
	struct conn *c = r->c;

	list_remove(&r->link);
	if (!--c->n)
		c->idle_since = engine_now(c->t->env.e).mono;
	buf_fini(&r->msg);
	buf_fini(&r->reply);
	free(r);
}

static void request_fail(struct request *r, int rc)
{
	struct dnsd_sink *sink = &r->c->t->env.sink;
	uint64_t exchange = r->exchange;

	request_free(r);
	sink->failed(sink->ctx, exchange, rc);
}

static void request_done(struct request *r)
{
	struct dnsd_sink *sink = &r->c->t->env.sink;
	bool good = r->status == 200 && r->typed;

	r->c->used = true;
	if (!good || !sink->reply(sink->ctx, r->exchange, buf_view(&r->reply)))
		request_fail(r, -EPROTO);
	else
		request_free(r);
}

/* ---- nghttp2's callbacks ---- */

static struct request *request_of(nghttp2_session *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2, id);
}

static int on_header(nghttp2_session *h2, const nghttp2_frame *frame, const uint8_t *name,
	size_t n_name, const uint8_t *value, size_t n_value, uint8_t flags, void *ctx)
{
	struct request *r = request_of(h2, frame->hd.stream_id);
	struct view key = { name, n_name }, v = { value, n_value };

	(void)flags;
	(void)ctx;
	if (!r)
		return 0;
	if (view_eq(key, VIEW_LIT(":status")) && n_value == 3)
		r->status = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
	else if (view_eq(key, VIEW_LIT("content-type")))
		r->typed = view_eq(v, VIEW_LIT(TYPE));
	return 0;
}

static int on_data_chunk(
	nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *ctx)
{
	struct request *r = request_of(h2, id);

	(void)flags;
	(void)ctx;
	return !r || buf_append(&r->reply, p, n) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int on_stream_close(nghttp2_session *h2, int32_t id, uint32_t error, void *ctx)
{
	struct request *r = request_of(h2, id);

	(void)ctx;
	if (!r)
		return 0;
	nghttp2_session_set_stream_user_data(h2, id, NULL);
	if (error == NGHTTP2_NO_ERROR)
		request_done(r);
	else
		request_fail(r, -EPROTO);
	return 0;
}

static ssize_t read_body(nghttp2_session *h2, int32_t id, uint8_t *out, size_t max, uint32_t *flags,
	nghttp2_data_source *source, void *ctx)
{
	struct request *r = request_of(h2, id);
	size_t n;

	(void)source;
	(void)ctx;
	if (!r)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	n = MIN_OF(max, buf_len(&r->msg) - r->sent);
	if (n)
		memcpy(out, buf_data(&r->msg) + r->sent, n);
	r->sent += n;
	if (r->sent == buf_len(&r->msg))
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

/* ---- A connection ---- */

static void conn_free(struct conn *c)
{
	while (!list_empty(&c->requests))
		request_free(container_of(c->requests.next, struct request, link));
	list_remove(&c->link);
	c->t->n_conns--;
	dial_close(c->dial);
	nghttp2_session_del(c->h2);
	free(c->url);
	free(c);
}

static int session_new(struct conn *c)
{
	const nghttp2_settings_entry settings[] = { { NGHTTP2_SETTINGS_ENABLE_PUSH, 0 } };
	nghttp2_session_callbacks *cb;
	int rc;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data_chunk);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	rc = nghttp2_session_client_new(&c->h2, cb, c);
	nghttp2_session_callbacks_del(cb);
	if (rc != 0)
		return -ENOMEM;
	return nghttp2_submit_settings(c->h2, NGHTTP2_FLAG_NONE, settings, ARRAY_LEN(settings)) == 0
		       ? 0
		       : -ENOMEM;
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value) };
}

static int submit(struct conn *c, struct request *r)
{
	char authority[HOST_MAX + 16], length[24];
	bool v6 = c->at.ip.family == 6;
	nghttp2_data_provider data = { .read_callback = read_body };

	snprintf(authority, sizeof(authority), c->at.port_given ? "%s%s%s:%u" : "%s%s%s",
		v6 ? "[" : "", c->at.host, v6 ? "]" : "", (unsigned)c->at.port);
	snprintf(length, sizeof(length), "%zu", buf_len(&r->msg));
	{
		const nghttp2_nv h[] = { nv(":method", "POST"), nv(":scheme", "https"),
			nv(":authority", authority), nv(":path", *c->path == '/' ? c->path : "/"),
			nv("content-type", TYPE), nv("accept", TYPE),
			nv("content-length", length) };

		r->sent = 0;
		r->id = nghttp2_submit_request(c->h2, NULL, h, ARRAY_LEN(h), &data, r);
	}
	return r->id < 0 ? -EPROTO : 0;
}

static int submit_all(struct conn *c)
{
	int rc = 0;

	list_for_each_safe(l, &c->requests) {
		struct request *r = container_of(l, struct request, link);

		if (rc == 0 && !r->id)
			rc = submit(c, r);
	}
	return rc;
}

static void conn_fail(struct conn *c, int rc)
{
	while (!list_empty(&c->requests))
		request_fail(container_of(c->requests.next, struct request, link), rc);
	conn_free(c);
}

static void on_up(void *owner)
{
	struct conn *c = owner;
	char agreed[16];

	/* A server without HTTP/2 is none for DNS. */
	if (strcmp(dial_agreed(c->dial, agreed), "h2") != 0 || session_new(c) < 0 ||
		submit_all(c) < 0)
		conn_fail(c, -EPROTO);
	else
		dial_wake(c->dial);
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct conn *c = owner;
	ssize_t n = c->h2 ? nghttp2_session_mem_recv(c->h2, p, len) : -1;

	c->silent = 0;
	if (n < 0 || (!nghttp2_session_want_read(c->h2) && !nghttp2_session_want_write(c->h2)))
		return -EPROTO;
	dial_wake(c->dial);
	return 0;
}

static struct view on_output(void *owner)
{
	struct conn *c = owner;
	const uint8_t *p = NULL;

	if (!c->out.len && c->h2) {
		ssize_t n = nghttp2_session_mem_send(c->h2, &p);

		c->out = view_of(p, n > 0 ? (size_t)n : 0);
	}
	return c->out;
}

static void on_written(void *owner, size_t n)
{
	struct conn *c = owner;

	c->out = view_of(c->out.p + n, c->out.len - n);
}

static struct conn *conn_open(struct dnsd_h2 *t, const struct dns_upstream *up);

static void give(struct conn *c, struct request *r)
{
	r->c = c;
	r->id = 0;
	list_push_tail(&c->requests, &r->link);
	c->n++;
}

/* All that waits goes out again, on a fresh connection. False: there is none. */
static bool send_again(struct conn *c, const struct dns_upstream *up)
{
	struct conn *fresh = conn_open(c->t, up);
	struct list *l;

	if (!fresh)
		return false;
	fresh->again = true;
	while ((l = list_pop_head(&c->requests))) {
		struct request *r = container_of(l, struct request, link);

		c->n--;
		buf_clear(&r->reply);
		r->status = 0;
		give(fresh, r);
	}
	return true;
}

static void on_closed(void *owner, int rc)
{
	struct conn *c = owner;
	struct dns_upstream up = { .transport = DNS_HTTPS, .url = c->url, .n_dial = c->n_dial };

	c->dial = NULL;
	memcpy(up.dial, c->dial_to, sizeof(up.dial));
	if (c->n && c->used && !c->again && send_again(c, &up)) {
		conn_free(c);
		return;
	}
	conn_fail(c, rc < 0 ? rc : -ERR_CLOSED);
}

static const struct dial_ops ops = { on_up, on_data, on_output, on_written, on_closed };

static struct conn *conn_open(struct dnsd_h2 *t, const struct dns_upstream *up)
{
	struct conn *c = t->n_conns < DNSD_STREAMS_MAX ? calloc(1, sizeof(*c)) : NULL;
	struct node_dial to = { .tls = NODE_TLS_VERIFIED };
	struct dial_how how = {
		.addrs = up->dial, .n_addrs = up->n_dial, .by_routes = true, .alpn = "\x02h2"
	};

	if (!c)
		return NULL;
	*c = (struct conn){ .t = t, .url = strdup(up->url), .n_dial = up->n_dial };
	memcpy(c->dial_to, up->dial, sizeof(c->dial_to));
	list_init(&c->requests);
	list_push_head(&t->conns, &c->link);
	t->n_conns++;
	t->env.n->streams++;
	if (c->url && url_parse(c->url, &c->at, &c->path) == 0 && c->at.https) {
		to.host = c->at.host;
		to.port = c->at.port;
		c->dial = dial_open(t->env.dialer, &to, &how, &ops, c);
	}
	if (!c->dial) {
		conn_free(c);
		return NULL;
	}
	return c;
}

/* ---- What goes ---- */

static struct conn *conn_for(struct dnsd_h2 *t, const struct dns_upstream *up)
{
	list_for_each(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (c->n < DNSD_STREAM_EXCHANGES_MAX && c->silent < DNSD_STREAM_SILENT_MAX &&
			!strcmp(c->url, up->url) && c->n_dial == up->n_dial &&
			!memcmp(c->dial_to, up->dial, up->n_dial * sizeof(*up->dial)))
			return c;
	}
	return conn_open(t, up);
}

int dnsd_h2_send(
	struct dnsd_h2 *t, uint64_t exchange, const struct dns_upstream *up, struct view msg)
{
	struct conn *c = up->url ? conn_for(t, up) : NULL;
	struct request *r = c ? calloc(1, sizeof(*r)) : NULL;
	int rc;

	if (!c) {
		t->env.n->stream_full++;
		return -ERR_TOO_MANY;
	}
	if (!r)
		return -ENOMEM;
	r->exchange = exchange;
	buf_init(&r->msg, DNS_ASK_MAX + 64);
	buf_init(&r->reply, DNS_REPLY_MAX);
	give(c, r);
	rc = buf_append(&r->msg, msg.p, msg.len);
	if (rc == 0 && c->h2)
		rc = submit(c, r);
	if (rc < 0)
		request_free(r);
	else
		dial_wake(c->dial);
	return rc;
}

bool dnsd_h2_cancel(struct dnsd_h2 *t, uint64_t exchange)
{
	list_for_each(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		list_for_each(k, &c->requests) {
			struct request *r = container_of(k, struct request, link);

			if (r->exchange != exchange)
				continue;
			if (c->h2 && r->id > 0) {
				nghttp2_session_set_stream_user_data(c->h2, r->id, NULL);
				nghttp2_submit_rst_stream(
					c->h2, NGHTTP2_FLAG_NONE, r->id, NGHTTP2_CANCEL);
			}
			request_free(r);
			c->silent++;
			if (!c->n && (!c->used || c->silent >= DNSD_STREAM_SILENT_MAX))
				conn_free(c);
			else
				dial_wake(c->dial);
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

void dnsd_h2_tick(struct dnsd_h2 *t, mono_ns now)
{
	list_for_each_safe(l, &t->conns) {
		struct conn *c = container_of(l, struct conn, link);

		if (now >= rests_until(c))
			conn_free(c);
	}
}

mono_ns dnsd_h2_deadline(const struct dnsd_h2 *t)
{
	mono_ns at = MONO_NEVER;

	list_for_each(l, &t->conns)
		at = MIN_OF(at, rests_until(container_of(l, struct conn, link)));
	return at;
}

void dnsd_h2_close_all(struct dnsd_h2 *t)
{
	list_for_each_safe(l, &t->conns)
		conn_free(container_of(l, struct conn, link));
}

int dnsd_h2_new(struct dnsd_h2 **ret, const struct dnsd_env *env)
{
	struct dnsd_h2 *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->env = *env;
	list_init(&t->conns);
	*ret = t;
	return 0;
}

struct dnsd_h2 *dnsd_h2_free(struct dnsd_h2 *t)
{
	if (t)
		dnsd_h2_close_all(t);
	free(t);
	return NULL;
}
