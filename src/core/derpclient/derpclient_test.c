#include "core/derpclient/derpclient.h"

#include "core/derprelay/derprelay.h"
#include "proto/http1/http1.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;
static struct rng_seeded seeded;

struct node {
	struct derpclient *c;
	struct derpconn *conn; /* at the relay */
	int n_dials, n_hang_ups, n_events;
	struct derpclient_event last;
	uint8_t data[1024]; /* of the last event */
};

static void on_dial(void *owner)
{
	((struct node *)owner)->n_dials++;
}

static void on_hang_up(void *owner)
{
	((struct node *)owner)->n_hang_ups++;
}

static void nothing(void *owner) {}

static void on_event(void *owner, const struct derpclient_event *e)
{
	struct node *n = owner;

	n->n_events++;
	n->last = *e;
	if (e->data.len)
		memcpy(n->data, e->data.p, MIN_OF(e->data.len, sizeof(n->data)));
	n->last.data.p = n->data;
}

static void about_key(const char *name, uint8_t ret[static KEY_LEN])
{
	vec_hex_exact(json_object_get(file, "about"), name, ret, KEY_LEN);
}

static void node_open(struct node *n)
{
	struct derpclient_cfg cfg = { .rng = &seeded.rng,
		.owner = n,
		.dial = on_dial,
		.hang_up = on_hang_up,
		.on_output = nothing,
		.on_event = on_event };

	*n = (struct node){ 0 };
	about_key("frames_client_private", cfg.private.b);
	CHECK_INT(derpclient_new(&n->c, &cfg), ==, 0);
	derpclient_start(n->c, SEC(1));
	CHECK_INT(n->n_dials, ==, 1);
}

static void drain(struct node *n)
{
	struct view v;

	while ((v = derpclient_output(n->c)).len)
		derpclient_written(n->c, v.len);
}

/* Logged in by the key of the certificate, at the relay of the recording. */
static void node_open_fast(struct node *n)
{
	struct node_pub server;

	node_open(n);
	about_key("frames_server_public", server.b);
	CHECK_INT(derpclient_connected(n->c, "derp.example.com", NULL, &server, SEC(1)), ==, 0);
	drain(n);
}

static enum derpclient_event_type type_named(const char *s)
{
	static const char *const names[] = { [DERPCLIENT_READY] = "server_info",
		[DERPCLIENT_PACKET] = "packet",
		[DERPCLIENT_PEER_GONE] = "peer_gone",
		[DERPCLIENT_PEER_PRESENT] = "peer_present",
		[DERPCLIENT_PONG] = "pong",
		[DERPCLIENT_PING] = "ping",
		[DERPCLIENT_HEALTH] = "health",
		[DERPCLIENT_RESTARTING] = "restarting",
		[DERPCLIENT_KEEP_ALIVE] = "keep_alive" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!strcmp(names[i], s))
			return (enum derpclient_event_type)i;
	check_fail(__FILE__, __LINE__, "unknown message %s", s);
}

static void check_field(const struct derpclient_event *e, const char *key, const json_t *fields)
{
	const json_t *v = json_object_get(fields, key);
	struct ipport addr = { 0 };
	uint8_t *want;
	size_t len;

	if (!strcmp(key, "peer") || !strcmp(key, "src")) {
		want = vec_hex(fields, key, &len);
		CHECK_MEM(e->peer.b, want, KEY_LEN);
		free(want);
	} else if (!strcmp(key, "packet") || !strcmp(key, "data")) {
		want = vec_hex(fields, key, &len);
		CHECK_INT(e->data.len, ==, len);
		CHECK_MEM(e->data.p, want, len);
		free(want);
	} else if (!strcmp(key, "text")) {
		CHECK_INT(e->data.len, ==, strlen(vec_str(fields, key)));
		CHECK_MEM(e->data.p, vec_str(fields, key), e->data.len);
	} else if (!strcmp(key, "addr")) {
		const char *s = vec_str(fields, key);

		if (*s)
			CHECK_INT(ipport_parse(s, strlen(s), &addr), ==, 0);
		CHECK_TRUE(ipport_eq(e->addr, addr));
	} else {
		long long got = !strcmp(key, "reason")                     ? e->reason
				: !strcmp(key, "flags")                    ? e->flags
				: !strcmp(key, "reconnect_in_ms")          ? e->reconnect_in_ms
				: !strcmp(key, "try_for_ms")               ? e->try_for_ms
				: !strcmp(key, "token_bucket_bytes_burst") ? e->info.bytes_burst
				: !strcmp(key, "token_bucket_bytes_per_second")
					? e->info.bytes_per_second
					: -1;

		CHECK_INT(got, ==, json_integer_value(v));
	}
}

