/*
 * The life of the daemon. At start everything that is known from the last life is put to use before anything is waited for:
 *
 *	state, map --> TUN, addresses, routes --> sockets --> peers answer        all within one turn of the loop
 *	                                                 \--> relay and hub are dialled side by side, the hub by its cached key
 */
#include "daemon/backend.h"
#include "daemon/daemon.h"
#include "os/log/log.h"
#include "os/notify/notify.h"
#include "os/priv/priv.h"
#include "os/tun/tun.h"
#include "os/udp/udp.h"

#include <errno.h>
#include <stdlib.h>

#define LOGOUT_TIMEOUT SEC(5)

struct daemon {
	const struct daemon_options *o;
	struct loop *loop;
	struct device device;
	struct backend backend;
	struct lapi *lapi;
	bool ending; /* logging out before the end */
};

/* ---- The loop ---- */

/* What was changed in this turn goes out, in the order: to the network, to the disk, to programs. */
static void on_turn_end(void *ctx)
{
	struct daemon *d = ctx;
	struct device *dev = &d->device;

	if (!dev->engine.node)
		return;
	device_take_events(dev);
	net_turn_end(dev->net);
	device_look_around(dev);
	dnsd_turn_end(dev->dns);
	device_take_events(dev); /* of addresses that could not be sent to */
	if (device_take_netcheck_done(dev))
		backend_netcheck_done(&d->backend);
	keeper_turn_end(dev->keeper);
	if (keeper_take_saved(dev->keeper))
		lapi_saved(d->lapi);
	bus_turn_end(dev->bus);
	backend_turn_end(&d->backend);
	if (d->ending && node_state(dev->engine.node) == IPN_NEEDS_LOGIN)
		loop_stop(d->loop);
	device_turn_end(dev);
}

static void on_logout_timeout(void *ctx)
{
	loop_stop(((struct daemon *)ctx)->loop);
}

/* A device without memory is not to stay in the list of those that are expected back. */
static void log_out_if_ephemeral(struct daemon *d)
{
	struct engine *e = &d->device.engine;
	struct loop_timer *timeout;

	if (keeper_is_durable(d->device.keeper) || key_is_zero(node_identity(e->node)->node.b) ||
		net_is_gone(d->device.net))
		return;
	if (loop_timer_new(d->loop, on_logout_timeout, d, &timeout) < 0)
		return;
	log_info("node", "logging out, as nothing of this device is kept", NULL);
	d->ending = true;
	loop_timer_set(timeout, mono_add(loop_now(d->loop).mono, LOGOUT_TIMEOUT));
	node_logout(e->node, loop_now(d->loop));
	loop_run(d->loop);
	loop_timer_free(timeout);
}

/* ---- Start and end ---- */

static int open_lapi(struct daemon *d)
{
	struct backend_cfg backend = {
		.version = WARREN_VERSION, .state_dir = d->o->var_root, .debug_listen = d->o->debug
	};
	struct lapi_cfg cfg = { .operator_user = backend_operator_user,
		.unsaved = backend_unsaved,
		.owner = &d->backend,
		.version = WARREN_VERSION };
	int rc = backend_init(&d->backend, &d->device, &backend);

	if (rc == 0) {
		cfg.tables = services_tables(d->backend.services, &cfg.n_tables);
		rc = lapi_new(d->loop, &cfg, &d->lapi);
	}
	if (rc == 0)
		rc = lapi_listen(d->lapi, d->o->socket);
	if (rc < 0)
		log_error("localapi",
			rc == -EADDRINUSE ? "somebody answers there already" : "cannot listen",
			"socket=%s err=%s", d->o->socket, err_text(rc));
	d->backend.metrics.lapi = d->lapi;
	bus_set_watch(d->device.bus, d->backend.watch);
	return rc;
}

/* What can change under a daemon without a word of the kernel: whom the system trusts, and what the network is like. */
static void on_hup(void *ctx)
{
	struct daemon *d = ctx;

	log_info("node",
		"SIGHUP: reading the root certificates and looking at the network anew; flags take a restart",
		NULL);
	dialer_reload_roots(d->device.dialer);
	if (d->device.engine.node)
		net_tell_local(d->device.net, true);
}

