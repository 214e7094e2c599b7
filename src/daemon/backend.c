/* What the services ask of the device. */
#include "daemon/backend.h"
#include "daemon/peerapi/peerapi.h"
#include "daemon/services/machine.h"
#include "daemon/services/map.h"
#include "daemon/services/serve.h"
#include "daemon/services/status.h"
#include "os/log/log.h"
#include "os/tun/tun.h"

#include <errno.h>
#include <stdlib.h>

/* A ping that somebody waits for. */
struct backend_ping {
	struct list link;
	struct probe_call *call;
};

static enum ipn_state state(void *backend)
{
	return node_state(((struct backend *)backend)->d->engine.node);
}

static int status(void *backend, bool peers, struct arena *a, struct ipn_status *ret)
{
	struct backend *b = backend;

	return node_status(b->d->engine.node, peers, engine_now(&b->d->engine), a, ret);
}

static const struct netmap *netmap(void *backend)
{
	return node_netmap(((struct backend *)backend)->d->engine.node);
}

static struct machine_pub machine_key(void *backend)
{
	struct machine_pub pub;

	if (key_public(node_identity(((struct backend *)backend)->d->engine.node)->machine.b,
		    pub.b) < 0)
		memset(pub.b, 0, sizeof(pub.b));
	return pub;
}

static int health(void *backend, struct arena *a, struct ipn_health *ret)
{
	struct backend *b = backend;

	return node_health(b->d->engine.node, engine_now(&b->d->engine), a, ret);
}

static int rejects(void *backend, struct arena *a, struct ipn_rejects *ret)
{
	return node_rejects(((struct backend *)backend)->d->engine.node, a, ret);
}

static int engine(void *backend, struct arena *a, struct ipn_engine_status *ret)
{
	struct backend *b = backend;

	return node_engine(b->d->engine.node, engine_now(&b->d->engine), a, ret);
}

static int suggest_exit(void *backend, struct arena *a, const struct tc_node **ret)
{
	return node_suggest_exit(((struct backend *)backend)->d->engine.node, a, ret);
}

static int routes(void *backend, struct arena *a, struct json_list *ret)
{
	struct backend *b = backend;
	int rc = node_routes(b->d->engine.node, a, ret);

	for (size_t i = 0; rc == 0 && i < ret->n; i++) {
		struct ipn_route *r = JSON_AT(*ret, struct ipn_route, i);

		if (!r->own && !strcmp(r->state, IPN_ROUTE_ACTIVE) &&
			net_keeps_local(b->d->net, r->prefix))
			r->state = IPN_ROUTE_LAN;
	}
	return rc;
}

bool backend_unsaved(void *owner)
{
	return keeper_unsaved(((struct backend *)owner)->d->keeper);
}

/* ---- Preferences and logins ---- */

static const struct ipn_prefs *prefs(void *backend)
{
	return node_prefs(((struct backend *)backend)->d->engine.node);
}

static int edit_prefs(void *backend, const struct ipn_masked_prefs *edit, struct err_at *at)
{
	struct backend *b = backend;

	return node_edit_prefs(b->d->engine.node, edit, engine_now(&b->d->engine), at);
}

static int unbuilt(void *backend, struct arena *a, struct json_list *ret)
{
	(void)backend;
	return node_unbuilt(a, ret);
}

static int check_prefs(void *backend, const struct ipn_prefs *p, struct err_at *at)
{
	const struct node *a = ((struct backend *)backend)->d->engine.node;
	int rc = node_check_prefs(a, p, at);

	return rc < 0 ? rc : node_check_built(a, p, at);
}

static int start(void *backend, const struct ipn_options *o, struct err_at *at)
{
	struct backend *b = backend;
	int rc = o->update_prefs ? node_set_prefs(b->d->engine.node, o->update_prefs,
					   engine_now(&b->d->engine), at)
				 : 0;

	if (rc == 0)
		node_start(b->d->engine.node, o->auth_key, engine_now(&b->d->engine));
	return rc;
}

static int login_interactive(void *backend, struct err_at *at)
{
	struct backend *b = backend;

	(void)at;
	node_login(b->d->engine.node, engine_now(&b->d->engine));
	return 0;
}

static int logout(void *backend, struct err_at *at)
{
	struct backend *b = backend;

	(void)at;
	node_logout(b->d->engine.node, engine_now(&b->d->engine));
	return 0;
}

