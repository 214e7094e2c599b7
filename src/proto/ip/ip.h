/*
 * proto/ip: the headers of a packet inside the tunnel, IPv4 or IPv6 with TCP, UDP, SCTP, ICMP or
 * TSMP on top: what a packet filter and the node's own answers need to know of them.
 *
 * What is refused and what is let through follows the original, because both ends of a tailnet rely
 * on the same reading: IPv4 options are skipped; of IPv6 extension headers only a fragment header
 * directly behind the fixed one is known, any other counts as the protocol; a first fragment must
 * hold the whole transport header; later fragments have no ports, and one that reaches into the
 * first 80 bytes (where it could replace a header that was judged already) is refused.
 *
 * Source: RFC 791, 8200, 9293, 768, 792, 4443, 9260; Tailscale net/packet;
 * tests/vectors/filter.jsonl.
 */
#ifndef WARREN_PROTO_IP_IP_H
#define WARREN_PROTO_IP_IP_H

#include "base/netip/netip.h"

enum {
	IP_PROTO_UNKNOWN = 0, /* the packet could not be read */
	IP_PROTO_ICMP = 1,
	IP_PROTO_IGMP = 2,
	IP_PROTO_TCP = 6,
	IP_PROTO_UDP = 17,
	IP_PROTO_FRAGMENT_HEADER = 44, /* IPv6 */
	IP_PROTO_ICMPV6 = 58,
	IP_PROTO_TSMP = 99,
	IP_PROTO_SCTP = 132,
	IP_PROTO_FRAGMENT = 255, /* ours, never on the wire: a later fragment */
};

enum {
	IP4_LEN = 20,
	IP6_LEN = 40,
	TCP_LEN = 20,
	UDP_LEN = 8,
	SCTP_LEN = 12,
	ICMP_LEN = 4,
	ICMP_ECHO_LEN = 8
};

enum {
	IP4_DONT_FRAGMENT = 0x4000,
	IP4_FRAGMENT = 0x3fff, /* offset, or more follow: no whole packet */
};

enum {
	TCP_FIN = 0x01,
	TCP_SYN = 0x02,
	TCP_RST = 0x04,
	TCP_PSH = 0x08,
	TCP_ACK = 0x10,
	TCP_CWR = 0x80,
	TCP_CSUM = 16, /* offset of the checksum in its header */
	UDP_CSUM = 6,
};

/* A packet as read. Pointers go into the packet. */
struct ip_pkt {
	uint8_t version; /* 4, 6; 0: neither, or too short to tell; then nothing else is set */
	uint8_t proto;
	uint8_t tcp_flags;
	uint16_t sport, dport;    /* TCP, UDP, SCTP; else 0 */
	const uint8_t *src, *dst; /* 4 or 16 bytes; not NULL when version is set */
	const uint8_t
		*body; /* behind the IP header and fragment header; NULL when proto is unknown */
	size_t body_len;
};

/* Never fails: a packet that cannot be read has proto IP_PROTO_UNKNOWN. */
void ip_decode(const uint8_t *p, size_t len, struct ip_pkt *ret);

/* As values; an IPv4-mapped IPv6 address comes out as IPv4. Only when version is set. */
struct ipaddr ip_src(const struct ip_pkt *p);
struct ipaddr ip_dst(const struct ip_pkt *p);

