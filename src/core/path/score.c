#include "core/path/path.h"

enum { POINTS_LOOPBACK = 50, POINTS_LINK_LOCAL = 30, POINTS_PRIVATE = 20, POINTS_IPV6 = 10 };

static int points_of(struct ipaddr a)
{
	int points = a.family == 6 ? POINTS_IPV6 : 0;

	if (ipaddr_is_loopback(a))
		return points + POINTS_LOOPBACK;
	if (ipaddr_is_link_local(a))
		return points + POINTS_LINK_LOCAL;
	return points + (ipaddr_is_private(a) ? POINTS_PRIVATE : 0);
}

/* By how many percent the faster one is faster. Two that are alike get nothing, so that paths do not flap. */
static int points_for_speed(mono_ns faster, mono_ns slower)
{
	return (int)(100 - faster * 100 / slower);
}

bool path_better(struct ipport a, mono_ns a_latency, struct ipport b, mono_ns b_latency)
{
	int a_points = 0, b_points = 0;

	if (!ipaddr_is_set(b.ip))
		return true;
	if (!ipaddr_is_set(a.ip) || ipport_eq(a, b))
		return false;
	if (a_latency > b_latency)
		b_points = points_for_speed(b_latency, a_latency);
	else if (b_latency > 0)
		a_points = points_for_speed(a_latency, b_latency);
	a_points += points_of(a.ip);
	b_points += points_of(b.ip);
	if (a_points <= 1 && b_points == 0)
		return false;
	return a_points > b_points;
}

/* An address that a packet can go to. Link-local IPv6 needs an interface, which nobody tells us. */
bool path_usable_address(struct ipport a)
{
	static const uint8_t broadcast[4] = { 255, 255, 255, 255 };

	if (!ipaddr_is_set(a.ip) || !a.port || ipaddr_is_unspecified(a.ip) ||
		ipaddr_is_multicast(a.ip))
		return false;
	if (a.ip.family == 4)
		return memcmp(a.ip.b, broadcast, sizeof(broadcast)) != 0;
	return !ipaddr_is_link_local(a.ip);
}
