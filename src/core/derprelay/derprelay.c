/*
 *   accepted --ClientInfo (login.c)--> logged in --close--> gone
 *       |  10 s                           |  bad frame, control buffer full
 *       +------> closed <-----------------+
 */
#include "core/derprelay/internal.h"
#include "crypto/ct/ct.h"

#include <errno.h>
#include <stdlib.h>

#define LOGIN_TIMEOUT SEC(10)

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
	list_init(&r->going);
	r->tell_left = DERPRELAY_TELL_MAX;
	rng_fill(cfg->rng, seed, sizeof(seed));
	map_init(&r->clients, seed);
	map_init(&r->heard, seed);
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
	map_fini(&r->heard);
	heap_fini(&r->wakes);
	heap_fini(&r->rechecks);
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

size_t derprelay_queued(const struct derprelay *r)
{
	return r->queued;
}

int derprelay_accept(struct derprelay *r, struct ipport remote, bool not_ideal, void *owner,
	mono_ns now, struct ledger_holder *holder, struct derpconn **ret)
{
	struct derpconn *c;

	if (r->cfg.max_conns && r->n_conns >= r->cfg.max_conns)
		return -ERR_TOO_MANY;
	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	c->relay = r;
	c->owner = owner;
	c->holder = holder;
	c->remote = remote;
	c->not_ideal = not_ideal;
	buf_init(&c->in, DERP_HEADER_LEN + DERP_CLIENT_INFO_MAX);
	buf_init(&c->control, DERPRELAY_CONTROL_MAX);
	buf_init(&c->writing, DERPRELAY_WRITE_MAX + DERPRELAY_CONTROL_MAX + DERP_HEADER_LEN +
				      KEY_LEN + DERP_PACKET_MAX);
	buf_set_holder(&c->in, holder);
	buf_set_holder(&c->control, holder);
	buf_set_holder(&c->writing, holder);
	list_init(&c->in_client);
	list_init(&c->watchers);
	list_init(&c->heard);
	list_init(&c->gone);
	list_init(&c->sent);
	queue_init(&c->disco);
	queue_init(&c->bulk);
	if (heap_set(&r->wakes, &c->wake, now + LOGIN_TIMEOUT) < 0) {
		free(c);
		return -ENOMEM;
	}
	list_push_tail(&r->conns, &c->all);
	r->n_conns++;
	r->n.accepted++;
	*ret = c;
	conn_control(c, DERP_SERVER_KEY,
		(struct view[]){
			view_of(derp_magic, DERP_MAGIC_LEN), view_of(r->public.b, KEY_LEN) },
		2);
	return 0;
}

void derprelay_close(struct derpconn *c)
{
	struct derprelay *r = c->relay;

	c->closing = true;
	list_remove(&c->all);
	list_remove(&c->watchers);
	r->n_conns--;
	heap_remove(&r->wakes, &c->wake);
	heard_conn_leaves(c);
	login_leave(c);
	queue_clear(r, &c->disco);
	queue_clear(r, &c->bulk);
	queue_sender_leaves(c);
	buf_fini(&c->in);
	buf_fini(&c->control);
	buf_fini(&c->writing);
	free(c);
}

/* What the longest frame that we read may announce; longer ones of unknown type are skipped without being kept. */
static size_t frame_max(const struct derpconn *c)
{
	return c->client ? 2 * KEY_LEN + DERP_PACKET_MAX : DERP_CLIENT_INFO_MAX;
}

/* The next whole frame, where it lies if it came in one piece. DERPFRAME_MORE: all input is taken, a piece is kept. */
static int next_frame(
	struct derpconn *c, const uint8_t **p, size_t *len, struct derpframe *ret, bool *ret_kept)
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
		want = buf_len(&c->in) < DERP_HEADER_LEN ? DERP_HEADER_LEN
							 : DERP_HEADER_LEN + ret->len;
		take = MIN_OF(*len, want - buf_len(&c->in));
		rc = buf_append(&c->in, *p, take);
		if (rc < 0)
			return rc;
		*p += take;
		*len -= take;
		*ret_kept = true;
	}
}

/* The header of a long unknown frame lies at the front of what is kept or of the input: forget both, count the rest. */
static void begin_skip(
	struct derpconn *c, const struct derpframe *f, const uint8_t **p, size_t *len)
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

