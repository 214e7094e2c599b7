/* up and login: the preferences that the flags ask for, then until the network is there. */
#include "base/err/err.h"
#include "cli/prefs/restate.h"
#include "cli/prefs/up.h"
#include "os/file/file.h"
#include "proto/names/names.h"

/* ---- the key ---- */

static bool read_key_file(struct cli *c, const char *path, const char **ret)
{
	struct buf text;
	const char *s;
	int rc;

	buf_init_secret(&text, 65536);
	rc = file_read(path, &text);
	s = rc == 0 ? buf_cstr(&text) : NULL;
	if (s) {
		while (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r')
			s++;
		*ret = arena_strndup(&c->arena, s, strcspn(s, " \n\t\r"));
	}
	buf_fini(&text);
	return s && *ret ? true : cli_fail(c, "open %s: %s", path, err_text(rc)) == 0;
}

static bool read_auth_key(struct up *u)
{
	const char *env = getenv("WARREN_AUTH_KEY"), *text = flag_text(u->flags, "auth-key");

	if (!*text && env)
		text = env;
	u->auth_key = text;
	return strncmp(text, "file:", 5) != 0 || read_key_file(u->c, text + 5, &u->auth_key);
}

/* ---- what to do ---- */

static bool lists_same(const struct json_list *a, const struct json_list *b)
{
	struct json_list x = *a, y = *b;

	x.present = x.n > 0;
	y.present = y.n > 0;
	return json_same(&json_str_list, &x, &y);
}

static bool state_is(const struct up *u, const char *state)
{
	return strcmp(cli_text_or(u->before.backend_state, ""), state) == 0;
}

/* Nothing was asked for but to connect, with what is known. */
static bool is_simple(const struct up *u)
{
	return !flags_any_set(u->flags) && !*u->auth_key && u->now.persist &&
	       u->now.persist->user.login_name && *u->now.persist->user.login_name &&
	       !state_is(u, "NeedsLogin");
}

static bool has_tag(const struct json_list *tags, const char *tag)
{
	for (size_t i = 0; i < tags->n; i++)
		if (strcmp(*JSON_AT(*tags, const char *, i), tag) == 0)
			return true;
	return false;
}

/*
 * A hub gives tags at a login only. Asked for again by name, those that the device still lacks are asked for by a login, too: the
 * last one was perhaps never approved.
 */
static bool wants_other_tags(const struct up *u)
{
	const struct json_list *want = &u->next.advertise_tags;

	if (!lists_same(&u->now.advertise_tags, want))
		return true;
	if (!flag_is_set(u->flags, "advertise-tags") || !state_is(u, "Running"))
		return false;
	for (size_t i = 0; i < want->n; i++)
		if (!has_tag(&u->before.self->tags, *JSON_AT(*want, const char *, i)))
			return true;
	return false;
}

/* The device has a key, and is to have another one. */
static bool wants_new_key(const struct up *u)
{
	return u->before.have_node_key && (up_on(u, "force-reauth") || wants_other_tags(u));
}

static bool is_just_an_edit(const struct up *u)
{
	return state_is(u, "Running") && !up_on(u, "force-reauth") && !*u->auth_key &&
	       prefflags_same_url(u->now.control_url, u->next.control_url) && !wants_other_tags(u);
}

static bool check_exit_node_flags(const struct up *u)
{
	if (u->next.exit_node_lan && !u->next.exit_node_ip.family &&
		!cli_text_or(u->next.exit_node_id, "")[0])
		return cli_fail(u->c,
			       "--exit-node-allow-lan-access can only be used with --exit-node") ==
		       0;
	return true;
}

static bool check_label(const struct up *u, const char *name, size_t n)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
	size_t bad = strspn(name, plain);

	if (name_is_label(view_of(name, n)))
		return true;
	if (n > NAME_LABEL_MAX)
		return cli_fail(u->c, "\"%.*s\" is too long to be a DNS label", (int)n, name) == 0;
	if (bad < n)
		return cli_fail(u->c,
			       "\"%.*s\" is not a valid DNS label: contains invalid character '%c'",
			       (int)n, name, name[bad]) == 0;
	return cli_fail(u->c,
		       "\"%.*s\" is not a valid DNS label: must start and end with a letter or number",
		       (int)n, name) == 0;
}

