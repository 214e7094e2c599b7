/*
 *   accepted --ClientInfo--> logged in --close--> gone
 *       |  10 s                  |  bad frame, control buffer full
 *       +------> closed <--------+
 *
 * All connections with one key form a chain in order of arrival; the one that spoke last is active, and only it is
 * written packets.
 */
#include "core/derprelay/derprelay.h"
#include "base/bucket/bucket.h"
#include "base/heap/heap.h"
#include "base/list/list.h"
#include "base/map/map.h"
#include "crypto/ct/ct.h"
#include "proto/disco/disco.h"

#include <errno.h>

#define LOGIN_TIMEOUT SEC(10)
#define KEEP_ALIVE SEC(60)
enum { RATE_OVERHEAD = DERP_HEADER_LEN + KEY_LEN }; /* charged beside the packet, as clients count */
enum { KEEP_ALIVE_JITTER_MS = 5000, GONE_BURST = 3, HEARD_MAX = 4096 };

struct packet {
	struct list link;
	size_t len;
	uint8_t frame[];
};

struct queue {
	struct list packets;
	size_t n;
};

/* All connections of one key. */
struct client {
	struct map_node node;
	struct node_pub key;
	struct list conns; /* oldest first */
	struct derpconn *active;
	struct list heard_by; /* struct heard of connections that got packets from this key */
};

/* "We wrote this connection a packet from that client": it is told when the client goes. */
struct heard {
	struct list by_client, by_conn;
	struct derpconn *conn;
};

struct derpconn {
	struct derprelay *relay;
	void *owner;
	struct client *client; /* NULL before login */
	struct list in_client, all, watchers;
	struct ipport remote;
	bool not_ideal, prober, mesh, watching, preferred, pong_pending, closing;
	struct buf in, control, writing;
	struct queue disco, bulk;
	struct list heard;
	size_t n_heard, skip; /* bytes of a long unknown frame that are still to come */
	struct heap_node wake;
	mono_ns keep_alive_period, gone_refill;
	unsigned gone_tokens;
	struct bucket bucket; /* what it may send */
};

struct derprelay {
	struct derprelay_cfg cfg;
	struct node_pub public;
	struct map clients;
	struct list conns, watchers;
	size_t n_conns;
	struct heap wakes;
	struct derprelay_counters n;
};

int derprelay_new(struct derprelay **ret, const struct derprelay_cfg *cfg)
{
	struct derprelay *r = calloc(1, sizeof(*r));
	uint8_t seed[16];
	int rc;

	if (!r)
		return -ENOMEM;
	r->cfg = *cfg;
	list_init(&r->conns);
	list_init(&r->watchers);
	rng_fill(cfg->rng, seed, sizeof(seed));
	map_init(&r->clients, seed);
	rc = key_public(cfg->private.b, r->public.b);
	if (rc < 0) {
		derprelay_free(r);
		return rc;
	}
	*ret = r;
	return 0;
}

struct derprelay *derprelay_free(struct derprelay *r)
{
	if (!r)
		return NULL;
	CHECK(list_empty(&r->conns));
	map_fini(&r->clients);
	heap_fini(&r->wakes);
	ct_wipe(r, sizeof(*r));
	free(r);
	return NULL;
}

const struct node_pub *derprelay_public(const struct derprelay *r)
{
	return &r->public;
}

const struct derprelay_counters *derprelay_counters(const struct derprelay *r)
{
	return &r->n;
}

size_t derprelay_clients(const struct derprelay *r)
{
	return r->clients.n_items;
}

/* The owner closes when it gets to it; until then the connection takes and gives nothing. */
static void ask_close(struct derpconn *c)
{
	if (c->closing)
		return;
	c->closing = true;
	c->relay->cfg.on_close(c->owner);
}

