/*
 * tests/conformance/plain: who may reach whom, read straight from the text of a policy, one packet
 * at a time, without classes, sets or reduction. Slow, and simple enough to be believed.
 */
#ifndef WARREN_TESTS_CONFORMANCE_PLAIN_H
#define WARREN_TESTS_CONFORMANCE_PLAIN_H

#include "core/policy/policy.h"

#include <jansson.h>

enum { PLAIN_NODES = 16, PLAIN_USERS = 6, PLAIN_TAGS = 3, PLAIN_ROUTES = 3 };

struct plain_node {
	bool there;
	int64_t id;
	int user; /* index */
	const char *tags[PLAIN_TAGS];
	size_t n_tags, n_routes;
	struct ipaddr ip4, ip6;
	struct ipprefix routes[PLAIN_ROUTES]; /* default routes too */
	const char *os;
};

struct plain_world {
	struct plain_node nodes[PLAIN_NODES];
	const char *logins[PLAIN_USERS];
	enum policy_role roles[PLAIN_USERS];
	json_t *policy;
};

/* May the packet reach `at`, whose address, route or exit dst is? */
bool plain_allows(const struct plain_world *w, const struct plain_node *at, struct ipaddr src,
	struct ipaddr dst, int proto, int port);
/* The node with this address; NULL. */
const struct plain_node *plain_node_at(const struct plain_world *w, struct ipaddr a);
bool plain_is_exit(const struct plain_node *n);

#endif
