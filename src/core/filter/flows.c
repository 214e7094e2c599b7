#include "core/filter/flows.h"
#include "base/siphash/siphash.h"

#include <errno.h>

enum { NONE = UINT16_MAX };

void flows_clear(struct flows *f)
{
	memset(f->bucket, 0xff, f->n_buckets * sizeof(*f->bucket));
	f->newest = f->oldest = NONE;
	f->n = f->n_revoked = 0;
}

int flows_init(struct flows *f, uint16_t cap, struct rng *rng)
{
	*f = (struct flows){ .cap = cap, .n_buckets = (uint16_t)(2 * cap) };
	f->v = calloc(cap, sizeof(*f->v));
	f->bucket = calloc(f->n_buckets, sizeof(*f->bucket));
	if (!f->v || !f->bucket)
		return -ENOMEM;
	rng_fill(rng, f->seed, sizeof(f->seed));
	flows_clear(f);
	return 0;
}

void flows_fini(struct flows *f)
{
	free(f->v);
	free(f->bucket);
	*f = (struct flows){ 0 };
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

static uint16_t *bucket_of(const struct flows *f, const struct flow_key *k)
{
	return &f->bucket[siphash(f->seed, k->b, sizeof(k->b)) % f->n_buckets];
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

/* Finds a flow and makes it the newest; NONE. Packets come in trains: the newest is looked at first. */
static uint16_t touch(struct flows *f, const struct flow_key *k)
{
	uint16_t i;

	if (f->newest == NONE || memcmp(f->v[f->newest].key.b, k->b, sizeof(k->b)) == 0)
		return f->newest;
	i = find(f, *bucket_of(f, k), k);
	if (i == NONE)
		return NONE;
	unlink_age(f, i);
	link_newest(f, i);
	return i;
}

static void set_revoked(struct flows *f, struct flow *x, bool revoked)
{
	if (x->revoked == revoked)
		return;
	x->revoked = revoked;
	f->n_revoked = (uint16_t)(f->n_revoked + (revoked ? 1 : -1));
}

/* Room for one more: true if the oldest went for it. */
static bool take_slot(struct flows *f, uint16_t *ret)
{
	if (f->n < f->cap) {
		*ret = f->n++;
		return false;
	}
	*ret = f->oldest;
	set_revoked(f, &f->v[*ret], false);
	unlink_age(f, *ret);
	unlink_bucket(f, *ret);
	return true;
}

static bool note(struct flows *f, const struct flow_key *k)
{
	uint16_t i = touch(f, k), *bucket;
	bool evicted;

	if (i != NONE) {
		set_revoked(f, &f->v[i], false);
		return false;
	}
	evicted = take_slot(f, &i);
	bucket = bucket_of(f, k);
	f->v[i].key = *k;
	f->v[i].revoked = false;
	f->v[i].chain = *bucket;
	*bucket = i;
	link_newest(f, i);
	return evicted;
}

bool flows_note(struct flows *f, const struct ip_pkt *out)
{
	struct flow_key k = key_of(out, true);

	return note(f, &k);
}

bool flows_admit(struct flows *f, const struct ip_pkt *in)
{
	struct flow_key k = key_of(in, false);

	return note(f, &k);
}

bool flows_match(struct flows *f, const struct ip_pkt *in)
{
	struct flow_key k = key_of(in, false);

	return touch(f, &k) != NONE;
}

bool flows_is_revoked(const struct flows *f, const struct ip_pkt *in)
{
	struct flow_key k;
	uint16_t i;

	if (!f->n_revoked)
		return false;
	k = key_of(in, false);
	i = find(f, *bucket_of(f, &k), &k);
	return i != NONE && f->v[i].revoked;
}

void flows_review(struct flows *f, bool (*allowed)(const void *ctx, const struct flow_key *k),
	const void *ctx)
{
	for (uint16_t i = 0; i < f->n; i++)
		set_revoked(f, &f->v[i], !allowed(ctx, &f->v[i].key));
}
