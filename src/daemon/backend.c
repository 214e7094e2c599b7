/* What the LocalAPI asks of the daemon. */
#include "daemon/internal.h"
#include "os/log/log.h"

#include <errno.h>
#include <stdlib.h>

/* A ping that somebody waits for. */
struct daemon_ping {
	struct list link;
	struct daemon *n;
	struct lapi_call *call;
};

static enum ipn_state state(void *backend)
{
	return node_state(((struct daemon *)backend)->node);
}

static int status(void *backend, bool peers, struct arena *a, struct ipn_status *ret)
{
	struct daemon *n = backend;

	return node_status(n->node, peers, loop_now(n->loop), a, ret);
}

static const struct netmap *netmap(void *backend)
{
	return node_netmap(((struct daemon *)backend)->node);
}

static struct machine_pub machine_key(void *backend)
{
	struct machine_pub pub;

	if (key_public(node_identity(((struct daemon *)backend)->node)->machine.b, pub.b) < 0)
		memset(pub.b, 0, sizeof(pub.b));
	return pub;
}

static int health(void *backend, struct arena *a, struct ipn_health *ret)
{
	struct daemon *n = backend;

	return node_health(n->node, loop_now(n->loop), a, ret);
}

static int rejects(void *b, struct arena *a, struct ipn_rejects *ret)
{
	return node_rejects(((struct daemon *)b)->node, a, ret);
}

static int engine(void *backend, struct arena *a, struct ipn_engine_status *ret)
{
	struct daemon *n = backend;

	return node_engine(n->node, loop_now(n->loop), a, ret);
}

/* ---- Preferences and logins ---- */

static const struct ipn_prefs *prefs(void *backend)
{
	return node_prefs(((struct daemon *)backend)->node);
}

static int edit_prefs(void *backend, const struct ipn_masked_prefs *edit, struct err_at *at)
{
	struct daemon *n = backend;

	return node_edit_prefs(n->node, edit, loop_now(n->loop), at);
}

static int unbuilt(void *backend, struct arena *a, struct json_list *ret)
{
	(void)backend;
	return node_unbuilt(a, ret);
}

static int check_prefs(void *backend, const struct ipn_prefs *p, struct err_at *at)
{
	const struct node *a = ((struct daemon *)backend)->node;
	int rc = node_check_prefs(a, p, at);

	return rc < 0 ? rc : node_check_built(a, p, at);
}

static int start(void *backend, const struct ipn_options *o, struct err_at *at)
{
	struct daemon *n = backend;
	int rc = o->update_prefs ? node_set_prefs(n->node, o->update_prefs, loop_now(n->loop), at)
				 : 0;

	if (rc == 0)
		node_start(n->node, o->auth_key, loop_now(n->loop));
	return rc;
}

static int login_interactive(void *backend, struct err_at *at)
{
	struct daemon *n = backend;

	(void)at;
	node_login(n->node, loop_now(n->loop));
	return 0;
}

static int logout(void *backend, struct err_at *at)
{
	struct daemon *n = backend;

	(void)at;
	node_logout(n->node, loop_now(n->loop));
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

/* ---- Profiles ---- */

static int profiles(void *backend, struct arena *a, struct json_list *ret)
{
	return profile_list(((struct daemon *)backend)->state, a, ret);
}

static int profile_current(void *backend, struct arena *a, struct ipn_login_profile *ret)
{
	struct daemon *n = backend;
	struct json_list all;
	int rc = profile_list(n->state, a, &all);

	*ret = (struct ipn_login_profile){ .id = "",
		.name = "",
		.key = "",
		.node_id = "",
		.local_user_id = "",
		.control_url = "" };
	for (size_t i = 0; rc == 0 && i < all.n; i++)
		if (!strcmp(JSON_AT(all, struct ipn_login_profile, i)->id, n->profile_id))
			*ret = *JSON_AT(all, struct ipn_login_profile, i);
	return rc;
}

static int become_fresh(struct daemon *n, struct err_at *at)
{
	struct profile p;
	int rc = profile_fresh(n->state, n->rng, &p);

	if (rc == 0)
		rc = profile_set_current(n->state, "");
	if (rc == 0)
		rc = daemon_become(n, &p);
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
	struct daemon *n = backend;
	struct profile p;
	int rc;

	if (!strcmp(id, n->profile_id))
		return 0;
	rc = profile_load(n->state, n->rng, id, &p);
	if (rc == 0)
		rc = profile_set_current(n->state, id);
	if (rc == 0)
		rc = daemon_become(n, &p);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id,
			rc == -ENOENT ? "not found" : err_text(rc));
	return rc;
}

static int profile_delete(void *backend, const char *id, struct err_at *at)
{
	struct daemon *n = backend;
	bool current = !strcmp(id, n->profile_id);
	int rc = profile_remove(n->state, id);

	mapcache_remove(n, id);
	if (rc == 0 && current)
		return become_fresh(n, at);
	if (rc == 0)
		files_save_state(n, 0);
	if (rc < 0)
		err_at_set(at, 0, 0, "profile %.100s: %s", id, err_text(rc));
	return rc;
}

