#include "core/quad100/quad100.h"
#include "base/err/err.h"
#include "proto/ip/csum.h"
#include "proto/ip/ip.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>

enum {
	PACKET_MAX = IP6_LEN + UDP_LEN + QUAD100_ANSWER_MAX,
	OUT_MAX = 16 * PACKET_MAX, /* bytes of answers that wait */
};

struct quad100 {
	struct ipport tcp_dns[2]; /* by family, IPv4 first */
	struct quad100_counters n;
	size_t n_back, n_questions, at; /* at: the next question to be taken */
	size_t n_refusals, used;        /* bytes of out */
	struct pkt back[PKT_BATCH_MAX];
	struct quad100_question question[PKT_BATCH_MAX];
	uint8_t refusal[QUAD100_REFUSALS_MAX][IP_UNREACHABLE_MAX];
	uint8_t out[OUT_MAX];
};

static bool is_ours(const struct ip_pkt *ip)
{
	return ip->version == 4 ? !memcmp(ip->dst, tsaddr_service.b, 4)
				: !memcmp(ip->dst, tsaddr_service6.b, 16);
}

void quad100_set_tcp_dns(struct quad100 *q, int family, struct ipport at)
{
	q->tcp_dns[family == 6] = at;
}

/* A whole packet without options, whose IP header says the truth about its length. */
static bool is_plain(const uint8_t *p, size_t len)
{
	if (p[0] >> 4 == 6)
		return len == IP6_LEN + (size_t)load_be16(p + 4);
	return p[0] == 0x45 && len == load_be16(p + 2) && !(load_be16(p + 6) & IP4_FRAGMENT) &&
	       ip_csum_fold(ip_csum(p, IP4_LEN)) == UINT16_MAX;
}

/*
 * May this be the address of a program here? The service addresses themselves would talk to each other for ever, and an
 * IPv4-mapped address is of another family than its packet.
 */
static bool can_be_answered(struct ipaddr a, uint8_t version)
{
	return a.family == version && !ipaddr_is_multicast(a) && !ipaddr_is_unspecified(a) &&
	       !ipaddr_is_loopback(a) && !ipaddr_eq(a, tsaddr_service) &&
	       !ipaddr_eq(a, tsaddr_service6) && !ipaddr_eq(a, ipaddr_v4(255, 255, 255, 255));
}

static void turn_round(uint8_t *p, const struct ip_pkt *ip)
{
	size_t n = ip->version == 4 ? 4 : 16;
	uint8_t *src = p + (ip->src - p), *dst = p + (ip->dst - p), keep[16];

	memcpy(keep, src, n);
	memcpy(src, dst, n);
	memcpy(dst, keep, n);
}

/* One 16-bit field of a transport changes, and its checksum with it (RFC 1624). */
static void change_port(uint8_t *field, uint8_t *sum, uint16_t to)
{
	uint16_t old, fresh, c;
	uint8_t be[2];

	store_be16(be, to);
	memcpy(&old, field, 2);
	memcpy(&fresh, be, 2);
	memcpy(&c, sum, 2);
	c = (uint16_t)~ip_csum_fold((uint64_t)(uint16_t)~c + (uint16_t)~old + fresh);
	memcpy(field, be, 2);
	ip_csum_store(sum, c);
}

static void back(struct quad100 *q, uint8_t *p, size_t len)
{
	if (q->n_back < PKT_BATCH_MAX)
		q->back[q->n_back++] = (struct pkt){ p, len };
}

static void refuse(struct quad100 *q, const struct ip_pkt *ip, const struct pkt *pkt)
{
	uint8_t *out = q->refusal[q->n_refusals];
	int n;

	if (q->n_refusals == QUAD100_REFUSALS_MAX) {
		q->n.unrefused++;
		return;
	}
	n = ip->proto == IP_PROTO_TCP ? ip_reset_encode(ip, out)
				      : ip_unreachable_encode(ip, pkt->p, pkt->len, out);
	if (n <= 0) {
		q->n.unreadable += n < 0;
		return;
	}
	q->n_refusals++;
	q->n.refused++;
	back(q, out, (size_t)n);
}

/* Addresses change places, which leaves their sum as it is; of the ports one is replaced. */
static void take_tcp(struct quad100 *q, const struct ip_pkt *ip, const struct pkt *pkt)
{
	const struct ipport *at = &q->tcp_dns[ip->version == 6];
	uint8_t *t = pkt->p + (ip->body - pkt->p);
	bool from_listener = ip->sport == at->port;

	if (!at->port || !ipaddr_eq(ip_src(ip), at->ip) ||
		(!from_listener && ip->dport != QUAD100_DNS_PORT)) {
		refuse(q, ip, pkt);
		return;
	}
	turn_round(pkt->p, ip);
	if (from_listener)
		change_port(t, t + TCP_CSUM, QUAD100_DNS_PORT);
	else
		change_port(t + 2, t + TCP_CSUM, at->port);
	q->n.tcp_segments++;
	back(q, pkt->p, pkt->len);
}

