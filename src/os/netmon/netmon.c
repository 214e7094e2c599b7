#include "os/netmon/netmon.h"
#include "os/netlink/netlink.h"
#include "os/route/route.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <time.h>

_Static_assert(NETMON_NAME_MAX == IFNAMSIZ - 1, "a name and its end");

enum {
	SETTLE_MS = 100,   /* changes come in swarms */
	SLEEP_LOOK_S = 15, /* how often we ask whether the machine slept */
	SLEPT_S = 5,       /* shorter naps do not count */
	LINKS_MAX = 1024,  /* interfaces that are looked at */
};

struct link {
	int index;
	char name[IFNAMSIZ];
	bool ours;
	bool counts; /* up, and not ours or another overlay's */
};

/* One look at the system. */
struct look {
	const char *skip;
	struct link *links;
	size_t n_links;
	struct netmon_state s;
	uint32_t metric4, metric6;
	int oif4, oif6;
	struct ipaddr source4;         /* that the default route prefers */
	int addr_if[NETMON_ADDRS_MAX]; /* index of the interface of each address */
};

struct netmon {
	struct loop *loop;
	struct netlink *nl;
	struct netlink_monitor *monitor;
	struct loop_timer *settle, *sleep;
	char skip[IFNAMSIZ];
	void (*on_change)(void *ctx, bool link_changed);
	void *ctx;
	struct netmon_state state;
	struct ipaddr default_addr6;
	bool waiting;  /* for the settle timer */
	mono_ns slept; /* all the time that the machine was asleep */
};

static bool is_overlay(const char *name)
{
	return strncmp(name, "zt", 2) == 0 || strcmp(name, "wt0") == 0;
}

static void on_link(void *ctx, const struct nlmsghdr *h)
{
	const struct ifinfomsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFLA_IFNAME + 1];
	struct look *k = ctx;
	struct link *l;

	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	if (h->nlmsg_type != RTM_NEWLINK || !tb[IFLA_IFNAME] || k->n_links == LINKS_MAX)
		return;
	l = &k->links[k->n_links++];
	l->index = m->ifi_index;
	snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(tb[IFLA_IFNAME]));
	l->ours = strcmp(l->name, k->skip) == 0;
	l->counts = (m->ifi_flags & IFF_UP) && !l->ours && !is_overlay(l->name);
}

static const struct link *find_link(const struct look *k, int index)
{
	for (size_t i = 0; i < k->n_links; i++)
		if (k->links[i].index == index)
			return &k->links[i];
	return NULL;
}

/* Addresses come before routes, so that most of what the kernel's tables say of them is inside something already. */
static void add_net(struct look *k, struct ipaddr ip, unsigned bits)
{
	struct ipprefix p = ipprefix_masked((struct ipprefix){ ip, (uint8_t)bits });
	size_t n = 0;

	if (!ipaddr_is_set(ip))
		return;
	for (size_t i = 0; i < k->s.n_nets; i++)
		if (k->s.nets[i].bits <= p.bits && ipprefix_contains(k->s.nets[i], p.ip))
			return;
	for (size_t i = 0; i < k->s.n_nets; i++)
		if (!ipprefix_contains(p, k->s.nets[i].ip))
			k->s.nets[n++] = k->s.nets[i];
	k->s.n_nets = n;
	if (n == NETMON_NETS_MAX) {
		k->s.nets_all = false;
		return;
	}
	k->s.nets[k->s.n_nets++] = p;
}

/* A network that is reached without a gateway, or what the kernel itself answers for. */
static void net_of_route(struct look *k, const struct rtmsg *m, const struct nlattr **tb)
{
	const struct link *l = find_link(k, (int)netlink_u32(tb[RTA_OIF]));
	bool here = m->rtm_type == RTN_LOCAL,
	     on_link = m->rtm_type == RTN_UNICAST && tb[RTA_OIF] && !tb[RTA_GATEWAY] &&
		       !tb[RTA_VIA] && !tb[RTA_MULTIPATH] &&
		       m->rtm_dst_len >= (m->rtm_family == AF_INET ? NETMON_NET4_BITS_MIN
								   : NETMON_NET6_BITS_MIN);

	if ((here || on_link) && !(l && l->ours))
		add_net(k, netlink_addr(tb[RTA_DST], m->rtm_family), m->rtm_dst_len);
}

