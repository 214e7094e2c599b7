#include "tests/sim/server.h"

#include "base/err/err.h"
#include "base/list/list.h"
#include "base/text/text.h"
#include "core/ts2021/ts2021.h"
#include "crypto/sha256/sha256.h"
#include "proto/http1/http1.h"
#include "proto/stun/stun.h"

#include <string.h>

enum { HEAD_MAX = 16384, STUN_PORT = 3478 };

struct server {
	struct server_cfg cfg;
	char host[32], url[48];
	struct vnet *v;
	struct vnet_dev *dev;
	struct rng_seeded rng;
	struct secret_machine noise;
	struct secret_node relay_key;
	struct store_mem *store;
	bool up;
	/* While it is up. */
	struct tailnet *tailnet;
	struct derprelay *relay;
	struct vnet_listener *plain, *tls;
	struct vnet_udp *stun;
	struct list conns;
	struct vnet_event turn, tick;
};

/* One connection: first HTTP, then what it was upgraded to. */
struct conn {
	struct list link;
	struct server *server;
	struct pipe *pipe;
	struct buf in, out; /* HTTP, and the head of an answer */
	struct ts2021 *ts;
	struct derpconn *derp;
	bool close_wanted;
};

/* Owner of a request, in ts2021 and in the control engine. */
struct request {
	struct conn *conn;
	struct ts_stream *stream;
	struct map_session *poll;
	bool waits;
};

static struct now now_of(const struct server *s)
{
	mono_ns t = vnet_now(s->v);

	return (struct now){ .mono = t, .wall = s->cfg.wall_at_zero + t / 1000000 };
}

static void rearm(struct server *s)
{
	mono_ns at = MONO_NEVER;

	if (s->tailnet)
		at = coord_deadline(s->tailnet);
	if (s->relay)
		at = mono_min(at, derprelay_deadline(s->relay));
	vnet_at(s->v, &s->tick, at);
}

void server_turn(struct server *s)
{
	vnet_at(s->v, &s->turn, vnet_now(s->v));
}

static void on_turn(struct vnet_event *e)
{
	struct server *s = container_of(e, struct server, turn);

	if (s->tailnet)
		CHECK(coord_turn_end(s->tailnet, now_of(s)) == 0);
	rearm(s);
}

static void on_tick(struct vnet_event *e)
{
	struct server *s = container_of(e, struct server, tick);

	if (s->tailnet)
		coord_tick(s->tailnet, now_of(s));
	if (s->relay)
		derprelay_tick(s->relay, vnet_now(s->v));
	on_turn(&s->turn);
}

static void conn_free(struct conn *c)
{
	list_remove(&c->link);
	ts2021_free(c->ts);
	if (c->derp)
		derprelay_close(c->derp);
	buf_fini(&c->in);
	buf_fini(&c->out);
	free(c);
}

/* ---- The control engine's side ---- */

static void on_map_ready(void *owner)
{
	ts_stream_wake(((struct request *)owner)->stream);
}

static void on_map_end(void *owner)
{
	ts_stream_finish(((struct request *)owner)->stream);
}

static void on_answer(void *owner, int status, const char *content_type, struct view body)
{
	struct request *q = owner;

	q->waits = false;
	CHECK(ts_stream_respond(q->stream, status, content_type, body) == 0);
}

static void on_request(void *owner, struct ts_stream *stream, const char *method, const char *path,
	struct view body)
{
	struct conn *c = owner;
	struct tailnet *tailnet = c->server->tailnet;
	struct request *q = calloc(1, sizeof(*q));

	(void)method;
	CHECK(q);
	q->conn = c;
	q->stream = stream;
	ts_stream_set_owner(stream, q);
	if (!strcmp(path, "/machine/register")) {
		q->waits = true;
		coord_register(tailnet, ts2021_remote(c->ts), body, q, now_of(c->server));
	} else if (!strcmp(path, "/machine/map")) {
		if (coord_map(tailnet, ts2021_remote(c->ts), body, q, now_of(c->server),
			    &q->poll) == 0)
			CHECK(ts_stream_begin(stream, 200, "application/octet-stream") == 0);
	} else {
		on_answer(q, 404, "text/plain", VIEW_LIT("no such path\n"));
	}
	server_turn(c->server);
}

static void on_end(void *owner, struct ts_stream *stream, int rc)
{
	struct conn *c = owner;
	struct request *q = ts_stream_owner(stream);

	(void)rc;
	if (!q)
		return;
	if (q->poll)
		map_session_close(q->poll, now_of(c->server));
	if (q->waits)
		coord_register_cancel(c->server->tailnet, q);
	free(q);
	server_turn(c->server);
}

static void fill(void *owner, struct ts_stream *stream, struct buf *out)
{
	struct request *q = ts_stream_owner(stream);

	(void)owner;
	if (q && q->poll)
		map_session_fill(q->poll, out);
}

