/*
 * Both ends of a connection. The input says what is written, in which pieces it arrives, and which byte of the stream is changed on the
 * way: what arrives unchanged is what was written; from a changed byte on nothing is taken.
 */
#include "base/err/err.h"
#include "crypto/noise/noise.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { STREAM_MAX = 1 << 20 };

struct ends {
	struct noise_keys client, server;
};

static void handshake(struct ends *e, struct rng *rng, uint8_t harm, uint8_t where)
{
	struct secret_machine client = { { 8, [31] = 65 } }, server = { { 16, [31] = 66 } };
	uint8_t initiation[NOISE_INITIATION_LEN], response[NOISE_RESPONSE_LEN];
	struct noise_state c, s;
	struct machine_pub pub;

	CHECK(key_public(server.b, pub.b) == 0);
	CHECK(noise_initiate(&c, &client, &pub, 148, rng, initiation) == 0);
	if (harm) {
		initiation[where % sizeof(initiation)] ^= harm;
		CHECK(noise_accept(&s, &server, initiation, rng, response, &e->server) < 0);
		initiation[where % sizeof(initiation)] ^= harm;
	}
	CHECK(noise_accept(&s, &server, initiation, rng, response, &e->server) == 0);
	CHECK(key_public(client.b, pub.b) == 0 && memcmp(&s.remote, &pub, sizeof(pub)) == 0 &&
		s.version == 148);
	CHECK(noise_finish(&c, response, &e->client) == 0);
}

/* Takes what is whole. False: the connection is unusable. */
static bool take(struct noise_half *h, struct buf *in, struct buf *got)
{
	uint8_t plain[NOISE_PLAINTEXT_MAX];
	size_t n, used;
	int rc;

	while ((rc = noise_open(h, buf_data(in), buf_len(in), plain, &n, &used)) == 0) {
		CHECK(used <= buf_len(in) && n <= sizeof(plain));
		buf_consume(in, used);
		CHECK(buf_append(got, plain, n) == 0);
	}
	return rc == NOISE_MORE;
}

/* Pieces of the stream, as long as the next bytes of the input say. */
static void carry(struct ends *e, struct view stream, const uint8_t *pieces, size_t n_pieces,
	struct view written, size_t harmed_at)
{
	struct buf in, got;
	bool usable = true;
	size_t at = 0;

	buf_init(&in, STREAM_MAX);
	buf_init(&got, STREAM_MAX);
	for (size_t i = 0; usable && at < stream.len; i++) {
		size_t n = MIN_OF(stream.len - at,
			n_pieces ? (size_t)pieces[i % n_pieces] * 37 + 1 : stream.len);

		CHECK(buf_append(&in, stream.p + at, n) == 0);
		at += n;
		usable = take(&e->server.receive, &in, &got);
	}
	CHECK(buf_len(&got) <= written.len &&
		(!buf_len(&got) || memcmp(buf_data(&got), written.p, buf_len(&got)) == 0));
	CHECK(harmed_at < stream.len || (usable && buf_len(&got) == written.len && !buf_len(&in)));
	CHECK(harmed_at >= stream.len || buf_len(&got) <= harmed_at);
	buf_fini(&in);
	buf_fini(&got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng_seeded rng;
	struct ends e;
	struct buf stream;
	size_t pieces, harmed_at;
	uint8_t harm;

	if (len < 5 || len > STREAM_MAX / 2)
		return 0;
	rng_seeded_init(&rng, 1);
	handshake(&e, &rng.rng, data[0], data[1]);
	harm = data[2];
	pieces = MIN_OF((size_t)data[3], len - 5);
	buf_init(&stream, STREAM_MAX);
	CHECK(noise_seal_all(&e.client.send, data + 5 + pieces, len - 5 - pieces, &stream) == 0);
	harmed_at = harm && buf_len(&stream) ? (size_t)data[4] * 41 % buf_len(&stream) : SIZE_MAX;
	if (harmed_at != SIZE_MAX)
		((uint8_t *)(uintptr_t)buf_data(&stream))[harmed_at] ^= harm;
	carry(&e, buf_view(&stream), data + 5, pieces, view_of(data + 5 + pieces, len - 5 - pieces),
		harmed_at);
	buf_fini(&stream);
	return 0;
}
