/* What a request names: users, devices, times. */
#include "hub/admin/internal.h"
#include "hub/auth/auth.h"

#include <errno.h>

const char *admin_user_name(const struct hub *h, int64_t id)
{
	const struct coord_user *u = coord_user_by_id(h->tailnet, id);

	return u ? u->name : NULL;
}

int admin_node_doc(struct admin_call *c, const struct coord_node_doc *d, struct admin_node *ret)
{
	const struct tc_hostinfo *hi = d->hostinfo;

	*ret = (struct admin_node){ .id = d->id,
		.home_derp = d->home_derp,
		.name = d->name,
		.hostname = d->hostname,
		.fqdn = arena_printf(c->mem, "%s.%s", d->name, c->hub->o->base_domain),
		.user = admin_user_name(c->hub, d->user),
		.os = hi && hi->os ? hi->os : "",
		.client = hi && hi->ipn_version ? hi->ipn_version : "",
		.ip4 = d->ip4,
		.ip6 = d->ip6,
		.tags = d->tags,
		.endpoints = d->endpoints,
		.machine = d->machine,
		.key = d->key,
		.disco = d->disco,
		.created = d->created,
		.key_expiry = d->key_expiry,
		.online = d->online == JSON_YES,
		.duplicate = coord_node_duplicate(c->hub->tailnet, d->id),
		.last_seen = d->online == JSON_YES ? 0 : d->last_seen,
		.expired = coord_node_expired(d, c->now.wall),
		.ephemeral = d->ephemeral,
		.approved = !d->unapproved,
		.name_pinned = d->name_pinned == JSON_YES };
	ret->tags.present = ret->endpoints.present = true;
	return ret->fqdn ? 0 : -ENOMEM;
}

int admin_reply_node(struct admin_call *c, int64_t id)
{
	const struct coord_node_doc *d = coord_node_find(c->hub->tailnet, id);
	struct admin_node doc;
	int rc = d ? admin_node_doc(c, d, &doc) : -ENOENT;

	return rc < 0 ? rc : admin_reply(c, &admin_node_type, &doc);
}

int admin_no_node(struct admin_call *c)
{
	return admin_say(c, -ENOENT, "no device %lld; \"warren-hub nodes list\" shows all",
		(long long)c->id);
}

int admin_find_user(struct admin_call *c, const char *name, const struct coord_user **ret)
{
	*ret = hub_user(c->hub, name);
	if (*ret)
		return 0;
	if (!name || !*name)
		return admin_say(
			c, -ENOENT, "there is no user; \"warren-hub users create NAME\" makes one");
	return admin_say(c, -ENOENT,
		"no user \"%s\"; \"warren-hub users list\" shows all, \"users create\" makes one",
		name);
}

int admin_may_act_for(struct admin_call *c, const struct coord_user *u)
{
	return login_may_act_for(c->q->who.rights, u)
		       ? 0
		       : admin_say(c, -ERR_DENIED,
				 "%s has a role with more rights than yours; ask somebody who has them",
				 u->name);
}

int admin_find_grantee(struct admin_call *c, const char *name, const struct coord_user **ret)
{
	const struct coord_user *self =
		c->q->who.proof ? login_user(c->hub, c->q->who.proof) : NULL;
	int rc = 0;

	if (self && (!name || !*name))
		*ret = self;
	else
		rc = admin_find_user(c, name, ret);
	return rc < 0 ? rc : admin_may_act_for(c, *ret);
}

/* Whom something is given to: named, unless there is only one. */
int admin_find_heir(struct admin_call *c, const char *name, const struct coord_user **ret)
{
	struct coord_stats s;

	coord_stats(c->hub->tailnet, &s);
	if ((!name || !*name) && s.users != 1)
		return admin_say(c, -ERR_BAD_VALUE,
			"name the user that it goes to; \"warren-hub users list\" shows all");
	return admin_find_grantee(c, name, ret);
}

int admin_expires(struct admin_call *c, unix_ms *ret)
{
	if (c->req.expiry_ms < 0 || c->req.expiry_ms > ADMIN_EXPIRY_MS_MAX)
		return admin_say(c, -ERR_BAD_VALUE,
			"a time to expire is 0 (never) or at most %d years",
			ADMIN_EXPIRY_YEARS_MAX);
	*ret = c->req.expiry_ms ? c->now.wall + c->req.expiry_ms : 0;
	return 0;
}
