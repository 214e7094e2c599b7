/* daemon/services/profiles: the accounts that this device was logged in to, and which of them it is. */
#ifndef WARREN_DAEMON_SERVICES_PROFILES_H
#define WARREN_DAEMON_SERVICES_PROFILES_H

#include "base/arena/arena.h"
#include "base/err/err.h"
#include "daemon/services/service.h"
#include "proto/ipn/ipn.h"

/* Errors: a negative result, with at->text saying why in words for a person. */
struct profiles_ops {
	/* The list holds struct ipn_login_profile; the current one is all empty when new. */
	int (*all)(void *owner, struct arena *a, struct json_list *ret);
	int (*current)(void *owner, struct arena *a, struct ipn_login_profile *ret);
	/* Switches to a fresh one, saved at its first login. */
	int (*fresh)(void *owner, struct err_at *at);
	int (*use)(void *owner, const char *id, struct err_at *at);
	int (*remove)(
		void *owner, const char *id, struct err_at *at); /* 0 also when there is none */
};

struct profiles_service {
	const struct profiles_ops *ops;
	void *owner;
};

extern const struct service profiles_service; /* self: struct profiles_service */

#endif
