/* Connections: requests in, answers out. */
#include "base/text/text.h"
#include "localapi/shares.h"
#include "os/file/file.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

enum {
	IN_MAX = 256 * 1024,     /* read ahead of what is being answered, at the most */
	IN_ENOUGH = 16 * 1024,   /* with so much nothing more is read until that is answered */
	OPERATOR_PATIENCE_S = 5, /* for who the operator is; then who asked is none */
	SAVE_PATIENCE_S = 5,     /* for the disk; who has waited so long is answered anyway */
	LOGOUT_PATIENCE_S =
		5, /* for the hub to hear of it; the node is logged out here in any case */
};

static const char security_lines[] =
	"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'; script-src 'none'; script-src-elem 'none'; "
	"script-src-attr 'none'\r\n"
	"X-Frame-Options: DENY\r\n"
	"X-Content-Type-Options: nosniff\r\n";

static void pump(struct lconn *c);

/* ---- Answers ---- */

void lconn_finish(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_finish(c->stream);
}

void lconn_abort(struct lconn *c)
{
	c->state = CONN_CLOSING;
	stream_close(c->stream);
}

/*
 * A change of preferences or profiles is answered when it is kept. Nothing more is read of this connection until then: `out` is
 * not empty. POST starts something, as a login, whose end is told over the bus: that is not kept waiting.
 */
static bool waits_for_disk(const struct lconn *c)
{
	const struct lapi_cfg *cfg = &c->lapi->cfg;

	return c->have_head &&
	       (http1_method_is(&c->head, "PATCH") || http1_method_is(&c->head, "PUT") ||
		       http1_method_is(&c->head, "DELETE")) &&
	       cfg->ops->unsaved && cfg->ops->unsaved(cfg->backend);
}

static void let_go(struct lconn *c)
{
	c->held = false;
	if (c->state == CONN_CLOSING)
		stream_finish(c->stream);
	stream_wake(c->stream);
}

void lapi_saved(struct lapi *a)
{
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		if (c->held)
			let_go(c);
	}
	a->n_held = 0;
	loop_timer_set(a->save_timer, MONO_NEVER);
}

static void on_save_timer(void *ctx)
{
	lapi_saved(ctx);
}

static void respond(
	struct lconn *c, int status, const char *content_type, const char *extra, struct view body)
{
	bool head_only = c->have_head && http1_method_is(&c->head, "HEAD");
	bool keep = c->have_head && c->body_whole && c->head.keep_alive;

	if (http1_respond(&c->out, status, content_type, extra, body, head_only, keep) < 0) {
		lconn_abort(c);
		return;
	}
	c->answered = true;
	c->state = keep ? CONN_READING : CONN_CLOSING;
	c->held = waits_for_disk(c);
	if (!c->held)
		let_go(c);
	else if (!c->lapi->n_held++)
		loop_timer_set(
			c->lapi->save_timer, loop_now(c->lapi->loop).mono + SEC(SAVE_PATIENCE_S));
}

void lreq_body(
	struct lreq *r, int status, const char *content_type, const char *extra, struct view body)
{
	char *lines = arena_printf(r->arena, "%s%s", r->lapi->header_lines, extra);

	respond(r->conn, status, content_type, lines ? lines : r->lapi->header_lines, body);
}

void lreq_empty(struct lreq *r, int status)
{
	lreq_body(r, status, NULL, "", view_of("", 0));
}

void lreq_text(struct lreq *r, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	n = MAX_OF(0, MIN_OF(n, (int)sizeof(text) - 2));
	text[n++] = '\n';
	lreq_body(r, status, "text/plain; charset=utf-8", "", view_of(text, (size_t)n));
}

void lreq_fault(struct lreq *r, int rc)
{
	lreq_text(r, 500, "%s", err_text(rc));
}

void lreq_json_error(struct lreq *r, int status, const char *key, const char *text)
{
	struct buf b;
	int rc;

	buf_init(&b, 4096);
	rc = buf_printf(&b, "{\"%s\":", key);
	if (rc == 0)
		rc = json_encode_str(&b, text, strlen(text));
	if (rc == 0)
		rc = buf_append_str(&b, "}\n");
	if (rc == 0)
		lreq_body(r, status, "application/json", "", buf_view(&b));
	else
		lreq_fault(r, rc);
	buf_fini(&b);
}

void lreq_json(struct lreq *r, int status, const struct json_type *t, const void *value,
	enum llayout layout)
{
	struct buf compact, tabs;
	int rc;

