#include "core/derprelay/derprelay.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;

struct link {
	const char *name;
	struct derpconn *conn;
	bool close_asked;
	struct buf got; /* what the relay wrote */
};

static void on_output(void *owner) {}

static void on_close(void *owner)
{
	((struct link *)owner)->close_asked = true;
}

static struct rng_seeded seeded;
static uint8_t mesh_key[KEY_LEN];

static struct derprelay *relay_open(const char *private)
{
	struct derprelay_cfg cfg = { .mesh_key = mesh_key,
		.rng = &seeded.rng,
		.on_output = on_output,
		.on_close = on_close };
	json_t *about = json_object_get(file, "about");
	struct derprelay *r;

	rng_seeded_init(&seeded, 1);
	vec_hex_exact(about, "session_mesh_key", mesh_key, KEY_LEN);
	vec_hex_exact(about, private, cfg.private.b, KEY_LEN);
	CHECK_INT(derprelay_new(&r, &cfg), ==, 0);
	return r;
}

static void link_open(
	struct link *l, struct derprelay *r, const char *name, const char *addr, bool not_ideal)
{
	struct ipport a;

	CHECK_INT(ipport_parse(addr, strlen(addr), &a), ==, 0);
	*l = (struct link){ .name = name };
	buf_init(&l->got, 1 << 22);
	CHECK_INT(derprelay_accept(r, a, not_ideal, l, 0, NULL, &l->conn), ==, 0);
}

static void link_drain(struct link *l)
{
	while (l->conn) {
		struct view v = derprelay_output(l->conn);

		if (!v.len)
			return;
		CHECK_INT(buf_append(&l->got, v.p, v.len), ==, 0);
		derprelay_written(l->conn, v.len);
	}
}

static void link_close(struct link *l)
{
	link_drain(l);
	if (l->conn)
		derprelay_close(l->conn);
	l->conn = NULL;
}

static void link_fini(struct link *l)
{
	link_close(l);
	buf_fini(&l->got);
}

/* The next frame that the relay wrote, taken off. */
static bool link_next(struct link *l, struct derpframe *f)
{
	static uint8_t copy[1 << 17];

	link_drain(l);
	if (derpframe_next(buf_data(&l->got), buf_len(&l->got), DERP_CLIENT_FRAME_MAX, f) != 0)
		return false;
	memcpy(copy, f->payload, f->len);
	f->payload = copy;
	buf_consume(&l->got, DERP_HEADER_LEN + f->len);
	return true;
}

static struct link *link_named(struct link *links, struct derprelay *r, const char *name)
{
	static const struct {
		const char *name, *addr;
	} hosts[] = { { "mesh", "10.9.9.9:9999" }, { "a", "192.0.2.1:1111" },
		{ "b", "[2001:db8::2]:2222" }, { "prober", "198.51.100.3:3333" },
		{ "far", "198.51.100.4:4444" } };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		if (strcmp(hosts[i].name, name) != 0)
			continue;
		if (!links[i].name)
			link_open(&links[i], r, hosts[i].name, hosts[i].addr, i == 4);
		return &links[i];
	}
	check_fail(__FILE__, __LINE__, "unknown connection %s", name);
}

/* In the recording b is gone when the relay first speaks of it as gone, without a frame of b's own. */
static void play_departures(struct link *links, const json_t *c)
{
	if (!strcmp(vec_str(c, "frame"), "peer_gone") &&
		vec_int(json_object_get(c, "fields"), "reason") == 0 && links[2].conn)
		link_close(&links[2]);
	for (int i = 0; i < 5; i++)
		if (links[i].close_asked)
			link_close(&links[i]);
}

