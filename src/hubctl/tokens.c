#include "hubctl/internal.h"

#include <stdio.h>

int cmd_tokens_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/tokens", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_token_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=ID", "=NAME", "SCOPE", "STATE", "CREATED", "EXPIRES", "USED");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_token *k = JSON_AT(l, struct admin_token, i);

		rc = TABLE_ROW(&t, cmd_number(c, k->id), k->name, k->scope, k->state,
			cmd_time(c, k->created), k->expires ? cmd_ago(c, k->expires) : "never",
			cmd_time(c, k->last_used));
	}
	return cmd_print(&t, rc);
}

int cmd_tokens_create(struct cmd *c)
{
	struct admin_request req = { .name = c->o->n_words > 2 ? c->o->word[2] : NULL,
		.scope = c->o->scope,
		.expiry_ms = (unix_ms)90 * 24 * 3600 * 1000 };
	struct admin_token k;
	bool done;
	int rc;

	if (cmd_expiry(c, &req.expiry_ms))
		return 1;
	rc = cmd_ask(c, "POST", "/tokens", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_token_type, &k, &done);
	if (rc || done)
		return rc;
	printf("%s\n", k.token);
	return 0;
}

static int change_token(struct cmd *c, const char *verb, const char *said)
{
	const char *id = c->o->word[2];
	char path[64];

	id += id[0] == 'k'; /* as in the token's text */
	if (!cmd_is_number(id))
		return cmd_fail(
			"\"%s\" is not the number of a token; \"warren-hub tokens list\" shows them",
			c->o->word[2]);
	snprintf(path, sizeof(path), "/tokens/%s/%s", id, verb);
	return cmd_change(c, NULL, path, said);
}

int cmd_token_revoke(struct cmd *c)
{
	return change_token(c, "revoke", "Revoked: nothing is let in with it any more.");
}

int cmd_token_delete(struct cmd *c)
{
	return change_token(c, "delete", "Deleted: nothing is let in with it any more.");
}
