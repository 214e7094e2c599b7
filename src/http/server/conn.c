/* A connection: requests in, each answered before the next is read. */
#include "http/server/internal.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>

static const char plain[] = "text/plain; charset=utf-8",
		  nosniff[] = "X-Content-Type-Options: nosniff\r\n";

void conn_free(struct httpd_conn *c)
{
	struct httpd *h = c->httpd;
	const struct http_sink *sink = c->sink;

	c->sink = NULL;
	if (sink)
		(void)sink->over(c->sink_ctx, -ERR_CLOSED);
	if (c->reply.ops)
		http_reply_gone(&c->reply);
	list_remove(&c->link);
	answer_stop_time(c);
	h->n_conns--;
	h->n_held -= c->instead != NULL;
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->body);
	free(c);
}

/* A proxy that we trust is set up otherwise than we are. */
static void proxy_failed(struct httpd_conn *c, const char *what)
{
	char from[IPPORT_TEXT_MAX];

	c->httpd->n.proxy_failed++;
	log_warn_limited("http", "a trusted proxy does not say who its client is", "from=%s it=%s",
		ipport_format(stream_peer(c->stream), from), what);
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

/* Where the next request begins is not known: the connection ends. */
static int give_up(struct httpd_conn *c, int status, const char *text)
{
	struct http_answer a = {
		.status = status, .content_type = plain, .extra = nosniff, .fault = true
	};

	c->is_head = c->keep_alive = false;
	c->closing = true;
	stream_finish(c->stream);
	return answer_put(c, &a, view_of(text, strlen(text)));
}

/* Its client has to take what is there first. */
static bool is_behind(const struct httpd_conn *c)
{
	return c->after.len || buf_len(&c->out) > HTTPD_WAITING_MAX;
}

/* What comes next has to wait: for the answer to the request before it, or for who takes its body. */
static bool is_full(const struct httpd_conn *c)
{
	return c->instead || c->waits || c->reply.source || is_behind(c) ||
	       (c->sink && c->sink->full && c->sink->full(c->sink_ctx));
}

/* The request was answered by its handler: now, later, or not at all. 0; negative: close. */
static int settle(struct httpd_conn *c)
{
	if (!c->reply.answered && c->reply.later) {
		c->waits = true;
		answer_stop_time(c);
		return 0;
	}
	if (!c->reply.answered)
		return http_reply_refuse(&c->reply, 500, plain, nosniff, VIEW_LIT("no answer\n"));
	if (!c->instead && !c->reply.source)
		answer_done(c);
	return 0;
}

/* A sink has all of its body, or refuses more of it. */
static int end_body(struct httpd_conn *c, int rc)
{
	const struct http_sink *sink = c->sink;

	if (!sink)
		return rc;
	c->sink = NULL;
	if (rc < 0)
		(void)sink->over(c->sink_ctx, rc);
	if (rc < 0 && c->reply.answered) { /* why it refuses is said; what follows is no request */
		c->keep_alive = false;
		answer_done(c);
		return 0;
	}
	c->serving = true;
	rc = rc < 0 ? rc : sink->over(c->sink_ctx, 0);
	c->serving = false;
	return rc < 0 ? rc : settle(c);
}

static struct httpd_limits limits_of(
	struct httpd_conn *c, const struct router *table, struct http_request *q)
{
	const struct httpd_cfg *cfg = &c->httpd->cfg;
	struct httpd_limits l = { .body = HTTPD_BODY_MAX, .answer = cfg->answer_max };
	struct router_limits want = router_limits(table, q);

	l.chunked = want.chunked;
	l.head_only = want.head_only || want.stream;
	l.body = want.body ? want.body : l.body;
	l.answer = want.answer ? want.answer : l.answer;
	if (!l.head_only && want.chunked)
		c->in.max = HTTP1_HEAD_MAX + (size_t)l.body + HTTPD_REST_MAX;
	c->out.max = MAX_OF(c->out.max, l.answer);
	return l;
}

static const struct http_reply_ops reply_ops;

/* A whole request, or the head of one whose body passes. HTTP_TAKEN; 0; negative: close. */
static int serve(
	struct httpd_conn *c, const struct router *table, struct http_request *q, bool expects)
{
	int rc;

	c->httpd->n.requests++;
	c->is_head = http1_method_is(q->head, "HEAD");
	/* Who is answered without having sent the body may send it or not: what follows could be either. */
	c->keep_alive = q->head->keep_alive && !expects;
	c->is_old = !q->head->minor;
	c->answer_at = buf_len(&c->out);
	c->serving = true;
	rc = router_serve(table, q);
	c->serving = false;
	if (rc != 0)
		return rc;
	c->sink = c->reply.answered ? NULL : q->sink;
	c->sink_ctx = q->sink_ctx;
	return expects && c->sink ? answer_continue(c) : 0;
}

static struct http_request request_of(struct httpd_conn *c, const struct http1_head *head)
{
	struct http_request q = { .head = head,
		.method = head->method,
		.path = http1_path(head),
		.reply = &c->reply,
		.conn = c,
		.ctx = c->httpd->cfg.ctx,
		.who.from = stream_peer(c->stream) };
	uid_t uid;

	q.who.has_uid = stream_peer_uid(c->stream, &uid);
	q.who.uid = q.who.has_uid ? uid : 0;
	return q;
}

static void forget_request(struct httpd_conn *c, size_t whole)
{
	buf_consume(&c->in, whole);
	if (!c->skip_chunks)
		buf_fini(&c->body);
	c->has_chunks = c->skip_chunks;
	c->client_known = c->told_to_go_on = false;
	c->needs = 0;
	c->in.max = HTTPD_IN_MAX;
}

/*
 * The client waits with its body until it is told to go on, or has an answer (RFC 9110, 10.1.1). Not in HTTP/1.0, and not once some of
 * the body has come.
 */
static bool expects_word(const struct httpd_conn *c, const struct http1_head *head, size_t head_len)
{
	return head->minor && (head->chunked || head->content_length) &&
	       buf_len(&c->in) == head_len && http1_has_token(head, "Expect", "100-continue");
}

static int begin_request(
	struct httpd_conn *c, const struct http1_head *head, size_t head_len, bool *ret_taken)
{
	const struct httpd_cfg *cfg = &c->httpd->cfg;
	struct http_request q;
	const struct router *table;
	struct httpd_limits l;
	size_t whole = 0;
	bool expects = expects_word(c, head, head_len);
	int rc;

	find_client(c, head);
	q = request_of(c, head);
	table = router_of(cfg->tables, cfg->n_tables, q.path);
	l = limits_of(c, table, &q);
	rc = body_read(c, head, &l, head_len, &q.body, &whole);
	if (rc == HTTP1_MORE && expects && answer_continue(c) < 0)
		return -ENOMEM;
	if (rc == HTTP1_MORE)
		return rc;
	if (rc < 0)
		return give_up(c, rc == -ERR_BAD_FORMAT ? 400 : 413,
			rc == -ERR_BAD_FORMAT
				? "malformed request\n"
				: "request body is not expected here, or too large\n");
	q.rest = view_of(buf_data(&c->in) + whole, buf_len(&c->in) - whole);
	http_reply_init(&c->reply, &reply_ops, c);
	rc = serve(c, table, &q, expects && body_is_passing(c));
	if (rc == HTTP_TAKEN) {
		*ret_taken = true;
		conn_free(c);
	}
	if (rc != 0)
		return rc;
	forget_request(c, whole);
	if (!c->sink)
		return settle(c);
	return body_is_passing(c) ? 0 : end_body(c, 0);
}

/* The request at the front of c->in. 0: done; HTTP1_MORE; negative: close. c may be gone: *ret_taken. */
static int next_request(struct httpd_conn *c, bool *ret_taken)
{
	static struct http1_head head;
	size_t used;
	int rc;

	if (body_is_passing(c)) {
		rc = body_pass(c);
		if (rc == HTTP1_MORE)
			return rc;
		if (c->sink)
			return end_body(c, rc);
		if (rc < 0)
			return give_up(c, 400, "malformed request\n");
	}
	if (buf_len(&c->in) < c->needs)
		return HTTP1_MORE; /* a body that drips in costs no look at its head for each byte */
	rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &head, &used);
	if (rc == HTTP1_MORE)
		return rc;
	if (rc < 0)
		return give_up(c, 400, "malformed request\n");
	return begin_request(c, &head, used, ret_taken);
}

