/*
 * testlib/vnet/nat: what a router does to the flows that cross it, as a model: address translation by the behaviours of
 * RFC 4787, and stateful firewalls, which are a translation that changes nothing. No packets here, only the addresses of
 * packets; the router that owns a model asks it about each one.
 */
#ifndef WARREN_TESTLIB_VNET_NAT_H
#define WARREN_TESTLIB_VNET_NAT_H

#include "base/netip/netip.h"
#include "base/rng/rng.h"
#include "base/time/time.h"

enum {
	VNAT_MAPPINGS_MAX = 4096, /* a full table refuses new flows, as conntrack does */
	VNAT_FLOWS_MAX = 256,     /* remotes a mapping remembers; the one that expires first goes */
};

/* On what a mapping, or the decision to let a packet in, depends (RFC 4787, 4.1 and 5). */
enum vnat_dep {
	VNAT_ENDPOINT_INDEPENDENT,
	VNAT_ADDRESS_DEPENDENT,
	VNAT_ADDRESS_AND_PORT_DEPENDENT,
};

enum vnat_ports {
	VNAT_PRESERVE, /* the inside port if it is free, else the next free one */
	VNAT_RANDOM,
	VNAT_SEQUENTIAL,
};

struct vnat_kind {
	const char *name;
	bool translates; /* false: a firewall, addresses and ports stay what they are */
	enum vnat_dep mapping, filtering;
	enum vnat_ports ports;
	bool hairpin; /* inside hosts reach each other by their outside addresses (RFC 4787, 6) */
	bool inbound_refreshes; /* packets from outside keep a flow alive, too (RFC 4787, REQ-6) */
	/* Linux without a rule against it: a packet that nobody asked for occupies its port for that remote. */
	bool unsolicited_takes_port;
	mono_ns udp_timeout, tcp_timeout;
};

extern const struct vnat_kind vnat_full_cone;  /* whoever knows the mapping gets in */
extern const struct vnat_kind vnat_restricted; /* ... from an address that was sent to */
extern const struct vnat_kind
	vnat_easy; /* ... from an address and port that was sent to: "port-restricted cone" */
extern const struct vnat_kind vnat_hard; /* a random port for each remote: "symmetric" */
extern const struct vnat_kind
	vnat_linux_open;                     /* plain masquerade, no rule against the unsolicited */
extern const struct vnat_kind vnat_firewall; /* stateful, for IPv6 and routed IPv4 */

struct vnat;

struct vnat *vnat_new(
	const struct vnat_kind *kind, struct rng *rng); /* both borrowed; aborts without memory */
struct vnat *vnat_free(struct vnat *n);
const struct vnat_kind *vnat_kind_of(const struct vnat *n);
void vnat_forget(struct vnat *n); /* a reboot */
size_t vnat_mappings(const struct vnat *n, mono_ns now);

/* Protocol numbers of IP. */
enum { VNAT_TCP = 6, VNAT_UDP = 17 };

enum { VNAT_DROP = 1 };
/* A packet leaves: from -> to, and wan is the router's own address. 0 and the source it gets, or VNAT_DROP. */
MUST_USE int vnat_out(struct vnat *n, int proto, struct ipport from, struct ipport to,
	struct ipaddr wan, mono_ns now, struct ipport *ret);
/* A packet comes in: from -> to. 0 and the inside host it is for, or VNAT_DROP. */
MUST_USE int vnat_in(struct vnat *n, int proto, struct ipport from, struct ipport to, mono_ns now,
	struct ipport *ret);

/* Aborts if two flows could be taken for each other, or a bound is passed. */
void vnat_check(const struct vnat *n, mono_ns now);

#endif
