#include "hub/state/reach.h"
#include "base/text/text.h"

#include <errno.h>
#include <stdio.h>

static bool is_off(const char *text)
{
	return text && !strcmp(text, "off");
}

static int refuse(struct err_at *at, const char *flag, const char *text, const char *why)
{
	err_at_set(at, 0, 0, "--%s %s: %s", flag, text, why);
	return -ERR_BAD_VALUE;
}

static bool only_here(const char *host, struct ipaddr ip)
{
	size_t n = strlen(host);

	return ip.family ? ipaddr_is_loopback(ip)
			 : !strcmp(host, "localhost") ||
				   (n > 10 && !strcmp(host + n - 10, ".localhost"));
}

/* Where a listener goes that nobody placed: beside --listen, unless that is for a proxy on this machine only. */
static struct ipaddr beside(const struct reach_ask *ask)
{
	return ipaddr_is_loopback(ask->listen.ip) && !only_here(ask->url.host, ask->url.ip)
		       ? (struct ipaddr){ 0 }
		       : ask->listen.ip;
}

static struct reach_place at_url(const struct url *u, uint16_t port)
{
	struct reach_place p = { .ip = u->ip, .port = port };

	memcpy(p.host, u->host, sizeof(p.host));
	return p;
}

/* ---- The relay ---- */

/* Would the second of two listeners find its port taken by the first? */
static bool same_port(struct ipport a, struct ipport b)
{
	bool everywhere = !a.ip.family || !b.ip.family || ipaddr_is_unspecified(a.ip) ||
			  ipaddr_is_unspecified(b.ip);

	return a.port && a.port == b.port && (everywhere || ipaddr_eq(a.ip, b.ip));
}

static int relay_listener(const struct reach_ask *ask, struct reach *r, struct err_at *at)
{
	bool given = ask->relay_listen && !is_off(ask->relay_listen);

	if (given && hub_listen_parse(ask->relay_listen, &r->relay_listen) < 0)
		return refuse(at, "relay-listen", ask->relay_listen,
			"write it as ADDR:PORT or :PORT, or off");
	if (given && ask->own_cert && same_port(r->relay_listen, ask->listen)) {
		r->relay = REACH_RELAY_SHARED; /* it is there already */
	} else if (given) {
		r->relay = ask->own_cert ? REACH_RELAY_OWN_PORT : REACH_RELAY_PINNED;
	} else if (ask->own_cert || ask->url.https || ask->relay_url) {
		r->relay = REACH_RELAY_SHARED;
	} else if (!ask->relay_listen) {
		r->relay = REACH_RELAY_PINNED;
		r->relay_listen = (struct ipport){ .ip = beside(ask), .port = REACH_TLS_PORT };
		r->relay_any_port = true;
	}
	return 0;
}

static int relay_place(const struct reach_ask *ask, struct reach *r, struct err_at *at)
{
	struct url u;

	if (ask->relay_url) {
		if (hub_url_parse(ask->relay_url, &u) < 0 || !u.https)
			return refuse(at, "relay-url", ask->relay_url,
				"write it as https://HOST or https://HOST:PORT, or off");
		r->relay_at = at_url(&u, u.port);
	} else if (r->relay == REACH_RELAY_SHARED && ask->url.https) {
		r->relay_at = at_url(&ask->url,
			ask->url.port); /* it may be forwarded from there to another port of ours */
	} else if (r->relay != REACH_NO_RELAY) {
		r->relay_at = at_url(&ask->url, 0);
	}
	return 0;
}

static int decide_relay(const struct reach_ask *ask, struct reach *r, struct err_at *at)
{
	int rc;

	if (is_off(ask->relay_url)) {
		if (ask->relay_listen && !is_off(ask->relay_listen))
			return refuse(at, "relay-listen", ask->relay_listen,
				"there is no relay with --relay-url off");
		return 0;
	}
	rc = relay_listener(ask, r, at);
	return rc < 0 ? rc : relay_place(ask, r, at);
}

/* ---- STUN ---- */

/* "stun:HOST[:PORT]" (RFC 7064), or without the scheme. */
static int parse_stun(const char *text, struct reach_place *ret)
{
	char url[300];
	struct url u;

	if (!strncmp(text, "stun:", 5))
		text += 5;
	/* Its host and port are written as those of any URL. */
	if (snprintf(url, sizeof(url), "http://%s", text) >= (int)sizeof(url) ||
		hub_url_parse(url, &u) < 0 || strchr(text, '/'))
		return -ERR_BAD_VALUE;
	*ret = at_url(&u, u.port_given ? u.port : REACH_STUN_PORT);
	return 0;
}

static int stun_listener(const struct reach_ask *ask, struct reach *r, struct err_at *at)
{
	if (is_off(ask->stun_listen))
		return 0;
	if (ask->stun_listen) {
		if (hub_listen_parse(ask->stun_listen, &r->stun_listen) < 0)
			return refuse(at, "stun-listen", ask->stun_listen,
				"write it as ADDR:PORT or :PORT, or off");
		r->stun = true;
	} else if (r->relay != REACH_NO_RELAY && !is_off(ask->stun_url)) {
		r->stun_listen = (struct ipport){ .ip = beside(ask), .port = REACH_STUN_PORT };
		r->stun = r->stun_any_port = true;
	}
	return 0;
}

