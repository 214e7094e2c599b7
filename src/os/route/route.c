#include "os/file/file.h"
#include "os/route/internal.h"

#include <errno.h>
#include <stdlib.h>

enum {
	LOOK_AFTER_MS = 250, /* changes come in swarms */
	LOOK_APART_MS =
		1000,       /* after one that found something: somebody may do it again and again */
	LOOK_PERIOD_S = 60, /* without word: not everything that a kernel changes is told */
	RETRY_FIRST_S = 1,  /* what failed; doubled up to LOOK_PERIOD_S */
};

static const int families[2] = { AF_INET, AF_INET6 };

struct route {
	char ifname[IFNAMSIZ];
	int index; /* 0: not known (route_cleanup) */
	struct netlink *nl;
	struct netlink_monitor *monitor;
	struct loop *loop;
	struct loop_timer *look;
	mono_ns look_at, look_not_before;
	mono_ns retry; /* how long until the next try; 0: nothing failed */
	route_on_look on_look;
	void *ctx;
	struct kernel_link link; /* at the last apply or look */
	struct items want;       /* sorted; without regard to what the host can do */
	bool up, refuse;
	int mtu;
	struct route_counters counters;
};

/* Adds or removes what is in `a` and not in `b`. Both sorted. */
static uint64_t change_difference(
	struct route *r, const struct items *a, const struct items *b, bool add)
{
	uint64_t n = 0;

	for (size_t i = 0, k = 0; i < a->n; i++) {
		while (k < b->n && items_cmp(&b->v[k], &a->v[i]) < 0)
			k++;
		if (k < b->n && items_cmp(&b->v[k], &a->v[i]) == 0)
			continue;
		if (add && a->v[i].p.ip.family == 6 && !r->link.has_ipv6)
			continue;
		kernel_change(r->nl, r->link.index, &a->v[i], add);
		n++;
	}
	return n;
}

static bool wants_rule(const struct route *r, int family, unsigned no)
{
	if (!r->up)
		return false;
	if (no >= RULE_REFUSES)
		return r->refuse && family == AF_INET;
	return family == AF_INET || r->link.has_ipv6;
}

static int change_rules(struct route *r, int family)
{
	unsigned have;
	int rc = kernel_rules(r->nl, family, &have);

	if (rc < 0)
		return rc;
	for (unsigned no = 0; no < N_RULES; no++) {
		bool want = wants_rule(r, family, no);

		if (!!(have >> no & 1) == want)
			continue;
		kernel_change_rule(r->nl, family, no, want);
		*(want ? &r->counters.added : &r->counters.removed) += 1;
	}
	return 0;
}

static int first_of(int a, int b)
{
	return a < 0 ? a : b;
}

/* Once known, it is followed by its index: its name can be changed. */
static int look_at_link(struct route *r)
{
	return kernel_link(r->nl, r->index, r->ifname, &r->link);
}

static int set_link(struct route *r, bool up)
{
	int rc = look_at_link(r);
	int mtu = up && r->mtu && r->mtu != r->link.mtu ? r->mtu : 0;
	bool renamed = strcmp(r->link.name, r->ifname) != 0;

	if (rc < 0 || !r->link.index || (r->link.up == up && !mtu && !renamed))
		return rc;
	if (renamed)
		kernel_rename(r->nl, r->link.index, r->ifname);
	kernel_set_link(r->nl, r->link.index, up, mtu);
	r->counters.links++;
	rc = netlink_flush(r->nl);
	/* Whether it has IPv6 depends on its MTU. */
	return first_of(rc, look_at_link(r));
}

/* Addresses and routes: away with what is too much, then what is missing. */
static int set_items(struct route *r, const struct items *want)
{
	struct items have = { 0 };
	int rc = kernel_items(r->nl, r->link.index, &have);

	if (rc == 0) {
		r->counters.removed += change_difference(r, &have, want, false);
		r->counters.added += change_difference(r, want, &have, true);
		rc = netlink_flush(r->nl);
	}
	items_fini(&have);
	return rc;
}

static int set_rules(struct route *r)
{
	int rc = 0;

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		rc = first_of(rc, change_rules(r, families[i]));
	return first_of(rc, netlink_flush(r->nl));
}

/* Makes the system as r->want, r->up and r->mtu say. The rules are there only while the routes are. */
static int enforce(struct route *r)
{
	static const struct items nothing;
	int rc;

	if (!r->up) {
		rc = set_rules(r);
		rc = first_of(rc, look_at_link(r));
		rc = first_of(rc, set_items(r, &nothing));
		return first_of(rc, set_link(r, false));
	}
	rc = set_link(r, true);
	if (!r->link.index)
		return rc < 0 ? rc : -ENODEV;
	rc = first_of(rc, set_items(r, &r->want));
	return first_of(rc, set_rules(r));
}

static void look_by(struct route *r, mono_ns at)
{
	r->look_at = at;
	loop_timer_set(r->look, at);
}

