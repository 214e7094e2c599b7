#include "core/offload/vnet.h"

enum { N_BUCKETS = 64 };

/* What a packet needs to have in common with its group, and where its parts are. */
struct seg {
	const uint8_t *ip, *t; /* headers */
	size_t ihl, hdr_len, payload;
	uint8_t proto;
};

/* The newest group of each flow. */
struct flow {
	uint16_t group, last; /* last: the packet at its end */
	uint16_t next;        /* flow in the same bucket, or OFFLOAD_LAST */
	struct seg head;
	size_t total; /* length of the merged packet so far */
	bool closed, head_checked;
};

struct merge {
	struct offload_pkt *pkt;
	struct offload_group *groups;
	size_t n_groups, n_flows;
	uint16_t bucket[N_BUCKETS];
	struct flow flow[OFFLOAD_MERGE_MAX];
};

/* False: not a whole TCP or UDP packet of the plain kind; it goes alone. */
static bool parse(const uint8_t *p, size_t len, struct seg *s)
{
	size_t min;

	*s = (struct seg){ .ip = p };
	if (len < 28 || len > OFFLOAD_PACKET_MAX)
		return false;
	if (ip_is_v4(p)) {
		/* No options, no fragment, the length is all of it, and the header is sound. */
		if (p[0] != 0x45 || (load_be16(p + 6) & 0x3fff) || load_be16(p + 2) != len ||
			ip_csum_fold(ip_csum(p, 20)) != 0xffff)
			return false;
		s->ihl = 20;
		s->proto = p[9];
	} else {
		if (p[0] >> 4 != 6 || len < 48 || (size_t)load_be16(p + 4) + 40 != len)
			return false;
		s->ihl = 40;
		s->proto = p[6];
	}
	if (s->proto != IP_PROTO_TCP && s->proto != IP_PROTO_UDP)
		return false;
	min = s->ihl + (s->proto == IP_PROTO_TCP ? 20u : 8u);
	if (len < min)
		return false;
	s->t = p + s->ihl;
	s->hdr_len = s->proto == IP_PROTO_TCP ? s->ihl + (size_t)(s->t[12] >> 4) * 4 : min;
	if (s->hdr_len < min || s->hdr_len > len)
		return false;
	s->payload = len - s->hdr_len;
	return s->proto == IP_PROTO_TCP || load_be16(s->t + 4) == len - s->ihl;
}

static bool same_flow(const struct seg *a, const struct seg *b)
{
	if (a->proto != b->proto || a->ihl != b->ihl || memcmp(a->t, b->t, 4) != 0)
		return false;
	return a->ihl == 20 ? memcmp(a->ip + 12, b->ip + 12, 8) == 0
			    : memcmp(a->ip + 8, b->ip + 8, 32) == 0;
}

/* Only spreads flows of one batch over buckets; a bad day costs a walk over at most OFFLOAD_MERGE_MAX of them. base/siphash would cost more. */
static unsigned flow_hash(const struct seg *s)
{
	const uint8_t *a = s->ihl == 20 ? s->ip + 12 : s->ip + 20,
		      *b = s->ihl == 20 ? s->ip + 16 : s->ip + 36;
	uint32_t h = load_be32(a) * 0x9e3779b1u ^ load_be32(b) * 0x85ebca77u ^
		     load_be32(s->t) * 0xc2b2ae3du;

	return (h ^ h >> 15) * 0x2c1b3c6du >> 26;
}

static bool csum_right(const struct seg *s)
{
	size_t len = s->hdr_len - s->ihl + s->payload;

	if (s->proto == IP_PROTO_UDP && load_be16(s->t + UDP_CSUM) == 0)
		return false; /* none sent: nothing to vouch for */
	return ip_csum_fold(ip_csum_pseudo(s->ip, s->proto, len) + ip_csum(s->t, len)) == 0xffff;
}

/* Header fields that a merged packet has once for all. */
static bool same_headers(const struct seg *a, const struct seg *b)
{
	if (a->hdr_len != b->hdr_len)
		return false;
	if (a->ihl == 20) {
		if (a->ip[1] != b->ip[1] || a->ip[8] != b->ip[8] ||
			(a->ip[6] & 0x40) != (b->ip[6] & 0x40))
			return false;
	} else if (memcmp(a->ip, b->ip, 4) != 0 || a->ip[7] != b->ip[7]) {
		return false;
	}
	if (a->proto == IP_PROTO_UDP)
		return true;
	/* Acknowledgement number and options (timestamps) alike. */
	return memcmp(a->t + 8, b->t + 8, 4) == 0 &&
	       memcmp(a->t + 20, b->t + 20, a->hdr_len - a->ihl - 20) == 0;
}

/* May a group start with, or take, this packet? Pure data only: ACK, perhaps PSH. */
static bool mergeable(const struct seg *s, bool udp)
{
	if (!s->payload)
		return false;
	return s->proto == IP_PROTO_UDP ? udp : (s->t[13] & ~TCP_PSH) == TCP_ACK;
}

