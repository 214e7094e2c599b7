#include "core/derprelay/internal.h"

#include <stdlib.h>

struct ends {
	struct derpconn *conn;
	struct client *from;
};

struct heard {
	struct map_node node; /* by ends */
	struct ends ends;
	struct list
		by_client; /* of from->heard_by; once the connection is to be told, neither there nor in the table */
	struct list by_conn; /* of conn->heard, then of conn->gone */
};

static void client_free_if_told(struct client *cl)
{
	if (!cl->active && !cl->n_heard)
		free(cl);
}

/* From now on it is only what its connection is to be told, if anything. */
static void note_take_out(struct derprelay *r, struct heard *h)
{
	struct client *cl = h->ends.from;

	if (list_empty(&h->by_client))
		return;
	map_remove(&r->heard, &h->node);
	list_remove(&h->by_client);
	if (list_empty(&cl->heard_by))
		list_remove(&cl->going);
}

static void note_free(struct derprelay *r, struct heard *h)
{
	struct client *cl = h->ends.from;

	note_take_out(r, h);
	list_remove(&h->by_conn);
	h->ends.conn->n_heard--;
	cl->n_heard--;
	r->n.notes--;
	free(h);
	client_free_if_told(cl);
}

void heard_note(struct derpconn *dst, struct client *from)
{
	struct derprelay *r = dst->relay;
	const struct ends ends = { dst, from };
	struct heard *h;

	if (map_find(&r->heard, &ends, sizeof(ends)))
		return;
	/* Nobody's notes take more than half of what is free. */
	if (dst->n_heard >= DERPRELAY_HEARD_MAX ||
		from->n_heard >= DERPRELAY_NOTES_MAX - r->n.notes) {
		r->n.notes_full++;
		return;
	}
	h = calloc(1, sizeof(*h));
	if (!h)
		return; /* only a hint is lost */
	h->ends = ends;
	if (map_insert(&r->heard, &h->node, &h->ends, sizeof(h->ends)) != 0) {
		free(h);
		return;
	}
	list_push_head(&from->heard_by, &h->by_client);
	list_push_head(&dst->heard, &h->by_conn);
	dst->n_heard++;
	from->n_heard++;
	r->n.notes++;
}

void heard_conn_leaves(struct derpconn *c)
{
	list_for_each_safe(l, &c->heard)
		note_free(c->relay, container_of(l, struct heard, by_conn));
	list_for_each_safe(l, &c->gone)
		note_free(c->relay, container_of(l, struct heard, by_conn));
}

/* The note moves to what its connection is to be told; its memory was there before, so telling needs none. */
static void tell_one(struct heard *h)
{
	struct derpconn *c = h->ends.conn;

	note_take_out(c->relay, h);
	list_remove(&h->by_conn);
	list_push_tail(&c->gone, &h->by_conn);
	if (!c->closing)
		c->relay->cfg.on_output(c->owner);
}

/* Many may have heard one: what is over the measure of a turn waits for the next. */
static void tell(struct derprelay *r)
{
	while (r->tell_left && !list_empty(&r->going)) {
		struct client *cl = container_of(r->going.next, struct client, going);

		r->tell_left--;
		tell_one(container_of(cl->heard_by.next, struct heard, by_client));
	}
}

void heard_client_gone(struct derprelay *r, struct client *cl)
{
	/* Its notes are found no more: a client that comes back with its key is another one. */
	cl->active = NULL;
	if (!list_empty(&cl->heard_by))
		list_push_tail(&r->going, &cl->going);
	client_free_if_told(cl);
	tell(r);
}

void heard_tick(struct derprelay *r)
{
	r->tell_left = DERPRELAY_TELL_MAX;
	tell(r);
}

bool heard_write(struct derpconn *c)
{
	uint8_t frame[DERP_HEADER_LEN + KEY_LEN + 1];
	struct heard *h;

	if (list_empty(&c->gone))
		return false;
	h = container_of(c->gone.next, struct heard, by_conn);
	derpframe_header(frame, DERP_PEER_GONE, KEY_LEN + 1);
	memcpy(frame + DERP_HEADER_LEN, h->ends.from->key.b, KEY_LEN);
	frame[sizeof(frame) - 1] = DERP_GONE_DISCONNECTED;
	if (buf_append(&c->writing, frame, sizeof(frame)) < 0)
		return false;
	c->relay->n.peer_gone_sent++;
	note_free(c->relay, h);
	return true;
}
