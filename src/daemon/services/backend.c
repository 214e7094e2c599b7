/* What the LocalAPI asks of the daemon. */
#include "daemon/services/services.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>

/* A ping that somebody waits for. */
struct service_ping {
	struct list link;
	struct lapi_call *call;
};

static enum ipn_state state(void *backend)
{
	return node_state(((struct services *)backend)->d->engine.node);
}

static int status(void *backend, bool peers, struct arena *a, struct ipn_status *ret)
{
	struct services *s = backend;

	return node_status(s->d->engine.node, peers, engine_now(&s->d->engine), a, ret);
}

static const struct netmap *netmap(void *backend)
{
	return node_netmap(((struct services *)backend)->d->engine.node);
}

static struct machine_pub machine_key(void *backend)
{
	struct machine_pub pub;

	if (key_public(node_identity(((struct services *)backend)->d->engine.node)->machine.b,
		    pub.b) < 0)
		memset(pub.b, 0, sizeof(pub.b));
	return pub;
}

static int health(void *backend, struct arena *a, struct ipn_health *ret)
{
	struct services *s = backend;

	return node_health(s->d->engine.node, engine_now(&s->d->engine), a, ret);
}

static int rejects(void *b, struct arena *a, struct ipn_rejects *ret)
{
	return node_rejects(((struct services *)b)->d->engine.node, a, ret);
}

static int engine(void *backend, struct arena *a, struct ipn_engine_status *ret)
{
	struct services *s = backend;

	return node_engine(s->d->engine.node, engine_now(&s->d->engine), a, ret);
}

static bool unsaved(void *backend)
{
	return keeper_unsaved(((struct services *)backend)->d->keeper);
}

/* ---- Preferences and logins ---- */

static const struct ipn_prefs *prefs(void *backend)
{
	return node_prefs(((struct services *)backend)->d->engine.node);
}

static int edit_prefs(void *backend, const struct ipn_masked_prefs *edit, struct err_at *at)
{
	struct services *s = backend;

	return node_edit_prefs(s->d->engine.node, edit, engine_now(&s->d->engine), at);
}

static int unbuilt(void *backend, struct arena *a, struct json_list *ret)
{
	(void)backend;
	return node_unbuilt(a, ret);
}

static int check_prefs(void *backend, const struct ipn_prefs *p, struct err_at *at)
{
	const struct node *a = ((struct services *)backend)->d->engine.node;
	int rc = node_check_prefs(a, p, at);

	return rc < 0 ? rc : node_check_built(a, p, at);
}

static int start(void *backend, const struct ipn_options *o, struct err_at *at)
{
	struct services *s = backend;
	int rc = o->update_prefs ? node_set_prefs(s->d->engine.node, o->update_prefs,
					   engine_now(&s->d->engine), at)
				 : 0;

	if (rc == 0)
		node_start(s->d->engine.node, o->auth_key, engine_now(&s->d->engine));
	return rc;
}

static int login_interactive(void *backend, struct err_at *at)
{
	struct services *s = backend;

	(void)at;
	node_login(s->d->engine.node, engine_now(&s->d->engine));
	return 0;
}

static int logout(void *backend, struct err_at *at)
{
	struct services *s = backend;

	(void)at;
	node_logout(s->d->engine.node, engine_now(&s->d->engine));
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
	struct service_ping *p = ctx;

	list_remove(&p->link);
	lapi_ping_done(p->call, r);
	free(p);
}

static void ping(void *backend, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	struct lapi_call *call)
{
	struct services *s = backend;
	struct service_ping *p = calloc(1, sizeof(*p));

	if (!p) {
		lapi_ping_done(
			call, &(struct ipn_ping_result){ .ip = "", .err = err_text(-ENOMEM) });
		return;
	}
	*p = (struct service_ping){ .call = call };
	list_push_tail(&s->pings, &p->link);
	node_ping(s->d->engine.node, ip, type, size, on_ping, p, engine_now(&s->d->engine));
}

static void netcheck(void *backend, struct lapi_call *call)
{
	struct services *s = backend;

	if (s->n_waiters == SERVICES_WAITERS_MAX) {
		lapi_netcheck_done(call, &(struct ipn_netcheck){ 0 });
		return;
	}
	s->waiters[s->n_waiters++] = call;
	node_netcheck(s->d->engine.node, engine_now(&s->d->engine));
}

void services_netcheck_done(struct services *s)
{
	struct ipn_netcheck report = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	if (s->n_waiters && node_netcheck_report(s->d->engine.node, &a, &report) < 0)
		report = (struct ipn_netcheck){ 0 };
	while (s->n_waiters)
		lapi_netcheck_done(s->waiters[--s->n_waiters], &report);
	arena_fini(&a);
}

static void cancel(void *backend, struct lapi_call *call)
{
	struct services *s = backend;

	for (size_t i = 0; i < s->n_waiters; i++)
		if (s->waiters[i] == call)
			s->waiters[i--] = s->waiters[--s->n_waiters];
	list_for_each_safe(l, &s->pings) {
		struct service_ping *p = container_of(l, struct service_ping, link);

		if (p->call != call)
			continue;
		node_ping_cancel(s->d->engine.node, p);
		list_remove(&p->link);
		free(p);
	}
}

