#include "tests/node/testnet.h"
#include "core/derprelay/derprelay.h"
#include "core/ts2021/ts2021.h"
#include "base/text/text.h"
#include "proto/http1/http1.h"
#include "store/mem/mem.h"

#include <stdlib.h>
#include <zstd.h>

#define HUB_URL "http://192.0.2.1:8080"
#define RELAY_REGION 7

/* One stream of a device, and what is at its other end. */
struct pipe {
	struct dev *d;
	unsigned id;
	bool used, connected, closing;
	struct buf in, out; /* at the far end: what came, what goes */
	struct ts2021 *ts;
	struct ts_stream *poll;
	struct derpconn *derp;
};

static struct pipe pipes[TESTNET_DEVS * TESTNET_PIPES];

/* Owner of a request in ts2021 and in the control server. */
struct request {
	struct testnet *w;
	struct ts_stream *stream;
	struct map_session *poll;
	bool waits;
};

/* ---- The hub's side ---- */

static void fake_hash(const void *p, size_t n, uint8_t out[static 32])
{
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < 32; i++) {
		for (size_t k = 0; k < n; k++)
			h = (h ^ ((const uint8_t *)p)[k]) * 1099511628211u;
		out[i] = (uint8_t)(h >> 32);
	}
}

static void coord_answer(void *owner, int status, const char *type, struct view body)
{
	struct request *q = owner;

	q->waits = false;
	CHECK_INT(ts_stream_respond(q->stream, status, type, body), ==, 0);
}

static void poll_ready(void *owner)
{
	ts_stream_wake(((struct request *)owner)->stream);
}

static void poll_end(void *owner)
{
	ts_stream_finish(((struct request *)owner)->stream);
}

static void note_asked(struct testnet *w, const char *method, const char *path, struct view body)
{
	w->asked.n++;
	snprintf(w->asked.method, sizeof(w->asked.method), "%s", method);
	snprintf(w->asked.path, sizeof(w->asked.path), "%s", path);
	snprintf(w->asked.body, sizeof(w->asked.body), "%.*s", (int)body.len, (const char *)body.p);
}

static void on_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct pipe *p = owner;
	struct testnet *w = p->d->w;
	struct request *q = calloc(1, sizeof(*q));

	CHECK_TRUE(q);
	*q = (struct request){ .w = w, .stream = s };
	ts_stream_set_owner(s, q);
	if (!strcmp(path, "/machine/register")) {
		q->waits = true;
		coord_register(w->tailnet, ts2021_remote(p->ts), body, q, w->now);
	} else if (strcmp(path, "/machine/map") != 0) {
		note_asked(w, method, path, body);
		CHECK_INT(ts_stream_respond(s, 204, NULL, view_of("", 0)), ==, 0);
	} else {
		if (coord_map(w->tailnet, ts2021_remote(p->ts), body, q, w->now, &q->poll) == 0)
			CHECK_INT(ts_stream_begin((p->poll = s), 200, NULL), ==, 0);
	}
}

static void on_end(void *owner, struct ts_stream *s, int rc)
{
	struct request *q = ts_stream_owner(s);
	struct pipe *p = owner;

	(void)rc;
	if (p->poll == s)
		p->poll = NULL;
	if (!q) /* it ended before it was a whole request */
		return;
	if (q->poll)
		map_session_close(q->poll, q->w->now);
	if (q->waits)
		coord_register_cancel(q->w->tailnet, q);
	free(q);
}

static void say(const char *json, struct buf *out)
{
	static uint8_t frame[4 + (256 << 10)];
	size_t n = ZSTD_compress(frame + 4, sizeof(frame) - 4, json, strlen(json), 1);

	CHECK_TRUE(!ZSTD_isError(n));
	store_le32(frame, (uint32_t)n);
	CHECK_INT(buf_append(out, frame, 4 + n), ==, 0);
}

static void fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct request *q = ts_stream_owner(s);

	(void)owner;
	if (!q || !q->poll)
		return;
	if (q->w->inject) {
		say(q->w->inject, out);
		q->w->inject = NULL;
	}
	map_session_fill(q->poll, out);
}

static void nothing(void *owner)
{
	(void)owner;
}

static const struct ts2021_ops hub_ops = {
	.on_request = on_request, .on_end = on_end, .fill = fill, .on_output = nothing
};

static void derp_close(void *owner)
{
	((struct pipe *)owner)->closing = true;
}

