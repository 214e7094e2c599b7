#include "daemon/dns/names.h"
#include "base/text/text.h"
#include "daemon/peerapi/peerapi.h"
#include "localapi/server/request.h"
#include "proto/dnsmsg/dnsmsg.h"
#include "proto/ipn/ipn.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

/* A request that waits for its answer. */
struct names_call {
	struct dnsd_asker asker;
	struct dnsd *dns;
	struct http_reply *reply;
	char name[DNSMSG_TEXT_MAX];
};

enum { GROUP = 1 }; /* of all that programs ask here */

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{ "A", 1 },
	{ "NS", 2 },
	{ "CNAME", 5 },
	{ "SOA", 6 },
	{ "WKS", 11 },
	{ "PTR", 12 },
	{ "HINFO", 13 },
	{ "MINFO", 14 },
	{ "MX", 15 },
	{ "TXT", 16 },
	{ "AAAA", 28 },
	{ "SRV", 33 },
	{ "OPT", 41 },
	{ "ALL", 255 },
};

static uint16_t type_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (!strcasecmp(types[i].name, *name ? name : "A"))
			return types[i].type;
	return 0;
}

/* ---- Answers ---- */

static const char *address_of(struct arena *a, const struct dns_upstream *up)
{
	char text[IPPORT_TEXT_MAX];

	switch (up->transport) {
	case DNS_UDP:
	case DNS_TCP:
		return arena_strdup(a, up->addr.port == 53 ? ipaddr_format(up->addr.ip, text)
							   : ipport_format(up->addr, text));
	case DNS_TLS:
		return arena_printf(a, "tls://%s",
			up->host && *up->host ? up->host : ipport_format(up->addr, text));
	case DNS_HTTPS:
	case DNS_PEER:
		break;
	}
	return up->url;
}

static int add_resolvers(
	const struct dnsd *d, const char *name, struct arena *a, struct json_list *ret)
{
	const struct dns_upstream *up[DNS_UPSTREAMS_MAX];
	size_t n = dns_upstreams_for(dnsd_engine(d), name, up, ARRAY_LEN(up));

	for (size_t i = 0; i < MIN_OF(n, ARRAY_LEN(up)); i++) {
		struct tc_resolver *r = json_list_add(ret, a, sizeof(*r));

		if (!r)
			return -ENOMEM;
		*r = (struct tc_resolver){ .addr = address_of(a, up[i]) };
	}
	return 0;
}

static void on_answer(struct dnsd_asker *a, struct view msg)
{
	struct names_call *call = container_of(a, struct names_call, asker);
	struct ipn_dns_answer doc = { .bytes = msg, .resolvers = { .present = true } };
	struct http_reply *r = call->reply;
	struct arena mem;
	int rc;

	r->on_gone = NULL;
	dnsd_leave(call->dns, a);
	arena_init(&mem, 1 << 16);
	rc = add_resolvers(call->dns, call->name, &mem, &doc.resolvers);
	if (rc == 0)
		rc = lapi_send_json(r, 200, &ipn_dns_answer_type, &doc, JSON_LINE);
	if (rc < 0 && lapi_send_fault(r, rc) < 0)
		rc = 0; /* its client gives up */
	arena_fini(&mem);
	free(call);
}

static void on_gone(void *ctx)
{
	struct names_call *call = ctx;

	dnsd_leave(call->dns, &call->asker);
	free(call);
}

/* ---- Questions ---- */

/* What is no name is told by the label that is wrong, as the original does. */
static int bad_name(struct http_request *q, const char *name)
{
	for (const char *p = name, *end;; p = end + 1) {
		end = strchrnul(p, '.');
		if (end == p || end - p > DNSMSG_LABEL_MAX)
			return lapi_send_text(q->reply, 500, "\"%.*s\" is not a valid DNS label",
				(int)(end - p), p);
		if (!*end)
			break;
	}
	return lapi_send_text(q->reply, 500, "\"%s\" is not a valid DNS name", name);
}

static size_t question(const struct dnsmsg_name *name, uint16_t type, uint8_t *out, size_t max)
{
	struct wcur w = wcur_over(out, max);
	struct dnsmsg_question ask = { .name = *name, .type = type, .class = DNSMSG_IN };

	dnsmsg_put_header(&w, 1, DNSMSG_RD);
	dnsmsg_put_question(&w, &ask);
	return w.bad ? 0 : wcur_len(&w);
}

/* As the original writes a type that it does not know. */
static const char *in_capitals(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s);

	for (char *p = out; p && *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	return out ? out : s;
}

static int query(struct http_request *q)
{
	const struct names_service *s = q->ctx;
	const char *name = lapi_param(q, "name"), *type = lapi_param(q, "type");
	uint8_t msg[DNSMSG_HEADER + DNSMSG_NAME_MAX + 4];
	struct dnsmsg_name wire;
	struct names_call *call;
	size_t len;

	if (!type_of(type))
		return lapi_send_text(
			q->reply, 400, "unknown DNS message type: %s", in_capitals(&q->mem, type));
	if (dnsmsg_name_parse(name, strlen(name), &wire) < 0)
		return bad_name(q, name);
	if (!lapi_may_work(q, 1))
		return lapi_send_text(q->reply, 429, "too many questions; wait a moment");
	len = question(&wire, type_of(type), msg, sizeof(msg));
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	*call = (struct names_call){
		.asker = { .group = GROUP, .answer = on_answer }, .dns = s->dns, .reply = q->reply
	};
	snprintf(call->name, sizeof(call->name), "%s", name);
	dnsd_join(s->dns, &call->asker);
	http_reply_later(q->reply, on_gone, call);
	/* A question of our making is one. */
	(void)dnsd_ask(s->dns, &call->asker, view_of(msg, len));
	return 0;
}

