#include "http/server/server.h"
#include "base/heap/heap.h"
#include "base/list/list.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>

enum { IN_MAX = HTTP1_HEAD_MAX + HTTPD_BODY_MAX + HTTPD_REST_MAX };

struct httpd {
	struct httpd_cfg cfg;
	struct loop_timer *timer;
	struct listener *listeners[HTTPD_LISTEN_MAX];
	size_t n_listeners, n_conns;
	struct list conns; /* all but the held */
	struct heap due;   /* those whose request has to be whole, or answer taken, by then */
	struct list held;  /* those whose answer waits; the lowest ticket first */
	size_t n_held;
	struct httpd_counters n;
};

struct httpd_conn {
	struct list link; /* in conns or held */
	struct heap_node due;
	struct httpd *httpd;
	struct stream *stream;
	bool paused, client_known, closing, is_head, keep_alive;
	struct ipport
		hop; /* the other side of the connection, once a request came: a proxy's requests are of several clients */
	struct buf in, out;
	struct view after;                   /* of the answer, behind out: where it lies */
	const struct httpd_instead *instead; /* not NULL: its answer is held */
	uint64_t ticket;
	size_t needs;     /* bytes in `in` before there is anything new to see */
	size_t answer_at; /* where in out the answer to the last request begins */
	/* A chunked body, as far as it came: its content, and how many bytes came beside that. */
	struct http1_chunks chunks;
	struct buf body;
	size_t framing;
	bool has_chunks; /* one has begun */
	/* Of a body that nobody reads: what is to come of it. */
	uint64_t skip;
	bool skip_chunks;
};

static void rearm(struct httpd *h)
{
	loop_timer_set(h->timer, heap_deadline(&h->due));
}

static void conn_free(struct httpd_conn *c)
{
	struct httpd *h = c->httpd;

	list_remove(&c->link);
	heap_remove(&h->due, &c->due);
	h->n_conns--;
	h->n_held -= c->instead != NULL;
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->body);
	free(c);
	rearm(h);
}

static void set_due(struct httpd_conn *c, mono_ns at)
{
	if (heap_set(&c->httpd->due, &c->due, at) < 0)
		stream_close(c->stream);
	rearm(c->httpd);
}

/* Its time begins anew. */
static void conn_touch(struct httpd_conn *c)
{
	list_remove(&c->link);
	list_push_tail(&c->httpd->conns, &c->link);
	set_due(c, mono_add(loop_now(c->httpd->cfg.loop).mono, SEC(HTTPD_TIMEOUT_S)));
}

static void on_tick(void *ctx)
{
	struct httpd *h = ctx;
	mono_ns now = loop_now(h->cfg.loop).mono;
	struct heap_node *due;

	while ((due = heap_pop_due(&h->due, now))) {
		h->n.timed_out++;
		stream_close(container_of(due, struct httpd_conn, due)->stream);
	}
	rearm(h);
}

static void go_on(struct httpd_conn *c);

/* A proxy that we trust is set up otherwise than we are. */
static void proxy_failed(struct httpd_conn *c, const char *what)
{
	char from[IPPORT_TEXT_MAX];

	c->httpd->n.proxy_failed++;
	log_warn_limited("http", "a trusted proxy does not say who its client is", "from=%s it=%s",
		ipport_format(stream_peer(c->stream), from), what);
}

static void on_closed(void *owner, int rc)
{
	struct httpd_conn *c = owner;

	c->httpd->n.tls_failed += err_is_tls(rc);
	if (rc == -ERR_PROXY)
		proxy_failed(c,
			"began without a good PROXY header: does it send one (send-proxy, proxy_protocol)?");
	conn_free(c);
}

static struct view output(void *owner)
{
	struct httpd_conn *c = owner;

	if (c->instead)
		return view_of(buf_data(&c->out), c->answer_at);
	return buf_len(&c->out) ? buf_view(&c->out) : c->after;
}

/* The next request has to wait: for the answer to the one before it, or for its client to take what is there. */
static bool full(void *owner)
{
	const struct httpd_conn *c = owner;

	return c->instead || c->after.len || buf_len(&c->out) > HTTPD_WAITING_MAX;
}

static void written(void *owner, size_t n)
{
	struct httpd_conn *c = owner;

	if (buf_len(&c->out))
		buf_consume(&c->out, n);
	else
		c->after = view_of(c->after.p + n, c->after.len - n);
	c->answer_at -= MIN_OF(n, c->answer_at);
	/* Who takes it slowly has time for each byte, and who takes nothing has none. */
	if (c->due.pos)
		set_due(c,
			mono_min(mono_add(c->due.at, (mono_ns)n * SEC(1) / HTTPD_RATE_MIN),
				mono_add(loop_now(c->httpd->cfg.loop).mono, SEC(HTTPD_TIMEOUT_S))));
	if (!c->paused || full(c))
		return;
	c->paused = false;
	go_on(c);
}