static void on_addr(void *ctx, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[IFA_FLAGS + 1];
	struct look *k = ctx;
	const struct link *l;
	struct ipprefix p;
	uint32_t flags;

	if (h->nlmsg_type != RTM_NEWADDR || (m->ifa_family != AF_INET && m->ifa_family != AF_INET6))
		return;
	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	flags = tb[IFA_FLAGS] ? netlink_u32(tb[IFA_FLAGS]) : m->ifa_flags;
	l = find_link(k, (int)m->ifa_index);
	if (!l || !l->ours) { /* of the two ends of a line the second has the prefix */
		add_net(k, netlink_addr(tb[IFA_LOCAL], m->ifa_family),
			m->ifa_family == AF_INET ? 32 : 128);
		add_net(k, netlink_addr(tb[IFA_ADDRESS], m->ifa_family), m->ifa_prefixlen);
	}
	if (!l || !l->counts || (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)))
		return;
	p.ip = netlink_addr(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], m->ifa_family);
	p.bits = m->ifa_prefixlen;
	if (!ipaddr_is_set(p.ip) || k->s.n_addrs == NETMON_ADDRS_MAX)
		return;
	k->addr_if[k->s.n_addrs] = l->index;
	k->s.addrs[k->s.n_addrs++] = p;
}

/* Of the first path, when there are several. */
static int route_oif(const struct nlattr **tb)
{
	const struct rtnexthop *first;

	if (tb[RTA_OIF] || !tb[RTA_MULTIPATH] ||
		mnl_attr_get_payload_len(tb[RTA_MULTIPATH]) < sizeof(*first))
		return (int)netlink_u32(tb[RTA_OIF]);
	first = mnl_attr_get_payload(tb[RTA_MULTIPATH]);
	return first->rtnh_ifindex;
}

static bool is_default(const struct rtmsg *m)
{
	return !m->rtm_dst_len && m->rtm_table == RT_TABLE_MAIN && m->rtm_type == RTN_UNICAST;
}

static void on_route(void *ctx, const struct nlmsghdr *h)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_VIA + 1];
	struct look *k = ctx;
	const struct link *l;
	uint32_t metric;
	int oif;

	if (h->nlmsg_type != RTM_NEWROUTE)
		return;
	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	if (!is_default(m)) {
		net_of_route(k, m, tb);
		return;
	}
	oif = route_oif(tb);
	metric = netlink_u32(tb[RTA_PRIORITY]);
	l = find_link(k, oif);
	if (!l || !l->counts)
		return;
	if (m->rtm_family == AF_INET && (!k->oif4 || metric < k->metric4)) {
		k->oif4 = oif;
		k->metric4 = metric;
		k->s.gateway4 = netlink_addr(tb[RTA_GATEWAY], AF_INET);
		k->source4 = netlink_addr(tb[RTA_PREFSRC], AF_INET);
	}
	if (m->rtm_family == AF_INET6 && (!k->oif6 || metric < k->metric6)) {
		k->oif6 = oif;
		k->metric6 = metric;
	}
}

/* The first of a family on an interface. */
static struct ipaddr addr_of(const struct look *k, int index, uint8_t family)
{
	for (size_t i = 0; i < k->s.n_addrs; i++)
		if (k->addr_if[i] == index && k->s.addrs[i].ip.family == family &&
			!ipaddr_is_link_local(k->s.addrs[i].ip))
			return k->s.addrs[i].ip;
	return (struct ipaddr){ 0 };
}

