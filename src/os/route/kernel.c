#include "os/route/internal.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/ipv6.h>

struct rule {
	uint32_t priority, mark, mask;
	uint8_t action;
	uint32_t table;
	bool in_range;   /* only what goes to tsaddr_cgnat */
	bool no_default; /* the table's default route does not count */
};

static const struct rule rules[N_RULES] = {
	{ 5210, ROUTE_MARK, ROUTE_MARK_MASK, FR_ACT_TO_TBL, RT_TABLE_MAIN, false, false },
	{ 5230, ROUTE_MARK, ROUTE_MARK_MASK, FR_ACT_TO_TBL, RT_TABLE_DEFAULT, false, false },
	{ 5250, ROUTE_MARK, ROUTE_MARK_MASK, FR_ACT_UNREACHABLE, RT_TABLE_UNSPEC, false, false },
	{ 5270, 0, 0, FR_ACT_TO_TBL, ROUTE_TABLE, false, false },
	{ 5275, 0, 0, FR_ACT_TO_TBL, RT_TABLE_MAIN, true, true },
	{ 5277, 0, 0, FR_ACT_UNREACHABLE, RT_TABLE_UNSPEC, true, false },
};

static int family_of(struct ipaddr a)
{
	return a.family == 4 ? AF_INET : AF_INET6;
}

/* Attributes inside IFLA_AF_SPEC: for each family, what it knows of the interface. */
static int on_ipv6_conf(const struct nlattr *a, void *ctx)
{
	const int32_t *v = mnl_attr_get_payload(a);

	if (mnl_attr_get_type(a) == IFLA_INET6_CONF &&
		mnl_attr_get_payload_len(a) > DEVCONF_DISABLE_IPV6 * sizeof(*v))
		*(bool *)ctx = !v[DEVCONF_DISABLE_IPV6];
	return MNL_CB_OK;
}

static int on_family(const struct nlattr *a, void *ctx)
{
	return mnl_attr_get_type(a) == AF_INET6 ? mnl_attr_parse_nested(a, on_ipv6_conf, ctx)
						: MNL_CB_OK;
}

static bool spec_has_ipv6(const struct nlattr *spec)
{
	bool has = false;

	(void)mnl_attr_parse_nested(spec, on_family, &has);
	return has;
}

struct link_query {
	int index;
	const char *ifname;
	struct kernel_link *ret;
};

static void on_link(void *ctx, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_AF_SPEC + 1];
	struct link_query *q = ctx;

	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	if (h->nlmsg_type != RTM_NEWLINK || !tb[IFLA_IFNAME])
		return;
	if (q->index ? m->ifi_index != q->index
		     : strcmp(mnl_attr_get_str(tb[IFLA_IFNAME]), q->ifname) != 0)
		return;
	*q->ret = (struct kernel_link){
		.index = m->ifi_index,
		.mtu = (int)netlink_u32(tb[IFLA_MTU]),
		.up = m->ifi_flags & IFF_UP,
		.has_ipv6 = tb[IFLA_AF_SPEC] && spec_has_ipv6(tb[IFLA_AF_SPEC]),
	};
	snprintf(q->ret->name, sizeof(q->ret->name), "%s", mnl_attr_get_str(tb[IFLA_IFNAME]));
}

int kernel_link(struct netlink *nl, int index, const char *ifname, struct kernel_link *ret)
{
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC };
	struct link_query q = { index, ifname, ret };

	*ret = (struct kernel_link){ 0 };
	return netlink_dump(nl, RTM_GETLINK, &m, sizeof(m), on_link, &q);
}

void kernel_set_link(struct netlink *nl, int index, bool up, int mtu)
{
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC,
		.ifi_index = index,
		.ifi_flags = up ? IFF_UP : 0,
		.ifi_change = IFF_UP };
	struct nlmsghdr *h = netlink_begin(nl, RTM_NEWLINK, 0, &m, sizeof(m));

	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, (uint32_t)mtu);
	netlink_end(nl, 0, 0);
}

/* Kernels before 6.2 only rename what is down. */
void kernel_rename(struct netlink *nl, int index, const char *ifname)
{
	struct ifinfomsg m = { .ifi_family = AF_UNSPEC, .ifi_index = index };
	struct nlmsghdr *h;

	kernel_set_link(nl, index, false, 0);
	h = netlink_begin(nl, RTM_NEWLINK, 0, &m, sizeof(m));
	mnl_attr_put_strz(h, IFLA_IFNAME, ifname);
	netlink_end(nl, 0, 0);
}

