/* One device with one known peer eats any datagrams, cut from the input by a length byte each. */
#include "core/wg/wg.h"

static void to_peer(struct wg_sink *s, struct wg_peer *p, const struct pkt *d, size_t n) {}

static void to_source(struct wg_sink *s, const struct wg_source *to, const uint8_t *d, size_t len)
{
}

static void packets(struct wg_sink *s, struct wg_peer *p, struct pkt *pkt, size_t n) {}

static void event(struct wg_sink *s, struct wg_peer *p, enum wg_event ev) {}

static struct wg_peer *unknown(struct wg_sink *s, const struct node_pub *key)
{
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wg_sink sink = { to_peer, to_source, packets, event, unknown, NULL };
	struct rng_seeded rng;
	struct wg_cfg cfg = {
		.private = { { 8, [31] = 64 } }, .mtu = 1420, .rng = &rng.rng, .sink = &sink
	};
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
		now.mono += SEC(1);
		wg_tick(d, now);
	}
	wg_free(d);
	return 0;
}
