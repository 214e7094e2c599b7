/* proto/ip/csum: the Internet checksum (RFC 1071), and the header fields whose change asks for a
 * new one. */
#ifndef WARREN_PROTO_IP_CSUM_H
#define WARREN_PROTO_IP_CSUM_H

#include "base/bytes/bytes.h"

/* 16-bit ones' complement sum, not folded; sums of even-sized parts may be added. */
uint64_t ip_csum(const uint8_t *p, size_t n);
/* Folded to 16 bits, not inverted. */
uint16_t ip_csum_fold(uint64_t sum);

/* Sums are in the order of the bytes on the wire, whatever the host's, and so are the fields. */
static inline void ip_csum_store(uint8_t *p, uint16_t v)
{
	memcpy(p, &v, sizeof(v));
}

static inline bool ip_is_v4(const uint8_t *ip)
{
	return ip[0] >> 4 == 4;
}

/* Sum of the pseudo header of a transport of this length. ip: a whole header, 20 or 40 bytes. */
static inline uint64_t ip_csum_pseudo(const uint8_t *ip, uint8_t proto, size_t transport_len)
{
	uint8_t tail[8];

	store_be32(tail, (uint32_t)transport_len);
	store_be32(tail + 4, proto);
	return (ip_is_v4(ip) ? ip_csum(ip + 12, 8) : ip_csum(ip + 8, 32)) + ip_csum(tail, 8);
}

/* Sets the length of the whole packet in the IP header, and the header checksum of IPv4. ihl:
 * without extensions. */
static inline void ip_set_length(uint8_t *ip, size_t ihl, size_t len)
{
	if (ip_is_v4(ip)) {
		store_be16(ip + 2, (uint16_t)len);
		memset(ip + 10, 0, 2);
		ip_csum_store(ip + 10, (uint16_t)~ip_csum_fold(ip_csum(ip, ihl)));
	} else {
		store_be16(ip + 4, (uint16_t)(len - 40));
	}
}

#endif
