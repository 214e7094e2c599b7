/*
 * The bus: one answer that does not end, a message a line. What waits for a watcher is bounded in messages; one that does
 * not keep up is told so and cut off, as a gap would go unnoticed.
 */
#include "base/text/text.h"
#include "crypto/blake2s/blake2s.h"
#include "localapi/server/shares.h"

enum {
	RATE_PERIOD_S = 3, /* between two engine statuses to a watcher with the rate-limit bit */
	INITIAL = IPN_WATCH_INITIAL_STATE | IPN_WATCH_INITIAL_PREFS | IPN_WATCH_INITIAL_NETMAP |
		  IPN_WATCH_INITIAL_DRIVE_SHARES | IPN_WATCH_INITIAL_SUGGESTED_EXIT_NODE |
		  IPN_WATCH_INITIAL_CLIENT_VERSION | IPN_WATCH_INITIAL_STATUS | IPN_WATCH_POLICY |
		  IPN_WATCH_WG_STATE,
	PEER_BITS = IPN_WATCH_PEER_CHANGES | IPN_WATCH_PEER_PATCHES,
};

struct watcher {
	struct lconn *conn;
	uint64_t mask;
	mono_ns last_engine;
	size_t left[LAPI_QUEUE_MAX + 2]; /* bytes of each message that waits, a ring */
	size_t first, n;
};

/* ---- One watcher's queue ---- */

static void queue_message(struct watcher *w, size_t len)
{
	w->left[(w->first + w->n++) % ARRAY_LEN(w->left)] = len;
}

void watch_written(struct watcher *w, size_t n)
{
	while (n && w->n) {
		size_t *left = &w->left[w->first], k = MIN_OF(n, *left);

		*left -= k;
		n -= k;
		if (*left)
			return;
		w->first = (w->first + 1) % ARRAY_LEN(w->left);
		w->n--;
	}
}

/* One chunk. */
static int append_chunk(struct lconn *c, struct view line, size_t *ret_len)
{
	size_t before = buf_len(&c->out);
	int rc = buf_printf(&c->out, "%zx\r\n", line.len + 1);

	if (rc == 0)
		rc = buf_append(&c->out, line.p, line.len);
	if (rc == 0)
		rc = buf_append_str(&c->out, "\n\r\n");
	if (rc < 0)
		buf_truncate(&c->out, before);
	else
		*ret_len = buf_len(&c->out) - before;
	return rc;
}

static int encode(const struct lapi *a, const struct ipn_notify *n, struct buf *out)
{
	struct ipn_notify with_version = *n;

	with_version.version = a->cfg.version;
	return json_encode(&ipn_notify_type, &with_version, out);
}

/* Keeps what was half written, drops the rest, says why, ends. */
static void fell_behind(struct watcher *w)
{
	static const struct ipn_notify sorry = {
		.err_message = "IPN bus consumer fell behind; closing watch"
	};
	struct lconn *c = w->conn;
	struct buf line;
	size_t len;

	c->lapi->n.watchers_behind++;
	buf_truncate(&c->out, w->n ? w->left[w->first] : 0);
	buf_init(&line, 4096);
	if (encode(c->lapi, &sorry, &line) == 0 && append_chunk(c, buf_view(&line), &len) == 0 &&
		buf_append_str(&c->out, "0\r\n\r\n") == 0)
		lconn_finish(c);
	else
		lconn_abort(c);
	buf_fini(&line);
}

static void send(struct watcher *w, const struct ipn_notify *n)
{
	struct lconn *c = w->conn;
	struct buf line;
	size_t len;
	int rc;

	if (c->state != CONN_WATCHING)
		return;
	if (w->n >= LAPI_QUEUE_MAX) {
		fell_behind(w);
		return;
	}
	buf_init(&line, LAPI_ANSWER_MAX);
	rc = encode(c->lapi, n, &line);
	if (rc == 0 && w->n > 1 && !share_may_hold(c, buf_len(&line)))
		rc = -ERR_NO_ROOM; /* it does not read what is there */
	if (rc == 0)
		rc = append_chunk(c, buf_view(&line), &len);
	if (rc == 0) {
		queue_message(w, len);
		stream_wake(c->stream);
	} else {
		fell_behind(w);
	}
	buf_fini(&line);
}

