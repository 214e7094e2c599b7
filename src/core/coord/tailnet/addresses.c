/* Which addresses devices have: a number for each, of which both pools are made. */
#include "core/coord/tailnet/internal.h"
#include "proto/tsaddr/tsaddr.h"

/*
 * The n-th address of each pool. IPv4 leaves out 100.100.0.0/16 (the service address) and 100.115.92.0/23 (ChromeOS). IPv6 has its
 * service address among the first hundred: whose number it is gets one beside them.
 */
static void addresses_of(int64_t host, struct ipaddr *ret4, struct ipaddr *ret6)
{
	uint32_t v4 = 0x64400000 + (uint32_t)host;
	uint8_t b[16] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0 };

	store_be32(b + 12, (uint32_t)host);
	*ret6 = ipaddr_from16(b);
	if (ipaddr_eq(*ret6, tsaddr_service6))
		ret6->b[11] = 1;
	store_be32(b, v4);
	*ret4 = ipaddr_from4(b);
}

static bool host_is_reserved(int64_t host)
{
	uint32_t v4 = 0x64400000 + (uint32_t)host;

	return (v4 & 0xff) == 0 || (v4 & 0xff) == 255 || v4 >> 16 == 0x6464 ||
	       (v4 & 0xfffffe00) == 0x64735c00;
}

int64_t addresses_host(const struct coord_node_doc *d)
{
	return ((int64_t)load_be32(d->ip4.b) - 0x64400000) % HOSTS_MAX;
}

bool addresses_are_ours(const struct coord_node_doc *d)
{
	int64_t host = (int64_t)load_be32(d->ip4.b) - 0x64400000;

	return d->ip4.family == 4 && d->ip6.family == 6 && host >= 0 && host < HOSTS_MAX;
}

/* Given by an older hub: devices don't take it for a peer's. True: it has another one now. */
bool addresses_judge_old(struct coord_node_doc *d)
{
	struct ipaddr ip4;

	if (!ipaddr_eq(d->ip6, tsaddr_service6))
		return false;
	addresses_of(addresses_host(d), &ip4, &d->ip6);
	return true;
}

static bool host_is_taken(const struct tailnet *c, int64_t host)
{
	return c->hosts[host / 8] & 1 << host % 8;
}

bool addresses_are_taken(const struct tailnet *c, const struct coord_node_doc *d)
{
	return host_is_taken(c, addresses_host(d));
}

void addresses_set(struct tailnet *c, int64_t host, bool taken)
{
	uint8_t bit = (uint8_t)(1 << host % 8);

	c->hosts[host / 8] =
		(uint8_t)(taken ? c->hosts[host / 8] | bit : c->hosts[host / 8] & ~bit);
}

/* A free address of the pool, from a random place on. -1: there is none. */
int64_t addresses_in_pool(struct tailnet *c, struct ipprefix pool)
{
	int64_t first = (int64_t)load_be32(ipprefix_masked(pool).ip.b) - 0x64400000,
		size = (int64_t)1 << (32 - pool.bits);
	int64_t start = (int64_t)rng_below(c->cfg.rng, (uint32_t)MIN_OF(size, (int64_t)HOSTS_MAX));

	if (pool.ip.family != 4 || first < 0 || first + size > HOSTS_MAX)
		return -1;
	for (int64_t i = 0; i < size; i++) {
		int64_t host = first + (start + i) % size;

		if (host % 8 == 0 && c->hosts[host / 8] == 0xff && (start + i) % size + 8 <= size &&
			i + 8 <= size)
			i += 7; /* eight at once */
		else if (!host_is_reserved(host) && !host_is_taken(c, host))
			return host;
	}
	return -1;
}

/* The next one that is free, in a circle. */
void addresses_next(struct tailnet *c, struct ipaddr *ret4, struct ipaddr *ret6)
{
	do
		c->meta.next_host = (c->meta.next_host + 1) % HOSTS_MAX;
	while (host_is_reserved(c->meta.next_host) || host_is_taken(c, c->meta.next_host));
	addresses_of(c->meta.next_host, ret4, ret6);
}

/* doc is about to become n's. */
void addresses_move(
	struct tailnet *c, const struct coord_node *n, int64_t host, struct coord_node_doc *doc)
{
	addresses_set(c, addresses_host(&n->doc), false);
	addresses_set(c, host, true);
	addresses_of(host, &doc->ip4, &doc->ip6);
}
