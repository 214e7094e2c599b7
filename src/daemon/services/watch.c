/* The bus. Messages are encoded once for each watcher and wait in its queue until its connection takes them. */
#include "daemon/services/watch.h"
#include "base/list/list.h"
#include "base/text/text.h"
#include "crypto/blake2s/blake2s.h"
#include "daemon/services/shown.h"
#include "localapi/server/request.h"

#include <errno.h>
#include <stdlib.h>

enum {
	RATE_PERIOD_S = 3, /* between two engine statuses to a watcher with the rate-limit bit */
	INITIAL = IPN_WATCH_INITIAL_STATE | IPN_WATCH_INITIAL_PREFS | IPN_WATCH_INITIAL_NETMAP |
		  IPN_WATCH_INITIAL_DRIVE_SHARES | IPN_WATCH_INITIAL_SUGGESTED_EXIT_NODE |
		  IPN_WATCH_INITIAL_CLIENT_VERSION | IPN_WATCH_INITIAL_STATUS | IPN_WATCH_POLICY |
		  IPN_WATCH_WG_STATE,
	PEER_BITS = IPN_WATCH_PEER_CHANGES | IPN_WATCH_PEER_PATCHES,
};

struct watch {
	struct loop *loop;
	const struct facts *facts;
	struct list watchers;
	struct watch_counters n;
	mono_ns engine_at; /* the next engine status */
};

struct watcher {
	struct list link;
	struct watch *of;
	struct http_reply *reply;
	uint64_t mask;
	mono_ns last_engine;
	bool ended;                      /* what waits is all that comes */
	struct buf lines;                /* what waits */
	size_t len[WATCH_QUEUE_MAX + 2]; /* bytes of each message in it, a ring */
	size_t first, n;
};

/* ---- One watcher's queue ---- */

static int push(struct watcher *w, struct view line)
{
	size_t before = buf_len(&w->lines);
	int rc = buf_append(&w->lines, line.p, line.len);

	if (rc == 0)
		rc = buf_append(&w->lines, "\n", 1);
	if (rc == 0)
		w->len[(w->first + w->n++) % ARRAY_LEN(w->len)] = line.len + 1;
	else
		buf_truncate(&w->lines, before);
	return rc;
}

/* A message at a time, which becomes one chunk. */
static int fill(void *ctx, struct buf *out, size_t room)
{
	struct watcher *w = ctx;
	size_t len;
	int rc;

	if (!w->n)
		return w->ended ? HTTP_SOURCE_END : 0;
	len = w->len[w->first];
	rc = len <= room ? buf_append(out, buf_data(&w->lines), len) : -ERR_TOO_BIG;
	if (rc < 0)
		return rc;
	buf_consume(&w->lines, len);
	w->first = (w->first + 1) % ARRAY_LEN(w->len);
	w->n--;
	return !w->n && w->ended ? HTTP_SOURCE_END : 0;
}

static void over(void *ctx, int rc)
{
	struct watcher *w = ctx;

	(void)rc;
	list_remove(&w->link);
	buf_fini(&w->lines);
	free(w);
}

static const struct http_source source = { .fill = fill, .over = over };

static int encode(const struct watch *of, const struct ipn_notify *n, struct buf *out)
{
	struct ipn_notify with_version = *n;

	with_version.version = of->facts->version;
	return json_encode(&ipn_notify_type, &with_version, out);
}

/* Drops what waits, says why, ends. */
static void fell_behind(struct watcher *w)
{
	static const struct ipn_notify sorry = {
		.err_message = "IPN bus consumer fell behind; closing watch"
	};
	struct buf line;

	w->of->n.watchers_behind++;
	w->first = w->n = 0;
	buf_clear(&w->lines);
	buf_init(&line, 4096);
	if (encode(w->of, &sorry, &line) == 0)
		(void)push(w, buf_view(&line)); /* without the word it just ends */
	buf_fini(&line);
	w->ended = true;
}

