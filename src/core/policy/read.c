/* core/policy/read: the helpers, and the top of the document. */
#include "core/policy/read.h"
#include "base/text/text.h"
#include "base/buf/buf.h"
#include "base/map/map.h"
#include "proto/json/json.h"

#include <errno.h>
#include <stdarg.h>

enum {
	DOC_MEM_MAX = 256 << 20, /* the tree of an 8 MiB text, and what is made of it */
	ITEMS_MAX = 200000,      /* entries of one list */
};

static void fault_va(struct reader *r, struct place at, const char *fmt, va_list ap)
{
	char text[sizeof(((struct err_at *)0)->text)];

	vsnprintf(text, sizeof(text), fmt, ap);
	err_at_set(r->at, at.line, at.column, "%s", text);
}

int fault_at(struct reader *r, struct place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_va(r, at, fmt, ap);
	va_end(ap);
	return -ERR_BAD_VALUE;
}

int fault_on(struct reader *r, const struct hujson *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fault_va(r, place_of(v), fmt, ap);
	va_end(ap);
	return -ERR_BAD_VALUE;
}

int no_memory(struct reader *r)
{
	err_at_set(r->at, 0, 0, "the policy needs more memory than it may have");
	return -ENOMEM;
}

struct place place_of(const struct hujson *v)
{
	return (struct place){ v->line, v->column };
}

struct place name_place_of(const struct hujson *v)
{
	return (struct place){ v->name_line, v->name_column };
}

