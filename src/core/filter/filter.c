#include "core/filter/flows.h"
#include "core/filter/rules.h"

#include <errno.h>

enum { PEERAPI_MAX = 4, PACKET_MIN = 20 };

struct filter {
	struct filter_rules *rules; /* NULL at first */
	struct flows flows, jailed_flows;
	struct flows admitted; /* TCP, UDP and SCTP that a rule let in */
	struct ipport peerapi[PEERAPI_MAX];
	size_t n_peerapi;
	struct filter_counters counters;
};

const char *filter_verdict_text(enum filter_verdict v)
{
	static const char *const text[FILTER_N_VERDICTS] = {
#define X(id, text) [FILTER_ACCEPT_##id] = text,
		FILTER_ACCEPT_LIST(X)
#undef X
#define X(id, text) [FILTER_DROP_##id] = text,
			FILTER_DROP_LIST(X)
#undef X
	};

	return text[v];
}

int filter_new(struct filter **ret, struct rng *rng)
{
	struct filter *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	if (flows_init(&f->flows, FILTER_FLOWS_MAX, rng) < 0 ||
		flows_init(&f->jailed_flows, FILTER_FLOWS_MAX, rng) < 0 ||
		flows_init(&f->admitted, FILTER_ADMITTED_MAX, rng) < 0) {
		filter_free(f);
		return -ENOMEM;
	}
	*ret = f;
	return 0;
}

void filter_free(struct filter *f)
{
	if (!f)
		return;
	filter_rules_free(f->rules);
	flows_fini(&f->flows);
	flows_fini(&f->jailed_flows);
	flows_fini(&f->admitted);
	free(f);
}

/* Would a rule let this flow's packets in? */
static bool flow_allowed(const void *ctx, const struct flow_key *k)
{
	const struct filter_rules *r = ctx;
	bool v6 = k->b[0] == 6;
	struct akey src = akey_load(v6, k->b + 2), dst = akey_load(v6, k->b + 18);
	uint32_t class;

	return table_local(&r->table[v6], dst, &class) &&
	       filter_rules_ports(r, v6, class, src, dst, k->b[1], load_be16(k->b + 36));
}

struct filter_rules *filter_swap(struct filter *f, struct filter_rules *take)
{
	struct filter_rules *old = f->rules;

	/* Who raises shields means the flows that were allowed before, too. */
	if (take && take->shields_up && old && !old->shields_up)
		flows_clear(&f->flows);
	if (take)
		flows_review(&f->admitted, flow_allowed, take);
	f->rules = take;
	return old;
}

const struct filter_rules *filter_current(const struct filter *f)
{
	return f->rules;
}

void filter_set_peerapi(struct filter *f, const struct ipport *at, size_t n)
{
	f->n_peerapi = MIN_OF(n, (size_t)PEERAPI_MAX);
	if (f->n_peerapi)
		memcpy(f->peerapi, at, f->n_peerapi * sizeof(*at));
}

const struct filter_counters *filter_counters(const struct filter *f)
{
	return &f->counters;
}

enum { UNDECIDED = FILTER_N_VERDICTS };

/* 169.254.169.254 is where clouds keep their metadata and resolvers; nodes may share it. */
static bool is_cloud_service(struct ipaddr a)
{
	return ipaddr_eq(a, ipaddr_v4(169, 254, 169, 254));
}

/* What holds in both directions. */
static int judge_any(const struct filter *f, const struct ip_pkt *p, size_t len)
{
	struct ipaddr dst;

	if (!f->rules)
		return FILTER_DROP_NO_RULES;
	if (len == 0)
		return FILTER_ACCEPT_KEEPALIVE;
	if (len < PACKET_MIN)
		return FILTER_DROP_SHORT;
	if (p->proto == IP_PROTO_UNKNOWN)
		return FILTER_DROP_UNREADABLE;
	dst = ip_dst(p);
	if (ipaddr_is_multicast(dst))
		return FILTER_DROP_MULTICAST;
	if (ipaddr_is_link_local(dst) && !is_cloud_service(dst))
		return FILTER_DROP_LINK_LOCAL;
	if (p->proto == IP_PROTO_FRAGMENT) /* its first part was judged, and without that nothing
					      comes of it */
		return FILTER_ACCEPT_FRAGMENT;
	return UNDECIDED;
}

static enum filter_verdict closed(const struct filter *f, bool jailed)
{
	return jailed                 ? FILTER_DROP_JAILED
	       : f->rules->shields_up ? FILTER_DROP_SHIELDS
				      : FILTER_DROP_RULES;
}

/*
 * Inbound, for a local destination. ICMP of the other family and all else that has no ports needs a
 * rule with all ports and its number. A ping is let in by any rule between the two, whatever its
 * ports: it tells no more than a closed port.
 */
static enum filter_verdict judge_in(
	struct filter *f, const struct ip_pkt *p, uint32_t class, bool jailed)
{
	bool v6 = p->version == 6, rule = false;
	struct akey src = akey_load(v6, p->src), dst = akey_load(v6, p->dst);

