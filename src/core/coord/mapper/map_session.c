/*
 * A long poll, or a request for one map: the message in progress, which is a list of shared pieces under one length, and what of its
 * reader's world is to be told next.
 */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { FILL_MAX = 24 * 1024, DELTA_MAX = 1 << 28 };

/* It may tell of what a crash would still undo: not yet. */
bool poll_is_held(const struct coord_poll *p)
{
	return p->n && p->hold > p->tailnet->cfg.store->durable;
}

void message_ready(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	p->hold = c->cfg.store->promised;
	list_remove(&p->held); /* a farewell goes behind what waits already */
	if (poll_is_held(p))
		list_push_tail(&c->mapper->held, &p->held);
	else
		c->cfg.on_poll_ready(p->owner);
}

static void message_clear(struct coord_poll *p)
{
	list_remove(&p->held);
	p->alive = piece_put(p->alive);
	for (size_t i = 0; i < p->n; i++)
		piece_put(p->v[i]);
	free(p->v);
	p->v = NULL;
	p->n = p->cap = p->at = p->off = 0;
	p->hold = 0;
}

int message_add(struct coord_poll *p, struct piece *q)
{
	if (!q)
		return -ENOMEM;
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 16;
		struct piece **v = realloc(p->v, cap * sizeof(*v));

		if (!v) {
			piece_put(q);
			return -ENOMEM;
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n++] = q;
	return 0;
}

/* The length of all pieces, as a piece in front that is not compressed. */
int message_finish(struct coord_poll *p)
{
	struct piece *head;
	uint8_t b[4];
	size_t total = 0;
	int rc;

	for (size_t i = 0; i < p->n; i++)
		total += p->v[i]->len;
	store_le32(b, (uint32_t)total);
	head = piece_raw(b, sizeof(b));
	rc = message_add(p, head);
	if (rc == 0) {
		memmove(p->v + 1, p->v, (p->n - 1) * sizeof(*p->v));
		p->v[0] = head;
		p->tailnet->stats.messages++;
	}
	return rc;
}

int message_unpack(struct coord_poll *p)
{
	struct buf packed, text;
	int rc = 0;

	buf_init(&packed, DELTA_MAX);
	buf_init(&text, DELTA_MAX);
	for (size_t i = 0; i < p->n && rc == 0; i++)
		rc = buf_append(&packed, p->v[i]->b, p->v[i]->len);
	if (rc == 0)
		rc = piece_text(view_of(buf_data(&packed) + 4, buf_len(&packed) - 4), &text);
	if (rc == 0) {
		message_clear(p);
		rc = message_add(p, piece_framed_raw(buf_view(&text)));
	}
	buf_fini(&packed);
	buf_fini(&text);
	return rc;
}

bool poll_has_own_news(const struct coord_poll *p)
{
	return p->self_stale || p->filter_stale || p->ssh_stale || p->health_stale ||
	       p->node->changed > p->cursor;
}

void retell(struct coord_poll *p, int64_t id, bool whole)
{
	if (p->plain || !p->started || p->again)
		return;
	if (p->n_retell == p->cap_retell) {
		size_t cap = p->cap_retell ? p->cap_retell * 2 : 16;
		struct retell *v = cap <= RETELL_MAX ? realloc(p->retell, cap * sizeof(*v)) : NULL;

		if (!v) {
			p->again = true;
			return;
		}
		p->retell = v;
		p->cap_retell = cap;
	}
	p->retell[p->n_retell++] = (struct retell){ id, whole };
}

void retell_clear(struct coord_poll *p)
{
	free(p->retell);
	p->retell = NULL;
	p->n_retell = p->cap_retell = 0;
}

void poll_set_plain(struct coord_poll *p, bool plain)
{
	p->tailnet->mapper->n_own += (size_t)p->plain - (size_t)plain;
	p->plain = plain;
}

void poll_forget_turn(struct coord_poll *p)
{
	heap_remove(&p->tailnet->mapper->turns, &p->turn);
	free(p->request);
	p->request = NULL;
	p->waits = false;
}

void poll_next_turn(struct coord_node *n)
{
	struct coord_poll *p = poll_of(n);

	if (p && p->waits && heap_set(&n->tailnet->mapper->turns, &p->turn, 0) < 0)
		poll_end(p);
}

