/*
 * http/client/unix: HTTP/1.1 over a unix socket, blocking, for command lines: one connection, one request, and its answer as a whole or
 * piece by piece.
 */
#ifndef WARREN_HTTP_CLIENT_UNIX_H
#define WARREN_HTTP_CLIENT_UNIX_H

#include "base/buf/buf.h"
#include "proto/http1/http1.h"

/* One connection and what has been read of it. */
struct http_unix {
	int fd;                 /* negative: there is none */
	struct buf in;          /* not yet handed out */
	struct http1_head head; /* its texts are good until the head is taken from `in` */
	struct http1_chunks chunks;
	uint64_t left;      /* of a body with a length */
	bool ended;         /* the body */
	long long until_ms; /* monotonic: everything gives up then, with -ETIMEDOUT; 0: never */
};

enum { HTTP_UNIX_TIMEOUT = 1 };

long long http_unix_now_ms(void); /* monotonic */
/* How long may be waited, in ms: at most `most` (negative: for ever), and not beyond until_ms. 0: it is over. */
int http_unix_timeout(long long until_ms, int most);
/* Connects. A negative errno; to be closed in any case. answer_max: bytes that may be held at once. */
MUST_USE int http_unix_open(
	struct http_unix *h, const char *path, size_t answer_max, long long until_ms);
void http_unix_close(struct http_unix *h);
/* Head and body. -ETIMEDOUT, -errno. */
MUST_USE int http_unix_send(struct http_unix *h, struct view request);
/* How many bytes at the front of `in` are the head: the caller takes them away. -HTTP_UNIX_TIMEOUT; timeout_ms 0: for ever. */
MUST_USE int http_unix_read_head(struct http_unix *h, int timeout_ms);
/* Appends one more piece of the body, decoded. HTTP_UNIX_TIMEOUT; -ERR_CLOSED at its end. */
MUST_USE int http_unix_read_body(struct http_unix *h, int timeout_ms, struct buf *to);
/* Appends all of it. */
MUST_USE int http_unix_read_all(struct http_unix *h, struct buf *to);

#endif
