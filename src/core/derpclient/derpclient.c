#include "core/derpclient/derpclient.h"

#include "base/bucket/bucket.h"
#include "base/err/err.h"
#include "proto/http1/http1.h"

#include <errno.h>
#include <stdlib.h>

enum { MESH_KEY_LEN = 32, INFO_ARENA_MAX = 64 * 1024, RATE_MAX = 1000000000 };

static const mono_ns attempt_limit = SEC(10), silence_limit = SEC(120);

enum state {
	IDLE, /* no stream; dials at dial_at */
	DIALING,
	UPGRADING, /* waits for the HTTP answer */
	GREETING,  /* waits for the relay's key */
	LOGGED_IN, /* login sent; the answer may be outstanding */
};

/* A packet that waits, with its frame header. The memory is kept for the next packet of the slot. */
struct slot {
	uint8_t *mem;
	size_t len, cap;
};

struct derpclient {
	struct derpclient_cfg cfg;
	uint8_t mesh_key[MESH_KEY_LEN];
	enum state state;
	bool wanted, home, ready;
	struct node_pub server;
	struct buf in, control, out; /* out: frames that are being written, whole ones only */
	struct slot ring[DERPCLIENT_QUEUE_MAX];
	size_t head, n_waiting;
	struct arena arena;
	unsigned failures; /* in a row; a connection that lasts ends the row */
	size_t skip;       /* bytes of a long frame that are still to come */
	mono_ns dial_at, give_up_at, last_heard, ready_at;
	struct bucket bucket; /* what the relay lets us send */
	struct bucket infos;  /* how often it may say that */
	struct derpclient_counters n;
};

int derpclient_new(struct derpclient **ret, const struct derpclient_cfg *cfg)
{
	struct derpclient *c = calloc(1, sizeof(*c));

	if (!c)
		return -ENOMEM;
	c->cfg = *cfg;
	if (cfg->mesh_key) {
		memcpy(c->mesh_key, cfg->mesh_key, MESH_KEY_LEN);
		c->cfg.mesh_key = c->mesh_key;
	}
	buf_init(&c->in, DERP_HEADER_LEN + DERPCLIENT_KEEP_MAX);
	buf_init(&c->control, DERPCLIENT_CONTROL_MAX);
	buf_init(&c->out, DERPCLIENT_WRITE_MAX + DERP_HEADER_LEN + KEY_LEN + DERP_PACKET_MAX);
	arena_init(&c->arena, INFO_ARENA_MAX);
	c->dial_at = c->give_up_at = MONO_NEVER;
	*ret = c;
	return 0;
}

struct derpclient *derpclient_free(struct derpclient *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(c->ring); i++)
		free(c->ring[i].mem);
	buf_fini(&c->in);
	buf_fini(&c->control);
	buf_fini(&c->out);
	arena_fini(&c->arena);
	key_wipe(c, sizeof(*c));
	free(c);
	return NULL;
}

static void emit(struct derpclient *c, const struct derpclient_event *e)
{
	c->cfg.on_event(c->cfg.owner, e);
}

static int control_frame(
	struct derpclient *c, enum derpframe_type type, const void *payload, size_t len)
{
	uint8_t *p;
	int rc = buf_reserve(&c->control, DERP_HEADER_LEN + len, &p);

	if (rc < 0)
		return rc;
	derpframe_header(p, type, len);
	if (len)
		memcpy(p + DERP_HEADER_LEN, payload, len);
	buf_commit(&c->control, DERP_HEADER_LEN + len);
	c->cfg.on_output(c->cfg.owner);
	return 0;
}

/* ---- Opening ---- */

void derpclient_start(struct derpclient *c, mono_ns now)
{
	c->wanted = true;
	if (c->state == IDLE && c->dial_at == MONO_NEVER)
		c->dial_at = now;
	derpclient_tick(c, now);
}

void derpclient_stop(struct derpclient *c, mono_ns now)
{
	c->wanted = false;
	c->dial_at = MONO_NEVER;
	c->failures = 0;
	c->last_heard = now;
	if (c->state != IDLE)
		c->cfg.hang_up(c->cfg.owner);
}

