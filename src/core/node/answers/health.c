/*
 * What is wrong, in words for people. A warning is on as long as its condition holds, from the
 * moment it has held for a while; while a warning is on that another depends on, the other says nothing.
 */
#include "core/node/answers/answers.h"

#define POLL_TIMEOUT SEC(10) /* the hub may restart without anybody being told */
#define JOIN_TIMEOUT SEC(1)  /* but somebody who joins waits for it */
#define RELAY_TIMEOUT SEC(10)
#define LINK_TIMEOUT SEC(5)

enum warning {
	STOPPED,
	WARMING_UP,
	LOGIN,
	NO_LINK,
	NO_POLL,
	NO_HOME,
	NO_RELAY,
	BAD_FILTER,
	NO_EFFECT,
	NO_SNAT,
	NO_FIREWALL,
	OLD_TABLES,
	RESOLVER_YIELDED,
	NO_RESOLVER,
	NO_FORWARDING,
	NO_NETWORKS,
	NO_EXIT,
	NO_ROUTES,
	NO_STATE,
	REFUSED,
	BAD_MAP,
	OTHER_KEY,
	N_WARNINGS
};

struct warnable {
	const char *code, *severity, *title;
	unsigned depends; /* bits of enum warning */
	bool connectivity;
};

static const struct warnable warnables[N_WARNINGS] = {
	[STOPPED] = { "wantrunning-false", "low", "Stopped", 0, false },
	[WARMING_UP] = { "warming-up", "low", "Starting", 0, false },
	[LOGIN] = { "login-state", "medium", "Logged out", 1 << STOPPED, false },
	[NO_LINK] = { "network-status", "medium", "Network down", 0, true },
	[NO_POLL] = { "not-in-map-poll", "medium", "Out of sync",
		1 << STOPPED | 1 << LOGIN | 1 << NO_LINK | 1 << OTHER_KEY, false },
	[NO_HOME] = { "no-derp-home", "medium", "No home relay",
		1 << STOPPED | 1 << LOGIN | 1 << NO_LINK, true },
	[NO_RELAY] = { "no-derp-connection", "medium", "Relay unavailable",
		1 << STOPPED | 1 << LOGIN | 1 << NO_LINK | 1 << NO_HOME, true },
	[NO_FORWARDING] = { "ip-forwarding-off", "medium", "IP forwarding off", 1 << STOPPED,
		false },
	[NO_NETWORKS] = { "too-many-networks", "medium", "Exit node not served", 1 << STOPPED,
		false },
	[NO_EXIT] = { "exit-node-unavailable", "high", "Exit node not available",
		1 << STOPPED | 1 << LOGIN, true },
	[NO_EFFECT] = { "settings-without-effect", "low", "Settings without effect", 0, false },
	[NO_SNAT] = { "nosnat-with-advertised-exit-node", "medium",
		"Exit node without masquerading", 1 << STOPPED, false },
	[NO_FIREWALL] = { "firewall", "medium", "Firewall not set", 1 << STOPPED, false },
	[OLD_TABLES] = { "firewall-old-tables", "low", "The host also filters with ip_tables",
		1 << STOPPED, false },
	[RESOLVER_YIELDED] = { "resolv-conf-overwritten", "medium",
		"Another program writes /etc/resolv.conf", 1 << STOPPED, false },
	[NO_RESOLVER] = { "dns-set-os-config-failed", "medium", "System's resolver not set",
		1 << STOPPED, false },
	[NO_ROUTES] = { "router", "medium", "Routes not set", 1 << STOPPED, true },
	[NO_STATE] = { "state-store-health", "high", "State not kept", 0, false },
	[REFUSED] = { "setting-refused", "medium", "Setting refused", 1 << STOPPED | 1 << LOGIN,
		false },
	[OTHER_KEY] = { "hub-key-changed", "high", "The hub has another key", 0, true },
	[BAD_MAP] = { "invalid-network-map", "medium", "Invalid network map",
		1 << STOPPED | 1 << LOGIN, false },
	[BAD_FILTER] = { "invalid-packet-filter", "high", "Invalid packet filter",
		1 << STOPPED | 1 << LOGIN, false },
};

struct timed_warning {
	mono_ns since; /* MONO_NEVER: the condition does not hold */
	mono_ns timeout;
	const char *text;
};

