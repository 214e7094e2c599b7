#include "core/netmap/owned_doc.h"

#include "core/netmap/netmap.h"

#include <errno.h>
#include <stdlib.h>

static int owned_doc_read(struct owned_doc *h, const struct json_type *type)
{
	h->doc = arena_alloc(&h->arena, type->size);
	if (!h->doc)
		return -ENOMEM;
	return json_decode(type, buf_data(&h->text), buf_len(&h->text), h->doc, &h->arena, NULL);
}

int owned_doc_set(struct owned_doc **h, const struct json_type *type, const void *value)
{
	struct owned_doc *fresh = calloc(1, sizeof(*fresh));
	int rc;

	if (!fresh)
		return -ENOMEM;
	arena_init(&fresh->arena, NETMAP_TEXT_MAX);
	buf_init(&fresh->text, NETMAP_TEXT_MAX);
	rc = json_encode(type, value, &fresh->text);
	if (rc == 0 && *h && view_eq(buf_view(&(*h)->text), buf_view(&fresh->text))) {
		owned_doc_free(fresh);
		return 0;
	}
	if (rc == 0)
		rc = owned_doc_read(fresh, type);
	if (rc < 0) {
		owned_doc_free(fresh);
		return rc;
	}
	owned_doc_free(*h); /* last: value may point into it */
	*h = fresh;
	return 1;
}

void owned_doc_free(struct owned_doc *h)
{
	if (!h)
		return;
	arena_fini(&h->arena);
	buf_fini(&h->text);
	free(h);
}
