/*
 * Control connections: an upgraded stream carries a ts2021 session, whose requests go to the control engine. A session
 * without an open request for HUB_SESSION_IDLE is closed; clients open another when they need one. A program that was asked
 * whether it lives, and does not say anything in time, has hung: its system would acknowledge what we send for ever.
 */
#include "core/ts2021/ts2021.h"
#include "hub/internal.h"

#include <errno.h>
#include <stdlib.h>

#define OVERDUE_WAIT MSEC(200)

struct session {
	struct list link, idle;
	struct list requests;
	struct hub *hub;
	struct stream *stream;
	struct ts2021 *ts;
	size_t n_requests;
	mono_ns idle_since;
	struct heap_node answer_due; /* in hub->asked */
	mono_ns answer_within;
	size_t unacked; /* when the question was looked at last */
	bool overdue;
};

/* Owner of a request in ts2021 and in the engine. */
struct request {
	struct session *session;
	struct ts_stream *stream;
	struct ctl_poll *poll; /* a long poll's */
	bool waits; /* for a register answer */
	struct list in_session;
};

static void rearm_idle(struct hub *h)
{
	mono_ns at = MONO_NEVER;

	if (!list_empty(&h->idle))
		at = mono_add(container_of(h->idle.next, struct session, idle)->idle_since, HUB_SESSION_IDLE);
	loop_timer_set(h->idle_timer, at);
}

static void session_becomes_idle(struct session *s)
{
	s->idle_since = loop_now(s->hub->loop).mono;
	list_remove(&s->idle);
	list_push_tail(&s->hub->idle, &s->idle);
	rearm_idle(s->hub);
}

void control_on_idle_tick(void *ctx)
{
	struct hub *h = ctx;
	mono_ns now = loop_now(h->loop).mono;

	list_for_each_safe(l, &h->idle) {
		struct session *s = container_of(l, struct session, idle);

		if (s->idle_since + HUB_SESSION_IDLE > now)
			break;
		list_remove(&s->idle);
		h->n.idle_closed++;
		stream_close(s->stream);
	}
	rearm_idle(h);
}

/* Does it live? */

static void rearm_ask(struct hub *h)
{
	loop_timer_set(h->ask_timer, heap_deadline(&h->asked));
}

void control_poll_ask(void *owner, mono_ns within)
{
	struct session *s = ((struct request *)owner)->session;
	struct hub *h = s->hub;
	mono_ns due = loop_now(h->loop).mono + within;

	if (s->answer_due.pos && s->answer_due.at <= due)
		return;
	if (ts2021_ping(s->ts) < 0 || heap_set(&h->asked, &s->answer_due, due) < 0)
		return; /* it is asked again */
	s->answer_within = within;
	s->unacked = SIZE_MAX;
	s->overdue = false;
	rearm_ask(h);
}

/* Whatever it says: it lives. */
static void lives(struct session *s)
{
	if (!s->answer_due.pos)
		return;
	heap_remove(&s->hub->asked, &s->answer_due);
	rearm_ask(s->hub);
}

/*
 * How much longer to wait for the answer; 0: no longer. On a slow line the question may wait behind a large map: as long as
 * that gets on, so do we. And it may be us who slept: what came meanwhile is read first.
 */
static mono_ns patience(struct session *s)
{
	size_t unacked = stream_unacked(s->stream), before = s->unacked;

	s->unacked = unacked;
	if (unacked && unacked < before)
		return s->answer_within;
	if (s->overdue)
		return 0;
	s->overdue = true;
	return OVERDUE_WAIT;
}

void control_on_ask_tick(void *ctx)
{
	struct hub *h = ctx;
	mono_ns now = loop_now(h->loop).mono;
	struct heap_node *due;

	while ((due = heap_pop_due(&h->asked, now))) {
		struct session *s = container_of(due, struct session, answer_due);

		mono_ns more = patience(s);

		if (more && heap_set(&h->asked, due, now + more) == 0)
			continue;
		h->n.unanswered++;
		stream_close(s->stream);
	}
	rearm_ask(h);
}

/* The engine's answers */

void control_answer(void *owner, int status, const char *content_type, struct view body)
{
	struct request *q = owner;

	q->waits = false;
	if (ts_stream_respond(q->stream, status, content_type, body) < 0)
		ts_stream_reset(q->stream);
}

