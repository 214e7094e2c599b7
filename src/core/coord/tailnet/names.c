/*
 * Names of devices: each is what the device calls itself, made fit for DNS as Tailscale does it and told apart by a number, until an administrator
 * gives it another one. That one stays, whatever the device calls itself, until it is to follow again.
 */
#include "core/coord/tailnet/internal.h"
#include "base/text/text.h"
#include "proto/names/names.h"

#include <errno.h>

void name_clean(const char *wanted, char out[static NODE_NAME_MAX + 1])
{
	_Static_assert((int)NODE_NAME_MAX == (int)NAME_LABEL_MAX, "a name is a label");
	name_sanitize_hostname(view_of(wanted, wanted ? strlen(wanted) : 0), out);
	if (!*out)
		strcpy(out, "device");
}

bool name_taken(const struct tailnet *c, const char *name)
{
	return map_find(&c->nodes_by_name, name, strlen(name)) != NULL;
}

static bool numbered_taken(
	const struct tailnet *c, const char *base, unsigned n, char out[static NODE_NAME_MAX + 1])
{
	snprintf(out, NODE_NAME_MAX + 1, "%.*s-%u", NODE_NAME_MAX - 11, base, n);
	return name_taken(c, out);
}

/*
 * NAME, NAME-1, NAME-2, ... The search doubles its step and then halves it, so that a thousand devices of one name cost
 * a thousand times ten look-ups and not a thousand squared; a gap may be missed, which does no harm.
 */
void name_free(const struct tailnet *c, const char *wanted, char out[static NODE_NAME_MAX + 1])
{
	char base[NODE_NAME_MAX + 1];
	unsigned low = 0, high = 1; /* low is taken, high is not yet tried */

	name_clean(wanted, base);
	strcpy(out, base);
	if (!name_taken(c, out))
		return;
	while (numbered_taken(c, base, high, out)) {
		low = high;
		high *= 2;
	}
	while (high - low > 1) {
		unsigned mid = low + (high - low) / 2;

		if (numbered_taken(c, base, mid, out))
			low = mid;
		else
			high = mid;
	}
	(void)numbered_taken(c, base, high, out);
}

/* The name that it has, if it is free but for itself, else the next free one; in the tables from here on. */
int name_claim(struct tailnet *c, struct coord_node *n, const char *wanted)
{
	char name[NODE_NAME_MAX + 1], *copy, *had = n->name_in_map;
	int rc;

	map_remove(&c->nodes_by_name, &n->by_name);
	name_free(c, wanted, name);
	copy = strdup(name);
	n->name_in_map = copy ? copy : had;
	rc = map_insert(&c->nodes_by_name, &n->by_name, n->name_in_map, strlen(n->name_in_map));
	CHECK(rc == 0); /* one has just left */
	if (!copy)
		return -ENOMEM;
	free(had);
	return 0;
}

/*
 * What it calls itself is another name than before: so is its own. Only then, so that a device with a number keeps it when
 * the one without has gone.
 */
int name_follow(struct tailnet *c, struct coord_node *n, struct coord_node_doc *doc)
{
	char before[NODE_NAME_MAX + 1], after[NODE_NAME_MAX + 1];
	int rc;

	if (doc->name_pinned == JSON_YES || !doc->hostname || !*doc->hostname)
		return 0;
	name_clean(n->doc.hostname, before);
	name_clean(doc->hostname, after);
	if (!strcmp(before, after))
		return 0;
	rc = name_claim(c, n, after);
	doc->name = rc == 0 ? n->name_in_map : n->doc.name;
	return rc;
}

/* NAME or NAME-3 */
static bool is_made_of(const char *name, const char *base)
{
	size_t len = strlen(base);
	uint64_t number;

	if (strncmp(name, base, len) != 0)
		return strlen(name) > NODE_NAME_MAX - 11 &&
		       !strncmp(name, base, NODE_NAME_MAX - 11);
	return !name[len] || (name[len] == '-' && text_u64(name + len + 1, strlen(name + len + 1),
							  UINT32_MAX, &number) == 0);
}

void name_judge_old(struct coord_node_doc *doc)
{
	char base[NODE_NAME_MAX + 1];

	if (doc->name_pinned == JSON_YES || doc->name_pinned == JSON_NO)
		return;
	name_clean(doc->hostname, base);
	doc->name_pinned = is_made_of(doc->name, base) ? JSON_NO : JSON_YES;
}

int coord_base_domain_check(const char *name, struct err_at *why)
{
	size_t len = name ? strlen(name) : 0;
	struct view rest = view_of(name, len);

	if (!len || len > COORD_BASE_DOMAIN_MAX) {
		err_at_set(why, 0, 0,
			"the base domain has %zu characters; it needs 1 to %d, so that names of devices before it are names: take a shorter one",
			len, COORD_BASE_DOMAIN_MAX);
		return -ERR_BAD_VALUE;
	}
	for (; rest.len; rest = name_parent(rest)) {
		struct view label = name_first_label(rest);

		if (!name_is_label(label) || (label.len < rest.len && label.len + 1 == rest.len)) {
			err_at_set(why, 0, 0,
				"the base domain \"%s\" is no domain; write it like corp.example, of letters, digits, dashes and single dots",
				name);
			return -ERR_BAD_VALUE;
		}
	}
	return 0;
}

const struct coord_node_doc *coord_node_named(const struct tailnet *c, const char *name)
{
	struct map_node *m = map_find(&c->nodes_by_name, name, strlen(name));

	return m ? &container_of(m, struct coord_node, by_name)->doc : NULL;
}
