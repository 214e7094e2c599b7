/*
 * The life of the daemon. At start everything that is known from the last life is put to use before anything is waited for:
 *
 *	state, map --> TUN, addresses, routes --> sockets --> peers answer        all within one turn of the loop
 *	                                                 \--> relay and hub are dialled side by side, the hub by its cached key
 */
#include "daemon/internal.h"
#include "os/file/file.h"
#include "os/log/log.h"
#include "os/notify/notify.h"
#include "os/priv/priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- What the engine tells ---- */

static void on_event(struct daemon *n, const struct node_event *e)
{
	switch (e->kind) {
	case NODE_SELF:
		n->save = n->offloads = true;
		break;
	case NODE_KEYS:
	case NODE_PREFS:
	case NODE_MOVED:
	case NODE_NETMAP:
		n->save = true;
		break;
	case NODE_NET_CONFIG:
		n->net_config = true;
		break;
	case NODE_SAVE_NETMAP:
		mapcache_changed(n);
		break;
	case NODE_NETCHECK_DONE:
		n->netcheck_done = true;
		break;
	case NODE_STATE:
	case NODE_LOGIN_URL:
	case NODE_LOGIN_FINISHED:
	case NODE_LOGIN_FAILED:
	case NODE_HUB_KEY:
	case NODE_REFUSED:
	case NODE_CONTROL:
	case NODE_PEER_ADDED:
	case NODE_PEER_CHANGED:
	case NODE_PEER_REMOVED:
	case NODE_PEERS_LOST:
	case NODE_RELAY:
	case NODE_EVENT_KINDS:
		break;
	}
	bus_event(n, e);
}

static void take_events(struct daemon *n)
{
	struct node_event e;

	while (n->node && node_next_event(n->node, &e))
		on_event(n, &e);
}

static const struct node_ops node_ops = {
	.udp_send = net_udp_send,
	.tun_write = net_tun_write,
	.dial = streams_dial,
	.hangup = streams_hangup,
	.stream_wake = streams_wake,
	.resolve = link_resolve,
	.measure = streams_measure,
};

void daemon_trouble(struct daemon *n, unsigned bit, bool on)
{
	n->trouble = on ? n->trouble | bit : n->trouble & ~bit;
	node_set_trouble(n->node, n->trouble, loop_now(n->loop));
}

/* ---- Saving ---- */

/* Logged out: the hub knows no such device any more, so neither do we. */
static int save_end(struct daemon *n)
{
	int rc = *n->profile_id ? profile_remove(n->state, n->profile_id) : 0;

	mapcache_remove(n, n->profile_id);
	n->profile_id[0] = 0;
	n->was_logged_in = false;
	return rc;
}

static int save_profile(struct daemon *n)
{
	const struct netmap *nm = node_netmap(n->node);
	const char *name = nm && netmap_self(nm)->name ? netmap_self(nm)->name : "",
		   *dot = strchr(name, '.');
	char suffix[256];
	struct profile_facts f = { .prefs = node_prefs(n->node),
		.identity = node_identity(n->node),
		.nl_key = n->nl_key,
		.domain = nm ? netmap_domain(nm) : "",
		.suffix = suffix,
		.now = loop_now(n->loop).wall };

	snprintf(suffix, sizeof(suffix), "%s", dot ? dot + 1 : "");
	if (*suffix && suffix[strlen(suffix) - 1] == '.')
		suffix[strlen(suffix) - 1] = 0;
	return profile_save(n->state, n->rng, n->profile_id, &f);
}

void daemon_save(struct daemon *n)
{
	bool logged_in = !key_is_zero(node_identity(n->node)->node.b);
	int rc;

	n->save = false;
	if (n->was_logged_in && !logged_in)
		rc = save_end(n);
	else
		rc = save_profile(n);
	n->was_logged_in |= logged_in;
	files_save_state(n, rc);
}