static int decide_stun(const struct reach_ask *ask, struct reach *r, struct err_at *at)
{
	int rc = stun_listener(ask, r, at);

	if (rc < 0 || is_off(ask->stun_url))
		return rc;
	if (!ask->stun_url) {
		if (r->stun)
			r->stun_at = at_url(&ask->url, 0);
		return 0;
	}
	if (parse_stun(ask->stun_url, &r->stun_at) < 0)
		return refuse(at, "stun-url", ask->stun_url,
			"write it as stun:HOST or stun:HOST:PORT, or off");
	r->stun_any_port = false; /* others forward to the port that the guide names */
	return 0;
}

int reach_decide(const struct reach_ask *ask, struct reach *ret, struct err_at *at)
{
	struct reach r = { 0 };
	int rc = decide_relay(ask, &r, at);

	if (rc == 0)
		rc = decide_stun(ask, &r, at);
	if (rc == 0)
		*ret = r;
	return rc;
}

bool reach_needs_help(const struct reach_place *p, struct ipport bound)
{
	return p->host[0] && ipaddr_is_loopback(bound.ip) && !only_here(p->host, p->ip);
}

/* ---- The map ---- */

/*
 * Official clients build a URL from the host's name without brackets, which fails for an IPv6 address: then it is a name that
 * nobody looks up, because the address stands beside it.
 */
static const char *name_of(
	const struct reach_place *p, const char *kind, const char *base_domain, struct arena *a)
{
	return p->ip.family == 6 ? arena_printf(a, "%s.%s", kind, base_domain)
				 : arena_strndup(a, p->host, strlen(p->host));
}

const char *reach_relay_name(const struct reach *r, const char *base_domain, struct arena *a)
{
	return name_of(&r->relay_at, "relay", base_domain, a);
}

static int set_host(struct tc_derp_node *n, const struct reach_place *p, const char *kind,
	const char *base_domain, struct arena *a)
{
	const char *host = arena_strndup(a, p->host, strlen(p->host));

	n->hostname = name_of(p, kind, base_domain, a);
	if (p->ip.family == 4) {
		n->ipv4 = host;
		n->ipv6 = "none";
	} else if (p->ip.family == 6) {
		n->ipv4 = "none";
		n->ipv6 = host;
	}
	return host && n->hostname ? 0 : -ENOMEM;
}

static bool is_at(const struct reach_place *p, const char *host)
{
	return text_ieq(p->host, strlen(p->host), host, strlen(host));
}

static int relay_node(const struct reach *r, const struct url *url, const struct reach_bound *b,
	bool unpinned, struct arena *a, struct tc_derp_node *ret)
{
	int64_t port = r->relay_at.port ? r->relay_at.port : b->relay_port;
	struct tc_derp_node n = { .name = "900a",
		.region_id = REACH_REGION,
		.derp_port = port == REACH_TLS_PORT ? 0 : port,
		.stun_port = -1,
		.can_port80 = b->plain_80 && r->relay_at.ip.family != 6 &&
			      is_at(&r->relay_at, url->host) };
	int rc = set_host(&n, &r->relay_at, "relay", b->base_domain, a);

	if (rc == 0 && unpinned)
		n.insecure_for_tests =
			true; /* what the relay carries is sealed between the devices anyway */
	else if (rc == 0 && b->pin[0])
		n.cert_name = b->pin;
	else if (rc == 0 && r->relay_at.ip.family == 6)
		n.cert_name = n.ipv6; /* the certificate is for the address */
	*ret = n;
	return rc;
}

static int stun_node(const struct reach *r, const struct reach_bound *b, struct arena *a,
	struct tc_derp_node nodes[static 2], size_t *n)
{
	int64_t port = r->stun_at.port ? r->stun_at.port : b->stun_port,
		told = port == REACH_STUN_PORT ? 0 : port;

	if (!r->stun_at.host[0])
		return 0;
	if (is_at(&r->stun_at, r->relay_at.host)) {
		nodes[0].stun_port = told;
		return 0;
	}
	nodes[1] = (struct tc_derp_node){
		.name = "900b", .region_id = REACH_REGION, .stun_only = true, .stun_port = told
	};
	*n = 2;
	return set_host(&nodes[1], &r->stun_at, "stun", b->base_domain, a);
}

int reach_map(const struct reach *r, const struct url *url, const struct reach_bound *b,
	bool unpinned, struct arena *a, struct tc_derp_map *ret)
{
	struct tc_derp_region *region = arena_new(a, struct tc_derp_region);
	struct tc_derp_node *nodes = arena_array(a, 2, sizeof(*nodes));
	struct json_pair *pair = arena_new(a, struct json_pair);
	size_t n = 1;
	int rc;

	if (!region || !nodes || !pair)
		return -ENOMEM;
	*ret = (struct tc_derp_map){ .regions = { .v = pair, .present = true },
		.omit_default_regions = true };
	if (r->relay == REACH_NO_RELAY)
		return 0;
	rc = relay_node(r, url, b, unpinned, a, &nodes[0]);
	if (rc == 0)
		rc = stun_node(r, b, a, nodes, &n);
	*region = (struct tc_derp_region){
		.id = REACH_REGION, .code = "hub", .name = "Hub", .nodes = json_list_of(nodes, n)
	};
	*pair = (struct json_pair){ .key = "900", .value = region };
	ret->regions.n = 1;
	return rc;
}

char *reach_format(const struct reach_place *p, uint16_t bound_port, char *out)
{
	const char *open = p->ip.family == 6 ? "[" : "", *close = p->ip.family == 6 ? "]" : "";

	*out = 0;
	if (p->host[0])
		snprintf(out, REACH_TEXT_MAX, "%s%s%s:%u", open, p->host, close,
			p->port ? p->port : bound_port);
	return out;
}
