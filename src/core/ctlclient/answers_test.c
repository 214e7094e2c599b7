/* What a hub answers: frames, a hub that is busy, and the rules of what a map has to be. */
#include "core/ctlclient/rig_test.h"

static void message_of_several_zstd_frames_decodes_however_it_is_cut(void **state)
{
	uint8_t m[512];
	size_t len = map_message(m, sizeof(m));

	for (size_t cut = 1; cut < len; cut++) {
		struct mapstream s;
		struct view json;

		CHECK_ROW("cut %zu", cut);
		CHECK_INT(mapstream_init(&s, 4096, 1 << 20), ==, 0);
		CHECK_INT(mapstream_feed(&s, view_of(m, cut)), ==, 0);
		CHECK_INT(mapstream_next(&s, &json), ==, 0);
		CHECK_INT(mapstream_feed(&s, view_of(m + cut, len - cut)), ==, 0);
		CHECK_INT(mapstream_next(&s, &json), ==, 1);
		CHECK_INT(json.len, ==, 68);
		CHECK_INT(mapstream_next(&s, &json), ==, 0);
		mapstream_fini(&s);
	}
	(void)state;
}

static void truncated_oversized_and_false_frames_are_refused(void **state)
{
	uint8_t m[512];
	size_t len = map_message(m, sizeof(m));
	struct mapstream s;
	struct view json;

	CHECK_INT(mapstream_init(&s, 4096, 1 << 20), ==, 0);
	CHECK_INT(mapstream_feed(&s, view_of("\xff\xff\xff\x7f", 4)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_TOO_BIG);
	mapstream_reset(&s);
	CHECK_INT(mapstream_feed(&s, view_of("\4\0\0\0abcd", 8)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_BAD_FORMAT);
	mapstream_reset(&s);
	store_le32(m, (uint32_t)len - 6);
	CHECK_INT(mapstream_feed(&s, view_of(m, len - 2)), ==, 0);
	CHECK_INT(mapstream_next(&s, &json), ==, -ERR_TRUNCATED);
	mapstream_fini(&s);
	(void)state;
}

/* When it comes again: the deadline, and nothing before. */
static mono_ns waits(const struct rig *w)
{
	return ctlclient_deadline(w->c) - w->now.mono;
}

struct busy_row {
	int status, retry_after;
	mono_ns least, most; /* 0: an ordinary failure */
};
static const struct busy_row busy_rows[] = {
	{ 429, 30, SEC(30), SEC(30) },
	{ 503, 45, SEC(45), SEC(45) },
	{ 429, 300, SEC(300), SEC(300) },
	{ 429, 3600, SEC(300), SEC(300) }, /* believed, and capped */
	{ 503, 3600, SEC(300), SEC(300) },
	{ 429, 3601, SEC(5), SEC(10) }, /* not believed */
	{ 503, 3601, SEC(5), SEC(10) },
	{ 429, 0, SEC(5), SEC(10) },
	{ 429, -1, SEC(5), SEC(10) }, /* no header */
	{ 503, -1, 0, 0 },            /* a proxy may say so: no word of ours */
	{ 500, 30, 0, 0 },
};

static void check_wait(const struct rig *w, const struct busy_row *r)
{
	mono_ns wait = waits(w);

	if (r->most ? wait < r->least || wait > r->most : wait > MSEC(100))
		print_error("# %d Retry-After %d: waits %lld ms\n", r->status, r->retry_after,
			(long long)(wait / MSEC(1)));
	CHECK_INT(wait, >=, r->most ? r->least : 0);
	CHECK_INT(wait, <=, r->most ? r->most : MSEC(100));
	CHECK_TRUE(!w->dialled[CTL_CONN_PLAIN] && !w->dialled[CTL_CONN_TLS]);
}

static void rule_1_3_a_busy_hub_is_asked_for_a_map_again_when_it_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(busy_rows); i++) {
		const struct busy_row *r = &busy_rows[i];
		struct rig w;

		rig_open(&w, true, NULL);
		w.map_status = r->status;
		w.retry_after = r->retry_after;
		ctlclient_start(w.c, w.now);
		pump(&w);
		check_wait(&w, r);
		CHECK_INT(strstr(w.trouble, "asks to be left alone") != NULL, ==, r->most > 0);
		/* Time and again: it never waits longer of its own. */
		for (int k = 0; k < 5 && r->most; k++) {
			w.now.mono = ctlclient_deadline(w.c) - 1;
			ctlclient_tick(w.c, w.now);
			CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
			w.now.mono++;
			ctlclient_tick(w.c, w.now);
			pump(&w);
			CHECK_INT(w.maps, ==, k + 2);
			check_wait(&w, r);
		}
		/* And when it is let in, a loss is a first loss: no back-off was counted. */
		w.map_status = 200;
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
		CHECK_INT(w.got_maps, ==, 1);
		CHECK_INT(w.registers, ==, r->most ? 1 : 2); /* busy is not "I don't know you" */
		rig_close(&w);
	}
	(void)state;
}