static mono_ns since_if(bool holds, mono_ns since)
{
	return holds ? since : MONO_NEVER;
}

static const char *login_text(const struct node *a, struct arena *mem)
{
	if (a->ctl && a->control_error[0])
		return arena_printf(mem,
			"You are logged out. The last login error was: The hub %s is not reached: %s",
			node_control_url(a), a->control_error);
	if (!a->login_error[0] && self_of(a) && node_key_expired(a, self_of(a)))
		return "The key of this device has expired. Log in again with \"warren up\".";
	if (!a->login_error[0])
		return "You are logged out.";
	return arena_printf(
		mem, "You are logged out. The last login error was: %s", a->login_error);
}

static const char *relay_text(const struct node *a, int home, struct arena *mem)
{
	const char *why = node_relay_error(a, home, mem), *code = node_region_code(a, home);

	if (!why)
		return arena_printf(mem, "The relay '%s' is not connected.", code);
	return arena_printf(mem, "The relay '%s' is not connected: %s", code, why);
}

/* A default route is offered, and nobody but us would masquerade. */
static bool offers_exit_unmasked(const struct ipn_prefs *p)
{
	for (size_t i = 0; p->no_snat && i < p->advertise_routes.n; i++)
		if (!JSON_AT(p->advertise_routes, struct ipprefix, i)->bits)
			return true;
	return false;
}

/* What the owner found. */
static void look_around(const struct node *a, struct arena *mem, struct timed_warning w[N_WARNINGS])
{
	const char *without = node_without_effect(prefs_of(a), mem),
		   *no_exit = node_exit_fault(a, mem), *bad_map = netmap_check_text(&a->check, mem);

	w[NO_EFFECT] = (struct timed_warning){ since_if(without != NULL, 0), 0, without };
	w[OTHER_KEY] = (struct timed_warning){ since_if(a->other_key, 0), 0, NODE_OTHER_KEY_TEXT };
	w[BAD_MAP] = (struct timed_warning){ since_if(bad_map != NULL, 0), 0, bad_map };
	w[NO_SNAT] = (struct timed_warning){ since_if(offers_exit_unmasked(prefs_of(a)), 0), 0,
		"This device is offered as an exit node, and masquerading is off: the internet does not know the way back to addresses of "
		"the tailnet. \"warren set --snat-subnet-routes=true\" turns it on." };
	w[NO_FIREWALL] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_FIREWALL, a->os_faults_since), 0,
		"The rules of the firewall could not be set; the daemon's log says why. \"warren set --netfilter-mode=off\" says that you see to them."
	};
	w[OLD_TABLES] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_OLD_TABLES, a->os_faults_since), 0,
		"This host also filters with the kernel's old ip_tables, and our rules could not be put there: iptables-legacy-restore is missing or refused, "
		"the daemon's log says which. Install iptables, or let the tailnet's interface through there yourself if that drops what comes from it."
	};
	w[RESOLVER_YIELDED] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_RESOLVER_YIELDED, a->os_faults_since), 0,
		"Another program has written /etc/resolv.conf twice in a row, so its content stays and names of the tailnet are not known to other "
		"programs. Tell that program to leave the file alone, then run \"warren down\" and \"warren up\"; or \"warren set --accept-dns=false\" if it "
		"is to stay so."
	};
	w[NO_RESOLVER] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_RESOLVER, a->os_faults_since), 0,
		"The system's resolver could not be told of the tailnet's names; the daemon's log says why. It is tried again. \"warren set "
		"--accept-dns=false\" says that the system is to stay as it is."
	};
	w[NO_EXIT] = (struct timed_warning){ since_if(no_exit != NULL, 0), 0, no_exit };
	w[NO_FORWARDING] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_FORWARDING, a->os_faults_since), 0,
		"Routes are advertised, but this system does not forward packets of their kind. \"sudo sysctl -w net.ipv4.ip_forward=1 "
		"net.ipv6.conf.all.forwarding=1\" turns it on until the next start, a file in /etc/sysctl.d for good."
	};
	w[NO_NETWORKS] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_NETWORKS, a->os_faults_since), 0,
		"This machine is on more networks than can be kept out of the default route that it offers, so it is no exit node now."
	};
	w[NO_ROUTES] = (struct timed_warning){ since_if(a->os_faults & NODE_FAULT_ROUTES,
						       a->os_faults_since),
		0, "Addresses or routes could not be set; the daemon's log says which." };
	w[NO_STATE] = (struct timed_warning){
		since_if(a->os_faults & NODE_FAULT_STATE, a->os_faults_since), 0,
		"The state file cannot be written. After a restart this device will not know what happened since."
	};
}

