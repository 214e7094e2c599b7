/*
 * Requests of a control connection: a table of http/router, whose transport are the streams of ts2021. Registrations and maps go to
 * the engine; it answers a registration now or later, and fills a map's stream while it is open.
 */
#include "hub/control/internal.h"

#include <stdlib.h>

/* Owner of a request in ts2021 and in the engine. */
struct control_request {
	struct http_reply reply;
	struct session *session;
	struct ts_stream *stream;
	struct map_session *map; /* a map request's */
	bool waits;              /* for a register answer */
	struct list in_session;
};

static const char plain[] = "text/plain; charset=utf-8";

static void waits_no_longer(struct control_request *r)
{
	r->session->n_waits -= r->waits;
	r->waits = false;
}

/* The transport of the router's replies */

static int reply_send(struct http_reply *reply, const struct http_answer *a, struct view body)
{
	struct control_request *r = reply->transport;

	if (ts_stream_respond(r->stream, a->status, a->content_type, body) < 0)
		ts_stream_reset(r->stream);
	return 0;
}

static const struct http_reply_ops reply_ops = { .send = reply_send };

/* The engine's answers */

void control_answer(void *owner, int status, const char *content_type, struct view body)
{
	struct control_request *r = owner;

	waits_no_longer(r);
	session_review(r->session);
	if (http_reply_send(&r->reply, status, content_type, "", body) < 0)
		ts_stream_reset(r->stream);
}

void control_later(void *owner, unsigned seconds, struct view text)
{
	struct control_request *r = owner;

	waits_no_longer(r);
	r->reply.answered = true;
	if (ts_stream_respond_later(r->stream, 429, seconds, text) < 0)
		ts_stream_reset(r->stream);
}

struct ipport control_from(void *owner)
{
	return stream_peer(((struct control_request *)owner)->session->stream);
}

void control_map_ready(void *owner)
{
	ts_stream_wake(((struct control_request *)owner)->stream);
}

void control_map_ask(void *owner, mono_ns within)
{
	session_ask(((struct control_request *)owner)->session, within);
}

void control_map_end(void *owner)
{
	ts_stream_finish(((struct control_request *)owner)->stream);
}

void control_map_watch(void *owner, bool watch)
{
	stream_set_silence(((struct control_request *)owner)->session->stream,
		watch ? COORD_WATCH_SILENCE : 0);
}

/* One too many for this connection: later. */
static bool is_busy(struct http_request *q, size_t n, size_t max)
{
	if (n < max)
		return false;
	hub_of(q)->n.control_busy++;
	control_later(q->conn, 1, VIEW_LIT("too many such requests at once\n"));
	return true;
}

static void on_gone(void *ctx)
{
	struct control_request *r = ctx;

	if (r->waits)
		coord_register_cancel(r->session->hub->tailnet, r);
}

static int on_register(struct http_request *q)
{
	struct control_request *r = q->conn;
	struct session *s = r->session;

	if (is_busy(q, s->n_waits, HUB_SESSION_WAITS_MAX))
		return 0;
	r->waits = true;
	s->n_waits++;
	http_reply_later(&r->reply, on_gone, r);
	coord_register(s->hub->tailnet, ts2021_remote(s->ts), q->body, r, loop_now(s->hub->loop));
	return 0;
}

/* Without a map session the engine has answered, or will. */
static int on_map(struct http_request *q)
{
	struct control_request *r = q->conn;
	struct session *s = r->session;

	if (is_busy(q, s->n_maps, HUB_SESSION_MAPS_MAX))
		return 0;
	if (coord_map(s->hub->tailnet, ts2021_remote(s->ts), q->body, r, loop_now(s->hub->loop),
		    &r->map) != 0)
		return 0;
	s->n_maps++;
	session_review(s);
	r->reply.answered = true;
	if (ts_stream_begin(r->stream, 200, "application/octet-stream") < 0)
		ts_stream_reset(r->stream);
	return 0;
}

/*
 * What clients ask for beside registration and maps. They go on without all of it; the statuses are those of headscale and
 * of Tailscale's test server.
 */
static int on_health(struct http_request *q)
{
	return http_reply_send(q->reply, 204, plain, "", view_of("", 0));
}

/* 501 with the text in the route's denied. */
static int on_unbuilt(struct http_request *q)
{
	return http_reply_send(
		q->reply, 501, plain, "", view_of(q->route->denied, strlen(q->route->denied)));
}

