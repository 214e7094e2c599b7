/* core/policy/compile: what the files of the compiler share. */
#ifndef WARREN_CORE_POLICY_COMPILE_INTERNAL_H
#define WARREN_CORE_POLICY_COMPILE_INTERNAL_H

#include "base/vec/vec.h"
#include "core/policy/compile/plan.h"

/* Room for one more in an array whose places are numbers below NONE. */
MUST_USE static inline int plan_room(void *v, size_t n, size_t *cap, size_t size)
{
	return n < *cap ? 0 : vec_grow(v, cap, size, NONE);
}

/* directory.c */
/* A free place in an array of pointers that grows; the caller fills it. */
MUST_USE int directory_take_slot(
	void ***at, uint32_t *n, size_t *cap, struct u32s *free_slots, uint32_t *ret);
/* One that nobody told us of yet. */
MUST_USE int directory_user_create(struct policy_directory *w, int64_t id, struct user_rec **ret);
void user_rec_free(struct user_rec *u);
void node_rec_free(struct node_rec *n);

/* addr_sets.c */
void addr_set_fini(struct addr_set *s);
/* NONE: no memory */
uint32_t plan_atom(struct policy_plan *p, enum atom_kind kind, const char *text);
uint32_t plan_prefix_find(const struct policy_plan *p, struct ipprefix x);
uint32_t plan_addr_set(struct policy_plan *p, const struct term *terms, size_t n,
	const struct doc_texts *postures);
uint32_t plan_side(struct policy_plan *p, uint32_t set, enum mode mode);

/* rules.c */
MUST_USE int plan_compile_rules(struct policy_plan *p);
MUST_USE int plan_compile_rest(struct policy_plan *p);

/* bindings.c */
MUST_USE int plan_check_names(struct policy_plan *p, enum policy_origin origin, struct err_at *at);

/* atoms.c */
MUST_USE int plan_room_for_users(struct policy_plan *p);
MUST_USE int plan_user_atoms(struct policy_plan *p, const struct user_rec *u);
void plan_unbind_user(struct policy_plan *p, const struct user_rec *u);
/* All that is true of the node, sorted. */
MUST_USE int plan_node_atoms(struct policy_plan *p, const struct node_rec *n, struct u32s *out);
/* Sides that a subnet route meets, sorted. */
MUST_USE int plan_route_sides(const struct policy_plan *p, struct ipprefix r, struct u32s *out);

/* classes.c */
/* Puts the node where it belongs now; *ret_moved: its class is another one. */
MUST_USE int plan_place(struct policy_plan *p, struct node_rec *n, bool *ret_moved);
void plan_unplace(struct policy_plan *p, struct node_rec *n);
void node_class_free(struct node_class *c);
MUST_USE int plan_reap(struct policy_plan *p); /* empty classes */

/* peers.c */
/* The classes that c sees into out; 1: all of them, and out is empty. */
MUST_USE int node_class_peers(struct policy_plan *p, struct node_class *c, struct u32s *out);

/* touch.c: whom a change concerns. */
/* All who see what the node is; c is its class, before or after the change, or NULL. */
MUST_USE int plan_touch_node(struct policy_plan *p, const struct node_rec *n, struct node_class *c);
/* Those that see the node are told of it. */
MUST_USE int plan_touch_peers(
	struct policy_plan *p, const struct node_rec *n, struct node_class *c);
MUST_USE int plan_touch_self(struct policy_plan *p, const struct node_rec *n, unsigned what);
MUST_USE int plan_touch_everybody(struct policy_plan *p, unsigned what);
MUST_USE int plan_touch_sources(
	struct policy_plan *p, struct addr_set *s); /* its text is another */

/* routes.c */
MUST_USE int routes_add(struct policy_plan *p, struct node_rec *n);
void routes_drop(struct policy_plan *p, struct node_rec *n);
/* Elects anew for each route of n; those who see a router that won or lost are told. */
MUST_USE int routes_elect(struct policy_plan *p, struct node_rec *n);
MUST_USE int routes_elect_orphans(struct policy_plan *p); /* what lost its primary to routes_drop */
void routes_inherit(struct policy_plan *p, const struct policy_plan *from); /* who is primary */

/* changes.c: a user or node is another, for the installed plan. */
MUST_USE int plan_node_changes(struct policy_plan *p, struct node_rec *n); /* about to be another */
MUST_USE int plan_node_changed(struct policy_plan *p, struct node_rec *n); /* another now, or new */
/* Attributes or health, not what it is. */
MUST_USE int plan_node_state(struct policy_plan *p, struct node_rec *n);
MUST_USE int plan_node_goes(struct policy_plan *p, struct node_rec *n);
MUST_USE int plan_user_changed(struct policy_plan *p, struct user_rec *u);

#endif
