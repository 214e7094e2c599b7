/* base/text/near: what somebody may have meant who typed a word that there is not. */
#ifndef WARREN_BASE_TEXT_NEAR_H
#define WARREN_BASE_TEXT_NEAR_H

#include <stddef.h>

/* How far a word of `len` bytes is from a name: letters left out, added, exchanged or swapped; NEAR_FAR: it is another word. */
enum { NEAR_FAR = 1000 };
int near_distance(const char *word, size_t len, const char *name);

#endif
