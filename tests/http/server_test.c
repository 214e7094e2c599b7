/* http/server over streams that are this test: order, bounds, answers that come later, bodies that stream both ways. */
#include "http/server/server.h"
#include "testlib/check.h"
#include "tests/http/fake_stream.h"
#include "tests/http/table.h"

#include <stdio.h>

static struct loop *loop;
static struct httpd *httpd;
static struct stream client;

static int begin(void **state)
{
	static const struct router *const tables[] = { &table };
	struct httpd_cfg cfg = {
		.conns_max = 10, .answer_max = 64 * 1024, .tables = tables, .n_tables = 1
	};

	CHECK_INT(loop_new(&loop), ==, 0);
	cfg.loop = loop;
	CHECK_INT(httpd_new(&httpd, &cfg), ==, 0);
	CHECK_INT(httpd_listen_unix(httpd, "", 0), ==, 0);
	fake_connect(&client);
	table_gone = 0;
	table_ticket = 0;
	table_sink_is_full = false;
	return 0;
}

static int end(void **state)
{
	fake_hang_up(&client);
	CHECK_INT(httpd_conns(httpd), ==, 0);
	httpd = httpd_free(httpd);
	loop_free(loop);
	return 0;
}

static bool ask(const char *text)
{
	return fake_send(&client, text, strlen(text), SIZE_MAX);
}

static size_t count(const char *what)
{
	size_t n = 0;

	for (const char *p = client.out; (p = strstr(p, what)); p++)
		n++;
	return n;
}

static void in_turn(void **state)
{
	CHECK_TRUE(ask(
		"GET /hello HTTP/1.1\r\n\r\nHEAD /hello HTTP/1.1\r\n\r\nGET /static HTTP/1.1\r\n\r\n"
		"POST /hello HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /no HTTP/1.1\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 200 OK\r\n"), ==, 4);
	CHECK_INT(count("hello\n"), ==, 2); /* HEAD has none */
	CHECK_INT(count("lies still\n"), ==, 1);
	CHECK_INT(count("HTTP/1.1 404 "), ==, 1);
	CHECK_INT(httpd_counters(httpd)->bad_requests, ==, 1);
	CHECK_TRUE(!ask("GET /hello HTTP/1.0\r\n\r\n"));
}

static void handlers_that_fail(void **state)
{
	CHECK_TRUE(ask(
		"GET /fault HTTP/1.1\r\n\r\nGET /forgets HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 500 "), ==, 2);
	CHECK_INT(count("HTTP/1.1 200 "), ==, 1);
}

