/* Sockets and certificates, and the relay map that tells devices of them. */
#include "base/text/text.h"
#include "hub/api.h"
#include "hub/internal.h"
#include "os/stream/tls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

static struct ipport unspecified(struct ipport a)
{
	return (struct ipport){ .ip = a.ip.family ? a.ip : ipaddr_from16((const uint8_t[16]){ 0 }), .port = a.port };
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
	int rc = listen_parse(text, ret);

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
	if (mkdir(dir, 0755) == 0)
		return chmod(dir, 0755) == 0 ? 0 : -errno;
	return errno == EEXIST ? 0 : -errno;
}

static int listen_web(struct hub *h, struct err_at *at)
{
	struct httpd_cfg web = { .loop = h->loop, .conns_max = HUB_CONNS_MAX, .answer_max = HUB_PAGE_MAX,
		.on_request = web_on_request, .raise = api_raise, .ctx = h };
	struct httpd_cfg admin = { .loop = h->loop, .conns_max = HUB_ADMIN_CONNS_MAX, .answer_max = HUB_ANSWER_MAX,
		.on_request = admin_on_request, .raise = admin_raise, .ctx = h };
	struct ipport addr;
	int rc = parse("listen", h->o->listen, &addr, at);

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
	rc = httpd_new(&h->web, &web);
	if (rc == 0)
		rc = httpd_new(&h->admin, &admin);
	if (rc == 0)
		rc = listen_tcp(h, addr, h->tls, &h->web_addr);
	if (rc < 0) {
		err_at_set(at, 0, 0, "cannot listen on %s: %s; --listen names another address", h->o->listen, err_text(rc));
		return rc;
	}
	if (h->o->http_listen) {
		rc = parse("http-listen", h->o->http_listen, &addr, at);
		if (rc == 0)
			rc = listen_tcp(h, addr, NULL, &h->http_addr);
		if (rc < 0) {
			if (!at->text[0])
				err_at_set(at, 0, 0, "cannot listen on %s: %s", h->o->http_listen, err_text(rc));
			return rc;
		}
	}
	rc = make_socket_dir(h->o->socket);
	if (rc == 0)
		rc = httpd_listen_unix(h->admin, h->o->socket, 0600);
	if (rc < 0)
		err_at_set(at, 0, 0, "cannot listen on %s: %s; %s", h->o->socket, err_text(rc),
			rc == -EADDRINUSE ? "is a hub running already?" : "--socket names another file");
	return rc;
}

/*
 * The relay's name in the map. Official clients build a URL from it without brackets, which fails for an IPv6 address: then
 * it is a name that nobody looks up, because the address stands beside it.
 */
static const char *relay_name(struct hub *h)
{
	const char *name = h->url.host;

	if (h->url.ip.family == 6)
		name = arena_printf(&h->mem, "relay.%s", h->o->base_domain);
	return name ? name : "relay";
}

/* The relay of a hub without a certificate: TLS with one of its own, which the map pins. */
static int listen_relay(struct hub *h, struct err_at *at)
{
	static const uint16_t ports[] = { 443, 8443, 0 }; /* the last: any that is free */
	char path[4096], hex[65];
	uint8_t hash[32];
	struct ipport addr = { .ip = h->web_addr.ip };
	int rc;

	snprintf(path, sizeof(path), "%s/relay.pem", h->o->state_dir);
	rc = tls_server_self_made(&h->relay_tls, path, relay_name(h), at);
	if (rc == 0)
		rc = tls_cert_hash(h->relay_tls, hash);
	if (rc == 0)
		rc = relay_add_key(h->relay, h->relay_tls);
	if (rc < 0)
		return rc;
	hex_encode(hash, sizeof(hash), hex);
	snprintf(h->pin, sizeof(h->pin), "sha256-raw:%s", hex);
	if (h->o->relay_listen) {
		rc = parse("relay-listen", h->o->relay_listen, &addr, at);
		if (rc == 0)
			rc = listen_tcp(h, addr, h->relay_tls, &h->relay_addr);
	} else {
		rc = -EADDRINUSE;
		for (size_t i = 0; i < ARRAY_LEN(ports) && can_try_next(rc); i++) {
			addr.port = ports[i];
			rc = listen_tcp(h, addr, h->relay_tls, &h->relay_addr);
		}
	}
	if (rc < 0 && !at->text[0])
		err_at_set(at, 0, 0, "cannot open the relay's TLS port: %s; --relay-listen names another address", err_text(rc));
	return rc;
}

