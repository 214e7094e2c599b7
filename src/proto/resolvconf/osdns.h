/*
 * proto/resolvconf/osdns: what a system's resolver is told, by us or by others. core/node makes one from the map and the preferences, os/resolver
 * makes the system say it. What others say is the base: its servers answer the names for which the tailnet names no server.
 */
#ifndef WARREN_PROTO_RESOLVCONF_OSDNS_H
#define WARREN_PROTO_RESOLVCONF_OSDNS_H

#include "base/netip/netip.h"

/* A C library asks three servers; a list of domains is a line of a file. */
enum { OSDNS_SERVERS_MAX = 8, OSDNS_SEARCH_MAX = 64, OSDNS_MATCH_MAX = 512 };

/* The texts are borrowed. Names without a dot at the end. */
struct os_dns_config {
	struct ipaddr server[OSDNS_SERVERS_MAX]; /* at port 53 */
	size_t n_servers;
	const char *const *search; /* in order */
	size_t n_search;
	const char *const *match; /* only names at or below these are asked there; none: all */
	size_t n_match;
};

static inline bool os_dns_config_is_empty(const struct os_dns_config *c)
{
	return !c->n_servers && !c->n_search && !c->n_match;
}

#endif
