#include "proto/ip/csum.h"
#include "proto/ip/ip.h"
#include "base/err/err.h"

enum { TTL = 64, PACKET_MAX = 65535 };

/*
 * Writes an IP header without options for a body that follows; its length, or -ERR_BAD_VALUE,
 * -ERR_TOO_BIG. The checksum of IPv4 is right when it returns.
 */
static int put_header(struct ipaddr src, struct ipaddr dst, uint8_t proto, size_t body_len,
	uint8_t *out, size_t max)
{
	size_t ihl = src.family == 4 ? IP4_LEN : IP6_LEN;

	if (!src.family || src.family != dst.family)
		return -ERR_BAD_VALUE;
	if (body_len > PACKET_MAX - ihl || ihl + body_len > max)
		return -ERR_TOO_BIG;
	memset(out, 0, ihl);
	if (ihl == IP4_LEN) {
		out[0] = 0x45;
		out[8] = TTL;
		out[9] = proto;
		memcpy(out + 12, src.b, 4);
		memcpy(out + 16, dst.b, 4);
	} else {
		out[0] = 0x60;
		out[6] = proto;
		out[7] = TTL;
		memcpy(out + 8, src.b, 16);
		memcpy(out + 24, dst.b, 16);
	}
	ip_set_length(out, ihl, ihl + body_len);
	return (int)ihl;
}

int ip_echo_encode(
	struct ipaddr src, struct ipaddr dst, const struct ip_echo *e, uint8_t *out, size_t max)
{
	bool v4 = src.family == 4;
	size_t len = ICMP_ECHO_LEN + e->payload.len;
	int ihl = put_header(src, dst, v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6, len, out, max);
	uint64_t sum;
	uint8_t *t;

	if (ihl < 0)
		return ihl;
	t = out + ihl;
	t[0] = v4 ? (e->reply ? 0 : 8) : (e->reply ? 129 : 128);
	memset(t + 1, 0, 3);
	store_be16(t + 4, e->id);
	store_be16(t + 6, e->seq);
	if (e->payload.len)
		memcpy(t + ICMP_ECHO_LEN, e->payload.p, e->payload.len);
	sum = ip_csum(t, len) + (v4 ? 0 : ip_csum_pseudo(out, IP_PROTO_ICMPV6, len));
	ip_csum_store(t + 2, (uint16_t)~ip_csum_fold(sum));
	return ihl + (int)len;
}

/* ---- Answers to the system on this machine ---- */

int ip_udp_encode(
	struct ipport src, struct ipport dst, struct view payload, uint8_t *out, size_t max)
{
	size_t len = UDP_LEN + payload.len;
	int ihl = payload.len <= PACKET_MAX - UDP_LEN
			  ? put_header(src.ip, dst.ip, IP_PROTO_UDP, len, out, max)
			  : -ERR_TOO_BIG;
	uint16_t sum;
	uint8_t *t;

	if (ihl < 0)
		return ihl;
	if (ihl == IP4_LEN && (size_t)ihl + len <= IP_WHOLE_MAX) {
		store_be16(out + 6, IP4_DONT_FRAGMENT);
		ip_set_length(out, IP4_LEN, IP4_LEN + len);
	}
	t = out + ihl;
	store_be16(t, src.port);
	store_be16(t + 2, dst.port);
	store_be16(t + 4, (uint16_t)len);
	memset(t + UDP_CSUM, 0, 2);
	if (payload.len)
		memcpy(t + UDP_LEN, payload.p, payload.len);
	sum = (uint16_t)~ip_csum_fold(ip_csum(t, len) + ip_csum_pseudo(out, IP_PROTO_UDP, len));
	ip_csum_store(t + UDP_CSUM, sum ? sum : UINT16_MAX); /* 0 says: no checksum */
	return ihl + (int)len;
}

bool ip_udp_is_sound(const struct ip_pkt *p, const uint8_t *packet)
{
	if (p->proto != IP_PROTO_UDP || load_be16(p->body + 4) != p->body_len)
		return false;
	if (!load_be16(p->body + UDP_CSUM))
		return p->version == 4;
	return ip_csum_fold(ip_csum(p->body, p->body_len) +
			    ip_csum_pseudo(packet, IP_PROTO_UDP, p->body_len)) == UINT16_MAX;
}

