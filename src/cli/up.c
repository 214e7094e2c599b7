/* up and login: the preferences that the flags ask for, then until the network is there. */
#include "base/err/err.h"
#include "cli/prefflags.h"
#include "cli/qr.h"
#include "cli/restate.h"
#include "os/file/file.h"
#include "proto/names/names.h"

#include <unistd.h>

enum { PROGRESS_AFTER_MS = 1000 };

struct up {
	struct cli *c;
	struct flag *flags;
	bool login;
	struct ipn_status before;
	struct ipn_prefs now, next;
	const char *auth_key;
	struct lstream *bus;
	/* while waiting */
	const char *last_url, *last_why;
	bool printed, showed_progress;
	struct node_pub old_key;
};

/* login has fewer flags. */
static bool on(const struct up *u, const char *name)
{
	return !u->login && flag_on(u->flags, name);
}

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
	return !flags_any_set(u->flags) && !*u->auth_key && u->now.persist && u->now.persist->user.login_name &&
	       *u->now.persist->user.login_name && !state_is(u, "NeedsLogin");
}

static bool is_just_an_edit(const struct up *u)
{
	return state_is(u, "Running") && !on(u, "force-reauth") && !*u->auth_key &&
	       same_control_url(u->now.control_url, u->next.control_url) &&
	       lists_same(&u->now.advertise_tags, &u->next.advertise_tags);
}

static bool check_exit_node_flags(const struct up *u)
{
	if (u->next.exit_node_lan && !u->next.exit_node_ip.family && !cli_text_or(u->next.exit_node_id, "")[0])
		return cli_fail(u->c, "--exit-node-allow-lan-access can only be used with --exit-node") == 0;
	return true;
}

static bool check_label(const struct up *u, const char *name, size_t n)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
	size_t bad = strspn(name, plain);

	if (name_is_label(view_of(name, n)))
		return true;
	if (n > NAME_LABEL_MAX)
		return cli_fail(u->c, "\"%.*s\" is too long to be a DNS label", (int)n, name) == 0;
	if (bad < n)
		return cli_fail(u->c, "\"%.*s\" is not a valid DNS label: contains invalid character '%c'", (int)n, name,
			       name[bad]) == 0;
	return cli_fail(u->c, "\"%.*s\" is not a valid DNS label: must start and end with a letter or number", (int)n, name) == 0;
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

	if (!flag_is_set(u->flags, "operator") && user && u->now.operator_user && strcmp(u->now.operator_user, user) == 0)
		u->next.operator_user = u->now.operator_user;
}

static bool make_prefs(struct up *u)
{
	struct err_at at;

	u->next = u->now;
	if (is_simple(u)) /* as it is */
		return true;
	if (!prefflags_read(u->c, u->flags, true, &u->before, &u->next, NULL) || !check_exit_node_flags(u) || !check_hostname(u) ||
		!prefflags_check_built(u->c, u->flags, &u->next, &u->before))
		return false;
	if (ipn_prefs_check(&u->next, &u->now, &at) < 0)
		return cli_fail(u->c, "%s", at.text) == 0;
	u->next.want_running = true;
	u->next.logged_out = false;
	u->next.persist = NULL;
	prefflags_warn(u->c, u->flags, &u->next);
	if (!on(u, "reset")) {
		keep_operator(u);
		if (!restate_check(u->c, u->flags, &u->now, &u->next, &u->before))
			return false;
	}
	if (state_is(u, "Running") && !on(u, "force-reauth") && !same_control_url(u->now.control_url, u->next.control_url))
		return cli_fail(u->c, "can't change --login-server without --force-reauth") == 0;
	return true;
}

static bool edit_only(struct up *u)
{
	struct ipn_masked_prefs *edit = arena_new(&u->c->arena, struct ipn_masked_prefs);
	struct ipn_prefs p = u->next;

	if (!edit || !prefflags_read(u->c, u->flags, on(u, "reset"), &u->before, &p, edit))
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
	ok = json_encode(&ipn_prefs_type, &u->next, &body) == 0 && cli_post(u->c, "POST", "check-prefs", &body, 200, NULL);
	buf_clear(&body);
	ok = ok && json_encode(&ipn_options_type, &o, &body) == 0 && cli_post(u->c, "POST", "start", &body, 204, NULL);
	buf_fini(&body);
	if (ok && (on(u, "force-reauth") || !u->before.have_node_key))
		ok = cli_post(u->c, "POST", "login-interactive", NULL, 204, NULL);
	return ok;
}

/* ---- waiting ---- */

static void clear_progress(struct up *u)
{
	if (u->showed_progress)
		fputs("\r\033[K", stderr);
	u->showed_progress = false;
}

