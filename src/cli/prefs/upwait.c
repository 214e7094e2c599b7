/* The second half of up and login: what happens until the device is connected. */
#include "base/err/err.h"
#include "cli/prefs/up.h"

#include <errno.h>
#include <unistd.h>

enum {
	PROGRESS_AFTER_MS = 1000, /* without news; then the status is asked for, too */
	LAST_WORD_MS = 2000,      /* for the reason, when the time is over */
};

bool up_ask_login(struct up *u)
{
	u->asked_login = true;
	return cli_post(u->c, "POST", "login-interactive", NULL, 204, NULL);
}

static void clear_progress(struct up *u)
{
	if (u->showed_progress) {
		term_own(stderr, true);
		fputs("\r\033[K", stderr);
		term_own(stderr, false);
	}
	u->showed_progress = false;
}

static void show_progress(struct up *u)
{
	if (u->showed_progress || u->printed || up_on(u, "json") || !isatty(STDERR_FILENO))
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
	if (json_encode(&progress_type, p, &compact) == 0 &&
		json_indent(buf_view(&compact), "", indent, &out) == 0)
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
	if (up_on(u, "json")) {
		buf_init(&qr, 1 << 20);
		print_progress(&(struct progress){ url,
				       qr_data_url(url, &qr) == 0 ? buf_cstr(&qr) : NULL, state },
			"\t");
		buf_fini(&qr);
		return;
	}
	u->printed = true;
	fprintf(stderr, "\n%s, visit%s:\n\n\t%s\n\n", what,
		strcmp(state, "NeedsLogin") == 0 ? "" : " (as admin)", url);
	if (flag_on(u->flags, "qr") && qr_print(url, u->qr_style, stderr) < 0)
		fputs("(no QR code: the address is too long for one)\n", stderr);
}

static const char *admin_page(struct up *u)
{
	const char *url = u->next.control_url;

	if (prefflags_same_url(url, NULL))
		return "https://login.tailscale.com/admin";
	return arena_printf(&u->c->arena, "%s/admin", url);
}

/* ---- the end of the wait ---- */

enum { GO_ON = -1 };

/* Asked to go where the hub moved to, the daemon found another hub there, and stays where it was. */
static bool stayed(struct up *u)
{
	struct lclient_err err;
	struct ipn_prefs p;
	struct arena a;
	bool is;

	if (up_on(u, "force-reauth") || !u->before.have_node_key ||
		prefflags_same_url(u->now.control_url, u->next.control_url))
		return false;
	arena_init(&a, LCLIENT_ANSWER_MAX);
	is = lclient_get(&u->c->api, "prefs", &ipn_prefs_type, &p, &a, &err) == 0 &&
	     prefflags_same_url(p.control_url, u->now.control_url);
	arena_fini(&a);
	return is;
}

static int connected(struct up *u)
{
	clear_progress(u);
	if (stayed(u))
		return cli_fail(u->c,
			"%s is another hub than the one that this device is logged in at, %s; --force-reauth leaves that one",
			cli_text_or(u->next.control_url, ""), cli_text_or(u->now.control_url, ""));
	if (up_on(u, "json"))
		print_progress(&(struct progress){ .backend_state = "Running" }, "  ");
	else if (u->printed)
		fprintf(stderr, "Success.\n");
	return 0;
}

static bool is_old_key(const struct up *u, const struct node_pub *key)
{
	return memcmp(key->b, u->before.self->public_key.b, KEY_LEN) == 0;
}

static int judge(struct up *u, const struct ipn_status *s)
{
	const char *state = cli_text_or(s->backend_state, "");

	u->rekeyed =
		u->rekeyed || (s->have_node_key && s->self && !is_old_key(u, &s->self->public_key));
	if (strcmp(state, "Running") == 0 && u->rekeyed)
		return connected(u);
	u->left_stop = u->left_stop || strcmp(state, "Stopped") != 0;
	if (u->left_stop && strcmp(state, "Stopped") == 0) {
		clear_progress(u);
		return cli_fail(u->c, "Warren was stopped while this command waited");
	}
	if (strcmp(state, "NeedsLogin") == 0 && !u->asked_login && !*u->auth_key)
		return up_ask_login(u) ? GO_ON : 1;
	return GO_ON;
}

/*
 * How it stands, whatever was told so far: a state that was there before anybody listened, or that nobody tells again because it
 * did not change, is seen here. The exit code, or GO_ON.
 */
static int look(struct up *u)
{
	struct lclient_err err;
	struct ipn_status s;
	struct arena a;
	int rc;

	arena_init(&a, LCLIENT_ANSWER_MAX);
	rc = lclient_get(&u->c->api, "status?peers=false", &ipn_status_type, &s, &a, &err);
	if (rc == 0)
		rc = judge(u, &s);
	else
		rc = rc == -ETIMEDOUT ? GO_ON : cli_fail_api(u->c, "", rc, &err);
	arena_fini(&a);
	return rc;
}

/* Does it say that there is something new to see? */
static bool is_news(const struct ipn_notify *n)
{
	return n->state || n->self_change || n->login_finished || n->prefs;
}