struct item_query {
	int index;
	struct items *ret;
};

static void on_addr(void *ctx, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFA_FLAGS + 1];
	struct item_query *q = ctx;
	struct ipprefix p;
	uint32_t flags;

	if (h->nlmsg_type != RTM_NEWADDR || (int)m->ifa_index != q->index ||
		m->ifa_scope == RT_SCOPE_LINK)
		return;
	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	p.ip = netlink_addr(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], m->ifa_family);
	p.bits = m->ifa_prefixlen;
	flags = tb[IFA_FLAGS] ? netlink_u32(tb[IFA_FLAGS]) : m->ifa_flags;
	if (ipaddr_is_set(p.ip))
		items_add(q->ret,
			(flags & IFA_F_PERMANENT) && !(flags & IFA_F_DEPRECATED) ? ITEM_ADDR
										 : ITEM_FADING,
			p);
}

static void on_route(void *ctx, const struct nlmsghdr *h)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_TABLE + 1];
	struct item_query *q = ctx;
	struct ipprefix p = { .bits = m->rtm_dst_len };

	if (h->nlmsg_type != RTM_NEWROUTE ||
		(m->rtm_family != AF_INET && m->rtm_family != AF_INET6))
		return;
	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	if ((tb[RTA_TABLE] ? netlink_u32(tb[RTA_TABLE]) : m->rtm_table) != ROUTE_TABLE)
		return;
	p.ip = netlink_addr(tb[RTA_DST], m->rtm_family);
	p.ip.family = m->rtm_family == AF_INET ? 4 : 6; /* a default route has no destination */
	if (m->rtm_type == RTN_THROW)
		items_add(q->ret, ITEM_LOCAL, p);
	else if (q->index && (int)netlink_u32(tb[RTA_OIF]) == q->index)
		items_add(q->ret, ITEM_ROUTE, p);
}

/* A table without routes does not exist; a family may be missing. */
static int allow_absent(int rc)
{
	return rc == -ENOENT || rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP ? 0 : rc;
}

int kernel_items(struct netlink *nl, int index, struct items *ret)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct item_query q = { index, ret };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(families); i++) {
		struct ifaddrmsg a = { .ifa_family = (uint8_t)families[i],
			.ifa_index = (uint32_t)index };
		struct rtmsg r = { .rtm_family = (uint8_t)families[i], .rtm_table = ROUTE_TABLE };

		if (index)
			rc = allow_absent(
				netlink_dump(nl, RTM_GETADDR, &a, sizeof(a), on_addr, &q));
		if (rc == 0)
			rc = allow_absent(
				netlink_dump(nl, RTM_GETROUTE, &r, sizeof(r), on_route, &q));
	}
	if (rc == 0 && ret->failed)
		rc = -ENOMEM;
	if (rc == 0)
		items_sort(ret);
	return rc;
}

static void change_addr(struct netlink *nl, int index, const struct item *i, bool add)
{
	struct ifaddrmsg m = { .ifa_family = (uint8_t)family_of(i->p.ip),
		.ifa_prefixlen = i->p.bits,
		.ifa_flags = i->p.ip.family == 6
				     ? IFA_F_NODAD
				     : 0, /* there is nobody to ask, and it is usable at once */
		.ifa_index = (uint32_t)index };
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWADDR : RTM_DELADDR,
		add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &m, sizeof(m));

	netlink_put_addr(h, IFA_LOCAL, i->p.ip);
	netlink_put_addr(h, IFA_ADDRESS, i->p.ip);
	netlink_end(nl, add ? EEXIST : EADDRNOTAVAIL, 0);
}

static void change_route(struct netlink *nl, int index, const struct item *i, bool add)
{
	struct rtmsg m = { .rtm_family = (uint8_t)family_of(i->p.ip),
		.rtm_dst_len = i->p.bits,
		.rtm_table = ROUTE_TABLE,
		.rtm_protocol = RTPROT_BOOT,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = i->kind == ITEM_LOCAL ? RTN_THROW : RTN_UNICAST };
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWROUTE : RTM_DELROUTE,
		add ? NLM_F_CREATE | NLM_F_REPLACE : 0, &m, sizeof(m));

	if (i->p.bits)
		netlink_put_addr(h, RTA_DST, i->p.ip);
	if (i->kind == ITEM_ROUTE)
		mnl_attr_put_u32(h, RTA_OIF, (uint32_t)index);
	netlink_end(nl, add ? EEXIST : ESRCH, add ? 0 : ENOENT);
}