static int wrong_kind(struct reader *r, const struct hujson *v, const char *want)
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
		return wrong_kind(r, v, "an object");
	hujson_for_each(c, v)
	{
		const struct member *f = member_find(m, n, c->name);
		int rc;

		if (!f)
			return fault_at(r, name_place_of(c),
				"unknown field: \"%.60s\": %s has no such member; check the spelling",
				c->name, what);
		if (named_before(v, c))
			return fault_at(r, name_place_of(c),
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
		return no_memory(r);
	map_init(&seen, seed);
	hujson_for_each(c, v)
	{
		rc = map_insert(&seen, &names[i++].node, c->name, strlen(c->name));
		if (rc == 1)
			rc = fault_at(r, name_place_of(c), "\"%.60s\" is there twice; join the two",
				c->name);
		if (rc < 0)
			break;
	}
	map_fini(&seen);
	return rc == -ENOMEM ? no_memory(r) : rc;
}

int read_items(struct reader *r, const struct hujson *v, enum hujson_kind kind, size_t size,
	const char *what, int (*each)(struct reader *r, const struct hujson *v, void *dst),
	void **ret, size_t *ret_n)
{
	char *items;
	size_t n = 0;
	int rc = 0;

	if (v->kind != kind)
		return wrong_kind(r, v, kind == HUJSON_OBJECT ? "an object" : "an array");
	if (v->n > ITEMS_MAX)
		return fault_on(r, v, "%s has more than %d entries", what, ITEMS_MAX);
	items = arena_array(r->a, v->n + 1, size);
	if (!items)
		return no_memory(r);
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
		return wrong_kind(r, v, "a string");
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
		return wrong_kind(r, v, "true or false");
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
		return wrong_kind(r, v, "a string");
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

char *json_of(struct arena *a, const struct hujson *v)
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
	c->at = name_place_of(v);
	if (v->kind != HUJSON_ARRAY && v->kind != HUJSON_NULL)
		return fault_on(
			r, v, "the values of capability \"%.80s\" must be an array", v->name);
	c->values = json_of(r->a, v);
	return c->values ? 0 : no_memory(r);
}

int read_app(struct reader *r, const struct hujson *v, void *dst)
{
	struct app_caps *c = dst;

	return read_items(
		r, v, HUJSON_OBJECT, sizeof(*c->v), "app", read_app_cap, (void **)&c->v, &c->n);
}

#define SECTION(fn, kind, field, count, type, each) \
	static int fn(struct reader *r, const struct hujson *v, void *dst) \
	{ \
		struct policy_doc *d = dst; \
\
		return read_items( \
			r, v, kind, sizeof(type), v->name, each, (void **)&d->field, &d->count); \
	}

SECTION(read_acls, HUJSON_ARRAY, acls, n_acls, struct acl, read_acl)
SECTION(read_grants, HUJSON_ARRAY, grants, n_grants, struct grant, read_grant)
SECTION(read_ssh, HUJSON_ARRAY, ssh, n_ssh, struct ssh_rule, read_ssh_rule)
SECTION(read_node_attrs, HUJSON_ARRAY, node_attrs, n_node_attrs, struct node_attr, read_node_attr)
SECTION(read_groups, HUJSON_OBJECT, groups, n_groups, struct group, read_group)
SECTION(read_hosts, HUJSON_OBJECT, hosts, n_hosts, struct host, read_host)
SECTION(read_ipsets, HUJSON_OBJECT, ipsets, n_ipsets, struct ipset, read_ipset)
SECTION(read_tag_owners, HUJSON_OBJECT, tag_owners, n_tag_owners, struct tag_owner, read_tag_owner)
SECTION(read_postures, HUJSON_OBJECT, postures, n_postures, struct posture, read_posture)
SECTION(read_tests, HUJSON_ARRAY, tests, n_tests, struct acl_test, read_acl_test)
SECTION(read_ssh_tests, HUJSON_ARRAY, ssh_tests, n_ssh_tests, struct ssh_test, read_ssh_test)
SECTION(read_attr_configs, HUJSON_OBJECT, attr_configs, n_attr_configs, struct attr_config,
	read_attr_config)

/* The client knows two forms; the empty text leaves the choice to it. */
static int read_one_cgnat(struct reader *r, const struct hujson *v, void *dst)
{
	const char **s = dst;
	int rc = read_string(r, v, s);

	if (rc < 0)
		return rc;
	if (**s && strcmp(*s, "mac-always") != 0 && strcmp(*s, "mac-never") != 0)
		return fault_on(
			r, v, "\"OneCGNATRoute\" must be \"\", \"mac-always\" or \"mac-never\"");
	return 0;
}

static const struct member sections[] = {
	{ "acls", read_acls, 0 },
	{ "grants", read_grants, 0 },
	{ "groups", read_groups, 0 },
	{ "hosts", read_hosts, 0 },
	{ "ipsets", read_ipsets, 0 },
	{ "tagOwners", read_tag_owners, 0 },
	{ "autoApprovers", read_auto_approvers, 0 },
	{ "ssh", read_ssh, 0 },
	{ "nodeAttrs", read_node_attrs, 0 },
	{ "postures", read_postures, 0 },
	{ "defaultSrcPosture", read_texts, offsetof(struct policy_doc, default_posture) },
	{ "tests", read_tests, 0 },
	{ "sshTests", read_ssh_tests, 0 },
	{ "attrConfig", read_attr_configs, 0 },
	{ "derpMap", read_derp_map, offsetof(struct policy_doc, derp_map) },
	{ "randomizeClientPort", read_bool, offsetof(struct policy_doc, randomize_client_port) },
	{ "disableIPv4", read_bool, offsetof(struct policy_doc, disable_ipv4) },
	{ "OneCGNATRoute", read_one_cgnat, offsetof(struct policy_doc, one_cgnat) },
};

/* Absent and [] differ: the first leaves all open, the second closes all. */
static void note_present(struct policy_doc *d, const struct hujson *root)
{
	hujson_for_each(c, root)
	{
		if (c->kind == HUJSON_NULL)
			continue;
		d->has_acls |= same_name(c->name, "acls");
		d->has_grants |= same_name(c->name, "grants");
		d->has_ssh |= same_name(c->name, "ssh");
	}
}

static int read_doc(struct reader *r, struct policy_doc *d)
{
	struct hujson *root;
	int rc;

	if (d->text_len == 0)
		return 0; /* no policy at all: all open */
	rc = hujson_parse(d->text, d->text_len, &d->mem, &root, r->at);
	if (rc < 0)
		return rc;
	if (root->kind != HUJSON_OBJECT)
		return wrong_kind(r, root, "an object with the sections of a policy");
	note_present(d, root);
	rc = read_members(r, root, sections, ARRAY_LEN(sections), d, "a policy");
	return rc < 0 ? rc : doc_check(r);
}

int policy_doc_parse(struct policy_doc **ret, const void *text, size_t len, struct err_at *at)
{
	struct policy_doc *d = calloc(1, sizeof(*d));
	struct reader r = { .doc = d, .at = at };
	int rc;

	if (!d)
		return no_memory(&r);
	arena_init(&d->mem, DOC_MEM_MAX);
	r.a = &d->mem;
	d->text_len = len;
	if (len > HUJSON_MAX) {
		err_at_set(at, 1, 1, "the policy is larger than 8 MiB");
		rc = -ERR_TOO_BIG;
	} else {
		d->text = arena_strndup(&d->mem, text, len);
		rc = d->text ? read_doc(&r, d) : no_memory(&r);
	}
	if (rc < 0) {
		policy_doc_free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

struct policy_doc *policy_doc_free(struct policy_doc *d)
{
	if (d)
		arena_fini(&d->mem);
	free(d);
	return NULL;
}

struct view policy_doc_text(const struct policy_doc *d)
{
	return view_of(d->text, d->text_len);
}
