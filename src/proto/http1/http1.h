/*
 * proto/http1: heads of HTTP/1.1 requests and responses (RFC 9112), as much as upgrades, probes and the local API need.
 * Strict where leniency lets two readers disagree: no folded lines, no blanks before a colon, no bare CR, one
 * Content-Length, no Content-Length beside Transfer-Encoding.
 */
#ifndef WARREN_PROTO_HTTP1_HTTP1_H
#define WARREN_PROTO_HTTP1_HTTP1_H

#include "base/buf/buf.h"
#include "base/time/time.h"

enum {
	HTTP1_HEAD_MAX =
		16384, /* bytes of a whole head; Go's default is larger, ours need a few hundred */
	HTTP1_HEADERS_MAX = 64,
};

struct http1_header {
	struct view name, value; /* value without blanks around it */
};

struct http1_head {
	bool is_response;
	struct view method, target; /* request */
	int status;                 /* response */
	int minor;                  /* HTTP/1.minor */
	struct http1_header header[HTTP1_HEADERS_MAX];
	size_t n_headers;
	uint64_t content_length; /* 0 if absent */
	bool has_content_length, chunked, keep_alive;
};

enum { HTTP1_MORE = 1 };
/*
 * The head at the front of a buffer, views into it. 0 and *ret_used; HTTP1_MORE; -ERR_TOO_BIG, -ERR_TOO_MANY,
 * -ERR_BAD_FORMAT.
 */
MUST_USE int http1_parse(
	const uint8_t *p, size_t len, bool response, struct http1_head *ret, size_t *ret_used);
/* The first header of a name, without regard to case; an empty view if absent. */
struct view http1_find(const struct http1_head *h, const char *name);
/* Does a comma-separated header hold this token, without regard to case? */
bool http1_has_token(const struct http1_head *h, const char *name, const char *token);
/* Path of the target, without query; and the value of a query parameter, still encoded. */
struct view http1_path(const struct http1_head *h);
struct view http1_query(const struct http1_head *h, const char *name);
bool http1_method_is(const struct http1_head *h, const char *method);

/* A chunked body, as it comes (RFC 9112, 7.1). Start from zero. Extensions and trailers are skipped. */
struct http1_chunks {
	uint64_t left; /* of the current chunk */
	uint8_t state;
};
enum {
	HTTP1_END = 2,
	HTTP1_CHUNK_LINE_MAX = 256,
};
/*
 * One step at the front of what is there: *ret_used bytes are done with, *ret_data of them are content. 0: go on;
 * HTTP1_MORE: nothing was used, more has to come; HTTP1_END: that was the last; -ERR_BAD_FORMAT.
 */
MUST_USE int http1_chunks_next(struct http1_chunks *c, const uint8_t *p, size_t len,
	struct view *ret_data, size_t *ret_used);
/*
 * A path, or with form a query parameter or form field, where "+" is a blank: %41 decoded. No NUL. -ERR_BAD_FORMAT;
 * -ERR_TOO_BIG when out (with NUL) is too small.
 */
MUST_USE int http1_unescape(struct view v, bool form, char *out, size_t size);
/* The value of a field in "a=b&c=d", still encoded; false if absent. */
bool http1_form(struct view form, const char *name, struct view *ret);

/* The value of Retry-After: milliseconds from now, negative when a date is over. -ERR_BAD_FORMAT. */
MUST_USE int http1_retry_after(struct view v, unix_ms now, unix_ms *ret);

/* A whole response with a body and Content-Length. extra: further header lines, each with CRLF, or "". */
MUST_USE int http1_respond(struct buf *out, int status, const char *content_type, const char *extra,
	struct view body, bool head_only, bool keep_alive);
const char *http1_reason(int status);

#endif
