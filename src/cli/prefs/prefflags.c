#include "cli/prefs/prefflags.h"

#include "base/text/text.h"
#include "cli/prefs/routes.h"

#include <strings.h>

enum { NONE = 0, ALL = PREF_UP | PREF_LOGIN | PREF_SET, LOGINS = PREF_UP | PREF_LOGIN };

struct row {
	int where;
	bool is_pref;
	struct flag flag;
};

#define P(w, ...) \
	{ \
		(w), true, \
		{ \
			__VA_ARGS__ \
		} \
	}
#define N(w, ...) \
	{ \
		(w), false, \
		{ \
			__VA_ARGS__ \
		} \
	}
static const struct row rows[] = {
	P(ALL, .name = "accept-dns", .kind = FLAG_BOOL, .def = "true",
		.help = "use the network's DNS settings"),
	N(ALL, .name = "accept-risk", .kind = FLAG_TEXT,
		.help = "do it without asking, though it may cut off your access: lose-ssh, all"),
	P(ALL, .name = "accept-routes", .kind = FLAG_BOOL, .or_list = true,
		.help = "use the subnet routes that other devices offer; =10.0.0.0/8,nas:*,office:192.168.1.0/24: of these networks, routers and networks of routers only"),
	P(ALL, .name = "advertise-connector", .kind = FLAG_BOOL,
		.help = "offer this device as an app connector (not built yet in warrend)"),
	P(ALL, .name = "advertise-exit-node", .kind = FLAG_BOOL,
		.help = "offer to carry the others' traffic to the internet"),
	P(ALL, .name = "advertise-routes", .kind = FLAG_TEXT,
		.help = "subnets that this device offers a way to (10.0.0.0/8,192.168.0.0/24), or empty for none"),
	P(LOGINS, .name = "advertise-tags", .kind = FLAG_TEXT,
		.help = "tags to ask for (tag:eng,tag:ssh), or empty for none"),
	N(LOGINS, .name = "auth-key", .kind = FLAG_TEXT,
		.help = "key that joins without a login page; \"file:PATH\" reads it from a file, the environment's WARREN_AUTH_KEY "
			"keeps it out of the list of processes"),
	P(PREF_SET, .name = "auto-update", .kind = FLAG_BOOL,
		.help = "install updates by itself (not built yet in warrend)"),
	P(ALL, .name = "exit-node", .kind = FLAG_TEXT,
		.help = "device (address or name) to send internet traffic through, or empty for none"),
	P(ALL, .name = "exit-node-allow-lan-access", .kind = FLAG_BOOL,
		.help = "still reach the local network past the exit node"),
	P(ALL, .name = "exit-node-required", .kind = FLAG_BOOL,
		.help = "let nothing leave but through the exit node, also while it or warrend is away"),
	N(PREF_UP, .name = "force-reauth", .kind = FLAG_BOOL,
		.help = "log in anew; this cuts connections through the network"),
	N(LOGINS, .name = "host-routes", .kind = FLAG_BOOL, .def = "true", .help = "always on",
		.hidden = true),
	P(ALL, .name = "hostname", .kind = FLAG_TEXT,
		.help = "name to use instead of the one of the operating system"),
	N(PREF_UP, .name = "json", .kind = FLAG_BOOL, .help = "tell of the progress as JSON"),
	P(ALL, .name = "keep-lan", .kind = FLAG_BOOL, .def = "true",
		.help = "networks that this machine is on stay as they are, though a subnet route leads there, too"),
	P(LOGINS, .name = "login-server", .kind = FLAG_TEXT, .def = DEFAULT_CONTROL_URL,
		.help = "URL of the hub"),
	P(ALL, .name = "netfilter-mode", .kind = FLAG_TEXT, .def = "on",
		.help = "what to do with the firewall: on, nodivert, off"),
	P(PREF_LOGIN | PREF_SET, .name = "nickname", .kind = FLAG_TEXT,
		.help = "name for the current account"),
	P(ALL, .name = "operator", .kind = FLAG_TEXT,
		.help = "user who may use this command without sudo"),
	N(LOGINS, .name = "qr", .kind = FLAG_BOOL, .help = "show login pages as QR codes"),
	N(LOGINS, .name = "qr-format", .kind = FLAG_TEXT, .def = "auto",
		.help = "of the QR codes: auto, ascii, large, small"),
	P(PREF_SET, .name = "relay-server-port", .kind = FLAG_TEXT,
		.help = "UDP port to relay for other devices on (0 picks one), or empty for not (not built yet in warrend)"),
	P(PREF_SET, .name = "relay-server-static-endpoints", .kind = FLAG_TEXT,
		.help = "addresses of that port, ip:port,ip:port (not built yet in warrend)"),
	P(ALL, .name = "report-posture", .kind = FLAG_BOOL,
		.help = "let the hub ask for facts about this device (not built yet in warrend)"),
	N(PREF_UP, .name = "reset", .kind = FLAG_BOOL,
		.help = "set everything that is not mentioned to its default"),
	P(ALL, .name = "shields-up", .kind = FLAG_BOOL,
		.help = "let nobody begin a connection to this device"),
	P(ALL, .name = "snat-subnet-routes", .kind = FLAG_BOOL, .def = "true",
		.help = "hide the source of traffic to advertised routes"),
	P(ALL, .name = "ssh", .kind = FLAG_BOOL,
		.help = "run an SSH server for the network (not built yet in warrend)"),
	P(ALL, .name = "stateful-filtering", .kind = FLAG_BOOL,
		.help = "forward to other devices only what answers"),
	N(LOGINS, .name = "timeout", .kind = FLAG_DURATION, .def = "0s",
		.help = "how long to wait to be connected; 0 is for ever"),
	P(PREF_SET, .name = "update-check", .kind = FLAG_BOOL, .def = "true",
		.help = "look for updates (not built yet in warrend)"),
	P(PREF_SET, .name = "webclient", .kind = FLAG_BOOL,
		.help = "show a web page for this device to the network (not built yet in warrend)"),
};