static void send(struct watcher *w, const struct ipn_notify *n)
{
	struct buf line;
	bool fits;
	int rc;

	if (w->ended)
		return;
	buf_init(&line, LAPI_ANSWER_MAX);
	rc = encode(w->of, n, &line);
	fits = lapi_may_wait(w->reply, buf_len(&w->lines), buf_len(&line));
	if (rc == 0 && w->n > 0 && !fits)
		rc = -ERR_NO_ROOM; /* it does not read what is there */
	if (rc == 0 && w->n >= WATCH_QUEUE_MAX)
		rc = -ERR_TOO_MANY;
	if (rc == 0)
		rc = push(w, buf_view(&line));
	buf_fini(&line);
	if (rc < 0)
		fell_behind(w);
	http_reply_wake(w->reply); /* w may be gone */
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
	mono_ns now = loop_now(w->of->loop).mono;

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

void watch_notify(struct watch *w, const struct ipn_notify *in)
{
	struct ipn_notify n = *in;
	struct ipn_persist persist;
	struct ipn_health health;
	struct ipn_prefs prefs;
	struct arena a;

	if (!watch_is_heard(w))
		return;
	arena_init(&a, LAPI_ANSWER_MAX);
	if (n.prefs) {
		prefs = shown_prefs(n.prefs, &persist);
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
	list_for_each_safe(i, &w->watchers)
		send_masked(container_of(i, struct watcher, link), &n, &a);
	arena_fini(&a);
}

static bool engine_is_wanted(const struct watch *w)
{
	list_for_each(i, &w->watchers)
		if (container_of(i, struct watcher, link)->mask & IPN_WATCH_ENGINE)
			return true;
	return false;
}

static mono_ns deadline(const void *self)
{
	const struct watch *w = self;

	return engine_is_wanted(w) ? w->engine_at : MONO_NEVER;
}

static void tick(void *self, struct now now)
{
	struct watch *w = self;
	struct ipn_engine_status e = { 0 };
	struct arena a;

	arena_init(&a, LAPI_ANSWER_MAX);
	if (w->facts->ops->engine(w->facts->owner, &a, &e) == 0) {
		json_map_sort(&e.live_peers);
		watch_notify(w, &(struct ipn_notify){ .engine = &e });
	}
	arena_fini(&a);
	w->engine_at = mono_add(now.mono, SEC(WATCH_ENGINE_PERIOD_S));
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

static void fill_state(const struct facts *f, struct arena *a, struct first_message *m)
{
	struct ipn_status s = { 0 };

	m->state = f->ops->state(f->owner);
	m->n.state = &m->state;
	if (m->state == IPN_NEEDS_LOGIN && f->ops->status(f->owner, false, a, &s) == 0 &&
		s.auth_url && *s.auth_url)
		m->n.browse_to_url = s.auth_url;
}

static int fill_map(const struct facts *f, struct arena *a, uint64_t mask, struct first_message *m)
{
	const struct netmap *nm = f->ops->netmap(f->owner);
	int rc = nm && (mask & IPN_WATCH_INITIAL_NETMAP) ? shown_netmap(f, nm, a, &m->netmap) : 0;

	if (nm && (mask & IPN_WATCH_INITIAL_NETMAP)) {
		m->n.netmap = &m->netmap;
		m->n.self_change = m->netmap.self_node;
	}
	return rc;
}

static int fill_status(const struct facts *f, struct arena *a, struct first_message *m)
{
	int rc = f->ops->status(f->owner, true, a, &m->status);

	m->status.version = f->version;
	json_map_sort(&m->status.peer);
	json_map_sort(&m->status.user);
	m->n.initial_status = &m->status;
	return rc;
}

static int fill_health(
	const struct facts *f, struct arena *a, uint64_t mask, struct first_message *m)
{
	struct ipn_health all = { 0 };
	int rc = f->ops->health(f->owner, a, &all);

	if (rc == 0)
		rc = tag_health(a, &all);
	m->health = all;
	if (rc == 0 && !(mask & IPN_WATCH_HEALTH_ACTIONS))
		rc = without_actions(a, &all, &m->health);
	m->n.health = &m->health;
	return rc;
}

static int first_message(
	const struct facts *f, struct arena *a, uint64_t mask, struct first_message *m)
{
	uint8_t id[8];
	int rc;

	if (mask & IPN_WATCH_INITIAL_STATE) {
		rng_fill(loop_rng(), id, sizeof(id));
		hex_encode(id, sizeof(id), m->session);
		m->n.session_id = m->session;
		fill_state(f, a, m);
	}
	if (mask & IPN_WATCH_INITIAL_PREFS) {
		m->prefs = shown_prefs(f->ops->prefs(f->owner), &m->persist);
		m->n.prefs = &m->prefs;
	}
	rc = fill_map(f, a, mask, m);
	if (rc == 0 && (mask & IPN_WATCH_INITIAL_STATUS))
		rc = fill_status(f, a, m);
	if (rc == 0 && (mask & IPN_WATCH_INITIAL_HEALTH))
		rc = fill_health(f, a, mask, m);
	return rc;
}

/* NULL: *ret is the mask. Else what is wrong with it. */
static const char *read_mask(struct http_request *q, uint64_t *ret)
{
	const char *text = lapi_param(q, "mask");

	*ret = 0;
	if (*text && text_u64(text, strlen(text), UINT64_MAX, ret) < 0)
		return "bad mask";
	if (*ret & IPN_WATCH_IN_PROCESS)
		return "NotifyInProcessNoDisconnect is not available over the LocalAPI";
	if ((*ret & IPN_WATCH_RATE_LIMIT) &&
		(*ret & (IPN_WATCH_PEER_CHANGES | IPN_WATCH_NO_NETMAP | IPN_WATCH_INITIAL_STATUS |
				IPN_WATCH_PEER_PATCHES)))
		return "NotifyRateLimit does not go together with peer changes or an initial status";
	return NULL;
}

/* The head is sent even when there is nothing to tell: clients wait for it before they go on. */
static int begin(struct http_request *q, uint64_t mask, struct watcher **ret)
{
	struct watch *of = q->ctx;
	struct watcher *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return -ENOMEM;
	*w = (struct watcher){ .of = of, .reply = q->reply, .mask = mask };
	buf_init(&w->lines, LAPI_ANSWER_MAX);
	list_push_tail(&of->watchers, &w->link);
	rc = http_reply_stream(
		q->reply, 200, "application/json", "", HTTP_LENGTH_UNKNOWN, &source, w);
	if (rc < 0) {
		over(w, rc);
		return rc;
	}
	if (mask & IPN_WATCH_ENGINE)
		of->engine_at = mono_add(loop_now(of->loop).mono, SEC(WATCH_ENGINE_PERIOD_S));
	*ret = w;
	return 0;
}

static int watch_bus(struct http_request *q)
{
	const struct watch *of = q->ctx;
	struct first_message *m;
	struct watcher *w;
	uint64_t mask;
	const char *wrong = read_mask(q, &mask);
	int rc;

	if (wrong)
		return lapi_send_text(q->reply, 400, "%s", wrong);
	if (!lapi_may_watch(q))
		return lapi_send_text(q->reply, 503, "too many watchers of the bus");
	if (http_request_is(q, "HEAD"))
		return lapi_send_body(q->reply, "application/json", view_of("", 0));
	m = arena_new(&q->mem, struct first_message);
	if (!m)
		return -ENOMEM;
	rc = begin(q, mask, &w);
	if (rc < 0 || !(mask & INITIAL))
		return rc;
	rc = first_message(of->facts, &q->mem, mask, m);
	if (rc == 0)
		send(w, &m->n);
	return rc;
}

static const struct http_route routes[] = {
	{ NULL, "/watch-ipn-bus", 0, .fn = watch_bus },
};
static const struct router table = LAPI_TABLE(routes);
const struct service watch_service = {
	.name = "watch", .routes = &table, .deadline = deadline, .tick = tick
};

/* ---- Life ---- */

int watch_new(struct watch **ret, struct loop *l, const struct facts *f)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	*w = (struct watch){ .loop = l, .facts = f, .engine_at = MONO_NEVER };
	list_init(&w->watchers);
	*ret = w;
	return 0;
}

struct watch *watch_free(struct watch *w)
{
	free(w);
	return NULL;
}

bool watch_is_heard(const struct watch *w)
{
	return !list_empty(&w->watchers);
}

const struct watch_counters *watch_counters(const struct watch *w)
{
	return &w->n;
}
