#include "testlib/naive_filter.h"

static uint64_t base(const struct naive_world *w, bool v6)
{
	return v6 ? w->v6 : w->v4;
}

struct ipaddr naive_addr(bool v6, uint64_t k)
{
	struct ipaddr a = { .family = v6 ? 6 : 4, .b = { 0xfd, 0x7a } };

	if (!v6)
		return ipaddr_v4(
			(uint8_t)(k >> 24), (uint8_t)(k >> 16), (uint8_t)(k >> 8), (uint8_t)k);
	store_be64(a.b + 8, k);
	return a;
}

static struct naive_range range_random(const struct naive_world *w, struct rng *rng)
{
	struct naive_range r = { .v6 = rng_below(rng, 2) };
	uint64_t k = base(w, r.v6) + rng_below(rng, w->n), size;

	r.first = r.last = k;
	if (rng_below(rng, w->one_in_wide) != 0)
		return r;
	switch (rng_below(rng, 6)) {
	case 0:
		r.both = true;
		break;
	case 1:
	case 2:
	case 3: /* a prefix */
		size = (uint64_t)1 << rng_below(rng, 6);
		r.first = k & ~(size - 1);
		r.last = r.first + size - 1;
		break;
	default: /* from here to somewhere */
		r.last = k + rng_below(rng, w->n);
	}
	return r;
}

struct naive_rule naive_rule_random(const struct naive_world *w, struct rng *rng)
{
	static const uint8_t protos[] = { 6, 17, 1, 58, 132, 47, 33 };
	struct naive_rule r = { .n_src = 1 + rng_below(rng, NAIVE_PER_RULE),
		.n_dst = 1 + rng_below(rng, NAIVE_PER_RULE),
		.n_proto = rng_below(rng, 2) ? 0 : 1 + rng_below(rng, NAIVE_PER_RULE),
		.by_cap = rng_below(rng, 20) == 0 };

	for (size_t i = 0; i < r.n_src; i++)
		r.src[i] = range_random(w, rng);
	for (size_t i = 0; i < r.n_dst; i++) {
		r.dst[i] = range_random(w, rng);
		r.last[i] = UINT16_MAX;
		if (rng_below(rng, 4) == 0)
			continue; /* all ports */
		r.first[i] = (uint16_t)rng_below(rng, 20);
		r.last[i] = (uint16_t)(r.first[i] + rng_below(rng, 6) -
				       1); /* now and then none at all */
	}
	for (size_t i = 0; i < r.n_proto; i++)
		r.proto[i] = protos[rng_below(rng, sizeof(protos))];
	return r;
}

struct naive_packet naive_packet_random(const struct naive_world *w, struct rng *rng)
{
	static const uint8_t protos[] = { 6, 6, 17, 17, 1, 58, 132, 47, 33 };
	struct naive_packet p = { .v6 = rng_below(rng, 2),
		.syn = rng_below(rng, 8) != 0,
		.proto = protos[rng_below(rng, sizeof(protos))],
		.sport = (uint16_t)rng_below(rng, 30),
		.dport = (uint16_t)rng_below(rng, 30) };

	p.src = base(w, p.v6) + rng_below(rng, w->n + 2);
	p.dst = base(w, p.v6) + rng_below(rng, w->n + 2);
	return p;
}

size_t naive_packet_encode(const struct naive_packet *p, uint8_t out[static NAIVE_PACKET_MAX])
{
	struct ipaddr src = naive_addr(p->v6, p->src), dst = naive_addr(p->v6, p->dst);
	size_t ihl = p->v6 ? IP6_LEN : IP4_LEN;
	uint8_t *t = out + ihl;

	memset(out, 0, NAIVE_PACKET_MAX);
	if (p->v6) {
		out[0] = 0x60;
		store_be16(out + 4, TCP_LEN);
		out[6] = p->proto;
		memcpy(out + 8, src.b, 16);
		memcpy(out + 24, dst.b, 16);
	} else {
		out[0] = 0x45;
		store_be16(out + 2, IP4_LEN + TCP_LEN);
		out[9] = p->proto;
		memcpy(out + 12, src.b, 4);
		memcpy(out + 16, dst.b, 4);
	}
	store_be16(t, p->sport);
	store_be16(t + 2, p->dport);
	if (p->proto == IP_PROTO_TCP)
		t[13] = p->syn ? TCP_SYN : TCP_ACK;
	if (p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6)
		store_be32(
			t, p->proto == IP_PROTO_ICMP ? 0x08000000 : 0x80000000); /* echo request */
	return ihl + TCP_LEN;
}