/* ---- What a mask lets through ---- */

static int without_actions(struct arena *a, const struct ipn_health *in, struct ipn_health *ret)
{
	*ret = (struct ipn_health){ .warnings.present = in->warnings.present };
	for (size_t i = 0; i < in->warnings.n; i++) {
		const struct ipn_health_warning *from = in->warnings.v[i].value;
		struct ipn_health_warning *w = arena_new(a, struct ipn_health_warning);

		if (!w)
			return -ERR_TOO_BIG;
		*w = *from;
		if (from->primary_action)
			w->text = arena_printf(a, "%s %s: %s", from->text,
				from->primary_action->label, from->primary_action->url);
		w->primary_action = NULL;
		if (json_map_add(&ret->warnings, a, in->warnings.v[i].key, w) < 0)
			return -ERR_TOO_BIG;
	}
	return 0;
}

static bool says_nothing(const struct ipn_notify *n)
{
	static const struct ipn_notify nothing;
	struct ipn_notify x = *n;

	x.version = NULL;
	return json_same(&ipn_notify_type, &x, &nothing);
}

/* Engine statuses are many; a watcher may ask for fewer. */
static bool engine_is_due(struct watcher *w)
{
	mono_ns now = loop_now(w->conn->lapi->loop).mono;

	if (!(w->mask & IPN_WATCH_RATE_LIMIT))
		return true;
	if (w->last_engine && now - w->last_engine < SEC(RATE_PERIOD_S))
		return false;
	w->last_engine = now;
	return true;
}

static void send_masked(struct watcher *w, const struct ipn_notify *n, struct arena *a)
{
	struct ipn_notify out = *n;
	struct ipn_health health;

	if (!(w->mask & PEER_BITS)) {
		out.peer_changed_patch = out.peers_changed = out.peers_removed =
			(struct json_list){ 0 };
		out.user_profiles = (struct json_map){ 0 };
	}
	if (!(w->mask & IPN_WATCH_PEER_PATCHES))
		out.peer_changed_patch = (struct json_list){ 0 };
	if (!(w->mask & IPN_WATCH_WG_STATE))
		out.peer_state = (struct json_map){ 0 };
	if (out.engine && !engine_is_due(w))
		out.engine = NULL;
	if (out.health && !(w->mask & IPN_WATCH_HEALTH_ACTIONS)) {
		if (without_actions(a, out.health, &health) < 0)
			return;
		out.health = &health;
	}
	if (!says_nothing(&out))
		send(w, &out);
}

/* ---- Telling ---- */

/* The tags by which clients see whether a warning is another one: hashes of its content. */
static int tag_health(struct arena *a, struct ipn_health *h)
{
	static const struct ipn_health_warning none;
	struct ipn_health one = { 0 };
	struct buf text;
	int rc = 0;

	buf_init(&text, 65536);
	for (size_t i = 0; i < h->warnings.n && rc == 0; i++) {
		struct ipn_health_warning *w = arena_new(a, struct ipn_health_warning);
		uint8_t hash[BLAKE2S_LEN];
		char *hex = arena_alloc(a, 2 * sizeof(hash) + 1);

		if (!w || !hex) {
			rc = -ERR_TOO_BIG;
			break;
		}
		*w = h->warnings.v[i].value ? *(struct ipn_health_warning *)h->warnings.v[i].value
					    : none;
		w->etag = NULL;
		one.warnings =
			(struct json_map){ .v = &(struct json_pair){ h->warnings.v[i].key, w },
				.n = 1 };
		buf_clear(&text);
		rc = json_encode(&ipn_health_type, &one, &text);
		blake2s_hash(hash, &(struct view){ buf_data(&text), buf_len(&text) }, 1);
		hex_encode(hash, sizeof(hash), hex);
		w->etag = hex;
		h->warnings.v[i].value = w;
	}
	buf_fini(&text);
	json_map_sort(&h->warnings);
	return rc;
}

