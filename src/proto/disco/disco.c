#include "proto/disco/disco.h"
#include "base/err/err.h"

const uint8_t disco_magic[DISCO_MAGIC_LEN] = { 'T', 'S', 0xf0, 0x9f, 0x92, 0xac };

enum { ADDRPORT_LEN = 18, BIND_LEN = 72, RELAY_LEN = 124 };

bool disco_looks_like(const uint8_t *p, size_t len)
{
	return len >= DISCO_MIN_LEN && memcmp(p, disco_magic, DISCO_MAGIC_LEN) == 0;
}

struct disco_pub disco_sender(const uint8_t *p)
{
	struct disco_pub k;

	memcpy(k.b, p + DISCO_MAGIC_LEN, KEY_LEN);
	return k;
}

static struct ipport get_addr(struct cur *c)
{
	struct ipport a = { 0 };
	uint8_t ip[16] = { 0 };

	cur_copy(c, ip, sizeof(ip));
	a.port = cur_be16(c);
	a.ip = ipaddr_from16(ip);
	return a;
}

static void put_addr(struct wcur *w, const struct ipport *a)
{
	uint8_t ip[16];

	ipaddr_to16(a->ip, ip);
	wcur_copy(w, ip, sizeof(ip));
	wcur_be16(w, a->port);
}

static void get_endpoints(struct cur *c, struct disco_msg *m)
{
	while (cur_left(c) >= ADDRPORT_LEN && m->n_endpoints < DISCO_ENDPOINTS_MAX)
		m->endpoint[m->n_endpoints++] = get_addr(c);
}

static void get_ping(struct cur *c, struct disco_msg *m)
{
	cur_copy(c, m->txid, DISCO_TXID_LEN);
	if (cur_left(c) >= KEY_LEN) {
		cur_copy(c, m->node_key.b, KEY_LEN);
		m->has_node_key = !key_is_zero(m->node_key.b); /* padding looks like the zero key */
	}
	m->padding = cur_left(c);
}

static void get_bind(struct cur *c, struct disco_bind *b)
{
	b->vni = cur_be32(c);
	b->generation = cur_be32(c);
	cur_copy(c, b->remote.b, KEY_LEN);
	cur_copy(c, b->challenge, sizeof(b->challenge));
}

static int get_relay(struct cur *c, struct disco_msg *m)
{
	struct disco_relay *r = &m->relay;

	cur_copy(c, r->server.b, KEY_LEN);
	cur_copy(c, r->client[0].b, KEY_LEN);
	cur_copy(c, r->client[1].b, KEY_LEN);
	r->lamport_id = cur_be64(c);
	r->vni = cur_be32(c);
	r->bind_lifetime_ns = cur_be64(c);
	r->steady_lifetime_ns = cur_be64(c);
	if (cur_left(c) < ADDRPORT_LEN || cur_left(c) % ADDRPORT_LEN)
		return -ERR_BAD_VALUE;
	get_endpoints(c, m);
	return 0;
}

int disco_decode(const uint8_t *p, size_t len, struct disco_msg *ret)
{
	struct cur c = cur_over(p, len);
	struct disco_msg m = { 0 };
	uint8_t type = cur_u8(&c), version = cur_u8(&c);
	int rc = 0;

	if (c.bad)
		return -ERR_TRUNCATED;
	if (type < DISCO_PING || type > DISCO_ALLOCATE_RESPONSE)
		return -ERR_BAD_TYPE;
	m.type = (enum disco_type)type;
	switch (m.type) {
	case DISCO_PING:
		get_ping(&c, &m);
		break;
	case DISCO_PONG:
		cur_copy(&c, m.txid, DISCO_TXID_LEN);
		m.src = get_addr(&c);
		break;
	case DISCO_CALL_ME_MAYBE:
		if (version == 0 && cur_left(&c) % ADDRPORT_LEN == 0)
			get_endpoints(&c, &m);
		break;
	case DISCO_BIND:
	case DISCO_BIND_CHALLENGE:
	case DISCO_BIND_ANSWER:
		get_bind(&c, &m.bind);
		break;
	case DISCO_CALL_ME_MAYBE_VIA:
		if (version == 0)
			rc = get_relay(&c, &m);
		break;
	case DISCO_ALLOCATE_REQUEST:
		if (version == 0) {
			cur_copy(&c, m.relay.client[0].b, KEY_LEN);
			cur_copy(&c, m.relay.client[1].b, KEY_LEN);
			m.relay.generation = cur_be32(&c);
		}
		break;
	case DISCO_ALLOCATE_RESPONSE:
		if (version == 0) {
			m.relay.generation = cur_be32(&c);
			rc = get_relay(&c, &m);
		}
		break;
	}
	if (c.bad)
		return -ERR_TRUNCATED;
	if (rc < 0)
		return rc;
	*ret = m;
	return 0;
}

