/* The state that the owner is told of, failures, and how long to wait after them. */
#include "core/ctlclient/internal.h"

#include <stdlib.h>

#define BACKOFF_MIN MSEC(100)
#define BACKOFF_MAX SEC(30)
enum { AWAY_PART = 16 }; /* of the time that the hub has been away passes until the next try */

void ctlclient_set_state(struct ctlclient *c, enum ctlclient_state s, const char *text)
{
	if (c->state == s && !text)
		return;
	c->state = s;
	c->ops->on_state(c->owner, s, text);
}

static void tell_error(struct ctlclient *c, enum reason_step step, int rc)
{
	const struct place *p =
		c->asked == ASKED_SENT_ON && c->won == CTL_CONNS ? &c->next : &c->at;
	bool tls = c->won != CTL_CONNS ? c->won == CTL_CONN_TLS : p->https;
	struct reason r = { .step = step,
		.rc = rc,
		.host = p->host,
		.port = tls ? p->tls_port : p->plain_port,
		.tls = tls,
		.location = c->location,
		.wall = c->now.wall };
	char text[REASON_MAX];

	c->ops->on_error(c->owner, reason_format(&r, text));
}

static mono_ns spread(struct ctlclient *c, mono_ns least, mono_ns width)
{
	return least + (mono_ns)rng_below(c->rng, (uint64_t)width);
}

/* Nobody is there: in proportion to how long that has been so, so that all are back soon after a short absence. */
static mono_ns wait_for_hub(struct ctlclient *c)
{
	mono_ns base = (c->now.mono - c->lost_at) / AWAY_PART;

	base = mono_min(base < BACKOFF_MIN ? BACKOFF_MIN : base, BACKOFF_MAX);
	return spread(c, base / 2, base / 2);
}

/*
 * A session ended. The first time that is tried again at once, spread over 100 ms so that a hub's whole network does not come in
 * one packet train. Sessions that live only moments, one after the other, say that something is wrong: a hub that cannot serve us,
 * another device with our key. Each of them makes the next wait longer, whether maps came or not.
 */
static mono_ns wait_after_session(struct ctlclient *c)
{
	mono_ns base;

	if (c->now.mono - c->session_at >= CTLCLIENT_SETTLED)
		c->failures = 0;
	base = mono_min(BACKOFF_MIN + MSEC(100) * (c->failures * c->failures), BACKOFF_MAX);
	c->lost_at = c->now.mono;
	if (c->failures++ == 0)
		return spread(c, 0, base);
	c->failures = MIN_OF(c->failures, 100u);
	return spread(c, base / 2, base);
}

void ctlclient_fail(struct ctlclient *c, enum reason_step step, int rc, mono_ns wait)
{
	if (c->state == CTL_STOPPED || c->state == CTL_LOGGED_OUT)
		return;
	if (!wait)
		wait = c->won == CTL_CONNS ? wait_for_hub(c) : wait_after_session(c);
	c->retry_at = mono_add(c->now.mono, wait);
	c->lost = true;
	if (c->state != CTL_NEEDS_LOGIN)
		ctlclient_set_state(c, CTL_CONNECTING, NULL);
	if (rc)
		tell_error(c, step, rc);
}

void ctlclient_note_alive(struct ctlclient *c)
{
	c->silent_at = mono_add(c->now.mono, CTLCLIENT_SILENCE);
	c->ask_at = mono_add(c->now.mono, CTLCLIENT_SILENCE / 2);
}

void ctlclient_auth_key_set(struct ctlclient *c, const char *key)
{
	if (c->auth_key)
		key_wipe(c->auth_key, strlen(c->auth_key));
	free(c->auth_key);
	c->auth_key = key ? strdup(key) : NULL;
}
