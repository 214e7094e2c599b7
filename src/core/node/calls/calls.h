/* The calls of node.h, and what follows from each: the uppermost of the folders of core/node. */
#ifndef WARREN_CORE_NODE_CALLS_CALLS_H
#define WARREN_CORE_NODE_CALLS_CALLS_H

#include "core/node/state/state.h"

/* deferred.c: the end of every call. What callbacks marked is done here. */
void node_run_deferred(struct node *a);
void node_run_deferred_packets(struct node *a); /* packets change little else */

/* machine.c */
void node_evaluate(struct node *a);

/* magicsock_ops.c */
void node_magicsock_ops_set(struct node *a);
void node_relay_hangup(void *owner, int region);

#endif
