/* os/firewall/internal: the kernel (nft.c), one rule (rule.c), our tables (table.c, killswitch.c), others' chains (others.c; legacy.c, legacy_table.c). */
#ifndef WARREN_OS_FIREWALL_INTERNAL_H
#define WARREN_OS_FIREWALL_INTERNAL_H

#include "os/firewall/firewall.h"
#include "os/netlink/netlink.h"

/* Before the kernel's headers, which define the same. */
#include <arpa/inet.h>
#include <net/if.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

enum {
	FIREWALL_NAME_MAX = 32,
	FIREWALL_MARK_MASK = 0xff0000,
	FIREWALL_MARK_OURS = 0x80000, /* of our sockets: ROUTE_MARK */
};

/* ---- nft.c: questions, and changes that are made all together or not at all ---- */

struct nft;

MUST_USE int nft_open(struct nft **ret);
struct nft *nft_close(struct nft *k);

void nft_begin(struct nft *k);
/* The next change of the batch; to be filled until the next call. flags: NLM_F_*. */
struct nlmsghdr *nft_add(struct nft *k, uint16_t type, uint16_t family, uint16_t flags);
/* The first failure: nothing was changed then. -ENOBUFS: more than fits. */
MUST_USE int nft_commit(struct nft *k);

/* The kernel's messages about each; attributes NFTA_CHAIN_* and NFTA_RULE_*, behind a struct nfgenmsg. */
MUST_USE int nft_chains(struct nft *k, netlink_fn fn, void *ctx);
/* Of one chain, in order. -ENOENT: there is no such chain. */
MUST_USE int nft_rules(struct nft *k, uint32_t family, const char *table, const char *chain,
	netlink_fn fn, void *ctx);
/* Adds them to *n; a chain that is not there has none. -errno. */
MUST_USE int nft_count_rules(
	struct nft *k, uint32_t family, const char *table, const char *chain, unsigned *n);
/* Counts the commits of all programs. */
MUST_USE int nft_generation(struct nft *k, uint32_t *ret);

/* ---- rule.c: one rule, written into the batch ---- */

struct rule {
	struct nlmsghdr *h;
	struct nlattr *expressions;
};

/* flags: NLM_F_APPEND, or 0 for the head of the chain. */
void rule_begin(struct rule *r, struct nft *k, uint16_t flags, uint32_t family, const char *table,
	const char *chain);
void rule_end(struct rule *r, const char *comment); /* NULL: none */
void rule_iface(struct rule *r, bool in, bool same, const char *name);
void rule_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_ct_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_ct_state(
	struct rule *r, uint32_t bits, bool any);    /* any: in one of these states; else in none */
void rule_source(struct rule *r, struct ipprefix p); /* in a table for both families */
void rule_destination(struct rule *r, struct ipprefix p);
void rule_udp_port(struct rule *r, uint16_t port);
void rule_udp_source_port(struct rule *r, uint16_t port);
void rule_icmp6(struct rule *r, uint8_t type);
void rule_set_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_set_ct_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_masquerade(struct rule *r);
void rule_verdict(struct rule *r, uint32_t verdict); /* with a counter */
void rule_reject(struct rule *r);                    /* by ICMP: forbidden; with a counter */
/* Of NFTA_RULE_USERDATA, which may be NULL; "": none. As long as the message. */
const char *rule_comment_of(const struct nlattr *userdata);

/* ---- table.c ---- */

struct table {
	char name[FIREWALL_NAME_MAX], killswitch[FIREWALL_NAME_MAX], ifname[IFNAMSIZ];
	bool there; /* as far as we know */
	bool can_own; /* the kernel then removes it when we are gone, and lets nobody else change it */
};

/* Into the batch: our table anew, or no table of ours (mode off). */
void table_put(struct nft *k, const struct table *t, const struct firewall_config *want);
/* Is it as table_put made it? 1 or 0; -errno. */
MUST_USE int table_is_there(
	struct nft *k, const struct table *t, const struct firewall_config *want);

/* ---- killswitch.c ---- */

/* Into the batch: the kill switch's table anew, or none. Nobody owns it: it stays when the process ends. */
void killswitch_put(struct nft *k, const struct table *t, const struct firewall_config *want);
/* Is it as killswitch_put made it? 1 or 0; -errno. */
MUST_USE int killswitch_is_there(
	struct nft *k, const struct table *t, const struct firewall_config *want);

/* ---- others.c ---- */

/*
 * Into the batch: our rules in the chains of others that may drop by default; with want NULL or a mode other than on: their removal.
 * 1: the batch has something; 0: all is as it should be; -errno.
 */
MUST_USE int others_put(struct nft *k, const char *ifname, const struct firewall_config *want);

/* Our rules there; the comment of each is "warren-IFNAME PORT4,PORT6 NUMBER". */
enum { ACCEPT_IN, ACCEPT_OUT, ACCEPT_PORT4, ACCEPT_PORT6, ACCEPTS };
/* Which of them belong into a chain, as bits. Where nothing can be dropped, and with want as above: none. hook: NF_INET_*. */
unsigned others_accepts(
	uint32_t family, uint32_t hook, bool may_drop, const struct firewall_config *want);

/* ---- legacy_table.c: what the kernel's old ip_tables filter ---- */

enum { LEGACY_CHAINS = 2, LEGACY_OURS_MAX = 16, LEGACY_COMMENT_MAX = 64 };

struct legacy_chain {
	uint32_t hook;
	bool drops; /* its policy */
	size_t n_others;
	char ours[LEGACY_OURS_MAX][LEGACY_COMMENT_MAX]; /* comments, in order */
	size_t n_ours;
};

struct legacy_table {
	struct legacy_chain chain[LEGACY_CHAINS]; /* INPUT, FORWARD */
};

/* mark: how our comments begin. 1; 0: there is no such table, and none was made by asking; -errno. */
MUST_USE int legacy_table_read(uint32_t family, const char *mark, struct legacy_table *ret);

/* ---- legacy.c ---- */

/*
 * Our rules in the chains of ip_tables, of both families; want as for others_put. *ret_used: such a table is there. 1: something was
 * changed; 0: all is as it should be; -ENOENT: iptables-legacy-restore is missing; -EIO: it refused; -errno.
 */
MUST_USE int legacy_put(const char *ifname, const struct firewall_config *want, bool *ret_used);

#endif
