/*
 * daemon: the daemon of a device. It binds core/node to this machine: sockets, the TUN interface, routes, the state file, the
 * LocalAPI, the service manager. One loop, one thread (and libuv's for name lookups, once there is a name).
 */
#ifndef WARREN_DAEMON_DAEMON_H
#define WARREN_DAEMON_DAEMON_H

#include "daemon/options.h"

/* Runs until SIGTERM or SIGINT; the exit code of the program. What went wrong was logged. */
int daemon_run(const struct daemon_options *o);
/* Undoes what a killed daemon left behind: rules, routes, addresses. The exit code. */
int daemon_cleanup(const struct daemon_options *o);

#endif
