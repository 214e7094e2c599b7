/* The commands for users. */
#include "base/text/text.h"
#include "hubctl/internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_LEN = 64 };

int cmd_users_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/users", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_user_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=ID", "=NAME", "ROLE", "DEVICES", "KEYS", "CREATED");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_user *u = JSON_AT(l, struct admin_user, i);

		rc = TABLE_ROW(&t, cmd_number(c, u->id), u->name, u->role, cmd_number(c, u->nodes),
			cmd_number(c, u->keys), cmd_time(c, u->created));
	}
	return cmd_print(&t, rc);
}

/* In any spelling, as the hub sees it; or its number. */
static bool user_is(const struct admin_user *u, const char *word)
{
	size_t len = strlen(word);

	if (len > 1 && word[len - 1] == '@')
		len--;
	return text_ieq(u->name, strlen(u->name), word, len);
}

static int pick_user(const struct json_list *l, const char *word, int64_t *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct admin_user *u = JSON_AT(*l, struct admin_user, i);

		if (!strcmp(u->name, word)) {
			*ret = u->id;
			return 0;
		}
		if (user_is(u, word) || (cmd_is_number(word) && u->id == strtoll(word, NULL, 10))) {
			*ret = u->id;
			n++;
		}
	}
	if (n > 1)
		return cmd_fail(
			"several users are called \"%s\"; name one by its number: \"warren-hub users list\"",
			word);
	return n ? 0 : cmd_fail("no user \"%s\"; \"warren-hub users list\" shows all", word);
}

static int resolve_user(struct cmd *c, const char *word, int64_t *ret)
{
	struct json_list l;
	int rc = cmd_ask(c, "GET", "/users", NULL);

	if (rc)
		return rc;
	if (!cmd_decode(c, &admin_user_list, &l))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	rc = pick_user(&l, word, ret);
	buf_clear(&c->in);
	return rc;
}

/* Asks for the change of the user that the first argument names; the path's end is the verb. */
static int ask_change(struct cmd *c, const char *verb, const struct admin_request *req)
{
	char path[PATH_LEN];
	int64_t id = 0;
	int rc = resolve_user(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/users/%lld/%s", (long long)id, verb);
	return rc ? rc : cmd_ask(c, "POST", path, req);
}

static int say_user(struct cmd *c, int rc, const char *said)
{
	struct admin_user u;
	bool done;

	if (rc == 0)
		rc = cmd_answer(c, &admin_user_type, &u, &done);
	if (rc == 0 && !done)
		printf("%s %s.\n", u.name, said);
	return rc;
}

int cmd_user_create(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[2] };

	return say_user(c, cmd_ask(c, "POST", "/users", &req), "is a user now");
}

int cmd_user_rename(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[3] };

	return say_user(c, ask_change(c, "rename", &req),
		"is the name from now on; policies have to use it, too");
}

int cmd_user_role(struct cmd *c)
{
	struct admin_request req = { .role = c->o->word[3] };

	return say_user(c, ask_change(c, "role", &req),
		arena_printf(&c->mem, "has the role %s from now on", c->o->word[3]));
}

/* "2 devices and 1 auth key"; what there was none of is left out. */
static const char *belongings(struct cmd *c, const struct admin_left *left)
{
	if (!left->nodes || !left->keys)
		return left->nodes ? cmd_count(c, left->nodes, "device")
				   : cmd_count(c, left->keys, "auth key");
	return arena_printf(&c->mem, "%s and %s", cmd_count(c, left->nodes, "device"),
		cmd_count(c, left->keys, "auth key"));
}

int cmd_user_delete(struct cmd *c)
{
	struct admin_request req = { .move_to = c->o->move_to, .with_devices = c->o->with_devices };
	struct admin_left left;
	bool done;
	int rc = ask_change(c, "delete", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_left_type, &left, &done);
	if (rc || done)
		return rc;
	if (!left.nodes && !left.keys)
		printf("Deleted.\n");
	else if (left.moved_to)
		printf("Deleted. %s went to %s.\n", belongings(c, &left), left.moved_to);
	else
		printf("Deleted, with %s.\n", belongings(c, &left));
	return 0;
}
