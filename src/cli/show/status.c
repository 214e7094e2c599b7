#include "cli/common/common.h"

static const char *last_seen(struct cli *c, unix_ms at)
{
	return at ? arena_printf(&c->arena, ", last seen %s", cli_ago(c, at)) : "";
}

static const char *offline(struct cli *c, const struct ipn_peer_status *p)
{
	return p->online ? "" : arena_printf(&c->arena, "; offline%s", last_seen(c, p->last_seen));
}

static const char *route(struct cli *c, const struct ipn_peer_status *p)
{
	const char *addr = cli_text_or(p->cur_addr, ""), *relay = cli_text_or(p->relay, "");
	const char *peer_relay = cli_text_or(p->peer_relay, "");

	if (*addr)
		return arena_printf(&c->arena, "direct %s", addr);
	if (*peer_relay)
		return arena_printf(&c->arena, "peer-relay %s", peer_relay);
	return *relay ? arena_printf(&c->arena, "relay \"%s\"", relay) : "";
}

/* "active; direct 198.51.100.2:41641, tx 2000 rx 1000" */
static const char *connection(struct cli *c, const struct ipn_peer_status *p)
{
	const char *exit_node = p->exit_node          ? "exit node"
				: p->exit_node_option ? "offers exit node"
						      : "";
	bool traffic = p->rx_bytes || p->tx_bytes;
	const char *text = "-";

	if (p->active)
		text = arena_printf(&c->arena, "active; %s%s%s%s", exit_node,
			*exit_node ? "; " : "", route(c, p), offline(c, p));
	else if (*exit_node)
		text = arena_printf(&c->arena, "idle; %s%s", exit_node, offline(c, p));
	else if (traffic)
		text = arena_printf(&c->arena, "idle%s", offline(c, p));
	else if (!p->online)
		text = arena_printf(&c->arena, "offline%s", last_seen(c, p->last_seen));
	if (traffic)
		text = arena_printf(&c->arena, "%s, tx %lld rx %lld", text, (long long)p->tx_bytes,
			(long long)p->rx_bytes);
	return text;
}

static const char *owner(struct cli *c, const struct ipn_status *s, const struct ipn_peer_status *p)
{
	int64_t id = p->alt_sharer_user_id ? p->alt_sharer_user_id : p->user_id;
	const char *key = arena_printf(&c->arena, "%lld", (long long)id);
	const struct tc_user *u = key ? json_map_find(&s->user, key) : NULL;
	const char *login, *at;

	if (!id)
		return "-";
	if (!u)
		return key;
	login = cli_text_or(u->login_name, "");
	at = strchr(login, '@');
	return at ? arena_strndup(&c->arena, login, (size_t)(at - login) + 1) : login;
}

static void add_row(
	struct cli *c, struct table *t, const struct ipn_status *s, const struct ipn_peer_status *p)
{
	const char *name = cli_short_name(c, p->dns_name, s->magic_dns_suffix);

	if (!*name)
		name = arena_printf(&c->arena, "(\"%s\")", cli_text_or(p->host_name, ""));
	TABLE_ROW(t, cli_first_ip(c, &p->tailscale_ips), name, owner(c, s, p),
		cli_text_or(p->os, ""), connection(c, p));
}

static int by_name(const void *a, const void *b)
{
	const struct ipn_peer_status *x = *(const struct ipn_peer_status *const *)a,
				     *y = *(const struct ipn_peer_status *const *)b;
	int k = strcmp(cli_text_or(x->dns_name, ""), cli_text_or(y->dns_name, ""));

	if (k == 0)
		k = strcmp(cli_text_or(x->host_name, ""), cli_text_or(y->host_name, ""));
	if (k == 0 && x->tailscale_ips.n && y->tailscale_ips.n)
		k = ipaddr_cmp(*JSON_AT(x->tailscale_ips, struct ipaddr, 0),
			*JSON_AT(y->tailscale_ips, struct ipaddr, 0));
	return k ? k : memcmp(x->public_key.b, y->public_key.b, KEY_LEN);
}

