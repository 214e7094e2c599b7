/*
 * core/ts2021: one control connection, either side: HTTP/1.1 upgrade, Noise, and HTTP/2 inside the records. A byte-stream
 * engine: feed what came, write out what ts2021_output shows. HTTP/2 is nghttp2's.
 *
 * Pull, not push: response bodies are asked for (fill) only when the connection has room, so that a slow reader costs its
 * own TS2021_OUT_MAX bytes and no more.
 *
 * A server's connection is a stranger's at first, since any machine key may open one; ts2021_set_member, and it may hold more.
 *
 * Source: Tailscale control/controlhttp, control/controlbase, control/ts2021; docs/protocol/ts2021.md.
 */
#ifndef WARREN_CORE_TS2021_TS2021_H
#define WARREN_CORE_TS2021_TS2021_H

#include "base/err/err.h"
#include "crypto/noise/noise.h"
#include "proto/http1/http1.h"

enum {
	TS2021_BODY_MAX =
		1
		<< 20, /* bodies of requests at the server, all of a connection's; hostinfo with services is some 20 kB */
	TS2021_STRANGER_BODY_MAX = 64 * 1024,
	TS2021_OUT_MAX = 32 * 1024, /* ciphertext made ahead of the socket */
	TS2021_H2_MAX =
		256 *
		1024, /* memory of HTTP/2 and of its streams, without bodies: a session has 20 KiB, a stream 1 */
	TS2021_STRANGER_H2_MAX = 96 * 1024,
	TS2021_QUEUE_MAX =
		512, /* frames other than DATA that wait to be sent; each answer is one */
	TS2021_QUEUE_PAUSE = 32,  /* so many: nothing should be fed until they are out */
	TS2021_RETRY_MAX = 40,    /* bytes of Retry-After that are looked at: a date has 29 */
	TS2021_STREAMS_MAX = 100, /* concurrent, as announced in SETTINGS */
	TS2021_STRANGER_STREAMS_MAX = 16, /* at the server; one more is told to try again */
	TS2021_FIELDS_MAX = 128,          /* of the header lists of a stream; clients send ten */
	TS2021_EARLY_MAX = 4096,
	/* What a connection may send without asking for anything (flood.h): tokens at once, and a second. A frame is one or more. */
	TS2021_FRAMES_BURST = 1024,
	TS2021_FRAMES_RATE = 64,
	TS2021_STRANGER_FRAMES_BURST = 192, /* of whom requests cost, too */
	TS2021_STRANGER_FRAMES_RATE = 16,
	TS2021_STALL_BYTES =
		8 *
		1024, /* who has that to read, and does not within TS2021_STALL, does not read */
};
#define TS2021_CHECK SEC(5)
#define TS2021_REQUEST SEC(20) /* a whole request, however it trickles */
#define TS2021_STALL SEC(20)

/* The bounds of a connection, as ts2021_ops' on_limit names them. */
enum ts2021_limit {
	TS2021_BY_FRAMES,  /* it asks for work that leads to nothing */
	TS2021_BY_QUEUE,   /* it does not read what it asks for */
	TS2021_BY_MEMORY,  /* TS2021_H2_MAX */
	TS2021_BY_STREAMS, /* the stream is refused */
	TS2021_BY_FIELDS,  /* the stream is reset */
	TS2021_BY_BODIES,  /* the stream is reset */
	TS2021_BY_TIME,    /* a request takes longer than TS2021_REQUEST */
	TS2021_BY_STALL,   /* an answer is not taken */
	TS2021_N_LIMITS,
};

struct ledger_holder;
struct ts2021;
struct ts_stream;

struct ts2021_ops {
	/* Server: a request is complete. Method and path are valid until the stream ends, the body during the call. */
	void (*on_request)(void *owner, struct ts_stream *s, const char *method, const char *path,
		struct view body);
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
	/* May be NULL: a bound was reached. Unless it concerns a stream alone, the connection fails with -ERR_FLOOD or -ETIMEDOUT. */
	void (*on_limit)(void *owner, enum ts2021_limit l);
};

struct ts2021_server {
	const struct secret_machine *self;
	const char *
		hub_url; /* told before all else as "hubURL", of characters that JSON takes as they are; NULL: nothing */
	struct rng *rng;
	struct ledger_holder
		*holder; /* is charged for all that the connection holds; may be NULL */
	mono_ns now;
};
/* Server. head is the request's, parsed by the listener. -ERR_BAD_VALUE: answer 400; -ERR_NO_ROOM, -ENOMEM: no room. */
MUST_USE int ts2021_accept(struct ts2021 **ret, const struct http1_head *head,
	const struct ts2021_server *how, const struct ts2021_ops *ops, void *owner);
/* Client: the request to upgrade is the first output. host goes into Host: and :authority. */
MUST_USE int ts2021_connect(struct ts2021 **ret, const char *host,
	const struct secret_machine *self, const struct machine_pub *server, uint16_t version,
	struct rng *rng, const struct ts2021_ops *ops, void *owner);
struct ts2021 *ts2021_free(
	struct ts2021 *t); /* on_end is called for open streams with -ERR_CLOSED */

const struct machine_pub *ts2021_remote(const struct ts2021 *t); /* whom Noise authenticated */
uint16_t ts2021_version(const struct ts2021 *t);

/* Server: the machine key is that of a node. The holder is the owner's to tell. */
void ts2021_set_member(struct ts2021 *t);

/* Negative: write what there is to say, if it goes at once, and close the connection. -ERR_CLOSED: the other side is done. */
MUST_USE int ts2021_feed(struct ts2021 *t, const uint8_t *p, size_t len, mono_ns now);
/* False: more input would make more output than the other side takes; when some of it is written, ask again. A client always reads. */
bool ts2021_wants_input(const struct ts2021 *t);
/*
 * Server: to be called TS2021_CHECK after anything was fed or there was output, and again as long as it returns 1: something waits
 * for the other side. Negative: it has waited too long, close the connection.
 */
MUST_USE int ts2021_check(struct ts2021 *t, mono_ns now);
/* Bytes for the socket; empty when there are none. Negative errors show as ts2021_feed's next result. */
struct view ts2021_output(struct ts2021 *t);
void ts2021_written(struct ts2021 *t, size_t n);

/*
 * Asks the other side's program whether it lives: its HTTP/2 answers by itself, and the answer is fed like anything else. That a
 * system acknowledges what we send does not say so much.
 */
MUST_USE int ts2021_ping(struct ts2021 *t);

/* Client. The body is copied. */
MUST_USE int ts2021_request(struct ts2021 *t, const char *method, const char *path,
	struct view body, void *owner, struct ts_stream **ret);
/* Server: a whole answer. The body is copied. */
MUST_USE int ts_stream_respond(
	struct ts_stream *s, int status, const char *content_type, struct view body);
/* Server: come again in so many seconds (Retry-After). */
MUST_USE int ts_stream_respond_later(
	struct ts_stream *s, int status, unsigned seconds, struct view body);
/* Server: an answer whose body comes by fill until ts_stream_finish. */
MUST_USE int ts_stream_begin(struct ts_stream *s, int status, const char *content_type);
void ts_stream_wake(struct ts_stream *s);
void ts_stream_finish(struct ts_stream *s);
/* Ends a stream early. */
void ts_stream_reset(struct ts_stream *s);

const char *ts_stream_retry_after(
	const struct ts_stream *s); /* client: of the answer; "": it had none */
void ts_stream_set_owner(struct ts_stream *s, void *owner);
void *ts_stream_owner(const struct ts_stream *s);

#endif
