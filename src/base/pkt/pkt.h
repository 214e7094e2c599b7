/*
 * base/pkt: a packet where it lies, to be changed in place: an IP packet or the datagram that it becomes in the tunnel. Packets are
 * handed on in batches, as arrays; the memory behind them is the one's who says so at the call. To look at one: a view.
 *
 * Whoever makes a packet that may leave through a tunnel leaves room around it, so that it is sealed without being copied. Packets
 * of a batch may share such room: the tail of one is the head of the next. So only who has the whole batch writes there, in order.
 */
#ifndef WARREN_BASE_PKT_PKT_H
#define WARREN_BASE_PKT_PKT_H

#include "base/bytes/bytes.h"

enum {
	PKT_HEADROOM = 16,   /* of WireGuard: the header of a data message */
	PKT_TAILROOM = 31,   /* padding up to the next 16 bytes, and the tag */
	PKT_BATCH_MAX = 128, /* packets of one call, unless it says otherwise */
};

struct pkt {
	uint8_t *p;
	size_t len;
};

/* Bytes of memory for a packet of len bytes and the room around it. */
#define PKT_ROOM(len) (PKT_HEADROOM + (len) + PKT_TAILROOM)

/* The packet in such memory. */
static inline struct pkt pkt_in(uint8_t *mem, size_t len)
{
	return (struct pkt){ .p = mem + PKT_HEADROOM, .len = len };
}

static inline struct view pkt_view(const struct pkt *pkt)
{
	return view_of(pkt->p, pkt->len);
}

#endif