/* Says why it still waits, each reason once. */
static void tell_why(struct up *u, const struct ipn_health *h)
{
	static const char *const codes[] = { "login-state", "network-status", "hub-key-changed",
		"not-in-map-poll", "no-derp-home", "no-derp-connection" };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		const struct ipn_health_warning *w = json_map_find(&h->warnings, codes[i]);

		/* That a login is wanted is no news to who is at it. */
		if (!w || !w->text || !*w->text || cli_only_wants_login(w->text) ||
			(u->last_why && strcmp(u->last_why, w->text) == 0))
			continue;
		u->last_why = arena_strdup(&u->c->arena, w->text);
		clear_progress(u);
		fprintf(stderr,
			"Not connected yet. %s\nWaiting; it is tried again and again. Ctrl-C ends the waiting, not the trying.\n",
			w->text);
		u->printed = true;
	}
}

/* The exit code, or GO_ON. */
static int on_notify(struct up *u, const struct ipn_notify *n)
{
	if (n->err_message) {
		clear_progress(u);
		return cli_fail(u->c, "backend error: %s", n->err_message);
	}
	if (n->health)
		tell_why(u, n->health);
	u->rekeyed = u->rekeyed || (n->self_change && !is_old_key(u, &n->self_change->key));
	if (n->state && *n->state == IPN_NEEDS_MACHINE_AUTH)
		tell_url(u, "To approve your machine", admin_page(u), "NeedsMachineAuth");
	if (n->browse_to_url && *n->browse_to_url && !*u->auth_key)
		tell_url(u, "To authenticate", n->browse_to_url, "NeedsLogin");
	if (n->state && *n->state == IPN_RUNNING && u->rekeyed)
		return connected(u); /* it may be over when the status is asked for */
	return is_news(n) ? look(u) : GO_ON;
}

static bool is_over(const struct up *u)
{
	return u->until_ms && cli_now_ms() >= u->until_ms;
}

/* Says what the daemon thinks is wrong, if it does, so that nobody has to ask. */
static int timed_out(struct up *u)
{
	struct lclient_err err;
	struct ipn_status s;

	clear_progress(u);
	u->c->api.until_ms = cli_now_ms() + LAST_WORD_MS;
	if (lclient_get(&u->c->api, "status?peers=false", &ipn_status_type, &s, &u->c->arena,
		    &err) == 0)
		for (size_t i = 0; i < s.health.n; i++)
			fprintf(stderr, "%s\n", *JSON_AT(s.health, const char *, i));
	return cli_fail(u->c,
		"timeout waiting for Warren service to enter a Running state; check health with \"warren status\"");
}

static int on_line(struct up *u, struct view line)
{
	struct ipn_notify n;
	struct arena a;
	int rc = GO_ON;

	arena_init(&a, LCLIENT_ANSWER_MAX);
	if (json_decode(&ipn_notify_type, line.p, line.len, &n, &a, NULL) == 0) {
		json_make_plain(&ipn_notify_type, &n);
		rc = on_notify(u, &n);
	}
	arena_fini(&a);
	return rc;
}

int up_wait(struct up *u)
{
	int rc = look(u);

	while (rc == GO_ON && !is_over(u)) {
		long long left = u->until_ms ? u->until_ms - cli_now_ms() : PROGRESS_AFTER_MS;
		struct view line;

		rc = lclient_stream_next(
			u->bus, (int)MIN_OF(MAX_OF(left, 0), PROGRESS_AFTER_MS), &line);
		if (rc < 0)
			return cli_fail(u->c, "the daemon ended the connection: %s", err_text(rc));
		if (rc == 0) {
			rc = on_line(u, line);
			continue;
		}
		show_progress(u);
		rc = look(u);
	}
	return rc == GO_ON ? timed_out(u) : rc;
}

/* Entries that a person should hear of right after connecting. */
static bool is_worth_saying(const char *text)
{
	return strstr(text, "SSH") || strstr(text, "accept-routes") || strstr(text, "locked out") ||
	       strstr(text, "update available: ") || strstr(text, "shows another key");
}

/* What the hub did not take of the settings is a failure, though the device is connected. The exit code. */
static int tell_refused(const struct up *u, const struct ipn_status *s)
{
	int rc = 0;

	for (size_t i = 0; i < s->health.n; i++) {
		const char *text = *JSON_AT(s->health, const char *, i);

		if (strncmp(text, TC_REFUSED_SETTING, strlen(TC_REFUSED_SETTING)) == 0)
			rc = cli_fail(u->c, "%s", text);
	}
	return rc;
}

int up_tell_health(struct up *u)
{
	struct json_list say = { 0 };
	struct ipn_status s;

	if (u->until_ms)
		u->c->api.until_ms = MAX_OF(u->until_ms, cli_now_ms() + LAST_WORD_MS);
	if (!cli_get_status(u->c, false, &s))
		return 1;
	if (up_on(u, "json"))
		return tell_refused(u, &s);
	for (size_t i = 0; i < s.health.n; i++) {
		const char *text = *JSON_AT(s.health, const char *, i), **item;
		item = is_worth_saying(text) ? json_list_add(&say, &u->c->arena, sizeof(*item))
					     : NULL;
		if (item)
			*item = text;
	}
	if (say.n == 1)
		printf("%s\n", *JSON_AT(say, const char *, 0));
	if (say.n > 1)
		printf("# Health check warnings:\n");
	for (size_t i = 0; i < say.n && say.n > 1; i++)
		printf("#     - %s\n", *JSON_AT(say, const char *, i));
	return tell_refused(u, &s);
}
