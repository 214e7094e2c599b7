#include "base/text/near.h"

#include "base/attr/attr.h"

#include <string.h>

enum { WORD_MAX = 40 };

static int least(int a, int b, int c)
{
	return MIN_OF(MIN_OF(a, b), c);
}

/* The number of single changes from one to the other, two letters swapped counted once (optimal string alignment). */
static int changes(const char *a, size_t n, const char *b, size_t m)
{
	int d[3][WORD_MAX + 1];

	for (size_t j = 0; j <= m; j++)
		d[0][j] = (int)j;
	for (size_t i = 1; i <= n; i++) {
		int *row = d[i % 3], *up = d[(i + 2) % 3], *up2 = d[(i + 1) % 3];

		row[0] = (int)i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = least(
				up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN_OF(row[j], up2[j - 2] + 1);
		}
	}
	return d[n % 3][m];
}

int near_distance(const char *word, size_t len, const char *name)
{
	size_t n = strlen(name);
	int allowed = len <= 3 ? 1 : 2, k;

	if (!len || len > WORD_MAX || n > WORD_MAX)
		return NEAR_FAR;
	if (len >= 3 && len < n && strncmp(word, name, len) == 0)
		return 1; /* begun, and not ended */
	k = changes(word, len, name, n);
	return k <= allowed && (size_t)k < n ? k : NEAR_FAR;
}
