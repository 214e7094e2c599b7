/* The exit node that a person chose: is it there, and if not, what is to be said of it. */
#include "core/node/answers/answers.h"

/* Of a peer, for people: the first part of its name. */
static const char *name_of(const struct tc_node *n, struct arena *mem)
{
	const char *name = n->name ? n->name : n->stable_id;

	return arena_strndup(mem, name, strcspn(name, "."));
}

static const char *fault(const struct node *a, const struct tc_node *n, struct arena *mem)
{
	const struct ipn_prefs *p = prefs_of(a);

	if (!n && p->auto_exit_node && *p->auto_exit_node)
		return "There is no exit node that this device could choose by itself";
	if (!n)
		return "The exit node that this device uses is not in the tailnet any more, or may not be seen by this device";
	if (n->expired)
		return arena_printf(
			mem, "The key of the exit node %s has expired", name_of(n, mem));
	if (!node_offers_exit(n))
		return arena_printf(mem,
			"%s, which this device uses as its exit node, does not offer or may not be one any more",
			name_of(n, mem));
	if (n->online == JSON_NO)
		return arena_printf(mem, "The exit node %s is offline", name_of(n, mem));
	return NULL;
}

static bool is_chosen(const struct ipn_prefs *p)
{
	return (p->exit_node_id && *p->exit_node_id) || ipaddr_is_set(p->exit_node_ip);
}

const char *node_exit_fault(const struct node *a, struct arena *mem)
{
	const struct ipn_prefs *p = prefs_of(a);
	const char *why, *without = p->exit_node_required ? " --exit-node-required=false" : "";

	if (p->exit_node_required && p->want_running && a->state != IPN_RUNNING)
		return "The kill switch is on (--exit-node-required), and this device is not connected, so nothing reaches the internet. \"warren "
		       "down\" lifts it until the next \"warren up\", \"warren set --exit-node-required=false\" for good.";
	if (a->state != IPN_RUNNING || !is_chosen(p))
		return NULL;
	why = fault(a, node_exit_node(a, mem), mem);
	if (!why)
		return NULL;
	return arena_printf(mem,
		"%s, so nothing reaches the internet. \"warren exit-node list\" shows others, \"warren set --exit-node=NAME\" takes "
		"one, \"warren set --exit-node=%s\" goes without.",
		why, without);
}
