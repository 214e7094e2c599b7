/* Calls about the network: who is who, pings, the relay map, names. */
#include "base/text/text.h"
#include "localapi/server/shares.h"
#include "os/file/file.h"

#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#define OPS(r) ((r)->lapi->cfg.ops)
#define BACKEND(r) ((r)->lapi->cfg.backend)

static const struct netmap *map_of(const struct lreq *r)
{
	return OPS(r)->netmap(BACKEND(r));
}

/* ---- whois ---- */

static bool has_address(const struct tc_node *n, struct ipaddr ip)
{
	for (size_t i = 0; i < n->addresses.n; i++) {
		const struct ipprefix *p = JSON_AT(n->addresses, struct ipprefix, i);
		if (p->bits == ipaddr_bits(p->ip) && ipaddr_eq(p->ip, ip))
			return true;
	}
	return false;
}

struct wanted {
	struct ipaddr ip; /* or, when unset: */
	struct node_pub key;
};

static bool is_wanted(const struct tc_node *n, const struct wanted *w)
{
	return w->ip.family ? has_address(n, w->ip) : memcmp(n->key.b, w->key.b, KEY_LEN) == 0;
}

static const struct tc_node *find_node(
	const struct netmap *nm, const struct wanted *w, struct arena *a)
{
	const struct tc_node *self = netmap_self(nm),
			     **peers = arena_array(a, netmap_n_peers(nm), sizeof(*peers));

	if (self && is_wanted(self, w))
		return self;
	if (!peers)
		return NULL;
	netmap_peers(nm, peers);
	for (size_t i = 0; i < netmap_n_peers(nm); i++)
		if (is_wanted(peers[i], w))
			return peers[i];
	return NULL;
}

/* False: it was answered with 400. */
static bool parse_wanted(struct lreq *r, struct wanted *ret)
{
	const char *addr = lreq_param(r, "addr");
	size_t len = strlen(addr);
	struct ipport p;

	*ret = (struct wanted){ 0 };
	if (!len) {
		lreq_text(r, 400, "missing 'addr' parameter");
		return false;
	}
	if (strncmp(addr, "nodekey:", 8) == 0) {
		if (key_parse(KEY_NODE, addr, len, ret->key.b) == 0)
			return true;
		lreq_text(r, 400, "invalid nodekey in 'addr' parameter");
		return false;
	}
	if (ipaddr_parse(addr, len, &ret->ip) == 0)
		return true;
	if (ipport_parse(addr, len, &p) == 0) {
		ret->ip = p.ip;
		return true;
	}
	lreq_text(r, 400, "invalid 'addr' parameter");
	return false;
}

static int caps_of(
	struct lreq *r, const struct tc_node *n, const struct wanted *w, struct json_map *ret)
{
	struct ipaddr ip = w->ip;

	if (!ip.family && n->addresses.n)
		ip = JSON_AT(n->addresses, struct ipprefix, 0)->ip;
	if (!ip.family || !OPS(r)->peer_caps)
		return 0;
	return OPS(r)->peer_caps(BACKEND(r), ip, r->arena, ret);
}

static void whois(struct lreq *r)
{
	static const struct tc_user nobody;
	const struct netmap *nm = map_of(r);
	const struct tc_node *n;
	struct tc_node shown;
	struct ipn_whois who = { 0 };
	struct wanted w;
	int rc;

	if (!parse_wanted(r, &w))
		return;
	n = nm ? find_node(nm, &w, r->arena) : NULL;
	if (!n) {
		lreq_text(r, 404, "no match for IP:port");
		return;
	}
	shown = lapi_node(nm, n, r->arena);
	who.node = &shown;
	who.user = netmap_user(nm, n->user);
	if (!who.user)
		who.user = &nobody;
	rc = caps_of(r, n, &w, &who.cap_map);
	json_map_sort(&who.cap_map);
	if (rc < 0)
		lreq_fault(r, rc);
	else
		lreq_json(r, 200, &ipn_whois_type, &who, JSON_TABS_BARE);
}

static bool read_id(struct lreq *r, int64_t *ret)
{
	const char *text = lreq_param(r, "id");
	uint64_t id;

	if (text_u64(text, strlen(text), INT64_MAX, &id) < 0 || !id) {
		lreq_text(r, 400, "invalid 'id' parameter");
		return false;
	}
	*ret = (int64_t)id;
	return true;
}

