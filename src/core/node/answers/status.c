/* The state of the device as the LocalAPI tells it. */
#include "core/node/answers/answers.h"

#include "base/text/text.h"
#include "proto/tsaddr/tsaddr.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static const char *port_text(struct arena *mem, struct ipport at)
{
	char text[IPPORT_TEXT_MAX];

	return or_empty(arena_strdup(mem, ipport_format(at, text)));
}

/* Single addresses of the tailnet among a node's. */
static struct json_list tailnet_ips(const struct tc_node *n, struct arena *mem)
{
	struct ipaddr *v = arena_array(mem, n->addresses.n, sizeof(*v));
	size_t k = 0;

	for (size_t i = 0; v && i < n->addresses.n; i++) {
		struct ipprefix p = *JSON_AT(n->addresses, struct ipprefix, i);

		if (p.bits == ipaddr_bits(p.ip) && tsaddr_is_tailscale(p.ip))
			v[k++] = p.ip;
	}
	return k ? json_list_of(v, k) : (struct json_list){ 0 };
}

/* What a node's entry in the map says. */
static void from_node(
	const struct node *a, const struct tc_node *n, struct arena *mem, struct ipn_peer_status *s)
{
	const struct tc_hostinfo *h = n->hostinfo;

	s->id = or_empty(n->stable_id);
	s->node_id = n->id;
	s->public_key = n->key;
	s->host_name = or_empty(h ? h->hostname : NULL);
	s->dns_name = or_empty(n->name);
	s->os = or_empty(h ? h->os : NULL);
	s->user_id = n->user;
	s->alt_sharer_user_id = n->sharer;
	s->tailscale_ips = tailnet_ips(n, mem);
	s->allowed_ips = n->allowed_ips.present ? n->allowed_ips : n->addresses;
	s->tags = n->tags;
	s->primary_routes = n->primary_routes;
	s->cur_addr = s->peer_relay = s->no_file_sharing_reason = "";
	s->relay = node_region_code(a, n->home_derp);
	s->created = n->created;
	s->last_seen = n->last_seen;
	s->online = n->online == JSON_YES;
	s->exit_node = node_is_exit_node(a, n);
	s->exit_node_option = node_offers_exit(n);
	s->capabilities = n->capabilities;
	s->cap_map = n->cap_map;
	if (h) {
		s->ssh_host_keys = h->ssh_host_keys;
		s->sharee_node = h->sharee_node;
		s->location = h->location;
	}
	s->in_network_map = true;
	s->key_expiry = n->key_expiry / 1000 * 1000;
	s->expired = n->expired;
}

static void from_magicsock(const struct node *a, const struct tc_node *n, struct now now,
	struct arena *mem, struct ipn_peer_status *s)
{
	struct magicsock_peer_status m;

	if (magicsock_peer_status(a->magicsock, n->id, now, &m) < 0)
		return;
	if (m.route.kind == MAGICSOCK_DIRECT)
		s->cur_addr = port_text(mem, m.route.addr);
	s->rx_bytes = (int64_t)m.rx_bytes;
	s->tx_bytes = (int64_t)m.tx_bytes;
	s->last_handshake = m.last_handshake;
	s->last_write = m.last_write;
	s->active = m.active;
	s->expired |= m.expired;
	s->in_magicsock = a->magicsock_up;
	s->in_engine = a->magicsock_up && m.has_session;
}

/* ---- This device ---- */

static int name_cmp(const void *x, const void *y)
{
	return strcmp(*(const char *const *)x, *(const char *const *)y);
}

/* A note to old readers first, then the names of all capabilities in order. */
static struct json_list self_caps(const struct tc_node *self, struct arena *mem)
{
	const char **v = arena_array(mem, self->cap_map.n + 1, sizeof(*v));

	if (!v)
		return (struct json_list){ 0 };
	v[0] = ipn_deprecated_caps;
	for (size_t i = 0; i < self->cap_map.n; i++)
		v[i + 1] = self->cap_map.v[i].key;
	qsort(v + 1, self->cap_map.n, sizeof(*v), name_cmp);
	return json_list_of(v, self->cap_map.n + 1);
}

