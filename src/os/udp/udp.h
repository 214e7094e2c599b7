/*
 * os/udp: one UDP port on IPv4 and IPv6, for everything that a node sends: STUN, disco, WireGuard. Runs of datagrams that lie
 * side by side leave by one call (UDP_SEGMENT); many arrive a call (recvmmsg), each perhaps a train of datagrams (UDP_GRO).
 *
 * The port: the wanted one, else the one held before (rebind), else any; the same on both families if there is one that is
 * free on both. A host without IPv6 (or IPv4) is no error. Sockets have large buffers (7 MiB if the kernel lets us) and carry
 * the mark, so that what they send does not go into our own tunnel. Fragmentation is the kernel's default (path MTU
 * discovery), as in the original, where probing is off unless asked for.
 *
 * Source: udp(7).
 */
#ifndef WARREN_OS_UDP_UDP_H
#define WARREN_OS_UDP_UDP_H

#include "core/magicsock/magicsock.h"
#include "os/loop/loop.h"

struct udp;

enum { UDP_BATCH_MAX = 256 }; /* datagrams a call of on_datagrams */

struct udp_cfg {
	uint16_t port;   /* 0: any */
	uint32_t mark;   /* SO_MARK; 0: none. Without the right to set it, it goes without */
	bool no_offload; /* one datagram a call, for comparison */
	/* Memory is good during the call; datagrams may be opened in place. */
	void (*on_datagrams)(void *ctx, struct magicsock_datagram *d, size_t n);
	void *ctx;
};

/* -errno when neither family has a socket. */
MUST_USE int udp_open(struct udp **ret, struct loop *l, const struct udp_cfg *cfg);
struct udp *udp_close(struct udp *u);
/* New sockets, after the network changed; the old ones are closed first. port as in udp_open. -errno: there are none now. */
MUST_USE int udp_rebind(struct udp *u, uint16_t port);
uint16_t udp_port(const struct udp *u, int family); /* 4 or 6; 0: no socket */
/* May runs leave by one call, may trains arrive in one? At first both. For systems whose drivers do it wrong. */
void udp_set_offload(struct udp *u, bool gso, bool gro);
MUST_USE int udp_set_mark(struct udp *u, uint32_t mark);

/*
 * Datagrams in order. Those that lie side by side and have one size leave together. A full socket buffer is waited for a
 * moment, then the rest is dropped and counted: losses are UDP's own business. -errno when the address cannot be reached now
 * (-ENETUNREACH, -EHOSTUNREACH, -EAFNOSUPPORT, -EPERM of a firewall, ...): what was to go there is lost.
 */
int udp_send(struct udp *u, struct ipport to, const struct pkt *d, size_t n);

struct udp_counters {
	uint64_t in, out; /* datagrams */
	uint64_t in_calls, out_calls;
	uint64_t in_overflow;          /* lost by the kernel: we read too slowly */
	uint64_t out_full, out_failed; /* dropped: buffer full, refused */
};
const struct udp_counters *udp_counters(const struct udp *u);

#endif
