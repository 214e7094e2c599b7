/* core/policy/lang: a document that was read: look-ups by name, and its end. */
#include "core/policy/lang/doc.h"

struct policy_doc *policy_doc_free(struct policy_doc *d)
{
	if (d)
		arena_fini(&d->mem);
	free(d);
	return NULL;
}

#define LOOKUP(fn, ret_type, field, count, key) \
	ret_type *fn(const struct policy_doc *d, const char *name) \
	{ \
		for (size_t i = 0; i < d->count; i++) \
			if (strcmp(d->field[i].key, name) == 0) \
				return &d->field[i]; \
		return NULL; \
	}

LOOKUP(doc_group, const struct group, groups, n_groups, name)
LOOKUP(doc_host, const struct host, hosts, n_hosts, name)
LOOKUP(doc_ipset, struct ipset, ipsets, n_ipsets, name)
LOOKUP(doc_tag, const struct tag_owner, tag_owners, n_tag_owners, tag)
LOOKUP(doc_posture, const struct posture, postures, n_postures, name)
