#include "core/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void fill(struct rng *r, void *out, size_t n)
{
	memset(out, 1, n);
}

/* Input: a rule list as JSON up to the first NUL, then a packet. Any rules compile, and verdicts
 * keep what holds always. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct ipprefix local[] = { { { 4, { 100, 64, 0, 1 } }, 32 },
		{ { 6, { 0xfd, 0x7a } }, 64 } };
	const uint8_t *nul = memchr(data, 0, len);
	size_t text = nul ? (size_t)(nul - data) : len;
	struct rng rng = { fill };
	struct tc_map_response m;
	struct filter_cfg cfg = {
		.lists = &m.packet_filter, .n_lists = 1, .local = local, .n_local = 2
	};
	struct filter_rules *r;
	struct filter *f;
	struct json_map caps;
	struct arena a;
	uint8_t reject[TSMP_PACKET_MAX];
	enum filter_verdict v;

	arena_init(&a, 1 << 24);
	if (json_decode(&tc_map_response_type, data, text, &m, &a, NULL) == 0 &&
		filter_rules_new(&r, &cfg) == 0) {
		CHECK(filter_new(&f, &rng) == 0 && !filter_swap(f, r));
		if (nul) {
			const uint8_t *pkt = nul + 1;
			size_t pkt_len = len - text - 1;

			v = filter_in(f, pkt, pkt_len, false);
			CHECK(filter_accepts(v) ||
				!filter_accepts(filter_in(f, pkt, pkt_len, true)));
			CHECK(filter_reject(v, pkt, pkt_len, reject) <= TSMP_PACKET_MAX);
			(void)filter_out(f, pkt, pkt_len, false);
		}
		CHECK(filter_caps(r, local[0].ip, local[1].ip, &a, &caps) <= 0);
		filter_free(f);
	}
	arena_fini(&a);
	return 0;
}
