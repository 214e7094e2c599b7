#include "tests/sim/node.h"

#include "base/err/err.h"
#include "base/list/list.h"
#include "proto/http1/http1.h"

#include <errno.h>

enum { STREAMS_MAX = 64, PACKET_MAX = 2048, INBOX_MAX = 1 << 20, DISK_MAX = 16 << 20, JOBS_MAX = 4096, HOST_MAX = 64 };
#define SAVE_AFTER MSEC(500) /* network maps are written lazily */

struct stream {
	struct node *node;
	unsigned number;
	struct pipe *pipe;
	bool tls;
};

/* What a callback of the agent asks for, done when the agent has returned. */
struct job {
	struct list link;
	struct vnet_event ev;
	struct node *node;
	enum { JOB_CLOSED, JOB_UDP_FAILED, JOB_RESOLVE } kind;
	unsigned stream;
	struct ipport to;
	char host[HOST_MAX];
};

struct probe {
	struct list link;
	struct node *node;
	int region;
	struct pipe *pipe;
	struct buf out;
	mono_ns sent;
};

struct node {
	struct node_cfg cfg;
	struct vnet *v;
	struct vnet_dev *dev;
	struct rng_seeded rng;
	/* The disk. */
	struct agent_identity identity;
	struct buf prefs, netmap;
	/* The process. */
	struct agent *agent;
	struct vnet_udp *udp;
	struct stream streams[STREAMS_MAX];
	struct list jobs, probes;
	size_t n_jobs;
	struct vnet_event tick, kernel, save;
	struct buf inbox; /* packets for the operating system, each with its length before it */
	mono_ns started, running_since;
	struct ipaddr addr, had[NODE_ADDRS_MAX];
	size_t n_had;
	int64_t id;
};

struct now node_now(const struct node *n)
{
	mono_ns t = vnet_now(n->v);

	return (struct now){ .mono = t, .wall = n->cfg.wall_at_zero + t / 1000000 };
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
static void settle(struct node *n)
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
	settle(n);
}

/* ---- Jobs ---- */

static void job_free(struct job *j)
{
	list_remove(&j->link);
	vnet_at(j->node->v, &j->ev, MONO_NEVER);
	j->node->n_jobs--;
	free(j);
}

static void do_resolve(struct node *n, const char *host)
{
	struct ipaddr addrs[4];
	size_t n_addrs = 0;

	for (size_t i = 0; i < n->cfg.n_servers; i++)
		if (!strcmp(server_host(n->cfg.servers[i]), host))
			n_addrs = vnet_addrs(server_dev(n->cfg.servers[i]), addrs, ARRAY_LEN(addrs));
	agent_resolved(n->agent, host, addrs, n_addrs, node_now(n));
}

static void on_job(struct vnet_event *e)
{
	struct job j = *container_of(e, struct job, ev);
	struct node *n = j.node;

	job_free(container_of(e, struct job, ev));
	switch (j.kind) {
	case JOB_CLOSED:
		agent_stream_closed(n->agent, j.stream, -ERR_CLOSED, node_now(n));
		break;
	case JOB_UDP_FAILED:
		agent_udp_failed(n->agent, j.to, node_now(n));
		break;
	case JOB_RESOLVE:
		do_resolve(n, j.host);
		break;
	}
	settle(n);
}

static void job_add(struct node *n, const struct job *what)
{
	struct job *j = malloc(sizeof(*j));

	CHECK(j && n->n_jobs < JOBS_MAX);
	*j = *what;
	j->node = n;
	j->ev = (struct vnet_event){ .fire = on_job };
	list_push_tail(&n->jobs, &j->link);
	n->n_jobs++;
	vnet_at(n->v, &j->ev, vnet_now(n->v));
}

/* ---- Datagrams ---- */

static void udp_send(void *owner, struct ipport to, const struct wg_packet *d, size_t count)
{
	struct node *n = owner;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		rc = vnet_udp_send(n->udp, to, d[i].p, d[i].len);
	if (rc == -ENETUNREACH)
		job_add(n, &(struct job){ .kind = JOB_UDP_FAILED, .to = to });
}

static void on_udp(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct node *n = ctx;
	uint8_t mem[PACKET_MAX];
	struct mesh_datagram dg = { .p = mem, .len = len, .from = from };

	CHECK(len <= sizeof(mem));
	memcpy(mem, p, len);
	agent_udp_in(n->agent, &dg, 1, node_now(n));
	settle(n);
}

/* ---- The operating system's side of the TUN device ---- */

static void tun_write(void *owner, struct wg_packet *p, size_t count)
{
	struct node *n = owner;

	for (size_t i = 0; i < count; i++) {
		uint8_t len[4];

		store_be32(len, (uint32_t)p[i].len);
		CHECK(buf_append(&n->inbox, len, 4) == 0 && buf_append(&n->inbox, p[i].p, p[i].len) == 0);
	}
	vnet_at(n->v, &n->kernel, vnet_now(n->v));
}

