/* What becomes of a question for a name, by the settings: what a device with them does, in the order in which it looks. */
#include "core/coord/dns/internal.h"
#include "core/coord/tailnet/tailnet.h"

#include <errno.h>

static int add_records(
	const struct tailnet *c, const char *name, struct arena *a, struct coord_dns_preview *ret)
{
	for (size_t i = 0; i < c->dns.records.n; i++) {
		const struct tc_dns_record *r = JSON_AT(c->dns.records, struct tc_dns_record, i);
		const char **v;

		if (strcmp(r->name, name) != 0)
			continue;
		v = json_list_add(&ret->values, a, sizeof(*v));
		if (!v)
			return -ENOMEM;
		*v = r->value;
		ret->how = COORD_DNS_RECORD;
	}
	return 0;
}

static bool may_see(const struct tailnet *c, int64_t viewer, const struct coord_node *n)
{
	if (coord_node_is_alone(n))
		return false;
	return !viewer || c->open || viewer == n->doc.id ||
	       policy_visible(policy_installed(c->policy), viewer, n->doc.id);
}

static int add_node(const struct coord_node *n, struct arena *a, struct coord_dns_preview *ret)
{
	const struct ipaddr own[] = { n->doc.ip4, n->doc.ip6 };

	for (size_t i = n->hides_ip4; i < ARRAY_LEN(own); i++) {
		const char **v = json_list_add(&ret->values, a, sizeof(*v));
		char text[IPADDR_TEXT_MAX];

		if (!v || !(*v = arena_strdup(a, ipaddr_format(own[i], text))))
			return -ENOMEM;
	}
	ret->node = &n->doc;
	ret->how = COORD_DNS_DEVICE;
	return 0;
}

/* "printer.corp.example", or with names below it "x.y.printer.corp.example". */
static int find_node(const struct tailnet *c, const char *name, int64_t viewer, struct arena *a,
	struct coord_dns_preview *ret)
{
	size_t len = strlen(name) - strlen(c->cfg.base_domain);
	const char *label, *dot;
	const struct coord_node_doc *d;
	const struct coord_node *n;
	char *own;

	if (!len--)
		return 0; /* the base domain itself */
	own = arena_strndup(a, name, len);
	if (!own)
		return -ENOMEM;
	dot = strrchr(own, '.');
	label = dot ? dot + 1 : own;
	d = coord_node_named(c, label);
	n = d ? coord_node_by_id(c, d->id) : NULL;
	if (!n || (dot && !n->subdomains))
		return 0;
	if (!may_see(c, viewer, n)) {
		ret->hidden = true;
		return 0;
	}
	return add_node(n, a, ret);
}

/* A single label is looked for in the base domain, which is searched first. */
static int full_name(const struct tailnet *c, const char *in, struct arena *a, const char **ret,
	struct err_at *at)
{
	int rc = dns_clean_name(in, "the name", a, ret, at);

	if (rc == 0 && !strchr(*ret, '.') && strcmp(*ret, c->cfg.base_domain) != 0 &&
		in[strlen(in) - 1] != '.') {
		*ret = arena_printf(a, "%s.%s", *ret, c->cfg.base_domain);
		rc = *ret ? 0 : -ENOMEM;
	}
	return rc;
}

static int find_resolvers(
	const struct tailnet *c, int64_t viewer, struct arena *a, struct coord_dns_preview *ret)
{
	const struct coord_dns_split *s = coord_dns_split_of(&c->dns, ret->name);
	struct tc_dns_config config;
	int rc = dns_config_make(c, viewer ? coord_node_by_id(c, viewer) : NULL, a, &config);

	if (rc < 0)
		return rc;
	if (s) {
		ret->how = s->resolvers.n ? COORD_DNS_SPLIT : COORD_DNS_NOTHING;
		ret->suffix = s->suffix;
		ret->resolvers = s->resolvers;
		return 0;
	}
	ret->how = config.resolvers.n ? COORD_DNS_GLOBAL : COORD_DNS_SYSTEM;
	ret->resolvers = config.resolvers.n ? config.resolvers : config.fallback_resolvers;
	return 0;
}

int coord_dns_preview(const struct tailnet *c, const char *name, int64_t viewer, struct arena *a,
	struct coord_dns_preview *ret, struct err_at *at)
{
	bool below;
	int rc;

	*ret = (struct coord_dns_preview){ .values.present = true };
	if (viewer && !coord_node_by_id(c, viewer))
		return -ENOENT;
	rc = full_name(c, name, a, &ret->name, at);
	if (rc < 0)
		return rc;
	below = coord_dns_is_below(ret->name, c->cfg.base_domain);
	rc = add_records(c, ret->name, a, ret);
	if (rc == 0 && !ret->values.n && below)
		rc = find_node(c, ret->name, viewer, a, ret);
	if (rc < 0 || ret->values.n)
		return rc;
	if (below && !c->dns.magic_off && !coord_dns_split_of(&c->dns, ret->name)) {
		ret->how = COORD_DNS_NOTHING;
		ret->suffix = c->cfg.base_domain;
		return 0;
	}
	return find_resolvers(c, viewer, a, ret);
}
