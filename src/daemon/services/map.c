#include "daemon/services/map.h"
#include "daemon/services/shown.h"
#include "localapi/server/request.h"

static const struct netmap *map_of(const struct http_request *q)
{
	const struct facts *f = q->ctx;

	return f->ops->netmap(f->owner);
}

static int derpmap(struct http_request *q)
{
	const struct netmap *nm = map_of(q);
	const struct tc_derp_map *m = nm ? netmap_derp_map(nm) : NULL;

	if (!m)
		return lapi_send_body(q->reply, "application/json", VIEW_LIT("null\n"));
	return lapi_send_json(q->reply, 200, &tc_derp_map_type, m, JSON_TABS);
}

static int dns_config(struct http_request *q)
{
	static const struct tc_dns_config none;
	const struct netmap *nm = map_of(q);
	const struct tc_dns_config *c = nm ? netmap_dns(nm) : NULL;

	if (!nm)
		return lapi_send_text(q->reply, 503, "no netmap");
	return lapi_send_json(q->reply, 200, &tc_dns_config_type, c ? c : &none, JSON_TABS);
}

static int cert_domains(struct http_request *q)
{
	const struct netmap *nm = map_of(q);
	const struct tc_dns_config *c = nm ? netmap_dns(nm) : NULL;
	struct json_list none = { 0 };

	return lapi_send_json(q->reply, 200, &json_str_list,
		c && c->cert_domains.n ? &c->cert_domains : &none, JSON_LINE);
}

static int services(struct http_request *q)
{
	if (!map_of(q))
		return lapi_send_text(q->reply, 503, "no netmap");
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{}\n"));
}

static JSON_LIST_TYPE(rule_list, tc_filter_rule_type);

static int packet_filter_rules(struct http_request *q)
{
	const struct netmap *nm = map_of(q);
	struct json_list rules = { .present = true };
	int rc = nm ? shown_filter_rules(nm, &q->mem, &rules) : 0;

	if (!nm)
		return lapi_send_text(q->reply, 404, "no netmap");
	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &rule_list, &rules, JSON_TABS);
}

/* HEAD is not served where the original wants GET. */
static const struct http_route routes[] = {
	{ "HEAD", "/derpmap", 0, .fn = lapi_want_get },
	{ "GET", "/derpmap", 0, .fn = derpmap },
	{ NULL, "/derpmap", 0, .fn = lapi_want_get },
	{ NULL, "/dns-config", 0, .fn = dns_config },
	{ NULL, "/cert-domains", 0, .fn = cert_domains },
	{ NULL, "/services", 0, .fn = services },
	{ NULL, "/debug-packet-filter-rules", LAPI_WRITE, .fn = packet_filter_rules,
		.denied = "debug access denied" },
};
static const struct router table = LAPI_TABLE(routes);
const struct service map_service = { .name = "map", .routes = &table };
