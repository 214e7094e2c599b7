#include "tests/sim/node_internal.h"

#define SAVE_AFTER MSEC(500) /* network maps are written lazily */

struct now sim_node_now(const struct sim_node *n)
{
	mono_ns t = vnet_now(n->v);

	return (struct now){ .mono = t,
		.wall = n->cfg.wall_at_zero + n->clock_ahead + t / 1000000 };
}

void sim_node_set_clock(struct sim_node *n, unix_ms ahead)
{
	n->clock_ahead = ahead;
}

static void look(struct sim_node *n)
{
	const struct netmap *nm = node_netmap(n->node);
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;
	bool running = node_state(n->node) == IPN_RUNNING;

	if (self)
		n->id = self->id;
	for (size_t i = 0; self && i < self->addresses.n; i++) {
		struct ipaddr a = JSON_AT(self->addresses, struct ipprefix, i)->ip;

		if (a.family == 4 && !ipaddr_eq(a, n->addr)) {
			CHECK(n->n_had < NODE_ADDRS_MAX);
			n->addr = n->had[n->n_had++] = a;
		}
	}
	if (running && n->running_since == MONO_NEVER) {
		n->running_since = vnet_now(n->v);
		vnet_note(n->v, "%s runs", n->cfg.name);
	} else if (!running) {
		n->running_since = MONO_NEVER;
	}
}

/* ---- The disk ---- */

static void write_prefs(struct sim_node *n)
{
	buf_clear(&n->prefs);
	CHECK(json_encode(&ipn_prefs_type, node_prefs(n->node), &n->prefs) == 0);
}

static void on_save(struct vnet_event *e)
{
	struct sim_node *n = container_of(e, struct sim_node, save);
	const struct netmap *nm = node_netmap(n->node);

	buf_clear(&n->netmap);
	if (nm && netmap_self(nm))
		CHECK(netmap_save(nm, &n->netmap) == 0);
}

static void on_event(struct sim_node *n, const struct node_event *e)
{
	if (e->kind == NODE_KEYS)
		n->identity = *node_identity(n->node);
	else if (e->kind == NODE_PREFS)
		write_prefs(n);
	else if (e->kind == NODE_SAVE_NETMAP && n->save.at.pos == 0)
		vnet_at(n->v, &n->save, vnet_now(n->v) + SAVE_AFTER);
	else if (e->kind == NODE_LOGIN_FAILED)
		vnet_note(n->v, "%s: login failed: %s", n->cfg.name, e->text);
}

/* After every call of the engine. */
void sim_node_settle(struct sim_node *n)
{
	struct node_event e;

	if (!n->node)
		return;
	while (node_next_event(n->node, &e))
		on_event(n, &e);
	look(n);
	vnet_at(n->v, &n->tick, node_deadline(n->node));
}

static void on_tick(struct vnet_event *e)
{
	struct sim_node *n = container_of(e, struct sim_node, tick);

	node_tick(n->node, sim_node_now(n));
	sim_node_settle(n);
}

static const struct node_ops node_ops = {
	.udp_send = edge_udp_send,
	.dial = edge_dial,
	.hangup = edge_hangup,
	.stream_wake = edge_stream_wake,
	.resolve = edge_resolve,
	.measure = edge_measure,
};

/* ---- Life ---- */

void sim_node_forget_disk(struct sim_node *n)
{
	struct ipn_prefs p;

	n->identity = (struct node_identity){ 0 };
	key_generate(&n->rng.rng, n->identity.machine.b);
	key_generate(&n->rng.rng, n->identity.disco.b);
	ipn_prefs_init(&p);
	p.control_url = n->cfg.control_url;
	p.want_running = true;
	p.logged_out = false;
	p.hostname = n->cfg.name;
	buf_clear(&n->prefs);
	buf_clear(&n->netmap);
	CHECK(json_encode(&ipn_prefs_type, &p, &n->prefs) == 0);
}

struct sim_node *sim_node_new(struct vnet *v, struct vnet_dev *d, const struct sim_node_cfg *cfg)
{
	struct sim_node *n = calloc(1, sizeof(*n));

	CHECK(n);
	n->cfg = *cfg;
	n->v = v;
	n->dev = d;
	n->tick.fire = on_tick;
	n->kernel.fire = edge_on_kernel;
	n->save.fire = on_save;
	n->running_since = MONO_NEVER;
	vnet_fork(v, &n->rng);
	list_init(&n->jobs);
	list_init(&n->probes);
	buf_init(&n->prefs, DISK_MAX);
	buf_init(&n->netmap, DISK_MAX);
	buf_init(&n->inbox, INBOX_MAX);
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		n->streams[i] = (struct stream){ .node = n, .number = i };
	sim_node_forget_disk(n);
	return n;
}

static void tell_addresses(struct sim_node *n, bool changed)
{
	struct ipaddr addrs[8];
	struct ipprefix local[8];
	size_t count = vnet_addrs(n->dev, addrs, ARRAY_LEN(addrs));

	for (size_t i = 0; i < count; i++)
		local[i] =
			(struct ipprefix){ .ip = addrs[i], .bits = addrs[i].family == 4 ? 24 : 64 };
	node_set_local(
		n->node, local, count, NODE_UDP_PORT, NODE_UDP_PORT, changed, sim_node_now(n));
}

