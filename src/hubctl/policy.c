#include "base/text/text.h"
#include "hubctl/internal.h"
#include "hubctl/diff.h"
#include "os/file/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATH_LEN_MAX = 64 };

int cmd_read_stdin(struct buf *b)
{
	uint8_t chunk[16384];
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read(STDIN_FILENO, chunk, sizeof(chunk))) != 0)
		rc = n < 0 ? -errno : buf_append(b, chunk, (size_t)n);
	return rc;
}

/* The file that the command names, into the request; its name for messages. */
static int take_file(struct cmd *c, struct admin_request *req)
{
	const char *name = c->o->word[2];
	struct buf b;
	int rc;

	buf_init(&b, COORD_POLICY_TEXT_MAX);
	rc = strcmp(name, "-") != 0 ? file_read(name, &b) : cmd_read_stdin(&b);
	if (rc == 0 &&
		(memchr(buf_data(&b), 0, buf_len(&b)) || !text_is_utf8(buf_data(&b), buf_len(&b))))
		rc = -ERR_BAD_FORMAT;
	if (rc == 0)
		req->policy = arena_strndup(&c->mem, buf_data(&b), buf_len(&b));
	buf_fini(&b);
	c->file = strcmp(name, "-") != 0 ? name : "standard input";
	if (rc < 0)
		return cmd_fail("%s: %s", c->file,
			rc == -ERR_BAD_FORMAT ? "this is not text in UTF-8"
			: rc == -ERR_TOO_BIG  ? "a policy has at most 2 MiB"
					      : err_text(rc));
	return req->policy ? 0 : cmd_fail("out of memory");
}

static int fetch(struct cmd *c, const char *path, struct admin_policy *ret)
{
	int rc = cmd_ask(c, "GET", path, NULL);

	if (rc)
		return rc;
	if (json_decode(&admin_policy_type, c->body.p, c->body.len, ret, &c->mem, NULL) < 0)
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	if (!ret->policy)
		ret->policy = "";
	return 0;
}

static int print_policy(struct cmd *c, const char *path)
{
	struct admin_policy p;
	int rc = fetch(c, path, &p);

	if (rc)
		return rc;
	if (c->o->json)
		cmd_print_json(c);
	else
		term_document(stdout, p.policy, strlen(p.policy));
	return 0;
}

static int version_path(const char *word, const char *verb, char out[static PATH_LEN_MAX])
{
	if (!cmd_is_number(word))
		return cmd_fail(
			"\"%s\" is not the number of a version; \"warren-hub policy versions\" shows them",
			word);
	snprintf(out, PATH_LEN_MAX, "/policy/versions/%.20s%s", word, verb);
	return 0;
}

int cmd_policy_get(struct cmd *c)
{
	return print_policy(c, "/policy");
}

int cmd_policy_show(struct cmd *c)
{
	char path[PATH_LEN_MAX];
	int rc = version_path(c->o->word[2], "", path);

	return rc ? rc : print_policy(c, path);
}

/* Says which version is in force now. */
static int say_set(struct cmd *c, int rc)
{
	struct admin_policy p;
	bool done;

	if (rc == 0)
		rc = cmd_answer(c, &admin_policy_type, &p, &done);
	if (rc || done)
		return rc;
	printf("In force: version %lld.\n", (long long)p.version);
	return 0;
}

int cmd_policy_set(struct cmd *c)
{
	struct admin_request req = { .author = cmd_author(c), .force = c->o->force };
	int rc = take_file(c, &req);

	return rc ? rc : say_set(c, cmd_ask(c, "POST", "/policy", &req));
}

int cmd_policy_rollback(struct cmd *c)
{
	struct admin_request req = { .author = cmd_author(c), .force = c->o->force };
	char path[PATH_LEN_MAX];
	int rc = version_path(c->o->word[2], "/restore", path);

	c->file = "the policy"; /* a version can be at fault today: a user of its may be gone */
	return rc ? rc : say_set(c, cmd_ask(c, "POST", path, &req));
}

int cmd_policy_check(struct cmd *c)
{
	struct admin_request req = { 0 };
	int rc = take_file(c, &req);

	return rc ? rc : cmd_change(c, &req, "/policy/check", "Good: it would be taken.");
}

