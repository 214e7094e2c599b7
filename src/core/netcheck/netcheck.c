#include "core/netcheck/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STUN_PORT = 3478, ENOUGH_REGIONS = 3, SEEN_MAX = 8 };

static const mono_ns stun_phase = SEC(3), /* for answers to STUN */
	round_limit = SEC(5),             /* with what is measured over TCP */
	full_every = SEC(300),
		     blocked_after =
			     MSEC(500), /* without an answer: time the relays over TCP as well */
	guess_after = SEC(1),           /* without any answer: some home is better than none */
	settle_min = MSEC(10),
		     settle_max =
			     MSEC(200); /* from the first answer to the first choice of a home */

struct pending {
	uint8_t txid[STUN_TXID_LEN];
	size_t list;
	struct ipport to;
	mono_ns sent_at;
};

struct seen {
	struct ipport addr;
	unsigned times;
};

struct host {
	const char *name; /* in the map */
	struct ipaddr a4, a6;
	bool asked, to_ask; /* under way; not yet taken by the owner */
};

struct netcheck {
	struct netcheck_cfg cfg;
	struct region *regions;
	size_t n_regions;
	struct host hosts[NETCHECK_HOSTS_MAX];
	size_t n_hosts;
	bool have4, have6, may_move;
	int home, hint;

	bool running, any_round, measuring, home_is_guess, home_is_lost;
	mono_ns started, last_full, stop_at, decide_at;
	struct probe_list *lists;
	size_t n_lists;
	struct pending *pending;
	size_t n_pending, next_to_send,
		n_measuring; /* next_to_send: the first that the owner has not taken */
	unsigned changed;    /* NETCHECK_*, not yet taken */
	struct netcheck_report now, last;
	struct ipport first4_server;
	struct seen seen[SEEN_MAX];
	size_t n_seen;
};

int netcheck_new(struct netcheck **ret, const struct netcheck_cfg *cfg)
{
	struct netcheck *nc = calloc(1, sizeof(*nc));

	if (!nc)
		return -ENOMEM;
	nc->cfg = *cfg;
	nc->have4 = nc->may_move = true;
	nc->stop_at = nc->decide_at = MONO_NEVER;
	*ret = nc;
	return 0;
}

static void forget_map(struct netcheck *nc)
{
	nc->n_hosts = 0;
	free(nc->regions);
	free(nc->lists);
	free(nc->pending);
	nc->regions = NULL;
	nc->lists = NULL;
	nc->pending = NULL;
	nc->n_regions = 0;
}

struct netcheck *netcheck_free(struct netcheck *nc)
{
	if (!nc)
		return NULL;
	forget_map(nc);
	free(nc);
	return NULL;
}

static struct region *region_find(struct netcheck *nc, int id)
{
	for (size_t i = 0; i < nc->n_regions; i++)
		if (nc->regions[i].id == id)
			return &nc->regions[i];
	return NULL;
}

/* ---- The map ---- */

static struct region region_from(const struct tc_derp_region *r)
{
	struct region n = {
		.id = (int)r->id, .avoid = r->avoid, .nodes = r->nodes.v, .n_nodes = r->nodes.n
	};
	bool any_relay = false;

	for (size_t i = 0; i < n.n_nodes; i++)
		any_relay = any_relay || !n.nodes[i].stun_only;
	n.measured = any_relay && !r->no_measure_no_home;
	return n;
}

static struct ipaddr address_text(const char *s, uint8_t family)
{
	struct ipaddr a;

	if (!s || ipaddr_parse(s, strlen(s), &a) < 0 || a.family != family)
		return (struct ipaddr){ 0 };
	return a;
}

static struct host *host_find(struct netcheck *nc, const char *name)
{
	for (size_t i = 0; i < nc->n_hosts; i++)
		if (!strcmp(nc->hosts[i].name, name))
			return &nc->hosts[i];
	return NULL;
}

static bool needs_name(const struct tc_derp_node *n)
{
	struct ipaddr a;

	if (!n->hostname || n->stun_port < 0 ||
		ipaddr_parse(n->hostname, strlen(n->hostname), &a) == 0)
		return false;
	return !n->stun_test_ip && (!n->ipv4 || !*n->ipv4 || !n->ipv6 || !*n->ipv6);
}

