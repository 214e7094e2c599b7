#include "base/text/text.h"
#include "cli/common/common.h"

/* X-Tailscale-Reason: why, for the daemon's log; base64. */
static const char *reason_header(struct cli *c, const char *reason)
{
	size_t n = strlen(reason);
	char *b64 = arena_alloc(&c->arena, BASE64_LEN(n) + 1);

	if (!n || !b64)
		return NULL;
	base64_encode((const uint8_t *)reason, n, b64);
	return arena_printf(&c->arena, "X-Tailscale-Reason: %s\r\n", b64);
}

static int call(struct cli *c, const char *method, const char *path, struct view body, int want,
	const char *reason)
{
	const struct lclient_request q = { .method = method,
		.path = path,
		.body = body,
		.want = want,
		.headers = reason_header(c, reason) };
	struct lclient_err err;
	struct buf out;
	int rc;

	buf_init(&out, LCLIENT_ANSWER_MAX);
	rc = lclient_call(&c->api, &q, &out, &err);
	buf_fini(&out);
	cli_note_version(c);
	return rc < 0 ? cli_fail_api(c, "", rc, &err) : 0;
}

/* Who came in over the network cuts off the branch he sits on. */
static bool accepts_risk(struct cli *c, const char *accepted)
{
	const char *ssh = getenv("SSH_CLIENT");

	if (!ssh || (strncmp(ssh, "100.", 4) != 0 && strncmp(ssh, "fd7a:115c:a1e0:", 15) != 0) ||
		strstr(accepted, "lose-ssh") || strstr(accepted, "all"))
		return true;
	printf("You are connected over the network; this will end your session.\n"
	       "To skip this warning, use --accept-risk=lose-ssh\n");
	return cli_ask("Continue?", false) || cli_fail(c, "aborted, no changes made") == 0;
}

static int run_down(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_status s;
	struct lclient_err err;
	int rc;

	if (!cli_no_args(c, argc, argv) || !accepts_risk(c, flag_text(flags, "accept-risk")))
		return 1;
	rc = lclient_get(&c->api, "status", &ipn_status_type, &s, &c->arena, &err);
	if (rc < 0)
		return cli_fail_api(c, "error fetching current status: ", rc, &err);
	if (strcmp(cli_text_or(s.backend_state, ""), "Stopped") == 0) {
		fprintf(stderr, "Warren was already stopped.\n");
		return 0;
	}
	return call(c, "PATCH", "prefs",
		VIEW_LIT("{\"WantRunning\":false,\"WantRunningSet\":true}"), 200,
		flag_text(flags, "reason"));
}

static int run_logout(struct cli *c, struct flag *flags, int argc, char **argv)
{
	if (!cli_no_args(c, argc, argv))
		return 1;
	return call(c, "POST", "logout", view_of("", 0), 204, flag_text(flags, "reason"));
}

static struct flag down_flags[] = {
	{ .name = "accept-risk",
		.kind = FLAG_TEXT,
		.help = "do it without asking, though it may cut off your access: lose-ssh, all" },
	{ .name = "reason", .kind = FLAG_TEXT, .help = "why, for the log" },
	{ .name = NULL },
};
static struct flag logout_flags[] = {
	{ .name = "reason", .kind = FLAG_TEXT, .help = "why, for the log" },
	{ .name = NULL },
};

const struct cli_cmd cli_down = {
	.name = "down",
	.run = run_down,
	.usage = "down",
	.help = "Disconnect, staying logged in",
	.flags = down_flags,
};

const struct cli_cmd cli_logout = {
	.name = "logout",
	.run = run_logout,
	.usage = "logout",
	.help = "Disconnect and expire this device's key",
	.more = "The next \"warren up\" has to log in anew.",
	.flags = logout_flags,
};
