/*
 * Codes of logins that wait, to be read out: eight letters in two groups, "WDJB-MJHT". No vowels, so that no word comes
 * about, and none that is taken for another one or for a digit. What protects them from being guessed is that they live for
 * minutes and that wrong ones are counted; the letters alone are 34 bits.
 */
#include "core/coord/register/internal.h"
#include "base/text/text.h"

static const char letters[] = "BCDFGHJKLMNPQRSTVWXZ";

void code_new(struct rng *r, char out[static CODE_TEXT_MAX])
{
	size_t at = 0;

	for (size_t i = 0; i < CODE_LETTERS; i++) {
		if (i == CODE_LETTERS / 2)
			out[at++] = '-';
		out[at++] = letters[rng_below(r, sizeof(letters) - 1)];
	}
	out[at] = 0;
}

size_t code_plain(const char *text, char out[static CODE_LETTERS + 1])
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == '-' || *text == ' ')
			continue;
		if (n == CODE_LETTERS || ascii_lower(*text) < 'a' || ascii_lower(*text) > 'z')
			return 0;
		out[n++] = (char)(ascii_lower(*text) - 'a' + 'A');
	}
	out[n] = 0;
	return n;
}
