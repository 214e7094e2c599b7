/* What the machine tells. */
#include "core/node/calls/calls.h"
#include "core/node/map/map.h"
#include "core/node/packets/packets.h"

void node_tick(struct node *a, struct now now)
{
	a->now = now;
	magicsock_tick(a->magicsock, now);
	if (a->ctl)
		ctlclient_tick(a->ctl, now);
	if (now.mono >= a->forget_at)
		a->forget = true;
	if (now.mono >= a->expiry_at)
		node_map_expire(a);
	if (now.mono >= a->retry_at)
		node_map_retry(a);
	node_run_deferred(a);
}

void node_set_local(struct node *a, const struct ipprefix *addrs, size_t n, uint16_t port4,
	uint16_t port6, bool link_changed, struct now now)
{
	struct ipprefix keep[ENDPOINTS_LOCAL_MAX];
	size_t n_keep = 0;
	bool link = false;

	a->now = now;
	for (size_t i = 0; i < n && n_keep < ENDPOINTS_LOCAL_MAX; i++)
		if (!node_has_address(self_of(a), ipprefix_single(addrs[i].ip)))
			keep[n_keep++] = addrs[i];
	for (size_t i = 0; i < n_keep; i++)
		link |= !ipaddr_is_loopback(keep[i].ip) && !ipaddr_is_link_local(keep[i].ip);
	if (link != a->has_link)
		a->link_since = now.mono;
	a->has_link = link;
	magicsock_set_local(a->magicsock, keep, n_keep, port4, port6, link_changed, now);
	if (link_changed && a->ctl)
		ctlclient_reconnect(a->ctl, now);
	node_run_deferred(a);
}

void node_set_networks(struct node *a, const struct ipprefix *nets, size_t n, struct now now)
{
	struct ipprefix *copy = nets ? calloc(n + 1, sizeof(*copy)) : NULL;

	a->now = now;
	if (copy && n)
		memcpy(copy, nets, n * sizeof(*copy));
	free(a->nets);
	a->nets = copy;
	a->n_nets = copy ? n : 0;
	a->nets_known = copy != NULL; /* without memory for them nothing is served either */
	a->filter_dirty = true;
	node_run_deferred(a);
}

void node_udp_in(struct node *a, struct magicsock_datagram *dg, size_t n, struct now now)
{
	a->now = now;
	magicsock_udp_in(a->magicsock, dg, n, now);
}

void node_udp_failed(struct node *a, struct ipport to, struct now now)
{
	a->now = now;
	magicsock_udp_failed(a->magicsock, to, now);
	node_run_deferred_packets(a);
}

void node_resolved(
	struct node *a, const char *host, const struct ipaddr *addrs, size_t n, struct now now)
{
	a->now = now;
	magicsock_resolved(a->magicsock, host, addrs, n, now);
	node_run_deferred(a);
}

void node_measured(struct node *a, int region, mono_ns latency, struct now now)
{
	a->now = now;
	magicsock_measured(a->magicsock, region, latency, now);
	node_run_deferred(a);
}

void node_set_os_faults(struct node *a, unsigned bits, struct now now)
{
	a->now = now;
	if (bits != a->os_faults)
		a->os_faults_since = now.mono;
	a->os_faults = bits;
}

void node_set_peerapi(struct node *a, const struct ipport at[static 2], struct now now)
{
	struct ipport open[2];
	size_t n = 0;

	if (ipport_eq(a->peerapi[0], at[0]) && ipport_eq(a->peerapi[1], at[1]))
		return;
	a->now = now;
	for (size_t i = 0; i < 2; i++) {
		a->peerapi[i] = at[i];
		if (at[i].port)
			open[n++] = at[i];
	}
	filter_set_peerapi(a->filter, open, n);
	node_map_tell_self(a);
	if (a->ctl)
		ctlclient_settings_changed(a->ctl);
	a->ctl_dirty = true;
	node_run_deferred(a);
}

int node_set_host(struct node *a, const struct tc_hostinfo *host, struct now now)
{
	int rc = owned_doc_set(&a->host, &tc_hostinfo_type, host);

	if (rc <= 0)
		return rc;
	a->now = now;
	if (a->ctl)
		ctlclient_settings_changed(a->ctl);
	a->ctl_dirty = true;
	node_run_deferred(a);
	return rc;
}

void node_port_open(struct node *a, enum node_port port, bool open)
{
	a->ports.open[port] = open;
}

void node_port_in(struct node *a, enum node_port from, struct pkt *pkt, size_t n, struct now now)
{
	CHECK(n <= PKT_BATCH_MAX);
	a->now = now;
	node_ports_forget(a);
	if (from == NODE_PORT_TUN)
		node_packets_out(a, pkt, n);
	else
		node_ports_in(a, pkt, n);
}

/* What follows is done at the end: it may remove a peer, and the packets are peers'. */
bool node_next_packets(struct node *a, struct node_packets *ret)
{
	if (node_packets_next(a, ret))
		return true;
	node_ports_forget(a);
	node_run_deferred_packets(a);
	return false;
}