static void on_ts_output(void *owner)
{
	pipe_wake(((struct conn *)owner)->pipe);
}

static const struct ts2021_ops ts_ops = {
	.on_request = on_request, .on_end = on_end, .fill = fill, .on_output = on_ts_output
};

/* ---- The relay's side ---- */

static void relay_output(void *owner)
{
	pipe_wake(((struct conn *)owner)->pipe);
}

static void relay_close(void *owner)
{
	struct conn *c = owner;

	c->close_wanted = true; /* not from inside the relay */
	pipe_wake(c->pipe);
}

static int relay_take(struct conn *c, const struct http1_head *head)
{
	struct server *s = c->server;
	char key[2 * KEY_LEN + 1];

	hex_encode(derprelay_public(s->relay)->b, KEY_LEN, key);
	if (!view_eq(http1_find(head, "Derp-Fast-Start"), VIEW_LIT("1")))
		CHECK(buf_printf(&c->out,
			      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\nDerp-Version: %d\r\n"
			      "Derp-Public-Key: %s\r\n\r\n",
			      DERP_VERSION, key) == 0);
	return derprelay_accept(s->relay, pipe_remote(c->pipe),
		http1_find(head, "Ideal-Node").len > 0, c, vnet_now(s->v), NULL, &c->derp);
}

/* ---- HTTP ---- */

static int answer_key(struct conn *c)
{
	struct machine_pub pub;
	char text[KEY_TEXT_MAX], body[2 * KEY_TEXT_MAX];

	CHECK(key_public(c->server->noise.b, pub.b) == 0);
	key_format(KEY_MACHINE, pub.b, text);
	snprintf(body, sizeof(body), "{\"publicKey\":\"%s\"}", text);
	return http1_respond(
		&c->out, 200, "application/json", "", view_of(body, strlen(body)), false, false);
}

static int route(struct conn *c, const struct http1_head *head)
{
	struct view path = http1_path(head);
	struct server *s = c->server;
	const struct ts2021_server how = {
		.self = &s->noise, .rng = &s->rng.rng, .now = vnet_now(s->v)
	};

	if (s->tailnet && view_eq(path, VIEW_LIT("/key")))
		return answer_key(c);
	if (s->tailnet && view_eq(path, VIEW_LIT("/ts2021")))
		return ts2021_accept(&c->ts, head, &how, &ts_ops, c);
	if (s->relay && view_eq(path, VIEW_LIT("/derp")))
		return relay_take(c, head);
	return http1_respond(&c->out, view_eq(path, VIEW_LIT("/generate_204")) ? 204 : 404, NULL,
		"", view_of("", 0), false, false);
}

static int feed(struct conn *c, const uint8_t *p, size_t len)
{
	if (c->ts)
		return ts2021_feed(c->ts, p, len, vnet_now(c->server->v));
	return derprelay_feed(c->derp, p, len, vnet_now(c->server->v));
}

static int on_http(struct conn *c, const uint8_t *p, size_t len)
{
	struct http1_head head;
	size_t used;
	int rc = buf_append(&c->in, p, len);

	if (rc == 0)
		rc = http1_parse(buf_data(&c->in), buf_len(&c->in), false, &head, &used);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = route(c, &head);
	buf_consume(&c->in, used);
	if (rc == 0 && !c->ts && !c->derp)
		pipe_finish(c->pipe);
	else if (rc == 0 && buf_len(&c->in))
		rc = feed(c, buf_data(&c->in), buf_len(&c->in));
	return rc;
}

static void on_up(void *owner, const struct node_pub *key)
{
	(void)owner;
	(void)key;
}

static int on_data(void *owner, uint8_t *p, size_t len)
{
	struct conn *c = owner;
	int rc = c->ts || c->derp ? feed(c, p, len) : on_http(c, p, len);

	server_turn(c->server);
	return rc;
}

static struct view output(void *owner)
{
	struct conn *c = owner;

	if (c->close_wanted) {
		pipe_finish(c->pipe);
		return view_of("", 0);
	}
	if (buf_len(&c->out))
		return buf_view(&c->out);
	return c->ts ? ts2021_output(c->ts) : c->derp ? derprelay_output(c->derp) : view_of("", 0);
}

static void written(void *owner, size_t n)
{
	struct conn *c = owner;

	if (buf_len(&c->out))
		buf_consume(&c->out, n);
	else if (c->ts)
		ts2021_written(c->ts, n);
	else
		derprelay_written(c->derp, n);
}

static void on_closed(void *owner, int rc)
{
	struct conn *c = owner;
	struct server *s = c->server;

	(void)rc;
	conn_free(c);
	server_turn(s);
}

static const struct pipe_ops conn_ops = { .on_up = on_up,
	.on_data = on_data,
	.output = output,
	.written = written,
	.on_closed = on_closed };