static void answer_key(struct pipe *p)
{
	struct machine_pub pub;
	char key[KEY_TEXT_MAX], body[256];

	CHECK_INT(key_public(p->d->w->hub.b, pub.b), ==, 0);
	snprintf(body, sizeof(body), "{\"publicKey\":\"%s\"}", key_format(KEY_MACHINE, pub.b, key));
	CHECK_INT(buf_printf(&p->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			  strlen(body), body),
		==, 0);
}

/* The head of what a device said first decides what the stream is. */
static void far_head(struct pipe *p)
{
	struct testnet *w = p->d->w;
	struct http1_head h;
	size_t used;
	int rc = http1_parse(buf_data(&p->in), buf_len(&p->in), false, &h, &used);

	if (rc == HTTP1_MORE)
		return;
	CHECK_INT(rc, ==, 0);
	if (p->id >= NODE_STREAM_RELAY) {
		char key[KEY_TEXT_MAX];

		hex_encode(derprelay_public(w->relay)->b, KEY_LEN, key);
		CHECK_INT(
			buf_printf(&p->out,
				"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n"
				"Derp-Version: 2\r\nDerp-Public-Key: %s\r\n\r\n",
				key),
			==, 0);
		CHECK_INT(
			derprelay_accept(w->relay, p->d->at, false, p, w->now.mono, NULL, &p->derp),
			==, 0);
	} else if (http1_method_is(&h, "GET")) {
		answer_key(p);
	} else if (p->id == NODE_STREAM_PROBE) {
		char path[256];

		snprintf(path, sizeof(path), "%.*s", (int)h.target.len, (const char *)h.target.p);
		note_asked(w, "HEAD", path, view_of("", 0));
		CHECK_INT(buf_append_str(&p->out, "HTTP/1.1 200 OK\r\n\r\n"), ==, 0);
	} else {
		struct ts2021_server how = {
			.self = &w->hub, .rng = &w->rng.rng, .now = w->now.mono
		};

		CHECK_INT(ts2021_accept(&p->ts, &h, &how, &hub_ops, p), ==, 0);
	}
	buf_consume(&p->in, used);
}

static void far_feed(struct pipe *p)
{
	int rc = 0;

	if (!p->ts && !p->derp)
		far_head(p);
	if (p->ts && buf_len(&p->in))
		rc = ts2021_feed(p->ts, buf_data(&p->in), buf_len(&p->in), p->d->w->now.mono);
	else if (p->derp && buf_len(&p->in))
		rc = derprelay_feed(p->derp, buf_data(&p->in), buf_len(&p->in), p->d->w->now.mono);
	if (p->ts || p->derp)
		buf_clear(&p->in);
	if (rc < 0)
		p->closing = true;
}

static struct view far_output(struct pipe *p)
{
	if (buf_len(&p->out))
		return buf_view(&p->out);
	return p->ts ? ts2021_output(p->ts) : p->derp ? derprelay_output(p->derp) : view_of("", 0);
}

static void far_written(struct pipe *p, size_t n)
{
	if (buf_len(&p->out))
		buf_consume(&p->out, n);
	else if (p->ts)
		ts2021_written(p->ts, n);
	else
		derprelay_written(p->derp, n);
}

static void pipe_free(struct pipe *p)
{
	ts2021_free(p->ts);
	if (p->derp)
		derprelay_close(p->derp);
	buf_fini(&p->in);
	buf_fini(&p->out);
	p->used = false;
}

/* ---- The device's side ---- */

static struct pipe **pipe_at(struct dev *d, unsigned stream)
{
	for (size_t i = 0; i < TESTNET_PIPES; i++)
		if (d->pipe[i] && d->pipe[i]->id == stream)
			return &d->pipe[i];
	return NULL;
}

static void dial(void *owner, unsigned stream, const struct node_dial *to)
{
	struct dev *d = owner;
	struct pipe *p = pipes;

	if (to->by_routes)
		return; /* through the tunnel, to another machine's programs: those are not here */
	while (p < pipes + ARRAY_LEN(pipes) && p->used)
		p++;
	CHECK_TRUE(p < pipes + ARRAY_LEN(pipes) && !pipe_at(d, stream));
	CHECK_STR(to->host, stream >= NODE_STREAM_RELAY ? "relay.test" : "192.0.2.1");
	CHECK_INT(to->port, ==, stream >= NODE_STREAM_RELAY ? 8443 : 8080);
	*p = (struct pipe){ .d = d, .id = stream, .used = true };
	buf_init(&p->in, 1 << 20);
	buf_init(&p->out, 1 << 16);
	d->w->dials++;
	for (size_t i = 0; i < TESTNET_PIPES; i++)
		if (!d->pipe[i]) {
			d->pipe[i] = p;
			return;
		}
	check_fail(__FILE__, __LINE__, "too many streams");
}

