/* core/policy/lang: values, lists and objects, each refused with its place if it is of another kind. */
#include "core/policy/lang/internal.h"
#include "base/text/text.h"
#include "base/buf/buf.h"
#include "base/map/map.h"
#include "proto/json/json.h"

#include <errno.h>

enum { ITEMS_MAX = 200000 }; /* entries of one list */

int read_wrong_kind(struct reader *r, const struct hujson *v, const char *want)
{
	if (v->name)
		return fault_on(r, v, "\"%.60s\" must be %s, not %s", v->name, want,
			hujson_kind_text(v->kind));
	return fault_on(r, v, "expected %s here, not %s", want, hujson_kind_text(v->kind));
}

static bool same_name(const char *a, const char *b)
{
	return text_ieq(a, strlen(a), b, strlen(b));
}

static const struct member *member_find(const struct member *m, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (same_name(m[i].name, name) || (m[i].name[0] == '#' && name[0] == '#'))
			return &m[i];
	return NULL;
}

static bool named_before(const struct hujson *obj, const struct hujson *v)
{
	hujson_for_each(c, obj)
	{
		if (c == v)
			return false;
		if (same_name(c->name, v->name))
			return true;
	}
	return false;
}

int read_members(struct reader *r, const struct hujson *v, const struct member *m, size_t n,
	void *dst, const char *what)
{
	if (v->kind != HUJSON_OBJECT)
		return read_wrong_kind(r, v, "an object");
	hujson_for_each(c, v)
	{
		const struct member *f = member_find(m, n, c->name);
		int rc;

		if (!f)
			return fault_at(r, place_of_name(c),
				"unknown field: \"%.60s\": %s has no such member; check the spelling",
				c->name, what);
		if (named_before(v, c))
			return fault_at(r, place_of_name(c),
				"\"%.60s\" is there twice; join the two", c->name);
		if (c->kind == HUJSON_NULL)
			continue;
		rc = f->read(r, c, (char *)dst + f->offset);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Names of things (groups, hosts, tags) are matched exactly; a doubled one would hide the first. */
static int refuse_doubles(struct reader *r, const struct hujson *v)
{
	static const uint8_t seed[16];
	struct names {
		struct map_node node;
	} *names = arena_array(r->a, v->n + 1, sizeof(*names));
	struct map seen;
	size_t i = 0;
	int rc = 0;

	if (!names)
		return fault_no_memory(r);
	map_init(&seen, seed);
	hujson_for_each(c, v)
	{
		rc = map_insert(&seen, &names[i++].node, c->name, strlen(c->name));
		if (rc == 1)
			rc = fault_at(r, place_of_name(c), "\"%.60s\" is there twice; join the two",
				c->name);
		if (rc < 0)
			break;
	}
	map_fini(&seen);
	return rc == -ENOMEM ? fault_no_memory(r) : rc;
}

int read_items(struct reader *r, const struct hujson *v, enum hujson_kind kind, size_t size,
	const char *what, int (*each)(struct reader *r, const struct hujson *v, void *dst),
	void **ret, size_t *ret_n)
{
	char *items;
	size_t n = 0;
	int rc = 0;

	if (v->kind != kind)
		return read_wrong_kind(r, v, kind == HUJSON_OBJECT ? "an object" : "an array");
	if (v->n > ITEMS_MAX)
		return fault_on(r, v, "%s has more than %d entries", what, ITEMS_MAX);
	items = arena_array(r->a, v->n + 1, size);
	if (!items)
		return fault_no_memory(r);
	if (kind == HUJSON_OBJECT)
		rc = refuse_doubles(r, v);
	hujson_for_each(c, v)
	{
		if (rc == 0)
			rc = each(r, c, items + size * n++);
	}
	if (rc < 0)
		return rc;
	*ret = items;
	*ret_n = n;
	return 0;
}

int read_string(struct reader *r, const struct hujson *v, void *dst)
{
	if (v->kind != HUJSON_STRING)
		return read_wrong_kind(r, v, "a string");
	*(const char **)dst = v->text;
	return 0;
}

int read_text(struct reader *r, const struct hujson *v, void *dst)
{
	struct doc_text *t = dst;

	t->at = place_of(v);
	return read_string(r, v, &t->s);
}

int read_bool(struct reader *r, const struct hujson *v, void *dst)
{
	if (v->kind != HUJSON_BOOL)
		return read_wrong_kind(r, v, "true or false");
	*(bool *)dst = v->yes;
	return 0;
}

int read_skip(struct reader *r, const struct hujson *v, void *dst)
{
	(void)r;
	(void)v;
	(void)dst;
	return 0;
}

int read_texts(struct reader *r, const struct hujson *v, void *dst)
{
	struct doc_texts *t = dst;

	t->present = true;
	return read_items(r, v, HUJSON_ARRAY, sizeof(*t->v), v->name ? v->name : "the list",
		read_text, (void **)&t->v, &t->n);
}

static int read_term(struct reader *r, const struct hujson *v, void *dst)
{
	if (v->kind != HUJSON_STRING)
		return read_wrong_kind(r, v, "a string");
	return term_parse(r, v->text, strlen(v->text), place_of(v), dst);
}

int read_terms(struct reader *r, const struct hujson *v, void *dst)
{
	struct terms *t = dst;

	t->present = true;
	return read_items(r, v, HUJSON_ARRAY, sizeof(*t->v), v->name ? v->name : "the list",
		read_term, (void **)&t->v, &t->n);
}

/* A value as plain JSON: comments and trailing commas are gone, numbers stay as written. */
static int to_json(const struct hujson *v, struct buf *out)
{
	const char *close = v->kind == HUJSON_OBJECT ? "}" : "]";
	int rc;

	if (v->kind == HUJSON_STRING)
		return json_encode_str(out, v->text, strlen(v->text));
	if (v->kind != HUJSON_OBJECT && v->kind != HUJSON_ARRAY)
		return buf_append(out, v->raw.p, v->raw.len);
	rc = buf_append_str(out, v->kind == HUJSON_OBJECT ? "{" : "[");
	hujson_for_each(c, v)
	{
		if (rc == 0 && c != v->first)
			rc = buf_append_str(out, ",");
		if (rc == 0 && c->name)
			rc = json_encode_str(out, c->name, strlen(c->name));
		if (rc == 0 && c->name)
			rc = buf_append_str(out, ":");
		if (rc == 0)
			rc = to_json(c, out);
	}
	return rc < 0 ? rc : buf_append_str(out, close);
}

char *doc_json_of(struct arena *a, const struct hujson *v)
{
	char *text = NULL;
	struct buf b;

	buf_init(&b, 2 * HUJSON_MAX);
	if (to_json(v, &b) == 0)
		text = arena_strndup(a, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	return text;
}

static int read_app_cap(struct reader *r, const struct hujson *v, void *dst)
{
	struct app_cap *c = dst;

	c->name = v->name;
	c->at = place_of_name(v);
	if (v->kind != HUJSON_ARRAY && v->kind != HUJSON_NULL)
		return fault_on(
			r, v, "the values of capability \"%.80s\" must be an array", v->name);
	c->values = doc_json_of(r->a, v);
	return c->values ? 0 : fault_no_memory(r);
}

int read_app(struct reader *r, const struct hujson *v, void *dst)
{
	struct app_caps *c = dst;

	return read_items(
		r, v, HUJSON_OBJECT, sizeof(*c->v), "app", read_app_cap, (void **)&c->v, &c->n);
}
