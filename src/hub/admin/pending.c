/* What waits for an administrator: logins that nobody has approved yet, and devices that joined with a key under --approve-devices. */
#include "hub/admin/internal.h"
#include "os/log/log.h"

#include <errno.h>

static int add_logins(struct admin_call *c, struct json_list *list)
{
	struct coord_pending_view p;

	for (const char *after = NULL; coord_pending_next(c->hub->tailnet, after, &p);
		after = p.code) {
		struct admin_pending *to = json_list_add(list, c->mem, sizeof(*to));

		if (!to)
			return -ENOMEM;
		*to = (struct admin_pending){ .code = p.code,
			.hostname = p.hostname,
			.os = p.os,
			.from = p.from.ip,
			.tags = json_list_of(p.tags.v, p.tags.n),
			.url = arena_printf(c->mem, "%s/register/%s", c->hub->url_text, p.code),
			.created = p.created };
		to->tags.present = true;
		if (!to->url)
			return -ENOMEM;
	}
	return 0;
}

/* The number of a device stands where the code of a login does: either is approved by it. */
static int add_devices(struct admin_call *c, struct json_list *list)
{
	for (const struct coord_node_doc *d = NULL; (d = coord_node_next(c->hub->tailnet, d));) {
		struct admin_pending *to =
			d->unapproved ? json_list_add(list, c->mem, sizeof(*to)) : NULL;

		if (!d->unapproved)
			continue;
		if (!to)
			return -ENOMEM;
		*to = (struct admin_pending){ .code = arena_printf(
						      c->mem, "%lld", (long long)d->id),
			.node = d->id,
			.name = d->name,
			.hostname = d->hostname,
			.user = d->tags.n ? NULL : admin_user_name(c->hub, d->user),
			.os = d->hostinfo && d->hostinfo->os ? d->hostinfo->os : "",
			.tags = d->tags,
			.url = arena_printf(c->mem, "%s/admin", c->hub->url_text),
			.created = d->created };
		to->tags.present = true;
		if (!to->code || !to->url)
			return -ENOMEM;
	}
	return 0;
}

int admin_pending(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct json_list list = { .present = true };
	int rc = add_logins(c, &list);

	if (rc == 0)
		rc = add_devices(c, &list);
	return rc < 0 ? rc : admin_reply(c, &admin_pending_list, &list);
}

static void log_approval(const struct admin_call *c, int64_t id)
{
	const struct coord_node_doc *n = coord_node_find(c->hub->tailnet, id);
	const char *owner = n ? admin_user_name(c->hub, n->user) : NULL;

	if (n)
		log_info("hub", "device approved by a command", "id=%lld name=%s owner=%s by=%s",
			(long long)id, n->name, n->tags.n || !owner ? "nobody" : owner,
			c->req.author ? c->req.author : "unknown");
}

/* What the word means: a whole code, a device, or the beginning of one code. *ret_code empty: the device in c->id. */
static int find_waiting(struct admin_call *c, const char *word, const char **ret_code)
{
	struct coord_pending_view p;
	const struct coord_node_doc *d;
	size_t n = 1;

	*ret_code = NULL;
	if (!coord_pending_find(c->hub->tailnet, word, &p)) {
		d = hub_node(c->hub, word);
		if (d) {
			c->id = d->id;
			return 0;
		}
		n = coord_pending_match(c->hub->tailnet, word, &p);
	}
	if (n > 1)
		return admin_say(c, -ERR_BAD_VALUE,
			"%zu codes begin with \"%s\": write one more letter", n, word);
	if (!n && coord_pending_successor(c->hub->tailnet, word, &p))
		return admin_say(c, -ERR_CHANGED,
			"the device with the code \"%s\" asks for other things by now, and has another code for them: \"warren-hub nodes pending %s\" "
			"shows them",
			word, p.code);
	if (!n)
		return admin_say(c, -ENOENT,
			"nothing waits with the code \"%s\": it is in already, or the code is older than 15 minutes; \"warren-hub "
			"nodes pending\" shows what waits",
			word);
	*ret_code = p.code;
	return 0;
}

/* What the approval of a login, or with code NULL of the device in c->id, would give now. */
static int grant_now(
	struct admin_call *c, const char *code, const struct coord_user *u, struct coord_grant *ret)
{
	int rc = code ? coord_pending_grant(c->hub->tailnet, code, u->id, c->now, c->mem, ret)
		      : coord_node_grant(c->hub->tailnet, c->id, c->mem, ret);

