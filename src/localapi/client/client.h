/*
 * localapi/client: the other end of the local API, for the command line. Blocking: one call, one answer. Errors are told
 * in the words that Go programs use (tailscale.com/client/local), as scripts look for them.
 */
#ifndef WARREN_LOCALAPI_CLIENT_CLIENT_H
#define WARREN_LOCALAPI_CLIENT_CLIENT_H

#include "base/buf/buf.h"
#include "base/err/err.h"
#include "proto/ipn/ipn.h"

enum {
	LCLIENT_TIMEOUT_MS =
		2000, /* a daemon that is just starting is waited for, counted from the first call */
	LCLIENT_ANSWER_MAX = 256 << 20,
};

struct lclient {
	const char *socket; /* path; borrowed */
	long long born_ms;  /* when the first call was made; 0 before */
	long long
		until_ms; /* monotonic: every call gives up then, with -ETIMEDOUT; 0: never. Streams only while they open */
	char server_version[128]; /* from the last answer */
};

struct lclient_err {
	int status; /* of HTTP; 0 when there was no answer */
	char text[1024];
};

struct lclient_request {
	const char *method, *path; /* of the API: "status?peers=false" */
	struct view body;
	const char *headers; /* further lines, each with CRLF; NULL for none */
	int want;            /* the status that is success; 0: 200 */
	int timeout_ms;      /* until the answer begins; 0: for ever */
};

enum { LCLIENT_TIMEOUT = 1 };

/*
 * 0 and the body appended. LCLIENT_TIMEOUT. -ENOENT, -ECONNREFUSED, ...: nobody answers at the socket. -ERR_DENIED: 403. -ERR_PEER: another
 * status. -ERR_BAD_FORMAT, -ERR_CLOSED, -ERR_TOO_BIG.
 */
MUST_USE int lclient_call(struct lclient *c, const struct lclient_request *q, struct buf *body,
	struct lclient_err *err);
/* GET, decoded into the arena, for showing: its texts are plain. */
MUST_USE int lclient_get(struct lclient *c, const char *path, const struct json_type *t, void *ret,
	struct arena *a, struct lclient_err *err);

/* An answer that does not end: the bus. */
struct lclient_stream;
/* Returns once the head of the answer is there. LCLIENT_TIMEOUT. */
MUST_USE int lclient_stream_open(struct lclient *c, const struct lclient_request *q,
	struct lclient_stream **ret, struct lclient_err *err);
/* The next line without its end, good until the next call. timeout_ms < 0: for ever. LCLIENT_TIMEOUT. -ERR_CLOSED. */
MUST_USE int lclient_stream_next(struct lclient_stream *s, int timeout_ms, struct view *ret);
struct lclient_stream *lclient_stream_close(struct lclient_stream *s);

/* Asks for one header of the answer only; a text of size bytes. */
MUST_USE int lclient_header(struct lclient *c, const struct lclient_request *q, const char *name,
	char *ret, size_t size, struct lclient_err *err);

#endif
