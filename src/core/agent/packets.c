/* The packet path: between the TUN device, the filter and the mesh. Two straight lines. */
#include "core/agent/internal.h"

static bool is_tsmp(const struct wg_packet *p)
{
	if (p->len < IP4_LEN)
		return false;
	return p->p[0] >> 4 == 4 ? p->p[9] == IP_PROTO_TSMP : p->p[6] == IP_PROTO_TSMP;
}

/* The sender of a refused connection is told, so that it fails at once. Sent when the mesh is not in the way. */
static void note_reject(struct agent *a, int64_t peer, enum filter_verdict v, const struct wg_packet *pkt)
{
	struct agent_reject *r;

	if (a->n_rejects == AGENT_REJECTS_MAX)
		return;
	r = &a->rejects[a->n_rejects];
	r->len = filter_reject(v, pkt->p, pkt->len, r->mem + MESH_HEADROOM);
	a->n_rejects += r->len > 0;
	r->peer = peer;
	if (r->len)
		agent_rejects_note(a, AGENT_REJECT_IN, r->mem + MESH_HEADROOM, r->len);
}

void agent_packets_in(void *owner, int64_t peer, struct wg_packet *pkt, size_t n)
{
	struct agent *a = owner;
	bool jailed = agent_peer_is_jailed(a, peer);
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		enum filter_verdict v = filter_in(a->filter, pkt[i].p, pkt[i].len, jailed);

		if (!filter_accepts(v)) {
			a->counters.filter_in_dropped++;
			a->counters.filter_in_not_here += v == FILTER_DROP_NOT_LOCAL;
			note_reject(a, peer, v, &pkt[i]);
		} else if (v == FILTER_ACCEPT_TSMP) {
			agent_rejects_note(a, AGENT_REJECT_OUT, pkt[i].p, pkt[i].len);
		} else if (v != FILTER_ACCEPT_KEEPALIVE) {
			a->counters.bytes_in += pkt[i].len;
			pkt[k++] = pkt[i];
		}
	}
	a->counters.tun_out += k;
	if (k)
		a->ops->tun_write(a->owner, pkt, k);
}

void agent_rejects_flush(struct agent *a)
{
	for (size_t i = 0; i < a->n_rejects; i++) {
		struct wg_packet p = { .p = a->rejects[i].mem + MESH_HEADROOM, .len = a->rejects[i].len };

		mesh_send(a->mesh, &p, 1, a->now);
	}
	a->n_rejects = 0;
}

void agent_tun_in(struct agent *a, struct wg_packet *pkt, size_t n, struct now now)
{
	size_t k = 0;

	a->now = now;
	if (!a->mesh_up)
		return;
	for (size_t i = 0; i < n; i++) {
		bool jailed = a->n_jailed && agent_peer_is_jailed(a, mesh_route(a->mesh, pkt[i].p, pkt[i].len));

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
		mesh_send(a->mesh, pkt, k, now);
	agent_settle_packets(a);
}
