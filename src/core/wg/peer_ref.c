/* A peer's memory stays while a call works with it, whatever the sink does meanwhile. */
#include "core/wg/internal.h"
#include "crypto/ct/ct.h"

#include <stdlib.h>

struct wg_peer *wg_peer_ref(struct wg_peer *p)
{
	p->refs++;
	return p;
}

bool wg_peer_unref(struct wg_peer *p)
{
	bool there = !p->removed;

	if (--p->refs == 0 && !there) {
		ct_wipe(p, sizeof(*p));
		free(p);
	}
	return there;
}
