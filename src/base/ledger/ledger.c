/*
 * Accounts are a tree: share -> networks -> address -> holders. Each level is a heap with the largest in front, so the one to push
 * out is found by walking down, and a charge moves one place in each heap on the way up.
 *
 *	share of strangers: /16 -> /24 -> /32 (IPv4), /32 -> /48 -> /64 (IPv6) -> holders
 *	share of members:   key -> holders
 */
#include "base/ledger/ledger.h"
#include "base/err/err.h"
#include "base/map/map.h"

#include <errno.h>

enum { LEVELS = 3 };

static const uint8_t levels4[LEVELS] = { 16, 24, 32 }, levels6[LEVELS] = { 32, 48, 64 };

struct account_key {
	uint8_t is_member, family, bits, pad;
	uint8_t b[LEDGER_ID_LEN];
};

struct share {
	struct ledger_share *n;
	struct heap by_bytes, by_conns; /* of accounts */
};

struct ledger_account {
	struct map_node node;
	struct account_key key;
	struct share *share;
	struct ledger_account *parent;       /* NULL: in the share itself */
	struct heap_node in_bytes, in_conns; /* in the heaps of what is above */
	struct heap by_bytes,
		by_conns; /* accounts below it; of a leaf its holders, and its connections by age */
	bool is_leaf;
	size_t bytes, conns, n_below;
	uint64_t turn; /* in which it worked last, so often */
	unsigned n_worked;
	uint64_t number;
};

struct ledger {
	struct map accounts;
	struct share strangers, members;
	struct ledger_stats n;
	size_t peak; /* since it was taken */
	uint64_t last_number;
};

/* The largest first, of equal ones the one that is there longest. Sizes up to 2^27. */
static mono_ns place_of(size_t size, uint64_t number)
{
	const uint64_t mask = ((uint64_t)1 << 36) - 1;

	return -(mono_ns)((uint64_t)size << 36 | (mask - (number & mask)));
}

static mono_ns place_by_bytes(size_t bytes, uint64_t number)
{
	return place_of(bytes >> 10, number);
}

/* ---- Accounts ---- */

static struct heap *bytes_above(struct ledger_account *a)
{
	return a->parent ? &a->parent->by_bytes : &a->share->by_bytes;
}

static struct heap *conns_above(struct ledger_account *a)
{
	return a->parent ? &a->parent->by_conns : &a->share->by_conns;
}

static void account_free(struct ledger *l, struct ledger_account *a)
{
	heap_remove(bytes_above(a), &a->in_bytes);
	heap_remove(conns_above(a), &a->in_conns);
	map_remove(&l->accounts, &a->node);
	heap_fini(&a->by_bytes);
	heap_fini(&a->by_conns);
	l->n.accounts--;
	free(a);
}

/* An account with nothing below it goes, and those above it that are empty then. */
static void prune(struct ledger *l, struct ledger_account *a)
{
	while (a && !a->n_below) {
		struct ledger_account *parent = a->parent;

		account_free(l, a);
		if (parent)
			parent->n_below--;
		a = parent;
	}
}

static struct ledger_account *account_new(struct ledger *l, struct share *s,
	struct ledger_account *parent, const struct account_key *key)
{
	struct ledger_account *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->key = *key;
	a->share = s;
	a->parent = parent;
	a->number = ++l->last_number;
	if (map_insert(&l->accounts, &a->node, &a->key, sizeof(a->key)) != 0) {
		free(a);
		return NULL;
	}
	l->n.accounts++;
	if (heap_set(bytes_above(a), &a->in_bytes, place_by_bytes(0, a->number)) < 0 ||
		heap_set(conns_above(a), &a->in_conns, place_of(0, a->number)) < 0) {
		account_free(l, a);
		return NULL;
	}
	if (parent)
		parent->n_below++;
	return a;
}

static struct ledger_account *account_of(struct ledger *l, struct share *s,
	struct ledger_account *parent, const struct account_key *key)
{
	struct map_node *n = map_find(&l->accounts, key, sizeof(*key));

	return n ? container_of(n, struct ledger_account, node) : account_new(l, s, parent, key);
}

/* The account of an address, with those of its networks. */
static struct ledger_account *source_account(struct ledger *l, struct ipaddr from)
{
	const uint8_t *bits = from.family == 6 ? levels6 : levels4;
	struct ledger_account *a = NULL;

	for (int i = 0; i < LEVELS; i++) {
		struct ipaddr net = from.family ? ipaddr_mask(from, bits[i]) : from;
		struct account_key key = { .family = from.family, .bits = bits[i] };
		struct ledger_account *below;

		memcpy(key.b, net.b, sizeof(net.b));
		below = account_of(l, &l->strangers, a, &key);
		if (!below)
			prune(l, a);
		a = below;
		if (!a)
			return NULL;
	}
	a->is_leaf = true;
	return a;
}

static struct ledger_account *member_account(
	struct ledger *l, const uint8_t id[static LEDGER_ID_LEN])
{
	struct account_key key = { .is_member = 1 };
	struct ledger_account *a;

