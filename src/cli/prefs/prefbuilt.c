/* Flags whose settings the daemon keeps and does nothing with: it knows which they are, and who names one is told. */
#include "cli/prefs/prefflags.h"

/* "auto:" is what the value must not begin with; else the one value that is true. */
static bool is_true(const struct ipn_unbuilt *u, const char *value)
{
	const char *only = cli_text_or(u->only, "");

	if (strcmp(only, "auto:") == 0)
		return strncmp(value, only, strlen(only)) != 0;
	return strcmp(value, only) == 0;
}

static bool is_named(const struct flag *flags, const char *name)
{
	for (const struct flag *f = flags; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f->is_set;
	return false;
}

bool prefflags_check_built(struct cli *c, const struct flag *flags, const struct ipn_prefs *p,
	const struct ipn_status *s)
{
	struct lclient_err err;
	struct json_list list;

	/* Tailscale's daemon has no such list: with it everything has an effect. */
	if (lclient_get(&c->api, "warren/unbuilt", &ipn_unbuilt_list, &list, &c->arena, &err) < 0)
		return true;
	for (size_t i = 0; i < list.n; i++) {
		const struct ipn_unbuilt *u = JSON_AT(list, struct ipn_unbuilt, i);
		const char *value, *why = cli_text_or(u->why, "");

		if (!u->flag || !is_named(flags, u->flag))
			continue;
		value = prefflag_value(c, u->flag, p, s);
		if (is_true(u, value))
			continue;
		if (why[0] >= 'A' && why[0] <= 'Z') /* a sentence of its own */
			return cli_fail(c, "%s", why) == 0;
		return cli_fail(c, "--%s=%s is not built yet: %s.", u->flag, value, why) == 0;
	}
	return true;
}
