/* What an administrator should know of the settings as they are: none of it is wrong, and each of it surprises. */
#include "core/coord/dns/dns.h"
#include "core/coord/tailnet/tailnet.h"
#include "proto/names/url.h"

#include <errno.h>

/* DNS over HTTPS as official clients know it: others they do not ask. Source: their table of public resolvers. */
static const char *const known[] = { "cloudflare-dns.com", "security.cloudflare-dns.com",
	"family.cloudflare-dns.com", "dns.google", "dns.quad9.net", "dns10.quad9.net",
	"dns11.quad9.net", "dns.mullvad.net", "adblock.dns.mullvad.net", "base.dns.mullvad.net",
	"extended.dns.mullvad.net", "family.dns.mullvad.net", "all.dns.mullvad.net",
	"wikimedia-dns.org", "freedns.controld.com", "dns.controld.com", "dns.nextdns.io",
	"private.canadianshield.cira.ca", "protected.canadianshield.cira.ca",
	"family.canadianshield.cira.ca" };

struct notes {
	struct json_list *list;
	struct arena *mem;
	int rc;
};

static void add(struct notes *o, const char *text)
{
	const char **v = o->rc == 0 ? json_list_add(o->list, o->mem, sizeof(*v)) : NULL;

	if (v)
		*v = text;
	if (!v || !text)
		o->rc = o->rc < 0 ? o->rc : -ENOMEM;
}

static bool is_known(const char *addr)
{
	const char *path;
	struct url u;

	if (url_parse(addr, &u, &path) < 0)
		return true; /* an address */
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (!strcmp(u.host, known[i]))
			return true;
	return false;
}

static void note_resolvers(struct notes *o, const struct json_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *addr = JSON_AT(*l, struct tc_resolver, i)->addr;

		if (!strncmp(addr, "tls://", 6))
			add(o, arena_printf(o->mem,
				       "%s: official clients do not speak DNS over TLS; they ask the other resolvers only",
				       addr));
		else if (!is_known(addr))
			add(o, arena_printf(o->mem,
				       "%s: official clients ask resolvers over HTTPS of well-known providers only, and not this one",
				       addr));
	}
}

static void note_records(struct notes *o, const struct tailnet *c)
{
	for (size_t i = 0; i < c->dns.records.n; i++) {
		const char *name = JSON_AT(c->dns.records, struct tc_dns_record, i)->name;
		const char *own = arena_strndup(o->mem, name, strcspn(name, "."));
		const char *rest = strchr(name, '.');

		if (!own)
			o->rc = -ENOMEM;
		else if (rest && !strcmp(rest + 1, c->cfg.base_domain) && coord_node_named(c, own))
			add(o, arena_printf(o->mem,
				       "the record %s has the name of a device: official clients answer with the record instead of the device's addresses",
				       name));
	}
}

int coord_dns_notes(const struct tailnet *c, struct arena *a, struct json_list *ret)
{
	const struct coord_dns *d = &c->dns;
	struct notes o = { .list = ret, .mem = a };

	*ret = (struct json_list){ .present = true };
	note_resolvers(&o, &d->resolvers);
	for (size_t i = 0; i < d->splits.n; i++) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, i);

		note_resolvers(&o, &s->resolvers);
		if (coord_dns_is_below(s->suffix, c->cfg.base_domain))
			add(&o, arena_printf(a,
					"the suffix %s is below the base domain: official clients never ask its resolvers",
					s->suffix));
	}
	note_records(&o, c);
	if (d->resolvers.n && d->override_off)
		add(&o, "override is off: devices with resolvers of their own keep them, and the global ones are for those without");
	if (d->certificates)
		add(&o, "certificates are on: devices are told for which name, but this hub publishes no records that a certificate authority asks for");
	return o.rc;
}
