/* The packet path: between the TUN device, the filter and magicsock. */
#ifndef WARREN_CORE_NODE_PACKETS_PACKETS_H
#define WARREN_CORE_NODE_PACKETS_PACKETS_H

#include "core/node/state/state.h"

/* packets.c */
void node_packets_take(struct node *a); /* all that magicsock has for us */
void node_packets_in(struct node *a, int64_t peer, struct wg_packet *pkt, size_t n);
void node_packets_out(struct node *a, struct wg_packet *pkt, size_t n);

/* rejects.c */
void node_rejects_enable(struct node *a, bool on); /* off: forgets them */
/* pkt: the message about it, that came (OUT: a flow of ours) or is sent (IN). */
void node_rejects_note(
	struct node *a, enum node_reject_direction d, const uint8_t *pkt, size_t len);

#endif
