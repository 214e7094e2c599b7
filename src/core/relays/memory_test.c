/* Connections to relays, short of memory: home is opened all the same, a moment later, and packets flow. */
#include "core/relays/relays.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

enum { REGIONS = 3 };

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
	struct node_pub relay, self;
	bool dial[REGIONS + 1], open[REGIONS + 1]; /* asked for; there is a stream */
	size_t n_sent[REGIONS + 1], n_packets;     /* bytes; that came */
};

static void fixture_init(struct fixture *f)
{
	static const char *const numbers[REGIONS] = { "1", "2", "3" };

	*f = (struct fixture){ .now = SEC(1000) };
	rng_seeded_init(&f->rng, 1);
	for (int i = 0; i < REGIONS; i++) {
		f->nodes[i] = (struct tc_derp_node){ .name = "a",
			.region_id = i + 1,
			.hostname = "relay.example",
			.ipv4 = "203.0.113.1" };
		f->regions[i] = (struct tc_derp_region){ .id = i + 1,
			.nodes = json_list_of(&f->nodes[i], 1) };
		f->pairs[i] = (struct json_pair){ numbers[i], &f->regions[i] };
	}
	f->map.regions = (struct json_map){ .v = f->pairs, .n = REGIONS, .present = true };
	CHECK_INT(key_public(relay_key.b, f->relay.b), ==, 0);
	CHECK_INT(key_public(our_key.b, f->self.b), ==, 0);
}

static void end(struct fixture *f, int region, int rc)
{
	CHECK_TRUE(rc == -ENOMEM); /* nobody says anything that is wrong */
	f->open[region] = false;
	relays_closed(f->r, region, rc, f->now);
}

/* What the relay says is made beforehand: its memory is not what is short. */
static void log_in(struct fixture *f, int region)
{
	static uint8_t hello[512];
	static size_t len;
	int rc;

	if (!len) {
		static const struct derp_server_info info = { .version = DERP_VERSION };
		struct buf out;

		buf_init(&out, sizeof(hello));
		CHECK_INT(derp_server_info_encode(&out, relay_key.b, f->self.b, &f->rng.rng, &info),
			==, 0);
		memcpy(hello, buf_data(&out), len = buf_len(&out));
		buf_fini(&out);
	}
	f->dial[region] = false;
	f->open[region] = true;
	rc = relays_connected(f->r, region, &f->relay, f->now);
	if (rc == 0)
		rc = relays_feed(f->r, region, hello, len, f->now);
	if (rc < 0)
		end(f, region, rc);
}

static void take(struct fixture *f)
{
	struct relays_event e;
	struct relays_packet p;

	while (relays_next_event(f->r, &e)) {
		if (e.type == RELAYS_HANG_UP)
			f->dial[e.region] = f->open[e.region] = false;
		if (e.type == RELAYS_DIAL)
			f->dial[e.region] = true;
	}
	while (relays_next_packet(f->r, &p))
		f->n_packets += p.type == RELAYS_PACKET;
	for (int region = 1; region <= REGIONS; region++) {
		struct view v;

		if (f->dial[region])
			log_in(f, region);
		while (f->open[region] && (v = relays_output(f->r, region)).len) {
			f->n_sent[region] += v.len;
			relays_written(f->r, region, v.len);
		}
	}
}

static void run(struct fixture *f, mono_ns d)
{
	for (mono_ns until = f->now + d; f->now < until; f->now += MSEC(100)) {
		relays_tick(f->r, f->now);
		take(f);
	}
}

static void feed_packets(struct fixture *f, int region)
{
	uint8_t frame[DERP_HEADER_LEN + KEY_LEN + 1000] = { 0 };
	int rc = 0;

	derpframe_header(frame, DERP_RECV_PACKET, KEY_LEN + 1000);
	memcpy(frame + DERP_HEADER_LEN, peer.b, KEY_LEN);
	for (int i = 0; i < 4 && f->open[region] && rc == 0; i++)
		rc = relays_feed(f->r, region, frame, sizeof(frame), f->now);
	if (rc < 0)
		end(f, region, rc);
	take(f);
}

static void live(struct fixture *f)
{
	const uint8_t data[1000] = { 0 };

	relays_set_key(f->r, &our_key, f->now);
	relays_set_map(f->r, &f->map, f->now);
	relays_set_home(f->r, 1, f->now);
	run(f, SEC(1));
	for (int i = 0; i < 8; i++)
		(void)relays_send(f->r, 1 + i % 2, &peer, data, sizeof(data), f->now);
	run(f, SEC(1));
	feed_packets(f, 1);
	relays_link_changed(f->r, false, f->now);
	run(f, SEC(2));
	relays_set_home(f->r, 3, f->now);
	run(f, SEC(1));
}

/* Home is there without a word of the owner's. */
static void check_works(struct fixture *f)
{
	run(f, SEC(30));
	CHECK_TRUE(relays_is_ready(f->r, 3));
	f->n_packets = 0;
	feed_packets(f, 3);
	CHECK_INT(f->n_packets, ==, 4);
	CHECK_TRUE(relays_send(f->r, 2, &peer, "x", 1, f->now));
	run(f, SEC(10));
	CHECK_TRUE(relays_is_ready(f->r, 2));
	f->n_sent[2] = 0;
	CHECK_TRUE(relays_send(f->r, 2, &peer, "x", 1, f->now));
	take(f);
	CHECK_INT(f->n_sent[2], >, 0);
}

static void short_of_memory_home_is_opened_later(void **state)
{
	bool more = true;

	for (size_t n = 1; more; n++) {
		struct fixture f;
		int rc;

		CHECK_ROW("allocation %zu", n);
		fixture_init(&f);
		if (n == 1) { /* what the relay says */
			CHECK_INT(relays_new(&f.r, &f.rng.rng), ==, 0);
			live(&f);
			relays_free(f.r);
			fixture_init(&f);
		}
		memory_refuse(n);
		rc = relays_new(&f.r, &f.rng.rng);
		if (rc == 0)
			live(&f);
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (rc == 0) {
			check_works(&f);
			relays_free(f.r);
		}
		CHECK_TRUE(more || n > 15);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_home_is_opened_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
