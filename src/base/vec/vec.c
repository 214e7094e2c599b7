#include "base/vec/vec.h"

#include "base/err/err.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 32 };

int vec_grow(void *v, size_t *cap, size_t size, size_t max)
{
	size_t more = *cap ? 2 * *cap : MAX_OF(FIRST_BYTES / size, (size_t)4);
	void *old, *bigger;

	if (*cap >= max)
		return -ERR_TOO_MANY;
	more = MIN_OF(more, max);
	if (more > SIZE_MAX / size)
		return -ENOMEM;
	memcpy(&old, v, sizeof(old)); /* a pointer of any type */
	bigger = realloc(old, more * size);
	if (!bigger)
		return -ENOMEM;
	memcpy(v, &bigger, sizeof(bigger));
	*cap = more;
	return 0;
}
