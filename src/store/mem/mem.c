#include "store/mem/mem.h"
#include "base/list/list.h"

#include <errno.h>

struct row {
	struct list link;
	enum coord_kind kind;
	int64_t id;
	bool deleted;
	size_t len;
	uint8_t doc[];
};

struct store_mem {
	struct coord_store store;
	struct list durable, writing, pending; /* the last two: changes in order */
	bool fail, hold;
};

static struct store_mem *of(struct coord_store *s)
{
	return container_of(s, struct store_mem, store);
}

static void clear(struct list *rows)
{
	struct list *l;

	while ((l = list_pop_head(rows)))
		free(container_of(l, struct row, link));
}

static int change(
	struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc, bool deleted)
{
	struct row *r = malloc(sizeof(*r) + doc.len);

	if (!r)
		return -ENOMEM;
	*r = (struct row){ .kind = kind, .id = id, .deleted = deleted, .len = doc.len };
	if (doc.len)
		memcpy(r->doc, doc.p, doc.len);
	list_push_tail(&of(s)->pending, &r->link);
	return 0;
}

static int put(struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc)
{
	return change(s, kind, id, doc, false);
}

static int del(struct coord_store *s, enum coord_kind kind, int64_t id)
{
	return change(s, kind, id, view_of(NULL, 0), true);
}

void store_mem_write(struct store_mem *m)
{
	struct list *l;

	if (list_empty(&m->writing))
		return;
	if (m->fail) {
		m->store.failed = -ERR_STORE;
		return;
	}
	while ((l = list_pop_head(&m->writing))) {
		struct row *r = container_of(l, struct row, link);

		list_for_each_safe(o, &m->durable) {
			struct row *old = container_of(o, struct row, link);

			if (old->kind != r->kind || old->id != r->id)
				continue;
			list_remove(o);
			free(old);
		}
		if (r->deleted)
			free(r);
		else
			list_push_tail(&m->durable, &r->link);
	}
	m->store.durable++;
}

static void commit(struct coord_store *s)
{
	struct store_mem *m = of(s);
	struct list *l;

	if (s->failed || !list_empty(&m->writing) || list_empty(&m->pending))
		return;
	while ((l = list_pop_head(&m->pending)))
		list_push_tail(&m->writing, l);
	s->batch++;
	if (!m->hold)
		store_mem_write(m);
}

static int load(struct coord_store *s, enum coord_kind kind,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	list_for_each(l, &of(s)->durable) {
		struct row *r = container_of(l, struct row, link);
		int rc = r->kind == kind ? fn(ctx, r->id, view_of(r->doc, r->len)) : 0;

		if (rc < 0)
			return rc;
	}
	return 0;
}

static const struct coord_store_ops ops = { put, del, load, commit };

int store_mem_new(struct store_mem **ret)
{
	struct store_mem *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->store = (struct coord_store){ .ops = &ops, .batch = 1 };
	list_init(&m->writing);
	list_init(&m->durable);
	list_init(&m->pending);
	*ret = m;
	return 0;
}

struct store_mem *store_mem_free(struct store_mem *m)
{
	if (m) {
		clear(&m->durable);
		clear(&m->writing);
		clear(&m->pending);
		free(m);
	}
	return NULL;
}

struct coord_store *store_mem_store(struct store_mem *m)
{
	return &m->store;
}

void store_mem_fail_commits(struct store_mem *m)
{
	m->fail = true;
}

void store_mem_hold(struct store_mem *m, bool hold)
{
	m->hold = hold;
}

void store_mem_set_full(struct store_mem *m, bool full)
{
	m->store.full = full;
}

void store_mem_crash(struct store_mem *m)
{
	clear(&m->writing);
	clear(&m->pending);
	m->store = (struct coord_store){ .ops = &ops, .batch = 1 };
}
