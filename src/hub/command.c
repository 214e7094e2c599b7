/* The commands that talk to a running hub over its administration socket. */
#include "base/text/text.h"
#include "hub/command.h"
#include "hub/qr.h"
#include "proto/http1/http1.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MEM_MAX = 512 << 20, REQUEST_MAX = 4 * CTL_POLICY_TEXT_MAX, TEXT_MAX_LEN = 512, CODE_LEN = 24 };

int cmd_fail(const char *fmt, ...)
{
	va_list ap;

	fputs("warren-hub: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

static int dial(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, rc;

	if (strlen(path) >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	strcpy(un.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd < 0 ? -errno : fd;
	rc = -errno;
	close(fd);
	return rc;
}

static int exchange(int fd, struct buf *out, struct buf *in)
{
	uint8_t chunk[16384];
	ssize_t n;

	while (buf_len(out)) {
		n = write(fd, buf_data(out), buf_len(out));
		if (n < 0)
			return -errno;
		buf_consume(out, (size_t)n);
	}
	while ((n = read(fd, chunk, sizeof(chunk))) > 0) {
		int rc = buf_append(in, chunk, (size_t)n);

		if (rc < 0)
			return rc;
	}
	return n < 0 ? -errno : 0;
}

static int say_unreachable(const char *socket, int rc)
{
	if (rc == -EACCES || rc == -EPERM)
		return cmd_fail("%s: %s; run this as root or as the user of the hub", socket, err_text(rc));
	return cmd_fail("cannot reach a hub at %s: %s; is \"warren-hub serve\" running? --socket names another file", socket,
		err_text(rc));
}

/* The hub's own words, if it gave some. */
static int say_error(struct cmd *c)
{
	struct admin_error e;

	if (json_decode(&admin_error_type, c->body.p, c->body.len, &e, &c->mem, NULL) != 0 || !e.error)
		return cmd_fail("the hub answered %d: %.*s", c->status, (int)MIN_OF(c->body.len, (size_t)200), (const char *)c->body.p);
	if (!c->file || !(e.line || e.failures.n))
		return cmd_fail("%s", e.error);
	if (e.line)
		fprintf(stderr, "%s:%lld:%lld: %s\n", c->file, (long long)e.line, (long long)e.column, e.error);
	else
		cmd_fail("%s", e.error);
	for (size_t i = 0; i < e.failures.n; i++) {
		const struct admin_failure *f = JSON_AT(e.failures, struct admin_failure, i);

		fprintf(stderr, "%s:%lld:%lld: %s%s: %s\n", c->file, (long long)f->line, (long long)f->column, f->ssh ? "ssh " : "", f->src,
			f->text);
	}
	return 1;
}

/* 0 when the answer is in c->body; else the exit status, and the person knows why. */
int cmd_ask(struct cmd *c, const char *method, const char *path, const struct admin_request *req)
{
	static struct http1_head head;
	struct buf out, body;
	size_t used;
	int rc = 0, fd = dial(c->o->socket);

	if (fd < 0)
		return say_unreachable(c->o->socket, fd);
	buf_init(&out, 2 * REQUEST_MAX);
	buf_init(&body, REQUEST_MAX);
	if (req)
		rc = json_encode(&admin_request_type, req, &body);
	if (rc == 0)
		rc = buf_printf(&out, "%s %s HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", method, path,
			buf_len(&body));
	if (rc == 0)
		rc = buf_append(&out, buf_data(&body), buf_len(&body));
	if (rc == 0)
		rc = exchange(fd, &out, &c->in);
	close(fd);
	buf_fini(&out);
	buf_fini(&body);
	if (rc == 0 && http1_parse(buf_data(&c->in), buf_len(&c->in), true, &head, &used) != 0)
		rc = -ERR_TRUNCATED;
	if (rc < 0)
		return cmd_fail("the hub's answer: %s", err_text(rc));
	c->status = head.status;
	c->body = view_of(buf_data(&c->in) + used, buf_len(&c->in) - used);
	return head.status == 200 ? 0 : say_error(c);
}

/* Decodes the answer. Prints it as it came for --json: *ret_done. */
int cmd_answer(struct cmd *c, const struct json_type *t, void *doc, bool *ret_done)
{
	*ret_done = c->o->json;
	if (c->o->json) {
		printf("%.*s\n", (int)c->body.len, (const char *)c->body.p);
		return 0;
	}
	if (json_decode(t, c->body.p, c->body.len, doc, &c->mem, NULL) < 0)
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	return 0;
}

const char *cmd_time(struct cmd *c, unix_ms t)
{
	time_t s = t / 1000;
	char text[32];
	struct tm tm;

	if (!t || !localtime_r(&s, &tm))
		return "-";
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	return arena_strdup(&c->mem, text);
}

const char *cmd_join(struct cmd *c, const struct json_list *l)
{
	const char *s = "";

	for (size_t i = 0; i < l->n && s; i++)
		s = arena_printf(&c->mem, "%s%s%s", s, i ? "," : "", *JSON_AT(*l, const char *, i));
	return s;
}

const char *cmd_number(struct cmd *c, int64_t n)
{
	return arena_printf(&c->mem, "%lld", (long long)n);
}

int cmd_print(const struct table *t, int rc)
{
	if (rc < 0)
		return cmd_fail("%s", err_text(rc));
	table_print(t, table_terminal_width(stdout), stdout);
	return 0;
}

static int do_status(struct cmd *c)
{
	struct admin_status s;
	bool done;
	int rc = cmd_ask(c, "GET", "/status", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_status_type, &s, &done);
	if (rc || done)
		return rc;
	printf("Hub       %s (warren-hub %s), up for %lld h %lld min\n", s.url, s.version, (long long)s.uptime_s / 3600,
		(long long)s.uptime_s / 60 % 60);
	printf("Devices   %lld, %lld online; names end in .%s\n", (long long)s.nodes, (long long)s.online, s.base_domain);
	if (s.pending)
		printf("Waiting   %lld for approval: warren-hub nodes pending\n", (long long)s.pending);
	printf("Users     %lld; auth keys %lld\n", (long long)s.users, (long long)s.keys);
	printf("Relay     %s, %lld clients; STUN %s\n", s.relay ? s.relay : "off", (long long)s.relay_clients,
		s.stun ? s.stun : "off");
	if (c->o->qr)
		return qr_print(s.url, stdout) < 0 ? cmd_fail("the URL does not fit into a picture") : 0;
	return 0;
}

static int do_users_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/users", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_user_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "ID", "NAME", "DEVICES", "CREATED");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_user *u = JSON_AT(l, struct admin_user, i);

		rc = ROW(&t, cmd_number(c, u->id), u->name, cmd_number(c, u->nodes), cmd_time(c, u->created));
	}
	return cmd_print(&t, rc);
}

static int do_nodes_list(struct cmd *c)
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

static int do_nodes_pending(struct cmd *c)
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
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_pending *p = JSON_AT(l, struct admin_pending, i);
		char ip[IPADDR_TEXT_MAX];

		rc = ROW(&t, p->code, p->hostname, p->os, cmd_join(c, &p->tags), arena_strdup(&c->mem, ipaddr_format(p->from, ip)), cmd_time(c, p->created));
	}
	return cmd_print(&t, rc);
}

