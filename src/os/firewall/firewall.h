/*
 * os/firewall: what a router, an exit node and a device behind a firewall need of nftables, in a table of our own:
 *
 *	table inet warren-IFNAME
 *	  prerouting, output  answers to our marked sockets carry the mark, too: a strict rp_filter lets them in
 *	  input, forward      nobody else's interface may use addresses of the tailnet; stateful filtering, if it is wanted
 *	  forward             what leaves the tunnel for other networks is marked 0x40000/0xff0000 ...
 *	  postrouting         ... and masqueraded
 *
 * An accept in our table does not help where another table drops: hosts that drop by default have chains of theirs with
 * hooks at input and forward. At the head of each such chain we put one or two rules, known by their comment, which
 * accept what our interface brings; what may come out of the tunnel was decided by core/filter before. Nothing else of others is
 * touched, and all of ours goes again.
 *
 * And the kill switch, where it is wanted, in a table of its own, whatever the mode:
 *
 *	table inet warren-IFNAME-only
 *	  output, forward     only into the tunnel, by our marked sockets, to the networks that are named, for DHCP and neighbours
 *
 * It stays when the process ends, however it ends: until firewall_apply or firewall_cleanup says otherwise.
 *
 * Desired state in. The kernel removes our table when the process ends, however it ends (an owned table, Linux 5.12), and
 * `nft flush ruleset` does not touch it. Rules in others' chains are looked at when the kernel tells of a change, and once a minute.
 * Through libmnl. Where the kernel's old ip_tables filters as well (iptables-legacy), its chains INPUT and FORWARD get the same rules; they are
 * looked at every 5 s, and iptables' own program is run when one is missing. Elsewhere no program is run.
 *
 * Source: what tailscaled 1.102.5 leaves on a machine; the meaning of its --netfilter-mode, --snat-subnet-routes and
 * --stateful-filtering; nft(8).
 */
#ifndef WARREN_OS_FIREWALL_FIREWALL_H
#define WARREN_OS_FIREWALL_FIREWALL_H

#include "base/netip/netip.h"
#include "os/loop/loop.h"

enum {
	FIREWALL_MARK_FORWARDED = 0x40000, /* came out of the tunnel and goes on */
	FIREWALL_NETS_MAX = 16,
	FIREWALL_LANS_MAX = 32,
};

enum firewall_mode {
	FIREWALL_OFF, /* nothing of ours is there */
	FIREWALL_NODIVERT, /* our chains are there without hooks: the administrator's own chains jump to them */
	FIREWALL_ON,
};

/* Copied by firewall_apply. */
struct firewall_config {
	enum firewall_mode mode;
	uint16_t port4, port6; /* of WireGuard, let in where a host drops by default; 0: none */
	bool masquerade;       /* what goes on from the tunnel has the router's address */
	bool stateful;         /* into the tunnel is forwarded only what answers */
	bool spoofing_allowed; /* addresses of the tailnet may come from other interfaces */
	/* Networks of other interfaces inside 100.64.0.0/10 (a provider's): not ours. */
	struct ipprefix nets[FIREWALL_NETS_MAX];
	size_t n_nets;
	bool killswitch;
	struct ipprefix lans[FIREWALL_LANS_MAX]; /* where it lets through to; more are left out */
	size_t n_lans;
};

struct firewall;

/* After each look that firewall_apply did not ask for and that changed something or failed. */
typedef void (*firewall_on_look)(void *ctx, int rc, bool repaired);

/* Nothing changes yet: also a kill switch of an earlier life stays until firewall_apply. -errno. */
MUST_USE int firewall_open(
	struct firewall **ret, struct loop *l, const char *ifname, firewall_on_look fn, void *ctx);
/* All of it or nothing, and what failed is tried again once a minute. -EOPNOTSUPP: the kernel has no nftables; -errno. */
MUST_USE int firewall_apply(struct firewall *f, const struct firewall_config *want);
struct firewall *firewall_close(
	struct firewall *f); /* everything of ours is removed, but for a kill switch */
/* Removes what a killed process left, and the kill switch if it is named. Nothing there is no error. -errno. */
MUST_USE int firewall_cleanup(const char *ifname, bool killswitch);
/* 1: one is there, whoever left it; 0; -errno. */
MUST_USE int firewall_has_killswitch(const char *ifname);

/*
 * Did the kernel's old ip_tables get our rules, if this host filters with it? 0; -ENOENT: iptables-legacy-restore is missing; -EIO: it
 * refused; -errno. Tried again once a minute.
 */
int firewall_legacy(const struct firewall *f);

struct firewall_counters {
	uint64_t applied, looks, repaired;
};
const struct firewall_counters *firewall_counters(const struct firewall *f);

#endif
