#include "daemon/peerapi/peerapi.h"
#include "http/server/server.h"
#include "os/log/log.h"
#include "proto/tsaddr/tsaddr.h"

#include <errno.h>
#include <stdlib.h>

enum { TABLES_MAX = 16, RETRY_S = 5 };

struct peerapi {
	struct engine *e;
	struct node *node; /* that was told where we listen */
	struct httpd *httpd;
	struct ipaddr own[2]; /* where it listens, or tried to */
	mono_ns retry;
	const struct router *tables[TABLES_MAX];
	void *self[TABLES_MAX];
	size_t n_tables;
	struct peerapi_counters n;
};

/* ---- Who asks ---- */

static struct peerapi *of(const struct http_request *q)
{
	return q->call;
}

/* The router calls it before all else, perhaps twice. */
static void identify(struct http_request *q)
{
	struct peerapi *p = q->ctx;
	const struct tc_node *peer = node_whois(p->e->node, q->who.from.ip);

	q->call = p;
	q->who.kind = peer ? PRINCIPAL_MEMBER : PRINCIPAL_STRANGER;
	q->who.proof = (void *)(uintptr_t)peer;
}

/* "IP:port" of an address that the peer knows us by. */
static bool host_is_ours(const struct peerapi *p, const struct tc_node *peer, struct view host)
{
	const struct tc_node *self = netmap_self(node_netmap(p->e->node));
	struct ipport at;

	if (view_eq(host, VIEW_LIT("peer")))
		return true;
	if (!self || ipport_parse((const char *)host.p, host.len, &at) < 0)
		return false;
	if (ipaddr_is_set(peer->masq4) || ipaddr_is_set(peer->masq6))
		return ipaddr_eq(at.ip, peer->masq4) || ipaddr_eq(at.ip, peer->masq6);
	for (size_t i = 0; i < self->addresses.n; i++)
		if (ipaddr_eq(JSON_AT(self->addresses, struct ipprefix, i)->ip, at.ip))
			return true;
	return false;
}

/* Pages that a browser on the peer shows are not the peer. */
static bool is_sound(const struct peerapi *p, const struct http_request *q)
{
	const struct http1_head *h = q->head;

	return h && !http1_find(h, "referer").len && !http1_find(h, "origin").len &&
	       host_is_ours(p, q->who.proof, http1_find(h, "host"));
}

/* 1: go on; else what the router is to be told. */
static int admit(struct http_request *q)
{
	struct peerapi *p = of(q);

	if (!q->who.proof) {
		p->n.strangers++;
		return -ERR_DENIED; /* the connection ends without a word */
	}
	if (is_sound(p, q))
		return 1;
	return peerapi_send_text(q, 403, "invalid peerapi request");
}

int peerapi_send_text(struct http_request *q, int status, const char *text)
{
	const char *line = arena_printf(&q->mem, "%s\n", text);

	of(q)->n.refused += status == 403;
	return http_reply_refuse_text(q->reply, status, line ? line : text);
}

bool peerapi_is_self(const struct http_request *q)
{
	const struct tc_node *peer = q->who.proof, *self = netmap_self(node_netmap(of(q)->e->node));

	return self && peer->user == self->user && !peer->unsigned_peerapi_only;
}

/* ---- Dispatch ---- */

static int around(struct http_request *q)
{
	struct peerapi *p = of(q);
	int rc = admit(q);

	p->n.requests++;
	if (rc <= 0)
		return rc;
	for (size_t i = 0; i < p->n_tables; i++)
		if (p->tables[i] == q->router)
			q->ctx = p->self[i];
	return q->route->fn(q);
}

static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	int may = why == ROUTER_FAILED ? 1 : admit(q);

	(void)detail;
	if (may <= 0)
		return may;
	switch (why) {
	case ROUTER_NOT_FOUND:
		return peerapi_send_text(q, 404, "unsupported peerapi path");
	case ROUTER_BAD_METHOD:
		return peerapi_send_text(q, 405, "bad method");
	case ROUTER_DENIED:
		return peerapi_send_text(q, 403, "denied");
	case ROUTER_NO_CHANGE:
	case ROUTER_FAILED:
		break;
	}
	return q->who.proof ? peerapi_send_text(q, 500, err_text(rc)) : rc;
}

const struct router_ops peerapi_router_ops = {
	.identify = identify,
	.around = around,
	.refuse = refuse,
};

/* ---- Our own page ---- */

static const char *name_of(const struct tc_node *n)
{
	return n->name ? n->name : "";
}