/* Negative: close. */
static int read_requests(struct httpd_conn *c)
{
	bool taken = false;
	int rc = 0;

	while (rc == 0 && !c->closing && !is_full(c) && buf_len(&c->in)) {
		rc = next_request(c, &taken);
		if (taken)
			return 0;
	}
	if (rc == 0 && !c->closing && !c->instead && is_full(c) && !c->paused) {
		c->paused = true;
		c->httpd->n.paused += is_behind(c) && buf_len(&c->in) > 0;
	}
	if (!buf_len(&c->in))
		buf_fini(&c->in); /* an idle connection holds no buffer */
	return rc < 0 ? rc : 0;
}

void conn_go_on(struct httpd_conn *c)
{
	struct stream *s = c->stream;

	if (read_requests(c) < 0)
		stream_close(s);
}

static void unpause(struct httpd_conn *c)
{
	if (!c->paused || c->serving || is_full(c))
		return;
	c->paused = false;
	conn_go_on(c);
}

/* The reply's operations */

static int reply_send(struct http_reply *r, const struct http_answer *a, struct view body)
{
	return answer_put(r->transport, a, body);
}

static int reply_send_static(struct http_reply *r, const struct http_answer *a, struct view body)
{
	return answer_put_static(r->transport, a, body);
}

static int reply_stream(struct http_reply *r, const struct http_answer *a, int64_t length)
{
	struct httpd_conn *c = r->transport;
	int rc = answer_begin_stream(c, a, length);

	if (rc == 0 && r->source)
		answer_touch(c);
	stream_wake(c->stream);
	return rc;
}

