/* The state of this folder, what comes by time, and what is next for each reader. */
#include "core/coord/mapper/internal.h"

#include <errno.h>
#include <zstd.h>

int mapper_new(struct tailnet *c)
{
	struct mapper *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	c->mapper = m;
	list_init(&m->polls);
	list_init(&m->unstarted);
	list_init(&m->held);
	map_init(&m->filter_parts, c->seed);
	shed_init(&m->shed, c->seed);
	m->zstd = ZSTD_createCCtx();
	m->comma = m->zstd ? piece_of(c, ",", 1) : NULL;
	return m->comma ? 0 : -ENOMEM;
}

void mapper_free(struct tailnet *c)
{
	struct mapper *m = c->mapper;

	if (!m)
		return;
	list_for_each_safe(l, &m->polls)
		poll_free(container_of(l, struct coord_poll, all));
	list_for_each_safe(l, &c->nodes)
		mapper_forget_node(c, container_of(l, struct coord_node, link));
	heap_fini(&m->turns);
	heap_fini(&m->rivals);
	heap_fini(&m->keep_alives);
	filter_parts_clear(c);
	map_fini(&m->filter_parts);
	piece_put(m->all_ids);
	piece_put(m->comma);
	piece_put(m->keep_alive[0]);
	piece_put(m->keep_alive[1]);
	for (size_t i = 0; i < DELTAS_KEPT; i++)
		piece_put(m->delta[i].message);
	ZSTD_freeCCtx(m->zstd);
	free(m);
	c->mapper = NULL;
}

/* One map and the end. The device's stream, if it has one, and whether it is online, are not touched. */
static int make_only(struct coord_poll *p, struct now now)
{
	int rc = -ENOENT;

	p->node = coord_node_by_id(p->tailnet, p->once_of);
	if (p->node)
		rc = make_whole(p, now);
	poll_set_plain(p, true);
	p->node = NULL;
	p->last = true;
	return rc;
}

/* Whatever is next for this reader, if it has nothing in progress. */
static void poll_advance(struct coord_poll *p, struct now now)
{
	int rc = 0;

	if (p->ended || p->last || p->n || p->waits)
		return;
	if (p->once_of)
		rc = make_only(p, now);
	else if (!p->started || p->again || (p->plain && p->cursor < p->tailnet->removed_floor))
		rc = make_whole(p, now);
	else if (p->cursor < p->tailnet->seq || p->n_retell || poll_has_own_news(p))
		rc = make_delta(p, now);
	if (rc == 0 && p->n && p->raw)
		rc = message_unpack(p);
	if (rc == 0 && p->n && !p->last)
		rc = poll_rearm(p, now);
	if (rc < 0)
		poll_end(p);
	else if (p->n)
		message_ready(p);
}

static void flush(struct tailnet *c, struct now now)
{
	map_news_take(c, now);
	spread_changes(c);
	c->flush_at = MONO_NEVER;
	list_for_each_safe(l, &c->mapper->polls)
		poll_advance(container_of(l, struct coord_poll, all), now);
}

void mapper_tick(struct tailnet *c, struct now now)
{
	map_request_tick(c, now);
	rivals_tick(c, now);
	keep_alive_tick(c, now);
	if (c->flush_at <= now.mono)
		flush(c, now);
}

mono_ns mapper_deadline(const struct tailnet *c)
{
	const struct mapper *m = c->mapper;
	mono_ns t = mono_min(c->flush_at, heap_deadline(&m->keep_alives));

	return mono_min(t, mono_min(heap_deadline(&m->turns), heap_deadline(&m->rivals)));
}

void mapper_begin_anew(struct coord_node *n)
{
	list_for_each(l, &n->polls)
		poll_begin_anew(container_of(l, struct coord_poll, in_node));
}

static void release_held(struct tailnet *c)
{
	while (!list_empty(&c->mapper->held)) {
		struct coord_poll *p = container_of(c->mapper->held.next, struct coord_poll, held);

		if (poll_is_held(p))
			break;
		list_remove(&p->held);
		c->cfg.on_poll_ready(p->owner);
	}
}

void mapper_turn_end(struct tailnet *c, struct now now)
{
	release_held(c);
	map_news_take(c, now);
	list_for_each_safe(l, &c->mapper->unstarted) {
		struct coord_poll *p = container_of(l, struct coord_poll, unstarted);

		poll_advance(p, now);
		if (p->started || p->ended || p->last)
			list_remove(&p->unstarted);
	}
}
