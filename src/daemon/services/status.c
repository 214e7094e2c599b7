#include "daemon/services/status.h"
#include "localapi/server/request.h"

static int status(struct http_request *q)
{
	const struct facts *f = q->ctx;
	const char *peers = lapi_param(q, "peers");
	struct ipn_status s = { 0 };
	int rc = f->ops->status(
		f->owner, strcmp(peers, "false") != 0 && strcmp(peers, "0") != 0, &q->mem, &s);

	if (rc < 0)
		return rc;
	s.version = f->version;
	json_map_sort(&s.peer);
	json_map_sort(&s.user);
	return lapi_send_json(q->reply, 200, &ipn_status_type, &s, JSON_TABS);
}

static const struct http_route routes[] = {
	{ NULL, "/status", 0, .fn = status },
};
static const struct router table = LAPI_TABLE(routes);
const struct service status_service = { .name = "status", .routes = &table };
