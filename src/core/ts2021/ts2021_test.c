/* Client and server engine talk to each other over a wire that cuts the stream anywhere. */
#include "core/ts2021/testpair.h"

static void request_is_echoed_however_the_stream_is_cut(void **state)
{
	for (size_t cut = 1; cut < 5000; cut = cut * 3 + 1) {
		struct ts_stream *s;
		struct pair p;

		CHECK_ROW("cut %zu", cut);
		pair_open(&p, cut);
		pump(&p);
		CHECK_TRUE(p.client.ready);
		CHECK_INT(ts2021_version(p.server.t), ==, 113);
		CHECK_INT(ts2021_request(p.client.t, "POST", "/machine/register",
				  VIEW_LIT("{\"a\":1}"), NULL, &s),
			==, 0);
		pump(&p);
		CHECK_STR(p.server.path, "POST /machine/register");
		CHECK_INT(p.client.status, ==, 200);
		CHECK_STR(buf_cstr(&p.client.got), "{\"a\":1}");
		CHECK_TRUE(p.client.ended == 1 && p.client.end_rc == 0 && p.server.ended == 1);
		pair_close(&p);
	}
}

static void streaming_body_comes_as_it_is_filled_while_others_are_served(void **state)
{
	struct ts_stream *s;
	struct pair p;

	pair_open(&p, 4096);
	pump(&p);
	CHECK_INT(ts2021_request(p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&p);
	CHECK_INT(buf_len(&p.client.got), ==, 0);
	p.server.to_fill = 300000; /* 3 MB: more than any window */
	ts_stream_wake(p.server.streaming);
	pump(&p);
	CHECK_INT(buf_len(&p.client.got), ==, 3000000);
	buf_clear(&p.client.got);
	CHECK_INT(ts2021_request(p.client.t, "GET", "/echo", VIEW_LIT("y"), NULL, &s), ==, 0);
	pump(&p);
	CHECK_STR(buf_cstr(&p.client.got), "y");
	CHECK_INT(p.client.ended, ==, 1);
	ts_stream_finish(p.server.streaming);
	pump(&p);
	CHECK_INT(p.client.ended, ==, 2);
	CHECK_INT(p.client.end_rc, ==, 0);
	pair_close(&p);
}

static void reader_that_stops_costs_a_bounded_buffer(void **state)
{
	struct ts_stream *s;
	struct pair p;

	pair_open(&p, 4096);
	pump(&p);
	CHECK_INT(ts2021_request(p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&p);
	p.server.to_fill = 1 << 20;
	ts_stream_wake(p.server.streaming);
	CHECK_INT(ts2021_output(p.server.t).len, <, 2 * TS2021_OUT_MAX);
	CHECK_INT(p.server.to_fill, >, (1 << 20) - 10000);
	pair_close(&p);
}

static void client_reset_ends_the_stream_at_the_server(void **state)
{
	struct ts_stream *s;
	struct pair p;

	pair_open(&p, 4096);
	pump(&p);
	CHECK_INT(ts2021_request(p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&p);
	ts_stream_reset(s);
	pump(&p);
	CHECK_TRUE(!p.server.streaming);
	CHECK_INT(p.server.end_rc, <, 0);
	pair_close(&p);
}

static void loss_of_the_connection_ends_open_streams(void **state)
{
	struct ts_stream *s;
	struct pair p;

	pair_open(&p, 4096);
	pump(&p);
	CHECK_INT(ts2021_request(p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&p);
	p.client.t = ts2021_free(p.client.t);
	CHECK_INT(p.client.end_rc, ==, -ERR_CLOSED);
	pair_close(&p);
}

static void garbage_after_the_handshake_fails_for_good(void **state)
{
	struct pair p;

	pair_open(&p, 4096);
	pump(&p);
	CHECK_INT(ts2021_feed(p.server.t, (const uint8_t *)"\x05\x00\x10zzzz", 7, 0), <, 0);
	CHECK_INT(ts2021_feed(p.server.t, (const uint8_t *)"x", 1, 0), <, 0);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_echoed_however_the_stream_is_cut),
		cmocka_unit_test(streaming_body_comes_as_it_is_filled_while_others_are_served),
		cmocka_unit_test(reader_that_stops_costs_a_bounded_buffer),
		cmocka_unit_test(client_reset_ends_the_stream_at_the_server),
		cmocka_unit_test(loss_of_the_connection_ends_open_streams),
		cmocka_unit_test(garbage_after_the_handshake_fails_for_good),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
