/* Another address in a packet, and its checksums with it (RFC 1624). */
#include "proto/ip/csum.h"
#include "proto/ip/ip.h"

#include <string.h>

/* Where the transport's checksum is that covers the addresses; NULL: nowhere. */
static uint8_t *transport_csum(uint8_t *p, const struct ip_pkt *ip)
{
	uint8_t *body = ip->body ? p + (ip->body - p) : NULL;

	if (!body)
		return NULL;
	if (ip->proto == IP_PROTO_TCP && ip->body_len >= TCP_LEN)
		return body + TCP_CSUM;
	if (ip->proto == IP_PROTO_UDP && ip->body_len >= UDP_LEN)
		return body[UDP_CSUM] | body[UDP_CSUM + 1] ? body + UDP_CSUM : NULL;
	if (ip->proto == IP_PROTO_ICMPV6 && ip->body_len >= ICMP_LEN)
		return body + 2;
	return NULL;
}

/* The sum without the old bytes and with the new ones. */
static void adjust(uint8_t *csum, const uint8_t *old, const uint8_t *fresh, size_t n, bool is_udp)
{
	uint16_t was, is;

	memcpy(&was, csum, sizeof(was));
	is = ip_csum_fold((uint16_t)~was + (uint64_t)(uint16_t)~ip_csum_fold(ip_csum(old, n)) +
			  ip_csum(fresh, n));
	is = (uint16_t)~is;
	ip_csum_store(csum, is || !is_udp ? is : UINT16_MAX); /* of UDP 0 says: no checksum */
}

void ip_set_address(uint8_t *p, size_t len, bool source, struct ipaddr to)
{
	struct ip_pkt ip;
	uint8_t *at, *csum;
	size_t n;

	ip_decode(p, len, &ip);
	if (ip.version != to.family)
		return;
	n = ip.version == 4 ? 4 : 16;
	at = p + ((source ? ip.src : ip.dst) - p);
	csum = transport_csum(p, &ip);
	if (ip.version == 4)
		adjust(p + 10, at, to.b, n, false);
	if (csum)
		adjust(csum, at, to.b, n, ip.proto == IP_PROTO_UDP);
	memcpy(at, to.b, n);
}