static const char *range_text(const struct naive_range *r, struct arena *a)
{
	char first[IPADDR_TEXT_MAX], last[IPADDR_TEXT_MAX];
	uint64_t size = r->last - r->first + 1;
	unsigned host = 0;

	if (r->both)
		return "*";
	ipaddr_format(naive_addr(r->v6, r->first), first);
	ipaddr_format(naive_addr(r->v6, r->last), last);
	if (size == 1)
		return arena_strdup(a, first);
	while ((uint64_t)1 << host < size)
		host++;
	if ((uint64_t)1 << host == size && r->first % size == 0)
		return arena_printf(a, "%s/%u", first, (r->v6 ? 128 : 32) - host);
	return arena_printf(a, "%s-%s", first, last);
}

void naive_rule_write(const struct naive_rule *r, struct tc_filter_rule *ret, struct arena *a)
{
	const char **src = arena_array(a, r->n_src, sizeof(*src));
	struct tc_net_port_range *dst = arena_array(a, r->n_dst, sizeof(*dst));
	int64_t *proto = arena_array(a, r->n_proto, sizeof(*proto));

	CHECK(src && dst && proto);
	for (size_t i = 0; i < r->n_src; i++)
		src[i] = range_text(&r->src[i], a);
	if (r->by_cap)
		src[0] = "cap:x";
	for (size_t i = 0; i < r->n_dst; i++)
		dst[i] = (struct tc_net_port_range){ .ip = range_text(&r->dst[i], a),
			.ports = { r->first[i], r->last[i] } };
	for (size_t i = 0; i < r->n_proto; i++)
		proto[i] = r->proto[i];
	*ret = (struct tc_filter_rule){ .src_ips = json_list_of(src, r->by_cap ? 1 : r->n_src),
		.dst_ports = json_list_of(dst, r->n_dst),
		.ip_proto = json_list_of(proto, r->n_proto) };
}

static bool in_range(const struct naive_range *r, bool v6, uint64_t k)
{
	return r->both || (r->v6 == v6 && r->first <= k && k <= r->last);
}

static bool has_proto(const struct naive_rule *r, uint8_t proto)
{
	for (size_t i = 0; i < r->n_proto; i++)
		if (r->proto[i] == proto)
			return true;
	return r->n_proto == 0 && (proto == 6 || proto == 17 || proto == 1 || proto == 58);
}

static bool has_src(const struct naive_rule *r, const struct naive_packet *p)
{
	for (size_t i = 0; i < r->n_src && !r->by_cap; i++)
		if (in_range(&r->src[i], p->v6, p->src))
			return true;
	return false;
}

static bool has_family(const struct naive_rule *r, bool v6)
{
	for (size_t i = 0; i < r->n_dst; i++)
		if (r->dst[i].both || r->dst[i].v6 == v6)
			return true;
	return false;
}

static bool rule_allows(
	const struct naive_world *w, const struct naive_rule *r, const struct naive_packet *p)
{
	bool ports = p->proto == 6 || p->proto == 17 || p->proto == 132,
	     ping = p->proto == (p->v6 ? 58 : 1);
	bool cap = r->by_cap && p->src == base(w, p->v6) + w->cap_holder;

	if (ping && cap && has_family(r, p->v6))
		return true;
	if (!has_src(r, p) && !(cap && ports))
		return false;
	if (!ping && !has_proto(r, p->proto))
		return false;
	for (size_t i = 0; i < r->n_dst; i++) {
		if (!in_range(&r->dst[i], p->v6, p->dst))
			continue;
		if (ping || (ports && r->first[i] <= p->dport && p->dport <= r->last[i]) ||
			(!ports && r->first[i] == 0 && r->last[i] == UINT16_MAX))
			return true;
	}
	return false;
}

bool naive_allows(const struct naive_world *w, const struct naive_rule *rules, size_t n,
	const struct naive_packet *p)
{
	for (size_t i = 0; i < n; i++)
		if (rule_allows(w, &rules[i], p))
			return true;
	return false;
}
