/*
 * proto/proxyproto: the header by which a proxy that passes on bytes names the client, in front of everything else on the
 * connection (HAProxy's proxy-protocol.txt, versions 1 and 2). Whether the sender may say so is for the caller to know.
 */
#ifndef WARREN_PROTO_PROXYPROTO_PROXYPROTO_H
#define WARREN_PROTO_PROXYPROTO_PROXYPROTO_H

#include "base/err/err.h"
#include "base/netip/netip.h"

enum {
	PROXYPROTO_LINE_MAX = 107, /* version 1, with its CRLF: what the specification promises */
	PROXYPROTO_MAX =
		1024, /* version 2: addresses take 36 bytes, extensions of TLS and of clouds some hundred */
};

struct proxyproto {
	bool named; /* false: the proxy speaks for itself (LOCAL), or does not know the client (UNKNOWN) */
	struct ipport from; /* the client, if named */
};

enum { PROXYPROTO_MORE = 1 };
/*
 * The header at the front of what came. 0 and *ret_used, its length; PROXYPROTO_MORE: all of it belongs to the header, and more
 * has to come; -ERR_BAD_FORMAT; -ERR_TOO_BIG. Extensions (TLVs) are skipped; a datagram or a unix socket behind a proxy is not named.
 */
MUST_USE int proxyproto_decode(
	const uint8_t *p, size_t len, struct proxyproto *ret, size_t *ret_used);

#endif
