/* Chains of others that may drop what our interface brings: a rule of ours at their head. */
#include "os/firewall/internal.h"

#include <ctype.h>
#include <endian.h>
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
	uint64_t ours[OURS_MAX]; /* handles */
	size_t n_ours;
	unsigned have; /* bits: which of ours */
};

struct others {
	const char *mark, *ports; /* the comments of our rules are mark, ports, a digit */
	struct other v[CHAINS_MAX];
	size_t n;
	struct other *at;
};

static bool short_enough(const char *s)
{
	return s && strlen(s) < CHAIN_NAME_MAX;
}

static void note_chain(void *ctx, const struct nftnl_chain *c)
{
	struct others *s = ctx;
	uint32_t family = nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY);
	uint32_t hook = nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM);
	int32_t priority;
	const char *type, *table = nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE),
			  *name = nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);

	if (!nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) || s->n == CHAINS_MAX)
		return;
	priority = nftnl_chain_get_s32(c, NFTNL_CHAIN_PRIO);
	type = nftnl_chain_get_str(c, NFTNL_CHAIN_TYPE);
	if ((family != NFPROTO_IPV4 && family != NFPROTO_IPV6 && family != NFPROTO_INET) ||
		(hook != NF_INET_LOCAL_IN && hook != NF_INET_FORWARD) || !type ||
		strcmp(type, "filter") != 0 || priority < -PRIORITY_MAX ||
		priority > PRIORITY_MAX || !short_enough(table) || !short_enough(name) ||
		!strncmp(table, "warren-", strlen("warren-")))
		return;
	s->v[s->n] = (struct other){ .family = family,
		.hook = hook,
		.drops = nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP };
	strcpy(s->v[s->n].table, table);
	strcpy(s->v[s->n].chain, name);
	s->n++;
}

static void note_rule(void *ctx, const struct nftnl_rule *r)
{
	struct others *s = ctx;
	struct other *o = s->at;
	const char *comment = rule_comment_of(r), *rest = comment + strlen(s->mark);

	if (strncmp(comment, s->mark, strlen(s->mark)) != 0) {
		o->n_rules++;
		return;
	}
	if (o->n_ours == OURS_MAX)
		return;
	o->ours[o->n_ours++] = nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE);
	/* One for other ports is to go. */
	if (!strncmp(rest, s->ports, strlen(s->ports)) && isdigit((uint8_t)rest[strlen(s->ports)]))
		o->have |= 1u << (rest[strlen(s->ports)] - '0');
}

enum { ACCEPT_IN, ACCEPT_OUT, ACCEPT_PORT4, ACCEPT_PORT6, ACCEPTS };

/* Which of our rules belong into this chain? Where nothing can be dropped, none. */
static unsigned wanted(const struct other *o, const struct firewall_config *want)
{
	unsigned bits = 0;

	if (!want || want->mode != FIREWALL_ON || (!o->drops && !o->n_rules))
		return 0;
	bits |= 1u << ACCEPT_IN;
	if (o->hook == NF_INET_FORWARD)
		return bits | 1u << ACCEPT_OUT;
	if (want->port4 && o->family != NFPROTO_IPV6)
		bits |= 1u << ACCEPT_PORT4;
	if (want->port6 && o->family != NFPROTO_IPV4 &&
		(o->family == NFPROTO_IPV6 || want->port6 != want->port4))
		bits |= 1u << ACCEPT_PORT6;
	return bits;
}

static int put_accept(struct nft *k, const struct others *s, const struct other *o,
	const char *ifname, const struct firewall_config *want, unsigned which)
{
	struct rule r;
	char comment[64];
	int rc;

	snprintf(comment, sizeof(comment), "%s%s%u", s->mark, s->ports, which);
	rule_init(&r, o->family, o->table, o->chain);
	if (which == ACCEPT_IN || which == ACCEPT_OUT)
		rule_iface(&r, which == ACCEPT_IN, true, ifname);
	else
		rule_udp_port(&r, which == ACCEPT_PORT4 ? want->port4 : want->port6);
	rule_verdict(&r, NF_ACCEPT);
	rule_comment(&r, comment);
	rc = rule_put(&r, k, 0);
	rule_fini(&r);
	return rc;
}

static void drop_ours(struct nft *k, const struct other *o)
{
	for (size_t i = 0; i < o->n_ours; i++) {
		struct nlmsghdr *h = nft_add(k, NFT_MSG_DELRULE, (uint16_t)o->family, 0);

		mnl_attr_put_strz(h, NFTA_RULE_TABLE, o->table);
		mnl_attr_put_strz(h, NFTA_RULE_CHAIN, o->chain);
		mnl_attr_put_u64(h, NFTA_RULE_HANDLE, htobe64(o->ours[i]));
	}
}

static int put_other(struct nft *k, const struct others *s, const struct other *o,
	const char *ifname, const struct firewall_config *want)
{
	unsigned should = wanted(o, want);
	int rc = 0;

	if (o->have == should && o->n_ours == (size_t)__builtin_popcount(should))
		return 0;
	drop_ours(k, o);
	for (unsigned i = 0; rc == 0 && i < ACCEPTS; i++)
		if (should >> i & 1)
			rc = put_accept(k, s, o, ifname, want, i);
	return rc < 0 ? rc : 1;
}

int others_put(struct nft *k, const char *ifname, const struct firewall_config *want)
{
	struct others *s = calloc(1, sizeof(*s));
	char mark[32], ports[16];
	int rc, any = 0;

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
		if (rc == -ENOENT) {
			rc = 0; /* gone meanwhile */
			continue;
		}
		if (rc >= 0)
			rc = put_other(k, s, s->at, ifname, want);
		any |= rc > 0;
	}
	free(s);
	return rc < 0 ? rc : any;
}
