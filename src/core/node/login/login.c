/* A device begins, logs in, logs out and is forgotten. */
#include "core/node/login/internal.h"
#include "core/node/map/map.h"

#define LOGIN_FOLLOWS_START SEC(10) /* a login that comes later is one of its own */

void node_login_start(struct node *a, const char *auth_key)
{
	const struct ipn_prefs *p = prefs_of(a);

	a->started = true;
	node_auth_key_set(a, auth_key);
	a->blocked = false;
	a->joined_by_key = 0;
	a->started_expired = self_of(a) && node_key_expired(a, self_of(a));
	a->login_url[0] = a->login_error[0] = 0;
	a->forget_at = MONO_NEVER;
	node_control_end(a);
	a->state = IPN_NO_STATE; /* whoever waits for a state hears of it again */
	a->wanted_since = p->want_running ? a->now.mono : MONO_NEVER;
	if (p->want_running && !p->logged_out && (has_node_key(a) || a->auth_key))
		node_control_begin(a);
}

/*
 * A start with an auth key may have to log in with it at once: nobody is in yet, the key of the device has expired, or it was
 * another hub's. The login that the command asks for behind the start is that one, whether it is under way or done; a second
 * one would need a second auth key.
 */
static bool logs_in_already(struct node *a)
{
	bool done = a->joined_by_key && a->now.mono - a->joined_by_key < LOGIN_FOLLOWS_START;

	a->joined_by_key = 0;
	return done || (a->ctl_state == CTL_CONNECTING && a->auth_key &&
			       (a->started_expired || ctlclient_joins_by_key(a->ctl)));
}

void node_login_begin(struct node *a)
{
	if (a->moving_from[0]) { /* a login at another hub, then */
		node_control_end(a);
		node_hub_leave(a);
	}
	if (!a->ctl) {
		node_control_begin(a);
		if (a->ctl && has_node_key(a))
			ctlclient_login(a->ctl, a->auth_key, a->now);
	} else if (a->ctl_state == CTL_NEEDS_LOGIN && a->login_url[0]) {
		node_event_add(a,
			(struct node_event){ .kind = NODE_LOGIN_URL,
				.text = a->login_url }); /* the one that waits serves whoever asks */
	} else if (logs_in_already(a)) {
		a->login_error[0] = 0;
	} else if (has_node_key(a) || a->ctl_state != CTL_CONNECTING) {
		a->login_error[0] = 0;
		ctlclient_login(a->ctl, a->auth_key, a->now);
	}
}

void node_login_end(struct node *a)
{
	struct ipn_prefs p = *prefs_of(a);

	if (!has_node_key(a))
		return;
	p.want_running = false;
	p.logged_out = true;
	a->wanted_since = MONO_NEVER;
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	if (!a->ctl)
		node_control_begin(a);
	a->forget_at = mono_add(a->now.mono, NODE_LOGOUT_WAIT);
	if (a->ctl) {
		ctlclient_start(a->ctl, a->now);
		ctlclient_logout(a->ctl, a->now);
	}
}

void node_forget(struct node *a)
{
	struct ipn_prefs p;

	a->forget = false;
	a->forget_at = MONO_NEVER;
	node_control_end(a);
	node_engine_down(a);
	node_map_drop(a);
	key_wipe(&a->id.node, sizeof(a->id.node));
	key_wipe(&a->id.old_node, sizeof(a->id.old_node));
	key_wipe(&a->trial, sizeof(a->trial));
	a->id.hub = (struct machine_pub){ 0 };
	a->ctl_url[0] = a->moving_from[0] = a->login_url[0] = a->login_error[0] = 0;
	a->left = a->other_key = false;
	node_auth_key_set(a, NULL);
	ipn_prefs_init(&p);
	if (node_prefs_store(a, &p) > 0)
		event(a, NODE_PREFS);
	event(a, NODE_KEYS);
	event(a, NODE_SELF);
}
