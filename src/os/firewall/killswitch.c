/*
 * The kill switch: a table that outlives us. What we send ourselves, what goes into the tunnel and what a machine needs to have an
 * address passes; everything else is rejected, so that programs see at once that there is no way.
 */
#include "os/firewall/internal.h"

#include <linux/icmpv6.h>

enum {
	DHCP_CLIENT = 68,
	DHCP_SERVER = 67,
	DHCP6_CLIENT = 546,
	DHCP6_SERVER = 547,
	ND_FIRST = 133, /* router solicitation to neighbour advertisement (RFC 4861) */
	ND_LAST = 136,
	PRIORITY = 10, /* behind the rules of others: what they drop stays dropped */
};

static const struct {
	const char *name;
	uint32_t hook;
} chains[] = { { "output", NF_INET_LOCAL_OUT }, { "forward", NF_INET_FORWARD } };

struct writer {
	struct nft *k;
	const struct table *t;
	const struct firewall_config *want;
	unsigned n;
};

static void begin(struct writer *w, struct rule *r, const char *chain)
{
	rule_begin(r, w->k, NLM_F_APPEND, NFPROTO_INET, w->t->killswitch, chain);
	w->n++;
}

static void accept_and_end(struct rule *r)
{
	rule_verdict(r, NF_ACCEPT);
	rule_end(r, NULL);
}

static void let_iface(struct writer *w, const char *chain, bool in, const char *name)
{
	struct rule r;

	begin(w, &r, chain);
	rule_iface(&r, in, true, name);
	accept_and_end(&r);
}

static void let_dhcp(struct writer *w, uint16_t from, uint16_t to)
{
	struct rule r;

	begin(w, &r, "output");
	rule_udp_source_port(&r, from);
	rule_udp_port(&r, to);
	accept_and_end(&r);
}

static void let_neighbours(struct writer *w)
{
	struct rule r;

	for (unsigned type = ND_FIRST; type <= ND_LAST; type++) {
		begin(w, &r, "output");
		rule_icmp6(&r, (uint8_t)type);
		accept_and_end(&r);
	}
}

static void let_lans_and_end(struct writer *w, const char *chain)
{
	struct rule r;

	for (size_t i = 0; i < w->want->n_lans; i++) {
		begin(w, &r, chain);
		rule_destination(&r, w->want->lans[i]);
		accept_and_end(&r);
	}
	begin(w, &r, chain);
	rule_reject(&r);
	rule_end(&r, NULL);
}

static unsigned put_rules(struct writer *w)
{
	struct rule r;

	let_iface(w, "output", false, "lo");
	let_iface(w, "output", false, w->t->ifname);
	begin(w, &r, "output");
	rule_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_OURS);
	accept_and_end(&r);
	let_dhcp(w, DHCP_CLIENT, DHCP_SERVER);
	let_dhcp(w, DHCP6_CLIENT, DHCP6_SERVER);
	let_neighbours(w);
	let_lans_and_end(w, "output");

	/* Of other devices, for whom we are a router; and containers' way to the exit node. */
	let_iface(w, "forward", true, w->t->ifname);
	let_iface(w, "forward", false, w->t->ifname);
	let_lans_and_end(w, "forward");
	return w->n;
}

static void put_chain(struct writer *w, const char *name, uint32_t hook)
{
	struct nlmsghdr *h = nft_add(w->k, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	struct nlattr *nest;

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, w->t->killswitch);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl(PRIORITY));
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
}

static void put_table(struct nft *k, const struct table *t, uint16_t type)
{
	mnl_attr_put_strz(
		nft_add(k, type, NFPROTO_INET, type == NFT_MSG_NEWTABLE ? NLM_F_CREATE : 0),
		NFTA_TABLE_NAME, t->killswitch);
}

void killswitch_put(struct nft *k, const struct table *t, const struct firewall_config *want)
{
	struct writer w = { .k = k, .t = t, .want = want };

	/* Whether it is there or not: made if it is missing, so that it can be removed. */
	put_table(k, t, NFT_MSG_NEWTABLE);
	put_table(k, t, NFT_MSG_DELTABLE);
	if (!want->killswitch)
		return;
	put_table(k, t, NFT_MSG_NEWTABLE);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++)
		put_chain(&w, chains[i].name, chains[i].hook);
	put_rules(&w);
}

int killswitch_is_there(struct nft *k, const struct table *t, const struct firewall_config *want)
{
	struct writer w = { .k = k, .t = t, .want = want };
	unsigned have = 0, should;

	if (!want->killswitch)
		return 1;
	nft_begin(k); /* made to be counted, and never sent */
	should = put_rules(&w);
	for (size_t i = 0; i < ARRAY_LEN(chains); i++) {
		int rc = nft_count_rules(k, NFPROTO_INET, t->killswitch, chains[i].name, &have);

		if (rc < 0)
			return rc;
	}
	return have == should;
}
