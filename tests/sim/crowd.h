/* tests/sim/crowd: what scenarios of many devices share. */
#ifndef WARREN_TESTS_SIM_CROWD_H
#define WARREN_TESTS_SIM_CROWD_H

#include "tests/sim/world.h"

struct place random_place(struct world *w);
bool all_answered(struct world *w, void *unused); /* for world_until: every pinger */
const struct pinger *first_silent(struct world *w);

#endif