void lapi_notify(struct lapi *l, const struct ipn_notify *in)
{
	struct ipn_notify n = *in;
	struct ipn_persist persist;
	struct ipn_health health;
	struct ipn_prefs prefs;
	struct arena a;

	if (n.state && (*n.state == IPN_NEEDS_LOGIN || *n.state == IPN_NO_STATE))
		lapi_logouts_done(l);
	if (!l->n.n_watchers)
		return;
	arena_init(&a, LAPI_ANSWER_MAX);
	if (n.prefs) {
		prefs = lapi_public_prefs(n.prefs, &persist);
		n.prefs = &prefs;
	}
	if (n.health) {
		struct json_pair *v = arena_array(&a, n.health->warnings.n, sizeof(*v));

		health = *n.health;
		if (v && health.warnings.n)
			memcpy(v, health.warnings.v, health.warnings.n * sizeof(*v));
		health.warnings.v = v;
		n.health = v && tag_health(&a, &health) == 0 ? &health : NULL;
	}
	list_for_each_safe(i, &l->conns) {
		struct lconn *c = container_of(i, struct lconn, link);
		if (c->state == CONN_WATCHING)
			send_masked(c->watcher, &n, &a);
	}
	arena_fini(&a);
}

void watch_on_engine_tick(void *ctx)
{
	struct lapi *l = ctx;
	struct ipn_engine_status e = { 0 };
	bool wanted = false;
	struct arena a;

	list_for_each(i, &l->conns) {
		const struct lconn *c = container_of(i, struct lconn, link);
		wanted = wanted ||
			 (c->state == CONN_WATCHING && (c->watcher->mask & IPN_WATCH_ENGINE));
	}
	if (!wanted)
		return;
	arena_init(&a, LAPI_ANSWER_MAX);
	if (l->cfg.ops->engine(l->cfg.backend, &a, &e) == 0) {
		json_map_sort(&e.live_peers);
		lapi_notify(l, &(struct ipn_notify){ .engine = &e });
	}
	arena_fini(&a);
	loop_timer_set(l->engine_timer, loop_now(l->loop).mono + SEC(LAPI_ENGINE_PERIOD_S));
}

/* ---- Joining ---- */

struct first_message {
	struct ipn_notify n;
	int64_t state;
	struct ipn_prefs prefs;
	struct ipn_persist persist;
	struct ipn_status status;
	struct ipn_netmap netmap;
	struct ipn_health health;
	char session[17];
};

static void fill_state(struct lapi *l, struct arena *a, struct first_message *m)
{
	struct ipn_status s = { 0 };

	m->state = l->cfg.ops->state(l->cfg.backend);
	m->n.state = &m->state;
	if (m->state == IPN_NEEDS_LOGIN && l->cfg.ops->status(l->cfg.backend, false, a, &s) == 0 &&
		s.auth_url && *s.auth_url)
		m->n.browse_to_url = s.auth_url;
}

static int fill_map(struct lapi *l, struct arena *a, uint64_t mask, struct first_message *m)
{
	const struct netmap *nm = l->cfg.ops->netmap(l->cfg.backend);
	int rc = nm && (mask & IPN_WATCH_INITIAL_NETMAP) ? lapi_netmap(l, nm, a, &m->netmap) : 0;

	if (nm && (mask & IPN_WATCH_INITIAL_NETMAP)) {
		m->n.netmap = &m->netmap;
		m->n.self_change = m->netmap.self_node;
	}
	return rc;
}

static int fill_status(struct lapi *l, struct arena *a, struct first_message *m)
{
	int rc = l->cfg.ops->status(l->cfg.backend, true, a, &m->status);

	m->status.version = l->cfg.version;
	json_map_sort(&m->status.peer);
	json_map_sort(&m->status.user);
	m->n.initial_status = &m->status;
	return rc;
}

