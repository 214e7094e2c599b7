#include "base/err/err.h"
#include "crypto/noise/noise.h"
#include "testlib/vectors.h"

#include <stdlib.h>

static json_t *file;

/* Randomness that is one recorded key. */
struct rng_key {
	struct rng rng;
	uint8_t key[KEY_LEN];
};

static void key_fill(struct rng *r, void *out, size_t n)
{
	CHECK_INT(n, ==, KEY_LEN);
	memcpy(out, container_of(r, struct rng_key, rng)->key, n);
}

static struct rng_key rng_of(const json_t *c, const char *field)
{
	struct rng_key r = { .rng.fill = key_fill };

	vec_hex_exact(c, field, r.key, KEY_LEN);
	return r;
}

static void check_hex(const json_t *c, const char *field, const void *got, size_t n)
{
	size_t len;
	uint8_t *want = vec_hex(c, field, &len);

	CHECK_INT(len, ==, n);
	CHECK_MEM(got, want, n);
	free(want);
}

static void check_records(const json_t *c, struct noise_keys *client, struct noise_keys *server)
{
	json_t *v;
	size_t i;

	json_array_foreach(json_object_get(c, "records"), i, v)
	{
		bool c2s = !strcmp(vec_str(v, "dir"), "c2s");
		struct noise_keys *from = c2s ? client : server, *to = c2s ? server : client;
		uint8_t out[NOISE_PLAINTEXT_MAX], *plain;
		size_t n, len, used;
		struct buf b;

		plain = vec_hex(v, "plaintext", &n);
		buf_init(&b, 10000);
		CHECK_TRUE(from->send.counter == (uint64_t)vec_int(v, "counter"));
		CHECK_INT(noise_seal(&from->send, plain, n, &b), ==, 0);
		check_hex(v, "bytes", buf_data(&b), buf_len(&b));
		for (size_t cut = 0; cut < buf_len(&b); cut++)
			CHECK_INT(noise_open(&to->receive, buf_data(&b), cut, out, &len, &used), ==,
				NOISE_MORE);
		CHECK_INT(noise_open(&to->receive, buf_data(&b), buf_len(&b), out, &len, &used), ==,
			0);
		CHECK_INT(len, ==, n);
		CHECK_MEM(out, plain, n);
		buf_fini(&b);
		free(plain);
	}
}

static void replay(const json_t *c, bool records)
{
	struct rng_key ce = rng_of(c, "client_ephemeral_private"),
		       se = rng_of(c, "server_ephemeral_private");
	struct secret_machine cs, ss;
	struct machine_pub server_pub, client_pub;
	struct noise_state client, server;
	struct noise_keys ck, sk;
	uint8_t init[NOISE_INITIATION_LEN], resp[NOISE_RESPONSE_LEN];

	vec_hex_exact(c, "client_static_private", cs.b, KEY_LEN);
	vec_hex_exact(c, "server_static_private", ss.b, KEY_LEN);
	CHECK_INT(key_public(ss.b, server_pub.b), ==, 0);
	CHECK_INT(key_public(cs.b, client_pub.b), ==, 0);
	CHECK_INT(noise_initiate(&client, &cs, &server_pub, (uint16_t)vec_int(c, "version"),
			  &ce.rng, init),
		==, 0);
	check_hex(c, "initiation", init, sizeof(init));
	CHECK_INT(noise_accept(&server, &ss, init, &se.rng, resp, &sk), ==, 0);
	CHECK_MEM(server.remote.b, client_pub.b, KEY_LEN);
	CHECK_INT(server.version, ==, vec_int(c, "version"));
	CHECK_INT(noise_finish(&client, resp, &ck), ==, 0);
	check_hex(c, "handshake_hash", client.hash, 32);
	check_hex(c, "handshake_hash", server.hash, 32);
	check_hex(c, "key_client_to_server", ck.send.key, 32);
	check_hex(c, "key_server_to_client", ck.receive.key, 32);
	if (records) {
		check_hex(c, "response", resp, sizeof(resp));
		check_records(c, &ck, &sk);
	}
}

