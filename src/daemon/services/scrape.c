#include "daemon/services/scrape.h"
#include "localapi/server/request.h"

enum { METRICS_MAX = 4 << 20 };

static int send(struct http_request *q, int (*fill)(void *, struct buf *), const char *content_type)
{
	const struct scrape_service *s = q->ctx;
	struct buf out;
	int rc;

	buf_init(&out, METRICS_MAX);
	rc = fill(s->owner, &out);
	if (rc == 0)
		rc = lapi_send_body(q->reply, content_type, buf_view(&out));
	buf_fini(&out);
	return rc;
}

static int usermetrics(struct http_request *q)
{
	return send(q, ((const struct scrape_service *)q->ctx)->user,
		"text/plain;version=0.0.4;charset=utf-8");
}

static int metrics(struct http_request *q)
{
	return send(q, ((const struct scrape_service *)q->ctx)->all, "text/plain");
}

static const struct http_route routes[] = {
	{ NULL, "/usermetrics", 0, .fn = usermetrics },
	{ NULL, "/metrics", LAPI_WRITE, .fn = metrics, .denied = "metric access denied" },
};
static const struct router table = LAPI_TABLE(routes);
const struct service scrape_service = { .name = "scrape", .routes = &table };