struct flag *prefflags_of(enum pref_command command)
{
	static struct flag table[ARRAY_LEN(rows) + 1];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].where & (int)command)
			table[n++] = rows[i].flag;
	table[n] = (struct flag){ .name = NULL };
	return table;
}

bool prefflag_is_pref(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].flag.name, name) == 0)
			return rows[i].is_pref;
	return false;
}

bool prefflag_is_ours(const char *name)
{
	return strcmp(name, "keep-lan") == 0 || strcmp(name, "exit-node-required") == 0;
}

bool prefflags_same_url(const char *a, const char *b)
{
	const char *x = cli_text_or(a, DEFAULT_CONTROL_URL),
		   *y = cli_text_or(b, DEFAULT_CONTROL_URL);

	if (strcmp(x, "https://login.tailscale.com") == 0)
		x = DEFAULT_CONTROL_URL;
	if (strcmp(y, "https://login.tailscale.com") == 0)
		y = DEFAULT_CONTROL_URL;
	return strcmp(x, y) == 0;
}

/* ---- exit nodes ---- */

static const struct ipn_peer_status *peer_by_id(const struct ipn_status *s, const char *id)
{
	for (size_t i = 0; i < s->peer.n; i++) {
		const struct ipn_peer_status *p = s->peer.v[i].value;
		if (p->id && strcmp(p->id, id) == 0)
			return p;
	}
	return NULL;
}

static bool exit_node_by_ip(
	struct cli *c, const char *text, struct ipaddr ip, const struct ipn_status *s)
{
	const struct ipn_peer_status *p = cli_peer_by_ip(s, ip);

