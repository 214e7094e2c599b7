/* os/route/internal: what of the system's configuration is ours, read and changed through netlink (kernel.c). */
#ifndef WARREN_OS_ROUTE_INTERNAL_H
#define WARREN_OS_ROUTE_INTERNAL_H

#include "os/netlink/netlink.h"
#include "os/route/route.h"

#include <net/if.h>

/* Also the order in which they can be added. ITEM_FADING: an address that the kernel was told to forget; never wanted. */
enum item_kind { ITEM_FADING, ITEM_ADDR, ITEM_ROUTE, ITEM_LOCAL };

struct item {
	uint8_t kind;
	struct ipprefix p;
};

/* Sorted and without doubles after items_sort (items.c). */
struct items {
	struct item *v;
	size_t n, cap;
	bool failed; /* no memory */
};

void items_add(struct items *s, enum item_kind kind, struct ipprefix p);
void items_sort(struct items *s);
int items_cmp(const void *a, const void *b); /* of struct item */
void items_fini(struct items *s);

enum {
	N_RULES = 6,
	RULE_REFUSES = 4, /* from this one on: those of route_config.refuse, IPv4 only */
};

struct kernel_link {
	int index; /* 0: there is none */
	char name[IFNAMSIZ];
	int mtu;
	bool up, has_ipv6;
};

/* index 0: by its name, which somebody may have changed later. */
MUST_USE int kernel_link(
	struct netlink *nl, int index, const char *ifname, struct kernel_link *ret);
void kernel_rename(struct netlink *nl, int index, const char *ifname); /* queued; it is down then */
void kernel_set_link(struct netlink *nl, int index, bool up, int mtu); /* queued; mtu 0: stays */

/* Addresses of the interface (link-local ones are the kernel's), routes of our table into it, exceptions in our table. */
MUST_USE int kernel_items(struct netlink *nl, int index, struct items *ret);
void kernel_change(struct netlink *nl, int index, const struct item *i, bool add); /* queued */

/* Bits of rule numbers that are there. family: AF_INET, AF_INET6. */
MUST_USE int kernel_rules(struct netlink *nl, int family, unsigned *ret);
void kernel_change_rule(struct netlink *nl, int family, unsigned no, bool add); /* queued */

/* Word of our interface, of addresses on it, of our table or of rules with our numbers? */
bool kernel_concerns_us(const struct nlmsghdr *h, int index);

#endif