/* SYN without ACK: somebody begins a connection. */
static inline bool ip_is_tcp_syn(const struct ip_pkt *p)
{
	return p->proto == IP_PROTO_TCP && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* ICMP of the packet's own family. */
bool ip_is_echo_request(const struct ip_pkt *p);
bool ip_is_echo_reply(const struct ip_pkt *p);
bool ip_is_icmp_error(const struct ip_pkt *p);

struct ip_echo {
	bool reply;
	uint16_t id, seq;
	struct view payload;
};
/* -ERR_BAD_TYPE: not an echo request or reply. */
MUST_USE int ip_echo_decode(const struct ip_pkt *p, struct ip_echo *ret);
/* A whole packet. Both addresses of one family. Returns its length, -ERR_TOO_BIG or -ERR_BAD_VALUE.
 */
MUST_USE int ip_echo_encode(
	struct ipaddr src, struct ipaddr dst, const struct ip_echo *e, uint8_t *out, size_t max);

/* A UDP datagram; src and dst of one family. Returns the packet's length, -ERR_TOO_BIG or
 * -ERR_BAD_VALUE. Fragments of it are forbidden on the way up to IP_WHOLE_MAX bytes. */
MUST_USE int ip_udp_encode(
	struct ipport src, struct ipport dst, struct view payload, uint8_t *out, size_t max);
/* Are the checksum and the length of this UDP datagram right? IPv4 may go without a checksum. */
bool ip_udp_is_sound(const struct ip_pkt *p, const uint8_t *packet);

/*
 * Another source or destination, of the packet's family (else nothing changes), with the checksums of IPv4, TCP, UDP and ICMPv6. What an
 * ICMP error quotes stays.
 */
void ip_set_address(uint8_t *p, size_t len, bool source, struct ipaddr to);

enum {
	IP_WHOLE_MAX = 1280,
	IP_RESET_MAX = IP6_LEN + TCP_LEN,
	IP_UNREACHABLE_MAX = 576, /* of what it answers, as much as fits: RFC 1812, 4.3.2.3 */
};
/* The answer to a TCP segment that nobody waits for (RFC 9293, 3.10.7.1); 0: a reset gets none. */
MUST_USE int ip_reset_encode(const struct ip_pkt *segment, uint8_t out[static IP_RESET_MAX]);
/* "Port unreachable" to the sender of this packet, whose whole bytes are given. */
MUST_USE int ip_unreachable_encode(const struct ip_pkt *p, const uint8_t *packet, size_t len,
	uint8_t out[static IP_UNREACHABLE_MAX]);

/*
 * TSMP, the messages that nodes exchange inside the tunnel as IP protocol 99. They never come from
 * nor go to the operating system.
 */
enum tsmp_type {
	TSMP_REJECT = '!',
	TSMP_PING = 'p',
	TSMP_PONG = 'o',
	TSMP_DISCO_KEY = 'a',
};
enum tsmp_reason {
	TSMP_REASON_ACL = 'A',
	TSMP_REASON_SHIELDS = 'S',
	TSMP_REASON_IP_FORWARDING = 'F',
	TSMP_REASON_HOST_FIREWALL = 'W',
	TSMP_REASON_TRANSIT_IP = 'T',
};
enum { TSMP_PACKET_MAX = IP6_LEN + 33 };

struct tsmp {
	enum tsmp_type type;
	/* Reject: of the flow that was turned down, seen from its initiator, to whom this goes. */
	uint8_t proto;
	uint8_t reason; /* enum tsmp_reason, or a later version's */
	uint16_t sport, dport;
	bool maybe_broken;
	uint8_t data[8];       /* ping, pong */
	uint16_t peerapi_port; /* pong; 0: unknown */
	uint8_t disco_key[32]; /* disco key */
};
/* -ERR_BAD_TYPE: not TSMP or of a kind unknown here, -ERR_TRUNCATED. */
MUST_USE int tsmp_decode(const struct ip_pkt *p, struct tsmp *ret);
/* A whole packet, at most TSMP_PACKET_MAX. Both addresses of one family. Returns its length or
 * -ERR_BAD_VALUE. */
MUST_USE int tsmp_encode(struct ipaddr src, struct ipaddr dst, const struct tsmp *m,
	uint8_t out[static TSMP_PACKET_MAX]);
/* The answer to a ping packet: its addresses turned round, and the header marks that the original
 * sets. */
MUST_USE int tsmp_pong_encode(const uint8_t *ping, size_t len, uint16_t peerapi_port,
	uint8_t out[static TSMP_PACKET_MAX]);

#endif