static void hangup(void *owner, unsigned stream)
{
	struct pipe **p = pipe_at(owner, stream);

	if (p) {
		pipe_free(*p);
		*p = NULL;
	}
}

static void stream_wake(void *owner, unsigned stream)
{
	(void)owner;
	(void)stream; /* testnet_settle looks at all */
}

static void udp_send(void *owner, struct ipport to, const struct pkt *d, size_t n)
{
	struct dev *dev = owner;
	struct testnet *w = dev->w;

	for (size_t i = 0; i < n && w->n_net < TESTNET_DATAGRAMS; i++) {
		struct datagram *g = &w->net[w->n_net++];

		CHECK_INT(d[i].len, <=, sizeof(g->b));
		g->from = dev->at;
		g->to = to;
		g->len = d[i].len;
		memcpy(g->b, d[i].p, d[i].len);
	}
}

void dev_take_packets(struct dev *d)
{
	struct node_packets p;

	while (node_next_packets(d->a, &p))
		for (size_t i = 0; i < p.n && d->n_got < TESTNET_PACKETS; i++) {
			d->got[d->n_got].port = p.port;
			d->got[d->n_got].len = p.pkt[i].len;
			memcpy(d->got[d->n_got++].b, p.pkt[i].p, p.pkt[i].len);
		}
}

static void take_events(struct dev *d)
{
	struct node_event e;

	while (d->a && node_next_event(d->a, &e)) {
		d->events[e.kind]++;
		if (e.kind == NODE_STATE && d->n_states < ARRAY_LEN(d->states))
			d->states[d->n_states++] = e.state;
		if (e.kind == NODE_KEYS)
			d->id = *node_identity(d->a);
		if (e.kind == NODE_NET_CONFIG)
			d->up = node_net_config(d->a)->up;
	}
}

unsigned dev_events(struct dev *d, enum node_event_kind kind)
{
	take_events(d);
	return d->events[kind];
}

static const struct node_ops dev_ops = {
	.udp_send = udp_send, .dial = dial, .hangup = hangup, .stream_wake = stream_wake
};

static bool pump_out(struct dev *d, struct pipe *p)
{
	struct view v = node_stream_output(d->a, p->id);
	size_t n = v.len;

	if (!n)
		return false;
	CHECK_INT(buf_append(&p->in, v.p, n), ==, 0);
	node_stream_written(d->a, p->id, n);
	far_feed(p);
	return true;
}

static bool pump_in(struct dev *d, struct pipe *p)
{
	struct view v = far_output(p);
	uint8_t *copy;
	size_t n = v.len;
	unsigned id = p->id;

	if (!n)
		return false;
	copy = malloc(n);
	CHECK_TRUE(copy);
	memcpy(copy, v.p, n);
	far_written(p, n);
	if (node_stream_feed(d->a, id, copy, n, d->w->now) < 0)
		p->closing = true;
	dev_take_packets(d);
	free(copy);
	return true;
}

static bool pump_pipe(struct dev *d, struct pipe **slot)
{
	struct pipe *p = *slot;
	unsigned id = p->id;

	if (d->w->hub_gone || p->closing) {
		pipe_free(p);
		*slot = NULL;
		node_stream_closed(d->a, id, -ERR_CLOSED, d->w->now);
		return true;
	}
	if (!p->connected) {
		p->connected = true;
		node_stream_connected(d->a, id, NULL, d->w->now);
		return true;
	}
	if (pump_out(d, p))
		return true;
	return *slot == p && pump_in(d, p);
}

static bool deliver(struct testnet *w)
{
	struct datagram g;
	struct magicsock_datagram m = { 0 };

	if (!w->n_net)
		return false;
	g = w->net[0];
	memmove(&w->net[0], &w->net[1], --w->n_net * sizeof(g));
	m = (struct magicsock_datagram){ .p = g.b, .len = g.len, .from = g.from };
	for (size_t i = 0; i < TESTNET_DEVS; i++)
		if (w->dev[i].a && ipport_eq(w->dev[i].at, g.to)) {
			node_udp_in(w->dev[i].a, &m, 1, w->now);
			dev_take_packets(&w->dev[i]);
		}
	return true;
}

