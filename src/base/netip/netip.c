#include "base/netip/netip.h"
#include "base/err/err.h"
#include "base/text/text.h"

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct ipaddr ipaddr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
	return (struct ipaddr){ .family = 4, .b = { a, b, c, d } };
}

struct ipaddr ipaddr_from4(const uint8_t b[static 4])
{
	return ipaddr_v4(b[0], b[1], b[2], b[3]);
}

struct ipaddr ipaddr_from16(const uint8_t b[static 16])
{
	struct ipaddr a = { .family = 6 };

	if (memcmp(b, mapped_prefix, sizeof(mapped_prefix)) == 0)
		return ipaddr_from4(b + 12);
	memcpy(a.b, b, 16);
	return a;
}

void ipaddr_to16(struct ipaddr a, uint8_t out[static 16])
{
	if (a.family == 4) {
		memcpy(out, mapped_prefix, sizeof(mapped_prefix));
		memcpy(out + 12, a.b, 4);
	} else {
		memcpy(out, a.b, 16);
	}
}

int ipaddr_cmp(struct ipaddr a, struct ipaddr b)
{
	if (a.family != b.family)
		return a.family < b.family ? -1 : 1;
	return memcmp(a.b, b.b, sizeof(a.b));
}

bool ipaddr_eq(struct ipaddr a, struct ipaddr b)
{
	return ipaddr_cmp(a, b) == 0;
}

bool ipport_eq(struct ipport a, struct ipport b)
{
	return a.port == b.port && ipaddr_eq(a.ip, b.ip);
}

bool ipprefix_eq(struct ipprefix a, struct ipprefix b)
{
	return a.bits == b.bits && ipaddr_eq(a.ip, b.ip);
}

struct ipaddr ipaddr_next(struct ipaddr a)
{
	for (int i = (int)ipaddr_bits(a) / 8 - 1; i >= 0; i--)
		if (++a.b[i])
			break;
	return a;
}

bool ipaddr_is_loopback(struct ipaddr a)
{
	static const uint8_t one[16] = { [15] = 1 };

	return a.family == 4 ? a.b[0] == 127 : a.family == 6 && memcmp(a.b, one, 16) == 0;
}

bool ipaddr_is_link_local(struct ipaddr a)
{
	return a.family == 4 ? a.b[0] == 169 && a.b[1] == 254
			     : a.family == 6 && a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
}

bool ipaddr_is_multicast(struct ipaddr a)
{
	return a.family == 4 ? (a.b[0] & 0xf0) == 0xe0 : a.family == 6 && a.b[0] == 0xff;
}

bool ipaddr_is_unspecified(struct ipaddr a)
{
	static const uint8_t zero[16];

	return a.family && memcmp(a.b, zero, 16) == 0;
}

bool ipaddr_is_private(struct ipaddr a)
{
	if (a.family == 4)
		return a.b[0] == 10 || (a.b[0] == 172 && (a.b[1] & 0xf0) == 16) ||
		       (a.b[0] == 192 && a.b[1] == 168);
	return a.family == 6 && (a.b[0] & 0xfe) == 0xfc;
}

struct ipaddr ipaddr_mask(struct ipaddr a, unsigned bits)
{
	for (unsigned i = 0; i < ipaddr_bits(a) / 8; i++) {
		if (bits >= 8)
			bits -= 8;
		else {
			a.b[i] &= (uint8_t)(0xff00 >> bits);
			bits = 0;
		}
	}
	return a;
}

struct ipprefix ipprefix_masked(struct ipprefix p)
{
	p.ip = ipaddr_mask(p.ip, p.bits);
	return p;
}

bool ipprefix_contains(struct ipprefix p, struct ipaddr a)
{
	return p.ip.family && p.ip.family == a.family &&
	       ipaddr_eq(ipaddr_mask(a, p.bits), ipaddr_mask(p.ip, p.bits));
}

bool ipprefix_overlaps(struct ipprefix a, struct ipprefix b)
{
	return a.bits < b.bits ? ipprefix_contains(a, b.ip) : ipprefix_contains(b, a.ip);
}

struct ipprefix ipprefix_single(struct ipaddr a)
{
	return (struct ipprefix){ .ip = a, .bits = (uint8_t)ipaddr_bits(a) };
}

struct iprange iprange_of(struct ipprefix p)
{
	struct iprange r = { .first = ipaddr_mask(p.ip, p.bits) };

	r.last = r.first;
	for (unsigned i = p.bits; i < ipaddr_bits(p.ip); i++)
		r.last.b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	return r;
}

static char *format6(const uint8_t b[static 16], char *out)
{
	int best = -1, best_len = 1, n = 0;

	/* The longest run of at least two zero groups becomes "::"; the first of equals (RFC 5952). */
	for (int i = 0; i < 8; i++) {
		int j = i;

		while (j < 8 && load_be16(b + 2 * j) == 0)
			j++;
		if (j - i > best_len) {
			best = i;
			best_len = j - i;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			n += snprintf(out + n, (size_t)(IPADDR_TEXT_MAX - n), "::");
			i += best_len - 1;
			continue;
		}
		n += snprintf(out + n, (size_t)(IPADDR_TEXT_MAX - n), "%s%x",
			i > 0 && out[n - 1] != ':' ? ":" : "", load_be16(b + 2 * i));
	}
	return out;
}