static void look(
	const struct node *a, struct now now, struct arena *mem, struct timed_warning w[N_WARNINGS])
{
	bool want = prefs_of(a)->want_running, up = a->magicsock_up;
	int home = magicsock_home(a->magicsock);
	mono_ns from = want ? a->wanted_since : 0;
	const struct tc_derp_map *map = netmap_derp_map(a->nm);
	bool relays = map && map->regions.n;
	bool joining = !netmap_self(a->nm), no_hub = joining && a->control_error[0];

	for (size_t i = 0; i < N_WARNINGS; i++)
		w[i] = (struct timed_warning){ .since = MONO_NEVER };
	w[STOPPED] = (struct timed_warning){ since_if(!want, 0), 0, "Warren is stopped." };
	w[WARMING_UP] =
		(struct timed_warning){ since_if(want && !no_hub && a->state != IPN_RUNNING &&
							 a->state != IPN_NEEDS_LOGIN &&
							 now.mono < mono_add(from, NODE_WARM_UP),
						from),
			0, "Warren is starting. Please wait." };
	w[LOGIN] = (struct timed_warning){
		since_if(a->state == IPN_NEEDS_LOGIN || a->login_error[0], from), 0,
		login_text(a, mem)
	};
	w[NO_LINK] = (struct timed_warning){ since_if(want && !a->has_link, a->link_since),
		LINK_TIMEOUT, "No network interface with an address is up." };
	w[NO_POLL] = (struct timed_warning){ since_if(want && !node_is_polling(a),
						     no_hub ? from : a->poll_lost_at),
		no_hub ? JOIN_TIMEOUT : POLL_TIMEOUT,
		arena_printf(mem, "The hub %s is not reached%s%s%s", node_control_url(a),
			a->control_error[0] ? ": " : ".", a->control_error,
			joining ? "" : " What is known of the tailnet may be out of date.") };
	w[NO_HOME] = (struct timed_warning){
		since_if(up && relays && !home, from), RELAY_TIMEOUT,
		"No relay can be reached. Peers that cannot be reached directly cannot be reached at all."
	};
	w[NO_RELAY] = (struct timed_warning){
		since_if(up && home && !relays_is_ready(magicsock_relays(a->magicsock), home),
			a->relay_lost_at),
		RELAY_TIMEOUT, relay_text(a, home, mem)
	};
	w[REFUSED] = (struct timed_warning){ since_if(a->refused[0], a->refused_since), 0,
		arena_printf(mem, TC_REFUSED_SETTING "%s", a->refused) };
	w[BAD_FILTER] = (struct timed_warning){
		since_if(filter_current(a->filter) &&
				 filter_rules_info(filter_current(a->filter)).refused,
			from),
		0, "The hub sent a packet filter that contradicts itself. No connection is let in."
	};
}

/* Which are on and not overshadowed: bits. */
static unsigned visible(const struct timed_warning w[N_WARNINGS], mono_ns now)
{
	unsigned on = 0, shown = 0;

	for (unsigned i = 0; i < N_WARNINGS; i++)
		if (w[i].since != MONO_NEVER && now >= mono_add(w[i].since, w[i].timeout))
			on |= 1u << i;
	for (unsigned i = 0; i < N_WARNINGS; i++)
		if (on & 1u << i && !(on & warnables[i].depends))
			shown |= 1u << i;
	/* While it starts, nothing else is worth a word. */
	return shown & 1u << WARMING_UP ? 1u << WARMING_UP : shown;
}

static int depends_list(const struct warnable *of, struct arena *mem, struct json_list *ret)
{
	const char **v = arena_array(mem, N_WARNINGS, sizeof(*v));
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	if (of != &warnables[WARMING_UP])
		v[n++] = warnables[WARMING_UP].code;
	for (unsigned i = 0; i < N_WARNINGS; i++)
		if (of->depends & 1u << i)
			v[n++] = warnables[i].code;
	*ret = n ? json_list_of(v, n) : (struct json_list){ 0 };
	return 0;
}

