/*
 * proto/tsaddr: the address ranges that have a meaning in a tailnet, and the mappings between them: the IPv6 address of
 * a node that has only an IPv4 one ("4-in-6"), and IPv4 subnets behind numbered sites ("4via6").
 */
#ifndef WARREN_PROTO_TSADDR_TSADDR_H
#define WARREN_PROTO_TSADDR_TSADDR_H

#include "base/netip/netip.h"

extern const struct ipprefix tsaddr_cgnat; /* 100.64.0.0/10: nodes */
extern const struct ipprefix
	tsaddr_chromeos_vm;              /* 100.115.92.0/23: inside the former, never a node */
extern const struct ipprefix tsaddr_ula; /* fd7a:115c:a1e0::/48 */
extern const struct ipprefix tsaddr_via; /* fd7a:115c:a1e0:b1a::/64 */
extern const struct ipprefix tsaddr_four_to_six; /* fd7a:115c:a1e0:ab12:4843:cd96:6200::/104 */
extern const struct ipprefix tsaddr_ephemeral6;  /* fd7a:115c:a1e0:efe3::/64 */
extern const struct ipaddr tsaddr_service;       /* 100.100.100.100 */
extern const struct ipaddr tsaddr_service6;      /* fd7a:115c:a1e0::53 */
extern const struct ipaddr tsaddr_derp_magic;    /* 127.3.3.40: the port is a region, not a port */

bool tsaddr_is_tailscale4(struct ipaddr a);
bool tsaddr_is_tailscale(struct ipaddr a);

/* The 4-in-6 address of a node's IPv4 address, and back. -ERR_BAD_VALUE when the address is not of the range. */
MUST_USE int tsaddr_4to6(struct ipaddr v4, struct ipaddr *ret);
MUST_USE int tsaddr_6to4(struct ipaddr v6, struct ipaddr *ret);

/* The 4via6 prefix of an IPv4 prefix (host bits are kept) behind a site. -ERR_BAD_VALUE when it is not IPv4. */
MUST_USE int tsaddr_map_via(uint32_t site, struct ipprefix v4, struct ipprefix *ret);
/* The IPv4 address inside a 4via6 address; any other address unchanged. */
struct ipaddr tsaddr_unmap_via(struct ipaddr a);
/*
 * The address that a name stands for by itself: "10-1-1-5-via-7", alone or with labels below ts.net or tailscale.net behind
 * it, is 10.1.1.5 at site 7. The site is a number as Go writes it (7, 0x7, 0o7, 017, 0b111, 1_000). -ERR_BAD_FORMAT.
 */
MUST_USE int tsaddr_via_of_name(struct view fqdn, struct ipaddr *ret);
/* The port that a PeerAPI at this address prefers, the try-th time (0 to 4) that it looks for one. Others read it from Hostinfo. */
enum { TSADDR_PEERAPI_TRIES = 5 };
uint16_t tsaddr_peerapi_port(struct ipaddr a, unsigned try);
/* Does the prefix begin in the 4via6 range? */
bool tsaddr_is_via_prefix(struct ipprefix p);

#endif
