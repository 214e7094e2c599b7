/*
 * localapi/backend: what the server of the local API asks of the daemon, and what the daemon tells
 * it. The server owns HTTP, permissions and the bus; the daemon owns state. Both live on one event
 * loop; every call returns at once, and what takes time is answered later through a struct
 * lapi_call.
 *
 * Errors: a negative result, with at->text saying why in words for a person; the server picks the
 * status code.
 */
#ifndef WARREN_LOCALAPI_SERVER_BACKEND_H
#define WARREN_LOCALAPI_SERVER_BACKEND_H

#include "base/arena/arena.h"
#include "base/buf/buf.h"
#include "base/err/err.h"
#include "core/netmap/netmap.h"
#include "proto/ipn/ipn.h"

struct lapi_call; /* a request that waits for its answer */

struct lapi_backend_ops {
	enum ipn_state (*state)(void *backend);
	/*
	 * Everything but Version, which the server knows. ret->self is never NULL, ret->health is
	 * present. Without peers, Peer stays absent and User holds the own user only.
	 */
	int (*status)(void *backend, bool peers, struct arena *a, struct ipn_status *ret);
	/* Borrowed until the loop's next turn. NULL: none yet. */
	const struct netmap *(*netmap)(void *backend);
	struct machine_pub (*machine_key)(void *backend);
	/* The warnings that are on, for the bus. */
	int (*health)(void *backend, struct arena *a, struct ipn_health *ret);
	int (*engine)(void *backend, struct arena *a, struct ipn_engine_status *ret);
	int (*rejects)(void *backend, struct arena *a, struct ipn_rejects *ret);

	/* Borrowed until the next edit. Never NULL; secrets are left out by the server. */
	const struct ipn_prefs *(*prefs)(void *backend);
	/* Nothing has changed when these two fail. check says what would be wrong with a whole set.
	 */
	int (*edit_prefs)(void *backend, const struct ipn_masked_prefs *edit, struct err_at *at);
	int (*check_prefs)(void *backend, const struct ipn_prefs *p, struct err_at *at);
	/* The flags of settings that have no effect in this build: struct ipn_unbuilt. May be NULL: there are none. */
	int (*unbuilt)(void *backend, struct arena *a, struct json_list *ret);

	int (*start)(void *backend, const struct ipn_options *o, struct err_at *at);
	/* Ask the control server for a login; its URL comes over the bus (browse_to_url) and in the
	 * status. */
	int (*login_interactive)(void *backend, struct err_at *at);
	/* Answered when the state is told to be NeedsLogin, or after a while. */
	int (*logout)(void *backend, struct err_at *at);
	int (*reset_auth)(void *backend, struct err_at *at); /* drops all profiles and keys */
	int (*set_expiry_sooner)(void *backend, unix_ms expiry, struct err_at *at);

	/* Profiles. The list holds struct ipn_login_profile; the current one is all empty when new.
	 */
	int (*profiles)(void *backend, struct arena *a, struct json_list *ret);
	int (*profile_current)(void *backend, struct arena *a, struct ipn_login_profile *ret);
	int (*profile_new)(void *backend,
		struct err_at *at); /* switches to a fresh one, saved at its first login */
	int (*profile_switch)(void *backend, const char *id, struct err_at *at);
	int (*profile_delete)(
		void *backend, const char *id, struct err_at *at); /* 0 also when there is none */

	/* Is something that was changed not on the disk yet? lapi_saved says when it is. May be NULL: never. */
	bool (*unsaved)(void *backend);

	/*
	 * What the packet filter grants a peer towards this node: name -> list of raw JSON. -ENOMEM. The operation may be
	 * NULL: nothing is granted.
	 */
	int (*peer_caps)(void *backend, struct ipaddr peer, struct arena *a, struct json_map *ret);

	/*
	 * One ping; exactly one lapi_ping_done, which may come before this returns, unless lapi
	 * cancels before. size: of a disco ping with its padding, 0 for none.
	 */
	void (*ping)(void *backend, struct ipaddr ip, enum ipn_ping_type type, size_t size,
		struct lapi_call *call);
	/* A fresh report; one lapi_netcheck_done. */
	void (*netcheck)(void *backend, struct lapi_call *call);
	/* The caller is gone: forget the call. */
	void (*cancel)(void *backend, struct lapi_call *call);

	/* Prometheus text: what users watch (usermetrics), and every counter there is (metrics). */
	int (*usermetrics)(void *backend, struct buf *out);
	int (*metrics)(void *backend, struct buf *out);
	/* What the person said, with the marker that goes into the log and to the person. */
	void (*bugreport)(void *backend, const char *marker, const char *note);
	/*
	 * Actions of "debug": rebind, restun, break-derp-conns, ... value: the request's body, may
	 * be empty. 0 with nothing in out: "done"; with something: that JSON. -ERR_UNSUPPORTED: no
	 * such action.
	 */
	int (*debug)(void *backend, const char *action, struct view value, struct buf *out,
		struct err_at *at);
};

/* Answers. The result is copied. The call is dead afterwards. */
void lapi_ping_done(struct lapi_call *call, const struct ipn_ping_result *r);
void lapi_netcheck_done(struct lapi_call *call, const struct ipn_netcheck *r);

#endif
