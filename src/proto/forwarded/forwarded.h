/*
 * proto/forwarded: who sent a request that came through proxies. A proxy of ours names its client in X-Forwarded-For; what others
 * write there is of no interest, and neither is what a client wrote before the proxy appended to it.
 */
#ifndef WARREN_PROTO_FORWARDED_FORWARDED_H
#define WARREN_PROTO_FORWARDED_FORWARDED_H

#include "base/err/err.h"
#include "base/netip/netip.h"
#include "proto/http1/http1.h"

enum {
	FORWARDED_PROXIES_MAX = 32,
	FORWARDED_HOPS_MAX =
		32, /* of a request that are looked at; proxies in a row are a handful */
};

/* Whose word is taken. Zero: nobody's. */
struct forwarded_trust {
	struct ipprefix proxy[FORWARDED_PROXIES_MAX];
	size_t n;
};

/* Adds "127.0.0.1, 10.0.0.0/8": addresses and prefixes with commas between. -ERR_BAD_FORMAT, -ERR_TOO_MANY: nothing was added. */
MUST_USE int forwarded_trust_add(struct forwarded_trust *t, const char *list);
bool forwarded_trusts(const struct forwarded_trust *t, struct ipaddr a);

/*
 * The right-most address that is not one of our proxies, if the request came from one; else the other side of the connection. Port 0
 * where the header names none. *ret_bad: a proxy's header held something that is no address; then who passed that on is it.
 */
struct ipport forwarded_client(const struct forwarded_trust *t, struct ipport peer,
	const struct http1_head *h, bool *ret_bad);

#endif
