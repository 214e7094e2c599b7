#include "core/filter/carry.h"
#include "core/filter/rules.h"
#include "base/err/err.h"
#include "base/text/text.h"
#include "base/vec/vec.h"

#include <errno.h>

/* An address as a rule writes it. Unlike everywhere else a mapped one stays IPv6, which is how its
 * packets look. */
static int parse_addr(const char *s, size_t len, struct akey *ret, int *ret_family)
{
	struct ipaddr a;
	int rc = ipaddr_parse(s, len, &a);
	uint8_t b[16];

	if (rc < 0)
		return rc;
	*ret_family = memchr(s, ':', len) ? V6 : V4;
	ipaddr_to16(a, b);
	*ret = *ret_family == V6 ? akey_load(true, b) : akey_load(false, a.b);
	return 0;
}

/* Ones where the host bits are. */
static struct akey host_mask(int family, unsigned bits)
{
	unsigned host = (family == V6 ? 128 : 32) - bits;

	if (host >= 64)
		return (struct akey){ host == 128 ? UINT64_MAX : ((uint64_t)1 << (host - 64)) - 1,
			UINT64_MAX };
	return (struct akey){ 0, ((uint64_t)1 << host) - 1 };
}

static int parse_prefix(const char *s, size_t len, size_t slash, struct span *ret, int *ret_family)
{
	struct akey k, m;
	uint64_t bits;
	int rc = parse_addr(s, slash, &k, ret_family);

	if (rc < 0)
		return rc;
	if ((len - slash > 2 && s[slash + 1] == '0') ||
		text_u64(s + slash + 1, len - slash - 1, *ret_family == V6 ? 128 : 32, &bits) < 0)
		return -ERR_BAD_FORMAT;
	m = host_mask(*ret_family, (unsigned)bits);
	if ((k.hi & m.hi) || (k.lo & m.lo))
		return -ERR_BAD_FORMAT;
	*ret = (struct span){ k, { k.hi | m.hi, k.lo | m.lo } };
	return 0;
}

static int parse_range(const char *s, size_t len, size_t dash, struct span *ret, int *ret_family)
{
	int last_family, rc = parse_addr(s, dash, &ret->first, ret_family);

	if (rc == 0)
		rc = parse_addr(s + dash + 1, len - dash - 1, &ret->last, &last_family);
	if (rc == 0 && (*ret_family != last_family || akey_cmp(ret->first, ret->last) > 0))
		rc = -ERR_BAD_FORMAT;
	return rc;
}

int filter_parse_ips(const char *s, struct span ret[static 2], int ret_family[static 2])
{
	size_t len = strlen(s);
	const char *sep;
	int rc;

	if (strcmp(s, "*") == 0) {
		ret[0] = span_whole(false);
		ret[1] = span_whole(true);
		ret_family[0] = V4;
		ret_family[1] = V6;
		return 2;
	}
	if ((sep = strchr(s, '/'))) {
		rc = parse_prefix(s, len, (size_t)(sep - s), ret, ret_family);
	} else if ((sep = strchr(s, '-')) && !strchr(s, '%')) {
		rc = parse_range(s, len, (size_t)(sep - s), ret, ret_family);
	} else {
		if ((sep = strchr(s, '%')) && sep[1] &&
			strchr(s, ':')) /* the zone of an address means nothing here */
			len = (size_t)(sep - s);
		rc = parse_addr(s, len, &ret->first, ret_family);
		ret->last = ret->first;
	}
	return rc < 0 ? -ERR_BAD_FORMAT : 1;
}

static int count_range(struct filter_rules *r)
{
	return ++r->n_ranges > FILTER_RANGES_MAX ? -ERR_TOO_MANY : 0;
}

/* The addresses of those who hold a capability; looked up once for each name. */
static int holders_of(struct filter_rules *r, const struct filter_cfg *cfg, const char *name,
	struct cap_name **ret)
{
	struct cap_name *c;
	int rc;

