/*
 * core/policy/compile: what a change of a user or a node does to the answers. The node moves to its class; the
 * classes that its move concerns are noted; nothing is computed anew before somebody asks.
 */
#include "core/policy/compile/internal.h"

#include <errno.h>

/* A failure in the middle leaves marks behind; then everybody asks for everything. */
static int settle(struct policy_plan *p, int rc)
{
	if (rc < 0)
		p->all_touched = true;
	return rc;
}

int plan_node_changes(struct policy_plan *p, struct node_rec *n)
{
	int rc = plan_touch_node(p, n, plan_class(p, n));

	routes_drop(p, n);
	return settle(p, rc);
}

/* The routes that n gave up want another primary; those that it has now, perhaps n. */
static int elect_all(struct policy_plan *p, struct node_rec *n)
{
	int rc = routes_elect(p, n);

	return rc < 0 ? rc : routes_elect_orphans(p);
}

int plan_node_changed(struct policy_plan *p, struct node_rec *n)
{
	bool moved;
	int rc = plan_room_for_users(p);

	if (rc == 0)
		rc = routes_add(p, n);
	if (rc == 0)
		rc = plan_place(p, n, &moved);
	if (rc == 0)
		rc = plan_touch_node(p, n, plan_class(p, n));
	if (rc == 0)
		rc = plan_touch_self(p, n, POLICY_TOUCHED_ALL);
	return settle(p, rc < 0 ? rc : elect_all(p, n));
}

int plan_node_state(struct policy_plan *p, struct node_rec *n)
{
	struct node_class *before = plan_class(p, n);
	bool moved = false;
	int rc = plan_place(p, n, &moved);

	if (rc == 0 && moved) {
		rc = plan_touch_node(p, n, before);
		if (rc == 0)
			rc = plan_touch_node(p, n, plan_class(p, n));
		if (rc == 0)
			rc = plan_touch_self(p, n, POLICY_TOUCHED_ALL);
	}
	return settle(p, rc < 0 ? rc : routes_elect(p, n));
}

int plan_node_goes(struct policy_plan *p, struct node_rec *n)
{
	int rc = plan_touch_node(p, n, plan_class(p, n));

	routes_drop(p, n);
	plan_unplace(p, n);
	return settle(p, rc < 0 ? rc : routes_elect_orphans(p));
}

int plan_user_changed(struct policy_plan *p, struct user_rec *u)
{
	int rc = plan_room_for_users(p);

	if (rc < 0)
		return settle(p, rc);
	plan_unbind_user(p, u);
	rc = plan_user_atoms(p, u);
	for (uint32_t i = 0; i < u->nodes.n && rc == 0; i++)
		rc = plan_node_state(p, p->directory->node_at[u->nodes.v[i]]);
	/* Local names in ssh rules come from the login name, of which the atoms know nothing. */
	for (size_t i = 0; i < p->doc->n_ssh && rc == 0; i++)
		if (p->ssh[i].has_localpart)
			rc = plan_touch_everybody(p, POLICY_TOUCHED_SSH);
	return settle(p, rc);
}