static int by_address(const void *a, const void *b)
{
	const struct ipprefix *x = a, *y = b;
	int c = ipaddr_cmp(x->ip, y->ip);

	return c ? c : x->bits - y->bits;
}

static int ask_all(struct netlink *nl, struct look *k)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 },
			     tables[] = { RT_TABLE_MAIN, RT_TABLE_LOCAL };
	struct ifinfomsg link = { .ifi_family = AF_UNSPEC };
	struct ifaddrmsg addr = { .ifa_family = AF_UNSPEC };
	int rc = netlink_dump(nl, RTM_GETLINK, &link, sizeof(link), on_link, k);

	if (rc == 0)
		rc = netlink_dump(nl, RTM_GETADDR, &addr, sizeof(addr), on_addr, k);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(families) * ARRAY_LEN(tables); i++) {
		struct rtmsg route = { .rtm_family = families[i % 2], .rtm_table = tables[i / 2] };

		rc = netlink_dump(nl, RTM_GETROUTE, &route, sizeof(route), on_route, k);
		if (rc == -ENOENT || rc == -EAFNOSUPPORT || rc == -EOPNOTSUPP)
			rc = 0; /* no such table or family */
	}
	return rc;
}

static int take_look(struct netmon *m, struct netmon_state *ret, struct ipaddr *ret_addr6)
{
	struct look k = {
		.skip = m->skip, .s.nets_all = true, .links = calloc(LINKS_MAX, sizeof(*k.links))
	};
	const struct link *l;
	int rc = k.links ? ask_all(m->nl, &k) : -ENOMEM;

	if (rc == 0) {
		k.s.default4 = k.oif4 != 0;
		k.s.default6 = k.oif6 != 0;
		l = find_link(&k, k.oif4 ? k.oif4 : k.oif6);
		if (l)
			memcpy(k.s.default_if, l->name, sizeof(k.s.default_if));
		k.s.default_addr4 = ipaddr_is_set(k.source4) ? k.source4 : addr_of(&k, k.oif4, 4);
		*ret_addr6 = addr_of(&k, k.oif6, 6);
		if (k.s.n_addrs)
			qsort(k.s.addrs, k.s.n_addrs, sizeof(k.s.addrs[0]), by_address);
		if (k.s.n_nets)
			qsort(k.s.nets, k.s.n_nets, sizeof(k.s.nets[0]), by_address);
		*ret = k.s;
	}
	free(k.links);
	return rc;
}

static bool lists_eq(const struct ipprefix *a, size_t n_a, const struct ipprefix *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && n_a == n_b; i++)
		if (!ipprefix_eq(a[i], b[i]))
			return false;
	return n_a == n_b;
}

static bool addrs_eq(const struct netmon_state *a, const struct netmon_state *b)
{
	return lists_eq(a->addrs, a->n_addrs, b->addrs, b->n_addrs) &&
	       lists_eq(a->nets, a->n_nets, b->nets, b->n_nets) && a->nets_all == b->nets_all;
}

static bool link_eq(const struct netmon_state *a, const struct netmon_state *b)
{
	return a->default4 == b->default4 && a->default6 == b->default6 &&
	       strcmp(a->default_if, b->default_if) == 0 &&
	       ipaddr_eq(a->default_addr4, b->default_addr4) && ipaddr_eq(a->gateway4, b->gateway4);
}

/* CLOCK_BOOTTIME goes on while the machine sleeps, CLOCK_MONOTONIC does not. */
static mono_ns time_asleep(void)
{
	struct timespec boot, mono;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	return SEC(boot.tv_sec - mono.tv_sec) + (boot.tv_nsec - mono.tv_nsec);
}