	for (size_t i = 0; i < r->n_caps; i++)
		if (strcmp(r->caps[i].name, name) == 0) {
			*ret = &r->caps[i];
			return 0;
		}
	rc = r->n_caps == r->max_caps
		     ? vec_grow(&r->caps, &r->max_caps, sizeof(*r->caps), FILTER_CAP_NAMES_MAX)
		     : 0;
	if (rc < 0)
		return rc;
	c = &r->caps[r->n_caps++];
	*c = (struct cap_name){ .name = name };
	for (size_t i = 0; i < cfg->n_holders && rc == 0; i++) {
		struct ipaddr a = cfg->holders[i].addr;

		if (json_map_find(cfg->holders[i].caps, name))
			rc = spans_add(&c->src[family_of(a)], span_of_range(a, a));
	}
	*ret = c;
	return rc;
}

static int read_cap_source(
	struct filter_rules *r, const struct filter_cfg *cfg, const char *name, struct rule *rule)
{
	struct cap_name *c;
	int rc = holders_of(r, cfg, name, &c);

	r->uses_caps = true;
	for (int f = 0; f < N_FAMILIES && rc == 0; f++)
		for (size_t i = 0; i < c->src[f].n && rc == 0; i++) {
			rc = count_range(r);
			if (rc == 0)
				rc = spans_add(&rule->cap_src[f], c->src[f].v[i]);
		}
	return rc;
}

static int read_source(
	struct filter_rules *r, const struct filter_cfg *cfg, const char *s, struct rule *rule)
{
	struct span span[2];
	int family[2], n, rc = 0;

	if (s && strncmp(s, "cap:", 4) == 0)
		return read_cap_source(r, cfg, s + 4, rule);
	n = s ? filter_parse_ips(s, span, family) : -ERR_BAD_FORMAT;
	if (n < 0)
		r->n_bad++;
	for (int i = 0; i < n && rc == 0; i++) {
		rc = count_range(r);
		if (rc == 0)
			rc = spans_add(&rule->src[family[i]], span[i]);
	}
	return rc;
}

static int add_dst(struct filter_rules *r, int f, struct dst d)
{
	int rc = count_range(r);

	if (rc == 0 && r->n_dst[f] == r->max_dst[f])
		rc = vec_grow(&r->dst[f], &r->max_dst[f], sizeof(*r->dst[f]), FILTER_RANGES_MAX);
	if (rc == 0)
		r->dst[f][r->n_dst[f]++] = d;
	return rc;
}

static int read_dst(struct filter_rules *r, const struct tc_net_port_range *in)
{
	struct dst d = { .rule = (uint32_t)r->n_rules,
		.ports = { (uint16_t)in->ports.first, (uint16_t)in->ports.last } };
	struct span span[2];
	int family[2], n = in->ip ? filter_parse_ips(in->ip, span, family) : -ERR_BAD_FORMAT,
		       rc = 0;

	if (n < 0 || in->ports.first < 0 || in->ports.first > UINT16_MAX || in->ports.last < 0 ||
		in->ports.last > UINT16_MAX) {
		r->n_bad++;
		return 0;
	}
	for (int i = 0; i < n && rc == 0; i++) {
		d.span = span[i];
		rc = add_dst(r, family[i], d);
	}
	return rc;
}

static struct protos read_protos(const struct json_list *l)
{
	static const uint8_t usual[] = { IP_PROTO_TCP, IP_PROTO_UDP, IP_PROTO_ICMP,
		IP_PROTO_ICMPV6 };
	struct protos p = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(usual) && l->n == 0; i++)
		protos_add(&p, usual[i]);
	for (size_t i = 0; i < l->n; i++) {
		int64_t proto = *JSON_AT(*l, int64_t, i);

		if (proto >= 0 && proto <= UINT8_MAX)
			protos_add(&p, (uint8_t)proto);
	}
	return p;
}

