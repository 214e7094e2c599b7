#include "http/router/shared.h"
#include "testlib/check.h"

static int sent, streams, woken, resumed, gone, ended, fails;

static int send(struct http_reply *r, const struct http_answer *a, struct view body)
{
	if (fails)
		return -ERR_TOO_BIG;
	sent++;
	return 0;
}

static int stream(struct http_reply *r, const struct http_answer *a, int64_t length)
{
	if (fails)
		return -ERR_TOO_BIG;
	streams++;
	return 0;
}

static void wake(struct http_reply *r)
{
	woken++;
}

static void resume(struct http_reply *r)
{
	resumed++;
}

static void on_gone(void *ctx)
{
	gone++;
}

static int fill(void *ctx, struct buf *out, size_t room)
{
	return HTTP_SOURCE_END;
}

static void over(void *ctx, int rc)
{
	ended++;
}

static const struct http_reply_ops ops = {
	.send = send, .stream = stream, .wake = wake, .resume = resume
};
static const struct http_source source = { fill, over };

static int begin(void **state)
{
	sent = streams = woken = resumed = gone = ended = fails = 0;
	return 0;
}

static void once(void **state)
{
	struct http_reply r;

	http_reply_init(&r, &ops, NULL);
	fails = 1;
	CHECK_INT(http_reply_send(&r, 200, NULL, "", VIEW_LIT("long")), ==, -ERR_TOO_BIG);
	fails = 0;
	CHECK_INT(http_reply_send(&r, 500, NULL, "", VIEW_LIT("")), ==, 0);
	CHECK_INT(http_reply_send(&r, 200, NULL, "", VIEW_LIT("")), ==, -ERR_BAD_STATE);
	CHECK_INT(http_reply_stream(&r, 200, NULL, "", 5, &source, NULL), ==, -ERR_BAD_STATE);
	CHECK_INT(sent, ==, 1);
	CHECK_INT(resumed, ==, 0);
	http_reply_gone(&r);
	CHECK_INT(ended, ==, 0);
}

static void later(void **state)
{
	struct http_reply r;

	http_reply_init(&r, &ops, NULL);
	http_reply_later(&r, on_gone, NULL);
	CHECK_INT(http_reply_send(&r, 200, NULL, "", VIEW_LIT("")), ==, 0);
	CHECK_INT(resumed, ==, 1);
	http_reply_gone(&r);
	CHECK_INT(gone, ==, 0);
}

static void never(void **state)
{
	struct http_reply r;

	http_reply_init(&r, &ops, NULL);
	http_reply_later(&r, on_gone, NULL);
	http_reply_gone(&r);
	http_reply_gone(&r);
	CHECK_INT(gone, ==, 1);
	CHECK_INT(http_reply_send(&r, 200, NULL, "", VIEW_LIT("")), ==, -ERR_BAD_STATE);
	CHECK_INT(sent, ==, 0);
}

static void streamed(void **state)
{
	struct http_reply r;

	http_reply_init(&r, &ops, NULL);
	fails = 1;
	CHECK_INT(http_reply_stream(&r, 200, NULL, "", 5, &source, NULL), ==, -ERR_TOO_BIG);
	http_reply_wake(&r);
	CHECK_INT(ended, ==, 0);
	CHECK_INT(woken, ==, 1); /* a sink of the request may have room */
	fails = 0;
	CHECK_INT(http_reply_stream(&r, 200, NULL, "", HTTP_LENGTH_UNKNOWN, &source, NULL), ==, 0);
	http_reply_wake(&r);
	CHECK_INT(woken, ==, 2);
	http_reply_gone(&r);
	http_reply_wake(&r);
	http_reply_gone(&r);
	CHECK_INT(ended, ==, 1);
	CHECK_INT(woken, ==, 2);
}

static void not_offered(void **state)
{
	static const struct http_reply_ops least = { .send = send };
	struct http_reply r;

	http_reply_init(&r, &least, NULL);
	CHECK_INT(http_reply_stream(&r, 200, NULL, "", 5, &source, NULL), ==, -ERR_UNSUPPORTED);
	CHECK_INT(http_reply_send_static(&r, NULL, "", VIEW_LIT("")), ==, 0);
	CHECK_INT(sent, ==, 1);
}

static const char *take(struct http_reply *r, struct buf *out)
{
	buf_clear(out);
	while (r->source->fill(r->source_ctx, out, 3) == 0)
		;
	CHECK_INT(buf_append(out, "", 1), ==, 0);
	return (const char *)buf_data(out);
}

/* The body lives as long as the last who sends it, and ends with a connection. */
static void shared(void **state)
{
	struct http_shared *body = http_shared_new(VIEW_LIT("a long body"));
	struct http_reply r[3];
	struct buf out;

	buf_init(&out, 64);
	CHECK_TRUE(body);
	for (size_t i = 0; i < ARRAY_LEN(r); i++)
		http_reply_init(&r[i], &ops, NULL);
	CHECK_INT(http_reply_send_shared(&r[0], "text/plain", "", body), ==, 0);
	CHECK_INT(http_reply_send_shared(&r[1], "text/plain", "", body), ==, 0);
	fails = 1;
	CHECK_INT(http_reply_send_shared(&r[2], "text/plain", "", body), ==, -ERR_TOO_BIG);
	body = http_shared_put(body);
	CHECK_STR(take(&r[0], &out), "a long body");
	r[0].source->over(r[0].source_ctx, 0);
	CHECK_STR(take(&r[1], &out), "a long body");
	http_reply_gone(&r[1]);
	CHECK_INT(streams, ==, 2);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup(once, begin),
		cmocka_unit_test_setup(later, begin), cmocka_unit_test_setup(never, begin),
		cmocka_unit_test_setup(streamed, begin), cmocka_unit_test_setup(shared, begin),
		cmocka_unit_test_setup(not_offered, begin) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
