/* Any configuration: a tree or a refusal with words, and every value of the tree can be asked for. */
#include "hub/headscale/internal.h"

#include <stdlib.h>

enum { MEM_MAX = 64 << 20 };

static size_t count(const struct yaml *y)
{
	size_t n = 1;

	for (const struct yaml *c = y->first; c; c = c->next)
		n += count(c);
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err_at at = { 0 };
	struct arena mem;
	struct yaml *y;

	arena_init(&mem, MEM_MAX);
	if (yaml_parse(view_of(data, size), &mem, &y, &at) == 0) {
		if (count(y) > YAML_NODES_MAX)
			abort();
		for (const struct yaml *c = y->first; c; c = c->next)
			if (!c->key || (yaml_text(y, c->key) && !yaml_at(y, c->key)->text))
				abort();
	}
	arena_fini(&mem);
	return 0;
}
