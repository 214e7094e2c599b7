/* core/netcheck/internal: what the files of this directory share. */
#ifndef WARREN_CORE_NETCHECK_INTERNAL_H
#define WARREN_CORE_NETCHECK_INTERNAL_H

#include "core/netcheck/netcheck.h"
#include "proto/stun/stun.h"

struct sample {
	mono_ns at, latency;
};

struct region {
	int id;
	bool measured; /* may be measured, and be home */
	bool avoid;
	double score; /* what the hub wants its latency multiplied with, to like it more or less; 0: as it is */
	struct tc_derp_node *nodes;
	size_t n_nodes;
	struct netcheck_latency now, last; /* of the round that runs; of the last finished */
	struct sample history[NETCHECK_HISTORY];
	size_t n_history, next_history;
	mono_ns heard_at; /* by relay; 0: never */
	int why;          /* the last measurement failed; 0: it did not */
	bool to_measure;  /* is to be asked for */
};

/* ---- The plan of a round (plan.c) ---- */

struct probe {
	size_t node;   /* index into the region's nodes */
	mono_ns after; /* the start of the round */
};

/* Requests to one region over one family, until the first answer. */
struct probe_list {
	size_t region;  /* index */
	uint8_t family; /* 4, 6 */
	struct probe tries[NETCHECK_TRIES_MAX];
	size_t n_tries, next;
	bool waits; /* for the address of a name */
	bool done;
};

struct plan_input {
	const struct region *regions;
	size_t n_regions;
	bool full, first;  /* first: nothing is known of any region */
	bool have4, have6; /* this host */
	bool last6;        /* IPv6 worked in the last round */
	int home;
};
/* Into room for 2 lists a region; returns how many. */
size_t plan_make(const struct plan_input *in, struct probe_list *ret);

/* ---- Home (home.c) ---- */

#define HOME_HISTORY SEC(305)

void home_remember(struct region *r, mono_ns latency, mono_ns now);
/*
 * Which region is to be home by the latencies in now.all, 0: none. old: home so far. round_started: relay traffic since
 * then, or within 8 s, shows that old works although STUN says nothing.
 */
int home_choose(const struct region *r, size_t n, int old, mono_ns round_started, mono_ns now);

#endif
