#include "core/dns/internal.h"

enum { BAD_REPLIES_MAX = 8 }; /* over UDP: somebody guesses ids, so another way is taken */

/* Options of a question that concern the neighbour only (RFC 5001, 7828, 7830, 7873, 8914); others are passed on. */
enum {
	OPTION_NSID = 3,
	OPTION_COOKIE = 10,
	OPTION_KEEPALIVE = 11,
	OPTION_PADDING = 12,
	OPTION_ERROR = 15
};

int dns_new(struct dns **ret, struct rng *rng)
{
	static const struct dns_config nothing;
	struct dns *d = NEW_WITH_BUFFERS(struct dns, scratch);
	uint8_t seed[16];
	int rc;

	if (!d)
		return -ENOMEM;
	d->rng = rng;
	rng_fill(rng, seed, sizeof(seed));
	map_init(&d->jobs, seed);
	map_init(&d->exchanges, seed);
	map_init(&d->groups, seed);
	list_init(&d->out);
	list_init(&d->all_jobs);
	arena_init(&d->base_mem, 1 << 16);
	cache_init(&d->cache, rng);
	rc = setup_new(&d->setup, &nothing, rng);
	if (rc < 0) {
		dns_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

static void drop_waiters(struct dns *d, struct job *j)
{
	list_for_each_safe(p, &j->waiters)
		waiter_drop(d, container_of(p, struct ask, link));
}

struct dns *dns_free(struct dns *d)
{
	if (!d)
		return NULL;
	list_for_each_safe(p, &d->all_jobs) {
		struct job *j = container_of(p, struct job, link);

		drop_waiters(d, j);
		race_drop(d, j);
	}
	out_drop(d);
	cache_fini(&d->cache);
	setup_free(d->setup);
	arena_fini(&d->base_mem);
	map_fini(&d->jobs);
	map_fini(&d->exchanges);
	map_fini(&d->groups);
	heap_fini(&d->timers);
	free(d);
	return NULL;
}

/* ---- Questions ---- */

static const struct route *route_or_default(const struct dns *d, const struct route *r)
{
	if (r)
		return r;
	if (d->setup->defaults.n_paths || d->setup->no_base)
		return &d->setup->defaults;
	return &d->base;
}

/* Servers that are not us. by_address: whose place need not be asked for. */
static bool has_servers(const struct route *r, bool by_address)
{
	for (size_t i = 0; i < r->n_paths; i++)
		if (!r->paths[i].loop && !(by_address && r->paths[i].place))
			return true;
	return false;
}

/* Where it is asked where a server is. Without a server that has an address, those of the system are left. */
static const struct route *route_of_place(const struct dns *d, const struct route *r)
{
	if (r && has_servers(r, true))
		return r;
	if (d->setup->no_base || has_servers(&d->setup->defaults, true))
		return &d->setup->defaults;
	return &d->base;
}

static bool answer_cached(
	struct dns *d, const struct ask *a, struct view key, mono_ns now, bool *stale)
{
	struct cached c;

	*stale = false;
	if (!cache_find(&d->cache, key, now, &c))
		return false;
	if (c.stale && c.recheck <= now) {
		*stale = true;
		return false;
	}
	d->n.cached++;
	out_reply(d, a, &c);
	return true;
}

static void forward(
	struct dns *d, const struct ask *a, const struct route *r, struct view raw, struct now now)
{
	uint8_t key[CACHE_KEY_MAX];
	struct view k = view_of(key, cache_key(a, key));
	/* One of our own joins none: that one may be waiting for it. */
	struct job *there = raw.len || a->own ? NULL : race_find(d, k);
	bool stale = false;

	if (there) {
		race_returned(d, there, a->id, now);
		there = race_find(d, k); /* that may have been its last server */
	}

	if (!has_servers(r, a->own)) {
		d->n.no_upstream++;
		out_error(d, a, DNSMSG_SERVFAIL);
		return;
	}
	if (!raw.len && answer_cached(d, a, k, now.mono, &stale))
		return;
	if (!waiter_fits(d, a)) {
		out_error(d, a, DNSMSG_SERVFAIL);
	} else if (there && waiter_add(d, there, a)) {
		d->n.joined++;
	} else if (d->n_jobs >= DNS_JOBS_MAX) {
		d->n.refused_busy++;
		out_error(d, a, DNSMSG_SERVFAIL);
	} else if (there || !race_begin(d, r, a, raw, stale, now)) {
		d->n.no_memory++;
		out_error(d, a, DNSMSG_SERVFAIL);
	}
}

static bool has_foreign_options(const struct dnsmsg_opt *o)
{
	struct cur c = cur_over(o->options.p, o->options.len);

	while (cur_left(&c)) {
		unsigned code = cur_be16(&c);

		cur_skip(&c, cur_be16(&c));
		if (c.bad ||
			(code != OPTION_NSID && code != OPTION_COOKIE && code != OPTION_KEEPALIVE &&
				code != OPTION_PADDING && code != OPTION_ERROR))
			return true;
	}
	return false;
}

/* One question, and nothing beside it that has to arrive as it is. */
static bool is_plain(const struct dnsmsg *m)
{
	unsigned more =
		m->h.n[DNSMSG_ANSWER] + m->h.n[DNSMSG_AUTHORITY] + m->h.n[DNSMSG_ADDITIONAL];

	if (m->h.flags & DNSMSG_OPCODE || m->q.type == DNSMSG_AXFR || m->q.type == DNSMSG_IXFR)
		return false;
	return more == (m->opt.at ? 1u : 0u) &&
	       !(m->opt.options.len && has_foreign_options(&m->opt));
}

static size_t limit_of(struct dns_client who, const struct dnsmsg_opt *o)
{
	size_t n = MAX_OF(o->at ? o->size : 0, DNSMSG_UDP_MAX);

	return who.stream ? DNS_REPLY_MAX : MIN_OF(n, (size_t)DNS_UDP_ANSWER_MAX);
}

static void ask_read(struct dns *d, const struct ask *a, const struct dnsmsg *m, struct now now)
{
	struct wcur w = wcur_over(d->scratch, sizeof(d->scratch));
	const struct route *r = NULL;
	bool cut;

	if (a->who.peer) {
		if (local_is_filtered(d->setup, &a->lower)) {
			d->n.refused_peers++;
			out_error(d, a, DNSMSG_REFUSED);
			return;
		}
		if (local_is_browsing(&a->lower)) {
			d->n.local++;
			out_error(d, a, DNSMSG_NXDOMAIN);
			return;
		}
		r = setup_route(d->setup, &a->lower);
	} else if (local_answer(d->setup, a, now.wall, &w, &r) == LOCAL_ANSWERED) {
		d->n.local++;
		out_answer(d, a, answer_end(&w, a, 0, &cut));
		d->n.truncated += cut;
		return;
	}
	forward(d, a, a->own ? route_of_place(d, r) : route_or_default(d, r),
		is_plain(m) ? view_of(NULL, 0) : view_of(m->bytes.p, m->end), now);
}

/* ---- Servers that are known by name only ---- */

enum { OWN_GROUP = -1 };

static void ask_place(struct dns *d, const struct dnsmsg_name *name, uint16_t type, struct now now)
{
	struct ask a = { .who = { .group = (uint64_t)OWN_GROUP, .stream = true },
		.own = true,
		.flags = DNSMSG_RD,
		.q = { .name = *name, .type = type, .class = DNSMSG_IN },
		.lower = *name,
		.limit = DNS_REPLY_MAX };
	struct dnsmsg m = { .q = a.q };

	m.h.flags = a.flags;
	ask_read(d, &a, &m, now);
}

/* Asks where servers are that questions wait for, and goes on with these when it is known. At the end of each call. */
static void settle(struct dns *d, struct now now)
{
	struct dnsmsg_name name;

	do {
		while (place_wanted(d, &name, now.mono)) {
			d->n.lookups++;
			ask_place(d, &name, DNSMSG_A, now);
			ask_place(d, &name, DNSMSG_AAAA, now);
		}
		if (places_take(d, now.mono))
			race_places(d, now);
	} while (d->places_wanted || d->places_heard);
}

/* ---- The owner's questions ---- */

bool dns_ask(struct dns *d, struct dns_client who, struct view msg, struct now now)
{
	struct ask a = { .who = who, .limit = who.stream ? DNS_REPLY_MAX : DNSMSG_UDP_MAX };
	struct dnsmsg m;

	d->n.asked++;
	if (dnsmsg_header_read(msg, &m.h) < 0 || m.h.flags & DNSMSG_QR) {
		d->n.not_questions++;
		return false;
	}
	a.id = m.h.id;
	a.flags = m.h.flags;
	if (msg.len > DNS_ASK_MAX || dnsmsg_read(msg, &m) < 0 || m.h.n[DNSMSG_QUESTION] != 1) {
		d->n.formerr++;
		out_error(d, &a, DNSMSG_FORMERR);
		return true;
	}
	a.q = m.q;
	a.lower = m.q.name;
	dnsmsg_name_lower(&a.lower);
	a.has_opt = m.opt.at != 0;
	a.dnssec_ok = m.opt.dnssec_ok;
	a.limit = limit_of(who, &m.opt);
	if (m.opt.version) {
		d->n.badvers++;
		out_error(d, &a, DNSMSG_BADVERS);
		return true;
	}
	ask_read(d, &a, &m, now);
	settle(d, now);
	return true;
}

void dns_forget(struct dns *d, uint64_t id)
{
	list_for_each(p, &d->all_jobs) {
		struct job *j = container_of(p, struct job, link);

		list_for_each_safe(q, &j->waiters) {
			struct ask *a = container_of(q, struct ask, link);

			if (a->who.id == id && !a->own)
				waiter_drop(d, a);
		}
	}
}

bool dns_next(struct dns *d, struct dns_out *ret)
{
	struct list *p = list_pop_head(&d->out);
	struct map_node *n;

	free(d->taken);
	d->taken = p ? container_of(p, struct out, link) : NULL;
	if (!p)
		return false;
	*ret = d->taken->o;
	if (ret->kind == DNS_SEND) {
		n = map_find(&d->exchanges, &ret->exchange, sizeof(ret->exchange));
		CHECK(n); /* one that ended takes its sending back */
		container_of(n, struct exchange, node)->given = true;
	}
	return true;
}

/* ---- Replies ---- */

static struct exchange *exchange_find(const struct dns *d, uint64_t number)
{
	struct map_node *n = map_find(&d->exchanges, &number, sizeof(number));

	struct exchange *e = n ? container_of(n, struct exchange, node) : NULL;

	return e && e->given ? e : NULL; /* a number that nobody knows yet is none */
}

static bool same_question(const struct dnsmsg_question *a, const struct dnsmsg_question *b)
{
	return a->type == b->type && a->class == b->class && dnsmsg_name_eq(&a->name, &b->name);
}

/* Servers that do not understand, or do not want to, may leave the question out. */
static bool may_lack_question(unsigned rcode)
{
	return rcode == DNSMSG_FORMERR || rcode == DNSMSG_SERVFAIL || rcode == DNSMSG_NOTIMP ||
	       rcode == DNSMSG_REFUSED;
}

static bool is_reply_to(const struct exchange *e, const struct dnsmsg *m)
{
	const struct job *j = e->job;

	if (m->h.id != e->id || !(m->h.flags & DNSMSG_QR) ||
		(m->h.flags ^ j->flags) & DNSMSG_OPCODE)
		return false;
	if (!m->h.n[DNSMSG_QUESTION])
		return may_lack_question(m->h.flags & DNSMSG_RCODE) && !m->h.n[DNSMSG_ANSWER];
	return m->h.n[DNSMSG_QUESTION] == 1 && same_question(&m->q, &j->q);
}

bool dns_reply(struct dns *d, uint64_t exchange, struct view msg, struct now now)
{
	struct exchange *e = exchange_find(d, exchange);
	struct dnsmsg m;

	if (!e)
		return true;
	if (msg.len > DNS_REPLY_MAX || dnsmsg_read(msg, &m) < 0 || !is_reply_to(e, &m)) {
		d->n.bad_replies++;
		/* Over UDP anybody can send; on a connection the server itself does not know what it says. */
		if (e->transport == DNS_UDP && ++e->n_bad < BAD_REPLIES_MAX)
			return false;
		race_lost(d, e, now);
	} else {
		race_won(d, e, &m, now);
	}
	settle(d, now);
	return true;
}

void dns_failed(struct dns *d, uint64_t exchange, int rc, struct now now)
{
	struct exchange *e = exchange_find(d, exchange);

	(void)rc; /* whatever it was, another way is taken */
	if (e)
		race_lost(d, e, now);
	settle(d, now);
}

/* ---- Configuration ---- */

/* Questions under way, asked again by what holds now. */
static void ask_again(struct dns *d, struct list *asks, struct now now)
{
	struct list *p;

	while ((p = list_pop_head(asks))) {
		struct ask *a = container_of(p, struct ask, link);
		struct dnsmsg m = { .q = a->q };
		struct ask copy = *a;

		waiter_drop(d, a);
		m.h.flags = copy.flags;
		ask_read(d, &copy, &m, now);
	}
	settle(d, now);
}

/* All jobs end; who waits is put into the list. Messages that were passed on as they came are not known any more: they fail. */
static void stop_jobs(struct dns *d, struct list *waiting)
{
	list_init(waiting);
	list_for_each_safe(p, &d->all_jobs) {
		struct job *j = container_of(p, struct job, link);

		list_for_each_safe(q, &j->waiters) {
			struct ask *a = container_of(q, struct ask, link);

			if (j->raw)
				out_error(d, a, DNSMSG_SERVFAIL);
			if (j->raw || a->own) {
				waiter_drop(d, a);
				continue;
			}
			list_remove(q);
			list_push_tail(waiting, q);
		}
		race_drop(d, j);
	}
	places_reset(d, false);
}

int dns_configure(struct dns *d, const struct dns_config *c, struct now now)
{
	struct setup *s;
	struct list waiting;
	int rc = setup_new(&s, c, d->rng);

	if (rc < 0)
		return rc;
	stop_jobs(d, &waiting);
	setup_free(d->setup);
	d->setup = s;
	d->n.records_ignored = s->ignored;
	cache_flush(&d->cache);
	d->failing_since = 0;
	ask_again(d, &waiting, now);
	return 0;
}

int dns_set_base(struct dns *d, const struct dns_upstream *up, size_t n, struct now now)
{
	struct arena mem;
	struct route r = { 0 };
	struct list waiting;
	int rc;

	arena_init(&mem, d->base_mem.max);
	rc = setup_paths(&mem, up, n, d->setup->own, d->setup->n_own, &r);
	if (rc < 0) {
		arena_fini(&mem);
		return rc;
	}
	stop_jobs(d, &waiting);
	arena_fini(&d->base_mem);
	d->base_mem = mem;
	d->base = r;
	cache_flush(&d->cache);
	ask_again(d, &waiting, now);
	return 0;
}

static void forget_paths(struct route *r)
{
	for (size_t i = 0; i < r->n_paths; i++)
		r->paths[i] = (struct path){ .up = r->paths[i].up,
			.place = r->paths[i].place,
			.fallback = r->paths[i].fallback };
}

void dns_network_changed(struct dns *d, struct now now)
{
	struct list waiting;

	stop_jobs(d, &waiting);
	for (size_t i = 0; i < d->setup->n_list; i++)
		forget_paths(&d->setup->list[i]);
	forget_paths(&d->setup->defaults);
	forget_paths(&d->base);
	places_reset(d, true);
	cache_flush(&d->cache);
	d->failing_since = 0;
	ask_again(d, &waiting, now);
}

void dns_flush(struct dns *d)
{
	cache_flush(&d->cache);
}

/* ---- Time ---- */

void dns_tick(struct dns *d, struct now now)
{
	struct heap_node *t;

	while ((t = heap_pop_due(&d->timers, now.mono)))
		race_run(d, container_of(t, struct job, timer), now);
	settle(d, now);
}

mono_ns dns_deadline(const struct dns *d)
{
	return heap_deadline(&d->timers);
}

/* ---- What is ---- */

const struct dns_counters *dns_counters(const struct dns *d)
{
	return &d->n;
}

void dns_figures(const struct dns *d, struct dns_figures *ret)
{
	*ret = (struct dns_figures){ .cache_entries = d->cache.map.n_items,
		.cache_bytes = d->cache.bytes,
		.jobs = d->n_jobs,
		.waiters = d->n_waiters };
}

mono_ns dns_failing_since(const struct dns *d)
{
	return d->failing_since;
}

static bool upstream_in(
	const struct route *r, const char *name, size_t *i, struct dns_upstream_state *ret)
{
	const struct path *p;

	if (*i >= r->n_paths) {
		*i -= r->n_paths;
		return false;
	}
	p = &r->paths[*i];
	*ret = (struct dns_upstream_state){ .up = &p->up,
		.rtt = p->rtt,
		.failures = p->failures,
		.away_until = p->failures ? p->next_try : 0,
		.loop = p->loop };
	snprintf(ret->route, sizeof(ret->route), "%s", name);
	return true;
}

bool dns_upstream_at(const struct dns *d, size_t i, struct dns_upstream_state *ret)
{
	char text[DNSMSG_TEXT_MAX];

	for (size_t k = 0; k < d->setup->n_list; k++) {
		const struct route *r = &d->setup->list[k];

		if (upstream_in(r, dnsmsg_name_format(&r->suffix, text), &i, ret))
			return true;
	}
	return upstream_in(&d->setup->defaults, "", &i, ret) || upstream_in(&d->base, "", &i, ret);
}

size_t dns_upstreams_for(
	const struct dns *d, const char *name, const struct dns_upstream **ret, size_t max)
{
	struct dnsmsg_name n;
	const struct route *r;
	size_t k = 0;

	if (dnsmsg_name_parse(name, strlen(name), &n) < 0)
		return 0;
	dnsmsg_name_lower(&n);
	r = route_or_default(d, setup_route(d->setup, &n));
	for (; k < r->n_paths && k < max; k++)
		ret[k] = &r->paths[k].up;
	return k;
}
