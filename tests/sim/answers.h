/* tests/sim/answers: what a device's resolver would say now, by the settings that the device has. */
#ifndef WARREN_TESTS_SIM_ANSWERS_H
#define WARREN_TESTS_SIM_ANSWERS_H

#include "tests/sim/node.h"

struct sim_answers;

/* By the settings of now; the device outlives it. */
struct sim_answers *sim_answers_new(const struct sim_node *n);
struct sim_answers *sim_answers_free(struct sim_answers *a);
/* Who is asked for the name, its address, or "": there is none. Until the next call. */
const char *sim_answers_to(struct sim_answers *a, const char *name);

#endif
