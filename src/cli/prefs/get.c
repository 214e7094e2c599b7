#include "cli/prefs/prefflags.h"

static struct flag get_flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "as a JSON object" },
	{ .name = "set-flags", .kind = FLAG_BOOL, .help = "as flags for \"warren set\"" },
	{ .name = NULL },
};

static const struct flag *find_pref(const struct flag *f, const char *name)
{
	for (; f->name; f++)
		if (prefflag_is_pref(f->name) && strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

/* Scripts that compare the whole list know nothing of ours. */
static bool is_listed(const struct flag *f, const char *value, const char *only)
{
	if (!prefflag_is_pref(f->name))
		return false;
	if (only)
		return strcmp(only, f->name) == 0;
	return !prefflag_is_ours(f->name) || strcmp(value, f->def ? f->def : "false") != 0;
}

static void print_flag(const struct flag *f, const char *value, bool first)
{
	if (f->kind == FLAG_BOOL && strcmp(value, "true") == 0)
		printf("%s--%s", first ? "" : " ", f->name);
	else
		printf("%s--%s=%s", first ? "" : " ", f->name, value);
}

static void print_member(const struct flag *f, const char *value, bool first)
{
	struct buf text;
	bool b;

	buf_init(&text, 65536);
	if (f->kind == FLAG_BOOL && flags_parse_bool(value, &b) == 0
			? buf_append_str(&text, value) == 0
			: json_encode_str(&text, value, strlen(value)) == 0)
		printf("%s\n  \"%s\": %s", first ? "" : ",", f->name, buf_cstr(&text));
	buf_fini(&text);
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const struct flag *all = prefflags_of(PREF_SET);
	const char *only = argc == 1 && strcmp(argv[0], "all") != 0 ? argv[0] : NULL;
	bool json = flag_on(flags, "json"), as_flags = flag_on(flags, "set-flags"), first = true;
	struct ipn_prefs p;
	struct ipn_status s;
	struct table t;

	if (argc > 1 && !cli_no_args(c, argc - 1, argv + 1))
		return 1;
	if (json && as_flags)
		return cli_fail(c, "--json and --set-flags are mutually exclusive");
	if (only && !find_pref(all, only))
		return cli_fail(c,
			"unknown setting \"%s\"; see \"warren set --help\" for valid settings",
			only);
	if (!cli_get_doc(c, "prefs", &ipn_prefs_type, &p) || !cli_get_status(c, true, &s))
		return 1;
	table_init_tabs(&t, &c->arena, 2, 0, 2, false);
	TABLE_ROW(&t, "NAME", "VALUE");
	if (json)
		putchar('{');
	for (const struct flag *f = all; f->name; f++) {
		const char *value = prefflag_value(c, f->name, &p, &s);

		if (!is_listed(f, value, only))
			continue;
		if (json)
			print_member(f, value, first);
		else if (as_flags)
			print_flag(f, value, first);
		else
			TABLE_ROW(&t, f->name, value);
		first = false;
	}
	if (json)
		printf("\n}\n");
	else if (as_flags)
		putchar('\n');
	else if (only)
		printf("%s\n", prefflag_value(c, only, &p, &s));
	else
		table_print(&t, stdout, c->width);
	return 0;
}

const struct cli_cmd cli_get = {
	.name = "get",
	.run = run,
	.usage = "get [flags] [setting]",
	.help = "Show settings",
	.flags = get_flags,
};