static int pair_cmp(const void *x, const void *y)
{
	return strcmp(((const struct json_pair *)x)->key, ((const struct json_pair *)y)->key);
}

/* What the hub wants to be known, each a warning under a name of its own. */
static int hub_warnings(const struct node *a, struct arena *mem, struct json_pair *v, size_t *n)
{
	const struct json_map *hub = netmap_display(a->nm);

	for (size_t i = 0; hub && i < hub->n; i++) {
		const struct tc_display_message *m =
			*(struct tc_display_message *const *)hub->v[i].value;
		struct ipn_health_warning *out = arena_new(mem, struct ipn_health_warning);
		struct ipn_health_action *action =
			m->primary_action ? arena_new(mem, struct ipn_health_action) : NULL;

		if (!out || (m->primary_action && !action))
			return -ENOMEM;
		*out = (struct ipn_health_warning){ .code = arena_printf(mem, "control-health.%s",
							    hub->v[i].key),
			.severity = m->severity && *m->severity ? m->severity : "medium",
			.title = m->title ? m->title : "",
			.text = m->text ? m->text : "",
			.impacts_connectivity = m->impacts_connectivity,
			.primary_action = action };
		if (action)
			*action = (struct ipn_health_action){ .url = m->primary_action->url,
				.label = m->primary_action->label };
		if (!out->code)
			return -ENOMEM;
		v[(*n)++] = (struct json_pair){ .key = out->code, .value = out };
	}
	return 0;
}

int node_health(const struct node *a, struct now now, struct arena *mem, struct ipn_health *ret)
{
	const struct json_map *hub = netmap_display(a->nm);
	struct json_pair *v = arena_array(mem, N_WARNINGS + (hub ? hub->n : 0), sizeof(*v));
	struct timed_warning w[N_WARNINGS];
	unsigned shown;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	look(a, now, mem, w);
	look_around(a, mem, w);
	shown = visible(w, now.mono);
	for (unsigned i = 0; i < N_WARNINGS; i++) {
		struct ipn_health_warning *out;
		int rc;

		if (!(shown & 1u << i))
			continue;
		out = arena_new(mem, struct ipn_health_warning);
		if (!out || !w[i].text)
			return -ENOMEM;
		*out = (struct ipn_health_warning){ .code = warnables[i].code,
			.severity = warnables[i].severity,
			.title = warnables[i].title,
			.text = w[i].text,
			.broken_since =
				w[i].since > 0 ? now.wall - (now.mono - w[i].since) / MSEC(1) : 0,
			.impacts_connectivity = warnables[i].connectivity };
		rc = depends_list(&warnables[i], mem, &out->depends_on);
		if (rc < 0)
			return rc;
		v[n++] = (struct json_pair){ .key = out->code, .value = out };
	}
	if (hub_warnings(a, mem, v, &n) < 0)
		return -ENOMEM;
	qsort(v, n, sizeof(*v), pair_cmp);
	ret->warnings = (struct json_map){ .v = v, .n = n, .present = n > 0 };
	return 0;
}

/* Title and text of a warning of the hub's; ours are whole sentences. */
static const char *warning_text(const struct ipn_health_warning *w, struct arena *mem)
{
	bool is_hubs = !strncmp(w->code, "control-health.", 15);

	if (!is_hubs || !*w->title)
		return w->text;
	return *w->text ? arena_printf(mem, "%s: %s", w->title, w->text)
			: arena_printf(mem, "%s.", w->title);
}

/* Texts of the warnings, and what the hub has to say in the older way, while it says nothing in the newer. */
int node_health_texts(
	const struct node *a, struct now now, struct arena *mem, struct json_list *ret)
{
	const struct json_map *newer = netmap_display(a->nm);
	const struct json_list *hub = newer && newer->n ? NULL : netmap_health(a->nm);
	struct ipn_health h;
	const char **v;
	size_t n = 0;
	int rc = node_health(a, now, mem, &h);

	if (rc < 0)
		return rc;
	v = arena_array(mem, h.warnings.n + (hub ? hub->n : 0), sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < h.warnings.n; i++)
		if (!(v[n++] = warning_text(h.warnings.v[i].value, mem)))
			return -ENOMEM;
	for (size_t i = 0; hub && i < hub->n; i++)
		v[n++] = *JSON_AT(*hub, const char *, i);
	*ret = json_list_of(v, n);
	return 0;
}
