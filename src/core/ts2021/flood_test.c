/* One end says whatever it likes, in good records, and does not read: the other end holds a bounded amount, and ends it. */
#include "core/ts2021/testpair.h"

#include <errno.h>

enum frame {
	DATA,
	HEADERS,
	PRIORITY,
	RST_STREAM,
	SETTINGS,
	PUSH_PROMISE,
	PING,
	GOAWAY,
	WINDOW_UPDATE,
	CONTINUATION,
	UNKNOWN = 0x55
};
enum { END_STREAM = 1, END_HEADERS = 4, PADDED = 8, MANY = 100000 };

static const char post[] =
	"\x20\x83\x87\x04\x01/"; /* no table, as the server asks; POST, https, path "/", nothing indexed */

struct flooder {
	struct pair p;
	struct ts2021 *victim;
	struct noise_half *keys; /* that the other end seals with */
	struct end *end;         /* the victim's */
	struct buf wire;
	size_t peak; /* of the victim's memory */
	mono_ns now;
};

static size_t held_by(const struct ts2021 *t)
{
	size_t n = t->mem.used + t->in.cap + t->out.cap;

	list_for_each(l, &t->streams) {
		const struct ts_stream *s = container_of(l, struct ts_stream, link);

		n += s->body.cap + s->out.cap;
	}
	return n;
}

static void flooder_open(struct flooder *f, bool client)
{
	*f = (struct flooder){ .now = SEC(1000) };
	pair_open(&f->p, 4096);
	f->p.now = f->now;
	pump(&f->p);
	f->victim = client ? f->p.client.t : f->p.server.t;
	f->end = client ? &f->p.client : &f->p.server;
	f->keys = client ? &f->p.server.t->keys.send : &f->p.client.t->keys.send;
	buf_init(&f->wire, 1 << 20);
}

static void flooder_close(struct flooder *f)
{
	buf_fini(&f->wire);
	pair_close(&f->p);
}

/* Bytes of HTTP/2, in records. */
static int say(struct flooder *f, const void *p, size_t n)
{
	int rc;

	buf_clear(&f->wire);
	CHECK_INT(noise_seal_all(f->keys, p, n, &f->wire), ==, 0);
	rc = ts2021_feed(f->victim, buf_data(&f->wire), buf_len(&f->wire), f->now);
	f->peak = MAX_OF(f->peak, held_by(f->victim));
	return rc;
}

static int say_frame(struct flooder *f, enum frame type, uint8_t flags, uint32_t stream,
	const void *payload, size_t len)
{
	uint8_t b[9 + 16384];

	CHECK_TRUE(len <= 16384);
	store_be32(b, (uint32_t)len << 8 | type);
	b[4] = flags;
	store_be32(b + 5, stream);
	if (len)
		memcpy(b + 9, payload, len);
	return say(f, b, 9 + len);
}

static int say_request(struct flooder *f, uint32_t stream, uint8_t more)
{
	return say_frame(f, HEADERS, END_HEADERS | more, stream, post, sizeof(post) - 1);
}

/* One kind of thing that is said over and over. n: how often before. */
struct row {
	const char *name;
	int (*step)(struct flooder *f, size_t n);
	unsigned or_limit;     /* bits: which bound may end it, beside the one of frames */
	bool may_be_malformed; /* the library has a bound of its own */
};

static int requests(struct flooder *f, size_t n)
{
	return say_request(f, (uint32_t)(2 * n + 1), END_STREAM);
}

static int pings(struct flooder *f, size_t n)
{
	return say_frame(f, PING, 0, 0, "12345678", 8);
}

static int ping_answers(struct flooder *f, size_t n)
{
	return say_frame(f, PING, 1, 0, "12345678", 8);
}

static int settings(struct flooder *f, size_t n)
{
	return say_frame(f, SETTINGS, 0, 0, NULL, 0);
}

static int many_settings(struct flooder *f, size_t n)
{
	uint8_t b[16380] = { 0 };

	for (size_t i = 0; i < sizeof(b); i += 6)
		memcpy(b + i, "\0\4\0\0\0\1", 6);
	return say_frame(f, SETTINGS, 0, 0, b, sizeof(b));
}

