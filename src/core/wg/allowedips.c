#include "core/wg/allowedips.h"

#include <errno.h>

struct allowedips_node {
	struct allowedips_node *kid[2];
	struct allowedips_owner *owner; /* NULL: only a fork */
	struct list of_owner;
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

static struct allowedips_node *node_new(const struct ipprefix *p, unsigned bits)
{
	struct allowedips_node *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->bits = (uint8_t)bits;
	list_init(&n->of_owner);
	n->addr_len = p->ip.family == 4 ? 4 : 16;
	memcpy(n->addr, ipaddr_mask(p->ip, bits).b, n->addr_len);
	return n;
}

static void set_owner(struct allowedips_node *n, struct allowedips_owner *o)
{
	list_remove(&n->of_owner);
	n->owner = o;
	if (o)
		list_push_tail(&o->nodes, &n->of_owner);
}

void wg_allowedips_owner_init(struct allowedips_owner *o)
{
	list_init(&o->nodes);
}

static struct ipprefix prefix_of(const struct allowedips_node *n)
{
	struct ipprefix p = { .bits = n->bits };

	p.ip.family = n->addr_len == 4 ? 4 : 6;
	memcpy(p.ip.b, n->addr, n->addr_len);
	return p;
}

static struct allowedips_node **root_of(struct allowedips *t, const struct ipprefix *p)
{
	return p->ip.family == 4 ? &t->root4 : &t->root6;
}

/* The link at which the prefix is, or would be inserted. */
static struct allowedips_node **descend(struct allowedips_node **at, const struct ipprefix *p)
{
	while (*at && (*at)->bits < p->bits &&
		common_bits((*at)->addr, p->ip.b, (*at)->bits) == (*at)->bits)
		at = &(*at)->kid[bit_at(p->ip.b, (*at)->bits)];
	return at;
}

static bool node_is(const struct allowedips_node *n, const struct ipprefix *p)
{
	return n && n->bits == p->bits && common_bits(n->addr, p->ip.b, p->bits) == p->bits;
}

int wg_allowedips_set(struct allowedips *t, struct ipprefix p, struct allowedips_owner *o)
{
	struct allowedips_node **at, *old, *leaf, *fork;
	unsigned common;

	if (!p.ip.family || !o)
		return -EINVAL;
	at = descend(root_of(t, &p), &p);
	old = *at;
	if (node_is(old, &p)) {
		t->n += !old->owner;
		set_owner(old, o);
		return 0;
	}
	leaf = node_new(&p, p.bits);
	if (!leaf)
		return -ENOMEM;
	if (!old) {
		set_owner(leaf, o);
		*at = leaf;
		t->n++;
		return 0;
	}
	common = common_bits(old->addr, p.ip.b, MIN_OF(old->bits, p.bits));
	if (common == p.bits) { /* the new prefix contains the old node */
		leaf->kid[bit_at(old->addr, p.bits)] = old;
		*at = leaf;
	} else {
		fork = node_new(&p, common);
		if (!fork) {
			free(leaf);
			return -ENOMEM;
		}
		fork->kid[bit_at(p.ip.b, common)] = leaf;
		fork->kid[bit_at(old->addr, common)] = old;
		*at = fork;
	}
	set_owner(leaf, o);
	t->n++;
	return 0;
}

/* A node without peer stays only where it forks. */
static void prune(struct allowedips_node **at)
{
	struct allowedips_node *n = *at;

	if (n && !n->owner && !(n->kid[0] && n->kid[1])) {
		*at = n->kid[0] ? n->kid[0] : n->kid[1];
		free(n);
	}
}

void wg_allowedips_remove(struct allowedips *t, struct ipprefix p, const struct allowedips_owner *o)
{
	struct allowedips_node **path[130], **at = root_of(t, &p);
	size_t depth = 0;

	while (*at && (*at)->bits < p.bits &&
		common_bits((*at)->addr, p.ip.b, (*at)->bits) == (*at)->bits) {
		path[depth++] = at;
		at = &(*at)->kid[bit_at(p.ip.b, (*at)->bits)];
	}
	if (!node_is(*at, &p) || (*at)->owner != o)
		return;
	set_owner(*at, NULL);
	t->n--;
	prune(at);
	if (depth)
		prune(path[depth - 1]);
}

void wg_allowedips_remove_all(struct allowedips *t, struct allowedips_owner *o)
{
	while (!list_empty(&o->nodes))
		wg_allowedips_remove(t,
			prefix_of(container_of(o->nodes.next, struct allowedips_node, of_owner)),
			o);
}

static struct allowedips_owner *find(
	const struct allowedips_node *n, const uint8_t *addr, unsigned bits)
{
	struct allowedips_owner *best = NULL;

	while (n && common_bits(n->addr, addr, n->bits) == n->bits) {
		if (n->owner)
			best = n->owner;
		if (n->bits == bits)
			break;
		n = n->kid[bit_at(addr, n->bits)];
	}
	return best;
}

struct allowedips_owner *wg_allowedips_find4(
	const struct allowedips *t, const uint8_t addr[static 4])
{
	return find(t->root4, addr, 32);
}

struct allowedips_owner *wg_allowedips_find6(
	const struct allowedips *t, const uint8_t addr[static 16])
{
	return find(t->root6, addr, 128);
}

static struct allowedips_owner *find_in(
	const struct allowedips *t, const uint8_t *pkt, size_t len, size_t off4, size_t off6)
{
	if (len >= 20 && pkt[0] >> 4 == 4)
		return wg_allowedips_find4(t, pkt + off4);
	if (len >= 40 && pkt[0] >> 4 == 6)
		return wg_allowedips_find6(t, pkt + off6);
	return NULL;
}

struct allowedips_owner *wg_allowedips_find_src(
	const struct allowedips *t, const uint8_t *pkt, size_t len)
{
	return find_in(t, pkt, len, 12, 8);
}

struct allowedips_owner *wg_allowedips_find_dst(
	const struct allowedips *t, const uint8_t *pkt, size_t len)
{
	return find_in(t, pkt, len, 16, 24);
}

static void each(const struct allowedips_node *n,
	void (*fn)(void *ctx, struct ipprefix p, struct allowedips_owner *o), void *ctx)
{
	if (!n)
		return;
	if (n->owner)
		fn(ctx, prefix_of(n), n->owner);
	each(n->kid[0], fn, ctx);
	each(n->kid[1], fn, ctx);
}

void wg_allowedips_each(const struct allowedips *t,
	void (*fn)(void *ctx, struct ipprefix p, struct allowedips_owner *o), void *ctx)
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
	list_remove(&n->of_owner);
	free(n);
}

void wg_allowedips_fini(struct allowedips *t)
{
	free_below(t->root4);
	free_below(t->root6);
	*t = (struct allowedips){ 0 };
}