static void peer_by_id(struct lreq *r)
{
	const struct netmap *nm = map_of(r);
	const struct tc_node *n = NULL;
	struct tc_node shown;
	int64_t id;

	if (!read_id(r, &id))
		return;
	if (nm)
		n = netmap_peer(nm, id);
	if (nm && !n && netmap_self(nm) && netmap_self(nm)->id == id)
		n = netmap_self(nm);
	if (!n) {
		lreq_text(r, 404, "no peer with that NodeID");
		return;
	}
	shown = lapi_node(nm, n, r->arena);
	lreq_json(r, 200, &tc_node_type, &shown, JSON_TABS);
}

static void user_profile(struct lreq *r)
{
	const struct netmap *nm = map_of(r);
	const struct tc_user *u;
	int64_t id;

	if (!read_id(r, &id))
		return;
	u = nm ? netmap_user(nm, id) : NULL;
	if (u)
		lreq_json(r, 200, &tc_user_profile_type, u, JSON_TABS);
	else
		lreq_text(r, 404, "no user with that UserID");
}

/* ---- ping, netcheck: answered later ---- */

static void wait_for(struct lreq *r, enum lcall_kind kind)
{
	r->conn->state = CONN_WAITING;
	r->conn->call.kind = kind;
}

static void ping(struct lreq *r)
{
	const char *ip = lreq_param(r, "ip"), *type = lreq_param(r, "type"),
		   *size = lreq_param(r, "size");
	enum ipn_ping_type t;
	struct ipaddr addr;
	uint64_t n = 0;

	if (!lreq_is(r, "POST"))
		lreq_text(r, 400, "want POST");
	else if (!*ip)
		lreq_text(r, 400, "missing 'ip' parameter");
	else if (ipaddr_parse(ip, strlen(ip), &addr) < 0)
		lreq_text(r, 400, "invalid IP");
	else if (!*type)
		lreq_text(r, 400, "missing 'type' parameter");
	else if (*size && text_u64(size, strlen(size), INT32_MAX, &n) < 0)
		lreq_text(r, 400, "invalid 'size' parameter");
	else if (ipn_ping_type_parse(type, &t) < 0)
		lreq_text(r, 400, "unknown ping type \"%s\"", type);
	else if (n && t != IPN_PING_DISCO)
		lreq_text(r, 400, "'size' parameter is only supported with disco pings");
	else if (n > IPN_PING_SIZE_MAX)
		lreq_text(r, 400, "maximum value for 'size' is %d", IPN_PING_SIZE_MAX);
	else if (!share_may_work(r->conn, 1))
		lreq_text(r, 429, "too many pings; wait a moment");
	else {
		wait_for(r, CALL_PING);
		OPS(r)->ping(BACKEND(r), addr, t, (size_t)n, &r->conn->call);
	}
}

static void netcheck(struct lreq *r)
{
	if (!share_may_work(r->conn, 20)) {
		lreq_text(r, 429, "too many reports; wait a moment");
		return;
	}
	wait_for(r, CALL_NETCHECK);
	OPS(r)->netcheck(BACKEND(r), &r->conn->call);
}

/* ---- relay map, names, services ---- */

static void derpmap(struct lreq *r)
{
	const struct netmap *nm = map_of(r);
	const struct tc_derp_map *m = nm ? netmap_derp_map(nm) : NULL;

	if (!lreq_is(r, "GET"))
		lreq_text(r, 400, "want GET");
	else if (m)
		lreq_json(r, 200, &tc_derp_map_type, m, JSON_TABS);
	else
		lreq_body(r, 200, "application/json", "", VIEW_LIT("null\n"));
}

static void dns_config(struct lreq *r)
{
	static const struct tc_dns_config none;
	const struct netmap *nm = map_of(r);
	const struct tc_dns_config *c = nm ? netmap_dns(nm) : NULL;

	if (!nm)
		lreq_text(r, 503, "no netmap");
	else
		lreq_json(r, 200, &tc_dns_config_type, c ? c : &none, JSON_TABS);
}