int httpd_answer(struct httpd_conn *c, int status, const char *content_type, const char *extra,
	struct view body)
{
	size_t had = buf_len(&c->out);
	int rc = http1_respond(
		&c->out, status, content_type, extra, body, c->is_head, c->keep_alive);

	if (rc < 0)
		buf_truncate(&c->out, had); /* there may be room for a shorter answer */
	return rc;
}

int httpd_answer_static(
	struct httpd_conn *c, const char *content_type, const char *extra, struct view body)
{
	size_t had = buf_len(&c->out);
	int rc = http1_respond(
		&c->out, 200, content_type, extra, body, true, c->keep_alive); /* its head */

	if (rc < 0)
		buf_truncate(&c->out, had);
	else if (!c->is_head)
		c->after = body;
	return rc;
}

int httpd_refuse_with(struct httpd_conn *c, int status, const char *content_type, const char *extra,
	struct view body)
{
	c->httpd->n.bad_requests++;
	return httpd_answer(c, status, content_type, extra, body);
}

int httpd_refuse(struct httpd_conn *c, int status, const char *text)
{
	return httpd_refuse_with(c, status, "text/plain; charset=utf-8",
		"X-Content-Type-Options: nosniff\r\n", view_of(text, strlen(text)));
}

/* Where the next request begins is not known: the connection ends. */
static int give_up(struct httpd_conn *c, int status, const char *text)
{
	c->is_head = c->keep_alive = false;
	c->closing = true;
	stream_finish(c->stream);
	return httpd_refuse(c, status, text);
}

/* Its time stops: whoever holds it has a bound of his own. */
void httpd_hold(struct httpd_conn *c, uint64_t ticket, const struct httpd_instead *instead)
{
	struct httpd *h = c->httpd;

	c->instead = instead;
	c->ticket = ticket;
	list_remove(&c->link);
	heap_remove(&h->due, &c->due);
	list_push_tail(&h->held, &c->link);
	h->n_held++;
	rearm(h);
}

size_t httpd_held(const struct httpd *h)
{
	return h->n_held;
}

struct buf *httpd_out(struct httpd_conn *c)
{
	return &c->out;
}

struct stream *httpd_stream(struct httpd_conn *c)
{
	return c->stream;
}

static bool raise_limits(
	struct httpd_conn *c, const struct http1_head *head, struct httpd_limits *l)
{
	const struct httpd_cfg *cfg = &c->httpd->cfg;

	*l = (struct httpd_limits){ .body = HTTPD_BODY_MAX, .answer = cfg->answer_max };
	if (!cfg->raise || !cfg->raise(cfg->ctx, c, head, l))
		return false;
	c->in.max = HTTP1_HEAD_MAX + l->body + HTTPD_REST_MAX;
	c->out.max = l->answer > c->out.max ? l->answer : c->out.max;
	return true;
}

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

/*
 * Goes on where it ended; what was read is taken out of `in`, behind the head of at bytes. 0: the body is whole; HTTP1_MORE;
 * negative: no body.
 */
static int read_chunks(struct httpd_conn *c, size_t at)
{
	size_t done = at;
	int rc = 0;

	while (rc == 0) {
		struct view data;
		size_t used;

		rc = http1_chunks_next(
			&c->chunks, buf_data(&c->in) + done, buf_len(&c->in) - done, &data, &used);
		if (rc < 0 || rc == HTTP1_MORE)
			break;
		done += used;
		c->framing += c->skip_chunks ? used : used - data.len;
		if (c->framing > HTTP1_HEAD_MAX + c->body.max)
			return -ERR_TOO_BIG;
		if (!c->skip_chunks && buf_append(&c->body, data.p, data.len) < 0)
			return -ERR_TOO_BIG;
	}
	buf_remove(&c->in, at, done - at);
	return rc == HTTP1_END ? 0 : rc;
}

/* The rest of a body that nobody reads. 0: it is over; HTTP1_MORE; negative: no body. */
static int skip_body(struct httpd_conn *c)
{
	size_t n = (size_t)MIN_OF(c->skip, (uint64_t)buf_len(&c->in));
	int rc;

	if (c->skip_chunks) {
		rc = read_chunks(c, 0);
		c->skip_chunks = c->has_chunks = rc == HTTP1_MORE;
		return rc;
	}
	buf_consume(&c->in, n);
	c->skip -= n;
	return c->skip ? HTTP1_MORE : 0;
}

