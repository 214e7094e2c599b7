#include "tests/sim/node_internal.h"

#include "base/err/err.h"
#include "proto/disco/disco.h"
#include "proto/stun/stun.h"

#include <errno.h>

/* ---- Jobs ---- */

static void job_free(struct job *j)
{
	list_remove(&j->link);
	vnet_at(j->node->v, &j->ev, MONO_NEVER);
	j->node->n_jobs--;
	free(j);
}

static void do_resolve(struct sim_node *n, const char *host)
{
	struct ipaddr addrs[4];
	size_t n_addrs = 0;

	for (size_t i = 0; i < n->cfg.n_servers; i++)
		if (!strcmp(server_host(n->cfg.servers[i]), host))
			n_addrs =
				vnet_addrs(server_dev(n->cfg.servers[i]), addrs, ARRAY_LEN(addrs));
	node_resolved(n->node, host, addrs, n_addrs, sim_node_now(n));
}

static void on_job(struct vnet_event *e)
{
	struct job j = *container_of(e, struct job, ev);
	struct sim_node *n = j.node;

	job_free(container_of(e, struct job, ev));
	switch (j.kind) {
	case JOB_CLOSED:
		node_stream_closed(n->node, j.stream, -ERR_CLOSED, sim_node_now(n));
		break;
	case JOB_UDP_FAILED:
		node_udp_failed(n->node, j.to, sim_node_now(n));
		break;
	case JOB_RESOLVE:
		do_resolve(n, j.host);
		break;
	}
	sim_node_settle(n);
}

static void job_add(struct sim_node *n, const struct job *what)
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

static int forged(struct sim_node *n, struct ipport to, const struct pkt *d)
{
	struct sim_node_forgery *f = n->forgery;

	if (f->drop_disco && disco_looks_like(d->p, d->len))
		return 0;
	if (rng_below(&n->rng.rng, f->one_in))
		return vnet_udp_send(n->udp, to, d->p, d->len);
	f->bytes += d->len;
	return vnet_udp_forge(n->udp, f->as, to, d->p, d->len);
}

void sim_node_forge(struct sim_node *n, struct sim_node_forgery *f)
{
	n->forgery = f;
}

void edge_udp_send(void *owner, struct ipport to, const struct pkt *d, size_t count)
{
	struct sim_node *n = owner;
	int rc = 0;

	for (size_t i = 0; i < count; i++)
		rc = n->forgery && !stun_is(d[i].p, d[i].len)
			     ? forged(n, to, &d[i])
			     : vnet_udp_send(n->udp, to, d[i].p, d[i].len);
	if (rc == -ENETUNREACH)
		job_add(n, &(struct job){ .kind = JOB_UDP_FAILED, .to = to });
}

void edge_on_udp(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct sim_node *n = ctx;
	uint8_t mem[PACKET_MAX];
	struct magicsock_datagram dg = { .p = mem, .len = len, .from = from };

	CHECK(len <= sizeof(mem));
	memcpy(mem, p, len);
	node_udp_in(n->node, &dg, 1, sim_node_now(n));
	edge_take_packets(n);
	sim_node_settle(n);
}

/* ---- The operating system's side of the TUN device ---- */

static void to_kernel(struct sim_node *n, const struct pkt *p)
{
	uint8_t len[4];

	store_be32(len, (uint32_t)p->len);
	CHECK(buf_append(&n->inbox, len, 4) == 0 && buf_append(&n->inbox, p->p, p->len) == 0);
	vnet_at(n->v, &n->kernel, vnet_now(n->v));
}

void edge_take_packets(struct sim_node *n)
{
	struct node_packets p;

	while (node_next_packets(n->node, &p))
		for (size_t i = 0; i < p.n; i++)
			to_kernel(n, &p.pkt[i]);
}

static void answer_echo(struct sim_node *n, const uint8_t *pkt, size_t len)
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
	sim_node_send(n, out, (size_t)rc);
}

void edge_on_kernel(struct vnet_event *e)
{
	struct sim_node *n = container_of(e, struct sim_node, kernel);

	while (n->node && buf_len(&n->inbox)) {
		uint8_t pkt[PACKET_MAX];
		size_t len = load_be32(buf_data(&n->inbox));

		CHECK(len <= sizeof(pkt) && len + 4 <= buf_len(&n->inbox));
		memcpy(pkt, buf_data(&n->inbox) + 4, len);
		buf_consume(&n->inbox, len + 4);
		n->cfg.on_inner(n->cfg.ctx, n, pkt, len);
		answer_echo(n, pkt, len);
	}
}

void sim_node_send(struct sim_node *n, const uint8_t *pkt, size_t len)
{
	uint8_t mem[PKT_ROOM(PACKET_MAX)];
	struct pkt p = pkt_in(mem, len);

	if (!n->node || !node_net_config(n->node)->up)
		return;
	CHECK(len <= PACKET_MAX);
	memcpy(p.p, pkt, len);
	node_port_in(n->node, NODE_PORT_TUN, &p, 1, sim_node_now(n));
	edge_take_packets(n);
	sim_node_settle(n);
}

/* ---- Streams ---- */

static void stream_up(void *owner, const struct node_pub *relay_key)
{
	struct stream *s = owner;
	struct sim_node *n = s->node;

	if (relay_key && key_is_zero(relay_key->b))
		relay_key = NULL;
	node_stream_connected(n->node, s->number, relay_key, sim_node_now(n));
	sim_node_settle(n);
}

