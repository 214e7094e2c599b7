/* os/firewall/internal: rules as libnftnl has them (rule.c), our table (table.c), others' chains (others.c), the kernel (nft.c). */
#ifndef WARREN_OS_FIREWALL_INTERNAL_H
#define WARREN_OS_FIREWALL_INTERNAL_H

#include "os/firewall/firewall.h"

#include <netinet/in.h> /* before the kernel's headers, which define the same */

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <net/if.h>

enum { FIREWALL_NAME_MAX = 32 };

/* ---- nft.c: questions, and changes that are made all together or not at all ---- */

struct nft;

MUST_USE int nft_open(struct nft **ret);
struct nft *nft_close(struct nft *k);

void nft_begin(struct nft *k);
/* The next change of the batch; to be filled until the next call. flags: NLM_F_*. */
struct nlmsghdr *nft_add(struct nft *k, uint16_t type, uint16_t family, uint16_t flags);
/* The first failure: nothing was changed then. -ENOBUFS: more than fits. */
MUST_USE int nft_commit(struct nft *k);

typedef void (*nft_chain_fn)(void *ctx, const struct nftnl_chain *c);
typedef void (*nft_rule_fn)(void *ctx, const struct nftnl_rule *r);

MUST_USE int nft_chains(struct nft *k, nft_chain_fn fn, void *ctx);
/* Rules of one chain, in order. */
MUST_USE int nft_rules(struct nft *k, uint32_t family, const char *table, const char *chain,
	nft_rule_fn fn, void *ctx);
/* Counts the commits of all programs. */
MUST_USE int nft_generation(struct nft *k, uint32_t *ret);

/* ---- rule.c: one rule, put together ---- */

struct rule {
	struct nftnl_rule *r; /* NULL: no memory */
	bool failed;
};

void rule_init(struct rule *r, uint32_t family, const char *table, const char *chain);
void rule_fini(struct rule *r);
void rule_iface(struct rule *r, bool in, bool same, const char *name);
void rule_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_ct_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_ct_state(struct rule *r, uint32_t bits, bool any);
void rule_source(struct rule *r, struct ipprefix p); /* in a table for both families */
void rule_udp_port(struct rule *r, uint16_t port);
void rule_set_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_set_ct_mark(struct rule *r, uint32_t mask, uint32_t value);
void rule_masquerade(struct rule *r);
void rule_verdict(struct rule *r, uint32_t verdict); /* with a counter */
void rule_comment(struct rule *r, const char *text);
/* Its comment; "": none. Until the rule is freed. */
const char *rule_comment_of(const struct nftnl_rule *r);
/* Into the batch. flags: NLM_F_APPEND, or 0 for the head of the chain. -ENOMEM. */
MUST_USE int rule_put(struct rule *r, struct nft *k, uint16_t flags);

/* ---- table.c ---- */

struct table {
	char name[FIREWALL_NAME_MAX], ifname[IFNAMSIZ];
	bool there; /* as far as we know */
	bool can_own; /* the kernel then removes it when we are gone, and lets nobody else change it */
};

/* Into the batch: our table anew, or no table of ours (mode off). -ENOMEM. */
MUST_USE int table_put(struct nft *k, const struct table *t, const struct firewall_config *want);
/* Is it as table_put made it? 1 or 0; -errno. */
MUST_USE int table_is_there(
	struct nft *k, const struct table *t, const struct firewall_config *want);

/* ---- others.c ---- */

/*
 * Into the batch: our rules in the chains of others that may drop by default; with want NULL or a mode other than on: their removal.
 * 1: the batch has something; 0: all is as it should be; -errno.
 */
MUST_USE int others_put(struct nft *k, const char *ifname, const struct firewall_config *want);

#endif