static int reset_auth(void *backend, struct err_at *at)
{
	struct daemon *n = backend;
	struct json_list all;
	struct arena a;
	int rc;

	arena_init(&a, PROFILE_MEM_MAX);
	rc = profile_list(n->state, &a, &all);
	for (size_t i = 0; rc == 0 && i < all.n; i++) {
		const char *id = JSON_AT(all, struct ipn_login_profile, i)->id;

		rc = profile_remove(n->state, id);
		mapcache_remove(n, id);
	}
	arena_fini(&a);
	if (rc < 0) {
		err_at_set(at, 0, 0, "profiles: %s", err_text(rc));
		return rc;
	}
	return become_fresh(n, at);
}

static int peer_caps(void *backend, struct ipaddr peer, struct arena *a, struct json_map *ret)
{
	struct daemon *n = backend;
	const struct netmap *nm = node_netmap(n->node);
	const struct filter_rules *rules = filter_current(node_filter(n->node));
	const struct json_list *own = nm ? &netmap_self(nm)->addresses : NULL;

	*ret = (struct json_map){ 0 };
	for (size_t i = 0; rules && own && i < own->n; i++)
		if (JSON_AT(*own, struct ipprefix, i)->ip.family == peer.family)
			return filter_caps(
				rules, peer, JSON_AT(*own, struct ipprefix, i)->ip, a, ret);
	return 0;
}

/* ---- What takes time ---- */

static void on_ping(void *ctx, const struct ipn_ping_result *r)
{
	struct daemon_ping *p = ctx;

	list_remove(&p->link);
	lapi_ping_done(p->call, r);
	free(p);
}

static void ping(void *backend, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	struct lapi_call *call)
{
	struct daemon *n = backend;
	struct daemon_ping *p = calloc(1, sizeof(*p));

	if (!p) {
		lapi_ping_done(
			call, &(struct ipn_ping_result){ .ip = "", .err = err_text(-ENOMEM) });
		return;
	}
	*p = (struct daemon_ping){ .n = n, .call = call };
	list_push_tail(&n->pings, &p->link);
	node_ping(n->node, ip, type, size, on_ping, p, loop_now(n->loop));
}

static void netcheck(void *backend, struct lapi_call *call)
{
	struct daemon *n = backend;

	if (n->n_waiters == DAEMON_WAITERS_MAX) {
		lapi_netcheck_done(call, &(struct ipn_netcheck){ 0 });
		return;
	}
	n->waiters[n->n_waiters++] = call;
	node_netcheck(n->node, loop_now(n->loop));
}

void backend_netcheck_done(struct daemon *n)
{
	struct ipn_netcheck report = { 0 };
	struct arena a;

	arena_init(&a, 1 << 20);
	if (n->n_waiters && node_netcheck_report(n->node, &a, &report) < 0)
		report = (struct ipn_netcheck){ 0 };
	while (n->n_waiters)
		lapi_netcheck_done(n->waiters[--n->n_waiters], &report);
	arena_fini(&a);
}

static void cancel(void *backend, struct lapi_call *call)
{
	struct daemon *n = backend;

	for (size_t i = 0; i < n->n_waiters; i++)
		if (n->waiters[i] == call)
			n->waiters[i--] = n->waiters[--n->n_waiters];
	list_for_each_safe(l, &n->pings) {
		struct daemon_ping *p = container_of(l, struct daemon_ping, link);

		if (p->call != call)
			continue;
		node_ping_cancel(n->node, p);
		list_remove(&p->link);
		free(p);
	}
}

void backend_drop_calls(struct daemon *n)
{
	struct list *l;

	while ((l = list_pop_head(&n->pings))) {
		struct daemon_ping *p = container_of(l, struct daemon_ping, link);

		node_ping_cancel(n->node, p);
		lapi_ping_done(p->call,
			&(struct ipn_ping_result){ .ip = "", .err = "another profile was chosen" });
		free(p);
	}
	backend_netcheck_done(n);
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
	struct daemon *n = backend;
	int rc;

	(void)value;
	(void)out;
	if (!strcmp(action, "restun")) {
		node_netcheck(n->node, loop_now(n->loop));
		return 0;
	}
	if (!strcmp(action, "break-derp-conns")) {
		node_break_relays(n->node, loop_now(n->loop));
		return 0;
	}
	if (!strcmp(action, "rebind")) {
		rc = udp_rebind(n->udp, (uint16_t)n->o->port);
		if (rc < 0)
			err_at_set(at, 0, 0, "rebind: %s", err_text(rc));
		net_tell_local(n, true);
		return rc;
	}
	return -ERR_UNSUPPORTED;
}

const struct lapi_backend_ops daemon_backend = {
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
	.unsaved = files_unsaved,
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
	.usermetrics = daemon_user_metrics,
	.metrics = daemon_metrics,
	.bugreport = bugreport,
	.debug = debug,
};
