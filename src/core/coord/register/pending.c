/*
 * Logins that wait for somebody to let the device in. Anybody may ask, so what they hold is in two ledgers: one of their own, which
 * bounds how many there are, and the process's. In both whoever holds most gives way; a machine that has a device here already
 * is a member, and gives way to none but itself.
 */
#include "core/coord/register/internal.h"

#include <errno.h>

static struct pending *pending_by_plain(const struct tailnet *c, const char *plain)
{
	struct map_node *n = map_find(&c->registrar->pending_by_code, plain, CODE_LETTERS);

	return n ? container_of(n, struct pending, node) : NULL;
}

struct pending *pending_by_code(const struct tailnet *c, const char *code)
{
	char plain[CODE_LETTERS + 1];

	return code_plain(code, plain) == CODE_LETTERS ? pending_by_plain(c, plain) : NULL;
}

struct pending *pending_by_asker(
	const struct tailnet *c, const struct machine_pub *m, const struct node_pub *key)
{
	struct asker asker = { *m, *key };
	struct map_node *n = map_find(&c->registrar->pending_by_asker, &asker, sizeof(asker));

	return n ? container_of(n, struct pending, by_asker) : NULL;
}

void pending_free(struct tailnet *c, struct pending *p)
{
	map_remove(&c->registrar->pending_by_code, &p->node);
	map_remove(&c->registrar->pending_by_asker, &p->by_asker);
	list_remove(&p->link);
	list_remove(&p->pushed_out);
	ledger_leave(&p->share);
	ledger_leave(&p->holder);
	c->stats.pending--;
	arena_fini(&p->mem);
	free(p);
}

void pending_end(struct tailnet *c, struct pending *p, const char *why)
{
	if (p->waiter)
		answer_error(c, p->waiter, &p->req, why);
	pending_free(c, p);
}

/* In the middle of somebody's charge: it goes when that is done. */
static void push_out(struct pending *p)
{
	list_remove(&p->pushed_out);
	list_push_tail(&p->tailnet->registrar->pushed_out, &p->pushed_out);
}

static void on_share_evict(struct ledger_holder *h)
{
	push_out(container_of(h, struct pending, share));
}

static void on_holder_evict(struct ledger_holder *h)
{
	push_out(container_of(h, struct pending, holder));
}

void pending_sweep(struct tailnet *c)
{
	while (!list_empty(&c->registrar->pushed_out)) {
		c->stats.pending_evicted++;
		pending_end(c,
			container_of(c->registrar->pushed_out.next, struct pending, pushed_out),
			"too many devices wait to be let in; log in again");
	}
}

static int enter(struct ledger *l, struct ledger_holder *h, const struct pending *p, size_t bytes,
	void (*evict)(struct ledger_holder *h))
{
	bool known = map_find(&p->tailnet->machines, p->asker.machine.b, KEY_LEN) != NULL;
	int rc = ledger_enter(l, h, p->from.ip, LEDGER_LOGIN, evict);

	if (rc == 0 && known)
		ledger_set_member(h, p->asker.machine.b);
	return rc == 0 ? ledger_charge(h, bytes) : rc;
}

/* What it holds is charged; a login counts for COORD_PENDING_SHARE at least. */
static int charge(struct tailnet *c, struct pending *p)
{
	size_t bytes = MAX_OF(p->mem.used + sizeof(*p), (size_t)COORD_PENDING_SHARE);
	int rc = enter(
		c->registrar->logins, &p->share, p, bytes - LEDGER_ENTRY_BYTES, on_share_evict);

	return rc == 0 ? enter(c->cfg.ledger, &p->holder, p, bytes, on_holder_evict) : rc;
}

static int insert(struct tailnet *c, struct pending *p)
{
	if (map_insert(&c->registrar->pending_by_asker, &p->by_asker, &p->asker,
		    sizeof(p->asker)) != 0)
		return -ENOMEM;
	do {
		code_new(c->cfg.rng, p->code);
		code_plain(p->code, p->plain);
	} while (pending_by_plain(c, p->plain));
	if (map_insert(&c->registrar->pending_by_code, &p->node, p->plain, CODE_LETTERS) == 0)
		return 0;
	map_remove(&c->registrar->pending_by_asker, &p->by_asker);
	return -ENOMEM;
}

