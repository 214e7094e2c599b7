#include "core/wg/handshake.h"
#include "base/err/err.h"
#include "crypto/blake2s/blake2s.h"
#include "crypto/chapoly/chapoly.h"
#include "crypto/ct/ct.h"

static const uint8_t zero_nonce[CHAPOLY_NONCE_LEN];

static void mix_hash(struct handshake *h, const void *p, size_t n)
{
	blake2s_hash(h->hash, (struct view[]){ view_of(h->hash, 32), view_of(p, n) }, 2);
}

static void mix_key(struct handshake *h, const void *p, size_t n)
{
	blake2s_kdf(h->chain, NULL, NULL, h->chain, p, n);
}

/* The step that also yields a key for the next sealed field. */
static void mix_key_out(struct handshake *h, const void *p, size_t n, uint8_t key[static 32])
{
	blake2s_kdf(h->chain, key, NULL, h->chain, p, n);
}

static int mix_dh(struct handshake *h, const uint8_t *priv, const uint8_t *pub, uint8_t *key)
{
	uint8_t dh[KEY_LEN];
	int rc = key_dh(priv, pub, dh);

	if (rc == 0 && key)
		mix_key_out(h, dh, sizeof(dh), key);
	else if (rc == 0)
		mix_key(h, dh, sizeof(dh));
	ct_wipe(dh, sizeof(dh));
	return rc;
}

static void seal(struct handshake *h, const uint8_t *key, const void *in, size_t n, uint8_t *out)
{
	chapoly_seal(key, zero_nonce, view_of(h->hash, 32), in, n, out);
	mix_hash(h, out, n + CHAPOLY_TAG_LEN);
}

/* n counts the tag. */
static int open_sealed(
	struct handshake *h, const uint8_t *key, const uint8_t *in, size_t n, uint8_t *out)
{
	int rc = chapoly_open(key, zero_nonce, view_of(h->hash, 32), in, n, out);

	mix_hash(h, in, n);
	return rc;
}

/* Both sides start from the responder's static key. */
static void start(struct handshake *h, const uint8_t *responder_public)
{
	blake2s_hash(
		h->chain, (struct view[]){ VIEW_LIT("Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s") }, 1);
	blake2s_hash(h->hash,
		(struct view[]){
			view_of(h->chain, 32), VIEW_LIT("WireGuard v1 zx2c4 Jason@zx2c4.com") },
		2);
	mix_hash(h, responder_public, KEY_LEN);
}

void wg_handshake_peer_init(struct handshake_peer *p, const uint8_t peer_public[static KEY_LEN])
{
	*p = (struct handshake_peer){ 0 };
	memcpy(p->public, peer_public, KEY_LEN);
}

void wg_handshake_peer_forget(struct handshake_peer *p)
{
	ct_wipe(p->static_shared, sizeof(p->static_shared));
	p->has_shared = false;
}

static int need_shared(struct handshake_peer *p, const struct handshake_self *self)
{
	int rc = p->has_shared ? 0 : key_dh(self->private, p->public, p->static_shared);

	p->has_shared = rc == 0;
	return rc;
}

void wg_handshake_clear(struct handshake *h)
{
	ct_wipe(h, sizeof(*h));
	h->state = HANDSHAKE_IDLE;
}

int wg_handshake_create_initiation(struct handshake *h, const struct handshake_self *self,
	struct handshake_peer *peer, struct rng *rng, uint32_t local_index,
	const uint8_t timestamp[static WGMSG_TAI64N_LEN], struct wgmsg_initiation *ret)
{
	uint8_t key[32];
	int rc = need_shared(peer, self);

	if (rc < 0)
		return rc;
	start(h, peer->public);
	key_generate(rng, h->ephemeral);
	rc = key_public(h->ephemeral, ret->ephemeral);
	if (rc < 0)
		return rc;
	mix_key(h, ret->ephemeral, KEY_LEN);
	mix_hash(h, ret->ephemeral, KEY_LEN);
	rc = mix_dh(h, h->ephemeral, peer->public, key);
	if (rc < 0)
		return rc;
	seal(h, key, self->public, KEY_LEN, ret->sealed_static);
	mix_key_out(h, peer->static_shared, KEY_LEN, key);
	seal(h, key, timestamp, WGMSG_TAI64N_LEN, ret->sealed_timestamp);
	ct_wipe(key, sizeof(key));
	wgmsg_set_type(ret->type, WGMSG_INITIATION);
	store_le32(ret->sender, local_index);
	h->local_index = local_index;
	h->state = HANDSHAKE_INITIATION_SENT;
	return 0;
}