static int priorities(struct flooder *f, size_t n)
{
	return say_frame(f, PRIORITY, 0, (uint32_t)(2 * n + 101), "\0\0\0\0\1", 5);
}

static int window_updates(struct flooder *f, size_t n)
{
	return say_frame(f, WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4);
}

static int empty_data(struct flooder *f, size_t n)
{
	return n ? say_frame(f, DATA, 0, 1, NULL, 0) : say_request(f, 1, 0);
}

static int padded_data(struct flooder *f, size_t n)
{
	static const uint8_t pad[256] = { 255 };

	return n ? say_frame(f, DATA, PADDED, 1, pad, sizeof(pad)) : say_request(f, 1, 0);
}

static int bytes_of_data(struct flooder *f, size_t n)
{
	return n ? say_frame(f, DATA, 0, 1, "x", 1) : say_request(f, 1, 0);
}

static int rapid_resets(struct flooder *f, size_t n)
{
	int rc = say_request(f, (uint32_t)(2 * n + 1), 0);

	return rc < 0 ? rc : say_frame(f, RST_STREAM, 0, (uint32_t)(2 * n + 1), "\0\0\0\10", 4);
}

/* Wrong ones, which the server has to reset itself: the peer's own resets are none. */
static int made_resets(struct flooder *f, size_t n)
{
	int rc = say_request(f, (uint32_t)(2 * n + 1), 0);

	return rc < 0 ? rc : say_frame(f, WINDOW_UPDATE, 0, (uint32_t)(2 * n + 1), "\0\0\0\0", 4);
}

static int continuations(struct flooder *f, size_t n)
{
	return n ? say_frame(f, CONTINUATION, 0, 1, "", 0)
		 : say_frame(f, HEADERS, 0, 1, post, sizeof(post) - 1);
}

static int large_continuations(struct flooder *f, size_t n)
{
	static uint8_t b[16384];

	memset(b, 0x83, sizeof(b)); /* a field in each byte */
	return n ? say_frame(f, CONTINUATION, 0, 1, b, sizeof(b))
		 : say_frame(f, HEADERS, 0, 1, post, sizeof(post) - 1);
}

static int trailers(struct flooder *f, size_t n)
{
	return say_request(f, 1, 0);
}

static int unknown(struct flooder *f, size_t n)
{
	return say_frame(f, UNKNOWN, 0, 0, "12345678", 8);
}

static int large_unknown(struct flooder *f, size_t n)
{
	static const uint8_t b[16384];

	return say_frame(f, UNKNOWN, 0, 0, b, sizeof(b));
}

static int padded_headers(struct flooder *f, size_t n)
{
	uint8_t b[1 + sizeof(post) - 1 + 255] = { 255 };

	memcpy(b + 1, post, sizeof(post) - 1);
	return say_frame(f, HEADERS, END_HEADERS | PADDED, (uint32_t)(2 * n + 1), b, sizeof(b));
}

static int fields(struct flooder *f, size_t n)
{
	static uint8_t b[8192];

	memset(b, 0x83, sizeof(b));
	b[0] = 0x20;
	return say_frame(f, HEADERS, END_HEADERS, (uint32_t)(2 * n + 1), b, sizeof(b));
}

static int never_finished(struct flooder *f, size_t n)
{
	return say_request(f, (uint32_t)(2 * n + 1), 0);
}

static int long_paths(struct flooder *f, size_t n)
{
	uint8_t b[5 + 4000] = "\x20\x04\x7f\xa1\x1e"; /* path, of 127 + 0x21 + 30 * 128 bytes */

	memset(b + 5, '/', sizeof(b) - 5);
	return say_frame(f, HEADERS, END_HEADERS, (uint32_t)(2 * n + 1), b, sizeof(b));
}

static int bodies(struct flooder *f, size_t n)
{
	static uint8_t b[16000];

	return n % 5 ? say_frame(f, DATA, 0, (uint32_t)(2 * (n / 5) + 1), b, sizeof(b))
		     : say_request(f, (uint32_t)(2 * (n / 5) + 1), 0);
}

