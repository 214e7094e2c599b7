/*
 * Map responses of a hostile control server, one a line, to a device that runs: peers, routes, filter, relays, questions. A line
 * that is no map response is a packet for the system, as its peers' sessions would give it. What follows from them can be told.
 */
#include "core/node/answers/answers.h"
#include "core/node/calls/calls.h"
#include "core/node/map/map.h"
#include "core/node/packets/packets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void on_udp(void *owner, struct ipport to, const struct pkt *d, size_t n)
{
	(void)owner;
	(void)to;
	(void)d;
	(void)n;
}

static void on_dial(void *owner, unsigned stream, const struct node_dial *d)
{
	(void)owner;
	CHECK(d->host && stream >= NODE_STREAM_CONTROL);
}

static void on_stream(void *owner, unsigned stream)
{
	(void)owner;
	(void)stream;
}

static void take_events(struct node *a)
{
	struct node_event e;

	while (node_next_event(a, &e))
		CHECK(e.kind < NODE_EVENT_KINDS && e.text);
}

static const struct node_ops ops = {
	.udp_send = on_udp, .dial = on_dial, .hangup = on_stream, .stream_wake = on_stream
};

static struct node *device(struct rng *rng, struct now now)
{
	struct tc_hostinfo host = { .hostname = "box", .os = "linux" };
	struct node_cfg cfg = {
		.default_control_url = "http://hub", .host = &host, .rng = rng, .ops = &ops
	};
	struct ipprefix own = { ipaddr_v4(10, 0, 0, 1), 24 };
	struct ipn_prefs p;
	struct node *a;

	ipn_prefs_init(&p);
	p.want_running = p.route_all = true;
	p.logged_out = false;
	p.exit_node_ip = ipaddr_v4(100, 64, 0, 1);
	cfg.prefs = &p;
	key_generate(rng, cfg.identity.machine.b);
	key_generate(rng, cfg.identity.node.b);
	key_generate(rng, cfg.identity.disco.b);
	CHECK(node_new(&a, &cfg, now) == 0);
	node_set_local(a, &own, 1, 41641, 0, false, now);
	node_port_open(a, NODE_PORT_QUAD100, true);
	node_start(a, NULL, now);
	return a;
}

static void packet(struct node *a, const uint8_t *p, size_t len, struct now now)
{
	uint8_t mem[PKT_ROOM(1500)];
	struct pkt in = pkt_in(mem, len = MIN_OF(len, 1500)), out = in;
	struct node_packets next;

	memcpy(in.p, p, in.len);
	node_packets_in(a, 1, &in, 1);
	for (int port = 0; port < NODE_PORTS; port++) {
		memcpy(out.p, p, len);
		out.len = len;
		node_port_in(a, (enum node_port)port, &out, 1, now);
		while (node_next_packets(a, &next))
			CHECK(next.n == 1 && next.port != (enum node_port)port);
	}
}

static void line(struct node *a, const uint8_t *p, size_t len, struct now now)
{
	struct tc_map_response r;
	struct arena mem;

	arena_init(&mem, 1 << 22);
	a->now = now;
	if (json_decode(&tc_map_response_type, p, len, &r, &mem, NULL) == 0) {
		if (node_map_apply(a, &r) == 0 && r.ping_request.len)
			node_probe_take(a, r.ping_request);
		node_run_deferred(a);
	} else {
		packet(a, p, len, now);
	}
	arena_fini(&mem);
}

static void tell(struct node *a, struct now now)
{
	struct ipn_engine_status e;
	struct ipn_status s;
	struct arena mem;
	struct buf out;

	arena_init(&mem, 1 << 24);
	buf_init(&out, 1 << 24);
	if (node_status(a, true, now, &mem, &s) == 0)
		CHECK(json_encode(&ipn_status_type, &s, &out) != -ERR_BAD_VALUE);
	if (node_engine(a, now, &mem, &e) == 0)
		CHECK(json_encode(&ipn_engine_status_type, &e, &out) != -ERR_BAD_VALUE);
	(void)node_whois(a, ipaddr_v4(100, 64, 0, 1));
	arena_fini(&mem);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct now now = { .mono = SEC(1000), .wall = 1790000000000 };
	struct rng_seeded rng;
	struct node *a;

	rng_seeded_init(&rng, 1);
	a = device(&rng.rng, now);
	while (len) {
		const uint8_t *nl = memchr(data, '\n', len);
		size_t n = nl ? (size_t)(nl - data) : len;

		line(a, data, n, now);
		take_events(a);
		data += nl ? n + 1 : n;
		len -= nl ? n + 1 : n;
		now.mono += MSEC(10);
		now.wall += 10;
	}
	now.mono += SEC(3600);
	now.wall += 3600000;
	node_tick(a, now);
	tell(a, now);
	node_free(a);
	return 0;
}
