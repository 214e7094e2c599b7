/*
 * os/netlink: questions to and changes of the kernel's network configuration (rtnetlink), and word of what others change.
 * Over libmnl. Blocking, because the kernel answers at once.
 */
#ifndef WARREN_OS_NETLINK_NETLINK_H
#define WARREN_OS_NETLINK_NETLINK_H

#include "base/netip/netip.h"
#include "os/loop/loop.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>

struct netlink;
struct netlink_monitor;

typedef void (*netlink_fn)(void *ctx, const struct nlmsghdr *h);

/* bus: NETLINK_ROUTE, or another of the kernel's. */
MUST_USE int netlink_open(struct netlink **ret, int bus);
struct netlink *netlink_close(struct netlink *nl);

/*
 * All objects that match the header (struct rtmsg, ...), as far as this kernel can filter: look again. An object may come
 * twice when somebody changes things meanwhile. -errno.
 */
MUST_USE int netlink_dump(struct netlink *nl, uint16_t type, const void *hdr, size_t hdr_len,
	netlink_fn fn, void *ctx);

/* The same for a message that the caller has made: a dump, or with NLM_F_ACK what is answered once. Its number is ours. */
MUST_USE int netlink_ask(struct netlink *nl, struct nlmsghdr *h, netlink_fn fn, void *ctx);

/*
 * Changes are gathered and sent many at a time. Between begin and end, attributes are added by mnl_attr_put_*. fine: an errno
 * that is as good as success ("exists already"), 0: none.
 */
struct nlmsghdr *netlink_begin(
	struct netlink *nl, uint16_t type, uint16_t flags, const void *hdr, size_t hdr_len);
void netlink_end(struct netlink *nl, int fine, int fine_too);
/* Sends what is left. The first failure since the last call; those behind it were tried nevertheless. */
MUST_USE int netlink_flush(struct netlink *nl);

/* Attributes of a message by type; those above n_tb are left out. */
void netlink_attrs(const struct nlmsghdr *h, size_t hdr_len, const struct nlattr **tb, size_t n_tb);
bool netlink_is_own(const struct netlink *nl,
	const struct nlmsghdr *h);            /* word of what was changed through nl? */
uint32_t netlink_u32(const struct nlattr *a); /* 0 for NULL or another size */
/* family: AF_INET, AF_INET6. Unset for NULL or another size. */
struct ipaddr netlink_addr(const struct nlattr *a, int family);
void netlink_put_addr(struct nlmsghdr *h, uint16_t type, struct ipaddr a);

/* bus: NETLINK_ROUTE with groups RTNLGRP_*, or another of the kernel's. fn with NULL: some word was lost, look at everything anew. */
MUST_USE int netlink_monitor_open(struct netlink_monitor **ret, struct loop *l, int bus,
	const int *groups, size_t n_groups, netlink_fn fn, void *ctx);
struct netlink_monitor *netlink_monitor_close(struct netlink_monitor *m);

#endif
