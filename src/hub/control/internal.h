/*
 * hub/control: a control connection, between control.c, which has the stream, requests.c, which has its requests answered, and
 * sessions.c, which waits for it.
 */
#ifndef WARREN_HUB_CONTROL_INTERNAL_H
#define WARREN_HUB_CONTROL_INTERNAL_H

#include "hub/control/control.h"

struct session {
	struct list link, idle, checked, requests;
	struct hub *hub;
	struct stream *stream;
	struct ts2021 *ts;
	bool member; /* its machine's */
	size_t n_requests, n_maps, n_waits;
	mono_ns idle_since, check_at;
	struct heap_node answer_due; /* in hub->asked */
	mono_ns answer_within;
	size_t unacked; /* when the question was looked at last */
	bool overdue;
};

/* After whatever may have let its machine in. It stays a stranger's while its key is no member's. */
void session_review(struct session *s);
/* It has no open request any more. */
void session_becomes_idle(struct session *s);
/* Something was fed, or there is output: whether it is taken is looked at later. */
void session_moves(struct session *s);
/* Asks whether the program at the other end lives, if it has not been asked. */
void session_ask(struct session *s, mono_ns within);
/* Whatever it says: it lives. */
void session_lives(struct session *s);
/* Nobody waits for it any more. */
void session_forget(struct session *s);

/* requests.c: a session is the owner of its ts2021. */
extern const struct ts2021_ops request_ops;

#endif
