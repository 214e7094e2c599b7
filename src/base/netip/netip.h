/*
 * base/netip: IP addresses, address and port, prefixes, as values. Text forms are those of Go's net/netip, which is
 * what every document on the wire uses. An IPv4 address is never kept in its IPv6-mapped form: ipaddr_from16 unmaps.
 */
#ifndef WARREN_BASE_NETIP_NETIP_H
#define WARREN_BASE_NETIP_NETIP_H

#include "base/bytes/bytes.h"

struct ipaddr {
	uint8_t family; /* 0 none, 4, 6 */
	uint8_t b[16];  /* IPv4: the first four; the rest is zero */
};

struct ipport {
	struct ipaddr ip;
	uint16_t port; /* host order */
};

struct ipprefix {
	struct ipaddr ip; /* may have host bits, as in "100.64.0.1/10" */
	uint8_t bits;
};

/* [first, last], both of one family. */
struct iprange {
	struct ipaddr first, last;
};

struct ipaddr ipaddr_v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
struct ipaddr ipaddr_from4(const uint8_t b[static 4]);
struct ipaddr ipaddr_from16(const uint8_t b[static 16]);   /* unmaps ::ffff:a.b.c.d */
void ipaddr_to16(struct ipaddr a, uint8_t out[static 16]); /* IPv4 as ::ffff:a.b.c.d */

static inline bool ipaddr_is_set(struct ipaddr a)
{
	return a.family != 0;
}

static inline unsigned ipaddr_bits(struct ipaddr a)
{
	return a.family == 4 ? 32 : a.family == 6 ? 128 : 0;
}

/* Family first, then bytes: a total order. Equal values are equal byte for byte (struct padding aside). */
int ipaddr_cmp(struct ipaddr a, struct ipaddr b);
bool ipaddr_eq(struct ipaddr a, struct ipaddr b);
bool ipport_eq(struct ipport a, struct ipport b);
bool ipprefix_eq(struct ipprefix a, struct ipprefix b);
struct ipaddr ipaddr_next(struct ipaddr a); /* wraps within its family */

bool ipaddr_is_loopback(struct ipaddr a);
bool ipaddr_is_link_local(struct ipaddr a); /* unicast: 169.254/16, fe80::/10 */
bool ipaddr_is_multicast(struct ipaddr a);
bool ipaddr_is_unspecified(struct ipaddr a);
bool ipaddr_is_private(struct ipaddr a); /* RFC 1918, fc00::/7 */

/* The bytes that belong to one place, for limits and accounts: an IPv4 address, a /64 of IPv6. Borrowed. */
static inline struct view ipaddr_place(const struct ipaddr *a)
{
	return view_of(a->b, a->family == 4 ? 4 : 8);
}
struct ipaddr ipaddr_mask(struct ipaddr a, unsigned bits);
struct ipprefix ipprefix_masked(struct ipprefix p);
bool ipprefix_contains(struct ipprefix p, struct ipaddr a);
bool ipprefix_overlaps(struct ipprefix a, struct ipprefix b);
struct ipprefix ipprefix_single(struct ipaddr a);
struct iprange iprange_of(struct ipprefix p);

#define IPADDR_TEXT_MAX 46 /* with NUL; zones are not supported */
#define IPPORT_TEXT_MAX 54 /* "[...]:65535" */
#define IPPREFIX_TEXT_MAX 50

/* out has the room named above; returns out. An unset address is "" (Go's "invalid IP" never goes on the wire). */
char *ipaddr_format(struct ipaddr a, char *out);
char *ipport_format(struct ipport p, char *out);
char *ipprefix_format(struct ipprefix p, char *out);

/* Go's rules: no leading zeros in IPv4, no zone; a mapped IPv6 text gives the IPv4 address. -ERR_BAD_FORMAT. */
MUST_USE int ipaddr_parse(const char *s, size_t len, struct ipaddr *ret);
MUST_USE int ipport_parse(const char *s, size_t len, struct ipport *ret);
MUST_USE int ipprefix_parse(const char *s, size_t len, struct ipprefix *ret);

#endif