static void host_add(struct netcheck *nc, const char *name)
{
	if (nc->n_hosts < NETCHECK_HOSTS_MAX && !host_find(nc, name))
		nc->hosts[nc->n_hosts++] = (struct host){ .name = name };
}

/* With one region there is nothing to choose. */
static int only_region(const struct netcheck *nc)
{
	int id = 0;

	for (size_t i = 0; i < nc->n_regions; i++) {
		if (!nc->regions[i].measured)
			continue;
		if (id)
			return 0;
		id = nc->regions[i].id;
	}
	return id;
}

static void set_home(struct netcheck *nc, int home)
{
	if (home == nc->home)
		return;
	nc->home = home;
	nc->home_is_lost = false;
	nc->changed |= NETCHECK_HOME;
}

static double score_of(const struct tc_derp_map *map, const char *id)
{
	const double *score =
		map->home_params ? json_map_find(&map->home_params->region_score, id) : NULL;

	return score && *score > 0 && *score <= NETCHECK_SCORE_MAX ? *score : 0;
}

static int take_regions(struct netcheck *nc, const struct tc_derp_map *map, struct region *ret)
{
	for (size_t i = 0; i < map->regions.n; i++) {
		const struct tc_derp_region *r = map->regions.v[i].value;
		struct region *old;

		if (r->id <= 0 || r->id > UINT16_MAX)
			return -ERR_BAD_VALUE;
		ret[i] = region_from(r);
		ret[i].score = score_of(map, map->regions.v[i].key);
		old = region_find(nc, ret[i].id);
		if (!old)
			continue;
		ret[i].last = old->last;
		ret[i].heard_at = old->heard_at;
		memcpy(ret[i].history, old->history, sizeof(old->history));
		ret[i].n_history = old->n_history;
		ret[i].next_history = old->next_history;
	}
	return 0;
}

static int home_in_map(struct netcheck *nc, int id)
{
	const struct region *r = region_find(nc, id);

	return r && r->measured ? id : 0;
}

int netcheck_set_map(struct netcheck *nc, const struct tc_derp_map *map)
{
	size_t n = map ? map->regions.n : 0;
	struct region *regions;
	struct probe_list *lists;
	struct pending *pending;
	int rc = n > NETCHECK_REGIONS_MAX ? -ERR_TOO_MANY : 0;

	if (rc < 0)
		return rc;
	regions = calloc(n + 1, sizeof(*regions));
	lists = calloc(2 * n + 1, sizeof(*lists)); /* rounds need no memory of their own */
	pending = calloc(2 * n * NETCHECK_TRIES_MAX + 1, sizeof(*pending));
	rc = !regions || !lists || !pending ? -ENOMEM : map ? take_regions(nc, map, regions) : 0;
	if (rc < 0) {
		free(regions);
		free(lists);
		free(pending);
		return rc;
	}
	netcheck_reset(nc);
	forget_map(nc);
	nc->regions = regions;
	nc->lists = lists;
	nc->pending = pending;
	nc->n_regions = n;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < regions[i].n_nodes; j++)
			if (needs_name(&regions[i].nodes[j]))
				host_add(nc, regions[i].nodes[j].hostname);
	if (only_region(nc))
		set_home(nc, only_region(nc));
	else if (!home_in_map(nc, nc->home))
		set_home(nc, home_in_map(nc, nc->hint));
	return 0;
}

void netcheck_hint_home(struct netcheck *nc, int region)
{
	nc->hint = region;
	if (!nc->home)
		set_home(nc, home_in_map(nc, region));
}

void netcheck_set_families(struct netcheck *nc, bool have4, bool have6)
{
	nc->have4 = have4;
	nc->have6 = have6;
}

void netcheck_set_may_move(struct netcheck *nc, bool may_move)
{
	nc->may_move = may_move;
}

/* ---- A round ---- */

