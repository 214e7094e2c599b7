/* The commands for auth keys. */
#include "base/text/text.h"
#include "hubctl/internal.h"
#include "term/qr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int cmd_keys_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/keys", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_key_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=ID", "=KEY", "OWNER", "STATE", "KIND", "USED", "EXPIRES");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_key *k = JSON_AT(l, struct admin_key, i);

		rc = TABLE_ROW(&t, cmd_number(c, k->id), k->hint,
			k->tags.n ? cmd_join(c, &k->tags) : k->user, k->state,
			arena_printf(&c->mem, "%s%s%s", k->reusable ? "reusable" : "once",
				k->ephemeral ? ",ephemeral" : "",
				k->preapproved ? ",preapproved" : ""),
			cmd_number(c, k->used), k->expires ? cmd_ago(c, k->expires) : "never");
	}
	return cmd_print(&t, rc);
}

int cmd_key_create(struct cmd *c)
{
	struct admin_request req = { .user = c->o->user,
		.reusable = c->o->reusable,
		.ephemeral = c->o->ephemeral,
		.preapproved = c->o->preapproved,
		.expiry_ms = (unix_ms)90 * 24 * 3600 * 1000 };
	struct admin_key k;
	bool done;
	int rc = 0;

	if (cmd_expiry(c, &req.expiry_ms))
		return 1;
	if (c->o->tags && cmd_split_tags(c, c->o->tags, &req.tags) < 0)
		return cmd_fail("out of memory");
	rc = cmd_ask(c, "POST", "/keys", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_key_type, &k, &done);
	if (rc || done)
		return rc;
	printf("%s\n", k.key);
	if (c->o->qr)
		return qr_print(k.key, QR_PAPER, stdout) < 0
			       ? cmd_fail("this key does not fit into a picture")
			       : 0;
	return 0;
}

/* "wkey-auth-1a2..." as lists show it, or the whole key. */
static bool key_begins_so(const struct admin_key *k, const char *word)
{
	size_t len = strcspn(k->hint, ".");

	return !strcmp(k->hint, word) ||
	       (strlen(word) >= len && !memcmp(k->hint, word, len) && !strchr(word, '.'));
}

static int resolve_key(struct cmd *c, const char *word, int64_t *ret)
{
	struct json_list l;
	size_t n = 0;
	int rc;

	if (cmd_is_number(word)) {
		*ret = strtoll(word, NULL, 10);
		return 0;
	}
	rc = cmd_ask(c, "GET", "/keys", NULL);
	if (rc)
		return rc;
	if (!cmd_decode(c, &admin_key_list, &l))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	for (size_t i = 0; i < l.n; i++) {
		const struct admin_key *k = JSON_AT(l, struct admin_key, i);

		if (!key_begins_so(k, word))
			continue;
		*ret = k->id;
		n++;
	}
	buf_clear(&c->in);
	if (n > 1)
		return cmd_fail(
			"several keys begin so; name one by its number: \"warren-hub keys list\"");
	return n ? 0
		 : cmd_fail(
			   "no key of this number or beginning; \"warren-hub keys list\" shows them");
}

static int change_key(
	struct cmd *c, const char *verb, const struct admin_request *req, const char *said)
{
	char path[64];
	int64_t id = 0;
	int rc = resolve_key(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/keys/%lld/%s", (long long)id, verb);
	return rc ? rc : cmd_change(c, req, path, said);
}

int cmd_key_revoke(struct cmd *c)
{
	return change_key(c, "revoke", NULL,
		"Revoked: nothing joins with it any more. Devices that joined stay.");
}

int cmd_key_delete(struct cmd *c)
{
	return change_key(c, "delete", NULL,
		"Deleted: nothing joins with it any more. Devices that joined stay.");
}

int cmd_key_move(struct cmd *c)
{
	struct admin_request req = { .user = c->o->word[3] };

	return change_key(c, "move", &req,
		arena_printf(
			&c->mem, "Devices that join with it are %s's from now on.", c->o->word[3]));
}
