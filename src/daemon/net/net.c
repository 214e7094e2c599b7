/* Packets between the engine and this machine, and what the machine's network looks like. */
#include "daemon/net/net.h"

#include "daemon/net/firewall.h"
#include "daemon/net/lan.h"
#include "os/file/file.h"
#include "os/firewall/firewall.h"
#include "os/log/log.h"
#include "os/netmon/netmon.h"
#include "os/route/route.h"
#include "os/tun/tun.h"
#include "os/udp/udp.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <stdlib.h>

enum { UNREACHABLE_MAX = 8 }; /* addresses that could not be sent to, a turn */

struct net {
	struct engine *e;
	struct net_cfg cfg;
	struct tun *tun;
	struct route *route;
	struct net_firewall *firewall;
	struct udp *udp;
	struct netmon *netmon;
	bool tun_gone, want_routes, want_offloads, changed;
	bool resolvers_known, resolver_in_range; /* net_set_resolvers */
	/* As applied last: other networks in the range of the tailnet; what goes to nobody there is refused. */
	struct ipprefix in_range[FIREWALL_NETS_MAX];
	size_t n_in_range;
	bool refuses;
	struct net_counters n;
	struct ipport unreachable[UNREACHABLE_MAX];
	size_t n_unreachable;
	void (*quad100)(void *ctx, struct pkt *pkt, size_t count);
	void *quad100_ctx;
};

/* ---- Packet ports ---- */

void net_take_packets(struct net *n)
{
	struct node_packets p;

	while (node_next_packets(n->e->node, &p))
		switch (p.port) {
		case NODE_PORT_TUN:
			if (n->tun)
				tun_write(n->tun, p.pkt, p.n);
			break;
		case NODE_PORT_QUAD100:
			if (n->quad100)
				n->quad100(n->quad100_ctx, p.pkt, p.n);
			break;
		case NODE_PORTS:
			break;
		}
}

void net_port_in(struct net *n, enum node_port from, struct pkt *pkt, size_t count)
{
	node_port_in(n->e->node, from, pkt, count, engine_now(n->e));
	net_take_packets(n);
}

void net_set_quad100(struct net *n, void (*fn)(void *ctx, struct pkt *pkt, size_t count), void *ctx)
{
	n->quad100 = fn;
	n->quad100_ctx = ctx;
}

/* ---- UDP ---- */

static bool is_data(const uint8_t *p, size_t len)
{
	return len >= sizeof(struct wgmsg_transport) && load_le32(p) == WGMSG_TRANSPORT;
}

static void on_datagrams(void *ctx, struct magicsock_datagram *d, size_t count)
{
	struct net *n = ctx;

	for (size_t i = 0; i < count; i++)
		if (is_data(d[i].p, d[i].len)) {
			n->n.in[d[i].from.ip.family == 6]++;
			n->n.in_bytes[d[i].from.ip.family == 6] += d[i].len;
		}
	node_udp_in(n->e->node, d, count, engine_now(n->e));
	net_take_packets(n);
}

void net_udp_send(struct net *n, struct ipport to, const struct pkt *d, size_t count)
{
	int rc = n->udp ? udp_send(n->udp, to, d, count) : -ENETDOWN;

	for (size_t i = 0; i < count; i++)
		if (is_data(d[i].p, d[i].len)) {
			n->n.out[to.ip.family == 6]++;
			n->n.out_bytes[to.ip.family == 6] += d[i].len;
		}
	/* Told at the end of the turn: we are inside the engine. */
	if (rc < 0 && n->n_unreachable < UNREACHABLE_MAX)
		n->unreachable[n->n_unreachable++] = to;
}

/* ---- TUN ---- */

static void on_packets(void *ctx, struct pkt *pkt, size_t count)
{
	struct net *n = ctx;

	node_port_in(n->e->node, NODE_PORT_TUN, pkt, count, engine_now(n->e));
	net_take_packets(n);
}

static void on_tun_gone(void *ctx, int rc)
{
	struct net *n = ctx;

	if (n->tun_gone)
		return;
	log_error("tun", "interface is gone; ending, so that the service manager starts us anew",
		"err=%s", err_text(rc));
	n->tun_gone = true;
	loop_stop(n->e->loop);
}