int cmd_policy_preview(struct cmd *c)
{
	struct admin_request req = { 0 };
	struct json_list l;
	struct table t;
	bool done;
	int rc = take_file(c, &req);

	if (rc == 0)
		rc = cmd_ask(c, "POST", "/policy/preview", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_change_list, &l, &done);
	if (rc || done)
		return rc;
	if (!l.n) {
		printf("Nothing changes for any device.\n");
		return 0;
	}
	HEAD(&t, c, "DEVICE", "NAME", "PEERS GAINED", "PEERS LOST", "FILTER", "SSH");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_change *ch = JSON_AT(l, struct admin_change, i);

		rc = TABLE_ROW(&t, cmd_number(c, ch->node), ch->name, cmd_number(c, ch->gained),
			cmd_number(c, ch->lost), ch->filter ? "changes" : "-",
			ch->ssh ? "changes" : "-");
	}
	return cmd_print(&t, rc);
}

int cmd_policy_versions(struct cmd *c)
{
	struct json_list l;
	struct table t;
	bool done;
	int rc = cmd_ask(c, "GET", "/policy/versions", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_policy_list, &l, &done);
	if (rc || done)
		return rc;
	HEAD(&t, c, "VERSION", "STATE", "SET", "BY", "BYTES");
	for (size_t i = 0; i < l.n && rc == 0; i++) {
		const struct admin_policy *p = JSON_AT(l, struct admin_policy, i);

		rc = TABLE_ROW(&t, cmd_number(c, p->version), p->current ? "in force" : "-",
			cmd_time(c, p->created), p->author ? p->author : "-",
			cmd_number(c, p->size));
	}
	return cmd_print(&t, rc);
}

/* A version's text and what to call it. word NULL: the one in force. */
static int fetch_version(
	struct cmd *c, const char *word, struct admin_policy *ret, const char **ret_name)
{
	char path[PATH_LEN_MAX] = "/policy";
	int rc = word ? version_path(word, "", path) : 0;

	buf_clear(&c->in);
	if (rc == 0)
		rc = fetch(c, path, ret);
	if (rc)
		return rc;
	*ret_name = arena_printf(
		&c->mem, "version %lld\t%s", (long long)ret->version, cmd_time(c, ret->created));
	return *ret_name ? 0 : cmd_fail("out of memory");
}

int cmd_policy_diff(struct cmd *c)
{
	struct admin_policy a, b;
	const char *a_name, *b_name;
	struct buf out;
	int rc = fetch_version(c, c->o->word[2], &a, &a_name);

	if (rc == 0)
		rc = fetch_version(c, c->o->n_words > 3 ? c->o->word[3] : NULL, &b, &b_name);
	if (rc)
		return rc;
	buf_init(&out, 8 * COORD_POLICY_TEXT_MAX);
	rc = diff_unified(view_of(a.policy, strlen(a.policy)), a_name,
		view_of(b.policy, strlen(b.policy)), b_name, &out);
	if (rc == 0)
		term_document(stdout, buf_data(&out), buf_len(&out));
	buf_fini(&out);
	return rc < 0 ? cmd_fail("%s", err_text(rc)) : 0;
}

static void print_git(struct cmd *c, const struct admin_git *g)
{
	static const struct {
		const char *state, *text;
	} said[] = { { "waiting", "is being read for the first time" },
		{ "applied", "is in force" },
		{ "refused", "is REFUSED; the policy before stays in force" },
		{ "overridden",
			"is not in force: another policy was forced, and stays until the head moves" },
		{ "unreachable", "is not known: the repository CANNOT BE READ" } };
	const char *text = g->state;

	for (size_t i = 0; i < ARRAY_LEN(said); i++)
		text = !strcmp(g->state, said[i].state) ? said[i].text : text;
	printf("Git       %s, branch %s, file %s; read %s\n", g->url, g->branch, g->path,
		cmd_time(c, g->read));
	printf("Head      %.12s %s\n", g->commit && *g->commit ? g->commit : "", text);
	if (g->commit && *g->commit)
		printf("          by %s: %s\n", g->author ? g->author : "-",
			g->subject ? g->subject : "-");
	if (g->reason && *g->reason)
		printf("Reason    %s\n", g->reason);
}