void sim_node_start(struct sim_node *n)
{
	struct tc_hostinfo host = {
		.os = "linux", .hostname = n->cfg.name, .ipn_version = "1.0.0-sim"
	};
	struct node_cfg cfg = { .identity = n->identity,
		.netmap = buf_view(&n->netmap),
		.default_control_url = n->cfg.control_url,
		.host = &host,
		.rng = &n->rng.rng,
		.ops = &node_ops,
		.owner = n };
	struct ipn_prefs prefs;
	struct arena mem;

	CHECK(!n->node);
	arena_init(&mem, 1 << 20);
	CHECK(json_decode(&ipn_prefs_type, buf_data(&n->prefs), buf_len(&n->prefs), &prefs, &mem,
		      NULL) == 0);
	cfg.prefs = &prefs;
	n->started = vnet_now(n->v);
	n->running_since = MONO_NEVER;
	n->udp = vnet_udp_open(n->dev, NODE_UDP_PORT, edge_on_udp, n);
	CHECK(node_new(&n->node, &cfg, sim_node_now(n)) == 0);
	arena_fini(&mem);
	vnet_note(n->v, "%s starts", n->cfg.name);
	tell_addresses(n, false);
	node_start(
		n->node, key_is_zero(n->identity.node.b) ? n->cfg.auth_key : NULL, sim_node_now(n));
	sim_node_settle(n);
}

void sim_node_kill(struct sim_node *n)
{
	struct node *a = n->node;

	if (!a)
		return;
	vnet_note(n->v, "%s is killed", n->cfg.name);
	edges_end(n);
	n->node = NULL;
	node_free(a);
	vnet_at(n->v, &n->tick, MONO_NEVER);
	vnet_at(n->v, &n->kernel, MONO_NEVER);
	vnet_at(n->v, &n->save, MONO_NEVER);
	n->running_since = MONO_NEVER;
}

struct sim_node *sim_node_free(struct sim_node *n)
{
	if (!n)
		return NULL;
	sim_node_kill(n);
	buf_fini(&n->prefs);
	buf_fini(&n->netmap);
	buf_fini(&n->inbox);
	free(n);
	return NULL;
}

void sim_node_link_changed(struct sim_node *n)
{
	if (!n->node)
		return;
	tell_addresses(n, true);
	sim_node_settle(n);
}

static void want_running(struct sim_node *n, bool want)
{
	struct ipn_masked_prefs m = { .p.want_running = want };

	if (!n->node)
		return;
	m.set[IPN_PREF_WANT_RUNNING] = true;
	CHECK(node_edit_prefs(n->node, &m, sim_node_now(n), NULL) == 0);
	sim_node_settle(n);
}

void sim_node_down(struct sim_node *n)
{
	want_running(n, false);
}

void sim_node_up(struct sim_node *n)
{
	want_running(n, true);
}

void sim_node_shields(struct sim_node *n, bool up)
{
	struct ipn_masked_prefs m = { .p.shields_up = up };

	m.set[IPN_PREF_SHIELDS_UP] = true;
	CHECK(node_edit_prefs(n->node, &m, sim_node_now(n), NULL) == 0);
	sim_node_settle(n);
}

void sim_node_login(struct sim_node *n)
{
	node_start(n->node, n->cfg.auth_key, sim_node_now(n));
	node_login(n->node, sim_node_now(n));
	sim_node_settle(n);
}

/* ---- What is ---- */

bool sim_node_is_up(const struct sim_node *n)
{
	return n->node != NULL;
}

const char *sim_node_name(const struct sim_node *n)
{
	return n->cfg.name;
}

int sim_node_number(const struct sim_node *n)
{
	return n->cfg.number;
}

struct vnet_dev *sim_node_dev(const struct sim_node *n)
{
	return n->dev;
}

struct node *sim_node_agent(const struct sim_node *n)
{
	return n->node;
}

bool sim_node_is_running(const struct sim_node *n)
{
	return n->running_since != MONO_NEVER && ipaddr_is_set(n->addr);
}

struct ipaddr sim_node_addr(const struct sim_node *n)
{
	return n->addr;
}

bool sim_node_had_addr(const struct sim_node *n, struct ipaddr a)
{
	for (size_t i = 0; i < n->n_had; i++)
		if (ipaddr_eq(n->had[i], a))
			return true;
	return false;
}

int64_t sim_node_id(const struct sim_node *n)
{
	return n->id;
}

bool sim_node_direct(const struct sim_node *n, struct ipaddr peer, struct ipport *ret)
{
	struct magicsock_peer_status st;
	const struct tc_node *p = n->node ? node_whois(n->node, peer) : NULL;

	if (!p || magicsock_peer_status(node_magicsock(n->node), p->id, sim_node_now(n), &st) < 0 ||
		st.route.kind != MAGICSOCK_DIRECT)
		return false;
	*ret = st.route.addr;
	return true;
}

mono_ns sim_node_started(const struct sim_node *n)
{
	return n->started;
}

mono_ns sim_node_running_since(const struct sim_node *n)
{
	return n->running_since;
}

const char *sim_node_login_error(const struct sim_node *n)
{
	return n->node ? node_login_error(n->node) : "";
}

struct ipaddr sim_node_addr_at(const struct sim_node *n, size_t i)
{
	return i < n->n_had ? n->had[i] : (struct ipaddr){ 0 };
}
