/*
 * Any path and method against patterns of every kind, and against a pattern that is the input's own: one answer each, a number that is
 * one, and values that lie within the path. The input is "METHOD\nPATH\nPATTERN".
 */
#include "http/router/match.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static struct http_request *now;
static int answers;

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void check_params(const struct http_param *p, size_t n, struct view path)
{
	check(n <= HTTP_PARAMS_MAX);
	for (size_t i = 0; i < n; i++)
		check(p[i].value.p >= path.p && p[i].value.p + p[i].value.len <= path.p + path.len);
}

static int send(struct http_reply *r, const struct http_answer *a, struct view body)
{
	answers++;
	return 0;
}

static int serve(struct http_request *q)
{
	char text[32];

	check(q == now);
	check_params(q->param, q->n_params, q->path);
	check(!http_request_param(q, "id").len || http_request_int(q, "id") >= 0);
	check(strlen(http_request_text(q, "name", text, sizeof(text))) < sizeof(text));
	return http_reply_send(q->reply, 200, NULL, "", view_of("", 0));
}

static const struct http_route routes[] = {
	{ "GET", "/", 0, .fn = serve },
	{ "GET", "/a/{id:int}", 0, .fn = serve, .flags = HTTP_ROUTE_SLASH },
	{ "POST", "/a/{id:int}/b/{name}", 0, .fn = serve, .flags = HTTP_ROUTE_CHANGES },
	{ NULL, "/{name}/x", 1, .fn = serve },
	{ "PUT", "/f/{name...}", 0, .fn = serve, .body_max = 10 },
};
static const struct router table = { ROUTER_TABLE(routes) };

static struct view line(const uint8_t **data, size_t *len)
{
	const uint8_t *nl = *len ? memchr(*data, '\n', *len) : NULL;
	struct view v = view_of(*data, nl ? (size_t)(nl - *data) : *len);
	size_t used = v.len + (nl != NULL);

	*data += used;
	*len -= used;
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct http_reply_ops ops = { .send = send };
	struct http_param param[HTTP_PARAMS_MAX];
	struct http_reply reply;
	struct http_request q = { .reply = &reply };
	char pattern[128];
	size_t n;

	q.method = line(&data, &len);
	q.path = line(&data, &len);
	http_reply_init(&reply, &ops, NULL);
	now = &q;
	answers = 0;
	(void)router_limits(&table, &q);
	check(router_serve(&table, &q) == 0 && answers == 1);
	n = len < sizeof(pattern) - 2 ? len : sizeof(pattern) - 2;
	memcpy(pattern, data, n);
	/* A pattern is ours: its braces are closed. */
	pattern[n] = 0;
	if (strrchr(pattern, '{') && !strchr(strrchr(pattern, '{'), '}'))
		memcpy(pattern + strlen(pattern), "}", 2);
	if (match_path(pattern, q.path, len & 1, param, &n))
		check_params(param, n, q.path);
	return 0;
}
