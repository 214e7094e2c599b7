/* Watching one request, and its entry. */
#include "hub/audit/audit.h"
#include "base/map/map.h"

#include <errno.h>
#include <stdlib.h>

enum { REQUEST_MEM_MAX = 16 << 20, DOC_MAX = 8 << 20, ENTRY_MAX = 4 << 20 };

struct seen {
	struct map_node node;
	struct {
		int64_t kind, id;
	} key;
	struct view before, after; /* whole documents; empty: none */
};

struct audit {
	struct coord_store *store;
	int64_t last_id, keep_ms;
	bool watching;
	int failed; /* while watching */
	struct arena mem;
	struct map by_key;
	struct seen *seen[AUDIT_CHANGES_MAX];
	size_t n, more;
};

static const char *const kinds[] = { [COORD_USER] = "user",
	[COORD_NODE] = "device",
	[COORD_KEY] = "key",
	[COORD_SETTINGS] = "settings",
	[COORD_POLICY] = "policy",
	[COORD_DNS] = "dns",
	[COORD_API_TOKEN] = "token" };

static const char *kind_name(int64_t kind)
{
	return kind >= 0 && kind < (int64_t)ARRAY_LEN(kinds) ? kinds[kind] : NULL;
}

/* ---- What changes ---- */

static struct view copy(struct audit *a, const struct view *doc)
{
	char *p = doc ? arena_strndup(&a->mem, doc->p, doc->len) : NULL;

	a->failed = doc && !p ? -ENOMEM : a->failed;
	return p ? view_of(p, doc->len) : (struct view){ 0 };
}

static struct seen *see(struct audit *a, int64_t kind, int64_t id)
{
	struct seen *s = arena_new(&a->mem, struct seen);
	struct view before;
	struct buf b;

	if (!s) {
		a->failed = -ENOMEM;
		return NULL;
	}
	s->key.kind = kind;
	s->key.id = id;
	buf_init(&b, DOC_MAX);
	if (a->store->ops->read(a->store, (enum coord_kind)kind, id, &b) == 0) {
		before = buf_view(&b);
		s->before = copy(a, &before);
	}
	buf_fini(&b);
	if (map_insert(&a->by_key, &s->node, &s->key, sizeof(s->key)) != 0) {
		a->failed = -ENOMEM;
		return NULL;
	}
	a->seen[a->n++] = s;
	return s;
}

static void on_change(void *ctx, enum coord_kind kind, int64_t id, const struct view *doc)
{
	struct audit *a = ctx;
	const struct {
		int64_t kind, id;
	} key = { kind, id };
	struct map_node *n;
	struct seen *s;

	if (!a->watching || !kind_name(kind))
		return;
	n = map_find(&a->by_key, &key, sizeof(key));
	if (!n && a->n == AUDIT_CHANGES_MAX) {
		a->more++;
		return;
	}
	s = n ? container_of(n, struct seen, node) : see(a, kind, id);
	if (s)
		s->after = copy(a, doc);
}

/* ---- The entry ---- */

static JSON_MAP_TYPE(document, json_raw);

