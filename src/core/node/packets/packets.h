/* The packet path: between packet ports, the filter and magicsock. */
#ifndef WARREN_CORE_NODE_PACKETS_PACKETS_H
#define WARREN_CORE_NODE_PACKETS_PACKETS_H

#include "core/node/state/state.h"

/* packets.c */
/* A peer's, of which the first are kept, for the system: how many. */
size_t node_packets_in(struct node *a, int64_t peer, struct pkt *pkt, size_t n);
/* The system's. */
void node_packets_out(struct node *a, struct pkt *pkt, size_t n);
bool node_packets_next(struct node *a, struct node_packets *ret);

/* ports.c */
/* The port that has the destination; NODE_PORT_TUN: none but, maybe, the system's. */
enum node_port node_ports_find(const struct node *a, const struct pkt *pkt);
/* Of a peer, from the address of a port: what an exit node may send, which has all addresses. */
bool node_ports_forged(const struct node *a, const struct pkt *pkt);
void node_ports_give(struct node *a, enum node_port to, const struct pkt *pkt);
void node_ports_in(
	struct node *a, struct pkt *pkt, size_t n); /* of a port that is not the system's */
bool node_ports_next(struct node *a, struct node_packets *ret);
void node_ports_forget(struct node *a); /* what was not taken */

/* rejects.c */
void node_rejects_enable(struct node *a, bool on); /* off: forgets them */
/* pkt: the message about it, that came (OUT: a flow of ours) or is sent (IN). */
void node_rejects_note(
	struct node *a, enum node_reject_direction d, const uint8_t *pkt, size_t len);

#endif