static void drop_calls(struct services *s)
{
	struct list *l;

	while ((l = list_pop_head(&s->pings))) {
		struct service_ping *p = container_of(l, struct service_ping, link);

		node_ping_cancel(s->d->engine.node, p);
		lapi_ping_done(p->call,
			&(struct ipn_ping_result){ .ip = "", .err = "another profile was chosen" });
		free(p);
	}
	services_netcheck_done(s);
}

/* ---- Profiles ---- */

/* Who waits for the engine that goes is answered before. */
static int become(struct services *s, struct profile *take)
{
	drop_calls(s);
	return device_become(s->d, take);
}

static int profiles(void *backend, struct arena *a, struct json_list *ret)
{
	return profile_list(keeper_state(((struct services *)backend)->d->keeper), a, ret);
}

static int profile_current(void *backend, struct arena *a, struct ipn_login_profile *ret)
{
	struct services *s = backend;
	struct json_list all;
	int rc = profile_list(keeper_state(s->d->keeper), a, &all);

	*ret = (struct ipn_login_profile){ .id = "",
		.name = "",
		.key = "",
		.node_id = "",
		.local_user_id = "",
		.control_url = "" };
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		if (!strcmp(JSON_AT(all, struct ipn_login_profile, i)->id,
			    keeper_profile_id(s->d->keeper)))
			*ret = *JSON_AT(all, struct ipn_login_profile, i);
	return rc;
}

static int become_fresh(struct services *s, struct err_at *at)
{
	struct profile p;
	int rc = profile_fresh(keeper_state(s->d->keeper), s->d->engine.rng, &p);

	if (rc == 0)
		rc = profile_set_current(keeper_state(s->d->keeper), "");
	if (rc == 0)
		rc = become(s, &p);
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
	struct services *s = backend;
	struct profile p;
	int rc;

	if (!strcmp(id, keeper_profile_id(s->d->keeper)))
		return 0;
	rc = profile_load(keeper_state(s->d->keeper), s->d->engine.rng, id, &p);
	if (rc == 0)
		rc = profile_set_current(keeper_state(s->d->keeper), id);
	if (rc == 0)
		rc = become(s, &p);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id,
			rc == -ENOENT ? "not found" : err_text(rc));
	return rc;
}

static int profile_delete(void *backend, const char *id, struct err_at *at)
{
	struct services *s = backend;
	bool current = !strcmp(id, keeper_profile_id(s->d->keeper));
	int rc = keeper_forget(s->d->keeper, id);

	if (rc == 0 && current)
		return become_fresh(s, at);
	if (rc == 0)
		keeper_save_state(s->d->keeper);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id, err_text(rc));
	return rc;
}

static int reset_auth(void *backend, struct err_at *at)
{
	struct services *s = backend;
	struct json_list all;
	struct arena a;
	int rc;

	arena_init(&a, PROFILE_MEM_MAX);
	rc = profile_list(keeper_state(s->d->keeper), &a, &all);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		const char *id = JSON_AT(all, struct ipn_login_profile, i)->id;

		rc = keeper_forget(s->d->keeper, id);
	}
	arena_fini(&a);
	if (rc < 0) {
		err_at_set(at, 0, 0, "profiles: %s", err_text(rc));
		return rc;
	}
	return become_fresh(s, at);
}

static int peer_caps(void *backend, struct ipaddr peer, struct arena *a, struct json_map *ret)
{
	struct services *s = backend;
	const struct netmap *nm = node_netmap(s->d->engine.node);
	const struct filter_rules *rules = filter_current(node_filter(s->d->engine.node));
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
	struct services *s = backend;
	int rc;

	(void)value;
	(void)out;
	if (!strcmp(action, "restun")) {
		node_netcheck(s->d->engine.node, engine_now(&s->d->engine));
		return 0;
	}
	if (!strcmp(action, "break-derp-conns")) {
		node_break_relays(s->d->engine.node, engine_now(&s->d->engine));
		return 0;
	}
	if (!strcmp(action, "rebind")) {
		rc = net_rebind(s->d->net);
		if (rc < 0)
			err_at_set(at, 0, 0, "rebind: %s", err_text(rc));
		net_tell_local(s->d->net, true);
		return rc;
	}
	return -ERR_UNSUPPORTED;
}

const struct lapi_backend_ops services_backend = {
	.state = state,
	.status = status,
	.netmap = netmap,
	.machine_key = machine_key,
	.health = health,
	.engine = engine,
	.rejects = rejects,
	.prefs = prefs,
	.edit_prefs = edit_prefs,
	.check_prefs = check_prefs,
	.unbuilt = unbuilt,
	.unsaved = unsaved,
	.start = start,
	.login_interactive = login_interactive,
	.logout = logout,
	.reset_auth = reset_auth,
	.set_expiry_sooner = set_expiry_sooner,
	.profiles = profiles,
	.profile_current = profile_current,
	.profile_new = profile_new,
	.profile_switch = profile_switch,
	.profile_delete = profile_delete,
	.peer_caps = peer_caps,
	.ping = ping,
	.netcheck = netcheck,
	.cancel = cancel,
	.usermetrics = metrics_user,
	.metrics = metrics_all,
	.bugreport = bugreport,
	.debug = debug,
};
