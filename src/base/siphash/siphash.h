/*
 * base/siphash: SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012), the one hash for tables and for "is it
 * still what it was". Under a secret key nobody outside can choose what collides. Where others must check a hash, or keep one, that is
 * crypto/sha256 or crypto/blake2s.
 *
 * Two places have a mix of their own, and say why: core/filter/sweep (of a set that changes by one at a time) and core/offload (a
 * few instructions a packet, for a table of one batch).
 */
#ifndef WARREN_BASE_SIPHASH_SIPHASH_H
#define WARREN_BASE_SIPHASH_SIPHASH_H

#include "base/bytes/bytes.h"

uint64_t siphash(const uint8_t key[static 16], const void *data, size_t len);
/* Of one thing after another: sum is that of those before, at first any number. */
uint64_t siphash_next(const uint8_t key[static 16], uint64_t sum, const void *data, size_t len);

#endif
