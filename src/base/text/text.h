/* base/text: hex and base64. Decoders are strict and run in constant time per character: keys pass through them. */
#ifndef WARREN_BASE_TEXT_TEXT_H
#define WARREN_BASE_TEXT_TEXT_H

#include "base/bytes/bytes.h"

/* out has room for 2 * n + 1; lower case. */
void hex_encode(const uint8_t *in, size_t n, char *out);
/* len hex digits of either case into len / 2 bytes. -ERR_BAD_FORMAT (odd length too). */
MUST_USE int hex_decode(const char *s, size_t len, uint8_t *out);

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* Standard alphabet with padding; out has room for BASE64_LEN(n) + 1. */
void base64_encode(const uint8_t *in, size_t n, char *out);
/* The URL alphabet without padding; same room. */
void base64url_encode(const uint8_t *in, size_t n, char *out);
/*
 * Either alphabet, padding optional but right if there; unused bits must be zero. out has room for len * 3 / 4.
 * -ERR_BAD_FORMAT.
 */
MUST_USE int base64_decode(const char *s, size_t len, uint8_t *out, size_t *ret_len);

/* ASCII only, whatever the locale. */
static inline char ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
bool text_ieq(const char *a, size_t a_len, const char *b, size_t b_len);
/* An unsigned decimal of at most `max`, digits only, no leading plus or blanks. -ERR_BAD_FORMAT, -ERR_BAD_VALUE. */
MUST_USE int text_u64(const char *s, size_t len, uint64_t max, uint64_t *ret);
/* Valid UTF-8 (no surrogates, no overlong forms)? */
bool text_is_utf8(const void *s, size_t len);

#endif
