#include "cli/prefs/prefflags.h"

static struct flag *set_flags(void)
{
	return prefflags_of(PREF_SET);
}

static bool any_pref_is_set(const struct flag *flags)
{
	for (const struct flag *f = flags; f->name; f++)
		if (f->is_set && prefflag_is_pref(f->name))
			return true;
	return false;
}

static int usage_of_set(struct flag *flags)
{
	struct cli_cmd shown = cli_set;

	shown.flags = flags;
	cli_usage(&shown, "warren set [flags]", stderr);
	return 0;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	struct ipn_masked_prefs *edit = arena_new(&c->arena, struct ipn_masked_prefs);
	struct ipn_prefs p, now;
	struct ipn_status s;
	struct err_at at;
	struct buf body;
	bool ok;

	if (!edit || !cli_no_args(c, argc, argv))
		return 1;
	if (!any_pref_is_set(flags))
		return usage_of_set(flags);
	if (!cli_get_status(c, true, &s) || !cli_get_doc(c, "prefs", &ipn_prefs_type, &p))
		return 1;
	now = p;
	if (!prefflags_read(c, flags, false, &s, &p, edit) ||
		!prefflags_check_built(c, flags, &p, &s))
		return 1;
	if (ipn_prefs_check(&p, &now, &at) < 0)
		return cli_fail(c, "%s", at.text);
	prefflags_warn(c, flags, &p);
	edit->p.persist = p.persist = NULL;
	buf_init(&body, 1 << 20);
	ok = json_encode(&ipn_prefs_type, &p, &body) == 0 &&
	     cli_post(c, "POST", "check-prefs", &body, 200, NULL) && cli_edit_prefs(c, edit);
	buf_fini(&body);
	if (ok && flag_is_set(flags, "webclient") && flag_on(flags, "webclient") &&
		s.self->tailscale_ips.n)
		printf("\nWeb interface now running at %s:5252\n",
			cli_first_ip(c, &s.self->tailscale_ips));
	return !ok;
}

const struct cli_cmd cli_set = {
	.name = "set",
	.run = run,
	.usage = "set [flags]",
	.help = "Change single settings",
	.more = "Only what is mentioned changes; everything else stays as it is.",
	.make_flags = set_flags,
};