int wg_handshake_open_initiation(struct handshake_opened *o, const struct handshake_self *self,
	const struct wgmsg_initiation *m)
{
	uint8_t key[32];
	int rc;

	*o = (struct handshake_opened){ 0 };
	start(&o->h, self->public);
	mix_key(&o->h, m->ephemeral, KEY_LEN);
	mix_hash(&o->h, m->ephemeral, KEY_LEN);
	rc = mix_dh(&o->h, self->private, m->ephemeral, key);
	if (rc == 0)
		rc = open_sealed(
			&o->h, key, m->sealed_static, sizeof(m->sealed_static), o->peer_public);
	ct_wipe(key, sizeof(key));
	return rc;
}

int wg_handshake_consume_initiation(struct handshake_opened *o, const struct handshake_self *self,
	struct handshake_peer *peer, const struct wgmsg_initiation *m,
	uint8_t ret_timestamp[static WGMSG_TAI64N_LEN])
{
	int rc = need_shared(peer, self);

	if (rc < 0)
		return rc;
	mix_key_out(&o->h, peer->static_shared, KEY_LEN, o->key);
	rc = open_sealed(
		&o->h, o->key, m->sealed_timestamp, sizeof(m->sealed_timestamp), ret_timestamp);
	ct_wipe(o->key, sizeof(o->key));
	if (rc < 0)
		return rc;
	memcpy(o->h.remote_ephemeral, m->ephemeral, KEY_LEN);
	o->h.remote_index = load_le32(m->sender);
	o->h.state = HANDSHAKE_INITIATION_SEEN;
	return 0;
}

/* The preshared key step and the empty sealed field, the same on both sides up to who seals. */
static void mix_psk(struct handshake *h, const struct handshake_peer *peer, uint8_t key[static 32])
{
	uint8_t tau[32];

	blake2s_kdf(h->chain, tau, key, h->chain, peer->psk, HANDSHAKE_PSK_LEN);
	mix_hash(h, tau, sizeof(tau));
	ct_wipe(tau, sizeof(tau));
}

int wg_handshake_create_response(struct handshake *h, const struct handshake_peer *peer,
	struct rng *rng, uint32_t local_index, struct wgmsg_response *ret,
	struct handshake_keys *ret_keys)
{
	uint8_t key[32];
	int rc;

	CHECK(h->state == HANDSHAKE_INITIATION_SEEN);
	key_generate(rng, h->ephemeral);
	rc = key_public(h->ephemeral, ret->ephemeral);
	if (rc < 0)
		return rc;
	mix_key(h, ret->ephemeral, KEY_LEN);
	mix_hash(h, ret->ephemeral, KEY_LEN);
	rc = mix_dh(h, h->ephemeral, h->remote_ephemeral, NULL);
	if (rc == 0)
		rc = mix_dh(h, h->ephemeral, peer->public, NULL);
	if (rc < 0)
		return rc;
	mix_psk(h, peer, key);
	seal(h, key, NULL, 0, ret->sealed_nothing);
	ct_wipe(key, sizeof(key));
	wgmsg_set_type(ret->type, WGMSG_RESPONSE);
	store_le32(ret->sender, local_index);
	store_le32(ret->receiver, h->remote_index);
	h->local_index = local_index;
	blake2s_kdf(ret_keys->receive, ret_keys->send, NULL, h->chain, NULL, 0);
	return 0;
}

int wg_handshake_consume_response(struct handshake *h, const struct handshake_self *self,
	const struct handshake_peer *peer, const struct wgmsg_response *m,
	struct handshake_keys *ret_keys)
{
	struct handshake t = *h; /* a forged response must not spoil the state */
	uint8_t key[32], nothing[1];
	int rc;

	CHECK(h->state == HANDSHAKE_INITIATION_SENT);
	mix_key(&t, m->ephemeral, KEY_LEN);
	mix_hash(&t, m->ephemeral, KEY_LEN);
	rc = mix_dh(&t, t.ephemeral, m->ephemeral, NULL);
	if (rc == 0)
		rc = mix_dh(&t, self->private, m->ephemeral, NULL);
	if (rc == 0) {
		mix_psk(&t, peer, key);
		rc = open_sealed(&t, key, m->sealed_nothing, sizeof(m->sealed_nothing), nothing);
		ct_wipe(key, sizeof(key));
	}
	if (rc == 0) {
		blake2s_kdf(ret_keys->send, ret_keys->receive, NULL, t.chain, NULL, 0);
		t.remote_index = load_le32(m->sender);
		*h = t;
	}
	wg_handshake_clear(&t);
	return rc;
}