static void on_settled(void *ctx)
{
	struct netmon *m = ctx;
	struct netmon_state next;
	struct ipaddr addr6;
	mono_ns asleep = time_asleep();
	bool slept = asleep - m->slept > SEC(SLEPT_S), link_changed;

	m->slept = asleep;
	m->waiting = false;
	if (take_look(m, &next, &addr6) < 0) {
		loop_timer_set(m->settle, loop_now(m->loop).mono + SEC(1));
		return;
	}
	/* An IPv6 address of its own accord changes daily: it counts where there is nothing else. */
	link_changed = slept || !link_eq(&m->state, &next) ||
		       (!next.default4 && !ipaddr_eq(addr6, m->default_addr6));
	if (!link_changed && addrs_eq(&m->state, &next))
		return;
	m->state = next;
	m->default_addr6 = addr6;
	m->on_change(m->ctx, link_changed);
}

/* Of another table than the tailnet's, which changes with every peer. */
static bool may_be_net(const struct nlmsghdr *h)
{
	const struct rtmsg *m = mnl_nlmsg_get_payload(h);
	const struct nlattr *tb[RTA_VIA + 1];

	netlink_attrs(h, sizeof(*m), tb, ARRAY_LEN(tb));
	return !tb[RTA_GATEWAY] && !tb[RTA_VIA] &&
	       (tb[RTA_TABLE] ? netlink_u32(tb[RTA_TABLE]) : m->rtm_table) != ROUTE_TABLE;
}

static bool concerns_us(const struct nlmsghdr *h)
{
	switch (h->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return true;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return is_default(mnl_nlmsg_get_payload(h)) || may_be_net(h);
	default:
		return false;
	}
}

static void on_word(void *ctx, const struct nlmsghdr *h)
{
	struct netmon *m = ctx;

	/* Not moved by what follows: a machine whose network changes all the time is looked at all the same. */
	if ((!h || concerns_us(h)) && !m->waiting) {
		m->waiting = true;
		loop_timer_set(m->settle, loop_now(m->loop).mono + MSEC(SETTLE_MS));
	}
}

static void on_sleep_look(void *ctx)
{
	struct netmon *m = ctx;

	if (time_asleep() - m->slept > SEC(SLEPT_S))
		loop_timer_set(m->settle, loop_now(m->loop).mono);
	loop_timer_set(m->sleep, loop_now(m->loop).mono + SEC(SLEEP_LOOK_S));
}

static int open_all(struct netmon *m)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE };
	int rc = netlink_open(&m->nl, NETLINK_ROUTE);

	if (rc == 0)
		rc = loop_timer_new(m->loop, on_settled, m, &m->settle);
	if (rc == 0)
		rc = loop_timer_new(m->loop, on_sleep_look, m, &m->sleep);
	if (rc == 0) /* before the first look, so that nothing falls between */
		rc = netlink_monitor_open(
			&m->monitor, m->loop, NETLINK_ROUTE, groups, ARRAY_LEN(groups), on_word, m);
	return rc == 0 ? take_look(m, &m->state, &m->default_addr6) : rc;
}

int netmon_open(struct netmon **ret, struct loop *l, const char *skip_ifname,
	void (*on_change)(void *ctx, bool link_changed), void *ctx)
{
	struct netmon *m = calloc(1, sizeof(*m));
	int rc;

	if (!m)
		return -ENOMEM;
	m->loop = l;
	m->on_change = on_change;
	m->ctx = ctx;
	m->slept = time_asleep();
	snprintf(m->skip, sizeof(m->skip), "%s", skip_ifname);
	rc = open_all(m);
	if (rc < 0) {
		netmon_close(m);
		return rc;
	}
	loop_timer_set(m->sleep, loop_now(l).mono + SEC(SLEEP_LOOK_S));
	*ret = m;
	return 0;
}

struct netmon *netmon_close(struct netmon *m)
{
	if (!m)
		return NULL;
	netlink_monitor_close(m->monitor);
	loop_timer_free(m->settle);
	loop_timer_free(m->sleep);
	netlink_close(m->nl);
	free(m);
	return NULL;
}

const struct netmon_state *netmon_state(const struct netmon *m)
{
	return &m->state;
}
