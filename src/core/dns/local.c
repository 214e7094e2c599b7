/* Names that the tailnet knows, and those that go nowhere. */
#include "core/dns/internal.h"

#include "proto/tsaddr/tsaddr.h"

enum { CNAMES_MAX = 8, VIA_TEXT_MAX = 64 };

/* What one name stands for here. */
struct found {
	const struct record *records; /* a list */
	const struct dns_known *host;
};

struct local_ctx {
	const struct setup *s;
	const struct ask *a;
	const struct route *zone; /* ours, with the name in it; NULL: none */
	uint32_t serial;
	struct wcur *w;
};

static const uint8_t daemon_name[] = "\010magicdns\032localhost-tailscale-daemon";
static const uint8_t onion[] = "\005onion";

static bool is_exactly(const struct dnsmsg_name *n, const uint8_t *wire, size_t len)
{
	return n->len == len && !memcmp(n->b, wire, len);
}

static bool has_suffix(const struct dnsmsg_name *n, const uint8_t *wire, size_t len)
{
	struct dnsmsg_name suffix = { .len = (uint8_t)len };

	memcpy(suffix.b, wire, len);
	return n->len > len && dnsmsg_name_is_below(n, &suffix);
}

bool local_is_browsing(const struct dnsmsg_name *n)
{
	static const char *const firsts[] = { "\001b", "\002db", "\001r", "\002dr", "\002lb" };
	static const char rest[] = "\007_dns-sd\004_udp";

	for (size_t i = 0; i < ARRAY_LEN(firsts); i++) {
		size_t k = strlen(firsts[i]);

		if (n->len > k + sizeof(rest) - 1 && !memcmp(n->b, firsts[i], k) &&
			!memcmp(n->b + k, rest, sizeof(rest) - 1))
			return true;
	}
	return false;
}

/* ---- Negative answers ---- */

static void put_soa(struct local_ctx *x)
{
	const struct dnsmsg_name *zone;
	uint8_t *at;

	if (!x->zone)
		return;
	zone = &x->zone->suffix;
	at = dnsmsg_begin_record(x->w, DNSMSG_AUTHORITY, zone, DNSMSG_SOA, TTL_LOCAL_SOA);
	dnsmsg_put_name(x->w, zone);
	dnsmsg_put_name(x->w, zone);
	wcur_be32(x->w, x->serial);
	for (int i = 0; i < 4; i++)
		wcur_be32(x->w, TTL_LOCAL_SOA);
	dnsmsg_end_record(x->w, at);
}

static enum local say(struct local_ctx *x, uint16_t flags, bool soa)
{
	answer_begin(x->w, x->a, flags);
	if (soa)
		put_soa(x);
	return LOCAL_ANSWERED;
}

/* ---- Names ---- */

static struct found look_up(const struct setup *s, const struct dnsmsg_name *lower)
{
	struct map_node *n = map_find(&s->records, lower->b, lower->len);
	struct found f = { .records = n ? container_of(n, struct record, node) : NULL };
	struct dnsmsg_name full;

	if (!s->names)
		return f;
	f.host = dns_names_find(s->names, lower);
	if (!f.host && s->magic && s->domain.len && dnsmsg_name_labels(lower) == 1 &&
		dnsmsg_name_join(lower, &s->domain, &full))
		f.host = dns_names_find(s->names, &full);
	return f;
}

/* A device whose name is above this one, and that takes all names below its own. */
static const struct dns_known *wildcard_host(const struct setup *s, const struct dnsmsg_name *lower)
{
	struct dnsmsg_name up;

	if (!s->names)
		return NULL;
	for (unsigned i = 0; i < lower->len && lower->b[i];) {
		const struct dns_known *h;

		i += 1u + lower->b[i];
		up.len = (uint8_t)(lower->len - i);
		memcpy(up.b, lower->b + i, up.len);
		h = dns_names_find(s->names, &up);
		if (h)
			return h->wildcard ? h : NULL;
	}
	return NULL;
}

/* IPv6 addresses are told where there is no other, or who asked for them: many programs try them first, and wait. */
static bool publishes(const struct setup *s, const struct dns_known *h, struct ipaddr ip)
{
	bool has4 = false;

	for (size_t i = 0; i < h->n_addrs; i++)
		has4 |= h->addrs[i].family == 4;
	if (ip.family == 4)
		return !s->v6_only;
	return s->v6_only || s->aaaa || !has4;
}

static bool type_wants(uint16_t asked, uint16_t type)
{
	return asked == type || asked == DNSMSG_ANY;
}

static size_t put_host(
	struct local_ctx *x, const struct dnsmsg_name *owner, const struct dns_known *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n_addrs; i++) {
		struct ipaddr ip = h->addrs[i];
		uint16_t type = ip.family == 4 ? DNSMSG_A : DNSMSG_AAAA;

		if (!type_wants(x->a->q.type, type) || !publishes(x->s, h, ip))
			continue;
		dnsmsg_put_address(x->w, owner, ip, TTL_LOCAL);
		n++;
	}
	return n;
}