	buf_init(&compact, LAPI_ANSWER_MAX);
	buf_init(&tabs, LAPI_ANSWER_MAX);
	rc = json_encode(t, value, &compact);
	if (rc == 0 && (layout == JSON_TABS || layout == JSON_TABS_BARE)) {
		rc = json_indent(buf_view(&compact), "", "\t", &tabs);
		buf_clear(&compact);
	}
	if (rc == 0 && (layout == JSON_TABS || layout == JSON_LINE))
		rc = buf_append(layout == JSON_TABS ? &tabs : &compact, "\n", 1);
	if (rc == 0)
		lreq_body(r, status, "application/json", "",
			buf_len(&tabs) ? buf_view(&tabs) : buf_view(&compact));
	else
		lreq_fault(r, rc);
	buf_fini(&tabs);
	buf_fini(&compact);
}

/* ---- Requests ---- */

/* Where the next request would begin is not known after a fault: the connection ends. */
static void bad_request(struct lconn *c, int status, const char *text)
{
	c->lapi->n.bad_requests++;
	c->have_head = false;
	respond(c, status, "text/plain; charset=utf-8", security_lines,
		view_of(text, strlen(text)));
}

static bool from_a_browser(const struct http1_head *h)
{
	struct view host = http1_find(h, "Host");

	return http1_find(h, "Referer").len || http1_find(h, "Origin").len ||
	       (host.len && !view_eq(host, VIEW_LIT("local-tailscaled.sock")));
}

/* Who may be the operator waits until it is known. */
static bool waits_for_operator(struct lconn *c)
{
	struct lapi *a = c->lapi;
	const struct ipn_prefs *p = a->cfg.ops->prefs(a->cfg.backend);
	uid_t uid;

	if (!c->has_uid || c->uid == 0 || c->uid == getuid() || !p->operator_user ||
		!*p->operator_user || a->operator_late ||
		users_uid(a->users, p->operator_user, &uid) != USERS_PENDING)
		return false;
	c->state = CONN_WAITING;
	c->call.kind = CALL_OPERATOR;
	loop_timer_set(a->operator_timer, loop_now(a->loop).mono + SEC(OPERATOR_PATIENCE_S));
	return true;
}

static void answer(struct lconn *c)
{
	static const char refused[] = "invalid localapi request\n";
	struct lreq r = {
		.lapi = c->lapi, .conn = c, .head = &c->head, .body = buf_view(&c->body)
	};
	struct arena arena;

	c->lapi->n.requests++;
	if (from_a_browser(&c->head)) {
		c->lapi->n.refused++;
		respond(c, 403, "text/plain; charset=utf-8", "X-Content-Type-Options: nosniff\r\n",
			view_of(refused, sizeof(refused) - 1));
		return;
	}
	if (waits_for_operator(c))
		return;
	if (!share_may_ask(c)) {
		c->lapi->n.work_refused++;
		c->head.keep_alive = false; /* what was sent behind it is not read */
		respond(c, 429, "text/plain; charset=utf-8", security_lines,
			VIEW_LIT("too many requests of this user; wait a moment\n"));
		return;
	}
	if (!share_may_hold(c, 0)) {
		c->lapi->n.bytes_refused++;
		respond(c, 503, "text/plain; charset=utf-8", security_lines,
			VIEW_LIT("too much waits to be read by this user\n"));
		return;
	}
	arena_init(&arena, LAPI_ANSWER_MAX);
	r.arena = &arena;
	c->answered = false;
	lreq_dispatch(&r);
	if (c->state == CONN_READING && !c->answered) /* there was no memory for it */
		lreq_fault(&r, -ENOMEM);
	arena_fini(&arena);
}

static int take_head(struct lconn *c)
{
	static struct http1_head probe;
	size_t used;
	int rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &probe, &used);

	if (rc != 0)
		return rc;
	buf_clear(&c->head_text);
	buf_clear(&c->body);
	rc = buf_append(&c->head_text, buf_data(&c->in), used);
	if (rc == 0) /* again, for views that stay */
		rc = http1_parse(buf_data(&c->head_text), used, false, &c->head, &used);
	if (rc != 0)
		return rc < 0 ? rc : -ERR_BAD_FORMAT;
	buf_consume(&c->in, used);
	c->have_head = true;
	c->body_whole = !c->head.chunked && !c->head.content_length;
	c->chunks = (struct http1_chunks){ 0 };
	if (c->head.content_length > LAPI_BODY_MAX)
		return -ERR_TOO_BIG;
	if (!c->body_whole && http1_has_token(&c->head, "Expect", "100-continue")) {
		rc = buf_append_str(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
		stream_wake(c->stream);
	}
	return rc;
}

/* 0: whole; HTTP1_MORE. */
static int take_chunks(struct lconn *c)
{
	struct view data;
	size_t used;
	int rc = 0;

	while (rc == 0) {
		rc = http1_chunks_next(&c->chunks, buf_data(&c->in), buf_len(&c->in), &data, &used);
		if (rc >= 0 && data.len && buf_append(&c->body, data.p, data.len) < 0)
			return -ERR_TOO_BIG;
		if (rc >= 0)
			buf_consume(&c->in, used);
	}
	return rc == HTTP1_END ? 0 : rc;
}