int cmd_policy_status(struct cmd *c)
{
	struct admin_policy_status s;
	bool done;
	int rc = cmd_ask(c, "GET", "/policy/status", NULL);

	if (rc == 0)
		rc = cmd_answer(c, &admin_policy_status_type, &s, &done);
	if (rc || done)
		return rc;
	if (s.version)
		printf("Policy    version %lld, set %s by %s\n", (long long)s.version,
			cmd_time(c, s.created), s.author ? s.author : "-");
	else
		printf("Policy    none: all devices may reach all others\n");
	printf("Rules     %lld, for %lld device%s of %lld kind%s\n", (long long)s.rules,
		(long long)s.nodes, s.nodes == 1 ? "" : "s", (long long)s.classes,
		s.classes == 1 ? "" : "s");
	if (s.git)
		print_git(c, s.git);
	return 0;
}

int cmd_policy_pull(struct cmd *c)
{
	static const struct admin_request none;

	return cmd_change(c, &none, "/policy/pull",
		"Looking; \"warren-hub policy status\" tells what came of it.");
}

static int proto_number(const char *name, int64_t *ret)
{
	static const struct {
		const char *name;
		int number;
	} names[] = { { "tcp", 6 }, { "udp", 17 }, { "icmp", 1 }, { "icmpv6", 58 },
		{ "ipv6-icmp", 58 }, { "igmp", 2 }, { "sctp", 132 }, { "gre", 47 }, { "esp", 50 },
		{ "ah", 51 } };
	uint64_t n;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i].name, name) != 0)
			continue;
		*ret = names[i].number;
		return 0;
	}
	if (text_u64(name, strlen(name), 255, &n) < 0)
		return cmd_fail(
			"--proto %s is no protocol: tcp, udp, icmp, sctp, gre, esp, ah, or a number up to 255",
			name);
	*ret = (int64_t)n;
	return 0;
}

/* "printer:22", "100.64.0.7:22", "[fd7a::7]:22" */
static int split_target(struct cmd *c, const char *word, struct admin_request *req)
{
	const char *colon = strrchr(word, ':');
	size_t len = colon ? (size_t)(colon - word) : 0;
	uint64_t port;

	if (!len || text_u64(colon + 1, strlen(colon + 1), 65535, &port) < 0)
		return cmd_fail(
			"\"%s\": write the destination as NAME:PORT, tag:NAME:PORT, USER@:PORT, 100.64.0.7:PORT or [fd7a::7]:PORT; port 0 where there are none",
			word);
	if (word[0] == '[' && word[len - 1] == ']')
		word++, len -= 2;
	req->dst = arena_strndup(&c->mem, word, len);
	req->port = (int64_t)port;
	return req->dst ? 0 : cmd_fail("out of memory");
}

int cmd_policy_can(struct cmd *c)
{
	struct admin_request req = { .src = c->o->word[2], .proto = 6 };
	struct admin_reach r;
	bool done;
	int rc = split_target(c, c->o->word[3], &req);

	if (rc == 0 && c->o->proto)
		rc = proto_number(c->o->proto, &req.proto);
	if (rc == 0)
		rc = cmd_ask(c, "POST", "/policy/can", &req);
	if (rc == 0)
		rc = cmd_answer(c, &admin_reach_type, &r, &done);
	if (rc || done)
		return rc;
	if (r.pairs_allowed && !r.allowed)
		printf("Not all: of %s of devices %lld may; %s may not reach %s.\n",
			cmd_count(c, r.pairs, "pair"), (long long)r.pairs_allowed,
			r.denied_src ? r.denied_src : c->o->word[2],
			r.denied_dst ? r.denied_dst : "all");
	else if (!r.allowed)
		printf("No: no rule allows it.\n");
	else if (!r.line)
		printf("Yes: there is no policy, all is allowed.\n");
	else
		printf("Yes: by %s, line %lld.\n", r.rule ? r.rule : "a rule", (long long)r.line);
	return 0;
}
