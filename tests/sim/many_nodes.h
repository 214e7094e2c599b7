/* tests/sim/many_nodes: what scenarios of many devices share. */
#ifndef WARREN_TESTS_SIM_MANY_NODES_H
#define WARREN_TESTS_SIM_MANY_NODES_H

#include "tests/sim/simnet.h"

struct place place_random(struct simnet *w);
bool many_nodes_all_answered(struct simnet *w, void *unused); /* for simnet_until: every pinger */
const struct pinger *many_nodes_first_silent(struct simnet *w);

#endif