static void recorded_session_is_replayed(void **state)
{
	json_t *s = vectors_section(file, "session"), *c;
	struct derprelay *r = relay_open("frames_server_private");
	struct link links[5] = { 0 };
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		struct link *l = link_named(links, r, vec_str(c, "conn"));
		uint8_t *bytes = vec_hex(c, "bytes", &n);
		struct derpframe f;

		CHECK_ROW("frame %zu, %s %s", i, vec_str(c, "conn"), vec_str(c, "frame"));
		if (!strcmp(vec_str(c, "dir"), "c2s")) {
			for (size_t k = 0; k < n; k++) /* byte by byte */
				CHECK_INT(derprelay_feed(l->conn, bytes + k, 1, SEC(1)), ==, 0);
		} else {
			play_departures(links, c);
			CHECK_TRUE(link_next(l, &f));
			CHECK_INT(f.type, ==, bytes[0]);
			CHECK_INT(f.len, ==, n - DERP_HEADER_LEN);
			if (f.type != DERP_SERVER_INFO) /* its nonce is random */
				CHECK_MEM(f.payload, bytes + DERP_HEADER_LEN, f.len);
		}
		free(bytes);
	}
	vectors_count("derp.json", "session", json_array_size(s));
	for (i = 0; i < 5; i++)
		link_fini(&links[i]);
	CHECK_INT(derprelay_clients(r), ==, 0);
	derprelay_free(r);
}

/* Bytes of a case: all of them, or a head and zeros up to a length. */
static uint8_t *case_bytes(const json_t *c, size_t *n)
{
	uint8_t *head, *all;
	size_t head_len;

	if (json_object_get(c, "bytes"))
		return vec_hex(c, "bytes", n);
	head = vec_hex(c, "bytes_head", &head_len);
	*n = (size_t)vec_int(c, "length");
	all = calloc(1, *n);
	memcpy(all, head, head_len);
	free(head);
	return all;
}

static void log_in(struct link *l, bool mesh)
{
	json_t *about = json_object_get(file, "about");
	uint8_t priv[KEY_LEN], server[KEY_LEN];
	char text[2 * KEY_LEN + 1] = "";
	struct derp_client_info info = { .version = 2 };
	struct derpframe f;
	struct buf b;

	vec_hex_exact(about, "frames_client_private", priv, KEY_LEN);
	vec_hex_exact(about, "frames_server_public", server, KEY_LEN);
	for (int i = 0; i < KEY_LEN; i++)
		snprintf(text + 2 * i, 3, "%02x", mesh_key[i]);
	if (mesh)
		info.mesh_key = text;
	buf_init(&b, 1000);
	CHECK_INT(derp_client_info_encode(&b, priv, server, &seeded.rng, &info), ==, 0);
	CHECK_INT(derprelay_feed(l->conn, buf_data(&b), buf_len(&b), SEC(1)), ==, 0);
	buf_fini(&b);
	CHECK_TRUE(link_next(l, &f) && f.type == DERP_SERVER_KEY);
	CHECK_TRUE(link_next(l, &f) && f.type == DERP_SERVER_INFO);
}

static void frames_after_login_are_answered_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "server_recv"), *c, *v;
	size_t i, k, n;

	json_array_foreach(s, i, c)
	{
		struct derprelay *r = relay_open("frames_server_private");
		uint8_t *bytes = case_bytes(c, &n);
		struct link l;
		struct derpframe f;
		int rc;

		CHECK_ROW("%s", vec_str(c, "name"));
		link_open(&l, r, "c", "192.0.2.1:1", false);
		log_in(&l, vec_bool(c, "mesh"));
		rc = derprelay_feed(l.conn, bytes, n, SEC(1));
		json_array_foreach(json_object_get(c, "replies"), k, v)
		{
			uint8_t *want;
			size_t want_len;

			CHECK_TRUE(link_next(&l, &f));
			CHECK_INT(f.type, ==, vec_int(v, "type"));
			CHECK_INT(f.len, ==, vec_int(v, "length"));
			want = hex_bytes(vec_str(v, json_object_get(v, "payload") ? "payload"
										  : "payload_head"),
				&want_len);
			/* A watcher's own address is that of the recording's pipe. */
			CHECK_MEM(
				f.payload, want, f.type == DERP_PEER_PRESENT ? KEY_LEN : want_len);
			free(want);
		}
		CHECK_INT(rc == 0 && !l.close_asked, ==, vec_bool(c, "connection_kept"));
		CHECK_TRUE(!link_next(&l, &f));
		free(bytes);
		link_fini(&l);
		derprelay_free(r);
	}
	vectors_count("derp.json", "server_recv", json_array_size(s));
}

