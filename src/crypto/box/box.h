/*
 * crypto/box: the NaCl box (X25519, HSalsa20, XSalsa20, Poly1305) with a precomputed shared key. disco, DERP login and
 * the node key challenge use it. Layout: nonce (24), tag (16), ciphertext.
 */
#ifndef WARREN_CRYPTO_BOX_BOX_H
#define WARREN_CRYPTO_BOX_BOX_H

#include "crypto/keys/keys.h"

enum { BOX_NONCE_LEN = 24, BOX_TAG_LEN = 16, BOX_OVERHEAD = BOX_NONCE_LEN + BOX_TAG_LEN };

/* A secret: wipe with ct_wipe when the peer goes. */
struct box_shared {
	uint8_t b[KEY_LEN];
};

/* -ERR_BAD_KEY for a public key of low order. */
MUST_USE int box_precompute(struct box_shared *ret, const uint8_t priv[static KEY_LEN],
	const uint8_t pub[static KEY_LEN]);
/* out has len + BOX_OVERHEAD. */
void box_seal(const struct box_shared *k, const uint8_t nonce[static BOX_NONCE_LEN], const void *in,
	size_t len, uint8_t *out);
/* in is nonce, tag, ciphertext; out has len - BOX_OVERHEAD. -ERR_TRUNCATED, -ERR_BAD_TAG. */
MUST_USE int box_open(const struct box_shared *k, const uint8_t *in, size_t len, uint8_t *out);

#endif