static int stream_data(void *owner, uint8_t *p, size_t len)
{
	struct stream *s = owner;
	struct sim_node *n = s->node;
	int rc = node_stream_feed(n->node, s->number, p, len, sim_node_now(n));

	edge_take_packets(n);
	sim_node_settle(n);
	return rc;
}

static struct view stream_output(void *owner)
{
	struct stream *s = owner;

	return node_stream_output(s->node->node, s->number);
}

static void stream_written(void *owner, size_t len)
{
	struct stream *s = owner;

	node_stream_written(s->node->node, s->number, len);
	sim_node_settle(s->node);
}

static void stream_closed(void *owner, int rc)
{
	struct stream *s = owner;
	struct sim_node *n = s->node;

	s->pipe = NULL;
	vnet_note(n->v, "%s: stream %u closed: %d", n->cfg.name, s->number, rc);
	node_stream_closed(n->node, s->number, rc, sim_node_now(n));
	sim_node_settle(n);
}

static const struct pipe_ops stream_ops = { .on_up = stream_up,
	.on_data = stream_data,
	.output = stream_output,
	.written = stream_written,
	.on_closed = stream_closed };

/* The address to dial first: IPv6 where both sides have it, as happy eyeballs prefer it. */
static struct ipaddr pick(const struct sim_node *n, const struct ipaddr *addrs, size_t count)
{
	for (uint8_t family = 6; family >= 4; family -= 2)
		for (size_t i = 0; i < count; i++)
			if (addrs[i].family == family && ipaddr_is_set(vnet_addr(n->dev, family)))
				return addrs[i];
	return (struct ipaddr){ 0 };
}

static struct ipaddr look_up(const struct sim_node *n, const char *host, const struct ipaddr *hint)
{
	struct ipaddr addrs[4] = { hint[0], hint[1] };
	size_t count = 2;

	if (ipaddr_parse(host, strlen(host), &addrs[0]) == 0)
		return addrs[0];
	for (size_t i = 0;
		!ipaddr_is_set(hint[0]) && !ipaddr_is_set(hint[1]) && i < n->cfg.n_servers; i++)
		if (!strcmp(server_host(n->cfg.servers[i]), host))
			count = vnet_addrs(server_dev(n->cfg.servers[i]), addrs, ARRAY_LEN(addrs));
	return pick(n, addrs, count);
}

void edge_dial(void *owner, unsigned number, const struct node_dial *d)
{
	struct sim_node *n = owner;
	struct ipport to = { .ip = look_up(n, d->host, d->hint), .port = d->port };
	struct stream *s = &n->streams[number];

	CHECK(number < STREAMS_MAX && !s->pipe);
	vnet_note(n->v, "%s: stream %u dials %s:%u", n->cfg.name, number, d->host, d->port);
	if (ipaddr_is_set(to.ip))
		s->pipe = pipe_connect(n->v, n->dev, to, d->tls != NODE_TLS_NONE, &stream_ops, s);
	else
		job_add(n, &(struct job){ .kind = JOB_CLOSED, .stream = number });
}

void edge_hangup(void *owner, unsigned number)
{
	struct sim_node *n = owner;
	struct stream *s = &n->streams[number];

	vnet_note(n->v, "%s: stream %u is hung up", n->cfg.name, number);
	list_for_each_safe(l, &n->jobs) {
		struct job *j = container_of(l, struct job, link);

		if (j->kind == JOB_CLOSED && j->stream == number)
			job_free(j);
	}
	s->pipe = pipe_close(s->pipe);
}

void edge_stream_wake(void *owner, unsigned number)
{
	struct stream *s = &((struct sim_node *)owner)->streams[number];

	if (s->pipe)
		pipe_wake(s->pipe);
}

void edge_resolve(void *owner, const char *host)
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
	struct sim_node *n = p->node;
	int region = p->region;

	probe_free(p);
	node_measured(n->node, region, latency, sim_node_now(n));
	sim_node_settle(n);
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

static const struct pipe_ops probe_ops = { .on_up = probe_up,
	.on_data = probe_data,
	.output = probe_output,
	.written = probe_written,
	.on_closed = probe_closed };

void edge_measure(void *owner, int region, const struct node_dial *d)
{
	struct sim_node *n = owner;
	struct probe *p = calloc(1, sizeof(*p));
	struct ipaddr none[2] = { { 0 } };
	struct ipport to = { .ip = look_up(n, d->host, none), .port = d->port };

	CHECK(p);
	p->node = n;
	p->region = region;
	buf_init(&p->out, 1024);
	list_push_tail(&n->probes, &p->link);
	p->pipe = pipe_connect(
		n->v, n->dev, to, true, &probe_ops, p); /* without a route: closed, from the loop */
}

/* ---- The end ---- */

void edges_end(struct sim_node *n)
{
	for (unsigned i = 0; i < STREAMS_MAX; i++)
		n->streams[i].pipe = pipe_reset(n->streams[i].pipe);
	while (!list_empty(&n->probes))
		probe_free(container_of(n->probes.next, struct probe, link));
	while (!list_empty(&n->jobs))
		job_free(container_of(n->jobs.next, struct job, link));
	n->udp = vnet_udp_close(n->udp);
	buf_clear(&n->inbox);
}