static void dial(struct derpclient *c, mono_ns now)
{
	c->state = DIALING;
	c->dial_at = MONO_NEVER;
	c->give_up_at = mono_add(now, attempt_limit);
	c->n.dials++;
	c->cfg.dial(c->cfg.owner);
}

/* The login, and what the relay shall know from the start. It may be sent before the relay has answered. */
static int log_in(struct derpclient *c, mono_ns now)
{
	char hex[2 * MESH_KEY_LEN + 1];
	struct derp_client_info info = {
		.version = DERP_VERSION, .can_ack_pings = true, .is_prober = c->cfg.prober
	};
	int rc;

	for (size_t i = 0; c->cfg.mesh_key && i < MESH_KEY_LEN; i++) {
		hex[2 * i] = "0123456789abcdef"[c->mesh_key[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[c->mesh_key[i] & 15];
	}
	hex[2 * MESH_KEY_LEN] = '\0';
	info.mesh_key = c->cfg.mesh_key ? hex : NULL;
	rc = derp_client_info_encode(&c->control, c->cfg.private.b, c->server.b, c->cfg.rng, &info);
	key_wipe(hex, sizeof(hex));
	if (rc == 0 && c->home)
		rc = control_frame(c, DERP_NOTE_PREFERRED, "\1", 1);
	if (rc == 0 && c->cfg.watch)
		rc = control_frame(c, DERP_WATCH_CONNS, NULL, 0);
	if (rc < 0)
		return rc;
	c->state = LOGGED_IN;
	bucket_init(&c->infos, 1, DERPCLIENT_INFOS_MAX);
	c->last_heard = now;
	c->cfg.on_output(c->cfg.owner);
	return 0;
}

/* A map's names come from the hub: none of them begins another header. */
static bool fits_header(const char *s)
{
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			return false;
	return true;
}

int derpclient_connected(struct derpclient *c, const char *host, const char *ideal_node,
	const struct node_pub *fast_key, mono_ns now)
{
	int rc;

	if (c->state != DIALING)
		return -ERR_BAD_STATE;
	if (!fits_header(host) || (ideal_node && !fits_header(ideal_node)))
		return -ERR_BAD_VALUE;
	rc = buf_printf(&c->control,
		"GET /derp HTTP/1.1\r\nHost: %s\r\nUser-Agent: warren\r\nConnection: Upgrade\r\n%s%s%s%s"
		"Upgrade: DERP\r\n\r\n",
		host, fast_key ? "Derp-Fast-Start: 1\r\n" : "", ideal_node ? "Ideal-Node: " : "",
		ideal_node ? ideal_node : "", ideal_node ? "\r\n" : "");
	if (rc < 0)
		return rc;
	c->state = UPGRADING;
	c->cfg.on_output(c->cfg.owner);
	if (!fast_key)
		return 0;
	c->server = *fast_key;
	return log_in(c, now);
}

static mono_ns back_off(struct derpclient *c)
{
	mono_ns d = mono_min(MSEC(10) * c->failures * c->failures, SEC(5));

	return d / 2 + (mono_ns)rng_below(c->cfg.rng, (uint64_t)d + 1);
}

void derpclient_closed(struct derpclient *c, int rc, mono_ns now)
{
	if (c->state == IDLE)
		return;
	c->state = IDLE;
	c->ready = false;
	c->server = (struct node_pub){ 0 };
	c->give_up_at = MONO_NEVER;
	c->bucket.rate = 0;
	c->n.drop_down += c->n_waiting;
	c->head = c->n_waiting = 0;
	buf_fini(&c->in); /* a connection's large buffers go with it */
	buf_init(&c->in, DERP_HEADER_LEN + DERPCLIENT_KEEP_MAX);
	c->skip = 0;
	buf_clear(&c->control);
	buf_clear(&c->out);
	if (c->wanted) {
		if (c->failures < 1000)
			c->failures++;
		c->dial_at = mono_add(now, back_off(c));
	}
	emit(c, &(struct derpclient_event){ .type = DERPCLIENT_DOWN, .rc = rc });
}

/* ---- Input ---- */

static int got_server_info(struct derpclient *c, const struct derpframe *f, mono_ns now)
{
	struct derpclient_event e = { .type = DERPCLIENT_READY };
	int rc;

	if (!bucket_take(&c->infos, 1, now)) {
		c->n.infos_refused++;
		return -ERR_TOO_MANY;
	}
	arena_reset(&c->arena);
	rc = derp_server_info_decode(
		f->payload, f->len, c->cfg.private.b, c->server.b, &c->arena, &e.info);
	if (rc < 0)
		return rc;
	bucket_init(&c->bucket,
		e.info.bytes_per_second > 0 ? MIN_OF(e.info.bytes_per_second, RATE_MAX) : 0,
		e.info.bytes_burst > 0 ? MIN_OF(e.info.bytes_burst, RATE_MAX) : 0);
	c->n.logins += !c->ready;
	if (!c->ready)
		c->ready_at = now;
	c->ready = true;
	emit(c, &e);
	return 0;
}

static int got_ping(struct derpclient *c, const struct derpframe *f)
{
	int rc;

	if (f->len < DERP_PING_MIN)
		return 0;
	rc = control_frame(c, DERP_PONG, f->payload, DERP_PING_MIN);
	if (rc < 0)
		return rc;
	emit(c, &(struct derpclient_event){
			.type = DERPCLIENT_PING, .data = view_of(f->payload, DERP_PING_MIN) });
	return 0;
}

/* Frames about a peer: too short ones are ignored. */
static void got_about_peer(struct derpclient *c, const struct derpframe *f)
{
	struct derpclient_event e = { .data = view_of(f->payload + KEY_LEN, f->len - KEY_LEN) };

	memcpy(e.peer.b, f->payload, KEY_LEN);
	if (f->type == DERP_RECV_PACKET) {
		e.type = DERPCLIENT_PACKET;
		c->n.packets_in++;
	} else if (f->type == DERP_PEER_GONE) {
		e.type = DERPCLIENT_PEER_GONE;
		e.reason = e.data.len ? e.data.p[0] : DERP_GONE_DISCONNECTED;
	} else {
		e.type = DERPCLIENT_PEER_PRESENT;
		if (e.data.len >= 18)
			e.addr = (struct ipport){ .ip = ipaddr_from16(e.data.p),
				.port = load_be16(e.data.p + 16) };
		e.flags = e.data.len >= 19 ? e.data.p[18] : 0;
	}
	emit(c, &e);
}

static void got_restarting(struct derpclient *c, const struct derpframe *f)
{
	if (f->len >= 8)
		emit(c, &(struct derpclient_event){ .type = DERPCLIENT_RESTARTING,
				.reconnect_in_ms = load_be32(f->payload),
				.try_for_ms = load_be32(f->payload + 4) });
}

static int got_frame(struct derpclient *c, const struct derpframe *f, mono_ns now)
{
	c->last_heard = now;
	if (c->ready && now - c->ready_at >= DERPCLIENT_STEADY)
		c->failures = 0;
	switch (f->type) {
	case DERP_SERVER_INFO:
		return got_server_info(c, f, now);
	case DERP_RECV_PACKET:
	case DERP_PEER_GONE:
	case DERP_PEER_PRESENT:
		if (f->len >= KEY_LEN)
			got_about_peer(c, f);
		return 0;
	case DERP_KEEP_ALIVE:
		emit(c, &(struct derpclient_event){ .type = DERPCLIENT_KEEP_ALIVE });
		return 0;
	case DERP_PING:
		return got_ping(c, f);
	case DERP_PONG:
		if (f->len >= DERP_PING_MIN)
			emit(c, &(struct derpclient_event){ .type = DERPCLIENT_PONG,
					.data = view_of(f->payload, DERP_PING_MIN) });
		return 0;
	case DERP_HEALTH:
		emit(c, &(struct derpclient_event){
				.type = DERPCLIENT_HEALTH, .data = view_of(f->payload, f->len) });
		return 0;
	case DERP_RESTARTING:
		got_restarting(c, f);
		return 0;
	default: /* also the relay's key, which comes once more after a fast start */
		return 0;
	}
}

static int got_greeting(struct derpclient *c, const struct derpframe *f, mono_ns now)
{
	if (f->type != DERP_SERVER_KEY)
		return -ERR_BAD_TYPE;
	if (f->len < DERP_SERVER_KEY_MIN || memcmp(f->payload, derp_magic, DERP_MAGIC_LEN) != 0)
		return -ERR_BAD_FORMAT;
	memcpy(c->server.b, f->payload + DERP_MAGIC_LEN, KEY_LEN);
	return log_in(c, now);
}

/* Takes one thing off the front. 0 and *ret_used; positive: more bytes are needed. */
static int take_one(
	struct derpclient *c, const uint8_t *p, size_t len, mono_ns now, size_t *ret_used)
{
	struct http1_head head;
	struct derpframe f;
	int rc;

	if (c->state == UPGRADING) {
		rc = http1_parse(p, len, true, &head, ret_used);
		if (rc != 0)
			return rc < 0 ? -ERR_NOT_HTTP : rc;
		if (head.status != 101)
			return err_http(head.status);
		c->state = GREETING;
		return 0;
	}
	rc = derpframe_next(
		p, len, c->state == GREETING ? DERP_SERVER_KEY_MAX : DERPCLIENT_KEEP_MAX, &f);
	if (rc == -ERR_TOO_BIG && c->state == LOGGED_IN && f.len <= DERP_CLIENT_FRAME_MAX) {
		c->n.skipped++;
		c->skip = f.len;
		*ret_used = DERP_HEADER_LEN;
		return 0;
	}
	if (rc != 0)
		return rc;
	*ret_used = DERP_HEADER_LEN + f.len;
	return c->state == GREETING ? got_greeting(c, &f, now) : got_frame(c, &f, now);
}

static int take_all(
	struct derpclient *c, const uint8_t *p, size_t len, mono_ns now, size_t *ret_used)
{
	size_t used;
	int rc;

	for (*ret_used = 0; *ret_used < len && c->state >= UPGRADING; *ret_used += used) {
		if (c->skip) {
			used = MIN_OF(c->skip, len - *ret_used);
			c->skip -= used;
			continue;
		}
		rc = take_one(c, p + *ret_used, len - *ret_used, now, &used);
		if (rc < 0)
			c->n.bad_frames++;
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return 0;
}

int derpclient_feed(struct derpclient *c, const uint8_t *p, size_t len, mono_ns now)
{
	size_t used;
	int rc;

	if (c->state < UPGRADING)
		return -ERR_BAD_STATE;
	if (!buf_len(&c->in)) { /* the common case: whole frames, read where they lie */
		rc = take_all(c, p, len, now, &used);
		if (rc < 0 || used == len || c->state < UPGRADING)
			return rc;
		p += used;
		len -= used;
	}
	while (len) { /* in steps, so that one call may bring more than a frame's maximum */
		size_t step = MIN_OF(len, c->in.max - buf_len(&c->in));

		if (!step)
			return -ERR_TOO_BIG;
		rc = buf_append(&c->in, p, step);
		if (rc == 0)
			rc = take_all(c, buf_data(&c->in), buf_len(&c->in), now, &used);
		if (rc < 0 || c->state < UPGRADING)
			return rc;
		buf_consume(&c->in, used);
		p += step;
		len -= step;
	}
	return 0;
}

/* ---- Output ---- */

/* The relay closes on who sends more than it said; what does not fit is lost, as on a slow link. */
int derpclient_send(
	struct derpclient *c, const struct node_pub *to, const void *pkt, size_t len, mono_ns now)
{
	size_t frame_len = DERP_HEADER_LEN + KEY_LEN + len;
	struct slot *s;

	if (len > DERP_PACKET_MAX)
		return -ERR_TOO_BIG;
	if (!c->wanted)
		return -ERR_CLOSED;
	if (!bucket_take(&c->bucket, (int64_t)frame_len, now)) {
		c->n.drop_rate++;
		return 0;
	}
	if (c->n_waiting == DERPCLIENT_QUEUE_MAX) {
		c->head = (c->head + 1) % DERPCLIENT_QUEUE_MAX;
		c->n_waiting--;
		c->n.drop_queue_head++;
	}
	s = &c->ring[(c->head + c->n_waiting) % DERPCLIENT_QUEUE_MAX];
	if (s->cap < frame_len) {
		uint8_t *mem = realloc(s->mem, frame_len);

		if (!mem)
			return -ENOMEM;
		s->mem = mem;
		s->cap = frame_len;
	}
	derpframe_header(s->mem, DERP_SEND_PACKET, KEY_LEN + len);
	memcpy(s->mem + DERP_HEADER_LEN, to->b, KEY_LEN);
	if (len)
		memcpy(s->mem + DERP_HEADER_LEN + KEY_LEN, pkt, len);
	s->len = frame_len;
	c->n_waiting++;
	if (c->state == LOGGED_IN)
		c->cfg.on_output(c->cfg.owner);
	return 0;
}

int derpclient_ping(struct derpclient *c, const uint8_t data[static DERP_PING_MIN])
{
	return c->state == LOGGED_IN ? control_frame(c, DERP_PING, data, DERP_PING_MIN)
				     : -ERR_CLOSED;
}

void derpclient_note_preferred(struct derpclient *c, bool home)
{
	if (c->home == home)
		return;
	c->home = home;
	if (c->state == LOGGED_IN &&
		control_frame(c, DERP_NOTE_PREFERRED, home ? "\1" : "\0", 1) < 0)
		c->cfg.hang_up(c->cfg.owner); /* a relay that does not read */
}

struct view derpclient_output(struct derpclient *c)
{
	if (buf_len(&c->out) || c->state < UPGRADING)
		return buf_view(&c->out);
	if (buf_len(&c->control)) {
		if (buf_append(&c->out, buf_data(&c->control), buf_len(&c->control)) < 0)
			return view_of(NULL, 0);
		buf_clear(&c->control);
	}
	while (c->state == LOGGED_IN && c->n_waiting && buf_len(&c->out) < DERPCLIENT_WRITE_MAX) {
		struct slot *s = &c->ring[c->head];

		if (buf_append(&c->out, s->mem, s->len) < 0)
			break;
		c->head = (c->head + 1) % DERPCLIENT_QUEUE_MAX;
		c->n_waiting--;
		c->n.packets_out++;
	}
	return buf_view(&c->out);
}

void derpclient_written(struct derpclient *c, size_t n)
{
	buf_consume(&c->out, MIN_OF(n, buf_len(&c->out)));
}

/* ---- Time ---- */

void derpclient_tick(struct derpclient *c, mono_ns now)
{
	bool late = !c->ready && now >= c->give_up_at;
	bool silent = c->ready && now - c->last_heard >= silence_limit;

	if (c->state == IDLE) {
		if (now >= c->dial_at)
			dial(c, now);
	} else if (late || silent) {
		c->give_up_at = MONO_NEVER; /* once: the owner reports the end */
		c->last_heard = now;
		c->cfg.hang_up(c->cfg.owner);
	}
}

mono_ns derpclient_deadline(const struct derpclient *c)
{
	if (c->state == IDLE)
		return c->dial_at;
	return c->ready ? mono_add(c->last_heard, silence_limit) : c->give_up_at;
}

bool derpclient_is_ready(const struct derpclient *c)
{
	return c->ready;
}

const struct node_pub *derpclient_server(const struct derpclient *c)
{
	return &c->server;
}

mono_ns derpclient_last_heard(const struct derpclient *c)
{
	return c->last_heard;
}

const struct derpclient_counters *derpclient_counters(const struct derpclient *c)
{
	return &c->n;
}
