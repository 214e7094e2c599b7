/*
 * What may go to addresses that have not answered. Where a peer is, others say: the hub, the peer itself, and sources of packets,
 * which anybody can forge. Who believes them can be made to send to a stranger. So:
 *
 *	an address that answered a ping       everything, while trust lasts: it got the ping, nobody else knows its number
 *	the source of authentic packets,      PATH_UNPROVEN_FACTOR times the bytes that came from there, headers counted against
 *	                                      us; the relay has the rest
 *	of a ping, or trusted before
 *	a candidate that the hub or the       probes only (pings, beginnings of handshakes): PATH_PROBE_BURST at once and then one
 *	peer named                            each PATH_PROBE_GAP; of all of a peer's PATH_PING_BURST, PATH_PINGS_PER_SECOND; and what
 *	                                      struct path_probes grants an address, whichever peers name it
 */
#include "core/path/internal.h"

#include "base/bucket/bucket.h"

static const mono_ns ping_every = SEC(1) / PATH_PINGS_PER_SECOND;

static void earn(int64_t *credit, int64_t bytes)
{
	*credit = MIN_OF((int64_t)PATH_CREDIT_MAX, *credit + bytes);
}

static int64_t on_the_wire(struct ipport to, size_t len)
{
	return (int64_t)len + (to.ip.family == 4 ? PATH_HEADERS4 : PATH_HEADERS6);
}

static bool pay(int64_t *credit, int64_t bytes)
{
	if (*credit < bytes)
		return false;
	*credit -= bytes;
	return true;
}

void budget_rx(struct path *p, struct ipport from, size_t bytes)
{
	int64_t more = PATH_UNPROVEN_FACTOR * (int64_t)MIN_OF(bytes, (size_t)PATH_CREDIT_MAX);

	if (ipport_eq(from, p->best)) {
		earn(&p->best_credit, more);
		p->last_rx_credit = 0; /* both are one address, and have one account */
		return;
	}
	if (!ipport_eq(from, p->last_rx_addr))
		p->last_rx_credit = 0;
	earn(&p->last_rx_credit, more);
}

void budget_ping(struct path_candidate *c, size_t len, size_t answer)
{
	/* Without an account: nobody pays for the answer, or another one has. */
	if (len)
		earn(&c->credit, PATH_UNPROVEN_FACTOR * (int64_t)len -
					 (answer ? on_the_wire(c->addr, answer) : 0));
}

bool path_spend(struct path *p, struct ipport to, size_t len, mono_ns now)
{
	if (!ipaddr_is_set(to.ip))
		return false;
	if (ipport_eq(to, p->best))
		return now <= p->trust_until || pay(&p->best_credit, on_the_wire(to, len));
	return ipport_eq(to, p->last_rx_addr) && pay(&p->last_rx_credit, on_the_wire(to, len));
}

static bool take_ping(struct path *p, mono_ns now)
{
	return bucket_spend(&p->pings_full_at, ping_every, PATH_PING_BURST * ping_every, now);
}

static bool take_probe(struct path_candidate *c, mono_ns now)
{
	return bucket_spend(
		&c->probes_full_at, PATH_PROBE_GAP, PATH_PROBE_BURST * PATH_PROBE_GAP, now);
}

/* Whichever peers name it. */
static bool take_of_all(struct path_probes *all, const struct ipport *to, mono_ns now)
{
	bool may = !all || ratelimit_allow(&all->limit, ipaddr_place(&to->ip), now);

	if (!may)
		all->n_limited++;
	return may;
}

bool budget_probe(struct path *p, struct path_candidate *c, size_t len, mono_ns now)
{
	bool may;

	if (ipport_eq(c->addr, p->best) && path_is_trusted(p, now))
		return true;
	if (c->named_by)
		may = take_probe(c, now) && take_of_all(p->probes, &c->addr, now);
	else
		may = pay(&c->credit, on_the_wire(c->addr, len)) ||
		      path_spend(p, c->addr, len, now);
	may = may && take_ping(p, now);
	p->n_limited += !may;
	return may;
}

bool path_may_probe(struct path *p, struct ipport to, size_t len, mono_ns now)
{
	struct path_candidate *c = candidate_find(p, to);

	return c && budget_probe(p, c, len, now);
}
