/* crypto/sha256: SHA-256 (FIPS 180-4) and HMAC over it (RFC 2104), by libcrypto. A library that cannot hash ends the program. */
#ifndef WARREN_CRYPTO_SHA256_SHA256_H
#define WARREN_CRYPTO_SHA256_SHA256_H

#include "base/bytes/bytes.h"

enum { SHA256_LEN = 32, SHA256_HEX_LEN = 2 * SHA256_LEN + 1 /* with the zero */ };

void sha256_hash(const void *p, size_t n, uint8_t out[static SHA256_LEN]);
/* In small letters, with a zero at the end. */
void sha256_hex(const void *p, size_t n, char out[static SHA256_HEX_LEN]);
void sha256_hmac(struct view key, struct view text, uint8_t out[static SHA256_LEN]);

#endif