static void frames_of_the_relay_are_read_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "client_recv"), *c, *v;
	const char *key;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t *bytes = vec_hex(c, "bytes", &n);
		const char *result = vec_str(c, "result");
		struct node node;
		int rc = 0;

		CHECK_ROW("%s", vec_str(c, "name"));
		node_open_fast(&node);
		for (size_t k = 0; k < n && rc == 0; k++) /* byte by byte */
			rc = derpclient_feed(node.c, bytes + k, 1, SEC(1));
		CHECK_INT(rc < 0, ==, !strcmp(result, "error"));
		CHECK_INT(node.n_events, ==, !strcmp(result, "message"));
		if (node.n_events) {
			CHECK_INT(node.last.type, ==, type_named(vec_str(c, "message")));
			json_object_foreach(json_object_get(c, "fields"), key, v)
				check_field(&node.last, key, json_object_get(c, "fields"));
		}
		free(bytes);
		derpclient_free(node.c);
	}
	vectors_count("derp.json", "client_recv", json_array_size(s));
}

static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n";

static void greetings_are_accepted_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "client_greeting"), *c;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t *bytes = vec_hex(c, "bytes", &n);
		struct node node;
		int rc;

		CHECK_ROW("%s", vec_str(c, "name"));
		node_open(&node);
		CHECK_INT(derpclient_connected(node.c, "derp.example.com", NULL, NULL, SEC(1)), ==,
			0);
		drain(&node);
		CHECK_INT(derpclient_feed(
				  node.c, (const uint8_t *)answer, sizeof(answer) - 1, SEC(1)),
			==, 0);
		rc = derpclient_feed(node.c, bytes, n, SEC(1));
		CHECK_INT(rc == 0 && derpclient_output(node.c).len > 0, ==, vec_bool(c, "accept"));
		free(bytes);
		derpclient_free(node.c);
	}
	vectors_count("derp.json", "client_greeting", json_array_size(s));
}