	if (p && p == s->self)
		return cli_fail(c,
			       "cannot use %s as an exit node as it is a local IP address to this machine; did you mean "
			       "--advertise-exit-node?",
			       text) == 0;
	if (strcmp(cli_text_or(s->backend_state, ""), "Running") != 0)
		return true; /* nobody knows yet */
	if (!p)
		return cli_fail(c, "no node found in netmap with IP %s", text) == 0;
	return p->exit_node_option ||
	       cli_fail(c, "node %s is not advertising an exit node", text) == 0;
}

static bool name_is(
	struct cli *c, const struct ipn_peer_status *p, const char *name, const char *suffix)
{
	const char *full = cli_text_or(p->dns_name, "");
	size_t n = strlen(full);

	if (strcasecmp(cli_short_name(c, full, suffix), name) == 0 || strcasecmp(full, name) == 0)
		return true;
	return n && strlen(name) == n - 1 && strncasecmp(full, name, n - 1) == 0;
}

static bool exit_node_by_name(
	struct cli *c, const char *name, const struct ipn_status *s, struct ipaddr *ret)
{
	const struct ipn_peer_status *found = NULL;
	size_t n = 0;

	if (strcmp(cli_text_or(s->backend_state, ""), "Starting") == 0)
		return cli_fail(c,
			       "cannot resolve exit node by hostname while Warren is starting up; please use its IP address "
			       "instead") == 0;
	for (size_t i = 0; i < s->peer.n; i++) {
		const struct ipn_peer_status *p = s->peer.v[i].value;
		if (!name_is(c, p, name, s->magic_dns_suffix))
			continue;
		found = p;
		n++;
	}
	if (n > 1)
		return cli_fail(c, "ambiguous exit node name \"%s\"", name) == 0;
	if (!found || !found->tailscale_ips.n)
		return cli_fail(c,
			       "invalid value \"%s\" for --exit-node; must be IP or peer hostname",
			       name) == 0;
	if (!found->exit_node_option)
		return cli_fail(c, "node \"%s\" is not advertising an exit node", name) == 0;
	*ret = *JSON_AT(found->tailscale_ips, struct ipaddr, 0);
	return true;
}

static bool read_exit_node(
	struct cli *c, const char *text, const struct ipn_status *s, struct ipn_prefs *p)
{
	struct ipaddr ip = { 0 };

	p->exit_node_id = "";
	p->exit_node_ip = ip;
	p->auto_exit_node = "";
	if (!*text)
		return true;
	if (strncmp(text, "auto:", 5) == 0) {
		p->auto_exit_node = text + 5;
		p->exit_node_id = "auto:any"; /* nobody's id: nothing passes until one is chosen */
		return strcmp(text, "auto:any") == 0 ||
		       cli_fail(c,
			       "invalid value \"%s\" for --exit-node; must be auto:any, IP or peer "
			       "hostname",
			       text) == 0;
	}
	if (ipaddr_parse(text, strlen(text), &ip) == 0 ? !exit_node_by_ip(c, text, ip, s)
						       : !exit_node_by_name(c, text, s, &ip))
		return false;
	p->exit_node_ip = ip;
	return true;
}

/* ---- from flags ---- */

static bool read_netfilter(struct cli *c, const char *text, struct ipn_prefs *p)
{
	static const char *const names[] = { "off", "nodivert", "on" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			p->netfilter_mode = (int64_t)i;
			return true;
		}
	}
	return cli_fail(c, "invalid value --netfilter-mode=\"%s\"", text) == 0;
}

static bool read_relay_port(struct cli *c, const char *text, struct ipn_prefs *p)
{
	uint64_t port;

	p->relay_port = NULL;
	if (!*text)
		return true;
	if (text_u64(text, strlen(text), 65535, &port) < 0)
		return cli_fail(c, "failed to set relay server port: \"%s\" is not a port", text) ==
		       0;
	p->relay_port = arena_new(&c->arena, int64_t);
	if (p->relay_port)
		*p->relay_port = (int64_t)port;
	return p->relay_port != NULL;
}

