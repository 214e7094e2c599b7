/*
 * A long poll, or a request for one map: the message in progress, which is a list of shared pieces under one length, and what of its
 * reader's tailnet is to be told next.
 */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum {
	FILL_MAX = 24 * 1024,
	DELTA_MAX = 1 << 28,
	FRAMES_MAX = 4 * COORD_NODES_MAX /* of one message: some for each device */
};

/* It may tell of what a crash would still undo: not yet. */
bool map_session_is_held(const struct map_session *p)
{
	return p->n && p->hold > p->tailnet->cfg.store->durable;
}

void map_session_ready(struct map_session *p)
{
	struct tailnet *c = p->tailnet;

	p->hold = c->cfg.store->promised;
	list_remove(
		&p->held); /* what a device that is gone is told goes behind what waits already */
	if (map_session_is_held(p))
		list_push_tail(&c->mapper->held, &p->held);
	else
		c->cfg.on_map_ready(p->owner);
}

static void message_clear(struct map_session *p)
{
	list_remove(&p->held);
	p->alive = map_frame_put(p->alive);
	for (size_t i = 0; i < p->n; i++)
		map_frame_put(p->v[i]);
	free(p->v);
	p->v = NULL;
	p->n = p->cap = p->at = p->off = 0;
	p->hold = 0;
}

int map_session_add(struct map_session *p, struct map_frame *q)
{
	if (!q)
		return -ENOMEM;
	if (p->n == p->cap &&
		vec_grow(&p->v, &p->cap, sizeof(struct map_frame *), FRAMES_MAX) < 0) {
		map_frame_put(q);
		return -ENOMEM;
	}
	p->v[p->n++] = q;
	return 0;
}

/* The length of all frames, as one in front that is not compressed. */
int map_session_finish(struct map_session *p)
{
	struct map_frame *head;
	uint8_t b[4];
	size_t total = 0;
	int rc;

	for (size_t i = 0; i < p->n; i++)
		total += p->v[i]->len;
	store_le32(b, (uint32_t)total);
	head = map_frame_raw(b, sizeof(b));
	rc = map_session_add(p, head);
	if (rc == 0) {
		memmove(p->v + 1, p->v, (p->n - 1) * sizeof(*p->v));
		p->v[0] = head;
		p->tailnet->stats.messages++;
	}
	return rc;
}

int map_session_unpack(struct map_session *p)
{
	struct buf packed, text;
	int rc = 0;

	buf_init(&packed, DELTA_MAX);
	buf_init(&text, DELTA_MAX);
	for (size_t i = 0; i < p->n && rc == 0; i++)
		rc = buf_append(&packed, p->v[i]->b, p->v[i]->len);
	if (rc == 0)
		rc = map_frame_text(view_of(buf_data(&packed) + 4, buf_len(&packed) - 4), &text);
	if (rc == 0) {
		message_clear(p);
		rc = map_session_add(p, map_frame_message_raw(buf_view(&text)));
	}
	buf_fini(&packed);
	buf_fini(&text);
	return rc;
}

bool map_session_has_self_news(const struct map_session *p)
{
	return p->self_stale || p->filter_stale || p->ssh_stale || p->health_stale ||
	       p->dns_stale || p->node->changed > p->cursor;
}

void map_session_due(struct map_session *p)
{
	list_remove(&p->due);
	if (!p->ended)
		list_push_tail(&p->tailnet->mapper->due, &p->due);
}

void map_session_dirty_peer(struct map_session *p, int64_t id, bool whole)
{
	if (p->sees_all || !p->started || p->resync)
		return;
	if (p->n_dirty == p->cap_dirty &&
		vec_grow(&p->dirty, &p->cap_dirty, sizeof(*p->dirty), DIRTY_PEERS_MAX) < 0) {
		p->resync = true;
		return;
	}
	p->dirty[p->n_dirty++] = (struct dirty_peer){ id, whole };
}

void map_session_clear_dirty(struct map_session *p)
{
	free(p->dirty);
	p->dirty = NULL;
	p->n_dirty = p->cap_dirty = 0;
}

void map_session_set_sees_all(struct map_session *p, bool sees_all)
{
	p->tailnet->mapper->n_restricted += (size_t)p->sees_all - (size_t)sees_all;
	p->sees_all = sees_all;
}

void map_session_forget_turn(struct map_session *p)
{
	heap_remove(&p->tailnet->mapper->turns, &p->turn);
	free(p->request);
	p->request = NULL;
	p->waits = false;
}

