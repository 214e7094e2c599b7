/* daemon/services/login: logging in and out. */
#ifndef WARREN_DAEMON_SERVICES_LOGIN_H
#define WARREN_DAEMON_SERVICES_LOGIN_H

#include "base/err/err.h"
#include "base/list/list.h"
#include "daemon/services/facts.h"
#include "daemon/services/service.h"

/* Errors: a negative result, with at->text saying why in words for a person. */
struct login_ops {
	int (*start)(void *owner, const struct ipn_options *o, struct err_at *at);
	/* Asks the control server for a login; its URL comes over the bus (browse_to_url) and in the status. */
	int (*interactive)(void *owner, struct err_at *at);
	/* The device is logged out when its state says so. */
	int (*logout)(void *owner, struct err_at *at);
	int (*reset)(void *owner, struct err_at *at); /* drops all profiles and keys */
	int (*set_expiry_sooner)(void *owner, unix_ms expiry, struct err_at *at);
};

struct login_service {
	const struct login_ops *ops;
	void *owner;
	const struct facts *facts;
	struct loop *loop;
	struct list waiting; /* requests that wait for the end of a logout; by login_init */
	mono_ns until;       /* as long as they wait */
};

void login_init(struct login_service *s);
extern const struct service login_service; /* self: struct login_service */

#endif
