/*
 * What the hub waits for of a control connection: a request (HUB_SESSION_IDLE without one, and it is closed), that it takes what there
 * is for it (ts2021_check), and, when it was asked, a sign that its program lives. A program that has hung does not give one: its
 * system would acknowledge what we send for ever.
 */
#include "hub/control/internal.h"

#define OVERDUE_WAIT MSEC(200)

static void rearm_idle(struct hub *h)
{
	mono_ns at = MONO_NEVER;

	if (!list_empty(&h->idle))
		at = mono_add(container_of(h->idle.next, struct session, idle)->idle_since,
			HUB_SESSION_IDLE);
	if (!list_empty(&h->idle_strangers))
		at = mono_min(
			at, mono_add(container_of(h->idle_strangers.next, struct session, idle)
					     ->idle_since,
				    HUB_STRANGER_IDLE));
	loop_timer_set(h->idle_timer, at);
}

void session_becomes_idle(struct session *s)
{
	s->idle_since = loop_now(s->hub->loop).mono;
	list_remove(&s->idle);
	list_push_tail(s->member ? &s->hub->idle : &s->hub->idle_strangers, &s->idle);
	rearm_idle(s->hub);
}

static void close_idle(struct hub *h, struct list *of, mono_ns after)
{
	mono_ns now = loop_now(h->loop).mono;

	list_for_each_safe(l, of) {
		struct session *s = container_of(l, struct session, idle);

		if (s->idle_since + after > now)
			break;
		list_remove(&s->idle);
		h->n.idle_closed++;
		stream_close(s->stream);
	}
}

void control_on_idle_tick(void *ctx)
{
	struct hub *h = ctx;

	close_idle(h, &h->idle, HUB_SESSION_IDLE);
	close_idle(h, &h->idle_strangers, HUB_STRANGER_IDLE);
	rearm_idle(h);
}

/* Does it take what there is? */

static void rearm_check(struct hub *h)
{
	loop_timer_set(h->check_timer,
		list_empty(&h->checked)
			? MONO_NEVER
			: container_of(h->checked.next, struct session, checked)->check_at);
}

void session_moves(struct session *s)
{
	struct hub *h = s->hub;
	bool first = list_empty(&h->checked);

	if (!list_empty(&s->checked))
		return;
	s->check_at = loop_now(h->loop).mono + TS2021_CHECK;
	list_push_tail(&h->checked, &s->checked);
	if (first)
		rearm_check(h);
}

void control_on_check_tick(void *ctx)
{
	struct hub *h = ctx;
	mono_ns now = loop_now(h->loop).mono;
	int rc;

	while (!list_empty(&h->checked)) {
		struct session *s = container_of(h->checked.next, struct session, checked);

		if (s->check_at > now)
			break;
		list_remove(&s->checked);
		rc = ts2021_check(s->ts, now);
		if (rc < 0)
			stream_close(s->stream);
		else if (rc > 0)
			session_moves(s);
	}
	rearm_check(h);
}

/* Does it live? */

static void rearm_ask(struct hub *h)
{
	loop_timer_set(h->ask_timer, heap_deadline(&h->asked));
}

void session_ask(struct session *s, mono_ns within)
{
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

void session_lives(struct session *s)
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
static mono_ns answer_timeout(struct session *s)
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

		mono_ns more = answer_timeout(s);

		if (more && heap_set(&h->asked, due, now + more) == 0)
			continue;
		h->n.unanswered++;
		stream_close(s->stream);
	}
	rearm_ask(h);
}

void session_forget(struct session *s)
{
	list_remove(&s->idle);
	list_remove(&s->checked);
	heap_remove(&s->hub->asked, &s->answer_due);
}

/* After whatever may have let its machine in. It stays one: who is out is told so, and has nothing from it. */
void session_review(struct session *s)
{
	if (s->member || !coord_machine_is_member(s->hub->tailnet, ts2021_remote(s->ts),
				 loop_now(s->hub->loop).wall))
		return;
	s->member = true;
	ts2021_set_member(s->ts);
	ledger_set_member(stream_holder(s->stream), ts2021_remote(s->ts)->b);
}
