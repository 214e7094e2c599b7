#include "core/offload/vnet.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

enum { FRAME_MAX = OFFLOAD_HDR_LEN + OFFLOAD_PACKET_MAX, N_MAX = 128 };

static struct rng_seeded rng;
static uint8_t frame[FRAME_MAX], cut[N_MAX][2048], merged[FRAME_MAX];

/* The sum as RFC 1071 writes it down. */
static uint16_t naive_csum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void fast_checksum_agrees_with_the_plain_one(void **state)
{
	rng_seeded_init(&rng, 1);
	for (size_t n = 0; n < 1500; n++) {
		uint8_t be[2];

		rng_fill(&rng.rng, frame, n);
		if (n % 3 == 0)
			memset(frame, 0xff, n);
		ip_csum_store(be, ip_csum_fold(ip_csum(frame, n)));
		CHECK_INT(load_be16(be), ==, naive_csum(frame, n));
	}
}

/* Writes a super-packet as the kernel gives it: header, pseudo sum in the checksum field. Returns the frame's length. */
static size_t make_frame(bool v4, bool tcp, size_t options, size_t payload, size_t gso)
{
	size_t ihl = v4 ? 20 : 40, hdr = ihl + (tcp ? 20 + options : 8), len = hdr + payload;
	uint8_t *ip = frame + OFFLOAD_HDR_LEN, *t = ip + ihl;
	uint16_t w;

	memset(frame, 0, OFFLOAD_HDR_LEN + hdr);
	rng_fill(&rng.rng, ip + hdr, payload);
	ip[0] = v4 ? 0x45 : 0x60;
	if (v4) {
		ip[6] = 0x40;
		ip[8] = 64;
		ip[9] = tcp ? IP_PROTO_TCP : IP_PROTO_UDP;
		store_be32(ip + 12, 0x0a000001);
		store_be32(ip + 16, 0x0a000002);
	} else {
		ip[6] = tcp ? IP_PROTO_TCP : IP_PROTO_UDP;
		ip[7] = 64;
		ip[8] = ip[24] = 0xfd;
		ip[23] = 1;
		ip[39] = 2;
	}
	store_be16(t, 1000);
	store_be16(t + 2, 2000);
	if (tcp) {
		store_be32(t + 4, 0xfffffff0); /* wraps inside the super-packet */
		store_be32(t + 8, 77);
		t[12] = (uint8_t)((20 + options) / 4 << 4);
		t[13] = TCP_ACK | TCP_PSH;
		rng_fill(&rng.rng, t + 20, options);
	} else {
		store_be16(t + 4, (uint16_t)(len - ihl));
	}
	ip_set_length(ip, ihl, len);
	ip_csum_store(t + (tcp ? TCP_CSUM : UDP_CSUM),
		ip_csum_fold(ip_csum_pseudo(ip, tcp ? IP_PROTO_TCP : IP_PROTO_UDP, len - ihl)));
	frame[VNET_FLAGS] = VNET_F_NEEDS_CSUM;
	frame[VNET_GSO_TYPE] = !gso   ? 0
			       : !tcp ? VNET_GSO_UDP_L4
			       : v4   ? VNET_GSO_TCPV4
				      : VNET_GSO_TCPV6;
	w = (uint16_t)hdr;
	memcpy(frame + VNET_HDR_LEN, &w, 2);
	w = (uint16_t)gso;
	memcpy(frame + VNET_GSO_SIZE, &w, 2);
	w = (uint16_t)ihl;
	memcpy(frame + VNET_CSUM_START, &w, 2);
	w = tcp ? TCP_CSUM : UDP_CSUM;
	memcpy(frame + VNET_CSUM_OFFSET, &w, 2);
	return OFFLOAD_HDR_LEN + len;
}

static size_t cut_frame(size_t len, struct offload_pkt *pkt)
{
	struct offload_split s;
	size_t n = 0, want;

	CHECK_INT(offload_split_begin(&s, frame, len), ==, 0);
	while ((want = offload_split_peek(&s))) {
		CHECK_TRUE(n < N_MAX && want <= sizeof(cut[0]));
		pkt[n] = (struct offload_pkt){ .p = cut[n], .len = offload_split_next(&s, cut[n]) };
		CHECK_INT(pkt[n].len, ==, want);
		n++;
	}
	CHECK_INT(offload_split_next(&s, cut[0]), ==, 0);
	return n;
}

