/*
 * http/router: which handler answers a request, whether who asks may ask that, and how much its body may hold. It has no sockets:
 * a transport hands it a request (struct http_request) with a reply (reply.h).
 *
 * A table, all of it static:
 *
 *	static const struct http_route routes[] = {
 *		{ "GET", "/users", 0, .fn = list_users },
 *		{ "POST", "/users/{id:int}/rename", RIGHT_CHANGE, .fn = rename_user, .flags = HTTP_ROUTE_CHANGES },
 *		{ "PUT", "/files/{name}", RIGHT_SEND, .fn = take_file, .flags = HTTP_ROUTE_STREAM, .body_max = 1 << 30 },
 *		{ "GET", "/packages/{name...}", 0, .fn = package },
 *	};
 *	static const struct router table = { ROUTER_TABLE(routes), .ops = &ops };
 *
 * A pattern is literal but for segments in braces: {name} is one segment, not empty; {name:int} one that is a decimal number up to
 * INT64_MAX; {name...} the rest of the path, perhaps empty, and stands last. The first line that fits the path and the method wins.
 * Paths are compared as they came: a transport that wants "%41" to be "A" decodes before. A slash at the end is another path, so
 * that who shuts a path at a proxy has shut it; HTTP_ROUTE_SLASH says that both are the same.
 *
 * In this order, once for all tables: a path that no line has is 404; a method that none of its lines has, 405 with Allow; HEAD is
 * served by GET's line and the transport leaves the body out; a right that is lacking, 403; a change while the store takes none,
 * 503. router_ops.refuse words each of these as the table's clients know it.
 *
 * A handler answers q->reply at once or later (http_reply_later) and returns 0; or HTTP_TAKEN: it took the connection over; or an
 * error, which refuse words if there is no answer yet.
 */
#ifndef WARREN_HTTP_ROUTER_ROUTER_H
#define WARREN_HTTP_ROUTER_ROUTER_H

#include "base/arena/arena.h"
#include "http/router/principal.h"
#include "http/router/reply.h"
#include "proto/http1/http1.h"

struct router;
struct http_request;

enum {
	HTTP_TAKEN = 1,
	HTTP_PARAMS_MAX = 4, /* named segments of a pattern */
	HTTP_ALLOW_MAX = 64,
};

enum http_route_flags {
	HTTP_ROUTE_CHANGES = 1, /* something that is stored: see struct router_gate */
	HTTP_ROUTE_SLASH = 2,   /* one slash behind the path is the same path */
	/*
	 * The body is not collected: the handler is called with the head alone and names a sink (http_request_read), or answers, and
	 * then the body is skipped.
	 */
	HTTP_ROUTE_STREAM = 4,
	HTTP_ROUTE_OWN = 256, /* this and all above are the table's own */
};

struct http_route {
	const char *method; /* NULL: any */
	const char *pattern;
	uint64_t right; /* what principal.rights must have; 0: everybody may */
	int (*fn)(struct http_request *q);
	unsigned flags;
	uint64_t
		body_max; /* bytes; 0: the table's. A limit that is named lets a body be chunked, too */
	const char *denied; /* for refuse: what to say to who may not; may be NULL */
};

/* Takes a body as it comes, of a route with HTTP_ROUTE_STREAM. */
struct http_sink {
	int (*data)(void *ctx, struct view piece); /* negative: the connection ends */
	/* True: no more for now, http_reply_wake when there is room; what was read already still comes. May be NULL. */
	bool (*full)(void *ctx);
	/* 0: it came whole, and the reply is to be answered, now or later. Negative: it breaks off, the reply is gone. Called once. */
	int (*over)(void *ctx, int rc);
};

struct http_param {
	struct view name, value; /* the value as it stands in the path */
};

/* While it is answered at once; who answers later keeps q->reply and copies the rest. */
struct http_request {
	/* By the transport. */
	const struct http1_head *head; /* NULL where it did not come as HTTP/1.1 */
	struct view method, path;      /* path without query */
	struct view
		route_path; /* without its table's mount: the same wherever that stands; by the router */
	struct view body; /* whole; empty for HTTP_ROUTE_STREAM */
	struct view rest; /* bytes behind the request, for an upgrade */
	struct http_reply *reply;
	void *conn;           /* the transport's: for an upgrade */
	struct principal who; /* from, has_uid, uid by the transport, the rest by identify */
	/* By the router. */
	const struct router *router;
	const struct http_route *route; /* NULL: none fits */
	struct http_param param[HTTP_PARAMS_MAX];
	size_t n_params;
	struct arena mem; /* until the handler returns */
	/* By the owner of the table. */
	void *ctx;  /* as the transport was given it */
	void *call; /* of identify or around, for handlers */
	/* By the handler of a stream. */
	const struct http_sink *sink;
	void *sink_ctx;
};

