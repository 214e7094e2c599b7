/* What is: for the owner, and for the documents. */
#include "core/node/state/state.h"

enum ipn_state node_state(const struct node *a)
{
	return a->state;
}

const struct ipn_prefs *node_prefs(const struct node *a)
{
	return prefs_of(a);
}

const struct node_identity *node_identity(const struct node *a)
{
	return &a->id;
}

const char *node_login_url(const struct node *a)
{
	return a->login_url;
}

const char *node_login_error(const struct node *a)
{
	return a->login_error;
}

bool node_is_polling(const struct node *a)
{
	/* A login that waits for a person does not end what the key before it has. */
	return a->ctl && (a->ctl_state == CTL_RUNNING ||
				 (a->ctl_state == CTL_NEEDS_LOGIN && ctlclient_hears_maps(a->ctl)));
}

const struct netmap *node_netmap(const struct node *a)
{
	return self_of(a) ? a->nm : NULL;
}

bool node_netmap_is_cached(const struct node *a)
{
	return self_of(a) && a->cached;
}

const struct magicsock *node_magicsock(const struct node *a)
{
	return a->magicsock;
}

const struct filter *node_filter(const struct node *a)
{
	return a->filter;
}

const struct node_counters *node_counters(const struct node *a)
{
	return &a->counters;
}

const struct node_net_config *node_net_config(const struct node *a)
{
	return &a->net;
}

const char *node_control_url(const struct node *a)
{
	const char *url = prefs_of(a)->control_url;

	return url && *url ? url : a->default_control_url;
}
