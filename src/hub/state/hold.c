/*
 * A change is durable before it is answered. This is the one place that sees to it: handlers of routes with HTTP_ROUTE_CHANGES change
 * and reply at once, and their reply waits until the store has written all that was promised by then. Questions are answered at once.
 */
#include "hub/state/state.h"
#include "os/log/log.h"
#include "store/sqlite/sqlite.h"

#define PAGE_HEADERS "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
#define FAILED \
	"the hub cannot write its database, so the change was not made; warren-hub status says whether it can again"

/* By enum hub_asker: what is said instead of a reply. */
static const struct http_instead failed[] = {
	[HUB_ADMIN] = { 503, "application/json", "",
		{ (const uint8_t *)"{\"error\":\"" FAILED "\"}",
			sizeof("{\"error\":\"" FAILED "\"}") - 1 } },
	[HUB_API] = { 503, "application/json", PAGE_HEADERS,
		{ (const uint8_t *)"{\"message\":\"" FAILED "\"}",
			sizeof("{\"message\":\"" FAILED "\"}") - 1 } },
	[HUB_PAGE] = { 503, "text/plain; charset=utf-8", PAGE_HEADERS,
		{ (const uint8_t *)FAILED "\n", sizeof(FAILED) } },
};

struct reason {
	const char *error, *message;
};
static const struct json_field reason_fields[] = {
	JSON_F(struct reason, error, "error", json_str, JSON_OMIT),
	JSON_F(struct reason, message, "message", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(reason_type, struct reason, reason_fields);

int hold_refuse(struct http_request *q, enum hub_asker who, const char *why)
{
	struct hub *h = q->ctx;
	char text[512];
	struct reason doc = { .error = who == HUB_ADMIN ? text : NULL,
		.message = who == HUB_API ? text : NULL };
	struct buf b;
	int rc = 0;

	h->n.changes_refused++;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(why, "\n"), why);
	buf_init(&b, 2048);
	if (who == HUB_PAGE)
		rc = buf_printf(&b, "%s\n", text);
	else
		rc = json_encode(&reason_type, &doc, &b);
	if (rc == 0)
		rc = http_reply_send(q->reply, 503, failed[who].content_type,
			PAGE_HEADERS "Retry-After: 60\r\n", buf_view(&b));
	buf_fini(&b);
	return rc;
}

static const char *closed(void *ctx)
{
	const struct hub *h = ctx;

	return h->failed ? FAILED : coord_store_refusal(store_sqlite_store(h->store));
}

static uint64_t ticket(void *ctx)
{
	const struct coord_store *s = store_sqlite_store(((struct hub *)ctx)->store);

	return coord_store_settled(s) ? 0 : s->promised;
}

/* ---- The record ---- */

/* The name is copied: the request may change the very user, or token, that makes it. */
static void begin(struct http_request *q)
{
	q->who.name = q->who.name ? arena_strdup(&q->mem, q->who.name) : NULL;
	audit_begin(hub_of(q)->audit);
}

static const char *via(const struct principal *p)
{
	return !p->from.ip.family ? "socket" : p->kind == PRINCIPAL_TOKEN ? "api" : "browser";
}

void hold_record(struct hub *h, const struct audit_entry *who)
{
	int rc = audit_end(h->audit, who, loop_now(h->loop).wall);

	if (rc < 0)
		log_error("hub", "a change could not be recorded", "by=%s action=\"%s\" err=%s",
			who->by, who->action, err_text(rc));
}

static void end(struct http_request *q)
{
	const struct principal *p = &q->who;
	char number[32];
	struct audit_entry who = { .by = p->name, .via = via(p), .from = p->from.ip };

	snprintf(number, sizeof(number), "uid %u", p->uid);
	if (!who.by || !*who.by)
		who.by = p->from.ip.family ? "admin" : number;
	who.action = arena_printf(&q->mem, "%.*s %.*s", (int)q->method.len,
		(const char *)q->method.p, (int)q->route_path.len, (const char *)q->route_path.p);
	if (!who.action)
		who.action = "";
	hold_record(hub_of(q), &who);
}

const struct router_gate hold_admin = { closed, ticket, &failed[HUB_ADMIN], begin, end },
			 hold_api = { closed, ticket, &failed[HUB_API], begin, end },
			 hold_page = { closed, ticket, &failed[HUB_PAGE], begin, end };

void hold_release(struct hub *h)
{
	const struct coord_store *s = store_sqlite_store(h->store);

	httpd_release(h->web, s->durable);
	httpd_release(h->admin, s->durable);
}

void hold_release_failed(struct hub *h)
{
	httpd_release_instead(h->web);
	httpd_release_instead(h->admin);
}