static void control_frame(struct derpconn *c, enum derpframe_type type, const struct view *parts, size_t n_parts)
{
	uint8_t head[DERP_HEADER_LEN];
	size_t len = 0;
	int rc;

	if (c->closing)
		return;
	for (size_t i = 0; i < n_parts; i++)
		len += parts[i].len;
	derpframe_header(head, type, len);
	rc = buf_len(&c->control) + len + sizeof(head) > DERPRELAY_CONTROL_MAX ? -ERR_TOO_BIG :
										 buf_append(&c->control, head, sizeof(head));
	for (size_t i = 0; i < n_parts && rc == 0; i++)
		rc = buf_append(&c->control, parts[i].p, parts[i].len);
	if (rc < 0) {
		c->relay->n.closed_slow++;
		ask_close(c);
		return;
	}
	c->relay->cfg.on_output(c->owner);
}

static void send_gone(struct derpconn *c, const struct node_pub *key, enum derp_gone reason)
{
	uint8_t why = (uint8_t)reason;

	c->relay->n.peer_gone_sent++;
	control_frame(c, DERP_PEER_GONE, (struct view[]){ view_of(key->b, KEY_LEN), view_of(&why, 1) }, 2);
}

static void send_present(struct derpconn *to, const struct derpconn *c)
{
	uint8_t tail[16 + 2 + 1], flags;

	flags = (uint8_t)((c->mesh ? DERP_PRESENT_MESH : 0) | (c->prober ? DERP_PRESENT_PROBER : 0) |
		(c->not_ideal ? DERP_PRESENT_NOT_IDEAL : 0));
	ipaddr_to16(c->remote.ip, tail);
	store_be16(tail + 16, c->remote.port);
	tail[18] = flags ? flags : DERP_PRESENT_REGULAR;
	control_frame(to, DERP_PEER_PRESENT,
		(struct view[]){ view_of(c->client->key.b, KEY_LEN), view_of(tail, sizeof(tail)) }, 2);
}

int derprelay_accept(struct derprelay *r, struct ipport remote, bool not_ideal, void *owner, mono_ns now,
	struct derpconn **ret)
{
	struct derpconn *c;

	if (r->cfg.max_conns && r->n_conns >= r->cfg.max_conns)
		return -ERR_TOO_MANY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->relay = r;
	c->owner = owner;
	c->remote = remote;
	c->not_ideal = not_ideal;
	c->gone_tokens = GONE_BURST;
	buf_init(&c->in, DERP_HEADER_LEN + DERP_CLIENT_INFO_MAX);
	buf_init(&c->control, DERPRELAY_CONTROL_MAX);
	buf_init(&c->writing, DERPRELAY_WRITE_MAX + DERP_HEADER_LEN + KEY_LEN + DERP_PACKET_MAX);
	list_init(&c->in_client);
	list_init(&c->watchers);
	list_init(&c->heard);
	list_init(&c->disco.packets);
	list_init(&c->bulk.packets);
	if (heap_set(&r->wakes, &c->wake, now + LOGIN_TIMEOUT) < 0) {
		free(c);
		return -ENOMEM;
	}
	list_push_tail(&r->conns, &c->all);
	r->n_conns++;
	r->n.accepted++;
	*ret = c;
	control_frame(c, DERP_SERVER_KEY,
		(struct view[]){ view_of(derp_magic, DERP_MAGIC_LEN), view_of(r->public.b, KEY_LEN) }, 2);
	return 0;
}

static void queue_clear(struct derprelay *r, struct queue *q)
{
	struct list *l;

	while ((l = list_pop_head(&q->packets))) {
		free(container_of(l, struct packet, link));
		r->n.drop_gone++;
	}
	q->n = 0;
}

static void heard_free(struct heard *h)
{
	list_remove(&h->by_client);
	list_remove(&h->by_conn);
	h->conn->n_heard--;
	free(h);
}