static void later(void **state)
{
	CHECK_TRUE(ask("GET /later HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(client.n_out, ==, 0); /* the next one waits, too */
	table_answer("now\n");
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_TRUE(strstr(client.out, "now\n") < strstr(client.out, "hello\n"));
	CHECK_TRUE(ask("GET /later-at-once HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 200 "), ==, 4);
}

static void gone_before_the_answer(void **state)
{
	CHECK_TRUE(ask("GET /later HTTP/1.1\r\n\r\n"));
	fake_hang_up(&client);
	CHECK_INT(table_gone, ==, 1);
	CHECK_TRUE(!table_late);
}

static void held(void **state)
{
	table_ticket = 3;
	CHECK_TRUE(ask("POST /change HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(client.n_out, ==, 0);
	httpd_release(httpd, 2);
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_INT(client.n_out, ==, 0);
	httpd_release(httpd, 3);
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_INT(count("changed\n") + count("hello\n"), ==, 2);
	CHECK_TRUE(ask("POST /change HTTP/1.1\r\n\r\n"));
	httpd_release_instead(httpd);
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_INT(count("changed\n"), ==, 1);
	CHECK_INT(count("not kept\n"), ==, 1);
}

static void streams(void **state)
{
	CHECK_TRUE(ask("GET /stream HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_TRUE(strstr(client.out, "Content-Length: 20000\r\n"));
	CHECK_INT(count("x"), >=, 20000);
	CHECK_TRUE(strstr(client.out, "xHTTP/1.1 200 OK"));
	CHECK_TRUE(ask("HEAD /stream HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(count("hello\n"), ==, 2);
	client.n_out = 0;
	CHECK_TRUE(ask("GET /chunks HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_TRUE(strstr(client.out, "Transfer-Encoding: chunked\r\n"));
	CHECK_TRUE(strstr(client.out, "\r\n0\r\n\r\nHTTP/1.1 200 OK"));
	client.n_out = 0;
	CHECK_TRUE(!ask("GET /chunks HTTP/1.0\r\n\r\n"));
	CHECK_TRUE(!strstr(client.out, "chunked") && strstr(client.out, "Connection: close\r\n"));
	CHECK_INT(table_gone, ==, 0);
}

static void a_stream_waits_for_its_source(void **state)
{
	CHECK_TRUE(ask("GET /slow HTTP/1.1\r\n\r\nGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_TRUE(strstr(client.out, "\r\n64\r\nx"));
	CHECK_INT(count("hello\n"), ==, 0);
	table_finish_stream();
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_INT(count("hello\n"), ==, 1);
	client.n_out = 0;
	CHECK_TRUE(ask("GET /slow HTTP/1.1\r\n\r\n"));
	fake_hang_up(&client);
	CHECK_INT(table_gone, ==, 1);
}

static void a_stream_is_not_read_ahead(void **state)
{
	CHECK_TRUE(fake_send(&client, "GET /stream HTTP/1.1\r\n\r\n", 24, 10));
	CHECK_INT(client.ops->output(client.owner).len, <, 40000);
	CHECK_TRUE(client.ops->full(client.owner));
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_TRUE(!client.ops->full(client.owner));
}

static void uploads(void **state)
{
	CHECK_TRUE(ask("PUT /upload HTTP/1.1\r\nContent-Length: 10\r\n\r\nabcd"));
	CHECK_STR(table_got, "[abcd]");
	CHECK_INT(client.n_out, ==, 0);
	CHECK_TRUE(ask("efghijGET /hello HTTP/1.1\r\n\r\n"));
	CHECK_STR(table_got, "[abcd][efghij] whole");
	CHECK_TRUE(strstr(client.out, "kept\n") < strstr(client.out, "hello\n"));
	CHECK_TRUE(ask("PUT /upload HTTP/1.1\r\nContent-Length: 0\r\n\r\n"));
	CHECK_STR(table_got, " whole");
	CHECK_TRUE(ask(
		"PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
		"GET /hello HTTP/1.1\r\n\r\n"));
	CHECK_STR(table_got, "[abc][de] whole");
	CHECK_INT(count("hello\n"), ==, 2);
}

static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

/* RFC 9110, 10.1.1 */
static void a_client_that_waits_with_its_body_is_told_to_go_on(void **state)
{
	CHECK_TRUE(
		ask("POST /hello HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n"));
	CHECK_STR(client.out, go_on);
	CHECK_TRUE(ask("a"));
	CHECK_STR(client.out, go_on); /* once */
	CHECK_TRUE(ask("bc"));
	CHECK_INT(count("HTTP/1.1 200 OK\r\n"), ==, 1);
	CHECK_TRUE(ask(
		"PUT /upload HTTP/1.1\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n"));
	CHECK_INT(count(go_on), ==, 2);
	CHECK_TRUE(!ask("3\r\nabc\r\n0\r\n\r\n"));
	CHECK_STR(table_got, "[abc] whole");
	CHECK_INT(count("kept\n"), ==, 1);
}

static void who_need_not_wait_is_not_told_to_go_on(void **state)
{
	CHECK_TRUE(
		ask("POST /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\na"));
	CHECK_INT(client.n_out, ==, 0); /* it did not */
	CHECK_TRUE(ask("bcGET /hello HTTP/1.1\r\nExpect: 100-continue\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 200 OK\r\n"), ==, 2);
	CHECK_INT(count(go_on), ==, 0); /* there is no body */
	CHECK_TRUE(
		ask("POST /hello HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
	CHECK_INT(count(go_on), ==, 0);
}

/* Whether a refused body follows is the client's choice, so the connection ends. */
static void whose_body_is_refused_is_answered_at_once(void **state)
{
	CHECK_TRUE(!ask(
		"POST /secret HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 403 "), ==, 1);
	fake_connect(&client);
	CHECK_TRUE(!ask(
		"POST /hello HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 100000\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 413 "), ==, 1);
	CHECK_INT(count(go_on), ==, 0);
}

static void uploads_that_end_early(void **state)
{
	CHECK_TRUE(ask("PUT /upload HTTP/1.1\r\nContent-Length: 10\r\n\r\nabcd"));
	fake_hang_up(&client);
	CHECK_STR(table_got, "[abcd] broken");
	fake_connect(&client);
	CHECK_TRUE(!ask("PUT /upload HTTP/1.1\r\nContent-Length: 10\r\n\r\n!bcd"));
	CHECK_STR(table_got, " broken");
	CHECK_TRUE(strstr(client.out, "HTTP/1.1 507 "));
	fake_connect(&client);
	CHECK_TRUE(!ask("PUT /upload HTTP/1.1\r\nContent-Length: 100001\r\n\r\n"));
	CHECK_TRUE(strstr(client.out, "HTTP/1.1 413 "));
}

static void an_upload_in_chunks_has_a_bound(void **state)
{
	static char chunk[60000 + 16];
	size_t n = (size_t)snprintf(chunk, sizeof(chunk), "%x\r\n", 60000);

	memset(chunk + n, 'y', 60000);
	memcpy(chunk + n + 60000, "\r\n", 2);
	CHECK_TRUE(ask("PUT /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
	CHECK_TRUE(fake_send(&client, chunk, n + 60002, SIZE_MAX));
	CHECK_TRUE(!fake_send(&client, chunk, n + 60002, SIZE_MAX));
}

static void a_sink_that_is_full(void **state)
{
	CHECK_TRUE(ask("PUT /upload HTTP/1.1\r\nContent-Length: 8\r\n\r\nabcd"));
	table_sink_is_full = true;
	CHECK_TRUE(client.ops->full(client.owner));
	CHECK_TRUE(ask("efgh"));
	CHECK_STR(table_got, "[abcd]"); /* what came nevertheless waits */
	table_sink_is_full = false;
	table_finish_stream();
	CHECK_TRUE(fake_take(&client, SIZE_MAX));
	CHECK_STR(table_got, "[abcd][efgh] whole");
	CHECK_INT(count("kept\n"), ==, 1);
}

static void refused_by_the_head(void **state)
{
	CHECK_TRUE(ask("POST /secret HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 403 "), ==, 1);
	for (size_t i = 0; i < 1000; i++) {
		static const char kilo[1000];

		CHECK_TRUE(fake_send(&client, kilo, sizeof(kilo), SIZE_MAX));
	}
	CHECK_TRUE(ask("GET /hello HTTP/1.1\r\n\r\n"));
	CHECK_INT(count("hello\n"), ==, 1);
	CHECK_TRUE(ask(
		"POST /secret HTTP/1.1\r\nSecret: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
	CHECK_INT(count("hello\n"), ==, 2);
	CHECK_TRUE(!ask(
		"POST /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"));
	CHECK_INT(count("HTTP/1.1 413 "), ==, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(in_turn, begin, end),
		cmocka_unit_test_setup_teardown(handlers_that_fail, begin, end),
		cmocka_unit_test_setup_teardown(later, begin, end),
		cmocka_unit_test_setup_teardown(gone_before_the_answer, begin, end),
		cmocka_unit_test_setup_teardown(held, begin, end),
		cmocka_unit_test_setup_teardown(streams, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_waits_for_its_source, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_is_not_read_ahead, begin, end),
		cmocka_unit_test_setup_teardown(uploads, begin, end),
		cmocka_unit_test_setup_teardown(uploads_that_end_early, begin, end),
		cmocka_unit_test_setup_teardown(an_upload_in_chunks_has_a_bound, begin, end),
		cmocka_unit_test_setup_teardown(a_sink_that_is_full, begin, end),
		cmocka_unit_test_setup_teardown(
			a_client_that_waits_with_its_body_is_told_to_go_on, begin, end),
		cmocka_unit_test_setup_teardown(who_need_not_wait_is_not_told_to_go_on, begin, end),
		cmocka_unit_test_setup_teardown(
			whose_body_is_refused_is_answered_at_once, begin, end),
		cmocka_unit_test_setup_teardown(refused_by_the_head, begin, end) };

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
