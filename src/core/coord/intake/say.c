/*
 * What a device says of itself on its way to the tailnet: told and saved at once, or, when the device changes too much (pace.c), kept
 * until its time has come. Of what is kept only the latest counts, so the last word is always told, and one that is taken back never.
 */
#include "core/coord/intake/internal.h"
#include "proto/tailcfg/clean.h"

#include <errno.h>

#define AGAIN SEC(1) /* without memory, or while the store is full */

struct waiting {
	struct heap_node due; /* in intake.waiting */
	struct coord_node *node;
	bool says, arrives;
	struct coord_node_doc doc; /* says: only what a device says of itself counts */
	struct arena mem;
};

static void overlay(struct coord_node_doc *doc, const struct coord_node_doc *said)
{
	doc->endpoints = said->endpoints;
	doc->disco = said->disco;
	doc->cap = said->cap;
	doc->home_derp = said->home_derp;
	doc->hostname = said->hostname;
	doc->hostinfo = said->hostinfo;
}

static void forget_words(struct waiting *w)
{
	if (w && w->says)
		arena_fini(&w->mem);
	if (w)
		w->says = false;
}

void say_forget(struct coord_node *n)
{
	struct waiting *w = n->waiting;

	if (!w)
		return;
	forget_words(w);
	heap_remove(&n->tailnet->intake->waiting, &w->due);
	n->tailnet->stats.waiting--;
	n->waiting = NULL;
	free(w);
}

static void forget_if_done(struct coord_node *n)
{
	if (n->waiting && !n->waiting->says && !n->waiting->arrives)
		say_forget(n);
}

/* The time is that of the first thing that waits; the other looks again then. */
static int wait_for_turn(struct tailnet *c, struct coord_node *n, mono_ns at)
{
	struct waiting *w = n->waiting;
	int rc;

	if (!w) {
		w = calloc(1, sizeof(*w));
		if (!w)
			return -ENOMEM;
		w->node = n;
		n->waiting = w;
		c->stats.waiting++;
	}
	rc = heap_set(&c->intake->waiting, &w->due, w->due.pos ? mono_min(w->due.at, at) : at);
	if (rc < 0)
		say_forget(n);
	return rc;
}

static int keep_words(
	struct tailnet *c, struct coord_node *n, const struct coord_node_doc *doc, mono_ns at)
{
	struct coord_node_doc copy;
	struct arena mem;
	int rc = store_copy_doc(&coord_node_doc_type, doc, &copy, &mem);

	if (rc < 0)
		return rc;
	forget_words(n->waiting);
	rc = wait_for_turn(c, n, at);
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	n->waiting->says = true;
	n->waiting->doc = copy;
	n->waiting->mem = mem;
	c->stats.updates_held++;
	return 0;
}

/* What a change is to others, and to the disk. */
struct effect {
	enum telling telling;
	bool saved;
	size_t bytes; /* to each reader, about */
};

enum {
	BYTES_PATCH = 200,
	BYTES_WHOLE = 600,
	BYTES_ENDPOINT = 40,
	BYTES_ROUTE = 30,
	SAY_MEM_MAX = 4 << 20
};

static bool same_host(const struct tc_hostinfo *a, const struct tc_hostinfo *b)
{
	struct tc_hostinfo x = *a, y = *b;

	x.netinfo = y.netinfo = NULL; /* changes with the weather; of it the home relay is told */
	return json_same(&tc_hostinfo_type, &x, &y);
}

static int look_at_host(
	const struct coord_node_doc *was, const struct coord_node_doc *is, struct effect *e)
{
	const struct tc_hostinfo none = { 0 }, *old = was->hostinfo ? was->hostinfo : &none,
				 *new = is->hostinfo ? is->hostinfo : &none;
	const struct tc_hostinfo *x, *y;
	struct buf b;
	struct arena a;

	if (same_host(old, new))
		return 0;
	e->saved = true;
	arena_init(&a, SAY_MEM_MAX);
	buf_init(&b, SAY_MEM_MAX);
	x = tc_hostinfo_for_peers(old, &a);
	y = tc_hostinfo_for_peers(new, &a);
	if (!x || !y || !json_same(&tc_hostinfo_type, x, y))
		e->telling = TELLS_WHOLE;
	if (y && json_encode(&tc_hostinfo_type, y, &b) == 0)
		e->bytes += buf_len(&b);
	e->bytes += (old->routable_ips.n + new->routable_ips.n) * BYTES_ROUTE;
	buf_fini(&b);
	arena_fini(&a);
	return x && y ? 0 : -ENOMEM;
}

static int look_at(
	const struct coord_node_doc *was, const struct coord_node_doc *is, struct effect *e)
{
	bool home = was->home_derp != is->home_derp,
	     disco = memcmp(was->disco.b, is->disco.b, KEY_LEN) != 0;

	*e = (struct effect){ .telling = TELLS_NOBODY,
		.saved = home || disco,
		.bytes = is->endpoints.n * BYTES_ENDPOINT + BYTES_PATCH };
	if (home || was->cap != is->cap || was->endpoints.n != is->endpoints.n ||
		(is->endpoints.n && !json_same(&json_ipport_list, &was->endpoints, &is->endpoints)))
		e->telling = TELLS_PATCH;
	if (disco)
		e->telling = TELLS_WHOLE;
	if (look_at_host(was, is, e) < 0)
		return -ENOMEM;
	e->bytes += e->telling == TELLS_WHOLE ? BYTES_WHOLE : 0;
	return 0;
}

