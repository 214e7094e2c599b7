/* Sockets and certificates, and the relay map that tells devices of them. */
#include "base/text/text.h"
#include "hub/admin/admin.h"
#include "hub/admin/admin_json.h"
#include "hub/api/api.h"
#include "hub/console/console.h"
#include "hub/internal.h"
#include "hub/web/web.h"
#include "os/file/file.h"
#include "os/log/log.h"
#include "os/stream/tls.h"
#include "relay/front.h"

#include <errno.h>
#include <stdio.h>

static struct ipport unspecified(struct ipport a)
{
	return (struct ipport){ .ip = a.ip.family ? a.ip : ipaddr_from16((const uint8_t[16]){ 0 }),
		.port = a.port };
}

/* ":PORT" is every address of both families, or of IPv4 where the kernel has no IPv6. */
static int listen_tcp(struct hub *h, struct ipport addr, struct tls_ctx *tls, struct ipport *ret)
{
	int rc = httpd_listen(h->web, unspecified(addr), tls, ret);

	if (rc < 0 && !addr.ip.family && (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)) {
		addr.ip = ipaddr_v4(0, 0, 0, 0);
		rc = httpd_listen(h->web, addr, tls, ret);
	}
	return rc;
}

static bool can_try_next(int rc)
{
	return rc == -EADDRINUSE || rc == -EACCES || rc == -EPERM;
}

static int parse(const char *flag, const char *text, struct ipport *ret, struct err_at *at)
{
	int rc = hub_listen_parse(text, ret);

	if (rc < 0)
		err_at_set(at, 0, 0, "--%s %s: write it as ADDR:PORT or :PORT", flag, text);
	return rc;
}

