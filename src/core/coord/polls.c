/*
 * Long polls. A message is a list of shared pieces under one length; a poll writes out the message in progress, and when
 * that is done and the world has moved on, makes the next one from where its cursor stands.
 */
#include "core/coord/internal.h"

#include <errno.h>

enum {
	FILL_MAX = 24 * 1024,
	REQUEST_MEM_MAX = 4 << 20,
	DELTA_MAX = 1 << 28,
	KEEP_ALIVE_SHARED_MS = 100
};

/* It may tell of what a crash would still undo: not yet. */
static bool is_held(const struct coord_poll *p)
{
	return p->n && p->hold > p->tailnet->cfg.store->durable;
}

void message_ready(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	p->hold = c->cfg.store->promised;
	list_remove(&p->held); /* a farewell goes behind what waits already */
	if (is_held(p))
		list_push_tail(&c->held, &p->held);
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

static int message_unpack(struct coord_poll *p)
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

/* The reader's own block, device by device without himself. */
static void put_own_block(struct draft *d, struct block *b, size_t *n_put)
{
	list_for_each(l, &b->nodes) {
		struct coord_node *n = container_of(l, struct coord_node, in_block);

		if (n == d->p->node || coord_node_is_hidden(n))
			continue;
		if ((*n_put)++)
			draft_shared(d, d->p->tailnet->comma);
		draft_shared(d, coord_node_whole(d->p->tailnet, n));
	}
}

/* Nobody: of people it is told of its own only, and of the one whose all devices with tags are, because it may become one. */
static void put_nobody(struct draft *d)
{
	struct tailnet *c = d->p->tailnet;
	struct tc_user own = profile_of(c, d->p->node->doc.user), tagged = profile_of(c, 0);

	draft_put(d, "\"UserProfiles\":[");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &tagged, &d->text);
	draft_put(d, ",");
	if (d->rc == 0)
		d->rc = json_encode(&tc_user_profile_type, &own, &d->text);
	draft_put(d, "],\"Peers\":[]");
}

static size_t put_everybody(struct draft *d)
{
	struct tailnet *c = d->p->tailnet;
	size_t n_put = 0;

	if (coord_node_is_alone(d->p->node)) {
		put_nobody(d);
		return 0;
	}
	if (d->rc == 0)
		d->rc = put_profiles(c, &d->text);
	draft_put(d, ",\"Peers\":[");
	list_for_each(l, &c->blocks) {
		struct block *b = container_of(l, struct block, link);
		struct piece *all;

		if (d->rc < 0)
			break;
		if (b == d->p->node->block) {
			put_own_block(d, b, &n_put);
			continue;
		}
		all = block_whole(c, b);
		if (!b->n_shown)
			continue;
		if (n_put++)
			draft_shared(d, c->comma);
		draft_shared(d, all);
	}
	draft_put(d, "]");
	return n_put;
}

/* Everything; the first time, and when telling what has changed would not be less. */
static int make_whole(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct draft d;
	size_t n;

	poll_review(p);
	draft_begin(&d, p);
	draft_head(&d, now);
	n = p->plain ? put_everybody(&d) : own_peers(&d);
	if (p->told && n == 0)
		draft_all_gone(&d);
	draft_put(&d, "}");
	retell_clear(p);
	p->again = false;
	p->cursor = c->seq;
	p->started = p->told = true;
	c->stats.maps++;
	return draft_end(&d);
}

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

	arena_init(&a, REQUEST_MEM_MAX);
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
			rc = whole ? put_node(c, n, NULL, &a, m->out) : put_patch(n, m->out);
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
	if (m->reader && coord_node_is_alone(m->reader))
		return buf_printf(
			m->out, "{\"ControlTime\":\"%s\"", time); /* it is told of nobody */
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
		rc = put_profiles(c, m->out);
	return rc;
}

/* For everybody who stands at `from` and did not change himself: made once. */
static struct delta *shared_delta(struct tailnet *c, uint64_t from, struct now now)
{
	struct delta *d = &c->delta[c->next_delta];
	struct making m = { .from = from };
	struct buf text;
	int rc;