static int empty_records(struct flooder *f, size_t n)
{
	buf_clear(&f->wire);
	CHECK_INT(noise_seal(f->keys, "", 0, &f->wire), ==, 0);
	return ts2021_feed(f->victim, buf_data(&f->wire), buf_len(&f->wire), f->now);
}

static int goaways(struct flooder *f, size_t n)
{
	return say_frame(f, GOAWAY, 0, 0, "\0\0\0\0\0\0\0\0", 8);
}

static const struct row rows[] = {
	{ "requests", requests, 1 << TS2021_BY_QUEUE, false },
	{ "PING", pings, 1 << TS2021_BY_QUEUE, false },
	{ "answers to no PING", ping_answers, 0, false },
	{ "SETTINGS", settings, 1 << TS2021_BY_QUEUE, false },
	{ "SETTINGS of 2,730 settings", many_settings, 1 << TS2021_BY_QUEUE, false },
	{ "PRIORITY", priorities, 1 << TS2021_BY_MEMORY, false },
	{ "WINDOW_UPDATE", window_updates, 0, false },
	{ "empty DATA", empty_data, 0, false },
	{ "DATA of padding", padded_data, 0, false },
	{ "DATA of a byte", bytes_of_data, 0, false },
	{ "requests and their resets", rapid_resets, 0, false },
	{ "requests that have to be reset", made_resets, 1 << TS2021_BY_QUEUE, false },
	{ "empty CONTINUATION", continuations, 0, true },
	{ "CONTINUATION of 16 KiB", large_continuations, 0, true },
	{ "trailers", trailers, 0, false },
	{ "unknown frames", unknown, 0, false },
	{ "unknown frames of 16 KiB", large_unknown, 0, false },
	{ "padded HEADERS", padded_headers, 0, false },
	{ "HEADERS of 8,192 fields", fields, 0, false },
	{ "requests that are never finished", never_finished, 0, false },
	{ "paths of 4 KiB", long_paths, 1 << TS2021_BY_MEMORY, false },
	{ "bodies that never end", bodies, 0, false },
	{ "empty records", empty_records, 0, false },
	{ "GOAWAY", goaways, 0, false },
};

static unsigned ended_by(const struct flooder *f)
{
	unsigned bits = 0;

	for (int l = 0; l < TS2021_N_LIMITS; l++)
		bits |= (unsigned)(f->end->limits[l] != 0) << l;
	return bits;
}

static void flood(const struct row *r, bool as_member, size_t max)
{
	struct flooder f;
	size_t n = 0;
	int rc = 0;

	CHECK_ROW("%s, a %s", r->name, as_member ? "member" : "stranger");
	flooder_open(&f, false);
	if (as_member)
		ts2021_set_member(f.victim);
	while (n < MANY && rc == 0)
		rc = r->step(&f, n++);
	CHECK_INT(rc, <, 0);
	if (rc != -ERR_CLOSED && !(r->may_be_malformed && rc == -ERR_BAD_FORMAT)) {
		CHECK_INT(rc, ==, -ERR_FLOOD);
		CHECK_TRUE(ended_by(&f) & (1u << TS2021_BY_FRAMES | r->or_limit));
	}
	CHECK_INT(f.peak, <, max);
	/* What is left to be said is little, too, and it stays so. */
	CHECK_INT(ts2021_output(f.victim).len, <, 3 * TS2021_OUT_MAX);
	CHECK_INT(r->step(&f, n), <, 0);
	flooder_close(&f);
}

static void stranger_who_floods_is_ended_and_holds_little(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		flood(&rows[i], false, TS2021_STRANGER_H2_MAX + 3 * TS2021_STRANGER_BODY_MAX);
}

static void member_who_floods_is_ended_and_holds_more(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		flood(&rows[i], true, TS2021_H2_MAX + 3 * TS2021_BODY_MAX);
}

