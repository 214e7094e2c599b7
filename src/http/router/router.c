#include "http/router/match.h"

#include <stdio.h>

static bool is(struct view v, const char *s)
{
	return view_eq(v, view_of(s, strlen(s)));
}

/* HEAD is GET without a body. */
static bool method_fits(const struct http_route *e, struct view method)
{
	return !e->method || is(method, e->method) ||
	       (is(method, "HEAD") && !strcmp(e->method, "GET"));
}

static bool begins_with(struct view path, const char *prefix)
{
	size_t n = strlen(prefix);

	return path.len >= n && !memcmp(path.p, prefix, n);
}

static bool path_fits(const struct router *r, const struct http_route *e, struct http_request *q)
{
	size_t n = r->mount ? strlen(r->mount) : 0;

	if (n && !begins_with(q->path, r->mount))
		return false;
	q->route_path = view_of(q->path.p + n, q->path.len - n);
	return match_path(
		e->pattern, q->route_path, e->flags & HTTP_ROUTE_SLASH, q->param, &q->n_params);
}

static void allow(char list[static HTTP_ALLOW_MAX], const struct http_route *e)
{
	size_t n = strlen(list);

	if (e->method && !strstr(list, e->method))
		snprintf(list + n, HTTP_ALLOW_MAX - n, "%s%s%s", n ? ", " : "", e->method,
			strcmp(e->method, "GET") == 0 ? ", HEAD" : "");
}

/* q->route and its named segments, or NULL; with methods in list the path fits another one. */
static void find(const struct router *r, struct http_request *q, char list[static HTTP_ALLOW_MAX])
{
	list[0] = 0;
	q->route = NULL;
	for (size_t i = 0; i < r->n_routes; i++) {
		const struct http_route *e = &r->route[i];

		if (!path_fits(r, e, q))
			continue;
		if (method_fits(e, q->method)) {
			q->route = e;
			return;
		}
		allow(list, e);
	}
	q->n_params = 0;
}

static bool claims(const struct router *r, struct view path)
{
	struct http_request q = { .path = path };

	if (r->prefix && *r->prefix && begins_with(path, r->prefix))
		return true;
	for (size_t i = 0; i < r->n_routes; i++)
		if (path_fits(r, &r->route[i], &q))
			return true;
	return false;
}

const struct router *router_of(const struct router *const *tables, size_t n, struct view path)
{
	for (size_t i = 0; i + 1 < n; i++)
		if (claims(tables[i], path))
			return tables[i];
	return tables[n - 1];
}

static void identify(const struct router *r, struct http_request *q)
{
	q->router = r;
	q->who = (struct principal){
		.from = q->who.from, .has_uid = q->who.has_uid, .uid = q->who.uid
	};
	if (r->ops && r->ops->identify)
		r->ops->identify(q);
}

struct router_limits router_limits(const struct router *r, struct http_request *q)
{
	char list[HTTP_ALLOW_MAX];
	struct router_limits l = { 0 };
	uint64_t body;

	find(r, q, list);
	identify(r, q);
	body = q->route && q->route->body_max ? q->route->body_max : r->body_max;
	l.chunked = body != 0;
	l.head_only = body && (!q->route || !principal_may(&q->who, q->route->right));
	if (!l.head_only || q->who.kind != PRINCIPAL_STRANGER)
		l.body = body;
	else if (q->route)
		l.body = q->route->body_max;
	if (l.head_only)
		return l;
	l.answer = r->answer_max;
	l.stream = q->route && q->route->flags & HTTP_ROUTE_STREAM;
	return l;
}

static int plain(struct http_request *q, int status, const char *extra, const char *text)
{
	char line[512], headers[128];

	snprintf(line, sizeof(line), "%s\n", text);
	snprintf(headers, sizeof(headers), "X-Content-Type-Options: nosniff\r\n%s", extra);
	return http_reply_refuse(q->reply, status, "text/plain; charset=utf-8", headers,
		view_of(line, strlen(line)));
}

static int refuse_plain(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	char extra[HTTP_ALLOW_MAX + 16];

	switch (why) {
	case ROUTER_NOT_FOUND:
		return plain(q, 404, "", "no such path");
	case ROUTER_BAD_METHOD:
		snprintf(extra, sizeof(extra), "Allow: %s\r\n", detail);
		return plain(q, 405, extra, "this method is not for this path");
	case ROUTER_DENIED:
		return plain(q, 403, "", detail ? detail : "you may not do this");
	case ROUTER_NO_CHANGE:
		return plain(q, 503, "Retry-After: 60\r\n", detail);
	case ROUTER_FAILED:
		break;
	}
	return plain(q, 500, "", err_text(rc));
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	const struct router_ops *ops = q->router->ops;
	int done = ops && ops->refuse ? ops->refuse(q, why, detail, rc) : 0;

	return done < 0 || q->reply->answered ? done : refuse_plain(q, why, detail, rc);
}

static int run(struct http_request *q, const struct router_gate *gate)
{
	const struct router_ops *ops = q->router->ops;
	uint64_t ticket;
	int rc;

	if (gate && gate->begin)
		gate->begin(q);
	rc = ops && ops->around ? ops->around(q) : q->route->fn(q);
	if (gate && gate->end)
		gate->end(q);
	if (rc == HTTP_TAKEN)
		return rc;
	if (rc < 0 && !q->reply->answered)
		rc = refuse(q, ROUTER_FAILED, NULL, rc);
	if (rc < 0 || !gate || !q->reply->answered)
		return rc;
	ticket = gate->ticket(q->ctx);
	if (ticket && q->reply->ops->hold)
		q->reply->ops->hold(q->reply, ticket, gate->instead);
	return 0;
}

static int decide(const struct router *r, struct http_request *q)
{
	char list[HTTP_ALLOW_MAX];
	const struct router_gate *gate = NULL;
	const char *why = NULL;

	find(r, q, list);
	identify(r, q);
	if (!q->route)
		return refuse(q, list[0] ? ROUTER_BAD_METHOD : ROUTER_NOT_FOUND, list, 0);
	if (!principal_may(&q->who, q->route->right))
		return refuse(q, ROUTER_DENIED, q->route->denied, 0);
	if (q->route->flags & HTTP_ROUTE_CHANGES && r->ops)
		gate = r->ops->gate;
	if (gate)
		why = gate->closed(q->ctx);
	return why ? refuse(q, ROUTER_NO_CHANGE, why, 0) : run(q, gate);
}

int router_serve(const struct router *r, struct http_request *q)
{
	int rc;

	arena_init(&q->mem, r->mem_max ? r->mem_max : ROUTER_MEM_MAX);
	rc = decide(r, q);
	arena_fini(&q->mem);
	return rc;
}
