/* Chains of others that may drop what our interface brings: a rule of ours at their head. */
#include "os/firewall/internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

enum {
	CHAINS_MAX = 64,   /* base chains of others at these hooks; the rest is left alone */
	OURS_MAX = 16,     /* rules of ours in one chain */
	PRIORITY_MAX = 50, /* around the one of filters: earlier ones prepare, later ones account */
	CHAIN_NAME_MAX = 32 /* NFT_NAME_MAXLEN is 256; tables with such names are left alone */
};

struct other {
	uint32_t family, hook;
	char table[CHAIN_NAME_MAX], chain[CHAIN_NAME_MAX];
	bool drops; /* its policy */
	size_t n_rules;
	uint64_t ours[OURS_MAX]; /* handles, as the kernel has them */
	size_t n_ours;
	unsigned have; /* bits: which of ours */
};

struct others {
	const char *mark, *ports; /* the comments of our rules are mark, ports, a digit */
	struct other v[CHAINS_MAX];
	size_t n;
	struct other *at;
};

/* A short name, copied. */
static bool take_name(char to[static CHAIN_NAME_MAX], const struct nlattr *a)
{
	if (!a || mnl_attr_validate(a, MNL_TYPE_NUL_STRING) < 0 ||
		mnl_attr_get_payload_len(a) > CHAIN_NAME_MAX)
		return false;
	strcpy(to, mnl_attr_get_str(a));
	return true;
}

static bool is_text(const struct nlattr *a, const char *text)
{
	return a && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(a), text) == 0;
}

