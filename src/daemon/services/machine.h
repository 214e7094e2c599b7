/* daemon/services/machine: what the machine's own settings are: forwarding, resolver. */
#ifndef WARREN_DAEMON_SERVICES_MACHINE_H
#define WARREN_DAEMON_SERVICES_MACHINE_H

#include "daemon/services/service.h"
#include "proto/ipn/ipn.h"
#include "proto/resolvconf/osdns.h"

struct machine_ops {
	/* What others tell the system's resolver. Borrowed until the loop's next turn. NULL: not known. */
	const struct os_dns_config *(*dns_base)(void *owner);
	/* False: not known. Texts: static. */
	bool (*dns_manager)(void *owner, struct ipn_dns_manager *ret);
	/* The interface whose UDP a router forwards in super-packets, if its settings let it. NULL: none, or the kernel's TUN takes none. */
	const char *(*gro_interface)(void *owner);
};

struct machine {
	const struct machine_ops *ops;
	void *owner;
};

extern const struct service machine_service; /* self: struct machine */

#endif