static void other_status_than_101_ends_the_attempt(void **state)
{
	static const char refusal[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	struct node n;

	node_open(&n);
	CHECK_INT(derpclient_connected(n.c, "derp.example.com", NULL, NULL, SEC(1)), ==, 0);
	CHECK_INT(derpclient_feed(n.c, (const uint8_t *)refusal, sizeof(refusal) - 1, SEC(1)), ==,
		err_http(404));
	derpclient_free(n.c);
}

/* Moves bytes both ways until nobody has any. */
static void exchange(struct node *n, struct derprelay *r)
{
	struct view v;

	for (;;) {
		if ((v = derpclient_output(n->c)).len) {
			CHECK_INT(derprelay_feed(n->conn, v.p, v.len, SEC(1)), ==, 0);
			derpclient_written(n->c, v.len);
		} else if ((v = derprelay_output(n->conn)).len) {
			CHECK_INT(derpclient_feed(n->c, v.p, v.len, SEC(1)), ==, 0);
			derprelay_written(n->conn, v.len);
		} else {
			return;
		}
	}
}

static void packet_comes_back_through_our_relay_to_its_own_key(void **state)
{
	struct derprelay_cfg cfg = {
		.rng = &seeded.rng, .on_output = nothing, .on_close = nothing
	};
	struct derprelay *r;
	struct node_pub self;
	struct node n;

	about_key("frames_server_private", cfg.private.b);
	about_key("frames_client_public", self.b);
	CHECK_INT(derprelay_new(&r, &cfg), ==, 0);
	node_open(&n);
	CHECK_INT(derprelay_accept(r, (struct ipport){ 0 }, false, NULL, SEC(1), NULL, &n.conn), ==,
		0);
	CHECK_INT(derpclient_connected(n.c, "derp.example.com", "900a", NULL, SEC(1)), ==, 0);
	drain(&n); /* the request is the owner's part of the relay */
	CHECK_INT(derpclient_send(n.c, &self, "early", 5, SEC(1)), ==, 0); /* waits for the login */
	CHECK_INT(derpclient_output(n.c).len, ==, 0);
	CHECK_INT(derpclient_feed(n.c, (const uint8_t *)answer, sizeof(answer) - 1, SEC(1)), ==, 0);
	exchange(&n, r);
	CHECK_TRUE(derpclient_is_ready(n.c));
	CHECK_MEM(derpclient_server(n.c)->b, derprelay_public(r)->b, KEY_LEN);
	CHECK_INT(n.last.type, ==, DERPCLIENT_PACKET);
	CHECK_MEM(n.last.data.p, "early", 5);
	CHECK_INT(derpclient_send(n.c, &self, "hello", 5, SEC(1)), ==, 0);
	exchange(&n, r);
	CHECK_INT(n.last.type, ==, DERPCLIENT_PACKET);
	CHECK_INT(n.last.data.len, ==, 5);
	CHECK_MEM(n.last.peer.b, self.b, KEY_LEN);
	CHECK_INT(derpclient_ping(n.c, (const uint8_t *)"12345678"), ==, 0);
	exchange(&n, r);
	CHECK_INT(n.last.type, ==, DERPCLIENT_PONG);
	CHECK_MEM(n.last.data.p, "12345678", 8);
	derprelay_close(n.conn);
	derprelay_free(r);
	derpclient_free(n.c);
}

/* Two clients of one relay with a limit: ours keeps to what it was told; what another sends beyond is dropped. */
static void a_relay_that_limits_tells_and_enforces(void **state)
{
	struct derprelay_cfg cfg = {
		.client_rate = 100000, .rng = &seeded.rng, .on_output = nothing, .on_close = nothing
	};
	static uint8_t pkt[1000];
	uint8_t frame[DERP_HEADER_LEN];
	struct derprelay *r;
	struct node_pub self;
	struct node n;

	about_key("frames_server_private", cfg.private.b);
	about_key("frames_client_public", self.b);
	CHECK_INT(derprelay_new(&r, &cfg), ==, 0);
	node_open(&n);
	CHECK_INT(derprelay_accept(r, (struct ipport){ 0 }, false, NULL, SEC(1), NULL, &n.conn), ==,
		0);
	CHECK_INT(derpclient_connected(n.c, "derp.example.com", NULL, NULL, SEC(1)), ==, 0);
	drain(&n); /* the request is the owner's part of the relay */
	CHECK_INT(derpclient_feed(n.c, (const uint8_t *)answer, sizeof(answer) - 1, SEC(1)), ==, 0);
	exchange(&n, r);
	CHECK_TRUE(derpclient_is_ready(n.c));
	CHECK_INT(n.last.info.bytes_per_second, ==, 100000);
	for (int i = 0; i < 300; i++) {
		CHECK_INT(derpclient_send(n.c, &self, pkt, sizeof(pkt), SEC(1)), ==, 0);
		exchange(&n, r);
	}
	CHECK_TRUE(derpclient_counters(n.c)->drop_rate >= 200);
	CHECK_INT(derprelay_counters(r)->drop_rate, ==, 0);
	/* Somebody who does not listen. */
	derpframe_header(frame, DERP_SEND_PACKET, KEY_LEN + sizeof(pkt));
	for (int i = 0; i < 300; i++) {
		CHECK_INT(derprelay_feed(n.conn, frame, sizeof(frame), SEC(1)), ==, 0);
		CHECK_INT(derprelay_feed(n.conn, self.b, KEY_LEN, SEC(1)), ==, 0);
		CHECK_INT(derprelay_feed(n.conn, pkt, sizeof(pkt), SEC(1)), ==, 0);
	}
	CHECK_TRUE(derprelay_counters(r)->drop_rate >= 250);
	derprelay_close(n.conn);
	derprelay_free(r);
	derpclient_free(n.c);
}

static void lost_connection_is_dialed_again_after_a_growing_time(void **state)
{
	mono_ns now = SEC(1), wait, before = 0;
	struct node n;

	node_open(&n);
	for (int i = 1; i <= 40; i++) {
		derpclient_closed(n.c, -ERR_CLOSED, now);
		CHECK_INT(n.last.type, ==, DERPCLIENT_DOWN);
		wait = derpclient_deadline(n.c) - now;
		CHECK_TRUE(wait >= MIN_OF(MSEC(5) * i * i, MSEC(2500)) && wait <= MSEC(7500));
		before = now;
		now += wait;
		derpclient_tick(n.c, now - 1);
		CHECK_INT(n.n_dials, ==, i);
		derpclient_tick(n.c, now);
		CHECK_INT(n.n_dials, ==, i + 1);
	}
	CHECK_TRUE(now > before);
	derpclient_stop(n.c, now);
	CHECK_INT(n.n_hang_ups, ==, 1);
	derpclient_closed(n.c, 0, now);
	CHECK_INT(derpclient_send(n.c, &(struct node_pub){ { 1 } }, "x", 1, now), ==, -ERR_CLOSED);
	CHECK_TRUE(derpclient_deadline(n.c) == MONO_NEVER);
	derpclient_free(n.c);
}

static void attempt_ends_after_ten_seconds_and_silence_after_two_minutes(void **state)
{
	json_t *info = json_array_get(vectors_section(file, "client_recv"), 0);
	uint8_t *bytes;
	size_t len;
	struct node n;

	node_open_fast(&n);
	derpclient_tick(n.c, SEC(10));
	CHECK_INT(n.n_hang_ups, ==, 0);
	derpclient_tick(n.c, SEC(11));
	CHECK_INT(n.n_hang_ups, ==, 1);
	derpclient_free(n.c);

	node_open_fast(&n);
	bytes = vec_hex(info, "bytes", &len);
	CHECK_INT(derpclient_feed(n.c, bytes, len, SEC(2)), ==, 0);
	free(bytes);
	CHECK_TRUE(derpclient_is_ready(n.c));
	CHECK_TRUE(derpclient_deadline(n.c) == SEC(122));
	derpclient_tick(n.c, SEC(121));
	CHECK_INT(n.n_hang_ups, ==, 0);
	derpclient_tick(n.c, SEC(122));
	CHECK_INT(n.n_hang_ups, ==, 1);
	derpclient_free(n.c);
}

static void full_queue_drops_its_oldest_packet(void **state)
{
	struct node_pub to = { { 1 } };
	struct derpframe f;
	struct view v;
	struct node n;

	node_open_fast(&n);
	for (uint8_t i = 0; i < DERPCLIENT_QUEUE_MAX + 3; i++)
		CHECK_INT(derpclient_send(n.c, &to, &i, 1, SEC(1)), ==, 0);
	CHECK_INT(derpclient_counters(n.c)->drop_queue_head, ==, 3);
	v = derpclient_output(n.c);
	CHECK_INT(derpframe_next(v.p, v.len, DERP_CLIENT_FRAME_MAX, &f), ==, 0);
	CHECK_INT(f.payload[KEY_LEN], ==, 3);
	derpclient_free(n.c);
}

static void packets_beyond_the_announced_rate_are_not_sent(void **state)
{
	/* The second case of the recording announces a burst of 2,000,000 bytes. */
	json_t *c = json_array_get(vectors_section(file, "client_recv"), 1);
	static uint8_t pkt[DERP_PACKET_MAX];
	struct node_pub to = { { 1 } };
	uint8_t *bytes;
	size_t len;
	struct node n;

	node_open_fast(&n);
	bytes = vec_hex(c, "bytes", &len);
	CHECK_INT(derpclient_feed(n.c, bytes, len, SEC(2)), ==, 0);
	free(bytes);
	CHECK_TRUE(n.last.info.bytes_per_second > 0);
	for (int i = 0; i < 31; i++)
		CHECK_INT(derpclient_send(n.c, &to, pkt, sizeof(pkt), SEC(2)), ==, 0);
	CHECK_INT(derpclient_counters(n.c)->drop_rate, ==, 1);
	CHECK_INT(derpclient_send(n.c, &to, pkt, sizeof(pkt), SEC(3)), ==, 0);
	CHECK_INT(derpclient_counters(n.c)->drop_rate, ==, 1);
	derpclient_free(n.c);
}

/* One recorded login: what the relay sent logs our client in, what the client sent logs in at our relay. */
static void log_in_as_recorded(const json_t *c)
{
	struct derprelay_cfg cfg = {
		.rng = &seeded.rng, .on_output = nothing, .on_close = nothing
	};
	const char *head = vec_str(c, "response_head");
	struct derprelay *r;
	struct node_pub server;
	struct node n;
	uint8_t *bytes;
	size_t len;

	node_open(&n);
	about_key("frames_server_public", server.b);
	CHECK_INT(derpclient_connected(n.c, "derp.example.com", NULL,
			  vec_bool(c, "tls") ? &server : NULL, SEC(1)),
		==, 0);
	CHECK_INT(derpclient_feed(n.c, (const uint8_t *)head, strlen(head), SEC(1)), ==, 0);
	bytes = vec_hex(c, "s2c_after_head", &len);
	CHECK_INT(derpclient_feed(n.c, bytes, len, SEC(1)), ==, 0);
	free(bytes);
	CHECK_INT(n.last.type, ==, DERPCLIENT_READY);
	CHECK_MEM(derpclient_server(n.c)->b, server.b, KEY_LEN);
	derpclient_free(n.c);

	vec_hex_exact(c, "server_private", cfg.private.b, KEY_LEN);
	CHECK_INT(derprelay_new(&r, &cfg), ==, 0);
	CHECK_INT(derprelay_accept(r, (struct ipport){ 0 }, false, NULL, SEC(1), NULL, &n.conn), ==,
		0);
	bytes = vec_hex(c, "c2s_after_head", &len);
	CHECK_INT(derprelay_feed(n.conn, bytes, len, SEC(1)), ==, 0);
	free(bytes);
	CHECK_INT(derprelay_clients(r), ==, 1);
	derprelay_close(n.conn);
	derprelay_free(r);
}

static void recorded_logins_work_at_both_ends(void **state)
{
	json_t *s = vectors_section(file, "http"), *c;
	struct http1_head head;
	const char *text;
	size_t i, used;

	json_array_foreach(s, i, c)
	{
		CHECK_ROW("http %zu", i);
		text = vec_str(c, "request_head");
		CHECK_INT(http1_parse((const uint8_t *)text, strlen(text), false, &head, &used), ==,
			0);
		CHECK_INT(used, ==, strlen(text));
		CHECK_TRUE(http1_has_token(&head, "Upgrade", "derp"));
		CHECK_INT(view_eq(http1_find(&head, "Derp-Fast-Start"), VIEW_LIT("1")), ==,
			vec_bool(c, "tls"));
		log_in_as_recorded(c);
	}
	vectors_count("derp.json", "http", i);
}

/* The recorded server info, which the relay of the recording may say again and again. */
static int feed_info(struct node *n, mono_ns now)
{
	json_t *info = json_array_get(vectors_section(file, "client_recv"), 0);
	size_t len;
	uint8_t *bytes = vec_hex(info, "bytes", &len);
	int rc = derpclient_feed(n->c, bytes, len, now);

	free(bytes);
	return rc;
}

static void a_relay_that_informs_without_end_is_left(void **state)
{
	struct node n;
	int i;

	node_open_fast(&n);
	for (i = 0; i < 100; i++) /* one a second may go on */
		CHECK_INT(feed_info(&n, SEC(2 + i)), ==, 0);
	for (i = 0; feed_info(&n, SEC(200)) == 0; i++)
		CHECK_TRUE(i < DERPCLIENT_INFOS_MAX);
	CHECK_INT(feed_info(&n, SEC(200)), ==, -ERR_TOO_MANY);
	CHECK_INT(derpclient_counters(n.c)->infos_refused, ==, 2);
	derpclient_free(n.c);
}

static void long_frames_are_skipped_and_not_kept(void **state)
{
	static uint8_t frame[DERP_HEADER_LEN + DERP_CLIENT_FRAME_MAX];
	struct node n;

	node_open_fast(&n);
	CHECK_INT(feed_info(&n, SEC(2)), ==, 0);
	derpframe_header(frame, DERP_HEALTH, DERP_CLIENT_FRAME_MAX);
	for (size_t step = 1; step < sizeof(frame);
		step = step * 40 + 3) { /* in pieces of any size */
		int events = n.n_events;

		for (size_t at = 0; at < sizeof(frame); at += step)
			CHECK_INT(derpclient_feed(n.c, frame + at, MIN_OF(step, sizeof(frame) - at),
					  SEC(3)),
				==, 0);
		CHECK_INT(n.n_events, ==, events);
		derpframe_header(frame, DERP_KEEP_ALIVE, 0);
		CHECK_INT(derpclient_feed(n.c, frame, DERP_HEADER_LEN, SEC(3)), ==, 0);
		CHECK_INT(n.last.type, ==, DERPCLIENT_KEEP_ALIVE);
		derpframe_header(frame, DERP_HEALTH, DERP_CLIENT_FRAME_MAX);
	}
	CHECK_TRUE(derpclient_counters(n.c)->skipped >= 3);
	derpclient_free(n.c);
}

static void a_relay_that_lets_in_and_hangs_up_is_dialed_ever_later(void **state)
{
	mono_ns now = SEC(1);
	struct node_pub server;
	struct node n;

	node_open(&n);
	about_key("frames_server_public", server.b);
	for (int i = 0; i < 40; i++) {
		CHECK_INT(derpclient_connected(n.c, "derp.example.com", NULL, &server, now), ==, 0);
		drain(&n);
		CHECK_INT(feed_info(&n, now), ==, 0);
		derpclient_closed(n.c, -ERR_CLOSED, now);
		if (i == 39)
			CHECK_TRUE(derpclient_deadline(n.c) - now >= MSEC(2500));
		now = derpclient_deadline(n.c);
		derpclient_tick(n.c, now);
	}
	CHECK_INT(derpclient_connected(n.c, "derp.example.com", NULL, &server, now), ==, 0);
	drain(&n);
	CHECK_INT(feed_info(&n, now), ==, 0);
	CHECK_INT(feed_info(&n, now + DERPCLIENT_STEADY), ==, 0); /* one that lasts ends the row */
	now += DERPCLIENT_STEADY;
	derpclient_closed(n.c, -ERR_CLOSED, now);
	CHECK_TRUE(derpclient_deadline(n.c) - now <= MSEC(15));
	derpclient_free(n.c);
}

static void names_begin_no_other_header(void **state)
{
	static const char *const bad[] = { "derp.example.com\r\nX: y", "a\nb", "a\x7f", "\x01" };
	struct node n;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		node_open(&n);
		CHECK_INT(
			derpclient_connected(n.c, bad[i], NULL, NULL, SEC(1)), ==, -ERR_BAD_VALUE);
		CHECK_INT(derpclient_connected(n.c, "derp.example.com", bad[i], NULL, SEC(1)), ==,
			-ERR_BAD_VALUE);
		CHECK_INT(derpclient_output(n.c).len, ==, 0);
		derpclient_free(n.c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_logins_work_at_both_ends),
		cmocka_unit_test(frames_of_the_relay_are_read_as_recorded),
		cmocka_unit_test(greetings_are_accepted_as_recorded),
		cmocka_unit_test(other_status_than_101_ends_the_attempt),
		cmocka_unit_test(packet_comes_back_through_our_relay_to_its_own_key),
		cmocka_unit_test(lost_connection_is_dialed_again_after_a_growing_time),
		cmocka_unit_test(attempt_ends_after_ten_seconds_and_silence_after_two_minutes),
		cmocka_unit_test(full_queue_drops_its_oldest_packet),
		cmocka_unit_test(packets_beyond_the_announced_rate_are_not_sent),
		cmocka_unit_test(a_relay_that_limits_tells_and_enforces),
		cmocka_unit_test(a_relay_that_informs_without_end_is_left),
		cmocka_unit_test(long_frames_are_skipped_and_not_kept),
		cmocka_unit_test(a_relay_that_lets_in_and_hangs_up_is_dialed_ever_later),
		cmocka_unit_test(names_begin_no_other_header),
	};

	rng_seeded_init(&seeded, 1);
	file = vectors_load("derp.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
