/*
 * node: the daemon of a device. It binds core/agent to this machine: sockets, the TUN interface, routes, the state file, the
 * LocalAPI, the service manager. One loop, one thread (and libuv's for name lookups, once there is a name).
 */
#ifndef WARREN_NODE_NODE_H
#define WARREN_NODE_NODE_H

#include "node/options.h"

/* Runs until SIGTERM or SIGINT; the exit code of the program. What went wrong was logged. */
int node_run(const struct node_options *o);
/* Undoes what a killed daemon left behind: rules, routes, addresses. The exit code. */
int node_cleanup(const struct node_options *o);

#endif
