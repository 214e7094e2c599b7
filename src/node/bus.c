/* What programs hear on the bus of the LocalAPI, and the service manager in its status line. */
#include "node/internal.h"
#include "os/log/log.h"
#include "os/notify/notify.h"

#include <errno.h>
#include <stdlib.h>

#define HEALTH_PERIOD SEC(1)

static bool heard(const struct node *n)
{
	return n->lapi && lapi_is_heard(n->lapi);
}

static void tell(struct node *n, const struct ipn_notify *m)
{
	if (heard(n))
		lapi_notify(n->lapi, m);
}

/* ---- The service manager ---- */

static void tell_manager(struct node *n)
{
	const struct ipn_prefs *p = agent_prefs(n->agent);
	const struct netmap *nm = agent_netmap(n->agent);
	char ips[4 * IPADDR_TEXT_MAX] = "", one[IPADDR_TEXT_MAX];
	size_t len = 0;

	switch (agent_state(n->agent)) {
	case IPN_NEEDS_LOGIN:
		if (agent_netmap(n->agent))
			notify_status("key expired; run 'warren up' to authenticate");
		else
			notify_status("Needs login: %s", agent_login_url(n->agent));
		break;
	case IPN_STOPPED:
		notify_status("Stopped; run 'warren up' to connect");
		break;
	case IPN_RUNNING:
		for (size_t i = 0; nm && i < netmap_self(nm)->addresses.n && len < sizeof(ips) - IPADDR_TEXT_MAX - 1; i++)
			len += (size_t)snprintf(ips + len, sizeof(ips) - len, " %s",
				ipaddr_format(JSON_AT(netmap_self(nm)->addresses, struct ipprefix, i)->ip, one));
		notify_status("Connected; %s;%s",
			p->persist && p->persist->user.login_name ? p->persist->user.login_name : "", ips);
		break;
	case IPN_NO_STATE:
	case IPN_IN_USE_OTHER_USER:
	case IPN_NEEDS_MACHINE_AUTH:
	case IPN_STARTING:
		break;
	}
}

/* ---- Single events ---- */

static void on_state(struct node *n)
{
	enum ipn_state s = agent_state(n->agent);
	int64_t number = (int64_t)s;

	log_info("state", "now", "state=%s", ipn_state_name(s));
	tell(n, &(struct ipn_notify){ .state = &number });
	tell_manager(n);
}

static void on_login_url(struct node *n)
{
	log_info("login", "a person has to open this page", "url=%s", agent_login_url(n->agent));
	tell(n, &(struct ipn_notify){ .browse_to_url = agent_login_url(n->agent) });
	tell_manager(n);
}

static void on_login_failed(struct node *n)
{
	log_warn("login", "failed", "err=%s", agent_login_error(n->agent));
	tell(n, &(struct ipn_notify){ .err_message = agent_login_error(n->agent) });
}

static void on_login_finished(struct node *n)
{
	struct ipn_empty yes = { 0 };

	log_info("login", "done", "control=%s", agent_control_url(n->agent));
	tell(n, &(struct ipn_notify){ .login_finished = &yes, .prefs = agent_prefs(n->agent) });
}

static void on_refused(struct node *n)
{
	const char *why = agent_refused(n->agent);

	if (*why)
		log_warn_limited("control", "the hub refused a setting; the device goes on without it", "why=%s", why);
	else
		log_info_limited("control", "the hub takes all settings again", NULL);
}

static void on_control(struct node *n)
{
	const char *why = agent_control_error(n->agent);

	if (agent_is_polling(n->agent))
		log_info("control", "connected", "url=%s", agent_control_url(n->agent));
	else if (*why)
		log_warn_limited("control", "not connected", "url=%s err=%s", agent_control_url(n->agent), why);
}

static void on_relay(struct node *n, int region)
{
	struct arena a;
	const char *why;

	arena_init(&a, 4096);
	why = agent_relay_error(n->agent, region, &a);
	if (why)
		log_warn_limited("relay", "not connected", "region=%d err=%s", region, why);
	arena_fini(&a);
}

static void note(struct node *n, int64_t *list, size_t *count, int64_t id)
{
	if (!heard(n))
		return;
	for (size_t i = 0; i < *count; i++)
		if (list[i] == id)
			return;
	if (*count == NODE_CHANGED_MAX)
		n->changed_all = true;
	else
		list[(*count)++] = id;
}

