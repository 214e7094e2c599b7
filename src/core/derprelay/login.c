/*
 *   first bytes --key may not--> closed          nothing was opened: refusing costs one look-up
 *   login --box opens, admit: yes--> client
 *                     admit: ask--> waiting --derprelay_decide--> client, or closed
 *
 * All connections with one key form a chain in order of arrival; the one that spoke last is active, and only it is written packets.
 */
#include "core/derprelay/internal.h"
#include "crypto/ct/ct.h"

#include <errno.h>
#include <stdlib.h>

#define KEEP_ALIVE SEC(60)
enum { KEEP_ALIVE_JITTER_MS = 5000 };

static enum derprelay_verdict verdict(
	const struct derpconn *c, const struct node_pub *key, bool proven)
{
	const struct derprelay_cfg *cfg = &c->relay->cfg;

	return cfg->admit ? cfg->admit(cfg->admit_ctx, c->owner, key, proven) : DERPRELAY_YES;
}

static int refuse(struct derpconn *c)
{
	c->relay->n.refused++;
	return -ERR_DENIED;
}

int login_preview(struct derpconn *c, const uint8_t *p, size_t len)
{
	struct node_pub key;

	if (c->asked || len < DERP_HEADER_LEN + KEY_LEN || p[0] != DERP_CLIENT_INFO)
		return 0;
	c->asked = true;
	memcpy(key.b, p + DERP_HEADER_LEN, KEY_LEN);
	return verdict(c, &key, false) == DERPRELAY_NO ? refuse(c) : 0;
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
	list_init(&cl->going);
	if (map_insert(&r->clients, &cl->node, cl->key.b, KEY_LEN) != 0) {
		free(cl);
		return NULL;
	}
	return cl;
}

void login_leave(struct derpconn *c)
{
	struct derprelay *r = c->relay;
	struct client *cl = c->client;

	if (!cl)
		return;
	c->client = NULL;
	list_remove(&c->in_client);
	cl->n_conns--;
	if (cl->n_conns) {
		if (cl->active == c)
			cl->active = container_of(cl->conns.prev, struct derpconn, in_client);
		return;
	}
	map_remove(&r->clients, &cl->node);
	heap_remove(&r->rechecks, &cl->recheck);
	list_for_each(l, &r->watchers)
		conn_send_gone(container_of(l, struct derpconn, watchers), &cl->key,
			DERP_GONE_DISCONNECTED);
	heard_client_gone(r, cl);
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

/* The oldest goes: who lost its connections without a word comes in again and again. */
static void keep_chain_short(struct client *cl)
{
	struct derpconn *oldest = container_of(cl->conns.next, struct derpconn, in_client);

	if (cl->n_conns <= DERPRELAY_SAME_KEY_MAX)
		return;
	oldest->relay->n.closed_same_key++;
	conn_ask_close(oldest);
	login_leave(oldest);
}

/* It leaves the strangers' share. Where every key may come, keys are no measure: an address counts as one, however many it has. */
static void count_as_member(struct derpconn *c, const struct node_pub *key)
{
	uint8_t place[LEDGER_ID_LEN] = { c->remote.ip.family };
	struct view v = ipaddr_place(&c->remote.ip);

	memcpy(place + 1, v.p, v.len);
	ledger_set_member(c->holder, c->relay->cfg.admit ? key->b : place);
}

static int64_t burst_of(int64_t rate)
{
	return MAX_OF(rate, (int64_t)DERPRELAY_BURST_MIN + RATE_OVERHEAD);
}

/* It is a client from here on. */
static int let_in(struct derpconn *c, const struct node_pub *key, mono_ns now)
{
	struct derprelay *r = c->relay;
	const int64_t rate = r->cfg.client_rate, burst = burst_of(rate);
	const struct derp_server_info answer = {
		.version = DERP_VERSION, .bytes_per_second = rate, .bytes_burst = rate ? burst : 0
	};
	int rc;

	/* Some slack: what leaves the client in time may arrive in a bunch. */
	bucket_init(&c->bucket, rate, burst + burst / 4);
	c->client = client_get(r, key);
	if (!c->client)
		return -ENOMEM;
	count_as_member(c, key);
	list_push_tail(&c->client->conns, &c->in_client);
	c->client->n_conns++;
	c->client->active = c;
	keep_chain_short(c->client);
	list_for_each(l, &r->watchers)
		conn_send_present(container_of(l, struct derpconn, watchers), c);
	c->keep_alive_period = KEEP_ALIVE + MSEC(rng_below(r->cfg.rng, KEEP_ALIVE_JITTER_MS));
	rc = heap_set(&r->wakes, &c->wake, now + c->keep_alive_period);
	if (rc == 0)
		rc = derp_server_info_encode(
			&c->control, r->cfg.private.b, key->b, r->cfg.rng, &answer);
	r->n.logins += rc == 0;
	r->cfg.on_output(c->owner);
	return rc;
}

int login(struct derpconn *c, const struct derpframe *f, mono_ns now)
{
	struct derprelay *r = c->relay;
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
	c->prober = info.is_prober;
	switch (verdict(c, &key, true)) {
	case DERPRELAY_NO:
		return refuse(c);
	case DERPRELAY_ASK:
		c->waiting = true;
		c->key = key;
		r->n.asked++;
		return 0;
	case DERPRELAY_YES:
		break;
	}
	return let_in(c, &key, now);
}

int login_decide(struct derpconn *c, bool yes, mono_ns now)
{
	c->waiting = false;
	return yes ? let_in(c, &c->key, now) : refuse(c);
}

static void check_again(struct derprelay *r, struct client *cl)
{
	if (verdict(cl->active, &cl->key, true) != DERPRELAY_NO)
		return;
	list_for_each(l, &cl->conns) {
		r->n.refused++;
		conn_ask_close(container_of(l, struct derpconn, in_client));
	}
}

void derprelay_recheck(struct derprelay *r, const struct node_pub *key, mono_ns now)
{
	struct map_node *n = map_find(&r->clients, key->b, KEY_LEN);
	struct client *cl = n ? container_of(n, struct client, node) : NULL;

	if (cl && !cl->recheck.pos &&
		heap_set(&r->rechecks, &cl->recheck, now + DERPRELAY_GRACE) < 0)
		check_again(r, cl); /* without memory for the grace, without it */
}

void login_rechecks(struct derprelay *r, mono_ns now)
{
	struct heap_node *n;

	while ((n = heap_pop_due(&r->rechecks, now)))
		check_again(r, container_of(n, struct client, recheck));
}
