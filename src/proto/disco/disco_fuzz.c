/*
 * What was decoded encodes to something that decodes to the same; so does a message that was made of the bytes, also as a whole packet,
 * which nobody opens once a byte of it has changed.
 */
#include "proto/disco/disco.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void decoded(const uint8_t *data, size_t len)
{
	static uint8_t a[4 * DISCO_MESSAGE_MAX], b[4 * DISCO_MESSAGE_MAX];
	struct disco_msg m, again;
	int n, n2;

	if (disco_decode(data, len, &m) < 0)
		return;
	n = disco_encode(&m, a, sizeof(a));
	if (n < 0)
		return;
	if ((m.type == DISCO_CALL_ME_MAYBE_VIA || m.type == DISCO_ALLOCATE_RESPONSE) &&
		m.n_endpoints == 0)
		return; /* an empty message of another version has no encoding */
	if (m.type == DISCO_PING && !m.has_node_key && m.padding >= KEY_LEN)
		return; /* behind the zero key, so much padding reads as the zero key again: the original loses 32 bytes, too */
	CHECK(disco_decode(a, (size_t)n, &again) == 0);
	n2 = disco_encode(&again, b, sizeof(b));
	CHECK(n == n2 && memcmp(a, b, (size_t)n) == 0);
}

static struct ipport address(struct cur *c)
{
	uint8_t ip[16] = { 0 };
	struct ipport p;

	cur_copy(c, ip, sizeof(ip));
	p.ip = ipaddr_from16(ip);
	p.port = cur_be16(c);
	return p;
}

/* A message that a program of ours might send. */
static struct disco_msg made(struct cur *c)
{
	struct disco_msg m = { .type = (enum disco_type)(
				       DISCO_PING + cur_u8(c) % DISCO_ALLOCATE_RESPONSE) };
	bool has_relay = m.type == DISCO_CALL_ME_MAYBE_VIA || m.type == DISCO_ALLOCATE_RESPONSE;
	size_t n = cur_u8(c) % DISCO_ENDPOINTS_MAX;

	cur_copy(c, m.txid, sizeof(m.txid));
	cur_copy(c, m.node_key.b, KEY_LEN);
	m.has_node_key = !key_is_zero(m.node_key.b);
	m.padding = cur_u8(c) % KEY_LEN; /* more reads as a key, if there is none */
	m.src = address(c);
	m.bind = (struct disco_bind){ .vni = cur_be32(c), .generation = cur_be32(c) };
	m.relay = (struct disco_relay){
		.generation = cur_be32(c), .lamport_id = cur_be64(c), .vni = cur_be32(c)
	};
	if (has_relay || m.type == DISCO_CALL_ME_MAYBE)
		for (m.n_endpoints = 0; m.n_endpoints < n + has_relay; m.n_endpoints++)
			m.endpoint[m.n_endpoints] = address(c);
	return m;
}

static void sealed(
	const struct disco_msg *m, const uint8_t *plain, size_t n, uint8_t harm, size_t where)
{
	static uint8_t packet[4 * DISCO_MESSAGE_MAX], again[4 * DISCO_MESSAGE_MAX];
	static const uint8_t priv[KEY_LEN] = { 8, [31] = 65 };
	struct rng_seeded rng;
	struct disco_pub self;
	struct box_shared k;
	struct disco_msg got;
	int len;

	rng_seeded_init(&rng, 1);
	CHECK(key_public(priv, self.b) == 0 && box_precompute(&k, priv, self.b) == 0);
	len = disco_seal(&k, &self, &rng.rng, m, packet, sizeof(packet));
	if (len < 0)
		return;
	CHECK((size_t)len == n + DISCO_OVERHEAD && disco_looks_like(packet, (size_t)len));
	CHECK(memcmp(disco_sender(packet).b, self.b, KEY_LEN) == 0);
	CHECK(disco_open(&k, packet, (size_t)len, &got) == 0);
	CHECK(disco_encode(&got, again, sizeof(again)) == (int)n && memcmp(again, plain, n) == 0);
	if (harm) {
		where = DISCO_HEADER_LEN + where % ((size_t)len - DISCO_HEADER_LEN);
		packet[where] ^= harm;
		CHECK(disco_open(&k, packet, (size_t)len, &got) < 0);
	}
}

static void from_struct(const uint8_t *data, size_t len)
{
	static uint8_t a[4 * DISCO_MESSAGE_MAX], b[4 * DISCO_MESSAGE_MAX];
	struct cur c = cur_over(data, len);
	uint8_t harm = cur_u8(&c), where = cur_u8(&c);
	struct disco_msg m = made(&c), again;
	int n = disco_encode(&m, a, sizeof(a));

	CHECK(n > 0);
	CHECK(disco_decode(a, (size_t)n, &again) == 0);
	CHECK(again.type == m.type && again.n_endpoints == m.n_endpoints);
	CHECK(m.type != DISCO_PING ||
		(again.has_node_key == m.has_node_key && again.padding == m.padding));
	for (size_t i = 0; i < m.n_endpoints; i++)
		CHECK(ipport_eq(again.endpoint[i], m.endpoint[i]));
	CHECK(disco_encode(&again, b, sizeof(b)) == n && memcmp(a, b, (size_t)n) == 0);
	sealed(&m, a, (size_t)n, harm, where);
}

static void relayed(const uint8_t *data, size_t len)
{
	uint8_t out[GENEVE_LEN];
	struct geneve g, again;

	if (geneve_decode(data, len, &g) < 0)
		return;
	geneve_encode(&g, out);
	CHECK(geneve_decode(out, sizeof(out), &again) == 0);
	CHECK(again.version == g.version && again.control == g.control &&
		again.protocol == g.protocol && again.vni == g.vni);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	decoded(data, len);
	from_struct(data, len);
	relayed(data, len);
	return 0;
}