static int on_hook(const struct nlattr *a, void *ctx)
{
	const struct nlattr **tb = ctx;

	if (mnl_attr_get_type(a) <= NFTA_HOOK_PRIORITY)
		tb[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

/* Is it a place where packets are let in or through, at the time when filters do that? */
static bool is_filter(const struct nlattr *nest, uint32_t *ret_hook)
{
	const struct nlattr *tb[NFTA_HOOK_PRIORITY + 1] = { 0 };
	int32_t priority;

	if (!nest || mnl_attr_parse_nested(nest, on_hook, tb) < 0)
		return false;
	*ret_hook = ntohl(netlink_u32(tb[NFTA_HOOK_HOOKNUM]));
	priority = (int32_t)ntohl(netlink_u32(tb[NFTA_HOOK_PRIORITY]));
	return (*ret_hook == NF_INET_LOCAL_IN || *ret_hook == NF_INET_FORWARD) &&
	       priority >= -PRIORITY_MAX && priority <= PRIORITY_MAX;
}

static void note_chain(void *ctx, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[NFTA_CHAIN_TYPE + 1];
	struct others *s = ctx;
	struct other o = { .family = g->nfgen_family };

	netlink_attrs(h, sizeof(*g), tb, ARRAY_LEN(tb));
	if ((o.family != NFPROTO_IPV4 && o.family != NFPROTO_IPV6 && o.family != NFPROTO_INET) ||
		s->n == CHAINS_MAX || !is_text(tb[NFTA_CHAIN_TYPE], "filter") ||
		!is_filter(tb[NFTA_CHAIN_HOOK], &o.hook) ||
		!take_name(o.table, tb[NFTA_CHAIN_TABLE]) ||
		!take_name(o.chain, tb[NFTA_CHAIN_NAME]) ||
		!strncmp(o.table, "warren-", strlen("warren-")))
		return;
	o.drops = tb[NFTA_CHAIN_POLICY] && ntohl(netlink_u32(tb[NFTA_CHAIN_POLICY])) == NF_DROP;
	s->v[s->n++] = o;
}

static void note_rule(void *ctx, const struct nlmsghdr *h)
{
	const struct nlattr *tb[NFTA_RULE_USERDATA + 1];
	struct others *s = ctx;
	struct other *o = s->at;
	const char *comment, *rest;

	netlink_attrs(h, sizeof(struct nfgenmsg), tb, ARRAY_LEN(tb));
	comment = rule_comment_of(tb[NFTA_RULE_USERDATA]);
	if (strncmp(comment, s->mark, strlen(s->mark)) != 0) {
		o->n_rules++;
		return;
	}
	if (o->n_ours == OURS_MAX || !tb[NFTA_RULE_HANDLE] ||
		mnl_attr_validate(tb[NFTA_RULE_HANDLE], MNL_TYPE_U64) < 0)
		return;
	o->ours[o->n_ours++] = mnl_attr_get_u64(tb[NFTA_RULE_HANDLE]);
	/* One for other ports is to go. */
	rest = comment + strlen(s->mark);
	if (!strncmp(rest, s->ports, strlen(s->ports)) && isdigit((uint8_t)rest[strlen(s->ports)]))
		o->have |= 1u << (rest[strlen(s->ports)] - '0');
}

unsigned others_accepts(
	uint32_t family, uint32_t hook, bool may_drop, const struct firewall_config *want)
{
	unsigned bits = 0;

	if (!want || want->mode != FIREWALL_ON || !may_drop)
		return 0;
	bits |= 1u << ACCEPT_IN;
	if (hook == NF_INET_FORWARD)
		return bits | 1u << ACCEPT_OUT;
	if (want->port4 && family != NFPROTO_IPV6)
		bits |= 1u << ACCEPT_PORT4;
	if (want->port6 && family != NFPROTO_IPV4 &&
		(family == NFPROTO_IPV6 || want->port6 != want->port4))
		bits |= 1u << ACCEPT_PORT6;
	return bits;
}

static void put_accept(struct nft *k, const struct others *s, const struct other *o,
	const char *ifname, const struct firewall_config *want, unsigned which)
{
	struct rule r;
	char comment[64];

	snprintf(comment, sizeof(comment), "%s%s%u", s->mark, s->ports, which);
	rule_begin(&r, k, 0, o->family, o->table, o->chain);
	if (which == ACCEPT_IN || which == ACCEPT_OUT)
		rule_iface(&r, which == ACCEPT_IN, true, ifname);
	else
		rule_udp_port(&r, which == ACCEPT_PORT4 ? want->port4 : want->port6);
	rule_verdict(&r, NF_ACCEPT);
	rule_end(&r, comment);
}

static void drop_ours(struct nft *k, const struct other *o)
{
	for (size_t i = 0; i < o->n_ours; i++) {
		struct nlmsghdr *h = nft_add(k, NFT_MSG_DELRULE, (uint16_t)o->family, 0);

		mnl_attr_put_strz(h, NFTA_RULE_TABLE, o->table);
		mnl_attr_put_strz(h, NFTA_RULE_CHAIN, o->chain);
		mnl_attr_put_u64(h, NFTA_RULE_HANDLE, o->ours[i]);
	}
}

/* True: something is in the batch. */
static bool put_other(struct nft *k, const struct others *s, const struct other *o,
	const char *ifname, const struct firewall_config *want)
{
	unsigned should = others_accepts(o->family, o->hook, o->drops || o->n_rules, want);

	if (o->have == should && o->n_ours == (size_t)__builtin_popcount(should))
		return false;
	drop_ours(k, o);
	for (unsigned i = 0; i < ACCEPTS; i++)
		if (should >> i & 1)
			put_accept(k, s, o, ifname, want, i);
	return true;
}

int others_put(struct nft *k, const char *ifname, const struct firewall_config *want)
{
	struct others *s = calloc(1, sizeof(*s));
	char mark[32], ports[16];
	bool any = false;
	int rc;

	if (!s)
		return -ENOMEM;
	snprintf(mark, sizeof(mark), "warren-%s ", ifname);
	snprintf(ports, sizeof(ports), "%u,%u ", want ? want->port4 : 0u, want ? want->port6 : 0u);
	s->mark = mark;
	s->ports = ports;
	rc = nft_chains(k, note_chain, s);
	for (size_t i = 0; rc >= 0 && i < s->n; i++) {
		s->at = &s->v[i];
		rc = nft_rules(k, s->at->family, s->at->table, s->at->chain, note_rule, s);
		if (rc >= 0)
			any |= put_other(k, s, s->at, ifname, want);
		else if (rc == -ENOENT)
			rc = 0; /* gone meanwhile */
	}
	free(s);
	return rc < 0 ? rc : any;
}
