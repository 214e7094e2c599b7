/* One rule, written into the batch as the kernel's expressions: libnftnl would do it as well, for 190 KB of every device. */
#include "os/firewall/internal.h"

enum {
	UDATA_COMMENT = 0, /* of what nft(8) keeps with a rule: type, length, bytes */
	COMMENT_MAX = 64,
};

void rule_begin(struct rule *r, struct nft *k, uint16_t flags, uint32_t family, const char *table,
	const char *chain)
{
	r->h = nft_add(k, NFT_MSG_NEWRULE, (uint16_t)family, NLM_F_CREATE | flags);
	mnl_attr_put_strz(r->h, NFTA_RULE_TABLE, table);
	mnl_attr_put_strz(r->h, NFTA_RULE_CHAIN, chain);
	r->expressions = mnl_attr_nest_start(r->h, NFTA_RULE_EXPRESSIONS);
}

void rule_end(struct rule *r, const char *comment)
{
	uint8_t data[2 + COMMENT_MAX] = { UDATA_COMMENT };
	size_t n;

	mnl_attr_nest_end(r->h, r->expressions);
	if (!comment)
		return;
	n = strlen(comment) + 1;
	CHECK(n <= COMMENT_MAX);
	data[1] = (uint8_t)n;
	memcpy(data + 2, comment, n);
	mnl_attr_put(r->h, NFTA_RULE_USERDATA, 2 + n, data);
}

struct expression {
	struct nlattr *item, *data;
};

static struct expression begin(struct rule *r, const char *name)
{
	struct expression e = { .item = mnl_attr_nest_start(r->h, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(r->h, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(r->h, NFTA_EXPR_DATA);
	return e;
}

static void end(struct rule *r, struct expression e)
{
	mnl_attr_nest_end(r->h, e.data);
	mnl_attr_nest_end(r->h, e.item);
}

static void put_u32(struct rule *r, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(r->h, type, htonl(v));
}

static void put_value(struct rule *r, uint16_t type, const void *p, size_t n)
{
	struct nlattr *nest = mnl_attr_nest_start(r->h, type);

	mnl_attr_put(r->h, NFTA_DATA_VALUE, n, p);
	mnl_attr_nest_end(r->h, nest);
}

/* Goes on only where the register is that, or is not. */
static void compare(struct rule *r, bool same, const void *p, size_t n)
{
	struct expression e = begin(r, "cmp");

	put_u32(r, NFTA_CMP_SREG, NFT_REG_1);
	put_u32(r, NFTA_CMP_OP, same ? NFT_CMP_EQ : NFT_CMP_NEQ);
	put_value(r, NFTA_CMP_DATA, p, n);
	end(r, e);
}

/* register = register & mask ^ xor */
static void masked(struct rule *r, const void *mask, const void * xor, size_t n)
{
	struct expression e = begin(r, "bitwise");

	put_u32(r, NFTA_BITWISE_SREG, NFT_REG_1);
	put_u32(r, NFTA_BITWISE_DREG, NFT_REG_1);
	put_u32(r, NFTA_BITWISE_LEN, (uint32_t)n);
	put_value(r, NFTA_BITWISE_MASK, mask, n);
	put_value(r, NFTA_BITWISE_XOR, xor, n);
	end(r, e);
}

/* Between the register and what belongs to a packet. reg: the attribute for the source or the target. */
static void meta(struct rule *r, uint32_t key, uint16_t reg)
{
	struct expression e = begin(r, "meta");

	put_u32(r, NFTA_META_KEY, key);
	put_u32(r, reg, NFT_REG_1);
	end(r, e);
}

static void ct(struct rule *r, uint32_t key, uint16_t reg)
{
	struct expression e = begin(r, "ct");

	put_u32(r, NFTA_CT_KEY, key);
	put_u32(r, reg, NFT_REG_1);
	end(r, e);
}

static void payload(struct rule *r, uint32_t base, uint32_t offset, size_t n)
{
	struct expression e = begin(r, "payload");

	put_u32(r, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_u32(r, NFTA_PAYLOAD_BASE, base);
	put_u32(r, NFTA_PAYLOAD_OFFSET, offset);
	put_u32(r, NFTA_PAYLOAD_LEN, (uint32_t)n);
	end(r, e);
}

void rule_iface(struct rule *r, bool in, bool same, const char *name)
{
	char padded[IFNAMSIZ] = { 0 };

	snprintf(padded, sizeof(padded), "%s", name);
	meta(r, in ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFTA_META_DREG);
	compare(r, same, padded, sizeof(padded));
}

static void masked_is(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t none = 0;

	masked(r, &mask, &none, sizeof(mask));
	compare(r, true, &value, sizeof(value));
}

void rule_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	meta(r, NFT_META_MARK, NFTA_META_DREG);
	masked_is(r, mask, value);
}

void rule_ct_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	ct(r, NFT_CT_MARK, NFTA_CT_DREG);
	masked_is(r, mask, value);
}

void rule_ct_state(struct rule *r, uint32_t bits, bool any)
{
	const uint32_t none = 0;

	ct(r, NFT_CT_STATE, NFTA_CT_DREG);
	masked(r, &bits, &none, sizeof(bits));
	compare(r, !any, &none, sizeof(none));
}

/* v4, v6: where the address is in the header. */
static void address_in(struct rule *r, struct ipprefix p, uint32_t v4, uint32_t v6)
{
	static const uint8_t none[16];
	uint8_t mask[16] = { 0 }, family = p.ip.family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
	size_t n = p.ip.family == 4 ? 4 : 16;

	for (unsigned i = 0; i < p.bits; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	meta(r, NFT_META_NFPROTO, NFTA_META_DREG);
	compare(r, true, &family, 1);
	payload(r, NFT_PAYLOAD_NETWORK_HEADER, p.ip.family == 4 ? v4 : v6, n);
	masked(r, mask, none, n);
	compare(r, true, p.ip.b, n);
}

void rule_source(struct rule *r, struct ipprefix p)
{
	address_in(r, p, 12, 8);
}

void rule_destination(struct rule *r, struct ipprefix p)
{
	address_in(r, p, 16, 24);
}

static void protocol(struct rule *r, uint8_t no)
{
	meta(r, NFT_META_L4PROTO, NFTA_META_DREG);
	compare(r, true, &no, sizeof(no));
}

static void udp_field(struct rule *r, uint32_t offset, uint16_t port)
{
	const uint16_t be = htons(port);

	protocol(r, IPPROTO_UDP);
	payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, offset, sizeof(be));
	compare(r, true, &be, sizeof(be));
}

void rule_udp_port(struct rule *r, uint16_t port)
{
	udp_field(r, 2, port);
}

void rule_udp_source_port(struct rule *r, uint16_t port)
{
	udp_field(r, 0, port);
}

void rule_icmp6(struct rule *r, uint8_t type)
{
	protocol(r, IPPROTO_ICMPV6);
	payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(type));
	compare(r, true, &type, sizeof(type));
}

/* Other programs' bits stay. */
void rule_set_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t keep = ~mask;

