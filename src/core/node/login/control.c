/* The control client: begun, moved to another URL, paused, ended. */
#include "core/node/login/internal.h"
#include "core/node/map/map.h"

void node_control_end(struct node *a)
{
	a->ctl = ctlclient_free(a->ctl);
	a->ctl_state = CTL_STOPPED;
	a->refused[0] = 0;
}

/* With the key of an earlier hub's making, nothing of that hub's is worth anything. */
void node_hub_leave(struct node *a)
{
	a->id.hub = (struct machine_pub){ 0 };
	a->moving_from[0] = 0;
	a->other_key = false;
	a->left = true;
	node_map_drop(a);
}

/* There is another hub where ours was said to be: we stay where we were, logged in. */
static void stay(struct node *a)
{
	char url[sizeof(a->ctl_url)];

	a->other_hub = false;
	snprintf(a->login_error, sizeof(a->login_error),
		"%.256s is another hub than the one that this device is logged in at, %.256s; "
		"--force-reauth leaves that one",
		a->ctl_url, a->moving_from);
	snprintf(url, sizeof(url), "%s", a->moving_from);
	a->moving_from[0] = 0;
	node_control_url_store(a, url);
	node_tell_login_failed(a);
	node_control_begin(a);
}

/*
 * Another URL than before. Who is logged in, and does not ask for a login, means the same hub at another place: it has to show the
 * key that we know. Otherwise it is another hub.
 */
static void change_url(struct node *a, const char *url)
{
	if (!strcmp(a->ctl_url, url))
		return;
	if (!a->ctl_url[0]) {
		/* the first */
	} else if (has_node_key(a) && !key_is_zero(a->id.hub.b) && !a->auth_key) {
		if (!a->moving_from[0])
			snprintf(a->moving_from, sizeof(a->moving_from), "%s", a->ctl_url);
		if (!strcmp(a->moving_from, url))
			a->moving_from[0] = 0; /* back again */
	} else {
		node_hub_leave(a);
	}
	snprintf(a->ctl_url, sizeof(a->ctl_url), "%s", url);
}

void node_control_begin(struct node *a)
{
	const char *url = node_control_url(a);
	struct ctlclient_config cfg = { .url = url,
		.auth_key = a->auth_key,
		.machine = a->id.machine,
		.ephemeral = a->ephemeral };
	int rc = 0;

	node_control_end(a);
	change_url(a, url);
	cfg.registered = !a->left && has_node_key(a);
	cfg.strict = a->moving_from[0] != 0;
	*(cfg.strict ? &cfg.known : &cfg.hub) = a->id.hub;
	if (has_node_key(a) && !a->left)
		rc = key_public(a->id.node.b, cfg.node.b);
	if (rc == 0 && !key_is_zero(a->id.old_node.b) && !a->left)
		rc = key_public(a->id.old_node.b, cfg.old_node.b);
	if (rc == 0)
		rc = ctlclient_new(&a->ctl, &cfg, a->rng, &node_control_ops, a);
	key_wipe(&cfg.machine, sizeof(cfg.machine));
	if (rc < 0) {
		snprintf(a->login_error, sizeof(a->login_error), "control server %.256s: %s", url,
			err_text(rc));
		node_tell_login_failed(a);
		return;
	}
	ctlclient_start(a->ctl, a->now);
}

void node_control_pause(struct node *a)
{
	bool want = prefs_of(a)->want_running;

	a->wanted_since = want ? a->now.mono : MONO_NEVER;
	if (!want && a->ctl && a->forget_at == MONO_NEVER)
		ctlclient_stop(a->ctl);
	else if (want && a->ctl)
		ctlclient_start(a->ctl, a->now);
	else if (want && has_node_key(a))
		node_control_begin(a);
}

void node_control_run_deferred(struct node *a)
{
	if (a->other_hub)
		stay(a);
	if (!a->ctl)
		return;
	if (a->ctl_restart) {
		a->ctl_restart = false;
		ctlclient_stop(a->ctl);
		ctlclient_start(a->ctl, a->now);
	}
	if (a->ctl_dirty) {
		a->ctl_dirty = false;
		ctlclient_update(a->ctl, a->now);
	}
	for (unsigned i = 0; i < CTL_CONNS; i++)
		if (ctlclient_output(a->ctl, (enum ctlclient_conn)i).len)
			a->ops->stream_wake(a->owner, NODE_STREAM_CONTROL + i);
}
