/*
 * testlib/vectors: reads the files of tests/vectors. JSON comes through jansson, so that the files are not read by
 * the code under test.
 */
#ifndef WARREN_TESTLIB_VECTORS_H
#define WARREN_TESTLIB_VECTORS_H

#include "testlib/check.h"

#include <jansson.h>

/* Loads tests/vectors/<file>; fails the test when it is not there. Free with json_decref. */
json_t *vectors_load(const char *file);
/* Loads a file with one object per line, as one array. */
json_t *vectors_load_lines(const char *file);
/* Section of a file as array; fails the test when missing. */
json_t *vectors_section(json_t *file, const char *section);

/* Fields of a case; a missing one fails the test. */
const char *vec_str(const json_t *c, const char *key);
long long vec_int(const json_t *c, const char *key);
bool vec_bool(const json_t *c, const char *key);
/* Hex into freshly allocated bytes (never NULL; the caller frees). */
uint8_t *vec_hex(const json_t *c, const char *key, size_t *ret_len);
/* Hex of exactly n bytes into out. */
void vec_hex_exact(const json_t *c, const char *key, void *out, size_t n);
/* Hex from a text. */
uint8_t *hex_bytes(const char *hex, size_t *ret_len);

/* Prints "vectors: <file> <section>: N cases" as a TAP comment: the count that shows that a loop was not empty. */
void vectors_count(const char *file, const char *section, size_t n);

#endif
