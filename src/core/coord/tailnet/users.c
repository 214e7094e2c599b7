/* Users in memory; the store is their durable form. */
#include "core/coord/tailnet/internal.h"
#include "base/text/text.h"

#include <errno.h>

/*
 * The one form of a name: in lower case, and without the @ at its end, which stands for "no domain" in policies. Stored names
 * may be older than this rule. -ERR_BAD_VALUE: it is no name.
 */
int user_plain_name(const char *name, char out[static USER_NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len > 1 && name[len - 1] == '@')
		len--;
	if (!len || len > USER_NAME_MAX || !text_is_utf8(name, len) || name[0] == ' ' ||
		name[len - 1] == ' ')
		return -ERR_BAD_VALUE;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
			return -ERR_BAD_VALUE;
		out[i] = ascii_lower(name[i]);
	}
	out[len] = 0;
	return 0;
}

static bool same_plain(const char *stored, const char *plain)
{
	char text[USER_NAME_MAX + 1];

	return user_plain_name(stored, text) == 0 && !strcmp(text, plain);
}

struct user *user_by_id(const struct tailnet *c, int64_t id)
{
	struct map_node *m = map_find(&c->users_by_id, &id, sizeof(id));

	return m ? container_of(m, struct user, by_id) : NULL;
}

const struct coord_user *coord_user_by_id(const struct tailnet *c, int64_t id)
{
	const struct user *u = user_by_id(c, id);

	return u ? &u->doc : NULL;
}

const struct coord_user *coord_user_find(const struct tailnet *c, const char *name)
{
	const struct coord_user *found = NULL;
	char plain[USER_NAME_MAX + 1];
	bool is_name = user_plain_name(name, plain) == 0;
	size_t n = 0;

	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (!strcmp(u->doc.name, name))
			return &u->doc;
		if (!is_name || !same_plain(u->doc.name, plain))
			continue;
		found = &u->doc;
		n++;
	}
	return n == 1 ? found
		      : NULL; /* of an older database's "bob" and "Bob" only the exact one */
}

/* Somebody other than `but` who has this name in any spelling. */
bool user_name_is_taken(const struct tailnet *c, const char *plain, const struct user *but)
{
	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (u != but && same_plain(u->doc.name, plain))
			return true;
	}
	return false;
}

const struct coord_user *coord_user_next(const struct tailnet *c, const struct coord_user *u)
{
	const struct list *l = u ? container_of(u, struct user, doc)->link.next : c->users.next;

	return l == &c->users ? NULL : &container_of(l, struct user, link)->doc;
}

int user_insert(struct tailnet *c, const struct coord_user *doc, struct user **ret)
{
	struct user *u = calloc(1, sizeof(*u));
	int rc = u ? store_copy_doc(&coord_user_type, doc, &u->doc, &u->mem) : -ENOMEM;

	if (rc == 0) {
		u->id_in_map = u->doc.id;
		if (map_insert(&c->users_by_id, &u->by_id, &u->id_in_map, sizeof(u->id_in_map)) !=
			0) {
			arena_fini(&u->mem);
			rc = -EEXIST;
		}
	}
	if (rc < 0) {
		free(u);
		return rc;
	}
	list_push_tail(&c->users, &u->link);
	c->stats.users++;
	*ret = u;
	return 0;
}

/* Replaces the document; doc may point into the old one. */
int user_replace(struct tailnet *c, struct user *u, const struct coord_user *doc)
{
	struct coord_user copy;
	struct arena mem;
	int rc = store_copy_doc(&coord_user_type, doc, &copy, &mem);

	if (rc < 0)
		return rc;
	arena_fini(&u->mem);
	u->mem = mem;
	u->doc = copy;
	return store_doc(c, COORD_USER, u->doc.id, &coord_user_type, &u->doc);
}

void user_free(struct tailnet *c, struct user *u)
{
	map_remove(&c->users_by_id, &u->by_id);
	list_remove(&u->link);
	arena_fini(&u->mem);
	free(u);
	c->stats.users--;
}
