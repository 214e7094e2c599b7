/*
 * base/bucket/sources: a token bucket for each source of requests: an address, a /64 of IPv6. Of very many sources the one that was
 * heard longest ago makes room: it may begin anew, nobody is refused for others.
 */
#ifndef WARREN_BASE_BUCKET_SOURCES_H
#define WARREN_BASE_BUCKET_SOURCES_H

#include "base/bucket/bucket.h"
#include "base/netip/netip.h"

enum { SOURCES_MAX = 64 };

struct sources {
	int64_t rate, burst; /* of each, as struct bucket; set by the owner */
	struct {
		struct ipaddr from;
		struct bucket bucket;
	} v[SOURCES_MAX];
};

/* False: that is one too many. */
static inline bool sources_take(struct sources *s, struct ipaddr from, mono_ns now)
{
	size_t at = 0;

	if (from.family == 6)
		memset(from.b + 8, 0, 8);
	for (size_t i = 0; i < SOURCES_MAX; i++) {
		if (ipaddr_eq(s->v[i].from, from)) {
			at = i;
			break;
		}
		if (s->v[i].bucket.at < s->v[at].bucket.at)
			at = i;
	}
	if (!ipaddr_eq(s->v[at].from, from) || !s->v[at].bucket.rate) {
		s->v[at].from = from;
		bucket_init(&s->v[at].bucket, s->rate, s->burst, now);
	}
	return bucket_take(&s->v[at].bucket, 1, now);
}

#endif