static void check_sound(const struct offload_pkt *p)
{
	size_t ihl = ip_is_v4(p->p) ? 20 : 40;
	uint8_t proto = ihl == 20 ? p->p[9] : p->p[6];

	if (ihl == 20)
		CHECK_INT(naive_csum(p->p, 20), ==, 0xffff);
	CHECK_INT(ip_csum_fold(ip_csum_pseudo(p->p, proto, p->len - ihl) +
			       ip_csum(p->p + ihl, p->len - ihl)),
		==, 0xffff);
}

static size_t gather(const struct offload_pkt *pkt, const struct offload_group *g)
{
	size_t n = OFFLOAD_HDR_LEN;

	memcpy(merged, g->hdr, OFFLOAD_HDR_LEN);
	for (uint16_t i = g->first; i != OFFLOAD_LAST; i = pkt[i].next) {
		size_t skip = i == g->first ? 0 : g->hdr_len;

		memcpy(merged + n, pkt[i].p + skip, pkt[i].len - skip);
		n += pkt[i].len - skip;
	}
	return n;
}

static void what_is_cut_has_right_checksums_and_merges_back_to_the_same(void **state)
{
	rng_seeded_init(&rng, 2);
	for (int round = 0; round < 2000; round++) {
		bool v4 = rng_below(&rng.rng, 2), tcp = rng_below(&rng.rng, 2);
		size_t options = tcp ? rng_below(&rng.rng, 4) * 4 : 0,
		       gso = 600 + rng_below(&rng.rng, 800);
		size_t payload = gso + 1 + rng_below(&rng.rng, 40 * gso), len, n;
		struct offload_pkt pkt[N_MAX];
		struct offload_group g[N_MAX];

		if (payload > 60000)
			payload = 60000;
		CHECK_ROW("round %d: v%d tcp %d options %zu payload %zu gso %zu", round, v4 ? 4 : 6,
			tcp, options, payload, gso);
		len = make_frame(v4, tcp, options, payload, gso);
		n = cut_frame(len, pkt);
		CHECK_INT(n, ==, (payload + gso - 1) / gso);
		for (size_t i = 0; i < n; i++)
			check_sound(&pkt[i]);
		if (!tcp && n > 64)
			continue; /* more than the kernel makes of UDP */
		CHECK_INT(offload_merge(pkt, n, true, g), ==, 1);
		CHECK_INT(g[0].n, ==, n);
		CHECK_INT(gather(pkt, &g[0]), ==, len);
		CHECK_MEM(merged, frame, len);
	}
}

static void checksum_left_to_us_is_completed(void **state)
{
	struct offload_pkt pkt[N_MAX];

	rng_seeded_init(&rng, 3);
	for (int i = 0; i < 4; i++) {
		size_t len = make_frame(i & 1, i & 2, 0, 777, 0);

		CHECK_INT(cut_frame(len, pkt), ==, 1);
		check_sound(&pkt[0]);
	}
}

/* Cuts a TCP/IPv4 super-packet into five and hands them to a change. */
static size_t five(struct offload_pkt *pkt)
{
	size_t n = cut_frame(make_frame(true, true, 12, 5000, 1000), pkt);

	CHECK_INT(n, ==, 5);
	return n;
}

static void damaged_packet_goes_alone(void **state)
{
	struct offload_pkt pkt[N_MAX];
	struct offload_group g[N_MAX];
	size_t n = five(pkt);

	cut[2][500] ^= 1;
	CHECK_INT(offload_merge(pkt, n, true, g), ==, 3);
	CHECK_INT(g[0].n, ==, 2);
	CHECK_INT(g[1].n, ==, 1);
	CHECK_INT(g[1].first, ==, 2);
	CHECK_INT(g[1].hdr[VNET_FLAGS], ==, 0); /* the receiving kernel checks it, and drops it */
	CHECK_INT(g[2].n, ==, 2);
}

static void damaged_first_packet_lends_its_headers_to_nobody(void **state)
{
	struct offload_pkt pkt[N_MAX];
	struct offload_group g[N_MAX];
	size_t n = five(pkt);

	cut[0][500] ^= 1;
	CHECK_INT(offload_merge(pkt, n, true, g), ==, 2);
	CHECK_INT(g[0].n, ==, 1);
	CHECK_INT(g[1].n, ==, 4);
}

static void gap_ends_a_group(void **state)
{
	struct offload_pkt pkt[N_MAX];
	struct offload_group g[N_MAX];
	size_t n = five(pkt);

	pkt[1] = pkt[2];
	pkt[2] = pkt[3];
	pkt[3] = pkt[4];
	CHECK_INT(offload_merge(pkt, n - 1, true, g), ==, 2);
	CHECK_INT(g[0].n, ==, 1);
	CHECK_INT(g[1].n, ==, 3);
}