static struct json_list self_endpoints(const struct node *a, struct arena *mem)
{
	size_t n;
	const struct endpoint *eps = endpoints_list(magicsock_endpoints(a->magicsock), &n);
	const char **v = arena_array(mem, n, sizeof(*v));

	for (size_t i = 0; v && i < n; i++)
		v[i] = port_text(mem, eps[i].addr);
	return v ? json_list_of(v, n) : (struct json_list){ 0 };
}

/* Where our PeerAPI listens. */
static struct json_list self_peerapi(const struct node *a, struct arena *mem)
{
	struct json_list l = { 0 };
	char text[IPPORT_TEXT_MAX];

	for (size_t i = 0; i < ARRAY_LEN(a->peerapi); i++) {
		const char **item =
			a->peerapi[i].port ? json_list_add(&l, mem, sizeof(*item)) : NULL;

		if (item)
			*item = arena_printf(mem, "http://%s", ipport_format(a->peerapi[i], text));
	}
	return l;
}

static struct ipn_peer_status *self_status(const struct node *a, struct arena *mem)
{
	const struct tc_hostinfo *host = a->host->doc;
	const struct tc_node *self = self_of(a);
	struct ipn_peer_status *s = arena_new(mem, struct ipn_peer_status);

	if (!s)
		return NULL;
	s->id = s->dns_name = s->cur_addr = s->peer_relay = s->no_file_sharing_reason = s->relay =
		"";
	s->host_name = or_empty(host->hostname);
	if (self) {
		from_node(a, self, mem, s);
		s->capabilities = self_caps(self, mem);
		s->online = node_is_polling(a);
		s->exit_node = false;
		s->expired = node_key_expired(a, self);
		s->last_seen = 0;
		if (magicsock_home(a->magicsock))
			s->relay = node_region_code(a, magicsock_home(a->magicsock));
	}
	s->os = or_empty(host->os);
	s->addrs = self_endpoints(a, mem);
	s->peerapi_url = self_peerapi(a, mem);
	return s;
}

/* ---- Lists ---- */

static int peer_map(const struct node *a, struct now now, struct arena *mem, struct json_map *ret)
{
	size_t n = netmap_n_peers(a->nm);
	const struct tc_node **peers = arena_array(mem, n, sizeof(*peers));
	struct json_pair *v = arena_array(mem, n, sizeof(*v));

	if (!peers || !v)
		return -ENOMEM;
	netmap_peers(a->nm, peers);
	for (size_t i = 0; i < n; i++) {
		struct ipn_peer_status *s = arena_new(mem, struct ipn_peer_status);
		char key[KEY_TEXT_MAX];

		if (!s)
			return -ENOMEM;
		from_node(a, peers[i], mem, s);
		from_magicsock(a, peers[i], now, mem, s);
		v[i].key = arena_strdup(mem, key_format(KEY_NODE, peers[i]->key.b, key));
		v[i].value = s;
		if (!v[i].key)
			return -ENOMEM;
	}
	*ret = (struct json_map){ .v = v, .n = n, .present = n > 0 };
	return 0;
}

static int pair_cmp(const void *x, const void *y)
{
	return strcmp(((const struct json_pair *)x)->key, ((const struct json_pair *)y)->key);
}

/* The profiles of the users whose nodes are told of. */
static int user_map(const struct node *a, bool peers, struct arena *mem, struct json_map *ret)
{
	size_t n = peers ? netmap_n_peers(a->nm) : 0, k = 0;
	const struct tc_node **nodes = arena_array(mem, n + 1, sizeof(*nodes));
	struct json_pair *v = arena_array(mem, n + 1, sizeof(*v));

	if (!nodes || !v)
		return -ENOMEM;
	if (n)
		netmap_peers(a->nm, nodes);
	nodes[n] = self_of(a);
	for (size_t i = 0; i <= n; i++) {
		const struct tc_user *u = netmap_user(a->nm, nodes[i]->user);
		bool known = !u;

		for (size_t j = 0; !known && j < k; j++)
			known = v[j].value == u;
		if (known)
			continue;
		v[k].key = arena_printf(mem, "%lld", (long long)u->id);
		v[k].value = (void *)(uintptr_t)u; /* only read */
		if (!v[k++].key)
			return -ENOMEM;
	}
	qsort(v, k, sizeof(*v), pair_cmp);
	*ret = (struct json_map){ .v = v, .n = k, .present = true };
	return 0;
}

