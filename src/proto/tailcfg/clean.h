/*
 * proto/tailcfg/clean: what a device says of itself, made fit for everybody who reads it: other devices, old clients of every kind, a
 * terminal, a page. Who says more than the limits stays in the network; what is over them is left out and counted.
 */
#ifndef WARREN_PROTO_TAILCFG_CLEAN_H
#define WARREN_PROTO_TAILCFG_CLEAN_H

#include "proto/tailcfg/tailcfg.h"

/* Of one Hostinfo, in bytes or items. Official clients stay far below. */
enum {
	TC_WORD_MAX = 64,  /* system, architecture, cloud, place, ... */
	TC_TEXT_MAX = 128, /* versions, models, log numbers */
	TC_TOKEN_MAX = 256,
	TC_SERVICES_MAX = 256,
	TC_SSH_KEYS_MAX = 8,
	TC_SSH_KEY_LEN_MAX = 3072, /* RSA of 16384 bits */
	TC_SSH_KEYS_BYTES_MAX = 4096,
	TC_MACS_MAX = 16,
	TC_LATENCIES_MAX = 256,
	TC_PEER_HOSTINFO_MAX = 8192, /* what tc_hostinfo_for_peers gives, as JSON */
};

struct tc_cleaned {
	size_t texts; /* had characters that are not shown: controls, of direction, without width */
	size_t parts; /* were too long, too many, or no value of their kind: cut or left out */
};

/*
 * In place; what it needs new is in the arena. Afterwards texts are UTF-8 without hidden characters, enumerations hold known words,
 * lists keep their limits, and the document can be written and read again. A name or tags that tc_check_hostname or tc_check_tags
 * refuse, and too many routes, stay as they are: that is for their reader to say to the device. Adds to *ret. -ENOMEM.
 */
MUST_USE int tc_hostinfo_clean(struct tc_hostinfo *h, struct arena *a, struct tc_cleaned *ret);
/* One text: *s is another one, in the arena, if something had to go. NULL stays. -ENOMEM. */
MUST_USE int tc_text_clean(const char **s, size_t max, struct arena *a, struct tc_cleaned *ret);
/* Endpoints that others may try: no place that is none, each once, the first TC_ENDPOINTS_MAX. In place. */
void tc_endpoints_clean(struct json_list *endpoints, struct tc_cleaned *ret);
/*
 * What others need of it: enough for names, file drop, ssh and the choice of an exit node; not its distribution or log number.
 * own is clean, or NULL; the result borrows from it. NULL without memory.
 */
struct tc_hostinfo *tc_hostinfo_for_peers(const struct tc_hostinfo *own, struct arena *a);

#endif
