/*
 * Long polls. A message is a list of shared pieces under one length; a poll writes out the message in progress, and when
 * that is done and the world has moved on, makes the next one from where its cursor stands.
 */
#include "core/ctlserver/world.h"

#include <errno.h>

enum { FILL_MAX = 24 * 1024, REQUEST_MEM_MAX = 4 << 20 };

static void message_clear(struct ctl_poll *p)
{
	for (size_t i = 0; i < p->n; i++)
		piece_put(p->v[i]);
	free(p->v);
	p->v = NULL;
	p->n = p->cap = p->at = p->off = 0;
}

/* Takes over one reference. A missing piece (no memory) ends the poll: the client comes again. */
static int message_add(struct ctl_poll *p, struct piece *q)
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

static int add_shared(struct ctl_poll *p, struct piece *q)
{
	return q ? message_add(p, piece_get(q)) : -ENOMEM;
}

static int add_text(struct ctl_poll *p, const char *text)
{
	return message_add(p, piece_of(text, strlen(text)));
}

/* The length of all pieces, as a piece in front that is not compressed. */
static int add_length(struct ctl_poll *p)
{
	struct piece *head = malloc(sizeof(*head) + 4);
	size_t total = 0;
	int rc;

	if (!head)
		return -ENOMEM;
	for (size_t i = 0; i < p->n; i++)
		total += p->v[i]->len;
	head->refs = 1;
	head->len = 4;
	store_le32(head->b, (uint32_t)total);
	rc = message_add(p, head);
	if (rc == 0) {
		memmove(p->v + 1, p->v, (p->n - 1) * sizeof(*p->v));
		p->v[0] = head;
		p->ctl->stats.messages++;
	}
	return rc;
}

static int make_first(struct ctl_poll *p, struct now now)
{
	struct ctl *c = p->ctl;
	bool first = true;
	int rc = message_add(p, first_head(c, p->node, now));

	list_for_each(l, &c->nodes) {
		struct node *n = container_of(l, struct node, link);

		if (n == p->node || rc < 0 || node_is_expired(n, now.wall))
			continue;
		if (!first)
			rc = add_shared(p, c->comma);
		first = false;
		if (rc == 0)
			rc = add_shared(p, node_whole(c, n));
	}
	if (rc == 0)
		rc = add_text(p, "]}");
	p->cursor = c->seq;
	p->started = true;
	c->stats.maps++;
	return rc < 0 ? rc : add_length(p);
}

static int add_removed(struct ctl_poll *p, struct buf *tail)
{
	struct ctl *c = p->ctl;
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < c->n_removed && rc == 0; i++) {
		if (c->removed[i].seq <= p->cursor)
			continue;
		rc = buf_printf(tail, "%s%lld", any ? "," : ",\"PeersRemoved\":[", (long long)c->removed[i].id);
		any = true;
	}
	return rc == 0 && any ? buf_append_str(tail, "]") : rc;
}

/* Walks back from the latest change to the cursor. whole: which of the two lists is being made. */
static int add_changed(struct ctl_poll *p, bool whole, size_t *ret_n, struct now now)
{
	struct ctl *c = p->ctl;
	int rc = 0;

	for (struct list *l = c->nodes.prev; l != &c->nodes && rc == 0; l = l->prev) {
		struct node *n = container_of(l, struct node, link);

		if (n->changed <= p->cursor)
			break;
		if (n == p->node || (n->changed_whole > p->cursor) != whole)
			continue;
		if (*ret_n)
			rc = add_shared(p, c->comma);
		if (rc == 0)
			rc = add_shared(p, whole ? node_whole(c, n) : node_patch(c, n));
		++*ret_n;
	}
	return rc;
}

static int add_self(struct ctl_poll *p, struct buf *tail)
{
	struct tc_node node;
	struct arena a;
	int rc;

	if (p->node->changed_whole <= p->cursor)
		return 0;
	arena_init(&a, REQUEST_MEM_MAX);
	rc = node_to_tc(p->ctl, p->node, true, &a, &node);
	if (rc == 0)
		rc = buf_append_str(tail, ",\"Node\":");
	if (rc == 0)
		rc = json_encode(&tc_node_type, &node, tail);
	arena_fini(&a);
	return rc;
}

