/*
 * Names: the table of devices, kept current one by one, and the resolver's configuration from the map's DNS settings and the preferences.
 * A device that joins costs one entry of the table. The configuration is made anew only when something changed that it is made from, and told
 * only when it is another.
 */
#include "core/node/map/map.h"

#include "base/text/text.h"
#include "proto/names/url.h"
#include "proto/tsaddr/tsaddr.h"

#include "core/dns/dns.h"

enum {
	CAP_DNS_PROXY = 26, /* from this version on, exit nodes answer questions */
	DNS_PORT = 53,
	DNS_TLS_PORT = 853,
};

#define EITHER_SCHEME(s, scheme) (!strncmp((s), scheme, sizeof(scheme) - 1))

/* ---- Devices ---- */

static bool host_of(const struct tc_node *n, struct dns_host *h)
{
	const char *name = n->name ? n->name : "";

	*h = (struct dns_host){ .wildcard = node_has_cap(n, "dns-subdomain-resolve") };
	if (dnsmsg_name_parse(name, strlen(name), &h->name) < 0 || h->name.len <= 1)
		return false;
	dnsmsg_name_lower(&h->name);
	for (size_t i = 0; i < n->addresses.n; i++) {
		struct ipprefix p = *JSON_AT(n->addresses, struct ipprefix, i);

		if (p.bits == ipaddr_bits(p.ip) && h->n_addrs < DNS_NAMES_ADDRS_MAX)
			h->addrs[h->n_addrs++] = p.ip;
	}
	return true;
}

void node_dns_peer(struct node *a, const struct tc_node *n)
{
	struct dns_host h;

	if (!host_of(n, &h))
		dns_names_remove(a->dns.names, n->id);
	else if (dns_names_set(a->dns.names, n->id, &h) < 0)
		a->counters.bad_peers++;
	/* Names of other tailnets are told to the system one by one; and the exit node answers our questions. */
	if (node_is_exit_node(a, n) || !dnsmsg_name_is_below(&h.name, &a->dns.domain))
		a->dns.dirty = true;
}

void node_dns_peer_removed(struct node *a, int64_t id)
{
	dns_names_remove(a->dns.names, id);
	if (a->dns.n_outside || (prefs_of(a)->exit_node_id && *prefs_of(a)->exit_node_id))
		a->dns.dirty = true;
}

void node_dns_self(struct node *a, const struct tc_node *self)
{
	/* Registered anew, it is another device; the old one may live on as a peer of that number. */
	if (a->dns.self != self->id && !netmap_peer(a->nm, a->dns.self))
		dns_names_remove(a->dns.names, a->dns.self);
	a->dns.self = self->id;
	node_dns_peer(a, self);
}

/* ---- Servers ---- */

/* "IP", "IP:port", "name", "name:port" after a scheme. The name goes to up->host. -ERR_BAD_FORMAT, -ENOMEM. */
static int read_place(const char *s, uint16_t port, struct arena *mem, struct dns_upstream *up)
{
	size_t len = strlen(s), host = strcspn(s, ":");
	uint64_t n = port;

	up->addr.port = port;
	if (ipaddr_parse(s, len, &up->addr.ip) == 0)
		return 0;
	if (ipport_parse(s, len, &up->addr) == 0)
		return up->addr.port ? 0 : -ERR_BAD_FORMAT;
	if (up->transport != DNS_TLS)
		return -ERR_BAD_FORMAT;
	if (s[host] && text_u64(s + host + 1, len - host - 1, UINT16_MAX, &n) < 0)
		return -ERR_BAD_FORMAT;
	up->addr = (struct ipport){ .port = (uint16_t)n };
	up->host = arena_strndup(mem, s, host);
	return !up->host ? -ENOMEM : *up->host && n ? 0 : -ERR_BAD_FORMAT;
}

/* PeerAPI of a device of the tailnet; anything else would be DNS in the clear. */
static bool is_peer_url(const char *s)
{
	struct ipaddr ip = { 0 };
	const char *path;
	struct url u;

	return url_parse(s, &u, &path) == 0 && ipaddr_parse(u.host, strlen(u.host), &ip) == 0 &&
	       tsaddr_is_tailscale(ip);
}

static int read_resolver(const struct tc_resolver *r, struct arena *mem, struct dns_upstream *up)
{
	const char *s = r->addr ? r->addr : "";

	*up = (struct dns_upstream){ .transport = DNS_UDP };
	for (size_t i = 0; i < r->bootstrap.n && up->n_dial < DNS_DIAL_MAX; i++)
		up->dial[up->n_dial++] = *JSON_AT(r->bootstrap, struct ipaddr, i);
	if (EITHER_SCHEME(s, "https://") || EITHER_SCHEME(s, "http://")) {
		up->transport = EITHER_SCHEME(s, "https://") ? DNS_HTTPS : DNS_PEER;
		up->url = s;
		return up->transport == DNS_HTTPS || is_peer_url(s) ? 0 : -ERR_BAD_FORMAT;
	}
	if (EITHER_SCHEME(s, "tls://")) {
		up->transport = DNS_TLS;
		return read_place(s + 6, DNS_TLS_PORT, mem, up);
	}
	if (EITHER_SCHEME(s, "tcp://")) {
		up->transport = DNS_TCP;
		return read_place(s + 6, DNS_PORT, mem, up);
	}
	return read_place(s, DNS_PORT, mem, up);
}

