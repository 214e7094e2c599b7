/*
 * daemon/backend: the services that this daemon has, bound to its device. A service is added here, and nowhere below.
 */
#ifndef WARREN_DAEMON_BACKEND_H
#define WARREN_DAEMON_BACKEND_H

#include "base/list/list.h"
#include "daemon/device/device.h"
#include "daemon/dns/names.h"
#include "daemon/metrics.h"
#include "daemon/services/debug.h"
#include "daemon/services/login.h"
#include "daemon/services/machine.h"
#include "daemon/services/peers.h"
#include "daemon/services/prefs.h"
#include "daemon/services/probe.h"
#include "daemon/services/profiles.h"
#include "daemon/services/routes.h"
#include "daemon/services/scrape.h"
#include "daemon/services/watch.h"

enum { BACKEND_WAITERS_MAX = 32 }; /* programs that wait for a netcheck */

struct backend {
	struct device *d;
	struct services *services;
	struct probe_call *waiters[BACKEND_WAITERS_MAX]; /* for a netcheck */
	size_t n_waiters;
	struct list pings; /* struct backend_ping */

	struct facts facts;
	struct watch *watch;
	struct prefs_service prefs;
	struct login_service login;
	struct profiles_service profiles;
	struct peers_service peers;
	struct probe_service probe;
	struct names_service names;
	struct peerapi *peerapi;
	struct routes_service routes;
	struct machine machine;
	struct scrape_service scrape;
	struct debug_service debug;
	struct metrics metrics;
};

struct backend_cfg { /* borrowed */
	const char *version;
	const char *state_dir;    /* told by "debug" */
	const char *debug_listen; /* "": nothing listens there */
};

/* b: zeroed, and stays where it is. */
MUST_USE int backend_init(struct backend *b, struct device *d, const struct backend_cfg *cfg);
/* Stops the services. After the LocalAPI, whose requests wait for them. */
void backend_fini(struct backend *b);
void backend_netcheck_done(struct backend *b);
void backend_turn_end(struct backend *b); /* after addresses are set */

/* For the LocalAPI; owner: struct backend. */
const char *backend_operator_user(void *owner);
bool backend_unsaved(void *owner);

#endif