/* A user that a changed device belongs to may be new to this reader: all profiles go along, there are few. */
static int add_profiles(struct ctl_poll *p, struct buf *tail)
{
	struct ctl *c = p->ctl;
	struct tc_user tagged = profile_of(c, 0);
	int rc = buf_append_str(tail, ",\"UserProfiles\":[");

	if (rc == 0)
		rc = json_encode(&tc_user_profile_type, &tagged, tail);
	list_for_each(l, &c->users) {
		struct tc_user u = profile_of(c, container_of(l, struct user, link)->doc.id);

		if (rc == 0)
			rc = buf_append_str(tail, ",");
		if (rc == 0)
			rc = json_encode(&tc_user_profile_type, &u, tail);
	}
	return rc < 0 ? rc : buf_append_str(tail, "]");
}

static int make_delta(struct ctl_poll *p, struct now now)
{
	char time[TIME_RFC3339_MAX], text[128];
	size_t n_whole = 0, n_patch = 0;
	struct buf tail;
	int rc;

	buf_init(&tail, 1 << 22);
	time_format_rfc3339(now.wall, time);
	snprintf(text, sizeof(text), "{\"ControlTime\":\"%s\",\"PeersChanged\":[", time);
	rc = add_text(p, text);
	if (rc == 0)
		rc = add_changed(p, true, &n_whole, now);
	if (rc == 0)
		rc = add_text(p, "],\"PeersChangedPatch\":[");
	if (rc == 0)
		rc = add_changed(p, false, &n_patch, now);
	if (rc == 0)
		rc = buf_append_str(&tail, "]");
	if (rc == 0)
		rc = add_removed(p, &tail);
	if (rc == 0)
		rc = add_self(p, &tail);
	if (rc == 0 && n_whole)
		rc = add_profiles(p, &tail);
	if (rc == 0)
		rc = buf_append_str(&tail, "}");
	if (rc == 0 && !n_whole && !n_patch && buf_len(&tail) == 2)
		message_clear(p); /* nothing that concerns this reader */
	else if (rc == 0)
		rc = message_add(p, piece_of(buf_data(&tail), buf_len(&tail)));
	if (rc == 0 && p->n)
		rc = add_length(p);
	p->cursor = p->ctl->seq;
	buf_fini(&tail);
	return rc;
}

static int make_keep_alive(struct ctl_poll *p, struct now now)
{
	char time[TIME_RFC3339_MAX], text[96];
	int rc;

	time_format_rfc3339(now.wall, time);
	snprintf(text, sizeof(text), "{\"KeepAlive\":true,\"ControlTime\":\"%s\"}", time);
	rc = add_text(p, text);
	return rc < 0 ? rc : add_length(p);
}

void poll_end(struct ctl_poll *p)
{
	if (p->ended)
		return;
	p->ended = true;
	message_clear(p);
	list_remove(&p->in_node);
	heap_remove(&p->ctl->keep_alives, &p->keep_alive);
	p->node = NULL;
	p->ctl->cfg.on_poll_end(p->owner);
}

/* Whatever is next for this reader, if it has nothing in progress. */
static void poll_advance(struct ctl_poll *p, struct now now)
{
	int rc = 0;

	if (p->ended || p->n)
		return;
	if (!p->started || p->cursor < p->ctl->removed_floor)
		rc = make_first(p, now);
	else if (p->cursor < p->ctl->seq)
		rc = make_delta(p, now);
	if (rc == 0 && p->n)
		rc = heap_set(&p->ctl->keep_alives, &p->keep_alive, now.mono + CTL_KEEP_ALIVE);
	if (rc < 0)
		poll_end(p);
	else if (p->n)
		p->ctl->cfg.on_poll_ready(p->owner);
}

void polls_flush(struct ctl *c, struct now now)
{
	c->flush_at = MONO_NEVER;
	list_for_each_safe(l, &c->polls)
		poll_advance(container_of(l, struct ctl_poll, all), now);
}

