/*
 * http/router/principal: who asks, from where, and with what rights. The owner of a table fills it in (router_ops.identify);
 * the router compares its rights with those that a route needs.
 */
#ifndef WARREN_HTTP_ROUTER_PRINCIPAL_H
#define WARREN_HTTP_ROUTER_PRINCIPAL_H

#include "base/netip/netip.h"

enum principal_kind {
	PRINCIPAL_STRANGER, /* has shown nothing; zero on purpose */
	PRINCIPAL_MEMBER,   /* a device of the tailnet, by its machine key */
	PRINCIPAL_USER,     /* a user of this machine, by the credentials of a unix socket */
	PRINCIPAL_OPERATOR, /* likewise, whom the settings name as operator */
	PRINCIPAL_TOKEN,    /* a program with an API token; its scopes are in rights */
	PRINCIPAL_ADMIN,    /* of the tailnet or of this machine */
};

struct principal {
	enum principal_kind kind;
	uint64_t rights;    /* bits; each table says what they mean */
	struct ipport from; /* unset over a unix socket */
	bool has_uid;       /* of a unix socket */
	uint32_t uid;
	const char *name; /* for logs; borrowed; NULL: none */
	void *proof; /* the token, login or key that was shown; its kind is the table's; borrowed */
};

/* All that is needed; nothing needed: everybody may. */
static inline bool principal_may(const struct principal *p, uint64_t needed)
{
	return (p->rights & needed) == needed;
}

#endif
