/* After a response: what the parts of the map add up to. */
#include "core/node/map/map.h"
#include "core/node/packets/packets.h"

#include <errno.h>
#include <stdlib.h>

enum { CLOCK_MOVED_MS = 2000 }; /* less is no reason to look at every peer */

void node_map_tell_self(struct node *a)
{
	const struct tc_node *self = self_of(a);
	struct ipaddr at[2] = { 0 };

	if (!self)
		return;
	for (size_t i = 0; i < self->addresses.n; i++) {
		struct ipaddr ip = JSON_AT(self->addresses, struct ipprefix, i)->ip;

		if (!ipaddr_is_set(at[ip.family == 6]))
			at[ip.family == 6] = ip;
	}
	magicsock_set_self(a->magicsock, at[0], at[1], a->peerapi[0].port, a->peerapi[1].port);
}

static void derive_self(struct node *a)
{
	const struct tc_node *self = self_of(a);
	struct ipn_prefs p = *prefs_of(a);
	struct ipn_persist persist = p.persist ? *p.persist : (struct ipn_persist){ 0 };
	const struct tc_user *user;
	int rc;

	if (!self)
		return;
	node_map_tell_self(a);
	magicsock_set_no_udp(a->magicsock, node_has_cap(self, "only-tcp-443"), a->now);
	node_rejects_enable(a, node_has_cap(self, "debug-conn-reject"));
	(void)node_watch_expiry(a, self);
	node_dns_self(a, self);
	user = netmap_user(a->nm, self->user);
	if (user)
		persist.user = *user;
	persist.node_id = self->stable_id;
	p.persist = &persist;
	rc = node_prefs_store(a, &p);
	if (rc > 0)
		event(a, NODE_PREFS);
	else if (rc < 0)
		node_map_retry_later(a);
	event(a, NODE_SELF);
}

/* Rules that cannot be compiled let nobody in; the old ones might let in who was shut out. */
static void derive_filter(struct node *a)
{
	const struct ipn_prefs *p = prefs_of(a);
	const struct filter_carry carry = { .offered = p->advertise_routes.v,
		.n_offered = p->advertise_routes.n,
		.nets = a->nets,
		.n_nets = a->n_nets,
		.nets_known = a->nets_known };
	struct filter_rules *rules = NULL;
	int rc;

	if (!self_of(a))
		return;
	rc = filter_rules_from_netmap(&rules, a->nm, &carry, p->shields_up);
	if (rc == -ENOMEM)
		node_map_retry_later(a);
	if (rc < 0) {
		a->counters.bad_netmaps++;
		if (filter_rules_from_netmap(&rules, a->nm, &carry, true) < 0)
			rules = NULL; /* not even that: nothing passes */
	}
	a->uses_caps = rules && filter_rules_info(rules).uses_caps;
	filter_rules_free(filter_swap(a->filter, rules));
}

static void derive_peers(struct node *a)
{
	a->expiry_at = MONO_NEVER;
	a->dns.dirty = true; /* our own key may be among them */
	if (self_of(a))
		(void)node_watch_expiry(a, self_of(a));
	map_for_each(n, &a->peers)
		node_peer_update(a, container_of(n, struct node_peer, node)->id);
}

static void derive_relays(struct node *a)
{
	int rc = magicsock_set_derp_map(a->magicsock, netmap_derp_map(a->nm), a->now);

	a->derp_dirty = false;
	a->other_dirty = true;
	if (rc < 0)
		a->counters.bad_netmaps++;
	if (rc == -ENOMEM)
		node_map_retry_later(a);
}

void node_map_run_deferred(struct node *a)
{
	if (a->derp_dirty)
		derive_relays(a);
	if (a->self_dirty) {
		a->self_dirty = false;
		derive_self(a);
	}
	if (ipaddr_is_set(prefs_of(a)->exit_node_ip))
		node_prefs_resolve_exit(a);
	if (a->peers_dirty || a->exit_dirty) {
		a->exit_dirty = false;
		node_prefs_auto_exit(a);
	}
	if (a->peers_dirty) {
		a->peers_dirty = false;
		derive_peers(a);
	}
	if (a->filter_dirty) {
		a->filter_dirty = false;
		derive_filter(a);
		a->other_dirty = true;
	}
	if (a->net_dirty) {
		a->net_dirty = false;
		node_net_build(a);
	}
	if (a->dns.dirty)
		node_dns_build(a);
	if (a->other_dirty) {
		a->other_dirty = false;
		event(a, NODE_NETMAP);
	}
	if (a->map_changed) {
		a->map_changed = false;
		event(a, NODE_SAVE_NETMAP);
	}
}

void node_map_watch_clock(struct node *a)
{
	int64_t base = a->now.wall + netmap_control_skew_ms(a->nm) - a->now.mono / MSEC(1),
		moved = base - a->expiry_base_ms;

	if (a->expiry_base_ms && moved > -CLOCK_MOVED_MS && moved < CLOCK_MOVED_MS)
		return;
	if (a->expiry_base_ms)
		node_map_expire(a);
	a->expiry_base_ms = base;
}

/* Peers, too, of which nothing is known but in the map. */
void node_map_retry(struct node *a)
{
	size_t n = netmap_n_peers(a->nm);
	const struct tc_node **peers = calloc(n + 1, sizeof(*peers));

	a->retry_at = MONO_NEVER;
	a->derp_dirty = a->self_dirty = a->filter_dirty = a->net_dirty = true;
	if (!peers) {
		node_map_retry_later(a);
		return;
	}
	netmap_peers(a->nm, peers);
	for (size_t i = 0; i < n; i++)
		node_peer_update(a, peers[i]->id);
	free(peers);
}

void node_map_expire(struct node *a)
{
	a->expiry_at = MONO_NEVER;
	a->peers_dirty = true;
}
