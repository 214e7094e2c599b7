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

/* Those with one name in any spelling: an older database may have "bob" and "Bob". */
struct user_name {
	struct map_node node;
	struct list users;
	char plain[];
};

static struct user_name *name_find(const struct tailnet *c, const char *plain)
{
	struct map_node *m = map_find(&c->users_by_name, plain, strlen(plain));

	return m ? container_of(m, struct user_name, node) : NULL;
}

/* Made if it is not there; NULL for what is no name. -ENOMEM. */
static int name_get(struct tailnet *c, const char *name, struct user_name **ret)
{
	char plain[USER_NAME_MAX + 1];
	struct user_name *n = NULL;
	size_t len;

	if (user_plain_name(name, plain) == 0 && !(n = name_find(c, plain))) {
		len = strlen(plain);
		n = malloc(sizeof(*n) + len + 1);
		if (!n)
			return -ENOMEM;
		memcpy(n->plain, plain, len + 1);
		list_init(&n->users);
		if (map_insert(&c->users_by_name, &n->node, n->plain, len) != 0) {
			free(n);
			return -ENOMEM;
		}
	}
	*ret = n;
	return 0;
}

/* The last who had it has another now, or is gone. */
static void name_put(struct tailnet *c, struct user_name *n)
{
	if (!n || !list_empty(&n->users))
		return;
	map_remove(&c->users_by_name, &n->node);
	free(n);
}

static void name_move(struct tailnet *c, struct user *u, struct user_name *to)
{
	struct user_name *from = u->name;

	list_remove(&u->in_name);
	u->name = to;
	if (to)
		list_push_tail(&to->users, &u->in_name);
	name_put(c, from);
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

/* Of names that no user can get any more there are few at most. */
static const struct coord_user *find_odd(const struct tailnet *c, const char *name)
{
	list_for_each(l, &c->users) {
		const struct user *u = container_of(l, struct user, link);

		if (!u->name && !strcmp(u->doc.name, name))
			return &u->doc;
	}
	return NULL;
}

const struct coord_user *coord_user_find(const struct tailnet *c, const char *name)
{
	const struct coord_user *found = NULL;
	char plain[USER_NAME_MAX + 1];
	struct user_name *n;
	size_t spellings = 0;

	if (user_plain_name(name, plain) < 0)
		return find_odd(c, name);
	n = name_find(c, plain);
	if (!n)
		return NULL;
	list_for_each(l, &n->users) {
		found = &container_of(l, struct user, in_name)->doc;
		if (!strcmp(found->name, name))
			return found;
		spellings++;
	}
	return spellings == 1 ? found : NULL; /* of "bob" and "Bob" only the exact one */
}

/* Somebody other than `but` who has this name in any spelling. */
bool user_name_is_taken(const struct tailnet *c, const char *plain, const struct user *but)
{
	const struct user_name *n = name_find(c, plain);

	if (!n)
		return false;
	list_for_each(l, &n->users)
		if (container_of(l, struct user, in_name) != but)
			return true;
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
	struct user_name *name = NULL;
	int rc = u ? name_get(c, doc->name ? doc->name : "", &name) : -ENOMEM;

	if (rc == 0)
		rc = store_copy_doc(&coord_user_type, doc, &u->doc, &u->mem);
	if (rc == 0) {
		u->id_in_map = u->doc.id;
		if (map_insert(&c->users_by_id, &u->by_id, &u->id_in_map, sizeof(u->id_in_map)) !=
			0) {
			arena_fini(&u->mem);
			rc = -EEXIST;
		}
	}
	if (rc < 0) {
		name_put(c, name);
		free(u);
		return rc;
	}
	list_init(&u->in_name);
	name_move(c, u, name);
	list_push_tail(&c->users, &u->link);
	c->stats.users++;
	*ret = u;
	return 0;
}

/* Replaces the document; doc may point into the old one. */
int user_replace(struct tailnet *c, struct user *u, const struct coord_user *doc, bool durable)
{
	struct user_name *name = NULL;
	struct coord_user copy;
	struct arena mem;
	int rc = name_get(c, doc->name, &name);

	if (rc == 0)
		rc = store_copy_doc(&coord_user_type, doc, &copy, &mem);
	if (rc < 0) {
		name_put(c, name);
		return rc;
	}
	if (name != u->name)
		name_move(c, u, name);
	arena_fini(&u->mem);
	u->mem = mem;
	u->doc = copy;
	return durable ? store_doc(c, COORD_USER, u->doc.id, &coord_user_type, &u->doc) : 0;
}

void user_free(struct tailnet *c, struct user *u)
{
	name_move(c, u, NULL);
	map_remove(&c->users_by_id, &u->by_id);
	list_remove(&u->link);
	arena_fini(&u->mem);
	free(u);
	c->stats.users--;
}
