/*
 * http/server: a bounded HTTP/1.1 server over TCP, TLS and unix sockets: a transport of http/router. A request goes to its handler
 * when it is complete, or as its body comes where the route says so; it is answered at once or later, or its stream is taken by
 * another owner. The next request of a connection waits until then. A client that waits with its body (Expect: 100-continue) is told
 * to go on as soon as the body is wanted.
 *
 * Bounded: connections, bytes of a request and of an answer, and the time until a request is complete. A chunked body is taken
 * only where the table names a bound for it.
 */
#ifndef WARREN_HTTP_SERVER_SERVER_H
#define WARREN_HTTP_SERVER_SERVER_H

#include "http/router/router.h"
#include "os/stream/stream.h"

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
	/* Who answers: router_of these. q->conn is a struct httpd_conn, q->ctx is ctx; who.from, has_uid and uid are filled in. */
	const struct router *const *tables;
	size_t n_tables;
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

/*
 * Answers that wait for a ticket (router_gate): nothing of them is sent, and no further request of their connections is read, until
 * httpd_release comes to it. Tickets don't go down from one answer to the next. A connection may end meanwhile.
 */
void httpd_release(struct httpd *h, uint64_t ticket); /* and all before it */
void httpd_release_instead(
	struct httpd *h); /* all that wait: each says what it was to say instead */
size_t httpd_held(const struct httpd *h);
/* For an upgrade: the handler gives it another owner and returns HTTP_TAKEN. */
struct stream *httpd_stream(struct httpd_conn *c);

#endif