static void forget_requests(struct netcheck *nc)
{
	nc->n_pending = nc->next_to_send = 0;
	for (size_t i = 0; i < nc->n_regions; i++)
		nc->regions[i].to_measure = false;
}

void netcheck_reset(struct netcheck *nc)
{
	nc->running = nc->measuring = false;
	nc->stop_at = nc->decide_at = MONO_NEVER;
	forget_requests(nc);
	nc->n_lists = nc->n_measuring = nc->n_seen = 0;
	nc->now = (struct netcheck_report){ 0 };
	nc->last_full = 0;
}

bool netcheck_running(const struct netcheck *nc)
{
	return nc->running;
}

static void ask_names(struct netcheck *nc)
{
	for (size_t i = 0; nc->cfg.can_resolve && i < nc->n_hosts; i++)
		nc->hosts[i].asked = nc->hosts[i].to_ask = true;
}

static void round_plan(struct netcheck *nc, bool full)
{
	struct plan_input in = { .regions = nc->regions,
		.n_regions = nc->n_regions,
		.full = full,
		.first = !nc->any_round,
		.have4 = nc->have4,
		.have6 = nc->have6,
		.last6 = nc->last.ipv6,
		.home = nc->home };

	nc->n_lists = plan_make(&in, nc->lists);
}

void netcheck_start(struct netcheck *nc, bool full, mono_ns now)
{
	full = full || !nc->any_round || !nc->last_full || now - nc->last_full >= full_every ||
	       !nc->last.udp;
	if (nc->running || !nc->n_regions)
		return;
	round_plan(nc, full);
	nc->running = true;
	nc->measuring = false;
	nc->started = now;
	nc->stop_at = mono_add(now, stun_phase);
	nc->decide_at = MONO_NEVER;
	nc->n_measuring = nc->n_seen = 0;
	forget_requests(nc);
	nc->now = (struct netcheck_report){ 0 };
	for (size_t i = 0; i < nc->n_regions; i++)
		nc->regions[i].now = (struct netcheck_latency){ .region = nc->regions[i].id };
	if (full) {
		nc->last_full = now;
		ask_names(nc);
	}
	netcheck_tick(nc, now);
}

static struct ipaddr node_address(
	struct netcheck *nc, const struct tc_derp_node *n, uint8_t family, bool *ret_waits)
{
	const char *text = n->stun_test_ip && *n->stun_test_ip ? n->stun_test_ip
			   : family == 4                       ? n->ipv4
							       : n->ipv6;
	struct ipaddr a = address_text(text, family);
	struct host *h;

	*ret_waits = false;
	if (ipaddr_is_set(a) || (text && *text))
		return a;
	a = address_text(n->hostname, family);
	h = !ipaddr_is_set(a) && n->hostname ? host_find(nc, n->hostname) : NULL;
	if (!h)
		return a;
	a = family == 4 ? h->a4 : h->a6;
	*ret_waits = !ipaddr_is_set(a) && h->asked;
	return a;
}

static void send_probe(struct netcheck *nc, size_t list, const struct tc_derp_node *n,
	struct ipaddr a, mono_ns now)
{
	struct pending *p = &nc->pending[nc->n_pending++];

	*p = (struct pending){ .list = list,
		.sent_at = now,
		.to = { .ip = a, .port = (uint16_t)(n->stun_port ? n->stun_port : STUN_PORT) } };
	rng_fill(nc->cfg.rng, p->txid, sizeof(p->txid));
}

/* Would an answer tell anything new? */
static bool is_useful(const struct netcheck *nc, const struct probe_list *l)
{
	if (!nc->regions[l->region].now.all)
		return true;
	return l->family == 6 ? !nc->now.ipv6 : nc->now.mapping_varies == JSON_ABSENT;
}

static void run_list(struct netcheck *nc, size_t i, mono_ns now)
{
	struct probe_list *l = &nc->lists[i];
	struct region *r = &nc->regions[l->region];

	while (!l->done && !l->waits && l->next < l->n_tries &&
		nc->started + l->tries[l->next].after <= now) {
		const struct tc_derp_node *n = &r->nodes[l->tries[l->next].node];
		struct ipaddr a;

		if (l->next && !is_useful(nc, l)) {
			l->done = true;
			return;
		}
		a = node_address(nc, n, l->family, &l->waits);
		if (l->waits)
			return;
		l->next++;
		if (ipaddr_is_set(a) && n->stun_port <= UINT16_MAX)
			send_probe(nc, i, n, a, now);
		else if (l->next == l->n_tries && !l->done)
			l->done =
				true; /* nothing of it can be answered, unless an earlier try is */
	}
}

