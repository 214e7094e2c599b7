/*
 * hubctl/zone: records of addresses out of a zone file (RFC 1035, 5): "NAME [TTL] [IN] A|AAAA ADDRESS", $ORIGIN, ';', a line that begins
 * with a blank is about the name before it. Other types, and directives but $ORIGIN and $TTL, are left out and counted: devices take
 * addresses only.
 */
#ifndef WARREN_HUBCTL_ZONE_H
#define WARREN_HUBCTL_ZONE_H

#include "base/arena/arena.h"
#include "base/bytes/bytes.h"
#include "proto/json/json.h"

enum { ZONE_TEXT_MAX = 1 << 20 };

struct zone {
	struct json_list
		records; /* struct tc_dns_record: names in full, without the dot at the end */
	size_t n_left_out;
	unsigned line; /* where it is wrong, from 1 */
	const char *why;
};

/* Into the arena. -ERR_BAD_FORMAT with line and why; -ENOMEM. */
MUST_USE int zone_read(struct view text, struct arena *a, struct zone *ret);

#endif
