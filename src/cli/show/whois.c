#include "cli/common/common.h"

static const char *prefixes(struct cli *c, const struct json_list *l, size_t from)
{
	char text[IPPREFIX_TEXT_MAX];
	const char *out = "";

	for (size_t i = from; i < l->n && out; i++)
		out = arena_printf(&c->arena, "%s%s%s", out, i > from ? " " : "",
			ipprefix_format(*JSON_AT(*l, struct ipprefix, i), text));
	return out ? out : "";
}

static void print_caps(const struct json_map *caps)
{
	if (!caps->n)
		return;
	printf("Capabilities:\n");
	for (size_t i = 0; i < caps->n; i++) {
		const struct json_list *values = caps->v[i].value;
		struct buf text;

		printf("  - %s%s\n", caps->v[i].key, values->n ? ":" : "");
		for (size_t k = 0; k < values->n; k++) {
			buf_init(&text, 1 << 20);
			if (json_indent(*JSON_AT(*values, struct view, k), "      ", "  ", &text) ==
				0)
				printf("      %s\n", buf_cstr(&text));
			buf_fini(&text);
		}
	}
}

static void print_whois(struct cli *c, const struct ipn_whois *w)
{
	const struct tc_node *n = w->node;
	struct arena *a = &c->arena;
	struct table t;

	printf("Machine:\n");
	table_init_tabs(&t, a, 2, 10, 5, false);
	TABLE_ROW(&t, "  Name:", cli_short_name(c, n->name, NULL));
	TABLE_ROW(&t, "  ID:", cli_text_or(n->stable_id, ""));
	TABLE_ROW(&t, "  Addresses:", arena_printf(a, "[%s]", prefixes(c, &n->addresses, 0)));
	if (n->allowed_ips.n > 2)
		TABLE_ROW(&t,
			"  AllowedIPs:", arena_printf(a, "[%s]", prefixes(c, &n->allowed_ips, 2)));
	if (n->tags.n)
		TABLE_ROW(&t, "  Tags:", cli_join(c, &n->tags, ", "));
	table_print(&t, stdout, 0); /* not cut: these are texts to copy */
	if (!n->tags.n) {
		printf("User:\n");
		table_init_tabs(&t, a, 2, 10, 5, false);
		TABLE_ROW(&t, "  Name:", cli_text_or(w->user->login_name, ""));
		TABLE_ROW(&t, "  ID:", arena_printf(a, "%lld", (long long)w->user->id));
		table_print(&t, stdout, 0);
	}
	print_caps(&w->cap_map);
}

static int show(struct cli *c, const char *addr, const char *proto, bool json)
{
	const char *path = arena_printf(
		&c->arena, "whois?proto=%s&addr=%s", cli_escape(c, proto), cli_escape(c, addr));
	struct lclient_err err;
	struct ipn_whois w;
	int rc = lclient_get(&c->api, path, &ipn_whois_type, &w, &c->arena, &err);

	cli_note_version(c);
	if (rc < 0 && err.status == 404)
		return cli_fail(c, "peer not found");
	if (rc < 0)
		return cli_fail_api(c, "", rc, &err);
	if (json)
		return !cli_print_json(c, path, "  ", "\n");
	if (!w.node || !w.user)
		return cli_fail(c, "the daemon does not say who that is");
	print_whois(c, &w);
	return 0;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	if (argc > 1)
		return cli_fail(c, "too many arguments, expected at most one peer");
	if (!argc)
		return cli_fail(c, "missing argument, expected one peer");
	return show(c, argv[0], flag_text(flags, "proto"), flag_on(flags, "json"));
}

static int run_self(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_status s;

	if (!cli_no_args(c, argc, argv) || !cli_get_status(c, false, &s))
		return 1;
	if (!s.tailscale_ips.n)
		return cli_fail(
			c, "no current Warren IPs; state: %s", cli_text_or(s.backend_state, ""));
	return show(c, cli_first_ip(c, &s.tailscale_ips), "", flag_on(flags, "json"));
}

static struct flag whois_flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = "proto",
		.kind = FLAG_TEXT,
		.help = "of the connection with that address and port: tcp or udp" },
	{ .name = NULL },
};
static struct flag whoami_flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "as JSON" },
	{ .name = NULL },
};

const struct cli_cmd cli_whois = {
	.name = "whois",
	.run = run,
	.usage = "whois [--json] ip[:port]",
	.help = "Show which device and whose an address is",
	.flags = whois_flags,
};

const struct cli_cmd cli_whoami = {
	.name = "whoami",
	.run = run_self,
	.usage = "whoami [--json]",
	.help = "Show which device and whose this one is",
	.flags = whoami_flags,
};