/* 0: r->body is there, and *ret_whole bytes of `in` are the request; HTTP1_MORE; -ERR_TOO_BIG, -ERR_BAD_FORMAT. */
static int read_body(
	struct httpd_conn *c, struct httpd_request *r, size_t head_len, size_t *ret_whole)
{
	const struct http1_head *head = r->head;
	struct httpd_limits l;
	bool raised = raise_limits(c, head, &l);
	int rc;

	if ((head->chunked && !raised) || head->content_length > l.body)
		return -ERR_TOO_BIG;
	*ret_whole = head_len;
	if (head->chunked)
		begin_chunks(c, l.body);
	if (l.head_only) {
		c->skip = head->content_length;
		c->skip_chunks = head->chunked;
		return 0;
	}
	if (head->chunked) {
		rc = read_chunks(c, head_len);
		r->body = buf_view(&c->body);
		return rc;
	}
	*ret_whole += (size_t)head->content_length;
	c->needs = *ret_whole;
	if (buf_len(&c->in) < c->needs)
		return HTTP1_MORE;
	r->body = view_of(buf_data(&c->in) + head_len, (size_t)head->content_length);
	return 0;
}

/* Who sent this request, if a proxy may say so. */
static void find_client(struct httpd_conn *c, const struct http1_head *head)
{
	const struct forwarded_trust *proxies = c->httpd->cfg.proxies;
	struct ipport from;
	bool bad;

	if (c->client_known || !proxies || stream_is_unnamed(c->stream))
		return;
	c->client_known = true;
	if (!ipaddr_is_set(c->hop.ip))
		c->hop = stream_peer(c->stream);
	from = forwarded_client(proxies, c->hop, head, &bad);
	stream_set_peer(c->stream, from);
	if (bad)
		proxy_failed(c, "its X-Forwarded-For holds something that is no address");
}

/* The answer may go, and the connection's time begins anew. */
static void answered(struct httpd_conn *c)
{
	c->closing = !c->keep_alive;
	if (c->closing)
		stream_finish(c->stream);
	conn_touch(c);
	stream_wake(c->stream);
}

/* The request at the front of c->in. 0: done; HTTP1_MORE; negative: close. c may be gone: *ret_taken. */
static int next_request(struct httpd_conn *c, bool *ret_taken)
{
	static struct http1_head head;
	struct httpd_request r = { .head = &head };
	size_t used, whole = 0;
	int rc = c->skip || c->skip_chunks ? skip_body(c) : 0;

	if (buf_len(&c->in) < c->needs)
		return HTTP1_MORE; /* a body that drips in costs no look at its head for each byte */
	if (rc == 0)
		rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &head, &used);
	if (rc == HTTP1_MORE)
		return rc;
	if (rc < 0)
		return give_up(c, 400, "malformed request\n");
	find_client(c, &head);
	rc = read_body(c, &r, used, &whole);
	if (rc == HTTP1_MORE)
		return rc;
	if (rc < 0)
		return give_up(c, rc == -ERR_BAD_FORMAT ? 400 : 413,
			rc == -ERR_BAD_FORMAT
				? "malformed request\n"
				: "request body is not expected here, or too large\n");
	c->httpd->n.requests++;
	c->is_head = http1_method_is(&head, "HEAD");
	c->keep_alive = head.keep_alive;
	r.rest = view_of(buf_data(&c->in) + whole, buf_len(&c->in) - whole);
	c->answer_at = buf_len(&c->out);
	rc = c->httpd->cfg.on_request(c->httpd->cfg.ctx, c, &r);
	if (rc == HTTPD_TAKEN) {
		*ret_taken = true;
		conn_free(c);
	}
	if (rc != 0)
		return rc;
	buf_consume(&c->in, whole);
	buf_fini(&c->body);
	c->has_chunks = c->skip_chunks;
	c->client_known = false;
	c->needs = 0;
	c->in.max = IN_MAX;
	if (!c->instead)
		answered(c);
	return 0;
}

/* Negative: close. */
static int read_requests(struct httpd_conn *c)
{
	bool taken = false;
	int rc = 0;

	while (rc == 0 && !c->closing && !full(c) && buf_len(&c->in)) {
		rc = next_request(c, &taken);
		if (taken)
			return 0;
	}
	if (rc == 0 && !c->closing && !c->instead && full(c) && !c->paused) {
		c->paused = true;
		c->httpd->n.paused += buf_len(&c->in) > 0;
	}
	if (!buf_len(&c->in))
		buf_fini(&c->in); /* an idle connection holds no buffer */
	return rc < 0 ? rc : 0;
}

