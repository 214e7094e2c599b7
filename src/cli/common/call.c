/* Calls to the daemon, and what is said when one fails. */
#include "cli/common/common.h"

#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

/* ---- errors ---- */

int cli_fail(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return 1;
}

static void print_command(const struct cli *c)
{
	for (int i = 1; i < c->argc; i++)
		fprintf(stderr, " %s", c->argv[i]);
}

int cli_fail_api(const struct cli *c, const char *before, int rc, const struct lclient_err *err)
{
	fflush(stdout);
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		fprintf(stderr,
			"failed to connect to local warrend; it doesn't appear to be running\n"
			"(nobody answers at %s)\nStart it with 'sudo systemctl start warrend' or 'sudo warrend &'.\n",
			c->api.socket);
		return 1;
	}
	if (rc == -ETIMEDOUT) {
		fprintf(stderr, "%swarrend at %s does not answer in time\n", before, c->api.socket);
		return 1;
	}
	fprintf(stderr, "%s%s\n", before, err->text[0] ? err->text : err_text(rc));
	if ((rc == -ERR_DENIED || rc == -EACCES) && geteuid() != 0) {
		fputs("\nUse 'sudo warren", stderr);
		print_command(c);
		fputs("'.\nTo not require root, use 'sudo warren set --operator=$USER' once.\n",
			stderr);
	}
	return 1;
}

bool cli_no_args(const struct cli *c, int argc, char **argv)
{
	if (!argc)
		return true;
	fputs("too many non-flag arguments: [", stderr);
	for (int i = 0; i < argc; i++)
		fprintf(stderr, "%s\"%s\"", i ? " " : "", argv[i]);
	fputs("]\n", stderr);
	return false;
}

/* ---- calls ---- */

void cli_note_version(struct cli *c)
{
	if (c->warned_of_version || !c->api.server_version[0] ||
		strcmp(c->api.server_version, WARREN_VERSION) == 0)
		return;
	c->warned_of_version = true;
	fprintf(stderr, "Warning: client version \"%s\" != warrend server version \"%s\"\n",
		WARREN_VERSION, c->api.server_version);
}

bool cli_get_doc(struct cli *c, const char *path, const struct json_type *t, void *ret)
{
	struct lclient_err err;
	int rc = lclient_get(&c->api, path, t, ret, &c->arena, &err);

	cli_note_version(c);
	if (rc < 0)
		cli_fail_api(c, "", rc, &err);
	return rc == 0;
}

bool cli_get_status(struct cli *c, bool peers, struct ipn_status *ret)
{
	if (!cli_get_doc(c, peers ? "status" : "status?peers=false", &ipn_status_type, ret))
		return false;
	if (!ret->self)
		ret->self = arena_new(&c->arena, struct ipn_peer_status);
	return ret->self != NULL;
}

bool cli_post(struct cli *c, const char *method, const char *path, const struct buf *body, int want,
	struct buf *out)
{
	const struct lclient_request q = { .method = method,
		.path = path,
		.want = want,
		.body = body ? buf_view(body) : view_of("", 0),
		.headers = body ? "Content-Type: application/json\r\n" : NULL };
	struct lclient_err err;
	struct buf dropped;
	int rc;

	buf_init(&dropped, LCLIENT_ANSWER_MAX);
	rc = lclient_call(&c->api, &q, out ? out : &dropped, &err);
	buf_fini(&dropped);
	cli_note_version(c);
	if (rc < 0)
		cli_fail_api(c, "", rc, &err);
	return rc == 0;
}

bool cli_edit_prefs(struct cli *c, const struct ipn_masked_prefs *edit)
{
	struct buf body;
	bool ok;

	buf_init(&body, 1 << 20);
	ok = json_encode(&ipn_masked_prefs_type, edit, &body) == 0
		     ? cli_post(c, "PATCH", "prefs", &body, 200, NULL)
		     : cli_fail(c, "the settings are too long") == 0;
	buf_fini(&body);
	return ok;
}

bool cli_print_json(struct cli *c, const char *path, const char *indent, const char *end)
{
	struct buf body, laid_out, plain;
	bool ok;

	buf_init(&body, LCLIENT_ANSWER_MAX);
	buf_init(&laid_out, LCLIENT_ANSWER_MAX);
	buf_init(&plain, 2 * LCLIENT_ANSWER_MAX);
	ok = cli_post(c, "GET", path, NULL, 200, &body);
	if (ok && ((indent && json_indent(buf_view(&body), "", indent, &laid_out) < 0) ||
			  json_escape_hidden(buf_view(indent ? &laid_out : &body), &plain) < 0))
		ok = cli_fail(c, "the answer is too long") == 0;
	if (ok && buf_len(&plain))
		fwrite(buf_data(&plain), 1, buf_len(&plain), stdout);
	if (ok)
		fputs(end, stdout);
	buf_fini(&plain);
	buf_fini(&laid_out);
	buf_fini(&body);
	return ok;
}
