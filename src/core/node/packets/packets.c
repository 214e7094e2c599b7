/* The packet path: between packet ports, the filter and magicsock. */
#include "core/node/packets/packets.h"

static bool is_tsmp(const struct pkt *p)
{
	if (p->len < IP4_LEN)
		return false;
	return p->p[0] >> 4 == 4 ? p->p[9] == IP_PROTO_TSMP : p->p[6] == IP_PROTO_TSMP;
}

/* To the senders of refused connections, so that they fail at once. */
struct answers {
	struct pkt v[NODE_REJECTS_MAX];
	uint8_t mem[NODE_REJECTS_MAX][PKT_ROOM(TSMP_PACKET_MAX)];
	size_t n;
};

static void refuse(
	struct node *a, enum filter_verdict v, const struct pkt *pkt, struct answers *out)
{
	struct pkt *answer = &out->v[out->n];

	if (out->n == NODE_REJECTS_MAX) {
		a->counters.rejects_dropped++;
		return;
	}
	*answer = pkt_in(out->mem[out->n], 0);
	answer->len = filter_reject(v, pkt->p, pkt->len, answer->p);
	if (!answer->len)
		return;
	node_rejects_note(a, NODE_REJECT_IN, answer->p, answer->len);
	out->n++;
}

size_t node_packets_in(struct node *a, int64_t peer, struct pkt *pkt, size_t n)
{
	bool jailed = node_peer_is_jailed(a, peer);
	struct answers answers;
	size_t k = 0;

	answers.n = 0;
	for (size_t i = 0; i < n; i++) {
		enum filter_verdict v = filter_in(a->filter, pkt[i].p, pkt[i].len, jailed);

		if (node_ports_forged(a, &pkt[i])) {
			a->counters.ports_forged++;
		} else if (!filter_accepts(v)) {
			a->counters.filter_in_dropped++;
			a->counters.filter_in_not_here += v == FILTER_DROP_NOT_LOCAL;
			refuse(a, v, &pkt[i], &answers);
		} else if (v == FILTER_ACCEPT_TSMP) {
			node_rejects_note(a, NODE_REJECT_OUT, pkt[i].p, pkt[i].len);
		} else if (v != FILTER_ACCEPT_KEEPALIVE) {
			a->counters.bytes_in += pkt[i].len;
			pkt[k++] = pkt[i];
		}
	}
	a->counters.tun_out += k;
	if (answers.n)
		magicsock_send(a->magicsock, answers.v, answers.n, a->now);
	return k;
}

bool node_packets_next(struct node *a, struct node_packets *ret)
{
	struct magicsock_packets in;

	if (node_ports_next(a, ret))
		return true;
	while (magicsock_next_packets(a->magicsock, &in)) {
		*ret = (struct node_packets){ .port = NODE_PORT_TUN,
			.pkt = in.pkt,
			.n = node_packets_in(a, in.peer, in.pkt, in.n) };
		if (ret->n)
			return true;
	}
	return false;
}

static bool may_leave(struct node *a, const struct pkt *pkt)
{
	bool jailed = a->n_jailed &&
		      node_peer_is_jailed(a, magicsock_peer_for(a->magicsock, pkt->p, pkt->len));

	if (is_tsmp(pkt)) {
		a->counters.tsmp_from_host++;
		return false;
	}
	if (!filter_accepts(filter_out(a->filter, pkt->p, pkt->len, jailed))) {
		a->counters.filter_out_dropped++;
		return false;
	}
	return true;
}

void node_packets_out(struct node *a, struct pkt *pkt, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		enum node_port to = node_ports_find(a, &pkt[i]);

		if (to != NODE_PORT_TUN) {
			node_ports_give(a, to, &pkt[i]);
		} else if (a->magicsock_up && may_leave(a, &pkt[i])) {
			a->counters.bytes_out += pkt[i].len;
			pkt[k++] = pkt[i];
		}
	}
	a->counters.tun_in += k;
	if (k)
		magicsock_send(a->magicsock, pkt, k, a->now);
}