static bool follows(const struct merge *m, const struct flow *f, const struct seg *s)
{
	size_t gso = f->head.payload, n = m->groups[f->group].n;

	if (f->closed || !same_headers(&f->head, s) || s->payload > gso ||
		f->total + s->payload > OFFLOAD_PACKET_MAX)
		return false;
	if (s->proto == IP_PROTO_UDP)
		return n < 64; /* the kernel's limit for a UDP super-packet */
	return load_be32(s->t + 4) == (uint32_t)(load_be32(f->head.t + 4) + gso * n);
}

static void append(struct merge *m, struct flow *f, uint16_t i, const struct seg *s)
{
	m->pkt[f->last].next = i;
	f->last = i;
	m->groups[f->group].n++;
	f->total += s->payload;
	/* A short packet or a push ends the super-packet. */
	f->closed =
		s->payload < f->head.payload || (s->proto == IP_PROTO_TCP && (s->t[13] & TCP_PSH));
}

static uint16_t group_new(struct merge *m, uint16_t i, size_t hdr_len)
{
	m->groups[m->n_groups] =
		(struct offload_group){ .first = i, .n = 1, .hdr_len = (uint16_t)hdr_len };
	return (uint16_t)m->n_groups++;
}

static struct flow *flow_find(struct merge *m, const struct seg *s, unsigned hash)
{
	for (uint16_t i = m->bucket[hash]; i != OFFLOAD_LAST; i = m->flow[i].next)
		if (same_flow(&m->flow[i].head, s))
			return &m->flow[i];
	return NULL;
}

static void add(struct merge *m, uint16_t i, bool udp)
{
	struct offload_pkt *pkt = &m->pkt[i];
	struct flow *f;
	struct seg s;
	unsigned hash;

	pkt->next = OFFLOAD_LAST;
	if (!parse(pkt->p, pkt->len, &s)) {
		group_new(m, i, 0);
		return;
	}
	hash = flow_hash(&s);
	f = flow_find(m, &s, hash);
	if (f && mergeable(&s, udp) && follows(m, f, &s)) {
		bool sound = f->head_checked || csum_right(&f->head);

		f->head_checked = sound;
		if (sound && csum_right(&s)) {
			append(m, f, i, &s);
			return;
		}
	}
	if (!f) {
		f = &m->flow[m->n_flows];
		f->next = m->bucket[hash];
		m->bucket[hash] = (uint16_t)m->n_flows++;
	}
	/* From here on the flow continues behind this packet, whatever it is. */
	f->group = group_new(m, i, s.hdr_len);
	f->last = i;
	f->head = s;
	f->total = pkt->len;
	f->head_checked = false;
	f->closed = !mergeable(&s, udp) || (s.proto == IP_PROTO_TCP && (s.t[13] & TCP_PSH));
}

static void host16_store(uint8_t *p, size_t v)
{
	uint16_t w = (uint16_t)v;

	memcpy(p, &w, sizeof(w));
}

/* The first packet's headers become those of the whole, and the kernel is told how to cut it again. */
static void finish(struct merge *m, struct offload_group *g)
{
	uint8_t *ip = m->pkt[g->first].p, *t;
	size_t total = m->pkt[g->first].len, gso = total - g->hdr_len;
	size_t ihl = ip_is_v4(ip) ? 20 : 40;
	bool tcp = (ip_is_v4(ip) ? ip[9] : ip[6]) == IP_PROTO_TCP;
	uint16_t i = m->pkt[g->first].next;

	t = ip + ihl;
	for (; i != OFFLOAD_LAST; i = m->pkt[i].next) {
		total += m->pkt[i].len - g->hdr_len;
		if (tcp)
			t[13] |= m->pkt[i].p[ihl + 13] & TCP_PSH;
	}
	ip_set_length(ip, ihl, total);
	if (!tcp)
		store_be16(t + 4, (uint16_t)(total - ihl));
	ip_csum_store(t + (tcp ? TCP_CSUM : UDP_CSUM),
		ip_csum_fold(ip_csum_pseudo(ip, tcp ? IP_PROTO_TCP : IP_PROTO_UDP, total - ihl)));
	g->hdr[VNET_FLAGS] = VNET_F_NEEDS_CSUM;
	g->hdr[VNET_GSO_TYPE] = !tcp        ? VNET_GSO_UDP_L4
				: ihl == 20 ? VNET_GSO_TCPV4
					    : VNET_GSO_TCPV6;
	host16_store(g->hdr + VNET_HDR_LEN, g->hdr_len);
	host16_store(g->hdr + VNET_GSO_SIZE, gso);
	host16_store(g->hdr + VNET_CSUM_START, ihl);
	host16_store(g->hdr + VNET_CSUM_OFFSET, tcp ? TCP_CSUM : UDP_CSUM);
}

size_t offload_merge(struct offload_pkt *pkt, size_t n, bool udp, struct offload_group *groups)
{
	struct merge m; /* large: only what is used is set */

	CHECK(n <= OFFLOAD_MERGE_MAX);
	m.pkt = pkt;
	m.groups = groups;
	m.n_groups = m.n_flows = 0;
	for (size_t i = 0; i < N_BUCKETS; i++)
		m.bucket[i] = OFFLOAD_LAST;
	for (size_t i = 0; i < n; i++)
		add(&m, (uint16_t)i, udp);
	for (size_t i = 0; i < m.n_groups; i++)
		if (groups[i].n > 1)
			finish(&m, &groups[i]);
	return m.n_groups;
}
