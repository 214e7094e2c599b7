#include "core/wg/allowedips.h"

#include <errno.h>

struct allowedips_node {
	struct allowedips_node *kid[2];
	void *peer; /* NULL: only a fork */
	uint8_t bits, addr_len; /* prefix length; 4 or 16 */
	uint8_t addr[16];
};

static unsigned bit_at(const uint8_t *addr, unsigned i)
{
	return addr[i / 8] >> (7 - i % 8) & 1;
}

/* How many leading bits agree, at most max. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned max)
{
	unsigned n = 0;

	while (n + 8 <= max && a[n / 8] == b[n / 8])
		n += 8;
	while (n < max && bit_at(a, n) == bit_at(b, n))
		n++;
	return n;
}

static struct allowedips_node *node_new(const struct ipprefix *p, unsigned bits, void *peer)
{
	struct allowedips_node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->bits = (uint8_t)bits;
	n->peer = peer;
	n->addr_len = p->ip.family == 4 ? 4 : 16;
	memcpy(n->addr, ipaddr_mask(p->ip, bits).b, n->addr_len);
	return n;
}

static struct allowedips_node **root_of(struct allowedips *t, const struct ipprefix *p)
{
	return p->ip.family == 4 ? &t->root4 : &t->root6;
}

/* The link at which the prefix is, or would be inserted. */
static struct allowedips_node **descend(struct allowedips_node **at, const struct ipprefix *p)
{
	while (*at && (*at)->bits < p->bits && common_bits((*at)->addr, p->ip.b, (*at)->bits) == (*at)->bits)
		at = &(*at)->kid[bit_at(p->ip.b, (*at)->bits)];
	return at;
}

static bool node_is(const struct allowedips_node *n, const struct ipprefix *p)
{
	return n && n->bits == p->bits && common_bits(n->addr, p->ip.b, p->bits) == p->bits;
}

int allowedips_set(struct allowedips *t, struct ipprefix p, void *peer)
{
	struct allowedips_node **at, *old, *leaf, *fork;
	unsigned common;

	if (!p.ip.family || !peer)
		return -EINVAL;
	at = descend(root_of(t, &p), &p);
	old = *at;
	if (node_is(old, &p)) {
		t->n += !old->peer;
		old->peer = peer;
		return 0;
	}
	leaf = node_new(&p, p.bits, peer);
	if (!leaf)
		return -ENOMEM;
	if (!old) {
		*at = leaf;
		t->n++;
		return 0;
	}
	common = common_bits(old->addr, p.ip.b, MIN_OF(old->bits, p.bits));
	if (common == p.bits) { /* the new prefix contains the old node */
		leaf->kid[bit_at(old->addr, p.bits)] = old;
		*at = leaf;
	} else {
		fork = node_new(&p, common, NULL);
		if (!fork) {
			free(leaf);
			return -ENOMEM;
		}
		fork->kid[bit_at(p.ip.b, common)] = leaf;
		fork->kid[bit_at(old->addr, common)] = old;
		*at = fork;
	}
	t->n++;
	return 0;
}

/* A node without peer stays only where it forks. */
static void prune(struct allowedips_node **at)
{
	struct allowedips_node *n = *at;

	if (n && !n->peer && !(n->kid[0] && n->kid[1])) {
		*at = n->kid[0] ? n->kid[0] : n->kid[1];
		free(n);
	}
}

void allowedips_remove(struct allowedips *t, struct ipprefix p, const void *peer)
{
	struct allowedips_node **path[130], **at = root_of(t, &p);
	size_t depth = 0;

	while (*at && (*at)->bits < p.bits && common_bits((*at)->addr, p.ip.b, (*at)->bits) == (*at)->bits) {
		path[depth++] = at;
		at = &(*at)->kid[bit_at(p.ip.b, (*at)->bits)];
	}
	if (!node_is(*at, &p) || (*at)->peer != peer)
		return;
	(*at)->peer = NULL;
	t->n--;
	prune(at);
	if (depth)
		prune(path[depth - 1]);
}

static void remove_below(struct allowedips *t, struct allowedips_node **at, const void *peer)
{
	if (!*at)
		return;
	remove_below(t, &(*at)->kid[0], peer);
	remove_below(t, &(*at)->kid[1], peer);
	if ((*at)->peer == peer) {
		(*at)->peer = NULL;
		t->n--;
	}
	prune(at);
}

void allowedips_remove_peer(struct allowedips *t, const void *peer)
{
	remove_below(t, &t->root4, peer);
	remove_below(t, &t->root6, peer);
}

static void *find(const struct allowedips_node *n, const uint8_t *addr, unsigned bits)
{
	void *best = NULL;

	while (n && common_bits(n->addr, addr, n->bits) == n->bits) {
		if (n->peer)
			best = n->peer;
		if (n->bits == bits)
			break;
		n = n->kid[bit_at(addr, n->bits)];
	}
	return best;
}

void *allowedips_find4(const struct allowedips *t, const uint8_t addr[static 4])
{
	return find(t->root4, addr, 32);
}

void *allowedips_find6(const struct allowedips *t, const uint8_t addr[static 16])
{
	return find(t->root6, addr, 128);
}

static void *find_in(const struct allowedips *t, const uint8_t *pkt, size_t len, size_t off4, size_t off6)
{
	if (len >= 20 && pkt[0] >> 4 == 4)
		return allowedips_find4(t, pkt + off4);
	if (len >= 40 && pkt[0] >> 4 == 6)
		return allowedips_find6(t, pkt + off6);
	return NULL;
}

void *allowedips_find_src(const struct allowedips *t, const uint8_t *pkt, size_t len)
{
	return find_in(t, pkt, len, 12, 8);
}

void *allowedips_find_dst(const struct allowedips *t, const uint8_t *pkt, size_t len)
{
	return find_in(t, pkt, len, 16, 24);
}

static void each(const struct allowedips_node *n, void (*fn)(void *ctx, struct ipprefix p, void *peer), void *ctx)
{
	if (!n)
		return;
	if (n->peer) {
		struct ipprefix p = { .bits = n->bits };

		p.ip.family = n->addr_len == 4 ? 4 : 6;
		memcpy(p.ip.b, n->addr, n->addr_len);
		fn(ctx, p, n->peer);
	}
	each(n->kid[0], fn, ctx);
	each(n->kid[1], fn, ctx);
}

void allowedips_each(const struct allowedips *t, void (*fn)(void *ctx, struct ipprefix p, void *peer), void *ctx)
{
	each(t->root4, fn, ctx);
	each(t->root6, fn, ctx);
}

static void free_below(struct allowedips_node *n)
{
	if (!n)
		return;
	free_below(n->kid[0]);
	free_below(n->kid[1]);
	free(n);
}

void allowedips_fini(struct allowedips *t)
{
	free_below(t->root4);
	free_below(t->root6);
	*t = (struct allowedips){ 0 };
}
