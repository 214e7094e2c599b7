#include "cli/common/common.h"

#include <unistd.h>

enum { PATIENCE_MS = 10000, POLL_MS = 100 };

struct entry {
	const char *id, *nickname, *tailnet, *account;
	bool selected;
};
static const struct json_field entry_fields[] = {
	JSON_F(struct entry, id, "id", json_str, 0),
	JSON_F(struct entry, nickname, "nickname", json_str, 0),
	JSON_F(struct entry, tailnet, "tailnet", json_str, 0),
	JSON_F(struct entry, account, "account", json_str, 0),
	JSON_F(struct entry, selected, "selected", json_bool, 0),
	JSON_END,
};
static JSON_OBJECT_TYPE(entry_type, struct entry, entry_fields);
static JSON_LIST_TYPE(entry_list, entry_type);

struct profiles {
	struct ipn_login_profile current;
	struct json_list all; /* struct ipn_login_profile */
};

static bool get_profiles(struct cli *c, struct profiles *ret)
{
	return cli_get_doc(c, "profiles/current", &ipn_login_profile_type, &ret->current) &&
	       cli_get_doc(c, "profiles/", &ipn_login_profile_list, &ret->all);
}

static bool is_current(const struct profiles *p, const struct ipn_login_profile *one)
{
	return strcmp(cli_text_or(one->id, ""), cli_text_or(p->current.id, "?")) == 0;
}

static const char *tailnet_of(const struct ipn_login_profile *p)
{
	return cli_text_or(p->network.display_name, cli_text_or(p->network.domain_name, ""));
}

static int list_json(struct cli *c, const struct profiles *p)
{
	struct json_list out = { .present = true };
	struct buf compact, text;

	for (size_t i = 0; i < p->all.n; i++) {
		const struct ipn_login_profile *one = JSON_AT(p->all, struct ipn_login_profile, i);
		struct entry *e = json_list_add(&out, &c->arena, sizeof(*e));
		if (e)
			*e = (struct entry){ one->id, one->name, tailnet_of(one),
				one->user.login_name, is_current(p, one) };
	}
	buf_init(&compact, 1 << 20);
	buf_init(&text, 1 << 20);
	if (json_encode(&entry_list, &out, &compact) == 0 &&
		json_indent(buf_view(&compact), "", "  ", &text) == 0)
		printf("%s\n", buf_cstr(&text));
	buf_fini(&text);
	buf_fini(&compact);
	return 0;
}

static int list(struct cli *c, bool json)
{
	struct profiles p;
	struct table t;

	if (!get_profiles(c, &p))
		return 1;
	if (json)
		return list_json(c, &p);
	table_init_tabs(&t, &c->arena, 3, 2, 2, false);
	TABLE_ROW(&t, "ID", "Tailnet", "Account");
	for (size_t i = 0; i < p.all.n; i++) {
		const struct ipn_login_profile *one = JSON_AT(p.all, struct ipn_login_profile, i);
		TABLE_ROW(&t, cli_text_or(one->id, ""), tailnet_of(one),
			arena_printf(&c->arena, "%s%s", cli_text_or(one->name, ""),
				is_current(&p, one) ? "*" : ""));
	}
	table_print(&t, stdout, c->width);
	return 0;
}

static bool text_is(const char *a, const char *b)
{
	return a && *a && strcmp(a, b) == 0;
}

/* By id, then domain, name and display name: the first kind that matches at all. */
static const struct ipn_login_profile *find(const struct profiles *p, const char *name)
{
	for (int kind = 0; kind < 4; kind++) {
		for (size_t i = 0; i < p->all.n; i++) {
			const struct ipn_login_profile *one =
				JSON_AT(p->all, struct ipn_login_profile, i);
			const char *const texts[] = { one->id, one->network.domain_name, one->name,
				one->network.display_name };
			if (text_is(texts[kind], name))
				return one;
		}
	}
	return NULL;
}

/* Until the other account is connected, or it is clear that it will not be by itself. */
static int wait_for_it(struct cli *c)
{
	long long until = cli_now_ms() + PATIENCE_MS;
	struct ipn_status s;
	enum ipn_state state;

	for (;;) {
		if (!cli_get_status(c, false, &s) ||
			ipn_state_parse(cli_text_or(s.backend_state, ""), &state) < 0)
			return 1;
		if (state == IPN_RUNNING || state == IPN_STARTING) {
			printf("Success.\n");
			return 0;
		}
		if (state == IPN_NEEDS_LOGIN) {
			printf("Logged out.\nTo log in, run:\n  warren up\n");
			return 0;
		}
		if (state == IPN_STOPPED || cli_now_ms() >= until)
			break;
		usleep(POLL_MS * 1000);
	}
	printf("%s\n", cli_text_or(cli_state_text(c, &s), ""));
	return 0;
}

static int run(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const struct ipn_login_profile *to;
	struct profiles p;

	if (flag_on(flags, "list"))
		return list(c, flag_on(flags, "json"));
	if (argc != 1) {
		printf("usage: warren switch NAME\n");
		return 1;
	}
	if (!get_profiles(c, &p))
		return 1;
	to = find(&p, argv[0]);
	if (!to)
		return cli_fail(c, "No profile named \"%s\"", argv[0]);
	if (is_current(&p, to)) {
		printf("Already on account \"%s\"\n", argv[0]);
		return 0;
	}
	if (!cli_post(c, "POST", arena_printf(&c->arena, "profiles/%s", cli_escape(c, to->id)),
		    NULL, 204, NULL))
		return 1;
	printf("Switching to account \"%s\"\n", argv[0]);
	return wait_for_it(c);
}

static int run_remove(struct cli *c, struct flag *flags, int argc, char **argv)
{
	const struct ipn_login_profile *which;
	struct profiles p;

	if (argc != 1)
		return cli_fail(c, "usage: warren switch remove NAME");
	if (!get_profiles(c, &p))
		return 1;
	which = find(&p, argv[0]);
	if (!which)
		return cli_fail(c, "No profile named \"%s\"", argv[0]);
	return !cli_post(c, "DELETE",
		arena_printf(&c->arena, "profiles/%s", cli_escape(c, which->id)), NULL, 204, NULL);
}

static struct flag flags[] = {
	{ .name = "json", .kind = FLAG_BOOL, .help = "the list as JSON" },
	{ .name = "list", .kind = FLAG_BOOL, .help = "list the accounts" },
	{ .name = NULL },
};

static const struct cli_cmd sub[] = {
	{ .name = "remove",
		.run = run_remove,
		.usage = "switch remove <id|name>",
		.help = "Forget an account" },
	{ .name = NULL },
};

const struct cli_cmd cli_switch = {
	.name = "switch",
	.run = run,
	.usage = "switch [--list] <id|name>",
	.help = "Change to another account",
	.more = "\"warren switch --list\" lists the accounts, \"warren login\" adds one.",
	.flags = flags,
	.sub = sub,
	.takes_args = true,
};
