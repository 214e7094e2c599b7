/* Connections to relays, without streams: what they ask for, and when. */
#include "core/relays/relays.h"
#include "base/err/err.h"
#include "testlib/check.h"

#include <errno.h>

enum { REGIONS = 2 };

static const struct secret_node our_key = { { 8, [31] = 64 } }, relay_key = { { 16, [31] = 64 } };
static const struct node_pub peer = { { 7 } };

struct fixture {
	struct relays *r;
	struct rng_seeded rng;
	mono_ns now;
	struct tc_derp_node nodes[REGIONS];
	struct tc_derp_region regions[REGIONS];
	struct json_pair pairs[REGIONS];
	struct tc_derp_map map;
	struct node_pub relay;
	char log[64]; /* of events: H, D, B, O for each, with the region's number */
	bool home_down;
	bool open[REGIONS + 1];
};

/* What happened since this was asked last. Signs of life are left out. */
static const char *events(struct fixture *f)
{
	static const char name[] = { [RELAYS_HANG_UP] = 'H',
		[RELAYS_DIAL] = 'D',
		[RELAYS_BACK] = 'B',
		[RELAYS_OUTPUT] = 'O' };
	struct relays_event e;
	size_t n = 0;

	while (relays_next_event(f->r, &e)) {
		if (e.type == RELAYS_HOME_DOWN) {
			f->home_down = true;
			continue;
		}
		if (e.type == RELAYS_HEARD)
			continue;
		if (e.type == RELAYS_DIAL || e.type == RELAYS_HANG_UP)
			f->open[e.region] = e.type == RELAYS_DIAL;
		CHECK_INT(n + 3, <, sizeof(f->log));
		f->log[n++] = name[e.type];
		f->log[n++] = (char)('0' + e.region);
	}
	f->log[n] = '\0';
	return f->log;
}

static void fixture_open(struct fixture *f)
{
	*f = (struct fixture){ .now = SEC(1000) };
	rng_seeded_init(&f->rng, 1);
	for (int i = 0; i < REGIONS; i++) {
		f->nodes[i] = (struct tc_derp_node){ .name = "a",
			.region_id = i + 1,
			.hostname = "relay.example",
			.ipv4 = "203.0.113.1" };
		f->regions[i] = (struct tc_derp_region){ .id = i + 1,
			.nodes = json_list_of(&f->nodes[i], 1) };
		f->pairs[i] = (struct json_pair){ i ? "2" : "1", &f->regions[i] };
	}
	f->map.regions = (struct json_map){ .v = f->pairs, .n = REGIONS, .present = true };
	CHECK_INT(key_public(relay_key.b, f->relay.b), ==, 0);
	CHECK_INT(relays_new(&f->r, &f->rng.rng), ==, 0);
	relays_set_key(f->r, &our_key, f->now);
	relays_set_map(f->r, &f->map, f->now);
	CHECK_STR(events(f), "");
}

static void drain(struct fixture *f, int region)
{
	struct view v;

	while ((v = relays_output(f->r, region)).len)
		relays_written(f->r, region, v.len);
}

/* The stream is up, and the relay has answered. */
static void log_in(struct fixture *f, int region)
{
	static const struct derp_server_info info = { .version = DERP_VERSION };
	struct node_pub self;
	struct buf out;

	CHECK_TRUE(f->open[region]);
	CHECK_INT(relays_connected(f->r, region, &f->relay, f->now), ==, 0);
	drain(f, region);
	CHECK_INT(key_public(our_key.b, self.b), ==, 0);
	buf_init(&out, 65536);
	CHECK_INT(derp_server_info_encode(&out, relay_key.b, self.b, &f->rng.rng, &info), ==, 0);
	CHECK_INT(relays_feed(f->r, region, buf_data(&out), buf_len(&out), f->now), ==, 0);
	buf_fini(&out);
	CHECK_TRUE(relays_is_ready(f->r, region));
}

static void feed_packet(struct fixture *f, int region, const struct node_pub *from, size_t len)
{
	uint8_t frame[DERP_HEADER_LEN + KEY_LEN + 2000] = { 0 };

	derpframe_header(frame, DERP_RECV_PACKET, KEY_LEN + len);
	memcpy(frame + DERP_HEADER_LEN, from->b, KEY_LEN);
	memset(frame + DERP_HEADER_LEN + KEY_LEN, (int)len, len);
	CHECK_INT(relays_feed(f->r, region, frame, DERP_HEADER_LEN + KEY_LEN + len, f->now), ==, 0);
}

static void run(struct fixture *f, mono_ns d)
{
	mono_ns until = f->now + d;

	while (relays_deadline(f->r) <= until) {
		f->now = MAX_OF(f->now, relays_deadline(f->r));
		relays_tick(f->r, f->now);
	}
	f->now = until;
}

