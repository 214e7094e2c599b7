/*
 * localapi/server/request: for the handlers of the local API: what a request says, what its user may take, and answers in the forms
 * that clients of the original know. Handlers return what the answer returns.
 */
#ifndef WARREN_LOCALAPI_SERVER_REQUEST_H
#define WARREN_LOCALAPI_SERVER_REQUEST_H

#include "localapi/server/server.h"
#include "proto/json/json.h"

/* What a route may need. */
enum { LAPI_WRITE = 1 };

/*
 * Of every table: who asks, and refusals in words of the API (a route's `denied` is the text of its 403). An answer to a route with
 * HTTP_ROUTE_CHANGES waits until what was changed is on the disk.
 */
extern const struct router_ops lapi_router_ops;
#define LAPI_TABLE(list) \
	{ \
		ROUTER_TABLE(list), .ops = &lapi_router_ops, .mem_max = LAPI_ANSWER_MAX, \
				    .body_max = LAPI_BODY_MAX \
	}

/* ---- The request ---- */

/* A parameter of the query or of a form in the body, decoded, in q->mem; "" when absent or malformed. */
const char *lapi_param(struct http_request *q, const char *name);
/* A named segment of the path, in q->mem; "": none. */
const char *lapi_segment(struct http_request *q, const char *name);
/*
 * The body. False: it is answered with 400 (by message, or by what is wrong), or with the fault; *rc is for the handler to return.
 */
MUST_USE bool lapi_read_json(
	struct http_request *q, const struct json_type *t, void *ret, const char *message, int *rc);

/* ---- What its user may take ---- */

/* Takes so much of the user's work, in pings. */
MUST_USE bool lapi_may_work(struct http_request *q, unsigned cost);
/* An answer more that does not end? */
MUST_USE bool lapi_may_watch(struct http_request *q);
/* So many bytes wait behind an answer that does not end: may so many more? */
MUST_USE bool lapi_may_wait(struct http_reply *r, size_t waiting, size_t more);

/* ---- Answers ---- */

enum lapi_layout {
	JSON_LINE,      /* compact, with a newline */
	JSON_TABS,      /* indented, with a newline */
	JSON_TABS_BARE, /* indented, without */
};

int lapi_send_json(struct http_reply *r, int status, const struct json_type *t, const void *value,
	enum lapi_layout layout);
/* Plain text with a newline; text/plain; charset=utf-8. */
int lapi_send_text(struct http_reply *r, int status, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* {"<key>":"<text>"} */
int lapi_send_json_error(struct http_reply *r, int status, const char *key, const char *text);
int lapi_send_body(struct http_reply *r, const char *content_type, struct view body); /* 200 */
int lapi_send_empty(struct http_reply *r, int status);
/* A fault of ours: 500 with the words of a result. */
int lapi_send_fault(struct http_reply *r, int rc);

/* Handlers for methods that a path does not have: each in the words of the original. */
int lapi_want_post(struct http_request *q);          /* 400 want POST */
int lapi_want_get(struct http_request *q);           /* 400 want GET */
int lapi_only_post(struct http_request *q);          /* 405 only POST allowed */
int lapi_post_required(struct http_request *q);      /* 405 POST required */
int lapi_unsupported_method(struct http_request *q); /* 405 unsupported method */

#endif