static int set_expiry_sooner(void *backend, unix_ms expiry, struct err_at *at)
{
	(void)backend;
	(void)expiry;
	err_at_set(at, 0, 0,
		"this build cannot ask the hub for an earlier expiry; on the hub: warren-hub nodes expire");
	return -ERR_UNSUPPORTED;
}

/* ---- What takes time ---- */

static void on_ping(void *ctx, const struct ipn_ping_result *r)
{
	struct backend_ping *p = ctx;

	list_remove(&p->link);
	probe_ping_done(p->call, r);
	free(p);
}

static void ping(void *backend, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	struct probe_call *call)
{
	struct backend *b = backend;
	struct backend_ping *p = calloc(1, sizeof(*p));

	if (!p) {
		probe_ping_done(
			call, &(struct ipn_ping_result){ .ip = "", .err = err_text(-ENOMEM) });
		return;
	}
	*p = (struct backend_ping){ .call = call };
	list_push_tail(&b->pings, &p->link);
	node_ping(b->d->engine.node, ip, type, size, on_ping, p, engine_now(&b->d->engine));
}

static void netcheck(void *backend, struct probe_call *call)
{
	struct backend *b = backend;

	if (b->n_waiters == BACKEND_WAITERS_MAX) {
		probe_netcheck_done(call, &(struct ipn_netcheck){ 0 });
		return;
	}
	b->waiters[b->n_waiters++] = call;
	node_netcheck(b->d->engine.node, engine_now(&b->d->engine));
}

void backend_netcheck_done(struct backend *b)
{
	struct ipn_netcheck report = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	if (b->n_waiters && node_netcheck_report(b->d->engine.node, &a, &report) < 0)
		report = (struct ipn_netcheck){ 0 };
	while (b->n_waiters)
		probe_netcheck_done(b->waiters[--b->n_waiters], &report);
	arena_fini(&a);
}

static void cancel(void *backend, struct probe_call *call)
{
	struct backend *b = backend;

	for (size_t i = 0; i < b->n_waiters; i++)
		if (b->waiters[i] == call)
			b->waiters[i--] = b->waiters[--b->n_waiters];
	list_for_each_safe(l, &b->pings) {
		struct backend_ping *p = container_of(l, struct backend_ping, link);

		if (p->call != call)
			continue;
		node_ping_cancel(b->d->engine.node, p);
		list_remove(&p->link);
		free(p);
	}
}

static void drop_calls(struct backend *b)
{
	struct list *l;

	while ((l = list_pop_head(&b->pings))) {
		struct backend_ping *p = container_of(l, struct backend_ping, link);

		node_ping_cancel(b->d->engine.node, p);
		probe_ping_done(p->call,
			&(struct ipn_ping_result){ .ip = "", .err = "another profile was chosen" });
		free(p);
	}
	backend_netcheck_done(b);
}

/* ---- Profiles ---- */

/* Who waits for the engine that goes is answered before. */
static int become(struct backend *b, struct profile *take)
{
	drop_calls(b);
	return device_become(b->d, take);
}

static int profiles(void *backend, struct arena *a, struct json_list *ret)
{
	return profile_list(keeper_state(((struct backend *)backend)->d->keeper), a, ret);
}

static int profile_current(void *backend, struct arena *a, struct ipn_login_profile *ret)
{
	struct backend *b = backend;
	struct json_list all;
	int rc = profile_list(keeper_state(b->d->keeper), a, &all);

	*ret = (struct ipn_login_profile){ .id = "",
		.name = "",
		.key = "",
		.node_id = "",
		.local_user_id = "",
		.control_url = "" };
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		if (!strcmp(JSON_AT(all, struct ipn_login_profile, i)->id,
			    keeper_profile_id(b->d->keeper)))
			*ret = *JSON_AT(all, struct ipn_login_profile, i);
	return rc;
}

static int become_fresh(struct backend *b, struct err_at *at)
{
	struct profile p;
	int rc = profile_fresh(keeper_state(b->d->keeper), b->d->engine.rng, &p);

	if (rc == 0)
		rc = profile_set_current(keeper_state(b->d->keeper), "");
	if (rc == 0)
		rc = become(b, &p);
	if (rc < 0)
		err_at_set(at, 0, 0, "no new profile: %s", err_text(rc));
	return rc;
}

static int profile_new(void *backend, struct err_at *at)
{
	return become_fresh(backend, at);
}

