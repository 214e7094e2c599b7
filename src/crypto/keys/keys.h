/*
 * crypto/keys: the key types and their text forms. Each kind is a type of its own, so that the compiler sees a
 * disco key where a node key belongs. Secrets have no formatter but the one for the state file, are wiped by
 * keys_wipe, and are compared with ct_equal only.
 *
 * Text: "<prefix>:" + 64 lower-case hex digits; parsing takes hex of either case. Prefixes: mkey, nodekey, discokey,
 * chalpub, privkey (machine and node). Source: Tailscale types/key; vectors/keys.json.
 */
#ifndef WARREN_CRYPTO_KEYS_KEYS_H
#define WARREN_CRYPTO_KEYS_KEYS_H

#include "base/bytes/bytes.h"
#include "base/rng/rng.h"

enum { KEY_LEN = 32 };

struct machine_pub {
	uint8_t b[KEY_LEN];
};
struct node_pub {
	uint8_t b[KEY_LEN];
};
struct disco_pub {
	uint8_t b[KEY_LEN];
};
struct challenge_pub {
	uint8_t b[KEY_LEN];
};

struct secret_machine {
	uint8_t b[KEY_LEN];
};
struct secret_node {
	uint8_t b[KEY_LEN];
};
struct secret_disco {
	uint8_t b[KEY_LEN];
};
struct secret_challenge {
	uint8_t b[KEY_LEN];
};

/* One enum for table-driven codecs: which text form a 32-byte key field has. */
enum key_kind {
	KEY_MACHINE,   /* mkey: */
	KEY_NODE,      /* nodekey: */
	KEY_DISCO,     /* discokey: */
	KEY_CHALLENGE, /* chalpub: */
	KEY_PRIVATE,   /* privkey: */
	KEY_NL,        /* nlpub: */
	KEY_NL_CLI,    /* tlpub:, the same key as people see it */
};

enum {
	KEY_NL_PRIVATE_LEN = 64,
	KEY_NL_SIGNATURE_LEN = 64
}; /* Ed25519: seed and public key; RFC 8032 */

#define KEY_TEXT_MAX 80 /* longest prefix, 64 digits, NUL */

const char *key_prefix(enum key_kind kind); /* with the colon */
/* out has KEY_TEXT_MAX; returns out. */
char *key_format(enum key_kind kind, const uint8_t key[static KEY_LEN], char *out);
/* Prefix is case-sensitive, hex is not; the zero key is accepted. -ERR_BAD_FORMAT. */
MUST_USE int key_parse(enum key_kind kind, const char *s, size_t len, uint8_t ret[static KEY_LEN]);
/* Hex digits without a prefix: old state files, mesh keys. */
MUST_USE int key_parse_untyped(const char *s, size_t len, uint8_t ret[static KEY_LEN]);
/* The binary form that tailnet lock signs: "np" and the 32 bytes. -ERR_BAD_FORMAT. */
enum { KEY_NODE_BINARY_LEN = 2 + KEY_LEN };
void key_node_to_binary(const struct node_pub *key, uint8_t out[static KEY_NODE_BINARY_LEN]);
MUST_USE int key_node_from_binary(const uint8_t *p, size_t len, struct node_pub *ret);
/* "nlpriv:" and 128 digits. */
MUST_USE int key_nl_private_parse(
	const char *s, size_t len, uint8_t ret[static KEY_NL_PRIVATE_LEN]);
/* The short form people see in logs: "[" + first five characters of base64 + "]"; zero key: "". out has 8 bytes. */
char *key_short(const uint8_t key[static KEY_LEN], char *out);
/* "d:" and the first 16 digits; out has 20 bytes. */
char *key_disco_short(const uint8_t key[static KEY_LEN], char *out);
bool key_is_zero(const uint8_t key[static KEY_LEN]);

/* 32 random bytes clamped for X25519. */
void key_generate(struct rng *r, uint8_t ret[static KEY_LEN]);
/* X25519 base-point multiplication. -ERR_CRYPTO. */
MUST_USE int key_public(const uint8_t priv[static KEY_LEN], uint8_t ret[static KEY_LEN]);
/* X25519; an all-zero result (low order) is -ERR_BAD_KEY. */
MUST_USE int key_dh(const uint8_t priv[static KEY_LEN], const uint8_t pub[static KEY_LEN],
	uint8_t ret[static KEY_LEN]);
void key_clamp(uint8_t key[static KEY_LEN]);

/* Ed25519 keys of tailnet lock. Verification: 0 or -ERR_BAD_TAG. */
void key_nl_from_seed(const uint8_t seed[static KEY_LEN], uint8_t pub[static KEY_LEN],
	uint8_t priv[static KEY_NL_PRIVATE_LEN]);
void key_nl_sign(const uint8_t priv[static KEY_NL_PRIVATE_LEN], const void *msg, size_t len,
	uint8_t ret[static KEY_NL_SIGNATURE_LEN]);
MUST_USE int key_nl_verify(const uint8_t pub[static KEY_LEN], const void *msg, size_t len,
	const uint8_t sig[static KEY_NL_SIGNATURE_LEN]);

void key_wipe(void *p, size_t n);

#endif