static int open_one_tun(struct net *n, const char *name)
{
	struct tun_cfg cfg = { .name = name,
		.mtu = n->cfg.mtu ? (int)n->cfg.mtu : NODE_MTU,
		.on_packets = on_packets,
		.on_gone = on_tun_gone,
		.ctx = n };
	int rc;

	if (!strcmp(name, "userspace-networking") || !strncmp(name, "tap:", 4)) {
		log_error("tun",
			"this kind of interface is not built yet: a TUN interface is needed",
			"tun=%s", name);
		return -ERR_UNSUPPORTED;
	}
	rc = tun_open(&n->tun, n->e->loop, &cfg);
	if (rc < 0)
		log_error("tun", "cannot open the interface", "tun=%s err=%s%s", name, err_text(rc),
			rc == -EBUSY ? " (another daemon has it; --tun names another one)"
			: rc == -EPERM || rc == -EACCES  ? " (root or CAP_NET_ADMIN is needed)"
			: rc == -ENOENT || rc == -ENODEV ? " (is there a /dev/net/tun?)"
							 : "");
	return rc;
}

static void on_routes_looked(void *ctx, int rc, bool repaired);

static int open_tun(struct net *n)
{
	char list[256], *rest = list, *name;
	int rc = -EINVAL, left;

	snprintf(list, sizeof(list), "%s", n->cfg.tun);
	while ((name = strsep(&rest, ",")))
		if ((rc = open_one_tun(n, name)) == 0)
			break;
	/* The interface is ours: what a daemon that was killed left under its name is nobody's. */
	if (rc == 0 && (left = net_cleanup(tun_name(n->tun), false)) < 0)
		log_warn("route", "not everything of an earlier daemon could be undone",
			"tun=%s err=%s", tun_name(n->tun), err_text(left));
	if (rc == 0)
		rc = route_open(&n->route, n->e->loop, tun_name(n->tun), on_routes_looked, n);
	if (rc == 0)
		rc = net_firewall_open(&n->firewall, n->e, tun_name(n->tun));
	return rc;
}

/* ---- What changes around us ---- */

void net_tell_local(struct net *n, bool link_changed)
{
	const struct netmon_state *s = netmon_state(n->netmon);

	node_set_networks(n->e->node, s->nets_all ? s->nets : NULL, s->n_nets, engine_now(n->e));
	node_set_local(n->e->node, s->addrs, s->n_addrs, udp_port(n->udp, 4), udp_port(n->udp, 6),
		link_changed, engine_now(n->e));
}

static bool offers_internet(const struct node_net_config *c)
{
	for (size_t i = 0; i < c->n_advertised; i++)
		if (c->advertised[i].bits == 0)
			return true;
	return false;
}

/* Our interface, while somebody has renamed it, is not another one. */
static bool is_own(const struct node_net_config *c, struct ipaddr ip)
{
	for (size_t i = 0; i < c->n_addrs; i++)
		if (ipaddr_eq(c->addrs[i].ip, ip))
			return true;
	return false;
}

/* Networks of others in the range of the tailnet: providers give such addresses. */
static size_t nets_in_range(
	const struct net *n, const struct netmon_state *around, struct ipprefix *ret, size_t max)
{
	const struct node_net_config *c = node_net_config(n->e->node);
	size_t k = 0;

	for (size_t i = 0; i < around->n_nets && k < max; i++) {
		struct ipprefix net = around->nets[i];

		if (!is_own(c, net.ip) &&
			(ipprefix_contains(tsaddr_cgnat, net.ip) ||
				(net.bits && ipprefix_contains(net, tsaddr_cgnat.ip))))
			ret[k++] = net;
	}
	return k;
}

/* Others come into the range or leave it: the firewall lets them through, and nothing is refused there while there are some. */
static bool range_changed(const struct net *n, const struct netmon_state *around)
{
	struct ipprefix now[FIREWALL_NETS_MAX];
	size_t k = nets_in_range(n, around, now, ARRAY_LEN(now));

	if (k != n->n_in_range)
		return true;
	for (size_t i = 0; i < k; i++)
		if (!ipprefix_eq(now[i], n->in_range[i]))
			return true;
	return false;
}

