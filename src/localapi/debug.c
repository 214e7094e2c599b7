/* Calls for those who look closer: counters, the network map as it is, the marker of a report, debug actions. */
#include "localapi/shares.h"

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

static int add_user(const struct netmap *nm, int64_t id, struct json_map *to, struct arena *a)
{
	const struct tc_user *u = netmap_user(nm, id);
	char *key = u ? arena_printf(a, "%lld", (long long)id) : NULL;

	if (!u || (key && json_map_find(to, key)))
		return 0;
	return key ? json_map_add(to, a, key, (void *)u) : -ERR_TOO_BIG;
}

static int add_peers(const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	size_t n = netmap_n_peers(nm);
	const struct tc_node **peers = arena_array(a, n, sizeof(*peers));
	struct tc_node *shown = arena_array(a, n, sizeof(*shown));
	int rc = peers && shown ? 0 : -ERR_TOO_BIG;

	if (rc == 0)
		netmap_peers(nm, peers);
	for (size_t i = 0; i < n && rc == 0; i++) {
		shown[i] = lapi_node(nm, peers[i], a);
		rc = add_user(nm, peers[i]->user, &ret->user_profiles, a);
	}
	ret->peers = json_list_of(shown, n);
	return rc;
}

static int add_rules(const struct netmap *nm, struct arena *a, struct json_list *ret)
{
	for (size_t i = 0; i < netmap_n_filters(nm); i++) {
		const char *name;
		const struct json_list *l = netmap_filter(nm, i, &name);

		for (size_t k = 0; l && k < l->n; k++) {
			struct tc_filter_rule *rule = json_list_add(ret, a, sizeof(*rule));
			if (!rule)
				return -ERR_TOO_BIG;
			*rule = *JSON_AT(*l, struct tc_filter_rule, k);
		}
	}
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int add_self(
	struct lapi *l, const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	const struct tc_node *self = netmap_self(nm);
	struct tc_node *shown = self ? arena_new(a, struct tc_node) : NULL;

	if (!self)
		return 0;
	if (!shown)
		return -ERR_TOO_BIG;
	*shown = lapi_node(nm, self, a);
	ret->self_node = shown;
	ret->node_key = self->key;
	ret->machine_key = l->cfg.ops->machine_key(l->cfg.backend);
	ret->all_caps.present = true;
	for (size_t i = 0; i < self->cap_map.n; i++) {
		const char **cap = json_list_add(&ret->all_caps, a, sizeof(*cap));
		if (!cap)
			return -ERR_TOO_BIG;
		*cap = self->cap_map.v[i].key;
	}
	if (ret->all_caps.n)
		qsort(ret->all_caps.v, ret->all_caps.n, sizeof(char *), by_text);
	return add_user(nm, self->user, &ret->user_profiles, a);
}

int lapi_netmap(struct lapi *l, const struct netmap *nm, struct arena *a, struct ipn_netmap *ret)
{
	const struct tc_dns_config *dns = netmap_dns(nm);
	int rc;

	*ret = (struct ipn_netmap){
		.derp_map = netmap_derp_map(nm),
		.ssh_policy = netmap_ssh_policy(nm),
		.domain = netmap_domain(nm),
		.user_profiles.present = true,
		.tka_head =
			"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* of no tailnet lock: 32 zeros */
	};
	if (dns)
		ret->dns = *dns;
	rc = add_self(l, nm, a, ret);
	if (rc == 0)
		rc = add_peers(nm, a, ret);
	if (rc == 0)
		rc = add_rules(nm, a, &ret->packet_filter_rules);
	json_map_sort(&ret->user_profiles);
	return rc;
}

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
	int rc = nm ? add_rules(nm, r->arena, &rules) : 0;

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
