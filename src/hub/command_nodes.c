/* The commands for devices. */
#include "hub/command.h"

#include <stdio.h>
#include <stdlib.h>

enum { PATH_LEN = 64 };

int cmd_nodes_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/nodes", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_node_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "ID", "NAME", "ADDRESS", "OWNER", "STATE", "SEEN", "SYSTEM", "CLIENT");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_node *n = JSON_AT(l, struct admin_node, i);
		char ip[IPADDR_TEXT_MAX];

		rc = ROW(&t, cmd_number(c, n->id), n->name, arena_strdup(&c->mem, ipaddr_format(n->ip4, ip)),
			n->tags.n ? cmd_join(c, &n->tags) : n->user, !n->approved ? "waits" : n->expired ? "expired" : n->online ? "online" : "offline",
			n->online ? "now" : cmd_time(c, n->last_seen), n->os, n->client);
	}
	return cmd_print(&t, rc);
}

int cmd_nodes_pending(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/pending", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_pending_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "CODE", "NAME", "SYSTEM", "TAGS", "FROM", "SINCE");
	/* Of a device that joined with a key: its number, and whose key it was. */
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_pending *p = JSON_AT(l, struct admin_pending, i);
		char ip[IPADDR_TEXT_MAX];

		rc = ROW(&t, p->code, p->node ? p->name : p->hostname, p->os, cmd_join(c, &p->tags),
			!p->node ? arena_strdup(&c->mem, ipaddr_format(p->from, ip)) : p->user ? arena_printf(&c->mem, "key of %s", p->user) :
			"key with tags", cmd_time(c, p->created));
	}
	return cmd_print(&t, rc);
}

int cmd_resolve_node(struct cmd *c, const char *word, int64_t *ret)
{
	struct json_list l;
	int rc;

	if (cmd_is_number(word)) {
		*ret = strtoll(word, NULL, 10);
		return 0;
	}
	rc = cmd_ask(c, "GET", "/nodes", NULL);
	if (rc == 0 && json_decode(&admin_node_list, c->body.p, c->body.len, &l, &c->mem, NULL) < 0)
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_node *n = JSON_AT(l, struct admin_node, i);

		if (!strcmp(n->name, word) || !strcmp(n->fqdn, word)) {
			*ret = n->id;
			buf_clear(&c->in);
			return 0;
		}
	}
	return rc ? rc : cmd_fail("no device \"%s\"; \"warren-hub nodes list\" shows all", word);
}

static int change_node(struct cmd *c, const char *verb, const struct admin_request *req, const char *said)
{
	char path[PATH_LEN];
	int64_t id = 0;
	int rc = cmd_resolve_node(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/nodes/%lld/%s", (long long)id, verb);
	return rc ? rc : cmd_change(c, req, path, said);
}

int cmd_node_approve(struct cmd *c)
{
	struct admin_request req = { .code = c->o->word[2], .user = c->o->user };
	struct admin_node n;
	bool done;
	int rc = cmd_ask(c, "POST", "/nodes/approve", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_node_type, &n, &done);
	if (rc == 0 && !done)
		printf("%s is in%s%s.\n", n.name, n.tags.n ? ", with " : " and belongs to ", n.tags.n ? cmd_join(c, &n.tags) : n.user);
	return rc;
}

int cmd_node_reject(struct cmd *c)
{
	struct admin_request req = { .code = c->o->word[2] };

	return cmd_change(c, &req, "/nodes/reject", "It is not let in; a device that waits for its login is told.");
}

/* An administrator's name stays; without one the device's own word counts again. */
int cmd_node_rename(struct cmd *c)
{
	struct admin_request req = { .name = c->o->n_words > 3 ? c->o->word[3] : NULL };
	struct admin_node n;
	char path[PATH_LEN];
	int64_t id = 0;
	bool done;
	int rc;

	if (req.name && c->o->unpin)
		return cmd_fail("name the device, or let it name itself with --unpin");
	rc = cmd_resolve_node(c, c->o->word[2], &id);
	snprintf(path, sizeof(path), "/nodes/%lld/rename", (long long)id);
	if (rc == 0)
		rc = cmd_ask(c, "POST", path, &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_node_type, &n, &done);
	if (rc || done)
		return rc;
	if (n.name_pinned)
		printf("It is %s from now on, whatever it calls itself.\n", n.name);
	else
		printf("It is %s; its name follows what it calls itself.\n", n.name);
	return 0;
}

/* Words and commas both separate tags. */
int cmd_node_tag(struct cmd *c)
{
	struct admin_request req = { 0 };
	const char *all = "";

	if (c->o->n_words < 4)
		return cmd_fail("name the tags that \"%s\" has from now on. To take all away: \"warren-hub nodes untag %s USER\"; "
				"a device without tags is somebody's", c->o->word[2], c->o->word[2]);
	for (size_t i = 3; i < c->o->n_words && all; i++)
		all = arena_printf(&c->mem, "%s%s,", all, c->o->word[i]);
	if (!all || cmd_split_tags(c, all, &req.tags) < 0)
		return cmd_fail("out of memory");
	return change_node(c, "tag", &req, "Tagged.");
}

int cmd_node_expire(struct cmd *c)
{
	return change_node(c, "expire", NULL, "Expired: the device has to log in again.");
}

int cmd_node_delete(struct cmd *c)
{
	return change_node(c, "delete", NULL, "Deleted.");
}

int cmd_node_move(struct cmd *c)
{
	struct admin_request req = { .user = c->o->n_words > 3 ? c->o->word[3] : c->o->user };

	return change_node(c, "move", &req, req.user ? arena_printf(&c->mem, "It is %s's from now on.", req.user) :
		"It is the only user's from now on.");
}