/* Clouds have resolvers in the range. */
static bool range_is_ours(const struct net *n, const struct netmon_state *around)
{
	struct ipprefix one;

	return n->resolvers_known && !n->resolver_in_range && around->nets_all &&
	       nets_in_range(n, around, &one, 1) == 0;
}

static void on_network_change(void *ctx, bool link_changed)
{
	struct net *n = ctx;
	const struct netmon_state *s = netmon_state(n->netmon);

	log_info("net", "the network changed", "link=%s addrs=%zu interface=%s",
		link_changed ? "changed" : "same", s->n_addrs, s->default_if);
	n->changed = true;
	n->want_routes |=
		link_changed || lan_matters(node_net_config(n->e->node)) || range_changed(n, s);
	net_tell_local(n, link_changed);
	engine_set_os_fault(n->e, NODE_FAULT_NETWORKS,
		offers_internet(node_net_config(n->e->node)) && !s->nets_all);
}

static int open_sockets(struct net *n)
{
	struct udp_cfg cfg = {
		.port = n->cfg.port, .mark = ROUTE_MARK, .on_datagrams = on_datagrams, .ctx = n
	};
	int rc = udp_open(&n->udp, n->e->loop, &cfg);

	if (rc < 0) {
		log_error("udp", "cannot open a socket", "port=%u err=%s", (unsigned)n->cfg.port,
			err_text(rc));
		return rc;
	}
	rc = netmon_open(&n->netmon, n->e->loop, tun_name(n->tun), on_network_change, n);
	if (rc < 0)
		log_error("net", "cannot watch the network", "err=%s", err_text(rc));
	return rc;
}

/* ---- Routes ---- */

/* Does the system pass on packets of the families that we advertise routes of? */
static bool forwards(const struct node_net_config *c)
{
	for (size_t i = 0; i < c->n_advertised; i++)
		if (!route_forwards(c->advertised[i].ip.family))
			return false;
	return true;
}

/* What became of routes, addresses and rules. */
static void tell_routes(struct net *n, int rc)
{
	const struct node_net_config *c = node_net_config(n->e->node);

	if (rc == -ENODEV) {
		on_tun_gone(n, rc);
		return;
	}
	if (rc < 0 && !(n->e->os_faults & NODE_FAULT_ROUTES))
		log_warn("route", "the system's routes are not as they should be", "err=%s",
			err_text(rc));
	engine_set_os_fault(n->e, NODE_FAULT_ROUTES, rc < 0);
	engine_set_os_fault(n->e, NODE_FAULT_FORWARDING, c->n_advertised > 0 && !forwards(c));
	engine_set_os_fault(n->e, NODE_FAULT_NETWORKS,
		offers_internet(c) && !netmon_state(n->netmon)->nets_all);
}

static void on_routes_looked(void *ctx, int rc, bool repaired)
{
	struct net *n = ctx;

	if (repaired)
		log_info("route", "another program had changed our interface, routes or rules",
			"now=%s", rc < 0 ? err_text(rc) : "as it should be");
	if (n->e->node)
		tell_routes(n, rc);
}

void net_set_resolvers(struct net *n, const struct ipaddr *server, size_t count)
{
	n->resolvers_known = true;
	n->resolver_in_range = false;
	for (size_t i = 0; i < count; i++)
		n->resolver_in_range |= ipprefix_contains(tsaddr_cgnat, server[i]);
	n->want_routes |= range_is_ours(n, netmon_state(n->netmon)) != n->refuses;
}

