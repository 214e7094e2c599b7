/*
 * crypto/chapoly: ChaCha20-Poly1305 (RFC 8439). One-shot calls for handshakes, and a keyed object for the data path,
 * which seals or opens a batch under one key without setting the cipher up again for each packet.
 */
#ifndef WARREN_CRYPTO_CHAPOLY_CHAPOLY_H
#define WARREN_CRYPTO_CHAPOLY_CHAPOLY_H

#include "base/bytes/bytes.h"

enum {
	CHAPOLY_KEY_LEN = 32,
	CHAPOLY_TAG_LEN = 16,
	CHAPOLY_NONCE_LEN = 12,
	XCHAPOLY_NONCE_LEN = 24
};

/* out has len + CHAPOLY_TAG_LEN. in may be out. */
void chapoly_seal(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static CHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out);
/* len counts the tag; out has len - CHAPOLY_TAG_LEN. -ERR_TRUNCATED, -ERR_BAD_TAG. */
MUST_USE int chapoly_open(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static CHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out);
/* The same with the extended nonce (cookies). */
void chapoly_seal_x(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static XCHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out);
MUST_USE int chapoly_open_x(const uint8_t key[static CHAPOLY_KEY_LEN],
	const uint8_t nonce[static XCHAPOLY_NONCE_LEN], struct view ad, const void *in, size_t len,
	uint8_t *out);

/* A key that is set up for many packets. The nonce is 4 zero bytes and the counter, little-endian, as in WireGuard. */
struct chapoly {
	void *ctx; /* the library's cipher object */
};

struct chapoly_job {
	uint64_t counter;
	const uint8_t *in;
	size_t len;   /* plaintext to seal; ciphertext with tag to open */
	uint8_t *out; /* may be in */
	bool ok;      /* after chapoly_open_batch: authentic? */
};

/* -ENOMEM, -ERR_CRYPTO. */
MUST_USE int chapoly_init(struct chapoly *c, const uint8_t key[static CHAPOLY_KEY_LEN]);
void chapoly_fini(struct chapoly *c); /* wipes; also fine on zeroed memory */
void chapoly_seal_batch(struct chapoly *c, struct chapoly_job *jobs, size_t n);
void chapoly_open_batch(struct chapoly *c, struct chapoly_job *jobs, size_t n);

#endif
