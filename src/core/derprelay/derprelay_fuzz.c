/* A relay with one connection eats any bytes, in pieces. */
#include "core/derprelay/derprelay.h"

static void nothing(void *owner) {}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t client[KEY_LEN] = { 16, [31] = 64 };
	struct rng_seeded rng;
	struct derprelay_cfg cfg = { .private = { { 8, [31] = 64 } },
		.rng = &rng.rng,
		.on_output = nothing,
		.on_close = nothing };
	struct derp_client_info info = { .version = 2 };
	struct derprelay *r;
	struct derpconn *c;
	struct buf login;
	bool ok;

	rng_seeded_init(&rng, 1);
	if (derprelay_new(&r, &cfg) < 0)
		return 0;
	if (derprelay_accept(r, (struct ipport){ 0 }, false, NULL, 0, NULL, &c) == 0) {
		buf_init(&login, 1000);
		ok = !len || (data[0] & 1) == 0 ||
		     (derp_client_info_encode(
			      &login, client, derprelay_public(r)->b, &rng.rng, &info) == 0 &&
			     derprelay_feed(c, buf_data(&login), buf_len(&login), 0) == 0);
		for (size_t i = 1; ok && i < len; i += 17)
			ok = derprelay_feed(c, data + i, MIN_OF(len - i, (size_t)17), SEC(i)) == 0;
		derprelay_written(c, derprelay_output(c).len);
		derprelay_tick(r, SEC(1000));
		buf_fini(&login);
		derprelay_close(c);
	}
	derprelay_free(r);
	return 0;
}
