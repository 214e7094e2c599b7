#include "cli/prefs/restate.h"

/* As a word of a shell. */
static const char *quoted(struct cli *c, const char *s)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/,+@%";
	char *out, *o;

	if (strspn(s, plain) == strlen(s))
		return s;
	out = o = arena_alloc(&c->arena, 4 * strlen(s) + 3);
	if (!out)
		return s;
	*o++ = '\'';
	for (; *s; s++)
		o = *s == '\'' ? stpcpy(o, "'\\''") : (*o = *s, o + 1);
	*o++ = '\'';
	return out;
}

static const char *as_text(struct cli *c, const struct flag *f, const char *value)
{
	if (f->kind == FLAG_BOOL && strcmp(value, "true") == 0)
		return arena_printf(&c->arena, "--%s", f->name);
	return arena_printf(&c->arena, "--%s=%s", f->name, quoted(c, value));
}

static const char *given(struct cli *c, const struct flag *f)
{
	bool b;

	return as_text(c, f,
		f->kind == FLAG_BOOL && flags_parse_bool(f->text, &b) == 0 ? (b ? "true" : "false")
									   : f->text);
}

static bool would_be_lost(struct cli *c, const struct flag *f, const struct ipn_prefs *now,
	const struct ipn_prefs *next, const struct ipn_status *s, const char **ret_value)
{
	const char *value = prefflag_value(c, f->name, now, s),
		   *after = prefflag_value(c, f->name, next, s);

	*ret_value = value;
	if (f->is_set || !prefflag_is_pref(f->name) || strcmp(value, after) == 0)
		return false;
	if (strcmp(f->name, "login-server") == 0)
		return !prefflags_same_url(value, after);
	/* It became the default that this is off. */
	if (strcmp(f->name, "stateful-filtering") == 0)
		return strcmp(value, "true") != 0;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool refuse(struct cli *c, const struct json_list *words)
{
	fputs("Error: changing settings via 'warren up' requires mentioning all\n"
	      "non-default flags. To proceed, either re-run your command with --reset or\n"
	      "use the command below to explicitly mention the current value of\n"
	      "all non-default settings:\n\n\twarren up",
		stderr);
	for (size_t i = 0; i < words->n; i++)
		fprintf(stderr, " %s", *JSON_AT(*words, const char *, i));
	fputs("\n\n", stderr);
	return false;
}

bool restate_check(struct cli *c, const struct flag *flags, const struct ipn_prefs *now,
	const struct ipn_prefs *next, const struct ipn_status *s)
{
	struct json_list words = { 0 };
	const char **word, *value;
	size_t n_given;

	if (!now->control_url || !*now->control_url) /* never set up */
		return true;
	for (const struct flag *f = flags; f->name; f++) {
		word = f->is_set ? json_list_add(&words, &c->arena, sizeof(*word)) : NULL;
		if (word)
			*word = given(c, f);
	}
	n_given = words.n;
	for (const struct flag *f = flags; f->name; f++) {
		if (!would_be_lost(c, f, now, next, s, &value))
			continue;
		word = json_list_add(&words, &c->arena, sizeof(*word));
		if (!word)
			return cli_fail(c, "out of memory") == 0;
		*word = as_text(c, f, value);
	}
	if (words.n == n_given)
		return true;
	qsort((const char **)words.v + n_given, words.n - n_given, sizeof(char *), by_text);
	return refuse(c, &words);
}
