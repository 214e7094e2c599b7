/*
 * crypto/bcrypt: does a secret belong to a hash in the modular crypt format ("$2a$10$...")? By libcrypt. For hashes that other programs made:
 * our own are others. It takes as long as the hash says, tens of milliseconds at cost 10.
 */
#ifndef WARREN_CRYPTO_BCRYPT_BCRYPT_H
#define WARREN_CRYPTO_BCRYPT_BCRYPT_H

#include "base/bytes/bytes.h"

enum {
	BCRYPT_HASH_LEN = 60,
	BCRYPT_SECRET_MAX = 72, /* what bcrypt looks at */
	BCRYPT_COST_MAX = 14,   /* a second; above it the hash is no good */
};

/* Of the one that the library can check: "$2a$", "$2b$" or "$2y$", with a cost of 4 to BCRYPT_COST_MAX. */
bool bcrypt_hash_is_good(const char *hash);
/* A secret that is longer than BCRYPT_SECRET_MAX or has a zero in it belongs to none. */
bool bcrypt_holds(struct view secret, const char *hash);

#endif
