/* Which path is whose, and who may call it. */
#include "base/text/text.h"
#include "localapi/server/shares.h"

static const char prefix[] = "/localapi/v0/";

static const struct lroute *find_in(const struct lroute *list, const char *path, size_t len)
{
	for (; list->name; list++)
		if (strlen(list->name) == len && memcmp(list->name, path, len) == 0)
			return list;
	return NULL;
}

static const struct lroute *find(const char *path, size_t len)
{
	const struct lroute *const lists[] = { lroutes_state, lroutes_net, lroutes_debug };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct lroute *route = find_in(lists[i], path, len);
		if (route)
			return route;
	}
	return NULL;
}

static void not_found(struct lreq *r)
{
	lreq_text(r, 404, "404 page not found");
}

static void call_api(struct lreq *r, const char *path)
{
	const char *slash = strchr(path, '/');
	const struct lroute *route = find(path, strlen(path));

	r->rest = "";
	if (!route && slash) {
		route = find(path, (size_t)(slash - path) + 1);
		r->rest = slash + 1;
	}
	if (!route) {
		not_found(r);
		return;
	}
	r->route = route->name;
	if (route->denied && !lreq_may_write(r)) {
		r->lapi->n.refused++;
		lreq_text(r, 403, "%s", route->denied);
		return;
	}
	route->fn(r);
}

/* X-Tailscale-Reason: why somebody disconnects, for the log. Nobody has asked for the log yet, but it must be readable. */
static bool reason_is_readable(const struct lreq *r)
{
	struct view v = http1_find(r->head, "X-Tailscale-Reason");
	uint8_t *out;
	size_t len;

	if (!v.len)
		return true;
	out = arena_alloc(r->arena, v.len);
	return out && base64_decode((const char *)v.p, v.len, out, &len) == 0;
}

void lreq_dispatch(struct lreq *r)
{
	static const char page[] =
		"<html><title>Warren</title><body><h1>Warren</h1>This is the local Warren daemon.\n";
	struct view raw = http1_path(r->head);
	char *path = arena_alloc(r->arena, raw.len + 1);

	if (!path) {
		lreq_fault(r, -ERR_TOO_BIG);
	} else if (lreq_is(r, "CONNECT")) {
		lreq_text(r, 405, "bad method for platform");
	} else if (http1_unescape(raw, false, path, raw.len + 1) < 0) {
		lreq_text(r, 400, "malformed path");
	} else if (!reason_is_readable(r)) {
		lreq_text(r, 400, "invalid reason header");
	} else if (strncmp(path, prefix, sizeof(prefix) - 1) == 0) {
		call_api(r, path + sizeof(prefix) - 1);
	} else if (strcmp(path, "/") == 0) {
		lreq_body(r, 200, "text/html; charset=utf-8", "", view_of(page, sizeof(page) - 1));
	} else if (strcmp(path, "/server-status") == 0) {
		lreq_body(r, 200, "application/json", "", VIEW_LIT("{}"));
	} else {
		not_found(r);
	}
}
