/* Calls about the node itself: status, preferences, login, profiles. */
#include "base/text/text.h"
#include "localapi/server/internal.h"

#define OPS(r) ((r)->lapi->cfg.ops)
#define BACKEND(r) ((r)->lapi->cfg.backend)

static void status(struct lreq *r)
{
	const char *peers = lreq_param(r, "peers");
	struct ipn_status s = { 0 };
	int rc = OPS(r)->status(
		BACKEND(r), strcmp(peers, "false") != 0 && strcmp(peers, "0") != 0, r->arena, &s);

	if (rc < 0) {
		lreq_fault(r, rc);
		return;
	}
	s.version = r->lapi->cfg.version;
	json_map_sort(&s.peer);
	json_map_sort(&s.user);
	lreq_json(r, 200, &ipn_status_type, &s, JSON_TABS);
}

static void send_prefs(struct lreq *r)
{
	struct ipn_persist persist;
	struct ipn_prefs p = lapi_public_prefs(OPS(r)->prefs(BACKEND(r)), &persist);

	lreq_json(r, 200, &ipn_prefs_type, &p, JSON_TABS);
}

/* Reads the body. On a fault it has been answered with 400. */
static bool read_json(struct lreq *r, const struct json_type *t, void *ret, const char *message)
{
	struct err_at at = { 0 };
	int rc = r->body.len ? json_decode_first(t, r->body.p, r->body.len, ret, r->arena, &at)
			     : -ERR_TRUNCATED;

	if (rc < 0 && message)
		lreq_text(r, 400, "%s", message);
	else if (rc < 0)
		lreq_text(r, 400, "%s", r->body.len ? at.text : "EOF");
	return rc == 0;
}

static void patch_prefs(struct lreq *r)
{
	struct ipn_masked_prefs *edit = arena_new(r->arena, struct ipn_masked_prefs);
	struct err_at at = { 0 };
	int rc;

	if (!edit || !read_json(r, &ipn_masked_prefs_type, edit, NULL))
		return;
	if (edit->set[IPN_PREF_EXIT_NODE_PRIOR]) {
		lreq_json_error(r, 400, "Error", "can't set Internal fields");
		return;
	}
	edit->p.persist = NULL;
	rc = OPS(r)->edit_prefs(BACKEND(r), edit, &at);
	if (rc < 0)
		lreq_json_error(r, 400, "Error", at.text[0] ? at.text : err_text(rc));
	else
		send_prefs(r);
}

static void prefs(struct lreq *r)
{
	if (lreq_is(r, "GET") || lreq_is(r, "HEAD")) {
		send_prefs(r);
	} else if (!lreq_is(r, "PATCH")) {
		lreq_text(r, 405, "unsupported method");
	} else if (!lreq_may_write(r)) {
		r->lapi->n.refused++;
		lreq_text(r, 403, "prefs write access denied");
	} else {
		patch_prefs(r);
	}
}

static void check_prefs(struct lreq *r)
{
	struct ipn_prefs *p = arena_new(r->arena, struct ipn_prefs);
	struct err_at at = { 0 };
	int rc;

	if (!lreq_is(r, "POST")) {
		lreq_text(r, 405, "unsupported method");
		return;
	}
	if (!p || !read_json(r, &ipn_prefs_type, p, "invalid JSON body"))
		return;
	rc = OPS(r)->check_prefs(BACKEND(r), p, &at);
	if (rc < 0) /* 200 also then: clients look into the body */
		lreq_json_error(r, 200, "Error", at.text[0] ? at.text : err_text(rc));
	else
		lreq_body(r, 200, "application/json", "", VIEW_LIT("{}\n"));
}

static void unbuilt(struct lreq *r)
{
	struct json_list list = { 0 };

	if (!OPS(r)->unbuilt)
		lreq_text(r, 404, "404 not found");
	else if (!lreq_is(r, "GET"))
		lreq_text(r, 405, "use GET");
	else if (OPS(r)->unbuilt(BACKEND(r), r->arena, &list) < 0)
		lreq_text(r, 500, "out of memory");
	else
		lreq_json(r, 200, &ipn_unbuilt_list, &list, JSON_LINE);
}

static bool want_post(struct lreq *r)
{
	if (lreq_is(r, "POST"))
		return true;
	lreq_text(r, 400, "want POST");
	return false;
}

static void done(struct lreq *r, int rc, const struct err_at *at)
{
	if (rc < 0)
		lreq_text(r, 500, "%s", at->text[0] ? at->text : err_text(rc));
	else
		lreq_empty(r, 204);
}

static void start(struct lreq *r)
{
	struct ipn_options *o = arena_new(r->arena, struct ipn_options);
	struct err_at at = { 0 };

	if (!want_post(r) || !o || !read_json(r, &ipn_options_type, o, NULL))
		return;
	if (o->update_prefs)
		o->update_prefs->persist = NULL;
	done(r, OPS(r)->start(BACKEND(r), o, &at), &at);
}

static void login_interactive(struct lreq *r)
{
	struct err_at at = { 0 };

	if (want_post(r))
		done(r, OPS(r)->login_interactive(BACKEND(r), &at), &at);
}

