/* The commands for devices. */
#include "hubctl/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_LEN = 64 };

static const char *state_of(const struct admin_node *n)
{
	return !n->approved   ? "waiting"
	       : n->expired   ? "expired"
	       : n->duplicate ? "runs twice"
	       : n->online    ? "online"
			      : "offline";
}

static const char *owner_of(struct cmd *c, const struct admin_node *n)
{
	return n->tags.n ? cmd_join(c, &n->tags) : n->user ? n->user : "-";
}

static const char *address(struct cmd *c, struct ipaddr ip)
{
	char text[IPADDR_TEXT_MAX];

	return arena_strdup(&c->mem, ipaddr_format(ip, text));
}

int cmd_nodes_list(struct cmd *c)
{
	const struct hub_options *o = c->o;
	struct admin_request req = { .user = o->user,
		.os = o->os,
		.tag = o->tag,
		.sort = o->sort,
		.reverse = o->reverse,
		.state = o->online    ? "online"
			 : o->offline ? "offline"
			 : o->expired ? "expired"
			 : o->waiting ? "waiting"
				      : NULL };
	struct json_list l;
	struct table t;
	bool done;
	int rc;

	if (o->online + o->offline + o->expired + o->waiting > 1)
		return cmd_fail("name one of --online, --offline, --expired and --waiting");
	rc = cmd_ask(c, "POST", "/nodes/list", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_node_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=ID", "=NAME", "STATE", "SEEN", "=ADDRESS", "OWNER", "SYSTEM", "CLIENT");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_node *n = JSON_AT(l, struct admin_node, i);

		rc = TABLE_ROW(&t, cmd_number(c, n->id), n->name, state_of(n),
			n->online ? "now" : cmd_ago(c, n->last_seen), address(c, n->ip4),
			owner_of(c, n), n->os, n->client);
	}
	return cmd_print(&t, rc);
}

static void put(const char *label, const char *value)
{
	if (value && *value)
		printf("%-13s%s\n", label, value);
}

static void put_node(struct cmd *c, const struct admin_node *n)
{
	char key[KEY_TEXT_MAX];

	put("Name", n->fqdn);
	put("Number", cmd_number(c, n->id));
	put("Calls itself", arena_printf(&c->mem, "%s%s", n->hostname,
				    n->name_pinned ? " (an admin gave it its name)" : ""));
	put("Addresses", arena_printf(&c->mem, "%s, %s", address(c, n->ip4), address(c, n->ip6)));
	put(n->tags.n ? "Tags" : "Owner", owner_of(c, n));
	put("State", n->online ? state_of(n)
			       : arena_printf(&c->mem, "%s, seen %s (%s)", state_of(n),
					 cmd_ago(c, n->last_seen), cmd_time(c, n->last_seen)));
	put("Key expires", n->key_expiry
				   ? arena_printf(&c->mem, "%s (%s)", cmd_ago(c, n->key_expiry),
					     cmd_time(c, n->key_expiry))
				   : "never");
	put("System", arena_printf(&c->mem, "%s, %s%s", *n->os ? n->os : "unknown",
			      *n->client ? n->client : "unknown client",
			      n->ephemeral ? ", ephemeral" : ""));
	put("Joined", cmd_time(c, n->created));
	put("Home relay", n->home_derp ? cmd_number(c, n->home_derp) : "none");
	for (size_t i = 0; i < n->endpoints.n; i++) {
		char text[IPPORT_TEXT_MAX];

		put(i ? "" : "Endpoints",
			ipport_format(*JSON_AT(n->endpoints, struct ipport, i), text));
	}
	put("Node key", key_format(KEY_NODE, n->key.b, key));
	put("Machine key", key_format(KEY_MACHINE, n->machine.b, key));
}

static int put_routes(struct cmd *c, int64_t node)
{
	struct json_list l;
	const char *label = "Routes";
	int rc;

	buf_clear(&c->in);
	rc = cmd_ask(c, "GET", "/routes", NULL);
	if (rc == 0 && !cmd_decode(c, &admin_route_list, &l))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_route *r = JSON_AT(l, struct admin_route, i);
		char text[IPPREFIX_TEXT_MAX];

		if (r->node != node)
			continue;
		put(label, arena_printf(&c->mem, "%s, %s", ipprefix_format(r->prefix, text),
				   cmd_route_state(r)));
		label = "";
	}
	return rc;
}

int cmd_node_show(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[2] };
	struct admin_node n;
	bool done;
	int rc = cmd_ask(c, "POST", "/nodes/show", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_node_type, &n, &done);
	if (rc || done)
		return rc;
	put_node(c, &n);
	return put_routes(c, n.id);
}

/* All that its approval gives. *ret_done: it was printed for --json. */
static int show_waiting(
	struct cmd *c, const char *word, struct admin_grant *ret, bool quiet, bool *ret_done)
{
	struct admin_request req = { .code = word, .user = c->o->user };
	int rc = cmd_ask(c, "POST", "/nodes/waiting", &req);