static int read_grant(struct filter_rules *r, const struct tc_filter_rule *in)
{
	const struct tc_filter_rule only = { .cap_grant = in->cap_grant };
	struct tc_filter_rule kept;
	int rc = 0;

	if (r->n_grants == r->max_grants)
		rc = vec_grow(&r->grants, &r->max_grants, sizeof(*r->grants), FILTER_RULES_MAX);
	if (rc == 0)
		rc = json_clone(&tc_filter_rule_type, &only, &kept, &r->arena);
	if (rc == 0)
		r->grants[r->n_grants++] =
			(struct grant){ .rule = (uint32_t)r->n_rules, .caps = kept.cap_grant };
	return rc;
}

static int read_rule(
	struct filter_rules *r, const struct filter_cfg *cfg, const struct tc_filter_rule *in)
{
	struct rule *rule;
	int rc = r->n_rules == r->max_rules
			 ? vec_grow(&r->rules, &r->max_rules, sizeof(*r->rules), FILTER_RULES_MAX)
			 : 0;

	if (rc < 0)
		return rc;
	rule = &r->rules[r->n_rules];
	*rule = (struct rule){ .protos = read_protos(&in->ip_proto) };
	for (size_t i = 0; i < in->src_ips.n && rc == 0; i++)
		rc = read_source(r, cfg, *JSON_AT(in->src_ips, const char *, i), rule);
	for (size_t i = 0; i < in->dst_ports.n && rc == 0; i++)
		rc = read_dst(r, JSON_AT(in->dst_ports, struct tc_net_port_range, i));
	if (rc == 0 && in->cap_grant.n)
		rc = read_grant(r, in);
	for (int f = 0; f < N_FAMILIES; f++) {
		spans_merge(&rule->src[f]);
		spans_merge(&rule->cap_src[f]);
	}
	r->n_rules++; /* also on failure: the rule's memory is freed with the others */
	return rc;
}

static bool is_there(struct view v)
{
	return v.len && !view_eq(v, VIEW_LIT("null"));
}

/* An old form of rules, which would be read as wider than it was meant. */
static bool has_bits(const struct tc_filter_rule *in)
{
	bool yes = is_there(in->src_bits);

	for (size_t i = 0; i < in->dst_ports.n; i++)
		yes = yes || is_there(JSON_AT(in->dst_ports, struct tc_net_port_range, i)->bits);
	return yes;
}

static int read_lists(struct filter_rules *r, const struct filter_cfg *cfg)
{
	int rc = 0;

	for (size_t i = 0; i < cfg->n_lists; i++)
		for (size_t j = 0; j < cfg->lists[i].n; j++)
			r->refused = r->refused ||
				     has_bits(JSON_AT(cfg->lists[i], struct tc_filter_rule, j));
	for (size_t i = 0; i < cfg->n_lists && !r->refused; i++)
		for (size_t j = 0; j < cfg->lists[i].n && rc == 0; j++)
			rc = r->n_rules == FILTER_RULES_MAX
				     ? -ERR_TOO_MANY
				     : read_rule(r, cfg,
					       JSON_AT(cfg->lists[i], struct tc_filter_rule, j));
	return rc;
}

int filter_rules_read(struct filter_rules *r, const struct filter_cfg *cfg)
{
	int rc = 0;

	r->shields_up = cfg->shields_up;
	for (size_t i = 0; i < cfg->n_local && rc == 0; i++)
		rc = spans_add(
			&r->local[family_of(cfg->local[i].ip)], span_of_prefix(cfg->local[i]));
	if (rc == 0)
		rc = carry_spans(&cfg->carry, r->local);
	for (int f = 0; f < N_FAMILIES; f++)
		spans_merge(&r->local[f]);
	if (rc == 0 && !cfg->shields_up)
		rc = read_lists(r, cfg);
	for (size_t i = 0; i < r->n_caps; i++)
		for (int f = 0; f < N_FAMILIES; f++)
			spans_fini(&r->caps[i].src[f]);
	free(r->caps);
	r->caps = NULL;
	r->n_caps = 0;
	return rc;
}
