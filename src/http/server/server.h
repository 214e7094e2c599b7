/*
 * http/server: a bounded HTTP/1.1 server over TCP, TLS and unix sockets, for short answers and upgrades. A request is handed over
 * when it is complete; it is answered at once, or its stream is taken by another owner.
 *
 * Bounded: connections, bytes of a request and of an answer, and the time until a request is complete. A chunked body is taken
 * only where the owner allows it.
 */
#ifndef WARREN_HTTP_SERVER_SERVER_H
#define WARREN_HTTP_SERVER_SERVER_H

#include "os/stream/stream.h"
#include "proto/http1/http1.h"

struct httpd;
struct httpd_conn;

enum {
	HTTPD_LISTEN_MAX = 8,
	HTTPD_BODY_MAX = 64 * 1024, /* forms and administration requests need a few hundred bytes */
	HTTPD_REST_MAX = STREAM_READ_MAX, /* bytes behind a request that came in the same read */
	HTTPD_WAITING_MAX =
		64 *
		1024, /* bytes of answers that the client has not taken: with more its next request waits */
	/*
	 * A request is whole within this time from the answer to the one before it (from the beginning for the first), however its bytes
	 * drip in; and the answer is taken within this time, or at HTTPD_RATE_MIN a second at least.
	 */
	HTTPD_TIMEOUT_S = 30,
	HTTPD_RATE_MIN = 2048,
};

struct httpd_request {
	const struct http1_head *head;
	struct view body;
	struct view rest; /* what came behind the request: for an upgrade */
};

enum { HTTPD_TAKEN = 1 };

struct httpd_limits {
	size_t body, answer; /* bytes */
	/* The head says it all: on_request is called without the body, which is skipped as it comes and never kept. */
	bool head_only;
};

struct httpd_cfg {
	struct loop *loop;
	struct ledger *ledger; /* that connections are charged to; may be NULL */
	size_t conns_max;      /* at a time; one that was taken does not count */
	size_t answer_max;     /* bytes of answers that wait on a connection */
	/*
	 * Whose word on who the client is counts, or NULL; kept by the owner. stream_peer is then the client of the request: whom
	 * X-Forwarded-For names, and with proxy_protocol whom the header in front of a TCP connection names.
	 */
	const struct forwarded_trust *proxies;
	bool proxy_protocol; /* connections from proxies begin with that header */
	/*
	 * More for some requests, decided by the head alone: true, and *l may be raised. Then the body may be chunked, too. May be
	 * NULL, and called several times for one request.
	 */
	bool (*raise)(void *ctx, struct httpd_conn *c, const struct http1_head *head,
		struct httpd_limits *l);
	/* 0: answered with httpd_answer or into httpd_out; HTTPD_TAKEN: the stream has another owner now; negative: close. */
	int (*on_request)(void *ctx, struct httpd_conn *c, const struct httpd_request *r);
	void *ctx;
};

struct httpd_counters {
	uint64_t accepted, refused, requests, bad_requests, timed_out, tls_failed, proxy_failed;
	uint64_t
		paused; /* times that a client did not take its answers, and its next request had to wait */
};

MUST_USE int httpd_new(struct httpd **ret, const struct httpd_cfg *cfg);
struct httpd *httpd_free(struct httpd *h);
/* tls NULL: plain HTTP. */
MUST_USE int httpd_listen(
	struct httpd *h, struct ipport addr, struct tls_ctx *tls, struct ipport *ret_bound);
MUST_USE int httpd_listen_unix(struct httpd *h, const char *path, mode_t mode);
const struct httpd_counters *httpd_counters(const struct httpd *h);
size_t httpd_conns(const struct httpd *h);

/* extra: header lines, each with CRLF. The body is left out for HEAD. Negative: close the connection. */
MUST_USE int httpd_answer(struct httpd_conn *c, int status, const char *content_type,
	const char *extra, struct view body);
/* As httpd_answer with status 200, and the body is sent from where it lies, not copied: it stays there as long as the server. */
MUST_USE int httpd_answer_static(
	struct httpd_conn *c, const char *content_type, const char *extra, struct view body);
/* As httpd_answer, and counted as the client's fault. */
MUST_USE int httpd_refuse(struct httpd_conn *c, int status, const char *text);
MUST_USE int httpd_refuse_with(struct httpd_conn *c, int status, const char *content_type,
	const char *extra, struct view body);
/*
 * The answer that on_request is giving waits: nothing of it is sent, and no further request of its connection is read, until
 * httpd_release comes to the ticket. Tickets don't go down from one call to the next. The connection may end meanwhile.
 */
struct httpd_instead {
	int status;
	const char *content_type, *extra;
	struct view body;
};
void httpd_hold(struct httpd_conn *c, uint64_t ticket,
	const struct httpd_instead *instead);         /* borrowed until it is released */
void httpd_release(struct httpd *h, uint64_t ticket); /* and all before it */
void httpd_release_instead(
	struct httpd *h); /* all that wait: each says what it was to say instead */
size_t httpd_held(const struct httpd *h);
/* For those who write a whole answer themselves. */
struct buf *httpd_out(struct httpd_conn *c);
struct stream *httpd_stream(struct httpd_conn *c);

#endif