static void home_is_opened_and_kept(void **state)
{
	struct fixture f;

	fixture_open(&f);
	relays_set_home(f.r, 1, f.now);
	CHECK_STR(events(&f), "D1");
	log_in(&f, 1);
	events(&f);
	run(&f, SEC(100)); /* nothing goes through it, and it stays */
	CHECK_TRUE(relays_is_ready(f.r, 1));
	CHECK_INT(relays_counters(f.r)->idle_closed, ==, 0);
	relays_free(f.r);
}

static void others_are_opened_by_a_packet_and_closed_when_idle(void **state)
{
	struct fixture f;

	fixture_open(&f);
	CHECK_TRUE(relays_send(f.r, 2, &peer, "x", 1, f.now)); /* it waits */
	CHECK_STR(events(&f), "D2");
	log_in(&f, 2);
	events(&f);
	run(&f, SEC(50));
	relays_note_used(f.r, 2, f.now);
	run(&f, SEC(50));
	CHECK_STR(events(&f), "");
	run(&f, SEC(30));
	CHECK_STR(events(&f), "H2");
	CHECK_TRUE(!relays_is_ready(f.r, 2));
	CHECK_INT(relays_counters(f.r)->idle_closed, ==, 1);
	CHECK_TRUE(!relays_send(f.r, 3, &peer, "x", 1, f.now)); /* no such region */
	relays_free(f.r);
}

static void packets_of_one_read_come_in_order(void **state)
{
	static const struct node_pub other = { { 9 } };
	struct relays_packet p;
	struct fixture f;

	fixture_open(&f);
	relays_set_home(f.r, 1, f.now);
	events(&f);
	log_in(&f, 1);
	CHECK_TRUE(!relays_next_packet(f.r, &p));
	feed_packet(&f, 1, &peer, 3);
	feed_packet(&f, 1, &other, 1000);
	CHECK_TRUE(relays_next_packet(f.r, &p));
	CHECK_INT(p.type, ==, RELAYS_PACKET);
	CHECK_INT(p.region, ==, 1);
	CHECK_INT(p.len, ==, 3);
	CHECK_MEM(p.p, "\3\3\3", 3);
	CHECK_MEM(p.from.b, peer.b, KEY_LEN);
	CHECK_TRUE(relays_next_packet(f.r, &p));
	CHECK_INT(p.len, ==, 1000);
	CHECK_MEM(p.from.b, other.b, KEY_LEN);
	CHECK_TRUE(!relays_next_packet(f.r, &p));
	relays_free(f.r);
}

static void restart_hangs_up_before_it_dials(void **state)
{
	struct fixture f;

	fixture_open(&f);
	relays_set_home(f.r, 1, f.now);
	CHECK_TRUE(relays_send(f.r, 2, &peer, "x", 1, f.now));
	events(&f);
	log_in(&f, 1);
	events(&f);
	relays_restart(f.r, f.now);
	CHECK_STR(events(&f), "H2H1D1");
	log_in(&f, 1);
	/* A stream that nobody has heard of yet needs no end. */
	events(&f);
	CHECK_TRUE(relays_send(f.r, 2, &peer, "x", 1, f.now));
	relays_set_key(f.r, NULL, f.now);
	CHECK_STR(events(&f), "H1");
	relays_free(f.r);
}

static void silent_relay_is_asked_and_left(void **state)
{
	struct fixture f;

	fixture_open(&f);
	relays_set_home(f.r, 1, f.now);
	events(&f);
	log_in(&f, 1);
	events(&f);
	for (int i = 0; i < 8; i++) {
		CHECK_TRUE(relays_send(f.r, 1, &peer, "x", 1, f.now));
		run(&f, SEC(1));
		drain(&f, 1);
	}
	events(&f);
	CHECK_TRUE(!relays_is_ready(f.r, 1));
	run(&f, SEC(1));
	events(&f);
	log_in(&f, 1);
	CHECK_TRUE(strchr(events(&f), 'B') != NULL);
	relays_free(f.r);
}

static void home_that_cannot_be_reached_is_told(void **state)
{
	const struct tc_derp_node *n;
	struct fixture f;

	fixture_open(&f);
	relays_set_home(f.r, 1, f.now);
	events(&f);
	relays_closed(f.r, 1, -ECONNREFUSED, f.now);
	CHECK_INT(relays_failure(f.r, 1, &n), ==, -ECONNREFUSED);
	CHECK_STR(n->hostname, "relay.example");
	CHECK_TRUE(!f.home_down);
	run(&f, SEC(3));
	events(&f);
	CHECK_TRUE(f.home_down);
	relays_free(f.r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(home_is_opened_and_kept),
		cmocka_unit_test(others_are_opened_by_a_packet_and_closed_when_idle),
		cmocka_unit_test(packets_of_one_read_come_in_order),
		cmocka_unit_test(restart_hangs_up_before_it_dials),
		cmocka_unit_test(silent_relay_is_asked_and_left),
		cmocka_unit_test(home_that_cannot_be_reached_is_told),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
