#include "store/mem/mem.h"
#include "base/list/list.h"

#include <errno.h>

struct row {
	struct list link;
	int64_t tailnet;
	uint64_t seq; /* in the database: the write that made it */
	const struct store_mem *writer;
	enum coord_kind kind;
	int64_t id;
	bool deleted, promised;
	size_t len;
	uint8_t doc[];
};

/* Of what was deleted a row without a document stays, for those who have not heard of it. */
struct database {
	struct list rows;
	uint64_t seq;
	unsigned handles;
};

struct store_mem {
	struct coord_store store;
	struct database *db;
	struct list writing, pending; /* changes in order */
	uint64_t seen, looked;        /* what others wrote: told up to here, found up to here */
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

static bool is_same(const struct row *a, const struct row *b)
{
	return a->tailnet == b->tailnet && a->kind == b->kind && a->id == b->id;
}

static bool is_foreign(const struct store_mem *m, const struct row *r)
{
	return r->tailnet == m->store.tailnet && r->writer != m && r->seq > m->seen;
}

static int change(struct coord_store *s, enum coord_kind kind, int64_t id, const struct view *doc,
	bool promised)
{
	size_t len = doc ? doc->len : 0;
	struct row *r = malloc(sizeof(*r) + len);

	if (!r)
		return -ENOMEM;
	*r = (struct row){ .tailnet = s->tailnet,
		.writer = of(s),
		.kind = kind,
		.id = id,
		.deleted = !doc,
		.promised = promised,
		.len = len };
	if (len)
		memcpy(r->doc, doc->p, len);
	list_push_tail(&of(s)->pending, &r->link);
	return 0;
}

/* The row that is in the database, or NULL. */
static struct row *find(struct database *db, const struct row *like)
{
	list_for_each(l, &db->rows) {
		struct row *r = container_of(l, struct row, link);

		if (is_same(r, like))
			return r;
	}
	return NULL;
}

static void write_row(struct store_mem *m, struct row *r)
{
	struct row *old = find(m->db, r);

	if (old && !r->promised && is_foreign(m, old)) {
		free(r);
		return;
	}
	if (old) {
		list_remove(&old->link);
		free(old);
	}
	r->seq = ++m->db->seq;
	list_push_tail(&m->db->rows, &r->link);
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
	while ((l = list_pop_head(&m->writing)))
		write_row(m, container_of(l, struct row, link));
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
	list_for_each(l, &of(s)->db->rows) {
		struct row *r = container_of(l, struct row, link);
		int rc = 0;

		if (r->tailnet == s->tailnet && r->kind == kind && !r->deleted)
			rc = fn(ctx, r->id, view_of(r->doc, r->len));
		if (rc < 0)
			return rc;
	}
	return 0;
}

void store_mem_look(struct store_mem *m)
{
	m->looked = m->db->seq;
	list_for_each(l, &m->db->rows)
		if (is_foreign(m, container_of(l, struct row, link)))
			m->store.foreign = COORD_FOREIGN_SOME;
}

/* A promise is on its way. */
static bool is_promised(const struct list *rows, const struct row *like)
{
	list_for_each(l, rows) {
		const struct row *r = container_of(l, struct row, link);

		if (is_same(r, like) && r->promised)
			return true;
	}
	return false;
}

static void give_way(struct list *rows, const struct row *to)
{
	list_for_each_safe(l, rows) {
		struct row *r = container_of(l, struct row, link);

		if (is_same(r, to)) {
			list_remove(l);
			free(r);
		}
	}
}

static int changes(struct coord_store *s,
	int (*fn)(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc), void *ctx)
{
	struct store_mem *m = of(s);
	int rc = 0;

	s->foreign = COORD_FOREIGN_NONE;
	list_for_each(l, &m->db->rows) {
		const struct row *r = container_of(l, struct row, link);
		struct view doc = view_of(r->doc, r->len);

		if (rc < 0 || r->seq > m->looked || !is_foreign(m, r) ||
			is_promised(&m->pending, r) || is_promised(&m->writing, r))
			continue;
		give_way(&m->pending, r);
		give_way(&m->writing, r);
		rc = fn(ctx, r->kind, r->id, r->deleted ? NULL : &doc);
	}
	m->seen = m->looked;
	if (rc < 0)
		s->foreign = COORD_FOREIGN_ALL;
	return rc < 0 ? rc : 0;
}

/* The latest word on a document in a list of changes; NULL: there is none. */
static const struct row *latest(
	const struct list *rows, int64_t tailnet, enum coord_kind kind, int64_t id)
{
	const struct row *found = NULL;

	list_for_each(l, rows) {
		const struct row *r = container_of(l, struct row, link);

		if (r->tailnet == tailnet && r->kind == kind && r->id == id)
			found = r;
	}
	return found;
}

static int read_doc(struct coord_store *s, enum coord_kind kind, int64_t id, struct buf *out)
{
	const struct store_mem *m = of(s);
	const struct row *r = latest(&m->pending, s->tailnet, kind, id);

	if (!r)
		r = latest(&m->writing, s->tailnet, kind, id);
	if (!r)
		r = latest(&m->db->rows, s->tailnet, kind, id);
	return r && !r->deleted ? buf_append(out, r->doc, r->len) : -ENOENT;
}

static int list_docs(struct coord_store *s, enum coord_kind kind, int64_t from, bool down,
	int (*fn)(void *ctx, int64_t id, struct view doc), void *ctx)
{
	int rc = 0;

	while (rc == 0) {
		const struct row *next = NULL;

		list_for_each(l, &of(s)->db->rows) {
			const struct row *r = container_of(l, struct row, link);

			if (r->tailnet == s->tailnet && r->kind == kind && !r->deleted &&
				(down ? r->id < from && (!next || r->id > next->id)
				      : r->id > from && (!next || r->id < next->id)))
				next = r;
		}
		if (!next)
			break;
		from = next->id;
		rc = fn(ctx, next->id, view_of(next->doc, next->len));
	}
	return rc < 0 ? rc : 0;
}

static const struct coord_store_ops ops = { change, load, commit, changes, read_doc, list_docs };

static struct coord_store fresh(int64_t tailnet)
{
	return (struct coord_store){ .ops = &ops, .tailnet = tailnet, .batch = 1 };
}

static int handle_new(struct database *db, int64_t tailnet, struct store_mem **ret)
{
	struct store_mem *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->store = fresh(tailnet);
	m->db = db;
	m->seen = m->looked = db->seq;
	db->handles++;
	list_init(&m->writing);
	list_init(&m->pending);
	*ret = m;
	return 0;
}

int store_mem_new(struct store_mem **ret)
{
	struct database *db = calloc(1, sizeof(*db));
	int rc;

	if (!db)
		return -ENOMEM;
	list_init(&db->rows);
	rc = handle_new(db, 1, ret);
	if (rc < 0)
		free(db);
	return rc;
}

int store_mem_open(struct store_mem *of, int64_t tailnet, struct store_mem **ret)
{
	return handle_new(of->db, tailnet, ret);
}

struct store_mem *store_mem_free(struct store_mem *m)
{
	if (!m)
		return NULL;
	if (--m->db->handles == 0) {
		clear(&m->db->rows);
		free(m->db);
	}
	clear(&m->writing);
	clear(&m->pending);
	free(m);
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
	m->store = fresh(m->store.tailnet);
	m->seen = m->looked = m->db->seq;
}
