/* One device with one known peer eats any datagrams, cut from the input by a length byte each. */
#include "core/wg/wg.h"

static void take(struct wg_device *d)
{
	struct wg_out o;

	while (wg_next(d, &o))
		CHECK(o.peer || o.datagram);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rng_seeded rng;
	struct wg_cfg cfg = { .private = { { 8, [31] = 64 } }, .mtu = 1420, .rng = &rng.rng };
	struct node_pub key = { { 9 } };
	struct cur c = cur_over(data, len);
	struct now now = { .mono = SEC(1), .wall = 1800000000000 };
	struct wg_device *d;
	struct wg_peer *p;

	rng_seeded_init(&rng, 1);
	if (wg_new(&d, &cfg) < 0)
		return 0;
	if (wg_peer_add(d, &key, &p) == 0)
		wg_start_handshake(d, p, now);
	while (cur_left(&c)) {
		uint8_t mem[256];
		size_t n = MIN_OF((size_t)cur_u8(&c), cur_left(&c));
		struct wg_datagram dg = { .p = mem, .len = n };

		cur_copy(&c, mem, n);
		wg_receive(d, &dg, 1, now);
		take(d);
		now.mono += SEC(1);
		wg_tick(d, now);
		take(d);
	}
	wg_free(d);
	return 0;
}
