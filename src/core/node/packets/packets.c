/* The packet path: between the TUN device, the filter and magicsock. */
#include "core/node/packets/packets.h"

static bool is_tsmp(const struct wg_packet *p)
{
	if (p->len < IP4_LEN)
		return false;
	return p->p[0] >> 4 == 4 ? p->p[9] == IP_PROTO_TSMP : p->p[6] == IP_PROTO_TSMP;
}

/* To the senders of refused connections, so that they fail at once. */
struct answers {
	struct wg_packet v[NODE_REJECTS_MAX];
	uint8_t mem[NODE_REJECTS_MAX][MAGICSOCK_HEADROOM + TSMP_PACKET_MAX + MAGICSOCK_TAILROOM];
	size_t n;
};

static void refuse(
	struct node *a, enum filter_verdict v, const struct wg_packet *pkt, struct answers *out)
{
	struct wg_packet *answer = &out->v[out->n];

	if (out->n == NODE_REJECTS_MAX) {
		a->counters.rejects_dropped++;
		return;
	}
	answer->p = out->mem[out->n] + MAGICSOCK_HEADROOM;
	answer->len = filter_reject(v, pkt->p, pkt->len, answer->p);
	if (!answer->len)
		return;
	node_rejects_note(a, NODE_REJECT_IN, answer->p, answer->len);
	out->n++;
}

void node_packets_in(struct node *a, int64_t peer, struct wg_packet *pkt, size_t n)
{
	bool jailed = node_peer_is_jailed(a, peer);
	struct answers answers;
	size_t k = 0;

	answers.n = 0;
	for (size_t i = 0; i < n; i++) {
		enum filter_verdict v = filter_in(a->filter, pkt[i].p, pkt[i].len, jailed);

		if (!filter_accepts(v)) {
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
	if (k)
		a->ops->tun_write(a->owner, pkt, k);
	if (answers.n)
		magicsock_send(a->magicsock, answers.v, answers.n, a->now);
}

void node_packets_take(struct node *a)
{
	struct magicsock_packets in;

	while (magicsock_next_packets(a->magicsock, &in))
		node_packets_in(a, in.peer, in.pkt, in.n);
}

void node_packets_out(struct node *a, struct wg_packet *pkt, size_t n)
{
	size_t k = 0;

	if (!a->magicsock_up)
		return;
	for (size_t i = 0; i < n; i++) {
		bool jailed = a->n_jailed && node_peer_is_jailed(a, magicsock_peer_for(a->magicsock,
									    pkt[i].p, pkt[i].len));

		if (is_tsmp(&pkt[i])) {
			a->counters.tsmp_from_host++;
		} else if (!filter_accepts(filter_out(a->filter, pkt[i].p, pkt[i].len, jailed))) {
			a->counters.filter_out_dropped++;
		} else {
			a->counters.bytes_out += pkt[i].len;
			pkt[k++] = pkt[i];
		}
	}
	a->counters.tun_in += k;
	if (k)
		magicsock_send(a->magicsock, pkt, k, a->now);
}
