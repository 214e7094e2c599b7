/*
 * Answers of upstreams, kept as long as their times to live say, negative ones as RFC 2308 says, and a day longer for when nobody answers
 * (RFC 8767). The message is kept as it came but for its OPT, which is between neighbours only.
 */
#include "core/dns/internal.h"

enum {
	POSITIVE_MAX_S = 86400,
	NEGATIVE_MAX_S = 3600,
	STALE_S = 86400,
};

struct entry {
	struct map_node node;
	struct list link;
	mono_ns stored, expires, recheck;
	size_t bytes;
	uint8_t key[CACHE_KEY_MAX];
	size_t len;
	uint8_t msg[];
};

size_t cache_key(const struct ask *a, uint8_t out[static CACHE_KEY_MAX])
{
	struct wcur w = wcur_over(out, CACHE_KEY_MAX);
	uint16_t bits = a->flags & (DNSMSG_RD | DNSMSG_AD | DNSMSG_CD);

	wcur_be16(&w, a->q.type);
	wcur_be16(&w, a->q.class);
	wcur_u8(&w, (uint8_t)(bits >> 8 << 7 | (bits & 0x70) | a->dnssec_ok));
	wcur_copy(&w, a->lower.b, a->lower.len);
	return wcur_len(&w);
}

void cache_init(struct cache *c, struct rng *rng)
{
	uint8_t seed[16];

	rng_fill(rng, seed, sizeof(seed));
	map_init(&c->map, seed);
	list_init(&c->lru);
	c->bytes = 0;
}

static void drop(struct cache *c, struct entry *e)
{
	map_remove(&c->map, &e->node);
	list_remove(&e->link);
	c->bytes -= e->bytes;
	free(e);
}

void cache_flush(struct cache *c)
{
	list_for_each_safe(p, &c->lru)
		drop(c, container_of(p, struct entry, link));
}

void cache_fini(struct cache *c)
{
	cache_flush(c);
	map_fini(&c->map);
}

static struct entry *find(struct cache *c, struct view key)
{
	struct map_node *n = map_find(&c->map, key.p, key.len);

	return n ? container_of(n, struct entry, node) : NULL;
}

bool cache_find(struct cache *c, struct view key, mono_ns now, struct cached *ret)
{
	struct entry *e = find(c, key);

	if (!e)
		return false;
	if (now >= e->expires + SEC(STALE_S)) {
		drop(c, e);
		return false;
	}
	list_remove(&e->link);
	list_push_head(&c->lru, &e->link);
	*ret = (struct cached){ .msg = view_of(e->msg, e->len),
		.age = (uint32_t)((now - e->stored) / SEC(1)),
		.stale = now >= e->expires,
		.recheck = e->recheck };
	return true;
}

void cache_postpone(struct cache *c, struct view key, mono_ns recheck)
{
	struct entry *e = find(c, key);

	if (e)
		e->recheck = recheck;
}

/* The SOA's last field, behind two names. */
static bool soa_minimum(struct view msg, const struct dnsmsg_record *r, uint32_t *ret)
{
	size_t pos = r->rdata_at;
	struct dnsmsg_name n;

	if (dnsmsg_name_read(msg, &pos, &n) < 0 || dnsmsg_name_read(msg, &pos, &n) < 0 ||
		pos + 20 != r->end)
		return false;
	*ret = load_be32(msg.p + pos + 16);
	return true;
}

/* Seconds that a reply may be kept; 0: it may not. */
static uint32_t keep_for(const struct dnsmsg *m)
{
	unsigned rcode = m->h.flags & DNSMSG_RCODE;
	bool negative = rcode == DNSMSG_NXDOMAIN || !m->h.n[DNSMSG_ANSWER], has_soa = false;
	uint32_t ttl = negative ? NEGATIVE_MAX_S : POSITIVE_MAX_S, minimum;
	struct dnsmsg_record r;
	size_t index = 0;

	if ((rcode != DNSMSG_NOERROR && rcode != DNSMSG_NXDOMAIN) || m->h.flags & DNSMSG_TC)
		return 0;
	while (dnsmsg_next(m->bytes, &m->h, m->question_end, &index, &r) == 0) {
		if (r.type == DNSMSG_OPT)
			continue;
		/* RFC 2181, 8: what has its highest bit set is none. */
		ttl = MIN_OF(ttl, r.ttl & 0x80000000u ? 0 : r.ttl);
		if (r.section == DNSMSG_AUTHORITY && r.type == DNSMSG_SOA &&
			soa_minimum(m->bytes, &r, &minimum)) {
			has_soa = true;
			if (negative)
				ttl = MIN_OF(ttl, minimum);
		}
	}
	return negative && !has_soa ? 0 : ttl;
}

static void make_room(struct cache *c, size_t bytes)
{
	while (!list_empty(&c->lru) && (c->map.n_items >= DNS_CACHE_ENTRIES_MAX ||
					       c->bytes + bytes > DNS_CACHE_BYTES_MAX)) {
		drop(c, container_of(c->lru.prev, struct entry, link));
		c->evicted++;
	}
}

int cache_put(struct cache *c, struct view key, const struct dnsmsg *m, mono_ns now)
{
	uint32_t ttl = keep_for(m);
	struct entry *e = find(c, key);

	if (e)
		drop(c, e);
	if (!ttl)
		return 0;
	make_room(c, sizeof(*e) + m->bytes.len);
	e = calloc(1, sizeof(*e) + m->bytes.len);
	if (!e)
		return -ENOMEM;
	e->stored = now;
	e->expires = now + SEC(ttl);
	e->bytes = sizeof(*e) + m->bytes.len;
	e->len = m->bytes.len;
	memcpy(e->msg, m->bytes.p, m->bytes.len);
	memcpy(e->key, key.p, key.len);
	if (map_insert(&c->map, &e->node, e->key, key.len) != 0) {
		free(e);
		return -ENOMEM;
	}
	list_push_head(&c->lru, &e->link);
	c->bytes += e->bytes;
	return 0;
}
