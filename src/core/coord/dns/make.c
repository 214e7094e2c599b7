/*
 * What a device is told. Most is the same for all. Personal are: the resolvers of providers that tell devices apart, by what the policy
 * gives the device or by its name; and the name that it may have a certificate for.
 *
 * NextDNS:   https://dns.nextdns.io/PROFILE?device_ip=...&device_model=...&device_name=...
 * Control D: https://dns.controld.com/ID/NAME
 *
 * Source: Tailscale's documents about both, and what headscale 0.29 sends.
 */
#include "core/coord/dns/dns.h"
#include "core/coord/tailnet/tailnet.h"

#include <errno.h>

static const char nextdns[] = "https://dns.nextdns.io/", controld[] = "https://dns.controld.com/";

/* Of the policy's nodeAttrs. */
struct personal {
	const char *profile; /* "nextdns:PROFILE"; NULL: none */
	bool no_device_info; /* "nextdns:no-device-info" */
};

/* Letters and digits, as they have them. Others would be another URL. */
static bool is_profile(const char *s)
{
	return *s &&
	       !s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")];
}

static int read_personal(
	const struct tailnet *c, const struct coord_node *n, struct arena *a, struct personal *ret)
{
	struct policy_node_cap *caps;
	size_t n_caps = 0;
	int rc;

	*ret = (struct personal){ 0 };
	if (c->open || !policy_node_exists(c->policy, n->doc.id))
		return 0;
	rc = policy_node_caps(policy_installed(c->policy), n->doc.id, a, &caps, &n_caps);
	for (size_t i = 0; i < n_caps && rc == 0; i++) {
		const char *name = caps[i].name;

		if (strncmp(name, "nextdns:", 8) != 0)
			continue;
		if (!strcmp(name + 8, "no-device-info"))
			ret->no_device_info = true;
		else if (is_profile(name + 8) && !ret->profile)
			ret->profile = name + 8;
	}
	return rc;
}

static const char *after(const char *addr, const char *base)
{
	size_t n = strlen(base);

	return !strncmp(addr, base, n) && addr[n] ? addr + n : NULL;
}

/* As a value in a query: what is no letter, digit or one of -_.~ is escaped, and a blank is a '+'. */
static const char *escaped(const char *s, struct arena *a)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(a, 3 * strlen(s) + 1), *p = out;

	for (; out && *s; s++) {
		uint8_t b = (uint8_t)*s;

		if ((b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') ||
			strchr("-_.~", b)) {
			*p++ = *s;
		} else if (b == ' ') {
			*p++ = '+';
		} else {
			*p++ = '%';
			*p++ = digits[b >> 4];
			*p++ = digits[b & 15];
		}
	}
	if (out)
		*p = 0;
	return out;
}

static const char *nextdns_for(
	const struct coord_node *n, const struct personal *own, const char *path, struct arena *a)
{
	const char *os = n->doc.hostinfo && n->doc.hostinfo->os ? n->doc.hostinfo->os : "";
	const char *name = n->doc.hostname && *n->doc.hostname ? n->doc.hostname : n->doc.name;
	char ip[IPADDR_TEXT_MAX];

	if (own->profile)
		path = own->profile;
	if (own->no_device_info ||
		path[strcspn(path, "/?")]) /* it names a device, or more, already */
		return arena_printf(a, "%s%s", nextdns, path);
	os = escaped(os, a);
	name = escaped(name, a);
	return os && name ? arena_printf(a, "%s%s?device_ip=%s&device_model=%s&device_name=%s",
				    nextdns, path,
				    ipaddr_format(n->hides_ip4 ? n->doc.ip6 : n->doc.ip4, ip), os,
				    name)
			  : NULL;
}

static const char *address_for(
	const struct coord_node *n, const struct personal *own, const char *addr, struct arena *a)
{
	const char *path = after(addr, nextdns);

	if (path)
		return nextdns_for(n, own, path, a);
	path = after(addr, controld);
	return path && !path[strcspn(path, "/?")] ? arena_printf(a, "%s/%s", addr, n->doc.name)
						  : addr;
}

