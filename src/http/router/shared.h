/*
 * http/router/shared: one body that many replies send. Each holds a reference and copies a piece at a time, so that a hundred readers of a long
 * answer cost its bytes once.
 */
#ifndef WARREN_HTTP_ROUTER_SHARED_H
#define WARREN_HTTP_ROUTER_SHARED_H

#include "http/router/reply.h"

struct http_shared;

/* A copy of the bytes, with one reference. NULL: no memory. */
struct http_shared *http_shared_new(struct view body);
/* Gives a reference back; NULL is nothing. NULL. */
struct http_shared *http_shared_put(struct http_shared *s);
/* 200; the reply takes a reference of its own for as long as it is sent. Errors as http_reply_stream; -ENOMEM. */
MUST_USE int http_reply_send_shared(struct http_reply *r, const char *content_type,
	const char *extra, struct http_shared *body);

#endif
