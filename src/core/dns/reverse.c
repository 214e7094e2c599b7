/* Reverse names. */
#include "core/dns/internal.h"

/* Takes one label off the front; false: there is none. */
static bool take(const uint8_t **p, const uint8_t *end, struct view *label)
{
	if (*p >= end || !**p)
		return false;
	*label = view_of(*p + 1, **p);
	*p += 1 + **p;
	return true;
}

static bool ends_with(const uint8_t *p, const uint8_t *end, const char *zone, size_t zone_len)
{
	return (size_t)(end - p) == zone_len && !memcmp(p, zone, zone_len);
}

/* 0 to 255 without zeros in front; negative: none. */
static int octet(struct view v)
{
	int n = 0;

	if (!v.len || v.len > 3 || (v.len > 1 && v.p[0] == '0'))
		return -1;
	for (size_t i = 0; i < v.len; i++) {
		if (v.p[i] < '0' || v.p[i] > '9')
			return -1;
		n = n * 10 + v.p[i] - '0';
	}
	return n > 255 ? -1 : n;
}

static int nibble(struct view v)
{
	if (v.len != 1)
		return -1;
	if (v.p[0] >= '0' && v.p[0] <= '9')
		return v.p[0] - '0';
	return v.p[0] >= 'a' && v.p[0] <= 'f' ? v.p[0] - 'a' + 10 : -1;
}

static bool reverse4(const uint8_t *p, const uint8_t *end, struct ipaddr *ret)
{
	static const char zone[] = "\007in-addr\004arpa";
	uint8_t b[4];
	struct view label;

	for (int i = 3; i >= 0; i--) {
		int v = take(&p, end, &label) ? octet(label) : -1;

		if (v < 0)
			return false;
		b[i] = (uint8_t)v;
	}
	*ret = ipaddr_from4(b);
	return ends_with(p, end, zone, sizeof(zone));
}

static bool reverse6(const uint8_t *p, const uint8_t *end, struct ipaddr *ret)
{
	static const char zone[] = "\003ip6\004arpa";
	uint8_t b[16] = { 0 };
	struct view label;

	for (int i = 31; i >= 0; i--) {
		int v = take(&p, end, &label) ? nibble(label) : -1;

		if (v < 0)
			return false;
		b[i / 2] |= (uint8_t)(i % 2 ? v : v << 4);
	}
	*ret = ipaddr_from16(b);
	return ends_with(p, end, zone, sizeof(zone));
}

bool reverse_address(const struct dnsmsg_name *lower, struct ipaddr *ret)
{
	const uint8_t *p = lower->b, *end = lower->b + lower->len;

	return reverse4(p, end, ret) || reverse6(p, end, ret);
}
