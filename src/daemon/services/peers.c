#include "daemon/services/peers.h"
#include "base/text/text.h"
#include "daemon/services/shown.h"
#include "localapi/server/request.h"

static const struct netmap *map_of(const struct http_request *q)
{
	const struct facts *f = ((const struct peers_service *)q->ctx)->facts;

	return f->ops->netmap(f->owner);
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

/* NULL: ret is filled in. Else what is wrong with the request. */
static const char *parse_wanted(struct http_request *q, struct wanted *ret)
{
	const char *addr = lapi_param(q, "addr");
	size_t len = strlen(addr);
	struct ipport p;

	*ret = (struct wanted){ 0 };
	if (!len)
		return "missing 'addr' parameter";
	if (strncmp(addr, "nodekey:", 8) == 0)
		return key_parse(KEY_NODE, addr, len, ret->key.b) == 0
			       ? NULL
			       : "invalid nodekey in 'addr' parameter";
	if (ipaddr_parse(addr, len, &ret->ip) == 0)
		return NULL;
	if (ipport_parse(addr, len, &p) < 0)
		return "invalid 'addr' parameter";
	ret->ip = p.ip;
	return NULL;
}

static int caps_of(struct http_request *q, const struct tc_node *n, const struct wanted *w,
	struct json_map *ret)
{
	const struct peers_service *s = q->ctx;
	struct ipaddr ip = w->ip;

	if (!ip.family && n->addresses.n)
		ip = JSON_AT(n->addresses, struct ipprefix, 0)->ip;
	if (!ip.family || !s->caps)
		return 0;
	return s->caps(s->owner, ip, &q->mem, ret);
}

static int whois(struct http_request *q)
{
	static const struct tc_user nobody;
	const struct netmap *nm = map_of(q);
	const struct tc_node *n;
	struct tc_node shown;
	struct ipn_whois who = { 0 };
	struct wanted w;
	const char *wrong = parse_wanted(q, &w);
	int rc;

	if (wrong)
		return lapi_send_text(q->reply, 400, "%s", wrong);
	n = nm ? find_node(nm, &w, &q->mem) : NULL;
	if (!n)
		return lapi_send_text(q->reply, 404, "no match for IP:port");
	shown = shown_node(n, &q->mem);
	who.node = &shown;
	who.user = netmap_user(nm, n->user);
	if (!who.user)
		who.user = &nobody;
	rc = caps_of(q, n, &w, &who.cap_map);
	json_map_sort(&who.cap_map);
	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &ipn_whois_type, &who, JSON_TABS_BARE);
}

static bool read_id(struct http_request *q, int64_t *ret)
{
	const char *text = lapi_param(q, "id");
	uint64_t id;

	if (text_u64(text, strlen(text), INT64_MAX, &id) < 0 || !id)
		return false;
	*ret = (int64_t)id;
	return true;
}

static int bad_id(struct http_request *q)
{
	return lapi_send_text(q->reply, 400, "invalid 'id' parameter");
}

static int peer_by_id(struct http_request *q)
{
	const struct netmap *nm = map_of(q);
	const struct tc_node *n = NULL;
	struct tc_node shown;
	int64_t id;

	if (!read_id(q, &id))
		return bad_id(q);
	if (nm)
		n = netmap_peer(nm, id);
	if (nm && !n && netmap_self(nm) && netmap_self(nm)->id == id)
		n = netmap_self(nm);
	if (!n)
		return lapi_send_text(q->reply, 404, "no peer with that NodeID");
	shown = shown_node(n, &q->mem);
	return lapi_send_json(q->reply, 200, &tc_node_type, &shown, JSON_TABS);
}

static int user_profile(struct http_request *q)
{
	const struct netmap *nm = map_of(q);
	const struct tc_user *u;
	int64_t id;

	if (!read_id(q, &id))
		return bad_id(q);
	u = nm ? netmap_user(nm, id) : NULL;
	if (!u)
		return lapi_send_text(q->reply, 404, "no user with that UserID");
	return lapi_send_json(q->reply, 200, &tc_user_profile_type, u, JSON_TABS);
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

static struct ipaddr resolve(struct http_request *q, const char *host)
{
	const struct netmap *nm = map_of(q);
	const struct tc_node **peers, *found = NULL;
	size_t len = strlen(host);
	struct ipaddr ip = { 0 };

	if (ipaddr_parse(host, len, &ip) == 0 || !nm)
		return ip;
	if (len && host[len - 1] == '.')
		len--;
	peers = arena_array(&q->mem, netmap_n_peers(nm), sizeof(*peers));
	if (peers)
		netmap_peers(nm, peers);
	for (size_t i = 0; peers && i < netmap_n_peers(nm) && !found; i++)
		if (name_is(peers[i], host, len))
			found = peers[i];
	if (!found && netmap_self(nm) && name_is(netmap_self(nm), host, len))
		found = netmap_self(nm);
	return found && found->addresses.n ? JSON_AT(found->addresses, struct ipprefix, 0)->ip : ip;
}

static const char *header_text(struct http_request *q, const char *name)
{
	struct view v = http1_find(q->head, name);
	char *s = arena_strndup(&q->mem, v.p, v.len);

	return s ? s : "";
}

static int dial(struct http_request *q)
{
	const char *host = header_text(q, "Dial-Host"), *port = header_text(q, "Dial-Port");
	char addr[IPPORT_TEXT_MAX], line[IPPORT_TEXT_MAX + 64];
	struct ipport to = { 0 };
	uint64_t n;

	if (!view_eq(http1_find(q->head, "Upgrade"), VIEW_LIT("ts-dial")) ||
		!http1_has_token(q->head, "Connection", "upgrade"))
		return lapi_send_text(q->reply, 400, "bad ts-dial upgrade");
	if (!*host || text_u64(port, strlen(port), 65535, &n) < 0)
		return lapi_send_text(q->reply, 400, "missing Dial-Host or Dial-Port header");
	to.ip = resolve(q, host);
	to.port = (uint16_t)n;
	if (!to.ip.family)
		return lapi_send_text(
			q->reply, 502, "resolve failure: no device is called \"%.80s\"", host);
	snprintf(line, sizeof(line), "Dial-Self: true\r\nDial-Addr: %s\r\n",
		ipport_format(to, addr));
	return http_reply_send(q->reply, 200, NULL, line, view_of("", 0));
}

static const struct http_route routes[] = {
	{ NULL, "/whois", 0, .fn = whois },
	{ NULL, "/peer-by-id", 0, .fn = peer_by_id },
	{ NULL, "/user-profile", 0, .fn = user_profile },
	{ "POST", "/dial", 0, .fn = dial },
	{ NULL, "/dial", 0, .fn = lapi_post_required },
};
static const struct router table = LAPI_TABLE(routes);
const struct service peers_service = { .name = "peers", .routes = &table };
