/*
 *	a key --> QUEUED --a free place, source by source--> ASKED --answer--> KNOWN --kept long enough--> forgotten
 *	             |                        |
 *	             +---- its last client ends: forgotten (an answer that comes yet is kept)
 */
#include "relay/verify.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "base/ratelimit/ratelimit.h"
#include "base/metric/metric.h"
#include "os/log/log.h"
#include "os/stream/tls.h"
#include "proto/derpframe/admit.h"

#include <errno.h>
#include <stdlib.h>

struct question {
	struct node_pub key;
	struct ipaddr source;
};

/* An address, a /64 of IPv6, with keys that wait for their turn: one of each source in turn. */
struct source {
	struct map_node node;
	struct ipaddr from;
	struct list link; /* in verify->turns */
	struct list queued;
};

/* A key that was asked about. */
struct known {
	struct map_node node; /* by q */
	struct question q;
	struct list link;      /* in source->queued, asked, or known (the oldest first) */
	struct source *queued; /* QUEUED: there */
	struct verify *v;
	struct httpask *ask; /* ASKED */
	struct list waiters;
	bool answered, yes;
	mono_ns until;
};

/* A client that waits for the word. */
struct waiter {
	struct map_node node; /* by client */
	void *client;
	struct list link; /* in known->waiters */
	struct known *of;
};

struct verify_counters {
	uint64_t asked, failed,
		throttled; /* questions; those without an answer; keys about which one would have been too many */
};

struct verify {
	struct verify_cfg cfg;
	struct httpask_url url;
	struct tls_ctx *tls;
	struct map keys, waiters, sources_by_addr;
	struct list turns, asked, known;
	size_t n_asked;
	struct ratelimit sources;
	struct verify_counters n;
};

static mono_ns now_of(const struct verify *v)
{
	return loop_now(v->cfg.loop).mono;
}

/* It waits for its turn no longer. */
static void leave_queue(struct known *k)
{
	struct source *s = k->queued;

	if (!s)
		return;
	k->queued = NULL;
	list_remove(&k->link);
	if (!list_empty(&s->queued))
		return;
	map_remove(&k->v->sources_by_addr, &s->node);
	list_remove(&s->link);
	free(s);
}

static int join_queue(struct known *k)
{
	struct verify *v = k->v;
	struct ipaddr from = k->q.source.family == 6 ? ipaddr_mask(k->q.source, 64) : k->q.source;
	struct map_node *n;
	struct source *s;

	n = map_find(&v->sources_by_addr, &from, sizeof(from));
	s = n ? container_of(n, struct source, node) : calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (!n) {
		s->from = from;
		list_init(&s->queued);
		if (map_insert(&v->sources_by_addr, &s->node, &s->from, sizeof(s->from)) != 0) {
			free(s);
			return -ENOMEM;
		}
		list_push_tail(&v->turns, &s->link);
	}
	list_push_tail(&s->queued, &k->link);
	k->queued = s;
	return 0;
}

static void known_free(struct known *k)
{
	leave_queue(k);
	k->ask = httpask_cancel(k->ask);
	map_remove(&k->v->keys, &k->node);
	list_remove(&k->link);
	free(k);
}

static void waiter_free(struct verify *v, struct waiter *w)
{
	map_remove(&v->waiters, &w->node);
	list_remove(&w->link);
	free(w);
}

/* What was said, told to all that wait for it. */
static void settle(struct known *k, bool yes, mono_ns keep)
{
	struct verify *v = k->v;
	struct list *l;

	k->answered = true;
	k->yes = yes;
	k->until = mono_add(now_of(v), keep);
	list_remove(&k->link);
	list_push_tail(&v->known, &k->link);
	while ((l = list_pop_head(&k->waiters))) {
		struct waiter *w = container_of(l, struct waiter, link);
		void *client = w->client;

		waiter_free(v, w);
		relay_decide(client, yes);
	}
}