/* The last connection of a key is gone: whoever heard from it is told, and the watchers. */
static void client_gone(struct derprelay *r, struct client *cl)
{
	map_remove(&r->clients, &cl->node);
	list_for_each_safe(l, &cl->heard_by) {
		struct heard *h = container_of(l, struct heard, by_client);

		send_gone(h->conn, &cl->key, DERP_GONE_DISCONNECTED);
		heard_free(h);
	}
	list_for_each(l, &r->watchers)
		send_gone(container_of(l, struct derpconn, watchers), &cl->key, DERP_GONE_DISCONNECTED);
	free(cl);
}

void derprelay_close(struct derpconn *c)
{
	struct derprelay *r = c->relay;
	struct client *cl = c->client;

	c->closing = true;
	list_remove(&c->all);
	list_remove(&c->watchers);
	r->n_conns--;
	heap_remove(&r->wakes, &c->wake);
	list_for_each_safe(l, &c->heard)
		heard_free(container_of(l, struct heard, by_conn));
	if (cl) {
		list_remove(&c->in_client);
		if (list_empty(&cl->conns))
			client_gone(r, cl);
		else if (cl->active == c)
			cl->active = container_of(cl->conns.prev, struct derpconn, in_client);
	}
	queue_clear(r, &c->disco);
	queue_clear(r, &c->bulk);
	buf_fini(&c->in);
	buf_fini(&c->control);
	buf_fini(&c->writing);
	free(c);
}

static struct client *client_get(struct derprelay *r, const struct node_pub *key)
{
	struct map_node *n = map_find(&r->clients, key->b, KEY_LEN);
	struct client *cl;

	if (n)
		return container_of(n, struct client, node);
	cl = calloc(1, sizeof(*cl));
	if (!cl)
		return NULL;
	cl->key = *key;
	list_init(&cl->conns);
	list_init(&cl->heard_by);
	if (map_insert(&r->clients, &cl->node, cl->key.b, KEY_LEN) != 0) {
		free(cl);
		return NULL;
	}
	return cl;
}

static int check_mesh_key(struct derpconn *c, const char *text)
{
	const uint8_t *own = c->relay->cfg.mesh_key;
	uint8_t key[KEY_LEN];

	if (!text)
		return 0;
	if (key_parse_untyped(text, strlen(text), key) < 0)
		return -ERR_BAD_VALUE;
	c->mesh = own && ct_equal(own, key, KEY_LEN);
	return 0;
}

static int login(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	struct derprelay *r = c->relay;
	const int64_t rate = c->relay->cfg.client_rate, burst = MAX_OF(rate, (int64_t)DERPRELAY_BURST_MIN + RATE_OVERHEAD);
	const struct derp_server_info answer = { .version = DERP_VERSION, .bytes_per_second = rate, .bytes_burst = rate ? burst : 0 };
	struct derp_client_info info;
	struct node_pub key;
	struct arena a;
	int rc;

	if (f->type != DERP_CLIENT_INFO)
		return -ERR_BAD_TYPE;
	arena_init(&a, 4 * DERP_CLIENT_INFO_MAX);
	rc = derp_client_info_decode(f->payload, f->len, r->cfg.private.b, &a, &key, &info);
	if (rc == 0)
		rc = check_mesh_key(c, info.mesh_key);
	arena_fini(&a);
	if (rc < 0)
		return rc;
	/* Some slack: what leaves the client in time may arrive in a bunch. */
	bucket_init(&c->bucket, rate, burst + burst / 4, now);
	c->prober = info.is_prober;
	c->client = client_get(r, &key);
	if (!c->client)
		return -ENOMEM;
	list_push_tail(&c->client->conns, &c->in_client);
	c->client->active = c;
	list_for_each(l, &r->watchers)
		send_present(container_of(l, struct derpconn, watchers), c);
	c->keep_alive_period = KEEP_ALIVE + MSEC(rng_below(r->cfg.rng, KEEP_ALIVE_JITTER_MS));
	rc = heap_set(&r->wakes, &c->wake, now + c->keep_alive_period);
	if (rc == 0)
		rc = derp_server_info_encode(&c->control, r->cfg.private.b, key.b, r->cfg.rng, &answer);
	r->n.logins += rc == 0;
	r->cfg.on_output(c->owner);
	return rc;
}

