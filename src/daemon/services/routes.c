#include "daemon/services/routes.h"
#include "localapi/server/request.h"

static int get(struct http_request *q)
{
	const struct routes_service *s = q->ctx;
	struct json_list list;
	int rc = s->routes(s->owner, &q->mem, &list);

	return rc < 0 ? rc : lapi_send_json(q->reply, 200, &ipn_route_list, &list, JSON_TABS);
}

static const struct http_route routes[] = {
	{ "GET", "/warren/routes", 0, .fn = get },
	{ NULL, "/warren/routes", 0, .fn = lapi_want_get },
};
static const struct router table = LAPI_TABLE(routes);
const struct service routes_service = { .name = "routes", .routes = &table };
