#include "http/router/match.h"
#include "testlib/check.h"

#include <errno.h>
#include <stdio.h>

enum { RIGHT_READ = 1, RIGHT_WRITE = 2 };

/* A transport that notes what it is told. */
struct wire {
	struct http_reply reply;
	int status, holds;
	char type[64], extra[256], body[256];
	uint64_t ticket;
	bool fault;
};

static int wire_send(struct http_reply *r, const struct http_answer *a, struct view body)
{
	struct wire *w = r->transport;

	w->status = a->status;
	w->fault = a->fault;
	snprintf(w->extra, sizeof(w->extra), "%s", a->extra);
	snprintf(w->body, sizeof(w->body), "%.*s", (int)body.len, (const char *)body.p);
	return 0;
}

static void wire_hold(struct http_reply *r, uint64_t ticket, const struct http_instead *instead)
{
	struct wire *w = r->transport;

	w->holds++;
	w->ticket = ticket;
}

static const struct http_reply_ops wire_ops = { .send = wire_send, .hold = wire_hold };

static char said[256];
static struct principal asker;
static const char *closed_because;
static uint64_t promised;

static int say(struct http_request *q, const char *what)
{
	snprintf(said, sizeof(said), "%s id=%lld name=%.*s rest=%.*s", what,
		(long long)http_request_int(q, "id"), (int)http_request_param(q, "name").len,
		(const char *)http_request_param(q, "name").p,
		(int)http_request_param(q, "rest").len,
		(const char *)http_request_param(q, "rest").p);
	return http_reply_send(q->reply, 200, "text/plain", "", VIEW_LIT("ok"));
}

static int root(struct http_request *q)
{
	return say(q, "root");
}

static int list(struct http_request *q)
{
	return say(q, "list");
}

static int make(struct http_request *q)
{
	return say(q, "make");
}

static int waiting(struct http_request *q)
{
	return say(q, "waiting");
}

static int change(struct http_request *q)
{
	return say(q, "change");
}

static int file(struct http_request *q)
{
	return say(q, "file");
}

static int upgrade(struct http_request *q)
{
	return HTTP_TAKEN;
}

static int fails(struct http_request *q)
{
	return -ENOMEM;
}

static int fails_late(struct http_request *q)
{
	int rc = say(q, "late");

	return rc < 0 ? rc : -EPIPE;
}

static void identify(struct http_request *q)
{
	q->who = asker;
}

static const char *closed(void *ctx)
{
	return closed_because;
}

static uint64_t ticket(void *ctx)
{
	return promised;
}

static const struct http_instead instead = { 503, "text/plain", "", { NULL, 0 } };
static const struct router_gate gate = { closed, ticket, &instead, NULL, NULL };
static const struct router_ops ops = { .identify = identify, .gate = &gate };

static const struct http_route routes[] = {
	{ "GET", "/", 0, .fn = root },
	{ "GET", "/users", RIGHT_READ, .fn = list },
	{ "POST", "/users", RIGHT_WRITE, .fn = make, .flags = HTTP_ROUTE_CHANGES,
		.body_max = 1000 },
	{ "POST", "/users/waiting", RIGHT_READ, .fn = waiting },
	{ "POST", "/users/{id:int}/rename", RIGHT_WRITE, .fn = change,
		.flags = HTTP_ROUTE_CHANGES },
	{ "GET", "/named/{name}/x/{id:int}", 0, .fn = change },
	{ "PUT", "/files/{rest...}", 0, .fn = file, .flags = HTTP_ROUTE_STREAM,
		.body_max = 1 << 30 },
	{ "GET", "/admin", 0, .fn = list, .flags = HTTP_ROUTE_SLASH },
	{ NULL, "/upgrade", 0, .fn = upgrade },
	{ "GET", "/fails", 0, .fn = fails },
	{ "GET", "/fails-late", 0, .fn = fails_late },
};
static const struct router table = { ROUTER_TABLE(routes), .ops = &ops, .answer_max = 5000 };