static void take_udp(struct quad100 *q, const struct ip_pkt *ip, const struct pkt *pkt)
{
	if (!ip_udp_is_sound(ip, pkt->p)) {
		q->n.unreadable++;
	} else if (!ip->sport) {
		q->n.ignored++; /* cannot be answered */
	} else if (ip->dport != QUAD100_DNS_PORT) {
		refuse(q, ip, pkt);
	} else {
		q->n.udp_questions++;
		q->question[q->n_questions++] = (struct quad100_question){
			.msg = view_of(ip->body + UDP_LEN, ip->body_len - UDP_LEN),
			.client = { ip_src(ip), ip->sport },
			.service = ip_dst(ip),
		};
	}
}

/* The request becomes its reply: another type, and addresses that have changed places. */
static void take_echo(struct quad100 *q, const struct ip_pkt *ip, const struct pkt *pkt)
{
	uint8_t *t = pkt->p + (ip->body - pkt->p);
	uint64_t sum;

	turn_round(pkt->p, ip);
	t[0] = ip->version == 4 ? 0 : 129;
	memset(t + 2, 0, 2);
	sum = ip_csum(t, ip->body_len);
	if (ip->version == 6)
		sum += ip_csum_pseudo(pkt->p, IP_PROTO_ICMPV6, ip->body_len);
	ip_csum_store(t + 2, (uint16_t)~ip_csum_fold(sum));
	q->n.echoes++;
	back(q, pkt->p, pkt->len);
}

static void take(struct quad100 *q, const struct pkt *pkt)
{
	struct ip_pkt ip;

	ip_decode(pkt->p, pkt->len, &ip);
	if (!ip.proto || !is_plain(pkt->p, pkt->len))
		q->n.unreadable++;
	else if (!is_ours(&ip) || !can_be_answered(ip_src(&ip), ip.version))
		q->n.ignored++;
	else if (ip.proto == IP_PROTO_TCP)
		take_tcp(q, &ip, pkt);
	else if (ip.proto == IP_PROTO_UDP)
		take_udp(q, &ip, pkt);
	else if (ip_is_echo_request(&ip))
		take_echo(q, &ip, pkt);
	else
		q->n.ignored++;
}

void quad100_in(struct quad100 *q, const struct pkt *pkt, size_t n)
{
	q->n_back = q->n_refusals = q->used = 0;
	q->n_questions = q->at = 0;
	for (size_t i = 0; i < n && i < PKT_BATCH_MAX; i++)
		take(q, &pkt[i]);
}

bool quad100_next_question(struct quad100 *q, struct quad100_question *ret)
{
	if (q->at == q->n_questions)
		return false;
	*ret = q->question[q->at++];
	return true;
}

bool quad100_is_full(const struct quad100 *q)
{
	return q->n_back == PKT_BATCH_MAX || OUT_MAX - q->used < PACKET_MAX;
}

void quad100_answer(struct quad100 *q, struct ipaddr service, struct ipport client, struct view msg)
{
	struct ipport from = { service, QUAD100_DNS_PORT };
	int n;

	/* What was taken out is gone. */
	if (!q->n_back)
		q->used = 0;
	if (quad100_is_full(q) || msg.len > QUAD100_ANSWER_MAX) {
		q->n.no_room++;
		return;
	}
	n = ip_udp_encode(from, client, msg, q->out + q->used, PACKET_MAX);
	if (n < 0) {
		q->n.no_room++;
		return;
	}
	back(q, q->out + q->used, (size_t)n);
	q->used += (size_t)n;
	q->n.udp_answers++;
}

size_t quad100_next_packets(struct quad100 *q, struct pkt **ret)
{
	size_t n = q->n_back;

	q->n_back = 0;
	*ret = q->back;
	return n;
}

int quad100_new(struct quad100 **ret)
{
	struct quad100 *q = NEW_WITH_BUFFERS(struct quad100, back);

	if (!q)
		return -ENOMEM;
	*ret = q;
	return 0;
}

struct quad100 *quad100_free(struct quad100 *q)
{
	free(q);
	return NULL;
}

const struct quad100_counters *quad100_counters(const struct quad100 *q)
{
	return &q->n;
}
