/*
 * Control connections: an upgraded stream carries a ts2021 session, whose requests go to the control engine. Anybody may open one,
 * with any machine key: it is a stranger's until the engine says that the key is a member's.
 */
#include "base/ledger/ledger.h"
#include "hub/control/internal.h"

#include <errno.h>
#include <stdlib.h>

/* Owner of a request in ts2021 and in the engine. */
struct request {
	struct session *session;
	struct ts_stream *stream;
	struct map_session *poll; /* a long poll's */
	bool waits;               /* for a register answer */
	struct list in_session;
};

/* After whatever may have let its machine in. It stays one: who is out is told so, and has nothing from it. */
static void review(struct session *s)
{
	if (s->member || !coord_machine_is_member(s->hub->tailnet, ts2021_remote(s->ts),
				 loop_now(s->hub->loop).wall))
		return;
	s->member = true;
	ts2021_set_member(s->ts);
	ledger_set_member(stream_holder(s->stream), ts2021_remote(s->ts)->b);
}

/* The engine's answers */

static void waits_no_longer(struct request *q)
{
	q->session->n_waits -= q->waits;
	q->waits = false;
}

void control_answer(void *owner, int status, const char *content_type, struct view body)
{
	struct request *q = owner;

	waits_no_longer(q);
	review(q->session);
	if (ts_stream_respond(q->stream, status, content_type, body) < 0)
		ts_stream_reset(q->stream);
}

void control_later(void *owner, unsigned seconds, struct view text)
{
	struct request *q = owner;

	waits_no_longer(q);
	if (ts_stream_respond_later(q->stream, 429, seconds, text) < 0)
		ts_stream_reset(q->stream);
}

struct ipport control_from(void *owner)
{
	return stream_peer(((struct request *)owner)->session->stream);
}

void control_poll_ready(void *owner)
{
	ts_stream_wake(((struct request *)owner)->stream);
}

void control_poll_ask(void *owner, mono_ns within)
{
	session_ask(((struct request *)owner)->session, within);
}

void control_poll_end(void *owner)
{
	ts_stream_finish(((struct request *)owner)->stream);
}

void control_poll_watch(void *owner, bool watch)
{
	stream_set_silence(
		((struct request *)owner)->session->stream, watch ? COORD_WATCH_SILENCE : 0);
}

/* Requests */

struct answer {
	const char *path;
	bool prefix;
	int status;
	const char *body;
};

/*
 * What clients ask for beside registration and maps. They go on without all of it; the statuses are those of headscale and
 * of Tailscale's test server.
 */
static const struct answer others[] = {
	{ "/machine/update-health", false, 204, "" },
	{ "/machine/set-dns", false, 501, "this server does not publish DNS records\n" },
	{ "/machine/id-token", false, 501, "this server does not issue identity tokens\n" },
	{ "/machine/feature/query", false, 501, "this server has no such feature\n" },
	{ "/machine/set-device-attr", false, 501, "this server does not keep device attributes\n" },
	{ "/machine/audit-log", false, 501, "this server does not keep an audit log\n" },
	{ "/machine/tka/", true, 501, "this server does not keep a tailnet lock\n" },
};

static void answer_other(struct hub *h, struct request *q, const char *path, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		const struct answer *a = &others[i];
		size_t n = strlen(a->path);

		if (len >= n && (a->prefix || len == n) && !memcmp(path, a->path, n)) {
			control_answer(q, a->status, "text/plain; charset=utf-8",
				view_of(a->body, strlen(a->body)));
			return;
		}
	}
	h->n.unknown_requests++;
	control_answer(q, 404, "text/plain; charset=utf-8", VIEW_LIT("no such path\n"));
}

/* One too many for this connection: later. */
static bool is_busy(struct hub *h, struct request *q, size_t n, size_t max)
{
	if (n < max)
		return false;
	h->n.control_busy++;
	control_later(q, 1, VIEW_LIT("too many such requests at once\n"));
	return true;
}

static void start_register(struct hub *h, struct request *q, struct view body)
{
	struct session *s = q->session;

	if (is_busy(h, q, s->n_waits, HUB_SESSION_WAITS_MAX))
		return;
	q->waits = true;
	s->n_waits++;
	coord_register(h->tailnet, ts2021_remote(s->ts), body, q, loop_now(h->loop));
}

static void start_map(struct hub *h, struct request *q, struct view body)
{
	struct session *s = q->session;
	int rc;

	if (is_busy(h, q, s->n_polls, HUB_SESSION_POLLS_MAX))
		return;
	rc = coord_map(h->tailnet, ts2021_remote(s->ts), body, q, loop_now(h->loop), &q->poll);
	if (rc != 0)
		return;
	s->n_polls++;
	review(s);
	if (ts_stream_begin(q->stream, 200, "application/octet-stream") < 0)
		ts_stream_reset(q->stream);
}

static void on_request(void *owner, struct ts_stream *stream, const char *method, const char *path,
	struct view body)
{
	struct session *s = owner;
	struct hub *h = s->hub;
	struct request *q = calloc(1, sizeof(*q));
	size_t len = strcspn(path, "?");

