/* What a check has found wrong, by part, and how that is told. */
#include "core/netmap/internal.h"

#include <stdio.h>

void netmap_fault(struct netmap_check *c, enum map_part part, const char *of, const char *why)
{
	c->refused[part]++;
	if (!c->fault[part][0])
		snprintf(c->fault[part], sizeof(c->fault[part]), "%s%.64s%s%s", *of ? "\"" : "", of,
			*of ? "\": " : "", why);
}

void netmap_check_reset(struct netmap_check *c)
{
	memset(c->fault, 0, sizeof(c->fault));
	c->n_bad = c->n_more = 0;
}

const char *netmap_check_text(const struct netmap_check *c, struct arena *mem)
{
	static const char *const parts[MAP_PARTS] = { [MAP_SELF] = "this device",
		[MAP_PEERS] = "a device",
		[MAP_ROUTES] = "a route",
		[MAP_RELAYS] = "a relay",
		[MAP_DNS] = "the DNS settings",
		[MAP_MESSAGES] = "a message" };
	const char *text = NULL;

	for (int i = 0; i < MAP_PARTS; i++) {
		const char *fault = i == MAP_PEERS && c->n_bad ? c->bad[0].text : c->fault[i];
		size_t more = i == MAP_PEERS && c->n_bad ? c->n_bad + c->n_more - 1 : 0;

		if (!*fault)
			continue;
		text = text ? arena_printf(mem, "%s; of %s, %s", text, parts[i], fault)
			    : arena_printf(mem,
				      "What the hub says is not used where it cannot be: of %s, %s",
				      parts[i], fault);
		if (text && more)
			text = arena_printf(mem, "%s (and %zu more)", text, more);
		if (!text)
			return NULL;
	}
	return text ? arena_printf(mem, "%s.", text) : NULL;
}
