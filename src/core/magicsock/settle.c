/*
 * What every call ends with: what came out of the engine, what follows from it, what relays and endpoints ask for, and what the owner
 * is told. It goes round until nothing is left, because one leads to another.
 */
#include "core/magicsock/internal.h"

/* ---- Peers ---- */

static void tell_owner(struct magicsock_peer *p, unsigned what)
{
	struct magicsock *m = p->m;

	if (what & DEFER_TELL_SESSION)
		m->ops->peer_event(m->owner, p->id, MAGICSOCK_SESSION);
	if (what & DEFER_TELL_PATH)
		m->ops->peer_event(m->owner, p->id, MAGICSOCK_PATH);
	if (what & DEFER_TELL_UNREACHABLE)
		m->ops->peer_event(m->owner, p->id, MAGICSOCK_UNREACHABLE);
}

static bool run_deferred(struct magicsock *m)
{
	struct list *l;
	bool any = false;

	for (; (l = list_pop_head(&m->deferred)); any = true) {
		struct magicsock_peer *p = container_of(l, struct magicsock_peer, defer_link);
		unsigned what = p->deferred;

		p->deferred = 0;
		if (what & DEFER_PATH)
			disco_run_path(p);
		if ((what & DEFER_HANDSHAKE) && p->wg) {
			m->n.no_session_pokes++;
			wg_start_handshake(m->wg, p->wg, m->now);
		}
		if ((what & DEFER_ADVERTISE) && p->wg)
			pings_advertise(p);
		if ((what & DEFER_RENEW) && p->wg)
			wg_renew(m->wg, p->wg, m->now);
		(void)engine_drain(m);
		tell_owner(p, what);
	}
	return any;
}

static void paths_self_changed(struct magicsock *m)
{
	for (struct magicsock_peer *p = m->on ? peer_next(m, NULL) : NULL; p; p = peer_next(m, p)) {
		path_on_self_changed(&p->path, m->now.mono);
		peer_wake_set(p);
	}
}

/* ---- Relays ---- */

static bool run_relays(struct magicsock *m)
{
	struct relays_event e;
	bool any = false;

	for (; relays_next_event(m->relays, &e); any = true)
		switch (e.type) {
		case RELAYS_HANG_UP:
			m->ops->relay_hangup(m->owner, e.region);
			break;
		case RELAYS_DIAL:
			m->ops->relay_dial(m->owner, e.region, e.node);
			break;
		case RELAYS_OUTPUT:
			m->ops->relay_wake(m->owner, e.region);
			break;
		case RELAYS_BACK:
			/* Calls were lost with it: those who look for a path look again. */
			paths_self_changed(m);
			break;
		case RELAYS_HEARD:
			endpoints_relay_heard(m->endpoints, e.region, m->now);
			break;
		case RELAYS_HOME_DOWN:
			endpoints_relay_lost(m->endpoints, e.region, m->now);
			break;
		}
	m->n.relay_idle_closed = relays_counters(m->relays)->idle_closed;
	m->n.probe_limited = m->probes.n_limited;
	m->n.relay_dropped = relays_counters(m->relays)->dropped;
	return any;
}

/* ---- Endpoints ---- */

static void self_changed(struct magicsock *m, unsigned what)
{
	if (what & ENDPOINTS_HOME)
		relays_set_home(m->relays, endpoints_home(m->endpoints), m->now.mono);
	m->ops->self_changed(m->owner, what);
	if (what & ENDPOINTS_LIST)
		paths_self_changed(m);
}

static bool run_endpoints(struct magicsock *m)
{
	struct endpoints_event e;
	struct pkt req;
	bool any = false;

	for (; endpoints_next_event(m->endpoints, &e); any = true)
		switch (e.type) {
		case ENDPOINTS_SEND:
			req = (struct pkt){ .p = e.request, .len = sizeof(e.request) };
			m->ops->udp_send(m->owner, e.to, &req, 1);
			break;
		case ENDPOINTS_RESOLVE:
			m->ops->resolve(m->owner, e.host);
			break;
		case ENDPOINTS_MEASURE:
			m->ops->measure(m->owner, e.region, e.node);
			break;
		case ENDPOINTS_CHANGED:
			self_changed(m, e.what);
			break;
		}
	m->n.stun_limited = endpoints_counters(m->endpoints)->stun_limited;
	return any;
}

void settle_all(struct magicsock *m)
{
	while (engine_drain(m) || run_deferred(m) || run_relays(m) || run_endpoints(m))
		;
}
