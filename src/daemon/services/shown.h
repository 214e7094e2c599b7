/* daemon/services/shown: what programs see of things of the daemon. */
#ifndef WARREN_DAEMON_SERVICES_SHOWN_H
#define WARREN_DAEMON_SERVICES_SHOWN_H

#include "daemon/services/facts.h"

/* Prefs without secrets, the persist part in *persist. */
struct ipn_prefs shown_prefs(const struct ipn_prefs *p, struct ipn_persist *persist);
/* With its names for people. */
struct tc_node shown_node(const struct tc_node *n, struct arena *a);
/* The network map as the bus and "debug" show it. -ERR_TOO_BIG. */
MUST_USE int shown_netmap(
	const struct facts *f, const struct netmap *nm, struct arena *a, struct ipn_netmap *ret);
/* The rules of the packet filter, appended. -ERR_TOO_BIG. */
MUST_USE int shown_filter_rules(const struct netmap *nm, struct arena *a, struct json_list *ret);

#endif