void poll_end(struct coord_poll *p)
{
	if (p->ended)
		return;
	p->ended = true;
	list_remove(&p->unstarted);
	poll_forget_turn(p);
	message_clear(p);
	retell_clear(p);
	poll_set_plain(p, true);
	list_remove(&p->in_node);
	heap_remove(&p->tailnet->mapper->keep_alives, &p->keep_alive);
	if (p->node)
		poll_next_turn(p->node);
	p->node = NULL;
	p->tailnet->cfg.on_poll_end(p->owner);
}

/* Something is about to go to this reader: with it the question whether its program lives, if it is time for that. */
int poll_rearm(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	bool watched = p->node->watched;

	if (p->ask_at <= now.mono && c->cfg.on_poll_ask) {
		p->ask_at = now.mono + (watched ? COORD_WATCH_KEEP_ALIVE : COORD_ASK);
		c->cfg.on_poll_ask(p->owner, watched ? COORD_WATCH_SILENCE : COORD_ASK_SILENCE);
	}
	return heap_set(&p->tailnet->mapper->keep_alives, &p->keep_alive,
		mono_add(now.mono, p->node->watched ? COORD_WATCH_KEEP_ALIVE : COORD_KEEP_ALIVE));
}

/* Others depend on this device: something goes to it at once, and often from now on. */
void poll_watch(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	if (c->cfg.on_poll_watch)
		c->cfg.on_poll_watch(p->owner, true);
	p->ask_at = 0;
	if (p->told && heap_set(&c->mapper->keep_alives, &p->keep_alive, 0) < 0)
		poll_end(p);
}

void poll_begin_anew(struct coord_poll *p)
{
	p->started = false;
	list_remove(&p->unstarted);
	if (!p->waits)
		list_push_tail(&p->tailnet->mapper->unstarted, &p->unstarted);
}

void poll_free(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	message_clear(p);
	retell_clear(p);
	poll_set_plain(p, true);
	list_remove(&p->all);
	list_remove(&p->unstarted);
	list_remove(&p->in_node);
	heap_remove(&c->mapper->keep_alives, &p->keep_alive);
	c->stats.polls--;
	poll_forget_turn(p);
	if (p->once_of && coord_node_by_id(c, p->once_of))
		coord_node_by_id(c, p->once_of)->n_once--;
	free(p);
}

void poll_let_go(struct coord_poll *p)
{
	list_remove(&p->in_node);
	list_remove(&p->unstarted);
	heap_remove(&p->tailnet->mapper->keep_alives, &p->keep_alive);
	poll_forget_turn(p);
	retell_clear(p);
	poll_set_plain(p, true);
	p->node = NULL;
	p->last = true;
}

void coord_poll_fill(struct coord_poll *p, struct buf *out)
{
	size_t had = buf_len(out);

	if (p->alive && buf_append(out, p->alive->b, p->alive->len) == 0)
		p->alive = piece_put(p->alive);
	if (p->alive || poll_is_held(p))
		return;
	while (p->at < p->n && buf_len(out) - had < FILL_MAX) {
		struct piece *q = p->v[p->at];
		size_t n = MIN_OF(q->len - p->off, (size_t)FILL_MAX);

		if (buf_append(out, q->b + p->off, n) < 0)
			return;
		p->tailnet->stats.bytes_out += n;
		p->off += n;
		if (p->off == q->len) {
			p->at++;
			p->off = 0;
		}
	}
	if (p->n && p->at == p->n) {
		message_clear(p);
		if (p->last)
			poll_end(p);
		else if (!p->ended &&
			 (p->cursor < p->tailnet->seq || p->again || p->n_retell ||
				 poll_has_own_news(p)) &&
			 p->tailnet->flush_at == MONO_NEVER)
			p->tailnet->flush_at =
				0; /* it fell behind while writing: at the next tick */
	}
}

struct coord_poll *poll_new(
	struct tailnet *c, uint64_t process, bool raw, struct coord_node *n, void *owner)
{
	struct coord_poll *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tailnet = c;
	p->owner = owner;
	p->node = n;
	p->process = process;
	p->plain = true;
	p->raw = raw;
	list_init(&p->in_node);
	list_init(&p->held);
	list_init(&p->unstarted);
	list_push_tail(&c->mapper->polls, &p->all);
	c->stats.polls++;
	return p;
}