static int profile_switch(void *backend, const char *id, struct err_at *at)
{
	struct backend *b = backend;
	struct profile p;
	int rc;

	if (!strcmp(id, keeper_profile_id(b->d->keeper)))
		return 0;
	rc = profile_load(keeper_state(b->d->keeper), b->d->engine.rng, id, &p);
	if (rc == 0)
		rc = profile_set_current(keeper_state(b->d->keeper), id);
	if (rc == 0)
		rc = become(b, &p);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id,
			rc == -ENOENT ? "not found" : err_text(rc));
	return rc;
}

static int profile_delete(void *backend, const char *id, struct err_at *at)
{
	struct backend *b = backend;
	bool current = !strcmp(id, keeper_profile_id(b->d->keeper));
	int rc = keeper_forget(b->d->keeper, id);

	if (rc == 0 && current)
		return become_fresh(b, at);
	if (rc == 0)
		keeper_save_state(b->d->keeper);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id, err_text(rc));
	return rc;
}

static int reset_auth(void *backend, struct err_at *at)
{
	struct backend *b = backend;
	struct json_list all;
	struct arena a;
	int rc;

	arena_init(&a, PROFILE_MEM_MAX);
	rc = profile_list(keeper_state(b->d->keeper), &a, &all);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		const char *id = JSON_AT(all, struct ipn_login_profile, i)->id;

		rc = keeper_forget(b->d->keeper, id);
	}
	arena_fini(&a);
	if (rc < 0) {
		err_at_set(at, 0, 0, "profiles: %s", err_text(rc));
		return rc;
	}
	return become_fresh(b, at);
}

static int peer_caps(void *backend, struct ipaddr peer, struct arena *a, struct json_map *ret)
{
	struct backend *b = backend;
	const struct netmap *nm = node_netmap(b->d->engine.node);
	const struct filter_rules *rules = filter_current(node_filter(b->d->engine.node));
	const struct json_list *own = nm ? &netmap_self(nm)->addresses : NULL;

	*ret = (struct json_map){ 0 };
	for (size_t i = 0; rules && own && i < own->n; i++)
		if (JSON_AT(*own, struct ipprefix, i)->ip.family == peer.family)
			return filter_caps(
				rules, peer, JSON_AT(*own, struct ipprefix, i)->ip, a, ret);
	return 0;
}

/* ---- For those who look inside ---- */

static void bugreport(void *backend, const char *marker, const char *note)
{
	(void)backend;
	log_info("bugreport", "a person marked this place", "marker=%s note=%s", marker,
		note ? note : "");
}

static int debug(
	void *backend, const char *action, struct view value, struct buf *out, struct err_at *at)
{
	struct backend *b = backend;
	int rc;

	(void)value;
	(void)out;
	if (!strcmp(action, "restun")) {
		node_netcheck(b->d->engine.node, engine_now(&b->d->engine));
		return 0;
	}
	if (!strcmp(action, "break-derp-conns")) {
		node_break_relays(b->d->engine.node, engine_now(&b->d->engine));
		return 0;
	}
	if (!strcmp(action, "rebind")) {
		rc = net_rebind(b->d->net);
		if (rc < 0)
			err_at_set(at, 0, 0, "rebind: %s", err_text(rc));
		net_tell_local(b->d->net, true);
		return rc;
	}
	return -ERR_UNSUPPORTED;
}

/* ---- The services ---- */

static const struct facts_ops facts_ops = {
	.state = state,
	.status = status,
	.netmap = netmap,
	.machine_key = machine_key,
	.prefs = prefs,
	.health = health,
	.engine = engine,
};
static const struct prefs_ops prefs_ops = {
	.edit = edit_prefs,
	.check = check_prefs,
	.unbuilt = unbuilt,
};
static const struct login_ops login_ops = {
	.start = start,
	.interactive = login_interactive,
	.logout = logout,
	.reset = reset_auth,
	.set_expiry_sooner = set_expiry_sooner,
};
static const struct profiles_ops profiles_ops = {
	.all = profiles,
	.current = profile_current,
	.fresh = profile_new,
	.use = profile_switch,
	.remove = profile_delete,
};
static const struct probe_ops probe_ops = {
	.ping = ping,
	.netcheck = netcheck,
	.cancel = cancel,
};
static const struct debug_ops debug_ops = {
	.rejects = rejects,
	.bugreport = bugreport,
	.action = debug,
};