/* ---- Becoming somebody ---- */

static int node_make(struct daemon *n, const struct profile *p, struct node **ret)
{
	struct node_cfg cfg = { .identity = p->identity,
		.prefs = &p->prefs,
		.default_control_url = "",
		.ephemeral = !state_is_durable(n->state),
		.mtu = n->o->mtu,
		.rng = n->rng,
		.ops = &node_ops,
		.owner = n };
	struct tc_hostinfo host;
	struct arena a;
	struct buf map;
	int rc;

	arena_init(&a, 1 << 20);
	buf_init(&map, NETMAP_TEXT_MAX);
	mapcache_read(n, &map);
	cfg.netmap = buf_view(&map);
	cfg.host = &host;
	rc = daemon_hostinfo(&a, &p->identity.machine, &host);
	if (rc == 0)
		rc = node_new(ret, &cfg, loop_now(n->loop));
	key_wipe(&cfg.identity, sizeof(cfg.identity));
	buf_fini(&map);
	arena_fini(&a);
	return rc;
}

int daemon_become(struct daemon *n, struct profile *take)
{
	struct node *fresh;
	int rc;

	if (n->node) {
		take_events(n);
		mapcache_flush(n);
		bus_all_removed(n);
		backend_drop_calls(n);
		streams_close_all(n);
	}
	memcpy(n->profile_id, take->id, sizeof(n->profile_id));
	memcpy(n->nl_key, take->nl_key, sizeof(n->nl_key));
	n->was_logged_in = !key_is_zero(take->identity.node.b);
	n->map_dirty = false;
	n->node = node_free(n->node);
	rc = node_make(n, take, &fresh);
	profile_fini(take);
	if (rc < 0) {
		log_error("node", "cannot begin", "err=%s", err_text(rc));
		loop_stop(n->loop); /* nothing can be asked of us without the engine */
		return rc;
	}
	n->node = fresh;
	mapcache_begun(n);
	if (n->netmon)
		net_tell_local(n, false);
	node_start(n->node, NULL, loop_now(n->loop));
	n->save = n->net_config = true;
	return 0;
}

/* ---- The loop ---- */

static void on_deadline(void *ctx)
{
	struct daemon *n = ctx;

	node_tick(n->node, loop_now(n->loop));
}

static void on_turn_end(void *ctx)
{
	struct daemon *n = ctx;

	if (!n->node)
		return;
	take_events(n);
	net_turn_end(n);
	take_events(n); /* of addresses that could not be sent to */
	if (n->netcheck_done) {
		n->netcheck_done = false;
		backend_netcheck_done(n);
	}
	if (n->save)
		daemon_save(n);
	bus_turn_end(n);
	if (n->ending && node_state(n->node) == IPN_NEEDS_LOGIN)
		loop_stop(n->loop);
	loop_timer_set(n->timer, node_deadline(n->node));
}

static void on_patience(void *ctx)
{
	loop_stop(((struct daemon *)ctx)->loop);
}

/* A device without memory is not to stay in the list of those that are expected back. */
static void log_out_if_ephemeral(struct daemon *n)
{
	struct loop_timer *patience;

	if (state_is_durable(n->state) || key_is_zero(node_identity(n->node)->node.b) ||
		n->tun_gone)
		return;
	if (loop_timer_new(n->loop, on_patience, n, &patience) < 0)
		return;
	log_info("node", "logging out, as nothing of this device is kept", NULL);
	n->ending = true;
	loop_timer_set(patience, mono_add(loop_now(n->loop).mono, DAEMON_LOGOUT_PATIENCE));
	node_logout(n->node, loop_now(n->loop));
	loop_run(n->loop);
	loop_timer_free(patience);
}

/* ---- Start and end ---- */

