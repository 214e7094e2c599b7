#include "crypto/noise/noise.h"
#include "base/err/err.h"
#include "crypto/blake2s/blake2s.h"
#include "crypto/ct/ct.h"

enum {
	TYPE_INITIATION = 1,
	TYPE_RESPONSE = 2,
	TYPE_ERROR = 3,
	TYPE_RECORD = 4,
	INITIATION_HEADER_LEN = 5
};

static const uint8_t zero_nonce[CHAPOLY_NONCE_LEN];

static void mix_hash(struct noise_state *s, const void *p, size_t n)
{
	blake2s_hash(s->hash, (struct view[]){ view_of(s->hash, 32), view_of(p, n) }, 2);
}

static int mix_dh(
	struct noise_state *s, const uint8_t *priv, const uint8_t *pub, uint8_t key[static 32])
{
	uint8_t dh[KEY_LEN];
	int rc = key_dh(priv, pub, dh);

	if (rc == 0)
		blake2s_kdf(s->chain, key, NULL, s->chain, dh, sizeof(dh));
	ct_wipe(dh, sizeof(dh));
	return rc;
}

static void seal(struct noise_state *s, const uint8_t *key, const void *in, size_t n, uint8_t *out)
{
	chapoly_seal(key, zero_nonce, view_of(s->hash, 32), in, n, out);
	mix_hash(s, out, n + CHAPOLY_TAG_LEN);
}

static int open_sealed(
	struct noise_state *s, const uint8_t *key, const uint8_t *in, size_t n, uint8_t *out)
{
	int rc = chapoly_open(key, zero_nonce, view_of(s->hash, 32), in, n, out);

	mix_hash(s, in, n);
	return rc;
}

static void start(struct noise_state *s, uint16_t version, const uint8_t *server_public)
{
	char prologue[64];
	int n = snprintf(prologue, sizeof(prologue), "Tailscale Control Protocol v%u", version);

	s->version = version;
	blake2s_hash(s->hash, (struct view[]){ VIEW_LIT("Noise_IK_25519_ChaChaPoly_BLAKE2s") }, 1);
	memcpy(s->chain, s->hash, sizeof(s->chain));
	mix_hash(s, prologue, (size_t)n);
	mix_hash(s, server_public, KEY_LEN);
}

static void split(struct noise_state *s, struct noise_half *client_to_server,
	struct noise_half *server_to_client)
{
	*client_to_server = *server_to_client = (struct noise_half){ 0 };
	blake2s_kdf(client_to_server->key, server_to_client->key, NULL, s->chain, NULL, 0);
	ct_wipe(s->chain, sizeof(s->chain));
	ct_wipe(s->ephemeral, sizeof(s->ephemeral));
	ct_wipe(s->static_private, sizeof(s->static_private));
}

int noise_initiate(struct noise_state *s, const struct secret_machine *self,
	const struct machine_pub *server, uint16_t version, struct rng *rng,
	uint8_t out[static NOISE_INITIATION_LEN])
{
	uint8_t *eph = out + INITIATION_HEADER_LEN, *sealed_static = eph + KEY_LEN,
		*tag = sealed_static + 48;
	uint8_t key[32], pub[KEY_LEN];
	int rc;

	start(s, version, server->b);
	s->remote = *server;
	memcpy(s->static_private, self->b, KEY_LEN);
	key_generate(rng, s->ephemeral);
	store_be16(out, version);
	out[2] = TYPE_INITIATION;
	store_be16(out + 3, NOISE_INITIATION_LEN - INITIATION_HEADER_LEN);
	rc = key_public(s->ephemeral, eph);
	if (rc == 0)
		rc = key_public(self->b, pub);
	mix_hash(s, eph, KEY_LEN);
	if (rc == 0)
		rc = mix_dh(s, s->ephemeral, server->b, key);
	if (rc == 0) {
		seal(s, key, pub, KEY_LEN, sealed_static);
		rc = mix_dh(s, self->b, server->b, key);
	}
	if (rc == 0)
		seal(s, key, NULL, 0, tag);
	ct_wipe(key, sizeof(key));
	return rc;
}

int noise_finish(
	struct noise_state *s, const uint8_t in[static NOISE_RESPONSE_LEN], struct noise_keys *ret)
{
	const uint8_t *eph = in + NOISE_HEADER_LEN, *tag = eph + KEY_LEN;
	uint8_t key[32], nothing[1];
	int rc;

	if (in[0] != TYPE_RESPONSE || load_be16(in + 1) != NOISE_RESPONSE_LEN - NOISE_HEADER_LEN)
		return -ERR_BAD_TYPE;
	mix_hash(s, eph, KEY_LEN);
	rc = mix_dh(s, s->ephemeral, eph, key);
	if (rc == 0)
		rc = mix_dh(s, s->static_private, eph, key);
	if (rc == 0)
		rc = open_sealed(s, key, tag, CHAPOLY_TAG_LEN, nothing);
	ct_wipe(key, sizeof(key));
	if (rc == 0)
		split(s, &ret->send, &ret->receive);
	return rc;
}