/* Where the socket goes: others have theirs there, too, so they may pass. */
static int make_socket_dir(const char *socket)
{
	char dir[4096];
	char *slash;

	if (snprintf(dir, sizeof(dir), "%s", socket) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	slash = strrchr(dir, '/');
	if (!slash || slash == dir)
		return 0;
	*slash = 0;
	return file_make_dir(dir, 0755);
}

static int trust_proxies(struct hub *h, struct err_at *at)
{
	const char *list = h->o->trusted_proxy;
	int rc = list ? forwarded_trust_add(&h->proxies, list) : 0;

	if (rc < 0)
		err_at_set(at, 0, 0, "--trusted-proxy %s: %s", list,
			rc == -ERR_TOO_MANY
				? "more than we keep; give prefixes"
				: "write addresses and prefixes as 127.0.0.1,10.0.0.0/8");
	if (rc == 0 && h->o->proxy_protocol && !list) {
		err_at_set(at, 0, 0, "--proxy-protocol needs --trusted-proxy: from whom");
		rc = -ERR_BAD_VALUE;
	}
	return rc;
}

const struct router *const hub_web_tables[HUB_WEB_TABLES] = { &web_devices, &api_table,
	&front_probes, &console_live, &admin_browser_table, &console_files, &web_pages };

/* Two servers without a listener yet: for everybody, and for root on this machine. */
static int make_servers(struct hub *h)
{
	static const struct router *const admin_tables[] = { &admin_table };
	struct httpd_cfg web = { .loop = h->loop,
		.ledger = h->ledger,
		.conns_max = HUB_CONNS_MAX,
		.answer_max = HUB_PAGE_MAX,
		.tables = hub_web_tables,
		.n_tables = HUB_WEB_TABLES,
		.ctx = h,
		.proxies = h->o->trusted_proxy ? &h->proxies : NULL,
		.proxy_protocol = h->o->proxy_protocol };
	struct httpd_cfg admin = { .loop = h->loop,
		.ledger = h->ledger,
		.conns_max = HUB_ADMIN_CONNS_MAX,
		.answer_max = ADMIN_ANSWER_MAX,
		.tables = admin_tables,
		.n_tables = ARRAY_LEN(admin_tables),
		.ctx = h };
	int rc = httpd_new(&h->web, &web);

	return rc < 0 ? rc : httpd_new(&h->admin, &admin);
}

static int listen_web(struct hub *h, struct err_at *at)
{
	struct ipport addr;
	int rc = trust_proxies(h, at);

	if (rc == 0)
		rc = parse("listen", h->o->listen, &addr, at);
	if (rc == 0 && !h->o->tls_cert != !h->o->tls_key) {
		err_at_set(at, 0, 0, "--tls-cert and --tls-key belong together");
		rc = -ERR_BAD_VALUE;
	}
	if (rc == 0 && h->o->tls_cert)
		rc = tls_server_new(&h->tls, h->o->tls_cert, h->o->tls_key, at);
	if (rc == 0 && h->tls)
		rc = relay_add_key(h->relay, h->tls);
	if (rc < 0)
		return rc;
	rc = make_servers(h);
	if (rc == 0)
		rc = listen_tcp(h, addr, h->tls, &h->web_addr);
	if (rc < 0) {
		err_at_set(at, 0, 0, "cannot listen on %s: %s; --listen names another address",
			h->o->listen, err_text(rc));
		return rc;
	}
	if (h->o->http_listen) {
		rc = parse("http-listen", h->o->http_listen, &addr, at);
		if (rc == 0)
			rc = listen_tcp(h, addr, NULL, &h->http_addr);
		if (rc < 0) {
			if (!at->text[0])
				err_at_set(at, 0, 0, "cannot listen on %s: %s", h->o->http_listen,
					err_text(rc));
			return rc;
		}
	}
	rc = make_socket_dir(h->o->socket);
	if (rc == 0)
		rc = httpd_listen_unix(h->admin, h->o->socket, 0600);
	if (rc < 0)
		err_at_set(at, 0, 0, "cannot listen on %s: %s; %s", h->o->socket, err_text(rc),
			rc == -EADDRINUSE ? "is a hub running already?"
					  : "--socket names another file");
	return rc;
}

/* A certificate of the relay's own, and its hash for the map. */
static int make_pinned(struct hub *h, struct err_at *at)
{
	const char *name = reach_relay_name(&h->reach, h->o->base_domain, &h->mem);
	char path[4096], hex[65];
	uint8_t hash[32];
	int rc;

	snprintf(path, sizeof(path), "%s/relay.pem", h->o->state_dir);
	rc = name ? tls_server_self_made(&h->relay_tls, path, name, at) : -ENOMEM;
	if (rc == 0)
		rc = tls_cert_hash(h->relay_tls, hash);
	if (rc == 0)
		rc = relay_add_key(h->relay, h->relay_tls);
	if (rc < 0)
		return rc;
	hex_encode(hash, sizeof(hash), hex);
	snprintf(h->pin, sizeof(h->pin), "sha256-raw:%s", hex);
	return 0;
}

/* A TLS port of the relay's own. */
static int listen_relay(struct hub *h, struct err_at *at)
{
	static const uint16_t others[] = { 8443, 0 }; /* the last: any that is free */
	struct tls_ctx *tls = h->reach.relay == REACH_RELAY_PINNED ? h->relay_tls : h->tls;
	struct ipport addr = h->reach.relay_listen;
	int rc = listen_tcp(h, addr, tls, &h->relay_addr);

	for (size_t i = 0; i < ARRAY_LEN(others) && h->reach.relay_any_port && can_try_next(rc);
		i++) {
		addr.port = others[i];
		rc = listen_tcp(h, addr, tls, &h->relay_addr);
	}
	if (rc < 0)
		err_at_set(at, 0, 0,
			"cannot open the relay's TLS port: %s; --relay-listen names another address",
			err_text(rc));
	return rc;
}

static int open_relay_port(struct hub *h, struct err_at *at)
{
	int rc = 0;

	switch (h->reach.relay) {
	case REACH_NO_RELAY:
		log_warn("hub",
			"devices are told of no relay: those without a direct path to each other do not connect",
			NULL);
		return 0;
	case REACH_RELAY_SHARED:
		h->relay_addr = h->web_addr;
		return 0;
	case REACH_RELAY_PINNED:
		rc = make_pinned(h, at);
		break;
	case REACH_RELAY_OWN_PORT:
		break;
	}
	return rc < 0 ? rc : listen_relay(h, at);
}

static int listen_stun(struct hub *h, struct err_at *at)
{
	struct ipport addr = h->reach.stun_listen;
	int rc = relay_stun_listen(h->relay, addr, &h->stun_addr);

	if (h->reach.stun_any_port && can_try_next(rc)) {
		addr.port = 0;
		rc = relay_stun_listen(h->relay, addr, &h->stun_addr);
	}
	if (rc < 0)
		err_at_set(at, 0, 0,
			"cannot listen for STUN (UDP): %s; --stun-listen names another address",
			err_text(rc));
	return rc;
}

/* That a proxy for HTTP stands in front says nothing of other ports. */
static void tell_of_loopback(const char *what, const struct reach_place *p, struct ipport bound)
{
	char on[IPPORT_TEXT_MAX], told[REACH_TEXT_MAX];

	if (reach_needs_help(p, bound))
		log_warn("hub",
			"listens on loopback only, and devices are told of another place: something has to pass it on",
			"what=%s on=%s told=%s", what, ipport_format(bound, on),
			reach_format(p, bound.port, told));
}

static bool plain_80(const struct hub *h)
{
	bool by_url =
		!h->url.https && h->url.port == 80; /* also when something in front listens there */
	bool web = !h->tls && h->web_addr.port == 80 && !ipaddr_is_loopback(h->web_addr.ip);
	bool http = h->http_addr.port == 80 && !ipaddr_is_loopback(h->http_addr.ip);

	return by_url || web || http;
}

static int make_maps(struct hub *h)
{
	struct reach_bound b = { .relay_port = h->relay_addr.port,
		.stun_port = h->stun_addr.port,
		.plain_80 = plain_80(h),
		.pin = h->pin,
		.base_domain = h->o->base_domain };
	int rc = reach_map(&h->reach, &h->url, &b, false, &h->mem, &h->derp_map);

	return rc < 0 ? rc
		      : reach_map(&h->reach, &h->url, &b, true, &h->mem, &h->derp_map_unpinned);
}

static int decide(struct hub *h, struct err_at *at)
{
	struct reach_ask ask = { .url = h->url,
		.own_cert = h->o->tls_cert,
		.relay_listen = h->o->relay_listen,
		.relay_url = h->o->relay_url,
		.stun_listen = h->o->stun_listen,
		.stun_url = h->o->stun_url };
	int rc = parse("listen", h->o->listen, &ask.listen, at);

	return rc < 0 ? rc : reach_decide(&ask, &h->reach, at);
}

int hub_listen(struct hub *h, struct err_at *at)
{
	int rc = decide(h, at);

	if (rc == 0)
		rc = listen_web(h, at);
	if (rc == 0)
		rc = open_relay_port(h, at);
	if (rc == 0 && h->reach.stun)
		rc = listen_stun(h, at);
	if (rc < 0)
		return rc;
	if (h->reach.relay != REACH_RELAY_SHARED)
		tell_of_loopback("relay", &h->reach.relay_at, h->relay_addr);
	if (h->reach.stun)
		tell_of_loopback("STUN", &h->reach.stun_at, h->stun_addr);
	return make_maps(h);
}