int ip_reset_encode(const struct ip_pkt *segment, uint8_t out[static IP_RESET_MAX])
{
	const uint8_t *s = segment->body;
	size_t header;
	int ihl;
	uint8_t *t;

	if (segment->proto != IP_PROTO_TCP)
		return -ERR_BAD_TYPE;
	header = (size_t)(s[12] >> 4) * 4;
	if (header < TCP_LEN || header > segment->body_len)
		return -ERR_BAD_FORMAT;
	if (segment->tcp_flags & TCP_RST)
		return 0;
	ihl = put_header(
		ip_dst(segment), ip_src(segment), IP_PROTO_TCP, TCP_LEN, out, IP_RESET_MAX);
	if (ihl < 0)
		return ihl;
	t = out + ihl;
	memset(t, 0, TCP_LEN);
	store_be16(t, segment->dport);
	store_be16(t + 2, segment->sport);
	t[12] = TCP_LEN / 4 << 4;
	if (segment->tcp_flags & TCP_ACK) {
		memcpy(t + 4, s + 8, 4);
		t[13] = TCP_RST;
	} else {
		store_be32(t + 8, load_be32(s + 4) + (uint32_t)(segment->body_len - header) +
					  !!(segment->tcp_flags & TCP_SYN) +
					  !!(segment->tcp_flags & TCP_FIN));
		t[13] = TCP_RST | TCP_ACK;
	}
	ip_csum_store(t + TCP_CSUM,
		(uint16_t)~ip_csum_fold(
			ip_csum(t, TCP_LEN) + ip_csum_pseudo(out, IP_PROTO_TCP, TCP_LEN)));
	return ihl + TCP_LEN;
}

int ip_unreachable_encode(const struct ip_pkt *p, const uint8_t *packet, size_t len,
	uint8_t out[static IP_UNREACHABLE_MAX])
{
	bool v4 = p->version == 4;
	uint8_t proto = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
	size_t quoted = MIN_OF(len, (size_t)IP_UNREACHABLE_MAX - IP6_LEN - ICMP_ECHO_LEN);
	size_t body = ICMP_ECHO_LEN + quoted;
	int ihl = p->version
			  ? put_header(ip_dst(p), ip_src(p), proto, body, out, IP_UNREACHABLE_MAX)
			  : -ERR_BAD_FORMAT;
	uint8_t *t;

	if (ihl < 0)
		return ihl;
	t = out + ihl;
	memset(t, 0, ICMP_ECHO_LEN);
	t[0] = v4 ? 3 : 1; /* destination unreachable: RFC 792, 4443 */
	t[1] = v4 ? 3 : 4; /* because of the port */
	memcpy(t + ICMP_ECHO_LEN, packet, quoted);
	ip_csum_store(t + 2,
		(uint16_t)~ip_csum_fold(
			ip_csum(t, body) + (v4 ? 0 : ip_csum_pseudo(out, IP_PROTO_ICMPV6, body))));
	return ihl + (int)body;
}

/* ---- TSMP ---- */

static size_t put_tsmp(const struct tsmp *m, uint8_t *out, size_t max)
{
	struct wcur w = wcur_over(out, max);

	wcur_u8(&w, (uint8_t)m->type);
	switch (m->type) {
	case TSMP_REJECT:
		wcur_u8(&w, m->proto);
		wcur_u8(&w, m->reason);
		wcur_be16(&w, m->sport);
		wcur_be16(&w, m->dport);
		if (m->maybe_broken)
			wcur_u8(&w, 1);
		break;
	case TSMP_PING:
		wcur_copy(&w, m->data, sizeof(m->data));
		break;
	case TSMP_PONG:
		wcur_copy(&w, m->data, sizeof(m->data));
		wcur_be16(&w, m->peerapi_port);
		break;
	case TSMP_DISCO_KEY:
		wcur_copy(&w, m->disco_key, sizeof(m->disco_key));
		break;
	}
	return wcur_len(&w);
}

int tsmp_encode(struct ipaddr src, struct ipaddr dst, const struct tsmp *m,
	uint8_t out[static TSMP_PACKET_MAX])
{
	uint8_t body[TSMP_PACKET_MAX - IP6_LEN];
	size_t len = put_tsmp(m, body, sizeof(body));
	int ihl = put_header(src, dst, IP_PROTO_TSMP, len, out, TSMP_PACKET_MAX);

	if (ihl < 0)
		return ihl;
	memcpy(out + ihl, body, len);
	return ihl + (int)len;
}

int tsmp_pong_encode(
	const uint8_t *ping, size_t len, uint16_t peerapi_port, uint8_t out[static TSMP_PACKET_MAX])
{
	struct ip_pkt p;
	struct tsmp m;
	int n;

	ip_decode(ping, len, &p);
	n = tsmp_decode(&p, &m);
	if (n < 0)
		return n;
	if (m.type != TSMP_PING)
		return -ERR_BAD_TYPE;
	if (ip_src(&p).family != p.version) /* IPv4-mapped: no address of a tailnet */
		return -ERR_BAD_VALUE;
	m.type = TSMP_PONG;
	m.peerapi_port = peerapi_port;
	n = tsmp_encode(ip_dst(&p), ip_src(&p), &m, out);
	if (n < 0)
		return n;
	if (p.version == 4) {
		store_be16(out + 4, (uint16_t)~load_be16(ping + 4));
		ip_set_length(out, IP4_LEN, (size_t)n);
	} else {
		store_be32(out, 0x60000000 | (~load_be32(ping) & 0xfffff));
	}
	return n;
}