static bool says_yes(int status, struct view body)
{
	struct derp_admit_response r = { 0 };
	struct arena a;
	bool yes;

	arena_init(&a, 4 * DERP_ADMIT_MAX);
	yes = status == 200 &&
	      json_decode_first(&derp_admit_response_type, body.p, body.len, &r, &a, NULL) == 0 &&
	      r.allow;
	arena_fini(&a);
	return yes;
}

static void next_question(struct verify *v);

static void on_answer(void *ctx, int rc, int status, struct view body)
{
	struct known *k = ctx;
	struct verify *v = k->v;
	char from[IPADDR_TEXT_MAX], key[KEY_TEXT_MAX];
	bool yes = rc < 0 ? v->cfg.fail_open : says_yes(status, body);

	k->ask = NULL;
	v->n_asked--;
	v->n.failed += rc < 0;
	if (rc < 0)
		log_warn_limited("relay", "nobody says whether a client may log in",
			"url=%s err=%s it=%s", v->cfg.url, err_text(rc),
			yes ? "is let in" : "is turned away");
	else if (!yes)
		log_warn_limited("relay",
			"a client is turned away: it may not log in, says the one that is asked",
			"url=%s status=%d from=%s key=%s", v->cfg.url, status,
			ipaddr_format(k->q.source, from), key_format(KEY_NODE, k->q.key.b, key));
	settle(k, yes, rc < 0 ? 0 : yes ? VERIFY_KEEP_YES : VERIFY_KEEP_NO);
	next_question(v);
}

static int ask(struct known *k)
{
	struct verify *v = k->v;
	const struct httpask_cfg cfg = {
		.loop = v->cfg.loop, .url = &v->url, .tls = v->tls, .timeout = VERIFY_PATIENCE
	};
	const struct derp_admit_request q = { .key = k->q.key, .source = k->q.source };
	struct buf b;
	int rc;

	buf_init(&b, DERP_ADMIT_MAX);
	rc = json_encode(&derp_admit_request_type, &q, &b);
	if (rc == 0)
		rc = httpask_post(&k->ask, &cfg, buf_view(&b), on_answer, k);
	buf_fini(&b);
	return rc;
}

static void next_question(struct verify *v)
{
	while (v->n_asked < VERIFY_ACTIVE_MAX && !list_empty(&v->turns)) {
		struct source *s = container_of(v->turns.next, struct source, link);
		struct known *k = container_of(s->queued.next, struct known, link);

		list_remove(&s->link); /* to the end of those whose turn comes */
		list_push_tail(&v->turns, &s->link);
		leave_queue(k);
		list_push_tail(&v->asked, &k->link);
		if (ask(k) < 0) {
			settle(k, false, 0);
			continue;
		}
		v->n_asked++;
		v->n.asked++;
	}
}

/* Of those that are known, the ones whose time is over; and the oldest, if that makes no room. */
static bool make_room(struct verify *v, mono_ns now)
{
	while (!list_empty(&v->known)) {
		struct known *k = container_of(v->known.next, struct known, link);

		if (k->until > now && v->keys.n_items < VERIFY_KEPT_MAX)
			break;
		known_free(k);
	}
	return v->keys.n_items < VERIFY_KEPT_MAX;
}

static struct known *known_new(struct verify *v, const struct question *q)
{
	mono_ns now = now_of(v);
	struct known *k;

