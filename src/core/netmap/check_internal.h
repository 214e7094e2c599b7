/* Between the files of core/netmap/check. */
#ifndef WARREN_CORE_NETMAP_CHECK_INTERNAL_H
#define WARREN_CORE_NETMAP_CHECK_INTERNAL_H

#include "core/netmap/check.h"

/* Counts it, and keeps the words when they are the first. of: a name, or "". */
void map_fault(struct netmap_check *c, enum map_part part, const char *of, const char *why);

void map_check_relays(struct netmap_check *c, struct tc_map_response *r);
void map_check_dns(struct netmap_check *c, struct tc_map_response *r);
void map_check_messages(struct netmap_check *c, struct tc_map_response *r);

#endif
