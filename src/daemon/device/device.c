/* The engine bound to its parts: what it tells and asks for, and how it becomes somebody else. */
#include "daemon/device/device.h"
#include "os/hostname/hostname.h"
#include "os/log/log.h"

#include <errno.h>
#include <string.h>

/* ---- What the engine tells ---- */

static void on_event(struct device *d, const struct node_event *e)
{
	switch (e->kind) {
	case NODE_SELF:
		keeper_changed(d->keeper);
		net_want_offloads(d->net);
		break;
	case NODE_KEYS:
	case NODE_PREFS:
	case NODE_MOVED:
	case NODE_NETMAP:
		keeper_changed(d->keeper);
		break;
	case NODE_NET_CONFIG:
		net_want_routes(d->net);
		dnsd_changed(d->dns);
		break;
	case NODE_DNS:
		dnsd_changed(d->dns);
		sysdns_changed(d->sysdns);
		break;
	case NODE_SAVE_NETMAP:
		keeper_map_changed(d->keeper);
		break;
	case NODE_NETCHECK_DONE:
		d->netcheck_done = true;
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
	bus_event(d->bus, e);
}

void device_take_events(struct device *d)
{
	struct node_event e;

	while (d->engine.node && node_next_event(d->engine.node, &e))
		on_event(d, &e);
}

/* ---- What the engine asks for ---- */

static void on_udp_send(void *owner, struct ipport to, const struct pkt *p, size_t count)
{
	net_udp_send(((struct device *)owner)->net, to, p, count);
}

static void on_dial(void *owner, unsigned stream, const struct node_dial *to)
{
	dialer_dial(((struct device *)owner)->dialer, stream, to);
}

static void on_hangup(void *owner, unsigned stream)
{
	dialer_hangup(((struct device *)owner)->dialer, stream);
}

static void on_wake(void *owner, unsigned stream)
{
	dialer_wake(((struct device *)owner)->dialer, stream);
}

static void on_resolve(void *owner, const char *host)
{
	dialer_resolve(((struct device *)owner)->dialer, host);
}

static void on_measure(void *owner, int region, const struct node_dial *to)
{
	dialer_measure(((struct device *)owner)->dialer, region, to);
}

static const struct node_ops node_ops = {
	.udp_send = on_udp_send,
	.dial = on_dial,
	.hangup = on_hangup,
	.stream_wake = on_wake,
	.resolve = on_resolve,
	.measure = on_measure,
};

/* ---- Becoming somebody ---- */

static int make_node(struct device *d, const struct profile *p, struct node **ret)
{
	struct node_cfg cfg = { .identity = p->identity,
		.prefs = &p->prefs,
		.default_control_url = "",
		.ephemeral = !keeper_is_durable(d->keeper),
		.mtu = d->mtu,
		.rng = d->engine.rng,
		.ops = &node_ops,
		.owner = d };
	struct tc_hostinfo host;
	struct arena a;
	struct buf map;
	int rc;

	arena_init(&a, 1 << 20);
	buf_init(&map, NETMAP_TEXT_MAX);
	keeper_read_map(d->keeper, &map);
	cfg.netmap = buf_view(&map);
	cfg.host = &host;
	rc = device_hostinfo(&a, &p->identity.machine, &host);
	if (rc == 0)
		rc = node_new(ret, &cfg, engine_now(&d->engine));
	key_wipe(&cfg.identity, sizeof(cfg.identity));
	buf_fini(&map);
	arena_fini(&a);
	return rc;
}

int device_become(struct device *d, struct profile *take)
{
	struct node *fresh;
	int rc;

	if (d->engine.node) {
		device_take_events(d);
		keeper_leave(d->keeper);
		bus_all_removed(d->bus);
		dialer_close_all(d->dialer);
		dnsd_ends(d->dns);
	}
	keeper_take(d->keeper, take);
	d->engine.node = node_free(d->engine.node);
	rc = make_node(d, take, &fresh);
	profile_fini(take);
	if (rc < 0) {
		log_error("node", "cannot begin", "err=%s", err_text(rc));
		loop_stop(d->engine.loop); /* nothing can be asked of us without the engine */
		return rc;
	}
	d->engine.node = fresh;
	dnsd_begun(d->dns);
	keeper_begun(d->keeper);
	net_tell_local(d->net, false);
	node_start(d->engine.node, NULL, engine_now(&d->engine));
	keeper_changed(d->keeper);
	net_want_routes(d->net);
	sysdns_set_served(d->sysdns, true);
	sysdns_changed(d->sysdns);
	return 0;
}

int device_become_current(struct device *d)
{
	struct profile p;
	int rc = profile_load_current(keeper_state(d->keeper), d->engine.rng, &p);

	if (rc < 0) {
		log_error("state",
			"the profile in it cannot be read; it is left as it is, and a new one begins",
			"path=%s err=%s", keeper_path(d->keeper), err_text(rc));
		rc = profile_fresh(keeper_state(d->keeper), d->engine.rng, &p);
	}
	if (rc < 0) {
		log_error("state", "the keys in it cannot be read; it is left as it is",
			"path=%s err=%s", keeper_path(d->keeper), err_text(rc));
		return rc;
	}
	return device_become(d, &p);
}

/* ---- The loop ---- */

static void on_deadline(void *ctx)
{
	struct device *d = ctx;

	node_tick(d->engine.node, engine_now(&d->engine));
}

/* Who is told to ask us, and whom we ask instead. */
void device_look_around(struct device *d)
{
	const struct os_dns_config *base;

	if (!d->sysdns)
		return;
	if (net_take_changed(d->net)) {
		sysdns_on_network_change(d->sysdns);
		dnsd_network_changed(d->dns);
	}
	sysdns_turn_end(d->sysdns);
	if (!sysdns_take_base_changed(d->sysdns))
		return;
	base = sysdns_base(d->sysdns);
	dnsd_set_base(d->dns, base->server, base->n_servers);
	net_set_resolvers(d->net, base->server, base->n_servers);
}

void device_turn_end(struct device *d)
{
	loop_timer_set(d->timer, node_deadline(d->engine.node));
}

bool device_take_netcheck_done(struct device *d)
{
	bool done = d->netcheck_done;

	d->netcheck_done = false;
	return done;
}

/* ---- Life ---- */

int device_init(struct device *d, const struct device_cfg *cfg)
{
	int rc;

	d->engine.loop = cfg->loop;
	d->engine.rng = loop_rng();
	d->mtu = cfg->mtu;
	rc = loop_timer_new(cfg->loop, on_deadline, d, &d->timer);
	if (rc == 0)
		rc = bus_new(&d->bus, &d->engine);
	if (rc == 0)
		rc = dialer_new(&d->dialer, &d->engine);
	if (rc == 0)
		rc = dnsd_new(&d->dns, &d->engine, d->dialer);
	if (rc == 0)
		rc = keeper_new(&d->keeper, &d->engine, &cfg->keeper);
	return rc;
}

void device_finish(struct device *d)
{
	device_take_events(d);
	if (d->keeper)
		keeper_finish(d->keeper); /* after all is written */
	if (d->dialer)
		dialer_close_all(d->dialer);
	d->dns = dnsd_free(d->dns);
	d->engine.node = node_free(d->engine.node);
	d->net = net_close(d->net);
	d->hostname_watch = hostname_watch_free(d->hostname_watch);
	d->bus = bus_free(d->bus);
	d->timer = loop_timer_free(d->timer);
}

void device_fini(struct device *d)
{
	d->dialer = dialer_free(d->dialer);
	d->keeper = keeper_free(d->keeper);
}