static void apply_routes(struct net *n)
{
	const struct node_net_config *c = node_net_config(n->e->node);
	const struct netmon_state *around = netmon_state(n->netmon);
	struct lan lan;
	struct route_config want = { .up = c->up,
		.mtu = (int)c->mtu,
		.addrs = c->addrs,
		.n_addrs = c->n_addrs,
		.refuse = n->refuses = range_is_ours(n, around) };
	int rc = lan_keep(&lan, c, around->addrs, around->n_addrs);

	n->want_routes = false;
	n->n_in_range = nets_in_range(n, around, n->in_range, ARRAY_LEN(n->in_range));
	if (rc == 0) {
		want.routes = lan.routes;
		want.n_routes = lan.n_routes;
		want.local = lan.local;
		want.n_local = lan.n_local;
		rc = route_apply(n->route, &want);
	}
	tell_routes(n, rc);
	net_firewall_apply(n->firewall, c, &lan, around, udp_port(n->udp, 4), udp_port(n->udp, 6));
	lan_fini(&lan);
}

static bool self_has(const struct tc_node *self, const char *cap)
{
	return self && json_map_find(&self->cap_map, cap) != NULL;
}

/* The hub may know better than the kernel what this machine's drivers can do. */
static void apply_offloads(struct net *n)
{
	const struct netmap *nm = node_netmap(n->e->node);
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;

	n->want_offloads = false;
	udp_set_offload(
		n->udp, !self_has(self, "disable-udp-gso"), !self_has(self, "disable-udp-gro"));
	if (n->tun)
		tun_set_merge(n->tun, !self_has(self, "disable-tun-tcp-gro"),
			!self_has(self, "disable-tun-udp-gro"));
}

void net_turn_end(struct net *n)
{
	struct ipport failed[UNREACHABLE_MAX];
	size_t count = n->n_unreachable;

	memcpy(failed, n->unreachable, count * sizeof(*failed));
	n->n_unreachable = 0;
	for (size_t i = 0; i < count; i++)
		node_udp_failed(n->e->node, failed[i], engine_now(n->e));
	if (n->want_routes)
		apply_routes(n);
	if (n->want_offloads && n->udp)
		apply_offloads(n);
}

int net_rebind(struct net *n)
{
	n->want_routes = true; /* the firewall lets the port in */
	return udp_rebind(n->udp, n->cfg.port);
}

void net_want_routes(struct net *n)
{
	n->want_routes = true;
}

void net_want_offloads(struct net *n)
{
	n->want_offloads = true;
}

/* ---- Opening and closing ---- */

int net_cleanup(const char *ifname, bool killswitch)
{
	int routes = route_cleanup(ifname), rules = firewall_cleanup(ifname, killswitch);

	return routes < 0 ? routes : rules;
}

int net_open(struct net **ret, struct engine *e, const struct net_cfg *cfg)
{
	struct net *n = calloc(1, sizeof(*n));
	int rc;

	if (!n)
		return -ENOMEM;
	n->e = e;
	n->cfg = *cfg;
	rc = open_tun(n);
	if (rc == 0)
		rc = open_sockets(n);
	if (rc < 0)
		net_close(n);
	else
		*ret = e->net = n;
	return rc;
}

struct net *net_close(struct net *n)
{
	if (!n)
		return NULL;
	n->e->net = NULL;
	if (n->netmon)
		netmon_close(n->netmon);
	if (n->udp)
		udp_close(n->udp);
	net_firewall_close(n->firewall);
	if (n->route)
		route_close(n->route);
	if (n->tun)
		tun_close(n->tun);
	free(n);
	return NULL;
}

bool net_keeps_local(const struct net *n, struct ipprefix route)
{
	const struct netmon_state *s = netmon_state(n->netmon);

	return node_net_config(n->e->node)->keep_lan && lan_shadows(&route, s->addrs, s->n_addrs);
}

bool net_take_changed(struct net *n)
{
	bool changed = n->changed;

	n->changed = false;
	return changed;
}

bool net_is_gone(const struct net *n)
{
	return n->tun_gone;
}

const struct net_counters *net_counters(const struct net *n)
{
	return &n->n;
}

const struct udp *net_udp(const struct net *n)
{
	return n->udp;
}

const char *net_default_if(const struct net *n)
{
	return netmon_state(n->netmon)->default_if;
}

const struct tun *net_tun(const struct net *n)
{
	return n->tun;
}

const struct route *net_route(const struct net *n)
{
	return n->route;
}
