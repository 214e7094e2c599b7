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
	list_init(&m->sessions);
	list_init(&m->unstarted);
	list_init(&m->held);
	list_init(&m->due);
	map_init(&m->filter_parts, c->seed);
	buf_init(&m->dns.text, MAP_DNS_MAX);
	shed_init(&m->shed, c->seed);
	m->zstd = ZSTD_createCCtx();
	m->comma = m->zstd ? map_frame_of(c, ",", 1) : NULL;
	return m->comma ? 0 : -ENOMEM;
}

void mapper_free(struct tailnet *c)
{
	struct mapper *m = c->mapper;

	if (!m)
		return;
	list_for_each_safe(l, &m->sessions)
		map_session_free(container_of(l, struct map_session, all));
	list_for_each_safe(l, &c->nodes)
		mapper_forget_node(c, container_of(l, struct coord_node, link));
	heap_fini(&m->turns);
	heap_fini(&m->rivals);
	heap_fini(&m->keep_alives);
	map_policies_clear(c);
	map_fini(&m->filter_parts);
	map_frame_put(m->all_ids);
	map_frame_put(m->comma);
	map_frame_put(m->dns.frame);
	buf_fini(&m->dns.text);
	map_frame_put(m->keep_alive[0]);
	map_frame_put(m->keep_alive[1]);
	for (size_t i = 0; i < DELTAS_KEPT; i++)
		map_frame_put(m->delta[i].message);
	ZSTD_freeCCtx(m->zstd);
	free(m);
	c->mapper = NULL;
}

/* One map and the end. The device's stream, if it has one, and whether it is online, are not touched. */
static int make_only(struct map_session *p, struct now now)
{
	int rc = -ENOENT;

	p->node = coord_node_by_id(p->tailnet, p->once_of);
	if (p->node)
		rc = map_whole_make(p, now);
	map_session_set_sees_all(p, true);
	p->node = NULL;
	p->last = true;
	return rc;
}

/* Whatever is next for this reader, if it has nothing in progress. */
static void advance(struct map_session *p, struct now now)
{
	int rc = 0;

	if (p->ended || p->last || p->n || p->waits)
		return;
	if (p->once_of)
		rc = make_only(p, now);
	else if (!p->started || p->resync || (p->sees_all && p->cursor < p->tailnet->removed_floor))
		rc = map_whole_make(p, now);
	else if (p->cursor < p->tailnet->seq || p->n_dirty || map_session_has_self_news(p))
		rc = map_delta_make(p, now);
	if (rc == 0 && p->n && p->raw)
		rc = map_session_unpack(p);
	if (rc == 0 && p->n && !p->last)
		rc = map_session_rearm(p, now);
	if (rc < 0)
		map_session_end(p);
	else if (p->n)
		map_session_ready(p);
}

/* A change of a device concerns all readers, and marks none; what concerns one marks that one. */
static void flush(struct tailnet *c, struct now now)
{
	struct mapper *m = c->mapper;
	bool all;

	map_news_take(c, now);
	restricted_mark_viewers(c);
	c->flush_at = MONO_NEVER;
	all = m->all_due || m->told_seq != c->seq;
	m->all_due = false;
	m->told_seq = c->seq;
	if (all)
		list_for_each_safe(l, &m->sessions)
			advance(container_of(l, struct map_session, all), now);
	/* Of those that are writing, map_session_fill marks whoever has fallen behind. */
	list_for_each_safe(l, &m->due) {
		struct map_session *p = container_of(l, struct map_session, due);

		list_remove(&p->due);
		if (!all)
			advance(p, now);
	}
}

void mapper_tick(struct tailnet *c, struct now now)
{
	map_request_tick(c, now);
	clones_tick(c, now);
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
	list_for_each(l, &n->sessions)
		map_session_restart(container_of(l, struct map_session, in_node));
}

static void release_held(struct tailnet *c)
{
	while (!list_empty(&c->mapper->held)) {
		struct map_session *p =
			container_of(c->mapper->held.next, struct map_session, held);

		if (map_session_is_held(p))
			break;
		list_remove(&p->held);
		c->cfg.on_map_ready(p->owner);
	}
}

void mapper_turn_end(struct tailnet *c, struct now now)
{
	release_held(c);
	map_news_take(c, now);
	list_for_each_safe(l, &c->mapper->unstarted) {
		struct map_session *p = container_of(l, struct map_session, unstarted);

		advance(p, now);
		if (p->started || p->ended || p->last)
			list_remove(&p->unstarted);
	}
}
