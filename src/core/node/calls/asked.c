/* What a person or a program asks for. */
#include "core/node/answers/answers.h"
#include "core/node/calls/calls.h"
#include "core/node/login/login.h"

void node_start(struct node *a, const char *auth_key, struct now now)
{
	a->now = now;
	node_login_start(a, auth_key);
	node_run_deferred(a);
}

void node_login(struct node *a, struct now now)
{
	a->now = now;
	node_login_begin(a);
	node_run_deferred(a);
}

void node_logout(struct node *a, struct now now)
{
	a->now = now;
	node_login_end(a);
	node_run_deferred(a);
}

void node_break_relays(struct node *a, struct now now)
{
	a->now = now;
	magicsock_relays_restart(a->magicsock, now);
	node_run_deferred(a);
}

void node_netcheck(struct node *a, struct now now)
{
	a->now = now;
	a->netcheck_asked = true;
	magicsock_netcheck_start(a->magicsock, now);
	node_run_deferred(a);
}

void node_ping(struct node *a, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	node_ping_fn fn, void *ctx, struct now now)
{
	a->now = now;
	node_ping_begin(a, ip, type, size, fn, ctx);
	node_run_deferred(a);
}