static int ask(struct wire *w, const struct router *r, const char *method, const char *path)
{
	struct http_request q = { .reply = &w->reply,
		.method = view_of(method, strlen(method)),
		.path = view_of(path, strlen(path)) };

	*w = (struct wire){ 0 };
	said[0] = 0;
	http_reply_init(&w->reply, &wire_ops, w);
	return router_serve(r, &q);
}

static void paths(void **state)
{
	static const struct {
		const char *method, *path, *said;
		int status;
	} rows[] = {
		{ "GET", "/", "root id=-1 name= rest=", 200 },
		{ "HEAD", "/", "root id=-1 name= rest=", 200 },
		{ "GET", "//", "", 404 },
		{ "GET", "", "", 404 },
		{ "GET", "/users", "list id=-1 name= rest=", 200 },
		{ "GET", "/users/", "", 404 },
		{ "GET", "/user", "", 404 },
		{ "POST", "/users", "make id=-1 name= rest=", 200 },
		{ "PUT", "/users", "", 405 },
		{ "HEAD", "/users/waiting", "", 405 },
		{ "POST", "/users/waiting", "waiting id=-1 name= rest=", 200 },
		{ "POST", "/users/17/rename", "change id=17 name= rest=", 200 },
		{ "POST", "/users/9223372036854775807/rename",
			"change id=9223372036854775807 name= rest=", 200 },
		{ "POST", "/users/9223372036854775808/rename", "", 404 },
		{ "POST", "/users/-1/rename", "", 404 },
		{ "POST", "/users//rename", "", 404 },
		{ "POST", "/users/17/renamed", "", 404 },
		{ "POST", "/users/17/rename/", "", 404 },
		{ "GET", "/named/a%2Fb/x/4", "change id=4 name=a%2Fb rest=", 200 },
		{ "GET", "/named//x/4", "", 404 },
		{ "PUT", "/files/", "file id=-1 name= rest=", 200 },
		{ "PUT", "/files/a/b", "file id=-1 name= rest=a/b", 200 },
		{ "PUT", "/files", "", 404 },
		{ "GET", "/admin", "list id=-1 name= rest=", 200 },
		{ "GET", "/admin/", "list id=-1 name= rest=", 200 },
		{ "GET", "/admin//", "", 404 },
		{ "get", "/", "", 405 },
	};
	struct wire w;

	asker = (struct principal){ .kind = PRINCIPAL_ADMIN, .rights = RIGHT_READ | RIGHT_WRITE };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("%s %s", rows[i].method, rows[i].path);
		CHECK_INT(ask(&w, &table, rows[i].method, rows[i].path), ==, 0);
		CHECK_INT(w.status, ==, rows[i].status);
		CHECK_STR(said, rows[i].said);
		CHECK_INT(w.fault, ==, rows[i].status >= 400);
	}
}