static void logout(struct lreq *r)
{
	struct err_at at = { 0 };

	int rc;

	if (!want_post(r))
		return;
	rc = OPS(r)->logout(BACKEND(r), &at);
	/* Whoever asked may ask for the status next: answered when it is so. */
	if (rc == 0 && OPS(r)->state(BACKEND(r)) != IPN_NEEDS_LOGIN &&
		OPS(r)->state(BACKEND(r)) != IPN_NO_STATE)
		lreq_wait_for_logout(r);
	else
		done(r, rc, &at);
}

static void reset_auth(struct lreq *r)
{
	struct err_at at = { 0 };

	if (want_post(r))
		done(r, OPS(r)->reset_auth(BACKEND(r), &at), &at);
}

static void set_expiry_sooner(struct lreq *r)
{
	const char *text = lreq_param(r, "expiry");
	struct err_at at = { 0 };
	uint64_t seconds;
	int rc;

	if (!lreq_is(r, "POST")) {
		lreq_text(r, 405, "want POST");
	} else if (!*text) {
		lreq_text(r, 400, "missing 'expiry' parameter, a unix timestamp");
	} else if (text_u64(text, strlen(text), INT64_MAX / 1000, &seconds) < 0) {
		lreq_text(r, 400, "can't parse expiry time, expects a unix timestamp");
	} else {
		rc = OPS(r)->set_expiry_sooner(BACKEND(r), (unix_ms)seconds * 1000, &at);
		if (rc < 0)
			lreq_text(r, 400, "%s", at.text[0] ? at.text : err_text(rc));
		else
			lreq_body(r, 200, "text/plain", "", VIEW_LIT("done\n"));
	}
}

static int by_creation(const void *a, const void *b)
{
	const struct ipn_login_profile *x = a, *y = b;
	int c = (x->created > y->created) - (x->created < y->created);

	if (c == 0)
		c = strcmp(x->name ? x->name : "", y->name ? y->name : "");
	if (c == 0)
		c = strcmp(x->network.domain_name ? x->network.domain_name : "",
			y->network.domain_name ? y->network.domain_name : "");
	return c;
}

static int profile_list(struct lreq *r, struct json_list *ret)
{
	int rc = OPS(r)->profiles(BACKEND(r), r->arena, ret);

	ret->present = true;
	if (rc == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(struct ipn_login_profile), by_creation);
	return rc;
}

static void profiles_all(struct lreq *r)
{
	struct json_list all = { 0 };
	struct err_at at = { 0 };
	int rc;

	if (lreq_is(r, "GET")) {
		rc = profile_list(r, &all);
		if (rc == 0)
			lreq_json(r, 200, &ipn_login_profile_list, &all, JSON_LINE);
		else
			lreq_fault(r, rc);
	} else if (lreq_is(r, "PUT")) {
		rc = OPS(r)->profile_new(BACKEND(r), &at);
		if (rc == 0)
			lreq_empty(r, 201);
		else
			lreq_text(r, 500, "%s", at.text[0] ? at.text : err_text(rc));
	} else {
		lreq_text(r, 405, "use GET or PUT");
	}
}

static void profile_get(struct lreq *r, bool current)
{
	struct ipn_login_profile one = { 0 };
	struct json_list all = { 0 };
	int rc = current ? OPS(r)->profile_current(BACKEND(r), r->arena, &one)
			 : profile_list(r, &all);

	if (rc < 0) {
		lreq_fault(r, rc);
		return;
	}
	for (size_t i = 0; i < all.n && !current; i++) {
		one = *JSON_AT(all, struct ipn_login_profile, i);
		current = strcmp(one.id, r->rest) == 0;
	}
	if (current)
		lreq_json(r, 200, &ipn_login_profile_type, &one, JSON_LINE);
	else
		lreq_text(r, 404, "Profile not found");
}

static void profiles(struct lreq *r)
{
	bool current = strcmp(r->rest, "current") == 0;
	struct err_at at = { 0 };

	if (!*r->rest)
		profiles_all(r);
	else if (lreq_is(r, "GET"))
		profile_get(r, current);
	else if (current)
		lreq_text(r, 405, "use GET");
	else if (lreq_is(r, "POST"))
		done(r, OPS(r)->profile_switch(BACKEND(r), r->rest, &at), &at);
	else if (lreq_is(r, "DELETE"))
		done(r, OPS(r)->profile_delete(BACKEND(r), r->rest, &at), &at);
	else
		lreq_text(r, 405, "use POST or DELETE");
}

const struct lroute lroutes_state[] = {
	{ "status", status, NULL },
	{ "watch-ipn-bus", watch_bus, NULL },
	{ "prefs", prefs, NULL },
	{ "warren/unbuilt", unbuilt, NULL },
	{ "check-prefs", check_prefs, "checkprefs access denied" },
	{ "start", start, "access denied" },
	{ "login-interactive", login_interactive, "login access denied" },
	{ "logout", logout, "logout access denied" },
	{ "reset-auth", reset_auth, "reset-auth modify access denied" },
	{ "set-expiry-sooner", set_expiry_sooner, "access denied" },
	{ "profiles/", profiles, "profiles access denied" },
	{ NULL, NULL, NULL },
};