static void server_that_floods_is_left(void **state)
{
	const struct row by_server[] = { rows[1], rows[2], rows[3], rows[4], rows[6], rows[15],
		rows[16], rows[22] };

	for (size_t i = 0; i < ARRAY_LEN(by_server); i++) {
		struct flooder f;
		size_t n = 0;
		int rc = 0;

		CHECK_ROW("%s", by_server[i].name);
		flooder_open(&f, true);
		while (n < MANY && rc == 0)
			rc = by_server[i].step(&f, n++);
		CHECK_INT(rc, ==, -ERR_FLOOD);
		CHECK_INT(f.peak, <, TS2021_H2_MAX);
		flooder_close(&f);
	}
}

/* "100 Continue", and again, and again. */
static void server_that_answers_without_end_is_left(void **state)
{
	struct ts_stream *s;
	struct flooder f;
	int rc = 0;

	flooder_open(&f, true);
	CHECK_INT(ts2021_request(f.victim, "POST", "/", VIEW_LIT("x"), NULL, &s), ==, 0);
	for (size_t n = 0; n < MANY && rc == 0; n++)
		rc = say_frame(&f, HEADERS, END_HEADERS, 1,
			"\x08\x03"
			"100",
			5);
	CHECK_INT(rc, ==, -ERR_FLOOD);
	flooder_close(&f);
}

static void farewell_names_the_reason(void **state)
{
	struct flooder f;
	int rc = 0;

	flooder_open(&f, false);
	while (rc == 0)
		rc = unknown(&f, 0);
	for (;;) {
		struct view v = ts2021_output(f.victim);
		uint8_t copy[4096];
		size_t n = MIN_OF(v.len, sizeof(copy));

		if (!n)
			break;
		memcpy(copy, v.p, n);
		ts2021_written(f.victim, n);
		rc = ts2021_feed(f.p.client.t, copy, n, f.now);
	}
	CHECK_INT(rc, ==, -ERR_CLOSED); /* a GOAWAY, and nothing is open */
	flooder_close(&f);
}

static void reader_that_stalls_stops_the_feeding(void **state)
{
	struct flooder f;
	size_t n = 0;

	flooder_open(&f, false);
	ts2021_set_member(f.victim);
	CHECK_TRUE(ts2021_wants_input(f.victim));
	while (ts2021_wants_input(f.victim))
		CHECK_INT(requests(&f, n++), ==, 0);
	CHECK_INT(n, <=, TS2021_QUEUE_PAUSE + 1);
	ts2021_written(f.victim, ts2021_output(f.victim).len); /* it reads */
	CHECK_TRUE(ts2021_wants_input(f.victim));
	flooder_close(&f);
}

/* A day of a device: a ping every 15 s, a request every minute, answered pings; and a burst of requests after sleep. */
static void honest_client_never_meets_a_bound(void **state)
{
	struct ts_stream *s;
	struct flooder f;

	flooder_open(&f, false);
	for (int i = 0; i < 24 * 240; i++) {
		f.now = f.p.now += SEC(15);
		CHECK_INT(ts2021_ping(f.p.client.t), ==, 0);
		CHECK_INT(ts2021_ping(f.p.server.t), ==, 0);
		if (i % 4 == 0)
			CHECK_INT(ts2021_request(f.p.client.t, "POST", "/machine/map",
					  VIEW_LIT("{}"), NULL, &s),
				==, 0);
		pump(&f.p);
		CHECK_INT(ts2021_check(f.p.server.t, f.now), ==, 0);
	}
	for (int i = 0; i < 12; i++)
		CHECK_INT(ts2021_request(
				  f.p.client.t, "POST", "/machine/map", VIEW_LIT("{}"), NULL, &s),
			==, 0);
	pump(&f.p);
	CHECK_INT(ended_by(&f), ==, 0);
	CHECK_INT(f.p.client.ended, ==, 24 * 60 + 12);
	flooder_close(&f);
}