static int take_frame(struct derpconn *c, const struct derpframe *f, bool kept, mono_ns now)
{
	int rc = c->client
			 ? 0
			 : login_preview(c, f->payload - DERP_HEADER_LEN, DERP_HEADER_LEN + f->len);

	if (rc == 0)
		rc = c->client ? frames_take(c, f, now) : login(c, f, now);
	if (kept)
		buf_consume(&c->in, DERP_HEADER_LEN + f->len);
	return rc;
}

static int feed(struct derpconn *c, const uint8_t *p, size_t len, mono_ns now)
{
	for (;;) {
		struct derpframe f = { 0 };
		size_t skip = MIN_OF(c->skip, len);
		bool kept;
		int rc;

		if (c->waiting) /* what comes behind its login is kept; the owner reads no more meanwhile */
			return buf_append(&c->in, p, len);
		p += skip;
		len -= skip;
		c->skip -= skip;
		rc = c->skip ? DERPFRAME_MORE : next_frame(c, &p, &len, &f, &kept);
		if (rc == -ERR_TOO_BIG && c->client && !frames_is_known(f.type)) {
			begin_skip(c, &f, &p, &len);
			continue;
		}
		if (rc == DERPFRAME_MORE) /* of a login, more is kept only if its key may be good */
			return c->client ? 0 : login_preview(c, buf_data(&c->in), buf_len(&c->in));
		if (rc == 0)
			rc = take_frame(c, &f, kept, now);
		if (rc < 0)
			return rc;
		if (c->closing)
			return -ERR_CLOSED;
	}
}

int derprelay_feed(struct derpconn *c, const uint8_t *p, size_t len, mono_ns now)
{
	bool was_client = c->client != NULL;
	int rc;

	if (c->closing)
		return -ERR_CLOSED;
	rc = feed(c, p, len, now);
	if (!buf_len(&c->in) && c->in.cap > DERPRELAY_KEEP_MAX)
		buf_fini(&c->in);
	if (rc < 0 && !c->closing) {
		c->relay->n.bad_frames += was_client;
		c->relay->n.bad_logins += !was_client;
	}
	return rc;
}

int derprelay_decide(struct derpconn *c, bool yes, mono_ns now)
{
	int rc;

	if (!c->waiting || c->closing)
		return 0;
	rc = login_decide(c, yes, now);
	return rc < 0 ? rc : derprelay_feed(c, (const uint8_t *)"", 0, now);
}

bool derprelay_waits(const struct derpconn *c)
{
	return c->waiting;
}

static bool control_write(struct derpconn *c)
{
	if (!buf_len(&c->control) ||
		buf_append(&c->writing, buf_data(&c->control), buf_len(&c->control)) < 0)
		return false;
	buf_clear(&c->control);
	c->pong_pending = false;
	return true;
}

struct view derprelay_output(struct derpconn *c)
{
	while (buf_len(&c->writing) < DERPRELAY_WRITE_MAX &&
		(control_write(c) || heard_write(c) || queue_write(c, &c->disco) ||
			queue_write(c, &c->bulk)))
		;
	if (!buf_len(&c->writing) && c->writing.cap > DERPRELAY_KEEP_MAX)
		buf_fini(&c->writing);
	return buf_view(&c->writing);
}

void derprelay_written(struct derpconn *c, size_t n)
{
	buf_consume(&c->writing, n);
}

void derprelay_tick(struct derprelay *r, mono_ns now)
{
	struct heap_node *n;

	heard_tick(r);
	login_rechecks(r, now);
	while ((n = heap_pop_due(&r->wakes, now))) {
		struct derpconn *c = container_of(n, struct derpconn, wake);

		if (!c->client) {
			r->n.bad_logins++;
			conn_ask_close(c);
			continue;
		}
		conn_control(c, DERP_KEEP_ALIVE, NULL, 0);
		queue_settle(c);
		if (heap_set(&r->wakes, &c->wake, now + c->keep_alive_period) < 0)
			conn_ask_close(c);
	}
}

mono_ns derprelay_deadline(const struct derprelay *r)
{
	if (!list_empty(&r->going))
		return 0; /* at once */
	return mono_min(heap_deadline(&r->wakes), heap_deadline(&r->rechecks));
}
