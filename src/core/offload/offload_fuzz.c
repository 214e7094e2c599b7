/* Any frame is cut or refused; whatever comes out is merged again, and no payload byte is lost or made up. */
#include "core/offload/offload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t mem[OFFLOAD_MERGE_MAX][4096];
	struct offload_pkt pkt[OFFLOAD_MERGE_MAX];
	struct offload_group g[OFFLOAD_MERGE_MAX];
	struct offload_split s;
	size_t n = 0, n_groups, seen = 0;

	if (offload_split_begin(&s, data, len) < 0)
		return 0;
	while (n < OFFLOAD_MERGE_MAX && offload_split_peek(&s)) {
		if (offload_split_peek(&s) > sizeof(mem[0]))
			return 0;
		pkt[n] = (struct offload_pkt){ .p = mem[n], .len = offload_split_next(&s, mem[n]) };
		n++;
	}
	n_groups = offload_merge(pkt, n, true, g);
	for (size_t i = 0; i < n_groups; i++) {
		size_t total = 0, in_group = 0;

		for (uint16_t k = g[i].first; k != OFFLOAD_LAST; k = pkt[k].next) {
			CHECK(k < n && (g[i].n == 1 || pkt[k].len > g[i].hdr_len));
			total += pkt[k].len - (k == g[i].first ? 0 : g[i].hdr_len);
			in_group++;
		}
		CHECK(in_group == g[i].n && total <= OFFLOAD_PACKET_MAX);
		seen += in_group;
	}
	CHECK(seen == n);
	return 0;
}