struct os_config {
	struct json_list nameservers, search_domains, match_domains;
};

static const struct json_field os_config_fields[] = {
	JSON_F(struct os_config, nameservers, "Nameservers", json_str_list, 0),
	JSON_F(struct os_config, search_domains, "SearchDomains", json_str_list, 0),
	JSON_F(struct os_config, match_domains, "MatchDomains", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(os_config_type, struct os_config, os_config_fields);

static void add_words(struct json_list *l, struct arena *a, char *words)
{
	char *rest;

	for (char *w = strtok_r(words, " \t", &rest); w; w = strtok_r(NULL, " \t", &rest)) {
		const char **item = json_list_add(l, a, sizeof(*item));
		if (item)
			*item = w;
	}
}

/* resolv.conf(5): the last "search" or "domain" line counts. */
static void read_resolv_conf(struct arena *a, char *text, struct os_config *ret)
{
	char *rest;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		size_t n = strcspn(line, " \t");

		if (n == 10 && strncmp(line, "nameserver", n) == 0) {
			add_words(&ret->nameservers, a, line + n);
		} else if (n == 6 &&
			   (strncmp(line, "search", n) == 0 || strncmp(line, "domain", n) == 0)) {
			ret->search_domains.n = 0;
			add_words(&ret->search_domains, a, line + n);
		}
	}
}

static void dns_osconfig(struct lreq *r)
{
	struct os_config c = { { .present = true }, { .present = true }, { .present = true } };
	struct buf text;
	int rc;

	if (!lreq_is(r, "GET")) {
		lreq_text(r, 405, "only GET allowed");
		return;
	}
	buf_init(&text, 65536);
	rc = file_read("/etc/resolv.conf", &text);
	if (rc == 0 && buf_cstr(&text)) {
		read_resolv_conf(r->arena, (char *)buf_cstr(&text), &c);
		lreq_json(r, 200, &os_config_type, &c, JSON_LINE);
	} else {
		lreq_text(r, 500, "reading /etc/resolv.conf: %s", err_text(rc));
	}
	buf_fini(&text);
}

static void cert_domains(struct lreq *r)
{
	const struct netmap *nm = map_of(r);
	const struct tc_dns_config *c = nm ? netmap_dns(nm) : NULL;
	struct json_list none = { 0 };

	lreq_json(r, 200, &json_str_list, c && c->cert_domains.n ? &c->cert_domains : &none,
		JSON_LINE);
}

static void services(struct lreq *r)
{
	if (map_of(r))
		lreq_body(r, 200, "application/json", "", VIEW_LIT("{}\n"));
	else
		lreq_text(r, 503, "no netmap");
}

/* There is no serve configuration yet: that is what is told. The tag is the SHA-256 of "null", as the original's. */
static void serve_config(struct lreq *r)
{
	if (lreq_is(r, "GET") || lreq_is(r, "HEAD"))
		lreq_body(r, 200, "application/json",
			"Etag: 74234e98afe7498fb5daf1f36ac2d78acc339464f950703b8c019892f982b90b\r\n",
			VIEW_LIT("null"));
	else if (!lreq_is(r, "POST"))
		lreq_text(r, 405, "method not allowed");
	else if (!lreq_may_write(r))
		lreq_text(r, 403, "serve config denied");
	else
		lreq_json_error(r, 500, "error", "updating config: this build cannot serve");
}

/* ---- the kernel's settings ---- */

static bool is_on(const char *path)
{
	struct buf text;
	bool on;

	buf_init(&text, 16);
	on = file_read(path, &text) == 0 && buf_len(&text) && buf_data(&text)[0] == '1';
	buf_fini(&text);
	return on;
}

static void check_ip_forwarding(struct lreq *r)
{
	bool v4 = is_on("/proc/sys/net/ipv4/ip_forward"),
	     v6 = is_on("/proc/sys/net/ipv6/conf/all/forwarding");
	const char *text = "";

	if (!v4 && !v6)
		text = "IP forwarding is disabled; subnet routes and exit nodes will not work.";
	else if (!v4)
		text = "IPv4 forwarding is disabled; IPv4 subnet routes and exit nodes will not work.";
	else if (!v6)
		text = "IPv6 forwarding is disabled; IPv6 subnet routes and exit nodes will not work.";
	lreq_json_error(r, 200, "Warning", text);
}

/* Nothing to warn of: the node's packets are cut and joined by the daemon, whatever the interface's setting. */
static void check_gro(struct lreq *r)
{
	lreq_json_error(r, 200, "Warning", "");
}

static void check_so_mark(struct lreq *r)
{
	lreq_body(r, 200, "application/json", "", VIEW_LIT("{\"UseSOMark\":true}\n"));
}

/* ---- dial: for "nc". The kernel routes to the network, so the client connects by itself; we only find the address. ---- */

static bool name_is(const struct tc_node *n, const char *host, size_t len)
{
	const char *name = n->name ? n->name : "";
	size_t full = strlen(name), label = strcspn(name, ".");

	if (full && name[full - 1] == '.')
		full--;
	return text_ieq(host, len, name, full) || text_ieq(host, len, name, label);
}

static struct ipaddr resolve(struct lreq *r, const char *host)
{
	const struct netmap *nm = map_of(r);
	const struct tc_node **peers, *found = NULL;
	size_t len = strlen(host);
	struct ipaddr ip = { 0 };

	if (ipaddr_parse(host, len, &ip) == 0 || !nm)
		return ip;
	if (len && host[len - 1] == '.')
		len--;
	peers = arena_array(r->arena, netmap_n_peers(nm), sizeof(*peers));
	if (peers)
		netmap_peers(nm, peers);
	for (size_t i = 0; peers && i < netmap_n_peers(nm) && !found; i++)
		if (name_is(peers[i], host, len))
			found = peers[i];
	if (!found && netmap_self(nm) && name_is(netmap_self(nm), host, len))
		found = netmap_self(nm);
	return found && found->addresses.n ? JSON_AT(found->addresses, struct ipprefix, 0)->ip : ip;
}

static const char *header_text(struct lreq *r, const char *name)
{
	struct view v = http1_find(r->head, name);
	char *s = arena_strndup(r->arena, v.p, v.len);

	return s ? s : "";
}

static void dial(struct lreq *r)
{
	const char *host = header_text(r, "Dial-Host"), *port = header_text(r, "Dial-Port");
	char addr[IPPORT_TEXT_MAX], line[IPPORT_TEXT_MAX + 64];
	struct ipport to = { 0 };
	uint64_t n;

	if (!lreq_is(r, "POST")) {
		lreq_text(r, 405, "POST required");
	} else if (!view_eq(http1_find(r->head, "Upgrade"), VIEW_LIT("ts-dial")) ||
		   !http1_has_token(r->head, "Connection", "upgrade")) {
		lreq_text(r, 400, "bad ts-dial upgrade");
	} else if (!*host || text_u64(port, strlen(port), 65535, &n) < 0) {
		lreq_text(r, 400, "missing Dial-Host or Dial-Port header");
	} else {
		to.ip = resolve(r, host);
		to.port = (uint16_t)n;
		if (!to.ip.family) {
			lreq_text(r, 502, "resolve failure: no device is called \"%.80s\"", host);
			return;
		}
		snprintf(line, sizeof(line), "Dial-Self: true\r\nDial-Addr: %s\r\n",
			ipport_format(to, addr));
		lreq_body(r, 200, NULL, line, view_of("", 0));
	}
}

const struct lroute lroutes_net[] = {
	{ "whois", whois, NULL },
	{ "peer-by-id", peer_by_id, NULL },
	{ "user-profile", user_profile, NULL },
	{ "ping", ping, NULL },
	{ "warren/netcheck", netcheck, NULL },
	{ "derpmap", derpmap, NULL },
	{ "dns-config", dns_config, NULL },
	{ "dns-osconfig", dns_osconfig, "dns-osconfig dump access denied" },
	{ "cert-domains", cert_domains, NULL },
	{ "services", services, NULL },
	{ "serve-config", serve_config, NULL },
	{ "check-ip-forwarding", check_ip_forwarding, NULL },
	{ "check-udp-gro-forwarding", check_gro, NULL },
	{ "check-so-mark-in-use", check_so_mark, NULL },
	{ "dial", dial, NULL },
	{ NULL, NULL, NULL },
};
