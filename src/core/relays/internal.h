/* core/relays/internal: one connection (conn.c), and all of them (relays.c). */
#ifndef WARREN_CORE_RELAYS_INTERNAL_H
#define WARREN_CORE_RELAYS_INTERNAL_H

#include "core/relays/relays.h"

/* The connection to one region. What it asks of the owner is kept in flags until relays_next_event has told it. */
struct relays_conn {
	struct relays *r;
	int region;
	struct derpclient *c;           /* NULL: gone; the owner is still to be told to hang up */
	bool open;                      /* the owner has a stream, or opens one */
	bool wants_dial, wants_hang_up; /* the client asked for it, within the call that runs */
	bool tell_hang_up, tell_dial, tell_back, tell_heard, tell_output;
	bool was_ready; /* since the last dial */
	bool connected; /* likewise: the stream was up */
	int failure;    /* why the last dial came to nothing; 0: it did not */
	size_t failed_node;
	bool was_cut;                /* the connection before this one was dead for a while */
	size_t node;                 /* of the region, to dial */
	mono_ns last_used, check_by; /* check_by: a sign of life is due; MONO_NEVER */
	mono_ns waits_since;         /* the first packet sent since something was heard */
	mono_ns down_since;          /* 0: it is ready */
};

struct relays {
	struct rng *rng;
	mono_ns now; /* of the call that runs: the client's events come without */
	bool on;     /* there is a key */
	struct secret_node key;
	const struct tc_derp_map *map;
	int home;
	struct relays_conn **conns;
	size_t n_conns, cap_conns;
	bool has_events, home_down;
	struct buf packets; /* each a struct relays_packet, then its bytes */
	mono_ns idle_at, home_retry_at, home_check_at, home_check_gap;
	struct relays_counters n;
	struct derpclient_counters left; /* of the connections that are gone */
};

/* ---- map.c ---- */
const struct tc_derp_region *relays_map_region(const struct tc_derp_map *map, int region);
/* The n-th node that relays, in a circle. NULL: there is none. */
const struct tc_derp_node *relays_map_node(const struct tc_derp_region *r, size_t n);

/* ---- conn.c ---- */
/* A client for the region, that is opened at once. -ENOMEM: c is as it was. */
MUST_USE int relays_conn_open(struct relays_conn *c);
/* The client goes. What is left is to tell the owner, if tell_hang_up is set. */
void relays_conn_close(struct relays_conn *c);
const struct tc_derp_node *relays_conn_node(const struct relays_conn *c); /* to dial. NULL: none */
/* After each call of the client: what it asked for. */
void relays_conn_settle(struct relays_conn *c);
/* The stream is gone. */
void relays_conn_ended(struct relays_conn *c, int rc);
void relays_conn_hang_up(struct relays_conn *c);
/* A ping, to be answered within this time. What does not take one is dead by then as well. */
void relays_conn_check(struct relays_conn *c, mono_ns timeout);
void relays_conn_tick(struct relays_conn *c);
/* The next thing to tell. False: nothing. */
bool relays_conn_event(struct relays_conn *c, struct relays_event *ret);
void relays_add_counters(struct derpclient_counters *sum, const struct derpclient_counters *n);

#endif