static size_t put_records(
	struct local_ctx *x, const struct dnsmsg_name *owner, const struct record *r)
{
	size_t n = 0;

	for (; r; r = r->next) {
		uint8_t *at;

		if (!type_wants(x->a->q.type, r->type))
			continue;
		at = dnsmsg_begin_record(x->w, DNSMSG_ANSWER, owner, r->type, TTL_LOCAL);
		wcur_copy(x->w, r->rdata, r->rdata_len);
		dnsmsg_end_record(x->w, at);
		n++;
	}
	return n;
}

static const struct record *cname_of(const struct found *f)
{
	for (const struct record *r = f->records; r; r = r->next)
		if (r->type == DNSMSG_CNAME)
			return r;
	return NULL;
}

/* Follows aliases as long as they lead to names that are known here; who asked follows the rest. */
static size_t put_found(struct local_ctx *x, struct found f)
{
	struct dnsmsg_name owner = { 0 };
	size_t n = 0;

	for (int i = 0; i < CNAMES_MAX; i++) {
		const struct record *alias = x->a->q.type == DNSMSG_CNAME ? NULL : cname_of(&f);
		uint8_t *at;

		if (!alias || f.host) {
			n += put_records(x, owner.len ? &owner : NULL, f.records);
			return n + (f.host ? put_host(x, owner.len ? &owner : NULL, f.host) : 0);
		}
		at = dnsmsg_begin_record(
			x->w, DNSMSG_ANSWER, owner.len ? &owner : NULL, DNSMSG_CNAME, TTL_LOCAL);
		wcur_copy(x->w, alias->rdata, alias->rdata_len);
		dnsmsg_end_record(x->w, at);
		n++;
		owner.len = (uint8_t)alias->rdata_len;
		memcpy(owner.b, alias->rdata, alias->rdata_len);
		dnsmsg_name_lower(&owner);
		f = look_up(x->s, &owner);
		if (!f.records && !f.host)
			return n;
	}
	return n;
}

static enum local answer_name(struct local_ctx *x, struct found f)
{
	switch (x->a->q.type) {
	case DNSMSG_NS:
	case DNSMSG_SOA:
	case DNSMSG_AXFR:
	case DNSMSG_HINFO:
		return say(x, DNSMSG_AA | DNSMSG_NOTIMP, false);
	}
	answer_begin(x->w, x->a, DNSMSG_AA);
	if (!put_found(x, f))
		put_soa(x);
	return LOCAL_ANSWERED;
}

/* ---- Addresses ---- */

/* The name of an address, if it has one here. */
static bool name_of_address(const struct setup *s, struct ipaddr ip, struct dnsmsg_name *ret)
{
	struct ipaddr v4;
	struct map_node *n;
	const struct dns_known *h;

	if (tsaddr_6to4(ip, &v4) == 0)
		ip = v4;
	if (ipaddr_eq(ip, tsaddr_service) || ipaddr_eq(ip, tsaddr_service6)) {
		ret->len = sizeof(daemon_name);
		memcpy(ret->b, daemon_name, sizeof(daemon_name));
		return true;
	}
	h = s->names ? dns_names_by_address(s->names, ip) : NULL;
	n = map_find(&s->addrs, ip.b, ip.family == 4 ? 4 : 16);
	if (!h && !n)
		return false;
	if (h)
		dns_known_name(h, ret);
	else
		*ret = container_of(n, struct record, by_addr)->name;
	return true;
}

/* "10-1-1-5-via-7" below our domain, for an address of the range of sites. */
static bool name_of_via(const struct setup *s, struct ipaddr ip, struct dnsmsg_name *ret)
{
	struct ipaddr v4 = tsaddr_unmap_via(ip);
	struct dnsmsg_name label;
	char text[VIA_TEXT_MAX];
	int n;

	if (v4.family != 4 || ip.family != 6 || !s->magic || !s->domain.len)
		return false;
	n = snprintf(text, sizeof(text), "%u-%u-%u-%u-via-%u", v4.b[0], v4.b[1], v4.b[2], v4.b[3],
		load_be32(ip.b + 8));
	return dnsmsg_name_parse(text, (size_t)n, &label) == 0 &&
	       dnsmsg_name_join(&label, &s->domain, ret);
}

static enum local answer_reverse(struct local_ctx *x, const struct dnsmsg_name *name)
{
	uint8_t *at;

	answer_begin(x->w, x->a, DNSMSG_AA);
	if (!type_wants(x->a->q.type, DNSMSG_PTR)) {
		put_soa(x);
		return LOCAL_ANSWERED;
	}
	at = dnsmsg_begin_record(x->w, DNSMSG_ANSWER, NULL, DNSMSG_PTR, TTL_LOCAL);
	dnsmsg_put_name(x->w, name);
	dnsmsg_end_record(x->w, at);
	return LOCAL_ANSWERED;
}

