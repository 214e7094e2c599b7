/* Who asks, what a request says, and what its user may take. */
#include "base/text/text.h"
#include "localapi/server/request.h"
#include "localapi/server/shares.h"

#include <unistd.h>

const char *lapi_param(struct http_request *q, const char *name)
{
	struct view v = http1_query(q->head, name);
	struct view type = http1_find(q->head, "Content-Type");
	static const char form[] = "application/x-www-form-urlencoded";
	char *out;

	if (text_ieq((const char *)type.p, MIN_OF(type.len, sizeof(form) - 1), form,
		    sizeof(form) - 1))
		(void)http1_form(q->body, name, &v);
	out = arena_alloc(&q->mem, v.len + 1);
	return out && http1_unescape(v, true, out, v.len + 1) == 0 ? out : "";
}

const char *lapi_segment(struct http_request *q, const char *name)
{
	struct view v = http_request_param(q, name);
	char *out = arena_strndup(&q->mem, v.p ? v.p : (const uint8_t *)"", v.len);

	return out ? out : "";
}

bool lapi_read_json(
	struct http_request *q, const struct json_type *t, void *ret, const char *message, int *rc)
{
	struct err_at at = { 0 };

	*rc = q->body.len ? json_decode_first(t, q->body.p, q->body.len, ret, &q->mem, &at)
			  : -ERR_TRUNCATED;
	if (*rc == 0)
		return true;
	if (!message)
		message = q->body.len ? at.text : "EOF";
	*rc = lapi_send_text(q->reply, 400, "%s", message);
	return false;
}

bool lapi_may_work(struct http_request *q, unsigned cost)
{
	return share_may_work(q->conn, cost);
}

bool lapi_may_watch(struct http_request *q)
{
	struct lconn *c = q->conn;
	bool may = share_may_watch(c);

	c->lapi->n.watchers_refused += !may;
	return may;
}

bool lapi_may_wait(struct http_reply *r, size_t waiting, size_t more)
{
	struct lconn *c = r->transport;

	c->waits = waiting;
	if (!share_may_hold(c, more))
		return false;
	c->waits += more;
	return true;
}

/* ---- For all tables ---- */

/* Now, not when the connection began: the operator may have changed. */
static void identify(struct http_request *q)
{
	const struct lconn *c = q->conn;
	bool trusted = share_is_trusted(c);

	q->who = (struct principal){ .kind = PRINCIPAL_USER, .has_uid = c->has_uid, .uid = c->uid };
	if (trusted)
		q->who.kind =
			c->uid == 0 || c->uid == getuid() ? PRINCIPAL_ADMIN : PRINCIPAL_OPERATOR;
	if (trusted)
		q->who.rights = LAPI_WRITE;
}

/*
 * A change of preferences or profiles is answered when it is kept. POST starts something, as a login, whose end is told over the
 * bus: that is not kept waiting.
 */
static int around(struct http_request *q)
{
	const struct lapi_cfg *cfg = &((const struct lconn *)q->conn)->lapi->cfg;
	int rc = q->route->fn(q);

	if (rc == 0 && q->route->flags & HTTP_ROUTE_CHANGES && q->reply->answered && cfg->unsaved &&
		cfg->unsaved(cfg->owner))
		q->reply->ops->hold(q->reply, 1, NULL);
	return rc;
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	switch (why) {
	case ROUTER_NOT_FOUND:
		return lapi_send_text(q->reply, 404, "404 page not found");
	case ROUTER_BAD_METHOD:
		return lapi_unsupported_method(q);
	case ROUTER_DENIED:
		((struct lconn *)q->conn)->lapi->n.refused++;
		return lapi_send_text(q->reply, 403, "%s", detail);
	case ROUTER_NO_CHANGE:
	case ROUTER_FAILED:
		break;
	}
	return lapi_send_fault(q->reply, rc);
}

const struct router_ops lapi_router_ops = {
	.identify = identify,
	.around = around,
	.refuse = refuse,
};
