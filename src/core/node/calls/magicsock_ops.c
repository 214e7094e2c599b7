/* What magicsock asks for. */
#include "core/node/calls/calls.h"

static void udp_send(void *owner, struct ipport to, const struct pkt *d, size_t n)
{
	struct node *a = owner;

	a->ops->udp_send(a->owner, to, d, n);
}

static unsigned relay_stream(int region)
{
	return NODE_STREAM_RELAY + (unsigned)region;
}

static void relay_dial(void *owner, int region, const struct tc_derp_node *n)
{
	struct node *a = owner;
	struct node_dial d = node_dial_of(n);

	a->ops->dial(a->owner, relay_stream(region), &d);
}

void node_relay_hangup(void *owner, int region)
{
	struct node *a = owner;

	a->ops->hangup(a->owner, relay_stream(region));
}

static void relay_wake(void *owner, int region)
{
	struct node *a = owner;

	a->ops->stream_wake(a->owner, relay_stream(region));
}

static void resolve(void *owner, const char *host)
{
	struct node *a = owner;

	a->ops->resolve(a->owner, host);
}

static void measure(void *owner, int region, const struct tc_derp_node *node)
{
	struct node *a = owner;
	struct node_dial d = node_dial_of(node);

	a->ops->measure(a->owner, region, &d);
}

static void self_changed(void *owner, unsigned what)
{
	struct node *a = owner;

	(void)what;
	a->ctl_dirty = true;
}

static void peer_event(void *owner, int64_t peer, enum magicsock_peer_event ev)
{
	struct node *a = owner;

	(void)peer;
	if (ev == MAGICSOCK_SESSION)
		a->session_seen = true;
}

void node_magicsock_ops_set(struct node *a)
{
	a->magicsock_ops = (struct magicsock_ops){
		.udp_send = udp_send,
		.relay_dial = relay_dial,
		.relay_hangup = node_relay_hangup,
		.relay_wake = relay_wake,
		.resolve = a->ops->resolve ? resolve : NULL,
		.measure = a->ops->measure ? measure : NULL,
		.self_changed = self_changed,
		.peer_event = peer_event,
	};
}
