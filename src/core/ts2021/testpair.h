/* For tests and fuzz targets: a client and a server, and a wire between them that cuts the stream anywhere. */
#ifndef WARREN_CORE_TS2021_TESTPAIR_H
#define WARREN_CORE_TS2021_TESTPAIR_H

#include "core/ts2021/internal.h"
#include "testlib/check.h"

struct end {
	struct ts2021 *t;
	unsigned limits[TS2021_N_LIMITS];
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

static void on_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
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

static void on_output(void *owner) {}

static void on_ready(void *owner)
{
	((struct end *)owner)->ready = true;
}

static void on_limit(void *owner, enum ts2021_limit l)
{
	((struct end *)owner)->limits[l]++;
}

static const struct ts2021_ops ops = { .on_request = on_request,
	.on_response = on_response,
	.on_data = on_data,
	.on_end = on_end,
	.fill = fill,
	.on_output = on_output,
	.on_ready = on_ready,
	.on_limit = on_limit };

struct pair {
	struct end client, server;
	size_t cut;         /* bytes a piece */
	struct buf request; /* the head, until the server is made from it */
	struct secret_machine server_key;
	const char *tells;
	mono_ns now;
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
	CHECK_INT(ts2021_connect(&p->client.t, "hub:80", &client_key, &server_pub, 113,
			  &p->client.rng.rng, &ops, &p->client),
		==, 0);
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
	CHECK_INT(ts2021_feed(to, copy, n, p->now), ==, 0);
	return n;
}

static void pump(struct pair *p)
{
	if (!p->server.t) { /* the listener's part: read the head, then hand over */
		struct view v = ts2021_output(p->client.t);
		struct http1_head h;
		size_t used;

		struct ts2021_server how = {
			.self = &p->server_key, .rng = &p->server.rng.rng, .hub_url = p->tells
		};

		CHECK_INT(http1_parse(v.p, v.len, false, &h, &used), ==, 0);
		CHECK_INT(used, ==, v.len);
		CHECK_INT(ts2021_accept(&p->server.t, &h, &how, &ops, &p->server), ==, 0);
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

#endif