/* With the requests that waited. c may be gone afterwards. */
static void go_on(struct httpd_conn *c)
{
	struct stream *s = c->stream;

	if (read_requests(c) < 0)
		stream_close(s);
}

static void let_go(struct httpd_conn *c)
{
	c->instead = NULL;
	c->httpd->n_held--;
	answered(c);
	go_on(c);
}

void httpd_release(struct httpd *h, uint64_t ticket)
{
	while (!list_empty(&h->held)) {
		struct httpd_conn *c = container_of(h->held.next, struct httpd_conn, link);

		if (c->ticket > ticket)
			break;
		let_go(c);
	}
}

void httpd_release_instead(struct httpd *h)
{
	size_t n = h->n_held; /* what they ask next may be held again */

	for (; n && !list_empty(&h->held); n--) {
		struct httpd_conn *c = container_of(h->held.next, struct httpd_conn, link);
		const struct httpd_instead *i = c->instead;

		buf_truncate(&c->out, c->answer_at);
		if (httpd_answer(c, i->status, i->content_type, i->extra, i->body) < 0)
			stream_close(c->stream);
		let_go(c);
	}
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct httpd_conn *c = owner;
	int rc = c->closing ? 0 : buf_append(&c->in, p, len);

	if (rc < 0 && c->instead)
		return rc;
	if (rc < 0)
		return give_up(c, rc == -ERR_TOO_BIG ? 413 : 503,
			rc == -ERR_TOO_BIG ? "request is too large\n"
					   : "there is no room for it now\n");
	return read_requests(c);
}

static const struct stream_ops conn_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.full = full,
	.on_closed = on_closed };

static void on_accept(void *ctx, struct stream *s)
{
	struct httpd *h = ctx;
	struct httpd_conn *c = h->n_conns < h->cfg.conns_max ? calloc(1, sizeof(*c)) : NULL;

	if (!c) {
		h->n.refused++;
		stream_close(s);
		return;
	}
	h->n.accepted++;
	h->n_conns++;
	c->httpd = h;
	c->stream = s;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->out, h->cfg.answer_max);
	buf_set_holder(&c->in, stream_holder(s));
	buf_set_holder(&c->out, stream_holder(s));
	list_init(&c->link);
	stream_set_owner(s, &conn_ops, c);
	conn_touch(c);
}

int httpd_new(struct httpd **ret, const struct httpd_cfg *cfg)
{
	struct httpd *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return -ENOMEM;
	h->cfg = *cfg;
	list_init(&h->conns);
	list_init(&h->held);
	rc = loop_timer_new(cfg->loop, on_tick, h, &h->timer);
	if (rc < 0) {
		free(h);
		return rc;
	}
	*ret = h;
	return 0;
}

static void free_conns(struct list *conns)
{
	list_for_each_safe(l, conns) {
		struct httpd_conn *c = container_of(l, struct httpd_conn, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		conn_free(c);
	}
}

struct httpd *httpd_free(struct httpd *h)
{
	if (!h)
		return NULL;
	for (size_t i = 0; i < h->n_listeners; i++)
		listener_close(h->listeners[i]);
	free_conns(&h->conns);
	free_conns(&h->held);
	loop_timer_free(h->timer);
	heap_fini(&h->due);
	free(h);
	return NULL;
}

int httpd_listen(struct httpd *h, struct ipport addr, struct tls_ctx *tls, struct ipport *ret_bound)
{
	int rc;

	if (h->n_listeners == HTTPD_LISTEN_MAX)
		return -ERR_TOO_MANY;
	rc = stream_listen(h->cfg.loop, addr, tls, on_accept, h, &h->listeners[h->n_listeners]);
	if (rc < 0)
		return rc;
	listener_set_ledger(h->listeners[h->n_listeners], h->cfg.ledger);
	if (h->cfg.proxy_protocol)
		listener_set_proxies(h->listeners[h->n_listeners], h->cfg.proxies);
	*ret_bound = listener_addr(h->listeners[h->n_listeners++]);
	return 0;
}

int httpd_listen_unix(struct httpd *h, const char *path, mode_t mode)
{
	int rc;

	if (h->n_listeners == HTTPD_LISTEN_MAX)
		return -ERR_TOO_MANY;
	rc = stream_listen_unix(
		h->cfg.loop, path, mode, on_accept, h, &h->listeners[h->n_listeners]);
	if (rc < 0)
		return rc;
	listener_set_ledger(h->listeners[h->n_listeners++], h->cfg.ledger);
	return 0;
}

const struct httpd_counters *httpd_counters(const struct httpd *h)
{
	return &h->n;
}

size_t httpd_conns(const struct httpd *h)
{
	return h->n_conns;
}
