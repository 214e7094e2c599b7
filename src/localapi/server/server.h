/*
 * localapi/server: the server of the local API. HTTP/1.1 over a unix socket, for the command line and for programs on the same
 * machine; docs/protocol/local.md has the calls. What can be asked are tables (http/router) of the daemon's services; here are
 * connections, who asks, and what one user may take. Who may do what follows from the uid at the other end: root, the daemon's own
 * user and the operator named in the preferences write, everybody who can open the socket reads.
 *
 * Bounds: connections, watchers of the bus, what waits for one watcher, the size of a request's body. What is beyond is turned away
 * and counted.
 */
#ifndef WARREN_LOCALAPI_SERVER_SERVER_H
#define WARREN_LOCALAPI_SERVER_SERVER_H

#include "http/router/router.h"

enum {
	LAPI_CONNS_MAX = 256,
	LAPI_WATCHERS_MAX = 64,      /* answers at a time that do not end */
	LAPI_BODY_MAX = 1 << 20,     /* of a request: the longest is a set of preferences */
	LAPI_ANSWER_MAX = 256 << 20, /* of an answer: the map of the largest network */
	LAPI_TABLES_MAX = 32,
};

struct lapi;
struct loop;

/* What can be asked of one service. Its paths are those behind /localapi/v0; ctx is the requests' ctx. Borrowed. */
struct lapi_table {
	const struct router *routes;
	void *ctx;
};

struct lapi_cfg {
	/* The name of the user who may do what root may; NULL or "": nobody else. */
	const char *(*operator_user)(void *owner);
	/* Is something that was changed not on the disk yet? lapi_saved says when it is. May be NULL: never. */
	bool (*unsaved)(void *owner);
	void *owner;
	const struct lapi_table *tables;
	size_t n_tables;
	const char *version; /* long form; borrowed */
};

struct lapi_counters {
	uint64_t requests, refused, bad_requests, connections_refused, watchers_refused,
		bytes_refused, work_refused, operator_late;
	size_t n_connections, n_watchers;
};

MUST_USE int lapi_new(struct loop *l, const struct lapi_cfg *cfg, struct lapi **ret);
/* A socket file with mode 0666, its directory made when missing. -EADDRINUSE: somebody answers
 * there. */
MUST_USE int lapi_listen(struct lapi *a, const char *path);
/* Ends every connection; requests that wait are told that they are gone. */
struct lapi *lapi_free(struct lapi *a);

/* What was changed is on the disk, or is not waited for any more: those who changed it are answered. */
void lapi_saved(struct lapi *a);
const struct lapi_counters *lapi_counters(const struct lapi *a);

#endif
