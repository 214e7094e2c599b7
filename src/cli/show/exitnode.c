#include "cli/common/common.h"

#include <strings.h>
#include <time.h>

struct node {
	const struct ipn_peer_status *p;
	struct tc_location where;
};

static const char *status_of(struct cli *c, const struct ipn_peer_status *p)
{
	const char *seen =
		p->last_seen ? arena_printf(&c->arena, ", last seen %s", cli_ago(c, p->last_seen))
			     : "";

	if (p->online)
		return p->exit_node ? "selected" : "-";
	return arena_printf(&c->arena, "%soffline%s", p->exit_node ? "selected but " : "", seen);
}

static int by_place(const void *a, const void *b)
{
	const struct node *x = a, *y = b;
	int k = strcasecmp(cli_text_or(x->where.country, ""), cli_text_or(y->where.country, ""));

	if (k == 0)
		k = strcasecmp(cli_text_or(x->where.city, ""), cli_text_or(y->where.city, ""));
	if (k == 0 && x->where.priority != y->where.priority)
		k = x->where.priority > y->where.priority ? -1 : 1;
	return k ? k : strcmp(cli_text_or(x->p->dns_name, ""), cli_text_or(y->p->dns_name, ""));
}

/* Of the many of a city the one with the highest priority; those without a place all. */
static bool is_best_of_city(const struct node *all, size_t i)
{
	const struct tc_location *w = &all[i].where;

	if (!w->city || !*w->city || i == 0 || all[i].p->exit_node)
		return true;
	return strcmp(cli_text_or(all[i - 1].where.city, ""), w->city) != 0 ||
	       strcmp(cli_text_or(all[i - 1].where.country, ""), cli_text_or(w->country, "")) != 0;
}

static size_t collect(
	struct cli *c, const struct ipn_status *s, const char *country, struct node *out)
{
	size_t n = 0;

	for (size_t i = 0; i < s->peer.n; i++) {
		const struct ipn_peer_status *p = s->peer.v[i].value;
		struct node *one = &out[n];

		if (!p->exit_node_option)
			continue;
		*one = (struct node){ .p = p };
		if (p->location)
			one->where = *p->location;
		n += !*country || strcasecmp(cli_text_or(one->where.country, ""), country) == 0;
	}
	if (n)
		qsort(out, n, sizeof(*out), by_place);
	return n;
}

static int run_list(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const char *country = flag_text(flags, "filter");
	struct ipn_status s;
	struct node *nodes;
	struct table t;
	size_t n;

	if (argc)
		return cli_fail(c, "unexpected non-flag arguments to 'warren exit-node list'");
	if (!cli_get_status(c, true, &s))
		return 1;
	nodes = arena_array(&c->arena, s.peer.n, sizeof(*nodes));
	n = nodes ? collect(c, &s, country, nodes) : 0;
	if (!n)
		return *country ? cli_fail(c, "no exit nodes found for \"%s\"", country)
				: cli_fail(c, "no exit nodes found");
	table_init_tabs(&t, &c->arena, 5, 10, 5, true);
	TABLE_ROW(&t, " IP", "HOSTNAME", "COUNTRY", "CITY", "STATUS");
	for (size_t i = 0; i < n; i++)
		if (is_best_of_city(nodes, i))
			TABLE_ROW(&t,
				arena_printf(&c->arena, " %s",
					cli_first_ip(c, &nodes[i].p->tailscale_ips)),
				cli_short_name(c, nodes[i].p->dns_name, NULL),
				cli_text_or(nodes[i].where.country, "-"),
				cli_text_or(nodes[i].where.city, "-"), status_of(c, nodes[i].p));
	putchar('\n');
	table_print(&t, stdout, c->width);
	printf("\n# To view the complete list of exit nodes for a country, use `warren exit-node list --filter=` followed by the country name.\n"
	       "# To use an exit node, use `warren set --exit-node=` followed by the IP or hostname.\n");
	return 0;
}

static int run_suggest(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_suggestion s;
	const char *name;
	int rc;
	struct lclient_err err = { 0 };

	if (!cli_no_args(c, argc, argv))
		return 1;
	rc = lclient_get(&c->api, "suggest-exit-node", &ipn_suggestion_type, &s, &c->arena, &err);
	cli_note_version(c);
	if (rc < 0)
		return cli_fail_api(c, "suggest exit node: ", rc, &err);
	if (!s.id[0]) {
		printf("No exit node suggestion is available.\n");
		return 0;
	}
	name = cli_short_name(c, s.name, NULL);
	printf("Suggested exit node: %s\nTo accept this suggestion, use `warren set --exit-node=%s`.\n",
		name, name);
	return 0;
}

static struct flag flags[] = {
	{ .name = "filter", .kind = FLAG_TEXT, .help = "of this country only" },
	{ .name = NULL },
};

static const struct cli_cmd sub[] = {
	{ .name = "list",
		.run = run_list,
		.usage = "exit-node list [--filter=country]",
		.help = "List the devices that offer it",
		.flags = flags },
	{ .name = "suggest",
		.run = run_suggest,
		.usage = "exit-node suggest",
		.help = "Name the one that would do best" },
	{ .name = NULL },
};

const struct cli_cmd cli_exit_node = {
	.name = "exit-node",
	.usage = "exit-node <subcommand> [command flags]",
	.help = "Devices that carry internet traffic for others",
	.sub = sub,
};
