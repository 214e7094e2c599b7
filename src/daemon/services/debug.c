#include "daemon/services/debug.h"
#include "daemon/services/shown.h"
#include "daemon/services/watch.h"
#include "localapi/server/request.h"

enum { NOTE_MAX = 4096 };

static int bugreport(struct http_request *q)
{
	/* Nothing is sent to anybody, so the marker is the one that says so. */
	static const char marker[] =
		"BUG-NO-LOGS-NO-SUPPORT-this-node-has-had-its-logging-disabled";
	const struct debug_service *s = q->ctx;
	const char *note = lapi_param(q, "note");

	if (!lapi_may_work(q, 20))
		return lapi_send_text(q->reply, 429, "too many reports; wait a moment");
	s->ops->bugreport(
		s->owner, marker, strlen(note) < NOTE_MAX ? note : "(a note that is too long)");
	return lapi_send_body(q->reply, "text/plain",
		VIEW_LIT("BUG-NO-LOGS-NO-SUPPORT-this-node-has-had-its-logging-disabled\n"));
}

static int reload_config(struct http_request *q)
{
	return lapi_send_body(
		q->reply, "application/json", VIEW_LIT("{\"Reloaded\":false,\"Err\":\"\"}\n"));
}

static int want_post(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "want POST");
}

static int shutdown_daemon(struct http_request *q)
{
	return lapi_send_text(q->reply, 403, "shutdown access denied by policy");
}

static int rejects(struct http_request *q)
{
	const struct debug_service *s = q->ctx;
	struct ipn_rejects doc;
	int rc = s->ops->rejects(s->owner, &q->mem, &doc);

	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &ipn_rejects_type, &doc, JSON_LINE);
}

static int get_required(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "GET required");
}

static int optional_features(struct http_request *q)
{
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{\"Features\":{}}\n"));
}

/* ---- Actions ---- */

static int current_netmap(struct http_request *q)
{
	const struct facts *f = ((const struct debug_service *)q->ctx)->facts;
	const struct netmap *nm = f->ops->netmap(f->owner);
	struct ipn_netmap map;
	int rc;

	if (!nm)
		return lapi_send_text(q->reply, 400, "no netmap");
	rc = shown_netmap(f, nm, &q->mem, &map);
	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &ipn_netmap_type, &map, JSON_LINE);
}

static int done(struct http_request *q)
{
	return lapi_send_body(q->reply, "text/plain", VIEW_LIT("done\n"));
}

static int notify(struct http_request *q)
{
	const struct debug_service *s = q->ctx;
	struct ipn_notify n;
	struct err_at at = { 0 };

	if (json_decode_first(&ipn_notify_type, q->body.p, q->body.len, &n, &q->mem, &at) < 0)
		return lapi_send_text(q->reply, 400, "%s", at.text);
	watch_notify(s->watch, &n);
	return done(q);
}

static int run_action(struct http_request *q, const char *action)
{
	const struct debug_service *s = q->ctx;
	struct err_at at = { 0 };
	struct buf out;
	int rc;

	buf_init(&out, LAPI_ANSWER_MAX);
	rc = s->ops->action(s->owner, action, q->body, &out, &at);
	if (rc == -ERR_UNSUPPORTED)
		rc = lapi_send_text(q->reply, 400, "unknown action \"%.80s\"", action);
	else if (rc < 0)
		rc = lapi_send_text(q->reply, 400, "%s", at.text[0] ? at.text : err_text(rc));
	else if (buf_len(&out))
		rc = lapi_send_body(q->reply, "application/json", buf_view(&out));
	else
		rc = done(q);
	buf_fini(&out);
	return rc;
}

static int debug(struct http_request *q)
{
	const struct debug_service *s = q->ctx;
	struct view named = http1_find(q->head, "Debug-Action");
	const char *action = lapi_param(q, "action"), *dir = s->state_dir ? s->state_dir : "";

	if (view_eq(named, VIEW_LIT("notify")) || strcmp(action, "notify") == 0)
		return notify(q);
	if (!*action)
		return lapi_send_text(q->reply, 400, "missing parameter 'action'");
	if (strcmp(action, "current-netmap") == 0)
		return current_netmap(q);
	if (strcmp(action, "statedir") == 0)
		return lapi_send_json(q->reply, 200, &json_str, &dir, JSON_LINE);
	return run_action(q, action);
}

static const char denied[] = "debug access denied", no_shutdown[] = "shutdown access denied",
		  no[] = "access denied";

/* HEAD is not served where the original wants GET. */
static const struct http_route routes[] = {
	{ "POST", "/bugreport", 0, .fn = bugreport },
	{ NULL, "/bugreport", 0, .fn = lapi_only_post },
	{ "POST", "/reload-config", LAPI_WRITE, .fn = reload_config, .denied = no },
	{ NULL, "/reload-config", LAPI_WRITE, .fn = want_post, .denied = no },
	{ "POST", "/shutdown", LAPI_WRITE, .fn = shutdown_daemon, .denied = no_shutdown },
	{ NULL, "/shutdown", LAPI_WRITE, .fn = lapi_only_post, .denied = no_shutdown },
	{ "POST", "/debug", LAPI_WRITE, .fn = debug, .denied = denied },
	{ NULL, "/debug", LAPI_WRITE, .fn = lapi_post_required, .denied = denied },
	{ "HEAD", "/debug-rejects", 0, .fn = get_required },
	{ "GET", "/debug-rejects", 0, .fn = rejects },
	{ NULL, "/debug-rejects", 0, .fn = get_required },
	{ NULL, "/debug-optional-features", 0, .fn = optional_features },
};
static const struct router table = LAPI_TABLE(routes);
const struct service debug_service = { .name = "debug", .routes = &table };
