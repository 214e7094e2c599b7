#include "core/filter/flows.h"
#include "base/map/map.h"

enum { NONE = UINT16_MAX };

void flows_clear(struct flows *f)
{
	memset(f->bucket, 0xff, sizeof(f->bucket));
	f->newest = f->oldest = NONE;
	f->n = 0;
}

void flows_init(struct flows *f, struct rng *rng)
{
	rng_fill(rng, f->seed, sizeof(f->seed));
	flows_clear(f);
}

static struct flow_key key_of(const struct ip_pkt *p, bool turned)
{
	struct flow_key k = { .b = { p->version, p->proto } };
	size_t n = p->version == 4 ? 4 : 16;

	memcpy(k.b + 2, turned ? p->dst : p->src, n);
	memcpy(k.b + 18, turned ? p->src : p->dst, n);
	store_be16(k.b + 34, turned ? p->dport : p->sport);
	store_be16(k.b + 36, turned ? p->sport : p->dport);
	return k;
}

static uint16_t *bucket_of(struct flows *f, const struct flow_key *k)
{
	return &f->bucket[siphash24(f->seed, k->b, sizeof(k->b)) % FLOW_BUCKETS];
}

static uint16_t find(const struct flows *f, uint16_t at, const struct flow_key *k)
{
	while (at != NONE && memcmp(f->v[at].key.b, k->b, sizeof(k->b)) != 0)
		at = f->v[at].chain;
	return at;
}

static void unlink_age(struct flows *f, uint16_t i)
{
	struct flow *x = &f->v[i];

	if (x->newer == NONE)
		f->newest = x->older;
	else
		f->v[x->newer].older = x->older;
	if (x->older == NONE)
		f->oldest = x->newer;
	else
		f->v[x->older].newer = x->newer;
}

static void link_newest(struct flows *f, uint16_t i)
{
	struct flow *x = &f->v[i];

	x->newer = NONE;
	x->older = f->newest;
	if (f->newest == NONE)
		f->oldest = i;
	else
		f->v[f->newest].newer = i;
	f->newest = i;
}

static void unlink_bucket(struct flows *f, uint16_t i)
{
	uint16_t *at = bucket_of(f, &f->v[i].key);

	while (*at != i)
		at = &f->v[*at].chain;
	*at = f->v[i].chain;
}

/* Finds a flow and makes it the newest. Packets come in trains: the newest is looked at first. */
static bool touch(struct flows *f, const struct flow_key *k)
{
	uint16_t i;

	if (f->newest == NONE)
		return false;
	if (memcmp(f->v[f->newest].key.b, k->b, sizeof(k->b)) == 0)
		return true;
	i = find(f, *bucket_of(f, k), k);
	if (i == NONE)
		return false;
	unlink_age(f, i);
	link_newest(f, i);
	return true;
}

bool flows_note(struct flows *f, const struct ip_pkt *out)
{
	struct flow_key k = key_of(out, true);
	bool evict;
	uint16_t i, *bucket;

	if (touch(f, &k))
		return false;
	evict = f->n == FILTER_FLOWS_MAX;
	if (evict) {
		i = f->oldest;
		unlink_age(f, i);
		unlink_bucket(f, i);
	} else {
		i = f->n++;
	}
	bucket = bucket_of(f, &k);
	f->v[i].key = k;
	f->v[i].chain = *bucket;
	*bucket = i;
	link_newest(f, i);
	return evict;
}

bool flows_match(struct flows *f, const struct ip_pkt *in)
{
	struct flow_key k = key_of(in, false);

	return touch(f, &k);
}