	if (!q) {
		ts_stream_reset(stream);
		return;
	}
	h->n.requests++;
	q->session = s;
	q->stream = stream;
	ts_stream_set_owner(stream, q);
	list_push_tail(&s->requests, &q->in_session);
	s->n_requests++;
	list_remove(&s->idle);
	if (!strcmp(method, "POST") && len == 17 && !memcmp(path, "/machine/register", len)) {
		start_register(h, q, body);
	} else if (!strcmp(method, "POST") && len == 12 && !memcmp(path, "/machine/map", len)) {
		start_map(h, q, body);
	} else {
		answer_other(h, q, path, len);
	}
}

static void on_end(void *owner, struct ts_stream *stream, int rc)
{
	struct session *s = owner;
	struct request *q = ts_stream_owner(stream);

	(void)rc;
	if (!q)
		return; /* it ended before its request was complete */
	if (q->poll) {
		map_session_close(q->poll, loop_now(s->hub->loop));
		s->n_polls--;
	}
	if (q->waits)
		coord_register_cancel(s->hub->tailnet, q);
	list_remove(&q->in_session);
	waits_no_longer(q);
	free(q);
	if (--s->n_requests == 0)
		session_becomes_idle(s);
}

static void fill(void *owner, struct ts_stream *stream, struct buf *out)
{
	struct request *q = ts_stream_owner(stream);

	if (q && q->poll)
		map_session_fill(q->poll, out);
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

static const struct ts2021_ops ts_ops = { .on_request = on_request,
	.on_end = on_end,
	.fill = fill,
	.on_output = on_output,
	.on_limit = on_limit };

/* The connection */

static const size_t session_turn = HUB_SESSION_TURN;

static void session_free(struct session *s)
{
	s->n_requests++; /* the ends of its requests do not make it idle once more */
	ts2021_free(s->ts);
	list_remove(&s->link);
	session_forget(s);
	s->hub->n_sessions--;
	free(s);
}

/* Nothing is read from who does not take what it has asked for. */
static bool full(void *owner)
{
	return !ts2021_wants_input(((struct session *)owner)->ts);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct session *s = owner;
	int rc = ts2021_feed(s->ts, p, len, loop_now(s->hub->loop).mono);

	session_lives(s);
	session_moves(s);
	if (rc < 0)
		stream_flush(s->stream); /* why */
	s->hub->n.bad_sessions += rc < 0 && rc != -ERR_CLOSED && rc != -ERR_FLOOD;
	return rc;
}

static struct view output(void *owner)
{
	return ts2021_output(((struct session *)owner)->ts);
}

static void written(void *owner, size_t n)
{
	ts2021_written(((struct session *)owner)->ts, n);
}

static void on_closed(void *owner, int rc)
{
	(void)rc;
	session_free(owner);
}

static const struct stream_ops stream_ops = { .on_data = on_data,
	.output = output,
	.written = written,
	.on_closed = on_closed,
	.full = full };

int control_accept(struct hub *h, struct http_request *q)
{
	struct session *s = h->n_sessions < HUB_SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;
	const struct ts2021_server how = { .self = &h->noise,
		.hub_url = former_tells(h, q->head),
		.rng = loop_rng(),
		.holder = stream_holder(httpd_stream(q->conn)),
		.now = loop_now(h->loop).mono };
	int rc = s ? ts2021_accept(&s->ts, q->head, &how, &ts_ops, s) : -ENOMEM;
	bool no_room = rc == -ENOMEM || rc == -ERR_NO_ROOM;

	if (rc < 0) {
		free(s);
		h->n.bad_handshakes++;
		return http_reply_refuse_text(q->reply, no_room ? 503 : 400,
			no_room ? "no room for another connection\n"
				: "the handshake of the control protocol is missing or wrong\n");
	}
	s->hub = h;
	s->stream = httpd_stream(q->conn);
	list_init(&s->idle);
	list_init(&s->requests);
	list_init(&s->checked);
	list_push_tail(&h->sessions, &s->link);
	h->n_sessions++;
	h->n.sessions++;
	review(s);
	session_becomes_idle(s);
	stream_set_owner(s->stream, &stream_ops, s);
	stream_set_measure(s->stream, &session_turn);
	stream_wake(s->stream);
	if (q->rest.len && on_data(s, q->rest.p, q->rest.len) < 0)
		stream_close(s->stream);
	return HTTP_TAKEN;
}

static void let_go(struct hub *h, struct request *q)
{
	if (q->poll) {
		map_session_close(q->poll, loop_now(h->loop));
		q->poll = NULL;
		q->session->n_polls--;
		ts_stream_finish(q->stream);
	} else if (q->waits) {
		coord_register_cancel(h->tailnet, q);
		control_answer(q, 503, "text/plain; charset=utf-8",
			VIEW_LIT("the hub begins anew; ask again\n"));
	}
}

void control_let_go(struct hub *h)
{
	list_for_each(l, &h->sessions) {
		struct session *s = container_of(l, struct session, link);

		list_for_each_safe(r, &s->requests)
			let_go(h, container_of(r, struct request, in_session));
	}
}

void control_close_all(struct hub *h)
{
	list_for_each_safe(l, &h->sessions) {
		struct session *s = container_of(l, struct session, link);

		stream_set_owner(s->stream, NULL, NULL);
		stream_close(s->stream);
		session_free(s);
	}
}