static bool list_is_personal(const struct json_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *addr = JSON_AT(*l, struct tc_resolver, i)->addr;

		if (after(addr, nextdns) || after(addr, controld))
			return true;
	}
	return false;
}

bool dns_is_personal(const struct tailnet *c)
{
	return c->dns.certificates || list_is_personal(&c->dns.resolvers);
}

/* Only global resolvers are: who looks at the names of a suffix looks at no persons (as the providers' own clients have it). */
static int make_resolvers(
	const struct tailnet *c, const struct coord_node *n, struct arena *a, struct json_list *ret)
{
	const struct json_list *from = &c->dns.resolvers;
	struct personal own;
	struct tc_resolver *v;
	int rc;

	*ret = *from;
	ret->present = false;
	if (!n || !list_is_personal(from))
		return 0;
	v = arena_array(a, from->n, sizeof(*v));
	rc = v ? read_personal(c, n, a, &own) : -ENOMEM;
	for (size_t i = 0; i < from->n && rc == 0; i++) {
		v[i] = *JSON_AT(*from, struct tc_resolver, i);
		v[i].addr = address_for(n, &own, v[i].addr, a);
		rc = v[i].addr ? 0 : -ENOMEM;
	}
	ret->v = v;
	return rc;
}

/* The names of devices are answered by the device itself; so are suffixes without resolvers. */
static int make_routes(const struct tailnet *c, struct arena *a, struct json_map *ret)
{
	struct json_list *own = c->dns.magic_off ? NULL : arena_new(a, struct json_list);
	const char *base = arena_printf(a, "%s.", c->cfg.base_domain);
	int rc = base && (own || c->dns.magic_off) ? 0 : -ENOMEM;

	if (rc == 0 && own)
		rc = json_map_add(ret, a, base, own);
	for (size_t i = 0; i < c->dns.splits.n && rc == 0; i++) {
		struct coord_dns_split *s = JSON_AT(c->dns.splits, struct coord_dns_split, i);

		if (own && !strcmp(s->suffix, c->cfg.base_domain))
			continue; /* the base domain was another one when it was set */
		rc = json_map_add(ret, a, s->suffix, &s->resolvers);
	}
	return rc;
}

static int make_domains(const struct tailnet *c, struct arena *a, struct json_list *ret)
{
	const char **v = arena_array(a, c->dns.search.n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	v[0] = c->cfg.base_domain;
	for (size_t i = 0; i < c->dns.search.n; i++)
		v[i + 1] = *JSON_AT(c->dns.search, const char *, i);
	*ret = json_list_of(v, c->dns.search.n + 1);
	return 0;
}

static int make_certificates(
	const struct tailnet *c, const struct coord_node *n, struct arena *a, struct json_list *ret)
{
	const char **v = arena_new(a, const char *);

	if (!v)
		return -ENOMEM;
	*v = arena_printf(a, "%s.%s", n->doc.name, c->cfg.base_domain);
	*ret = json_list_of(v, 1);
	return *v ? 0 : -ENOMEM;
}

int dns_config_make(const struct tailnet *c, const struct coord_node *n, struct arena *a,
	struct tc_dns_config *ret)
{
	struct json_list resolvers;
	int rc = make_resolvers(c, n, a, &resolvers);

	*ret = (struct tc_dns_config){ .proxied = !c->dns.magic_off,
		.extra_records = c->dns.records };
	if (c->dns.override_off)
		ret->fallback_resolvers = resolvers;
	else
		ret->resolvers = resolvers;
	if (rc == 0)
		rc = make_routes(c, a, &ret->routes);
	if (rc == 0)
		rc = make_domains(c, a, &ret->domains);
	if (rc == 0 && n && c->dns.certificates)
		rc = make_certificates(c, n, a, &ret->cert_domains);
	return rc;
}
