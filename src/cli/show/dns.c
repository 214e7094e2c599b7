/* dns status: what this device does about names, and what the hub and the system tell it to. */
#include "cli/common/common.h"
#include "cli/show/query.h"

struct resolver {
	const char *addr;
	struct json_list bootstrap; /* struct ipaddr */
};
static const struct json_field resolver_fields[] = {
	JSON_F(struct resolver, addr, "Addr", json_str, 0),
	JSON_F(struct resolver, bootstrap, "BootstrapResolution", json_ip_list, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(resolver_type, struct resolver, resolver_fields);
static JSON_LIST_TYPE(resolver_list, resolver_type);
static JSON_MAP_TYPE(resolver_map, resolver_list);

struct system_dns {
	struct json_list nameservers, search_domains, match_domains;
};
static const struct json_field system_fields[] = {
	JSON_F(struct system_dns, nameservers, "Nameservers", json_str_list, 0),
	JSON_F(struct system_dns, search_domains, "SearchDomains", json_str_list, 0),
	JSON_F(struct system_dns, match_domains, "MatchDomains", json_str_list, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(system_type, struct system_dns, system_fields);
static JSON_POINTER_TYPE(system_ptr, system_type);

struct tailnet {
	bool enabled;
	const char *suffix, *self;
};
static const struct json_field tailnet_fields[] = {
	JSON_F(struct tailnet, enabled, "MagicDNSEnabled", json_bool, 0),
	JSON_F(struct tailnet, suffix, "MagicDNSSuffix", json_str, JSON_OMIT),
	JSON_F(struct tailnet, self, "SelfDNSName", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(tailnet_type, struct tailnet, tailnet_fields);
static JSON_POINTER_TYPE(tailnet_ptr, tailnet_type);

static JSON_LIST_TYPE(record_list, tc_dns_record_type);

struct dns_status {
	bool used;
	struct tailnet *tailnet;
	struct json_list resolvers, fallback, search, cert_domains, records, filtered;
	struct json_map *routes;
	struct system_dns *system;
	const char *system_error;
};
static JSON_POINTER_TYPE(routes_ptr, resolver_map);

#define F(member, key, type, flags) JSON_F(struct dns_status, member, key, type, flags)
static const struct json_field status_fields[] = {
	F(used, "TailscaleDNS", json_bool, 0),
	F(tailnet, "CurrentTailnet", tailnet_ptr, JSON_OMIT),
	F(resolvers, "Resolvers", resolver_list, JSON_OMIT),
	F(routes, "SplitDNSRoutes", routes_ptr, JSON_OMIT),
	F(fallback, "FallbackResolvers", resolver_list, JSON_OMIT),
	F(search, "SearchDomains", json_str_list, JSON_OMIT),
	F(cert_domains, "CertDomains", json_str_list, JSON_OMIT),
	F(records, "ExtraRecords", record_list, JSON_OMIT),
	F(filtered, "ExitNodeFilteredSet", json_str_list, JSON_OMIT),
	F(system, "SystemDNS", system_ptr, JSON_OMIT),
	F(system_error, "SystemDNSError", json_str, JSON_OMIT),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(status_type, struct dns_status, status_fields);

/* ---- asking ---- */

/* What the hub says, in the fields that are shown here. */
struct hub_dns {
	struct json_list resolvers, fallback, domains, cert_domains, records, filtered;
	struct json_map routes;
};
#define F(member, key, type) JSON_F(struct hub_dns, member, key, type, 0)
static const struct json_field hub_fields[] = {
	F(resolvers, "Resolvers", resolver_list),
	F(fallback, "FallbackResolvers", resolver_list),
	F(domains, "Domains", json_str_list),
	F(cert_domains, "CertDomains", json_str_list),
	F(records, "ExtraRecords", record_list),
	F(filtered, "ExitNodeFilteredSet", json_str_list),
	F(routes, "Routes", resolver_map),
	JSON_END,
};
#undef F
static JSON_OBJECT_TYPE(hub_type, struct hub_dns, hub_fields);

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Zones without a resolver are answered by the daemon itself; they are no routes to anywhere. */
static bool take_routes(struct cli *c, const struct json_map *from, struct dns_status *d)
{
	d->routes = arena_new(&c->arena, struct json_map);
	if (!d->routes)
		return false;
	d->routes->present = true;
	for (size_t i = 0; i < from->n; i++) {
		const struct json_list *l = from->v[i].value;
		if (l->n &&
			json_map_add(d->routes, &c->arena, from->v[i].key, from->v[i].value) < 0)
			return false;
	}
	json_map_sort(d->routes);
	return true;
}

static bool ask_hub(struct cli *c, const struct ipn_status *s, struct dns_status *d)
{
	struct lclient_err err;
	struct hub_dns h;
	int rc;

	if (!s->current_tailnet)
		return true;
	d->tailnet = arena_new(&c->arena, struct tailnet);
	if (!d->tailnet)
		return false;
	*d->tailnet = (struct tailnet){ s->current_tailnet->magic_dns_enabled,
		s->current_tailnet->magic_dns_suffix, s->self->dns_name };
	rc = lclient_get(&c->api, "dns-config", &hub_type, &h, &c->arena, &err);
	if (rc < 0)
		return cli_fail_api(c, "", rc, &err) == 0;
	d->resolvers = h.resolvers;
	d->fallback = h.fallback;
	d->search = h.domains;
	d->cert_domains = h.cert_domains;
	d->records = h.records;
	d->filtered = h.filtered;
	if (d->search.n)
		qsort(d->search.v, d->search.n, sizeof(char *), by_text);
	return take_routes(c, &h.routes, d);
}

static bool ask_system(struct cli *c, struct dns_status *d)
{
	struct system_dns *sys = arena_new(&c->arena, struct system_dns);
	struct lclient_err err;
	int rc = sys ? lclient_get(&c->api, "dns-osconfig", &system_type, sys, &c->arena, &err)
		     : -ERR_TOO_BIG;

	if (rc == 0)
		d->system = sys;
	else if (sys)
		d->system_error = arena_strdup(&c->arena, err.text);
	return sys;
}

/* ---- showing ---- */

static void print_resolvers(const struct json_list *l, const char *none)
{
	for (size_t i = 0; i < l->n; i++)
		printf("  - %s\n", cli_text_or(JSON_AT(*l, struct resolver, i)->addr, ""));
	if (!l->n)
		printf("  (%s)\n", none);
}

static void print_texts(const char *title, const struct json_list *l, const char *none)
{
	printf("\n%s:\n", title);
	for (size_t i = 0; i < l->n; i++)
		printf("  - %s\n", *JSON_AT(*l, const char *, i));
	if (!l->n)
		printf("  (%s)\n", none);
}

static void print_routes(const struct json_map *routes)
{
	printf("\nSplit DNS Routes:\n");
	for (size_t i = 0; i < routes->n; i++) {
		const struct json_list *l = routes->v[i].value;

		for (size_t k = 0; k < l->n; k++)
			printf("  - %-30s -> %s\n", routes->v[i].key,
				cli_text_or(JSON_AT(*l, struct resolver, k)->addr, ""));
	}
	if (!routes->n)
		printf("  (no routes configured: split DNS disabled)\n");
}

static void print_records(const struct json_list *l)
{
	printf("\nAdditional DNS Records:\n");
	for (size_t i = 0; i < l->n; i++) {
		const struct tc_dns_record *r = JSON_AT(*l, struct tc_dns_record, i);
		printf("  - [%s] %-50s -> %s\n", cli_text_or(r->type, "A"),
			cli_text_or(r->name, ""), cli_text_or(r->value, ""));
	}
	if (!l->n)
		printf("  (no extra records)\n");
}

static void print_hub(const struct dns_status *d, bool all)
{
	printf("\n=== MagicDNS configuration ===\n\nWhat the hub configures for this device.\n\n");
	if (!d->tailnet) {
		printf("No tailnet information available; is this device connected?\n");
		return;
	}
	if (d->tailnet->enabled)
		printf("MagicDNS: enabled tailnet-wide (suffix = %s)\n\nOther devices in your tailnet can reach this device at %.*s.\n",
			cli_text_or(d->tailnet->suffix, ""),
			(int)(strlen(cli_text_or(d->tailnet->self, ".")) - 1),
			cli_text_or(d->tailnet->self, "."));
	else
		printf("MagicDNS: disabled tailnet-wide.\n");
	printf("\nResolvers (in preference order):\n");
	print_resolvers(&d->resolvers,
		"no resolvers configured, system default will be used: see 'System DNS configuration' below");
	print_routes(d->routes);
	if (all) {
		printf("\nFallback Resolvers:\n");
		print_resolvers(&d->fallback, "no fallback resolvers configured");
	}
	print_texts("Search Domains", &d->search, "no search domains configured");
	if (!all)
		return;
	print_texts(
		"Certificate Domains", &d->cert_domains, "no certificate domains are configured");
	print_records(&d->records);
	print_texts("Filtered suffixes when forwarding DNS queries as an exit node", &d->filtered,
		"no suffixes are filtered");
}

/* Who was told to ask this device, in words. */
static void print_manager(struct cli *c)
{
	struct ipn_dns_manager m;
	struct lclient_err err;
	const char *state;

	if (lclient_get(&c->api, "warren/dns-manager", &ipn_dns_manager_type, &m, &c->arena, &err) <
		0)
		return; /* a daemon of another make */
	state = cli_text_or(m.state, "");
	printf("\n=== System's resolver ===\n\n");
	if (!strcmp(state, "set"))
		printf("Told to ask this device: %s (%s).\n", cli_text_or(m.manager, ""),
			cli_text_or(m.why, ""));
	else if (!strcmp(state, "yielded"))
		printf("Left alone: another program has rewritten /etc/resolv.conf %lld times. \"warren down\" and \"warren up\" begin anew.\n",
			(long long)m.overwritten);
	else if (!strcmp(state, "failed"))
		printf("It could not be told: %s: %s\n", cli_text_or(m.manager, ""),
			cli_text_or(m.error, ""));
	else
		printf("As it is without this device%s%s.\n", *cli_text_or(m.why, "") ? ": " : "",
			cli_text_or(m.why, ""));
	if (m.split && !strcmp(state, "set"))
		printf("It asks this device for the tailnet's domains only.\n");
}

static void print_system(const struct dns_status *d, bool all)
{
	printf("\n=== System DNS configuration ===\n\nWhat the operating system uses by itself.\n");
	if (!d->system) {
		printf("\n(not known: %s)\n", cli_text_or(d->system_error, "no answer"));
		return;
	}
	print_texts("Nameservers", &d->system->nameservers,
		"no nameservers found, DNS queries might fail");
	print_texts("Search domains", &d->system->search_domains, "no search domains found");
	if (all)
		print_texts("Match domains", &d->system->match_domains, "no match domains found");
}

static int print_json(const struct dns_status *d)
{
	struct buf compact, text;
	int rc;

	buf_init(&compact, LCLIENT_ANSWER_MAX);
	buf_init(&text, LCLIENT_ANSWER_MAX);
	rc = json_encode(&status_type, d, &compact);
	if (rc == 0)
		rc = json_indent(buf_view(&compact), "", "  ", &text);
	if (rc == 0)
		printf("%s\n", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&compact);
	return rc < 0;
}

static int run_status(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct dns_status d = { 0 };
	struct ipn_prefs p;
	struct ipn_status s;
	bool all = flag_on(flags, "all");

	if (!cli_no_args(c, argc, argv) || !cli_get_status(c, false, &s) ||
		!cli_get_doc(c, "prefs", &ipn_prefs_type, &p))
		return 1;
	d.used = p.corp_dns;
	if (!ask_hub(c, &s, &d))
		return 1;
	if (flag_on(flags, "json") &&
		!d.tailnet) /* as the original: the rest means something in a network only */
		return print_json(&d);
	if (!ask_system(c, &d))
		return 1;
	if (flag_on(flags, "json"))
		return print_json(&d);
	printf("\n=== 'Use Tailscale DNS' status ===\n\nTailscale DNS: %s.\n\n",
		d.used ? "enabled" : "disabled");
	printf(d.used ? "This device uses the network's DNS settings.\nRun 'warren set --accept-dns=false' to use the system's only.\n"
		      : "(Run 'warren set --accept-dns=true' to use the network's DNS settings)\n");
	print_manager(c);
	print_hub(&d, all);
	print_system(&d, all);
	return 0;
}

static struct flag flags[] = {
	{ .name = "all", .kind = FLAG_BOOL, .help = "everything that the hub says about names" },
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = NULL },
};

static struct flag query_flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = NULL },
};

static const struct cli_cmd sub[] = {
	{ .name = "status",
		.run = run_status,
		.usage = "dns status [--all] [--json]",
		.help = "Show how names are looked up",
		.flags = flags },
	{ .name = "query",
		.run = cli_dns_query,
		.usage = "dns query [--json] <name> [type]",
		.help = "Ask the resolver of this device for a name",
		.flags = query_flags },
	{ .name = NULL },
};

const struct cli_cmd cli_dns = {
	.name = "dns",
	.usage = "dns <subcommand> [command flags]",
	.help = "Look at the DNS settings",
	.sub = sub,
};
