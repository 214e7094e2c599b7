#include "daemon/services/prefs.h"
#include "daemon/services/shown.h"
#include "localapi/server/request.h"

#include <errno.h>

static int get_prefs(struct http_request *q)
{
	const struct prefs_service *s = q->ctx;
	struct ipn_persist persist;
	struct ipn_prefs p = shown_prefs(s->facts->ops->prefs(s->facts->owner), &persist);

	return lapi_send_json(q->reply, 200, &ipn_prefs_type, &p, JSON_TABS);
}

static int edit_prefs(struct http_request *q)
{
	const struct prefs_service *s = q->ctx;
	struct ipn_masked_prefs *edit = arena_new(&q->mem, struct ipn_masked_prefs);
	struct err_at at = { 0 };
	int rc;

	if (!edit)
		return -ENOMEM;
	if (!lapi_read_json(q, &ipn_masked_prefs_type, edit, NULL, &rc))
		return rc;
	if (edit->set[IPN_PREF_EXIT_NODE_PRIOR])
		return lapi_send_json_error(q->reply, 400, "Error", "can't set Internal fields");
	edit->p.persist = NULL;
	rc = s->ops->edit(s->owner, edit, &at);
	if (rc < 0)
		return lapi_send_json_error(
			q->reply, 400, "Error", at.text[0] ? at.text : err_text(rc));
	return get_prefs(q);
}

static int check_prefs(struct http_request *q)
{
	const struct prefs_service *s = q->ctx;
	struct ipn_prefs *p = arena_new(&q->mem, struct ipn_prefs);
	struct err_at at = { 0 };
	int rc;

	if (!p)
		return -ENOMEM;
	if (!lapi_read_json(q, &ipn_prefs_type, p, "invalid JSON body", &rc))
		return rc;
	rc = s->ops->check(s->owner, p, &at);
	if (rc < 0) /* 200 also then: clients look into the body */
		return lapi_send_json_error(
			q->reply, 200, "Error", at.text[0] ? at.text : err_text(rc));
	return lapi_send_body(q->reply, "application/json", VIEW_LIT("{}\n"));
}

static int unbuilt(struct http_request *q)
{
	const struct prefs_service *s = q->ctx;
	struct json_list list = { 0 };

	if (!s->ops->unbuilt)
		return lapi_send_text(q->reply, 404, "404 not found");
	if (!http_request_is(q, "GET"))
		return lapi_send_text(q->reply, 405, "use GET");
	if (s->ops->unbuilt(s->owner, &q->mem, &list) < 0)
		return lapi_send_text(q->reply, 500, "out of memory");
	return lapi_send_json(q->reply, 200, &ipn_unbuilt_list, &list, JSON_LINE);
}

static const char denied[] = "checkprefs access denied";

static const struct http_route routes[] = {
	{ "GET", "/prefs", 0, .fn = get_prefs },
	{ "PATCH", "/prefs", LAPI_WRITE, .fn = edit_prefs, .flags = HTTP_ROUTE_CHANGES,
		.denied = "prefs write access denied" },
	{ NULL, "/prefs", 0, .fn = lapi_unsupported_method },
	{ "POST", "/check-prefs", LAPI_WRITE, .fn = check_prefs, .denied = denied },
	{ NULL, "/check-prefs", LAPI_WRITE, .fn = lapi_unsupported_method, .denied = denied },
	{ NULL, "/warren/unbuilt", 0, .fn = unbuilt },
};
static const struct router table = LAPI_TABLE(routes);
const struct service prefs_service = { .name = "prefs", .routes = &table };
