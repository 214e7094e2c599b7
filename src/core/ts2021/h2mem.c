#include "core/ts2021/h2mem.h"
#include "base/ledger/ledger.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In front of what is given: its size. As large as the alignment that malloc promises. */
struct head {
	_Alignas(max_align_t) size_t size;
};

enum { STEP = 4096 }; /* accounts are put in order with each charge */

/* Charged is what is used, rounded up, and at most a step more. */
static int charge(struct h2mem *m, size_t used)
{
	size_t want = (used + STEP - 1) / STEP * STEP;
	int rc = 0;

	if (want > m->charged) {
		rc = ledger_charge(m->holder, want - m->charged);
		if (rc == 0)
			m->charged = want;
	} else if (m->charged - want > STEP) {
		ledger_refund(m->holder, m->charged - want);
		m->charged = want;
	}
	return rc;
}

int h2mem_init(struct h2mem *m, size_t max, size_t own, struct ledger_holder *holder)
{
	*m = (struct h2mem){ .used = own, .max = max, .holder = holder };
	return charge(m, own);
}

void h2mem_fini(struct h2mem *m)
{
	ledger_refund(m->holder, m->charged);
	m->charged = 0;
}

static void *resize(struct h2mem *m, void *p, size_t n)
{
	struct head *h = p ? (struct head *)p - 1 : NULL;
	size_t had = h ? h->size : 0, now = n + sizeof(*h);

	if (n > SIZE_MAX - sizeof(*h) || (now > had && now - had > m->max - m->used) ||
		charge(m, m->used + now - had) < 0) {
		m->refused = true;
		return NULL;
	}
	h = realloc(h, now);
	if (!h) {
		m->refused = true;
		return NULL;
	}
	m->used += now - had;
	h->size = now;
	return h + 1;
}

void *h2mem_new(struct h2mem *m, size_t n)
{
	void *p = resize(m, NULL, n);

	return p ? memset(p, 0, n) : NULL;
}

void h2mem_free(struct h2mem *m, void *p)
{
	struct head *h = p ? (struct head *)p - 1 : NULL;

	if (!h)
		return;
	m->used -= h->size;
	free(h);
	(void)charge(m, m->used);
}

static void *hook_malloc(size_t n, void *ctx)
{
	return resize(ctx, NULL, n);
}

static void hook_free(void *p, void *ctx)
{
	h2mem_free(ctx, p);
}

static void *hook_calloc(size_t n, size_t size, void *ctx)
{
	struct h2mem *m = ctx;

	if (size && n > SIZE_MAX / size) {
		m->refused = true;
		return NULL;
	}
	return h2mem_new(m, n * size);
}

static void *hook_realloc(void *p, size_t n, void *ctx)
{
	return resize(ctx, p, n);
}

nghttp2_mem h2mem_hooks(struct h2mem *m)
{
	return (nghttp2_mem){ .mem_user_data = m,
		.malloc = hook_malloc,
		.free = hook_free,
		.calloc = hook_calloc,
		.realloc = hook_realloc };
}
