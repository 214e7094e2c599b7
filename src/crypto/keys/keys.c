#include "crypto/keys/keys.h"
#include "base/err/err.h"
#include "base/text/text.h"
#include "crypto/ct/ct.h"

#include <sodium.h>

const char *key_prefix(enum key_kind kind)
{
	switch (kind) {
	case KEY_MACHINE:
		return "mkey:";
	case KEY_NODE:
		return "nodekey:";
	case KEY_DISCO:
		return "discokey:";
	case KEY_CHALLENGE:
		return "chalpub:";
	case KEY_PRIVATE:
		return "privkey:";
	case KEY_NL:
		return "nlpub:";
	case KEY_NL_CLI:
		return "tlpub:";
	}
	CHECK(false);
}

char *key_format(enum key_kind kind, const uint8_t key[static KEY_LEN], char *out)
{
	const char *prefix = key_prefix(kind);
	size_t n = strlen(prefix);

	memcpy(out, prefix, n);
	hex_encode(key, KEY_LEN, out + n);
	return out;
}

static int parse_after(const char *prefix, const char *s, size_t len, uint8_t *out, size_t out_len)
{
	size_t n = strlen(prefix);
	uint8_t raw[64];
	int rc;

	CHECK(out_len <= sizeof(raw));
	if (len != n + 2 * out_len || memcmp(s, prefix, n) != 0)
		return -ERR_BAD_FORMAT;
	rc = hex_decode(s + n, 2 * out_len, raw);
	if (rc == 0)
		memcpy(out, raw, out_len);
	ct_wipe(raw, sizeof(raw));
	return rc;
}

int key_parse(enum key_kind kind, const char *s, size_t len, uint8_t ret[static KEY_LEN])
{
	return parse_after(key_prefix(kind), s, len, ret, KEY_LEN);
}

int key_parse_untyped(const char *s, size_t len, uint8_t ret[static KEY_LEN])
{
	return parse_after("", s, len, ret, KEY_LEN);
}

void key_node_to_binary(const struct node_pub *key, uint8_t out[static KEY_NODE_BINARY_LEN])
{
	out[0] = 'n';
	out[1] = 'p';
	memcpy(out + 2, key->b, KEY_LEN);
}

int key_node_from_binary(const uint8_t *p, size_t len, struct node_pub *ret)
{
	if (len != KEY_NODE_BINARY_LEN || p[0] != 'n' || p[1] != 'p')
		return -ERR_BAD_FORMAT;
	memcpy(ret->b, p + 2, KEY_LEN);
	return 0;
}

int key_nl_private_parse(const char *s, size_t len, uint8_t ret[static KEY_NL_PRIVATE_LEN])
{
	return parse_after("nlpriv:", s, len, ret, KEY_NL_PRIVATE_LEN);
}

char *key_short(const uint8_t key[static KEY_LEN], char *out)
{
	char b64[BASE64_LEN(KEY_LEN) + 1];

	out[0] = 0;
	if (key_is_zero(key))
		return out;
	base64_encode(key, KEY_LEN, b64);
	snprintf(out, 8, "[%.5s]", b64);
	return out;
}

char *key_disco_short(const uint8_t key[static KEY_LEN], char *out)
{
	out[0] = 0;
	if (key_is_zero(key))
		return out;
	memcpy(out, "d:", 2);
	hex_encode(key, 8, out + 2);
	return out;
}

bool key_is_zero(const uint8_t key[static KEY_LEN])
{
	return ct_is_zero(key, KEY_LEN);
}

void key_clamp(uint8_t key[static KEY_LEN])
{
	key[0] &= 248;
	key[31] = (uint8_t)((key[31] & 127) | 64);
}

void key_generate(struct rng *r, uint8_t ret[static KEY_LEN])
{
	rng_fill(r, ret, KEY_LEN);
	key_clamp(ret);
}

int key_public(const uint8_t priv[static KEY_LEN], uint8_t ret[static KEY_LEN])
{
	return crypto_scalarmult_base(ret, priv) == 0 ? 0 : -ERR_CRYPTO;
}

int key_dh(const uint8_t priv[static KEY_LEN], const uint8_t pub[static KEY_LEN],
	uint8_t ret[static KEY_LEN])
{
	/* libsodium refuses an all-zero result, which is what a low-order point gives. */
	return crypto_scalarmult(ret, priv, pub) == 0 ? 0 : -ERR_BAD_KEY;
}

void key_nl_from_seed(const uint8_t seed[static KEY_LEN], uint8_t pub[static KEY_LEN],
	uint8_t priv[static KEY_NL_PRIVATE_LEN])
{
	crypto_sign_seed_keypair(pub, priv, seed);
}

void key_nl_sign(const uint8_t priv[static KEY_NL_PRIVATE_LEN], const void *msg, size_t len,
	uint8_t ret[static KEY_NL_SIGNATURE_LEN])
{
	crypto_sign_detached(ret, NULL, msg, len, priv);
}

int key_nl_verify(const uint8_t pub[static KEY_LEN], const void *msg, size_t len,
	const uint8_t sig[static KEY_NL_SIGNATURE_LEN])
{
	return crypto_sign_verify_detached(sig, msg, len, pub) == 0 ? 0 : -ERR_BAD_TAG;
}

void key_wipe(void *p, size_t n)
{
	ct_wipe(p, n);
}
