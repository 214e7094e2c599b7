/* Times on the hub's clock. */
#include "core/node/state/state.h"

bool node_key_expired(const struct node *a, const struct tc_node *self)
{
	return self->expired ||
	       (self->key_expiry && node_mono_of(a, self->key_expiry) <= a->now.mono);
}

mono_ns node_mono_of(const struct node *a, unix_ms wall)
{
	unix_ms left = wall - netmap_control_skew_ms(a->nm) - a->now.wall;

	if (left > MONO_NEVER / MSEC(1) / 2)
		return MONO_NEVER;
	return left <= 0 ? a->now.mono : mono_add(a->now.mono, MSEC(left));
}
