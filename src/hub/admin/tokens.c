#include "hub/admin/internal.h"
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "os/log/log.h"

#include <errno.h>

static void token_doc(const struct admin_call *c, const struct token *t, struct admin_token *ret)
{
	*ret = (struct admin_token){ .id = t->id,
		.name = t->name,
		.scope = t->scope,
		.state = token_state(t, c->now.wall),
		.created = t->created,
		.expires = t->expires,
		.last_used = t->last_used };
}

int admin_tokens(struct http_request *q)
{
	struct admin_call *c = q->call;
	struct admin_token *v = arena_array(c->mem, TOKENS_MAX, sizeof(*v));
	struct json_list list;
	size_t n = 0;

	if (!v)
		return -ENOMEM;
	for (const struct token *t; (t = token_at(c->hub, n)); n++)
		token_doc(c, t, &v[n]);
	list = json_list_of(v, n);
	return admin_reply(c, &admin_token_list, &list);
}

int admin_token_create(struct http_request *q)
{
	struct admin_call *c = q->call;
	char text[TOKEN_TEXT_MAX];
	const struct token *t;
	struct admin_token doc;
	unix_ms expires;
	int rc = admin_expires(c, &expires);

	if (rc == 0)
		rc = token_create(
			c->hub, c->req.name ? c->req.name : "", c->req.scope, expires, text, &t);
	if (c->error[0])
		return rc;

	if (rc == -ERR_BAD_VALUE)
		return admin_say(c, rc,
			"a token's scope is policy_file, dns or all, each also with :read; its name has at most %d bytes",
			TOKEN_NAME_MAX);
	if (rc == -ERR_TOO_MANY)
		return admin_say(c, rc, "there are %d tokens, and no more can be", TOKENS_MAX);
	if (rc < 0)
		return rc;
	log_info("api", "token made", "token=%lld scope=%s", (long long)t->id, t->scope);
	token_doc(c, t, &doc);
	doc.token = text;
	rc = admin_reply(c, &admin_token_type, &doc);
	key_wipe(text, sizeof(text));
	return rc;
}

static int token_changed(struct admin_call *c, int rc)
{
	if (rc == -ENOENT)
		return admin_say(c, rc, "no token %lld; \"warren-hub tokens list\" shows all",
			(long long)c->id);
	return rc < 0 ? rc : admin_ok(c);
}

int admin_token_revoke(struct http_request *q)
{
	struct admin_call *c = q->call;

	return token_changed(c, token_revoke(c->hub, c->id));
}

int admin_token_delete(struct http_request *q)
{
	struct admin_call *c = q->call;

	return token_changed(c, token_delete(c->hub, c->id));
}

/* A link that logs a browser in: as a user, or as root of this machine. */
int admin_login_create(struct http_request *q)
{
	struct admin_call *c = q->call;
	char token[HUB_TOKEN_TEXT];
	struct admin_link doc;
	const struct coord_user *u = NULL;
	int rc = c->req.user && *c->req.user ? admin_find_user(c, c->req.user, &u) : 0;

	if (rc < 0)
		return rc;
	login_link_create(c->hub, u ? u->id : 0, c->req.next, token);
	doc.url = arena_printf(c->mem, "%s/login/%s", c->hub->url_text, token);
	return doc.url ? admin_reply(c, &admin_link_type, &doc) : -ENOMEM;
}