/* Routes and the exit node's routes are one list; the flag that was not given keeps its part. */
static bool read_routes(struct cli *c, const struct flag *flags, bool all, struct ipn_prefs *p)
{
	bool exit_node = routes_offer_exit(p);
	const char *text = routes_format(c, &p->advertise_routes);

	if (all || flag_is_set(flags, "advertise-exit-node"))
		exit_node = flag_on(flags, "advertise-exit-node");
	if (all || flag_is_set(flags, "advertise-routes"))
		text = flag_text(flags, "advertise-routes");
	return routes_parse(c, text, exit_node, &p->advertise_routes);
}

struct reader {
	struct cli *c;
	const struct flag *flags;
	bool all;
	struct ipn_prefs *p;
	struct ipn_masked_prefs *edit;
};

static bool wanted(const struct reader *r, const char *name, enum ipn_pref pref)
{
	for (const struct flag *f = r->flags; f->name; f++) {
		if (strcmp(f->name, name) != 0)
			continue;
		if (r->edit && (f->is_set || r->all))
			r->edit->set[pref] = true;
		return f->is_set || r->all;
	}
	return false;
}

static void on(const struct reader *r, const char *name, enum ipn_pref pref, bool *to)
{
	if (wanted(r, name, pref))
		*to = flag_on(r->flags, name);
}

static void off(const struct reader *r, const char *name, enum ipn_pref pref, bool *to)
{
	if (wanted(r, name, pref))
		*to = !flag_on(r->flags, name);
}

static void text(const struct reader *r, const char *name, enum ipn_pref pref, const char **to)
{
	if (wanted(r, name, pref))
		*to = flag_text(r->flags, name);
}

static void read_plain(const struct reader *r)
{
	struct ipn_prefs *p = r->p;
	bool stateful;

	on(r, "accept-dns", IPN_PREF_CORP_DNS, &p->corp_dns);
	on(r, "accept-routes", IPN_PREF_ROUTE_ALL, &p->route_all);
	on(r, "advertise-connector", IPN_PREF_APP_CONNECTOR, &p->app_connector.advertise);
	on(r, "exit-node-allow-lan-access", IPN_PREF_EXIT_NODE_LAN, &p->exit_node_lan);
	on(r, "exit-node-required", IPN_PREF_EXIT_NODE_REQUIRED, &p->exit_node_required);
	on(r, "report-posture", IPN_PREF_POSTURE_CHECKING, &p->posture_checking);
	on(r, "shields-up", IPN_PREF_SHIELDS_UP, &p->shields_up);
	on(r, "ssh", IPN_PREF_RUN_SSH, &p->run_ssh);
	on(r, "webclient", IPN_PREF_RUN_WEB, &p->run_web);
	on(r, "update-check", IPN_PREF_AUTO_UPDATE_CHECK, &p->auto_update.check);
	off(r, "snat-subnet-routes", IPN_PREF_NO_SNAT, &p->no_snat);
	off(r, "keep-lan", IPN_PREF_ROUTES_OVER_LAN, &p->routes_over_lan);
	text(r, "hostname", IPN_PREF_HOSTNAME, &p->hostname);
	text(r, "login-server", IPN_PREF_CONTROL_URL, &p->control_url);
	text(r, "nickname", IPN_PREF_PROFILE_NAME, &p->profile_name);
	text(r, "operator", IPN_PREF_OPERATOR_USER, &p->operator_user);
	if (wanted(r, "stateful-filtering", IPN_PREF_NO_STATEFUL)) {
		stateful = flag_on(r->flags, "stateful-filtering");
		p->no_stateful = stateful ? JSON_NO : JSON_YES;
	}
	if (wanted(r, "auto-update", IPN_PREF_AUTO_UPDATE_APPLY))
		p->auto_update.apply = flag_on(r->flags, "auto-update") ? JSON_YES : JSON_NO;
}