static void put_endpoints(struct wcur *w, const struct disco_msg *m)
{
	for (size_t i = 0; i < m->n_endpoints; i++)
		put_addr(w, &m->endpoint[i]);
}

static void put_relay(struct wcur *w, const struct disco_msg *m)
{
	const struct disco_relay *r = &m->relay;

	wcur_copy(w, r->server.b, KEY_LEN);
	wcur_copy(w, r->client[0].b, KEY_LEN);
	wcur_copy(w, r->client[1].b, KEY_LEN);
	wcur_be64(w, r->lamport_id);
	wcur_be32(w, r->vni);
	wcur_be64(w, r->bind_lifetime_ns);
	wcur_be64(w, r->steady_lifetime_ns);
	put_endpoints(w, m);
}

int disco_encode(const struct disco_msg *m, uint8_t *out, size_t max)
{
	struct wcur w = wcur_over(out, max);

	wcur_u8(&w, (uint8_t)m->type);
	wcur_u8(&w, 0);
	switch (m->type) {
	case DISCO_PING:
		wcur_copy(&w, m->txid, DISCO_TXID_LEN);
		if (m->has_node_key)
			wcur_copy(&w, m->node_key.b, KEY_LEN);
		wcur_zero(&w, m->padding);
		break;
	case DISCO_PONG:
		wcur_copy(&w, m->txid, DISCO_TXID_LEN);
		put_addr(&w, &m->src);
		break;
	case DISCO_CALL_ME_MAYBE:
		put_endpoints(&w, m);
		break;
	case DISCO_BIND:
	case DISCO_BIND_CHALLENGE:
	case DISCO_BIND_ANSWER:
		wcur_be32(&w, m->bind.vni);
		wcur_be32(&w, m->bind.generation);
		wcur_copy(&w, m->bind.remote.b, KEY_LEN);
		wcur_copy(&w, m->bind.challenge, sizeof(m->bind.challenge));
		break;
	case DISCO_CALL_ME_MAYBE_VIA:
		put_relay(&w, m);
		break;
	case DISCO_ALLOCATE_REQUEST:
		wcur_copy(&w, m->relay.client[0].b, KEY_LEN);
		wcur_copy(&w, m->relay.client[1].b, KEY_LEN);
		wcur_be32(&w, m->relay.generation);
		break;
	case DISCO_ALLOCATE_RESPONSE:
		wcur_be32(&w, m->relay.generation);
		put_relay(&w, m);
		break;
	}
	return w.bad ? -ERR_TOO_BIG : (int)wcur_len(&w);
}

int disco_open(const struct box_shared *k, const uint8_t *pkt, size_t len, struct disco_msg *ret)
{
	uint8_t plain[DISCO_MESSAGE_MAX];
	int rc;

	if (!disco_looks_like(pkt, len) || len < DISCO_OVERHEAD)
		return -ERR_TRUNCATED;
	if (len - DISCO_OVERHEAD > sizeof(plain))
		return -ERR_TOO_BIG;
	rc = box_open(k, pkt + DISCO_HEADER_LEN, len - DISCO_HEADER_LEN, plain);
	if (rc < 0)
		return rc;
	return disco_decode(plain, len - DISCO_OVERHEAD, ret);
}

int disco_seal(const struct box_shared *k, const struct disco_pub *self, struct rng *rng,
	const struct disco_msg *m, uint8_t *out, size_t max)
{
	uint8_t plain[DISCO_MESSAGE_MAX], nonce[BOX_NONCE_LEN];
	int n = disco_encode(m, plain, sizeof(plain));

	if (n < 0)
		return n;
	if ((size_t)n + DISCO_OVERHEAD > max)
		return -ERR_TOO_BIG;
	memcpy(out, disco_magic, DISCO_MAGIC_LEN);
	memcpy(out + DISCO_MAGIC_LEN, self->b, KEY_LEN);
	rng_fill(rng, nonce, sizeof(nonce));
	box_seal(k, nonce, plain, (size_t)n, out + DISCO_HEADER_LEN);
	return n + DISCO_OVERHEAD;
}

int geneve_decode(const uint8_t *p, size_t len, struct geneve *ret)
{
	struct cur c = cur_over(p, len);
	uint8_t version = cur_u8(&c), flags = cur_u8(&c);
	struct geneve g = {
		.version = version >> 6, .control = flags & 0x80, .protocol = cur_be16(&c)
	};

	g.vni = cur_be32(&c) >> 8;
	if (c.bad)
		return -ERR_TRUNCATED;
	*ret = g;
	return 0;
}

void geneve_encode(const struct geneve *g, uint8_t out[static GENEVE_LEN])
{
	out[0] = (uint8_t)(g->version << 6);
	out[1] = g->control ? 0x80 : 0;
	store_be16(out + 2, g->protocol);
	store_be32(out + 4, g->vni << 8);
}
