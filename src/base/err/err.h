/*
 * base/err: one int for every result. 0 is success; negative is an error to forward unchanged, either
 * -errno or -ERR_x; positive is an outcome that is documented at the function that returns it.
 */
#ifndef WARREN_BASE_ERR_H
#define WARREN_BASE_ERR_H

#include "base/attr/attr.h"

#define ERR_LIST(X)                                                                                \
	X(TRUNCATED, "input ends early")                                                           \
	X(TRAILING, "input has bytes after its end")                                               \
	X(BAD_TAG, "authentication tag does not match")                                            \
	X(BAD_KEY, "key is malformed or of low order")                                             \
	X(BAD_FORMAT, "input is malformed")                                                        \
	X(BAD_TYPE, "message or frame type is not expected here")                                  \
	X(BAD_VALUE, "a value is out of its range")                                                \
	X(BAD_VERSION, "protocol version is not supported")                                        \
	X(TOO_BIG, "input is larger than its limit")                                               \
	X(TOO_MANY, "more items than the limit allows")                                            \
	X(TOO_DEEP, "input is nested deeper than the limit")                                       \
	X(REPLAY, "message was seen before")                                                       \
	X(NO_SESSION, "no session with this peer yet")                                             \
	X(NO_PEER, "no such peer")                                                                 \
	X(NO_NAME, "the name cannot be resolved")                                                  \
	X(NO_ROUTE, "no peer has this address")                                                    \
	X(DENIED, "not allowed")                                                                   \
	X(QUEUE_FULL, "queue is full")                                                             \
	X(CLOSED, "connection is closed")                                                          \
	X(BAD_STATE, "not possible in this state")                                                     \
	X(CRYPTO, "the crypto library refused the operation")                                      \
	X(STORE, "the database refused the operation")                                             \
	X(CONFLICT, "somebody else changed this first")                                            \
	X(EXPIRED, "has expired")                                                                  \
	X(UNSUPPORTED, "not supported")                                                            \
	X(TLS, "TLS failed")                                                                       \
	X(PEER, "the other side reported an error")

enum err {
	ERR_FIRST = 4096, /* above every errno: -EAGAIN and -ERR_BAD_TAG share one int */
#define X(id, text) ERR_##id,
	ERR_LIST(X)
#undef X
};

/* Text for a result of any sign; never NULL, static storage. */
const char *err_text(int rc);

/* Where in a text that a person wrote the fault is. Line and column count from 1; 0 is unknown. */
struct err_at {
	unsigned line, column;
	char text[200];
};

void err_at_set(struct err_at *at, unsigned line, unsigned column, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

#endif