static bool turn(struct testnet *w)
{
	bool any = deliver(w);

	for (size_t i = 0; i < TESTNET_DEVS; i++)
		for (size_t k = 0; k < TESTNET_PIPES; k++)
			if (w->dev[i].a && w->dev[i].pipe[k])
				any |= pump_pipe(&w->dev[i], &w->dev[i].pipe[k]);
	CHECK_INT(coord_turn_end(w->tailnet, w->now), ==, 0);
	for (size_t i = 0; i < TESTNET_DEVS; i++)
		take_events(&w->dev[i]);
	return any;
}

void testnet_settle(struct testnet *w)
{
	for (int i = 0; i < 10000; i++)
		if (!turn(w) && !turn(w))
			return;
	check_fail(__FILE__, __LINE__, "it never comes to rest");
}

bool testnet_hops(struct testnet *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!turn(w) && !turn(w))
			return false;
	return true;
}

static mono_ns next_deadline(const struct testnet *w)
{
	mono_ns at = mono_min(coord_deadline(w->tailnet), derprelay_deadline(w->relay));

	for (size_t i = 0; i < TESTNET_DEVS; i++)
		if (w->dev[i].a)
			at = mono_min(at, node_deadline(w->dev[i].a));
	return at;
}

void testnet_run(struct testnet *w, mono_ns t)
{
	mono_ns end = w->now.mono + t;

	for (;;) {
		mono_ns at;

		testnet_settle(w);
		at = MAX_OF(next_deadline(w), w->now.mono + USEC(10));
		w->now.wall += (mono_min(at, end) - w->now.mono) / MSEC(1);
		w->now.mono = mono_min(at, end);
		if (at > end)
			return;
		coord_tick(w->tailnet, w->now);
		derprelay_tick(w->relay, w->now.mono);
		for (size_t i = 0; i < TESTNET_DEVS; i++)
			if (w->dev[i].a)
				node_tick(w->dev[i].a, w->now);
	}
}

/* ---- Beginning and end ---- */

static void relay_new(struct testnet *w)
{
	static struct tc_derp_node node = { .name = "7a",
		.hostname = "relay.test",
		.region_id = RELAY_REGION,
		.stun_port = -1,
		.derp_port = 8443,
		.insecure_for_tests = true };
	static struct tc_derp_region region = {
		.id = RELAY_REGION, .code = "here", .name = "Here"
	};
	static struct json_pair pair = { "7", &region };
	struct derprelay_cfg cfg = {
		.rng = &w->rng.rng, .on_output = nothing, .on_close = derp_close
	};

	region.nodes = json_list_of(&node, 1);
	w->derp_map.regions = (struct json_map){ .v = &pair, .n = 1, .present = true };
	key_generate(&w->rng.rng, cfg.private.b);
	CHECK_INT(derprelay_new(&w->relay, &cfg), ==, 0);
}

void testnet_new(struct testnet *w)
{
	struct coord_cfg cfg = { .url = HUB_URL,
		.base_domain = "test",
		.derp_map = &w->derp_map,
		.rng = &w->rng.rng,
		.hash = fake_hash,
		.on_map_ready = poll_ready,
		.on_map_end = poll_end,
		.on_answer = coord_answer };
	struct coord_key_spec spec = { .reusable = true, .preapproved = true };
	const struct coord_user *user;
	const struct coord_key *key;

	memset(w, 0, sizeof(*w));
	w->now = (struct now){ .mono = SEC(1000), .wall = 1790000000000 };
	rng_seeded_init(&w->rng, 42);
	key_generate(&w->rng.rng, w->hub.b);
	relay_new(w);
	CHECK_INT(store_mem_new(&w->store), ==, 0);
	cfg.store = store_mem_store(w->store);
	CHECK_INT(coord_new(&w->tailnet, &cfg, w->now, NULL), ==, 0);
	CHECK_INT(coord_user_create(w->tailnet, "ann", w->now, &user), ==, 0);
	w->user = spec.user = user->id;
	CHECK_INT(coord_key_create(w->tailnet, &spec, w->now, w->auth_key, &key), ==, 0);
	for (size_t i = 0; i < TESTNET_DEVS; i++) {
		struct dev *d = &w->dev[i];

		d->w = w;
		d->at = (struct ipport){ .ip = ipaddr_v4(10, 0, 0, (uint8_t)(i + 1)),
			.port = 41641 };
		key_generate(&w->rng.rng, d->id.machine.b);
		key_generate(&w->rng.rng, d->id.disco.b);
	}
}

void testnet_halt(struct testnet *w, struct dev *d)
{
	(void)w;
	take_events(d);
	d->a = node_free(d->a);
	for (size_t i = 0; i < TESTNET_PIPES; i++)
		CHECK_TRUE(!d->pipe[i]); /* it hung up what it had */
}

