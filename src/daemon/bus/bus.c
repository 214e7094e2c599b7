/* What programs hear on the bus of the LocalAPI, and the service manager in its status line. */
#include "daemon/bus/bus.h"
#include "daemon/services/watch.h"
#include "os/log/log.h"
#include "os/notify/notify.h"

#include <errno.h>
#include <stdlib.h>

#define HEALTH_PERIOD SEC(1)

enum { CHANGED_MAX = 1024 }; /* peers whose change is told one by one, a turn */

struct bus {
	struct engine *e;
	struct watch *watch;
	bool self_changed;
	bool changed_all; /* more peers changed than are told one by one */
	int64_t changed[CHANGED_MAX], removed[CHANGED_MAX];
	size_t n_changed, n_removed;
	struct loop_timer *health_timer;
	bool health_watched;
	char *health_text; /* as last told */
};

static bool heard(const struct bus *b)
{
	return b->watch && watch_is_heard(b->watch);
}

static void tell(struct bus *b, const struct ipn_notify *m)
{
	if (heard(b))
		watch_notify(b->watch, m);
}

/* ---- The service manager ---- */

static void tell_manager(struct bus *b)
{
	const struct ipn_prefs *p = node_prefs(b->e->node);
	const struct netmap *nm = node_netmap(b->e->node);
	char ips[4 * IPADDR_TEXT_MAX] = "", one[IPADDR_TEXT_MAX];
	size_t len = 0;

	switch (node_state(b->e->node)) {
	case IPN_NEEDS_LOGIN:
		if (node_netmap(b->e->node))
			notify_status("key expired; run 'warren up' to authenticate");
		else
			notify_status("Needs login: %s", node_login_url(b->e->node));
		break;
	case IPN_STOPPED:
		notify_status("Stopped; run 'warren up' to connect");
		break;
	case IPN_RUNNING:
		for (size_t i = 0; nm && i < netmap_self(nm)->addresses.n &&
				   len < sizeof(ips) - IPADDR_TEXT_MAX - 1;
			i++)
			len += (size_t)snprintf(ips + len, sizeof(ips) - len, " %s",
				ipaddr_format(
					JSON_AT(netmap_self(nm)->addresses, struct ipprefix, i)->ip,
					one));
		notify_status("Connected; %s;%s",
			p->persist && p->persist->user.login_name ? p->persist->user.login_name
								  : "",
			ips);
		break;
	case IPN_NO_STATE:
	case IPN_IN_USE_OTHER_USER:
	case IPN_NEEDS_MACHINE_AUTH:
	case IPN_STARTING:
		break;
	}
}

/* ---- Single events ---- */

static void on_state(struct bus *b, enum ipn_state s)
{
	int64_t number = (int64_t)s;

	log_info("state", "now", "state=%s", ipn_state_name(s));
	tell(b, &(struct ipn_notify){ .state = &number });
	tell_manager(b);
}

static void on_login_url(struct bus *b, const char *url)
{
	log_info("login", "a person has to open this page", "url=%s", url);
	tell(b, &(struct ipn_notify){ .browse_to_url = url });
	tell_manager(b);
}

static void on_login_failed(struct bus *b, const char *why)
{
	log_warn("login", "failed", "err=%s", why);
	tell(b, &(struct ipn_notify){ .err_message = why });
}

static void on_login_finished(struct bus *b)
{
	struct ipn_empty yes = { 0 };

	log_info("login", "done", "control=%s", node_control_url(b->e->node));
	tell(b, &(struct ipn_notify){ .login_finished = &yes, .prefs = node_prefs(b->e->node) });
}

static void on_refused(const char *why)
{
	if (*why)
		log_warn_limited("control",
			"the hub refused a setting; the device goes on without it", "why=%s", why);
	else
		log_info_limited("control", "the hub takes all settings again", NULL);
}

static void on_control(struct bus *b, const struct node_event *e)
{
	if (e->polling)
		log_info("control", "connected", "url=%s", node_control_url(b->e->node));
	else if (*e->text)
		log_warn_limited("control", "not connected", "url=%s err=%s",
			node_control_url(b->e->node), e->text);
}

static void on_relay(int region, const char *why)
{
	if (*why)
		log_warn_limited("relay", "not connected", "region=%d err=%s", region, why);
}

static void note(struct bus *b, int64_t *list, size_t *count, int64_t id)
{
	if (!heard(b))
		return;
	for (size_t i = 0; i < *count; i++)
		if (list[i] == id)
			return;
	if (*count == CHANGED_MAX)
		b->changed_all = true;
	else
		list[(*count)++] = id;
}

