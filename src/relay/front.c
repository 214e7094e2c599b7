#include "relay/front.h"
#include "relay/metrics.h"

#include <stdio.h>

static const char nosniff[] = "X-Content-Type-Options: nosniff\r\n",
		  plain[] = "text/plain; charset=utf-8";

int front_derp(struct relay *relay, struct http_request *q)
{
	int rc = relay_take(relay, httpd_stream(q->conn), q->head, q->rest);

	if (rc == 0)
		return HTTP_TAKEN;
	if (rc == -ERR_UNSUPPORTED)
		return http_reply_refuse_text(q->reply, 426, "DERP requires connection upgrade\n");
	return http_reply_refuse_text(q->reply, 503, "no room for another client\n");
}

/* The paths by which clients find out how far the relay is, and whether something stands between it and them. */

static int on_probe(struct http_request *q)
{
	return http_reply_send(
		q->reply, 200, NULL, "Access-Control-Allow-Origin: *\r\n", view_of("", 0));
}

static int on_204(struct http_request *q)
{
	char extra[RELAY_204_EXTRA_MAX];

	relay_204_extra(q->head, extra);
	return http_reply_send(q->reply, 204, NULL, extra, view_of("", 0));
}

static int refuse_probe(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	char allow[HTTP_ALLOW_MAX + 16];

	if (why != ROUTER_BAD_METHOD)
		return 0;
	snprintf(allow, sizeof(allow), "Allow: %s\r\n", detail);
	return http_reply_send(q->reply, 405, plain, allow, VIEW_LIT("bogus probe method\n"));
}

static const struct http_route probes[] = {
	{ NULL, "/generate_204", 0, .fn = on_204 },
	{ "GET", "/derp/probe", 0, .fn = on_probe },
	{ "GET", "/derp/latency-check", 0, .fn = on_probe },
};
static const struct router_ops probe_ops = { .refuse = refuse_probe };
const struct router front_probes = { ROUTER_TABLE(probes), .ops = &probe_ops };

/* A relay that stands alone */

static int on_derp(struct http_request *q)
{
	return front_derp(q->ctx, q);
}

static int on_metrics(struct http_request *q)
{
	struct buf b;
	int rc;

	buf_init(&b, FRONT_ANSWER_MAX / 2);
	rc = relay_metrics(q->ctx, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, 200, "text/plain; version=0.0.4; charset=utf-8",
			nosniff, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int on_robots(struct http_request *q)
{
	return http_reply_send(
		q->reply, 200, plain, nosniff, VIEW_LIT("User-agent: *\nDisallow: /\n"));
}

static int on_page(struct http_request *q)
{
	return http_reply_send(q->reply, 200, "text/html; charset=utf-8", nosniff,
		VIEW_LIT(
			"<!doctype html><title>DERP</title><h1>DERP</h1><p>This is a relay for encrypted packets between the "
			"devices of a private network.</p>\n"));
}

static int refuse_body(struct http_request *q)
{
	if (q->body.len)
		return http_reply_refuse_text(q->reply, 413, "request body is not expected\n");
	return q->route->fn(q);
}

static const struct http_route derp[] = {
	{ NULL, "/derp", 0, .fn = on_derp },
};
static const struct router derp_table = { ROUTER_TABLE(derp) };

static const struct http_route pages[] = {
	{ NULL, "/metrics", 0, .fn = on_metrics },
	{ NULL, "/robots.txt", 0, .fn = on_robots },
	{ NULL, "{path...}", 0, .fn = on_page },
};
static const struct router_ops page_ops = { .around = refuse_body };
static const struct router page_table = { ROUTER_TABLE(pages), .ops = &page_ops };

static const struct router *const tables[] = { &derp_table, &front_probes, &page_table };

int front_new(struct httpd **ret, struct loop *loop, struct ledger *ledger, struct relay *relay,
	const struct forwarded_trust *proxies, bool proxy_protocol)
{
	struct httpd_cfg cfg = { .loop = loop,
		.ledger = ledger,
		.conns_max = FRONT_CONNS_MAX,
		.answer_max = FRONT_ANSWER_MAX,
		.tables = tables,
		.n_tables = ARRAY_LEN(tables),
		.ctx = relay,
		.proxies = proxies,
		.proxy_protocol = proxy_protocol };

	return httpd_new(ret, &cfg);
}