static void methods(void **state)
{
	struct wire w;

	CHECK_INT(ask(&w, &table, "DELETE", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 405);
	CHECK_TRUE(strstr(w.extra, "Allow: GET, HEAD, POST\r\n"));
	CHECK_INT(ask(&w, &table, "GET", "/users/waiting"), ==, 0);
	CHECK_TRUE(strstr(w.extra, "Allow: POST\r\n"));
	CHECK_INT(ask(&w, &table, "BREW", "/upgrade"), ==, HTTP_TAKEN);
}

static void rights(void **state)
{
	struct wire w;

	asker = (struct principal){ .kind = PRINCIPAL_TOKEN, .rights = RIGHT_READ };
	CHECK_INT(ask(&w, &table, "GET", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 200);
	CHECK_INT(ask(&w, &table, "POST", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 403);
	CHECK_STR(said, "");
	/* Who may nothing learns which paths there are: they stand in the documents. */
	asker = (struct principal){ 0 };
	CHECK_INT(ask(&w, &table, "PUT", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 405);
}

static void changes(void **state)
{
	struct wire w;

	asker = (struct principal){ .kind = PRINCIPAL_ADMIN, .rights = RIGHT_READ | RIGHT_WRITE };
	promised = 7;
	CHECK_INT(ask(&w, &table, "POST", "/users"), ==, 0);
	CHECK_INT(w.holds, ==, 1);
	CHECK_INT(w.ticket, ==, 7);
	CHECK_INT(ask(&w, &table, "POST", "/users/waiting"), ==, 0); /* a question */
	CHECK_INT(w.holds, ==, 0);
	promised = 0;
	CHECK_INT(ask(&w, &table, "POST", "/users"), ==, 0);
	CHECK_INT(w.holds, ==, 0);
	closed_because = "the disk is full";
	CHECK_INT(ask(&w, &table, "POST", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 503);
	CHECK_STR(w.body, "the disk is full\n");
	CHECK_STR(said, "");
	CHECK_INT(ask(&w, &table, "GET", "/users"), ==, 0);
	CHECK_INT(w.status, ==, 200);
	closed_because = NULL;
}

static void faults(void **state)
{
	struct wire w;

	CHECK_INT(ask(&w, &table, "GET", "/fails"), ==, 0);
	CHECK_INT(w.status, ==, 500);
	CHECK_INT(ask(&w, &table, "GET", "/fails-late"), ==, -EPIPE);
	CHECK_INT(w.status, ==, 200);
}

static struct router_limits limits(const char *method, const char *path)
{
	struct http_request q = { .method = view_of(method, strlen(method)),
		.path = view_of(path, strlen(path)) };

	return router_limits(&table, &q);
}

static void bounds(void **state)
{
	asker = (struct principal){ .kind = PRINCIPAL_ADMIN, .rights = RIGHT_READ | RIGHT_WRITE };
	CHECK_INT(limits("POST", "/users").body, ==, 1000);
	CHECK_TRUE(limits("POST", "/users").chunked);
	CHECK_INT(limits("POST", "/users").answer, ==, 5000);
	CHECK_TRUE(!limits("GET", "/users").chunked);
	CHECK_TRUE(limits("PUT", "/files/a").stream);
	CHECK_TRUE(!limits("GET", "/none").head_only);
	/* Who may not is refused by the head. */
	asker = (struct principal){ 0 };
	CHECK_TRUE(limits("POST", "/users").head_only);
	CHECK_INT(limits("POST", "/users").body, ==, 1000);
	CHECK_INT(limits("POST", "/users").answer, ==, 0);
}

static void several_tables(void **state)
{
	static const struct http_route relay[] = { { "GET", "/derp", 0, .fn = root } };
	static const struct router one = { ROUTER_TABLE(relay) }, api = { .prefix = "/api/v2/" };
	static const struct router *const all[] = { &one, &api, &table };

	CHECK_TRUE(router_of(all, 3, VIEW_LIT("/derp")) == &one);
	CHECK_TRUE(router_of(all, 3, VIEW_LIT("/derp/x")) == &table);
	CHECK_TRUE(router_of(all, 3, VIEW_LIT("/api/v2/what")) == &api);
	CHECK_TRUE(router_of(all, 3, VIEW_LIT("/api/v2")) == &table);
	CHECK_TRUE(router_of(all, 3, VIEW_LIT("")) == &table);
}

static void too_many_names(void **state)
{
	struct http_param p[HTTP_PARAMS_MAX];
	size_t n;

	CHECK_TRUE(match_path("/{a}/{b}/{c}/{d}", VIEW_LIT("/1/2/3/4"), false, p, &n));
	CHECK_INT(n, ==, 4);
	CHECK_TRUE(!match_path("/{a}/{b}/{c}/{d}/{e}", VIEW_LIT("/1/2/3/4/5"), false, p, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(paths), cmocka_unit_test(methods),
		cmocka_unit_test(rights), cmocka_unit_test(changes), cmocka_unit_test(faults),
		cmocka_unit_test(bounds), cmocka_unit_test(several_tables),
		cmocka_unit_test(too_many_names) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
