/* Our own table. */
#include "os/firewall/internal.h"

#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdlib.h>

enum {
	MARK_MASK = 0xff0000,
	MARK_OURS = 0x80000, /* of our sockets: ROUTE_MARK */
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
	int rc;
	unsigned n; /* rules so far */
};

static void begin(const struct writer *w, struct rule *r, enum chain c)
{
	rule_init(r, NFPROTO_INET, w->t->name, chains[c].name);
}

static void end(struct writer *w, struct rule *r)
{
	int rc = rule_put(r, w->k, NLM_F_APPEND);

	rule_fini(r);
	w->n++;
	w->rc = w->rc < 0 ? w->rc : rc;
}

static void put_name(struct nlmsghdr *h, const struct table *t)
{
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, t->name);
}

static void put_chain(struct writer *w, enum chain c)
{
	struct nftnl_chain *n = nftnl_chain_alloc();

	if (!n || nftnl_chain_set_str(n, NFTNL_CHAIN_TABLE, w->t->name) < 0 ||
		nftnl_chain_set_str(n, NFTNL_CHAIN_NAME, chains[c].name) < 0 ||
		(w->want->mode == FIREWALL_ON &&
			nftnl_chain_set_str(n, NFTNL_CHAIN_TYPE, chains[c].type) < 0)) {
		w->rc = -ENOMEM;
	} else {
		if (w->want->mode == FIREWALL_ON) {
			nftnl_chain_set_u32(n, NFTNL_CHAIN_HOOKNUM, chains[c].hook);
			nftnl_chain_set_s32(n, NFTNL_CHAIN_PRIO, chains[c].priority);
			nftnl_chain_set_u32(n, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		}
		nftnl_chain_nlmsg_build_payload(
			nft_add(w->k, NFT_MSG_NEWCHAIN, NFPROTO_INET, NLM_F_CREATE), n);
	}
	if (n)
		nftnl_chain_free(n);
}

/* What our sockets send is remembered with the flow, and its answers are marked by that. */
static void put_marks(struct writer *w)
{
	struct rule r;

	begin(w, &r, PREROUTING);
	rule_ct_state(&r, STATE_ESTABLISHED | STATE_RELATED, true);
	rule_ct_mark(&r, MARK_MASK, MARK_OURS);
	rule_set_mark(&r, MARK_MASK, MARK_OURS);
	end(w, &r);
	begin(w, &r, OUTPUT);
	rule_ct_state(&r, STATE_NEW, true);
	rule_mark(&r, MARK_MASK, MARK_OURS);
	rule_set_ct_mark(&r, MARK_MASK, MARK_OURS);
	end(w, &r);
}

static void put_source(struct writer *w, enum chain c, struct ipprefix p, uint32_t verdict)
{
	struct rule r;

	begin(w, &r, c);
	rule_source(&r, p);
	rule_verdict(&r, verdict);
	end(w, &r);
}

static void put_iface(struct writer *w, enum chain c, bool in, bool same, const char *name)
{
	struct rule r;

	begin(w, &r, c);
	rule_iface(&r, in, same, name);
	rule_verdict(&r, NF_ACCEPT);
	end(w, &r);
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
	rule_set_mark(&r, MARK_MASK, FIREWALL_MARK_FORWARDED);
	rule_verdict(&r, NF_ACCEPT);
	end(w, &r);
	/* From here on: not out of the tunnel, and what does not go into it is not our business. */
	put_iface(w, FORWARD, false, false, w->t->ifname);
	if (w->want->stateful) {
		begin(w, &r, FORWARD);
		rule_ct_state(&r, STATE_ESTABLISHED | STATE_RELATED, false);
		rule_verdict(&r, NF_DROP);
		end(w, &r);
	}
	if (!w->want->spoofing_allowed)
		put_no_spoofing(w, FORWARD);
}

static void put_masquerade(struct writer *w)
{
	struct rule r;

	begin(w, &r, POSTROUTING);
	rule_mark(&r, MARK_MASK, FIREWALL_MARK_FORWARDED);
	rule_iface(&r, false, false, w->t->ifname);
	rule_masquerade(&r);
	end(w, &r);
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

int table_put(struct nft *k, const struct table *t, const struct firewall_config *want)
{
	struct writer w = { .k = k, .t = t, .want = want };
	struct nlmsghdr *h;

	if (t->there)
		put_name(nft_add(k, NFT_MSG_DELTABLE, NFPROTO_INET, 0), t);
	if (want->mode == FIREWALL_OFF)
		return 0;
	h = nft_add(k, NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE);
	put_name(h, t);
	/* An administrator hooks into unhooked chains, which nobody could if we owned the table. */
	if (t->can_own && want->mode == FIREWALL_ON)
		mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
	for (enum chain c = 0; c < CHAINS; c++)
		put_chain(&w, c);
	put_rules(&w);
	return w.rc;
}

static void count_rule(void *ctx, const struct nftnl_rule *r)
{
	(void)r;
	++*(unsigned *)ctx;
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
		int rc = nft_rules(k, NFPROTO_INET, t->name, chains[c].name, count_rule, &have);

		if (rc < 0 && rc != -ENOENT)
			return rc;
	}
	return w.rc < 0 ? w.rc : have == should;
}