void bus_event(struct node *n, enum agent_event ev, int64_t id)
{
	switch (ev) {
	case AGENT_STATE:
		on_state(n);
		break;
	case AGENT_PREFS:
		tell(n, &(struct ipn_notify){ .prefs = agent_prefs(n->agent) });
		break;
	case AGENT_LOGIN_URL:
		on_login_url(n);
		break;
	case AGENT_LOGIN_FINISHED:
		on_login_finished(n);
		break;
	case AGENT_LOGIN_FAILED:
		on_login_failed(n);
		break;
	case AGENT_MOVED:
		log_info("control", "the hub is at another URL now, and has shown its key there", "url=%s", agent_control_url(n->agent));
		break;
	case AGENT_HUB_KEY:
		log_warn("control", "the hub has another key than before", "url=%s", agent_control_url(n->agent));
		break;
	case AGENT_REFUSED:
		on_refused(n);
		break;
	case AGENT_CONTROL:
		on_control(n);
		break;
	case AGENT_SELF:
		n->self_changed = true;
		break;
	case AGENT_PEER_ADDED:
	case AGENT_PEER_CHANGED:
		note(n, n->changed, &n->n_changed, id);
		break;
	case AGENT_PEER_REMOVED:
		note(n, n->removed, &n->n_removed, id);
		break;
	case AGENT_RELAY:
		on_relay(n, (int)id);
		break;
	case AGENT_USER: /* told with the peers of that user */
	case AGENT_NETMAP:
	case AGENT_KEYS:
	case AGENT_NET_CONFIG:
	case AGENT_SAVE_NETMAP:
	case AGENT_ENGINE:
	case AGENT_SELF_ENDPOINTS:
	case AGENT_NETCHECK_DONE:
		break;
	}
}

/* ---- Peers, at the end of a turn ---- */

static int peers_listed(struct node *n, const struct netmap *nm, struct arena *a, struct json_list *ret)
{
	size_t max = n->changed_all ? netmap_n_peers(nm) : n->n_changed, k = 0;
	struct tc_node *v = arena_array(a, max, sizeof(*v));
	const struct tc_node **all = arena_array(a, netmap_n_peers(nm), sizeof(*all));

	if (!v || !all)
		return -ENOMEM;
	if (n->changed_all)
		netmap_peers(nm, all);
	for (size_t i = 0; i < max; i++) {
		const struct tc_node *p = n->changed_all ? all[i] : netmap_peer(nm, n->changed[i]);

		if (p)
			v[k++] = *p;
	}
	*ret = json_list_of(v, k);
	return 0;
}

static int users_listed(const struct netmap *nm, const struct json_list *peers, struct arena *a, struct json_map *ret)
{
	struct json_pair *v = arena_array(a, peers->n, sizeof(*v));
	size_t k = 0;

	if (!v)
		return -ENOMEM;
	for (size_t i = 0; i < peers->n; i++) {
		const struct tc_user *u = netmap_user(nm, JSON_AT(*peers, struct tc_node, i)->user);

		if (!u || (k && v[k - 1].value == u))
			continue;
		v[k].key = arena_printf(a, "%lld", (long long)u->id);
		v[k].value = (void *)(uintptr_t)u; /* only read */
		if (!v[k++].key)
			return -ENOMEM;
	}
	*ret = (struct json_map){ .v = v, .n = k, .present = k > 0 };
	return 0;
}

static void tell_peers(struct node *n)
{
	const struct netmap *nm = agent_netmap(n->agent);
	struct ipn_notify m = { 0 };
	struct arena a;

	arena_init(&a, NETMAP_TEXT_MAX);
	if (n->n_removed)
		m.peers_removed = json_list_of(n->removed, n->n_removed);
	if (nm && (n->n_changed || n->changed_all) &&
		(peers_listed(n, nm, &a, &m.peers_changed) < 0 || users_listed(nm, &m.peers_changed, &a, &m.user_profiles) < 0))
		log_warn("bus", "changes of peers could not be told", "peers=%zu", netmap_n_peers(nm));
	else
		tell(n, &m);
	arena_fini(&a);
	n->n_changed = n->n_removed = 0;
	n->changed_all = false;
}

/* ---- Health ---- */

static void tell_health(struct node *n)
{
	struct ipn_health h;
	struct arena a;
	struct buf text;

	arena_init(&a, 1 << 20);
	buf_init(&text, 1 << 20);
	if (agent_health(n->agent, loop_now(n->loop), &a, &h) == 0 && json_encode(&ipn_health_type, &h, &text) == 0 &&
		buf_append(&text, "", 1) == 0 &&
		(!n->health_text || strcmp(n->health_text, (const char *)buf_data(&text)) != 0)) {
		free(n->health_text);
		n->health_text = strdup((const char *)buf_data(&text));
		tell(n, &(struct ipn_notify){ .health = &h });
	}
	buf_fini(&text);
	arena_fini(&a);
}

void bus_on_health_timer(void *ctx)
{
	struct node *n = ctx;

	if (!heard(n)) {
		n->health_watched = false;
		return;
	}
	tell_health(n);
	loop_timer_set(n->health_timer, mono_add(loop_now(n->loop).mono, HEALTH_PERIOD));
}

void bus_turn_end(struct node *n)
{
	if (n->self_changed) {
		const struct netmap *nm = agent_netmap(n->agent);

		n->self_changed = false;
		if (nm)
			tell(n, &(struct ipn_notify){ .self_change = netmap_self(nm) });
	}
	if (n->n_changed || n->n_removed || n->changed_all)
		tell_peers(n);
	if (heard(n) && !n->health_watched) {
		n->health_watched = true;
		bus_on_health_timer(n);
	}
}