static int fill_health(struct lapi *l, struct arena *a, uint64_t mask, struct first_message *m)
{
	struct ipn_health all = { 0 };
	int rc = l->cfg.ops->health(l->cfg.backend, a, &all);

	if (rc == 0)
		rc = tag_health(a, &all);
	m->health = all;
	if (rc == 0 && !(mask & IPN_WATCH_HEALTH_ACTIONS))
		rc = without_actions(a, &all, &m->health);
	m->n.health = &m->health;
	return rc;
}

static int first_message(struct lapi *l, struct arena *a, uint64_t mask, struct first_message *m)
{
	uint8_t id[8];
	int rc;

	if (mask & IPN_WATCH_INITIAL_STATE) {
		rng_fill(loop_rng(), id, sizeof(id));
		hex_encode(id, sizeof(id), m->session);
		m->n.session_id = m->session;
		fill_state(l, a, m);
	}
	if (mask & IPN_WATCH_INITIAL_PREFS) {
		m->prefs = lapi_public_prefs(l->cfg.ops->prefs(l->cfg.backend), &m->persist);
		m->n.prefs = &m->prefs;
	}
	rc = fill_map(l, a, mask, m);
	if (rc == 0 && (mask & IPN_WATCH_INITIAL_STATUS))
		rc = fill_status(l, a, m);
	if (rc == 0 && (mask & IPN_WATCH_INITIAL_HEALTH))
		rc = fill_health(l, a, mask, m);
	return rc;
}

/* False: refused, and answered. */
static bool read_mask(struct lreq *r, uint64_t *ret)
{
	const char *text = lreq_param(r, "mask");

	*ret = 0;
	if (*text && text_u64(text, strlen(text), UINT64_MAX, ret) < 0) {
		lreq_text(r, 400, "bad mask");
		return false;
	}
	if (*ret & IPN_WATCH_IN_PROCESS) {
		lreq_text(r, 400, "NotifyInProcessNoDisconnect is not available over the LocalAPI");
		return false;
	}
	if ((*ret & IPN_WATCH_RATE_LIMIT) &&
		(*ret & (IPN_WATCH_PEER_CHANGES | IPN_WATCH_NO_NETMAP | IPN_WATCH_INITIAL_STATUS |
				IPN_WATCH_PEER_PATCHES))) {
		lreq_text(r, 400,
			"NotifyRateLimit does not go together with peer changes or an initial status");
		return false;
	}
	return true;
}

/* The head is sent even when there is nothing to tell: clients wait for it before they go on. */
static int send_head(struct lconn *c)
{
	int rc = buf_printf(&c->out,
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sTransfer-Encoding: chunked\r\n\r\n",
		c->lapi->header_lines);

	stream_wake(c->stream);
	return rc;
}

static void begin(struct lreq *r, uint64_t mask)
{
	struct first_message *m = arena_new(r->arena, struct first_message);
	struct watcher *w = calloc(1, sizeof(*w));
	struct lconn *c = r->conn;

	if (!m || !w || send_head(c) < 0) {
		free(w);
		lconn_abort(c);
		return;
	}
	w->conn = c;
	w->mask = mask;
	queue_message(w, buf_len(&c->out));
	c->watcher = w;
	c->state = CONN_WATCHING;
	c->lapi->n.n_watchers++;
	if (mask & IPN_WATCH_ENGINE)
		loop_timer_set(c->lapi->engine_timer,
			loop_now(c->lapi->loop).mono + SEC(LAPI_ENGINE_PERIOD_S));
	if (!(mask & INITIAL))
		return;
	if (first_message(c->lapi, r->arena, mask, m) == 0)
		send(w, &m->n);
	else
		lconn_abort(c);
}

void watch_bus(struct lreq *r)
{
	uint64_t mask;

	if (!read_mask(r, &mask))
		return;
	if (!share_may_watch(r->conn)) {
		r->lapi->n.watchers_refused++;
		lreq_text(r, 503, "too many watchers of the bus");
		return;
	}
	if (lreq_is(r, "HEAD"))
		lreq_body(r, 200, "application/json", "", view_of("", 0));
	else
		begin(r, mask);
}

struct watcher *watch_free(struct watcher *w)
{
	if (!w)
		return NULL;
	w->conn->lapi->n.n_watchers--;
	free(w);
	return NULL;
}
