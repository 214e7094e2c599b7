#include "tests/sim/node_internal.h"

#define SAVE_AFTER MSEC(500) /* network maps are written lazily */

struct now node_now(const struct node *n)
{
	mono_ns t = vnet_now(n->v);

	return (struct now){ .mono = t, .wall = n->cfg.wall_at_zero + n->clock_ahead + t / 1000000 };
}

void node_set_clock(struct node *n, unix_ms ahead)
{
	n->clock_ahead = ahead;
}

static void look(struct node *n)
{
	const struct netmap *nm = agent_netmap(n->agent);
	const struct tc_node *self = nm ? netmap_self(nm) : NULL;
	bool running = agent_state(n->agent) == IPN_RUNNING;

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

/* After every call of the agent. */
void node_settle(struct node *n)
{
	if (!n->agent)
		return;
	look(n);
	vnet_at(n->v, &n->tick, agent_deadline(n->agent));
}

static void on_tick(struct vnet_event *e)
{
	struct node *n = container_of(e, struct node, tick);

	agent_tick(n->agent, node_now(n));
	node_settle(n);
}

/* ---- The disk ---- */

static void write_prefs(struct node *n)
{
	buf_clear(&n->prefs);
	CHECK(json_encode(&ipn_prefs_type, agent_prefs(n->agent), &n->prefs) == 0);
}

static void on_save(struct vnet_event *e)
{
	struct node *n = container_of(e, struct node, save);
	const struct netmap *nm = agent_netmap(n->agent);

	buf_clear(&n->netmap);
	if (nm && netmap_self(nm))
		CHECK(netmap_save(nm, &n->netmap) == 0);
}

static void on_event(void *owner, enum agent_event ev, int64_t id)
{
	struct node *n = owner;

	(void)id;
	if (ev == AGENT_KEYS)
		n->identity = *agent_identity(n->agent);
	else if (ev == AGENT_PREFS)
		write_prefs(n);
	else if (ev == AGENT_SAVE_NETMAP && n->save.at.pos == 0)
		vnet_at(n->v, &n->save, vnet_now(n->v) + SAVE_AFTER);
	else if (ev == AGENT_LOGIN_FAILED)
		vnet_note(n->v, "%s: login failed: %s", n->cfg.name, agent_login_error(n->agent));
}

static const struct agent_ops agent_ops = {
	.udp_send = edge_udp_send,
	.tun_write = edge_tun_write,
	.dial = edge_dial,
	.hangup = edge_hangup,
	.stream_wake = edge_stream_wake,
	.resolve = edge_resolve,
	.measure = edge_measure,
	.on_event = on_event,
};

/* ---- Life ---- */

void node_forget_disk(struct node *n)
{
	struct ipn_prefs p;

	n->identity = (struct agent_identity){ 0 };
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

struct node *node_new(struct vnet *v, struct vnet_dev *d, const struct node_cfg *cfg)
{
	struct node *n = calloc(1, sizeof(*n));

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
	node_forget_disk(n);
	return n;
}

static void tell_addresses(struct node *n, bool changed)
{
	struct ipaddr addrs[8];
	struct ipprefix local[8];
	size_t count = vnet_addrs(n->dev, addrs, ARRAY_LEN(addrs));

	for (size_t i = 0; i < count; i++)
		local[i] = (struct ipprefix){ .ip = addrs[i], .bits = addrs[i].family == 4 ? 24 : 64 };
	agent_set_local(n->agent, local, count, NODE_UDP_PORT, NODE_UDP_PORT, changed, node_now(n));
}

void node_start(struct node *n)
{
	struct tc_hostinfo host = { .os = "linux", .hostname = n->cfg.name, .ipn_version = "1.0.0-sim" };
	struct agent_cfg cfg = { .identity = n->identity, .netmap = buf_view(&n->netmap),
		.default_control_url = n->cfg.control_url, .host = &host, .rng = &n->rng.rng, .ops = &agent_ops, .owner = n };
	struct ipn_prefs prefs;
	struct arena mem;

	CHECK(!n->agent);
	arena_init(&mem, 1 << 20);
	CHECK(json_decode(&ipn_prefs_type, buf_data(&n->prefs), buf_len(&n->prefs), &prefs, &mem, NULL) == 0);
	cfg.prefs = &prefs;
	n->started = vnet_now(n->v);
	n->running_since = MONO_NEVER;
	n->udp = vnet_udp_open(n->dev, NODE_UDP_PORT, edge_on_udp, n);
	CHECK(agent_new(&n->agent, &cfg, node_now(n)) == 0);
	arena_fini(&mem);
	vnet_note(n->v, "%s starts", n->cfg.name);
	tell_addresses(n, false);
	agent_start(n->agent, key_is_zero(n->identity.node.b) ? n->cfg.auth_key : NULL, node_now(n));
	node_settle(n);
}

void node_kill(struct node *n)
{
	struct agent *a = n->agent;

	if (!a)
		return;
	vnet_note(n->v, "%s is killed", n->cfg.name);
	edges_end(n);
	n->agent = NULL;
	agent_free(a);
	vnet_at(n->v, &n->tick, MONO_NEVER);
	vnet_at(n->v, &n->kernel, MONO_NEVER);
	vnet_at(n->v, &n->save, MONO_NEVER);
	n->running_since = MONO_NEVER;
}

struct node *node_free(struct node *n)
{
	if (!n)
		return NULL;
	node_kill(n);
	buf_fini(&n->prefs);
	buf_fini(&n->netmap);
	buf_fini(&n->inbox);
	free(n);
	return NULL;
}

void node_link_changed(struct node *n)
{
	if (!n->agent)
		return;
	tell_addresses(n, true);
	node_settle(n);
}

static void want_running(struct node *n, bool want)
{
	struct ipn_masked_prefs m = { .p.want_running = want };

	if (!n->agent)
		return;
	m.set[IPN_PREF_WANT_RUNNING] = true;
	CHECK(agent_edit_prefs(n->agent, &m, node_now(n), NULL) == 0);
	node_settle(n);
}

void node_down(struct node *n)
{
	want_running(n, false);
}

void node_up(struct node *n)
{
	want_running(n, true);
}

void node_shields(struct node *n, bool up)
{
	struct ipn_masked_prefs m = { .p.shields_up = up };

	m.set[IPN_PREF_SHIELDS_UP] = true;
	CHECK(agent_edit_prefs(n->agent, &m, node_now(n), NULL) == 0);
	node_settle(n);
}

void node_login(struct node *n)
{
	agent_start(n->agent, n->cfg.auth_key, node_now(n));
	agent_login(n->agent, node_now(n));
	node_settle(n);
}

/* ---- What is ---- */

bool node_is_up(const struct node *n)
{
	return n->agent != NULL;
}

const char *node_name(const struct node *n)
{
	return n->cfg.name;
}

int node_number(const struct node *n)
{
	return n->cfg.number;
}

struct vnet_dev *node_dev(const struct node *n)
{
	return n->dev;
}

struct agent *node_agent(const struct node *n)
{
	return n->agent;
}

bool node_is_running(const struct node *n)
{
	return n->running_since != MONO_NEVER && ipaddr_is_set(n->addr);
}

struct ipaddr node_addr(const struct node *n)
{
	return n->addr;
}

bool node_had_addr(const struct node *n, struct ipaddr a)
{
	for (size_t i = 0; i < n->n_had; i++)
		if (ipaddr_eq(n->had[i], a))
			return true;
	return false;
}

int64_t node_id(const struct node *n)
{
	return n->id;
}

bool node_direct(const struct node *n, struct ipaddr peer, struct ipport *ret)
{
	struct mesh_peer_status st;
	const struct tc_node *p = n->agent ? agent_whois(n->agent, peer) : NULL;

	if (!p || mesh_peer_status(agent_mesh(n->agent), p->id, node_now(n), &st) < 0 || !ipaddr_is_set(st.addr.ip))
		return false;
	*ret = st.addr;
	return true;
}

mono_ns node_started(const struct node *n)
{
	return n->started;
}

mono_ns node_running_since(const struct node *n)
{
	return n->running_since;
}

const char *node_login_error(const struct node *n)
{
	return n->agent ? agent_login_error(n->agent) : "";
}

struct ipaddr node_addr_at(const struct node *n, size_t i)
{
	return i < n->n_had ? n->had[i] : (struct ipaddr){ 0 };
}
