/* Rules, put together from the kernel's expressions. */
#include "os/firewall/internal.h"

#include <errno.h>
#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stddef.h>
#include <stdlib.h>

enum { COMMENT_MAX = 64 };

void rule_init(struct rule *r, uint32_t family, const char *table, const char *chain)
{
	*r = (struct rule){ .r = nftnl_rule_alloc() };
	r->failed = !r->r || nftnl_rule_set_str(r->r, NFTNL_RULE_TABLE, table) < 0 ||
		    nftnl_rule_set_str(r->r, NFTNL_RULE_CHAIN, chain) < 0;
	if (!r->failed)
		nftnl_rule_set_u32(r->r, NFTNL_RULE_FAMILY, family);
}

void rule_fini(struct rule *r)
{
	if (r->r)
		nftnl_rule_free(r->r);
	*r = (struct rule){ 0 };
}

struct u32_attr {
	uint16_t type;
	uint32_t v;
};

/* An expression with numbers as attributes, the last of which has type 0 when there are fewer; NULL: no memory, and r knows. */
static struct nftnl_expr *add(struct rule *r, const char *name, const struct u32_attr *v, size_t n)
{
	struct nftnl_expr *e = r->failed ? NULL : nftnl_expr_alloc(name);

	if (!e) {
		r->failed = true;
		return NULL;
	}
	for (size_t i = 0; i < n; i++)
		nftnl_expr_set_u32(e, v[i].type, v[i].v);
	nftnl_rule_add_expr(r->r, e);
	return e;
}

#define ADD(r, name, ...) \
	add(r, name, (const struct u32_attr[]){ __VA_ARGS__ }, \
		sizeof((const struct u32_attr[]){ __VA_ARGS__ }) / sizeof(struct u32_attr))

static void put_data(struct rule *r, struct nftnl_expr *e, uint16_t type, const void *p, size_t n)
{
	if (e && nftnl_expr_set(e, type, p, (uint32_t)n) < 0)
		r->failed = true;
}

static void compare(struct rule *r, bool same, const void *p, size_t n)
{
	struct nftnl_expr *e = ADD(r, "cmp", { NFTNL_EXPR_CMP_SREG, NFT_REG_1 },
		{ NFTNL_EXPR_CMP_OP, same ? NFT_CMP_EQ : NFT_CMP_NEQ });

	put_data(r, e, NFTNL_EXPR_CMP_DATA, p, n);
}

/* register = register & mask ^ xor */
static void masked(struct rule *r, const void *mask, const void * xor, size_t n)
{
	struct nftnl_expr *e = ADD(r, "bitwise", { NFTNL_EXPR_BITWISE_SREG, NFT_REG_1 },
		{ NFTNL_EXPR_BITWISE_DREG, NFT_REG_1 }, { NFTNL_EXPR_BITWISE_LEN, (uint32_t)n });

	put_data(r, e, NFTNL_EXPR_BITWISE_MASK, mask, n);
	put_data(r, e, NFTNL_EXPR_BITWISE_XOR, xor, n);
}

static void load_meta(struct rule *r, uint32_t key)
{
	ADD(r, "meta", { NFTNL_EXPR_META_KEY, key }, { NFTNL_EXPR_META_DREG, NFT_REG_1 });
}

static void load_ct(struct rule *r, uint32_t key)
{
	ADD(r, "ct", { NFTNL_EXPR_CT_KEY, key }, { NFTNL_EXPR_CT_DREG, NFT_REG_1 });
}

void rule_iface(struct rule *r, bool in, bool same, const char *name)
{
	char padded[IFNAMSIZ] = { 0 };

	snprintf(padded, sizeof(padded), "%s", name);
	load_meta(r, in ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	compare(r, same, padded, sizeof(padded));
}

static void masked_u32(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t none = 0;

	masked(r, &mask, &none, sizeof(mask));
	compare(r, true, &value, sizeof(value));
}

void rule_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	load_meta(r, NFT_META_MARK);
	masked_u32(r, mask, value);
}

void rule_ct_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	load_ct(r, NFT_CT_MARK);
	masked_u32(r, mask, value);
}