enum router_refusal {
	ROUTER_NOT_FOUND,
	ROUTER_BAD_METHOD, /* detail: the value of Allow */
	ROUTER_DENIED,     /* detail: the route's denied, or NULL */
	ROUTER_NO_CHANGE,  /* detail: why the store takes none */
	ROUTER_FAILED,     /* rc: what the handler returned */
};

/* What a change waits for: an answer that tells of it is given when it is durable. */
struct router_gate {
	/* Why no change is begun; NULL: it may be. */
	const char *(*closed)(void *ctx);
	/* What was promised by now and is not durable yet; 0: all is. */
	uint64_t (*ticket)(void *ctx);
	const struct http_instead *instead; /* said when it does not become durable */
	/* Around the handler, for who keeps a record of changes. Both may be NULL. */
	void (*begin)(struct http_request *q);
	void (*end)(struct http_request *q);
};

struct router_ops {
	/* Fills in q->who: kind, rights, and what it likes. It may run twice for one request (once for the limits) and must not answer. NULL: a stranger. */
	void (*identify)(struct http_request *q);
	/* Calls q->route->fn(q), with what all handlers need before and behind it. NULL: just calls it. */
	int (*around)(struct http_request *q);
	/* Answers. NULL, and where it answers nothing: a line of plain text. */
	int (*refuse)(struct http_request *q, enum router_refusal why, const char *detail, int rc);
	const struct router_gate *gate; /* NULL: nothing waits */
};

struct router {
	const struct http_route *route;
	size_t n_routes;
	const char *
		prefix; /* every path with it is this table's, also where no line fits; NULL: only paths that fit */
	const char *
		mount; /* stands before every pattern, so that one list of routes serves at two places; NULL: nothing */
	const struct router_ops *ops; /* may be NULL */
	size_t mem_max;               /* of q->mem; 0: ROUTER_MEM_MAX */
	uint64_t body_max;            /* where a route names none; 0: the transport's */
	size_t answer_max;            /* for who has the right; 0: the transport's */
};
#define ROUTER_TABLE(list) .route = (list), .n_routes = ARRAY_LEN(list)
enum { ROUTER_MEM_MAX = 1 << 20 };

/* Of several tables the one that answers this path: the first that claims it, else the last. */
const struct router *router_of(const struct router *const *tables, size_t n, struct view path);

struct router_limits {
	uint64_t body;  /* bytes; 0: the transport's own bound */
	size_t answer;  /* bytes; 0: the transport's own bound */
	bool chunked;   /* the body may be */
	bool head_only; /* refused by its head alone: the body is skipped as it comes */
	bool stream;    /* HTTP_ROUTE_STREAM, and who asks may */
};
/* By the head alone, before the body. q: head, method, path, reply, conn, ctx. Changes only what is the router's of q. */
struct router_limits router_limits(const struct router *r, struct http_request *q);
/* Answers q, or has it answered. 0; HTTP_TAKEN; negative: the connection is to be closed. */
MUST_USE int router_serve(const struct router *r, struct http_request *q);

/* A named segment as it came, or decoded; an empty view and "" if there is none, or it is malformed or too long. */
struct view http_request_param(const struct http_request *q, const char *name);
const char *http_request_text(
	const struct http_request *q, const char *name, char *out, size_t size);
/* Of {name:int}. */
int64_t http_request_int(const struct http_request *q, const char *name);
bool http_request_is(const struct http_request *q, const char *method);
/* A value of the query or of a form in the body, decoded; false: absent, malformed or too long. */
bool http_request_query(const struct http_request *q, const char *name, char *out, size_t size);
bool http_request_form(const struct http_request *q, const char *name, char *out, size_t size);
/* The body goes to this sink. Of HTTP_ROUTE_STREAM alone. */
void http_request_read(struct http_request *q, const struct http_sink *sink, void *ctx);

#endif
