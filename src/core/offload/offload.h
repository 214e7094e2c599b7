/*
 * core/offload: segmentation offload of a TUN device, as pure code. Outbound the kernel hands over one TCP or UDP
 * super-packet of up to 64 KiB, which offload_split cuts into packets; inbound offload_merge finds packets that follow
 * each other in one flow, so that the owner writes them as one super-packet, gathered from where they lie.
 *
 * Checksums are computed when cutting, and verified before merging: a merged packet tells the kernel that its data is
 * sound, so a packet that was damaged before it was sealed must not get in.
 *
 * Source: virtio specification 1.2, section 5.1.6 (struct virtio_net_hdr, host byte order on a TUN device).
 */
#ifndef WARREN_CORE_OFFLOAD_OFFLOAD_H
#define WARREN_CORE_OFFLOAD_OFFLOAD_H

#include "base/bytes/bytes.h"

enum {
	OFFLOAD_HDR_LEN = 10,    /* before each packet of a TUN with IFF_VNET_HDR */
	OFFLOAD_MERGE_MAX = 256, /* packets a call of offload_merge */
	OFFLOAD_PACKET_MAX = 65535,
};

/* An IP super-packet being cut. Borrows the frame. */
struct offload_split {
	const uint8_t *p;                      /* the IP packet */
	size_t hdr_len, payload_len, gso_size; /* gso_size 0: one packet as it is */
	size_t at;                             /* payload given out so far */
	uint16_t csum_start, csum_offset;
	bool tcp, needs_csum, done;
};

/*
 * frame is what a read of the TUN device gave: OFFLOAD_HDR_LEN and one IP packet. -ERR_TRUNCATED, -ERR_BAD_FORMAT,
 * -ERR_UNSUPPORTED (a kind of offload that was not asked for).
 */
MUST_USE int offload_split_begin(struct offload_split *s, const uint8_t *frame, size_t len);
/* Length of the packet that offload_split_next would write; 0: there is none left. */
size_t offload_split_peek(const struct offload_split *s);
/* Writes the next packet, checksums right; returns its length. All but the last have the same length. 0: no more. */
size_t offload_split_next(struct offload_split *s, uint8_t *out);

/* A packet to merge, and where its group goes on. */
struct offload_pkt {
	uint8_t *p;
	size_t len;
	uint16_t
		next; /* set by offload_merge: index of the packet behind this one in its group, or OFFLOAD_LAST */
};
enum { OFFLOAD_LAST = UINT16_MAX };

/*
 * One write to the TUN device: hdr, the whole of the first packet, then of each packet that follows by `next` all but
 * its first hdr_len bytes.
 */
struct offload_group {
	uint8_t hdr[OFFLOAD_HDR_LEN];
	uint16_t first, n, hdr_len;
};

/*
 * Groups packets, n <= OFFLOAD_MERGE_MAX; groups has room for n. Changes the headers of packets that lead a group of
 * more than one. Order within a flow stays. udp: the device takes UDP super-packets, too (Linux 6.2). Returns the number
 * of groups.
 */
size_t offload_merge(struct offload_pkt *pkt, size_t n, bool udp, struct offload_group *groups);

#endif
