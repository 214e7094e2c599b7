/*
 * Where servers are that are known by name only ("https://dns.example/dns-query", "tls://dns.example"). A question that needs one says so
 * here (places_find); the engine asks for its addresses, of servers that have some, and goes on when they are known. What is known holds as
 * long as its answers say, and is used while it is asked for anew.
 */
#include "core/dns/internal.h"

enum {
	TTL_MIN_S = 60, /* connections rest for longer than many such names hold */
	TTL_MAX_S = 86400,
};

#define ASK_AGAIN SEC(5) /* after the last question, whatever came of it */

/* The i-th path of all; NULL: there are not so many. */
static struct path *path_at(struct dns *d, size_t i)
{
	for (size_t k = 0; k < d->setup->n_list; k++) {
		struct route *r = &d->setup->list[k];

		if (i < r->n_paths)
			return &r->paths[i];
		i -= r->n_paths;
	}
	return i < d->setup->defaults.n_paths ? &d->setup->defaults.paths[i] : NULL;
}

enum place_state places_find(struct dns *d, struct path *p, mono_ns now)
{
	struct place *l = p->place;

	if (!l)
		return PLACE_KNOWN;
	if (!l->n_pending && now >= l->ask_after && (!p->up.n_dial || now >= l->good_until))
		l->wanted = d->places_wanted = true;
	if (p->up.n_dial)
		return PLACE_KNOWN;
	return l->wanted || l->n_pending ? PLACE_ASKED : PLACE_UNKNOWN;
}

/* All paths of that name have their question with this one. */
static void begin(struct dns *d, const struct dnsmsg_name *name, mono_ns now)
{
	struct path *p;

	for (size_t i = 0; (p = path_at(d, i)); i++) {
		struct place *l = p->place;

		if (!l || !dnsmsg_name_eq(&l->name, name))
			continue;
		l->wanted = l->heard = false;
		l->n_found = 0;
		l->n_pending = 2;
		l->ttl = TTL_MAX_S;
		l->ask_after = now + ASK_AGAIN;
	}
}

bool place_wanted(struct dns *d, struct dnsmsg_name *ret, mono_ns now)
{
	struct path *p;

	if (!d->places_wanted)
		return false;
	for (size_t i = 0; (p = path_at(d, i)); i++) {
		if (!p->place || !p->place->wanted)
			continue;
		*ret = p->place->name;
		begin(d, ret, now);
		return true;
	}
	d->places_wanted = false;
	return false;
}

/* ---- Answers ---- */

static bool has(const struct ipaddr *v, size_t n, struct ipaddr ip)
{
	for (size_t i = 0; i < n; i++)
		if (ipaddr_eq(v[i], ip))
			return true;
	return false;
}

/* An address of the answer; unset: the record has none, or it would be ourselves. */
static struct ipaddr address_of(
	const struct dns *d, const struct dnsmsg *m, const struct dnsmsg_record *r, uint16_t type)
{
	const uint8_t *data = m->bytes.p + r->rdata_at;
	struct ipaddr ip = { 0 };

	if (r->section != DNSMSG_ANSWER || r->type != type)
		return ip;
	if (type == DNSMSG_A && r->rdata_len == 4)
		ip = ipaddr_from4(data);
	else if (type == DNSMSG_AAAA && r->rdata_len == 16)
		ip = ipaddr_from16(data);
	return setup_is_own(d->setup, ip) ? (struct ipaddr){ 0 } : ip;
}

static void add_found(struct place *l, struct ipaddr ip, uint32_t ttl)
{
	if (!ipaddr_is_set(ip) || l->n_found == DNS_DIAL_MAX || has(l->found, l->n_found, ip))
		return;
	l->found[l->n_found++] = ip;
	l->ttl = MIN_OF(l->ttl, ttl);
}

void place_heard(struct dns *d, const struct ask *a, struct view msg)
{
	struct dnsmsg_record r;
	struct path *p;
	struct dnsmsg m;

	if (dnsmsg_read(msg, &m) < 0)
		m = (struct dnsmsg){ .bytes = msg }; /* nothing is in it */
	for (size_t i = 0; (p = path_at(d, i)); i++) {
		struct place *l = p->place;
		size_t index = 0;

		if (!l || !l->n_pending || !dnsmsg_name_eq(&l->name, &a->lower))
			continue;
		while (dnsmsg_next(msg, &m.h, m.question_end, &index, &r) == 0)
			add_found(l, address_of(d, &m, &r, a->q.type), r.ttl);
		l->n_pending--;
		l->heard = d->places_heard = true;
	}
}

/* Addresses that are known already keep their order: a connection to them is used further. */
static void take(struct path *p, mono_ns now)
{
	struct place *l = p->place;
	size_t kept = 0;

	l->heard = false;
	if (!l->n_found || (l->n_pending && p->up.n_dial))
		return; /* rather what was known before than the half of it */
	for (size_t i = 0; i < p->up.n_dial; i++)
		if (has(l->found, l->n_found, p->up.dial[i]))
			p->up.dial[kept++] = p->up.dial[i];
	p->up.n_dial = kept;
	for (size_t i = 0; i < l->n_found; i++)
		if (!has(p->up.dial, p->up.n_dial, l->found[i]))
			p->up.dial[p->up.n_dial++] = l->found[i];
	l->good_until = now + SEC(MAX_OF(l->ttl, (uint32_t)TTL_MIN_S));
}

bool places_take(struct dns *d, mono_ns now)
{
	struct path *p;

	if (!d->places_heard)
		return false;
	d->places_heard = false;
	for (size_t i = 0; (p = path_at(d, i)); i++)
		if (p->place && p->place->heard)
			take(p, now);
	return true;
}

void places_reset(struct dns *d, bool forget)
{
	struct path *p;

	for (size_t i = 0; (p = path_at(d, i)); i++) {
		if (!p->place)
			continue;
		*p->place = (struct place){ .name = p->place->name,
			.good_until = forget ? 0 : p->place->good_until };
		if (forget)
			p->up.n_dial = 0;
	}
	d->places_wanted = d->places_heard = false;
}