static int take_body(struct lconn *c)
{
	size_t n;
	int rc;

	if (c->head.chunked)
		return take_chunks(c);
	n = MIN_OF((size_t)c->head.content_length - buf_len(&c->body), buf_len(&c->in));
	rc = buf_append(&c->body, buf_data(&c->in), n);
	if (rc < 0)
		return rc;
	buf_consume(&c->in, n);
	return buf_len(&c->body) < c->head.content_length ? HTTP1_MORE : 0;
}

/* Requests are answered one after the other, the next when the answer before it has been taken. */
static void pump(struct lconn *c)
{
	while (c->state == CONN_READING && !buf_len(&c->out)) {
		int rc = 0;

		if (!c->have_head)
			rc = take_head(c);
		if (rc == 0 && !c->body_whole)
			rc = take_body(c);
		if (rc == HTTP1_MORE)
			return;
		if (rc < 0) {
			bool big = rc == -ERR_TOO_BIG;
			bad_request(c, big ? 413 : 400,
				big ? "request is too large\n" : "malformed request\n");
			return;
		}
		c->body_whole = true;
		answer(c);
		if (c->state == CONN_READING)
			c->have_head = false;
	}
}

/* What was asked for is done: the next request on this connection may be read. */
static void go_on(struct lconn *c)
{
	if (c->state == CONN_READING)
		c->have_head = false;
}

static void operator_known(struct lapi *a)
{
	loop_timer_set(a->operator_timer, MONO_NEVER);
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		if (c->call.kind != CALL_OPERATOR)
			continue;
		c->call.kind = CALL_NONE;
		c->state = CONN_READING;
		answer(c);
		go_on(c);
	}
}

static void on_operator(void *ctx)
{
	struct lapi *a = ctx;

	a->operator_late = false;
	operator_known(a);
}

static void on_operator_late(void *ctx)
{
	struct lapi *a = ctx;

	a->operator_late = true;
	a->n.operator_late++;
	operator_known(a);
}

/* ---- Streams ---- */

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct lconn *c = owner;

	if (c->state == CONN_CLOSING || c->state == CONN_WATCHING) /* nothing more is asked there */
		return 0;
	if (!share_may_hold(c, len)) {
		c->lapi->n.bytes_refused++;
		return -ERR_NO_ROOM;
	}
	if (buf_append(&c->in, p, len) < 0) {
		c->lapi->n.bad_requests++;
		return -ERR_TOO_BIG;
	}
	pump(c);
	return 0;
}

/* Where enough waits to be answered the rest waits with who sends it. */
static bool full(void *owner)
{
	const struct lconn *c = owner;
	bool busy = c->state == CONN_WAITING || (c->state == CONN_READING && buf_len(&c->out));

	return busy && buf_len(&c->in) >= IN_ENOUGH;
}

static struct view output(void *owner)
{
	struct lconn *c = owner;

	return c->held ? view_of("", 0) : buf_view(&c->out);
}

static void written(void *owner, size_t n)
{
	struct lconn *c = owner;

	buf_consume(&c->out, n);
	if (c->watcher)
		bus_written(c->watcher, n);
	pump(c);
}

static void conn_free(struct lconn *c)
{
	if (c->call.kind == CALL_PING || c->call.kind == CALL_NETCHECK)
		c->lapi->cfg.ops->cancel(c->lapi->cfg.backend, &c->call);
	c->lapi->n_logouts -= c->call.kind == CALL_LOGOUT;
	c->watcher = bus_free(c->watcher);
	list_remove(&c->link);
	c->lapi->n.n_connections--;
	c->lapi->n_common -= c->common;
	buf_fini(&c->in);
	buf_fini(&c->head_text);
	buf_fini(&c->body);
	buf_fini(&c->out);
	free(c);
}

static void on_closed(void *owner, int rc)
{
	conn_free(owner);
}

static const struct stream_ops conn_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.full = full,
	.on_closed = on_closed };

static void on_accept(void *ctx, struct stream *s)
{
	struct lapi *a = ctx;
	struct lconn *c = calloc(1, sizeof(*c));

	if (c) {
		c->lapi = a;
		c->stream = s;
		c->uid = (uid_t)-1;
		c->has_uid = stream_peer_uid(s, &c->uid);
		c->call.conn = c;
	}
	if (!c || !share_has_room(c)) {
		a->n.connections_refused++;
		stream_close(s);
		free(c);
		return;
	}
	a->n.n_connections++;
	c->common = !share_is_trusted(c);
	a->n_common += c->common;
	buf_init(&c->in, IN_MAX);
	buf_init(&c->head_text, HTTP1_HEAD_MAX);
	buf_init_secret(&c->body, LAPI_BODY_MAX); /* auth keys come this way */
	buf_init(&c->out, LAPI_ANSWER_MAX);
	list_push_tail(&a->conns, &c->link);
	stream_set_owner(s, &conn_ops, c);
}

