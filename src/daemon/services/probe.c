#include "daemon/services/probe.h"
#include "base/text/text.h"
#include "localapi/server/request.h"

#include <errno.h>
#include <stdlib.h>

struct probe_call {
	const struct probe_service *s;
	struct http_reply *reply;
};

/* ---- Calls ---- */

static void on_gone(void *ctx)
{
	struct probe_call *call = ctx;

	call->s->ops->cancel(call->s->owner, call);
	free(call);
}

/* NULL: no memory. */
static struct probe_call *call_new(struct http_request *q)
{
	struct probe_call *call = calloc(1, sizeof(*call));

	if (!call)
		return NULL;
	*call = (struct probe_call){ .s = q->ctx, .reply = q->reply };
	http_reply_later(q->reply, on_gone, call);
	return call;
}

static void call_done(struct probe_call *call, const struct json_type *t, const void *result)
{
	struct http_reply *r = call->reply;

	/* From here on nobody is to be told that the connection is gone. */
	r->on_gone = NULL;
	free(call);
	if (lapi_send_json(r, 200, t, result, JSON_LINE) < 0 && lapi_send_fault(r, -ENOMEM) < 0)
		return; /* its client gives up */
}

void probe_ping_done(struct probe_call *call, const struct ipn_ping_result *r)
{
	call_done(call, &ipn_ping_result_type, r);
}

void probe_netcheck_done(struct probe_call *call, const struct ipn_netcheck *r)
{
	call_done(call, &ipn_netcheck_type, r);
}

/* ---- Requests ---- */

struct wanted {
	struct ipaddr ip;
	enum ipn_ping_type type;
	uint64_t size;
};

/* False: it is answered with 400; *rc is for the handler. */
static bool read_ping(struct http_request *q, struct wanted *w, int *rc)
{
	const char *ip = lapi_param(q, "ip"), *type = lapi_param(q, "type"),
		   *size = lapi_param(q, "size"), *wrong = NULL;

	*w = (struct wanted){ 0 };
	if (!*ip)
		wrong = "missing 'ip' parameter";
	else if (ipaddr_parse(ip, strlen(ip), &w->ip) < 0)
		wrong = "invalid IP";
	else if (!*type)
		wrong = "missing 'type' parameter";
	else if (*size && text_u64(size, strlen(size), INT32_MAX, &w->size) < 0)
		wrong = "invalid 'size' parameter";
	else if (ipn_ping_type_parse(type, &w->type) < 0)
		wrong = arena_printf(&q->mem, "unknown ping type \"%s\"", type);
	else if (w->size && w->type != IPN_PING_DISCO)
		wrong = "'size' parameter is only supported with disco pings";
	else if (w->size > IPN_PING_SIZE_MAX)
		wrong = arena_printf(&q->mem, "maximum value for 'size' is %d", IPN_PING_SIZE_MAX);
	else
		return true;
	*rc = wrong ? lapi_send_text(q->reply, 400, "%s", wrong) : -ENOMEM;
	return false;
}

static int ping(struct http_request *q)
{
	const struct probe_service *s = q->ctx;
	struct probe_call *call;
	struct wanted w;
	int rc;

	if (!read_ping(q, &w, &rc))
		return rc;
	if (!lapi_may_work(q, 1))
		return lapi_send_text(q->reply, 429, "too many pings; wait a moment");
	call = call_new(q);
	if (!call)
		return -ENOMEM;
	s->ops->ping(s->owner, w.ip, w.type, (size_t)w.size, call);
	return 0;
}

static int netcheck(struct http_request *q)
{
	const struct probe_service *s = q->ctx;
	struct probe_call *call;

	if (!lapi_may_work(q, 20))
		return lapi_send_text(q->reply, 429, "too many reports; wait a moment");
	call = call_new(q);
	if (!call)
		return -ENOMEM;
	s->ops->netcheck(s->owner, call);
	return 0;
}

static const struct http_route routes[] = {
	{ "POST", "/ping", 0, .fn = ping },
	{ NULL, "/ping", 0, .fn = lapi_want_post },
	{ NULL, "/warren/netcheck", 0, .fn = netcheck },
};
static const struct router table = LAPI_TABLE(routes);
const struct service probe_service = { .name = "probe", .routes = &table };
