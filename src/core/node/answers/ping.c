/* Does the node with an address answer? */
#include "core/node/answers/answers.h"

static void answer(struct node *a, struct ipaddr ip, const struct tc_node *n,
	const struct magicsock_pong *pong, const char *err, node_ping_fn fn, void *ctx)
{
	char endpoint[IPPORT_TEXT_MAX] = "";
	struct ipn_ping_result r = { .err = err };

	if (pong && pong->rc == 0) {
		r.latency_seconds = (double)pong->latency / 1e9;
		if (pong->route.kind == MAGICSOCK_DIRECT)
			r.endpoint = ipport_format(pong->route.addr, endpoint);
		r.derp_region_id = pong->route.region;
		r.derp_region_code =
			pong->route.region ? node_region_code(a, pong->route.region) : "";
		r.peerapi_port = pong->peerapi_port;
	}
	node_pong(a, ip, n, &r, fn, ctx);
}

static const char *ping_error(int rc)
{
	return rc == -ETIMEDOUT     ? "timed out"
	       : rc == -ERR_EXPIRED ? "node key has expired"
				    : err_text(rc);
}

static void on_pong(void *ctx, const struct magicsock_pong *r)
{
	struct node_ping_call *c = ctx;
	const char *err = r->rc == 0 ? NULL : ping_error(r->rc);

	list_remove(&c->link);
	if (c->fn)
		answer(c->a, c->ip, netmap_peer(c->a->nm, r->peer), r, err, c->fn, c->ctx);
	free(c);
}

static enum magicsock_ping_kind kind_of(enum ipn_ping_type t)
{
	return t == IPN_PING_TSMP   ? MAGICSOCK_PING_TSMP
	       : t == IPN_PING_ICMP ? MAGICSOCK_PING_ICMP
				    : MAGICSOCK_PING_DISCO;
}

static const char *refusal(const struct node *a, const struct tc_node *n)
{
	return !a->magicsock_up ? "not connected to a tailnet" : !n ? "no matching peer" : NULL;
}

void node_ping_begin(struct node *a, struct ipaddr ip, enum ipn_ping_type type, size_t size,
	node_ping_fn fn, void *ctx)
{
	const struct tc_node *self = self_of(a), *n = node_peer_at(a, ip);
	const char *err = refusal(a, n);
	struct node_ping_call *c;
	int rc;

	if (node_has_address(self, ipprefix_single(ip))) {
		char text[IPADDR_TEXT_MAX], local[IPADDR_TEXT_MAX + 32];

		snprintf(local, sizeof(local), "%s is local Tailscale IP", ipaddr_format(ip, text));
		answer(a, ip, self, NULL, local, fn, ctx);
		return;
	}
	if (!err && type == IPN_PING_PEERAPI) {
		err = node_peerapi_ping_begin(a, ip, n, fn, ctx);
		if (!err)
			return;
	}
	if (err) {
		answer(a, ip, n, NULL, err, fn, ctx);
		return;
	}
	c = calloc(1, sizeof(*c));
	if (c)
		*c = (struct node_ping_call){ .a = a, .fn = fn, .ctx = ctx, .ip = ip };
	rc = c ? magicsock_ping(a->magicsock, n->id, kind_of(type), size, on_pong, c, a->now)
	       : -ENOMEM;
	if (rc < 0) {
		free(c);
		answer(a, ip, n, NULL, ping_error(rc), fn, ctx);
	} else {
		list_push_tail(&a->pings, &c->link);
	}
}

void node_ping_cancel(struct node *a, void *ctx)
{
	list_for_each(l, &a->pings) {
		struct node_ping_call *c = container_of(l, struct node_ping_call, link);

		if (c->ctx == ctx)
			c->fn = NULL;
	}
	node_peerapi_pings_cancel(a, ctx);
}

void node_pings_drop(struct node *a)
{
	struct list *l;

	node_peerapi_pings_cancel(a, NULL);
	while ((l = list_pop_head(&a->pings)))
		free(container_of(l, struct node_ping_call, link));
}