static int tell_now(struct tailnet *c, struct coord_node *n, struct coord_node_doc *doc,
	const struct effect *e, struct now now)
{
	int rc = name_follow(c, n, doc);
	bool named = rc == 0 &&
		     strcmp(doc->name, n->doc.name) != 0; /* that is for us to say, and to keep */

	if (rc == 0)
		rc = coord_node_replace(c, n, doc, e->telling, named, now);
	if (rc == 0)
		rc = policy_sync_follow(c, n, now);
	return rc == 0 && e->saved && !named ? store_said(c, n) : rc;
}

/* doc: all of it, with what the device says now; it may point into what waits. */
static int now_or_later(
	struct tailnet *c, struct coord_node *n, struct coord_node_doc *doc, struct now now)
{
	struct effect e;
	mono_ns wait;
	int rc;

	if (c->cfg.store->refuses) /* its name would follow, which is a change: when the disk takes it again, and the device comes back */
		doc->hostname = n->doc.hostname;
	if (json_same(&coord_node_doc_type, doc, &n->doc)) {
		forget_words(n->waiting);
		forget_if_done(n);
		return 0;
	}
	rc = look_at(&n->doc, doc, &e);
	if (rc < 0)
		return rc;
	if (e.saved && c->cfg.store->full)
		return -EAGAIN;
	wait = pace_wait(c, n, e.bytes, now.mono);
	if (wait)
		return keep_words(c, n, doc, now.mono + wait);
	pace_pay(c, n, e.bytes, now.mono);
	rc = tell_now(c, n, doc, &e, now);
	if (rc == 0) {
		forget_words(n->waiting);
		forget_if_done(n);
	}
	return rc;
}

/* What a request tells of its device. On a long poll only what is set counts. Of an expired device nothing does. */
int say(struct tailnet *c, struct coord_node *n, struct tc_map_request *r, struct arena *mem,
	struct now now)
{
	struct coord_node_doc doc = n->doc;
	int rc;

	if (n->expired)
		return 0;
	rc = r->hostinfo ? clean_hostinfo(c, r->hostinfo, mem) : 0;
	if (rc == 0 && r->hostinfo)
		rc = settings_take(c, n, r->hostinfo, now);
	if (rc < 0)
		return rc;
	if (n->waiting && n->waiting->says)
		overlay(&doc, &n->waiting->doc);
	clean_endpoints(c, &r->endpoints);
	r->endpoints.present = true;
	if (!r->stream || r->endpoints.n)
		doc.endpoints = r->endpoints;
	if (!key_is_zero(r->disco_key.b))
		doc.disco = r->disco_key;
	doc.cap = r->version;
	if (r->hostinfo) {
		if (!r->hostinfo->netinfo) /* missing is not "gone" */
			r->hostinfo->netinfo = doc.hostinfo ? doc.hostinfo->netinfo : NULL;
		if (r->hostinfo->netinfo && r->hostinfo->netinfo->preferred_derp)
			doc.home_derp = r->hostinfo->netinfo->preferred_derp;
		if (r->hostinfo->hostname && *r->hostinfo->hostname)
			doc.hostname = r->hostinfo->hostname;
		doc.hostinfo = r->hostinfo;
	}
	return now_or_later(c, n, &doc, now);
}

void say_merge(const struct coord_node *n, struct coord_node_doc *doc)
{
	if (n->waiting && n->waiting->says)
		overlay(doc, &n->waiting->doc);
}

bool say_arrives(struct tailnet *c, struct coord_node *n, struct now now)
{
	size_t bytes =
		2 * (BYTES_PATCH + n->doc.endpoints.n * BYTES_ENDPOINT); /* it will go again */
	mono_ns wait = n->here ? 0 : pace_wait(c, n, bytes, now.mono);

	if (wait && wait_for_turn(c, n, now.mono + wait) == 0) {
		n->waiting->arrives = true;
		c->stats.updates_held++;
		return false;
	}
	if (!n->here)
		pace_pay(c, n, bytes, now.mono);
	if (n->waiting)
		n->waiting->arrives = false;
	forget_if_done(n);
	return true;
}

bool say_turn(struct tailnet *c, struct coord_node *n, struct now now)
{
	struct coord_node_doc doc = n->doc;
	bool arrives = n->waiting->arrives && !list_empty(&n->sessions);
	int rc = 0;

	n->waiting->arrives = false;
	if (n->expired)
		forget_words(n->waiting);
	if (n->waiting->says) {
		overlay(&doc, &n->waiting->doc);
		rc = now_or_later(c, n, &doc, now);
	}
	if (rc < 0 && wait_for_turn(c, n, now.mono + AGAIN) < 0)
		tailnet_fail(c, -ENOMEM); /* what a device said would be lost */
	if (!arrives)
		forget_if_done(n);
	return arrives;
}

struct coord_node *say_due(struct tailnet *c, struct now now)
{
	struct heap_node *h = heap_pop_due(&c->intake->waiting, now.mono);

	return h ? container_of(h, struct waiting, due)->node : NULL;
}
