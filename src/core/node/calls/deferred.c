/* The end of every call: what callbacks marked is done here, once. */
#include "core/node/answers/answers.h"
#include "core/node/calls/calls.h"
#include "core/node/login/login.h"
#include "core/node/map/map.h"

static void note_relay(struct node *a)
{
	int home = magicsock_home(a->magicsock);
	bool ready = home && relays_is_ready(magicsock_relays(a->magicsock), home);

	if (a->relay_ready && !ready)
		a->relay_lost_at = a->now.mono;
	a->relay_ready = ready;
}

void node_run_deferred(struct node *a)
{
	if (a->forget)
		node_forget(a);
	node_map_watch_clock(a);
	node_map_run_deferred(a);
	node_evaluate(a);
	note_relay(a);
	node_map_run_deferred(a); /* what the new state asks for */
	node_probes_run_deferred(a);
	node_peerapi_pings_run_deferred(a);
	node_control_run_deferred(a);
	magicsock_set_hub_up(a->magicsock, node_is_polling(a));
	if (a->netcheck_asked && !endpoints_is_checking(magicsock_endpoints(a->magicsock))) {
		a->netcheck_asked = false;
		event(a, NODE_NETCHECK_DONE);
	}
}

void node_run_deferred_packets(struct node *a)
{
	/* Packets change little else: the rest is looked at when it may matter. */
	if (a->ctl_dirty || a->state == IPN_STARTING || a->netcheck_asked || !list_empty(&a->pings))
		node_run_deferred(a);
}

mono_ns node_deadline(const struct node *a)
{
	mono_ns at =
		mono_min(magicsock_deadline(a->magicsock), mono_min(a->forget_at, a->expiry_at));

	at = mono_min(mono_min(at, a->retry_at), node_peerapi_pings_deadline(a));
	return a->ctl ? mono_min(at, ctlclient_deadline(a->ctl)) : at;
}