void bus_event(struct bus *b, const struct node_event *e)
{
	switch (e->kind) {
	case NODE_STATE:
		on_state(b, e->state);
		break;
	case NODE_PREFS:
		tell(b, &(struct ipn_notify){ .prefs = node_prefs(b->e->node) });
		break;
	case NODE_LOGIN_URL:
		on_login_url(b, e->text);
		break;
	case NODE_LOGIN_FINISHED:
		on_login_finished(b);
		break;
	case NODE_LOGIN_FAILED:
		on_login_failed(b, e->text);
		break;
	case NODE_MOVED:
		log_info("control", "the hub is at another URL now, and has shown its key there",
			"url=%s", node_control_url(b->e->node));
		break;
	case NODE_HUB_KEY:
		log_warn("control", "the hub has another key than before", "url=%s",
			node_control_url(b->e->node));
		break;
	case NODE_REFUSED:
		on_refused(e->text);
		break;
	case NODE_CONTROL:
		on_control(b, e);
		break;
	case NODE_SELF:
		b->self_changed = true;
		break;
	case NODE_PEER_ADDED:
	case NODE_PEER_CHANGED:
		note(b, b->changed, &b->n_changed, e->id);
		break;
	case NODE_PEER_REMOVED:
		note(b, b->removed, &b->n_removed, e->id);
		break;
	case NODE_PEERS_LOST:
		b->changed_all |= heard(b);
		break;
	case NODE_RELAY:
		on_relay(e->region, e->text);
		break;
	case NODE_NETMAP:
	case NODE_KEYS:
	case NODE_NET_CONFIG:
	case NODE_DNS:
	case NODE_SAVE_NETMAP:
	case NODE_NETCHECK_DONE:
	case NODE_EVENT_KINDS:
		break;
	}
}

void bus_all_removed(struct bus *b)
{
	const struct netmap *nm = node_netmap(b->e->node);
	size_t max = nm && heard(b) ? netmap_n_peers(nm) : 0;
	const struct tc_node **v = max ? calloc(max, sizeof(*v)) : NULL;

	if (v)
		netmap_peers(nm, v);
	for (size_t i = 0; v && i < max; i++)
		note(b, b->removed, &b->n_removed, v[i]->id);
	free(v);
}

/* ---- Peers, at the end of a turn ---- */

static int peers_listed(
	struct bus *b, const struct netmap *nm, struct arena *a, struct json_list *ret)
{
	size_t max = b->changed_all ? netmap_n_peers(nm) : b->n_changed, k = 0;
	struct tc_node *v = arena_array(a, max, sizeof(*v));
	const struct tc_node **all = arena_array(a, netmap_n_peers(nm), sizeof(*all));

	if (!v || !all)
		return -ENOMEM;
	if (b->changed_all)
		netmap_peers(nm, all);
	for (size_t i = 0; i < max; i++) {
		const struct tc_node *p = b->changed_all ? all[i] : netmap_peer(nm, b->changed[i]);

		if (p)
			v[k++] = *p;
	}
	*ret = json_list_of(v, k);
	return 0;
}

static int users_listed(const struct netmap *nm, const struct json_list *peers, struct arena *a,
	struct json_map *ret)
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

static void tell_peers(struct bus *b)
{
	const struct netmap *nm = node_netmap(b->e->node);
	struct ipn_notify m = { 0 };
	struct arena a;

	arena_init(&a, NETMAP_TEXT_MAX);
	if (b->n_removed)
		m.peers_removed = json_list_of(b->removed, b->n_removed);
	if (nm && (b->n_changed || b->changed_all) &&
		(peers_listed(b, nm, &a, &m.peers_changed) < 0 ||
			users_listed(nm, &m.peers_changed, &a, &m.user_profiles) < 0))
		log_warn("bus", "changes of peers could not be told", "peers=%zu",
			netmap_n_peers(nm));
	else
		tell(b, &m);
	arena_fini(&a);
	b->n_changed = b->n_removed = 0;
	b->changed_all = false;
}

/* ---- Health ---- */

static void tell_health(struct bus *b)
{
	struct ipn_health h;
	struct arena a;
	struct buf text;

	arena_init(&a, 1 << 20);
	buf_init(&text, 1 << 20);
	if (node_health(b->e->node, engine_now(b->e), &a, &h) == 0 &&
		json_encode(&ipn_health_type, &h, &text) == 0 && buf_append(&text, "", 1) == 0 &&
		(!b->health_text || strcmp(b->health_text, (const char *)buf_data(&text)) != 0)) {
		free(b->health_text);
		b->health_text = strdup((const char *)buf_data(&text));
		tell(b, &(struct ipn_notify){ .health = &h });
	}
	buf_fini(&text);
	arena_fini(&a);
}

static void on_health_timer(void *ctx)
{
	struct bus *b = ctx;

	if (!heard(b)) {
		b->health_watched = false;
		return;
	}
	tell_health(b);
	loop_timer_set(b->health_timer, mono_add(engine_now(b->e).mono, HEALTH_PERIOD));
}

void bus_turn_end(struct bus *b)
{
	if (b->self_changed) {
		const struct netmap *nm = node_netmap(b->e->node);

		b->self_changed = false;
		if (nm)
			tell(b, &(struct ipn_notify){ .self_change = netmap_self(nm) });
	}
	if (b->n_changed || b->n_removed || b->changed_all)
		tell_peers(b);
	if (heard(b) && !b->health_watched) {
		b->health_watched = true;
		on_health_timer(b);
	}
}

/* ---- Life ---- */

int bus_new(struct bus **ret, struct engine *e)
{
	struct bus *b = calloc(1, sizeof(*b));
	int rc;

	if (!b)
		return -ENOMEM;
	b->e = e;
	rc = loop_timer_new(e->loop, on_health_timer, b, &b->health_timer);
	if (rc < 0)
		free(b);
	else
		*ret = b;
	return rc;
}

struct bus *bus_free(struct bus *b)
{
	if (!b)
		return NULL;
	loop_timer_free(b->health_timer);
	free(b->health_text);
	free(b);
	return NULL;
}

void bus_set_watch(struct bus *b, struct watch *w)
{
	b->watch = w;
}