static const struct http_route routes[] = {
	{ "POST", "/machine/register", 0, .fn = on_register },
	{ "POST", "/machine/map", 0, .fn = on_map },
	{ NULL, "/machine/update-health", 0, .fn = on_health },
	{ NULL, "/machine/set-dns", 0, .fn = on_unbuilt,
		.denied = "this server does not publish DNS records\n" },
	{ NULL, "/machine/id-token", 0, .fn = on_unbuilt,
		.denied = "this server does not issue identity tokens\n" },
	{ NULL, "/machine/feature/query", 0, .fn = on_unbuilt,
		.denied = "this server has no such feature\n" },
	{ NULL, "/machine/set-device-attr", 0, .fn = on_unbuilt,
		.denied = "this server does not keep device attributes\n" },
	{ NULL, "/machine/audit-log", 0, .fn = on_unbuilt,
		.denied = "this server does not keep an audit log\n" },
	{ NULL, "/machine/tka/{rest...}", 0, .fn = on_unbuilt,
		.denied = "this server does not keep a tailnet lock\n" },
};

/* A wrong method is no path of ours either: no client asks so. */
static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	hub_of(q)->n.unknown_requests++;
	return http_reply_send(q->reply, 404, plain, "", VIEW_LIT("no such path\n"));
}

static void identify(struct http_request *q)
{
	const struct session *s = ((struct control_request *)q->conn)->session;

	q->who.kind = s->member ? PRINCIPAL_MEMBER : PRINCIPAL_STRANGER;
	q->who.from = stream_peer(s->stream);
}

static const struct router_ops ops = { .identify = identify, .refuse = refuse };
static const struct router table = { ROUTER_TABLE(routes), .ops = &ops };

/* Streams of ts2021 */

static void on_request(void *owner, struct ts_stream *stream, const char *method, const char *path,
	struct view body)
{
	struct session *s = owner;
	struct control_request *r = calloc(1, sizeof(*r));
	struct http_request q = { .ctx = s->hub,
		.conn = r,
		.method = view_of(method, strlen(method)),
		.path = view_of(path, strcspn(path, "?")),
		.body = body };

	if (!r) {
		ts_stream_reset(stream);
		return;
	}
	s->hub->n.requests++;
	r->session = s;
	r->stream = stream;
	http_reply_init(&r->reply, &reply_ops, r);
	q.reply = &r->reply;
	ts_stream_set_owner(stream, r);
	list_push_tail(&s->requests, &r->in_session);
	s->n_requests++;
	list_remove(&s->idle);
	if (router_serve(&table, &q) < 0)
		ts_stream_reset(stream);
}

static void on_end(void *owner, struct ts_stream *stream, int rc)
{
	struct session *s = owner;
	struct control_request *r = ts_stream_owner(stream);

	if (!r)
		return; /* it ended before its request was complete */
	if (r->map) {
		map_session_close(r->map, loop_now(s->hub->loop));
		s->n_maps--;
	}
	http_reply_gone(&r->reply);
	list_remove(&r->in_session);
	waits_no_longer(r);
	free(r);
	if (--s->n_requests == 0)
		session_becomes_idle(s);
}

static void fill(void *owner, struct ts_stream *stream, struct buf *out)
{
	struct control_request *r = ts_stream_owner(stream);

	if (r && r->map)
		map_session_fill(r->map, out);
}

static void on_output(void *owner)
{
	struct session *s = owner;

	session_moves(s);
	stream_wake(s->stream);
}

static void on_limit(void *owner, enum ts2021_limit l)
{
	((struct session *)owner)->hub->n.control_limits[l]++;
}

const struct ts2021_ops request_ops = { .on_request = on_request,
	.on_end = on_end,
	.fill = fill,
	.on_output = on_output,
	.on_limit = on_limit };

/* Before the engine goes */

static void let_go(struct hub *h, struct control_request *r)
{
	if (r->map) {
		map_session_close(r->map, loop_now(h->loop));
		r->map = NULL;
		r->session->n_maps--;
		ts_stream_finish(r->stream);
	} else if (r->waits) {
		coord_register_cancel(h->tailnet, r);
		control_answer(r, 503, plain, VIEW_LIT("the hub begins anew; ask again\n"));
	}
}

void control_let_go(struct hub *h)
{
	list_for_each(l, &h->sessions) {
		struct session *s = container_of(l, struct session, link);

		list_for_each_safe(e, &s->requests)
			let_go(h, container_of(e, struct control_request, in_session));
	}
}
