/*
 * core/dns/names: the names of a tailnet's devices, by name and by address. Whoever knows the map keeps it current, a device at a time;
 * the resolver reads it.
 */
#ifndef WARREN_CORE_DNS_NAMES_NAMES_H
#define WARREN_CORE_DNS_NAMES_NAMES_H

#include "proto/dnsmsg/dnsmsg.h"

struct rng;
struct dns_names;

enum { DNS_NAMES_ADDRS_MAX = 8 }; /* of one device; more are left out */

struct dns_host {
	struct dnsmsg_name name; /* full, lower case */
	struct ipaddr addrs[DNS_NAMES_ADDRS_MAX];
	size_t n_addrs;
	bool wildcard; /* names below it are this device (dns-subdomain-resolve) */
};

/* What the table has of a device, in the room that this takes: there may be a hundred thousand. */
struct dns_known {
	const struct ipaddr *addrs;
	uint8_t n_addrs, name_len;
	bool wildcard;
	const uint8_t *name; /* as in struct dnsmsg_name */
};
void dns_known_name(const struct dns_known *k, struct dnsmsg_name *ret);

/* rng seeds the hash. -ENOMEM. */
MUST_USE int dns_names_new(struct dns_names **ret, struct rng *rng);
struct dns_names *dns_names_free(struct dns_names *t);

/*
 * The device `id` is called so and has these addresses; what it was called before is forgotten. Of two with one name, or one address, the
 * first keeps it until it goes. 1: nothing is different. -ENOMEM: the device has no name.
 */
MUST_USE int dns_names_set(struct dns_names *t, int64_t id, const struct dns_host *h);
void dns_names_remove(struct dns_names *t, int64_t id);
void dns_names_clear(struct dns_names *t);
size_t dns_names_count(const struct dns_names *t);

/* By the full name in lower case; NULL: nobody's. Borrowed until the table changes. */
const struct dns_known *dns_names_find(const struct dns_names *t, const struct dnsmsg_name *lower);
const struct dns_known *dns_names_by_address(const struct dns_names *t, struct ipaddr ip);
/* How many names are neither `suffix` nor below it (suffix in lower case; len 0: none). */
size_t dns_names_outside(const struct dns_names *t, const struct dnsmsg_name *suffix);

#endif
