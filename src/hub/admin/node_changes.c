/* Changes of devices that are in. */
#include "hub/admin/internal.h"

#include <errno.h>

int admin_node_rename(struct http_request *q)
{
	struct admin_call *c = q->call;
	const char *name = c->req.name; /* none: what it calls itself */
	int rc = coord_node_rename(c->hub->tailnet, c->id, name, c->now);

	if (rc == -ENOENT)
		return admin_no_node(c);
	if (rc == -EEXIST)
		return admin_say(c, rc, "another device has the name \"%s\"", name);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"\"%s\" is not a name for a device: lower-case letters, digits and dashes, at most 63",
			name);
	return rc < 0 ? rc : admin_reply_node(c, c->id);
}

int admin_node_tag(struct http_request *q)
{
	struct admin_call *c = q->call;
	int rc = coord_node_tag(c->hub->tailnet, c->id, c->req.tags.v, c->req.tags.n, c->now);

	if (rc == -ENOENT)
		return admin_no_node(c);
	if (rc == -ERR_BAD_VALUE && !c->req.tags.n)
		return admin_say(c, rc,
			"name a tag; a device without tags is somebody's: \"warren-hub nodes move NODE USER\"");
	if (rc == -ERR_BAD_VALUE)
		return admin_say(
			c, rc, "a tag is written tag:NAME, with letters, digits and dashes");
	return rc < 0 ? rc : admin_reply_node(c, c->id);
}

int admin_node_move(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	int rc = admin_find_heir(c, c->req.user, &u);

	if (rc < 0)
		return rc;
	rc = coord_node_move(c->hub->tailnet, c->id, u->id, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

int admin_node_expire(struct http_request *q)
{
	struct admin_call *c = q->call;
	int64_t in = c->req.expiry_ms; /* negative: never */
	int rc;

	if (in > ADMIN_EXPIRY_MS_MAX)
		return admin_say(c, -ERR_BAD_VALUE, "a time to expire is at most %d years",
			ADMIN_EXPIRY_YEARS_MAX);
	rc = coord_node_expire_at(c->hub->tailnet, c->id, in < 0 ? 0 : c->now.wall + in, c->now);
	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_reply_node(c, c->id);
}

int admin_node_delete(struct http_request *q)
{
	struct admin_call *c = q->call;
	int rc = coord_node_delete(c->hub->tailnet, c->id, c->now);

	return rc == -ENOENT ? admin_no_node(c) : rc < 0 ? rc : admin_ok(c);
}
