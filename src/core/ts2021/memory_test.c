/* A connection that is short of memory on either side fails as a whole or loses a stream; the next one works. */
#include "core/ts2021/ts2021.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

struct end {
	struct ts2021 *t;
	struct rng_seeded rng;
	struct ts_stream *streaming;
	bool ready, failed;
	int status, n_ended, to_fill;
	size_t got;
};

static struct end client, server;
static struct secret_machine client_key, server_key;
static struct machine_pub server_pub;

static void on_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct end *e = owner;
	int rc;

	if (!strcmp(path, "/stream")) {
		e->streaming = s;
		e->to_fill = 5000;
		rc = ts_stream_begin(s, 200, NULL);
	} else if (!strcmp(path, "/later")) {
		rc = ts_stream_respond_later(s, 429, 3, VIEW_LIT("busy"));
	} else {
		rc = ts_stream_respond(s, 200, "application/json", body);
	}
	if (rc < 0) /* as owners do: without an answer there is nothing to wait for */
		ts_stream_reset(s);
}

static void on_response(void *owner, struct ts_stream *s, int status)
{
	((struct end *)owner)->status = status;
}

static void on_data(void *owner, struct ts_stream *s, struct view data)
{
	((struct end *)owner)->got += data.len;
}

static void on_end(void *owner, struct ts_stream *s, int rc)
{
	struct end *e = owner;

	e->n_ended++;
	if (e->streaming == s)
		e->streaming = NULL;
}

static void fill(void *owner, struct ts_stream *s, struct buf *out)
{
	struct end *e = owner;

	for (int n = 0; e->to_fill > 0 && n < 100 && buf_append_str(out, "0123456789") == 0; n++)
		e->to_fill--;
	if (!e->to_fill)
		ts_stream_finish(s);
}

static void nothing(void *owner) {}

static void on_ready(void *owner)
{
	((struct end *)owner)->ready = true;
}

static const struct ts2021_ops ops = { .on_request = on_request,
	.on_response = on_response,
	.on_data = on_data,
	.on_end = on_end,
	.fill = fill,
	.on_output = nothing,
	.on_ready = on_ready };

static bool move(struct end *from, struct end *to)
{
	static uint8_t copy[16384];
	struct view v = from->t && to->t ? ts2021_output(from->t) : view_of("", 0);
	size_t n = MIN_OF(v.len, sizeof(copy));

	if (!n || to->failed)
		return false;
	memcpy(copy, v.p, n);
	ts2021_written(from->t, n);
	to->failed = ts2021_feed(to->t, copy, n, SEC(1)) < 0;
	return true;
}

static bool accept_client(void)
{
	struct ts2021_server how = {
		.self = &server_key, .rng = &server.rng.rng, .hub_url = "https://hub.example"
	};
	struct view v = ts2021_output(client.t);
	struct http1_head h;
	size_t used;
	int rc;

	CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
	rc = ts2021_accept(&server.t, &h, &how, &ops, &server);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM || rc == -ERR_NO_ROOM);
	ts2021_written(client.t, used);
	return rc == 0;
}

static void pump(void)
{
	for (bool moved = true; moved;) {
		moved = move(&client, &server);
		moved |= move(&server, &client);
	}
}

static void ask(const char *path)
{
	struct ts_stream *s;

	if (client.ready &&
		ts2021_request(client.t, "POST", path, VIEW_LIT("{\"x\":1}"), NULL, &s) == 0)
		pump();
}

static void session(void)
{
	int rc;

	client = server = (struct end){ 0 };
	rng_seeded_init(&client.rng, 1);
	rng_seeded_init(&server.rng, 2);
	rc = ts2021_connect(
		&client.t, "hub:80", &client_key, &server_pub, 113, &client.rng.rng, &ops, &client);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	if (rc < 0 || !accept_client())
		return;
	pump();
	ask("/echo");
	ts2021_set_member(server.t);
	ask("/later");
	ask("/stream");
	if (client.ready && ts2021_ping(client.t) == 0)
		pump();
}

static void session_end(void)
{
	client.t = ts2021_free(client.t);
	server.t = ts2021_free(server.t);
	CHECK_TRUE(!server.streaming);
}

static void check_worked(void)
{
	CHECK_INT(client.n_ended, ==, 3);
	CHECK_INT(server.n_ended, ==, 3);
	CHECK_INT(client.got, ==, 7 + 4 + 50000);
}

static void short_of_memory_the_next_connection_works(void **state)
{
	struct rng_seeded rng;
	bool more = true;

	rng_seeded_init(&rng, 3);
	key_generate(&rng.rng, client_key.b);
	key_generate(&rng.rng, server_key.b);
	CHECK_INT(key_public(server_key.b, server_pub.b), ==, 0);
	for (size_t n = 1; more; n++) {
		CHECK_ROW("allocation %zu", n);
		memory_refuse(n);
		session();
		more = memory_allow();
		if (!more)
			check_worked();
		session_end();
		CHECK_TRUE(more || n > 50);
	}
	session();
	check_worked();
	session_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_the_next_connection_works),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
