/* Auth keys. */
#include "hub/admin/internal.h"

#include <errno.h>

static void key_doc(const struct admin_call *c, const struct coord_key *k, struct admin_key *ret)
{
	*ret = (struct admin_key){ .id = k->id,
		.used = k->used,
		.hint = k->hint,
		.user = admin_user_name(c->hub, k->user),
		.reusable = k->reusable,
		.ephemeral = k->ephemeral,
		.preapproved = k->preapproved,
		.tags = k->tags,
		.created = k->created,
		.expires = k->expires };
	ret->tags.present = true;
	ret->state = k->revoked                                ? "revoked"
		     : !k->reusable && k->used                 ? "used"
		     : k->expires && k->expires <= c->now.wall ? "expired"
							       : "valid";
}

int admin_keys(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_stats s;
	struct admin_key *v;
	struct json_list list;
	size_t n = 0;

	coord_stats(c->hub->tailnet, &s);
	v = arena_array(c->mem, s.keys, sizeof(*v));
	if (!v)
		return -ENOMEM;
	for (const struct coord_key *k = coord_key_next(c->hub->tailnet, NULL); k;
		k = coord_key_next(c->hub->tailnet, k))
		key_doc(c, k, &v[n++]);
	list = json_list_of(v, n);
	return admin_reply(c, &admin_key_list, &list);
}

int admin_key_create(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_key_spec spec = { .reusable = c->req.reusable,
		.ephemeral = c->req.ephemeral,
		.preapproved = c->req.preapproved,
		.tags = c->req.tags.v,
		.n_tags = c->req.tags.n };
	char text[COORD_SECRET_TEXT_MAX];
	const struct coord_user *u;
	const struct coord_key *k;
	struct admin_key doc;
	int rc = admin_find_grantee(c, c->req.user, &u);

	if (rc == 0)
		rc = admin_expires(c, &spec.expires);
	if (rc < 0)
		return rc;
	spec.user = spec.n_tags ? 0 : u->id;
	rc = coord_key_create(c->hub->tailnet, &spec, c->now, text, &k);
	if (rc == -ERR_BAD_VALUE)
		return admin_say(
			c, rc, "a tag is written tag:NAME, with letters, digits and dashes");
	if (rc < 0)
		return rc;
	key_doc(c, k, &doc);
	doc.key = text;
	rc = admin_reply(c, &admin_key_type, &doc);
	key_wipe(text, sizeof(text));
	return rc;
}

static int key_changed(struct admin_call *c, int rc)
{
	if (rc == -ENOENT)
		return admin_say(
			c, rc, "no key %lld; \"warren-hub keys list\" shows all", (long long)c->id);
	return rc < 0 ? rc : admin_ok(c);
}

int admin_key_revoke(struct http_request *q)
{
	struct admin_call *c = q->call;

	return key_changed(c, coord_key_revoke(c->hub->tailnet, c->id));
}

int admin_key_delete(struct http_request *q)
{
	struct admin_call *c = q->call;

	return key_changed(c, coord_key_delete(c->hub->tailnet, c->id));
}

int admin_key_move(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	int rc = admin_find_heir(c, c->req.user, &u);

	if (rc < 0)
		return rc;
	rc = coord_key_move(c->hub->tailnet, c->id, u->id);
	if (rc == -ERR_CONFLICT)
		return admin_say(c, rc,
			"this key gives tags: devices that join with it belong to no person");
	return key_changed(c, rc);
}