static void show_progress(struct up *u)
{
	if (u->showed_progress || u->printed || on(u, "json") || !isatty(STDERR_FILENO))
		return;
	fputs("Connecting ...", stderr);
	u->showed_progress = true;
}

struct progress {
	const char *auth_url, *qr, *backend_state;
};
static const struct json_field progress_fields[] = {
	JSON_F(struct progress, auth_url, "AuthURL", json_str, JSON_OMIT),
	JSON_F(struct progress, qr, "QR", json_str, JSON_OMIT),
	JSON_F(struct progress, backend_state, "BackendState", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(progress_type, struct progress, progress_fields);

static void print_progress(const struct progress *p, const char *indent)
{
	struct buf compact, out;

	buf_init(&compact, 1 << 20);
	buf_init(&out, 1 << 20);
	if (json_encode(&progress_type, p, &compact) == 0 && json_indent(buf_view(&compact), "", indent, &out) == 0)
		printf("%s\n", buf_cstr(&out));
	fflush(stdout);
	buf_fini(&out);
	buf_fini(&compact);
}

static void tell_url(struct up *u, const char *what, const char *url, const char *state)
{
	struct buf qr;

	if (u->last_url && strcmp(u->last_url, url) == 0)
		return;
	u->last_url = arena_strdup(&u->c->arena, url);
	clear_progress(u);
	if (on(u, "json")) {
		buf_init(&qr, 1 << 20);
		print_progress(&(struct progress){ url, qr_data_url(url, &qr) == 0 ? buf_cstr(&qr) : NULL, state }, "\t");
		buf_fini(&qr);
		return;
	}
	u->printed = true;
	fprintf(stderr, "\n%s, visit%s:\n\n\t%s\n\n", what, strcmp(state, "NeedsLogin") == 0 ? "" : " (as admin)", url);
	if (flag_on(u->flags, "qr") && qr_print(url, flag_text(u->flags, "qr-format"), stderr) < 0)
		fputs("(no QR code: the address is too long for one)\n", stderr);
}

static const char *admin_page(struct up *u)
{
	const char *url = u->next.control_url;

	if (same_control_url(url, NULL))
		return "https://login.tailscale.com/admin";
	return arena_printf(&u->c->arena, "%s/admin", url);
}

static bool key_changed(const struct up *u, const struct ipn_notify *n)
{
	return n->self_change && memcmp(n->self_change->key.b, u->old_key.b, KEY_LEN) != 0;
}

enum { GO_ON = -1 };

/* Says why it still waits, each reason once. */
static void tell_why(struct up *u, const struct ipn_health *h)
{
	static const char *const codes[] = { "login-state", "network-status", "not-in-map-poll", "no-derp-home",
		"no-derp-connection" };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		const struct ipn_health_warning *w = json_map_find(&h->warnings, codes[i]);

		/* That a login is wanted is no news to who is at it. */
		if (!w || !w->text || !*w->text || strcmp(w->text, "You are logged out.") == 0 ||
			(u->last_why && strcmp(u->last_why, w->text) == 0))
			continue;
		u->last_why = arena_strdup(&u->c->arena, w->text);
		clear_progress(u);
		fprintf(stderr, "Not connected yet. %s\nWaiting; it is tried again and again. Ctrl-C ends the waiting, not the trying.\n",
			w->text);
		u->printed = true;
	}
}

/* The exit code, or GO_ON. */
static int on_notify(struct up *u, const struct ipn_notify *n, bool *rekeyed)
{
	if (n->err_message) {
		clear_progress(u);
		return cli_fail(u->c, "backend error: %s", n->err_message);
	}
	if (n->health)
		tell_why(u, n->health);
	*rekeyed = *rekeyed || key_changed(u, n);
	if (n->state && *n->state == IPN_NEEDS_MACHINE_AUTH)
		tell_url(u, "To approve your machine", admin_page(u), "NeedsMachineAuth");
	if (n->browse_to_url && *n->browse_to_url && !*u->auth_key)
		tell_url(u, "To authenticate", n->browse_to_url, "NeedsLogin");
	if (n->state && *n->state == IPN_RUNNING && *rekeyed) {
		clear_progress(u);
		if (on(u, "json"))
			print_progress(&(struct progress){ .backend_state = "Running" }, "  ");
		else if (u->printed)
			fprintf(stderr, "Success.\n");
		return 0;
	}
	return GO_ON;
}

/* Says what the daemon thinks is wrong, if it does, so that nobody has to ask. */
static int timed_out(struct up *u)
{
	struct ipn_status s;

	clear_progress(u);
	if (cli_get_status(u->c, false, &s))
		for (size_t i = 0; i < s.health.n; i++)
			fprintf(stderr, "%s\n", *JSON_AT(s.health, const char *, i));
	return cli_fail(u->c, "timeout waiting for Warren service to enter a Running state; check health with \"warren status\"");
}

static int wait_for_running(struct up *u)
{
	int64_t patience_ms = flag_n(u->flags, "timeout") / MSEC(1);
	long long begin = cli_now_ms(), until = patience_ms > 0 ? begin + patience_ms : -1;
	/* A new key is waited for only where one was asked for and there was one. */
	bool rekeyed = !on(u, "force-reauth") || !u->before.have_node_key;
	int rc = GO_ON;

	while (rc == GO_ON) {
		long long now = cli_now_ms();
		int wait_ms = until < 0 ? PROGRESS_AFTER_MS : (int)MIN_OF(MAX_OF(until - now, 0), PROGRESS_AFTER_MS);
		struct ipn_notify n;
		struct arena a;
		struct view line;

		rc = lstream_next(u->bus, wait_ms, &line);
		if (rc == LCLIENT_TIMEOUT && until >= 0 && cli_now_ms() >= until)
			return timed_out(u);
		if (rc < 0)
			return cli_fail(u->c, "the daemon ended the connection: %s", err_text(rc));
		if (rc == LCLIENT_TIMEOUT) {
			show_progress(u);
			rc = GO_ON;
			continue;
		}
		arena_init(&a, LCLIENT_ANSWER_MAX);
		rc = json_decode(&ipn_notify_type, line.p, line.len, &n, &a, NULL) == 0 ? on_notify(u, &n, &rekeyed) : GO_ON;
		arena_fini(&a);
	}
	return rc;
}

/* Entries that a person should hear of right after connecting. */
static bool is_worth_saying(const char *text)
{
	return strstr(text, "SSH") || strstr(text, "accept-routes") || strstr(text, "locked out") || strstr(text, "update available: ");
}

static void tell_health(struct up *u)
{
	struct json_list say = { 0 };
	struct ipn_status s;

	if (on(u, "json") || !cli_get_status(u->c, false, &s))
		return;
	for (size_t i = 0; i < s.health.n; i++) {
		const char *text = *JSON_AT(s.health, const char *, i), **item;
		item = is_worth_saying(text) ? json_list_add(&say, &u->c->arena, sizeof(*item)) : NULL;
		if (item)
			*item = text;
	}
	if (say.n == 1)
		printf("%s\n", *JSON_AT(say, const char *, 0));
	if (say.n > 1)
		printf("# Health check warnings:\n");
	for (size_t i = 0; i < say.n && say.n > 1; i++)
		printf("#     - %s\n", *JSON_AT(say, const char *, i));
}

static int connect_and_wait(struct up *u)
{
	const struct lclient_request q = { .method = "GET", .path = "watch-ipn-bus?mask=0" };
	struct lclient_err err;
	/* The bus first: nothing that happens after the start may be missed. */
	int rc = lstream_open(&u->c->api, &q, &u->bus, &err);

	if (rc < 0)
		return cli_fail_api(u->c, "", rc, &err);
	u->old_key = u->before.self->public_key;
	if (on(u, "force-reauth") && u->before.auth_url)
		u->last_url = u->before.auth_url; /* that one is of an earlier try */
	rc = (is_simple(u) ? want_running(u) : start(u)) ? wait_for_running(u) : 1;
	lstream_close(u->bus);
	if (rc == 0)
		tell_health(u);
	return rc;
}

/* Logging in anew cuts connections, this one too when it comes through the network. */
static bool accepts_risk(struct up *u)
{
	const char *ssh = getenv("SSH_CLIENT"), *accepted = u->login ? "all" : flag_text(u->flags, "accept-risk");
	bool through_network = ssh && (strncmp(ssh, "100.", 4) == 0 || strncmp(ssh, "fd7a:115c:a1e0:", 15) == 0);

	if (!through_network || !on(u, "force-reauth") || strstr(accepted, "lose-ssh") || strstr(accepted, "all"))
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
	if (!cli_no_args(c, argc, argv))
		return 1;
	if (qr_check_format(flag_text(flags, "qr-format")) < 0)
		return cli_fail(c, "invalid value --qr-format=\"%s\"", flag_text(flags, "qr-format"));
	if (!read_auth_key(u) || (login && !cli_post(c, "PUT", "profiles/", NULL, 201, NULL)))
		return 1;
	if (!cli_get_status(c, true, &u->before) || !cli_get_doc(c, "prefs", &ipn_prefs_type, &u->now))
		return 1;
	if (!make_prefs(u) || !accepts_risk(u))
		return 1;
	if (is_just_an_edit(u)) {
		if (is_simple(u) ? !want_running(u) : !edit_only(u))
			return 1;
		tell_health(u);
		return 0;
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
