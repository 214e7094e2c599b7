/*
 * A change is durable before it is answered. This is the one place that sees to it: handlers change and reply at once, and their
 * reply waits here until the store has written all that was promised by then. Questions are answered at once.
 */
#include "hub/internal.h"
#include "store/sqlite/sqlite.h"

#define PAGE_HEADERS "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n"
#define FAILED \
	"the hub cannot write its database, so the change was not made; warren-hub status says whether it can again"

/* By enum hub_asker: what is said instead of a reply. */
static const struct httpd_instead failed[] = {
	[HUB_ADMIN] = { 503, "application/json", "",
		{ (const uint8_t *)"{\"error\":\"" FAILED "\"}",
			sizeof("{\"error\":\"" FAILED "\"}") - 1 } },
	[HUB_API] = { 503, "application/json", PAGE_HEADERS,
		{ (const uint8_t *)"{\"message\":\"" FAILED "\"}",
			sizeof("{\"message\":\"" FAILED "\"}") - 1 } },
	[HUB_PAGE] = { 503, "text/plain; charset=utf-8", PAGE_HEADERS,
		{ (const uint8_t *)FAILED "\n", sizeof(FAILED) } },
};

/* Paths that change nothing that is stored, though they are asked with POST. */
static const struct {
	const char *text;
	bool at_end;
} questions[] = {
	{ "/login", false },
	{ "/logout", false },
	{ "/nodes/list", false },
	{ "/nodes/show", false },
	{ "/policy/check", false },
	{ "/policy/preview", false },
	{ "/policy/can", false },
	{ "/policy/pull", false },
	{ "/webhook/policy-git", true },
	{ "/acl/preview", true },
	{ "/acl/validate", true },
};

static bool is_change(const struct http1_head *head)
{
	struct view path = http1_path(head);

	if (http1_method_is(head, "GET") || http1_method_is(head, "HEAD"))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		size_t n = strlen(questions[i].text);

		if (path.len >= n && !memcmp(questions[i].at_end ? path.p + path.len - n : path.p,
					     questions[i].text, n))
			return false;
	}
	return true;
}

struct reason {
	const char *error, *message;
};
static const struct json_field reason_fields[] = {
	JSON_F(struct reason, error, "error", json_str, JSON_OMIT),
	JSON_F(struct reason, message, "message", json_str, JSON_OMIT),
	JSON_END,
};
static JSON_OBJECT_TYPE(reason_type, struct reason, reason_fields);

/* A change that is not begun. */
static int refuse(struct hub *h, struct httpd_conn *c, enum hub_asker who, const char *why)
{
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
		rc = httpd_answer(c, 503, failed[who].content_type,
			PAGE_HEADERS "Retry-After: 60\r\n", buf_view(&b));
	buf_fini(&b);
	return rc;
}

int hub_answer(struct hub *h, struct httpd_conn *c, const struct httpd_request *r, hub_handler fn,
	enum hub_asker who)
{
	const struct coord_store *s = store_sqlite_store(h->store);
	bool change = is_change(r->head);
	const char *why = coord_store_refusal(s);
	int rc;

	if (change && (h->failed || why))
		return refuse(h, c, who, h->failed ? FAILED : why);
	rc = fn(h, c, r);
	if (rc == 0 && change && !coord_store_settled(s))
		httpd_hold(c, s->promised, &failed[who]);
	return rc;
}

void hub_release(struct hub *h)
{
	const struct coord_store *s = store_sqlite_store(h->store);

	httpd_release(h->web, s->durable);
	httpd_release(h->admin, s->durable);
}

void hub_release_failed(struct hub *h)
{
	httpd_release_instead(h->web);
	httpd_release_instead(h->admin);
}
