/* core/coord/dns/internal: what the files of this folder share. */
#ifndef WARREN_CORE_COORD_DNS_INTERNAL_H
#define WARREN_CORE_COORD_DNS_INTERNAL_H

#include "core/coord/dns/dns.h"

/* words.c: one piece as it is kept, in the arena. -ERR_BAD_VALUE with *at, -ENOMEM. */
/* what: "the record", "the suffix": the beginning of the sentence. */
MUST_USE int dns_clean_name(
	const char *in, const char *what, struct arena *a, const char **ret, struct err_at *at);
MUST_USE int dns_clean_resolver(
	const struct tc_resolver *in, struct arena *a, struct tc_resolver *ret, struct err_at *at);
MUST_USE int dns_clean_record(const struct tc_dns_record *in, struct arena *a,
	struct tc_dns_record *ret, struct err_at *at);

#endif
