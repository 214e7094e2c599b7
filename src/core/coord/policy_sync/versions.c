/* Versions of the policy: which one runs, and which were before. */
#include "core/coord/policy_sync/internal.h"
#include "base/text/text.h"

#include <errno.h>

static void version_free(struct tailnet *c, struct version *v)
{
	list_remove(&v->link);
	c->n_versions--;
	c->version_bytes -= v->text.len;
	arena_fini(&v->mem);
	free(v);
}

void versions_free(struct tailnet *c)
{
	list_for_each_safe(l, &c->versions)
		version_free(c, container_of(l, struct version, link));
}

/* Not in the list yet. */
static struct version *version_new(const struct coord_policy_doc *doc)
{
	struct version *v = calloc(1, sizeof(*v));
	char *text, *author, *hash;

	if (!v)
		return NULL;
	arena_init(&v->mem, 2 * (size_t)COORD_POLICY_TEXT_MAX);
	text = arena_strdup(&v->mem, doc->text ? doc->text : "");
	author = arena_strdup(&v->mem, doc->author ? doc->author : "");
	hash = arena_strdup(&v->mem, doc->hash ? doc->hash : "");
	if (!text || !author || !hash) {
		arena_fini(&v->mem);
		free(v);
		return NULL;
	}
	v->text = view_of(text, strlen(text));
	v->v = (struct coord_policy_version){ .id = doc->id,
		.author = author,
		.hash = hash,
		.created = doc->created,
		.size = v->text.len };
	return v;
}

static void version_add(struct tailnet *c, struct version *v)
{
	struct list *at = c->versions.next;

	while (at != &c->versions && container_of(at, struct version, link)->v.id > v->v.id)
		at = at->next;
	list_insert_before(at, &v->link);
	c->n_versions++;
	c->version_bytes += v->text.len;
}

int version_load(struct tailnet *c, const struct coord_policy_doc *doc)
{
	struct version *v = version_new(doc);

	if (!v)
		return -ENOMEM;
	version_add(c, v);
	return 0;
}

int version_drop(struct tailnet *c, int64_t id)
{
	list_for_each_safe(l, &c->versions) {
		struct version *v = container_of(l, struct version, link);

		if (v->v.id != id)
			continue;
		if (l == c->versions.next)
			return -ERR_CONFLICT;
		version_free(c, v);
		return 0;
	}
	return 0;
}

struct version *version_running(const struct tailnet *c)
{
	return list_empty(&c->versions) ? NULL
					: container_of(c->versions.next, struct version, link);
}

static void drop_oldest(struct tailnet *c)
{
	while (c->n_versions > 1 && (c->n_versions > COORD_POLICY_VERSIONS_MAX ||
					    c->version_bytes > COORD_POLICY_KEEP_MAX)) {
		struct version *v = container_of(c->versions.prev, struct version, link);

		store_delete(c, COORD_POLICY, v->v.id);
		version_free(c, v);
	}
}

int version_store(struct tailnet *c, struct view text, const char *author, struct now now)
{
	const struct version *last = version_running(c);
	char *copy = strndup(text.len ? (const char *)text.p : "", text.len), hash[65];
	struct coord_policy_doc doc = { .id = last ? last->v.id + 1 : 1,
		.author = author ? author : "",
		.text = copy,
		.hash = hash,
		.created = now.wall };
	struct version *v;
	uint8_t sum[32];
	int rc = -ENOMEM;

	c->cfg.hash(text.len ? (const char *)text.p : "", text.len, sum);
	hex_encode(sum, sizeof(sum), hash);
	v = copy ? version_new(&doc) : NULL;
	if (v)
		rc = store_doc(c, COORD_POLICY, doc.id, &coord_policy_doc_type, &doc);
	free(copy);
	if (rc < 0) {
		if (v)
			arena_fini(&v->mem);
		free(v);
		return rc;
	}
	version_add(c, v);
	drop_oldest(c);
	return 0;
}
