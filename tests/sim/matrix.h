/* tests/sim/matrix: two devices in two places of given kinds. */
#ifndef WARREN_TESTS_SIM_MATRIX_H
#define WARREN_TESTS_SIM_MATRIX_H

#include "tests/sim/simnet.h"

struct topology {
	const char *name;
	struct place_cfg a, b;           /* without kinds: public */
	const struct vnat_kind *carrier; /* of a's router */
	bool same_lan;                   /* b is beside a */
	int families;                    /* 0: SIMNET_V4 */
	bool direct;                     /* what is expected */
};

const struct topology *topology_next(const struct topology *t); /* NULL starts and ends */
const struct topology *topology_find(const char *name);
/* The network with nodes 0 and 1, not started. */
void topology_build(
	struct simnet *w, uint64_t seed, const struct topology *t, struct simnet_cfg cfg);
void topology_up(struct simnet *w); /* starts them one after the other and waits until both run */

#endif