/* A name of one label or of several, as the original takes them. */
static bool check_hostname(const struct up *u)
{
	const char *name = cli_text_or(u->next.hostname, "");

	while (*name) {
		size_t n = strcspn(name, ".");

		if (!check_label(u, name, n))
			return false;
		name += n + (name[n] == '.');
	}
	return true;
}

/* Who runs this command may go on to do so: kept when the operator is not mentioned. */
static void keep_operator(struct up *u)
{
	const char *user = getenv("USER");

	if (!flag_is_set(u->flags, "operator") && user && u->now.operator_user &&
		strcmp(u->now.operator_user, user) == 0)
		u->next.operator_user = u->now.operator_user;
}

static bool make_prefs(struct up *u)
{
	struct err_at at;

	u->next = u->now;
	if (is_simple(u)) /* as it is */
		return true;
	if (!prefflags_read(u->c, u->flags, true, &u->before, &u->next, NULL) ||
		!check_exit_node_flags(u) || !check_hostname(u) ||
		!prefflags_check_built(u->c, u->flags, &u->next, &u->before))
		return false;
	if (ipn_prefs_check(&u->next, &u->now, &at) < 0)
		return cli_fail(u->c, "%s", at.text) == 0;
	u->next.want_running = true;
	u->next.logged_out = false;
	u->next.persist = NULL;
	prefflags_warn(u->c, u->flags, &u->next);
	if (!up_on(u, "reset")) {
		keep_operator(u);
		if (!restate_check(u->c, u->flags, &u->now, &u->next, &u->before))
			return false;
	}
	/* Without a key it is the same hub at another place, which the daemon looks after. */
	if (state_is(u, "Running") && !up_on(u, "force-reauth") && *u->auth_key &&
		!prefflags_same_url(u->now.control_url, u->next.control_url))
		return cli_fail(u->c,
			       "can't change --login-server with --auth-key without --force-reauth: that leaves the hub that this device is "
			       "logged in at. If it is the same hub at another place, leave out --auth-key") ==
		       0;
	return true;
}

static bool edit_only(struct up *u)
{
	struct ipn_masked_prefs *edit = arena_new(&u->c->arena, struct ipn_masked_prefs);
	struct ipn_prefs p = u->next;

	if (!edit || !prefflags_read(u->c, u->flags, up_on(u, "reset"), &u->before, &p, edit))
		return false;
	edit->p = u->next;
	edit->set[IPN_PREF_WANT_RUNNING] = true;
	return cli_edit_prefs(u->c, edit);
}

static bool want_running(struct up *u)
{
	struct ipn_masked_prefs *edit = arena_new(&u->c->arena, struct ipn_masked_prefs);

	if (!edit)
		return false;
	edit->p.want_running = edit->set[IPN_PREF_WANT_RUNNING] = true;
	return cli_edit_prefs(u->c, edit);
}

static bool start(struct up *u)
{
	struct ipn_options o = { .update_prefs = &u->next, .auth_key = u->auth_key };
	struct buf body;
	bool ok;

	buf_init_secret(&body, 1 << 20);
	ok = json_encode(&ipn_prefs_type, &u->next, &body) == 0 &&
	     cli_post(u->c, "POST", "check-prefs", &body, 200, NULL);
	buf_clear(&body);
	ok = ok && json_encode(&ipn_options_type, &o, &body) == 0 &&
	     cli_post(u->c, "POST", "start", &body, 204, NULL);
	buf_fini(&body);
	if (ok && (wants_new_key(u) || !u->before.have_node_key))
		ok = up_ask_login(u);
	return ok;
}

/* ---- all of it ---- */

