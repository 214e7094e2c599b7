/*
 * core/ts2021: one control connection, either side: HTTP/1.1 upgrade, Noise, and HTTP/2 inside the records. A byte-stream
 * engine: feed what came, write out what ts2021_output shows. HTTP/2 is nghttp2's.
 *
 * Pull, not push: response bodies are asked for (fill) only when the connection has room, so that a slow reader costs its
 * own TS2021_OUT_MAX bytes and no more.
 *
 * Source: Tailscale control/controlhttp, control/controlbase, control/ts2021; docs/protocol/ts2021.md.
 */
#ifndef WARREN_CORE_TS2021_TS2021_H
#define WARREN_CORE_TS2021_TS2021_H

#include "base/err/err.h"
#include "crypto/noise/noise.h"
#include "proto/http1/http1.h"

enum {
	TS2021_BODY_MAX = 1 << 20, /* bodies of requests at the server, all of a connection's; hostinfo with services is some 20 kB */
	TS2021_OUT_MAX = 32 * 1024, /* ciphertext made ahead of the socket */
	TS2021_RETRY_MAX = 40, /* bytes of Retry-After that are looked at: a date has 29 */
	TS2021_STREAMS_MAX = 100, /* concurrent, as announced in SETTINGS */
	TS2021_EARLY_MAX = 4096,
};

struct ts2021;
struct ts_stream;

struct ts2021_ops {
	/* Server: a request is complete. Method and path are valid until the stream ends, the body during the call. */
	void (*on_request)(void *owner, struct ts_stream *s, const char *method, const char *path, struct view body);
	/* Client: the answer's status; then its bytes; */
	void (*on_response)(void *owner, struct ts_stream *s, int status);
	void (*on_data)(void *owner, struct ts_stream *s, struct view data);
	/* Both: the stream is over, by its end (0) or by reset or loss (negative). It must not be used afterwards. */
	void (*on_end)(void *owner, struct ts_stream *s, int rc);
	/* A streaming body has room: append to out, or nothing to wait for ts_stream_wake. */
	void (*fill)(void *owner, struct ts_stream *s, struct buf *out);
	/* There is output, or there will be when asked. */
	void (*on_output)(void *owner);
	/* Client: Noise is done and requests can be made. */
	void (*on_ready)(void *owner);
	/* Client, may be NULL: what the server said before all else, JSON of up to TS2021_EARLY_MAX bytes; longer ones are skipped. */
	void (*on_early)(void *owner, struct view json);
};

/*
 * Server. head is the request's, parsed by the listener. hub_url: told before all else as "hubURL", of characters that JSON takes as they
 * are; NULL: nothing. -ERR_BAD_VALUE: answer 400.
 */
MUST_USE int ts2021_accept(struct ts2021 **ret, const struct http1_head *head, const struct secret_machine *self,
	const char *hub_url, struct rng *rng, const struct ts2021_ops *ops, void *owner);
/* Client: the request to upgrade is the first output. host goes into Host: and :authority. */
MUST_USE int ts2021_connect(struct ts2021 **ret, const char *host, const struct secret_machine *self,
	const struct machine_pub *server, uint16_t version, struct rng *rng, const struct ts2021_ops *ops, void *owner);
struct ts2021 *ts2021_free(struct ts2021 *t); /* on_end is called for open streams with -ERR_CLOSED */

const struct machine_pub *ts2021_remote(const struct ts2021 *t); /* whom Noise authenticated */
uint16_t ts2021_version(const struct ts2021 *t);

/* Negative: close the connection. */
MUST_USE int ts2021_feed(struct ts2021 *t, const uint8_t *p, size_t len);
/* Bytes for the socket; empty when there are none. Negative errors show as ts2021_feed's next result. */
struct view ts2021_output(struct ts2021 *t);
void ts2021_written(struct ts2021 *t, size_t n);

/*
 * Asks the other side's program whether it lives: its HTTP/2 answers by itself, and the answer is fed like anything else. That a
 * system acknowledges what we send does not say so much.
 */
MUST_USE int ts2021_ping(struct ts2021 *t);

/* Client. The body is copied. */
MUST_USE int ts2021_request(struct ts2021 *t, const char *method, const char *path, struct view body, void *owner,
	struct ts_stream **ret);
/* Server: a whole answer. The body is copied. */
MUST_USE int ts_stream_respond(struct ts_stream *s, int status, const char *content_type, struct view body);
/* Server: come again in so many seconds (Retry-After). */
MUST_USE int ts_stream_respond_later(struct ts_stream *s, int status, unsigned seconds, struct view body);
/* Server: an answer whose body comes by fill until ts_stream_finish. */
MUST_USE int ts_stream_begin(struct ts_stream *s, int status, const char *content_type);
void ts_stream_wake(struct ts_stream *s);
void ts_stream_finish(struct ts_stream *s);
/* Ends a stream early. */
void ts_stream_reset(struct ts_stream *s);

const char *ts_stream_retry_after(const struct ts_stream *s); /* client: of the answer; "": it had none */
void ts_stream_set_owner(struct ts_stream *s, void *owner);
void *ts_stream_owner(const struct ts_stream *s);
struct ts2021 *ts_stream_conn(const struct ts_stream *s);

#endif
