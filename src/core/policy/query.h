/* core/policy/query: a rule against two addresses. */
#ifndef WARREN_CORE_POLICY_QUERY_H
#define WARREN_CORE_POLICY_QUERY_H

#include "core/policy/plan.h"

/* Posture attributes that a test gives to its source, instead of the device's own. */
struct attr_view {
	const struct policy_attr *v;
	size_t n;
};

/* Does the set hold an address of x? */
bool sel_meets(const struct policy_plan *p, const struct sel *s, enum mode mode, struct ipprefix x,
	const struct attr_view *given);
bool rule_has_proto(const struct rule *r, int proto);
bool rule_has_port(const struct rule *r, uint16_t port);
bool rule_lets(const struct policy_plan *p, uint32_t id, struct ipprefix src, struct ipprefix dst,
	const struct attr_view *given);

#endif
