#include "http/router/match.h"

struct view http_request_param(const struct http_request *q, const char *name)
{
	for (size_t i = 0; i < q->n_params; i++)
		if (view_eq(q->param[i].name, view_of(name, strlen(name))))
			return q->param[i].value;
	return view_of("", 0);
}

const char *http_request_text(
	const struct http_request *q, const char *name, char *out, size_t size)
{
	if (http1_unescape(http_request_param(q, name), false, out, size) < 0)
		out[0] = 0;
	return out;
}

int64_t http_request_int(const struct http_request *q, const char *name)
{
	return match_int(http_request_param(q, name));
}

bool http_request_is(const struct http_request *q, const char *method)
{
	return view_eq(q->method, view_of(method, strlen(method)));
}

bool http_request_query(const struct http_request *q, const char *name, char *out, size_t size)
{
	struct view v = q->head ? http1_query(q->head, name) : view_of("", 0);

	return v.len && http1_unescape(v, true, out, size) == 0;
}

bool http_request_form(const struct http_request *q, const char *name, char *out, size_t size)
{
	struct view v;

	return http1_form(q->body, name, &v) && http1_unescape(v, true, out, size) == 0;
}

void http_request_read(struct http_request *q, const struct http_sink *sink, void *ctx)
{
	q->sink = sink;
	q->sink_ctx = ctx;
}