void ctl_poll_fill(struct ctl_poll *p, struct buf *out)
{
	size_t had = buf_len(out);

	while (p->at < p->n && buf_len(out) - had < FILL_MAX) {
		struct piece *q = p->v[p->at];
		size_t n = MIN_OF(q->len - p->off, (size_t)FILL_MAX);

		if (buf_append(out, q->b + p->off, n) < 0)
			return;
		p->ctl->stats.bytes_out += n;
		p->off += n;
		if (p->off == q->len) {
			p->at++;
			p->off = 0;
		}
	}
	if (p->n && p->at == p->n) {
		message_clear(p);
		if (!p->ended && p->cursor < p->ctl->seq && p->ctl->flush_at == MONO_NEVER)
			p->ctl->flush_at = 0; /* it fell behind while writing: at the next tick */
	}
}

/* Went offline, or came: tell everybody. */
static void presence_changed(struct ctl *c, struct node *n, struct now now)
{
	bool online = !list_empty(&n->polls);

	n->doc.online = online ? JSON_YES : JSON_NO;
	c->stats.online += online ? 1 : (size_t)-1;
	if (!online)
		n->doc.last_seen = now.wall;
	node_touch(c, n, false, now);
	if (!n->doc.ephemeral)
		return;
	/* Without memory for the timer it stays until the next start. */
	if (heap_set(&c->ephemerals, &n->ephemeral, online ? MONO_NEVER : now.mono + CTL_EPHEMERAL_GRACE) < 0)
		heap_remove(&c->ephemerals, &n->ephemeral);
}

void ctl_poll_close(struct ctl_poll *p, struct now now)
{
	struct ctl *c = p->ctl;
	struct node *n = p->node;

	message_clear(p);
	list_remove(&p->all);
	list_remove(&p->in_node);
	heap_remove(&c->keep_alives, &p->keep_alive);
	c->stats.polls--;
	free(p);
	if (n && list_empty(&n->polls) && now.mono)
		presence_changed(c, n, now);
}

static bool endpoint_is_sane(struct ipport e)
{
	return e.ip.family && e.port && !(e.ip.family == 6 && ipaddr_is_link_local(e.ip)) && !ipaddr_is_multicast(e.ip) &&
		!ipaddr_is_unspecified(e.ip);
}

/* What a request tells of its device. On a long poll only what is set counts. */
static int apply(struct ctl *c, struct node *n, struct tc_map_request *r, struct now now)
{
	struct ctl_node_doc doc = n->doc;
	struct json_list kept = { .v = r->endpoints.v, .present = true };
	bool whole = false;
	int64_t derp;

	for (size_t i = 0; i < r->endpoints.n; i++)
		if (endpoint_is_sane(*JSON_AT(r->endpoints, struct ipport, i)))
			*JSON_AT(kept, struct ipport, kept.n++) = *JSON_AT(r->endpoints, struct ipport, i);
	if (!r->stream || kept.n)
		doc.endpoints = kept;
	if (!key_is_zero(r->disco_key.b)) {
		whole = whole || memcmp(doc.disco.b, r->disco_key.b, KEY_LEN) != 0;
		doc.disco = r->disco_key;
	}
	doc.cap = r->version;
	if (r->hostinfo) {
		struct tc_netinfo *keep = doc.hostinfo ? doc.hostinfo->netinfo : NULL;

		if (!r->hostinfo->netinfo) /* missing is not "gone" */
			r->hostinfo->netinfo = keep;
		derp = r->hostinfo->netinfo ? r->hostinfo->netinfo->preferred_derp : 0;
		if (derp)
			doc.home_derp = derp;
		if (r->hostinfo->hostname)
			doc.hostname = r->hostinfo->hostname;
		whole = whole || !doc.hostinfo || !json_same(&tc_hostinfo_type, doc.hostinfo, r->hostinfo);
		doc.hostinfo = r->hostinfo;
	}
	if (json_same(&ctl_node_doc_type, &doc, &n->doc))
		return 0;
	return node_update(c, n, &doc, whole, whole, now);
}

static int refuse(struct ctl *c, void *owner, int status, const char *text)
{
	c->stats.bad_requests++;
	c->cfg.on_answer(owner, status, "text/plain; charset=utf-8", view_of(text, strlen(text)));
	return 1;
}