/* More for a stream; negative: it broke off. At its end the answer is given. While its source has nothing, no time runs. */
static int pull(struct httpd_conn *c)
{
	int rc;

	if (!c->reply.source)
		return 0;
	rc = answer_pull(c);
	if (rc < 0)
		return rc;
	if (c->reply.source && !buf_len(&c->out))
		answer_stop_time(c);
	else if (c->reply.source && !c->due.pos)
		answer_touch(c);
	else if (!c->reply.source && !c->serving)
		answer_done(c);
	return 0;
}

/* A stream's source has more, or a body's sink takes more. */
static void reply_wake(struct http_reply *r)
{
	struct httpd_conn *c = r->transport;

	if (pull(c) < 0) {
		stream_close(c->stream);
		return;
	}
	stream_wake(c->stream);
	unpause(c);
}

static void reply_hold(struct http_reply *r, uint64_t ticket, const struct http_instead *instead)
{
	struct httpd_conn *c = r->transport;

	if (!r->source)
		answer_hold(c, ticket, instead);
}

/* It was answered later. */
static void reply_resume(struct http_reply *r)
{
	struct httpd_conn *c = r->transport;

	if (!c->waits)
		return; /* still within its handler, or its body is still coming */
	c->waits = false;
	if (!r->source)
		answer_done(c);
	unpause(c);
}

static const struct http_reply_ops reply_ops = { .send = reply_send,
	.send_static = reply_send_static,
	.stream = reply_stream,
	.wake = reply_wake,
	.hold = reply_hold,
	.resume = reply_resume };

/* The stream's operations */

static struct view output(void *owner)
{
	struct httpd_conn *c = owner;

	if (c->instead)
		return view_of(buf_data(&c->out), c->answer_at);
	return buf_len(&c->out) ? buf_view(&c->out) : c->after;
}

/* While a stream is sent, one read is let in: a client that has gone is not noticed otherwise, as long as there is nothing to send. */
static bool full(void *owner)
{
	const struct httpd_conn *c = owner;

	if (c->reply.source && !buf_len(&c->in) && !buf_len(&c->out))
		return false;
	return is_full(c);
}

static void written(void *owner, size_t n)
{
	struct httpd_conn *c = owner;

	if (buf_len(&c->out))
		buf_consume(&c->out, n);
	else
		c->after = view_of(c->after.p + n, c->after.len - n);
	c->answer_at -= MIN_OF(n, c->answer_at);
	answer_earn(c, n);
	if (pull(c) < 0) {
		stream_close(c->stream);
		return;
	}
	unpause(c);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct httpd_conn *c = owner;
	int rc = c->closing ? 0 : buf_append(&c->in, p, len);

	if (rc < 0 && (c->instead || c->waits || c->sink || c->reply.source))
		return rc;
	if (rc < 0)
		return give_up(c, rc == -ERR_TOO_BIG ? 413 : 503,
			rc == -ERR_TOO_BIG ? "request is too large\n"
					   : "there is no room for it now\n");
	return read_requests(c);
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

static const struct stream_ops conn_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.full = full,
	.on_closed = on_closed };

void conn_accept(struct httpd *h, struct stream *s)
{
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
	buf_init(&c->in, HTTPD_IN_MAX);
	buf_init(&c->out, h->cfg.answer_max);
	buf_set_holder(&c->in, stream_holder(s));
	buf_set_holder(&c->out, stream_holder(s));
	list_init(&c->link);
	stream_set_owner(s, &conn_ops, c);
	answer_touch(c);
}

/* Answers that were held */

static void let_go(struct httpd_conn *c)
{
	c->instead = NULL;
	c->httpd->n_held--;
	answer_done(c);
	conn_go_on(c);
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
		const struct http_instead *i = c->instead;
		struct http_answer a = {
			.status = i->status, .content_type = i->content_type, .extra = i->extra
		};

		buf_truncate(&c->out, c->answer_at);
		if (answer_put(c, &a, i->body) < 0)
			stream_close(c->stream);
		let_go(c);
	}
}