void control_later(void *owner, unsigned seconds, struct view text)
{
	struct request *q = owner;

	q->waits = false;
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

void control_poll_end(void *owner)
{
	ts_stream_finish(((struct request *)owner)->stream);
}

void control_poll_watch(void *owner, bool watch)
{
	stream_set_silence(((struct request *)owner)->session->stream, watch ? CTL_WATCH_SILENCE : 0);
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
			control_answer(q, a->status, "text/plain; charset=utf-8", view_of(a->body, strlen(a->body)));
			return;
		}
	}
	h->n.unknown_requests++;
	control_answer(q, 404, "text/plain; charset=utf-8", VIEW_LIT("no such path\n"));
}

static void start_map(struct hub *h, struct request *q, struct view body)
{
	int rc = ctl_map(h->ctl, ts2021_remote(q->session->ts), body, q, loop_now(h->loop), &q->poll);

	if (rc != 0)
		return;
	if (ts_stream_begin(q->stream, 200, "application/octet-stream") < 0)
		ts_stream_reset(q->stream);
}

static void on_request(void *owner, struct ts_stream *stream, const char *method, const char *path, struct view body)
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
		q->waits = true;
		ctl_register(h->ctl, ts2021_remote(s->ts), body, q, loop_now(h->loop));
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
	if (q->poll)
		ctl_poll_close(q->poll, loop_now(s->hub->loop));
	if (q->waits)
		ctl_register_cancel(s->hub->ctl, q);
	list_remove(&q->in_session);
	free(q);
	if (--s->n_requests == 0)
		session_becomes_idle(s);
}

static void fill(void *owner, struct ts_stream *stream, struct buf *out)
{
	struct request *q = ts_stream_owner(stream);

	if (q && q->poll)
		ctl_poll_fill(q->poll, out);
}

static void on_output(void *owner)
{
	stream_wake(((struct session *)owner)->stream);
}

static const struct ts2021_ops ts_ops = { .on_request = on_request, .on_end = on_end, .fill = fill,
	.on_output = on_output };

/* The connection */

static void session_free(struct session *s)
{
	s->n_requests++; /* the ends of its requests do not make it idle once more */
	ts2021_free(s->ts);
	list_remove(&s->link);
	list_remove(&s->idle);
	heap_remove(&s->hub->asked, &s->answer_due);
	s->hub->n_sessions--;
	free(s);
}

static int on_data(void *owner, const uint8_t *p, size_t len)
{
	struct session *s = owner;
	int rc = ts2021_feed(s->ts, p, len);

	lives(s);
	s->hub->n.bad_sessions += rc < 0;
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

static const struct stream_ops stream_ops = { .on_data = on_data, .output = output, .written = written,
	.on_closed = on_closed };

int control_accept(struct hub *h, struct httpd_conn *c, const struct httpd_request *r)
{
	struct session *s = h->n_sessions < HUB_SESSIONS_MAX ? calloc(1, sizeof(*s)) : NULL;
	int rc = s ? ts2021_accept(&s->ts, r->head, &h->noise, former_tells(h, r->head), loop_rng(), &ts_ops, s) : -ENOMEM;

	if (rc < 0) {
		free(s);
		h->n.bad_handshakes++;
		return httpd_refuse(c, rc == -ENOMEM ? 503 : 400,
			rc == -ENOMEM ? "no room for another connection\n" : "the handshake of the control protocol is missing or wrong\n");
	}
	s->hub = h;
	s->stream = httpd_stream(c);
	list_init(&s->idle);
	list_init(&s->requests);
	list_push_tail(&h->sessions, &s->link);
	h->n_sessions++;
	h->n.sessions++;
	session_becomes_idle(s);
	stream_set_owner(s->stream, &stream_ops, s);
	stream_wake(s->stream);
	if (r->rest.len && on_data(s, r->rest.p, r->rest.len) < 0)
		stream_close(s->stream);
	return HTTPD_TAKEN;
}

static void let_go(struct hub *h, struct request *q)
{
	if (q->poll) {
		ctl_poll_close(q->poll, loop_now(h->loop));
		q->poll = NULL;
		ts_stream_finish(q->stream);
	} else if (q->waits) {
		ctl_register_cancel(h->ctl, q);
		control_answer(q, 503, "text/plain; charset=utf-8", VIEW_LIT("the hub begins anew; ask again\n"));
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