static void answer_echo(struct node *n, const uint8_t *pkt, size_t len)
{
	uint8_t out[PACKET_MAX];
	struct ip_pkt ip;
	struct ip_echo echo;
	int rc;

	ip_decode(pkt, len, &ip);
	if (!ip.version || ip_echo_decode(&ip, &echo) < 0 || echo.reply)
		return;
	echo.reply = true;
	rc = ip_echo_encode(ip_dst(&ip), ip_src(&ip), &echo, out, sizeof(out));
	CHECK(rc > 0);
	node_send(n, out, (size_t)rc);
}

static void on_kernel(struct vnet_event *e)
{
	struct node *n = container_of(e, struct node, kernel);

	while (n->agent && buf_len(&n->inbox)) {
		uint8_t pkt[PACKET_MAX];
		size_t len = load_be32(buf_data(&n->inbox));

		CHECK(len <= sizeof(pkt) && len + 4 <= buf_len(&n->inbox));
		memcpy(pkt, buf_data(&n->inbox) + 4, len);
		buf_consume(&n->inbox, len + 4);
		n->cfg.on_inner(n->cfg.ctx, n, pkt, len);
		answer_echo(n, pkt, len);
	}
}

void node_send(struct node *n, const uint8_t *pkt, size_t len)
{
	uint8_t mem[MESH_HEADROOM + PACKET_MAX + MESH_TAILROOM];
	struct wg_packet p = { .p = mem + MESH_HEADROOM, .len = len };

	if (!n->agent || !agent_net_config(n->agent)->up)
		return;
	CHECK(len <= PACKET_MAX);
	memcpy(p.p, pkt, len);
	agent_tun_in(n->agent, &p, 1, node_now(n));
	settle(n);
}

/* ---- Streams ---- */

static void stream_up(void *owner, const struct node_pub *relay_key)
{
	struct stream *s = owner;
	struct node *n = s->node;

	if (relay_key && key_is_zero(relay_key->b))
		relay_key = NULL;
	agent_stream_connected(n->agent, s->number, relay_key, node_now(n));
	settle(n);
}

static int stream_data(void *owner, uint8_t *p, size_t len)
{
	struct stream *s = owner;
	struct node *n = s->node;
	int rc = agent_stream_feed(n->agent, s->number, p, len, node_now(n));

	settle(n);
	return rc;
}

static struct view stream_output(void *owner)
{
	struct stream *s = owner;

	return agent_stream_output(s->node->agent, s->number);
}

static void stream_written(void *owner, size_t len)
{
	struct stream *s = owner;

	agent_stream_written(s->node->agent, s->number, len);
	settle(s->node);
}

static void stream_closed(void *owner, int rc)
{
	struct stream *s = owner;
	struct node *n = s->node;

	s->pipe = NULL;
	vnet_note(n->v, "%s: stream %u closed: %d", n->cfg.name, s->number, rc);
	agent_stream_closed(n->agent, s->number, rc, node_now(n));
	settle(n);
}

static const struct pipe_ops stream_ops = { .on_up = stream_up, .on_data = stream_data, .output = stream_output,
	.written = stream_written, .on_closed = stream_closed };

/* The address to dial first: IPv6 where both sides have it, as happy eyeballs prefer it. */
static struct ipaddr pick(const struct node *n, const struct ipaddr *addrs, size_t count)
{
	for (uint8_t family = 6; family >= 4; family -= 2)
		for (size_t i = 0; i < count; i++)
			if (addrs[i].family == family && ipaddr_is_set(vnet_addr(n->dev, family)))
				return addrs[i];
	return (struct ipaddr){ 0 };
}

static struct ipaddr look_up(const struct node *n, const char *host, const struct ipaddr *hint)
{
	struct ipaddr addrs[4] = { hint[0], hint[1] };
	size_t count = 2;

	if (ipaddr_parse(host, strlen(host), &addrs[0]) == 0)
		return addrs[0];
	for (size_t i = 0; !ipaddr_is_set(hint[0]) && !ipaddr_is_set(hint[1]) && i < n->cfg.n_servers; i++)
		if (!strcmp(server_host(n->cfg.servers[i]), host))
			count = vnet_addrs(server_dev(n->cfg.servers[i]), addrs, ARRAY_LEN(addrs));
	return pick(n, addrs, count);
}

static void dial(void *owner, unsigned number, const struct agent_dial *d)
{
	struct node *n = owner;
	struct ipport to = { .ip = look_up(n, d->host, d->hint), .port = d->port };
	struct stream *s = &n->streams[number];

	CHECK(number < STREAMS_MAX && !s->pipe);
	vnet_note(n->v, "%s: stream %u dials %s:%u", n->cfg.name, number, d->host, d->port);
	if (ipaddr_is_set(to.ip))
		s->pipe = pipe_connect(n->v, n->dev, to, d->tls != AGENT_TLS_NONE, &stream_ops, s);
	else
		job_add(n, &(struct job){ .kind = JOB_CLOSED, .stream = number });
}

