/* Dispatch: which command, its flags, its help. */
#include "base/err/err.h"
#include "base/text/near.h"
#include "base/text/plain.h"
#include "cli/cli.h"
#include "cli/common/common.h"
#include "cli/complete.h"
#include "cli/unbuilt.h"

#include <unistd.h>

#define OUR_SOCKET "/var/run/warren/warrend.sock"
#define THEIR_SOCKET "/var/run/tailscale/tailscaled.sock"
enum { MEMORY_MAX = 1 << 30 };

static struct flag global_flags[] = {
	{ .name = "socket",
		.kind = FLAG_TEXT,
		.help = "path to the socket of warrend or tailscaled" },
	{ .name = NULL },
};

static const struct cli_cmd *const commands[] = { &cli_up, &cli_down, &cli_set, &cli_get,
	&cli_login, &cli_logout, &cli_switch, &cli_netcheck, &cli_ip, &cli_dns, &cli_status,
	&cli_metrics, &cli_ping, &cli_nc, &cli_version, &cli_bugreport, &cli_exit_node, &cli_routes,
	&cli_whois, &cli_whoami, &cli_debug, &cli_wait, &cli_completion };

static struct flag no_flags[] = { { .name = NULL } };

static const struct cli_cmd *find_sub(const struct cli_cmd *cmd, const char *name)
{
	for (const struct cli_cmd *s = cmd->sub; s && s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

/* "warren dns: missing subcommand: status, query" */
static int missing_sub(const struct cli *c, const struct cli_cmd *cmd, const char *path)
{
	fprintf(stderr, "%s: missing subcommand:", path);
	for (const struct cli_cmd *s = cmd->sub; s->name; s++)
		if (!s->hidden)
			fprintf(stderr, "%s %s", s == cmd->sub ? "" : ",", s->name);
	fputc('\n', stderr);
	return 1;
}

/* ---- What there is not ---- */

static int not_built(const char *what, const char *meanwhile)
{
	fprintf(stderr, "%s: not built yet.%s%s\n", what, *meanwhile ? " " : "", meanwhile);
	return 1;
}

static void consider(const char *word, size_t len, const char *name, int *best, const char **ret)
{
	int k = near_distance(word, len, name);

	if (k >= *best)
		return;
	*best = k;
	*ret = name;
}

/* path: "warren" or "warren dns". */
static int unknown_sub(struct cli *c, const struct cli_cmd *cmd, const char *path, const char *word)
{
	const char *below = strchr(path, ' '), *name, *meant = NULL, *meanwhile;
	int best = NEAR_FAR;

	meanwhile =
		unbuilt_command(below ? arena_printf(&c->arena, "%s %s", below + 1, word) : word);
	if (meanwhile)
		return not_built(arena_printf(&c->arena, "%s %s", path, word), meanwhile);
	fprintf(stderr, "%s: unknown subcommand: %s\n", path, word);
	for (const struct cli_cmd *s = cmd->sub; s->name; s++)
		consider(word, strlen(word), s->name, &best, &meant);
	for (size_t i = 0; !below && (name = unbuilt_name(i)); i++)
		consider(word, strlen(word), name, &best, &meant);
	if (meant)
		fprintf(stderr, "Did you mean \"%s %s\"?\n", path, meant);
	return 1;
}

static int bad_flags(struct cli *c, const struct cli_cmd *shown, const char *path,
	const char *usage, const struct flags_error *err)
{
	const char *meanwhile, *below = strchr(path, ' ');
	char text[600];

	if (err->fault == FLAGS_UNKNOWN) {
		meanwhile = below ? unbuilt_flag(below + 1, err->name, err->name_len) : NULL;
		if (meanwhile)
			return not_built(arena_printf(&c->arena, "%s --%.*s", path,
						 (int)err->name_len, err->name),
				meanwhile);
	}
	flags_explain_go(err, text, sizeof(text));
	fprintf(stderr, "%s\n", text);
	if (err->fault == FLAGS_UNKNOWN && err->meant)
		fprintf(stderr, "Did you mean --%s? \"%s --help\" lists the flags.\n", err->meant,
			path);
	else
		cli_usage(shown, usage, stderr);
	return 2;
}

/* path: "warren dns". argv: behind the name. */
static int run(struct cli *c, const struct cli_cmd *cmd, const char *path, int argc, char **argv)
{
	struct flag *flags = cmd->make_flags ? cmd->make_flags()
			     : cmd->flags    ? cmd->flags
					     : no_flags;
	struct cli_cmd shown = *cmd;
	char *usage = arena_printf(&c->arena, "warren %s", cmd->usage);
	struct flags_error err;
	const struct cli_cmd *sub;
	int used, rc;

	shown.flags = flags;
	rc = flags_parse(&(struct flags){ .table = flags, .once = true }, argc, argv, &used, &err);
	if (rc == FLAGS_HELP) {
		cli_usage(&shown, usage, stderr);
		return 0;
	}
	if (rc < 0)
		return bad_flags(c, &shown, path, usage, &err);
	argc -= used;
	argv += used;
	sub = cmd->sub && argc ? find_sub(cmd, argv[0]) : NULL;
	if (sub)
		return run(c, sub, arena_printf(&c->arena, "%s %s", path, sub->name), argc - 1,
			argv + 1);
	if (cmd->sub && argc && !cmd->takes_args)
		return unknown_sub(c, cmd, path, argv[0]);
	if (!cmd->run)
		return missing_sub(c, cmd, path);
	return cmd->run(c, flags, argc, argv);
}

/* ---- old names of flags ---- */

static char *renamed(struct arena *a, char *arg, const char *from, const char *to)
{
	size_t dashes = strspn(arg, "-"), n = strlen(from);

	if (dashes < 1 || dashes > 2 || strncmp(arg + dashes, from, n) != 0 ||
		(arg[dashes + n] && arg[dashes + n] != '='))
		return arg;
	return arena_printf(a, "--%s%s", to, arg + dashes + n);
}

static char **rewrite(struct arena *a, int argc, char **argv)
{
	char **out = arena_array(a, (size_t)argc + 1, sizeof(*out));
	bool ours = true;

	if (!out)
		return argv;
	for (int i = 0; i < argc; i++) {
		ours = ours && strcmp(argv[i], "--") != 0;
		out[i] = argv[i];
		if (ours)
			out[i] = renamed(a, renamed(a, argv[i], "authkey", "auth-key"),
				"posture-checking", "report-posture");
	}
	return out;
}

/* ---- the program ---- */

static const char *default_socket(void)
{
	const char *env = getenv("WARREN_SOCKET");

	if (env && *env)
		return env;
	/* A machine that runs Tailscale's daemon and not ours is served, too. */
	return access(OUR_SOCKET, F_OK) != 0 && access(THEIR_SOCKET, F_OK) == 0 ? THEIR_SOCKET
										: OUR_SOCKET;
}

static int dispatch(struct cli *c, int argc, char **argv)
{
	static struct cli_cmd all[ARRAY_LEN(commands) + 1];
	struct cli_cmd root = {
		.name = "warren",
		.usage = "[flags] <subcommand> [command flags]",
		.help = "Makes your devices one private network.",
		.flags = global_flags,
		.sub = all,
		.more = "For help on a subcommand, add --help after it: \"warren status --help\"."
	};
	const struct cli_cmd *sub;
	struct flags_error err;
	int used, rc;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		all[i] = *commands[i];
	rc = flags_parse(
		&(struct flags){ .table = global_flags, .once = true }, argc, argv, &used, &err);
	c->api.socket = flag_is_set(global_flags, "socket") ? flag_text(global_flags, "socket")
							    : default_socket();
	if (rc < 0)
		return bad_flags(
			c, &root, "warren", "warren [flags] <subcommand> [command flags]", &err);
	if (rc != 0 || used == argc) {
		cli_usage(&root, "warren [flags] <subcommand> [command flags]", stderr);
		return 0;
	}
	if (!strcmp(argv[used], "__complete"))
		return cli_complete(c, &root, argc - used - 1, argv + used + 1);
	if (!find_sub(&root, argv[used]))
		return unknown_sub(c, &root, "warren", argv[used]);
	sub = find_sub(&root, argv[used]);
	return run(c, sub, arena_printf(&c->arena, "warren %s", sub->name), argc - used - 1,
		argv + used + 1);
}

/* "dns status --help", as many words as before. */
static char **help_of(struct arena *a, int n, char **args)
{
	char **out = arena_array(a, (size_t)n + 1, sizeof(*out));

	if (!out)
		return args;
	for (int i = 0; i < n; i++)
		out[i] = i + 1 < n ? args[i + 1] : arena_strdup(a, "--help");
	return out;
}

/* Everybody on this machine can list the arguments of a process: keys in them are blanked there, and kept here. */
static char **own_args(struct arena *a, int argc, char **argv)
{
	char **own = arena_array(a, (size_t)argc + 1, sizeof(*own));

	for (int i = 0; own && i < argc; i++)
		if (!(own[i] = arena_strdup(a, argv[i])))
			return argv;
	for (int i = 0; own && i < argc; i++) {
		text_hide_secrets(argv[i]);
		if (i && (!strcmp(own[i - 1], "--auth-key") || !strcmp(own[i - 1], "-auth-key") ||
				 !strcmp(own[i - 1], "--authkey") ||
				 !strcmp(own[i - 1], "-authkey")))
			memset(argv[i], '.', strlen(argv[i]));
	}
	return own ? own : argv;
}

int cli_main(int argc, char **argv)
{
	static char *version[] = { "version" }, *help[] = { "--help" };
	struct cli c = { .argc = argc, .width = term_width() };
	char **args;
	int rc, n = argc - 1;

	term_guard();
	arena_init(&c.arena, MEMORY_MAX);
	c.argv = own_args(&c.arena, argc, argv);
	args = c.argv + 1;
	if (n == 1 && (strcmp(args[0], "-V") == 0 || strcmp(args[0], "--version") == 0))
		args = version;
	else if (n == 1 && strcmp(args[0], "help") == 0)
		args = help;
	else if (n > 1 && strcmp(args[0], "help") == 0) /* of a subcommand: "help dns status" */
		args = help_of(&c.arena, n, args);
	rc = dispatch(&c, n, rewrite(&c.arena, n, args));
	if (fflush(stdout) != 0 && rc == 0)
		rc = 1; /* nobody got the answer */
	arena_fini(&c.arena);
	return rc;
}
