/* Calls for those who look closer: counters, the network map as it is, the marker of a report, debug actions. */
#include "localapi/server/shares.h"

#define OPS(r) ((r)->lapi->cfg.ops)
#define BACKEND(r) ((r)->lapi->cfg.backend)

enum { METRICS_MAX = 4 << 20, NOTE_MAX = 4096 };

static void send_metrics(
	struct lreq *r, int (*fill)(void *, struct buf *), const char *content_type)
{
	struct buf out;
	int rc;

	buf_init(&out, METRICS_MAX);
	rc = fill(BACKEND(r), &out);
	if (rc < 0)
		lreq_fault(r, rc);
	else
		lreq_body(r, 200, content_type, "", buf_view(&out));
	buf_fini(&out);
}

static void usermetrics(struct lreq *r)
{
	send_metrics(r, OPS(r)->usermetrics, "text/plain;version=0.0.4;charset=utf-8");
}

static void metrics(struct lreq *r)
{
	send_metrics(r, OPS(r)->metrics, "text/plain");
}

static void bugreport(struct lreq *r)
{
	/* Nothing is sent to anybody, so the marker is the one that says so. */
	static const char marker[] =
		"BUG-NO-LOGS-NO-SUPPORT-this-node-has-had-its-logging-disabled";
	const char *note = lreq_param(r, "note");

	if (!lreq_is(r, "POST")) {
		lreq_text(r, 405, "only POST allowed");
		return;
	}
	if (!share_may_work(r->conn, 20)) {
		lreq_text(r, 429, "too many reports; wait a moment");
		return;
	}
	OPS(r)->bugreport(
		BACKEND(r), marker, strlen(note) < NOTE_MAX ? note : "(a note that is too long)");
	lreq_body(r, 200, "text/plain", "",
		VIEW_LIT("BUG-NO-LOGS-NO-SUPPORT-this-node-has-had-its-logging-disabled\n"));
}

static void reload_config(struct lreq *r)
{
	if (lreq_is(r, "POST"))
		lreq_body(r, 200, "application/json", "",
			VIEW_LIT("{\"Reloaded\":false,\"Err\":\"\"}\n"));
	else
		lreq_text(r, 405, "want POST");
}

static void shutdown_daemon(struct lreq *r)
{
	if (lreq_is(r, "POST"))
		lreq_text(r, 403, "shutdown access denied by policy");
	else
		lreq_text(r, 405, "only POST allowed");
}

/* ---- the network map ---- */

static void current_netmap(struct lreq *r)
{
	const struct netmap *nm = OPS(r)->netmap(BACKEND(r));
	struct ipn_netmap map;
	int rc;

	if (!nm) {
		lreq_text(r, 400, "no netmap");
		return;
	}
	rc = lapi_netmap(r->lapi, nm, r->arena, &map);
	if (rc < 0)
		lreq_fault(r, rc);
	else
		lreq_json(r, 200, &ipn_netmap_type, &map, JSON_LINE);
}

static JSON_LIST_TYPE(rule_list, tc_filter_rule_type);

static void packet_filter_rules(struct lreq *r)
{
	const struct netmap *nm = OPS(r)->netmap(BACKEND(r));
	struct json_list rules = { .present = true };
	int rc = nm ? lapi_filter_rules(nm, r->arena, &rules) : 0;

	if (!nm)
		lreq_text(r, 404, "no netmap");
	else if (rc < 0)
		lreq_fault(r, rc);
	else
		lreq_json(r, 200, &rule_list, &rules, JSON_TABS);
}

static void rejects(struct lreq *r)
{
	struct ipn_rejects doc;
	int rc;

	if (!lreq_is(r, "GET")) {
		lreq_text(r, 405, "GET required");
		return;
	}
	rc = OPS(r)->rejects(BACKEND(r), r->arena, &doc);
	if (rc < 0)
		lreq_fault(r, rc);
	else
		lreq_json(r, 200, &ipn_rejects_type, &doc, JSON_LINE);
}

/* ---- actions ---- */

static void debug_notify(struct lreq *r)
{
	struct ipn_notify n;
	struct err_at at = { 0 };

	if (json_decode_first(&ipn_notify_type, r->body.p, r->body.len, &n, r->arena, &at) < 0) {
		lreq_text(r, 400, "%s", at.text);
		return;
	}
	lapi_notify(r->lapi, &n);
	lreq_body(r, 200, "text/plain", "", VIEW_LIT("done\n"));
}

static void debug_backend(struct lreq *r, const char *action)
{
	struct err_at at = { 0 };
	struct buf out;
	int rc;

	buf_init(&out, LAPI_ANSWER_MAX);
	rc = OPS(r)->debug(BACKEND(r), action, r->body, &out, &at);
	if (rc == -ERR_UNSUPPORTED)
		lreq_text(r, 400, "unknown action \"%.80s\"", action);
	else if (rc < 0)
		lreq_text(r, 400, "%s", at.text[0] ? at.text : err_text(rc));
	else if (buf_len(&out))
		lreq_body(r, 200, "application/json", "", buf_view(&out));
	else
		lreq_body(r, 200, "text/plain", "", VIEW_LIT("done\n"));
	buf_fini(&out);
}

static void debug(struct lreq *r)
{
	struct view named = http1_find(r->head, "Debug-Action");
	const char *action = lreq_param(r, "action"),
		   *dir = r->lapi->cfg.state_dir ? r->lapi->cfg.state_dir : "";

	if (!lreq_is(r, "POST"))
		lreq_text(r, 405, "POST required");
	else if (view_eq(named, VIEW_LIT("notify")) || strcmp(action, "notify") == 0)
		debug_notify(r);
	else if (!*action)
		lreq_text(r, 400, "missing parameter 'action'");
	else if (strcmp(action, "current-netmap") == 0)
		current_netmap(r);
	else if (strcmp(action, "statedir") == 0)
		lreq_json(r, 200, &json_str, &dir, JSON_LINE);
	else
		debug_backend(r, action);
}

static void optional_features(struct lreq *r)
{
	lreq_body(r, 200, "application/json", "", VIEW_LIT("{\"Features\":{}}\n"));
}

const struct lroute lroutes_debug[] = {
	{ "usermetrics", usermetrics, NULL },
	{ "metrics", metrics, "metric access denied" },
	{ "bugreport", bugreport, NULL },
	{ "reload-config", reload_config, "access denied" },
	{ "shutdown", shutdown_daemon, "shutdown access denied" },
	{ "debug", debug, "debug access denied" },
	{ "debug-packet-filter-rules", packet_filter_rules, "debug access denied" },
	{ "debug-rejects", rejects, NULL },
	{ "debug-optional-features", optional_features, NULL },
	{ NULL, NULL, NULL },
};
