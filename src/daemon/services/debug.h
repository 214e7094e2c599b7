/* daemon/services/debug: for those who look closer: the marker of a report, what was turned away, actions. */
#ifndef WARREN_DAEMON_SERVICES_DEBUG_H
#define WARREN_DAEMON_SERVICES_DEBUG_H

#include "base/buf/buf.h"
#include "base/err/err.h"
#include "daemon/services/facts.h"
#include "daemon/services/service.h"

struct watch;

struct debug_ops {
	int (*rejects)(void *owner, struct arena *a, struct ipn_rejects *ret);
	/* What the person said, with the marker that goes into the log and to the person. */
	void (*bugreport)(void *owner, const char *marker, const char *note);
	/*
	 * Actions of "debug": rebind, restun, break-derp-conns, ... value: the request's body, may be empty. 0 with nothing in
	 * out: "done"; with something: that JSON. -ERR_UNSUPPORTED: no such action. Else at->text says why not.
	 */
	int (*action)(void *owner, const char *action, struct view value, struct buf *out,
		struct err_at *at);
};

struct debug_service {
	const struct debug_ops *ops;
	void *owner;
	const struct facts *facts;
	struct watch *watch;   /* whom "notify" tells */
	const char *state_dir; /* may be NULL */
};

extern const struct service debug_service; /* self: struct debug_service */

#endif
