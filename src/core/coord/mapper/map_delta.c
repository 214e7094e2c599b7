/* What has changed since a reader was told last. Made once for all who stand at the same place and are told what all are told. */
#include "core/coord/mapper/internal.h"

#include <errno.h>

enum { CHANGES_MEM_MAX = 4 << 20, DELTA_MAX = 1 << 28 };

/* What a delta is made of: the text before, the lists of what changed since `from`, and the text after. */
struct making {
	uint64_t from;
	const struct coord_node *reader; /* who is left out; NULL for a shared message */
	struct buf *out;
	size_t n_whole, n_patch, n_removed;
};

static int put_removed(struct tailnet *c, struct making *m)
{
	int rc = 0;

	for (size_t i = 0; i < c->n_removed && rc == 0; i++) {
		struct coord_node *n;

		if (c->removed[i].seq <= m->from)
			continue;
		n = coord_node_by_id(c, c->removed[i].id);
		if (n && !coord_node_is_hidden(n))
			continue; /* it was out of sight, and is back */
		rc = buf_printf(m->out, "%s%lld", m->n_removed ? "," : ",\"PeersRemoved\":[",
			(long long)c->removed[i].id);
		m->n_removed++;
	}
	return rc == 0 && m->n_removed ? buf_append_str(m->out, "]") : rc;
}

/* Walks back from the latest change. whole: which of the two lists is being made. */
static int put_changed(struct tailnet *c, struct making *m, bool whole)
{
	size_t *n_put = whole ? &m->n_whole : &m->n_patch;
	struct arena a;
	int rc = 0;

	arena_init(&a, CHANGES_MEM_MAX);
	for (struct list *l = c->nodes.prev; l != &c->nodes && rc == 0; l = l->prev) {
		struct coord_node *n = container_of(l, struct coord_node, link);

		if (n->changed <= m->from)
			break;
		if (n == m->reader || coord_node_is_hidden(n) ||
			(n->changed_whole > m->from) != whole)
			continue;
		if ((*n_put)++)
			rc = buf_append_str(m->out, ",");
		if (rc == 0)
			rc = whole ? map_node_put(c, n, NULL, &a, m->out)
				   : map_node_put_patch(n, m->out);
		arena_reset(&a);
	}
	arena_fini(&a);
	return rc;
}

static int put_delta(struct tailnet *c, struct making *m, struct now now)
{
	char time[TIME_RFC3339_MAX];
	int rc;

	time_format_rfc3339(now.wall, time);
	/* It is told of nobody, or of nobody is anything new. */
	if (m->reader && (coord_node_is_alone(m->reader) || m->from == c->seq))
		return buf_printf(m->out, "{\"ControlTime\":\"%s\"", time);
	rc = buf_printf(m->out, "{\"ControlTime\":\"%s\",\"PeersChanged\":[", time);
	if (rc == 0)
		rc = put_changed(c, m, true);
	if (rc == 0)
		rc = buf_append_str(m->out, "],\"PeersChangedPatch\":[");
	if (rc == 0)
		rc = put_changed(c, m, false);
	if (rc == 0)
		rc = buf_append_str(m->out, "]");
	if (rc == 0)
		rc = put_removed(c, m);
	if (rc == 0 && m->n_whole)
		rc = buf_append_str(m->out, ",");
	if (rc == 0 && m->n_whole)
		rc = map_node_put_profiles(c, m->out);
	return rc;
}

/* For everybody who stands at `from` and did not change himself: made once. */
static struct delta *shared_delta(struct tailnet *c, uint64_t from, struct now now)
{
	struct delta *d = &c->mapper->delta[c->mapper->next_delta];
	struct making m = { .from = from };
	struct buf text;
	int rc;

	for (size_t i = 0; i < DELTAS_KEPT; i++)
		if (c->mapper->delta[i].to == c->seq && c->mapper->delta[i].from == from)
			return &c->mapper->delta[i];
	buf_init(&text, DELTA_MAX);
	m.out = &text;
	rc = put_delta(c, &m, now);
	if (rc == 0)
		rc = buf_append_str(&text, "}");
	d->message = map_frame_put(d->message);
	d->to = 0;
	if (rc == 0 && m.n_whole + m.n_patch + m.n_removed) {
		d->message = map_frame_message(c, buf_view(&text));
		rc = d->message ? 0 : -ENOMEM;
	}
	buf_fini(&text);
	if (rc < 0)
		return NULL;
	d->from = from;
	d->to = c->seq;
	c->mapper->next_delta = (c->mapper->next_delta + 1) % DELTAS_KEPT;
	return d;
}

/* For a reader whose own device changed, or what the policy says of it: without him, and with what is his own. */
static int reader_delta(struct map_session *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct making m = { .from = p->cursor, .reader = p->node };
	struct map_writer d;
	size_t peers;

	map_writer_begin(&d, p);
	m.out = &d.text;
	d.rc = put_delta(c, &m, now);
	peers = buf_len(&d.text);
	map_policies_self(&d, ",", false);
	map_policies_put(&d, false);
	if (d.rc == 0 && p->n == 0 && buf_len(&d.text) == peers &&
		m.n_whole + m.n_patch + m.n_removed == 0) {
		map_writer_drop(&d);
		return 0;
	}
	map_writer_put(&d, "}");
	return map_writer_end(&d);
}

int map_delta_make(struct map_session *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct delta *d;
	int rc = 0;

	if (!p->sees_all) {
		if (p->n_dirty || map_session_has_self_news(p))
			rc = restricted_delta(p, now);
	} else if (map_session_has_self_news(p) || coord_node_is_alone(p->node)) {
		rc = reader_delta(p, now);
	} else {
		d = shared_delta(c, p->cursor, now);
		rc = !d ? -ENOMEM : d->message ? map_session_add(p, map_frame_get(d->message)) : 0;
		c->stats.messages += d && d->message;
	}
	p->cursor = c->seq;
	return rc;
}
