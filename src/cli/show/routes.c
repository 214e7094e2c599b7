#include "cli/common/common.h"

static const char *overlaps(struct cli *c, const struct json_list *l)
{
	char text[IPPREFIX_TEXT_MAX];
	const char *out = "";

	for (size_t i = 0; i < l->n && out; i++)
		out = arena_printf(&c->arena, "%s%s%s", out, i ? " " : "",
			ipprefix_format(*JSON_AT(*l, struct ipprefix, i), text));
	return out && *out ? out : "-";
}

static const char *router_of(struct cli *c, const struct ipn_route *r)
{
	return r->own ? "this device" : cli_short_name(c, r->router, NULL);
}

static const char *advice(const char *state, bool own)
{
	if (!strcmp(state, IPN_ROUTE_WAITS))
		return "# waits: on the hub, \"warren-hub routes approve\" lets others use it.\n";
	if (!strcmp(state, IPN_ROUTE_LAN))
		return "# local network: this machine is on it, and it stays as it is; \"warren set --keep-lan=false\" sends it into the tunnel.\n";
	if (!strcmp(state, IPN_ROUTE_NOT_ACCEPTED) && !own)
		return "# not accepted: \"warren set --accept-routes\" takes subnets, \"--exit-node=NAME\" a way to the internet.\n";
	if (!strcmp(state, IPN_ROUTE_NOT_CHOSEN))
		return "# not chosen: \"warren get accept-routes\" says which are, \"warren set --accept-routes\" takes all.\n";
	return NULL;
}

static void print_advice(const struct json_list *list)
{
	const char *told[4] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct ipn_route *r = JSON_AT(*list, struct ipn_route, i);
		const char *text = advice(cli_text_or(r->state, ""), r->own);
		bool again = !text;

		for (size_t k = 0; k < n; k++)
			again |= told[k] == text;
		if (again || n == ARRAY_LEN(told))
			continue;
		printf("%s%s", n ? "" : "\n", text);
		told[n++] = text;
	}
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	char text[IPPREFIX_TEXT_MAX];
	struct lclient_err err;
	struct json_list list;
	struct table t;
	int rc;

	if (!cli_no_args(c, argc, argv))
		return 1;
	if (flag_on(flags, "json"))
		return !cli_print_json(c, "warren/routes", "  ", "\n");
	rc = lclient_get(&c->api, "warren/routes", &ipn_route_list, &list, &c->arena, &err);
	if (rc < 0)
		return cli_fail_api(c, "", rc, &err);
	if (!list.n) {
		printf("No routes: nobody offers a network, and neither does this device (\"warren set --advertise-routes\").\n");
		return 0;
	}
	table_init_tabs(&t, &c->arena, 5, 8, 3, true);
	TABLE_ROW(&t, "ROUTE", "ROUTER", "ADDRESS", "STATE", "OVERLAPS");
	for (size_t i = 0; i < list.n; i++) {
		const struct ipn_route *r = JSON_AT(list, struct ipn_route, i);

		TABLE_ROW(&t, arena_printf(&c->arena, "%s", ipprefix_format(r->prefix, text)),
			router_of(c, r), cli_ip_text(c, r->ip), cli_text_or(r->state, ""),
			overlaps(c, &r->overlaps));
	}
	table_print(&t, stdout, c->width);
	print_advice(&list);
	return 0;
}

static struct flag flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = NULL },
};

const struct cli_cmd cli_routes = {
	.name = "routes",
	.run = run,
	.usage = "routes [--json]",
	.help = "Show which networks are reached through which device",
	.flags = flags,
};
