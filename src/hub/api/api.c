/* The table of the API, and who may ask what. */
#include "hub/api/api.h"
#include "base/text/text.h"
#include "hub/api/internal.h"
#include "hub/auth/auth.h"
#include "hub/auth/tokens.h"
#include "hub/policy_source/git.h"
#include "os/log/log.h"

#include <stdio.h>

enum {
	BODY_MAX = COORD_POLICY_TEXT_MAX + 64 * 1024,
	WEBHOOK_MAX = 256 * 1024,
	MEM_MAX = 256 << 20,
	TAILNET_NAME_MAX = 256
};

static int on_webhook(struct http_request *q)
{
	switch (git_webhook(hub_of(q), q->head, q->body)) {
	case GIT_WEBHOOK_TAKEN:
		return http_reply_send(q->reply, 202, API_JSON, API_HEADERS, VIEW_LIT("{}\n"));
	case GIT_WEBHOOK_OFF:
		return api_refuse(q, 404, "this hub has no webhook");
	case GIT_WEBHOOK_BAD_SIGNATURE:
		break;
	}
	return api_refuse(q, 403, "the signature is missing or wrong");
}

/* Who may ask for what */

#define BASE "/api/v2/"
#define ACL BASE "tailnet/{tailnet}/acl"
#define DNS BASE "tailnet/{tailnet}/dns/"
#define WEBHOOK BASE "webhook/policy-git"

/* Beside those of a token: its body could be signed, so it is read. */
enum { WEBHOOK_RIGHT = 1 << 8 };