static int poll_begin(struct ctl *c, struct node *n, void *owner, struct now now, struct ctl_poll **ret)
{
	struct ctl_poll *p = calloc(1, sizeof(*p));
	bool was_offline = list_empty(&n->polls);

	if (!p)
		return -ENOMEM;
	p->ctl = c;
	p->node = n;
	p->owner = owner;
	list_init(&p->in_node);
	list_for_each_safe(l, &n->polls) /* the new stream supersedes the old one */
		poll_end(container_of(l, struct ctl_poll, in_node));
	list_push_tail(&n->polls, &p->in_node);
	list_push_tail(&c->polls, &p->all);
	c->stats.polls++;
	if (was_offline)
		presence_changed(c, n, now);
	*ret = p;
	return 0;
}

int ctl_map(struct ctl *c, const struct machine_pub *machine, struct view body, void *owner, struct now now,
	struct ctl_poll **ret)
{
	struct tc_map_request r;
	struct arena mem;
	struct node *n;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	if (json_decode(&tc_map_request_type, body.p, body.len, &r, &mem, NULL) < 0) {
		arena_fini(&mem);
		return refuse(c, owner, 400, "malformed map request\n");
	}
	n = node_by_key(c, &r.node_key);
	if (!n || memcmp(n->doc.machine.b, machine->b, KEY_LEN) != 0) {
		arena_fini(&mem);
		return refuse(c, owner, 404, "node not found\n");
	}
	if (r.version < CTL_CAP_MIN) {
		arena_fini(&mem);
		return refuse(c, owner, 400, "this client is too old for this server; please update it\n");
	}
	rc = r.read_only ? 0 : apply(c, n, &r, now);
	arena_fini(&mem);
	if (rc < 0)
		return refuse(c, owner, 500, "out of memory\n");
	if (!r.stream) {
		c->stats.lite_updates++;
		c->cfg.on_answer(owner, 200, "application/json", view_of("", 0));
		return 1;
	}
	rc = poll_begin(c, n, owner, now, ret);
	return rc < 0 ? refuse(c, owner, 500, "out of memory\n") : 0;
}

static void expire_pendings(struct ctl *c, struct now now)
{
	while (!list_empty(&c->pendings)) {
		struct pending *p = container_of(c->pendings.next, struct pending, link);

		if (p->expires > now.mono)
			break;
		pending_free(c, p);
	}
}

void ctl_tick(struct ctl *c, struct now now)
{
	struct heap_node *h;

	expire_pendings(c, now);
	while ((h = heap_pop_due(&c->ephemerals, now.mono)))
		node_remove(c, container_of(h, struct node, ephemeral), now);
	while ((h = heap_pop_due(&c->keep_alives, now.mono))) {
		struct ctl_poll *p = container_of(h, struct ctl_poll, keep_alive);

		if (!p->n && (make_keep_alive(p, now) < 0 ||
				     heap_set(&c->keep_alives, &p->keep_alive, now.mono + CTL_KEEP_ALIVE) < 0))
			poll_end(p);
		else
			c->cfg.on_poll_ready(p->owner);
	}
	if (c->flush_at <= now.mono)
		polls_flush(c, now);
}

mono_ns ctl_deadline(const struct ctl *c)
{
	mono_ns t = mono_min(c->flush_at, mono_min(heap_deadline(&c->ephemerals), heap_deadline(&c->keep_alives)));

	if (!list_empty(&c->pendings))
		t = mono_min(t, container_of(c->pendings.next, struct pending, link)->expires);
	return t;
}

int ctl_turn_end(struct ctl *c, struct now now)
{
	struct list *l;
	int rc = 0;

	if (c->store_dirty) {
		rc = c->cfg.store->ops->commit(c->cfg.store);
		c->store_dirty = false;
		c->stats.commits++;
	}
	while ((l = list_pop_head(&c->answers))) {
		struct answer *a = container_of(l, struct answer, link);
		const char *type = a->status == 200 ? "application/json" : "text/plain; charset=utf-8";

		if (rc < 0)
			c->cfg.on_answer(a->owner, 500, "text/plain; charset=utf-8", VIEW_LIT("the hub cannot write its database\n"));
		else
			c->cfg.on_answer(a->owner, a->status, type, buf_view(&a->body));
		buf_fini(&a->body);
		free(a);
	}
	/* New readers get their first map only after what it tells is durable. */
	list_for_each_safe(p, &c->polls) {
		struct ctl_poll *poll = container_of(p, struct ctl_poll, all);

		if (!poll->started)
			poll_advance(poll, now);
	}
	return rc;
}