static void accept_one(struct server *s, struct vnet_stream *stream, bool tls)
{
	static const struct node_pub no_relay;
	struct conn *c = calloc(1, sizeof(*c));

	CHECK(c);
	c->server = s;
	buf_init(&c->in, HEAD_MAX);
	buf_init(&c->out, HEAD_MAX);
	list_push_tail(&s->conns, &c->link);
	c->pipe = pipe_accept(s->v, stream,
		!tls       ? NULL
		: s->relay ? derprelay_public(s->relay)
			   : &no_relay,
		&conn_ops, c);
}

static void on_plain(void *ctx, struct vnet_stream *stream)
{
	accept_one(ctx, stream, false);
}

static void on_tls(void *ctx, struct vnet_stream *stream)
{
	accept_one(ctx, stream, true);
}

static void on_stun(void *ctx, struct ipport from, const uint8_t *p, size_t len)
{
	struct server *s = ctx;
	uint8_t txid[STUN_TXID_LEN], out[STUN_RESPONSE_MAX];

	if (stun_request_decode(p, len, txid) == 0)
		(void)vnet_udp_send(s->stun, from, out, stun_response_encode(txid, from, out));
}

/* ---- Life ---- */

struct server *server_new(struct vnet *v, struct vnet_dev *d, const struct server_cfg *cfg)
{
	struct server *s = calloc(1, sizeof(*s));

	CHECK(s);
	s->cfg = *cfg;
	snprintf(s->host, sizeof(s->host), "%s.test", cfg->name);
	snprintf(s->url, sizeof(s->url), "https://%s", s->host);
	s->v = v;
	s->dev = d;
	s->turn.fire = on_turn;
	s->tick.fire = on_tick;
	list_init(&s->conns);
	vnet_fork(v, &s->rng);
	key_generate(&s->rng.rng, s->noise.b);
	key_generate(&s->rng.rng, s->relay_key.b);
	if (cfg->hub)
		CHECK(store_mem_new(&s->store) == 0);
	server_start(s);
	return s;
}

static void start_hub(struct server *s)
{
	struct coord_cfg cfg = { .url = s->url,
		.base_domain = "warren.test",
		.derp_map = s->cfg.derp_map,
		.store = store_mem_store(s->store),
		.rng = &s->rng.rng,
		.hash = sha256_hash,
		.on_map_ready = on_map_ready,
		.on_map_end = on_map_end,
		.on_answer = on_answer };

	CHECK(coord_new(&s->tailnet, &cfg, now_of(s), NULL) == 0);
}

static void start_relay(struct server *s)
{
	struct derprelay_cfg cfg = { .private = s->relay_key,
		.rng = &s->rng.rng,
		.on_output = relay_output,
		.on_close = relay_close };

	CHECK(derprelay_new(&s->relay, &cfg) == 0);
	s->stun = vnet_udp_open(s->dev, STUN_PORT, on_stun, s);
}

void server_start(struct server *s)
{
	CHECK(!s->up);
	s->up = true;
	vnet_up(s->dev, true);
	if (s->cfg.hub)
		start_hub(s);
	if (s->cfg.region)
		start_relay(s);
	s->plain = vnet_listen(s->dev, 80, on_plain, s);
	s->tls = vnet_listen(s->dev, 443, on_tls, s);
	rearm(s);
}

void server_kill(struct server *s)
{
	if (!s->up)
		return;
	s->plain = vnet_unlisten(s->plain);
	s->tls = vnet_unlisten(s->tls);
	s->stun = vnet_udp_close(s->stun);
	list_for_each_safe(l, &s->conns) {
		struct conn *c = container_of(l, struct conn, link);

		pipe_reset(c->pipe);
		conn_free(c);
	}
	s->tailnet = coord_free(s->tailnet);
	s->relay = derprelay_free(s->relay);
	if (s->store)
		store_mem_crash(s->store);
	vnet_at(s->v, &s->turn, MONO_NEVER);
	vnet_at(s->v, &s->tick, MONO_NEVER);
	s->up = false;
}

void server_crash(struct server *s)
{
	vnet_up(s->dev, false);
	server_kill(s);
}

struct server *server_free(struct server *s)
{
	if (!s)
		return NULL;
	server_kill(s);
	store_mem_free(s->store);
	free(s);
	return NULL;
}

bool server_is_up(const struct server *s)
{
	return s->up;
}

const char *server_host(const struct server *s)
{
	return s->host;
}

struct vnet_dev *server_dev(const struct server *s)
{
	return s->dev;
}

struct tailnet *server_ctl(const struct server *s)
{
	return s->tailnet;
}

const struct derprelay *server_relay(const struct server *s)
{
	return s->relay;
}

size_t server_conns(const struct server *s)
{
	size_t n = 0;

	list_for_each(l, &s->conns)
		n++;
	return n;
}
