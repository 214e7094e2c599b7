/* Requests that are answered later: logouts, and the calls that the daemon takes its time for. */
#include "localapi/server/internal.h"

enum {
	LOGOUT_TIMEOUT_S =
		5, /* for the hub to hear of it; the node is logged out here in any case */
};

void lconn_go_on(struct lconn *c)
{
	if (c->state == CONN_READING)
		c->have_head = false;
}

void lreq_wait_for_logout(struct lreq *r)
{
	struct lapi *a = r->lapi;

	r->conn->state = CONN_WAITING;
	r->conn->call.kind = CALL_LOGOUT;
	a->n_logouts++;
	loop_timer_set(a->logout_timer, loop_now(a->loop).mono + SEC(LOGOUT_TIMEOUT_S));
}

void lapi_logouts_done(struct lapi *a)
{
	list_for_each_safe(l, &a->conns) {
		struct lconn *c = container_of(l, struct lconn, link);
		struct lreq r = { .lapi = a, .conn = c, .head = &c->head };
		struct arena arena;

		if (c->call.kind != CALL_LOGOUT)
			continue;
		c->call.kind = CALL_NONE;
		a->n_logouts--;
		arena_init(&arena, HTTP1_HEAD_MAX);
		r.arena = &arena;
		lreq_empty(&r, 204);
		arena_fini(&arena);
		lconn_go_on(c);
	}
}

static void call_done(
	struct lapi_call *call, enum lcall_kind kind, const struct json_type *t, const void *result)
{
	struct lconn *c = call->conn;
	struct lreq r = { .lapi = c->lapi, .conn = c, .head = &c->head };
	struct arena arena;

	CHECK(call->kind == kind);
	call->kind = CALL_NONE;
	arena_init(&arena, LAPI_ANSWER_MAX);
	r.arena = &arena;
	lreq_json(&r, 200, t, result, JSON_LINE);
	arena_fini(&arena);
	lconn_go_on(c);
	/* The next request, if there is one, is answered when this answer has been written. */
}

void lapi_ping_done(struct lapi_call *call, const struct ipn_ping_result *r)
{
	call_done(call, CALL_PING, &ipn_ping_result_type, r);
}

void lapi_netcheck_done(struct lapi_call *call, const struct ipn_netcheck *r)
{
	call_done(call, CALL_NETCHECK, &ipn_netcheck_type, r);
}
