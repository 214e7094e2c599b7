/* tests/conformance: recorded answers of the service against ours. */
#ifndef WARREN_TESTS_CONFORMANCE_HARNESS_H
#define WARREN_TESTS_CONFORMANCE_HARNESS_H

#include "core/policy/policy.h"

#include <jansson.h>

/* One case while it is judged. */
struct trial {
	json_t *doc;
	const char *id;
	struct policy_directory *directory;
	struct policy_plan *plan;
	size_t faults; /* differences found */
	bool quiet;
};

/* Notes a difference. */
void differ(struct trial *t, const char *fmt, ...) PRINTF_LIKE(2, 3);

const char *str_of(const json_t *o, const char *key);          /* "" when absent */
json_t *node_by_name(const struct trial *t, const char *name); /* of the topology */
int64_t id_of(const struct trial *t, const char *name);        /* 0: unknown */
const char *name_of_host(
	const struct trial *t, const char *hostname); /* NULL: none of the topology */

/* tailnet.c: users and nodes of the topology. */
bool build_tailnet(struct trial *t);

/* flows.c: two lists of filter rules: the same flows, the same capabilities? */
void compare_filters(struct trial *t, const char *node, json_t *want, json_t *got);
/* Does a filter, as JSON, let the packet in? */
bool filter_allows(json_t *filter, struct ipaddr src, struct ipaddr dst, int proto, int port);
/* Capabilities that a filter gives to src at dst, as an object. New reference. */
json_t *filter_caps(json_t *filter, struct ipaddr src, struct ipaddr dst);

/* answers.c: one node's recorded answers. */
void compare_capture(struct trial *t, const char *node, json_t *capture);

#endif
