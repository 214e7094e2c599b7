/*
 * What has happened, for the owner, in the order in which it did. Bounded: peers come by the thousand, so their events leave room for
 * the others, and where they are too many one event says so.
 */
#include "core/node/state/state.h"

#include "base/vec/vec.h"

#include <errno.h>

enum {
	PEER_EVENTS_MAX = 1024,
	EVENTS_MAX = PEER_EVENTS_MAX + 256,
	EVENTS_KEPT = 64, /* room that is there from the beginning, and that an empty queue keeps */
};

/* Events that say "look again": one in the queue says as much as two. */
static const unsigned look_again = 1u << NODE_PREFS | 1u << NODE_KEYS | 1u << NODE_NET_CONFIG |
				   1u << NODE_DNS | 1u << NODE_SELF | 1u << NODE_NETMAP |
				   1u << NODE_MOVED | 1u << NODE_SAVE_NETMAP |
				   1u << NODE_NETCHECK_DONE;

static bool is_of_peer(enum node_event_kind k)
{
	return k == NODE_PEER_ADDED || k == NODE_PEER_CHANGED || k == NODE_PEER_REMOVED;
}

int node_events_new(struct node *a)
{
	struct node_events *q = &a->events;

	q->v = calloc(EVENTS_KEPT, sizeof(*q->v));
	q->max = q->v ? EVENTS_KEPT : 0;
	return q->v ? 0 : -ENOMEM;
}

/* Room for one more. */
static bool make_room(struct node_events *q)
{
	if (q->head + q->n < q->max)
		return true;
	if (q->head) {
		memmove(q->v, q->v + q->head, q->n * sizeof(*q->v));
		q->head = 0;
		return true;
	}
	return vec_grow(&q->v, &q->max, sizeof(*q->v), EVENTS_MAX) == 0;
}

void node_event_add(struct node *a, struct node_event e)
{
	struct node_events *q = &a->events;
	size_t max = is_of_peer(e.kind) ? PEER_EVENTS_MAX : EVENTS_MAX;

	if (q->waiting & 1u << e.kind)
		return;
	if (q->n >= max || !make_room(q)) {
		a->counters.events_dropped++;
		q->peers_lost |= is_of_peer(e.kind);
		q->lost |= look_again & 1u << e.kind;
		return;
	}
	q->waiting |= look_again & 1u << e.kind;
	/* Without memory for it, the text is told as empty. */
	q->v[q->head + q->n++] =
		(struct node_queued){ .e = e, .text = e.text && *e.text ? strdup(e.text) : NULL };
}

static void drop_text(struct node_events *q)
{
	free(q->text);
	q->text = NULL;
}

/* The queue is empty: what a large map made of it is given back. */
static void rest(struct node_events *q)
{
	struct node_queued *v;

	q->head = 0;
	if (q->max <= EVENTS_KEPT)
		return;
	v = realloc(q->v, EVENTS_KEPT * sizeof(*v));
	if (!v)
		return;
	q->v = v;
	q->max = EVENTS_KEPT;
}

/* Kinds for which there was no room: one of each. */
static bool next_lost(struct node_events *q, struct node_event *ret)
{
	for (unsigned kind = 0; kind < NODE_EVENT_KINDS; kind++) {
		if (!(q->lost & 1u << kind))
			continue;
		q->lost &= ~(1u << kind);
		*ret = (struct node_event){ .kind = (enum node_event_kind)kind, .text = "" };
		return true;
	}
	return false;
}

bool node_next_event(struct node *a, struct node_event *ret)
{
	struct node_events *q = &a->events;

	drop_text(q);
	if (q->n) {
		*ret = q->v[q->head].e;
		q->text = q->v[q->head++].text;
		q->n--;
		q->waiting &= ~(1u << ret->kind);
		ret->text = q->text ? q->text : "";
		return true;
	}
	rest(q);
	if (next_lost(q, ret))
		return true;
	*ret = (struct node_event){ .kind = NODE_PEERS_LOST, .text = "" };
	if (!q->peers_lost)
		return false;
	q->peers_lost = false;
	return true;
}

bool node_event_waits(const struct node *a, unsigned kinds)
{
	return ((a->events.waiting | a->events.lost) & kinds) != 0;
}

void node_events_free(struct node *a)
{
	struct node_event e;

	while (node_next_event(a, &e))
		;
	free(a->events.v);
}