static int only_get(struct http_request *q)
{
	return lapi_send_text(q->reply, 405, "only GET allowed");
}

/* ---- Peers ---- */

#define DNS_TYPE "application/dns-message"

struct peer_call {
	struct dnsd_asker asker;
	struct dnsd *dns;
	struct http_reply *reply;
};

/*
 * Devices of our own user; and those whom the policy lets use us as exit node: would they be let through to port 53 of the internet?
 * Nobody is, unless we are one and it was approved. The first addresses of what is given out stand for it; the original asks for 0.0.0.0
 * and 2000::, but to the former we carry nothing.
 */
static bool may_ask(const struct http_request *q)
{
	const struct names_service *s = q->ctx;
	struct ipport probe = { .ip.family = q->who.from.ip.family, .port = 53 };

	probe.ip.b[0] = probe.ip.family == 6 ? 0x20 : 1;
	return peerapi_is_self(q) || filter_lets_in(node_filter(s->e->node), q->who.from.ip, probe);
}

static void on_peer_answer(struct dnsd_asker *a, struct view msg)
{
	struct peer_call *call = container_of(a, struct peer_call, asker);
	struct http_reply *r = call->reply;

	r->on_gone = NULL;
	dnsd_leave(call->dns, a);
	free(call);
	if (http_reply_send(r, 200, DNS_TYPE, "", msg) < 0 &&
		http_reply_refuse_text(r, 500, "DNS forwarding error") < 0)
		return; /* its client gives up */
}

static void on_peer_gone(void *ctx)
{
	struct peer_call *call = ctx;

	dnsd_leave(call->dns, &call->asker);
	free(call);
}

static int ask_for_peer(struct http_request *q, struct view msg)
{
	const struct names_service *s = q->ctx;
	const struct tc_node *peer = q->who.proof;
	struct peer_call *call = calloc(1, sizeof(*call));

	if (!call)
		return -ENOMEM;
	*call = (struct peer_call){ .asker = { .group = (uint64_t)2 << 32 ^ (uint64_t)peer->id,
					    .peer = true,
					    .answer = on_peer_answer },
		.dns = s->dns,
		.reply = q->reply };
	dnsd_join(s->dns, &call->asker);
	http_reply_later(q->reply, on_peer_gone, call);
	if (dnsd_ask(s->dns, &call->asker, msg))
		return 0;
	q->reply->on_gone = NULL;
	on_peer_gone(call);
	return peerapi_send_text(q, 500, "DNS forwarding error");
}

/* In the query, as base64url without padding. */
static int ask_by_get(struct http_request *q)
{
	struct view text = http1_query(q->head, "dns");
	uint8_t *msg = arena_alloc(&q->mem, text.len + 3);
	size_t len;

	if (!text.len)
		return peerapi_send_text(q, 400, "missing 'dns' parameter");
	if (!msg)
		return -ENOMEM;
	if (text.len > DNS_ASK_MAX * 4 / 3 + 4)
		return peerapi_send_text(q, 400, "query too large");
	if (base64_decode((const char *)text.p, text.len, msg, &len) < 0)
		return peerapi_send_text(q, 400, "invalid 'dns' base64 encoding");
	return ask_for_peer(q, view_of(msg, len));
}

static int peer_query(struct http_request *q)
{
	if (!may_ask(q))
		return peerapi_send_text(q, 403, "DNS access denied");
	if (http_request_is(q, "GET"))
		return ask_by_get(q);
	if (!http_request_is(q, "POST"))
		return peerapi_send_text(q, 400, "bad HTTP method");
	if (!view_eq(http1_find(q->head, "content-type"), VIEW_LIT(DNS_TYPE)))
		return peerapi_send_text(q, 400, "unexpected Content-Type");
	return ask_for_peer(q, q->body);
}

static const struct http_route peer_routes[] = {
	{ NULL, "/dns-query", 0, .fn = peer_query, .flags = HTTP_ROUTE_SLASH,
		.body_max = DNS_ASK_MAX },
};
static const struct router peer_table = PEERAPI_TABLE(peer_routes);

/* ---- The service ---- */

static const char denied[] = "dns-query access denied";

static const struct http_route routes[] = {
	{ "HEAD", "/dns-query", LAPI_WRITE, .fn = only_get, .denied = denied },
	{ "GET", "/dns-query", LAPI_WRITE, .fn = query, .denied = denied },
	{ NULL, "/dns-query", LAPI_WRITE, .fn = only_get, .denied = denied },
};
static const struct router table = LAPI_TABLE(routes);

static mono_ns deadline(const void *self)
{
	return dnsd_deadline(((const struct names_service *)self)->dns);
}

static void tick(void *self, struct now now)
{
	dnsd_tick(((struct names_service *)self)->dns, now);
}

const struct service names_service = { .name = "names",
	.routes = &table,
	.peerapi = &peer_table,
	.deadline = deadline,
	.tick = tick };