static int connect_and_wait(struct up *u)
{
	const struct lclient_request q = { .method = "GET", .path = "watch-ipn-bus?mask=0" };
	struct lclient_err err;
	/* The bus first: nothing that happens after the start may be missed. */
	int rc = lclient_stream_open(&u->c->api, &q, &u->bus, &err);

	if (rc < 0)
		return cli_fail_api(u->c, "", rc, &err);
	u->rekeyed = !wants_new_key(u);
	if (wants_other_tags(u) && u->before.have_node_key && !up_on(u, "force-reauth") &&
		!up_on(u, "json"))
		fprintf(stderr,
			"The tags of a device change with a login; until then it keeps those that it has.\n");
	if (!u->rekeyed && u->before.auth_url)
		u->last_url = u->before.auth_url; /* that one is of an earlier try */
	rc = (is_simple(u) ? want_running(u) : start(u)) ? up_wait(u) : 1;
	lclient_stream_close(u->bus);
	return rc == 0 ? up_tell_health(u) : rc;
}

/* Logging in anew cuts connections, this one too when it comes through the network. */
static bool accepts_risk(struct up *u)
{
	const char *ssh = getenv("SSH_CLIENT"),
		   *accepted = u->login ? "all" : flag_text(u->flags, "accept-risk");
	bool through_network =
		ssh && (strncmp(ssh, "100.", 4) == 0 || strncmp(ssh, "fd7a:115c:a1e0:", 15) == 0);

	if (!through_network || !up_on(u, "force-reauth") || strstr(accepted, "lose-ssh") ||
		strstr(accepted, "all"))
		return true;
	printf("You are connected over the network; logging in anew will end this session.\n"
	       "To skip this warning, use --accept-risk=lose-ssh\n");
	return cli_ask("Continue?", false) || cli_fail(u->c, "aborted, no changes made") == 0;
}

static int run_either(struct cli *c, struct flag *flags, int argc, char **argv, bool login)
{
	struct up *u = arena_new(&c->arena, struct up);

	if (!u)
		return cli_fail(c, "out of memory");
	*u = (struct up){ .c = c, .flags = flags, .login = login };
	if (flag_n(flags, "timeout") > 0)
		c->api.until_ms = u->until_ms = cli_now_ms() + flag_n(flags, "timeout") / MSEC(1);
	if (!cli_no_args(c, argc, argv))
		return 1;
	if (qr_style_parse(flag_text(flags, "qr-format"), &u->qr_style) < 0)
		return cli_fail(
			c, "invalid value --qr-format=\"%s\"", flag_text(flags, "qr-format"));
	if (!read_auth_key(u) || (login && !cli_post(c, "PUT", "profiles/", NULL, 201, NULL)))
		return 1;
	if (!cli_get_status(c, true, &u->before) ||
		!cli_get_doc(c, "prefs", &ipn_prefs_type, &u->now))
		return 1;
	if (!make_prefs(u) || !accepts_risk(u))
		return 1;
	if (is_just_an_edit(u)) {
		if (is_simple(u) ? !want_running(u) : !edit_only(u))
			return 1;
		return up_tell_health(u);
	}
	return connect_and_wait(u);
}

static int run_up(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return run_either(c, flags, argc, argv, false);
}

static int run_login(struct cli *c, struct flag *flags, int argc, char **argv)
{
	return run_either(c, flags, argc, argv, true);
}

static struct flag *up_flags(void)
{
	return prefflags_of(PREF_UP);
}

static struct flag *login_flags(void)
{
	return prefflags_of(PREF_LOGIN);
}

const struct cli_cmd cli_up = {
	.name = "up",
	.run = run_up,
	.usage = "up [flags]",
	.help = "Connect this device to the network, logging in if needed",
	.more = "Without flags it connects with the settings there are. With flags, every setting that is not at\n"
		"its default has to be mentioned, as the ones that are not go back to their defaults; \"warren set\"\n"
		"changes single ones. It returns when the device is connected.",
	.make_flags = up_flags,
};

const struct cli_cmd cli_login = {
	.name = "login",
	.run = run_login,
	.usage = "login [flags]",
	.help = "Log in to another account, keeping the ones there are",
	.more = "\"warren switch\" changes between accounts.",
	.make_flags = login_flags,
};
