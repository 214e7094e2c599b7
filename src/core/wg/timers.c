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
#include "core/wg/internal.h"

void wg_timers_arm(struct wg_peer *p, enum timer t, mono_ns at)
{
	p->timer[t] = at;
	/* Without memory for the heap the peer loses this timer; the next event arms it again. */
	if (at < (p->wake.pos ? p->wake.at : MONO_NEVER) &&
		heap_set(&p->dev->wakes, &p->wake, at) < 0)
		p->timer[t] = MONO_NEVER;
}

void wg_timers_disarm(struct wg_peer *p, enum timer t)
{
	p->timer[t] = MONO_NEVER;
}

/* Up to a third of a second, so that two sides that wake together do not collide for ever. */
static mono_ns jitter(struct wg_peer *p)
{
	return MSEC(rng_below(p->dev->cfg.rng, 334));
}

void wg_timers_data_sent(struct wg_peer *p, mono_ns now)
{
	wg_timers_disarm(p, TIMER_KEEPALIVE);
	if (p->timer[TIMER_NEW_HANDSHAKE] == MONO_NEVER)
		wg_timers_arm(p, TIMER_NEW_HANDSHAKE,
			now + KEEPALIVE_TIMEOUT + REKEY_TIMEOUT + jitter(p));
}

void wg_timers_data_received(struct wg_peer *p, mono_ns now)
{
	if (p->timer[TIMER_KEEPALIVE] == MONO_NEVER)
		wg_timers_arm(p, TIMER_KEEPALIVE, now + KEEPALIVE_TIMEOUT);
	else
		p->keepalive_again = true;
}

void wg_timers_any_sent(struct wg_peer *p, mono_ns now)
{
	wg_timers_disarm(p, TIMER_KEEPALIVE);
	p->keepalive_again = false;
	if (p->keepalive_s)
		wg_timers_arm(p, TIMER_PERSISTENT, now + SEC(p->keepalive_s));
}

void wg_timers_any_received(struct wg_peer *p)
{
	wg_timers_disarm(p, TIMER_NEW_HANDSHAKE);
}

void wg_timers_initiation_sent(struct wg_peer *p, mono_ns now)
{
	wg_timers_arm(p, TIMER_RETRANSMIT, now + REKEY_TIMEOUT + jitter(p));
}

void wg_timers_handshake_complete(struct wg_peer *p)
{
	wg_timers_disarm(p, TIMER_RETRANSMIT);
	p->attempt_started = 0;
}

void wg_timers_session_derived(struct wg_peer *p, mono_ns now)
{
	wg_timers_arm(p, TIMER_ZERO_KEYS, now + 3 * REJECT_AFTER_TIME);
}

void wg_timers_keepalive_set(struct wg_peer *p, mono_ns now)
{
	if (p->keepalive_s)
		wg_timers_arm(p, TIMER_PERSISTENT, now);
	else
		wg_timers_disarm(p, TIMER_PERSISTENT);
}

void wg_timers_stop(struct wg_peer *p)
{
	for (int i = 0; i < N_TIMERS; i++)
		p->timer[i] = MONO_NEVER;
	heap_remove(&p->dev->wakes, &p->wake);
}