/* 8 MB, read as Go's client reads: two WINDOW_UPDATEs for each 4 KiB. */
static void reader_of_a_large_map_may_update_its_windows(void **state)
{
	struct ts_stream *s;
	struct flooder f;

	flooder_open(&f, false);
	CHECK_INT(ts2021_request(f.p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&f.p);
	f.p.server.to_fill = 800000;
	ts_stream_wake(f.p.server.streaming);
	pump(&f.p);
	CHECK_INT(buf_len(&f.p.client.got), ==, 10 * 800000);
	for (size_t i = 0; i < 8000000 / 4096 * 2; i++)
		CHECK_INT(say_frame(&f, WINDOW_UPDATE, 0, i % 2, "\0\0\0\1", 4), ==, 0);
	flooder_close(&f);
}

static void request_that_trickles_is_ended_whole(void **state)
{
	struct flooder f;
	int rc = 0;

	flooder_open(&f, false);
	CHECK_INT(say_request(&f, 1, 0), ==, 0);
	for (mono_ns t = 0; t <= TS2021_REQUEST && rc >= 0; t += TS2021_CHECK) {
		f.now += TS2021_CHECK;
		CHECK_INT(say_frame(&f, DATA, 0, 1, "x", 1), ==, 0);
		rc = ts2021_check(f.victim, f.now);
	}
	CHECK_INT(rc, ==, -ETIMEDOUT);
	CHECK_INT(f.end->limits[TS2021_BY_TIME], ==, 1);
	flooder_close(&f);
}

/* The same for headers that never end. */
static void headers_that_trickle_are_ended_whole(void **state)
{
	struct flooder f;
	int rc = 0;

	flooder_open(&f, false);
	CHECK_INT(say_frame(&f, HEADERS, 0, 1, post, sizeof(post) - 1), ==, 0);
	for (mono_ns t = 0; t <= TS2021_REQUEST && rc >= 0; t += TS2021_CHECK) {
		f.now += TS2021_CHECK;
		rc = ts2021_check(f.victim, f.now);
	}
	CHECK_INT(rc, ==, -ETIMEDOUT);
	flooder_close(&f);
}

static int check_until(struct flooder *f, mono_ns end, int (*each)(struct flooder *f, size_t n))
{
	int rc = 0;

	for (size_t n = 0; f->now < end && rc >= 0; n++) {
		f->now += TS2021_CHECK;
		rc = each ? each(f, n) : 0;
		rc = rc < 0 ? rc : ts2021_check(f->victim, f->now);
	}
	return rc;
}

static int one_byte_window(struct flooder *f, size_t n)
{
	int rc = say_frame(f, WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4);
	struct view v = ts2021_output(f->victim);

	ts2021_written(f->victim, v.len);
	return rc;
}

/* An answer of 1,000 bytes that nobody lets out of the window, or a byte of it now and then. */
static void answer_that_is_not_taken_ends_the_connection(void **state)
{
	static int (*const each[])(struct flooder * f, size_t n) = { NULL, one_byte_window };

	for (size_t i = 0; i < ARRAY_LEN(each); i++) {
		struct flooder f;
		char body[1000] = { 0 };

		CHECK_ROW("%zu", i);
		flooder_open(&f, false);
		CHECK_INT(say_frame(&f, SETTINGS, 0, 0, "\0\4\0\0\0\0", 6), ==,
			0); /* windows of nothing */
		CHECK_INT(say_request(&f, 1, 0), ==, 0);
		CHECK_INT(say_frame(&f, DATA, END_STREAM, 1, body, sizeof(body)), ==, 0);
		ts2021_written(f.victim, ts2021_output(f.victim).len);
		CHECK_INT(check_until(&f, f.now + TS2021_STALL + 2 * TS2021_CHECK, each[i]), ==,
			-ETIMEDOUT);
		CHECK_INT(f.end->limits[TS2021_BY_STALL], ==, 1);
		flooder_close(&f);
	}
}

static int reads_a_little(struct flooder *f, size_t n)
{
	if (ts2021_output(f->victim).len > 100)
		ts2021_written(f->victim, 100);
	return 0;
}

static void map_that_is_not_taken_ends_the_connection(void **state)
{
	struct ts_stream *s;
	struct flooder f;

	flooder_open(&f, false);
	CHECK_INT(ts2021_request(f.p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&f.p);
	/* Nothing waits: it may be silent for ever. */
	CHECK_INT(check_until(&f, f.now + SEC(3600), NULL), ==, 0);
	f.p.server.to_fill = 1 << 20;
	ts_stream_wake(f.p.server.streaming);
	CHECK_INT(ts2021_output(f.victim).len, >, TS2021_OUT_MAX / 2);
	CHECK_INT(check_until(&f, f.now + TS2021_STALL + 2 * TS2021_CHECK, reads_a_little), ==,
		-ETIMEDOUT);
	flooder_close(&f);
}

static int reads_slowly(struct flooder *f, size_t n)
{
	size_t left = 3000; /* in five seconds */

	while (left) {
		size_t some = MIN_OF(left, ts2021_output(f->victim).len);

		if (!some)
			break;
		ts2021_written(f->victim, some);
		left -= some;
	}
	return 0;
}

static void map_on_a_slow_line_goes_on(void **state)
{
	struct ts_stream *s;
	struct flooder f;

	flooder_open(&f, false);
	CHECK_INT(ts2021_request(f.p.client.t, "POST", "/stream", VIEW_LIT("x"), NULL, &s), ==, 0);
	pump(&f.p);
	f.p.server.to_fill = 20000;
	ts_stream_wake(f.p.server.streaming);
	CHECK_INT(check_until(&f, f.now + SEC(400), reads_slowly), ==, 0);
	flooder_close(&f);
}

static void request_without_a_path_is_reset(void **state)
{
	struct flooder f;

	flooder_open(&f, false);
	CHECK_INT(say_frame(&f, HEADERS, END_HEADERS | END_STREAM, 1, "\x20\x83", 2), ==, 0);
	ts2021_written(f.victim, ts2021_output(f.victim).len);
	CHECK_INT(f.victim->n_streams, ==, 0);
	flooder_close(&f);
}

static void member_gets_larger_bodies_than_a_stranger(void **state)
{
	static char body[TS2021_STRANGER_BODY_MAX + 1];

	for (int member = 0; member < 2; member++) {
		struct ts_stream *s;
		struct pair p;

		CHECK_ROW("member %d", member);
		pair_open(&p, 4096);
		pump(&p);
		if (member)
			ts2021_set_member(p.server.t);
		CHECK_INT(ts2021_request(
				  p.client.t, "POST", "/", view_of(body, sizeof(body)), NULL, &s),
			==, 0);
		pump(&p);
		CHECK_INT(p.client.ended, ==, 1);
		CHECK_INT(p.client.end_rc, ==, member ? 0 : -ERR_CLOSED);
		CHECK_INT(p.server.limits[TS2021_BY_BODIES], ==, !member);
		/* And it goes on. */
		CHECK_INT(ts2021_request(p.client.t, "POST", "/", VIEW_LIT("x"), NULL, &s), ==, 0);
		pump(&p);
		CHECK_INT(p.client.end_rc, ==, 0);
		pair_close(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stranger_who_floods_is_ended_and_holds_little),
		cmocka_unit_test(member_who_floods_is_ended_and_holds_more),
		cmocka_unit_test(server_that_floods_is_left),
		cmocka_unit_test(server_that_answers_without_end_is_left),
		cmocka_unit_test(farewell_names_the_reason),
		cmocka_unit_test(reader_that_stalls_stops_the_feeding),
		cmocka_unit_test(honest_client_never_meets_a_bound),
		cmocka_unit_test(reader_of_a_large_map_may_update_its_windows),
		cmocka_unit_test(request_that_trickles_is_ended_whole),
		cmocka_unit_test(headers_that_trickle_are_ended_whole),
		cmocka_unit_test(answer_that_is_not_taken_ends_the_connection),
		cmocka_unit_test(map_that_is_not_taken_ends_the_connection),
		cmocka_unit_test(map_on_a_slow_line_goes_on),
		cmocka_unit_test(request_without_a_path_is_reset),
		cmocka_unit_test(member_gets_larger_bodies_than_a_stranger),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
