/* core/ts2021: what the files of this directory share. */
#ifndef WARREN_CORE_TS2021_INTERNAL_H
#define WARREN_CORE_TS2021_INTERNAL_H

#include "base/list/list.h"
#include "core/ts2021/flood.h"
#include "core/ts2021/h2mem.h"
#include "core/ts2021/ts2021.h"

enum ts2021_state { TS2021_UPGRADING, TS2021_OPEN, TS2021_FAILED };

/* Does the other side take what there is for it? */
struct stall {
	mono_ns since;  /* 0: nothing waits */
	uint64_t taken; /* bytes, then */
};

struct ts_stream {
	struct list link;
	struct ts2021 *conn;
	void *owner;
	int32_t id;
	char *method, *path;
	struct buf body, out; /* server: request body; what waits to be sent */
	bool complete;        /* server: the request */
	bool refused;         /* server: it is being reset, whatever comes */
	bool streaming, finished, responded, deferred;
	bool has_body; /* the answer */
	bool ended;    /* HTTP/2 has all of it */
	bool dry;      /* all was taken at some time since the last check */
	int status;
	unsigned n_fields;
	mono_ns began;
	uint64_t sent; /* bytes of the body that went to HTTP/2 */
	struct stall stall;
	char retry_after[TS2021_RETRY_MAX]; /* client: of the answer; cut if longer */
};

/* What a connection may hold. */
struct share {
	size_t bodies, streams, h2;
	int64_t frames_rate, frames_burst;
};

struct ts2021 {
	enum ts2021_state state;
	bool client, member;
	int error;
	const struct ts2021_ops *ops;
	void *owner;
	struct noise_state noise;
	struct noise_keys keys;
	struct buf in, out;
	struct list streams;
	size_t n_streams, body_bytes; /* server: of requests that are not complete */
	const struct share *share;
	struct h2mem mem;
	struct flood flood;
	mono_ns now;      /* of the last call that had it */
	uint64_t written; /* bytes of out that the socket took */
	bool emptied;     /* out was, at some time since the last check */
	struct stall stall;
	nghttp2_session *h2;
	char *host;
	/* client: before HTTP/2 begins there may be an early payload */
	bool early_done;
	struct buf early;
	size_t early_left;
	bool early_kept;
};

/* limits.c */
extern const struct share ts2021_stranger, ts2021_member;
/* The first one counts. */
int ts2021_fail(struct ts2021 *t, int rc);
/* A bound is reached: said to the owner. */
void ts2021_tell_limit(struct ts2021 *t, enum ts2021_limit l);

/* streams.c */
MUST_USE int ts2021_streams_start(struct ts2021 *t);
void ts2021_streams_end(struct ts2021 *t); /* all of them, with -ERR_CLOSED, and HTTP/2 */
/* One record's plaintext. */
MUST_USE int ts2021_streams_feed(struct ts2021 *t, const uint8_t *p, size_t n);
/* It asked for too much: says so, and fails. */
int ts2021_streams_fail(struct ts2021 *t, enum ts2021_limit l);
/* Fills out. */
void ts2021_streams_pull(struct ts2021 *t);
/* Tells the other side why the connection ends, as far as that goes without its help. */
void ts2021_streams_goaway(struct ts2021 *t, uint32_t error);
/* check.c */
/* As ts2021_check. */
MUST_USE int ts2021_streams_check(struct ts2021 *t, mono_ns now);
/* 0: it is taken, or there is nothing; 1: it waits; negative: too long. moved: all was taken meanwhile. */
MUST_USE int ts2021_stall_check(
	struct stall *p, bool waits, bool moved, uint64_t taken, mono_ns now);

#endif