	return rc == -ENOENT && !code ? admin_no_node(c) : rc;
}

/* Whose it is to be: said, or the only one that there is, or the first. A device that is in belongs to somebody already. */
static int find_grant(struct admin_call *c, const char **ret_code,
	const struct coord_user **ret_user, struct coord_grant *ret)
{
	int rc = find_waiting(c, c->req.code ? c->req.code : "", ret_code);

	*ret_user = NULL;
	if (rc == 0 && *ret_code)
		rc = admin_find_grantee(c, c->req.user, ret_user);
	return rc < 0 ? rc : grant_now(c, *ret_code, *ret_user, ret);
}

int admin_waiting(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_pending_view p = { 0 };
	const struct coord_node_doc *d;
	const struct coord_user *u;
	struct admin_grant doc;
	struct coord_grant g;
	const char *code;
	int rc = find_grant(c, &code, &u, &g);

	if (rc < 0)
		return rc;
	d = code ? NULL : coord_node_find(c->hub->tailnet, c->id);
	if (d && !d->unapproved)
		return admin_say(c, -ERR_CONFLICT, "%s is in already", d->name);
	if (code)
		(void)coord_pending_find(c->hub->tailnet, code, &p);
	shown_note(c->hub, &g);
	doc = (struct admin_grant){ .node = code ? 0 : c->id,
		.digest = g.digest,
		.from = p.from.ip,
		.lines = g.lines,
		.code = code ? code : arena_printf(c->mem, "%lld", (long long)c->id),
		.created = code ? p.created : d->created };
	return doc.code ? admin_reply(c, &admin_grant_type, &doc) : -ENOMEM;
}

static int say_changed(struct admin_call *c, const struct coord_grant *now)
{
	const char *changes = shown_changes(c->hub, c->req.digest, now, c->mem);

	return admin_say(c, -ERR_CHANGED,
		"what this would let in is not what was shown: %s. Look at it again",
		*changes ? changes : "something has changed meanwhile");
}

static int no_digest(struct admin_call *c)
{
	return c->req.digest && *c->req.digest
		       ? 0
		       : admin_say(c, -ERR_BAD_VALUE,
				 "an approval carries the digest of what was shown: \"warren-hub nodes pending CODE\" prints it");
}

int admin_approve_node(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct coord_grant g;
	int rc = no_digest(c);

	if (rc == 0)
		rc = coord_node_grant(c->hub->tailnet, c->id, c->mem, &g);
	if (rc == 0)
		rc = coord_node_approve(c->hub->tailnet, c->id, c->req.digest, c->now);
	if (rc == -ERR_CHANGED)
		return say_changed(c, &g);
	if (rc < 0)
		return rc == -ENOENT ? admin_no_node(c) : rc;
	log_approval(c, c->id);
	return admin_reply_node(c, c->id);
}

int admin_approve(struct http_request *q)
{
	struct admin_call *c = q->call;
	const struct coord_user *u;
	struct coord_grant g;
	const char *code;
	int64_t id = 0;
	int rc = find_grant(c, &code, &u, &g);

	if (rc == 0)
		rc = no_digest(c);
	if (rc < 0)
		return rc;
	if (!code)
		return admin_approve_node(c->q);
	rc = coord_pending_approve(c->hub->tailnet, code, u->id, c->req.digest, c->now, &id);
	if (rc == -ERR_CHANGED)
		return say_changed(c, &g);
	if (rc == -ERR_DENIED)
		return admin_say(c, rc,
			"the policy does not let %s give the tags that this device asks for; --user names somebody else",
			u->name);
	if (rc == -ERR_EXPIRED)
		return admin_say(c, rc,
			"this device was in meanwhile, and its key has expired: it has to ask anew with a fresh one");
	if (rc < 0)
		return rc;
	log_approval(c, id);
	return admin_reply_node(c, id);
}

int admin_reject(struct http_request *q)
{
	struct admin_call *c = q->call;
	const char *code;
	int rc = find_waiting(c, c->req.code ? c->req.code : "", &code);

	if (rc < 0)
		return rc;
	if (code)
		rc = coord_pending_reject(c->hub->tailnet, code);
	else if (!coord_node_find(c->hub->tailnet, c->id)->unapproved)
		return admin_say(c, -ERR_CONFLICT,
			"this device is in already: \"warren-hub nodes delete\" takes it out");
	else
		rc = coord_node_delete(c->hub->tailnet, c->id, c->now);
	return rc < 0 ? rc : admin_ok(c);
}