static void hangup(void *owner, unsigned number)
{
	struct node *n = owner;
	struct stream *s = &n->streams[number];

	vnet_note(n->v, "%s: stream %u is hung up", n->cfg.name, number);
	list_for_each_safe(l, &n->jobs) {
		struct job *j = container_of(l, struct job, link);

		if (j->kind == JOB_CLOSED && j->stream == number)
			job_free(j);
	}
	s->pipe = pipe_close(s->pipe);
}

static void stream_wake(void *owner, unsigned number)
{
	struct stream *s = &((struct node *)owner)->streams[number];

	if (s->pipe)
		pipe_wake(s->pipe);
}

static void resolve(void *owner, const char *host)
{
	struct job j = { .kind = JOB_RESOLVE };

	CHECK((size_t)snprintf(j.host, sizeof(j.host), "%s", host) < sizeof(j.host));
	job_add(owner, &j);
}

/* ---- Timing a relay over HTTP ---- */

static void probe_free(struct probe *p)
{
	list_remove(&p->link);
	pipe_close(p->pipe);
	buf_fini(&p->out);
	free(p);
}

static void probe_end(struct probe *p, mono_ns latency)
{
	struct node *n = p->node;
	int region = p->region;

	probe_free(p);
	agent_measured(n->agent, region, latency, node_now(n));
	settle(n);
}

static void probe_up(void *owner, const struct node_pub *key)
{
	struct probe *p = owner;

	(void)key;
	CHECK(buf_append_str(&p->out, "GET /generate_204 HTTP/1.1\r\nHost: relay\r\n\r\n") == 0);
	p->sent = vnet_now(p->node->v);
}

static int probe_data(void *owner, uint8_t *b, size_t len)
{
	struct probe *p = owner;

	(void)b;
	(void)len;
	probe_end(p, vnet_now(p->node->v) - p->sent);
	return 0;
}

static struct view probe_output(void *owner)
{
	return buf_view(&((struct probe *)owner)->out);
}

static void probe_written(void *owner, size_t n)
{
	buf_consume(&((struct probe *)owner)->out, n);
}

static void probe_closed(void *owner, int rc)
{
	struct probe *p = owner;

	(void)rc;
	p->pipe = NULL;
	probe_end(p, -1);
}

static const struct pipe_ops probe_ops = { .on_up = probe_up, .on_data = probe_data, .output = probe_output,
	.written = probe_written, .on_closed = probe_closed };

static void measure(void *owner, int region, const struct tc_derp_node *node)
{
	struct node *n = owner;
	struct probe *p = calloc(1, sizeof(*p));
	struct ipaddr none[2] = { { 0 } };
	struct ipport to = { .ip = look_up(n, node->hostname, none), .port = 443 };

	CHECK(p);
	p->node = n;
	p->region = region;
	buf_init(&p->out, 1024);
	list_push_tail(&n->probes, &p->link);
	p->pipe = pipe_connect(n->v, n->dev, to, true, &probe_ops, p); /* without a route: closed, from the loop */
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
	.udp_send = udp_send,
	.tun_write = tun_write,
	.dial = dial,
	.hangup = hangup,
	.stream_wake = stream_wake,
	.resolve = resolve,
	.measure = measure,
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
	n->kernel.fire = on_kernel;
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
	n->udp = vnet_udp_open(n->dev, NODE_UDP_PORT, on_udp, n);
	CHECK(agent_new(&n->agent, &cfg, node_now(n)) == 0);
	arena_fini(&mem);
	vnet_note(n->v, "%s starts", n->cfg.name);
	tell_addresses(n, false);
	agent_start(n->agent, key_is_zero(n->identity.node.b) ? n->cfg.auth_key : NULL, node_now(n));
	settle(n);
}

void node_kill(struct node *n)
{
	struct agent *a = n->agent;

	if (!a)
		return;
	vnet_note(n->v, "%s is killed", n->cfg.name);
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		n->streams[i].pipe = pipe_reset(n->streams[i].pipe);
	while (!list_empty(&n->probes))
		probe_free(container_of(n->probes.next, struct probe, link));
	n->agent = NULL;
	agent_free(a);
	while (!list_empty(&n->jobs))
		job_free(container_of(n->jobs.next, struct job, link));
	n->udp = vnet_udp_close(n->udp);
	vnet_at(n->v, &n->tick, MONO_NEVER);
	vnet_at(n->v, &n->kernel, MONO_NEVER);
	vnet_at(n->v, &n->save, MONO_NEVER);
	buf_clear(&n->inbox);
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
	settle(n);
}

static void want_running(struct node *n, bool want)
{
	struct ipn_masked_prefs m = { .p.want_running = want };

	if (!n->agent)
		return;
	m.set[IPN_PREF_WANT_RUNNING] = true;
	CHECK(agent_edit_prefs(n->agent, &m, node_now(n), NULL) == 0);
	settle(n);
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
	settle(n);
}

void node_login(struct node *n)
{
	agent_start(n->agent, n->cfg.auth_key, node_now(n));
	agent_login(n->agent, node_now(n));
	settle(n);
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