const char *backend_operator_user(void *owner)
{
	return prefs(owner)->operator_user;
}

/* ---- The system's resolver ---- */

static const struct os_dns_config *dns_base(void *owner)
{
	const struct backend *b = owner;

	return b->d->sysdns ? sysdns_base(b->d->sysdns) : NULL;
}

static bool dns_manager(void *owner, struct ipn_dns_manager *ret)
{
	static const char *const states[] = { [RESOLVER_IDLE] = "idle",
		[RESOLVER_WORKING] = "working",
		[RESOLVER_SET] = "set",
		[RESOLVER_YIELDED] = "yielded",
		[RESOLVER_FAILED] = "failed" };
	const struct backend *b = owner;
	struct resolver_status s;

	if (!b->d->sysdns)
		return false;
	s = sysdns_status(b->d->sysdns);
	*ret = (struct ipn_dns_manager){ .manager = resolver_manager_name(s.manager),
		.state = states[s.state],
		.why = s.why,
		.error = s.rc < 0 ? err_text(s.rc) : "",
		.since = s.since,
		.overwritten = s.overwritten,
		.split = s.splits };
	return true;
}

static const char *gro_interface(void *owner)
{
	const struct backend *b = owner;
	const char *name;

	if (!b->d->net || !tun_has_udp_offload(net_tun(b->d->net)))
		return NULL;
	name = net_default_if(b->d->net);
	return *name ? name : NULL;
}

static const struct machine_ops machine_ops = {
	.dns_base = dns_base, .dns_manager = dns_manager, .gro_interface = gro_interface
};

static void add_all(struct backend *b)
{
	services_add(b->services, &status_service, &b->facts);
	services_add(b->services, &watch_service, b->watch);
	services_add(b->services, &prefs_service, &b->prefs);
	services_add(b->services, &login_service, &b->login);
	services_add(b->services, &profiles_service, &b->profiles);
	services_add(b->services, &peers_service, &b->peers);
	services_add(b->services, &map_service, &b->facts);
	services_add(b->services, &probe_service, &b->probe);
	services_add(b->services, &routes_service, &b->routes);
	services_add(b->services, &machine_service, &b->machine);
	services_add(b->services, &serve_service, NULL);
	services_add(b->services, &names_service, &b->names);
	services_add(b->services, &scrape_service, &b->scrape);
	services_add(b->services, &debug_service, &b->debug);
	services_add(b->services, &metrics_listener, &b->metrics);
}

int backend_init(struct backend *b, struct device *d, const struct backend_cfg *cfg)
{
	struct loop *loop = d->engine.loop;
	int rc;

	b->d = d;
	list_init(&b->pings);
	b->facts = (struct facts){ &facts_ops, b, cfg->version };
	rc = watch_new(&b->watch, loop, &b->facts);
	if (rc == 0)
		rc = services_new(&b->services, loop);
	if (rc < 0)
		return rc;
	b->prefs = (struct prefs_service){ &prefs_ops, b, &b->facts };
	b->login = (struct login_service){
		.ops = &login_ops, .owner = b, .facts = &b->facts, .loop = loop
	};
	login_init(&b->login);
	b->profiles = (struct profiles_service){ &profiles_ops, b };
	b->peers = (struct peers_service){ &b->facts, peer_caps, b };
	b->probe = (struct probe_service){ &probe_ops, b };
	b->routes = (struct routes_service){ routes, suggest_exit, b };
	b->names = (struct names_service){ d->dns, &d->engine };
	b->machine = (struct machine){ &machine_ops, b };
	b->scrape = (struct scrape_service){ metrics_user, metrics_all, &b->metrics };
	b->debug = (struct debug_service){ &debug_ops, b, &b->facts, b->watch, cfg->state_dir };
	b->metrics = (struct metrics){ .d = d, .watch = b->watch, .listen = cfg->debug_listen };
	add_all(b);
	rc = peerapi_new(&b->peerapi, &d->engine, b->services);
	b->metrics.peerapi = b->peerapi;
	if (rc == 0)
		services_add(b->services, &peerapi_service, b->peerapi);
	return rc;
}

void backend_turn_end(struct backend *b)
{
	peerapi_turn_end(b->peerapi);
	services_turn_end(b->services);
}

void backend_fini(struct backend *b)
{
	b->peerapi = peerapi_free(b->peerapi);
	b->services = services_free(b->services);
	b->watch = watch_free(b->watch);
}