/* mem is the login's then. NULL: no room, or no memory. */
static struct pending *pending_new(struct tailnet *c, const struct asker *asker,
	const struct tc_register_request *req, struct arena mem, struct ipport from, struct now now)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	*p = (struct pending){ .tailnet = c,
		.asker = *asker,
		.mem = mem,
		.req = *req,
		.from = from,
		.created = now.wall,
		.expires = now.mono + COORD_PENDING_LIFE };
	list_init(&p->pushed_out);
	if (charge(c, p) < 0 || insert(c, p) < 0) {
		c->stats.pending_refused++;
		list_remove(&p->pushed_out);
		ledger_leave(&p->share);
		ledger_leave(&p->holder);
		free(p);
		p = NULL;
	} else {
		list_push_tail(&c->registrar->pendings, &p->link);
		c->stats.pending++;
	}
	pending_sweep(c);
	return p;
}

/*
 * One device asks once, however often it repeats itself; its code stands for what it asks for, so that other things have another
 * code. Takes mem if it gives a login; NULL: no memory.
 */
struct pending *pending_ask(struct tailnet *c, const struct machine_pub *m,
	const struct tc_register_request *req, struct arena mem, struct ipport from, struct now now)
{
	struct asker asker = { *m, req->node_key };
	struct pending *p = pending_by_asker(c, m, &req->node_key);
	char replaced[CODE_LETTERS + 1] = "";

	if (p && pending_is_for(c, p, req)) {
		arena_fini(&mem);
		p->expires = now.mono + COORD_PENDING_LIFE;
		list_remove(&p->link);
		list_push_tail(&c->registrar->pendings, &p->link);
		return p;
	}
	if (p) {
		memcpy(replaced, p->plain, sizeof(replaced));
		pending_end(c, p, "this device asks for other things now; log in again");
	}
	p = pending_new(c, &asker, req, mem, from, now);
	if (p)
		memcpy(p->replaced, replaced, sizeof(p->replaced));
	return p;
}

mono_ns pending_deadline(const struct tailnet *c)
{
	return list_empty(&c->registrar->pendings)
		       ? MONO_NEVER
		       : container_of(c->registrar->pendings.next, struct pending, link)->expires;
}

void pending_tick(struct tailnet *c, struct now now)
{
	pending_sweep(c);
	while (pending_deadline(c) <= now.mono)
		pending_end(c, container_of(c->registrar->pendings.next, struct pending, link),
			"nobody approved this device in time; log in again");
}

/* for people */

static void pending_view(const struct pending *p, struct coord_pending_view *ret)
{
	const struct tc_hostinfo *h = p->req.hostinfo;

	*ret = (struct coord_pending_view){ .code = p->code,
		.hostname = h && h->hostname ? h->hostname : "",
		.os = h && h->os ? h->os : "",
		.from = p->from,
		.tags = *wanted_tags(&p->req),
		.created = p->created };
}

bool coord_pending_find(const struct tailnet *c, const char *code, struct coord_pending_view *ret)
{
	struct pending *p = pending_by_code(c, code);

	if (p)
		pending_view(p, ret);
	return p != NULL;
}

bool coord_pending_successor(
	const struct tailnet *c, const char *code, struct coord_pending_view *ret)
{
	char plain[CODE_LETTERS + 1];

	if (code_plain(code, plain) != CODE_LETTERS)
		return false;
	list_for_each(l, &c->registrar->pendings) {
		const struct pending *p = container_of(l, struct pending, link);

		if (memcmp(p->replaced, plain, CODE_LETTERS) != 0)
			continue;
		pending_view(p, ret);
		return true;
	}
	return false;
}

size_t coord_pending_match(
	const struct tailnet *c, const char *text, struct coord_pending_view *ret)
{
	char plain[CODE_LETTERS + 1];
	size_t len = code_plain(text, plain), n = 0;

	list_for_each(l, &c->registrar->pendings) {
		const struct pending *p = container_of(l, struct pending, link);

		if (!len || memcmp(p->plain, plain, len) != 0)
			continue;
		pending_view(p, ret);
		n++;
	}
	return n;
}

bool coord_pending_next(const struct tailnet *c, const char *after, struct coord_pending_view *ret)
{
	struct pending *p = after ? pending_by_code(c, after) : NULL;
	struct list *l =
		after ? (p ? p->link.next : (struct list *)(uintptr_t)&c->registrar->pendings)
		      : c->registrar->pendings.next;

	if (l == &c->registrar->pendings)
		return false;
	pending_view(container_of(l, struct pending, link), ret);
	return true;
}
