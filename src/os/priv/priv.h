/*
 * os/priv: giving up what is not needed any more. Each program has one visible block that calls this, right behind opening
 * what needs privileges.
 */
#ifndef WARREN_OS_PRIV_PRIV_H
#define WARREN_OS_PRIV_PRIV_H

#include "base/err/err.h"

/*
 * First thing in every daemon: files are ours alone (umask 077), no core dump and no debugger reads our keys
 * (PR_SET_DUMPABLE off), and nothing that we start gains privileges (no_new_privs).
 */
MUST_USE int priv_harden(void);

/*
 * The node, after its interface, routes and sockets are open: of all capabilities CAP_NET_ADMIN (routes, addresses, marks of
 * new sockets), CAP_NET_RAW and CAP_NET_BIND_SERVICE (a UDP port below 1024 after a rebind) stay; the bounding set is cut to
 * the same, so that no child has more. Stays root by number: its files are root's. Without privileges to begin with, it keeps
 * those of the three that it has. -errno.
 */
MUST_USE int priv_keep_network(void);

/*
 * Hub and relay, after their ports are bound: no capability stays. user: become this user and its groups (only root can),
 * NULL or "": stay who we are; root then stays root by number, without capabilities. -ENOENT: no such user; -errno.
 */
MUST_USE int priv_drop_all(const char *user);

/* Gives a directory, and what is in it, to a user: the hub's state, before priv_drop_all. Does not follow links. */
MUST_USE int priv_give_dir(const char *dir, const char *user);

#endif
