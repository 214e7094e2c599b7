/* crypto/ct: what secrets need: comparison in constant time, and a wipe that the compiler keeps. */
#ifndef WARREN_CRYPTO_CT_CT_H
#define WARREN_CRYPTO_CT_CT_H

#include "base/bytes/bytes.h"

bool ct_equal(const void *a, const void *b, size_t n);
bool ct_is_zero(const void *a, size_t n);
void ct_wipe(void *p, size_t n);

#endif
