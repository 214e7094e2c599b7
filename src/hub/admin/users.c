/* The administration of users. */
#include "hub/admin/internal.h"
#include "hub/auth/auth.h"

#include <errno.h>
#include <stdlib.h>

static void user_doc(
	const struct coord_user *u, const struct coord_belongings *b, struct admin_user *ret)
{
	*ret = (struct admin_user){ .id = u->id,
		.name = u->name,
		.display_name = u->display_name,
		.role = u->role && *u->role ? u->role : "member",
		.created = u->created,
		.nodes = (int64_t)b->nodes,
		.keys = (int64_t)b->keys };
}

static int by_id(const void *a, const void *b)
{
	int64_t x = ((const struct admin_user *)a)->id, y = ((const struct admin_user *)b)->id;

	return (x > y) - (x < y);
}

static struct admin_user *find(struct admin_user *v, size_t n, int64_t id)
{
	const struct admin_user key = { .id = id };

	return bsearch(&key, v, n, sizeof(*v), by_id);
}

/* In one walk over devices and keys, not one for each user. */
static void count_belongings(const struct hub *h, struct admin_user *v, size_t n)
{
	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(h->tailnet, d));) {
		struct admin_user *u = find(v, n, d->user);

		if (u)
			u->nodes++;
	}
	for (const struct coord_key *k = NULL; (k = coord_key_next(h->tailnet, k));) {
		struct admin_user *u = find(v, n, k->user);

		if (u)
			u->keys++;
	}
}

int admin_users(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_stats s;
	struct admin_user *v;
	size_t n = 0;
	struct json_list list;

	coord_stats(c->hub->tailnet, &s);
	v = arena_array(c->mem, s.users, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct coord_user *u = NULL; (u = coord_user_next(c->hub->tailnet, u));)
		user_doc(u, &(struct coord_belongings){ 0 }, &v[n++]);
	qsort(v, n, sizeof(*v), by_id);
	count_belongings(c->hub, v, n);
	list = json_list_of(v, n);
	return admin_reply(c, &admin_user_list, &list);
}

static int reply_user(struct admin_call *c, const struct coord_user *u)
{
	struct coord_belongings b;
	struct admin_user doc;

	coord_user_belongings(c->hub->tailnet, u->id, &b);
	user_doc(u, &b, &doc);
	return admin_reply(c, &admin_user_type, &doc);
}

static int say_user(struct admin_call *c, int rc)
{
	const char *name = c->req.name ? c->req.name : "";

	if (rc == -ENOENT)
		return admin_say(c, rc, "no user %lld; \"warren-hub users list\" shows all",
			(long long)c->id);
	if (rc == -EEXIST)
		return admin_say(c, rc,
			"there is a user \"%s\" already; small and capital letters and an @ at the end make no difference",
			coord_user_find(c->hub->tailnet, name)
				? coord_user_find(c->hub->tailnet, name)->name
				: name);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"a user needs a name of 1 to 255 bytes, without control characters and without blanks at its ends");
	return rc;
}

int admin_user_create(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	int rc = coord_user_create(c->hub->tailnet, c->req.name ? c->req.name : "", c->now, &u);

	return rc < 0 ? say_user(c, rc) : reply_user(c, u);
}

static const struct coord_user *user_of(const struct admin_call *c)
{
	return coord_user_by_id(c->hub->tailnet, c->id);
}

/* The user of the path exists, and whoever asks may decide about him. */
static int check_user(struct admin_call *c)
{
	const struct coord_user *u = user_of(c);

	return u ? admin_may_act_for(c, u) : -ENOENT;
}

/* In a browser: nobody changes his own role or goes, but an owner names the next one. */
static bool is_self(const struct admin_call *c)
{
	const struct hub_login *l = c->q->who.proof;

	return l && l->user == c->id;
}

int admin_user_rename(struct http_request *q)
{
	struct admin_call *c = q->call;
	int rc = check_user(c);

	if (rc == 0)
		rc = coord_user_rename(
			c->hub->tailnet, c->id, c->req.name ? c->req.name : "", c->now);

	return rc < 0 ? say_user(c, rc) : reply_user(c, user_of(c));
}

/* An owner who makes somebody else the owner is an admin from now on. */
static int hand_over(struct admin_call *c)
{
	const struct hub_login *l = c->q->who.proof;

	return l && l->user ? coord_user_set_role(c->hub->tailnet, l->user, "admin", c->now) : 0;
}

int admin_user_role(struct http_request *q)
{
	struct admin_call *c = q->call;
	const char *role = c->req.role ? c->req.role : "";
	int rc = check_user(c);

	if (rc == 0 && is_self(c))
		return admin_say(c, -ERR_DENIED, "nobody changes his own role");
	if (rc == 0 && (rights_of_role(role) & ~q->who.rights))
		return admin_say(
			c, -ERR_DENIED, "nobody gives a role with more rights than his own");
	if (rc == 0)
		rc = *role ? coord_user_set_role(c->hub->tailnet, c->id, role, c->now)
			   : -ERR_BAD_VALUE;
	if (rc == 0 && !strcmp(role, "owner"))
		rc = hand_over(c);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"\"%s\" is no role: member, auditor, billing-admin, network-admin, it-admin, admin or owner",
			role);
	return rc < 0 ? say_user(c, rc) : reply_user(c, user_of(c));
}

int admin_user_delete(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_user_leaving how = { .with_nodes = c->req.with_devices };
	struct coord_belongings b;
	const struct coord_user *heir = NULL;
	struct admin_left doc;
	int rc = check_user(c);

	if (rc < 0)
		return say_user(c, rc);
	if (is_self(c))
		return admin_say(c, -ERR_DENIED, "nobody deletes himself");
	if (c->req.move_to && c->req.with_devices)
		return admin_say(c, -ERR_BAD_VALUE,
			"its devices can be deleted or moved: name --with-devices or --move-to");
	if (c->req.move_to)
		rc = admin_find_heir(c, c->req.move_to, &heir);
	if (rc < 0)
		return rc;
	how.heir = heir ? heir->id : 0;
	coord_user_belongings(c->hub->tailnet, c->id, &b);
	rc = coord_user_delete(c->hub->tailnet, c->id, &how, c->now);
	if (rc == -ERR_CONFLICT)
		return admin_say(c, rc,
			"%zu device%s of this user: --move-to USER gives them to somebody else, --with-devices deletes them, too",
			b.nodes, b.nodes == 1 ? "" : "s");
	if (rc == -ERR_BAD_VALUE)
		return admin_say(
			c, rc, "--move-to names the user that is deleted: name another one");
	if (rc < 0)
		return say_user(c, rc);
	doc = (struct admin_left){ .nodes = (int64_t)b.nodes,
		.keys = (int64_t)b.keys,
		.moved_to = heir ? heir->name : NULL };
	return admin_reply(c, &admin_left_type, &doc);
}
