#include "hub/auth/auth.h"

#include "base/bucket/bucket.h"

/* The one that finds a bucket empty is still judged, so that a burst of them is. */
static const mono_ns burst = (HUB_THROTTLE_BURST + 1) * HUB_THROTTLE_STEP,
		     codes_burst = (HUB_CODES_MISSED_MAX + 1) * HUB_CODES_MISSED_STEP;

/* The source's entry, or the one that waited longest and is given to it. */
static struct hub_throttle *entry_of(
	struct hub_throttle table[static HUB_THROTTLES_MAX], struct ipaddr from, mono_ns now)
{
	struct hub_throttle *t = &table[0];

	if (from.family == 6)
		from = ipaddr_mask(from, 64); /* one network is one source */
	for (size_t i = 0; i < HUB_THROTTLES_MAX; i++) {
		if (ipaddr_eq(table[i].from, from)) {
			t = &table[i];
			break;
		}
		if (table[i].full_at < t->full_at)
			t = &table[i];
	}
	if (!ipaddr_eq(t->from, from) || t->full_at < now)
		*t = (struct hub_throttle){ .from = from, .full_at = now };
	return t;
}

bool throttle_is_over(
	struct hub_throttle table[static HUB_THROTTLES_MAX], struct ipaddr from, mono_ns now)
{
	return bucket_lacks(entry_of(table, from, now)->full_at, HUB_THROTTLE_STEP, burst, now) > 0;
}

bool throttle_failed(
	struct hub_throttle table[static HUB_THROTTLES_MAX], struct ipaddr from, mono_ns now)
{
	return !bucket_spend(&entry_of(table, from, now)->full_at, HUB_THROTTLE_STEP, burst, now);
}

bool throttle_codes_are_shut(struct hub *h, struct ipaddr from, mono_ns now)
{
	return throttle_is_over(h->code_throttle, from, now) ||
	       bucket_lacks(h->codes_full_at, HUB_CODES_MISSED_STEP, codes_burst, now) > 0;
}

void throttle_code_was_wrong(struct hub *h, struct ipaddr from, mono_ns now)
{
	(void)throttle_failed(h->code_throttle, from, now);
	bucket_charge(&h->codes_full_at, HUB_CODES_MISSED_STEP, now);
	h->n.codes_missed++;
}
