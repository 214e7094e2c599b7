#include "crypto/sha256/sha256.h"
#include "base/text/text.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

void sha256_hash(const void *p, size_t n, uint8_t out[static SHA256_LEN])
{
	unsigned len = 0;

	/* A hash that was not made must not be compared with anything. */
	CHECK(EVP_Digest(p, n, out, &len, EVP_sha256(), NULL) == 1 && len == SHA256_LEN);
}

void sha256_hex(const void *p, size_t n, char out[static SHA256_HEX_LEN])
{
	uint8_t hash[SHA256_LEN];

	sha256_hash(p, n, hash);
	hex_encode(hash, sizeof(hash), out);
}

void sha256_hmac(struct view key, struct view text, uint8_t out[static SHA256_LEN])
{
	unsigned len = 0;

	CHECK(HMAC(EVP_sha256(), key.p, (int)key.len, text.p, text.len, out, &len) &&
		len == SHA256_LEN);
}