char *ipaddr_format(struct ipaddr a, char *out)
{
	out[0] = 0;
	if (a.family == 4)
		snprintf(out, IPADDR_TEXT_MAX, "%d.%d.%d.%d", a.b[0], a.b[1], a.b[2], a.b[3]);
	else if (a.family == 6)
		format6(a.b, out);
	return out;
}

char *ipport_format(struct ipport p, char *out)
{
	char ip[IPADDR_TEXT_MAX];

	snprintf(out, IPPORT_TEXT_MAX, p.ip.family == 6 ? "[%s]:%u" : "%s:%u",
		ipaddr_format(p.ip, ip), p.port);
	return out;
}

char *ipprefix_format(struct ipprefix p, char *out)
{
	char ip[IPADDR_TEXT_MAX];

	snprintf(out, IPPREFIX_TEXT_MAX, "%s/%u", ipaddr_format(p.ip, ip), p.bits);
	return out;
}

static int parse4(const char *s, size_t len, uint8_t out[static 4])
{
	size_t at = 0;

	for (int i = 0; i < 4; i++) {
		size_t start = at;
		uint64_t v;

		while (at < len && s[at] != '.')
			at++;
		if (at - start > 3 || (at - start > 1 && s[start] == '0') ||
			text_u64(s + start, at - start, 255, &v) < 0)
			return -ERR_BAD_FORMAT;
		out[i] = (uint8_t)v;
		if (i < 3 ? at == len : at != len)
			return -ERR_BAD_FORMAT;
		at++;
	}
	return 0;
}

static int hex_group(const char *s, size_t len, size_t *at, uint16_t *ret)
{
	unsigned v = 0;
	size_t start = *at;

	for (; *at < len && *at - start < 5; (*at)++) {
		char c = ascii_lower(s[*at]);
		int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;

		if (d < 0)
			break;
		v = v << 4 | (unsigned)d;
	}
	if (*at == start || *at - start > 4)
		return -ERR_BAD_FORMAT;
	*ret = (uint16_t)v;
	return 0;
}

static int parse6(const char *s, size_t len, uint8_t out[static 16])
{
	uint8_t b[16] = { 0 };
	size_t at = 0, n = 0;
	int gap = -1;

	if (len >= 2 && s[0] == ':' && s[1] == ':') {
		gap = 0;
		at = 2;
	}
	while (at < len && n < 16) {
		size_t start = at;
		uint16_t v;

		if (hex_group(s, len, &at, &v) < 0)
			return -ERR_BAD_FORMAT;
		if (at < len && s[at] == '.') { /* an IPv4 tail */
			if (n > 12 || parse4(s + start, len - start, b + n) < 0)
				return -ERR_BAD_FORMAT;
			n += 4;
			at = len;
			break;
		}
		store_be16(b + n, v);
		n += 2;
		if (at == len)
			break;
		if (s[at] != ':' || at + 1 == len)
			return -ERR_BAD_FORMAT;
		at++;
		if (s[at] == ':') {
			if (gap >= 0)
				return -ERR_BAD_FORMAT;
			gap = (int)n;
			at++;
		}
	}
	if (at != len || (gap < 0 ? n != 16 : n >= 16))
		return -ERR_BAD_FORMAT;
	if (gap >= 0) {
		size_t tail = n - (size_t)gap;

		memmove(b + 16 - tail, b + gap, tail);
		memset(b + gap, 0, 16 - n);
	}
	memcpy(out, b, 16);
	return 0;
}

int ipaddr_parse(const char *s, size_t len, struct ipaddr *ret)
{
	uint8_t b[16];
	int rc;

	if (len && memchr(s, ':', len)) {
		rc = parse6(s, len, b);
		if (rc == 0)
			*ret = ipaddr_from16(b);
		return rc;
	}
	rc = parse4(s, len, b);
	if (rc == 0)
		*ret = ipaddr_from4(b);
	return rc;
}

int ipport_parse(const char *s, size_t len, struct ipport *ret)
{
	struct ipport p;
	uint64_t port;
	size_t colon = len;

	while (colon > 0 && s[colon - 1] != ':')
		colon--;
	if (colon < 2 || text_u64(s + colon, len - colon, UINT16_MAX, &port) < 0)
		return -ERR_BAD_FORMAT;
	colon--;
	if (s[0] == '[') {
		if (s[colon - 1] != ']' || colon < 2 || !memchr(s, ':', colon - 1) ||
			ipaddr_parse(s + 1, colon - 2, &p.ip) < 0)
			return -ERR_BAD_FORMAT;
	} else if (memchr(s, ':', colon) || ipaddr_parse(s, colon, &p.ip) < 0) {
		return -ERR_BAD_FORMAT;
	}
	p.port = (uint16_t)port;
	*ret = p;
	return 0;
}

int ipprefix_parse(const char *s, size_t len, struct ipprefix *ret)
{
	const char *slash = len ? memchr(s, '/', len) : NULL;
	struct ipprefix p;
	uint64_t bits;
	size_t n;

	if (!slash)
		return -ERR_BAD_FORMAT;
	n = (size_t)(slash - s);
	if (ipaddr_parse(s, n, &p.ip) < 0 || (len - n > 2 && slash[1] == '0') ||
		text_u64(slash + 1, len - n - 1, ipaddr_bits(p.ip), &bits) < 0)
		return -ERR_BAD_FORMAT;
	p.bits = (uint8_t)bits;
	*ret = p;
	return 0;
}