	*ret_done = false;
	if (rc == 0 && !quiet)
		rc = cmd_answer(c, &admin_grant_type, ret, ret_done);
	else if (rc == 0 &&
		 json_decode(&admin_grant_type, c->body.p, c->body.len, ret, &c->mem, NULL) < 0)
		rc = cmd_fail("the hub's answer is not understood: is it of another version?");
	if (rc || *ret_done || quiet)
		return rc;
	for (size_t i = 0; i < ret->lines.n; i++) {
		const struct coord_grant_line *l = JSON_AT(ret->lines, struct coord_grant_line, i);

		put(l->label, l->value);
	}
	if (ret->from.family)
		put("From", address(c, ret->from));
	put("Asked", cmd_ago(c, ret->created));
	return 0;
}

static int show_one(struct cmd *c)
{
	struct admin_grant g;
	bool done;
	int rc = show_waiting(c, c->o->word[2], &g, false, &done);

	if (rc || done)
		return rc;
	put("Digest", g.digest);
	printf("\nTo let in this, and nothing else: warren-hub nodes approve %s --digest %s%s%s\n",
		g.code, g.digest, c->o->user ? " --user " : "", c->o->user ? c->o->user : "");
	return 0;
}

int cmd_nodes_pending(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc;

	if (c->o->n_words > 2)
		return show_one(c);
	rc = cmd_ask(c, "GET", "/pending", NULL);
	if (rc == 0)
		rc = cmd_answer(c, &admin_pending_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "=CODE", "=NAME", "SYSTEM", "TAGS", "FROM", "SINCE");
	/* Of a device that joined with a key: its number, and whose key it was. */
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_pending *p = JSON_AT(l, struct admin_pending, i);

		rc = TABLE_ROW(&t, p->code, p->node ? p->name : p->hostname, p->os,
			cmd_join(c, &p->tags),
			!p->node  ? address(c, p->from)
			: p->user ? arena_printf(&c->mem, "key of %s", p->user)
				  : "key with tags",
			cmd_ago(c, p->created));
	}
	return cmd_print(&t, rc);
}

static int change_node(
	struct cmd *c, const char *verb, const struct admin_request *req, const char *said)
{
	char path[PATH_LEN];
	int64_t id = 0;
	int rc = cmd_resolve_node(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/nodes/%lld/%s", (long long)id, verb);
	return rc ? rc : cmd_change(c, req, path, said);
}

static bool says_yes(void)
{
	char line[16];

	fputs("Let it in? [y/N] ", stdout);
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (line[0] == 'y' || line[0] == 'Y');
}

/* With --digest what was shown before is approved; else it is shown now, and at a terminal asked about. */
static int digest_to_approve(struct cmd *c, const char **ret)
{
	struct admin_grant g;
	bool done;
	int rc;

	*ret = c->o->digest;
	if (*ret)
		return 0;
	rc = show_waiting(c, c->o->word[2], &g, c->o->json, &done);
	if (rc)
		return rc;
	*ret = g.digest;
	if (!c->o->json && !c->o->yes && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) &&
		!says_yes())
		return cmd_fail("it was not let in");
	buf_clear(&c->in);
	return 0;
}

int cmd_node_approve(struct cmd *c)
{
	struct admin_request req = { .code = c->o->word[2], .user = c->o->user };
	struct admin_node n;
	bool done;
	int rc = digest_to_approve(c, &req.digest);

	if (rc == 0)
		rc = cmd_ask(c, "POST", "/nodes/approve", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_node_type, &n, &done);
	if (rc == 0 && !done)
		printf("%s is in%s%s.\n", n.name, n.tags.n ? ", with " : " and belongs to ",
			n.tags.n ? cmd_join(c, &n.tags) : n.user);
	return rc;
}

int cmd_node_reject(struct cmd *c)
{
	struct admin_request req = { .code = c->o->word[2] };

	return cmd_change(c, &req, "/nodes/reject",
		"It is not let in; a device that waits for its login is told.");
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
		return cmd_fail(
			"name the tags that \"%s\" has from now on. To take all away: \"warren-hub nodes untag %s USER\"; "
			"a device without tags is somebody's",
			c->o->word[2], c->o->word[2]);
	for (size_t i = 3; i < c->o->n_words && all; i++)
		all = arena_printf(&c->mem, "%s%s,", all, c->o->word[i]);
	if (!all || cmd_split_tags(c, all, &req.tags) < 0)
		return cmd_fail("out of memory");
	return change_node(c, "tag", &req, "Tagged.");
}

int cmd_node_expire(struct cmd *c)
{
	struct admin_request req = { 0 };

	if (!c->o->expiry)
		return change_node(c, "expire", NULL, "Expired: the device has to log in again.");
	if (cmd_expiry(c, &req.expiry_ms))
		return 1;
	if (!req.expiry_ms)
		req.expiry_ms = -1;
	return change_node(c, "expire", &req,
		req.expiry_ms < 0 ? "Its key does not expire."
				  : "Its key expires then; until that the device takes part.");
}

int cmd_node_delete(struct cmd *c)
{
	return change_node(c, "delete", NULL, "Deleted.");
}

int cmd_node_move(struct cmd *c)
{
	struct admin_request req = { .user = c->o->n_words > 3 ? c->o->word[3] : c->o->user };

	return change_node(c, "move", &req,
		req.user ? arena_printf(&c->mem, "It is %s's from now on.", req.user)
			 : "It is the only user's from now on.");
}
