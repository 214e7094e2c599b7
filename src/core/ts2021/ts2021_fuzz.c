/*
 * A server connection past its handshake: the first byte says whether the input comes as it is (records) or sealed as
 * the client would seal it, so that the fuzzer reaches HTTP/2.
 */
#include "core/ts2021/ts2021.h"
#include "base/text/text.h"

static void on_request(
	void *owner, struct ts_stream *s, const char *method, const char *path, struct view body)
{
	if (ts_stream_respond(s, 200, NULL, body) < 0)
		ts_stream_reset(s);
}

static void on_response(void *owner, struct ts_stream *s, int status) {}

static void on_data(void *owner, struct ts_stream *s, struct view data) {}

static void on_end(void *owner, struct ts_stream *s, int rc) {}

static void fill(void *owner, struct ts_stream *s, struct buf *out) {}

static void nothing(void *owner) {}

static const struct ts2021_ops ops = { on_request, on_response, on_data, on_end, fill, nothing,
	nothing };

static struct ts2021 *server_open(struct rng *rng, struct noise_keys *ret_client)
{
	static const struct secret_machine ck = { { 8, [31] = 64 } }, sk = { { 16, [31] = 64 } };
	uint8_t init[NOISE_INITIATION_LEN];
	char b64[BASE64_LEN(NOISE_INITIATION_LEN) + 1], head[512];
	const struct ts2021_server how = {
		.self = &sk, .hub_url = "https://hub.example", .rng = rng
	};
	struct noise_state st;
	struct machine_pub pub;
	struct http1_head h;
	struct ts2021 *t;
	struct view v;
	size_t used;
	int n;

	CHECK(key_public(sk.b, pub.b) == 0);
	CHECK(noise_initiate(&st, &ck, &pub, 113, rng, init) == 0);
	base64_encode(init, sizeof(init), b64);
	n = snprintf(head, sizeof(head),
		"POST /ts2021 HTTP/1.1\r\nUpgrade: tailscale-control-protocol\r\nX-Tailscale-Handshake: %s\r\n\r\n",
		b64);
	CHECK(http1_parse((const uint8_t *)head, (size_t)n, false, &h, &used) == 0);
	if (ts2021_accept(&t, &h, &how, &ops, NULL) < 0)
		return NULL;
	v = ts2021_output(t);
	CHECK(http1_parse(v.p, v.len, true, &h, &used) == 0 && v.len >= used + NOISE_RESPONSE_LEN);
	CHECK(noise_finish(&st, v.p + used, ret_client) == 0);
	ts2021_written(t, v.len);
	return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct noise_keys client;
	struct rng_seeded rng;
	struct ts2021 *t;
	struct buf wire;

	rng_seeded_init(&rng, 1);
	t = len ? server_open(&rng.rng, &client) : NULL;
	if (!t)
		return 0;
	buf_init(&wire, 1 << 22);
	if (data[0] & 1)
		CHECK(noise_seal_all(&client.send, data + 1, len - 1, &wire) == 0);
	else
		CHECK(buf_append(&wire, data + 1, len - 1) == 0);
	if (ts2021_feed(t, buf_data(&wire), buf_len(&wire), 0) == 0)
		ts2021_written(t, ts2021_output(t).len);
	buf_fini(&wire);
	ts2021_free(t);
	return 0;
}
