/*
 * localapi: the server of the local API. HTTP/1.1 over a unix socket, for the command line and for
 * programs on the same machine; docs/protocol/local.md has the calls. Who may do what follows from
 * the uid at the other end: root, the daemon's own user and the operator named in the preferences
 * write, everybody who can open the socket reads.
 *
 * Bounds: connections, watchers of the bus, what waits for one watcher, the size of a request's
 * body. What is beyond is turned away and counted.
 */
#ifndef WARREN_LOCALAPI_SERVER_SERVER_H
#define WARREN_LOCALAPI_SERVER_SERVER_H

#include "localapi/server/backend.h"

enum {
	LAPI_CONNS_MAX = 256,
	LAPI_WATCHERS_MAX = 64,
	LAPI_QUEUE_MAX =
		128, /* messages that wait for one watcher; then it is told so and cut off */
	LAPI_BODY_MAX = 1 << 20,     /* of a request: the longest is a set of preferences */
	LAPI_ANSWER_MAX = 256 << 20, /* of an answer: the map of the largest network */
	LAPI_ENGINE_PERIOD_S = 2,    /* between two engine statuses to those who watch them */
};

struct lapi;
struct loop;

struct lapi_cfg {
	const struct lapi_backend_ops *ops;
	void *backend;
	const char *version;   /* long form; borrowed */
	const char *state_dir; /* told by "debug"; may be NULL */
};

struct lapi_counters {
	uint64_t requests, refused, bad_requests, connections_refused, watchers_refused,
		watchers_behind, bytes_refused, work_refused, operator_late;
	size_t n_connections, n_watchers;
};

MUST_USE int lapi_new(struct loop *l, const struct lapi_cfg *cfg, struct lapi **ret);
/* A socket file with mode 0666, its directory made when missing. -EADDRINUSE: somebody answers
 * there. */
MUST_USE int lapi_listen(struct lapi *a, const char *path);
struct lapi *lapi_free(struct lapi *a); /* ends every connection; pending calls are cancelled */

/* What was changed is on the disk, or is not waited for any more: those who changed it are answered. */
void lapi_saved(struct lapi *a);

/*
 * Tells watchers. Version is filled in; what a watcher's mask does not ask for is left out for it.
 * Nothing in n is kept. Prefs may hold secrets: they are left out.
 */
void lapi_notify(struct lapi *a, const struct ipn_notify *n);
/* Does anybody wait for what lapi_notify would tell? Before work is put into a message. */
bool lapi_is_heard(const struct lapi *a);
const struct lapi_counters *lapi_counters(const struct lapi *a);

#endif