static int do_keys_list(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/keys", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_key_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "ID", "KEY", "OWNER", "STATE", "KIND", "USED", "EXPIRES");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_key *k = JSON_AT(l, struct admin_key, i);

		rc = ROW(&t, cmd_number(c, k->id), k->hint, k->tags.n ? cmd_join(c, &k->tags) : k->user, k->state,
			arena_printf(&c->mem, "%s%s%s", k->reusable ? "reusable" : "once", k->ephemeral ? ",ephemeral" : "",
				k->preapproved ? ",preapproved" : ""), cmd_number(c, k->used), k->expires ? cmd_time(c, k->expires) : "never");
	}
	return cmd_print(&t, rc);
}

/* "tag:a,tag:b" */
static int split_tags(struct cmd *c, const char *text, struct json_list *ret)
{
	size_t n = 1, i = 0;
	const char **v;
	char *rest = arena_strdup(&c->mem, text), *tag;

	for (const char *p = text; *p; p++)
		n += *p == ',';
	v = arena_array(&c->mem, n, sizeof(*v));
	if (!v || !rest)
		return -ENOMEM;
	while ((tag = strsep(&rest, ",")))
		if (*tag)
			v[i++] = tag;
	*ret = json_list_of(v, i);
	return 0;
}

static int do_keys_create(struct cmd *c)
{
	struct admin_request req = { .user = c->o->user, .reusable = c->o->reusable, .ephemeral = c->o->ephemeral,
		.preapproved = c->o->preapproved, .expiry_ms = (unix_ms)90 * 24 * 3600 * 1000 };
	struct admin_key k;
	bool done;
	int rc = 0;

	if (c->o->expiry && duration_parse(c->o->expiry, &req.expiry_ms) < 0)
		return cmd_fail("--expiry %s: write it as 30m, 24h, 90d or never", c->o->expiry);
	if (c->o->tags && split_tags(c, c->o->tags, &req.tags) < 0)
		return cmd_fail("out of memory");
	rc = cmd_ask(c, "POST", "/keys", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_key_type, &k, &done);
	if (rc || done)
		return rc;
	printf("%s\n", k.key);
	if (c->o->qr)
		return qr_print(k.key, stdout) < 0 ? cmd_fail("this key does not fit into a picture") : 0;
	return 0;
}

