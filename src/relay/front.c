#include "relay/front.h"
#include "relay/metrics.h"

int front_derp(struct relay *relay, struct httpd_conn *c, const struct httpd_request *r)
{
	int rc = relay_take(relay, httpd_stream(c), r->head, r->rest);

	if (rc == 0)
		return HTTPD_TAKEN;
	if (rc == -ERR_UNSUPPORTED)
		return httpd_refuse(c, 426, "DERP requires connection upgrade\n");
	return httpd_refuse(c, 503, "no room for another client\n");
}

static int on_metrics(const struct relay *relay, struct httpd_conn *c, const char *extra)
{
	struct buf b;
	int rc;

	buf_init(&b, FRONT_ANSWER_MAX / 2);
	rc = relay_metrics(relay, &b);
	if (rc == 0)
		rc = httpd_answer(
			c, 200, "text/plain; version=0.0.4; charset=utf-8", extra, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_request(void *ctx, struct httpd_conn *c, const struct httpd_request *r)
{
	static const char nosniff[] = "X-Content-Type-Options: nosniff\r\n";

	if (relay_wants(r->head))
		return front_derp(ctx, c, r);
	if (relay_http(r->head, httpd_out(c)))
		return 0;
	if (r->body.len)
		return httpd_refuse(c, 413, "request body is not expected\n");
	if (view_eq(http1_path(r->head), VIEW_LIT("/metrics")))
		return on_metrics(ctx, c, nosniff);
	if (view_eq(http1_path(r->head), VIEW_LIT("/robots.txt")))
		return httpd_answer(c, 200, "text/plain; charset=utf-8", nosniff,
			VIEW_LIT("User-agent: *\nDisallow: /\n"));
	return httpd_answer(c, 200, "text/html; charset=utf-8", nosniff,
		VIEW_LIT(
			"<!doctype html><title>DERP</title><h1>DERP</h1><p>This is a relay for encrypted packets between the "
			"devices of a private network.</p>\n"));
}

int front_new(struct httpd **ret, struct loop *loop, struct ledger *ledger, struct relay *relay,
	const struct forwarded_trust *proxies, bool proxy_protocol)
{
	struct httpd_cfg cfg = { .loop = loop,
		.ledger = ledger,
		.conns_max = FRONT_CONNS_MAX,
		.answer_max = FRONT_ANSWER_MAX,
		.on_request = on_request,
		.ctx = relay,
		.proxies = proxies,
		.proxy_protocol = proxy_protocol };

	return httpd_new(ret, &cfg);
}
