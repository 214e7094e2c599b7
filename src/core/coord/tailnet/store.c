/* What goes to the store, and copies of documents. */
#include "core/coord/tailnet/internal.h"

#include <errno.h>

enum { DOC_MAX = 1 << 20, STORED_MAX = 16 << 20 };

const char *coord_store_refusal(const struct coord_store *s)
{
	if (s->refuses)
		return s->refuses;
	if (s->foreign == COORD_FOREIGN_ALL)
		return "another program changed the hub's database, and the hub reads it anew; try again in a moment\n";
	return s->full ? "the hub's database is behind with its writes; try again in a minute\n"
		       : NULL;
}

int coord_store_note(struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc)
{
	return s->ops->change(s, kind, id, &doc, false);
}

int coord_store_put(struct coord_store *s, enum coord_kind kind, int64_t id, struct view doc)
{
	int rc;

	if (s->on_change)
		s->on_change(s->on_change_ctx, kind, id, &doc);
	rc = s->ops->change(s, kind, id, &doc, true);

	if (rc == 0)
		s->promised = s->batch;
	return rc;
}

int coord_store_del(struct coord_store *s, enum coord_kind kind, int64_t id)
{
	int rc;

	if (s->on_change)
		s->on_change(s->on_change_ctx, kind, id, NULL);
	rc = s->ops->change(s, kind, id, NULL, true);

	if (rc == 0)
		s->promised = s->batch;
	return rc;
}

int store_doc(struct tailnet *c, enum coord_kind kind, int64_t id, const struct json_type *t,
	const void *doc)
{
	struct buf b;
	int rc;

	buf_init(&b, STORED_MAX); /* a policy's text, each byte of it escaped */
	rc = json_encode(t, doc, &b);
	if (rc == 0)
		rc = coord_store_put(c->cfg.store, kind, id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

int store_said(struct tailnet *c, struct coord_node *n)
{
	struct buf b;
	int rc;

	buf_init(&b, DOC_MAX);
	rc = json_encode(&coord_node_doc_type, &n->doc, &b);
	if (rc == 0)
		rc = coord_store_note(c->cfg.store, COORD_NODE, n->doc.id, buf_view(&b));
	buf_fini(&b);
	return rc;
}

/* Numbers are not used again, so the highest is kept when what had it goes. A failure shows at the commit. */
void store_delete(struct tailnet *c, enum coord_kind kind, int64_t id)
{
	int rc = coord_store_del(c->cfg.store, kind, id);

	if (rc == 0)
		rc = store_doc(c, COORD_META, 1, &coord_meta_type, &c->meta);
	if (rc < 0)
		tailnet_fail(c, rc);
}

/* A deep copy of a document into its own memory, by way of its text. */
int store_copy_doc(const struct json_type *t, const void *from, void *to, struct arena *mem)
{
	struct buf b;
	int rc;

	buf_init(&b, DOC_MAX);
	arena_init(mem, 4 * DOC_MAX);
	rc = json_encode(t, from, &b);
	if (rc == 0) {
		const char *text = arena_strndup(
			mem, buf_data(&b), buf_len(&b)); /* raw fields point into it */

		rc = text ? json_decode(t, text, buf_len(&b), to, mem, NULL) : -ENOMEM;
	}
	buf_fini(&b);
	if (rc < 0)
		arena_fini(mem);
	return rc;
}
