/* What a timer does when its time comes. */
#include "core/wg/internal.h"

static void retransmit(struct wg_device *d, struct wg_peer *p, struct now now)
{
	if (now.mono - p->attempt_started < REKEY_ATTEMPT_TIME) {
		wg_send_initiation(d, p, now, true);
		return;
	}
	p->attempt_started = 0;
	wg_timers_disarm(p, TIMER_KEEPALIVE);
	wg_send_drop_staged(p);
	if (p->timer[TIMER_ZERO_KEYS] == MONO_NEVER)
		wg_timers_arm(p, TIMER_ZERO_KEYS, now.mono + 3 * REJECT_AFTER_TIME);
	(void)wg_queue_add(d, (struct wg_out){ .kind = WG_OUT_UNREACHABLE, .peer = p });
}

static void fire(struct wg_device *d, struct wg_peer *p, enum timer t, struct now now)
{
	p->timer[t] = MONO_NEVER;
	switch (t) {
	case TIMER_RETRANSMIT:
		retransmit(d, p, now);
		break;
	case TIMER_KEEPALIVE:
		wg_send_keepalive(d, p, now);
		if (p->keepalive_again) {
			p->keepalive_again = false;
			wg_timers_arm(p, TIMER_KEEPALIVE, now.mono + KEEPALIVE_TIMEOUT);
		}
		break;
	case TIMER_NEW_HANDSHAKE:
		wg_send_initiation(d, p, now, false);
		break;
	case TIMER_ZERO_KEYS:
		wg_session_clear(d, p);
		wg_send_end_initiation(d, p, false);
		break;
	case TIMER_PERSISTENT:
		wg_timers_arm(p, TIMER_PERSISTENT, now.mono + SEC(p->keepalive_s));
		wg_send_keepalive(d, p, now);
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
		wg_timers_stop(p);
}

void wg_tick(struct wg_device *d, struct now now)
{
	struct heap_node *n;

	while (wg_queue_has_room(d, SAID_AT_ONCE_MAX) && (n = heap_pop_due(&d->wakes, now.mono)))
		tick_peer(d, container_of(n, struct wg_peer, wake), now);
}

mono_ns wg_deadline(const struct wg_device *d)
{
	return heap_deadline(&d->wakes);
}
