/* A client eats any bytes of a relay, in pieces: from the HTTP answer on, or logged in already. */
#include "core/derpclient/derpclient.h"

static void nothing(void *owner) {}

static void on_event(void *owner, const struct derpclient_event *e) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct node_pub server = { { 9 } };
	struct rng_seeded rng;
	struct derpclient_cfg cfg = { .private = { { 8, [31] = 64 } },
		.rng = &rng.rng,
		.dial = nothing,
		.hang_up = nothing,
		.on_output = nothing,
		.on_event = on_event };
	struct derpclient *c;
	bool fast = len && (data[0] & 1), ok;

	rng_seeded_init(&rng, 1);
	if (derpclient_new(&c, &cfg) < 0)
		return 0;
	derpclient_start(c, 0);
	ok = derpclient_connected(c, "h", NULL, fast ? &server : NULL, 0) == 0;
	for (size_t i = 1; ok && i < len; i += 17)
		ok = derpclient_feed(c, data + i, MIN_OF(len - i, (size_t)17), SEC(1)) == 0;
	derpclient_written(c, derpclient_output(c).len);
	derpclient_tick(c, SEC(1000));
	derpclient_closed(c, 0, SEC(1001));
	derpclient_free(c);
	return 0;
}
