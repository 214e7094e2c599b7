/*
 * Frames one behind another, and the two documents of a login. A frame that is read has the header that is written for it, is not
 * there while its last byte is missing, and is not read where less is allowed. Anything that opens as a login is one that can be sent.
 */
#include "proto/derpframe/derpframe.h"
#include "testlib/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t client[KEY_LEN] = { 8, [31] = 65 }, server[KEY_LEN] = { 16, [31] = 66 };

static void frames(const uint8_t *p, size_t len)
{
	struct derpframe f, again;
	uint8_t header[DERP_HEADER_LEN];
	size_t whole;

	while (derpframe_next(p, len, DERP_PACKET_MAX, &f) == 0) {
		whole = DERP_HEADER_LEN + f.len;
		CHECK(whole <= len && f.payload == p + DERP_HEADER_LEN);
		derpframe_header(header, (enum derpframe_type)f.type, f.len);
		CHECK(memcmp(header, p, sizeof(header)) == 0);
		CHECK(derpframe_next(p, whole - 1, DERP_PACKET_MAX, &again) == DERPFRAME_MORE);
		CHECK(f.len == 0 || derpframe_next(p, whole, f.len - 1u, &again) == -ERR_TOO_BIG);
		p += whole;
		len -= whole;
	}
}

/* The bytes as the text inside a box, as a peer may seal anything. */
static size_t seal(
	const uint8_t *from, const uint8_t *to, const uint8_t *p, size_t len, uint8_t *out)
{
	static const uint8_t nonce[BOX_NONCE_LEN] = { 1 };
	uint8_t pub[KEY_LEN];
	struct box_shared k;

	CHECK(key_public(to, pub) == 0 && box_precompute(&k, from, pub) == 0);
	box_seal(&k, nonce, p, len, out);
	return len + BOX_OVERHEAD;
}

static void client_login(const uint8_t *p, size_t len, struct rng *rng, struct arena *a)
{
	struct derp_client_info info, again;
	struct node_pub who, self, hub;
	uint8_t *payload = arena_alloc(a, KEY_LEN + len + BOX_OVERHEAD);
	struct derpframe f;
	struct buf out;

	CHECK(key_public(client, self.b) == 0 && key_public(server, hub.b) == 0 && payload);
	memcpy(payload, self.b, KEY_LEN);
	len = KEY_LEN + seal(client, server, p, len, payload + KEY_LEN);
	if (derp_client_info_decode(payload, len, server, a, &who, &info) < 0)
		return;
	buf_init(&out, DERP_HEADER_LEN + DERP_CLIENT_INFO_MAX);
	if (derp_client_info_encode(&out, client, hub.b, rng, &info) == 0) {
		CHECK(derpframe_next(buf_data(&out), buf_len(&out), DERP_CLIENT_INFO_MAX, &f) ==
				0 &&
			f.type == DERP_CLIENT_INFO);
		CHECK(derp_client_info_decode(f.payload, f.len, server, a, &who, &again) == 0);
		CHECK(memcmp(&who, &self, sizeof(who)) == 0 &&
			json_same(&derp_client_info_type, &info, &again));
	}
	buf_fini(&out);
}

static void server_login(const uint8_t *p, size_t len, struct rng *rng, struct arena *a)
{
	struct derp_server_info info, again;
	struct node_pub self, hub;
	uint8_t *payload = arena_alloc(a, len + BOX_OVERHEAD);
	struct derpframe f;
	struct buf out;

	CHECK(key_public(client, self.b) == 0 && key_public(server, hub.b) == 0 && payload);
	len = seal(server, client, p, len, payload);
	if (derp_server_info_decode(payload, len, client, hub.b, a, &info) < 0)
		return;
	buf_init(&out, DERP_HEADER_LEN + DERP_CLIENT_INFO_MAX);
	CHECK(derp_server_info_encode(&out, server, self.b, rng, &info) == 0);
	CHECK(derpframe_next(buf_data(&out), buf_len(&out), DERP_CLIENT_INFO_MAX, &f) == 0 &&
		f.type == DERP_SERVER_INFO);
	CHECK(derp_server_info_decode(f.payload, f.len, client, hub.b, a, &again) == 0);
	CHECK(json_same(&derp_server_info_type, &info, &again));
	buf_fini(&out);
}

/* The first byte: what the others are. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng_seeded rng;
	struct arena a;

	if (!len)
		return 0;
	rng_seeded_init(&rng, 1);
	arena_init(&a, PAIR_MEMORY);
	if (data[0] % 3 == 0)
		frames(data + 1, len - 1);
	else if (data[0] % 3 == 1)
		client_login(data + 1, len - 1, &rng.rng, &a);
	else
		server_login(data + 1, len - 1, &rng.rng, &a);
	arena_fini(&a);
	return 0;
}