static int listen_stun(struct hub *h, struct err_at *at)
{
	struct ipport addr = { .ip = h->web_addr.ip, .port = 3478 };
	int rc;

	if (h->o->stun_listen) {
		rc = parse("stun-listen", h->o->stun_listen, &addr, at);
		if (rc < 0)
			return rc;
	}
	rc = relay_stun_listen(h->relay, addr, &h->stun_addr);
	if (!h->o->stun_listen && can_try_next(rc)) {
		addr.port = 0;
		rc = relay_stun_listen(h->relay, addr, &h->stun_addr);
	}
	if (rc < 0)
		err_at_set(at, 0, 0, "cannot listen for STUN (UDP): %s; --stun-listen names another address", err_text(rc));
	return rc;
}

static bool is_off(const char *text)
{
	return text && !strcmp(text, "off");
}

/* One region with one node: this hub's relay. Empty without one. */
static int make_map(struct hub *h)
{
	struct tc_derp_region *region = arena_array(&h->mem, 2, sizeof(*region));
	struct tc_derp_node *node = arena_array(&h->mem, 2, sizeof(*node)), *old = node + 1;
	struct json_pair *pair = arena_array(&h->mem, 2, sizeof(*pair));
	int64_t port = h->tls ? h->url.port : h->relay_addr.port; /* behind a TLS hub's URL may be a forwarded port */

	if (!region || !node || !pair)
		return -ENOMEM;
	*node = (struct tc_derp_node){ .name = "900a", .region_id = HUB_REGION, .hostname = relay_name(h),
		.derp_port = port == 443 ? 0 : port, .stun_port = !h->stun_addr.port ? -1 : h->stun_addr.port == 3478 ? 0 : h->stun_addr.port,
		.can_port80 = ((!h->tls && h->web_addr.port == 80) || h->http_addr.port == 80) && h->url.ip.family != 6 };
	if (h->pin[0])
		node->cert_name = h->pin;
	if (h->url.ip.family == 4) {
		node->ipv4 = h->url.host;
		node->ipv6 = "none";
	} else if (h->url.ip.family == 6) {
		node->ipv4 = "none";
		node->ipv6 = h->url.host;
		node->cert_name = h->pin[0] ? h->pin : h->url.host; /* the certificate is for the address */
	}
	*old = *node;
	old->cert_name = NULL;
	old->insecure_for_tests = true; /* what the relay carries is sealed between the devices anyway */
	for (int i = 0; i < 2; i++) {
		region[i] = (struct tc_derp_region){ .id = HUB_REGION, .code = "hub", .name = "Hub",
			.nodes = json_list_of(&node[i], 1) };
		pair[i] = (struct json_pair){ .key = "900", .value = &region[i] };
		*(i ? &h->derp_map_unpinned : &h->derp_map) = (struct tc_derp_map){
			.regions = { .v = &pair[i], .n = port ? 1 : 0, .present = true }, .omit_default_regions = true };
	}
	return 0;
}

int hub_listen(struct hub *h, struct err_at *at)
{
	int rc = listen_web(h, at);

	if (rc == 0 && h->tls)
		h->relay_addr = h->web_addr;
	else if (rc == 0 && !is_off(h->o->relay_listen))
		rc = listen_relay(h, at);
	if (rc == 0 && !is_off(h->o->stun_listen))
		rc = listen_stun(h, at);
	return rc < 0 ? rc : make_map(h);
}