/* Of no interest, or of no business, to whoever reads the record. */
static bool is_left_out(const char *name)
{
	static const char *const words[] = { "hash", "bcrypt", "secret", "password", "totp",
		"recovery", "passkey", "hostinfo", "endpoints", "lastUsed", "lastSeen",
		"formerKeys", "homeDERP" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

static struct view value_of(struct arena *mem, const struct json_map *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++) {
		struct view v = *(struct view *)m->v[i].value;
		const char *text;

		if (strcmp(m->v[i].key, name) != 0)
			continue;
		if (v.len <= AUDIT_VALUE_MAX)
			return v;
		text = arena_printf(mem, "\"(%zu bytes)\"", v.len);
		return text ? view_of(text, strlen(text)) : (struct view){ 0 };
	}
	return (struct view){ 0 };
}

static int read_document(struct arena *mem, struct view doc, struct json_map *ret)
{
	*ret = (struct json_map){ 0 };
	return doc.len ? json_decode(&document, doc.p, doc.len, ret, mem, NULL) : 0;
}

static void add_field(struct arena *mem, struct audit_change *ch, const struct json_map *before,
	const struct json_map *after, const char *name)
{
	struct audit_values *v = arena_new(mem, struct audit_values);

	for (size_t i = 0; i < ch->fields.n; i++)
		if (!strcmp(ch->fields.v[i].key, name))
			return;
	if (!v || is_left_out(name))
		return;
	v->before = value_of(mem, before, name);
	v->after = value_of(mem, after, name);
	if (!view_eq(v->before, v->after))
		ch->fields.v[ch->fields.n++] = (struct json_pair){ name, v };
}

static const char *name_in(struct arena *mem, const struct json_map *m)
{
	struct view v = value_of(mem, m, "name");
	const char *name = NULL;

	return v.len && json_decode(&json_str, v.p, v.len, &name, mem, NULL) == 0 ? name : NULL;
}

static int make_change(struct arena *mem, const struct seen *s, struct audit_change *ret)
{
	struct json_map before, after;
	int rc = read_document(mem, s->before, &before);

	if (rc == 0)
		rc = read_document(mem, s->after, &after);
	if (rc < 0)
		return rc;
	*ret = (struct audit_change){ .kind = kind_name(s->key.kind), .id = s->key.id };
	ret->name = name_in(mem, &after);
	if (!ret->name)
		ret->name = name_in(mem, &before);
	ret->fields.v = arena_array(mem, before.n + after.n, sizeof(*ret->fields.v));
	ret->fields.present = true;
	if (!ret->fields.v)
		return -ENOMEM;
	for (size_t i = 0; i < before.n; i++)
		add_field(mem, ret, &before, &after, before.v[i].key);
	for (size_t i = 0; i < after.n; i++)
		add_field(mem, ret, &before, &after, after.v[i].key);
	return 0;
}

static int put(struct audit *a, const struct audit_entry *e)
{
	struct buf b;
	int rc;

	buf_init(&b, ENTRY_MAX);
	rc = json_encode(&audit_entry_type, e, &b);
	if (rc == 0)
		rc = coord_store_put(a->store, COORD_AUDIT, e->id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

static int write_entry(struct audit *a, const struct audit_entry *who, unix_ms now)
{
	struct audit_change *v = arena_array(&a->mem, a->n, sizeof(*v));
	struct audit_entry e = *who;
	size_t n = 0;
	int rc = v ? a->failed : -ENOMEM;

	for (size_t i = 0; i < a->n && rc == 0; i++) {
		rc = make_change(&a->mem, a->seen[i], &v[n]);
		n += rc == 0 && (v[n].fields.n || !a->seen[i]->after.len);
	}
	if (rc < 0 || !n)
		return rc;
	e.id = a->last_id + 1;
	e.at = now;
	e.changes = json_list_of(v, n);
	e.more = (int64_t)a->more;
	rc = put(a, &e);
	a->last_id += rc == 0;
	return rc;
}

void audit_begin(struct audit *a)
{
	a->watching = true;
	a->failed = 0;
	a->n = a->more = 0;
}

int audit_end(struct audit *a, const struct audit_entry *who, unix_ms now)
{
	int rc;

	a->watching = false;
	rc = write_entry(a, who, now);
	for (size_t i = 0; i < a->n; i++)
		map_remove(&a->by_key, &a->seen[i]->node);
	a->n = 0;
	arena_reset(&a->mem);
	return rc;
}

/* ---- Reading ---- */

static int take_last(void *ctx, int64_t id, struct view doc)
{
	*(int64_t *)ctx = id;
	return 1;
}

int audit_new(struct audit **ret, struct coord_store *store, const uint8_t seed[static 16],
	int64_t keep_ms)
{
	struct audit *a = calloc(1, sizeof(*a));
	int rc;

	if (!a)
		return -ENOMEM;
	a->store = store;
	a->keep_ms = keep_ms;
	arena_init(&a->mem, REQUEST_MEM_MAX);
	map_init(&a->by_key, seed);
	rc = store->ops->list(store, COORD_AUDIT, INT64_MAX, true, take_last, &a->last_id);
	if (rc < 0) {
		audit_free(a);
		return rc;
	}
	store->on_change = on_change;
	store->on_change_ctx = a;
	*ret = a;
	return 0;
}

struct audit *audit_free(struct audit *a)
{
	if (!a)
		return NULL;
	if (a->store->on_change_ctx == a)
		a->store->on_change = NULL;
	map_fini(&a->by_key);
	arena_fini(&a->mem);
	free(a);
	return NULL;
}

int64_t audit_last(const struct audit *a)
{
	return a->last_id;
}

static unix_ms time_of(struct view doc)
{
	struct arena mem;
	struct audit_entry e;
	int rc;

	arena_init(&mem, REQUEST_MEM_MAX);
	rc = json_decode(&audit_entry_type, doc.p, doc.len, &e, &mem, NULL);
	arena_fini(&mem);
	return rc == 0 ? e.at
		       : UNIX_MS_MAX; /* one that somebody wrote by hand is shown, and kept */
}

struct page {
	const struct audit_filter *filter;
	struct arena *mem;
	struct buf text; /* of the entry that is looked at */
	struct view *v;
	size_t n, looked_at;
	int64_t last;
	bool full;
};

static bool occurs(struct page *p, const char *what, struct view doc)
{
	buf_clear(&p->text);
	if (buf_append(&p->text, doc.p, doc.len) < 0 || buf_append(&p->text, "", 1) < 0)
		return true; /* no memory: rather one too many */
	return strcasestr((const char *)buf_data(&p->text), what) != NULL;
}

static int take_page(void *ctx, int64_t id, struct view doc)
{
	struct page *p = ctx;
	const struct audit_filter *f = p->filter;
	char *copy;

	if (p->n == f->limit || p->looked_at++ == AUDIT_SCAN_MAX) {
		p->full = true;
		return 1;
	}
	if (f->since && time_of(doc) < f->since)
		return 1; /* they are in order of time */
	p->last = id;
	if (f->text && *f->text && !occurs(p, f->text, doc))
		return 0;
	copy = arena_strndup(p->mem, doc.p, doc.len);
	if (!copy)
		return -ENOMEM;
	p->v[p->n++] = view_of(copy, doc.len);
	return 0;
}

int audit_list(struct audit *a, const struct audit_filter *f, struct arena *mem,
	struct json_list *ret, int64_t *ret_next)
{
	struct page p = { .filter = f, .mem = mem };
	int rc;

	p.v = arena_array(mem, f->limit, sizeof(*p.v));
	if (!p.v)
		return -ENOMEM;
	buf_init(&p.text, ENTRY_MAX + 1);
	rc = a->store->ops->list(
		a->store, COORD_AUDIT, f->below > 0 ? f->below : INT64_MAX, true, take_page, &p);
	buf_fini(&p.text);
	*ret = json_list_of(p.v, p.n);
	*ret_next = p.full ? p.last : 0;
	return rc;
}

/* ---- Age ---- */

struct sweep {
	unix_ms before;
	int64_t id[AUDIT_SWEEP_MAX];
	size_t n;
};

static int take_old(void *ctx, int64_t id, struct view doc)
{
	struct sweep *s = ctx;

	if (s->n == AUDIT_SWEEP_MAX || time_of(doc) >= s->before)
		return 1;
	s->id[s->n++] = id;
	return 0;
}

void audit_sweep(struct audit *a, unix_ms now)
{
	struct sweep s = { .before = now - a->keep_ms };

	if (!a->keep_ms || coord_store_refusal(a->store) ||
		a->store->ops->list(a->store, COORD_AUDIT, 0, false, take_old, &s) < 0)
		return;
	for (size_t i = 0; i < s.n; i++)
		if (coord_store_del(a->store, COORD_AUDIT, s.id[i]) < 0)
			return;
}
