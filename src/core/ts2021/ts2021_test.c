/* Client and server engine talk to each other over a wire that cuts the stream anywhere. */
#include "core/ts2021/ts2021.h"
#include "testlib/check.h"

struct end {
	struct ts2021 *t;
	struct rng_seeded rng;
	bool ready;
	/* server */
	char path[64];
	struct ts_stream *streaming;
	int to_fill;
	/* client */
	int status, ended, end_rc;
	struct buf got;
};

static void on_request(void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct end *e = owner;

	snprintf(e->path, sizeof(e->path), "%s %s", method, path);
	if (!strcmp(path, "/stream")) {
		e->streaming = s;
		CHECK_INT(ts_stream_begin(s, 200, NULL), ==, 0);
		return;
	}
	CHECK_INT(ts_stream_respond(s, 200, "application/json", body), ==, 0); /* echo */
}

static void on_response(void *owner, struct ts_stream *s, int status)
{
	((struct end *)owner)->status = status;
}

static void on_data(void *owner, struct ts_stream *s, struct view data)
{
	CHECK_INT(buf_append(&((struct end *)owner)->got, data.p, data.len), ==, 0);
}

static void on_end(void *owner, struct ts_stream *s, int rc)
{
	struct end *e = owner;

	e->ended++;
	e->end_rc = rc;
	if (e->streaming == s)
		e->streaming = NULL;
}

static void fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct end *e = owner;

	for (int n = 0; e->to_fill > 0 && n < 100; n++, e->to_fill--)
		CHECK_INT(buf_append_str(out, "0123456789"), ==, 0);
}

static void on_output(void *owner)
{
}

static void on_ready(void *owner)
{
	((struct end *)owner)->ready = true;
}

static const struct ts2021_ops ops = { .on_request = on_request, .on_response = on_response, .on_data = on_data, .on_end = on_end,
	.fill = fill, .on_output = on_output, .on_ready = on_ready };

struct pair {
	struct end client, server;
	size_t cut; /* bytes a piece */
	struct buf request; /* the head, until the server is made from it */
	struct secret_machine server_key;
	const char *tells;
};

static void pair_open(struct pair *p, size_t cut)
{
	struct secret_machine client_key;
	struct machine_pub server_pub;

	memset(p, 0, sizeof(*p));
	p->cut = cut;
	rng_seeded_init(&p->client.rng, 1);
	rng_seeded_init(&p->server.rng, 2);
	buf_init(&p->client.got, 1 << 24);
	buf_init(&p->request, 10000);
	key_generate(&p->client.rng.rng, client_key.b);
	key_generate(&p->server.rng.rng, p->server_key.b);
	CHECK_INT(key_public(p->server_key.b, server_pub.b), ==, 0);
	CHECK_INT(ts2021_connect(&p->client.t, "hub:80", &client_key, &server_pub, 113, &p->client.rng.rng, &ops, &p->client), ==,
		0);
}

static size_t move(struct pair *p, struct ts2021 *from, struct ts2021 *to)
{
	struct view v = ts2021_output(from);
	size_t n = MIN_OF(v.len, p->cut);
	uint8_t copy[4096];

	n = MIN_OF(n, sizeof(copy));
	if (!n)
		return 0;
	memcpy(copy, v.p, n);
	ts2021_written(from, n);
	CHECK_INT(ts2021_feed(to, copy, n), ==, 0);
	return n;
}

static void pump(struct pair *p)
{
	if (!p->server.t) { /* the listener's part: read the head, then hand over */
		struct view v = ts2021_output(p->client.t);
		struct http1_head h;
		size_t used;

		CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
		CHECK_INT(used, ==, v.len);
		CHECK_INT(ts2021_accept(&p->server.t, &h, &p->server_key, p->tells, &p->server.rng.rng, &ops, &p->server), ==, 0);
		ts2021_written(p->client.t, used);
	}
	while (move(p, p->client.t, p->server.t) + move(p, p->server.t, p->client.t))
		;
}

static void pair_close(struct pair *p)
{
	ts2021_free(p->client.t);
	ts2021_free(p->server.t);
	buf_fini(&p->client.got);
	buf_fini(&p->request);
}

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
		CHECK_INT(ts2021_request(p.client.t, "POST", "/machine/register", VIEW_LIT("{\"a\":1}"), NULL, &s), ==, 0);
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
	CHECK_INT(ts2021_feed(p.server.t, (const uint8_t *)"\x05\x00\x10zzzz", 7), <, 0);
	CHECK_INT(ts2021_feed(p.server.t, (const uint8_t *)"x", 1), <, 0);
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
