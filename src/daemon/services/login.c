#include "daemon/services/login.h"
#include "base/text/text.h"
#include "localapi/server/request.h"

#include <errno.h>
#include <stdlib.h>

#define LOGOUT_TIMEOUT \
	SEC(5) /* for the hub to hear of it; the node is logged out here in any case */

static int done(struct http_request *q, int rc, const struct err_at *at)
{
	if (rc < 0)
		return lapi_send_text(q->reply, 500, "%s", at->text[0] ? at->text : err_text(rc));
	return lapi_send_empty(q->reply, 204);
}

static int start(struct http_request *q)
{
	const struct login_service *s = q->ctx;
	struct ipn_options *o = arena_new(&q->mem, struct ipn_options);
	struct err_at at = { 0 };
	int rc;

	if (!o)
		return -ENOMEM;
	if (!lapi_read_json(q, &ipn_options_type, o, NULL, &rc))
		return rc;
	if (o->update_prefs)
		o->update_prefs->persist = NULL;
	return done(q, s->ops->start(s->owner, o, &at), &at);
}

static int login_interactive(struct http_request *q)
{
	const struct login_service *s = q->ctx;
	struct err_at at = { 0 };

	return done(q, s->ops->interactive(s->owner, &at), &at);
}

static int reset_auth(struct http_request *q)
{
	const struct login_service *s = q->ctx;
	struct err_at at = { 0 };

	return done(q, s->ops->reset(s->owner, &at), &at);
}

static int set_expiry_sooner(struct http_request *q)
{
	const struct login_service *s = q->ctx;
	const char *text = lapi_param(q, "expiry");
	struct err_at at = { 0 };
	uint64_t seconds;
	int rc;

	if (!*text)
		return lapi_send_text(
			q->reply, 400, "missing 'expiry' parameter, a unix timestamp");
	if (text_u64(text, strlen(text), INT64_MAX / 1000, &seconds) < 0)
		return lapi_send_text(
			q->reply, 400, "can't parse expiry time, expects a unix timestamp");
	rc = s->ops->set_expiry_sooner(s->owner, (unix_ms)seconds * 1000, &at);
	if (rc < 0)
		return lapi_send_text(q->reply, 400, "%s", at.text[0] ? at.text : err_text(rc));
	return lapi_send_body(q->reply, "text/plain", VIEW_LIT("done\n"));
}

static int want_post(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "want POST");
}

/* ---- Logging out ---- */

struct logout {
	struct list link;
	struct http_reply *reply;
};

static bool is_logged_out(const struct login_service *s)
{
	enum ipn_state now = s->facts->ops->state(s->facts->owner);

	return now == IPN_NEEDS_LOGIN || now == IPN_NO_STATE;
}

static void on_gone(void *ctx)
{
	struct logout *l = ctx;

	list_remove(&l->link);
	free(l);
}

/* Whoever asked may ask for the status next: answered when it is so, but not kept for ever. */
static int logout(struct http_request *q)
{
	struct login_service *s = q->ctx;
	struct logout *l;
	struct err_at at = { 0 };
	int rc = s->ops->logout(s->owner, &at);

	if (rc < 0 || is_logged_out(s))
		return done(q, rc, &at);
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->reply = q->reply;
	list_push_tail(&s->waiting, &l->link);
	s->until = mono_add(loop_now(s->loop).mono, LOGOUT_TIMEOUT);
	http_reply_later(q->reply, on_gone, l);
	return 0;
}

static mono_ns deadline(const void *self)
{
	const struct login_service *s = self;

	if (list_empty(&s->waiting))
		return MONO_NEVER;
	return is_logged_out(s) ? 0 : s->until;
}

/* All that wait are answered: they are logged out, or the hub does not answer. */
static void tick(void *self, struct now now)
{
	struct login_service *s = self;
	struct list *l;

	(void)now;
	while ((l = list_pop_head(&s->waiting))) {
		struct logout *w = container_of(l, struct logout, link);

		if (lapi_send_empty(w->reply, 204) < 0)
			continue; /* no memory: the connection's end frees it */
		free(w);
	}
}

void login_init(struct login_service *s)
{
	list_init(&s->waiting);
	s->until = MONO_NEVER;
}

/* ---- The table ---- */

static const char no_login[] = "login access denied", no_logout[] = "logout access denied",
		  no_reset[] = "reset-auth modify access denied", no[] = "access denied";

static const struct http_route routes[] = {
	{ "POST", "/start", LAPI_WRITE, .fn = start, .denied = no },
	{ NULL, "/start", LAPI_WRITE, .fn = lapi_want_post, .denied = no },
	{ "POST", "/login-interactive", LAPI_WRITE, .fn = login_interactive, .denied = no_login },
	{ NULL, "/login-interactive", LAPI_WRITE, .fn = lapi_want_post, .denied = no_login },
	{ "POST", "/logout", LAPI_WRITE, .fn = logout, .denied = no_logout },
	{ NULL, "/logout", LAPI_WRITE, .fn = lapi_want_post, .denied = no_logout },
	{ "POST", "/reset-auth", LAPI_WRITE, .fn = reset_auth, .denied = no_reset },
	{ NULL, "/reset-auth", LAPI_WRITE, .fn = lapi_want_post, .denied = no_reset },
	{ "POST", "/set-expiry-sooner", LAPI_WRITE, .fn = set_expiry_sooner, .denied = no },
	{ NULL, "/set-expiry-sooner", LAPI_WRITE, .fn = want_post, .denied = no },
};
static const struct router table = LAPI_TABLE(routes);
const struct service login_service = {
	.name = "login", .routes = &table, .deadline = deadline, .tick = tick
};