static int open_loop(struct daemon *d)
{
	struct device_cfg cfg = { .mtu = d->o->mtu,
		.keeper = { .state_path = d->o->state_path,
			.var_root = d->o->var_root,
			.no_cached_map = d->o->no_cached_map } };
	int rc = loop_new(&d->loop);

	if (rc == 0)
		rc = loop_stop_on_signals(d->loop);
	if (rc == 0) {
		cfg.loop = d->loop;
		rc = device_init(&d->device, &cfg);
	}
	if (rc == 0)
		rc = loop_on_hup(d->loop, on_hup, d);
	if (rc == 0)
		rc = loop_on_turn_end(d->loop, on_turn_end, d);
	if (rc < 0)
		log_error("node", "no event loop", "err=%s", err_text(rc));
	return rc;
}

static int daemon_open(struct daemon *d)
{
	struct net_cfg net = { .tun = d->o->tun, .port = (uint16_t)d->o->port, .mtu = d->o->mtu };
	struct sysdns_cfg dns = { .choice = d->o->dns_choice };
	int rc = open_loop(d);

	if (rc == 0)
		rc = keeper_open(d->device.keeper);
	if (rc == 0)
		rc = open_lapi(
			d); /* before anything is touched that another daemon may be using; nobody is answered yet */
	if (rc == 0)
		rc = net_open(&d->device.net, &d->device.engine, &net);
	dns.interface = rc == 0 ? tun_name(net_tun(d->device.net)) : "";
	if (rc == 0)
		rc = sysdns_new(&d->device.sysdns, &d->device.engine, &dns);
	if (rc == 0)
		rc = device_become_current(&d->device);
	if (rc == 0) {
		net_turn_end(
			d->device.net); /* addresses and routes now, not after the first turn */
		device_watch_hostname(&d->device);
	}
	if (rc == 0)
		rc = services_start(d->backend.services);
	return rc;
}

static void daemon_close(struct daemon *d)
{
	/* First: programs may have to be waited for, with everything in its place. */
	d->device.sysdns = sysdns_free(d->device.sysdns);
	if (d->device.bus)
		bus_set_watch(d->device.bus, NULL);
	d->lapi = lapi_free(d->lapi);
	backend_fini(&d->backend);
	device_finish(&d->device);
	if (d->loop)
		loop_free(d->loop);
	device_fini(&d->device);
}

int daemon_run(const struct daemon_options *o)
{
	struct daemon d = { .o = o };
	int rc = priv_harden();

	log_set_verbose((int)o->verbose);
	notify_init();
	setenv("UV_THREADPOOL_SIZE", "2",
		0); /* names are looked up there, rarely; each thread costs memory */
	if (rc == 0)
		rc = daemon_open(&d);
	/* What needed privileges is open: what is left is changing the network. */
	if (rc == 0 && (rc = priv_keep_network()) < 0)
		log_error("node", "cannot give up privileges", "err=%s", err_text(rc));
	if (rc == 0) {
		log_info("node", "running", "version=%s tun=%s port=%u socket=%s state=%s",
			WARREN_VERSION, tun_name(net_tun(d.device.net)),
			(unsigned)udp_port(net_udp(d.device.net), 4), o->socket,
			*o->state_path ? o->state_path : "mem:");
		notify_ready();
		loop_run(d.loop);
		notify_stopping();
		log_info("node", "shutting down", NULL);
		if (d.device.engine.node)
			log_out_if_ephemeral(&d);
	}
	if (!d.device.engine.node || net_is_gone(d.device.net))
		rc = -EIO;
	daemon_close(&d);
	return rc < 0 ? 1 : 0;
}

int daemon_cleanup(const struct daemon_options *o)
{
	char list[256], *rest = list, *name;

	snprintf(list, sizeof(list), "%s", o->tun);
	while ((name = strsep(&rest, ","))) {
		bool tun = strcmp(name, "userspace-networking") != 0;
		int rc = tun ? net_cleanup(name, !o->keep_killswitch) : 0,
		    dns = tun ? resolver_cleanup("", name) : 0;

		if (dns < 0)
			log_warn("cleanup", "the system's resolver could not be put back",
				"tun=%s err=%s", name, err_text(dns));
		if (rc < 0)
			log_warn("cleanup", "not everything could be undone", "tun=%s err=%s", name,
				err_text(rc));
	}
	return 0;
}
