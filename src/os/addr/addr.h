/* os/addr: addresses as flags and options name them (whatever net.Listen of Go takes), and as the system has them. */
#ifndef WARREN_OS_ADDR_ADDR_H
#define WARREN_OS_ADDR_ADDR_H

#include "base/err/err.h"
#include "base/netip/netip.h"

#include <sys/socket.h>

enum { ADDR_HOST_MAX = 255 };

/*
 * HOST:PORT. The host is an address, [IPv6], a name (its first address, IPv4 before IPv6), or empty: every address, with the
 * family unset. The port is a number, 0 for any that is free, or the name of a service. Blocks while a name is looked up: for the
 * start of a program only. -ERR_BAD_FORMAT, -ERR_BAD_VALUE: the port; -ERR_NO_NAME.
 */
MUST_USE int addr_listen_parse(const char *text, struct ipport *ret);

/* As the system has it; an unset family is [::]. */
socklen_t addr_to_sockaddr(struct ipport a, struct sockaddr_storage *ss);
struct ipport addr_from_sockaddr(const struct sockaddr_storage *ss); /* unset: of neither family */

#endif
