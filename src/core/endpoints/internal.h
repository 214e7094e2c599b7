/* core/endpoints/internal: what the files of this folder share. */
#ifndef WARREN_CORE_ENDPOINTS_INTERNAL_H
#define WARREN_CORE_ENDPOINTS_INTERNAL_H

#include "base/bucket/bucket.h"
#include "base/ratelimit/ratelimit.h"
#include "core/endpoints/endpoints.h"
#include "core/netcheck/netcheck.h"

/* ---- local.c: the addresses of our interfaces ---- */

struct endpoints_local {
	struct ipaddr v[ENDPOINTS_LOCAL_MAX];
	size_t n;
};
/* The best of them, sorted: those of the highest rank that is there. */
void endpoints_local_choose(struct endpoints_local *ret, const struct ipprefix *addrs, size_t n);
bool endpoints_local_has(const struct endpoints_local *l, struct ipaddr a);

/* ---- seen.c: our addresses as STUN servers saw them lately ---- */

enum { ENDPOINTS_SEEN_MAX = 16, ENDPOINTS_SEEN_PER_IP = 6 };

struct endpoints_seen {
	struct {
		struct endpoint e;
		mono_ns until;
	} v[ENDPOINTS_SEEN_MAX]; /* oldest first */
	size_t n;
};
/* What this report of a round has. port4: of our socket. */
void endpoints_seen_add(
	struct endpoints_seen *s, const struct netcheck_report *r, uint16_t port4, mono_ns now);
void endpoints_seen_expire(struct endpoints_seen *s, mono_ns now);

/* ---- endpoints.c ---- */

struct endpoints {
	struct rng *rng;
	struct now now; /* of the last call */
	bool up, has_peers, local_known, no_udp;
	const struct tc_derp_map *map;
	struct netcheck *nc;
	unsigned changed; /* ENDPOINTS_*: to be told to the owner */
	mono_ns check_at; /* of the next round; MONO_NEVER while idle */
	mono_ns checked_at, last_traffic;
	unix_ms checked_wall;
	bool check_again, check_full; /* when the running one has ended; as a full one */
	struct ratelimit stun;        /* to one host */
	struct bucket stun_all;
	struct endpoints_local local;
	uint16_t port4, port6;
	unsigned families; /* bits: IPv4, IPv6 */
	struct endpoints_seen seen;
	struct endpoint list[ENDPOINTS_MAX]; /* as the owner knows it */
	size_t n_list;
	struct tc_netinfo netinfo; /* likewise */
	struct endpoints_counters n;
};

/* ---- report.c ---- */
struct tc_netinfo endpoints_netinfo_now(const struct endpoints *e); /* without latencies */

#endif
