/*
 * core/netcheck: what kind of network this is: our addresses as STUN servers see them, whether the NAT gives every
 * destination another port, how far the relays' regions are, and which of them is our home. No I/O: the owner takes the requests
 * after each call, and sends them on the socket that WireGuard uses, so that what is learned is true for it.
 *
 * A round asks the regions of the DERP map. What it learns is told as it comes (NETCHECK_ADDRESS), not at its end. Home is
 * decided early the first time: at once if there is one region, else soon after the first answer, because nobody reaches
 * us before we have one; later rounds correct it, with hysteresis.
 *
 * Source: Tailscale net/netcheck.
 */
#ifndef WARREN_CORE_NETCHECK_NETCHECK_H
#define WARREN_CORE_NETCHECK_NETCHECK_H

#include "base/rng/rng.h"
#include "base/time/time.h"
#include "proto/stun/stun.h"
#include "proto/tailcfg/tailcfg.h"

enum {
	NETCHECK_REGIONS_MAX = 256,
	NETCHECK_SCORE_MAX = 1000,
	NETCHECK_HISTORY = 20, /* rounds: 5 min of the most frequent ones */
	NETCHECK_TRIES_MAX = 4,
	NETCHECK_MEASURE_MAX = 16, /* regions that are timed over TCP in one round */
	NETCHECK_ALSO_MAX = 4,     /* addresses seen more than once, besides the first */
	NETCHECK_HOSTS_MAX = 64,   /* names to look up */
};

enum {                        /* bits of netcheck_take_changed */
	NETCHECK_ADDRESS = 1, /* one of our addresses was seen, maybe the same again */
	NETCHECK_HOME = 2,
	NETCHECK_DONE = 4,
};

struct netcheck;

struct netcheck_cfg {
	struct rng *rng; /* borrowed */
	bool can_resolve, can_measure;
};

enum netcheck_request_kind {
	NETCHECK_SEND,    /* `request` to `to`: STUN */
	NETCHECK_RESOLVE, /* look up `host`, then netcheck_resolved; only if can_resolve */
	NETCHECK_MEASURE, /* time a request to `region` over TCP, then netcheck_measured; only if can_measure */
};

struct netcheck_request {
	enum netcheck_request_kind kind;
	struct ipport to;
	uint8_t request[STUN_REQUEST_LEN];
	const char *host; /* of the map */
	int region;
};

struct netcheck_report {
	bool udp, ipv4, ipv6;                   /* something answered, over that family */
	uint8_t mapping_varies;                 /* JSON_ABSENT until two servers answered */
	struct ipport global4, global6;         /* unset: not seen */
	struct ipport also4[NETCHECK_ALSO_MAX]; /* seen more than once, besides global4 */
	size_t n_also4;
};

struct netcheck_latency {
	int region;
	mono_ns all, v4, v6; /* 0: no answer. all: the least, over TCP included */
	int why; /* the last measurement over TCP failed; 0: it did not, or there was none */
};

MUST_USE int netcheck_new(struct netcheck **ret, const struct netcheck_cfg *cfg);
struct netcheck *netcheck_free(struct netcheck *nc);

/* Borrowed until the next call. Ends a round. Measured latencies of regions that stay are kept. -ENOMEM, -ERR_TOO_MANY. */
MUST_USE int netcheck_set_map(struct netcheck *nc, const struct tc_derp_map *map);
/* Which families this host has an address of. */
void netcheck_set_families(struct netcheck *nc, bool have4, bool have6);
/* Home before a restart, as the peers still have it: begin with that one if the map has it. */
void netcheck_hint_home(struct netcheck *nc, int region);
/* While the hub is away nobody would learn of another home. */
void netcheck_set_may_move(struct netcheck *nc, bool may_move);

/* full: all regions. Does nothing while a round runs, or without a map. */
void netcheck_start(struct netcheck *nc, bool full, mono_ns now);
/* The network is another one: a running round is dropped, what was seen is forgotten. Then netcheck_start. */
void netcheck_reset(struct netcheck *nc);
bool netcheck_running(const struct netcheck *nc);

/* True if it answers one of our requests. */
bool netcheck_on_stun(struct netcheck *nc, const uint8_t *pkt, size_t len, mono_ns now);
void netcheck_resolved(
	struct netcheck *nc, const char *host, const struct ipaddr *addrs, size_t n, mono_ns now);
void netcheck_measured(struct netcheck *nc, int region, mono_ns latency,
	mono_ns now); /* negative: why it failed */
void netcheck_on_relay_heard(struct netcheck *nc, int region, mono_ns now);
/* The relay does not take connections any more: what was heard of it says nothing now. */
void netcheck_on_relay_lost(struct netcheck *nc, int region);

void netcheck_tick(struct netcheck *nc, mono_ns now);
mono_ns netcheck_deadline(const struct netcheck *nc);

/* The next thing to ask; false: nothing more. */
bool netcheck_next(struct netcheck *nc, struct netcheck_request *ret);
/* What became of it since this was asked: bits. */
unsigned netcheck_take_changed(struct netcheck *nc);

int netcheck_home(const struct netcheck *nc); /* 0: none */
/* The round that runs, or the last one. */
const struct netcheck_report *netcheck_now(const struct netcheck *nc);
/* The last finished round; NULL: none yet. */
const struct netcheck_report *netcheck_last(const struct netcheck *nc);
size_t netcheck_n_regions(const struct netcheck *nc);
/* Of the last finished round, else of the one that runs. */
struct netcheck_latency netcheck_latency(const struct netcheck *nc, size_t i);

#endif
