#include "daemon/services/routes.h"
#include "localapi/server/request.h"

static int get(struct http_request *q)
{
	const struct routes_service *s = q->ctx;
	struct json_list list;
	int rc = s->routes(s->owner, &q->mem, &list);

	return rc < 0 ? rc : lapi_send_json(q->reply, 200, &ipn_route_list, &list, JSON_TABS);
}

static int suggest_exit(struct http_request *q)
{
	const struct routes_service *s = q->ctx;
	const struct tc_node *n;
	struct ipn_suggestion doc = { .id = "", .name = "" };
	int rc = s->suggest_exit(s->owner, &q->mem, &n);

	if (rc == -ERR_BAD_STATE)
		return lapi_send_json_error(
			q->reply, 500, "error", "no preferred DERP, try again later");
	if (rc < 0)
		return rc;
	if (n)
		doc = (struct ipn_suggestion){ n->stable_id, n->name ? n->name : "",
			n->hostinfo ? n->hostinfo->location : NULL };
	return lapi_send_json(q->reply, 200, &ipn_suggestion_type, &doc, JSON_LINE);
}

static const struct http_route routes[] = {
	{ "GET", "/suggest-exit-node", 0, .fn = suggest_exit },
	{ "POST", "/suggest-exit-node", 0, .fn = suggest_exit },
	{ "GET", "/warren/routes", 0, .fn = get },
	{ NULL, "/warren/routes", 0, .fn = lapi_want_get },
};
static const struct router table = LAPI_TABLE(routes);
const struct service routes_service = { .name = "routes", .routes = &table };