/* A bare acknowledgement between data of its flow must not be overtaken. */
static void packet_without_data_keeps_its_place_in_the_flow(void **state)
{
	struct offload_pkt pkt[N_MAX];
	struct offload_group g[N_MAX];
	size_t n = five(pkt);
	uint8_t *t = cut[1] + 20;

	pkt[1].len = 52;
	ip_set_length(cut[1], 20, 52);
	memset(t + TCP_CSUM, 0, 2);
	ip_csum_store(t + TCP_CSUM,
		(uint16_t)~ip_csum_fold(ip_csum_pseudo(cut[1], IP_PROTO_TCP, 32) + ip_csum(t, 32)));
	CHECK_INT(offload_merge(pkt, n, true, g), ==, 3);
	CHECK_INT(g[0].first, ==, 0);
	CHECK_INT(g[0].n, ==, 1);
	CHECK_INT(g[1].first, ==, 1);
	CHECK_INT(g[1].n, ==, 1);
	CHECK_INT(g[2].first, ==, 2);
	CHECK_INT(g[2].n, ==, 3);
}

static void flows_side_by_side_are_merged_each_for_itself(void **state)
{
	static uint8_t mem[10][2048];
	struct offload_pkt pkt[N_MAX], mix[10];
	struct offload_group g[N_MAX];

	for (size_t flow = 0; flow < 2; flow++) {
		size_t n = five(pkt);

		for (size_t i = 0; i < n; i++) {
			uint8_t *p = mem[2 * i + flow];

			memcpy(p, pkt[i].p, pkt[i].len);
			mix[2 * i + flow] = (struct offload_pkt){ .p = p, .len = pkt[i].len };
			store_be16(p + 22, (uint16_t)(load_be16(p + 22) +
						      flow)); /* another port, and its checksum */
			memset(p + 36, 0, 2);
			ip_csum_store(
				p + 36, (uint16_t)~ip_csum_fold(
						ip_csum_pseudo(p, IP_PROTO_TCP, pkt[i].len - 20) +
						ip_csum(p + 20, pkt[i].len - 20)));
		}
	}
	CHECK_INT(offload_merge(mix, 10, true, g), ==, 2);
	CHECK_INT(g[0].n, ==, 5);
	CHECK_INT(g[1].n, ==, 5);
}

static void udp_goes_alone_where_the_device_takes_no_super_packets(void **state)
{
	struct offload_pkt pkt[N_MAX];
	struct offload_group g[N_MAX];
	size_t n = cut_frame(make_frame(false, false, 0, 5000, 1000), pkt);

	CHECK_INT(offload_merge(pkt, n, false, g), ==, 5);
}

static void frames_that_contradict_themselves_are_refused(void **state)
{
	struct offload_split s;
	size_t len = make_frame(true, true, 12, 5000, 1000);

	CHECK_INT(offload_split_begin(&s, frame, 29), ==, -ERR_TRUNCATED);
	CHECK_INT(offload_split_begin(&s, frame, OFFLOAD_HDR_LEN + 51), ==, -ERR_TRUNCATED);
	frame[VNET_GSO_TYPE] = VNET_GSO_TCPV6;
	CHECK_INT(offload_split_begin(&s, frame, len), ==, -ERR_BAD_FORMAT);
	frame[VNET_GSO_TYPE] = 3; /* the UDP fragmentation of old */
	CHECK_INT(offload_split_begin(&s, frame, len), ==, -ERR_UNSUPPORTED);
	frame[VNET_GSO_TYPE] = VNET_GSO_TCPV4;
	memset(frame + VNET_GSO_SIZE, 0, 2);
	CHECK_INT(offload_split_begin(&s, frame, len), ==, -ERR_BAD_FORMAT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fast_checksum_agrees_with_the_plain_one),
		cmocka_unit_test(what_is_cut_has_right_checksums_and_merges_back_to_the_same),
		cmocka_unit_test(checksum_left_to_us_is_completed),
		cmocka_unit_test(damaged_packet_goes_alone),
		cmocka_unit_test(damaged_first_packet_lends_its_headers_to_nobody),
		cmocka_unit_test(gap_ends_a_group),
		cmocka_unit_test(packet_without_data_keeps_its_place_in_the_flow),
		cmocka_unit_test(flows_side_by_side_are_merged_each_for_itself),
		cmocka_unit_test(udp_goes_alone_where_the_device_takes_no_super_packets),
		cmocka_unit_test(frames_that_contradict_themselves_are_refused),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
