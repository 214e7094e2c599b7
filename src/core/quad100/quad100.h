/*
 * core/quad100: the service addresses of a device, 100.100.100.100 and fd7a:115c:a1e0::53, which exist on the device alone: what
 * programs on it send there comes out of the TUN device, is answered here, and goes back into it. Nothing of it is ever sent to a
 * peer, and no peer can answer for it, as no peer may have one of these addresses.
 *
 *	UDP, port 53        a question (quad100_next_question); its answer becomes a packet again (quad100_answer)
 *	TCP, port 53        served by the system's own TCP: each packet is turned round, so that it comes from the service address to
 *	                    a listening socket on an address of this device, and the socket's packets likewise. Nothing is remembered:
 *
 *	                        self:5555 -> service:53     becomes   service:5555 -> self:P
 *	                        self:P    -> service:5555   becomes   service:53   -> self:5555
 *
 *	                    The owner of the listener takes connections from the service address only.
 *	ICMP echo           answered
 *	anything else       TCP: reset; UDP: port unreachable; the rest is dropped
 *
 * Fragments, IPv4 options and IPv6 extension headers are dropped: no system sends them here by itself. Checksums are checked.
 *
 * Source: Tailscale net/tstun and wgengine/netstack for what answers where.
 */
#ifndef WARREN_CORE_QUAD100_QUAD100_H
#define WARREN_CORE_QUAD100_QUAD100_H

#include "base/netip/netip.h"
#include "base/pkt/pkt.h"

enum {
	QUAD100_DNS_PORT = 53,
	/*
	 * Bytes of an answer over UDP, at most. It goes to this machine in one piece, whatever the MTU; what wants more comes again over
	 * TCP. The original's bound.
	 */
	QUAD100_ANSWER_MAX = 4095,
	QUAD100_REFUSALS_MAX = 16, /* of one batch */
};

struct quad100;

struct quad100_counters {
	uint64_t udp_questions, udp_answers, tcp_segments, echoes;
	uint64_t refused;    /* reset, or port unreachable */
	uint64_t unreadable; /* dropped: no whole packet, a wrong checksum, options */
	uint64_t ignored;   /* dropped: another protocol; from an address that cannot be answered */
	uint64_t unrefused; /* dropped: more than QUAD100_REFUSALS_MAX of one batch */
	uint64_t no_room;   /* dropped: answers, because the owner took none of those before */
};

struct quad100_question {
	struct view msg; /* in the packet that was given */
	struct ipport client;
	struct ipaddr service; /* the address that was asked */
};

/* -ENOMEM. */
MUST_USE int quad100_new(struct quad100 **ret);
struct quad100 *quad100_free(struct quad100 *q);
/* The listener of one family, on an address of this device; port 0: none, and TCP is refused. */
void quad100_set_tcp_dns(struct quad100 *q, int family, struct ipport at);

/*
 * Packets from the TUN device to a service address (others are dropped), n <= PKT_BATCH_MAX. They may be changed, and are used until
 * the questions and packets of this call are taken; take them before the next one.
 */
void quad100_in(struct quad100 *q, const struct pkt *pkt, size_t n);
bool quad100_next_question(struct quad100 *q, struct quad100_question *ret);
/* Makes a packet of it, for quad100_next_packets. One that is too long, or has no room, is dropped; so ask for a shorter one. */
void quad100_answer(
	struct quad100 *q, struct ipaddr service, struct ipport client, struct view msg);
/* Packets for the TUN device, n <= PKT_BATCH_MAX; good until the next quad100_in or quad100_answer. 0: none. */
size_t quad100_next_packets(struct quad100 *q, struct pkt **ret);
/* So many packets wait that quad100_next_packets is to be called before the next answer. */
bool quad100_is_full(const struct quad100 *q);

const struct quad100_counters *quad100_counters(const struct quad100 *q);

#endif
