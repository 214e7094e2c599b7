/*
 * The state of the backend, from everything that bears on it:
 *
 *	NoState --no key, or the hub wants a login--> NeedsLogin --login, first map--> Starting --a relay or peer lives--> Running
 *	any --down--> Stopped --up--> Starting        any --key expired, logout--> NeedsLogin
 *	any --machine not authorised--> NeedsMachineAuth --authorised--> Starting
 *
 * Rules are looked at from the top; the first that holds says the next state.
 */
#include "core/node/calls/calls.h"

/* Is the control client of no help without a person? */
static bool login_waits(const struct node *a)
{
	return !a->ctl || a->ctl_state == CTL_NEEDS_LOGIN || a->ctl_state == CTL_LOGGED_OUT ||
	       a->ctl_state == CTL_STOPPED;
}

/* Can anybody be reached? Without any relay in the map there is none to wait for. */
static bool is_live(const struct node *a)
{
	const struct tc_derp_map *map = netmap_derp_map(a->nm);
	int home = magicsock_home(a->magicsock);

	return a->session_seen || (home && relays_is_ready(magicsock_relays(a->magicsock), home)) ||
	       !map || !map->regions.n;
}

/* It does not know our key any more: a device that was removed. While a new key is made the old one serves on. */
static bool hub_refuses(const struct node *a)
{
	return a->ctl && a->ctl_state == CTL_NEEDS_LOGIN && key_is_zero(a->trial.b);
}

static enum ipn_state next_state(const struct node *a)
{
	const struct ipn_prefs *p = prefs_of(a);
	const struct tc_node *self = self_of(a);

	if (!p->want_running && !p->logged_out && !a->blocked && has_node_key(a))
		return IPN_STOPPED;
	if (!self && (login_waits(a) || p->logged_out))
		return IPN_NEEDS_LOGIN;
	if (!self)
		return a->state == IPN_STOPPED ? IPN_STARTING : a->state;
	if (!p->want_running)
		return IPN_STOPPED;
	if (node_key_expired(a, self) || hub_refuses(a))
		return IPN_NEEDS_LOGIN;
	if (!self->machine_authorized)
		return IPN_NEEDS_MACHINE_AUTH;
	if (a->moving_from
			[0]) /* whether that is our hub is about to be seen; the network goes on */
		return IPN_STARTING;
	if (a->state == IPN_STARTING && is_live(a))
		return IPN_RUNNING;
	return a->state == IPN_RUNNING ? IPN_RUNNING : IPN_STARTING;
}

static void enter(struct node *a, enum ipn_state s)
{
	a->state = s;
	if (s == IPN_NEEDS_LOGIN)
		a->blocked = true;
	if (s == IPN_RUNNING)
		a->login_url[0] = 0;
	node_event_add(a, (struct node_event){ .kind = NODE_STATE, .state = s });
}

void node_evaluate(struct node *a)
{
	enum ipn_state s;
	bool up;

	if (!a->started)
		return;
	while ((s = next_state(a)) != a->state)
		enter(a, s);
	up = (a->state == IPN_STARTING || a->state == IPN_RUNNING) && self_of(a) && has_node_key(a);
	if (up && !a->magicsock_up)
		node_engine_up(a);
	else if (!up && a->magicsock_up)
		node_engine_down(a);
	/* With the engine up the relays may be there already. */
	while ((s = next_state(a)) != a->state)
		enter(a, s);
}