static bool read_checked(const struct reader *r, const struct ipn_status *s)
{
	bool ok = true;

	if (wanted(r, "accept-routes", IPN_PREF_ACCEPTED_ROUTES))
		ok = routes_parse_accepted(
			r->c, flag_text(r->flags, "accept-routes"), &r->p->accepted_routes);
	if (ok && wanted(r, "exit-node", IPN_PREF_EXIT_NODE_ID)) {
		(void)wanted(r, "exit-node", IPN_PREF_EXIT_NODE_IP);
		(void)wanted(r, "exit-node", IPN_PREF_AUTO_EXIT_NODE);
		ok = read_exit_node(r->c, flag_text(r->flags, "exit-node"), s, r->p);
	}
	/* Both are asked, for their bit in the edit. */
	if (ok && (int)wanted(r, "advertise-routes", IPN_PREF_ADVERTISE_ROUTES) |
			  (int)wanted(r, "advertise-exit-node", IPN_PREF_ADVERTISE_ROUTES))
		ok = read_routes(r->c, r->flags, r->all, r->p);
	if (ok && wanted(r, "advertise-tags", IPN_PREF_ADVERTISE_TAGS))
		ok = routes_parse_tags(
			r->c, flag_text(r->flags, "advertise-tags"), &r->p->advertise_tags);
	if (ok && wanted(r, "netfilter-mode", IPN_PREF_NETFILTER_MODE))
		ok = read_netfilter(r->c, flag_text(r->flags, "netfilter-mode"), r->p);
	if (ok && wanted(r, "relay-server-port", IPN_PREF_RELAY_PORT))
		ok = read_relay_port(r->c, flag_text(r->flags, "relay-server-port"), r->p);
	if (ok && wanted(r, "relay-server-static-endpoints", IPN_PREF_RELAY_ENDPOINTS))
		ok = routes_parse_endpoints(r->c,
			flag_text(r->flags, "relay-server-static-endpoints"),
			&r->p->relay_endpoints);
	return ok;
}

bool prefflags_read(struct cli *c, const struct flag *flags, bool all, const struct ipn_status *s,
	struct ipn_prefs *p, struct ipn_masked_prefs *edit)
{
	struct reader r = { c, flags, all, p, edit };

	read_plain(&r);
	if (!read_checked(&r, s))
		return false;
	if (edit)
		edit->p = *p;
	return true;
}

/* ---- back to flags ---- */

static const char *exit_node_value(
	struct cli *c, const struct ipn_prefs *p, const struct ipn_status *s)
{
	const struct ipn_peer_status *peer;

	if (p->auto_exit_node && *p->auto_exit_node)
		return arena_printf(&c->arena, "auto:%s", p->auto_exit_node);
	if (p->exit_node_ip.family)
		return cli_ip_text(c, p->exit_node_ip);
	peer = p->exit_node_id && *p->exit_node_id ? peer_by_id(s, p->exit_node_id) : NULL;
	return peer ? cli_first_ip(c, &peer->tailscale_ips) : cli_text_or(p->exit_node_id, "");
}

