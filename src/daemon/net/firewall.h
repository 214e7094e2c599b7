/* daemon/net/firewall: the host's firewall as the engine wants it, and what the kernel needs besides rules. */
#ifndef WARREN_DAEMON_NET_FIREWALL_H
#define WARREN_DAEMON_NET_FIREWALL_H

#include "daemon/engine/engine.h"
#include "daemon/net/lan.h"
#include "os/netmon/netmon.h"

struct net_firewall;

/* Without nftables in the kernel it is opened all the same, and says so when rules are wanted. -ENOMEM. */
MUST_USE int net_firewall_open(struct net_firewall **ret, struct engine *e, const char *ifname);
/* A kill switch that is on stays on. */
struct net_firewall *net_firewall_close(struct net_firewall *f);
/* What went wrong is logged and told to the engine (NODE_FAULT_FIREWALL, NODE_FAULT_OLD_TABLES). */
void net_firewall_apply(struct net_firewall *f, const struct node_net_config *c,
	const struct lan *lan, const struct netmon_state *around, uint16_t port4, uint16_t port6);

#endif
