#include "proto/ip/ip.h"
#include "base/err/err.h"

/*
 * The longest IPv4 header and the plain TCP header, in units of 8 bytes: a later fragment that
 * begins before could replace what was judged in the first one (RFC 1858).
 */
enum { FRAGMENT_MIN_BLOCK = (60 + TCP_LEN) / 8, FRAGMENT_HEADER_LEN = 8 };

/* Where the packet stands in its fragmentation. */
struct frag {
	unsigned block; /* offset in units of 8 bytes */
	bool more;
};

/* What the transport needs to be worth a look. */
static size_t transport_min(uint8_t proto)
{
	switch (proto) {
	case IP_PROTO_ICMP:
	case IP_PROTO_ICMPV6:
		return ICMP_LEN;
	case IP_PROTO_TCP:
		return TCP_LEN;
	case IP_PROTO_UDP:
	case IP_PROTO_IGMP:
		return 8;
	case IP_PROTO_SCTP:
		return SCTP_LEN;
	case IP_PROTO_TSMP:
		return 7;
	default:
		return 0;
	}
}

/* c stands behind the IP header. */
static void decode_transport(struct cur c, uint8_t proto, struct frag f, struct ip_pkt *p)
{
	size_t len = cur_left(&c);
	const uint8_t *t = c.p;

	if (f.block > 0) {
		if (f.block < FRAGMENT_MIN_BLOCK)
			return;
		proto = IP_PROTO_FRAGMENT;
	} else if (proto == IP_PROTO_FRAGMENT || len < transport_min(proto) ||
		   (proto == IP_PROTO_TSMP && f.more)) {
		return;
	}
	p->proto = proto;
	p->body = t;
	p->body_len = len;
	if (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP || proto == IP_PROTO_SCTP) {
		p->sport = load_be16(t);
		p->dport = load_be16(t + 2);
	}
	if (proto == IP_PROTO_TCP)
		p->tcp_flags = t[13];
}

static void decode4(const uint8_t *b, size_t len, struct ip_pkt *p)
{
	struct cur c = cur_over(b, len);
	size_t ihl, total;
	unsigned frag;

	if (!cur_take(&c, IP4_LEN))
		return;
	p->version = 4;
	p->src = b + 12;
	p->dst = b + 16;
	ihl = (size_t)(b[0] & 0x0f) * 4;
	total = load_be16(b + 2);
	frag = load_be16(b + 6);
	if (len < total || ihl < IP4_LEN || ihl > total)
		return;
	cur_skip(&c, ihl - IP4_LEN);
	decode_transport(
		c, b[9], (struct frag){ .block = frag & 0x1fff, .more = frag & 0x2000 }, p);
}

static void decode6(const uint8_t *b, size_t len, struct ip_pkt *p)
{
	struct cur c = cur_over(b, len);
	struct frag f = { 0 };
	uint8_t proto;

	if (!cur_take(&c, IP6_LEN))
		return;
	p->version = 6;
	p->src = b + 8;
	p->dst = b + 24;
	if (len < IP6_LEN + (size_t)load_be16(b + 4))
		return;
	proto = b[6];
	if (proto == IP_PROTO_FRAGMENT_HEADER) {
		const uint8_t *h = cur_take(&c, FRAGMENT_HEADER_LEN);

		if (!h)
			return;
		proto = h[0];
		f.block = load_be16(h + 2) >> 3;
		f.more = h[3] & 1;
	}
	decode_transport(c, proto, f, p);
}

void ip_decode(const uint8_t *p, size_t len, struct ip_pkt *ret)
{
	*ret = (struct ip_pkt){ .proto = IP_PROTO_UNKNOWN };
	if (len == 0)
		return;
	if (p[0] >> 4 == 4)
		decode4(p, len, ret);
	else if (p[0] >> 4 == 6)
		decode6(p, len, ret);
}

static struct ipaddr addr_at(const struct ip_pkt *p, const uint8_t *at)
{
	return p->version == 4 ? ipaddr_from4(at) : ipaddr_from16(at);
}

struct ipaddr ip_src(const struct ip_pkt *p)
{
	return addr_at(p, p->src);
}

struct ipaddr ip_dst(const struct ip_pkt *p)
{
	return addr_at(p, p->dst);
}

static bool is_icmp(const struct ip_pkt *p, size_t min)
{
	return p->proto == (p->version == 4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6) &&
	       p->body_len >= min;
}

/* Types and code of echo: RFC 792, 4443 section 4. */
static bool is_echo(const struct ip_pkt *p, uint8_t type4, uint8_t type6)
{
	return is_icmp(p, ICMP_ECHO_LEN) && p->body[0] == (p->version == 4 ? type4 : type6) &&
	       p->body[1] == 0;
}

bool ip_is_echo_request(const struct ip_pkt *p)
{
	return is_echo(p, 8, 128);
}

bool ip_is_echo_reply(const struct ip_pkt *p)
{
	return is_echo(p, 0, 129);
}

bool ip_is_icmp_error(const struct ip_pkt *p)
{
	if (!is_icmp(p, ICMP_ECHO_LEN))
		return false;
	/* 18 is no error; the original has it here, and a peer may count on it. */
	return p->version == 4 ? p->body[0] == 3 || p->body[0] == 11 || p->body[0] == 18
			       : p->body[0] >= 1 && p->body[0] <= 4;
}

int ip_echo_decode(const struct ip_pkt *p, struct ip_echo *ret)
{
	bool reply = ip_is_echo_reply(p);

	if (!reply && !ip_is_echo_request(p))
		return -ERR_BAD_TYPE;
	*ret = (struct ip_echo){ .reply = reply,
		.id = load_be16(p->body + 4),
		.seq = load_be16(p->body + 6),
		.payload = view_of(p->body + ICMP_ECHO_LEN, p->body_len - ICMP_ECHO_LEN) };
	return 0;
}

int tsmp_decode(const struct ip_pkt *p, struct tsmp *ret)
{
	struct cur c;
	struct tsmp m = { 0 };
	uint8_t type;

	if (p->proto != IP_PROTO_TSMP)
		return -ERR_BAD_TYPE;
	c = cur_over(p->body, p->body_len);
	type = cur_u8(&c);
	switch (type) {
	case TSMP_REJECT:
		m.proto = cur_u8(&c);
		m.reason = cur_u8(&c);
		m.sport = cur_be16(&c);
		m.dport = cur_be16(&c);
		m.maybe_broken = cur_left(&c) && (cur_u8(&c) & 1);
		break;
	case TSMP_PONG:
	case TSMP_PING:
		cur_copy(&c, m.data, sizeof(m.data));
		if (type == TSMP_PONG && cur_left(&c) >= 2)
			m.peerapi_port = cur_be16(&c);
		break;
	case TSMP_DISCO_KEY:
		cur_copy(&c, m.disco_key, sizeof(m.disco_key));
		break;
	default:
		return -ERR_BAD_TYPE;
	}
	if (c.bad)
		return -ERR_TRUNCATED;
	m.type = (enum tsmp_type)type;
	*ret = m;
	return 0;
}
