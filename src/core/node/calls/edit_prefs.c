/* What follows when preferences are set. */
#include "core/node/calls/calls.h"
#include "core/node/login/login.h"

static void prefs_changed(struct node *a, bool was_wanted)
{
	if (prefs_of(a)->want_running != was_wanted)
		node_control_pause(a);
	if (a->ctl)
		ctlclient_settings_changed(a->ctl);
	a->peers_dirty = a->net_dirty = a->filter_dirty = a->ctl_dirty = a->dns.dirty = true;
	node_prefs_resolve_exit(a);
	node_prefs_auto_exit(a);
	event(a, NODE_PREFS);
	node_run_deferred(a);
}

static int replace(struct node *a, struct ipn_prefs *p, struct now now, struct err_at *at)
{
	bool was_wanted = prefs_of(a)->want_running;
	int rc;

	a->now = now;
	rc = node_prefs_take(a, p, at);
	if (rc > 0)
		prefs_changed(a, was_wanted);
	return rc < 0 ? rc : 0;
}

int node_edit_prefs(
	struct node *a, const struct ipn_masked_prefs *edit, struct now now, struct err_at *at)
{
	struct ipn_prefs p = *prefs_of(a);

	if (edit->set[IPN_PREF_EXIT_NODE_PRIOR]) {
		err_at_set(at, 0, 0, "can't set Internal fields");
		return -ERR_BAD_VALUE;
	}
	node_prefs_merge(&p, edit);
	return replace(a, &p, now, at);
}

int node_set_prefs(struct node *a, const struct ipn_prefs *prefs, struct now now, struct err_at *at)
{
	struct ipn_prefs p = *prefs;

	return replace(a, &p, now, at);
}
