/*
 * base/text/plain: what of a text may be shown. Whatever comes from another device, a hub, a relay or another user can hold characters
 * that steer a terminal, forge a second line, or make what follows read in another order. These are no characters to show: C0 and C1
 * controls, DEL, the separators of lines and paragraphs, controls of direction, characters without width that have no use in a
 * name, tags, surrogates, and bytes that are no UTF-8.
 */
#ifndef WARREN_BASE_TEXT_PLAIN_H
#define WARREN_BASE_TEXT_PLAIN_H

#include "base/bytes/bytes.h"

enum { RUNE_BAD = 0, RUNE_CUT = -1 };

/* The length of the first character, and the character; RUNE_BAD: the first byte begins none; RUNE_CUT: it may go on behind len. */
int text_rune(const void *s, size_t len, uint32_t *ret);
/* May it stand in one line of text? */
bool text_rune_shows(uint32_t c);
bool text_is_plain(const void *s, size_t len);
/*
 * Makes it one plain line, in place: each character or byte that is not to be shown becomes '?'. Returns the length, which is never
 * more than it was; behind it is a NUL where it became less.
 */
size_t text_make_plain(char *s, size_t len);

/*
 * Blanks, in place, what follows a mark that only secrets have: private keys, auth keys of every kind, tokens, cookies and
 * approval codes of the hub. The length stays.
 */
void text_hide_secrets(char *s);

#endif
