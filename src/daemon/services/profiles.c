#include "daemon/services/profiles.h"
#include "localapi/server/request.h"

#include <stdlib.h>

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

static int list(struct http_request *q, struct json_list *ret)
{
	const struct profiles_service *s = q->ctx;
	int rc = s->ops->all(s->owner, &q->mem, ret);

	ret->present = true;
	if (rc == 0 && ret->n)
		qsort(ret->v, ret->n, sizeof(struct ipn_login_profile), by_creation);
	return rc;
}

static int list_all(struct http_request *q)
{
	struct json_list all = { 0 };
	int rc = list(q, &all);

	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &ipn_login_profile_list, &all, JSON_LINE);
}

static int add(struct http_request *q)
{
	const struct profiles_service *s = q->ctx;
	struct err_at at = { 0 };
	int rc = s->ops->fresh(s->owner, &at);

	if (rc < 0)
		return lapi_send_text(q->reply, 500, "%s", at.text[0] ? at.text : err_text(rc));
	return lapi_send_empty(q->reply, 201);
}

static int get_current(struct http_request *q)
{
	const struct profiles_service *s = q->ctx;
	struct ipn_login_profile one = { 0 };
	int rc = s->ops->current(s->owner, &q->mem, &one);

	if (rc < 0)
		return rc;
	return lapi_send_json(q->reply, 200, &ipn_login_profile_type, &one, JSON_LINE);
}

static int get_one(struct http_request *q)
{
	const char *id = lapi_segment(q, "id");
	struct json_list all = { 0 };
	int rc = list(q, &all);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < all.n; i++) {
		const struct ipn_login_profile *one = JSON_AT(all, struct ipn_login_profile, i);

		if (strcmp(one->id, id) == 0)
			return lapi_send_json(
				q->reply, 200, &ipn_login_profile_type, one, JSON_LINE);
	}
	return lapi_send_text(q->reply, 404, "Profile not found");
}

static int done(struct http_request *q, int rc, const struct err_at *at)
{
	if (rc < 0)
		return lapi_send_text(q->reply, 500, "%s", at->text[0] ? at->text : err_text(rc));
	return lapi_send_empty(q->reply, 204);
}

static int use(struct http_request *q)
{
	const struct profiles_service *s = q->ctx;
	struct err_at at = { 0 };

	return done(q, s->ops->use(s->owner, lapi_segment(q, "id"), &at), &at);
}

static int remove_one(struct http_request *q)
{
	const struct profiles_service *s = q->ctx;
	struct err_at at = { 0 };

	return done(q, s->ops->remove(s->owner, lapi_segment(q, "id"), &at), &at);
}

static int not_for_all(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "use GET or PUT");
}

static int not_for_current(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "use GET");
}

static int not_for_one(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "use POST or DELETE");
}

/* HEAD is not served here: the original refuses it. */
static const char denied[] = "profiles access denied";
#define ROUTE(method, pattern, handler, ...) \
	{ \
		method, pattern, LAPI_WRITE, .fn = handler, .denied = denied, ##__VA_ARGS__ \
	}
static const struct http_route routes[] = {
	ROUTE("HEAD", "/profiles/", not_for_all),
	ROUTE("GET", "/profiles/", list_all),
	ROUTE("PUT", "/profiles/", add, .flags = HTTP_ROUTE_CHANGES),
	ROUTE(NULL, "/profiles/", not_for_all),
	ROUTE("HEAD", "/profiles/current", not_for_current),
	ROUTE("GET", "/profiles/current", get_current),
	ROUTE(NULL, "/profiles/current", not_for_current),
	ROUTE("HEAD", "/profiles/{id...}", not_for_one),
	ROUTE("GET", "/profiles/{id...}", get_one),
	ROUTE("POST", "/profiles/{id...}", use),
	ROUTE("DELETE", "/profiles/{id...}", remove_one, .flags = HTTP_ROUTE_CHANGES),
	ROUTE(NULL, "/profiles/{id...}", not_for_one),
};
static const struct router table = LAPI_TABLE(routes);
const struct service profiles_service = { .name = "profiles", .routes = &table };
