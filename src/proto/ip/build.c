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
