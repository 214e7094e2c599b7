/* The preferences: what may be set, and what one of them means for others. */
#include "core/node/state/state.h"

#include "proto/tsaddr/tsaddr.h"

static const char unresolved_exit[] =
	"auto:any"; /* an exit node is to be chosen, and none is yet: nothing goes out */

static bool is_set(const char *s)
{
	return s && *s;
}

static bool is_default_route(struct ipprefix p)
{
	return p.bits == 0;
}

int node_check_prefs(const struct node *a, const struct ipn_prefs *p, struct err_at *at)
{
	bool uses_exit = is_set(p->exit_node_id) || ipaddr_is_set(p->exit_node_ip) ||
			 is_set(p->auto_exit_node);
	int rc;

	rc = ipn_prefs_check(p, prefs_of(a), at);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < p->advertise_routes.n; i++)
		if (is_default_route(*JSON_AT(p->advertise_routes, struct ipprefix, i)) &&
			uses_exit) {
			err_at_set(at, 0, 0,
				"Cannot advertise an exit node and use an exit node at the same time.");
			return -ERR_BAD_VALUE;
		}
	if (p->exit_node_required && !uses_exit) {
		err_at_set(at, 0, 0,
			"The kill switch is on (--exit-node-required), and without an exit node nothing would reach the internet. Choose one with "
			"--exit-node, or turn it off with --exit-node-required=false.");
		return -ERR_BAD_VALUE;
	}
	/* These two the original refuses as well where they cannot be had, also to programs. */
	if (p->run_ssh || p->auto_update.apply == JSON_YES)
		return node_check_built(a, p, at);
	return 0;
}

int node_prefs_store(struct node *a, const struct ipn_prefs *p)
{
	struct ipn_persist persist = { 0 };
	struct ipn_prefs copy = *p;

	/* Keys have one place, node_identity: not in a text that lies about in memory. */
	if (p->persist) {
		persist.user = p->persist->user;
		persist.node_id = p->persist->node_id;
	}
	copy.persist = &persist;
	return owned_doc_set(&a->prefs, &ipn_prefs_type, &copy);
}

void node_prefs_resolve_exit(struct node *a)
{
	struct ipn_prefs p = *prefs_of(a);
	const struct tc_node *n;

	if (!ipaddr_is_set(p.exit_node_ip) || !(n = node_whois(a, p.exit_node_ip)) ||
		n == self_of(a))
		return;
	p.exit_node_id = n->stable_id;
	p.exit_node_ip = (struct ipaddr){ 0 };
	if (node_prefs_store(a, &p) > 0) {
		a->peers_dirty = a->net_dirty = a->dns.dirty = true;
		event(a, NODE_PREFS);
	}
}

/* What an edit of one preference means for others. */
void node_prefs_merge(struct ipn_prefs *p, const struct ipn_masked_prefs *e)
{
	ipn_prefs_merge(p, e);
	/* Programs that know of all or none mean all. */
	if (e->set[IPN_PREF_ROUTE_ALL] && !e->set[IPN_PREF_ACCEPTED_ROUTES])
		p->accepted_routes = (struct json_list){ 0 };
	if (e->set[IPN_PREF_EXIT_NODE_ID] && !is_set(p->exit_node_id))
		p->exit_node_prior = "";
	if (e->set[IPN_PREF_AUTO_EXIT_NODE] && !is_set(p->auto_exit_node) && p->exit_node_id &&
		!strcmp(p->exit_node_id, unresolved_exit))
		p->exit_node_id = "";
	if ((e->set[IPN_PREF_EXIT_NODE_ID] || e->set[IPN_PREF_EXIT_NODE_IP]) &&
		!e->set[IPN_PREF_AUTO_EXIT_NODE])
		p->auto_exit_node = NULL;
	if (e->set[IPN_PREF_EXIT_NODE_IP] && !e->set[IPN_PREF_EXIT_NODE_ID])
		p->exit_node_id = "";
}

enum node_route_answer node_takes_route(
	const struct node *a, const struct tc_node *n, struct ipprefix p)
{
	/* So much of the internet that it is the internet: a default route in two halves, or 2000::/3. */
	if (p.bits < NODE_SUBNET_BITS_MIN)
		return node_is_exit_node(a, n) ? NODE_ROUTE_TAKEN : NODE_ROUTE_NONE;
	if (!prefs_of(a)->route_all)
		return NODE_ROUTE_NONE;
	return ipn_accepts(&prefs_of(a)->accepted_routes, n->name, p) ? NODE_ROUTE_TAKEN
								      : NODE_ROUTE_NOT_CHOSEN;
}

int node_prefs_take(struct node *a, struct ipn_prefs *p, struct err_at *at)
{
	int rc;

	if (is_set(p->auto_exit_node) && !is_set(p->exit_node_id))
		p->exit_node_id = unresolved_exit;
	rc = node_check_prefs(a, p, at);
	if (rc < 0)
		return rc;
	p->persist = prefs_of(a)->persist;
	return node_prefs_store(a, p);
}
