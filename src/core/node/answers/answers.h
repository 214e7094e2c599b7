/* What is told to who asks: documents for programs, our description for the hub, pings, the hub's questions. */
#ifndef WARREN_CORE_NODE_ANSWERS_ANSWERS_H
#define WARREN_CORE_NODE_ANSWERS_ANSWERS_H

#include "core/node/state/state.h"

/* describe.c: for ctlclient_ops */
void node_describe(void *owner, struct tc_map_request *m);

/* exit.c */
/* In the arena; NULL: none chosen, or all is well. */
const char *node_exit_fault(const struct node *a, struct arena *mem);

/* health.c */
MUST_USE int node_health_texts(
	const struct node *a, struct now now, struct arena *mem, struct json_list *ret);

/* ping.c */
void node_ping_begin(struct node *a, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	node_ping_fn fn, void *ctx);
void node_pings_drop(struct node *a);

/* peerapi_ping.c; streams: NODE_STREAM_PEERAPI and above */
/* NULL: begun; else why not. */
const char *node_peerapi_ping_begin(
	struct node *a, struct ipaddr ip, const struct tc_node *n, node_ping_fn fn, void *ctx);
void node_peerapi_ping_connected(struct node *a, unsigned stream);
MUST_USE int node_peerapi_ping_feed(
	struct node *a, unsigned stream, struct view data); /* negative: close it */
struct view node_peerapi_ping_output(struct node *a, unsigned stream);
void node_peerapi_ping_written(struct node *a, unsigned stream, size_t n);
void node_peerapi_ping_closed(struct node *a, unsigned stream, int rc);
mono_ns node_peerapi_pings_deadline(const struct node *a);
void node_peerapi_pings_run_deferred(struct node *a);
void node_peerapi_pings_cancel(struct node *a, const void *ctx); /* NULL: all */

/* pong.c: completes a part of a result (its name only if it has none), and hands it on */
void node_pong(struct node *a, struct ipaddr ip, const struct tc_node *n,
	const struct ipn_ping_result *part, node_ping_fn fn, void *ctx);

/* probe.c */
void node_probe_take(struct node *a, struct view json);
void node_probes_run_deferred(struct node *a);
void node_probe_connected(struct node *a);
void node_probe_closed(struct node *a);
void node_probes_drop(struct node *a);

#endif