	for (size_t i = 0; i < DELTAS_KEPT; i++)
		if (c->delta[i].to == c->seq && c->delta[i].from == from)
			return &c->delta[i];
	buf_init(&text, DELTA_MAX);
	m.out = &text;
	rc = put_delta(c, &m, now);
	if (rc == 0)
		rc = buf_append_str(&text, "}");
	d->message = piece_put(d->message);
	d->to = 0;
	if (rc == 0 && m.n_whole + m.n_patch + m.n_removed) {
		d->message = piece_framed(c, buf_view(&text));
		rc = d->message ? 0 : -ENOMEM;
	}
	buf_fini(&text);
	if (rc < 0)
		return NULL;
	d->from = from;
	d->to = c->seq;
	c->next_delta = (c->next_delta + 1) % DELTAS_KEPT;
	return d;
}

/* For a reader whose own device changed, or what the policy says of it: without him, and with what is his own. */
static int reader_delta(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct making m = { .from = p->cursor, .reader = p->node };
	struct draft d;
	size_t peers;

	draft_begin(&d, p);
	m.out = &d.text;
	d.rc = put_delta(c, &m, now);
	peers = buf_len(&d.text);
	draft_self(&d, ",", false);
	draft_policies(&d, false);
	if (d.rc == 0 && p->n == 0 && buf_len(&d.text) == peers &&
		m.n_whole + m.n_patch + m.n_removed == 0) {
		draft_drop(&d);
		return 0;
	}
	draft_put(&d, "}");
	return draft_end(&d);
}

static bool has_own_news(const struct coord_poll *p)
{
	return p->self_stale || p->filter_stale || p->ssh_stale || p->health_stale ||
	       p->node->changed > p->cursor;
}

static int make_delta(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct delta *d;
	int rc = 0;

	if (!p->plain) {
		if (p->n_retell || has_own_news(p))
			rc = own_delta(p, now);
	} else if (has_own_news(p) || coord_node_is_alone(p->node)) {
		rc = reader_delta(p, now);
	} else {
		d = shared_delta(c, p->cursor, now);
		rc = !d ? -ENOMEM : d->message ? message_add(p, piece_get(d->message)) : 0;
		c->stats.messages += d && d->message;
	}
	p->cursor = c->seq;
	return rc;
}

/* Borrowed: one for all readers of a kind to whom it goes at about the same time. */
static struct piece *keep_alive_message(struct coord_poll *p, unix_ms wall)
{
	struct tailnet *c = p->tailnet;
	struct piece **q = &c->keep_alive[p->raw];
	char time[TIME_RFC3339_MAX];
	struct buf text;
	int rc;

	if (wall < c->keep_alive_at || wall - c->keep_alive_at >= KEEP_ALIVE_SHARED_MS) {
		c->keep_alive[0] = piece_put(c->keep_alive[0]);
		c->keep_alive[1] = piece_put(c->keep_alive[1]);
		c->keep_alive_at = wall;
	}
	if (*q)
		return *q;
	time_format_rfc3339(wall, time);
	buf_init(&text, 96);
	rc = buf_printf(&text, "{\"KeepAlive\":true,\"ControlTime\":\"%s\"}", time);
	if (rc == 0)
		*q = p->raw ? piece_framed_raw(buf_view(&text)) : piece_framed(c, buf_view(&text));
	buf_fini(&text);
	return *q;
}

static int make_keep_alive(struct coord_poll *p, struct now now)
{
	struct piece *q = keep_alive_message(p, now.wall);
	int rc = q ? message_add(p, piece_get(q)) : -ENOMEM;

	p->tailnet->stats.messages += rc == 0;
	return rc;
}