void kernel_change(struct netlink *nl, int index, const struct item *i, bool add)
{
	if (i->kind == ITEM_ADDR || i->kind == ITEM_FADING)
		change_addr(nl, index, i, add);
	else
		change_route(nl, index, i, add);
}

struct rule_query {
	int family;
	unsigned found;
};

static void on_rule(void *ctx, const struct nlmsghdr *h)
{
	const struct fib_rule_hdr *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[FRA_OIFNAME + 1];
	struct rule_query *q = ctx;

	struct ipprefix dst = { .bits = m->dst_len };

	if (h->nlmsg_type != RTM_NEWRULE || m->family != q->family || m->src_len ||
		(m->flags & FIB_RULE_INVERT))
		return;
	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	dst.ip = netlink_addr(tb[FRA_DST], m->family);
	if (tb[FRA_IIFNAME] || tb[FRA_OIFNAME])
		return;
	for (unsigned i = 0; i < N_RULES; i++) {
		const struct rule *r = &rules[i];

		if (netlink_u32(tb[FRA_PRIORITY]) == r->priority && m->action == r->action &&
			netlink_u32(tb[FRA_FWMARK]) == r->mark &&
			netlink_u32(tb[FRA_FWMASK]) == r->mask &&
			(tb[FRA_TABLE] ? netlink_u32(tb[FRA_TABLE]) : m->table) == r->table &&
			(r->in_range ? ipprefix_eq(dst, tsaddr_cgnat) : !dst.bits) &&
			(netlink_u32(tb[FRA_SUPPRESS_PREFIXLEN]) == 0) == r->no_default)
			q->found |= 1u << i;
	}
}

int kernel_rules(struct netlink *nl, int family, unsigned *ret)
{
	struct fib_rule_hdr m = { .family = (uint8_t)family };
	struct rule_query q = { .family = family };
	int rc = allow_absent(netlink_dump(nl, RTM_GETRULE, &m, sizeof(m), on_rule, &q));

	*ret = q.found;
	return rc;
}

void kernel_change_rule(struct netlink *nl, int family, unsigned no, bool add)
{
	const struct rule *r = &rules[no];
	struct fib_rule_hdr m = { .family = (uint8_t)family,
		.action = r->action,
		.table = (uint8_t)r->table,
		.dst_len = r->in_range ? tsaddr_cgnat.bits : 0 };
	struct nlmsghdr *h = netlink_begin(nl, add ? RTM_NEWRULE : RTM_DELRULE,
		add ? NLM_F_CREATE | NLM_F_EXCL : 0, &m, sizeof(m));

	mnl_attr_put_u32(h, FRA_PRIORITY, r->priority);
	if (r->mask) {
		mnl_attr_put_u32(h, FRA_FWMARK, r->mark);
		mnl_attr_put_u32(h, FRA_FWMASK, r->mask);
	}
	if (r->table)
		mnl_attr_put_u32(h, FRA_TABLE, r->table);
	if (r->in_range)
		netlink_put_addr(h, FRA_DST, tsaddr_cgnat.ip);
	if (r->no_default)
		mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	netlink_end(nl, add ? EEXIST : ENOENT, add ? 0 : ESRCH);
}

static bool is_our_rule(const struct nlmsghdr *h)
{
	const struct nlattr *tb[FRA_PRIORITY + 1];
	uint32_t priority;

	netlink_attrs(h, sizeof(struct fib_rule_hdr), tb, ARRAY_LEN(tb));
	priority = netlink_u32(tb[FRA_PRIORITY]);
	for (unsigned i = 0; i < N_RULES; i++)
		if (rules[i].priority == priority)
			return true;
	return false;
}

bool kernel_concerns_us(const struct nlmsghdr *h, int index)
{
	const void *m = mnl_nlmsg_get_payload(h);
	const struct ifinfomsg *link = m;
	const struct ifaddrmsg *addr = m;
	const struct rtmsg *route = m;

	switch (h->nlmsg_type) {
	case RTM_NEWRULE:
	case RTM_DELRULE:
		return is_our_rule(h);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return route->rtm_table == ROUTE_TABLE;
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return (int)addr->ifa_index == index;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link->ifi_index == index;
	default:
		return false;
	}
}
