/* localapi/server/internal: between the files of the server. */
#ifndef WARREN_LOCALAPI_SERVER_INTERNAL_H
#define WARREN_LOCALAPI_SERVER_INTERNAL_H

#include "base/bucket/bucket.h"
#include "base/list/list.h"
#include "localapi/server/server.h"
#include "os/loop/loop.h"
#include "os/stream/stream.h"
#include "os/users/users.h"
#include "proto/http1/http1.h"

struct lconn;
struct watcher;

enum { LAPI_USERS_KEPT = 32 };

/* What a user may still have done; shares.h. */
struct luser {
	bool used;
	uid_t uid;
	struct bucket requests, work;
};

struct lapi {
	struct loop *loop;
	struct lapi_cfg cfg;
	struct listener *listener;
	struct list conns;
	struct loop_timer *engine_timer, *logout_timer, *save_timer, *operator_timer;
	struct users *users; /* who the operator is */
	bool operator_late;  /* who it is could not be found out in time: until it is, nobody */
	struct luser user[LAPI_USERS_KEPT];
	size_t n_common; /* connections of those who are not trusted, as they were when they came */
	size_t n_held; /* answers that wait for the disk, since it was last waited for; some may be gone */
	size_t n_logouts;   /* requests that wait for the end of a logout */
	char *header_lines; /* in every answer of the API */
	struct lapi_counters n;
};

enum lcall_kind { CALL_NONE, CALL_PING, CALL_NETCHECK, CALL_LOGOUT, CALL_OPERATOR };

/* At most one per connection: requests on one are answered in turn. */
struct lapi_call {
	struct lconn *conn;
	enum lcall_kind kind;
};

/*
 *  READING --request whole--> (answered at once) READING
 *          --ping, netcheck, who is the operator?--> WAITING --done--> READING
 *          --watch-ipn-bus--> WATCHING
 *  any --last answer, fault, watcher behind--> CLOSING: what is in `out` is written, then the stream ends
 */
enum lconn_state { CONN_READING, CONN_WAITING, CONN_WATCHING, CONN_CLOSING };

struct lconn {
	struct list link;
	struct lapi *lapi;
	struct stream *stream;
	bool has_uid;
	uid_t uid;
	enum lconn_state state;
	struct buf in, head_text, body, out;
	struct http1_head head; /* views into head_text */
	bool have_head, body_whole, answered;
	bool held;   /* its answer waits for the disk */
	bool common; /* counted in n_common */
	struct http1_chunks chunks;
	struct lapi_call call;
	struct watcher *watcher;
};

/* One request while it is answered. */
struct lreq {
	struct lapi *lapi;
	struct lconn *conn;
	const struct http1_head *head;
	struct view body;
	struct arena *arena;
	const char *route, *rest; /* "profiles/" and "f4b1" */
};

/* ---- reply.c: answers. Each request gets exactly one, at once or (calls, the bus) later. ---- */

enum llayout {
	JSON_LINE, /* compact, with a newline */
	JSON_COMPACT,
	JSON_TABS,      /* indented, with a newline */
	JSON_TABS_BARE, /* indented, without */
};

void lreq_json(struct lreq *r, int status, const struct json_type *t, const void *value,
	enum llayout layout);
/* Plain text with a newline; text/plain; charset=utf-8. */
void lreq_text(struct lreq *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* {"<key>":"<text>"} */
void lreq_json_error(struct lreq *r, int status, const char *key, const char *text);
void lreq_body(
	struct lreq *r, int status, const char *content_type, const char *extra, struct view body);
void lreq_empty(struct lreq *r, int status);
/* A fault of ours: 500 with the words of a result. */
void lreq_fault(struct lreq *r, int rc);
/* Ends the connection after what is in its output. */
void lconn_finish(struct lconn *c);
void lconn_abort(struct lconn *c);
/* extra: further lines of the head, each with CRLF. */
void lconn_respond(
	struct lconn *c, int status, const char *content_type, const char *extra, struct view body);

/* ---- request.c ---- */

bool lreq_may_write(const struct lreq *r);
bool lreq_is(const struct lreq *r, const char *method);
/* A parameter of the query or of a form in the body, decoded, in the arena; "" when absent or malformed. */
const char *lreq_param(const struct lreq *r, const char *name);

/* ---- routes.c: which path is whose; state.c, net.c and debug.c have the tables ---- */

void lreq_dispatch(struct lreq *r);

typedef void (*lroute_fn)(struct lreq *r);

struct lroute {
	const char *name; /* with a slash at the end: whatever follows */
	lroute_fn fn;
	const char
		*denied; /* who may not write gets 403 with this text; NULL: everybody may call */
};
extern const struct lroute lroutes_state[], lroutes_net[],
	lroutes_debug[]; /* ended by a NULL name */

/* ---- shown.c ---- */

/* Prefs without secrets, the persist part in *persist. */
struct ipn_prefs lapi_public_prefs(const struct ipn_prefs *p, struct ipn_persist *persist);
/* The network map as the bus and "debug" show it. -ENOMEM. */
MUST_USE int lapi_netmap(
	struct lapi *a, const struct netmap *nm, struct arena *arena, struct ipn_netmap *ret);
/* The rules of the packet filter, appended. -ERR_TOO_BIG. */
MUST_USE int lapi_filter_rules(const struct netmap *nm, struct arena *a, struct json_list *ret);
/* A node as the local API shows it: with its names for people. */
struct tc_node lapi_node(const struct netmap *nm, const struct tc_node *n, struct arena *a);

/* ---- waiting.c ---- */

/* What was asked for is done: the next request on this connection may be read. */
void lconn_go_on(struct lconn *c);
/* Makes the request wait until the node is logged out, but not for ever. */
void lreq_wait_for_logout(struct lreq *r);
void lapi_logouts_done(struct lapi *a);

/* ---- conn.c ---- */

extern const char lapi_security_lines[]; /* in every answer */
void lconn_accept(void *ctx, struct stream *s);
void lconn_free(struct lconn *c);  /* its stream is gone or is nobody's */
void lconn_on_operator(void *ctx); /* who the operator is may be known now */
void lconn_on_operator_late(void *ctx);

/* ---- watch.c ---- */

/* Turns the request's connection into a watcher. */
void watch_bus(struct lreq *r);
void watch_written(struct watcher *w, size_t n);
struct watcher *watch_free(struct watcher *w);
void watch_on_engine_tick(void *ctx);

#endif