static const struct http_route routes[] = {
	{ "GET", ACL, TOKEN_READ_POLICY, .fn = api_policy_get },
	{ "POST", ACL, TOKEN_WRITE_POLICY, .fn = api_policy_set, .flags = HTTP_ROUTE_CHANGES },
	{ "POST", ACL "/preview", TOKEN_READ_POLICY, .fn = api_preview },
	{ "POST", ACL "/validate", TOKEN_READ_POLICY, .fn = api_policy_validate },
	{ "GET", DNS "nameservers", TOKEN_READ_DNS, .fn = api_dns_nameservers },
	{ "POST", DNS "nameservers", TOKEN_WRITE_DNS, .fn = api_dns_nameservers_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", DNS "preferences", TOKEN_READ_DNS, .fn = api_dns_preferences },
	{ "POST", DNS "preferences", TOKEN_WRITE_DNS, .fn = api_dns_preferences_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", DNS "searchpaths", TOKEN_READ_DNS, .fn = api_dns_search },
	{ "POST", DNS "searchpaths", TOKEN_WRITE_DNS, .fn = api_dns_search_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", DNS "split-dns", TOKEN_READ_DNS, .fn = api_dns_split },
	{ "PUT", DNS "split-dns", TOKEN_WRITE_DNS, .fn = api_dns_split_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "PATCH", DNS "split-dns", TOKEN_WRITE_DNS, .fn = api_dns_split_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", DNS "configuration", TOKEN_READ_DNS, .fn = api_dns_configuration },
	{ "POST", DNS "configuration", TOKEN_WRITE_DNS, .fn = api_dns_configuration_set,
		.flags = HTTP_ROUTE_CHANGES },
	{ "POST", WEBHOOK, WEBHOOK_RIGHT, .fn = on_webhook, .body_max = WEBHOOK_MAX },
};

static bool is_webhook(const struct http_request *q)
{
	return view_eq(q->path, VIEW_LIT(WEBHOOK));
}

static void identify(struct http_request *q)
{
	struct token *t;

	if (is_webhook(q)) {
		if (git_webhook_wants(hub_of(q), q->head))
			q->who.rights = WEBHOOK_RIGHT;
		return;
	}
	t = token_of_request(hub_of(q), q->head);
	if (!t)
		return;
	q->who.kind = PRINCIPAL_TOKEN;
	q->who.rights = token_rights(t);
	q->who.name = t->name;
	q->who.proof = t;
	token_proved(t, httpd_stream(q->conn));
}

static int refuse_credential(struct http_request *q)
{
	struct ipaddr from = q->who.from.ip;
	char text[IPADDR_TEXT_MAX];

	hub_of(q)->n.api_denied++;
	log_warn_limited("api", "no valid token", "from=%s", ipaddr_format(from, text));
	if (throttle_failed(hub_of(q)->throttle, from, loop_now(hub_of(q)->loop).mono)) {
		hub_of(q)->n.api_throttled++;
		return api_refuse_with(q, 429, "too many requests without a valid API token",
			"Retry-After: 6\r\n");
	}
	return api_refuse(q, 401,
		"API token invalid: unknown, expired or revoked; \"warren-hub tokens create\" makes one");
}

/* The tailnet of the path must be ours. */
static bool is_our_tailnet(const struct http_request *q)
{
	const struct hub *h = hub_of(q);
	char name[TAILNET_NAME_MAX];

	http_request_text(q, "tailnet", name, sizeof(name));
	return !strcmp(name, "-") || !strcmp(name, coord_tailnet_id(h->tailnet)) ||
	       text_ieq(name, strlen(name), h->o->base_domain, strlen(h->o->base_domain)) ||
	       text_ieq(name, strlen(name), h->url.host, strlen(h->url.host));
}

static int not_found(struct http_request *q)
{
	return api_refuse(q, 404,
		"not found: this hub serves /api/v2/tailnet/-/acl and /api/v2/tailnet/-/dns");
}

/* Of every request one of around and refuse is the first that hears. */
static void count(struct http_request *q)
{
	hub_of(q)->n.api_requests++;
	if (q->who.proof)
		token_used(hub_of(q), q->who.proof);
}

static int around(struct http_request *q)
{
	count(q);
	return is_webhook(q) || is_our_tailnet(q) ? q->route->fn(q) : not_found(q);
}

static int refuse_right(struct http_request *q)
{
	const uint64_t right = q->route->right;
	const char *needed = token_scope_for(right);
	bool reads = (right == TOKEN_WRITE_POLICY && principal_may(&q->who, TOKEN_READ_POLICY)) ||
		     (right == TOKEN_WRITE_DNS && principal_may(&q->who, TOKEN_READ_DNS));
	char text[256];

	if (reads)
		snprintf(text, sizeof(text),
			"this token may only read: %s is the scope that may write", needed);
	else
		snprintf(text, sizeof(text), "this token's scope is %s: this needs %s",
			((const struct token *)q->who.proof)->scope, needed);
	return api_refuse(q, 403, text);
}

/* Nobody learns what there is without a token, but for the webhook, which has a signature. */
static int refuse(struct http_request *q, enum router_refusal why, const char *detail, int rc)
{
	char allow[HTTP_ALLOW_MAX + 16];

	if (why == ROUTER_FAILED)
		return api_refuse(q, 500, err_text(rc));
	count(q);
	if (!q->who.proof && !is_webhook(q))
		return refuse_credential(q);
	switch (why) {
	case ROUTER_BAD_METHOD:
		snprintf(allow, sizeof(allow), "Allow: %s\r\n", detail);
		return api_refuse_with(q, 405, "this method is not for this path", allow);
	case ROUTER_DENIED:
		return is_webhook(q) ? on_webhook(q) : refuse_right(q);
	case ROUTER_NO_CHANGE:
		return hold_refuse(q, HUB_API, detail);
	case ROUTER_NOT_FOUND:
	case ROUTER_FAILED:
		break;
	}
	return not_found(q);
}

static const struct router_ops ops = {
	.identify = identify, .around = around, .refuse = refuse, .gate = &hold_api
};
const struct router api_table = { ROUTER_TABLE(routes), .prefix = BASE, .ops = &ops,
	.mem_max = MEM_MAX, .body_max = BODY_MAX, .answer_max = 2 * API_ANSWER_MAX };
