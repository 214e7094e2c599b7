/*
 * core/ts2021/flood: how much a connection may make us do without asking for anything. Every frame of HTTP/2 costs something, of a bucket
 * that fills with time; so do records of the channel that carry next to nothing. It reads the heads of frames itself, before the
 * library does: what is refused has cost no more than that.
 */
#ifndef WARREN_CORE_TS2021_FLOOD_H
#define WARREN_CORE_TS2021_FLOOD_H

#include "base/bucket/bucket.h"
#include "base/err/err.h"

enum { FLOOD_FRAME_HEAD = 9, FLOOD_PREFACE = 24 };

struct flood {
	struct bucket bucket;
	bool client;                    /* we are: what comes is a server's */
	uint8_t head[FLOOD_FRAME_HEAD]; /* as far as it came */
	size_t n_head;
	size_t skip;     /* bytes until the next head */
	uint64_t window; /* bytes that we sent and that no WINDOW_UPDATE has answered */
};

/* A full bucket; rate: of tokens a second. */
void flood_init(struct flood *f, bool client, int64_t rate, int64_t burst);
/* More from now on; what was spent stays spent. */
void flood_raise(struct flood *f, int64_t rate, int64_t burst, mono_ns now);
/* A record came. -ERR_FLOOD, as below: too much. */
MUST_USE int flood_record(struct flood *f, size_t n, mono_ns now);
/* Some of HTTP/2. */
MUST_USE int flood_feed(struct flood *f, const uint8_t *p, size_t n, mono_ns now);
/* We sent so many bytes of bodies: WINDOW_UPDATEs for them are free. */
void flood_sent(struct flood *f, size_t n);
/* A request with such a body was worth its frames. */
void flood_refund_request(struct flood *f, size_t body_len);

#endif