static const char *suffix_of(const struct tc_node *self, struct arena *mem)
{
	const char *dot = self->name ? strchr(self->name, '.') : NULL;
	size_t len = dot ? strlen(dot + 1) : 0;

	if (len && dot[len] == '.')
		len--;
	return or_empty(dot ? arena_strndup(mem, dot + 1, len) : NULL);
}

static struct ipn_exit_node_status *exit_status(const struct node *a, struct arena *mem)
{
	struct ipn_exit_node_status *s = arena_new(mem, struct ipn_exit_node_status);
	const char *id = prefs_of(a)->exit_node_id;
	const struct tc_node *n;

	if (!s || !id || !*id)
		return NULL;
	n = node_exit_node(a, mem);
	s->id = id; /* also of one that is gone: it is still what is used, and nothing goes out */
	if (n) {
		s->online = n->online == JSON_YES;
		s->tailscale_ips = n->addresses;
	}
	return s;
}

static int from_map(
	const struct node *a, bool peers, struct now now, struct arena *mem, struct ipn_status *s)
{
	const struct tc_node *self = self_of(a);
	const struct tc_dns_config *dns = netmap_dns(a->nm);
	int rc = user_map(a, peers, mem, &s->user);

	s->tailscale_ips = tailnet_ips(self, mem);
	s->magic_dns_suffix = suffix_of(self, mem);
	s->current_tailnet = arena_new(mem, struct ipn_tailnet_status);
	if (!s->current_tailnet)
		return -ENOMEM;
	*s->current_tailnet = (struct ipn_tailnet_status){ .name = netmap_domain(a->nm),
		.magic_dns_suffix = s->magic_dns_suffix,
		.magic_dns_enabled = dns && dns->proxied,
		.stable_id = self->stable_tailnet_id };
	if (dns) {
		s->cert_domains = dns->cert_domains;
		s->extra_records = dns->extra_records;
	}
	s->exit_node_status = exit_status(a, mem);
	if (rc == 0 && peers)
		rc = peer_map(a, now, mem, &s->peer);
	return rc;
}

int node_status(
	const struct node *a, bool peers, struct now now, struct arena *mem, struct ipn_status *ret)
{
	int rc;

	*ret = (struct ipn_status){ .version = "",
		.tun = true,
		.backend_state = ipn_state_name(a->state),
		.have_node_key = has_node_key(a),
		.auth_url = a->login_url,
		.magic_dns_suffix = "" };
	ret->self = self_status(a, mem);
	if (!ret->self)
		return -ENOMEM;
	if (has_node_key(a) && !self_of(a) && key_public(a->id.node.b, ret->self->public_key.b) < 0)
		return -ERR_CRYPTO;
	rc = node_health_texts(a, now, mem, &ret->health);
	if (rc == 0 && self_of(a))
		rc = from_map(a, peers, now, mem, ret);
	return rc;
}

