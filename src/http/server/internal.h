/*
 * http/server, between its files, from the bottom up: answer.c puts answers into a connection's output; body.c reads bodies;
 * conn.c reads requests and has them answered; server.c has the listeners.
 */
#ifndef WARREN_HTTP_SERVER_INTERNAL_H
#define WARREN_HTTP_SERVER_INTERNAL_H

#include "base/heap/heap.h"
#include "base/list/list.h"
#include "http/server/server.h"

enum {
	HTTPD_IN_MAX = HTTP1_HEAD_MAX + HTTPD_BODY_MAX + HTTPD_REST_MAX,
	HTTPD_FILL = 16 * 1024, /* bytes that a stream's source is asked for at once */
};

struct httpd {
	struct httpd_cfg cfg;
	struct loop_timer *timer;
	struct listener *listeners[HTTPD_LISTEN_MAX];
	size_t n_listeners, n_conns;
	struct list conns; /* all but the held */
	struct heap due;   /* those whose request has to be whole, or answer taken, by then */
	struct list held;  /* those whose answer waits; the lowest ticket first */
	size_t n_held;
	struct httpd_counters n;
};

struct httpd_conn {
	struct list link; /* in conns or held */
	struct heap_node due;
	struct httpd *httpd;
	struct stream *stream;
	bool paused, client_known, closing, is_head, keep_alive;
	bool serving;       /* the handler runs */
	bool waits;         /* for a handler that answers later */
	bool is_old;        /* HTTP/1.0 */
	bool told_to_go_on; /* the client waited for that with its body */
	struct ipport
		hop; /* the other side of the connection, once a request came: a proxy's requests are of several clients */
	struct buf in, out;
	struct view after;                  /* of the answer, behind out: where it lies */
	const struct http_instead *instead; /* not NULL: its answer is held */
	uint64_t ticket;
	size_t needs;            /* bytes in `in` before there is anything new to see */
	size_t answer_at;        /* where in out the answer to the last request begins */
	struct http_reply reply; /* to the request that is being answered */
	/* Of a reply that is a stream. */
	int64_t left; /* bytes to come, or HTTP_LENGTH_UNKNOWN */
	bool framed;  /* in chunks */
	/* A chunked body, as far as it came: its content, and how many bytes came beside that. */
	struct http1_chunks chunks;
	struct buf body;
	size_t framing;
	bool has_chunks; /* one has begun */
	/* Of a body that is not collected: what is to come of it, and who takes it; NULL: nobody. */
	uint64_t skip, body_max;
	bool skip_chunks;
	const struct http_sink *sink;
	void *sink_ctx;
};

/* For one request. */
struct httpd_limits {
	uint64_t body; /* bytes */
	size_t answer;
	bool chunked;
	/* Its body is not collected: it is passed on as it comes, or skipped. */
	bool head_only;
};

/* server.c's timer is set anew after a change of due. */
static inline void httpd_rearm(struct httpd *h)
{
	loop_timer_set(h->timer, heap_deadline(&h->due));
}

/* answer.c */
/* As http1_respond; whole or not at all. */
MUST_USE int answer_put(struct httpd_conn *c, const struct http_answer *a, struct view body);
MUST_USE int answer_put_static(struct httpd_conn *c, const struct http_answer *a, struct view body);
/* A body may come; once for a request. -ENOMEM. */
MUST_USE int answer_continue(struct httpd_conn *c);
/* The head of a stream, whose body answer_pull gets. */
MUST_USE int answer_begin_stream(struct httpd_conn *c, const struct http_answer *a, int64_t length);
/* 0: as much as there is room for, or as there is now; negative: it broke off. */
MUST_USE int answer_pull(struct httpd_conn *c);
void answer_hold(struct httpd_conn *c, uint64_t ticket, const struct http_instead *instead);
/* Its time begins anew; its time goes on for n bytes; it stops. */
void answer_touch(struct httpd_conn *c);
void answer_earn(struct httpd_conn *c, size_t n);
void answer_stop_time(struct httpd_conn *c);
/* The answer is given: it may go, and the connection's time begins anew. */
void answer_done(struct httpd_conn *c);

/* body.c */
/*
 * The body behind a head of head_len bytes: 0: *ret_body is there, and *ret_whole bytes of `in` are the request; HTTP1_MORE;
 * -ERR_TOO_BIG, -ERR_BAD_FORMAT.
 */
MUST_USE int body_read(struct httpd_conn *c, const struct http1_head *head,
	const struct httpd_limits *l, size_t head_len, struct view *ret_body, size_t *ret_whole);
/* The rest of a body that is not collected. 0: it is over; HTTP1_MORE; negative: no body, or its sink refused. */
MUST_USE int body_pass(struct httpd_conn *c);
static inline bool body_is_passing(const struct httpd_conn *c)
{
	return c->skip || c->skip_chunks;
}

/* conn.c */
void conn_accept(struct httpd *h, struct stream *s);
void conn_free(struct httpd_conn *c);
/* With the requests that waited. c may be gone afterwards. */
void conn_go_on(struct httpd_conn *c);

#endif
