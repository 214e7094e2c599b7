#include "proto/derpframe/derpframe.h"

#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;

/* Gives the recorded nonce where the encoder asks for a random one. */
struct replay {
	struct rng rng;
	const uint8_t *nonce;
};

static void replay_fill(struct rng *r, void *out, size_t n)
{
	CHECK_INT(n, ==, 24);
	memcpy(out, container_of(r, struct replay, rng)->nonce, n);
}

static void about_key(const char *name, uint8_t ret[static KEY_LEN])
{
	vec_hex_exact(json_object_get(file, "about"), name, ret, KEY_LEN);
}

/* The login: opened with the relay's key; sealed again with the nonce it is the same frame. */
static void check_client_info(const json_t *c, const struct derpframe *f, struct view frame)
{
	const json_t *fields = json_object_get(c, "fields");
	json_t *want = json_loads(vec_str(fields, "json"), 0, NULL);
	uint8_t server[KEY_LEN], server_pub[KEY_LEN], client[KEY_LEN], pub[KEY_LEN], nonce[24];
	struct replay replay = { .rng.fill = replay_fill, .nonce = nonce };
	struct derp_client_info info;
	struct node_pub who;
	struct arena a;
	struct buf out;

	arena_init(&a, 1 << 20);
	buf_init(&out, 1 << 20);
	about_key("frames_server_private", server);
	about_key("frames_server_public", server_pub);
	about_key("frames_client_private", client);
	vec_hex_exact(fields, "client_public", pub, KEY_LEN);
	vec_hex_exact(fields, "nonce", nonce, sizeof(nonce));
	CHECK_INT(derp_client_info_decode(f->payload, f->len, server, &a, &who, &info), ==, 0);
	CHECK_MEM(who.b, pub, KEY_LEN);
	CHECK_INT(info.version, ==, json_integer_value(json_object_get(want, "version")));
	CHECK_INT(info.can_ack_pings, ==, json_is_true(json_object_get(want, "CanAckPings")));
	CHECK_INT(info.is_prober, ==, json_is_true(json_object_get(want, "IsProber")));
	if (json_object_get(want, "meshKey"))
		CHECK_STR(info.mesh_key, json_string_value(json_object_get(want, "meshKey")));
	if (!json_object_get(want,
		    "AppName")) { /* a name for the relay's statistics, which we neither keep nor send */
		CHECK_INT(derp_client_info_encode(&out, client, server_pub, &replay.rng, &info), ==,
			0);
		CHECK_INT(buf_len(&out), ==, frame.len);
		CHECK_MEM(buf_data(&out), frame.p, frame.len);
	}
	buf_fini(&out);
	arena_fini(&a);
	json_decref(want);
}

/* Fields that are bytes stand in the payload in the order of the recording's names. */
static void check_bytes(const json_t *fields, const struct derpframe *f)
{
	static const char *const in_order[] = { "src", "dst", "peer", "packet", "data" };
	size_t at = 0, len;

	for (size_t i = 0; i < ARRAY_LEN(in_order); i++) {
		uint8_t *want;

		if (!json_object_get(fields, in_order[i]))
			continue;
		want = vec_hex(fields, in_order[i], &len);
		CHECK_TRUE(f->len >= at + len);
		CHECK_MEM(f->payload + at, want, len);
		free(want);
		at += len;
	}
	if (json_object_get(fields, "text")) {
		CHECK_INT(f->len, ==, strlen(vec_str(fields, "text")));
		CHECK_MEM(f->payload, vec_str(fields, "text"), f->len);
	}
	if (json_object_get(fields, "reconnect_in_ms")) {
		CHECK_INT(load_be32(f->payload), ==, vec_int(fields, "reconnect_in_ms"));
		CHECK_INT(load_be32(f->payload + 4), ==, vec_int(fields, "try_for_ms"));
	}
	if (json_object_get(fields, "preferred"))
		CHECK_INT(f->payload[0], ==, vec_bool(fields, "preferred"));
	if (json_object_get(fields, "reason"))
		CHECK_INT(f->payload[at], ==, vec_int(fields, "reason"));
}

static void frames_are_read_and_written_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "frames"), *c;
	size_t i, n;

	json_array_foreach(s, i, c)
	{
		uint8_t *bytes = vec_hex(c, "bytes", &n), header[DERP_HEADER_LEN];
		struct derpframe f;

		CHECK_ROW("%s", vec_str(c, "name"));
		for (size_t k = 0; k < n; k++)
			CHECK_INT(derpframe_next(bytes, k, DERP_CLIENT_FRAME_MAX, &f), ==,
				DERPFRAME_MORE);
		CHECK_INT(derpframe_next(bytes, n, DERP_CLIENT_FRAME_MAX, &f), ==, 0);
		CHECK_INT(f.type, ==, vec_int(c, "type"));
		CHECK_INT(f.len, ==, n - DERP_HEADER_LEN);
		derpframe_header(header, (enum derpframe_type)f.type, f.len);
		CHECK_MEM(header, bytes, DERP_HEADER_LEN);
		if (f.type == DERP_CLIENT_INFO)
			check_client_info(c, &f, view_of(bytes, n));
		else
			check_bytes(json_object_get(c, "fields"), &f);
		free(bytes);
	}
	vectors_count("derp.json", "frames", i);
}

static void frame_beyond_the_limit_is_refused_by_its_header(void **state)
{
	const uint8_t header[DERP_HEADER_LEN] = { DERP_SEND_PACKET, 0, 1, 0, 1 };
	struct derpframe f;

	CHECK_INT(derpframe_next(header, sizeof(header), 65536, &f), ==, -ERR_TOO_BIG);
	CHECK_INT(f.len, ==, 65537);
	CHECK_INT(derpframe_next(header, sizeof(header), 65537, &f), ==, DERPFRAME_MORE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_read_and_written_as_recorded),
		cmocka_unit_test(frame_beyond_the_limit_is_refused_by_its_header),
	};
	int rc;

	file = vectors_load("derp.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	json_decref(file);
	return rc;
}
