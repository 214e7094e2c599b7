#include "daemon/services/serve.h"
#include "localapi/server/request.h"

/* The tag is the SHA-256 of "null", as the original's. */
static int get_config(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "application/json",
		"Etag: 74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b\r\n",
		VIEW_LIT("null"));
}

static int set_config(struct http_request *q)
{
	return lapi_send_json_error(
		q->reply, 500, "error", "updating config: this build cannot serve");
}

static int not_allowed(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "method not allowed");
}

static const struct http_route routes[] = {
	{ "GET", "/serve-config", 0, .fn = get_config },
	{ "POST", "/serve-config", LAPI_WRITE, .fn = set_config, .denied = "serve config denied" },
	{ NULL, "/serve-config", 0, .fn = not_allowed },
};
static const struct router table = LAPI_TABLE(routes);
const struct service serve_service = { .name = "serve", .routes = &table };