void testnet_free(struct testnet *w)
{
	for (size_t i = 0; i < TESTNET_DEVS; i++)
		testnet_halt(w, &w->dev[i]);
	coord_free(w->tailnet);
	store_mem_free(w->store);
	derprelay_free(w->relay);
}

int testnet_try_boot(
	struct testnet *w, struct dev *d, const struct ipn_prefs *prefs, struct view map)
{
	struct tc_hostinfo host = { .hostname = "box", .os = "linux" };
	struct node_cfg cfg = { .identity = d->id,
		.prefs = prefs,
		.netmap = map,
		.default_control_url = "",
		.host = &host,
		.rng = &w->rng.rng,
		.ops = &dev_ops,
		.owner = d };
	struct ipprefix own = { .ip = d->at.ip, .bits = 24 };

	int rc;

	d->n_states = 0;
	d->up = false;
	rc = node_new(&d->a, &cfg, w->now);
	if (rc == 0)
		node_set_local(d->a, &own, 1, 41641, 0, false, w->now);
	return rc;
}

void testnet_boot(struct testnet *w, struct dev *d, const struct ipn_prefs *prefs, struct view map)
{
	CHECK_INT(testnet_try_boot(w, d, prefs, map), ==, 0);
}

void testnet_join(struct testnet *w, struct dev *d, const char *name)
{
	struct ipn_prefs p;

	ipn_prefs_init(&p);
	testnet_boot(w, d, &p, view_of("", 0));
	p.control_url = HUB_URL;
	p.hostname = name;
	p.want_running = true;
	p.logged_out = false;
	node_start(d->a, NULL, w->now);
	CHECK_INT(node_state(d->a), ==, IPN_NEEDS_LOGIN);
	CHECK_INT(node_set_prefs(d->a, &p, w->now, NULL), ==, 0);
	node_start(d->a, w->auth_key, w->now);
	node_login(d->a, w->now);
	for (int i = 0; i < 100 && node_state(d->a) != IPN_RUNNING; i++)
		testnet_run(w, MSEC(100));
	CHECK_INT(node_state(d->a), ==, IPN_RUNNING);
}

/* ---- For tests ---- */

struct ipaddr dev_ip(const struct dev *d)
{
	return JSON_AT(netmap_self(node_netmap(d->a))->addresses, struct ipprefix, 0)->ip;
}

void testnet_say_to(struct testnet *w, struct dev *d, const char *json)
{
	w->asked.n = 0;
	w->inject = json;
	for (size_t k = 0; k < TESTNET_PIPES; k++) /* its poll */
		if (d->pipe[k] && d->pipe[k]->poll)
			ts_stream_wake(d->pipe[k]->poll);
	testnet_run(w, SEC(1));
	CHECK_TRUE(!w->inject);
}

void testnet_say(struct testnet *w, const char *json)
{
	testnet_say_to(w, &w->dev[0], json);
}

bool testnet_ping(struct testnet *w, struct dev *from, struct dev *to)
{
	static uint8_t mem[PKT_ROOM(256)];
	struct ip_echo e = { .id = 1, .seq = 2, .payload = VIEW_LIT("are you there?") };
	struct pkt p = pkt_in(mem, 0);
	int len = ip_echo_encode(dev_ip(from), dev_ip(to), &e, p.p, 256);
	struct packet sent = { .len = (size_t)len };

	CHECK_INT(len, >, 0);
	p.len = (size_t)len;
	memcpy(sent.b, p.p, p.len);
	to->n_got = 0;
	node_port_in(from->a, NODE_PORT_TUN, &p, 1, w->now);
	dev_take_packets(from);
	testnet_run(w, MSEC(500));
	for (size_t i = 0; i < to->n_got; i++)
		if (to->got[i].len == sent.len && !memcmp(to->got[i].b, sent.b, sent.len))
			return true;
	return false;
}

const struct coord_node_doc *testnet_member(struct testnet *w, const struct dev *d)
{
	struct machine_pub pub;
	const struct coord_node_doc *n = NULL;

	CHECK_INT(key_public(d->id.machine.b, pub.b), ==, 0);
	while ((n = coord_node_next(w->tailnet, n)))
		if (!memcmp(&n->machine, &pub, sizeof(pub)))
			return n;
	return NULL;
}

void dev_edit(struct dev *d, enum ipn_pref which, const struct ipn_prefs *value)
{
	struct ipn_masked_prefs m = { .p = *value };

	m.set[which] = true;
	CHECK_INT(node_edit_prefs(d->a, &m, d->w->now, NULL), ==, 0);
}