/* Goes before the message that is held. */
static int make_keep_alive_ahead(struct coord_poll *p, struct now now)
{
	struct piece *q;

	if (p->alive)
		return 0; /* nobody read the last one */
	q = keep_alive_message(p, now.wall);
	p->alive = q ? piece_get(q) : NULL;
	p->tailnet->stats.messages++;
	return q ? 0 : -ENOMEM;
}

void poll_end(struct coord_poll *p)
{
	if (p->ended)
		return;
	p->ended = true;
	list_remove(&p->unstarted);
	clone_forget(p);
	message_clear(p);
	retell_clear(p);
	poll_set_plain(p, true);
	list_remove(&p->in_node);
	heap_remove(&p->tailnet->keep_alives, &p->keep_alive);
	if (p->node)
		clone_next(p->node);
	p->node = NULL;
	p->tailnet->cfg.on_poll_end(p->owner);
}

/* Something is about to go to this reader: with it the question whether its program lives, if it is time for that. */
static int rearm_keep_alive(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	bool watched = p->node->watched;

	if (p->ask_at <= now.mono && c->cfg.on_poll_ask) {
		p->ask_at = now.mono + (watched ? COORD_WATCH_KEEP_ALIVE : COORD_ASK);
		c->cfg.on_poll_ask(p->owner, watched ? COORD_WATCH_SILENCE : COORD_ASK_SILENCE);
	}
	return heap_set(&p->tailnet->keep_alives, &p->keep_alive,
		mono_add(now.mono, p->node->watched ? COORD_WATCH_KEEP_ALIVE : COORD_KEEP_ALIVE));
}

/* Others depend on this device: something goes to it at once, and often from now on. */
void poll_watch(struct coord_poll *p)
{
	struct tailnet *c = p->tailnet;

	if (c->cfg.on_poll_watch)
		c->cfg.on_poll_watch(p->owner, true);
	p->ask_at = 0;
	if (p->told && heap_set(&c->keep_alives, &p->keep_alive, 0) < 0)
		poll_end(p);
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
	else if (p->cursor < p->tailnet->seq || p->n_retell || has_own_news(p))
		rc = make_delta(p, now);
	if (rc == 0 && p->n && p->raw)
		rc = message_unpack(p);
	if (rc == 0 && p->n && !p->last)
		rc = rearm_keep_alive(p, now);
	if (rc < 0)
		poll_end(p);
	else if (p->n)
		message_ready(p);
}

void health_changes(struct tailnet *c, struct coord_node *n, struct now now)
{
	struct coord_poll *p = poll_of(n);

	if (!p)
		return;
	p->health_stale = true;
	if (c->flush_at == MONO_NEVER)
		c->flush_at = now.mono + COORD_COALESCE;
}

void polls_flush(struct tailnet *c, struct now now)
{
	follow_drain(c, now);
	spread_changes(c);
	c->flush_at = MONO_NEVER;
	list_for_each_safe(l, &c->polls)
		poll_advance(container_of(l, struct coord_poll, all), now);
}

void coord_poll_fill(struct coord_poll *p, struct buf *out)
{
	size_t had = buf_len(out);

	if (p->alive && buf_append(out, p->alive->b, p->alive->len) == 0)
		p->alive = piece_put(p->alive);
	if (p->alive || is_held(p))
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
				 has_own_news(p)) &&
			 p->tailnet->flush_at == MONO_NEVER)
			p->tailnet->flush_at =
				0; /* it fell behind while writing: at the next tick */
	}
}

void poll_begin_anew(struct coord_poll *p)
{
	p->started = false;
	list_remove(&p->unstarted);
	if (!p->waits)
		list_push_tail(&p->tailnet->unstarted, &p->unstarted);
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
	heap_remove(&c->keep_alives, &p->keep_alive);
	c->stats.polls--;
	clone_forget(p);
	once_end(p);
	free(p);
}

void coord_poll_close(struct coord_poll *p, struct now now)
{
	struct tailnet *c = p->tailnet;
	struct coord_node *n = p->node;

	poll_free(p);
	if (n && list_empty(&n->polls))
		presence_pause(c, n, now);
	else if (n)
		clone_next(n);
}

