/*
 * daemon/net: packets between the engine and this machine, by the TUN interface and by UDP; the addresses, routes and rules that
 * the engine wants; and what the machine's network looks like.
 */
#ifndef WARREN_DAEMON_NET_NET_H
#define WARREN_DAEMON_NET_NET_H

#include "daemon/engine/engine.h"

struct net;
struct route;
struct tun;
struct udp;

struct net_cfg {
	const char *tun; /* names, in order, with commas between them */
	uint16_t port;   /* of UDP; 0: any */
	uint64_t mtu;    /* 0: the usual */
};

/* WireGuard's data by family: IPv4, IPv6. */
struct net_counters {
	uint64_t in[2], in_bytes[2], out[2], out_bytes[2];
};

/* Opens the interface and the sockets. What went wrong was logged. */
MUST_USE int net_open(struct net **ret, struct engine *e, const struct net_cfg *cfg);
struct net *net_close(struct net *n);
/* Undoes what a daemon that was killed has left of routes and rules under this interface's name; the kill switch, too, if it is named. -errno. */
MUST_USE int net_cleanup(const char *ifname, bool killswitch);

/* The engine's datagrams. Memory: during the call. */
void net_udp_send(struct net *n, struct ipport to, const struct pkt *d, size_t count);
/* The engine's packets go to their ports: after every call that may have brought some. */
void net_take_packets(struct net *n);

/* Packets from a port other than the system's: they are handed on before this returns. n <= PKT_BATCH_MAX. */
void net_port_in(struct net *n, enum node_port from, struct pkt *pkt, size_t count);
/* The resolvers of the system without ours: the range of the tailnet may be theirs. */
void net_set_resolvers(struct net *n, const struct ipaddr *server, size_t count);
/* Who has packets for the service addresses. fn may call net_port_in; memory: during the call. */
void net_set_quad100(
	struct net *n, void (*fn)(void *ctx, struct pkt *pkt, size_t count), void *ctx);

/* The engine is told of addresses and networks. */
void net_tell_local(struct net *n, bool link_changed);
/* At the end of the turn: what the engine wants of routes; what the hub wants of offloads. */
void net_want_routes(struct net *n);
void net_want_offloads(struct net *n);
void net_turn_end(struct net *n);
/* Sockets anew, on the port that was asked for. */
MUST_USE int net_rebind(struct net *n);

/* Does a network of this machine stand before a subnet route? See daemon/net/lan. */
bool net_keeps_local(const struct net *n, struct ipprefix route);

bool net_take_changed(struct net *n);  /* the machine's addresses or links, since the last time */
bool net_is_gone(const struct net *n); /* another program has taken the interface away */
const struct net_counters *net_counters(const struct net *n);
const struct udp *net_udp(const struct net *n);
const struct tun *net_tun(const struct net *n);
const struct route *net_route(const struct net *n);
/* The interface towards the internet. "": there is none. Borrowed until the loop's next turn. */
const char *net_default_if(const struct net *n);

#endif