static int on_root(struct http_request *q)
{
	const struct peerapi *p = of(q);
	char from[IPADDR_TEXT_MAX];
	const char *text = arena_printf(&q->mem,
		"<html>\n<body>\n<h1>%s</h1>\nThis is a device of a Warren network. You are %s (%s).\n</body>\n</html>\n",
		name_of(netmap_self(node_netmap(p->e->node))), name_of(q->who.proof),
		ipaddr_format(q->who.from.ip, from));

	return text ? http_reply_send(q->reply, 200, "text/html; charset=utf-8", "",
			      view_of(text, strlen(text)))
		    : -ENOMEM;
}

static const struct http_route routes[] = {
	{ "GET", "/", 0, .fn = on_root },
};
static const struct router table = PEERAPI_TABLE(routes);

/* ---- Where it listens ---- */

/* The port that the original would take, so that what others remember of us stays true; else any. */
static int listen_at(struct peerapi *p, struct ipaddr own, struct ipport *ret)
{
	int rc = -EADDRINUSE;

	for (unsigned t = 0; rc == -EADDRINUSE && t < TSADDR_PEERAPI_TRIES; t++)
		rc = httpd_listen(
			p->httpd, (struct ipport){ own, tsaddr_peerapi_port(own, t) }, NULL, ret);
	if (rc == -EADDRINUSE)
		rc = httpd_listen(p->httpd, (struct ipport){ own, 0 }, NULL, ret);
	return rc;
}

static int listen_anew(struct peerapi *p, struct ipport at[static 2])
{
	struct httpd_cfg cfg = { .loop = p->e->loop,
		.conns_max = PEERAPI_CONNS_MAX,
		.answer_max = PEERAPI_ANSWER_MAX,
		.tables = p->tables,
		.n_tables = p->n_tables,
		.ctx = p };
	int rc = 0;

	p->httpd = httpd_free(p->httpd);
	for (size_t i = 0; i < 2; i++)
		if (ipaddr_is_set(p->own[i]) && !p->httpd)
			rc = httpd_new(&p->httpd, &cfg);
	for (size_t i = 0; rc == 0 && i < 2; i++)
		if (ipaddr_is_set(p->own[i]))
			rc = listen_at(p, p->own[i], &at[i]);
	return rc;
}

static bool own_addresses(struct peerapi *p)
{
	const struct node_net_config *c = node_net_config(p->e->node);
	struct ipaddr own[2] = { 0 };
	bool same;

	for (size_t i = c->up ? c->n_addrs : 0; i-- > 0;)
		own[c->addrs[i].ip.family == 6] = c->addrs[i].ip;
	same = ipaddr_eq(own[0], p->own[0]) && ipaddr_eq(own[1], p->own[1]);
	p->own[0] = own[0];
	p->own[1] = own[1];
	return !same;
}

void peerapi_turn_end(struct peerapi *p)
{
	struct ipport at[2] = { 0 };
	struct now now = engine_now(p->e);
	bool moved = own_addresses(p), again = now.mono >= p->retry;
	int rc;

	if (!moved && !again && p->node == p->e->node)
		return;
	rc = listen_anew(p, at);
	p->retry = rc < 0 ? mono_add(now.mono, SEC(RETRY_S)) : MONO_NEVER;
	if (rc < 0 && moved)
		log_warn("peerapi", "cannot listen for other devices; trying again", "err=%s",
			err_text(rc));
	p->node = p->e->node;
	node_set_peerapi(p->node, at, now);
}

static mono_ns deadline(const void *self)
{
	return ((const struct peerapi *)self)->retry;
}

static void tick(void *self, struct now now)
{
	(void)now;
	peerapi_turn_end(self);
}

const struct service peerapi_service = { .name = "peerapi", .deadline = deadline, .tick = tick };

/* ---- Life ---- */

int peerapi_new(struct peerapi **ret, struct engine *e, const struct services *services)
{
	struct peerapi *p = calloc(1, sizeof(*p));
	size_t n;
	const struct lapi_table *t = services_peerapi(services, &n);

	if (!p)
		return -ENOMEM;
	CHECK(n < TABLES_MAX);
	p->e = e;
	p->retry = MONO_NEVER;
	for (size_t i = 0; i < n; i++) {
		p->tables[p->n_tables] = t[i].routes;
		p->self[p->n_tables++] = t[i].ctx;
	}
	p->tables[p->n_tables] = &table; /* the last one answers for paths that are nobody's */
	p->self[p->n_tables++] = p;
	*ret = p;
	return 0;
}

struct peerapi *peerapi_free(struct peerapi *p)
{
	if (p)
		httpd_free(p->httpd);
	free(p);
	return NULL;
}

const struct peerapi_counters *peerapi_counters(struct peerapi *p)
{
	if (p->httpd)
		p->n.connections_refused = httpd_counters(p->httpd)->refused;
	return &p->n;
}
