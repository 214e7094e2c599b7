/*
 * Which exit node would do best, and the choice of one for --exit-node=auto:any. The rules are Tailscale's: candidates are exit nodes that are
 * here and that the hub says may be suggested; the region of relays with the lowest latency wins, within it the one that was suggested before, so
 * that nobody is moved without need; among providers' nodes, which have no relay, the highest priority. (Which of these is near is not known: the relay map
 * has no places here.)
 */
#include "core/node/state/state.h"

struct candidates {
	const struct tc_node **v;
	size_t n;
};

static bool is_candidate(const struct tc_node *n)
{
	return n->stable_id && n->online != JSON_NO && !n->expired && node_offers_exit(n) &&
	       node_has_cap(n, "suggest-exit-node");
}

static int collect(const struct node *a, struct arena *mem, struct candidates *ret)
{
	size_t n = netmap_n_peers(a->nm), kept = 0;

	ret->v = arena_array(mem, n, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	netmap_peers(a->nm, ret->v);
	for (size_t i = 0; i < n; i++)
		if (is_candidate(ret->v[i]))
			ret->v[kept++] = ret->v[i];
	ret->n = kept;
	return 0;
}

/* Keeps those of which the measure is the least. */
static void keep_least(struct candidates *c,
	int64_t (*measure)(const void *ctx, const struct tc_node *n), const void *ctx)
{
	int64_t least = INT64_MAX;
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		least = MIN_OF(least, measure(ctx, c->v[i]));
	for (size_t i = 0; i < c->n; i++)
		if (measure(ctx, c->v[i]) == least)
			c->v[kept++] = c->v[i];
	c->n = kept;
}

static int64_t latency(const void *ctx, const struct tc_node *n)
{
	const struct endpoints_report *r = ctx;

	if (n->home_derp <= 0)
		return INT64_MAX;
	for (size_t i = 0; i < r->n_regions; i++)
		if (r->regions[i].region == n->home_derp && r->regions[i].latency > 0)
			return r->regions[i].latency;
	/* Not measured: the own home is near whatever it takes; others are behind all that are, before those without a relay. */
	return n->home_derp == r->home ? 0 : INT64_MAX - 1;
}

static const struct tc_location *place(const struct tc_node *n)
{
	return n->hostinfo ? n->hostinfo->location : NULL;
}

static int64_t low_priority(const void *ctx, const struct tc_node *n)
{
	return place(n) ? -MAX_OF(place(n)->priority, (int64_t)-INT32_MAX) : 0;
}

static bool any_has_relay(const struct candidates *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i]->home_derp > 0)
			return true;
	return false;
}

/* One of the region with the lowest latency, whichever it is. */
static void keep_one_region(struct candidates *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++)
		if (c->v[i]->home_derp == c->v[0]->home_derp)
			c->v[kept++] = c->v[i];
	c->n = kept;
}

static int narrow(struct node *a, struct arena *mem, struct candidates *c)
{
	struct endpoints_report r;
	int rc;

	if (!any_has_relay(c)) {
		keep_least(c, low_priority, NULL);
		return 0;
	}
	rc = endpoints_report(magicsock_endpoints(a->magicsock), mem, &r);
	if (rc < 0)
		return rc;
	if (!r.done || !r.home)
		return -ERR_BAD_STATE; /* which is near is not known yet */
	keep_least(c, latency, &r);
	keep_one_region(c);
	return 0;
}

int node_suggest_exit(struct node *a, struct arena *mem, const struct tc_node **ret)
{
	struct candidates c;
	int rc;

	*ret = NULL;
	if (!a->nm || !self_of(a))
		return -ERR_BAD_STATE;
	rc = collect(a, mem, &c);
	if (rc == 0 && c.n > 1)
		rc = narrow(a, mem, &c);
	if (rc < 0 || !c.n)
		return rc;
	*ret = c.v[rng_below(a->rng, c.n)];
	for (size_t i = 0; i < c.n; i++)
		if (!strcmp(c.v[i]->stable_id, a->suggested_exit))
			*ret = c.v[i];
	snprintf(a->suggested_exit, sizeof(a->suggested_exit), "%s", (*ret)->stable_id);
	return 0;
}

/* It stays as long as it can be used: a way to the internet that moves breaks what goes through it. */
static bool is_needed(const struct node *a, struct arena *mem)
{
	const struct tc_node *n = node_exit_node(a, mem);

	return !n || !is_candidate(n);
}

void node_prefs_auto_exit(struct node *a)
{
	struct ipn_prefs p = *prefs_of(a);
	const struct tc_node *n = NULL;
	struct arena mem;
	int rc;

	if (!a->nm || !self_of(a) || !p.auto_exit_node || !*p.auto_exit_node)
		return;
	arena_init(&mem, NODE_SUGGEST_MEM_MAX);
	rc = is_needed(a, &mem) ? node_suggest_exit(a, &mem, &n) : 0;
	a->exit_dirty = rc < 0; /* again at the end of the next call: relays are being measured */
	if (n) {
		p.exit_node_id = n->stable_id;
		if (node_prefs_store(a, &p) > 0) {
			a->peers_dirty = a->net_dirty = a->dns.dirty = true;
			event(a, NODE_PREFS);
		}
	}
	arena_fini(&mem);
}
