#include "proto/ip/csum.h"
#include "proto/ip/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What an echo or a TSMP message holds survives being built and read again, and checksums are
 * right. */
static void rebuild(const struct ip_pkt *p)
{
	static uint8_t out[65535];
	struct ipaddr src = ip_src(p), dst = ip_dst(p);
	struct ip_echo e, e2;
	struct tsmp m, m2;
	struct ip_pkt again;
	int n;

	if (ip_echo_decode(p, &e) == 0 && src.family == dst.family &&
		(src.family == 4) == (p->version == 4) &&
		(n = ip_echo_encode(src, dst, &e, out, sizeof(out))) > 0) {
		ip_decode(out, (size_t)n, &again);
		CHECK(ip_echo_decode(&again, &e2) == 0 && e.reply == e2.reply && e.id == e2.id &&
			e.seq == e2.seq);
		CHECK(view_eq(e.payload, e2.payload) && ipaddr_eq(ip_src(&again), src) &&
			ipaddr_eq(ip_dst(&again), dst));
		CHECK(ip_csum_fold(ip_csum(again.body, again.body_len) +
				   (p->version == 4 ? 0
						    : ip_csum_pseudo(out, IP_PROTO_ICMPV6,
							      again.body_len))) == 0xffff);
	}
	if (tsmp_decode(p, &m) == 0 && (n = tsmp_encode(src, dst, &m, out)) > 0) {
		ip_decode(out, (size_t)n, &again);
		CHECK(tsmp_decode(&again, &m2) == 0 && memcmp(&m, &m2, sizeof(m)) == 0);
	}
}

/* Another address: nothing else changes but checksums, and it reads as before. */
static void readdress(const uint8_t *data, size_t len, const struct ip_pkt *p)
{
	static uint8_t copy[65535];
	struct ipaddr to = p->version == 4 ? ipaddr_v4(100, 64, 0, 9)
					   : (struct ipaddr){ 6, { 0xfd, 0x7a, [15] = 9 } };
	struct ip_pkt again;

	if (len > sizeof(copy))
		return;
	memcpy(copy, data, len);
	ip_set_address(copy, len, false, to);
	ip_decode(copy, len, &again);
	CHECK(again.version == p->version && again.proto == p->proto && again.sport == p->sport &&
		again.dport == p->dport && again.body_len == p->body_len);
	CHECK(ipaddr_eq(ip_dst(&again), to) && ipaddr_eq(ip_src(&again), ip_src(p)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t pong[TSMP_PACKET_MAX];
	struct ip_pkt p, q;
	struct tsmp m;
	int n;

	ip_decode(data, len, &p);
	if (p.body)
		CHECK(p.version && p.body >= data && p.body_len <= len &&
			p.body + p.body_len == data + len);
	else
		CHECK(p.proto == IP_PROTO_UNKNOWN);
	if (p.version) {
		rebuild(&p);
		readdress(data, len, &p);
	}
	n = tsmp_pong_encode(data, len, 7, pong);
	if (n > 0) {
		ip_decode(pong, (size_t)n, &q);
		CHECK(tsmp_decode(&q, &m) == 0 && m.type == TSMP_PONG && m.peerapi_port == 7);
	}
	return 0;
}