/* Enforces, and says when to look again. */
static int enforce_and_go_on(struct route *r)
{
	int rc = enforce(r);

	if (rc < 0)
		r->retry = r->retry ? MIN_OF(2 * r->retry, SEC(LOOK_PERIOD_S)) : SEC(RETRY_FIRST_S);
	else
		r->retry = 0;
	look_by(r,
		r->up ? mono_add(loop_now(r->loop).mono, r->retry ? r->retry : SEC(LOOK_PERIOD_S))
		      : MONO_NEVER);
	return rc;
}

static uint64_t changes(const struct route *r)
{
	return r->counters.added + r->counters.removed + r->counters.links;
}

static void on_look(void *ctx)
{
	struct route *r = ctx;
	uint64_t before = changes(r);
	int rc = enforce_and_go_on(r);
	bool repaired = changes(r) > before;

	r->counters.looks++;
	if (repaired) {
		r->look_not_before = mono_add(loop_now(r->loop).mono, MSEC(LOOK_APART_MS));
		r->counters.repaired += rc == 0;
	}
	r->on_look(r->ctx, rc, repaired);
}

/* What exactly happened does not matter: everything is compared. An earlier look is never put off. */
static void on_word(void *ctx, const struct nlmsghdr *h)
{
	struct route *r = ctx;
	mono_ns at = mono_add(loop_now(r->loop).mono, MSEC(LOOK_AFTER_MS));

	if (!r->up || (h && (netlink_is_own(r->nl, h) || !kernel_concerns_us(h, r->index))))
		return;
	at = MAX_OF(at, r->look_not_before);
	if (at < r->look_at)
		look_by(r, at);
}

static void free_route(struct route *r)
{
	netlink_monitor_close(r->monitor);
	loop_timer_free(r->look);
	netlink_close(r->nl);
	items_fini(&r->want);
	free(r);
}

static int new_route(struct route **ret, const char *ifname)
{
	struct route *r;
	int rc;

	if (!*ifname || strlen(ifname) >= IFNAMSIZ)
		return -EINVAL;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	strcpy(r->ifname, ifname);
	rc = netlink_open(&r->nl, NETLINK_ROUTE);
	if (rc < 0) {
		free_route(r);
		return rc;
	}
	*ret = r;
	return 0;
}

int route_open(struct route **ret, struct loop *l, const char *ifname, route_on_look fn, void *ctx)
{
	static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
		RTNLGRP_IPV6_IFINFO, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
		RTNLGRP_IPV6_RULE };
	struct route *r;
	int rc = new_route(&r, ifname);

	if (rc < 0)
		return rc;
	r->loop = l;
	r->on_look = fn;
	r->ctx = ctx;
	rc = look_at_link(r);
	if (rc == 0 && !r->link.index)
		rc = -ENODEV;
	r->index = r->link.index;
	if (rc == 0)
		rc = loop_timer_new(l, on_look, r, &r->look);
	if (rc == 0)
		rc = netlink_monitor_open(
			&r->monitor, l, NETLINK_ROUTE, groups, ARRAY_LEN(groups), on_word, r);
	if (rc < 0) {
		free_route(r);
		return rc;
	}
	*ret = r;
	return 0;
}

int route_apply(struct route *r, const struct route_config *want)
{
	struct items next = { 0 };

	if (want->n_addrs > ROUTE_ADDRS_MAX || want->n_routes > ROUTE_ROUTES_MAX ||
		want->n_local > ROUTE_ROUTES_MAX)
		return -ERR_TOO_MANY;
	for (size_t i = 0; i < want->n_addrs; i++)
		items_add(&next, ITEM_ADDR, want->addrs[i]);
	for (size_t i = 0; i < want->n_routes; i++)
		items_add(&next, ITEM_ROUTE, ipprefix_masked(want->routes[i]));
	for (size_t i = 0; i < want->n_local; i++)
		items_add(&next, ITEM_LOCAL, ipprefix_masked(want->local[i]));
	if (next.failed) {
		items_fini(&next);
		return -ENOMEM;
	}
	items_sort(&next);
	items_fini(&r->want);
	r->want = next;
	r->up = want->up;
	r->refuse = want->refuse;
	r->mtu = want->mtu;
	r->counters.applied++;
	r->retry = 0;
	return enforce_and_go_on(r);
}

struct route *route_close(struct route *r)
{
	if (!r)
		return NULL;
	r->up = false;
	(void)enforce(r); /* nothing more can be done; route_cleanup may be tried later */
	free_route(r);
	return NULL;
}

int route_cleanup(const char *ifname)
{
	struct route *r;
	int rc = new_route(&r, ifname);

	if (rc < 0)
		return rc;
	rc = enforce(r);
	free_route(r);
	return rc;
}

bool route_forwards(unsigned family)
{
	struct buf b;
	bool on;

	buf_init(&b, 16);
	/* IPv6 knows 2, too: on, with router advertisements taken. */
	on = file_read(family == 4 ? "/proc/sys/net/ipv4/ip_forward"
				   : "/proc/sys/net/ipv6/conf/all/forwarding",
		     &b) == 0 &&
	     buf_len(&b) && *buf_data(&b) != '0';
	buf_fini(&b);
	return on;
}

bool route_has_ipv6(const struct route *r)
{
	return r->link.has_ipv6;
}

const struct route_counters *route_counters(const struct route *r)
{
	return &r->counters;
}
