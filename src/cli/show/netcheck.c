#include "cli/common/common.h"
#include "term/duration.h"

#include <unistd.h>

static const char warning[] =
	"# Warning: this JSON format is not yet considered a stable interface";

struct row {
	const char *code, *name;
	int64_t latency_ns; /* 0: not measured */
	const char *why;    /* it does not answer; NULL: not known */
};

static const int64_t *latency_of(const struct ipn_netcheck *r, const char *id)
{
	return json_map_find(&r->region_latency, id);
}

static int by_latency(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (!x->latency_ns != !y->latency_ns)
		return x->latency_ns ? -1 : 1;
	if (x->latency_ns != y->latency_ns)
		return x->latency_ns < y->latency_ns ? -1 : 1;
	return strcmp(x->code, y->code);
}

static void print_relays(struct cli *c, const struct ipn_netcheck *r, const struct tc_derp_map *m)
{
	struct row *rows = arena_array(&c->arena, m->regions.n, sizeof(*rows));

	if (!rows)
		return;
	printf("\t* DERP latency:\n");
	for (size_t i = 0; i < m->regions.n; i++) {
		const struct tc_derp_region *region = m->regions.v[i].value;
		const int64_t *ns = latency_of(r, m->regions.v[i].key);
		const char *const *why = json_map_find(&r->region_errors, m->regions.v[i].key);

		rows[i] = (struct row){ cli_text_or(region->code, ""),
			cli_text_or(region->name, ""), ns ? *ns : 0, why ? *why : NULL };
	}
	if (m->regions.n)
		qsort(rows, m->regions.n, sizeof(*rows), by_latency);
	for (size_t i = 0; i < m->regions.n; i++) {
		char took[DURATION_TEXT_MAX] = "";

		if (rows[i].latency_ns)
			duration_format((rows[i].latency_ns + 50000) / 100000 * 100000, took);
		printf("\t\t- %3s: %-7s (%s)\n", rows[i].code, took, rows[i].name);
		if (rows[i].why)
			printf("\t\t       %s\n", rows[i].why);
	}
}

static const char *nearest(const struct ipn_netcheck *r, const struct tc_derp_map *m)
{
	for (size_t i = 0; i < m->regions.n; i++) {
		const struct tc_derp_region *region = m->regions.v[i].value;
		if (region->id == r->preferred_derp && r->preferred_derp)
			return cli_text_or(region->name, "[none]");
	}
	return r->region_latency.n ? "[none]" : "unknown (no response to latency probes)";
}

static const char *port_mapping(struct cli *c, const struct ipn_netcheck *r)
{
	struct json_list found = { 0 };
	const struct {
		uint8_t has;
		const char *name;
	} kinds[] = { { r->upnp, "UPnP" }, { r->pmp, "NAT-PMP" }, { r->pcp, "PCP" } };

	if (r->upnp == JSON_ABSENT && r->pmp == JSON_ABSENT && r->pcp == JSON_ABSENT)
		return " not checked";
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		const char **item = kinds[i].has == JSON_YES
					    ? json_list_add(&found, &c->arena, sizeof(*item))
					    : NULL;
		if (item)
			*item = kinds[i].name;
	}
	return found.n ? arena_printf(&c->arena, " %s", cli_join(c, &found, ", ")) : "";
}

static const char *three_state(uint8_t v)
{
	return v == JSON_YES ? "true" : v == JSON_NO ? "false" : "";
}

static void print_addresses(const struct ipn_netcheck *r)
{
	char text[IPPORT_TEXT_MAX];

	if (r->global_v4.ip.family)
		printf("\t* IPv4: yes, %s\n", ipport_format(r->global_v4, text));
	else
		printf("\t* IPv4: (no addr found)\n");
	if (r->global_v6.ip.family)
		printf("\t* IPv6: yes, %s\n", ipport_format(r->global_v6, text));
	else if (r->ipv6)
		printf("\t* IPv6: (no addr found)\n");
	else
		printf("\t* IPv6: no, %s\n",
			r->os_has_ipv6 ? "but OS has support" : "unavailable in OS");
}

static void print_report(struct cli *c, const struct ipn_netcheck *r, const struct tc_derp_map *m)
{
	char when[TIME_RFC3339_MAX];
	const char *mapping = three_state(r->mapping_varies),
		   *portal = three_state(r->captive_portal);

	time_format_rfc3339(r->now, when);
	if (strchr(when, 'T'))
		*strchr(when, 'T') = ' ';
	printf("\nReport:\n\t* Time: %s\n\t* UDP: %s\n", when, r->udp ? "true" : "false");
	print_addresses(r);
	printf("\t* MappingVariesByDestIP:%s%s\n", *mapping ? " " : "", mapping);
	printf("\t* PortMapping:%s\n", port_mapping(c, r));
	if (*portal)
		printf("\t* CaptivePortal: %s\n", portal);
	printf("\t* Nearest DERP: %s\n", nearest(r, m));
	if (m->regions.n)
		print_relays(c, r, m);
}

static int print_raw(struct cli *c, const char *format)
{
	bool lines = strcmp(format, "json-line") == 0;

	fprintf(stderr, "%s\n", warning);
	return !cli_print_json(c, "warren/netcheck", lines ? NULL : "\t", lines ? "" : "\n");
}

static int once(struct cli *c, const char *format)
{
	struct ipn_netcheck *r = arena_new(&c->arena, struct ipn_netcheck);
	struct tc_derp_map *m = arena_new(&c->arena, struct tc_derp_map);

	if (*format)
		return print_raw(c, format);
	if (!r || !m || !cli_get_doc(c, "derpmap", &tc_derp_map_type, m) ||
		!cli_get_doc(c, "warren/netcheck", &ipn_netcheck_type, r))
		return 1;
	if (!m->regions.n)
		fprintf(stderr,
			"This device has no relay map yet; the report shows what it finds without one.\n");
	print_report(c, r, m);
	return 0;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const char *format = flag_text(flags, "format");
	int64_t every = flag_n(flags, "every");
	int rc;

	if (*format && strcmp(format, "json") != 0 && strcmp(format, "json-line") != 0)
		return cli_fail(c, "unknown output format \"%s\"", format);
	do {
		rc = once(c, format);
		fflush(stdout);
		if (every > 0 && rc == 0)
			usleep((useconds_t)MIN_OF(every / 1000, (int64_t)UINT32_MAX));
	} while (every > 0 && rc == 0);
	return rc;
}

static struct flag flags[] = {
	{ .name = "every",
		.kind = FLAG_DURATION,
		.def = "0s",
		.help = "again and again, with this pause" },
	{ .name = "format", .kind = FLAG_TEXT, .help = "json, json-line, or empty for people" },
	{ .name = NULL },
};

const struct cli_cmd cli_netcheck = {
	.name = "netcheck",
	.run = run,
	.usage = "netcheck",
	.help = "Show what the local network lets through, and how far the relays are",
	.more = "The daemon looks, with the socket that it uses for everything else: what is shown holds for it.",
	.flags = flags,
};
