/* daemon/dns/names: questions to the resolver of this device: of programs over the LocalAPI, of peers over the PeerAPI. */
#ifndef WARREN_DAEMON_DNS_NAMES_H
#define WARREN_DAEMON_DNS_NAMES_H

#include "daemon/dns/dnsd.h"
#include "daemon/services/service.h"

struct names_service {
	struct dnsd *dns;
	const struct engine *e;
};

extern const struct service names_service; /* self: struct names_service */

#endif