	memcpy(key.b, id, LEDGER_ID_LEN);
	a = account_of(l, &l->members, NULL, &key);
	if (a)
		a->is_leaf = true;
	return a;
}

/* ---- What they hold ---- */

/* Moving a place in a heap cannot fail. */
static void replace(struct heap *h, struct heap_node *n, mono_ns place)
{
	int rc = n->at == place ? 0 : heap_set(h, n, place);

	CHECK(rc == 0);
}

static void add(struct ledger_account *a, ptrdiff_t bytes, int conns)
{
	struct share *s = a->share;

	s->n->now.bytes += (size_t)bytes;
	s->n->now.conns += (size_t)conns;
	for (; a; a = a->parent) {
		a->bytes += (size_t)bytes;
		a->conns += (size_t)conns;
		replace(bytes_above(a), &a->in_bytes, place_by_bytes(a->bytes, a->number));
		if (conns)
			replace(conns_above(a), &a->in_conns, place_of(a->conns, a->number));
	}
}

static void holder_add(struct ledger_holder *h, ptrdiff_t bytes)
{
	h->bytes += (size_t)bytes;
	add(h->account, bytes, 0);
	replace(&h->account->by_bytes, &h->by_bytes, place_by_bytes(h->bytes, h->number));
}

/* With what it holds. The account goes again if there is no memory. */
static int attach(struct ledger_holder *h, struct ledger_account *a)
{
	if (heap_set(&a->by_bytes, &h->by_bytes, place_by_bytes(h->bytes, h->number)) < 0 ||
		(h->is_conn && heap_set(&a->by_conns, &h->by_age, (mono_ns)h->number) < 0)) {
		heap_remove(&a->by_bytes, &h->by_bytes);
		prune(h->ledger, a);
		return -ENOMEM;
	}
	a->n_below++;
	h->account = a;
	add(a, (ptrdiff_t)h->bytes, h->is_conn);
	return 0;
}

static void detach(struct ledger_holder *h)
{
	struct ledger_account *a = h->account;

	add(a, -(ptrdiff_t)h->bytes, -(int)h->is_conn);
	heap_remove(&a->by_bytes, &h->by_bytes);
	heap_remove(&a->by_conns, &h->by_age);
	a->n_below--;
	h->account = NULL;
	prune(h->ledger, a);
}

/* ---- When a share is used up ---- */

static struct ledger_account *first_account(const struct heap *h, bool by_conns)
{
	if (!h->n)
		return NULL;
	return by_conns ? container_of(h->v[0], struct ledger_account, in_conns)
			: container_of(h->v[0], struct ledger_account, in_bytes);
}

/* The largest account's largest holder; where there are too many connections, the oldest of the account with most of them. */
static struct ledger_holder *largest(const struct share *s, bool by_conns)
{
	const struct heap *h = by_conns ? &s->by_conns : &s->by_bytes;
	struct ledger_account *a = first_account(h, by_conns);

	while (a && !a->is_leaf)
		a = first_account(by_conns ? &a->by_conns : &a->by_bytes, by_conns);
	h = !a ? NULL : by_conns ? &a->by_conns : &a->by_bytes;
	if (!h || !h->n)
		return NULL;
	return by_conns ? container_of(h->v[0], struct ledger_holder, by_age)
			: container_of(h->v[0], struct ledger_holder, by_bytes);
}

/* It has no account any more, and holds on until its owner has let go. */
static void leaves(struct ledger_holder *h, struct share *s)
{
	struct ledger *l = h->ledger;

	l->n.leaving.bytes += h->bytes;
	l->n.leaving.conns += h->is_conn;
	s->n->evicted++;
	h->evict(h);
}

static void push_out(struct ledger_holder *h)
{
	struct share *s = h->account->share;

	detach(h);
	leaves(h, s);
}

static bool is_over(const struct ledger_part *now, const struct ledger_part *max)
{
	return now->bytes > max->bytes || now->conns > max->conns;
}

static size_t held(const struct ledger *l)
{
	return l->n.strangers.now.bytes + l->n.members.now.bytes + l->n.leaving.bytes;
}

/* Until the share is what it may be. False: the next to go would be h itself, or too many are leaving. */
static bool settle(struct ledger *l, struct share *s, const struct ledger_holder *h)
{
	while (is_over(&s->n->now, &s->n->max)) {
		struct ledger_holder *victim = largest(s, s->n->now.bytes <= s->n->max.bytes);

		if (!victim || victim == h || is_over(&l->n.leaving, &l->n.leaving_max))
			return false;
		push_out(victim);
	}
	l->peak = MAX_OF(l->peak, held(l));
	return true;
}

/* ---- What owners call ---- */

size_t ledger_take_peak(struct ledger *l)
{
	size_t peak = l->peak;

	l->peak = held(l);
	return MAX_OF(peak, l->peak);
}

