/*
 * The five timers of a peer (paper, section 6):
 *   retransmit     an initiation went unanswered for 5 s: send another, for 90 s at most, then give up
 *   keepalive      we received data and sent nothing for 10 s: send an empty packet, so that the other side knows
 *   new handshake  we sent data and received nothing for 15 s: the session may be dead on the other side
 *   zero keys      no new session for three times 180 s: forget all key material
 *   persistent     the keepalive that the owner asked for, to keep a NAT mapping open
 *
 * Moving a timer back is free: the heap keeps the earlier time, and the tick looks again.
 */
#include "core/wg/device.h"

static void arm(struct wg_peer *p, enum timer t, mono_ns at)
{
	p->timer[t] = at;
	/* Without memory for the heap the peer loses this timer; the next event arms it again. */
	if (at < (p->wake.pos ? p->wake.at : MONO_NEVER) &&
		heap_set(&p->dev->wakes, &p->wake, at) < 0)
		p->timer[t] = MONO_NEVER;
}

static void disarm(struct wg_peer *p, enum timer t)
{
	p->timer[t] = MONO_NEVER;
}

/* Up to a third of a second, so that two sides that wake together do not collide for ever. */
static mono_ns jitter(struct wg_peer *p)
{
	return MSEC(rng_below(p->dev->cfg.rng, 334));
}

void timers_data_sent(struct wg_peer *p, mono_ns now)
{
	disarm(p, TIMER_KEEPALIVE);
	if (p->timer[TIMER_NEW_HANDSHAKE] == MONO_NEVER)
		arm(p, TIMER_NEW_HANDSHAKE, now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + jitter(p));
}

void timers_data_received(struct wg_peer *p, mono_ns now)
{
	if (p->timer[TIMER_KEEPALIVE] == MONO_NEVER)
		arm(p, TIMER_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
	else
		p->keepalive_again = true;
}

void timers_any_sent(struct wg_peer *p, mono_ns now)
{
	disarm(p, TIMER_KEEPALIVE);
	p->keepalive_again = false;
	if (p->keepalive_s)
		arm(p, TIMER_PERSISTENT, now + SEC(p->keepalive_s));
}

void timers_any_received(struct wg_peer *p)
{
	disarm(p, TIMER_NEW_HANDSHAKE);
}

void timers_initiation_sent(struct wg_peer *p, mono_ns now)
{
	arm(p, TIMER_RETRANSMIT, now + REKEY_TIMEOUT + jitter(p));
}

void timers_handshake_complete(struct wg_peer *p)
{
	disarm(p, TIMER_RETRANSMIT);
	p->attempt_started = 0;
}

void timers_session_derived(struct wg_peer *p, mono_ns now)
{
	arm(p, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
}

void timers_keepalive_set(struct wg_peer *p, mono_ns now)
{
	if (p->keepalive_s)
		arm(p, TIMER_PERSISTENT, now);
	else
		disarm(p, TIMER_PERSISTENT);
}

void timers_stop(struct wg_peer *p)
{
	for (int i = 0; i < N_TIMERS; i++)
		p->timer[i] = MONO_NEVER;
	heap_remove(&p->dev->wakes, &p->wake);
}

static void retransmit(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (now.mono - p->attempt_started < REKEY_ATTEMPT_TIME) {
		send_initiation(d, p, now, true);
		return;
	}
	p->attempt_started = 0;
	disarm(p, TIMER_KEEPALIVE);
	staged_clear(p);
	if (p->timer[TIMER_ZERO_KEYS] == MONO_NEVER)
		arm(p, TIMER_ZERO_KEYS, now.mono + 3 * REJECT_AFTER_TIME);
	d->cfg.sink->event(d->cfg.sink, p, WG_EV_UNREACHABLE);
}

static void fire(struct wg_device *d, struct wg_peer *p, enum timer t, struct now now)
{
	p->timer[t] = MONO_NEVER;
	switch (t) {
	case TIMER_RETRANSMIT:
		retransmit(d, p, now);
		break;
	case TIMER_KEEPALIVE:
		send_keepalive(d, p, now);
		if (p->keepalive_again) {
			p->keepalive_again = false;
			arm(p, TIMER_KEEPALIVE, now.mono + KEEPALIVE_TIMEOUT);
		}
		break;
	case TIMER_NEW_HANDSHAKE:
		send_initiation(d, p, now, false);
		break;
	case TIMER_ZERO_KEYS:
		sessions_clear(d, p);
		initiation_end(d, p, false);
		break;
	case TIMER_PERSISTENT:
		arm(p, TIMER_PERSISTENT, now.mono + SEC(p->keepalive_s));
		send_keepalive(d, p, now);
		break;
	case N_TIMERS:
		break;
	}
}

static void tick_peer(struct wg_device *d, struct wg_peer *p, struct now now)
{
	mono_ns next = MONO_NEVER;

	for (int t = 0; t < N_TIMERS; t++)
		if (p->timer[t] <= now.mono)
			fire(d, p, (enum timer)t, now);
	for (int t = 0; t < N_TIMERS; t++)
		next = mono_min(next, p->timer[t]);
	if (heap_set(&d->wakes, &p->wake, next) < 0)
		timers_stop(p);
}

void wg_tick(struct wg_device *d, struct now now)
{
	struct heap_node *n;

	while ((n = heap_pop_due(&d->wakes, now.mono)))
		tick_peer(d, container_of(n, struct wg_peer, wake), now);
}

mono_ns wg_deadline(const struct wg_device *d)
{
	return heap_deadline(&d->wakes);
}
