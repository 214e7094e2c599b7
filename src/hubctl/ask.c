/* One request to the hub and its answer, and what is said when that fails. */
#include "base/text/text.h"
#include "hubctl/internal.h"
#include "http/client/unix.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { REQUEST_MAX = 4 * COORD_POLICY_TEXT_MAX, TEXT_MAX_LEN = 512 };

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

static int say_unreachable(const char *socket, int rc)
{
	if (rc == -EACCES || rc == -EPERM)
		return cmd_fail(
			"%s: %s; run this as root or as the user of the hub", socket, err_text(rc));
	return cmd_fail(
		"cannot reach a hub at %s: %s; is \"warren-hub serve\" running? --socket names another file",
		socket, err_text(rc));
}

bool cmd_decode(struct cmd *c, const struct json_type *t, void *ret)
{
	if (json_decode(t, c->body.p, c->body.len, ret, &c->mem, NULL) < 0)
		return false;
	json_make_plain(t, ret);
	return true;
}

static void print_plain(struct view json)
{
	struct buf plain;

	buf_init(&plain, 2 * ADMIN_ANSWER_MAX);
	if (json_escape_hidden(json, &plain) == 0 && buf_len(&plain))
		fwrite(buf_data(&plain), 1, buf_len(&plain), stdout);
	buf_fini(&plain);
	putchar('\n');
}

void cmd_print_json(const struct cmd *c)
{
	print_plain(c->body);
}

int cmd_print_doc(const struct json_type *t, const void *doc)
{
	struct buf out;
	int rc;

	buf_init(&out, ADMIN_ANSWER_MAX);
	rc = json_encode(t, doc, &out);
	if (rc == 0)
		print_plain(view_of(buf_data(&out), buf_len(&out)));
	buf_fini(&out);
	return rc < 0 ? cmd_fail("%s", err_text(rc)) : 0;
}

/* The hub's own words, if it gave some. */
static int say_error(struct cmd *c)
{
	struct admin_error e;

	if (!cmd_decode(c, &admin_error_type, &e) || !e.error)
		return cmd_fail("the hub answered %d: %.*s", c->status,
			(int)MIN_OF(c->body.len, (size_t)200), (const char *)c->body.p);
	if (!c->file || !(e.line || e.failures.n))
		return cmd_fail("%s", e.error);
	if (e.line)
		fprintf(stderr, "%s:%lld:%lld: %s\n", c->file, (long long)e.line,
			(long long)e.column, e.error);
	else
		cmd_fail("%s", e.error);
	for (size_t i = 0; i < e.failures.n; i++) {
		const struct admin_failure *f = JSON_AT(e.failures, struct admin_failure, i);

		fprintf(stderr, "%s:%lld:%lld: %s%s: %s\n", c->file, (long long)f->line,
			(long long)f->column, f->ssh ? "ssh " : "", f->src, f->text);
	}
	return 1;
}

const char *cmd_author(struct cmd *c)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *p = getpwuid(getuid());

	return sudo && *sudo ? sudo : p ? arena_strdup(&c->mem, p->pw_name) : "admin";
}

/* One request on a connection of its own; the answer's body goes behind what is in c->in. */
static int exchange(struct cmd *c, struct http_unix *h, struct view request)
{
	size_t before = buf_len(&c->in);
	int rc = http_unix_send(h, request);

	if (rc == 0)
		rc = http_unix_read_head(h, 0);
	if (rc < 0)
		return rc;
	c->status = h->head.status;
	buf_consume(&h->in, (size_t)rc);
	rc = http_unix_read_all(h, &c->in);
	c->body = view_of(buf_data(&c->in) + before, buf_len(&c->in) - before);
	return rc;
}

static int put_request(struct cmd *c, const char *method, const char *path,
	const struct admin_request *req, struct buf *out)
{
	struct admin_request with_author;
	struct buf body;
	int rc = 0;

	buf_init(&body, REQUEST_MAX);
	if (req) {
		with_author = *req;
		if (!with_author.author)
			with_author.author = cmd_author(c);
		rc = json_encode(&admin_request_type, &with_author, &body);
	}
	if (rc == 0)
		rc = buf_printf(out,
			"%s %s HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
			method, path, buf_len(&body));
	if (rc == 0)
		rc = buf_append(out, buf_data(&body), buf_len(&body));
	buf_fini(&body);
	return rc;
}

int cmd_ask(struct cmd *c, const char *method, const char *path, const struct admin_request *req)
{
	struct http_unix h;
	struct buf out;
	int rc = http_unix_open(&h, c->o->socket, ADMIN_ANSWER_MAX, 0);

	if (rc < 0) {
		http_unix_close(&h);
		return say_unreachable(c->o->socket, rc);
	}
	buf_init(&out, 2 * REQUEST_MAX);
	rc = put_request(c, method, path, req, &out);
	if (rc == 0)
		rc = exchange(c, &h, buf_view(&out));
	buf_fini(&out);
	http_unix_close(&h);
	if (rc < 0)
		return cmd_fail("the hub's answer: %s", err_text(rc));
	return c->status == 200 ? 0 : say_error(c);
}

/* Decodes the answer. Prints it as it came for --json: *ret_done. */
int cmd_answer(struct cmd *c, const struct json_type *t, void *doc, bool *ret_done)
{
	*ret_done = c->o->json;
	if (c->o->json) {
		cmd_print_json(c);
		return 0;
	}
	if (!cmd_decode(c, t, doc))
		return cmd_fail("the hub's answer is not understood: is it of another version?");
	return 0;
}

/* Changes whose answer is short: said in a sentence, or as the hub answered with --json. */
int cmd_change(struct cmd *c, const struct admin_request *req, const char *path, const char *said)
{
	static const struct admin_request none;
	int rc = cmd_ask(c, "POST", path, req ? req : &none);

	if (rc == 0 && c->o->json)
		cmd_print_json(c);
	else if (rc == 0)
		printf("%s\n", said);
	return rc;
}