	if (!make_room(v, now) || !ratelimit_allow(&v->sources, ipaddr_place(&q->source), now)) {
		v->n.throttled++;
		return NULL;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->v = v;
	k->q = *q;
	list_init(&k->waiters);
	list_init(&k->link);
	if (map_insert(&v->keys, &k->node, &k->q, sizeof(k->q)) != 0) {
		free(k);
		return NULL;
	}
	if (join_queue(k) < 0) {
		known_free(k);
		return NULL;
	}
	return k;
}

static int wait_for(struct verify *v, struct known *k, void *client)
{
	struct waiter *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->client = client;
	w->of = k;
	if (map_insert(&v->waiters, &w->node, &w->client, sizeof(w->client)) != 0) {
		free(w);
		return -ENOMEM;
	}
	list_push_tail(&k->waiters, &w->link);
	return 0;
}

/* Nobody waits for it, and nobody was asked. */
static void drop_if_idle(struct known *k)
{
	if (list_empty(&k->waiters) && !k->answered && !k->ask)
		known_free(k);
}

static enum derprelay_verdict admit(
	void *ctx, void *client, const struct node_pub *key, bool proven)
{
	struct verify *v = ctx;
	struct question q;
	struct map_node *n;
	struct known *k;

	memset(&q, 0, sizeof(q)); /* it is a key of a table, with all its bytes */
	q.key = *key;
	q.source.family = relay_client_addr(client).ip.family;
	memcpy(q.source.b, relay_client_addr(client).ip.b, sizeof(q.source.b));
	n = map_find(&v->keys, &q, sizeof(q));
	k = n ? container_of(n, struct known, node) : NULL;
	if (k && k->answered && k->until <= now_of(v)) {
		known_free(k);
		k = NULL;
	}
	if (k && k->answered)
		return k->yes ? DERPRELAY_YES : DERPRELAY_NO;
	if (!proven)
		return DERPRELAY_ASK;
	if (!k)
		k = known_new(v, &q);
	if (!k)
		return DERPRELAY_NO;
	if (wait_for(v, k, client) < 0) {
		drop_if_idle(k);
		return DERPRELAY_NO;
	}
	next_question(v);
	return DERPRELAY_ASK;
}

static void forget(void *ctx, void *client)
{
	struct verify *v = ctx;
	struct map_node *n = map_find(&v->waiters, &client, sizeof(client));
	struct waiter *w = n ? container_of(n, struct waiter, node) : NULL;
	struct known *k;

	if (!w)
		return;
	k = w->of;
	waiter_free(v, w);
	drop_if_idle(k);
}

static int metrics(void *ctx, struct buf *out)
{
	static const char counter[] = "counter";
	const struct verify_counters *n = &((struct verify *)ctx)->n;
	const struct metric rows[] = {
		{ "relay_verify_asked_total", counter, "Keys about which somebody was asked.",
			n->asked },
		{ "relay_verify_failed_total", counter, "Of these, without an answer.", n->failed },
		{ "relay_verify_throttled_total", counter,
			"Keys about which one question would have been too many.", n->throttled },
	};
	return metrics_put(out, rows, ARRAY_LEN(rows));
}

struct relay_admission verify_admission(struct verify *v)
{
	return (struct relay_admission){
		.admit = admit, .forget = forget, .metrics = metrics, .ctx = v
	};
}

int verify_new(struct verify **ret, const struct verify_cfg *cfg)
{
	struct verify *v = calloc(1, sizeof(*v));
	uint8_t seed[16];
	int rc;

	if (!v)
		return -ENOMEM;
	v->cfg = *cfg;
	list_init(&v->turns);
	list_init(&v->asked);
	list_init(&v->known);
	rng_fill(loop_rng(), seed, sizeof(seed));
	v->sources = (struct ratelimit){ .burst = VERIFY_BURST, .per_second = VERIFY_RATE };
	memcpy(v->sources.seed, seed, sizeof(seed));
	map_init(&v->keys, seed);
	map_init(&v->waiters, seed);
	map_init(&v->sources_by_addr, seed);
	rc = httpask_url_parse(cfg->url, &v->url);
	if (rc == 0 && v->url.at.https)
		rc = tls_client_new(&v->tls, NULL);
	if (rc < 0) {
		verify_free(v);
		return rc;
	}
	*ret = v;
	return 0;
}

static void free_all(struct list *l)
{
	list_for_each_safe(k, l)
		known_free(container_of(k, struct known, link));
}

struct verify *verify_free(struct verify *v)
{
	if (!v)
		return NULL;
	CHECK(!v->waiters.n_items);
	while (!list_empty(&v->turns)) /* the last of a source takes the source with it */
		known_free(
			container_of(container_of(v->turns.next, struct source, link)->queued.next,
				struct known, link));
	free_all(&v->asked);
	free_all(&v->known);
	map_fini(&v->keys);
	map_fini(&v->waiters);
	map_fini(&v->sources_by_addr);
	tls_free(v->tls);
	free(v);
	return NULL;
}