static mono_ns list_deadline(const struct netcheck *nc, const struct probe_list *l)
{
	if (l->done || l->waits || l->next == l->n_tries)
		return MONO_NEVER;
	return nc->started + l->tries[l->next].after;
}

/* ---- Answers ---- */

static void see4(struct netcheck *nc, struct ipport a, struct ipport server)
{
	size_t i;

	if (!ipaddr_is_set(nc->now.global4.ip)) {
		nc->now.global4 = a;
		nc->first4_server = server;
	} else if (!ipport_eq(server, nc->first4_server)) { /* the same server twice says nothing */
		if (!ipport_eq(a, nc->now.global4))
			nc->now.mapping_varies = JSON_YES;
		else if (nc->now.mapping_varies == JSON_ABSENT)
			nc->now.mapping_varies = JSON_NO;
	}
	for (i = 0; i < nc->n_seen && !ipport_eq(nc->seen[i].addr, a); i++)
		;
	if (i == nc->n_seen && nc->n_seen < SEEN_MAX)
		nc->seen[nc->n_seen++] = (struct seen){ .addr = a };
	if (i < nc->n_seen && ++nc->seen[i].times == 2 && !ipport_eq(a, nc->now.global4) &&
		nc->now.n_also4 < NETCHECK_ALSO_MAX)
		nc->now.also4[nc->now.n_also4++] = a;
}

static void lower(mono_ns *v, mono_ns latency)
{
	if (!*v || latency < *v)
		*v = latency;
}

static size_t n_answered(const struct netcheck *nc)
{
	size_t n = 0;

	for (size_t i = 0; i < nc->n_regions; i++)
		n += nc->regions[i].now.all != 0;
	return n;
}

static mono_ns slowest(const struct netcheck *nc)
{
	mono_ns max = 0;

	for (size_t i = 0; i < nc->n_regions; i++)
		max = MAX_OF(max, nc->regions[i].now.all);
	return max;
}

/* After an answer: when does the round end, when can a home be chosen if there is none that works? */
static void got_latency(struct netcheck *nc, struct region *r, mono_ns latency, mono_ns now)
{
	mono_ns settle = MIN_OF(MAX_OF(latency, settle_min), settle_max);

	lower(&r->now.all, latency);
	if ((!nc->home || nc->home_is_guess || nc->home_is_lost) && nc->decide_at == MONO_NEVER)
		nc->decide_at = mono_add(now, settle);
	if (n_answered(nc) >= ENOUGH_REGIONS)
		nc->stop_at = mono_min(nc->stop_at,
			mono_add(now, slowest(nc) * (nc->last_full == nc->started ? 2 : 1)));
}

/* Those that were sent stay before those that were not. */
static void pending_remove(struct netcheck *nc, size_t i)
{
	if (i < nc->next_to_send) {
		nc->pending[i] = nc->pending[--nc->next_to_send];
		i = nc->next_to_send;
	}
	nc->pending[i] = nc->pending[--nc->n_pending];
}

