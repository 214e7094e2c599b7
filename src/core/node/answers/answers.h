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

/* probe.c */
void node_probe_take(struct node *a, struct view json);
void node_probes_run_deferred(struct node *a);
void node_probe_connected(struct node *a);
void node_probe_closed(struct node *a);
void node_probes_drop(struct node *a);

#endif