int noise_accept(struct noise_state *s, const struct secret_machine *self,
	const uint8_t in[static NOISE_INITIATION_LEN], struct rng *rng,
	uint8_t out[static NOISE_RESPONSE_LEN], struct noise_keys *ret)
{
	const uint8_t *eph = in + INITIATION_HEADER_LEN, *sealed_static = eph + KEY_LEN,
		      *tag = sealed_static + 48;
	uint8_t key[32], nothing[1], own[KEY_LEN];
	int rc;

	if (in[2] != TYPE_INITIATION ||
		load_be16(in + 3) != NOISE_INITIATION_LEN - INITIATION_HEADER_LEN)
		return -ERR_BAD_TYPE;
	rc = key_public(self->b, own);
	if (rc < 0)
		return rc;
	start(s, load_be16(in), own);
	mix_hash(s, eph, KEY_LEN);
	rc = mix_dh(s, self->b, eph, key);
	if (rc == 0)
		rc = open_sealed(s, key, sealed_static, 48, s->remote.b);
	if (rc == 0)
		rc = mix_dh(s, self->b, s->remote.b, key);
	if (rc == 0)
		rc = open_sealed(s, key, tag, CHAPOLY_TAG_LEN, nothing);
	if (rc < 0)
		goto out;
	key_generate(rng, s->ephemeral);
	out[0] = TYPE_RESPONSE;
	store_be16(out + 1, NOISE_RESPONSE_LEN - NOISE_HEADER_LEN);
	rc = key_public(s->ephemeral, out + NOISE_HEADER_LEN);
	mix_hash(s, out + NOISE_HEADER_LEN, KEY_LEN);
	if (rc == 0)
		rc = mix_dh(s, s->ephemeral, eph, key);
	if (rc == 0)
		rc = mix_dh(s, s->ephemeral, s->remote.b, key);
	if (rc == 0) {
		seal(s, key, NULL, 0, out + NOISE_HEADER_LEN + KEY_LEN);
		split(s, &ret->receive, &ret->send);
	}
out:
	ct_wipe(key, sizeof(key));
	return rc;
}

void noise_wipe(void *p, size_t n)
{
	ct_wipe(p, n);
}

static int next_nonce(struct noise_half *h, uint8_t nonce[static CHAPOLY_NONCE_LEN])
{
	if (h->counter == UINT64_MAX)
		return -ERR_CRYPTO;
	memset(nonce, 0, 4);
	store_be64(nonce + 4, h->counter++);
	return 0;
}

int noise_seal(struct noise_half *h, const void *in, size_t len, struct buf *out)
{
	uint8_t nonce[CHAPOLY_NONCE_LEN], *to;
	size_t n = NOISE_HEADER_LEN + len + CHAPOLY_TAG_LEN;
	int rc;

	if (len > NOISE_PLAINTEXT_MAX)
		return -ERR_TOO_BIG;
	rc = buf_reserve(out, n, &to);
	if (rc == 0)
		rc = next_nonce(h, nonce);
	if (rc < 0)
		return rc;
	to[0] = TYPE_RECORD;
	store_be16(to + 1, (uint16_t)(len + CHAPOLY_TAG_LEN));
	chapoly_seal(h->key, nonce, view_of(NULL, 0), in, len, to + NOISE_HEADER_LEN);
	buf_commit(out, n);
	return 0;
}

int noise_seal_all(struct noise_half *h, const void *in, size_t len, struct buf *out)
{
	const uint8_t *p = in;
	int rc = 0;

	while (len && rc == 0) {
		size_t n = MIN_OF(len, (size_t)NOISE_PLAINTEXT_MAX);

		rc = noise_seal(h, p, n, out);
		p += n;
		len -= n;
	}
	return rc;
}

int noise_open(struct noise_half *h, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len,
	size_t *ret_used)
{
	struct cur c = cur_over(in, len);
	uint8_t nonce[CHAPOLY_NONCE_LEN], type = cur_u8(&c);
	uint16_t n = cur_be16(&c);
	const uint8_t *sealed;
	int rc;

	if (len >= 1 && type != TYPE_RECORD)
		return -ERR_BAD_TYPE;
	if (c.bad)
		return NOISE_MORE;
	if (n > NOISE_RECORD_MAX - NOISE_HEADER_LEN || n < CHAPOLY_TAG_LEN)
		return -ERR_TOO_BIG;
	sealed = cur_take(&c, n);
	if (!sealed)
		return NOISE_MORE;
	rc = next_nonce(h, nonce);
	if (rc == 0)
		rc = chapoly_open(h->key, nonce, view_of(NULL, 0), sealed, n, out);
	if (rc < 0)
		return rc;
	*ret_len = n - (size_t)CHAPOLY_TAG_LEN;
	*ret_used = NOISE_HEADER_LEN + (size_t)n;
	return 0;
}