/* Two daemons on one state would each undo what the other writes, and be one device at the hub. */
static int take_lock(int *ret, const char *path)
{
	long owner;
	int rc = file_lock(path, ret, &owner);

	if (rc == -EWOULDBLOCK) {
		log_error("state",
			"another daemon uses this state; end it first, or name another --statedir",
			"lock=%s pid=%ld", path, owner);
		return rc;
	}
	if (rc < 0)
		log_warn("state", "cannot be locked; nothing keeps a second daemon off it",
			"lock=%s err=%s", path, err_text(rc));
	return 0;
}

static int lock_state(struct daemon *n)
{
	char path[PATH_MAX + 16];
	int rc = 0;

	if (n->o->state_path[0]) {
		snprintf(path, sizeof(path), "%s.lock", n->o->state_path);
		rc = take_lock(&n->locks[0], path);
	}
	if (rc == 0 && n->o->var_root[0]) {
		snprintf(path, sizeof(path), "%s/warrend.lock", n->o->var_root);
		rc = take_lock(&n->locks[1], path);
	}
	return rc;
}

static int open_state(struct daemon *n)
{
	char dir[PATH_MAX];
	int rc = 0;

	if (n->o->var_root[0])
		rc = file_make_dir(n->o->var_root, 0700);
	if (rc == 0 && n->o->state_path[0]) {
		snprintf(dir, sizeof(dir), "%s", n->o->state_path);
		if (strrchr(dir, '/') && strrchr(dir, '/') != dir) {
			*strrchr(dir, '/') = 0;
			rc = file_make_dir(dir, 0700);
		}
	}
	if (rc == 0 && (rc = lock_state(n)) < 0)
		return rc;
	if (rc == 0)
		rc = state_open(&n->state, n->o->state_path);
	if (rc < 0)
		log_error("state", "cannot be read; it is left as it is", "path=%s err=%s",
			n->o->state_path, err_text(rc));
	return rc;
}

static int open_lapi(struct daemon *n)
{
	struct lapi_cfg cfg = { .ops = &daemon_backend,
		.backend = n,
		.version = WARREN_VERSION,
		.state_dir = n->o->var_root };
	int rc = lapi_new(n->loop, &cfg, &n->lapi);

	if (rc == 0)
		rc = lapi_listen(n->lapi, n->o->socket);
	if (rc < 0)
		log_error("localapi",
			rc == -EADDRINUSE ? "somebody answers there already" : "cannot listen",
			"socket=%s err=%s", n->o->socket, err_text(rc));
	return rc;
}

/* What can change under a daemon without a word of the kernel: whom the system trusts, and what the network is like. */
static void on_hup(void *ctx)
{
	struct daemon *n = ctx;

	log_info("node",
		"SIGHUP: reading the root certificates and looking at the network anew; flags take a restart",
		NULL);
	link_reload_roots(n);
	if (n->netmon && n->node)
		net_tell_local(n, true);
}

static int open_loop(struct daemon *n)
{
	int rc = loop_new(&n->loop);

	if (rc == 0)
		rc = loop_stop_on_signals(n->loop);
	if (rc == 0)
		rc = loop_on_hup(n->loop, on_hup, n);
	if (rc == 0)
		rc = loop_timer_new(n->loop, on_deadline, n, &n->timer);
	if (rc == 0)
		rc = loop_timer_new(n->loop, mapcache_on_timer, n, &n->map_timer);
	if (rc == 0)
		rc = loop_timer_new(n->loop, bus_on_health_timer, n, &n->health_timer);
	if (rc == 0)
		rc = loop_on_turn_end(n->loop, on_turn_end, n);
	if (rc < 0)
		log_error("node", "no event loop", "err=%s", err_text(rc));
	n->rng = loop_rng();
	return rc;
}

