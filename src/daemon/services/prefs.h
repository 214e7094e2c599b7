/* daemon/services/prefs: preferences: what they are, a change, a check, and which of them have no effect in this build. */
#ifndef WARREN_DAEMON_SERVICES_PREFS_H
#define WARREN_DAEMON_SERVICES_PREFS_H

#include "base/err/err.h"
#include "daemon/services/facts.h"
#include "daemon/services/service.h"

/* Errors: a negative result, with at->text saying why in words for a person. */
struct prefs_ops {
	/* Nothing has changed when these two fail. check says what would be wrong with a whole set. */
	int (*edit)(void *owner, const struct ipn_masked_prefs *edit, struct err_at *at);
	int (*check)(void *owner, const struct ipn_prefs *p, struct err_at *at);
	/* The flags of settings that have no effect in this build: struct ipn_unbuilt. May be NULL: there are none. */
	int (*unbuilt)(void *owner, struct arena *a, struct json_list *ret);
};

struct prefs_service {
	const struct prefs_ops *ops;
	void *owner;
	const struct facts *facts;
};

extern const struct service prefs_service; /* self: struct prefs_service */

#endif