int poll_refuse(struct tailnet *c, void *owner, int status, const char *text)
{
	c->stats.bad_requests++;
	tell_refusal(c, "a map request is refused", "", text);
	c->cfg.on_answer(owner, status, "text/plain; charset=utf-8", view_of(text, strlen(text)));
	return 1;
}

struct coord_poll *poll_new(
	struct tailnet *c, const struct tc_map_request *r, struct coord_node *n, void *owner)
{
	struct coord_poll *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->tailnet = c;
	p->owner = owner;
	p->node = n;
	p->process = clone_process(r);
	p->plain = true;
	p->raw = !r->compress || strcmp(r->compress, "zstd") != 0;
	list_init(&p->in_node);
	list_init(&p->held);
	list_init(&p->unstarted);
	list_push_tail(&c->polls, &p->all);
	c->stats.polls++;
	return p;
}

/* The new stream supersedes the old one; those that wait behind it wait on. */
static void poll_begin(struct coord_poll *p, struct now now)
{
	struct coord_node *n = p->node;

	p->ask_at = now.mono + COORD_ASK;
	poll_begin_anew(p);
	list_remove(&p->in_node);
	list_push_head(&n->polls, &p->in_node);
	list_for_each_safe(l, &n->polls) {
		struct coord_poll *q = container_of(l, struct coord_poll, in_node);

		if (q != p && (!q->waits || q->process == p->process))
			poll_end(q);
	}
	n->process = p->process;
	presence_begin(p->tailnet, n, now);
	if (n->watched)
		poll_watch(p);
}

void poll_take_over(struct coord_poll *p, struct now now)
{
	struct tc_map_request r;
	struct arena mem;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	rc = json_decode(&tc_map_request_type, p->request, p->request_len, &r, &mem, NULL);
	if (rc == 0 && !r.read_only)
		rc = say(p->tailnet, p->node, &r, &mem, now);
	arena_fini(&mem);
	clone_forget(p);
	if (rc < 0)
		poll_end(p);
	else
		poll_begin(p, now);
}

/* 1: refused. */
static int stream_begin(struct tailnet *c, struct coord_node *n, const struct tc_map_request *r,
	struct view body, mono_ns wait, void *owner, struct now now, struct coord_poll **ret)
{
	struct coord_poll *p = poll_new(c, r, n, owner);
	int rc = 0;

	if (!p)
		return -ENOMEM;
	if (wait)
		rc = clone_wait(p, body, now.mono + wait);
	else
		poll_begin(p, now);
	if (rc < 0) {
		p->node = NULL;
		coord_poll_close(p, now);
		return rc == -ERR_TOO_MANY
			       ? poll_refuse(c, owner, 429,
					 "too many devices run with this device's identity\n")
			       : rc;
	}
	*ret = p;
	return 0;
}

int coord_map(struct tailnet *c, const struct machine_pub *machine, struct view body, void *owner,
	struct now now, struct coord_poll **ret)
{
	struct tc_map_request r;
	char why[sizeof(((struct err_at *)0)->text) + 32];
	struct err_at at;
	struct arena mem;
	struct coord_node *n;
	mono_ns wait;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	if (json_decode(&tc_map_request_type, body.p, body.len, &r, &mem, &at) < 0) {
		arena_fini(&mem);
		snprintf(why, sizeof(why), "malformed map request: %s\n", at.text);
		return poll_refuse(c, owner, 400, why);
	}
	n = coord_node_that_asks(c, &r.node_key, now);
	if (!n || memcmp(n->doc.machine.b, machine->b, KEY_LEN) != 0) {
		arena_fini(&mem);
		return poll_refuse(c, owner, 404, "node not found\n");
	}
	c->stats.expired_asks += n->expired;
	if (r.version < COORD_CAP_MIN) {
		arena_fini(&mem);
		return poll_refuse(c, owner, 400,
			"this client is too old for this server; please update it\n");
	}
	/* Never a lite update: it would keep the device's endpoints from its peers. */
	if ((r.stream || !r.omit_peers) && shed(c, &c->shed_map, owner, now)) {
		arena_fini(&mem);
		return 1;
	}
	wait = r.stream ? clone_arrives(c, n, clone_process(&r), now) : 0;
	rc = r.read_only || !clone_may_speak(c, n, clone_process(&r), now)
		     ? 0
		     : say(c, n, &r, &mem, now);
	if (rc == -EAGAIN) {
		rc = poll_refuse(c, owner, 503, coord_store_refusal(c->cfg.store));
	} else if (rc == 0 && !r.stream && r.omit_peers) {
		c->stats.lite_updates++;
		c->cfg.on_answer(owner, 200, "application/json", view_of("", 0));
		rc = 1;
	} else if (rc == 0) {
		rc = r.stream ? stream_begin(c, n, &r, body, wait, owner, now, ret)
			      : once_begin(c, &r, n, owner, ret);
	}
	arena_fini(&mem);
	return rc < 0 ? poll_refuse(c, owner, 500, "out of memory\n") : rc;
}