/* ---- Logouts ---- */

void lreq_wait_for_logout(struct lreq *r)
{
	struct lapi *a = r->lapi;

	r->conn->state = CONN_WAITING;
	r->conn->call.kind = CALL_LOGOUT;
	a->n_logouts++;
	loop_timer_set(a->logout_timer, loop_now(a->loop).mono + SEC(LOGOUT_PATIENCE_S));
}

void lapi_logouts_done(struct lapi *a)
{
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);
		struct lreq r = { .lapi = a, .conn = c, .head = &c->head };
		struct arena arena;

		if (c->call.kind != CALL_LOGOUT)
			continue;
		c->call.kind = CALL_NONE;
		a->n_logouts--;
		arena_init(&arena, HTTP1_HEAD_MAX);
		r.arena = &arena;
		lreq_empty(&r, 204);
		arena_fini(&arena);
		go_on(c);
	}
}

static void on_logout_timer(void *ctx)
{
	lapi_logouts_done(ctx);
}

/* ---- The server ---- */

int lapi_new(struct loop *l, const struct lapi_cfg *cfg, struct lapi **ret)
{
	struct lapi *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	a->loop = l;
	a->cfg = *cfg;
	list_init(&a->conns);
	if (asprintf(&a->header_lines, "Tailscale-Version: %s\r\nTailscale-Cap: %d\r\n%s",
		    cfg->version, IPN_CAPABILITY, security_lines) < 0)
		a->header_lines = NULL;
	rc = a->header_lines ? loop_timer_new(l, bus_on_engine_tick, a, &a->engine_timer) : -ENOMEM;
	if (rc == 0)
		rc = loop_timer_new(l, on_logout_timer, a, &a->logout_timer);
	if (rc == 0)
		rc = loop_timer_new(l, on_save_timer, a, &a->save_timer);
	if (rc == 0)
		rc = loop_timer_new(l, on_operator_late, a, &a->operator_timer);
	if (rc == 0)
		rc = users_new(&a->users, l, on_operator, a);
	if (rc < 0) {
		lapi_free(a);
		return rc;
	}
	*ret = a;
	return 0;
}

static int make_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[108];

	if (!slash || slash == path)
		return 0;
	if ((size_t)(slash - path) >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = 0;
	return access(dir, F_OK) == 0 ? 0 : file_make_dir(dir, 0755);
}

int lapi_listen(struct lapi *a, const char *path)
{
	int rc = make_parent(path);

	return rc < 0 ? rc : stream_listen_unix(a->loop, path, 0666, on_accept, a, &a->listener);
}

struct lapi *lapi_free(struct lapi *a)
{
	if (!a)
		return NULL;
	listener_close(a->listener);
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);

		stream_set_owner(c->stream, NULL, NULL);
		stream_close(c->stream);
		conn_free(c);
	}
	loop_timer_free(a->engine_timer);
	loop_timer_free(a->logout_timer);
	loop_timer_free(a->save_timer);
	loop_timer_free(a->operator_timer);
	users_free(a->users);
	free(a->header_lines);
	free(a);
	return NULL;
}

bool lapi_is_heard(const struct lapi *a)
{
	return a->n.n_watchers || a->n_logouts;
}

const struct lapi_counters *lapi_counters(const struct lapi *a)
{
	return &a->n;
}

/* ---- Calls that were answered later ---- */

static void call_done(
	struct lapi_call *call, enum lcall_kind kind, const struct json_type *t, const void *result)
{
	struct lconn *c = call->conn;
	struct lreq r = { .lapi = c->lapi, .conn = c, .head = &c->head };
	struct arena arena;

	CHECK(call->kind == kind);
	call->kind = CALL_NONE;
	arena_init(&arena, LAPI_ANSWER_MAX);
	r.arena = &arena;
	lreq_json(&r, 200, t, result, JSON_LINE);
	arena_fini(&arena);
	go_on(c);
	/* The next request, if there is one, is answered when this answer has been written. */
}

void lapi_ping_done(struct lapi_call *call, const struct ipn_ping_result *r)
{
	call_done(call, CALL_PING, &ipn_ping_result_type, r);
}

void lapi_netcheck_done(struct lapi_call *call, const struct ipn_netcheck *r)
{
	call_done(call, CALL_NETCHECK, &ipn_netcheck_type, r);
}