static void recorded_sessions_are_replayed(void **state)
{
	json_t *s = vectors_section(file, "session"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		CHECK_ROW("session %zu", i);
		replay(c, true);
	}
	vectors_count("noise.json", "session", json_array_size(s));
	json_array_foreach(vectors_section(file, "http"), i, c) replay(c, false);
	vectors_count("noise.json", "http", i);
}

static void initiations_are_accepted_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "server_initiation"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		struct rng_key rng = { .rng.fill = key_fill, .key = { 8, [31] = 64 } };
		uint8_t resp[NOISE_RESPONSE_LEN];
		struct secret_machine self;
		struct noise_state st;
		struct noise_keys k;
		size_t n;
		uint8_t *bytes = vec_hex(c, "bytes", &n);
		bool header = !strcmp(vec_str(c, "via"), "header"), accept;

		CHECK_ROW("%s, %s", vec_str(c, "name"), vec_str(c, "via"));
		vec_hex_exact(c, "server_static_private", self.b, KEY_LEN);
		/* In a header the length is exact; in a stream more may follow. */
		accept = (header ? n == NOISE_INITIATION_LEN : n >= NOISE_INITIATION_LEN) &&
			 noise_accept(&st, &self, bytes, &rng.rng, resp, &k) == 0;
		CHECK_INT(accept, ==, vec_bool(c, "accept"));
		free(bytes);
	}
	vectors_count("noise.json", "server_initiation", json_array_size(s));
}

static void responses_are_accepted_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "client_response"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		struct rng_key rng = rng_of(c, "client_ephemeral_private");
		uint8_t init[NOISE_INITIATION_LEN];
		struct secret_machine self;
		struct machine_pub server;
		struct noise_state st;
		struct noise_keys k;
		size_t n;
		uint8_t *resp = vec_hex(c, "response", &n);

		CHECK_ROW("%s", vec_str(c, "name"));
		vec_hex_exact(c, "client_static_private", self.b, KEY_LEN);
		vec_hex_exact(c, "server_static_public", server.b, KEY_LEN);
		{
			size_t init_len;
			uint8_t *sent = vec_hex(c, "initiation", &init_len);

			CHECK_INT(noise_initiate(
					  &st, &self, &server, load_be16(sent), &rng.rng, init),
				==, 0);
			CHECK_MEM(init, sent, sizeof(init));
			free(sent);
		}
		CHECK_INT(n >= NOISE_RESPONSE_LEN && noise_finish(&st, resp, &k) == 0, ==,
			vec_bool(c, "accept"));
		free(resp);
	}
	vectors_count("noise.json", "client_response", json_array_size(s));
}

static void record_streams_end_as_recorded(void **state)
{
	json_t *s = vectors_section(file, "record_stream"), *c;
	size_t i;

	json_array_foreach(s, i, c)
	{
		struct noise_half h = { 0 };
		size_t n, want_len, at = 0, got_len = 0;
		uint8_t *bytes = vec_hex(c, "bytes", &n),
			*want = vec_hex(c, "plaintext", &want_len), got[20000];
		int rc = 0;

		CHECK_ROW("%s", vec_str(c, "name"));
		vec_hex_exact(c, "key", h.key, 32);
		while (rc == 0) {
			uint8_t out[NOISE_PLAINTEXT_MAX];
			size_t len, used;

			rc = noise_open(&h, bytes + at, n - at, out, &len, &used);
			if (rc == 0) {
				memcpy(got + got_len, out, len);
				got_len += len;
				at += used;
			}
		}
		CHECK_INT(got_len, ==, want_len);
		CHECK_MEM(got, want, want_len);
		CHECK_INT(rc < 0, ==, !strcmp(vec_str(c, "end"), "error"));
		free(bytes);
		free(want);
	}
	vectors_count("noise.json", "record_stream", json_array_size(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded_sessions_are_replayed),
		cmocka_unit_test(initiations_are_accepted_as_recorded),
		cmocka_unit_test(responses_are_accepted_as_recorded),
		cmocka_unit_test(record_streams_end_as_recorded),
	};

	file = vectors_load("noise.json");
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