static void note_heard(struct derpconn *dst, struct client *from)
{
	struct heard *h;

	/* The latest hearer is in front: a conversation finds its note at once. */
	list_for_each(l, &from->heard_by) {
		h = container_of(l, struct heard, by_client);
		if (h->conn != dst)
			continue;
		list_remove(&h->by_client);
		list_push_head(&from->heard_by, &h->by_client);
		return;
	}
	if (dst->n_heard >= HEARD_MAX)
		return;
	h = calloc(1, sizeof(*h));
	if (!h)
		return; /* only a hint is lost */
	h->conn = dst;
	list_push_head(&from->heard_by, &h->by_client);
	list_push_head(&dst->heard, &h->by_conn);
	dst->n_heard++;
}

static void enqueue(struct derpconn *dst, const uint8_t *src_key, const uint8_t *pkt, size_t len)
{
	struct derprelay *r = dst->relay;
	struct queue *q = disco_looks_like(pkt, len) ? &dst->disco : &dst->bulk;
	struct packet *p;

	if (dst->closing) {
		r->n.drop_gone++;
		return;
	}
	p = malloc(sizeof(*p) + DERP_HEADER_LEN + KEY_LEN + len);
	if (!p) {
		r->n.drop_queue_head++;
		return;
	}
	if (q->n == DERPRELAY_QUEUE_MAX) {
		free(container_of(list_pop_head(&q->packets), struct packet, link));
		q->n--;
		r->n.drop_queue_head++;
	}
	p->len = DERP_HEADER_LEN + KEY_LEN + len;
	derpframe_header(p->frame, DERP_RECV_PACKET, KEY_LEN + len);
	memcpy(p->frame + DERP_HEADER_LEN, src_key, KEY_LEN);
	if (len)
		memcpy(p->frame + DERP_HEADER_LEN + KEY_LEN, pkt, len);
	list_push_tail(&q->packets, &p->link);
	q->n++;
	r->cfg.on_output(dst->owner);
}

/* "Not here" answers only packets that look like disco, 3 at once and then one a second. */
static void answer_unknown(struct derpconn *c, const struct node_pub *dst, struct view pkt, mono_ns now)
{
	c->relay->n.drop_unknown_dest++;
	if (!disco_looks_like(pkt.p, pkt.len))
		return;
	if (now - c->gone_refill >= SEC(1)) {
		mono_ns whole = (now - c->gone_refill) / SEC(1);

		c->gone_tokens = (unsigned)MIN_OF(whole + c->gone_tokens, (mono_ns)GONE_BURST);
		c->gone_refill = now;
	}
	if (!c->gone_tokens)
		return;
	c->gone_tokens--;
	send_gone(c, dst, DERP_GONE_NOT_HERE);
}

static int packet_frame(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	struct derprelay *r = c->relay;
	struct cur cur = cur_over(f->payload, f->len);
	struct node_pub src = c->client->key, dst;
	struct map_node *n;
	struct view pkt;

	if (f->type == DERP_FORWARD_PACKET)
		cur_copy(&cur, src.b, KEY_LEN);
	cur_copy(&cur, dst.b, KEY_LEN);
	pkt = cur_rest(&cur);
	if (cur.bad)
		return -ERR_TRUNCATED;
	if (pkt.len > DERP_PACKET_MAX)
		return -ERR_TOO_BIG;
	r->n.packets_in++;
	r->n.bytes_in += pkt.len;
	if (!c->mesh && !bucket_take(&c->bucket, (int64_t)pkt.len + RATE_OVERHEAD, now)) {
		r->n.drop_rate++;
		return 0;
	}
	n = map_find(&r->clients, dst.b, KEY_LEN);
	if (!n) {
		answer_unknown(c, &dst, pkt, now);
		return 0;
	}
	{
		struct client *to = container_of(n, struct client, node);

		if (f->type == DERP_SEND_PACKET)
			note_heard(to->active, c->client);
		enqueue(to->active, src.b, pkt.p, pkt.len);
	}
	return 0;
}

