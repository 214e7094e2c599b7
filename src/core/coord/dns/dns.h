/*
 * core/coord/dns: how the devices of a tailnet resolve names: what an administrator may set, and what of it one device is told. No
 * questions are answered here: that is what devices do. The form is Tailscale's DNSConfig (protocol/control).
 */
#ifndef WARREN_CORE_COORD_DNS_DNS_H
#define WARREN_CORE_COORD_DNS_DNS_H

#include "core/coord/tailnet/types.h"

/* With everything that it points to. */
MUST_USE int coord_dns_copy(const struct coord_dns *d, struct arena *a, struct coord_dns *ret);

enum coord_dns_verb { COORD_DNS_ADD, COORD_DNS_REMOVE, COORD_DNS_SET };

/*
 * Changes of settings that the caller has copied, with everything that they point to in the arena. What is given may be in any
 * spelling and is borrowed. at->text says what is refused, why, and what to do. -ERR_BAD_VALUE: no name, address or record;
 * -EEXIST: it is there already; -ENOENT: it is not; -ERR_TOO_MANY; -ENOMEM.
 */
MUST_USE int coord_dns_edit_resolvers(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *resolvers, struct arena *a, struct err_at *at);
/* SET: all of this suffix, an empty list too. resolvers is NULL for COORD_DNS_REMOVE of a whole suffix. */
MUST_USE int coord_dns_edit_split(struct coord_dns *d, enum coord_dns_verb verb, const char *suffix,
	const struct json_list *resolvers, struct arena *a, struct err_at *at);
MUST_USE int coord_dns_edit_search(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *names, struct arena *a, struct err_at *at);
/* A record without a type gets that of its value; one without a value stands for all of its name, when it is removed. */
MUST_USE int coord_dns_edit_records(struct coord_dns *d, enum coord_dns_verb verb,
	const struct json_list *records, struct arena *a, struct err_at *at);

/*
 * All settings as they are kept: names in lower case, addresses in their usual form. Everything is judged, also what belongs
 * together. Errors as above.
 */
MUST_USE int coord_dns_clean(const struct coord_dns *in, const char *base_domain, struct arena *a,
	struct coord_dns *ret, struct err_at *at);

/* Is the name the suffix, or below it? Both as they are kept. */
bool coord_dns_is_below(const char *name, const char *suffix);
/* The split with the longest suffix that the name belongs to; NULL: none. */
const struct coord_dns_split *coord_dns_split_of(const struct coord_dns *d, const char *name);

enum coord_dns_how {
	COORD_DNS_NOTHING, /* the device answers that there is no such name */
	COORD_DNS_DEVICE,  /* with the addresses of a device */
	COORD_DNS_RECORD,  /* with those of records */
	COORD_DNS_SPLIT,   /* the resolvers of the suffix are asked */
	COORD_DNS_GLOBAL,  /* the resolvers of all names */
	COORD_DNS_SYSTEM, /* those that the device had before; resolvers are for devices without any */
};

struct coord_dns_preview {
	enum coord_dns_how how;
	const char *name;                  /* in full */
	const char *suffix;                /* because of which */
	const struct coord_node_doc *node; /* COORD_DNS_DEVICE */
	bool hidden;                       /* a device has the name, and who asks may not see it */
	struct json_list values;           /* const char *: addresses */
	struct json_list resolvers;        /* struct tc_resolver */
};

/*
 * What a device does with a question for this name; viewer 0: any device. In the arena, and good until something changes. -ENOENT: no
 * such viewer; -ERR_BAD_VALUE: no name.
 */
MUST_USE int coord_dns_preview(const struct tailnet *c, const char *name, int64_t viewer,
	struct arena *a, struct coord_dns_preview *ret, struct err_at *at);
/* Sentences about what may surprise: const char *. */
MUST_USE int coord_dns_notes(const struct tailnet *c, struct arena *a, struct json_list *ret);

/* For the folders above. */
/* Is each device told something of its own? */
bool dns_is_personal(const struct tailnet *c);
/* What a device is told; n NULL: what all are told of whom nothing personal is. In the arena, and borrowed of c. */
MUST_USE int dns_config_make(const struct tailnet *c, const struct coord_node *n, struct arena *a,
	struct tc_dns_config *ret);

#endif
