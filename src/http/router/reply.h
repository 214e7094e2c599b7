/*
 * http/router/reply: the answer to one request. A transport (http/server, LocalAPI's connections, streams of ts2021) keeps one for
 * each request that is being answered and gives it operations; handlers see this alone.
 *
 * A reply is answered once: whole from memory, or as a stream; at once, or later. Headers ("extra") are lines, each with CRLF.
 * Everything is copied before a call returns, except where it says that it borrows.
 *
 *   made --send, send_static, stream--> answered
 *        --later--> waits --send...--> answered
 *   made or waits --the connection ends--> gone: the transport calls on_gone, and nobody touches the reply again
 */
#ifndef WARREN_HTTP_ROUTER_REPLY_H
#define WARREN_HTTP_ROUTER_REPLY_H

#include "base/buf/buf.h"
#include "base/err/err.h"

struct http_reply;

/* What was said instead of an answer that was held: borrowed until it is released. */
struct http_instead {
	int status;
	const char *content_type, *extra;
	struct view body;
};

struct http_answer {
	int status;
	const char *content_type; /* NULL: none */
	const char *extra;        /* "" : none */
	bool fault;               /* the client's: counted as a bad request */
};

/* Where the body of a stream comes from. */
struct http_source {
	/*
	 * Appends at most room bytes; nothing: not now, http_reply_wake when there is more. HTTP_SOURCE_END: that was all. Negative:
	 * the body breaks off, and the connection with it.
	 */
	int (*fill)(void *ctx, struct buf *out, size_t room);
	/*
	 * It is not asked again: rc 0 when it was sent whole, negative when it broke off. Called once, perhaps before
	 * http_reply_stream returns: for HEAD no body is asked for.
	 */
	void (*over)(void *ctx, int rc);
};
enum { HTTP_SOURCE_END = 1 };
#define HTTP_LENGTH_UNKNOWN (-1)

/* A transport's. An operation that is NULL is not offered: -ERR_UNSUPPORTED. */
struct http_reply_ops {
	int (*send)(struct http_reply *r, const struct http_answer *a, struct view body);
	/* As send, and body stays where it lies for as long as the transport. */
	int (*send_static)(struct http_reply *r, const struct http_answer *a, struct view body);
	/* Begins a body of so many bytes or HTTP_LENGTH_UNKNOWN; it comes from r->source. */
	int (*stream)(struct http_reply *r, const struct http_answer *a, int64_t length);
	void (*wake)(struct http_reply *r);
	/* The answer that was just given stays back until the transport's owner releases the ticket. */
	void (*hold)(struct http_reply *r, uint64_t ticket, const struct http_instead *instead);
	/* It was answered after its handler had returned: go on with the connection. */
	void (*resume)(struct http_reply *r);
};

struct http_reply {
	const struct http_reply_ops *ops;
	void *transport; /* of the transport: its connection or stream */
	bool answered, later;
	const struct http_source *source; /* of a stream */
	void *source_ctx;
	void (*on_gone)(void *ctx);
	void *gone_ctx;
};

/* For transports: before each request. */
void http_reply_init(struct http_reply *r, const struct http_reply_ops *ops, void *transport);
/* For transports: the connection ends before the answer, or within a stream. */
void http_reply_gone(struct http_reply *r);

/* Negative when the answer did not fit: nothing is sent, and a shorter one may be tried. A second answer: -ERR_BAD_STATE. */
MUST_USE int http_reply_send(struct http_reply *r, int status, const char *content_type,
	const char *extra, struct view body);
/* As http_reply_send, counted as the client's fault. */
MUST_USE int http_reply_refuse(struct http_reply *r, int status, const char *content_type,
	const char *extra, struct view body);
/* Likewise, a text. */
MUST_USE int http_reply_refuse_text(struct http_reply *r, int status, const char *text);
/* 200; the body is borrowed for as long as the transport lives. Copied where the transport cannot borrow. */
MUST_USE int http_reply_send_static(
	struct http_reply *r, const char *content_type, const char *extra, struct view body);
/* length: bytes, or HTTP_LENGTH_UNKNOWN. When it fails, source->over is not called. */
MUST_USE int http_reply_stream(struct http_reply *r, int status, const char *content_type,
	const char *extra, int64_t length, const struct http_source *source, void *ctx);
/* A stream's source has more, or its end; or the sink of the request's body takes more. */
void http_reply_wake(struct http_reply *r);
/*
 * The handler returns 0 without an answer; whoever keeps r answers it. on_gone: the connection has ended, r must not be used any
 * more. It is not called once r is answered.
 */
void http_reply_later(struct http_reply *r, void (*on_gone)(void *ctx), void *ctx);

#endif
