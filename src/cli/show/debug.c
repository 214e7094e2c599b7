/* For those who look closer: not a stable interface. */
#include "base/text/text.h"
#include "cli/common/common.h"

#include <time.h>

static int run_prefs(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return !cli_print_json(c, "prefs", "\t", "\n");
}

static int run_derp_map(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return !cli_print_json(c, "derpmap", "\t", "\n");
}

static int run_metrics(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return !cli_print_json(c, "metrics", NULL, "");
}

static int run_filter_rules(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return !cli_print_json(c, "debug-packet-filter-rules", "\t", "\n");
}

/* An action that answers JSON, or "done", which is not worth a line. */
static int action(struct cli *c, const char *name, bool show)
{
	struct buf out, text;
	bool ok;

	buf_init(&out, LCLIENT_ANSWER_MAX);
	buf_init(&text, LCLIENT_ANSWER_MAX);
	ok = cli_post(c, "POST", arena_printf(&c->arena, "debug?action=%s", name), NULL, 200, &out);
	if (ok && show && json_indent(buf_view(&out), "", "\t", &text) == 0)
		printf("%s\n", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&out);
	return !ok;
}

static int run_netmap(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return action(c, "current-netmap", true);
}

static int run_rebind(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return action(c, "rebind", false);
}

static int run_restun(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return action(c, "restun", false);
}

static int run_break_derp(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return action(c, "break-derp-conns", false);
}

static int run_statedir(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct buf out;
	const char *dir = NULL;
	struct arena a;
	bool ok;

	buf_init(&out, 65536);
	arena_init(&a, 65536 * 4);
	ok = cli_post(c, "POST", "debug?action=statedir", NULL, 200, &out) &&
	     json_decode_first(&json_str, buf_data(&out), buf_len(&out), &dir, &a, NULL) == 0;
	if (ok)
		printf("%s\n", cli_text_or(dir, ""));
	arena_fini(&a);
	buf_fini(&out);
	return !ok;
}

static int run_local_creds(struct cli *c, struct flag *flags, int argc, char **argv)
{
	printf("curl --unix-socket %s http://local-tailscaled.sock/localapi/v0/status\n",
		c->api.socket);
	return 0;
}

/* ---- localapi [METHOD] PATH [BODY|-] ---- */

static bool read_stdin(struct buf *to)
{
	char mem[4096];
	size_t n;

	while ((n = fread(mem, 1, sizeof(mem), stdin)) > 0)
		if (buf_append(to, mem, n) < 0)
			return false;
	return !ferror(stdin);
}