static int watch(struct derpconn *c)
{
	struct derprelay *r = c->relay;

	if (!c->mesh)
		return -ERR_DENIED;
	if (c->watching)
		return 0;
	c->watching = true;
	if (memcmp(c->client->key.b, r->public.b, KEY_LEN) == 0)
		return 0; /* this server itself */
	map_for_each(n, &r->clients) {
		struct client *cl = container_of(n, struct client, node);

		send_present(c, cl->active);
	}
	list_push_tail(&r->watchers, &c->watchers);
	return 0;
}

static int close_peer(struct derpconn *c, const struct derpframe *f)
{
	struct map_node *n;

	if (f->len != KEY_LEN)
		return -ERR_BAD_VALUE;
	if (!c->mesh)
		return -ERR_DENIED;
	n = map_find(&c->relay->clients, f->payload, KEY_LEN);
	if (n) {
		struct client *cl = container_of(n, struct client, node);

		list_for_each_safe(l, &cl->conns)
			ask_close(container_of(l, struct derpconn, in_client));
	}
	return 0;
}

static int ping(struct derpconn *c, const struct derpframe *f)
{
	if (f->len < DERP_PING_MIN || f->len > DERP_PING_MAX)
		return -ERR_BAD_VALUE;
	if (c->pong_pending) /* one at a time */
		return 0;
	c->pong_pending = true;
	control_frame(c, DERP_PONG, (struct view[]){ view_of(f->payload, DERP_PING_MIN) }, 1);
	return 0;
}

static int steady_frame(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	c->client->active = c; /* who speaks last gets the packets */
	switch (f->type) {
	case DERP_SEND_PACKET:
		return packet_frame(c, f, now);
	case DERP_FORWARD_PACKET:
		return c->mesh ? packet_frame(c, f, now) : -ERR_DENIED;
	case DERP_NOTE_PREFERRED:
		if (f->len != 1)
			return -ERR_BAD_VALUE;
		c->preferred = f->payload[0] != 0;
		return 0;
	case DERP_PING:
		return ping(c, f);
	case DERP_WATCH_CONNS:
		return f->len ? -ERR_BAD_VALUE : watch(c);
	case DERP_CLOSE_PEER:
		return close_peer(c, f);
	default:
		c->relay->n.unknown_frames++;
		return 0;
	}
}

/* What the longest frame that we read may announce; longer ones of unknown type are skipped without being kept. */
static size_t frame_max(const struct derpconn *c)
{
	return c->client ? 2 * KEY_LEN + DERP_PACKET_MAX : DERP_CLIENT_INFO_MAX;
}

/* The next whole frame, where it lies if it came in one piece. DERPFRAME_MORE: all input is taken, a piece is kept. */
static int next_frame(struct derpconn *c, const uint8_t **p, size_t *len, struct derpframe *ret, bool *ret_kept)
{
	size_t max = frame_max(c), want, take;
	int rc;

	*ret_kept = buf_len(&c->in) > 0;
	if (!*ret_kept) {
		rc = derpframe_next(*p, *len, max, ret);
		if (rc == 0) {
			*p += DERP_HEADER_LEN + ret->len;
			*len -= DERP_HEADER_LEN + ret->len;
		}
		if (rc != DERPFRAME_MORE)
			return rc;
	}
	for (;;) { /* at most twice: the header, then the rest */
		rc = derpframe_next(buf_data(&c->in), buf_len(&c->in), max, ret);
		if (rc != DERPFRAME_MORE || !*len)
			return rc;
		want = buf_len(&c->in) < DERP_HEADER_LEN ? DERP_HEADER_LEN : DERP_HEADER_LEN + ret->len;
		take = MIN_OF(*len, want - buf_len(&c->in));
		rc = buf_append(&c->in, *p, take);
		if (rc < 0)
			return rc;
		*p += take;
		*len -= take;
		*ret_kept = true;
	}
}

