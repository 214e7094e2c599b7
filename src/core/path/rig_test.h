/* core/path/rig_test: for the tests. One path, and what it asked for. */
#ifndef WARREN_CORE_PATH_RIG_TEST_H
#define WARREN_CORE_PATH_RIG_TEST_H

#include "core/path/path.h"
#include "testlib/check.h"

enum { SENT_MAX = 512 };

/* One path and what it asked for. */
struct rig {
	struct path p;
	struct rng_seeded rng;
	struct ipport to[SENT_MAX]; /* unset: the relay */
	uint8_t txid[SENT_MAX][PATH_TXID_LEN];
	size_t size[SENT_MAX], n_pings, n_relay_pings;
	unsigned calls, changes, answers;
	struct ipport answered_to;
	mono_ns answered_latency, now;
};

static inline void keep_ping(struct rig *r, const struct path_out *o)
{
	CHECK_INT(r->n_pings, <, SENT_MAX);
	r->n_relay_pings += !ipaddr_is_set(o->to.ip);
	memcpy(r->txid[r->n_pings], o->txid, PATH_TXID_LEN);
	r->size[r->n_pings] = o->size;
	r->to[r->n_pings++] = o->to;
}

/* What the path wants, after each call. */
static inline void take(struct rig *r)
{
	struct path_out o;

	while (path_next(&r->p, &o))
		switch (o.kind) {
		case PATH_OUT_PING:
			keep_ping(r, &o);
			break;
		case PATH_OUT_CALL:
			r->calls++;
			break;
		case PATH_OUT_CHANGED:
			r->changes++;
			break;
		}
}

static inline bool pong(struct rig *r, const uint8_t *txid, bool by_relay, struct path_answer *ret)
{
	bool good = path_on_pong(&r->p, txid, by_relay, r->now, ret);

	take(r);
	if (!good || !ret->cookie)
		return good;
	CHECK_INT(ret->cookie, ==, 7);
	r->answers++;
	r->answered_to = ret->to;
	r->answered_latency = ret->latency;
	return true;
}

static inline struct ipport addr(const char *s)
{
	struct ipport a;

	CHECK_INT(ipport_parse(s, strlen(s), &a), ==, 0);
	return a;
}

static inline void rig_open(struct rig *r)
{
	*r = (struct rig){ .now = SEC(1000) };
	rng_seeded_init(&r->rng, 1);
	path_init(&r->p, &r->rng.rng, NULL);
	path_set_can_ping(&r->p, true, r->now);
	take(r);
}

/* Runs the path's own deadlines up to then. */
static inline void run_to(struct rig *r, mono_ns then)
{
	while (path_deadline(&r->p) <= then) {
		r->now = MAX_OF(r->now, path_deadline(&r->p));
		path_tick(&r->p, r->now);
		take(r);
	}
	r->now = then;
}

static inline void run(struct rig *r, mono_ns d)
{
	run_to(r, r->now + d);
}

static inline void forget(struct rig *r)
{
	r->n_pings = r->n_relay_pings = r->calls = r->changes = 0;
}

static inline size_t pings_to(const struct rig *r, struct ipport a)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n_pings; i++)
		n += ipport_eq(r->to[i], a);
	return n;
}

/* The last ping to this address is answered now. */
static inline void answer(struct rig *r, struct ipport a)
{
	struct path_answer got;

	for (size_t i = r->n_pings; i-- > 0;)
		if (ipport_eq(r->to[i], a)) {
			CHECK_TRUE(pong(r, r->txid[i], !ipaddr_is_set(a.ip), &got));
			CHECK_TRUE(ipport_eq(got.to, a));
			return;
		}
	check_fail(__FILE__, __LINE__, "no ping to answer");
}

static inline void set_endpoints(struct rig *r, struct ipport a, struct ipport b)
{
	struct ipport eps[2] = { a, b };

	path_set_endpoints(&r->p, eps, ipaddr_is_set(b.ip) ? 2 : 1, r->now);
	take(r);
}

static const struct ipport none;

/* A path with one candidate that answers in 20 ms. */
static inline struct ipport direct(struct rig *r)
{
	struct ipport a = addr("203.0.113.7:41641");

	rig_open(r);
	set_endpoints(r, a, none);
	path_on_send(&r->p, r->now);
	take(r);
	run(r, MSEC(20));
	answer(r, a);
	CHECK_TRUE(path_is_trusted(&r->p, r->now));
	forget(r);
	return a;
}

static inline void check_route(struct rig *r, struct ipport udp, bool relay)
{
	struct path_route route = path_route(&r->p, r->now);

	CHECK_TRUE(ipport_eq(route.udp, udp));
	CHECK_INT(route.relay, ==, relay);
}

#endif