static int run_localapi(struct cli *c, struct flag *flags, int argc, char **argv)
{
	static const char prefix[] = "/localapi/v0/";
	struct lclient_request q = { .method = "GET" };
	struct lclient_err err;
	struct buf body, out;
	int rc;

	if (argc && strspn(argv[0], "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(argv[0])) {
		q.method = argv[0];
		argc--;
		argv++;
	}
	if (argc < 1 || argc > 2 || strpbrk(argv[0], " \r\n"))
		return cli_fail(c, "usage: warren debug localapi [METHOD] PATH [BODY|-]");
	q.path = strncmp(argv[0], prefix, sizeof(prefix) - 1) == 0 ? argv[0] + sizeof(prefix) - 1
								   : argv[0];
	buf_init(&body, 1 << 20);
	buf_init(&out, LCLIENT_ANSWER_MAX);
	if (argc == 2 && !(strcmp(argv[1], "-") == 0 ? read_stdin(&body)
						     : buf_append_str(&body, argv[1]) == 0))
		cli_fail(c, "the body is too long or cannot be read");
	q.body = buf_view(&body);
	fprintf(stderr, "# doing request %s %s%s\n", q.method, prefix, q.path);
	rc = lclient_call(&c->api, &q, &out, &err);
	cli_note_version(c);
	if (flag_on(flags, "v") || err.status / 100 != 2)
		fprintf(stderr, "# Response status %d\n", err.status);
	fwrite(buf_data(&out), 1, buf_len(&out), stdout);
	/* Other kinds of success than 200 are fine here. */
	if (rc < 0 && err.status / 100 != 2)
		cli_fail_api(c, "", rc, &err);
	buf_fini(&out);
	buf_fini(&body);
	return rc < 0 && err.status / 100 != 2;
}

/* ---- watch-ipn ---- */

static int run_watch(struct cli *c, struct flag *flags, int argc, char **argv)
{
	uint64_t mask = IPN_WATCH_PEER_CHANGES | IPN_WATCH_NO_NETMAP | IPN_WATCH_PEER_PATCHES;
	struct lclient_request q = { .method = "GET" };
	struct lclient_err err;
	struct lclient_stream *s;
	struct view line;
	int64_t count = flag_n(flags, "count");
	int rc;

	if (flag_on(flags, "initial"))
		mask |= IPN_WATCH_INITIAL_STATE | IPN_WATCH_INITIAL_PREFS |
			IPN_WATCH_INITIAL_STATUS;
	if (flag_on(flags, "engine"))
		mask |= IPN_WATCH_ENGINE;
	q.path = arena_printf(&c->arena, "watch-ipn-bus?mask=%llu", (unsigned long long)mask);
	rc = lclient_stream_open(&c->api, &q, &s, &err);
	cli_note_version(c);
	if (rc < 0)
		return cli_fail_api(c, "", rc, &err);
	fprintf(stderr, "Connected.\n");
	for (int64_t i = 0; rc == 0 && (!count || i < count); i++) {
		struct buf text;

		rc = lclient_stream_next(s, -1, &line);
		buf_init(&text, LCLIENT_ANSWER_MAX);
		if (rc == 0 && json_indent(line, "", "\t", &text) == 0)
			printf("%s\n", buf_cstr(&text));
		fflush(stdout);
		buf_fini(&text);
	}
	lclient_stream_close(s);
	return rc == 0 ? 0 : cli_fail(c, "the bus ended: %s", err_text(rc));
}

/* ---- set-expire, via ---- */

static int run_set_expire(struct cli *c, struct flag *flags, int argc, char **argv)
{
	int64_t in = flag_n(flags, "in");

	if (in <= 0)
		return cli_fail(c, "--in must be a positive duration");
	return !cli_post(c, "POST",
		arena_printf(&c->arena, "set-expiry-sooner?expiry=%lld",
			(long long)time(NULL) + in / SEC(1)),
		NULL, 200, NULL);
}

/* 4via6: fd7a:115c:a1e0:b1a:0:SITE:IPv4. */
static int run_via(struct cli *c, struct flag *flags, int argc, char **argv)
{
	static const uint8_t head[8] = { 0xfd, 0x7a, 0x11, 0x5c, 0xa1, 0xe0, 0x0b, 0x1a };
	char text[IPPREFIX_TEXT_MAX];
	struct ipprefix p, out = { .ip = { .family = 6 } };
	uint64_t site;

	if (argc != 2)
		return cli_fail(c, "usage: warren debug via <site-id> <v4-cidr>");
	if (text_u64(argv[0], strlen(argv[0]), 0xffff, &site) < 0)
		return cli_fail(c, "site-id \"%s\" is not a number up to 65535", argv[0]);
	if (ipprefix_parse(argv[1], strlen(argv[1]), &p) < 0 || p.ip.family != 4)
		return cli_fail(c, "\"%s\" is not an IPv4 prefix", argv[1]);
	memcpy(out.ip.b, head, sizeof(head));
	store_be32(out.ip.b + 8, (uint32_t)site);
	memcpy(out.ip.b + 12, p.ip.b, 4);
	out.bits = (uint8_t)(96 + p.bits);
	printf("%s\n", ipprefix_format(ipprefix_masked(out), text));
	return 0;
}

static struct flag localapi_flags[] = {
	{ .name = "v", .kind = FLAG_BOOL, .help = "show the status, too" },
	{ .name = NULL },
};
static struct flag watch_flags[] = {
	{ .name = "count", .kind = FLAG_INT, .def = "0", .help = "end after so many messages" },
	{ .name = "engine", .kind = FLAG_BOOL, .help = "with the engine's counters" },
	{ .name = "initial", .kind = FLAG_BOOL, .help = "begin with the state of now" },
	{ .name = NULL },
};
static struct flag expire_flags[] = {
	{ .name = "in", .kind = FLAG_DURATION, .def = "0s", .help = "from now" },
	{ .name = NULL },
};

static const struct cli_cmd sub[] = {
	{ .name = "derp-map",
		.run = run_derp_map,
		.usage = "debug derp-map",
		.help = "Print the relay map" },
	{ .name = "filter-rules",
		.run = run_filter_rules,
		.usage = "debug filter-rules",
		.help = "Print the packet filter's rules" },
	{ .name = "local-creds",
		.run = run_local_creds,
		.usage = "debug local-creds",
		.help = "Print how to call the local API" },
	{ .name = "localapi",
		.run = run_localapi,
		.usage = "debug localapi [-v] [METHOD] PATH [BODY|-]",
		.help = "Call the local API",
		.flags = localapi_flags },
	{ .name = "metrics",
		.run = run_metrics,
		.usage = "debug metrics",
		.help = "Print the daemon's counters" },
	{ .name = "netmap",
		.run = run_netmap,
		.usage = "debug netmap",
		.help = "Print the network map" },
	{ .name = "prefs",
		.run = run_prefs,
		.usage = "debug prefs",
		.help = "Print the preferences" },
	{ .name = "rebind",
		.run = run_rebind,
		.usage = "debug rebind",
		.help = "Open the UDP sockets anew" },
	{ .name = "restun",
		.run = run_restun,
		.usage = "debug restun",
		.help = "Find the own public addresses anew" },
	{ .name = "break-derp-conns",
		.run = run_break_derp,
		.usage = "debug break-derp-conns",
		.help = "Drop the connections to relays" },
	{ .name = "set-expire",
		.run = run_set_expire,
		.usage = "debug set-expire --in=D",
		.help = "Let the key expire sooner",
		.flags = expire_flags },
	{ .name = "statedir",
		.run = run_statedir,
		.usage = "debug statedir",
		.help = "Print where the daemon keeps its state" },
	{ .name = "via",
		.run = run_via,
		.usage = "debug via <site-id> <v4-cidr>",
		.help = "The IPv6 route of an IPv4 subnet of a site" },
	{ .name = "watch-ipn",
		.run = run_watch,
		.usage = "debug watch-ipn [--initial] [--count=N]",
		.help = "Watch what the daemon tells",
		.flags = watch_flags },
	{ .name = NULL },
};

const struct cli_cmd cli_debug = {
	.name = "debug",
	.usage = "debug <subcommand>",
	.help = "Look closer; not a stable interface",
	.sub = sub,
	.hidden = true,
};