bool netcheck_on_stun(struct netcheck *nc, const uint8_t *pkt, size_t len, mono_ns now)
{
	uint8_t txid[STUN_TXID_LEN];
	struct probe_list *l;
	struct ipport mapped;
	struct pending p;
	size_t i;

	if (stun_response_decode(pkt, len, txid, &mapped) < 0 || !ipaddr_is_set(mapped.ip) ||
		!mapped.port)
		return false;
	for (i = 0; i < nc->n_pending && memcmp(nc->pending[i].txid, txid, sizeof(txid)) != 0; i++)
		;
	if (i == nc->n_pending)
		return false;
	p = nc->pending[i];
	pending_remove(nc, i); /* an answer counts once */
	l = &nc->lists[p.list];
	l->done = true;
	nc->now.udp = true;
	if (mapped.ip.family == 4) {
		nc->now.ipv4 = true;
		see4(nc, mapped, p.to);
	} else {
		nc->now.ipv6 = true;
		nc->now.global6 = mapped;
	}
	lower(l->family == 4 ? &nc->regions[l->region].now.v4 : &nc->regions[l->region].now.v6,
		MAX_OF(now - p.sent_at, NSEC(1)));
	got_latency(nc, &nc->regions[l->region], MAX_OF(now - p.sent_at, NSEC(1)), now);
	nc->changed |= NETCHECK_ADDRESS;
	netcheck_tick(nc, now);
	return true;
}

void netcheck_resolved(
	struct netcheck *nc, const char *host, const struct ipaddr *addrs, size_t n, mono_ns now)
{
	struct host *h = host_find(nc, host);

	if (!h)
		return;
	h->asked = false;
	for (size_t i = n; i-- > 0;) { /* the first of each family counts */
		if (addrs[i].family == 4)
			h->a4 = addrs[i];
		else if (addrs[i].family == 6)
			h->a6 = addrs[i];
	}
	for (size_t i = 0; i < nc->n_lists; i++)
		nc->lists[i].waits = false;
	netcheck_tick(nc, now);
}

void netcheck_measured(struct netcheck *nc, int region, mono_ns latency, mono_ns now)
{
	struct region *r = region_find(nc, region);

	if (!nc->running || !nc->n_measuring || !r)
		return;
	nc->n_measuring--;
	r->why = latency < 0 ? (int)latency : 0;
	if (latency >= 0 && !r->now.all)
		got_latency(nc, r, MAX_OF(latency, NSEC(1)), now);
	netcheck_tick(nc, now);
}

void netcheck_on_relay_heard(struct netcheck *nc, int region, mono_ns now)
{
	struct region *r = region_find(nc, region);

	if (r)
		r->heard_at = now;
	if (region == nc->home)
		nc->home_is_lost = false;
}

void netcheck_on_relay_lost(struct netcheck *nc, int region)
{
	struct region *r = region_find(nc, region);

	if (r)
		r->heard_at = 0;
	if (region == nc->home)
		nc->home_is_lost = true;
}

/* ---- Time ---- */

static void measure_all(struct netcheck *nc)
{
	nc->measuring = true;
	nc->stop_at = nc->started + round_limit;
	for (size_t i = 0; i < nc->n_regions && nc->n_measuring < NETCHECK_MEASURE_MAX; i++) {
		struct region *r = &nc->regions[i];

		if (!r->measured || r->avoid || r->now.all)
			continue;
		nc->n_measuring++;
		r->to_measure = true;
	}
}

/* None answered: any will do until one does. Not always the same one, or all nodes of the world would be there. */
static int guess_home(const struct netcheck *nc)
{
	size_t n = 0, pick;

	for (size_t i = 0; i < nc->n_regions; i++)
		n += nc->regions[i].measured && !nc->regions[i].avoid;
	if (!n)
		return 0;
	pick = (size_t)rng_below(nc->cfg.rng, n);
	for (size_t i = 0; i < nc->n_regions; i++)
		if (nc->regions[i].measured && !nc->regions[i].avoid && pick-- == 0)
			return nc->regions[i].id;
	return 0;
}

static void choose_home(struct netcheck *nc, mono_ns now)
{
	int home = home_choose(
		nc->regions, nc->n_regions, nc->home_is_guess ? 0 : nc->home, nc->started, now);

	if (!home || (nc->home && !nc->home_is_guess && !nc->may_move))
		return;
	nc->home_is_guess = false;
	set_home(nc, home);
}

static void finish(struct netcheck *nc, mono_ns now)
{
	for (size_t i = 0; i < nc->n_regions; i++) {
		struct region *r = &nc->regions[i];

		if (r->now.all)
			home_remember(r, r->now.all, now);
		r->last = r->now;
	}
	choose_home(nc, now);
	nc->last = nc->now;
	nc->any_round = true;
	nc->running = false;
	forget_requests(nc);
	nc->n_lists = 0;
	nc->stop_at = nc->decide_at = MONO_NEVER;
	nc->changed |= NETCHECK_DONE;
}