int ledger_new(struct ledger **ret, const struct ledger_cfg *cfg)
{
	struct ledger *l = calloc(1, sizeof(*l));
	struct ledger_part *leaving;

	if (!l)
		return -ENOMEM;
	map_init(&l->accounts, cfg->seed);
	l->strangers.n = &l->n.strangers;
	l->members.n = &l->n.members;
	l->n.strangers.max = cfg->strangers;
	l->n.members.max = cfg->members;
	leaving = &l->n.leaving_max;
	*leaving = cfg->leaving;
	if (!leaving->bytes)
		leaving->bytes = cfg->strangers.bytes / 4;
	if (!leaving->conns)
		leaving->conns = cfg->strangers.conns / 4;
	*ret = l;
	return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
	if (!l)
		return NULL;
	CHECK(!l->accounts.n_items);
	map_fini(&l->accounts);
	heap_fini(&l->strangers.by_bytes);
	heap_fini(&l->strangers.by_conns);
	heap_fini(&l->members.by_bytes);
	heap_fini(&l->members.by_conns);
	free(l);
	return NULL;
}

const struct ledger_stats *ledger_stats(const struct ledger *l)
{
	return &l->n;
}

bool ledger_is_settling(const struct ledger *l)
{
	return l && is_over(&l->n.leaving, &l->n.leaving_max);
}

int ledger_enter(struct ledger *l, struct ledger_holder *h, struct ipaddr from,
	enum ledger_kind kind, void (*evict)(struct ledger_holder *h))
{
	struct ledger_account *a;

	*h = (struct ledger_holder){
		.evict = evict, .is_conn = kind == LEDGER_CONN, .bytes = LEDGER_ENTRY_BYTES
	};
	if (!l)
		return 0;
	h->ledger = l;
	h->number = ++l->last_number;
	a = source_account(l, from);
	if (!a || attach(h, a) < 0) {
		h->ledger = NULL;
		return -ENOMEM;
	}
	if (settle(l, &l->strangers, h))
		return 0;
	l->n.strangers.refused++;
	detach(h);
	h->ledger = NULL;
	return -ERR_TOO_MANY;
}

/* To another account. Without memory for the account it stays where it is, without memory for its place there it is pushed out. */
static void move(struct ledger_holder *h, struct ledger_account *to)
{
	struct ledger *l = h->ledger;
	struct share *s = to ? to->share : NULL;

	if (!to || to == h->account)
		return;
	detach(h);
	if (attach(h, to) < 0) {
		leaves(h, s);
		return;
	}
	if (!settle(l, s, h))
		push_out(h);
}

void ledger_set_source(struct ledger_holder *h, struct ipaddr from)
{
	if (h && h->account)
		move(h, source_account(h->ledger, from));
}

void ledger_set_member(struct ledger_holder *h, const uint8_t id[static LEDGER_ID_LEN])
{
	if (h && h->account)
		move(h, member_account(h->ledger, id));
}

void ledger_set_local(struct ledger_holder *h, uint32_t uid)
{
	uint8_t id[LEDGER_ID_LEN] = "local user";

	memcpy(id + LEDGER_ID_LEN - sizeof(uid), &uid, sizeof(uid));
	ledger_set_member(h, id);
}

int ledger_charge(struct ledger_holder *h, size_t bytes)
{
	struct share *s;

	if (!h || !h->ledger || !bytes)
		return 0;
	if (!h->account)
		return -ERR_NO_ROOM;
	s = h->account->share;
	if (bytes <= s->n->max.bytes) {
		holder_add(h, (ptrdiff_t)bytes);
		/* With the new size: what would make this one the largest is refused, instead of pushing out a smaller one. */
		if (settle(h->ledger, s, h))
			return 0;
		holder_add(h, -(ptrdiff_t)bytes);
	}
	s->n->refused++;
	return -ERR_NO_ROOM;
}

bool ledger_may_work(struct ledger_holder *h, uint64_t turn, unsigned max)
{
	struct ledger_account *a = h && h->account ? h->account->parent : NULL;

	if (!a)
		return true;
	if (a->turn != turn)
		a->n_worked = 0;
	a->turn = turn;
	if (a->n_worked++ < max)
		return true;
	h->ledger->n.strangers.waited++;
	return false;
}

unsigned ledger_ahead(const struct ledger_holder *h, unsigned max)
{
	const struct ledger_account *a = h && h->account ? h->account->parent : NULL;

	return a && a->n_worked > max ? a->n_worked - max : 0;
}

void ledger_refund(struct ledger_holder *h, size_t bytes)
{
	if (!h || !h->ledger || !bytes)
		return;
	CHECK(bytes <= h->bytes);
	if (h->account) {
		holder_add(h, -(ptrdiff_t)bytes);
		return;
	}
	h->bytes -= bytes;
	h->ledger->n.leaving.bytes -= bytes;
}

void ledger_leave(struct ledger_holder *h)
{
	if (!h || !h->ledger)
		return;
	if (h->account) {
		detach(h);
	} else {
		h->ledger->n.leaving.bytes -= h->bytes;
		h->ledger->n.leaving.conns -= h->is_conn;
	}
	h->ledger = NULL;
}