static int do_login(struct cmd *c)
{
	struct admin_request req = { .next = c->o->next };
	struct admin_link l;
	bool done;
	int rc = cmd_ask(c, "POST", "/login", &req);

	if (rc == 0)
		rc = cmd_answer(c, &admin_link_type, &l, &done);
	if (rc || done)
		return rc;
	printf("Open this in a browser within ten minutes; it works once:\n\n  %s\n\n", l.url);
	if (c->o->qr)
		return qr_print(l.url, stdout) < 0 ? cmd_fail("this link does not fit into a picture") : 0;
	return 0;
}

bool cmd_is_number(const char *s)
{
	uint64_t n;

	return text_u64(s, strlen(s), INT64_MAX, &n) == 0;
}

/* A number stands for itself; else it is looked up by name in what a list answers. */
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

static int resolve_user(struct cmd *c, const char *word, int64_t *ret)
{
	struct json_list l;
	int rc = cmd_ask(c, "GET", "/users", NULL);

	if (rc == 0 && json_decode(&admin_user_list, c->body.p, c->body.len, &l, &c->mem, NULL) < 0)
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	for (size_t i = 0; rc == 0 && i < l.n; i++) {
		const struct admin_user *u = JSON_AT(l, struct admin_user, i);

		if (!strcmp(u->name, word) || (cmd_is_number(word) && u->id == strtoll(word, NULL, 10))) {
			*ret = u->id;
			buf_clear(&c->in);
			return 0;
		}
	}
	return rc ? rc : cmd_fail("no user \"%s\"; \"warren-hub users list\" shows all", word);
}

/* Changes whose answer is short: said in a sentence, or as the hub answered with --json. */
int cmd_change(struct cmd *c, const struct admin_request *req, const char *path, const char *said)
{
	static const struct admin_request none;
	int rc = cmd_ask(c, "POST", path, req ? req : &none);

	if (rc == 0 && c->o->json)
		printf("%.*s\n", (int)c->body.len, (const char *)c->body.p);
	else if (rc == 0)
		printf("%s\n", said);
	return rc;
}

static int do_users_create(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[2] };

	return cmd_change(c, &req, "/users", "Created.");
}