	meta(r, NFT_META_MARK, NFTA_META_DREG);
	masked(r, &keep, &value, sizeof(keep));
	meta(r, NFT_META_MARK, NFTA_META_SREG);
}

void rule_set_ct_mark(struct rule *r, uint32_t mask, uint32_t value)
{
	const uint32_t keep = ~mask;

	ct(r, NFT_CT_MARK, NFTA_CT_DREG);
	masked(r, &keep, &value, sizeof(keep));
	ct(r, NFT_CT_MARK, NFTA_CT_SREG);
}

void rule_masquerade(struct rule *r)
{
	end(r, begin(r, "counter"));
	end(r, begin(r, "masq"));
}

void rule_verdict(struct rule *r, uint32_t verdict)
{
	struct expression e;
	struct nlattr *data, *nest;

	end(r, begin(r, "counter"));
	e = begin(r, "immediate");
	put_u32(r, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(r->h, NFTA_IMMEDIATE_DATA);
	nest = mnl_attr_nest_start(r->h, NFTA_DATA_VERDICT);
	put_u32(r, NFTA_VERDICT_CODE, verdict);
	mnl_attr_nest_end(r->h, nest);
	mnl_attr_nest_end(r->h, data);
	end(r, e);
}

void rule_reject(struct rule *r)
{
	struct expression e;

	end(r, begin(r, "counter"));
	e = begin(r, "reject");
	put_u32(r, NFTA_REJECT_TYPE, NFT_REJECT_ICMPX_UNREACH);
	mnl_attr_put_u8(r->h, NFTA_REJECT_ICMP_CODE, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	end(r, e);
}

/* Whatever another program has put there. */
const char *rule_comment_of(const struct nlattr *userdata)
{
	const uint8_t *p = userdata ? mnl_attr_get_payload(userdata) : NULL;
	size_t len = userdata ? mnl_attr_get_payload_len(userdata) : 0;

	while (len >= 2 && len - 2 >= p[1]) {
		if (p[0] == UDATA_COMMENT && p[1] && p[2 + p[1] - 1] == 0)
			return (const char *)p + 2;
		len -= 2 + (size_t)p[1];
		p += 2 + p[1];
	}
	return "";
}