static void rule_1_3_a_busy_hub_is_asked_to_register_again_when_it_says(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(busy_rows); i++) {
		const struct busy_row *r = &busy_rows[i];
		struct rig w;

		rig_open(&w, false, "hskey-auth-1");
		w.register_status = r->status;
		w.retry_after = r->retry_after;
		ctlclient_start(w.c, w.now);
		pump(&w);
		check_wait(&w, r);
		w.register_status = 200;
		w.now.mono = ctlclient_deadline(w.c);
		ctlclient_tick(w.c, w.now);
		pump(&w);
		CHECK_INT(w.registers, ==, 2);
		CHECK_TRUE(strstr(w.last_register, "hskey-auth-1") != NULL);
		CHECK_INT(w.got_maps, ==, 1);
		rig_close(&w);
	}
	(void)state;
}

static void rule_1_3_a_lite_update_that_a_busy_hub_refused_is_sent_again_and_the_stream_goes_on(
	void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	ctlclient_start(w.c, w.now);
	pump(&w);
	w.lite_status = 429;
	w.retry_after = 7;
	ctlclient_update(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(waits(&w), ==, SEC(7));
	ctlclient_update(w.c, w.now); /* another change does not go out before */
	pump(&w);
	CHECK_INT(w.lites, ==, 2);
	w.lite_status = 200;
	w.now.mono += SEC(7);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.lites, ==, 3);
	CHECK_INT(w.maps, ==, 1);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	rig_close(&w);
	(void)state;
}

static void rule_1_a_message_above_its_bound_ends_the_stream(void **state)
{
	struct mapstream m;
	struct view v;
	uint8_t head[4];

	CHECK_INT(mapstream_init(&m, 1000, 100), ==, 0);
	store_le32(head, 997);
	CHECK_INT(mapstream_feed(&m, view_of(head, 4)), ==, 0);
	CHECK_INT(mapstream_next(&m, &v), ==, -ERR_TOO_BIG); /* of the frame, before it is there */
	mapstream_reset(&m);
	{
		uint8_t packed[200];
		char zeros[200] = { 0 };
		size_t n = ZSTD_compress(packed + 4, sizeof(packed) - 4, zeros, sizeof(zeros), 1);

		store_le32(packed, (uint32_t)n);
		CHECK_INT(mapstream_feed(&m, view_of(packed, 4 + n)), ==, 0);
		CHECK_TRUE(mapstream_next(&m, &v) < 0); /* of the JSON that comes out of it */
	}
	mapstream_fini(&m);
	(void)state;
}

static void rule_2_a_stream_that_does_not_begin_with_the_device_itself_is_given_up(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.says[0] = "{\"KeepAlive\":true}"; /* may come before */
	w.says[1] = "{\"PeersRemoved\":[1]}";
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.got_maps, ==, 0);
	CHECK_INT(w.state, ==, CTL_CONNECTING);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	w.says[1] = "{\"Node\":{\"ID\":1,\"StableID\":\"n1\",\"Name\":\"a.\"}}";
	w.says[2] = "{\"PeersRemoved\":[1]}";
	w.now.mono = ctlclient_deadline(w.c);
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_INT(w.state, ==, CTL_RUNNING);
	CHECK_INT(w.got_maps, ==, 2);
	CHECK_INT(w.first_maps, ==, 1);
	rig_close(&w);
	(void)state;
}

static void rule_4_a_hub_that_never_answers_a_map_request_is_left_after_two_minutes(void **state)
{
	struct rig w;

	rig_open(&w, true, NULL);
	w.map_status = 0; /* no headers */
	ctlclient_start(w.c, w.now);
	pump(&w);
	CHECK_INT(w.maps, ==, 1);
	w.now.mono += CTLCLIENT_SILENCE - 1;
	ctlclient_tick(w.c, w.now);
	pump(&w);
	CHECK_TRUE(w.dialled[CTL_CONN_PLAIN]);
	w.now.mono += 1;
	ctlclient_tick(w.c, w.now);
	CHECK_TRUE(!w.dialled[CTL_CONN_PLAIN]);
	rig_close(&w);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(message_of_several_zstd_frames_decodes_however_it_is_cut),
		cmocka_unit_test(truncated_oversized_and_false_frames_are_refused),
		cmocka_unit_test(rule_1_a_message_above_its_bound_ends_the_stream),
		cmocka_unit_test(
			rule_2_a_stream_that_does_not_begin_with_the_device_itself_is_given_up),
		cmocka_unit_test(
			rule_4_a_hub_that_never_answers_a_map_request_is_left_after_two_minutes),
		cmocka_unit_test(rule_1_3_a_busy_hub_is_asked_for_a_map_again_when_it_says),
		cmocka_unit_test(rule_1_3_a_busy_hub_is_asked_to_register_again_when_it_says),
		cmocka_unit_test(
			rule_1_3_a_lite_update_that_a_busy_hub_refused_is_sent_again_and_the_stream_goes_on),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