int node_engine(
	const struct node *a, struct now now, struct arena *mem, struct ipn_engine_status *ret)
{
	size_t n = netmap_n_peers(a->nm), k = 0;
	const struct tc_node **peers = arena_array(mem, n, sizeof(*peers));
	struct json_pair *v = arena_array(mem, n, sizeof(*v));

	if (!peers || !v)
		return -ENOMEM;
	netmap_peers(a->nm, peers);
	*ret = (struct ipn_engine_status){ .live_derps =
						   magicsock_home(a->magicsock) &&
						   relays_is_ready(magicsock_relays(a->magicsock),
							   magicsock_home(a->magicsock)) };
	for (size_t i = 0; i < n; i++) {
		struct ipn_live_peer *p;
		struct magicsock_peer_status m;
		char key[KEY_TEXT_MAX];

		if (magicsock_peer_status(a->magicsock, peers[i]->id, now, &m) < 0 ||
			!m.last_handshake)
			continue;
		p = arena_new(mem, struct ipn_live_peer);
		v[k].key = arena_strdup(mem, key_format(KEY_NODE, peers[i]->key.b, key));
		v[k].value = p;
		if (!p || !v[k++].key)
			return -ENOMEM;
		*p = (struct ipn_live_peer){ .node_key = peers[i]->key,
			.rx_bytes = (int64_t)m.rx_bytes,
			.tx_bytes = (int64_t)m.tx_bytes,
			.last_handshake = m.last_handshake };
		ret->rx_bytes += p->rx_bytes;
		ret->tx_bytes += p->tx_bytes;
		ret->num_live += m.has_session;
	}
	qsort(v, k, sizeof(*v), pair_cmp);
	ret->live_peers = (struct json_map){ .v = v, .n = k, .present = true };
	return 0;
}

/* ---- The report of a netcheck ---- */

static int latency_map(
	const struct endpoints_report *n, size_t offset, struct arena *mem, struct json_map *ret)
{
	struct json_pair *v = arena_array(mem, n->n_regions, sizeof(*v));
	size_t k = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n->n_regions; i++) {
		mono_ns at =
			*(const mono_ns *)(const void *)((const char *)&n->regions[i] + offset);
		int64_t *ns = arena_new(mem, int64_t);

		if (at <= 0)
			continue;
		v[k].key = arena_printf(mem, "%d", n->regions[i].region);
		v[k].value = ns;
		if (!ns || !v[k++].key)
			return -ENOMEM;
		*ns = at;
	}
	*ret = (struct json_map){ .v = v, .n = k, .present = true };
	return 0;
}

/* Of the regions that did not answer: why, if it is known. */
static int errors_map(const struct node *a, const struct endpoints_report *n, struct arena *mem,
	struct json_map *ret)
{
	struct json_pair *v = arena_array(mem, n->n_regions, sizeof(*v));
	size_t k = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < n->n_regions; i++) {
		const char *why = node_relay_error(a, n->regions[i].region, mem), **value;

		if (!why && n->regions[i].why)
			why = err_text(n->regions[i].why);
		if (!why)
			continue;
		v[k].key = arena_printf(mem, "%d", n->regions[i].region);
		v[k].value = value = arena_new(mem, const char *);
		if (!value || !v[k++].key)
			return -ENOMEM;
		*value = why;
	}
	*ret = (struct json_map){ .v = v, .n = k, .present = k > 0 };
	return 0;
}

int node_netcheck_report(const struct node *a, struct arena *mem, struct ipn_netcheck *ret)
{
	struct endpoints_report n;
	int rc = endpoints_report(magicsock_endpoints(a->magicsock), mem, &n);

	if (rc < 0)
		return rc;
	*ret = (struct ipn_netcheck){ .now = n.at ? n.at : a->now.wall,
		.udp = n.udp,
		.ipv4 = n.ipv4,
		.ipv6 = n.ipv6,
		.ipv4_can_send = n.ipv4,
		.ipv6_can_send = n.ipv6,
		.os_has_ipv6 = n.os_has_ipv6,
		.mapping_varies = n.mapping_varies,
		.preferred_derp = n.home,
		.global_v4 = n.global4,
		.global_v6 = n.global6 };
	rc = latency_map(
		&n, offsetof(struct endpoints_latency, latency), mem, &ret->region_latency);
	if (rc == 0)
		rc = latency_map(&n, offsetof(struct endpoints_latency, latency4), mem,
			&ret->region_v4_latency);
	if (rc == 0)
		rc = latency_map(&n, offsetof(struct endpoints_latency, latency6), mem,
			&ret->region_v6_latency);
	if (rc == 0)
		rc = errors_map(a, &n, mem, &ret->region_errors);
	return rc;
}
