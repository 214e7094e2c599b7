/* core/coord/intake/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_INTAKE_INTERNAL_H
#define WARREN_CORE_COORD_INTAKE_INTERNAL_H

#include "core/coord/intake/intake.h"
#include "core/coord/policy_sync/policy_sync.h"
#include "core/coord/tailnet/tailnet.h"

struct intake {
	struct heap waiting; /* what devices said, until it is told */
	struct heap ephemerals, offline;
};

/* may it count as here? Else when its time has come */
bool say_arrives(struct tailnet *c, struct coord_node *n, struct now now);
/* What waited has had its time: it is told. True: the device waited to count as here. */
MUST_USE bool say_turn(struct tailnet *c, struct coord_node *n, struct now now);
struct coord_node *say_due(struct tailnet *c, struct now now); /* NULL: none */
/* Leaves out of h what this hub does not take of the device, and notes the reason. -ENOMEM. */
MUST_USE int settings_take(
	struct tailnet *c, struct coord_node *n, struct tc_hostinfo *h, struct now now);
void presence_tick(struct tailnet *c, struct now now);

#endif