static int do_users_delete(struct cmd *c)
{
	char path[TEXT_MAX_LEN];
	int64_t id = 0;
	int rc = resolve_user(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/users/%lld/delete", (long long)id);
	return rc ? rc : cmd_change(c, NULL, path, "Deleted.");
}

static int change_node(struct cmd *c, const char *verb, const struct admin_request *req, const char *said)
{
	char path[TEXT_MAX_LEN];
	int64_t id = 0;
	int rc = cmd_resolve_node(c, c->o->word[2], &id);

	snprintf(path, sizeof(path), "/nodes/%lld/%s", (long long)id, verb);
	return rc ? rc : cmd_change(c, req, path, said);
}

static int do_approve(struct cmd *c)
{
	struct admin_request req = { .code = c->o->word[2], .user = c->o->user };

	if (strlen(c->o->word[2]) != CODE_LEN) /* a device that is in but waits */
		return change_node(c, "approve", NULL, "The device is in.");
	return cmd_change(c, &req, "/nodes/approve", "The device is in.");
}

static int do_rename(struct cmd *c)
{
	struct admin_request req = { .name = c->o->word[3] };

	return change_node(c, "rename", &req, "Renamed.");
}

/* Words and commas both separate tags; no tag at all takes them away. */
static int do_tag(struct cmd *c)
{
	struct admin_request req = { 0 };
	const char *all = "";

	for (size_t i = 3; i < c->o->n_words && all; i++)
		all = arena_printf(&c->mem, "%s%s,", all, c->o->word[i]);
	if (!all || split_tags(c, all, &req.tags) < 0)
		return cmd_fail("out of memory");
	return change_node(c, "tag", &req, req.tags.n ? "Tagged." : "The tags are gone.");
}

static int do_expire(struct cmd *c)
{
	return change_node(c, "expire", NULL, "Expired: the device has to log in again.");
}

static int do_delete(struct cmd *c)
{
	return change_node(c, "delete", NULL, "Deleted.");
}

static int do_revoke(struct cmd *c)
{
	char path[TEXT_MAX_LEN];

	if (!cmd_is_number(c->o->word[2]))
		return cmd_fail("\"%s\" is not the number of a key; \"warren-hub keys list\" shows them", c->o->word[2]);
	snprintf(path, sizeof(path), "/keys/%s/revoke", c->o->word[2]);
	return cmd_change(c, NULL, path, "Revoked: nothing joins with it any more. Devices that joined stay.");
}

static const struct command {
	const char *group, *verb, *args;
	size_t n_min, n_max; /* arguments after the verb */
	int (*fn)(struct cmd *c);
	const char *text;
} commands[] = {
	{ "status", NULL, "", 0, 0, do_status, "is it running, with how many devices" },
	{ "users", "list", "", 0, 0, do_users_list, "people that devices belong to" },
	{ "users", "create", "NAME", 1, 1, do_users_create, "one more" },
	{ "users", "delete", "NAME|ID", 1, 1, do_users_delete, "one without devices" },
	{ "nodes", "list", "", 0, 0, do_nodes_list, "devices" },
	{ "nodes", "pending", "", 0, 0, do_nodes_pending, "devices that wait for approval" },
	{ "nodes", "approve", "CODE|ID|NAME [--user NAME]", 1, 1, do_approve, "let in the device whose page shows CODE, or that waits" },
	{ "nodes", "rename", "ID|NAME NEW-NAME", 2, 2, do_rename, "" },
	{ "nodes", "tag", "ID|NAME [TAG...]", 1, 12, do_tag, "replaces its tags; tagged devices belong to no person" },
	{ "nodes", "expire", "ID|NAME", 1, 1, do_expire, "it has to log in again" },
	{ "nodes", "delete", "ID|NAME", 1, 1, do_delete, "" },
	{ "keys", "list", "", 0, 0, do_keys_list, "keys that devices join with" },
	{ "keys", "create", "[flags]", 0, 0, do_keys_create, "prints it, once" },
	{ "keys", "revoke", "ID", 1, 1, do_revoke, "" },
	{ "routes", "list", "", 0, 0, cmd_routes_list, "what devices offer to carry, and what of it is approved" },
	{ "routes", "approve", "ID|NAME PREFIX", 2, 2, cmd_route_approve, "also in advance" },
	{ "routes", "unapprove", "ID|NAME PREFIX", 2, 2, cmd_route_unapprove, "" },
	{ "own-prefixes", "list", "", 0, 0, cmd_own_prefixes, "of the organisation: no device should offer them by itself" },
	{ "own-prefixes", "set", "[PREFIX...] [--mode MODE]", 0, 14, cmd_own_prefixes_set, "replaces them; without any only the mode" },
	{ "own-prefixes", "clear", "", 0, 0, cmd_own_prefixes_clear, "" },
	{ "policy", "get", "", 0, 0, cmd_policy_get, "prints the one in force" },
	{ "policy", "set", "FILE [--force]", 1, 1, cmd_policy_set, "checked and tested first; - reads standard input" },
	{ "policy", "check", "FILE", 1, 1, cmd_policy_check, "would it be taken?" },
	{ "policy", "preview", "FILE", 1, 1, cmd_policy_preview, "what it would change, device by device" },
	{ "policy", "can", "SRC DST:PORT [--proto NAME]", 2, 2, cmd_policy_can, "may it reach that, and by which rule?" },
	{ "policy", "status", "", 0, 0, cmd_policy_status, "which one is in force, and how it stands with Git" },
	{ "policy", "versions", "", 0, 0, cmd_policy_versions, "those that are kept" },
	{ "policy", "show", "N", 1, 1, cmd_policy_show, "prints that version" },
	{ "policy", "diff", "N [M]", 1, 2, cmd_policy_diff, "from that version to another one, or to that in force" },
	{ "policy", "rollback", "N [--force]", 1, 1, cmd_policy_rollback, "makes that version the newest one" },
	{ "policy", "pull", "", 0, 0, cmd_policy_pull, "look into the Git repository now" },
	{ "tokens", "list", "", 0, 0, cmd_tokens_list, "of programs that use the API" },
	{ "tokens", "create", "[NAME] [--scope SCOPE]", 0, 1, cmd_tokens_create, "prints it, once" },
	{ "tokens", "revoke", "ID", 1, 1, cmd_token_revoke, "" },
	{ "login", NULL, "[--next PATH]", 0, 0, do_login, "a link that makes a browser an admin" },
};

void hub_command_help(void)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		char left[64];

		snprintf(left, sizeof(left), "%s %s %s", commands[i].group, commands[i].verb ? commands[i].verb : "",
			commands[i].args);
		printf("  %-38s %s\n", left, commands[i].text);
	}
}

