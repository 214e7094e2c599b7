/* daemon/services/probe: pings and reports on the network, which are answered when they are there. */
#ifndef WARREN_DAEMON_SERVICES_PROBE_H
#define WARREN_DAEMON_SERVICES_PROBE_H

#include "base/netip/netip.h"
#include "daemon/services/service.h"
#include "proto/ipn/ipn.h"

struct probe_call; /* a request that waits for its answer */

struct probe_ops {
	/*
	 * One ping; exactly one probe_ping_done, which may come before this returns, unless it is cancelled before. size: of a
	 * disco ping with its padding, 0 for none.
	 */
	void (*ping)(void *owner, struct ipaddr ip, enum ipn_ping_type type, size_t size,
		struct probe_call *call);
	/* A fresh report; one probe_netcheck_done. */
	void (*netcheck)(void *owner, struct probe_call *call);
	/* Who asked is gone: forget the call. */
	void (*cancel)(void *owner, struct probe_call *call);
};

struct probe_service {
	const struct probe_ops *ops;
	void *owner;
};

/* Answers. The result is copied. The call is dead afterwards. */
void probe_ping_done(struct probe_call *call, const struct ipn_ping_result *r);
void probe_netcheck_done(struct probe_call *call, const struct ipn_netcheck *r);

extern const struct service probe_service; /* self: struct probe_service */

#endif