static void logins_are_accepted_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "server_login"), *c;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		struct derprelay *r = relay_open("frames_server_private");
		struct link l;
		int rc;

		CHECK_ROW("%s", vec_str(c, "name"));
		link_open(&l, r, "c", "192.0.2.1:1", false);
		if (json_object_get(c, "bytes")) {
			uint8_t *bytes = vec_hex(c, "bytes", &n);

			rc = derprelay_feed(l.conn, bytes, n, SEC(1));
			free(bytes);
			CHECK_INT(rc == 0 && derprelay_clients(r) == 1, ==, vec_bool(c, "accept"));
		}
		link_fini(&l);
		derprelay_free(r);
	}
	vectors_count("derp.json", "server_login", json_array_size(s));
}

static void silence_before_login_ends_the_connection(void **state)
{
	struct derprelay *r = relay_open("frames_server_private");
	struct link l;

	link_open(&l, r, "c", "192.0.2.1:1", false);
	derprelay_tick(r, SEC(9));
	CHECK_TRUE(!l.close_asked);
	derprelay_tick(r, SEC(10));
	CHECK_TRUE(l.close_asked);
	link_fini(&l);
	derprelay_free(r);
}

static void full_queue_drops_its_oldest_packet(void **state)
{
	struct derprelay *r = relay_open("frames_server_private");
	uint8_t pkt[DERP_HEADER_LEN + KEY_LEN + 1] = { DERP_SEND_PACKET, 0, 0, 0, KEY_LEN + 1 };
	struct derpframe f;
	struct link l;

	link_open(&l, r, "c", "192.0.2.1:1", false);
	log_in(&l, false);
	vec_hex_exact(json_object_get(file, "about"), "frames_client_public", pkt + DERP_HEADER_LEN,
		KEY_LEN);
	for (uint8_t i = 0; i < DERPRELAY_QUEUE_MAX + 8; i++) {
		pkt[sizeof(pkt) - 1] = i;
		CHECK_INT(derprelay_feed(l.conn, pkt, sizeof(pkt), SEC(1)), ==, 0);
	}
	for (uint8_t i = 8; i < DERPRELAY_QUEUE_MAX + 8; i++) {
		CHECK_TRUE(link_next(&l, &f));
		CHECK_INT(f.payload[KEY_LEN], ==, i);
	}
	CHECK_TRUE(!link_next(&l, &f));
	CHECK_INT(derprelay_counters(r)->drop_queue_head, ==, 8);
	link_fini(&l);
	derprelay_free(r);
}

static void keep_alives_come_every_minute(void **state)
{
	struct derprelay *r = relay_open("frames_server_private");
	struct derpframe f;
	struct link l;
	int n = 0;

	link_open(&l, r, "c", "192.0.2.1:1", false);
	log_in(&l, false);
	for (mono_ns t = SEC(1); t < SEC(661); t += SEC(1)) {
		derprelay_tick(r, t);
		while (link_next(&l, &f))
			n += f.type == DERP_KEEP_ALIVE;
	}
	CHECK_TRUE(n == 10);
	link_fini(&l);
	derprelay_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_session_is_replayed),
		cmocka_unit_test(frames_after_login_are_answered_as_recorded),
		cmocka_unit_test(logins_are_accepted_as_recorded),
		cmocka_unit_test(silence_before_login_ends_the_connection),
		cmocka_unit_test(full_queue_drops_its_oldest_packet),
		cmocka_unit_test(keep_alives_come_every_minute),
	};

	file = vectors_load("derp.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