static int run(const struct command *k, const struct hub_options *o)
{
	struct cmd c = { .o = o };
	int rc;

	arena_init(&c.mem, ANSWER_MEM_MAX);
	buf_init(&c.in, HUB_ANSWER_MAX);
	rc = k->fn(&c);
	buf_fini(&c.in);
	arena_fini(&c.mem);
	return rc;
}

int hub_command(const struct hub_options *o)
{
	const char *group = o->word[0], *verb = o->n_words > 1 ? o->word[1] : "list";
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const struct command *k = &commands[i];
		size_t n_args = o->n_words - MIN_OF(o->n_words, (size_t)(k->verb ? 2 : 1));

		if (strcmp(k->group, group) != 0)
			continue;
		known = true;
		if (k->verb && strcmp(k->verb, verb) != 0)
			continue;
		if (n_args < k->n_min || n_args > k->n_max) {
			cmd_fail("usage: warren-hub %s%s%s %s", k->group, k->verb ? " " : "", k->verb ? k->verb : "", k->args);
			return 2;
		}
		return run(k, o);
	}
	cmd_fail(known ? "there is no \"%s %s\"; warren-hub --help lists all commands" :
		     "there is no command \"%s\"; warren-hub --help lists all%.0s", group, verb);
	return 2;
}
