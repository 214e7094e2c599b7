/*
 * core/endpoints: where this node can be reached. The addresses of its interfaces that are worth telling, its addresses as STUN
 * servers see them, its home region, and the kind of its network. It says when core/netcheck runs: when something has changed, and
 * every now and then while there is traffic.
 *
 * No I/O, no clock: calls bring what happened and the time (nanoseconds of the monotonic clock, or struct now where people read
 * it). What they lead to is not called back: the owner asks endpoints_next_event after each call until there is nothing more.
 *
 * Source: Tailscale wgengine/magicsock (endpoints), net/netcheck.
 */
#ifndef WARREN_CORE_ENDPOINTS_ENDPOINTS_H
#define WARREN_CORE_ENDPOINTS_ENDPOINTS_H

#include "base/rng/rng.h"
#include "base/time/time.h"
#include "proto/stun/stun.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	ENDPOINTS_MAX = 32,       /* that are told to the hub and to peers */
	ENDPOINTS_LOCAL_MAX = 64, /* addresses of our interfaces, that are looked at */
	/* Requests to STUN servers, which the hub names: to one IP address, */
	ENDPOINTS_STUN_BURST = 32,
	ENDPOINTS_STUN_PER_SECOND = 2,
	/* and to all: a round over 256 regions, each asked three times over both families. */
	ENDPOINTS_STUN_BURST_ALL = 2048,
	ENDPOINTS_STUN_PER_SECOND_ALL = 64,
};

enum endpoint_type { /* numbers of the control protocol */
	ENDPOINT_LOCAL = 1,
	ENDPOINT_STUN = 2,
	ENDPOINT_PORTMAP = 3,
	ENDPOINT_STUN_LOCAL_PORT = 4,
	ENDPOINT_EXPLICIT = 5,
};

struct endpoint {
	struct ipport addr;
	enum endpoint_type type;
};

struct endpoints;

struct endpoints_cfg {
	struct rng *rng;  /* borrowed */
	bool can_resolve; /* else STUN servers without an address are not asked */
	bool can_measure; /* else regions have no latency while UDP is blocked */
};

MUST_USE int endpoints_new(struct endpoints **ret, const struct endpoints_cfg *cfg); /* -ENOMEM */
struct endpoints *endpoints_free(struct endpoints *e);

/* ---- What the owner knows ---- */

/* While it is not up, nothing is asked. Becoming up starts a full round. */
void endpoints_set_up(struct endpoints *e, bool up, struct now now);
/* Without peers nobody wants to know. The first one starts a round. */
void endpoints_set_has_peers(struct endpoints *e, bool has_peers, struct now now);
/* Borrowed until the next call; NULL: none. Starts a full round. -ENOMEM, -ERR_TOO_MANY: the map before stays. */
MUST_USE int endpoints_set_map(struct endpoints *e, const struct tc_derp_map *map, struct now now);

enum {                              /* bits: what became of the link */
	ENDPOINTS_LINK_CHANGED = 1, /* nothing that was measured holds */
	ENDPOINTS_LINK_CUT = 2,     /* an address is gone: what went out from it is dead */
};
/*
 * The addresses of our interfaces that are up, with their prefix lengths, loopback included; what is not worth telling is left out
 * here. Ports: of our UDP sockets, 0: no such socket. changed: the default interface or its address is another one.
 */
unsigned endpoints_set_local(struct endpoints *e, const struct ipprefix *addrs, size_t n,
	uint16_t port4, uint16_t port6, bool changed, struct now now);
unsigned endpoints_set_no_udp(struct endpoints *e, bool no_udp, struct now now);

/* While the hub is away, home stays where it is: nobody would learn of another one. */
void endpoints_set_hub_up(struct endpoints *e, bool up);
/* Home before a restart, as the peers still have it; 0: none. */
void endpoints_hint_home(struct endpoints *e, int region);

/* ---- What happens ---- */

void endpoints_note_traffic(struct endpoints *e, mono_ns now); /* a packet of a person's */
/* True if it answers one of our requests. */
bool endpoints_on_stun(struct endpoints *e, const uint8_t *pkt, size_t len, struct now now);
void endpoints_resolved(struct endpoints *e, const char *host, const struct ipaddr *addrs, size_t n,
	struct now now);
/* negative latency: why it failed */
void endpoints_measured(struct endpoints *e, int region, mono_ns latency, struct now now);
void endpoints_relay_heard(struct endpoints *e, int region, struct now now);
/* It does not take connections any more: another home may be better. Starts a full round. */
void endpoints_relay_lost(struct endpoints *e, int region, struct now now);
/* A round now, or when the running one has ended. full: all regions. */
void endpoints_check(struct endpoints *e, bool full, struct now now);

/* ---- What came of it ---- */

enum endpoints_event_type {
	ENDPOINTS_SEND,    /* a STUN request, to address `to` */
	ENDPOINTS_RESOLVE, /* look up host, then endpoints_resolved */
	ENDPOINTS_MEASURE, /* time one request to node over a fresh connection, then endpoints_measured */
	ENDPOINTS_CHANGED, /* what: bits */
};

enum {                      /* bits of what */
	ENDPOINTS_LIST = 1, /* endpoints_list has others */
	ENDPOINTS_HOME = 2,
	ENDPOINTS_NETINFO = 4, /* something besides the latencies */
};

struct endpoints_event {
	enum endpoints_event_type type;
	struct ipport to;
	uint8_t request[STUN_REQUEST_LEN];
	const char *host; /* of the map */
	int region;
	const struct tc_derp_node *node; /* likewise */
	unsigned what;
};

bool endpoints_next_event(struct endpoints *e, struct endpoints_event *ret); /* false: none */

/* ---- Time ---- */

void endpoints_tick(struct endpoints *e, struct now now);
mono_ns endpoints_deadline(const struct endpoints *e);

/* ---- What is ---- */

/* The best first. Valid until the next call that takes a time. */
const struct endpoint *endpoints_list(const struct endpoints *e, size_t *ret_n);
/* Is there a socket for this family, and may it be used? */
bool endpoints_can_send(const struct endpoints *e, struct ipaddr to);
int endpoints_home(const struct endpoints *e); /* region; 0: not chosen yet */
bool endpoints_is_checking(const struct endpoints *e);
mono_ns endpoints_checked_at(const struct endpoints *e); /* the end of the last round; 0: none */

/* For Hostinfo. Lists are in the arena. -ENOMEM. */
MUST_USE int endpoints_netinfo(const struct endpoints *e, struct arena *a, struct tc_netinfo *ret);

struct endpoints_latency {
	int region;
	mono_ns latency, latency4, latency6; /* 0: no answer */
	int why; /* the last request over TCP failed; 0: it did not, or there was none */
};

struct endpoints_report {
	bool done; /* a round has ended */
	bool udp, ipv4, ipv6, os_has_ipv6;
	uint8_t mapping_varies;         /* JSON_ABSENT, JSON_NO, JSON_YES */
	struct ipport global4, global6; /* unset: not seen */
	int home;
	struct endpoints_latency *regions; /* in the arena, by region number; those of the map */
	size_t n_regions;
	unix_ms at;
};
/* The last finished round, or what is known so far. -ENOMEM. */
MUST_USE int endpoints_report(
	const struct endpoints *e, struct arena *a, struct endpoints_report *ret);

struct endpoints_counters {
	uint64_t stun_limited; /* requests not sent, because an address's share was used up */
};
const struct endpoints_counters *endpoints_counters(const struct endpoints *e);

#endif