static int become_current(struct daemon *n)
{
	struct profile p;
	int rc = profile_load_current(n->state, n->rng, &p);

	if (rc < 0) {
		log_error("state",
			"the profile in it cannot be read; it is left as it is, and a new one begins",
			"path=%s err=%s", n->o->state_path, err_text(rc));
		rc = profile_fresh(n->state, n->rng, &p);
	}
	if (rc < 0) {
		log_error("state", "the keys in it cannot be read; it is left as it is",
			"path=%s err=%s", n->o->state_path, err_text(rc));
		return rc;
	}
	return daemon_become(n, &p);
}

static int daemon_open(struct daemon *n)
{
	int rc = open_loop(n);

	if (rc == 0)
		rc = files_open(n);
	if (rc == 0)
		rc = open_state(n);
	if (rc == 0)
		rc = open_lapi(
			n); /* before anything is touched that another daemon may be using; nobody is answered yet */
	if (rc == 0)
		rc = net_open_tun(n);
	if (rc == 0)
		rc = net_open_sockets(n);
	if (rc == 0)
		rc = become_current(n);
	if (rc == 0) {
		net_turn_end(n); /* addresses and routes now, not after the first turn */
		daemon_watch_hostname(n);
	}
	if (rc == 0 && *n->o->debug)
		rc = daemon_debug_listen(n, n->o->debug);
	return rc;
}

static void daemon_close(struct daemon *n)
{
	take_events(n);
	if (n->node)
		mapcache_flush(n);
	files_close(n); /* after all is written */
	n->lapi = lapi_free(n->lapi);
	n->debug = httpd_free(n->debug);
	streams_close_all(n);
	n->node = node_free(n->node);
	net_close(n);
	n->hostname_watch = hostname_watch_free(n->hostname_watch);
	n->timer = loop_timer_free(n->timer);
	n->map_timer = loop_timer_free(n->map_timer);
	n->health_timer = loop_timer_free(n->health_timer);
	if (n->loop)
		loop_free(n->loop);
	link_fini(n);
	n->state = state_close(n->state);
	for (size_t i = 0; i < ARRAY_LEN(n->locks); i++)
		if (n->locks[i] >= 0)
			close(n->locks[i]);
	free(n->health_text);
	key_wipe(n->nl_key, sizeof(n->nl_key));
}

int daemon_run(const struct daemon_options *o)
{
	struct daemon n = { .o = o, .locks = { -1, -1 } };
	int rc = priv_harden();

	list_init(&n.links);
	list_init(&n.streams);
	list_init(&n.measures);
	list_init(&n.pings);
	log_set_verbose((int)o->verbose);
	notify_init();
	setenv("UV_THREADPOOL_SIZE", "2",
		0); /* names are looked up there, rarely; each thread costs memory */
	if (rc == 0)
		rc = daemon_open(&n);
	/* What needed privileges is open: what is left is changing the network. */
	if (rc == 0 && (rc = priv_keep_network()) < 0)
		log_error("node", "cannot give up privileges", "err=%s", err_text(rc));
	if (rc == 0) {
		log_info("node", "running", "version=%s tun=%s port=%u socket=%s state=%s",
			WARREN_VERSION, tun_name(n.tun), (unsigned)udp_port(n.udp, 4), o->socket,
			*o->state_path ? o->state_path : "mem:");
		notify_ready();
		loop_run(n.loop);
		notify_stopping();
		log_info("node", "shutting down", NULL);
		if (n.node)
			log_out_if_ephemeral(&n);
	}
	if (n.tun_gone || !n.node)
		rc = -EIO;
	daemon_close(&n);
	return rc < 0 ? 1 : 0;
}

int daemon_cleanup(const struct daemon_options *o)
{
	char list[256], *rest = list, *name;

	snprintf(list, sizeof(list), "%s", o->tun);
	while ((name = strsep(&rest, ","))) {
		int rc = strcmp(name, "userspace-networking") != 0 ? route_cleanup(name) : 0;

		if (rc < 0)
			log_warn("cleanup", "not everything could be undone", "tun=%s err=%s", name,
				err_text(rc));
	}
	return 0;
}
