#include "core/filter/rules.h"

static bool ports_have(struct ports p, uint16_t port)
{
	return p.first <= port && port <= p.last;
}

static int which_ports(uint8_t proto)
{
	return proto == IP_PROTO_TCP ? WITH_TCP : proto == IP_PROTO_UDP ? WITH_UDP : WITH_SCTP;
}

/* The first range that ends at or behind the port. */
static bool perm_has_port(const struct table *t, const struct perm *p, int which, uint16_t port)
{
	const struct ports *v = t->ports + p->ports[which];
	size_t lo = 0, hi = p->n_ports[which];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (v[mid].last < port)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < p->n_ports[which] && v[lo].first <= port;
}

/* One question to the rules of a class that has no table. */
struct question {
	enum { ASK_PORTS, ASK_PING, ASK_OTHER } what;
	struct akey src, dst;
	uint8_t proto;
	uint16_t port;
};

static bool dst_answers(
	const struct filter_rules *r, int f, const struct dst *d, const struct question *q)
{
	const struct rule *rule = &r->rules[d->rule];

	if (!span_has(d->span, q->dst))
		return false;
	switch (q->what) {
	case ASK_PORTS:
		return protos_have(&rule->protos, q->proto) && ports_have(d->ports, q->port) &&
		       (spans_have(&rule->src[f], q->src) || spans_have(&rule->cap_src[f], q->src));
	case ASK_PING:
		return spans_have(&rule->src[f], q->src);
	case ASK_OTHER:
		return protos_have(&rule->protos, q->proto) && d->ports.first == 0 &&
		       d->ports.last == UINT16_MAX && spans_have(&rule->src[f], q->src);
	}
	return false;
}

static bool scan(
	const struct filter_rules *r, int f, const struct class *c, const struct question *q)
{
	for (uint32_t i = 0; i < c->n_dst; i++)
		if (dst_answers(r, f, &r->dst[f][r->table[f].scan[c->dst + i]], q))
			return true;
	return false;
}

static const struct perm *perm_of(const struct table *t, const struct class *c, struct akey src)
{
	return &t->perms[pieces_find(&c->src, src)];
}

bool filter_rules_ports(const struct filter_rules *r, int family, uint32_t class, struct akey src,
	struct akey dst, uint8_t proto, uint16_t port)
{
	const struct table *t = &r->table[family];
	const struct class *c = &t->classes[class];
	const struct question q = { ASK_PORTS, src, dst, proto, port };

	return c->scan ? scan(r, family, c, &q)
		       : perm_has_port(t, perm_of(t, c, src), which_ports(proto), port);
}

bool filter_rules_ping(
	const struct filter_rules *r, int family, uint32_t class, struct akey src, struct akey dst)
{
	const struct table *t = &r->table[family];
	const struct class *c = &t->classes[class];
	const struct question q = { ASK_PING, src, dst, 0, 0 };

	return (c->scan ? scan(r, family, c, &q) : perm_of(t, c, src)->any) ||
	       spans_have(&t->cap_src, src);
}

bool filter_rules_other(const struct filter_rules *r, int family, uint32_t class, struct akey src,
	struct akey dst, uint8_t proto)
{
	const struct table *t = &r->table[family];
	const struct class *c = &t->classes[class];
	const struct question q = { ASK_OTHER, src, dst, proto, 0 };

	return c->scan ? scan(r, family, c, &q) : protos_have(&perm_of(t, c, src)->other, proto);
}
