/*
 * Control connections: an upgraded stream carries a ts2021 session, whose requests go to the control engine. Anybody may open one,
 * with any machine key: it is a stranger's until the engine says that the key is a member's.
 */
#include "base/ledger/ledger.h"
#include "hub/control/internal.h"

#include <errno.h>
#include <stdlib.h>

/* The connection */

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
	int rc = s ? ts2021_accept(&s->ts, q->head, &how, &request_ops, s) : -ENOMEM;
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
	session_review(s);
	session_becomes_idle(s);
	stream_set_owner(s->stream, &stream_ops, s);
	stream_share_turn(s->stream, &h->reading);
	stream_wake(s->stream);
	if (q->rest.len && on_data(s, q->rest.p, q->rest.len) < 0)
		stream_close(s->stream);
	return HTTP_TAKEN;
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