void coord_tick(struct tailnet *c, struct now now)
{
	struct heap_node *h;

	pendings_tick(c, now);
	presence_tick(c, now);
	clones_tick(c, now);
	say_tick(c, now);
	while ((h = heap_pop_due(&c->keep_alives, now.mono))) {
		struct coord_poll *p = container_of(h, struct coord_poll, keep_alive);
		int rc = is_held(p) ? make_keep_alive_ahead(p, now)
			 : p->n     ? 0
				    : make_keep_alive(p, now);

		if (rc < 0 || rearm_keep_alive(p, now) < 0)
			poll_end(p);
		else
			c->cfg.on_poll_ready(p->owner);
	}
	if (c->flush_at <= now.mono)
		polls_flush(c, now);
}

mono_ns coord_deadline(const struct tailnet *c)
{
	mono_ns t = mono_min(
		c->flush_at, mono_min(presence_deadline(c), heap_deadline(&c->keep_alives)));

	t = mono_min(t, mono_min(clones_deadline(c), heap_deadline(&c->waiting)));
	return mono_min(t, pendings_deadline(c));
}

/* In the order of their questions: what a later one waits for contains what an earlier one does. */
static void give_answers(struct tailnet *c, int rc)
{
	while (!list_empty(&c->answers)) {
		struct answer *a = container_of(c->answers.next, struct answer, link);
		const char *type =
			a->status == 200 ? "application/json" : "text/plain; charset=utf-8";

		if (rc == 0 && a->hold > c->cfg.store->durable)
			break;
		list_remove(&a->link);
		if (rc < 0)
			c->cfg.on_answer(a->owner, 503, "text/plain; charset=utf-8",
				VIEW_LIT("the hub cannot write its database\n"));
		else
			c->cfg.on_answer(a->owner, a->status, type, buf_view(&a->body));
		buf_fini(&a->body);
		free(a);
	}
}

static void release_held(struct tailnet *c)
{
	while (!list_empty(&c->held)) {
		struct coord_poll *p = container_of(c->held.next, struct coord_poll, held);

		if (is_held(p))
			break;
		list_remove(&p->held);
		c->cfg.on_poll_ready(p->owner);
	}
}

int coord_turn_end(struct tailnet *c, struct now now)
{
	struct coord_store *s = c->cfg.store;
	int rc;

	pendings_sweep(c);
	if (!c->store_failed)
		s->ops->commit(s);
	rc = c->store_failed ? -ERR_STORE : s->failed;
	give_answers(c, rc);
	if (rc < 0)
		return rc;
	release_held(c);
	follow_drain(c, now);
	list_for_each_safe(l, &c->unstarted) {
		struct coord_poll *p = container_of(l, struct coord_poll, unstarted);

		poll_advance(p, now);
		if (p->started || p->ended || p->last)
			list_remove(&p->unstarted);
	}
	return 0;
}
