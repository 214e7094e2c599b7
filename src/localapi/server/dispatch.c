/* Which table answers a request. */
#include "base/text/text.h"
#include "localapi/server/internal.h"
#include "localapi/server/request.h"

#include <errno.h>

static const char prefix[] = "/localapi/v0";

/* ---- Outside of the API ---- */

static int page(struct http_request *q)
{
	static const char text[] =
		"<html><title>Warren</title><body><h1>Warren</h1>This is the local Warren daemon.\n";

	return lapi_send_body(
		q->reply, "text/html; charset=utf-8", view_of(text, sizeof(text) - 1));
}

static int server_status(struct http_request *q)
{
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{}"));
}

static const struct http_route page_routes[] = {
	{ NULL, "/", 0, .fn = page },
	{ NULL, "/server-status", 0, .fn = server_status },
};
static const struct router pages = LAPI_TABLE(page_routes);

/* ---- Finding the table ---- */

static const struct router *table_of(const struct lapi *a, struct http_request *q)
{
	const struct router *all[LAPI_TABLES_MAX + 1], *found;
	size_t n = a->cfg.n_tables, i;
	size_t len = sizeof(prefix) - 1;

	if (q->path.len <= len || memcmp(q->path.p, prefix, len) != 0 || q->path.p[len] != '/')
		return &pages;
	q->path = view_of(q->path.p + len, q->path.len - len);
	for (i = 0; i < n; i++)
		all[i] = a->cfg.tables[i].routes;
	all[n] = &pages; /* has nothing that begins like that: not found */
	found = router_of(all, n + 1, q->path);
	for (i = 0; i < n; i++)
		if (all[i] == found)
			q->ctx = a->cfg.tables[i].ctx;
	return found;
}

/* X-Tailscale-Reason: why somebody disconnects, for the log. Nobody has asked for the log yet, but it must be readable. */
static bool reason_is_readable(const struct http1_head *h, struct arena *mem)
{
	struct view v = http1_find(h, "X-Tailscale-Reason");
	uint8_t *out;
	size_t len;

	if (!v.len)
		return true;
	out = arena_alloc(mem, v.len);
	return out && base64_decode((const char *)v.p, v.len, out, &len) == 0;
}

/* The path is decoded before tables look at it. */
static bool read_path(struct http_request *q, struct arena *mem)
{
	struct view raw = http1_path(q->head);
	char *path = arena_alloc(mem, raw.len + 1);

	if (!path || http1_unescape(raw, false, path, raw.len + 1) < 0)
		return false;
	q->path = view_of(path, strlen(path));
	return true;
}

static struct http_request request_of(struct lconn *c)
{
	return (struct http_request){ .head = &c->head,
		.method = c->head.method,
		.body = buf_view(&c->body),
		.reply = &c->reply,
		.conn = c };
}

static int dispatch(struct lconn *c, struct http_request *q, struct arena *mem)
{
	if (http1_method_is(q->head, "CONNECT"))
		return lapi_send_text(q->reply, 405, "bad method for platform");
	if (!read_path(q, mem))
		return lapi_send_text(q->reply, 400, "malformed path");
	if (!reason_is_readable(q->head, mem))
		return lapi_send_text(q->reply, 400, "invalid reason header");
	return router_serve(table_of(c->lapi, q), q);
}

int lconn_dispatch(struct lconn *c)
{
	struct http_request q = request_of(c);
	struct arena mem;
	int rc;

	http_reply_init(&c->reply, &lconn_reply_ops, c);
	arena_init(&mem, 2 * HTTP1_HEAD_MAX);
	rc = dispatch(c, &q, &mem);
	arena_fini(&mem);
	if (rc < 0)
		return rc;
	if (!c->reply.answered && c->reply.later)
		c->state = CONN_WAITING;
	else if (!c->reply.answered)
		return lapi_send_fault(&c->reply, -ENOMEM);
	return 0;
}

uint64_t lconn_body_max(struct lconn *c)
{
	struct http_request q = request_of(c);
	struct router_limits l = { 0 };
	struct arena mem;

	arena_init(&mem, HTTP1_HEAD_MAX);
	if (read_path(&q, &mem))
		l = router_limits(table_of(c->lapi, &q), &q);
	arena_fini(&mem);
	return l.body ? l.body : LAPI_BODY_MAX;
}