/* any: in one of these states; else in none of them. */
void rule_ct_state(struct rule *r, uint32_t bits, bool any)
{
	const uint32_t none = 0;

	load_ct(r, NFT_CT_STATE);
	masked(r, &bits, &none, sizeof(bits));
	compare(r, !any, &none, sizeof(none));
}

void rule_source(struct rule *r, struct ipprefix p)
{
	static const uint8_t none[16];
	uint8_t mask[16] = { 0 }, family = p.ip.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	size_t n = p.ip.family == 4 ? 4 : 16;

	for (unsigned i = 0; i < p.bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	load_meta(r, NFT_META_NFPROTO);
	compare(r, true, &family, 1);
	ADD(r, "payload", { NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1 },
		{ NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER },
		{ NFTNL_EXPR_PAYLOAD_OFFSET, p.ip.family == 4 ? 12 : 8 },
		{ NFTNL_EXPR_PAYLOAD_LEN, (uint32_t)n });
	masked(r, mask, none, n);
	compare(r, true, p.ip.b, n);
}

void rule_udp_port(struct rule *r, uint16_t port)
{
	const uint8_t udp = IPPROTO_UDP;
	const uint16_t be = htons(port);

	load_meta(r, NFT_META_L4PROTO);
	compare(r, true, &udp, sizeof(udp));
	ADD(r, "payload", { NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1 },
		{ NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER },
		{ NFTNL_EXPR_PAYLOAD_OFFSET, 2 }, { NFTNL_EXPR_PAYLOAD_LEN, sizeof(be) });
	compare(r, true, &be, sizeof(be));
}

/* Other programs' bits stay. */
void rule_set_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t keep = ~mask;

	load_meta(r, NFT_META_MARK);
	masked(r, &keep, &value, sizeof(keep));
	ADD(r, "meta", { NFTNL_EXPR_META_KEY, NFT_META_MARK }, { NFTNL_EXPR_META_SREG, NFT_REG_1 });
}

void rule_set_ct_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t keep = ~mask;

	load_ct(r, NFT_CT_MARK);
	masked(r, &keep, &value, sizeof(keep));
	ADD(r, "ct", { NFTNL_EXPR_CT_KEY, NFT_CT_MARK }, { NFTNL_EXPR_CT_SREG, NFT_REG_1 });
}

void rule_masquerade(struct rule *r)
{
	add(r, "counter", NULL, 0);
	add(r, "masq", NULL, 0);
}

void rule_verdict(struct rule *r, uint32_t verdict)
{
	add(r, "counter", NULL, 0);
	ADD(r, "immediate", { NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT },
		{ NFTNL_EXPR_IMM_VERDICT, verdict });
}

void rule_comment(struct rule *r, const char *text)
{
	struct nftnl_udata_buf *b = nftnl_udata_buf_alloc(COMMENT_MAX);

	if (!b || r->failed || !nftnl_udata_put_strz(b, NFTNL_UDATA_RULE_COMMENT, text) ||
		nftnl_rule_set_data(r->r, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(b),
			nftnl_udata_buf_len(b)) < 0)
		r->failed = true;
	if (b)
		nftnl_udata_buf_free(b);
}

/* Attributes as libnftnl packs them: type, length, bytes. Whatever another program has put there. */
const char *rule_comment_of(const struct nftnl_rule *r)
{
	uint32_t len = 0;
	const uint8_t *p = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &len);

	while (p && len >= 2 && len - 2 >= p[1]) {
		if (p[0] == NFTNL_UDATA_RULE_COMMENT && p[1] && p[2 + p[1] - 1] == 0)
			return (const char *)p + 2;
		len -= 2 + (uint32_t)p[1];
		p += 2 + p[1];
	}
	return "";
}

int rule_put(struct rule *r, struct nft *k, uint16_t flags)
{
	if (!r->failed)
		nftnl_rule_nlmsg_build_payload(
			nft_add(k, NFT_MSG_NEWRULE,
				(uint16_t)nftnl_rule_get_u32(r->r, NFTNL_RULE_FAMILY),
				NLM_F_CREATE | flags),
			r->r);
	return r->failed ? -ENOMEM : 0;
}
