/*
 * Whole HTTP/2 sessions with a reader that stalls. The input is a script: each step says frames, bytes of frames, reads some of what
 * the server has to say, lets time pass, or has the owner answer, fill or finish. Whatever it is, the server holds no more than its
 * bounds, and when time is long enough, nobody holds it open.
 */
#include "core/ts2021/testpair.h"

enum {
	HELD_MAX = TS2021_STRANGER_H2_MAX + 4 * TS2021_STRANGER_BODY_MAX + 4 * TS2021_OUT_MAX,
	OPEN_MAX = TS2021_STREAMS_MAX,
	FILL_MAX = 20000,
	TURN_MAX = 4
};

struct script {
	const uint8_t *p;
	size_t n;
};

struct target {
	struct pair p;
	struct ts_stream *open[OPEN_MAX]; /* requests that wait for the owner */
	size_t n_open;
	mono_ns now;
	bool member;
};

static unsigned take(struct script *s)
{
	if (!s->n)
		return 0;
	s->n--;
	return *s->p++;
}

static struct view take_bytes(struct script *s, size_t n)
{
	struct view v = view_of(s->p, MIN_OF(n, s->n));

	s->p += v.len;
	s->n -= v.len;
	return v;
}

static void hold(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	struct target *t = owner;

	CHECK(t->n_open < OPEN_MAX);
	t->open[t->n_open++] = s;
}

static void forget(void *owner, struct ts_stream *s, int rc)
{
	struct target *t = owner;

	for (size_t i = 0; i < t->n_open; i++)
		if (t->open[i] == s)
			t->open[i--] = t->open[--t->n_open];
}

static void fill_some(void *owner, struct ts_stream *s, struct buf *out)
{
	static const uint8_t zeroes[FILL_MAX];
	size_t n = (size_t)(intptr_t)ts_stream_owner(s);

	CHECK(buf_append(out, zeroes, n) == 0);
	ts_stream_set_owner(s, NULL);
}

static void nothing(void *owner) {}

static const struct ts2021_ops target_ops = {
	.on_request = hold, .on_end = forget, .fill = fill_some, .on_output = nothing
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

static void check_bounds(const struct target *t)
{
	const struct ts2021 *ts = t->p.server.t;
	size_t max = t->member ? HELD_MAX - TS2021_STRANGER_H2_MAX - 4 * TS2021_STRANGER_BODY_MAX +
					 TS2021_H2_MAX + 4 * TS2021_BODY_MAX
			       : HELD_MAX;

	CHECK(held_by(ts) <= max + t->n_open * 2 * FILL_MAX);
	CHECK(ts->mem.used <= ts->mem.max);
	CHECK(ts->n_streams <= TS2021_STREAMS_MAX);
	if (ts->state == TS2021_OPEN)
		CHECK(nghttp2_session_get_outbound_queue_size(ts->h2) <=
			TS2021_QUEUE_MAX + TS2021_STREAMS_MAX);
}

static int say(struct target *t, const void *p, size_t n)
{
	struct buf wire;
	int rc;

	buf_init(&wire, 1 << 20);
	CHECK(noise_seal_all(&t->p.client.t->keys.send, p, n, &wire) == 0);
	rc = ts2021_feed(t->p.server.t, buf_data(&wire), buf_len(&wire), t->now);
	buf_fini(&wire);
	return rc;
}

/* A frame: type, flags, a small stream number, its length, how often. */
static int say_frames(struct target *t, struct script *s)
{
	uint8_t b[9 + 512] = { 0 };
	unsigned times;
	struct view payload;
	int rc = 0;

	b[3] = (uint8_t)(take(s) % 12);
	b[4] = (uint8_t)take(s);
	b[8] = (uint8_t)take(s);
	times = take(s) + 1;
	payload = take_bytes(s, take(s) * 2);
	store_be16(b + 1, (uint16_t)payload.len);
	if (payload.len)
		memcpy(b + 9, payload.p, payload.len);
	for (unsigned i = 0; i < times && rc == 0; i++) {
		rc = say(t, b, 9 + payload.len);
		if (b[3] == 1)
			b[8] = (uint8_t)(b[8] + 2);
	}
	return rc;
}

static void answer(struct target *t, struct script *s)
{
	static const uint8_t body[FILL_MAX];
	struct ts_stream *of = t->n_open ? t->open[take(s) % t->n_open] : NULL;
	unsigned how = take(s);

	if (!of)
		return;
	if (how % 4 == 0 && !of->responded &&
		ts_stream_respond(of, 200, NULL, view_of(body, how * 50)) < 0)
		ts_stream_reset(of);
	else if (how % 4 == 1 && ts_stream_begin(of, 200, NULL) < 0)
		ts_stream_reset(of);
	else if (how % 4 == 3)
		ts_stream_finish(of);
	if (how % 4 == 1 || how % 4 == 2) {
		ts_stream_set_owner(of, (void *)(intptr_t)(how * (FILL_MAX / 256)));
		ts_stream_wake(of);
	}
}

static int step(struct target *t, struct script *s)
{
	struct view out;
	size_t some;

	switch (take(s) % 8) {
	case 0:
	case 1:
		return say_frames(t, s);
	case 2:
		out = take_bytes(s, take(s));
		return say(t, out.p, out.len);
	case 3:
		some = take(s) * 16;
		out = ts2021_output(t->p.server.t);
		ts2021_written(t->p.server.t, MIN_OF(out.len, some));
		return 0;
	case 4:
		for (int i = 0; i < TURN_MAX && (out = ts2021_output(t->p.server.t)).len; i++)
			ts2021_written(t->p.server.t, out.len);
		return 0;
	case 5:
		t->now += MSEC(100) * take(s);
		return ts2021_check(t->p.server.t, t->now);
	case 6:
		answer(t, s);
		return 0;
	default:
		if (take(s) == 7) {
			t->member = true;
			ts2021_set_member(t->p.server.t);
		}
		return 0;
	}
}

/* What the other side owes it does not give any more: that is not waited for without end. */
static void wait_for_the_end(struct target *t)
{
	bool owes = false;
	int rc = 1;

	for (mono_ns end = t->now + SEC(120); t->now < end && rc > 0;) {
		t->now += TS2021_CHECK;
		rc = ts2021_check(t->p.server.t, t->now);
		owes = rc > 0;
	}
	CHECK(!owes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct script s = { .p = data, .n = len };
	struct target t = { .now = SEC(1000) };
	int rc = 0;

	pair_open(&t.p, 4096);
	t.p.now = t.now;
	pump(&t.p);
	t.p.server.t->ops = &target_ops;
	t.p.server.t->owner = &t;
	while (s.n && rc >= 0) {
		rc = step(&t, &s);
		check_bounds(&t);
	}
	if (rc >= 0)
		wait_for_the_end(&t);
	pair_close(&t.p);
	return 0;
}
