/* core/coord/routes/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_ROUTES_INTERNAL_H
#define WARREN_CORE_COORD_ROUTES_INTERNAL_H

#include "core/coord/routes/routes.h"
#include "core/coord/tailnet/tailnet.h"

bool routes_advertises(const struct coord_node *n, struct ipprefix prefix);
bool routes_uses(const struct coord_node *n, struct ipprefix prefix);
void routes_set_watched(struct coord_node *n, bool watched, struct now now);

#endif
