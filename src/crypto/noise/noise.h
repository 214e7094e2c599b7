/*
 * crypto/noise: Noise_IK_25519_ChaChaPoly_BLAKE2s as the control protocol (ts2021) uses it, both sides, and the records
 * after it. Differences from the standard: the nonce of a record is counted big-endian, and the protocol version of the
 * initiation's header is part of the prologue. Source: Tailscale control/controlbase; tests/vectors/noise.json.
 *
 *   initiation  version (2) 01 length (2) = 96   ephemeral (32) sealed static (48) tag (16)
 *   response                02 length (2) = 48   ephemeral (32) tag (16)
 *   error                   03 length (2)        text
 *   record                  04 length (2)        ciphertext, at most 4093 bytes
 */
#ifndef WARREN_CRYPTO_NOISE_NOISE_H
#define WARREN_CRYPTO_NOISE_NOISE_H

#include "base/buf/buf.h"
#include "crypto/chapoly/chapoly.h"
#include "crypto/keys/keys.h"

enum {
	NOISE_INITIATION_LEN = 101,
	NOISE_RESPONSE_LEN = 51,
	NOISE_HEADER_LEN = 3,
	NOISE_RECORD_MAX = 4096, /* header, ciphertext and tag */
	NOISE_PLAINTEXT_MAX = NOISE_RECORD_MAX - NOISE_HEADER_LEN - CHAPOLY_TAG_LEN,
};

/* In progress, or done and the final hash. A secret: wipe with noise_wipe. */
struct noise_state {
	uint8_t hash[32], chain[32], ephemeral[KEY_LEN], static_private[KEY_LEN];
	struct machine_pub remote; /* server: known after noise_accept */
	uint16_t version;
};

/* One direction of the finished connection. */
struct noise_half {
	uint8_t key[32];
	uint64_t counter;
};

struct noise_keys {
	struct noise_half send, receive;
};

/* Client: builds the initiation. -ERR_BAD_KEY. */
MUST_USE int noise_initiate(struct noise_state *s, const struct secret_machine *self,
	const struct machine_pub *server, uint16_t version, struct rng *rng,
	uint8_t out[static NOISE_INITIATION_LEN]);
/* Client: reads the response. -ERR_BAD_TYPE, -ERR_BAD_TAG, -ERR_BAD_KEY. */
MUST_USE int noise_finish(
	struct noise_state *s, const uint8_t in[static NOISE_RESPONSE_LEN], struct noise_keys *ret);
/* Server: reads the initiation and builds the response. s->remote and s->version say who it is. */
MUST_USE int noise_accept(struct noise_state *s, const struct secret_machine *self,
	const uint8_t in[static NOISE_INITIATION_LEN], struct rng *rng,
	uint8_t out[static NOISE_RESPONSE_LEN], struct noise_keys *ret);
void noise_wipe(void *p, size_t n);

/* Appends a whole record; len <= NOISE_PLAINTEXT_MAX. -ERR_CRYPTO when the counter is used up, -ERR_TOO_BIG. */
MUST_USE int noise_seal(struct noise_half *h, const void *in, size_t len, struct buf *out);
/* Seals any length as several records. */
MUST_USE int noise_seal_all(struct noise_half *h, const void *in, size_t len, struct buf *out);

enum { NOISE_MORE = 1 };
/*
 * The record at the front of a buffer. 0: plaintext is in out (NOISE_PLAINTEXT_MAX) and *ret_used bytes are done with;
 * NOISE_MORE while it is not all there; negative: the connection is unusable.
 */
MUST_USE int noise_open(struct noise_half *h, const uint8_t *in, size_t len, uint8_t *out,
	size_t *ret_len, size_t *ret_used);

#endif
