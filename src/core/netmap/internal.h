/* core/netmap/internal: between the files that check what a hub says. */
#ifndef WARREN_CORE_NETMAP_INTERNAL_H
#define WARREN_CORE_NETMAP_INTERNAL_H

#include "core/netmap/check.h"

/* fault.c. Counts it, and keeps the words when they are the first. of: a name, or "". */
void netmap_fault(struct netmap_check *c, enum map_part part, const char *of, const char *why);

/* check_parts.c */
void netmap_check_relays(struct netmap_check *c, struct tc_map_response *r);
void netmap_check_dns(struct netmap_check *c, struct tc_map_response *r);
void netmap_check_messages(struct netmap_check *c, struct tc_map_response *r);

#endif