static bool is_known(uint8_t type)
{
	return type == DERP_SEND_PACKET || type == DERP_FORWARD_PACKET || type == DERP_NOTE_PREFERRED || type == DERP_PING ||
		type == DERP_WATCH_CONNS || type == DERP_CLOSE_PEER;
}

/* The header of a long unknown frame lies at the front of what is kept or of the input: forget both, count the rest. */
static void begin_skip(struct derpconn *c, const struct derpframe *f, const uint8_t **p, size_t *len)
{
	size_t kept = buf_len(&c->in);

	c->relay->n.unknown_frames++;
	buf_clear(&c->in);
	if (!kept) {
		*p += DERP_HEADER_LEN;
		*len -= DERP_HEADER_LEN;
	}
	c->skip = f->len;
}

int derprelay_feed(struct derpconn *c, const uint8_t *p, size_t len, mono_ns now)
{
	for (;;) {
		struct derpframe f = { 0 };
		size_t skip = MIN_OF(c->skip, len);
		bool kept;
		int rc;

		p += skip;
		len -= skip;
		c->skip -= skip;
		rc = c->closing ? -ERR_CLOSED : c->skip ? DERPFRAME_MORE : next_frame(c, &p, &len, &f, &kept);
		if (rc == -ERR_TOO_BIG && c->client && !is_known(f.type)) {
			begin_skip(c, &f, &p, &len);
			continue;
		}
		if (rc == DERPFRAME_MORE)
			return 0;
		if (rc == 0) {
			rc = c->client ? steady_frame(c, &f, now) : login(c, &f, now);
			if (kept)
				buf_consume(&c->in, DERP_HEADER_LEN + f.len);
		}
		if (rc < 0) {
			if (c->client)
				c->relay->n.bad_frames++;
			else
				c->relay->n.bad_logins++;
			return rc;
		}
	}
}

static bool take_packet(struct derpconn *c, struct queue *q)
{
	struct packet *p;
	bool ok;

	if (!q->n)
		return false;
	p = container_of(q->packets.next, struct packet, link);
	ok = buf_append(&c->writing, p->frame, p->len) == 0;
	if (!ok)
		return false;
	c->relay->n.packets_out++;
	c->relay->n.bytes_out += p->len - DERP_HEADER_LEN - KEY_LEN;
	list_remove(&p->link);
	q->n--;
	free(p);
	return true;
}

struct view derprelay_output(struct derpconn *c)
{
	if (buf_len(&c->writing) < DERPRELAY_WRITE_MAX && buf_len(&c->control)) {
		if (buf_append(&c->writing, buf_data(&c->control), buf_len(&c->control)) == 0) {
			buf_clear(&c->control);
			c->pong_pending = false;
		}
	}
	while (buf_len(&c->writing) < DERPRELAY_WRITE_MAX && (take_packet(c, &c->disco) || take_packet(c, &c->bulk)))
		;
	return buf_view(&c->writing);
}

void derprelay_written(struct derpconn *c, size_t n)
{
	buf_consume(&c->writing, n);
}

void derprelay_tick(struct derprelay *r, mono_ns now)
{
	struct heap_node *n;

	while ((n = heap_pop_due(&r->wakes, now))) {
		struct derpconn *c = container_of(n, struct derpconn, wake);

		if (!c->client) {
			r->n.bad_logins++;
			ask_close(c);
			continue;
		}
		control_frame(c, DERP_KEEP_ALIVE, NULL, 0);
		if (heap_set(&r->wakes, &c->wake, now + c->keep_alive_period) < 0)
			ask_close(c);
	}
}

mono_ns derprelay_deadline(const struct derprelay *r)
{
	return heap_deadline(&r->wakes);
}