/* A name that is an address behind a site, by itself. */
static bool via_address(const struct setup *s, const struct dnsmsg_name *lower, struct ipaddr *ret)
{
	char text[DNSMSG_TEXT_MAX];
	size_t label = lower->b[0], len;

	if (!label)
		return false;
	dnsmsg_name_format(lower, text);
	len = strlen(text) - 1; /* the dot at the end */
	if (tsaddr_via_of_name(view_of(text, len), ret) == 0)
		return true;
	if (!s->magic || !s->domain.len || lower->len != 1 + label + s->domain.len ||
		!dnsmsg_name_is_below(lower, &s->domain))
		return false;
	return tsaddr_via_of_name(view_of(lower->b + 1, label), ret) == 0;
}

static enum local answer_addresses(struct local_ctx *x, struct ipaddr ip4, struct ipaddr ip6)
{
	answer_begin(x->w, x->a, DNSMSG_AA);
	if (ip4.family && type_wants(x->a->q.type, DNSMSG_A))
		dnsmsg_put_address(x->w, NULL, ip4, TTL_LOCAL);
	if (ip6.family && type_wants(x->a->q.type, DNSMSG_AAAA))
		dnsmsg_put_address(x->w, NULL, ip6, TTL_LOCAL);
	if (!load_be16(x->w->start + 6))
		put_soa(x);
	return LOCAL_ANSWERED;
}

/* ---- All together ---- */

/* Names with a meaning of their own, whatever the map says. */
static enum local answer_special(struct local_ctx *x)
{
	const struct dnsmsg_name *n = &x->a->lower;
	uint16_t type = x->a->q.type;
	struct ipaddr ip = { 0 }, none = { 0 };
	struct dnsmsg_name name;

	if (local_is_browsing(n))
		return say(x, DNSMSG_NXDOMAIN, false);
	if (has_suffix(n, onion, sizeof(onion)))
		return say(x, DNSMSG_AA | DNSMSG_NXDOMAIN, false);
	if (is_exactly(n, daemon_name, sizeof(daemon_name)))
		return answer_addresses(x, tsaddr_service, tsaddr_service6);
	if ((type_wants(type, DNSMSG_AAAA) || type == DNSMSG_A) && via_address(x->s, n, &ip))
		return answer_addresses(x, none, ip);
	if (!reverse_address(n, &ip))
		return LOCAL_FORWARD;
	if (name_of_address(x->s, ip, &name) || name_of_via(x->s, ip, &name))
		return answer_reverse(x, &name);
	return LOCAL_FORWARD;
}

static enum local answer_any(struct local_ctx *x)
{
	const struct dnsmsg_name *n = &x->a->lower;
	struct found f = look_up(x->s, n);

	/* A record may have a reverse name; an address with a name comes first when it is asked for that. */
	if ((!f.records || type_wants(x->a->q.type, DNSMSG_PTR)) &&
		answer_special(x) == LOCAL_ANSWERED)
		return LOCAL_ANSWERED;
	if (has_suffix(n, onion, sizeof(onion)))
		return say(x, DNSMSG_AA | DNSMSG_NXDOMAIN, false);
	if (!f.records && !f.host)
		f.host = wildcard_host(x->s, n);
	if (f.records || f.host)
		return answer_name(x, f);
	return x->zone ? say(x, DNSMSG_AA | DNSMSG_NXDOMAIN, true) : LOCAL_FORWARD;
}

enum local local_answer(const struct setup *s, const struct ask *a, unix_ms wall, struct wcur *w,
	const struct route **route)
{
	const struct route *r = setup_route(s, &a->lower);
	struct local_ctx x = { .s = s,
		.a = a,
		.zone = r && r->local ? r : NULL,
		.serial = (uint32_t)(wall / 1000),
		.w = w };

	*route = r;
	if (answer_any(&x) == LOCAL_FORWARD)
		return LOCAL_FORWARD;
	/* The name is ours, so nobody else is asked. We only know addresses on the Internet, and only questions. */
	if (a->flags & DNSMSG_OPCODE)
		*w = wcur_over(w->start, ANSWER_MAX), answer_begin(w, a, DNSMSG_NOTIMP);
	else if (a->q.class != DNSMSG_IN && a->q.class != DNSMSG_CLASS_ANY)
		*w = wcur_over(w->start, ANSWER_MAX), answer_begin(w, a, DNSMSG_REFUSED);
	return LOCAL_ANSWERED;
}

bool local_is_filtered(const struct setup *s, const struct dnsmsg_name *lower)
{
	const struct route *r = setup_route(s, lower);

	if (r && r->local)
		return true;
	for (size_t i = 0; i < s->n_filtered; i++) {
		const struct filtered *f = &s->filtered[i];

		if (f->below ? lower->len > f->name.len && dnsmsg_name_is_below(lower, &f->name)
			     : lower->len == f->name.len &&
					!memcmp(lower->b, f->name.b, lower->len))
			return true;
	}
	return false;
}