static const char *endpoints_value(struct cli *c, const struct json_list *l)
{
	char one[IPPORT_TEXT_MAX];
	const char *out = "";

	for (size_t i = 0; i < l->n && out; i++)
		out = arena_printf(&c->arena, "%s%s%s", out, i ? "," : "",
			ipport_format(*JSON_AT(*l, struct ipport, i), one));
	return out ? out : "";
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

const char *prefflag_value(
	struct cli *c, const char *name, const struct ipn_prefs *p, const struct ipn_status *s)
{
	static const char *const modes[] = { "off", "nodivert", "on" };
	const struct {
		const char *name, *value;
	} values[] = {
		{ "accept-dns", yes(p->corp_dns) },
		{ "accept-routes", p->route_all && p->accepted_routes.n
					   ? cli_join(c, &p->accepted_routes, ",")
					   : yes(p->route_all) },
		{ "advertise-connector", yes(p->app_connector.advertise) },
		{ "advertise-exit-node", yes(routes_offer_exit(p)) },
		{ "advertise-routes", routes_format(c, &p->advertise_routes) },
		{ "advertise-tags", cli_join(c, &p->advertise_tags, ",") },
		{ "auto-update", yes(p->auto_update.apply == JSON_YES) },
		{ "exit-node", exit_node_value(c, p, s) },
		{ "exit-node-allow-lan-access", yes(p->exit_node_lan) },
		{ "exit-node-required", yes(p->exit_node_required) },
		{ "hostname", cli_text_or(p->hostname, "") },
		{ "keep-lan", yes(!p->routes_over_lan) },
		{ "login-server", cli_text_or(p->control_url, "") },
		{ "netfilter-mode", p->netfilter_mode >= 0 && p->netfilter_mode < 3
					    ? modes[p->netfilter_mode]
					    : "on" },
		{ "nickname", cli_text_or(p->profile_name, "") },
		{ "operator", cli_text_or(p->operator_user, "") },
		{ "relay-server-port",
			p->relay_port ? arena_printf(&c->arena, "%lld", (long long)*p->relay_port)
				      : "" },
		{ "relay-server-static-endpoints", endpoints_value(c, &p->relay_endpoints) },
		{ "report-posture", yes(p->posture_checking) },
		{ "shields-up", yes(p->shields_up) },
		{ "snat-subnet-routes", yes(!p->no_snat) },
		{ "ssh", yes(p->run_ssh) },
		{ "stateful-filtering", yes(p->no_stateful == JSON_NO) },
		{ "update-check", yes(p->auto_update.check) },
		{ "webclient", yes(p->run_web) },
	};

	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		if (strcmp(values[i].name, name) == 0)
			return cli_text_or(values[i].value, "");
	return "";
}

/* ---- warnings ---- */

struct warning {
	const char *text;
};
static const struct json_field warning_fields[] = {
	JSON_F(struct warning, text, "Warning", json_str, 0), JSON_END
};
static JSON_OBJECT_TYPE(warning_type, struct warning, warning_fields);

static void warn_of(struct cli *c, const char *path)
{
	struct lclient_err err;
	struct warning w;

	if (lclient_get(&c->api, path, &warning_type, &w, &c->arena, &err) < 0)
		printf("Warning: %s\n", err.text);
	else if (w.text && *w.text)
		printf("Warning: %s\n", w.text);
}

/* Of the families that are advertised; an app connector's addresses may be of both. */
static const char *check_forwarding(const struct ipn_prefs *p)
{
	static const char *const calls[] = { "check-ip-forwarding",
		"check-ip-forwarding?families=4", "check-ip-forwarding?families=6",
		"check-ip-forwarding?families=46" };
	unsigned have = 0;

	for (size_t i = 0; i < p->advertise_routes.n; i++)
		have |= JSON_AT(p->advertise_routes, struct ipprefix, i)->ip.family == 4 ? 1 : 2;
	return calls[p->app_connector.advertise ? 0 : have];
}

void prefflags_warn(struct cli *c, const struct flag *flags, const struct ipn_prefs *p)
{
	if (flag_is_set(flags, "netfilter-mode") && p->netfilter_mode == IPN_NETFILTER_NODIVERT)
		printf("Warning: netfilter=nodivert; hook the chains of the nftables table inet warren-INTERFACE manually.\n");
	if (flag_is_set(flags, "netfilter-mode") && p->netfilter_mode == IPN_NETFILTER_OFF)
		printf("Warning: netfilter=off; configure iptables yourself.\n");
	if ((flag_is_set(flags, "advertise-routes") || flag_is_set(flags, "advertise-exit-node") ||
		    flag_is_set(flags, "advertise-connector")) &&
		(p->advertise_routes.n || p->app_connector.advertise)) {
		warn_of(c, check_forwarding(p));
		warn_of(c, "check-udp-gro-forwarding");
	}
}