	if (p->proto == IP_PROTO_TSMP)
		return FILTER_ACCEPT_TSMP;
	if (flows_is_revoked(&f->admitted, p) && !ip_is_tcp_syn(p))
		return FILTER_DROP_REVOKED;
	if (p->proto == IP_PROTO_TCP && !ip_is_tcp_syn(p))
		return FILTER_ACCEPT_TCP_FLOW;
	if (p->proto == (v6 ? IP_PROTO_ICMPV6 : IP_PROTO_ICMP)) {
		if (ip_is_echo_reply(p) || ip_is_icmp_error(p))
			return FILTER_ACCEPT_ICMP_ANSWER;
		rule = !jailed && filter_rules_ping(f->rules, v6, class, src, dst);
	} else if (p->proto == IP_PROTO_TCP || p->proto == IP_PROTO_UDP ||
		   p->proto == IP_PROTO_SCTP) {
		if (p->proto != IP_PROTO_TCP &&
			flows_match(jailed ? &f->jailed_flows : &f->flows, p))
			return FILTER_ACCEPT_FLOW;
		rule = !jailed &&
		       filter_rules_ports(f->rules, v6, class, src, dst, p->proto, p->dport);
		if (rule)
			f->counters.admitted_evicted += flows_admit(&f->admitted, p);
	} else {
		rule = !jailed && filter_rules_other(f->rules, v6, class, src, dst, p->proto);
	}
	return rule ? FILTER_ACCEPT_RULE : closed(f, jailed);
}

static bool to_peerapi(const struct filter *f, const struct ip_pkt *p)
{
	struct ipport to;

	if (p->proto != IP_PROTO_TCP || !(p->tcp_flags & TCP_SYN))
		return false;
	to = (struct ipport){ .ip = ip_dst(p), .port = p->dport };
	for (size_t i = 0; i < f->n_peerapi; i++)
		if (ipport_eq(f->peerapi[i], to))
			return true;
	return false;
}

enum filter_verdict filter_in(struct filter *f, const uint8_t *pkt, size_t len, bool jailed)
{
	struct ip_pkt p;
	uint32_t class;
	int v;

	ip_decode(pkt, len, &p);
	v = judge_any(f, &p, len);
	if (v == UNDECIDED || v == FILTER_ACCEPT_FRAGMENT) {
		if (!table_local(&f->rules->table[p.version == 6], akey_load(p.version == 6, p.dst),
			    &class))
			v = FILTER_DROP_NOT_LOCAL;
		else if (v == UNDECIDED)
			v = judge_in(f, &p, class, jailed);
	}
	if (!filter_accepts((enum filter_verdict)v) && v != FILTER_DROP_NO_RULES &&
		to_peerapi(f, &p))
		v = FILTER_ACCEPT_PEERAPI;
	f->counters.in[v]++;
	return (enum filter_verdict)v;
}

bool filter_lets_in(const struct filter *f, struct ipaddr src, struct ipport dst)
{
	bool v6 = src.family == 6;
	struct akey from = akey_load(v6, src.b), to = akey_load(v6, dst.ip.b);
	uint32_t class;

	return f->rules && src.family && src.family == dst.ip.family &&
	       table_local(&f->rules->table[v6], to, &class) &&
	       filter_rules_ports(f->rules, v6, class, from, to, IP_PROTO_TCP, dst.port);
}

enum filter_verdict filter_out(struct filter *f, const uint8_t *pkt, size_t len, bool jailed)
{
	struct ip_pkt p;
	int v;

	ip_decode(pkt, len, &p);
	v = judge_any(f, &p, len);
	if (v == UNDECIDED) {
		if (p.proto == IP_PROTO_UDP || p.proto == IP_PROTO_SCTP)
			f->counters.flows_evicted +=
				flows_note(jailed ? &f->jailed_flows : &f->flows, &p);
		v = FILTER_ACCEPT_OUT;
	}
	f->counters.out[v]++;
	return (enum filter_verdict)v;
}

size_t filter_reject(
	enum filter_verdict v, const uint8_t *pkt, size_t len, uint8_t out[static TSMP_PACKET_MAX])
{
	struct ip_pkt p;
	struct tsmp m = { .type = TSMP_REJECT, .proto = IP_PROTO_TCP };
	int n;

	if (filter_accepts(v) || v == FILTER_DROP_NO_RULES)
		return 0;
	ip_decode(pkt, len, &p);
	if (p.version != 4 || p.proto != IP_PROTO_TCP || !(p.tcp_flags & TCP_SYN))
		return 0;
	m.reason = v == FILTER_DROP_SHIELDS || v == FILTER_DROP_JAILED ? TSMP_REASON_SHIELDS
								       : TSMP_REASON_ACL;
	m.sport = p.sport;
	m.dport = p.dport;
	n = tsmp_encode(ip_dst(&p), ip_src(&p), &m, out);
	return n < 0 ? 0 : (size_t)n;
}
