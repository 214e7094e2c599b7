/*
 * What a shell offers behind TAB where the help has nothing to offer: devices, accounts, settings, values of flags. Lines of
 * NAME<TAB>WHAT and exit code 0; IS_FILE: a file name is wanted; 1: nothing is known. And the scripts for the shells, which
 * are those that the package installs.
 */
#include "cli/complete.h"

#include "base/err/err.h"
#include "cli/prefs/prefflags.h"

enum { IS_FILE = 3 };

static const struct {
	const char *flag, *values; /* with blanks between; NULL: a file */
} values_of[] = {
	{ "accept-risk", "lose-ssh all" },
	{ "format", "json json-line" },
	{ "netfilter-mode", "off" },
	{ "proto", "tcp udp" },
	{ "qr-format", "auto ascii large small" },
	{ "socket", NULL },
};

/* What was typed, as far as it is of use. */
struct typed {
	const struct cli_cmd *cmd;    /* the subcommand so far */
	const struct cli_cmd *parent; /* NULL: it is one of the first level */
	size_t n_args;                /* words behind it */
	const char *flag;             /* whose value is being typed; NULL: an argument */
	size_t flag_len;
	const char *now; /* the beginning of it */
};

static const struct cli_cmd *sub_named(const struct cli_cmd *cmd, const char *name)
{
	for (const struct cli_cmd *s = cmd->sub; s && s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* A flag among the words; true: the next word is its value. */
static bool take_flag(struct typed *t, const char *word, bool last)
{
	struct flag *table = t->cmd->make_flags ? t->cmd->make_flags() : t->cmd->flags;
	const struct flag *f;
	const char *name = word + 1 + (word[1] == '-'), *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);

	if (eq && last) {
		t->flag = name;
		t->flag_len = len;
		t->now = eq + 1;
	}
	f = table ? flags_find(table, name, len) : NULL;
	if (eq || !f || f->kind == FLAG_BOOL)
		return false;
	t->flag = name;
	t->flag_len = len;
	return true;
}

static void read_typed(
	struct cli *c, const struct cli_cmd *root, int argc, char **argv, struct typed *t)
{
	*t = (struct typed){ .cmd = root, .now = argc ? argv[argc - 1] : "" };
	for (int i = 0; i < argc; i++) {
		const struct cli_cmd *sub;
		bool last = i + 1 == argc;

		t->flag = NULL;
		if (argv[i][0] == '-' && argv[i][1]) {
			if (!strncmp(argv[i], "--socket=", 9))
				c->api.socket = argv[i] + 9;
			if (take_flag(t, argv[i], last) && !last) {
				if (i + 2 == argc)
					return; /* the value is being typed */
				if (!strcmp(argv[i], "--socket"))
					c->api.socket = argv[i + 1];
				i++;
			}
			continue;
		}
		sub = last ? NULL : sub_named(t->cmd, argv[i]);
		if (sub) {
			t->parent = t->cmd == root ? NULL : t->cmd;
			t->cmd = sub;
		} else {
			t->n_args += !last;
		}
	}
}

/* ---- Offers ---- */

/* Names come from the hub: only what a shell and a terminal take as it is. */
static void offer(const struct typed *t, const char *name, const char *what)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._@";

	if (*name && !name[strspn(name, plain)] && !what[strspn(what, plain)] &&
		!strncmp(name, t->now, strlen(t->now)))
		printf("%s\t%s\n", name, what);
}

static int offer_words(const struct typed *t, struct arena *mem, const char *words)
{
	char *list = arena_strdup(mem, words), *word;

	while (list && (word = strsep(&list, " ")))
		offer(t, word, "");
	return 0;
}

static int offer_devices(struct cli *c, const struct typed *t, bool exit_nodes)
{
	struct lclient_err err;
	struct ipn_status s;

	/* Asked without words: what is written to stderr would stand in the middle of somebody's line. */
	if (lclient_get(&c->api, "status", &ipn_status_type, &s, &c->arena, &err) < 0)
		return 1;
	for (size_t i = 0; i < s.peer.n; i++) {
		const struct ipn_peer_status *p = s.peer.v[i].value;

		if (!exit_nodes || p->exit_node_option)
			offer(t, cli_short_name(c, p->dns_name, s.magic_dns_suffix),
				p->online ? cli_text_or(p->os, "") : "offline");
	}
	return 0;
}