static bool all_done(const struct netcheck *nc)
{
	for (size_t i = 0; i < nc->n_lists; i++)
		if (!nc->lists[i].done)
			return false;
	return !nc->n_measuring && (nc->now.udp || nc->measuring || !nc->cfg.can_measure);
}

static bool wants_measuring(const struct netcheck *nc, mono_ns now)
{
	return nc->cfg.can_measure && !nc->measuring && !nc->now.udp &&
	       now >= nc->started + blocked_after;
}

void netcheck_tick(struct netcheck *nc, mono_ns now)
{
	if (!nc->running)
		return;
	for (size_t i = 0; i < nc->n_lists; i++)
		run_list(nc, i, now);
	if (wants_measuring(nc, now))
		measure_all(nc);
	if (now >= nc->decide_at) {
		nc->decide_at = MONO_NEVER;
		choose_home(nc, now);
	}
	if (!nc->home && now >= nc->started + guess_after) {
		nc->home_is_guess = true;
		set_home(nc, guess_home(nc));
	}
	if (now >= nc->stop_at || all_done(nc))
		finish(nc, now);
}

mono_ns netcheck_deadline(const struct netcheck *nc)
{
	mono_ns at = mono_min(nc->stop_at, nc->decide_at);

	if (!nc->running)
		return MONO_NEVER;
	for (size_t i = 0; i < nc->n_lists; i++)
		at = mono_min(at, list_deadline(nc, &nc->lists[i]));
	if (nc->cfg.can_measure && !nc->measuring && !nc->now.udp)
		at = mono_min(at, nc->started + blocked_after);
	return nc->home ? at : mono_min(at, nc->started + guess_after);
}

/* ---- What came of it ---- */

static bool next_to_ask(struct netcheck *nc, struct netcheck_request *ret)
{
	for (size_t i = 0; i < nc->n_hosts; i++)
		if (nc->hosts[i].to_ask) {
			nc->hosts[i].to_ask = false;
			ret->kind = NETCHECK_RESOLVE;
			ret->host = nc->hosts[i].name;
			return true;
		}
	return false;
}

static bool next_to_measure(struct netcheck *nc, struct netcheck_request *ret)
{
	for (size_t i = 0; i < nc->n_regions; i++)
		if (nc->regions[i].to_measure) {
			nc->regions[i].to_measure = false;
			ret->kind = NETCHECK_MEASURE;
			ret->region = nc->regions[i].id;
			return true;
		}
	return false;
}

bool netcheck_next(struct netcheck *nc, struct netcheck_request *ret)
{
	const struct pending *p;

	*ret = (struct netcheck_request){ .kind = NETCHECK_SEND };
	if (nc->next_to_send == nc->n_pending)
		return next_to_ask(nc, ret) || next_to_measure(nc, ret);
	p = &nc->pending[nc->next_to_send++];
	ret->to = p->to;
	stun_request_encode(p->txid, ret->request);
	return true;
}

unsigned netcheck_take_changed(struct netcheck *nc)
{
	unsigned changed = nc->changed;

	nc->changed = 0;
	return changed;
}

/* ---- What is ---- */

int netcheck_home(const struct netcheck *nc)
{
	return nc->home;
}

const struct netcheck_report *netcheck_now(const struct netcheck *nc)
{
	return nc->running ? &nc->now : &nc->last;
}

const struct netcheck_report *netcheck_last(const struct netcheck *nc)
{
	return nc->any_round ? &nc->last : NULL;
}

size_t netcheck_n_regions(const struct netcheck *nc)
{
	return nc->n_regions;
}

struct netcheck_latency netcheck_latency(const struct netcheck *nc, size_t i)
{
	struct netcheck_latency l = nc->any_round ? nc->regions[i].last : nc->regions[i].now;

	l.region = nc->regions[i].id;
	l.why = l.all ? 0 : nc->regions[i].why;
	return l;
}
