/*
 * crypto/blake2s: BLAKE2s, plain and keyed, HMAC over it, and the KDF that WireGuard and Noise build from that
 * (WireGuard paper, section 5.4; RFC 5869 with an empty info).
 */
#ifndef WARREN_CRYPTO_BLAKE2S_BLAKE2S_H
#define WARREN_CRYPTO_BLAKE2S_BLAKE2S_H

#include "base/bytes/bytes.h"

enum { BLAKE2S_LEN = 32, BLAKE2S_BLOCK = 64 };

/* Hash of the parts one after another. */
void blake2s_hash(uint8_t out[static BLAKE2S_LEN], const struct view *parts, size_t n);
/* Keyed mode; out_len <= 32, key_len <= 32. mac1, mac2 and cookies use 16. */
void blake2s_mac(
	uint8_t *out, size_t out_len, const void *key, size_t key_len, const void *in, size_t len);
void blake2s_hmac(uint8_t out[static BLAKE2S_LEN], const void *key, size_t key_len, const void *in,
	size_t len);
/* The first n (1..3) outputs; those not wanted may be NULL. Outputs may alias the key. */
void blake2s_kdf(uint8_t *t0, uint8_t *t1, uint8_t *t2, const uint8_t key[static BLAKE2S_LEN],
	const void *in, size_t len);

#endif