/* Of a list, those that an exit node leaves to us, or all. -ENOMEM. */
static int read_resolvers(const struct json_list *l, bool exit_only, struct arena *mem,
	const struct dns_upstream **ret, size_t *ret_n)
{
	struct dns_upstream *v = arena_array(mem, l->n, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_resolver *r = JSON_AT(*l, struct tc_resolver, i);
		int rc = exit_only && !r->use_with_exit_node ? -ERR_BAD_FORMAT
							     : read_resolver(r, mem, &v[n]);

		if (rc == -ENOMEM)
			return rc;
		n += rc == 0;
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

/* ---- The exit node ---- */

static bool answers_questions(const struct tc_node *n)
{
	return n && (n->cap >= CAP_DNS_PROXY || node_service_port(n, "peerapi-dns-proxy"));
}

/* All questions but those that the hub leaves to us go to the exit node: who asks which names should not depend on where the network is. */
static int use_exit_node(
	const struct node *a, const struct tc_node *exit, struct arena *mem, struct dns_config *c)
{
	struct ipport at = node_peerapi_of(a, exit);
	struct dns_upstream *up = arena_new(mem, struct dns_upstream);
	char text[IPPORT_TEXT_MAX];

	if (!up)
		return -ENOMEM;
	*up = (struct dns_upstream){ .transport = DNS_PEER,
		.url = arena_printf(mem, "http://%s/dns-query", ipport_format(at, text)) };
	if (!up->url)
		return -ENOMEM;
	c->defaults = up;
	c->n_defaults = ipaddr_is_set(at.ip);
	c->no_base = true; /* rather no answer than one from the network that is not to be used */
	return 0;
}

/* ---- All of it ---- */

static int take_routes(
	const struct tc_dns_config *d, bool exit_only, struct arena *mem, struct dns_config *c)
{
	struct dns_route *v = arena_array(mem, d->routes.n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < d->routes.n; i++) {
		const struct json_list *l = d->routes.v[i].value;
		struct dns_route *r = &v[c->n_routes];
		int rc = read_resolvers(l, exit_only, mem, &r->up, &r->n_up);

		if (rc < 0)
			return rc;
		if (l->n && !r->n_up)
			continue; /* not ours, and nobody whom we may ask: as if there were no route */
		if (strcmp(d->routes.v[i].key, ".") != 0) {
			r->suffix = d->routes.v[i].key;
			c->n_routes++;
		} else if (!c->n_defaults) {
			c->defaults = r->up;
			c->n_defaults = r->n_up;
		}
	}
	c->routes = v;
	return 0;
}

static int take_servers(const struct node *a, const struct tc_dns_config *d, struct arena *mem,
	struct dns_config *c)
{
	bool wants_exit = prefs_of(a)->exit_node_id && *prefs_of(a)->exit_node_id;
	const struct tc_node *exit = wants_exit ? node_exit_node(a, mem) : NULL;
	bool proxied = answers_questions(exit);
	int rc = read_resolvers(&d->resolvers, proxied, mem, &c->defaults, &c->n_defaults);

	if (rc == 0)
		rc = take_routes(d, proxied, mem, c);
	if (rc == 0 && proxied && !c->n_defaults)
		rc = use_exit_node(a, exit, mem, c);
	if (rc == 0 && exit && exit->wireguard_only && !c->n_defaults)
		rc = read_resolvers(&exit->exit_node_dns, false, mem, &c->defaults, &c->n_defaults);
	if (rc == 0 && wants_exit && !proxied && !c->n_defaults)
		rc = read_resolvers(
			&d->fallback_resolvers, false, mem, &c->defaults, &c->n_defaults);
	return rc;
}

static int take_records(const struct tc_dns_config *d, struct arena *mem, struct dns_config *c)
{
	struct dns_record *v = arena_array(mem, d->extra_records.n, sizeof(*v));

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < d->extra_records.n; i++) {
		const struct tc_dns_record *r = JSON_AT(d->extra_records, struct tc_dns_record, i);

		v[i] = (struct dns_record){ r->name, r->type, r->value };
	}
	c->records = v;
	c->n_records = d->extra_records.n;
	return 0;
}

static int take_own(const struct tc_node *self, struct arena *mem, struct dns_config *c)
{
	struct ipaddr *own = arena_array(mem, self->addresses.n, sizeof(*own));
	const char *dot = self->name ? strchr(self->name, '.') : NULL;

	if (!own)
		return -ENOMEM;
	for (size_t i = 0; i < self->addresses.n; i++)
		own[i] = JSON_AT(self->addresses, struct ipprefix, i)->ip;
	c->own = own;
	c->n_own = self->addresses.n;
	c->domain = dot && dot[1] ? arena_strdup(mem, dot + 1) : NULL;
	if (dot && dot[1] && !c->domain)
		return -ENOMEM;
	c->v6_only = !ipaddr_is_set(node_address_of(self, 4));
	c->aaaa = node_has_cap(self, "magicdns-aaaa");
	c->no_tcp_retries = node_has_cap(self, "dns-forwarder-disable-tcp-retries");
	return 0;
}

int node_dns_config_make(const struct node *a, struct arena *mem, struct dns_config *c)
{
	static const struct tc_dns_config none;
	const struct tc_node *self = self_of(a);
	const struct tc_dns_config *d = a->nm ? netmap_dns(a->nm) : NULL;
	int rc;

	*c = (struct dns_config){ .names = a->dns.names, .no_base = true };
	if (!self || !a->magicsock_up || node_key_expired(a, self))
		return 0;
	d = d ? d : &none;
	c->magic = d->proxied;
	rc = take_own(self, mem, c);
	if (rc == 0)
		rc = take_records(d, mem, c);
	if (rc < 0 || !prefs_of(a)->corp_dns)
		return rc;
	c->no_base = false;
	c->filtered = d->exit_node_filtered.v;
	c->n_filtered = d->exit_node_filtered.n;
	return take_servers(a, d, mem, c);
}
