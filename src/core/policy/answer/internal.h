/* core/policy/answer: what the files that answer share. */
#ifndef WARREN_CORE_POLICY_ANSWER_INTERNAL_H
#define WARREN_CORE_POLICY_ANSWER_INTERNAL_H

#include "core/policy/compile/plan.h"

/* sources.c */
/* Is the class in the set because of who its nodes are, whatever their addresses, so that both of these count? */
bool addr_set_means(
	const struct policy_plan *p, const struct addr_set *s, const struct node_class *c);
bool addr_set_holds(const struct policy_plan *p, const struct addr_set *s,
	const struct node_class *c, struct ipaddr a);
MUST_USE int addr_set_text(
	struct policy_plan *p, struct addr_set *s); /* makes s->text if it is stale */
MUST_USE int sources_put_ranges(const struct ranges *r, struct buf *out);
MUST_USE int sources_of_self(
	struct policy_plan *p, const struct user_rec *u, uint32_t set, struct ranges *ret);

/* slices.c: fills c->slices. */
MUST_USE int node_class_slices(struct policy_plan *p, struct node_class *c);

/* query.c: a rule against two addresses. */
/* Posture attributes that a test gives to its source, instead of the device's own. */
struct attr_view {
	const struct policy_attr *v;
	size_t n;
};

/* Does the set hold an address of x? */
bool addr_set_meets(const struct policy_plan *p, const struct addr_set *s, enum mode mode,
	struct ipprefix x, const struct attr_view *given);
bool rule_has_proto(const struct rule *r, int proto);
bool rule_has_port(const struct rule *r, uint16_t port);
bool rule_lets(const struct policy_plan *p, uint32_t id, struct ipprefix src, struct ipprefix dst,
	const struct attr_view *given);

#endif