/* Commercial exit nodes are many: those that are not in use are listed by "exit-node list" only. */
static bool is_hidden(const struct ipn_peer_status *p)
{
	static const char suffix[] = "mullvad.ts.net.";
	const char *name = cli_text_or(p->dns_name, "");
	size_t n = strlen(name);

	return p->sharee_node || (p->exit_node_option && !p->exit_node && n >= sizeof(suffix) &&
					 strcmp(name + n - sizeof(suffix) + 1, suffix) == 0);
}

static bool add_peers(struct cli *c, struct table *t, const struct ipn_status *s, bool only_active)
{
	const struct ipn_peer_status **peers = arena_array(&c->arena, s->peer.n, sizeof(*peers));
	bool hidden = false;

	if (!peers)
		return false;
	for (size_t i = 0; i < s->peer.n; i++)
		peers[i] = s->peer.v[i].value;
	if (s->peer.n)
		qsort(peers, s->peer.n, sizeof(*peers), by_name);
	for (size_t i = 0; i < s->peer.n; i++) {
		if (is_hidden(peers[i]))
			hidden = true;
		else if (peers[i]->active || !only_active)
			add_row(c, t, s, peers[i]);
	}
	return hidden;
}

static void print_health(const struct ipn_status *s)
{
	if (!s->health.n)
		return;
	printf("# Health check:\n");
	for (size_t i = 0; i < s->health.n; i++)
		printf("#     - %s\n", *JSON_AT(s->health, const char *, i));
}

/* Is there more to say than that a login is wanted? */
static bool says_why(const struct ipn_status *s)
{
	for (size_t i = 0; i < s->health.n; i++)
		if (!cli_only_wants_login(*JSON_AT(s->health, const char *, i)))
			return true;
	return false;
}

static int not_running(struct cli *c, const struct ipn_status *s)
{
	const char *state = cli_text_or(s->backend_state, "");

	if ((strcmp(state, "NoState") == 0 || (strcmp(state, "NeedsLogin") == 0 && says_why(s))) &&
		s->health.n) {
		print_health(s);
		putchar('\n');
	}
	cli_is_running(c, s);
	return 1;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_status s;
	struct table t;
	bool hidden = false;

	if (argc)
		return cli_fail(c, "unexpected non-flag arguments to 'warren status'");
	if (flag_on(flags, "json"))
		return !cli_print_json(
			c, flag_on(flags, "peers") ? "status" : "status?peers=false", "  ", "");
	if (!cli_get_status(c, flag_on(flags, "peers"), &s))
		return 1;
	if (cli_state_text(c, &s))
		return not_running(c, &s);
	table_init_tabs(&t, &c->arena, 5, 0, 2, true);
	if (flag_on(flags, "header")) {
		TABLE_ROW(&t, "IP", "Hostname", "Owner", "OS", "Status");
		TABLE_ROW(&t, "--", "--------", "-----", "--", "------");
	}
	if (flag_on(flags, "self"))
		add_row(c, &t, &s, s.self);
	if (flag_on(flags, "peers"))
		hidden = add_peers(c, &t, &s, flag_on(flags, "active"));
	table_print(&t, stdout, c->width);
	if (hidden)
		printf("\n# To see the full list of exit nodes, including those of providers, run `warren exit-node list`\n");
	if (s.health.n)
		putchar('\n');
	print_health(&s);
	return 0;
}

static struct flag flags[] = {
	{ .name = "active",
		.kind = FLAG_BOOL,
		.help = "only devices that this one talks to right now" },
	{ .name = "header", .kind = FLAG_BOOL, .help = "with column names" },
	{ .name = "json", .kind = FLAG_BOOL, .help = "everything, as JSON" },
	{ .name = "peers", .kind = FLAG_BOOL, .def = "true", .help = "list the other devices" },
	{ .name = "self", .kind = FLAG_BOOL, .def = "true", .help = "list this device" },
	{ .name = NULL },
};

const struct cli_cmd cli_status = {
	.name = "status",
	.run = run,
	.usage = "status [--active] [--header] [--json]",
	.help = "Show the devices of the network and how they are reached",
	.more = "The exit code is 1 while this device is not connected. The fields of --json are those of tailscale's;\n"
		"docs/protocol/local.md has them.",
	.flags = flags,
};
