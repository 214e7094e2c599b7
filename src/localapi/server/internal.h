/* localapi/server/internal: between the files of the server: shares, reply, answer < request < dispatch < conn < server. */
#ifndef WARREN_LOCALAPI_SERVER_INTERNAL_H
#define WARREN_LOCALAPI_SERVER_INTERNAL_H

#include "base/bucket/bucket.h"
#include "base/list/list.h"
#include "localapi/server/server.h"
#include "os/loop/loop.h"
#include "os/stream/stream.h"
#include "os/users/users.h"
#include "proto/http1/http1.h"

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
	struct loop_timer *save_timer, *operator_timer;
	struct users *users; /* who the operator is */
	bool operator_late;  /* who it is could not be found out in time: until it is, nobody */
	struct luser user[LAPI_USERS_KEPT];
	size_t n_common; /* connections of those who are not trusted, as they were when they came */
	size_t n_held; /* answers that wait for the disk, since it was last waited for; some may be gone */
	char *header_lines; /* in every answer of the API */
	struct lapi_counters n;
};

/*
 *  READING --request whole--> (answered at once) READING
 *          --answered later, or who is the operator?--> WAITING --answered--> READING
 *          --an answer that does not end--> STREAMING
 *  any --last answer, fault, end of the stream--> CLOSING: what is in `out` is written, then the stream ends
 */
enum lconn_state { CONN_READING, CONN_WAITING, CONN_STREAMING, CONN_CLOSING };

struct lconn {
	struct list link;
	struct lapi *lapi;
	struct stream *stream;
	bool has_uid;
	uid_t uid;
	enum lconn_state state;
	struct buf in, head_text, body, out;
	struct http1_head head; /* views into head_text */
	bool have_head, body_whole;
	bool held;          /* its answer waits for the disk */
	bool common;        /* counted in n_common */
	bool streams;       /* counted in n_watchers */
	bool asks_operator; /* WAITING for who the operator is */
	uint64_t body_max;  /* of the request being read */
	size_t waits;       /* bytes behind an answer that does not end */
	struct http1_chunks chunks;
	struct http_reply reply;
};

/* ---- reply.c: the reply object over a connection ---- */

extern const struct http_reply_ops lconn_reply_ops;
/* Ends the connection after what is in its output. */
void lconn_finish(struct lconn *c);
void lconn_abort(struct lconn *c);
/* Into the output. extra: further lines of the head, each with CRLF. Negative: nothing was added. */
MUST_USE int lconn_respond(
	struct lconn *c, int status, const char *content_type, const char *extra, struct view body);
/* What is in the output may go out. */
void lconn_let_go(struct lconn *c);
/* The output was taken: more of an answer that does not end. */
void lconn_pull(struct lconn *c);

/* ---- dispatch.c: which table answers ---- */

/* Answers, or has it answered. Negative: the connection is to be closed. */
MUST_USE int lconn_dispatch(struct lconn *c);
/* Of the request whose head is there. */
uint64_t lconn_body_max(struct lconn *c);

/* ---- conn.c ---- */

extern const char lapi_security_lines[]; /* in every answer */
void lconn_accept(void *ctx, struct stream *s);
void lconn_free(struct lconn *c);  /* its stream is gone or is nobody's */
void lconn_on_operator(void *ctx); /* who the operator is may be known now */
void lconn_on_operator_late(void *ctx);

#endif
