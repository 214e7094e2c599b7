/* core/offload/ipcsum: header fields that cutting and merging both touch. Not for others. */
#ifndef WARREN_CORE_OFFLOAD_IPCSUM_H
#define WARREN_CORE_OFFLOAD_IPCSUM_H

#include "core/offload/offload.h"

enum {
	IP_TCP = 6,
	IP_UDP = 17,
	TCP_CSUM = 16, /* offset of the checksum in its header */
	UDP_CSUM = 6,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,
};

/* struct virtio_net_hdr: offsets and values */
enum {
	VNET_FLAGS = 0,
	VNET_GSO_TYPE = 1,
	VNET_HDR_LEN = 2,
	VNET_GSO_SIZE = 4,
	VNET_CSUM_START = 6,
	VNET_CSUM_OFFSET = 8,
	VNET_F_NEEDS_CSUM = 1,
	VNET_GSO_NONE = 0,
	VNET_GSO_TCPV4 = 1,
	VNET_GSO_TCPV6 = 4,
	VNET_GSO_UDP_L4 = 5,
	VNET_GSO_ECN = 0x80,
};

/* Checksum fields are kept in host order of the sums, which is the order of the bytes on the wire. */
static inline void csum_store(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline bool ip_is_v4(const uint8_t *p)
{
	return p[0] >> 4 == 4;
}

/* Sum of the pseudo header. */
static inline uint64_t csum_pseudo(const uint8_t *ip, uint8_t proto, size_t transport_len)
{
	uint8_t tail[8];

	store_be32(tail, (uint32_t)transport_len);
	store_be32(tail + 4, proto);
	return (ip_is_v4(ip) ? offload_csum(ip + 12, 8) : offload_csum(ip + 8, 32)) + offload_csum(tail, 8);
}

/* Sets the length of the whole packet in the IP header, and the header checksum of IPv4. ihl: without extensions. */
static inline void ip_set_length(uint8_t *ip, size_t ihl, size_t len)
{
	if (ip_is_v4(ip)) {
		store_be16(ip + 2, (uint16_t)len);
		memset(ip + 10, 0, 2);
		csum_store(ip + 10, (uint16_t)~offload_csum_fold(offload_csum(ip, ihl)));
	} else {
		store_be16(ip + 4, (uint16_t)(len - 40));
	}
}

#endif