void map_session_next_turn(struct coord_node *n)
{
	struct map_session *p = map_session_of(n);

	if (p && p->waits && heap_set(&n->tailnet->mapper->turns, &p->turn, 0) < 0)
		map_session_end(p);
}

void map_session_end(struct map_session *p)
{
	if (p->ended)
		return;
	p->ended = true;
	list_remove(&p->unstarted);
	list_remove(&p->due);
	map_session_forget_turn(p);
	message_clear(p);
	map_session_clear_dirty(p);
	map_session_set_sees_all(p, true);
	list_remove(&p->in_node);
	heap_remove(&p->tailnet->mapper->keep_alives, &p->keep_alive);
	if (p->node)
		map_session_next_turn(p->node);
	p->node = NULL;
	p->tailnet->cfg.on_map_end(p->owner);
}

/* Something is about to go to this reader: with it the question whether its program lives, if it is time for that. */
int map_session_rearm(struct map_session *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	bool watched = p->node->watched;

	if (p->ask_at <= now.mono && c->cfg.on_map_ask) {
		p->ask_at = now.mono + (watched ? COORD_WATCH_KEEP_ALIVE : COORD_ASK);
		c->cfg.on_map_ask(p->owner, watched ? COORD_WATCH_SILENCE : COORD_ASK_SILENCE);
	}
	return heap_set(&p->tailnet->mapper->keep_alives, &p->keep_alive,
		mono_add(now.mono, p->node->watched ? COORD_WATCH_KEEP_ALIVE : COORD_KEEP_ALIVE));
}

/* Others depend on this device: something goes to it at once, and often from now on. */
void map_session_watch(struct map_session *p)
{
	struct tailnet *c = p->tailnet;

	if (c->cfg.on_map_watch)
		c->cfg.on_map_watch(p->owner, true);
	p->ask_at = 0;
	if (p->told && heap_set(&c->mapper->keep_alives, &p->keep_alive, 0) < 0)
		map_session_end(p);
}

void map_session_restart(struct map_session *p)
{
	p->started = false;
	list_remove(&p->unstarted);
	if (!p->waits)
		list_push_tail(&p->tailnet->mapper->unstarted, &p->unstarted);
}

void map_session_free(struct map_session *p)
{
	struct tailnet *c = p->tailnet;

	message_clear(p);
	map_session_clear_dirty(p);
	map_session_set_sees_all(p, true);
	list_remove(&p->all);
	list_remove(&p->unstarted);
	list_remove(&p->due);
	list_remove(&p->in_node);
	heap_remove(&c->mapper->keep_alives, &p->keep_alive);
	c->stats.map_sessions--;
	map_session_forget_turn(p);
	if (p->once_of && coord_node_by_id(c, p->once_of))
		coord_node_by_id(c, p->once_of)->n_once--;
	free(p);
}

void map_session_let_go(struct map_session *p)
{
	list_remove(&p->in_node);
	list_remove(&p->unstarted);
	list_remove(&p->due);
	heap_remove(&p->tailnet->mapper->keep_alives, &p->keep_alive);
	map_session_forget_turn(p);
	map_session_clear_dirty(p);
	map_session_set_sees_all(p, true);
	p->node = NULL;
	p->last = true;
}

void map_session_fill(struct map_session *p, struct buf *out)
{
	size_t had = buf_len(out);

	if (p->alive && buf_append(out, p->alive->b, p->alive->len) == 0)
		p->alive = map_frame_put(p->alive);
	if (p->alive || map_session_is_held(p))
		return;
	while (p->at < p->n && buf_len(out) - had < FILL_MAX) {
		struct map_frame *q = p->v[p->at];
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
			map_session_end(p);
		else if (!p->ended && (p->cursor < p->tailnet->seq || p->resync || p->n_dirty ||
					      map_session_has_self_news(p))) {
			/* It fell behind while writing: at the next tick. */
			map_session_due(p);
			if (p->tailnet->flush_at == MONO_NEVER)
				p->tailnet->flush_at = 0;
		}
	}
}

struct map_session *map_session_new(
	struct tailnet *c, uint64_t process, bool raw, struct coord_node *n, void *owner)
{
	struct map_session *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tailnet = c;
	p->owner = owner;
	p->node = n;
	p->process = process;
	p->sees_all = true;
	p->raw = raw;
	list_init(&p->in_node);
	list_init(&p->held);
	list_init(&p->unstarted);
	list_init(&p->due);
	list_push_tail(&c->mapper->sessions, &p->all);
	c->stats.map_sessions++;
	return p;
}
