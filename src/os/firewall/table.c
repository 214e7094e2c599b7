/* Our own table. */
#include "os/firewall/internal.h"

#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>

enum {
	STATE_ESTABLISHED = NF_CT_STATE_BIT(IP_CT_ESTABLISHED),
	STATE_RELATED = NF_CT_STATE_BIT(IP_CT_RELATED),
	STATE_NEW = NF_CT_STATE_BIT(IP_CT_NEW),
};

enum chain { PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING, CHAINS };

static const struct {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
} chains[CHAINS] = {
	[PREROUTING] = { "prerouting", "filter", NF_INET_PRE_ROUTING, -150 },
	[INPUT] = { "input", "filter", NF_INET_LOCAL_IN, 0 },
	[FORWARD] = { "forward", "filter", NF_INET_FORWARD, 0 },
	[OUTPUT] = { "output", "filter", NF_INET_LOCAL_OUT, -150 },
	[POSTROUTING] = { "postrouting", "nat", NF_INET_POST_ROUTING, 100 },
};

struct writer {
	struct nft *k;
	const struct table *t;
	const struct firewall_config *want;
	unsigned n; /* rules so far */
};

static void begin(struct writer *w, struct rule *r, enum chain c)
{
	rule_begin(r, w->k, NLM_F_APPEND, NFPROTO_INET, w->t->name, chains[c].name);
	w->n++;
}

static void put_name(struct nlmsghdr *h, const struct table *t)
{
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, t->name);
}

static void put_chain(const struct writer *w, enum chain c)
{
	struct nlmsghdr *h = nft_add(w->k, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE);
	struct nlattr *hook;

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, w->t->name);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, chains[c].name);
	if (w->want->mode != FIREWALL_ON)
		return;
	hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(chains[c].hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)chains[c].priority));
	mnl_attr_nest_end(h, hook);
	mnl_attr_put_u32(h, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, chains[c].type);
}

/* What our sockets send is remembered with the flow, and its answers are marked by that. */
static void put_marks(struct writer *w)
{
	struct rule r;

	begin(w, &r, PREROUTING);
	rule_ct_state(&r, STATE_ESTABLISHED | STATE_RELATED, true);
	rule_ct_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_OURS);
	rule_set_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_OURS);
	rule_end(&r, NULL);
	begin(w, &r, OUTPUT);
	rule_ct_state(&r, STATE_NEW, true);
	rule_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_OURS);
	rule_set_ct_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_OURS);
	rule_end(&r, NULL);
}

static void put_source(struct writer *w, enum chain c, struct ipprefix p, uint32_t verdict)
{
	struct rule r;

	begin(w, &r, c);
	rule_source(&r, p);
	rule_verdict(&r, verdict);
	rule_end(&r, NULL);
}

static void put_iface(struct writer *w, enum chain c, bool in, bool same, const char *name)
{
	struct rule r;

	begin(w, &r, c);
	rule_iface(&r, in, same, name);
	rule_verdict(&r, NF_ACCEPT);
	rule_end(&r, NULL);
}

/* Whoever has an address of the tailnet comes through the tunnel, or is this machine. */
static void put_no_spoofing(struct writer *w, enum chain c)
{
	/* ChromeOS gives its own virtual machines addresses of this part of the range. */
	static const struct ipprefix chromeos = { .ip = { 4, { 100, 115, 92 } }, .bits = 23 };

	for (size_t i = 0; i < w->want->n_nets; i++)
		put_source(w, c, w->want->nets[i], NF_ACCEPT);
	put_source(w, c, chromeos, NF_ACCEPT);
	put_source(w, c, tsaddr_cgnat, NF_DROP);
	put_source(w, c, tsaddr_ula, NF_DROP);
}

static void put_input(struct writer *w)
{
	put_iface(w, INPUT, true, true, "lo");
	put_iface(w, INPUT, true, true, w->t->ifname);
	if (!w->want->spoofing_allowed)
		put_no_spoofing(w, INPUT);
}

static void put_forward(struct writer *w)
{
	struct rule r;

	begin(w, &r, FORWARD);
	rule_iface(&r, true, true, w->t->ifname);
	rule_set_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_FORWARDED);
	rule_verdict(&r, NF_ACCEPT);
	rule_end(&r, NULL);
	/* From here on: not out of the tunnel, and what does not go into it is not our business. */
	put_iface(w, FORWARD, false, false, w->t->ifname);
	if (w->want->stateful) {
		begin(w, &r, FORWARD);
		rule_ct_state(&r, STATE_ESTABLISHED | STATE_RELATED, false);
		rule_verdict(&r, NF_DROP);
		rule_end(&r, NULL);
	}
	if (!w->want->spoofing_allowed)
		put_no_spoofing(w, FORWARD);
}

static void put_masquerade(struct writer *w)
{
	struct rule r;

	begin(w, &r, POSTROUTING);
	rule_mark(&r, FIREWALL_MARK_MASK, FIREWALL_MARK_FORWARDED);
	rule_iface(&r, false, false, w->t->ifname);
	rule_masquerade(&r);
	rule_end(&r, NULL);
}

static unsigned put_rules(struct writer *w)
{
	put_marks(w);
	put_input(w);
	put_forward(w);
	if (w->want->masquerade)
		put_masquerade(w);
	return w->n;
}

void table_put(struct nft *k, const struct table *t, const struct firewall_config *want)
{
	struct writer w = { .k = k, .t = t, .want = want };
	struct nlmsghdr *h;

	if (t->there)
		put_name(nft_add(k, NFT_MSG_DELTABLE, NFPROTO_INET, 0), t);
	if (want->mode == FIREWALL_OFF)
		return;
	h = nft_add(k, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE);
	put_name(h, t);
	/* An administrator hooks into unhooked chains, which nobody could if we owned the table. */
	if (t->can_own && want->mode == FIREWALL_ON)
		mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	for (enum chain c = 0; c < CHAINS; c++)
		put_chain(&w, c);
	put_rules(&w);
}

int table_is_there(struct nft *k, const struct table *t, const struct firewall_config *want)
{
	struct writer w = { .k = k, .t = t, .want = want };
	unsigned have = 0, should;

	if (want->mode == FIREWALL_OFF)
		return 1;
	nft_begin(k); /* made to be counted, and never sent */
	should = put_rules(&w);
	for (enum chain c = 0; c < CHAINS; c++) {
		int rc = nft_count_rules(k, NFPROTO_INET, t->name, chains[c].name, &have);

		if (rc < 0)
			return rc;
	}
	return have == should;
}