static int offer_accounts(struct cli *c, const struct typed *t)
{
	struct lclient_err err;
	struct json_list list;

	if (lclient_get(&c->api, "profiles/", &ipn_login_profile_list, &list, &c->arena, &err) < 0)
		return 1;
	for (size_t i = 0; i < list.n; i++) {
		const struct ipn_login_profile *p = JSON_AT(list, struct ipn_login_profile, i);

		offer(t, cli_text_or(p->name, ""), cli_text_or(p->id, ""));
	}
	return 0;
}

static int offer_settings(const struct typed *t)
{
	for (const struct flag *f = prefflags_of(PREF_SET); f->name; f++)
		if (prefflag_is_pref(f->name))
			offer(t, f->name, "");
	return 0;
}

static bool is(const struct typed *t, const char *name)
{
	return !t->parent && t->cmd->name && !strcmp(t->cmd->name, name);
}

static int offer_value(struct cli *c, const struct typed *t)
{
	if (t->flag_len == 9 && !memcmp(t->flag, "exit-node", 9))
		return offer_devices(c, t, true);
	for (size_t i = 0; i < ARRAY_LEN(values_of); i++)
		if (strlen(values_of[i].flag) == t->flag_len &&
			!memcmp(values_of[i].flag, t->flag, t->flag_len))
			return values_of[i].values ? offer_words(t, &c->arena, values_of[i].values)
						   : IS_FILE;
	return 1;
}

static int offer_argument(struct cli *c, const struct typed *t)
{
	if (t->n_args)
		return 1;
	if (is(t, "ping") || is(t, "ip") || is(t, "nc") || is(t, "whois"))
		return offer_devices(c, t, false);
	if (is(t, "switch") || (t->parent && !strcmp(t->parent->name, "switch")))
		return offer_accounts(c, t);
	if (is(t, "get"))
		return offer_settings(t);
	return t->parent && !strcmp(t->parent->name, "metrics") && !strcmp(t->cmd->name, "write")
		       ? IS_FILE
		       : 1;
}

int cli_complete(struct cli *c, const struct cli_cmd *root, int argc, char **argv)
{
	struct typed t;

	read_typed(c, root, argc, argv, &t);
	return t.flag ? offer_value(c, &t) : offer_argument(c, &t);
}

/* ---- The scripts ---- */

static const char bash[] =
#include "cli/warren.bash.inc"
	;
static const char zsh[] =
#include "cli/warren.zsh.inc"
	;
static const char fish[] =
#include "cli/warren.fish.inc"
	;

static int print_script(struct cli *c, int argc, char **argv, const char *text)
{
	if (!cli_no_args(c, argc, argv))
		return 1;
	fputs(text, stdout);
	return 0;
}

static int run_bash(struct cli *c, struct flag *flags, int argc, char **argv)
{
	(void)flags;
	return print_script(c, argc, argv, bash);
}

static int run_zsh(struct cli *c, struct flag *flags, int argc, char **argv)
{
	(void)flags;
	return print_script(c, argc, argv, zsh);
}

static int run_fish(struct cli *c, struct flag *flags, int argc, char **argv)
{
	(void)flags;
	return print_script(c, argc, argv, fish);
}

static const struct cli_cmd sub[] = {
	{ .name = "bash",
		.run = run_bash,
		.usage = "completion bash",
		.help = "For bash: source <(warren completion bash)" },
	{ .name = "zsh",
		.run = run_zsh,
		.usage = "completion zsh",
		.help = "For zsh: warren completion zsh > \"${fpath[1]}/_warren\"" },
	{ .name = "fish",
		.run = run_fish,
		.usage = "completion fish",
		.help = "For fish: warren completion fish > ~/.config/fish/completions/warren.fish" },
	{ .name = NULL },
};

const struct cli_cmd cli_completion = {
	.name = "completion",
	.usage = "completion <shell>",
	.help = "Print the script that completes this command in a shell",
	.more = "The packages install it already.",
	.sub = sub,
};
