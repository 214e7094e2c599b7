#include "core/filter/carry.h"

#include <errno.h>

/* The widest networks that have names of their own are 10.0.0.0/8 and fc00::/7. */
enum { NAMED4_BITS = 8, NAMED6_BITS = 7, V4_BITS = 32 };

#define IP4(a, b, c, d, n) \
	{ \
		{ 4, { a, b, c, d } }, n \
	}

/* None of these is the internet. */
static const struct ipprefix special4[] = {
	IP4(0, 0, 0, 0, 8),        /* this network, unspecified */
	IP4(10, 0, 0, 0, 8),       /* RFC 1918 */
	IP4(100, 64, 0, 0, 10),    /* carrier's NAT, tailnets */
	IP4(127, 0, 0, 0, 8),      /* loopback */
	IP4(168, 63, 129, 16, 32), /* Azure's host behind the machine: metadata, keys */
	IP4(169, 254, 0, 0, 16),   /* link-local; 169.254.169.254: metadata of the other clouds */
	IP4(172, 16, 0, 0, 12),    /* RFC 1918 */
	IP4(192, 0, 0, 0, 24),     /* protocol assignments; 192.0.0.192: metadata */
	IP4(192, 168, 0, 0, 16),   /* RFC 1918 */
	IP4(224, 0, 0, 0, 4),      /* multicast */
	IP4(240, 0, 0, 0, 4),      /* reserved, broadcast */
};

/* What of IPv6 is given out: global unicast, and the internet's IPv4 behind NAT64. */
static const struct ipprefix internet6[] = {
	{ { 6, { 0x20 } }, 3 },
	{ { 6, { 0x00, 0x64, 0xff, 0x9b } }, 96 },
};

static const struct ipprefix teredo = { { 6, { 0x20, 0x01, 0, 0 } }, 32 };

/* IPv6 addresses that stand for an IPv4 one: it follows behind so many bytes. */
static const struct {
	uint8_t b[12];
	unsigned at;
} embedded[] = {
	{ { 0x00, 0x64, 0xff, 0x9b }, 12 }, /* NAT64 */
	{ { 0x20, 0x02 }, 2 },              /* 6to4 */
};

static bool is6(struct ipprefix p)
{
	return p.ip.family == 6;
}

bool carry_is_internet(struct ipprefix route)
{
	return route.bits < (is6(route) ? NAMED6_BITS : NAMED4_BITS);
}

/* Out of the internet goes the prefix, and what stands for it in IPv6. */
static int take_out(struct ipprefix p, struct spans out[static 2])
{
	int rc = spans_add(&out[is6(p)], span_of_prefix(p));

	for (size_t i = 0; i < ARRAY_LEN(embedded) && rc == 0 && !is6(p); i++) {
		struct ipprefix form = { .ip.family = 6,
			.bits = (uint8_t)(embedded[i].at * 8 + MIN_OF(p.bits, V4_BITS)) };

		memcpy(form.ip.b, embedded[i].b, sizeof(embedded[i].b));
		memcpy(form.ip.b + embedded[i].at, p.ip.b, 4);
		rc = spans_add(&out[1], span_of_prefix(form));
	}
	return rc;
}

static int internet_is_not(const struct filter_carry *c, struct spans out[static 2])
{
	int rc = take_out(teredo, out);

	for (size_t i = 0; i < ARRAY_LEN(special4) && rc == 0; i++)
		rc = take_out(special4[i], out);
	for (size_t i = 0; i < c->n_nets && rc == 0; i++)
		rc = take_out(c->nets[i], out);
	spans_merge(&out[0]);
	spans_merge(&out[1]);
	return rc;
}

/* What of a wide route is the internet at all. */
static int internet_of(struct ipprefix route, struct spans *ret)
{
	struct span r = span_of_prefix(route);
	int rc = 0;

	if (!is6(route))
		return spans_add(ret, r);
	for (size_t i = 0; i < ARRAY_LEN(internet6) && rc == 0; i++) {
		struct span s = span_of_prefix(internet6[i]);

		if (akey_cmp(s.first, r.first) < 0)
			s.first = r.first;
		if (akey_cmp(s.last, r.last) > 0)
			s.last = r.last;
		if (akey_cmp(s.first, s.last) <= 0)
			rc = spans_add(ret, s);
	}
	return rc;
}

static int add_internet(
	const struct filter_carry *c, const struct spans wide[static 2], struct spans ret[static 2])
{
	struct spans not [2] = { 0 };
	int rc = internet_is_not(c, not );

	for (int f = 0; f < 2 && rc == 0; f++)
		rc = spans_without(&wide[f], &not [f], &ret[f]);
	spans_fini(&not [0]);
	spans_fini(&not [1]);
	return rc;
}

static bool is_approved(const struct filter_carry *c, struct ipprefix route)
{
	for (size_t i = 0; i < c->n_approved; i++)
		if (ipprefix_eq(ipprefix_masked(c->approved[i]), ipprefix_masked(route)))
			return true;
	return false;
}

int carry_spans(const struct filter_carry *c, struct spans ret[static 2])
{
	struct spans wide[2] = { 0 };
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < c->n_offered && rc == 0; i++) {
		struct ipprefix r = c->offered[i];

		if (!is_approved(c, r))
			continue;
		if (!carry_is_internet(r)) {
			rc = spans_add(&ret[is6(r)], span_of_prefix(r));
		} else if (c->nets_known) {
			rc = internet_of(r, &wide[is6(r)]);
			any = true;
		}
	}
	spans_merge(&wide[0]);
	spans_merge(&wide[1]);
	if (rc == 0 && any)
		rc = add_internet(c, wide, ret);
	spans_fini(&wide[0]);
	spans_fini(&wide[1]);
	return rc;
}
