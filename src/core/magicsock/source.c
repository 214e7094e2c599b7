/* Where a datagram came from, in the bytes that the engine keeps for its owner. */
#include "core/magicsock/internal.h"

/* The first byte, before the address. */
enum { SOURCE_UDP = 1, SOURCE_RELAY = 2, SOURCE_UDP_LEN = 20, SOURCE_RELAY_LEN = 3 + KEY_LEN };

struct wg_source source_udp(struct ipport a)
{
	struct wg_source s = { .len = SOURCE_UDP_LEN,
		.host_len = a.ip.family == 4 ? 2 + 4 : 2 + 8,
		.b = { SOURCE_UDP, a.ip.family } };

	/* The address before the port, which a flood may change as it likes. */
	memcpy(s.b + 2, a.ip.b, 16);
	store_be16(s.b + 18, a.port);
	return s;
}

struct wg_source source_relay(int region, const struct node_pub *key)
{
	struct wg_source s = { .len = SOURCE_RELAY_LEN, .b = { SOURCE_RELAY } };

	store_be16(s.b + 1, (uint16_t)region);
	memcpy(s.b + 3, key->b, KEY_LEN);
	return s;
}

struct magicsock_route source_route(const struct wg_source *s, struct node_pub *ret_key)
{
	struct ipport a = { 0 };

	if (s->len == SOURCE_RELAY_LEN && s->b[0] == SOURCE_RELAY) {
		memcpy(ret_key->b, s->b + 3, KEY_LEN);
		return route_relay(load_be16(s->b + 1));
	}
	if (s->len == SOURCE_UDP_LEN && s->b[0] == SOURCE_UDP) {
		a.ip.family = s->b[1];
		memcpy(a.ip.b, s->b + 2, 16);
		a.port = load_be16(s->b + 18);
	}
	return route_direct(a);
}
