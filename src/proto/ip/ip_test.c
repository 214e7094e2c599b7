#include "proto/ip/csum.h"
#include "proto/ip/ip.h"
#include "base/err/err.h"
#include "testlib/vectors.h"

static struct ipaddr addr(const char *s)
{
	struct ipaddr a;

	CHECK_INT(ipaddr_parse(s, strlen(s), &a), ==, 0);
	return a;
}

/* The addresses of a packet as the file writes them: a mapped one stays IPv6. */
static void check_addr(
	const json_t *parsed, const char *key, const struct ip_pkt *p, const uint8_t *at)
{
	const json_t *text = json_object_get(parsed, key);
	struct ipaddr a;
	uint8_t want[16];

	if (!text)
		return;
	a = addr(json_string_value(text));
	ipaddr_to16(a, want);
	if (p->version == 4)
		CHECK_MEM(at, want + 12, 4);
	else
		CHECK_MEM(at, want, 16);
}

static long long field(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key)); /* absent: 0 */
}

static void check_parsed(const json_t *c)
{
	const json_t *parsed = json_object_get(c, "parsed");
	struct ip_pkt p;
	size_t len;
	uint8_t *pkt = vec_hex(c, "packet", &len);

	CHECK_TRUE(parsed);
	ip_decode(pkt, len, &p);
	CHECK_INT(p.version, ==, field(parsed, "version"));
	CHECK_INT(p.proto, ==, field(parsed, "proto"));
	CHECK_INT(p.sport, ==, field(parsed, "sport"));
	CHECK_INT(p.dport, ==, field(parsed, "dport"));
	CHECK_INT(p.tcp_flags, ==, field(parsed, "tcp_flags"));
	if (p.version) {
		check_addr(parsed, "src", &p, p.src);
		check_addr(parsed, "dst", &p, p.dst);
	}
	free(pkt);
}

static void packets_read_as_the_original_reads_them(void **state)
{
	json_t *lines = vectors_load_lines("filter.jsonl"), *c, *step;
	size_t i, j, n = 0;

	json_array_foreach(lines, i, c)
	{
		const char *kind = vec_str(c, "kind");

		if (strcmp(kind, "case") == 0) {
			CHECK_ROW("line %zu: %s", i + 1, vec_str(c, "name"));
			check_parsed(c);
			n++;
		} else if (strcmp(kind, "sequence") == 0) {
			json_array_foreach(json_object_get(c, "steps"), j, step)
			{
				CHECK_ROW("line %zu step %zu: %s", i + 1, j, vec_str(c, "name"));
				check_parsed(step);
				n++;
			}
		}
	}
	vectors_count("filter.jsonl", "parsed", n);
	CHECK_INT(n, >, 700);
	json_decref(lines);
}

static void a_header_shorter_than_itself_is_unreadable(void **state)
{
	uint8_t b[40] = { 0x44, 0, 0, 40, 0, 0, 0, 0, 64, IP_PROTO_TCP };
	struct ip_pkt p;

	ip_decode(b, sizeof(b), &p);
	CHECK_INT(p.proto, ==, IP_PROTO_UNKNOWN);
	b[0] = 0x45;
	ip_decode(b, sizeof(b), &p);
	CHECK_INT(p.proto, ==, IP_PROTO_TCP);
}

static void echo_goes_there_and_back(void **state)
{
	static const char *const pair[][2] = { { "100.64.0.1", "100.64.0.2" },
		{ "fd7a::1", "fd7a::2" } };
	uint8_t out[100], one[100];

	for (size_t i = 0; i < ARRAY_LEN(pair); i++) {
		struct ip_echo e = { .id = 7, .seq = 9, .payload = VIEW_LIT("odd payload") }, got;
		struct ip_pkt p;
		int n = ip_echo_encode(addr(pair[i][0]), addr(pair[i][1]), &e, out, sizeof(out));

		CHECK_ROW("%s", pair[i][0]);
		CHECK_INT(n, ==, (i ? IP6_LEN : IP4_LEN) + 8 + 11);
		ip_decode(out, (size_t)n, &p);
		CHECK_TRUE(
			ip_is_echo_request(&p) && !ip_is_echo_reply(&p) && !ip_is_icmp_error(&p));
		CHECK_INT(ip_echo_decode(&p, &got), ==, 0);
		CHECK_TRUE(got.id == 7 && got.seq == 9 && !got.reply &&
			   view_eq(got.payload, e.payload));
		if (!i)
			CHECK_INT(ip_csum_fold(ip_csum(out, IP4_LEN)), ==, 0xffff);
		CHECK_INT(ip_csum_fold(ip_csum(p.body, p.body_len) +
				       (i ? ip_csum_pseudo(out, 58, p.body_len) : 0)),
			==, 0xffff);

		got.reply = true;
		n = ip_echo_encode(ip_dst(&p), ip_src(&p), &got, one, sizeof(one));
		CHECK_INT(n, >, 0);
		ip_decode(one, (size_t)n, &p);
		CHECK_TRUE(ip_is_echo_reply(&p) && ipaddr_eq(ip_src(&p), addr(pair[i][1])));
	}
}

static void echo_refuses_what_does_not_fit(void **state)
{
	struct ip_echo e = { .payload = VIEW_LIT("payload") };
	uint8_t out[IP4_LEN + 8 + 6];

	CHECK_INT(ip_echo_encode(addr("1.2.3.4"), addr("fd7a::1"), &e, out, sizeof(out)), ==,
		-ERR_BAD_VALUE);
	CHECK_INT(ip_echo_encode(addr("1.2.3.4"), addr("1.2.3.5"), &e, out, sizeof(out)), ==,
		-ERR_TOO_BIG);
}

/* One TSMP packet in both directions. */
static void check_tsmp(const char *hex, const char *src, const char *dst, const struct tsmp *want)
{
	uint8_t out[TSMP_PACKET_MAX];
	size_t len;
	uint8_t *pkt = hex_bytes(hex, &len);
	struct ip_pkt p;
	struct tsmp got;

	CHECK_ROW("%s", hex);
	ip_decode(pkt, len, &p);
	CHECK_INT(tsmp_decode(&p, &got), ==, 0);
	CHECK_MEM(&got, want, sizeof(got));
	CHECK_TRUE(ipaddr_eq(ip_src(&p), addr(src)) && ipaddr_eq(ip_dst(&p), addr(dst)));
	CHECK_INT(tsmp_encode(addr(src), addr(dst), want, out), ==, len);
	CHECK_MEM(out, pkt, len);
	free(pkt);
}

static void tsmp_agrees_with_known_packets(void **state)
{
	struct tsmp ad = { .type = TSMP_DISCO_KEY };
	struct tsmp ping = { .type = TSMP_PING, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } };
	struct tsmp reject = { .type = TSMP_REJECT,
		.proto = IP_PROTO_TCP,
		.reason = TSMP_REASON_ACL,
		.sport = 40000,
		.dport = 22 };

	memset(ad.disco_key, 0x61, sizeof(ad.disco_key));
	check_tsmp(
		"45000035000000004063705d0102030404030201616161616161616161616161616161616161616161616161616161616161"
		"616161",
		"1.2.3.4", "4.3.2.1", &ad);
	check_tsmp(
		"600000000021634020010db800000000000000000000000120010db80000000000000000000000026161616161616161616161"
		"61616161616161616161616161616161616161616161",
		"2001:db8::1", "2001:db8::2", &ad);
	check_tsmp("4500001d000000004063b1fb6440000164400002700102030405060708", "100.64.0.1",
		"100.64.0.2", &ping);
	check_tsmp("4500001b000000004063b1fd64400002644000012106419c400016", "100.64.0.2",
		"100.64.0.1", &reject);
}

static void tsmp_pong_answers_a_ping(void **state)
{
	const struct tsmp m = { .type = TSMP_PING, .data = { 1, 2, 3, 4, 5, 6, 7, 8 } };
	uint8_t out[TSMP_PACKET_MAX], ping[TSMP_PACKET_MAX];
	size_t len, want_len;
	uint8_t *in = hex_bytes("4500001d000000004063b1fb6440000164400002700102030405060708", &len),
		*want = hex_bytes("4500001fffff00004063b1f964400002644000016f0102030405060708e444",
			&want_len);
	struct ip_pkt p;
	struct tsmp got;
	int n;

	CHECK_INT(tsmp_pong_encode(in, len, 58436, out), ==, want_len);
	CHECK_MEM(out, want, want_len);
	CHECK_INT(tsmp_pong_encode(want, want_len, 1, out), ==, -ERR_BAD_TYPE);

	n = tsmp_encode(addr("fd7a::1"), addr("fd7a::2"), &m, ping);
	CHECK_INT(n, ==, IP6_LEN + 9);
	store_be32(ping, 0x60012345);
	n = tsmp_pong_encode(ping, (size_t)n, 0, out);
	CHECK_INT(n, ==, IP6_LEN + 11);
	CHECK_INT(load_be32(out), ==, 0x600edcba);
	ip_decode(out, (size_t)n, &p);
	CHECK_INT(tsmp_decode(&p, &got), ==, 0);
	CHECK_TRUE(got.type == TSMP_PONG && memcmp(got.data, m.data, 8) == 0);

	memset(ping + 8, 0, 10);
	memset(ping + 18, 0xff, 2);
	memcpy(ping + 24, ping + 8, 16);
	CHECK_INT(tsmp_pong_encode(ping, IP6_LEN + 9, 0, out), ==, -ERR_BAD_VALUE);
	free(in);
	free(want);
}

static void tsmp_flags_may_be_missing_and_old_pongs_are_short(void **state)
{
	struct tsmp m = { .type = TSMP_REJECT,
		.proto = 6,
		.reason = 'S',
		.sport = 1,
		.dport = 2,
		.maybe_broken = true },
		    got;
	uint8_t out[TSMP_PACKET_MAX];
	struct ip_pkt p;

	CHECK_INT(tsmp_encode(addr("1.1.1.1"), addr("2.2.2.2"), &m, out), ==, IP4_LEN + 8);
	ip_decode(out, IP4_LEN + 8, &p);
	CHECK_INT(tsmp_decode(&p, &got), ==, 0);
	CHECK_TRUE(got.maybe_broken && got.reason == 'S');

	p.body_len = 6;
	CHECK_INT(tsmp_decode(&p, &got), ==, -ERR_TRUNCATED);
	m = (struct tsmp){ .type = TSMP_PONG };
	CHECK_INT(tsmp_encode(addr("1.1.1.1"), addr("2.2.2.2"), &m, out), ==, IP4_LEN + 11);
	p.body_len = 9;
	CHECK_INT(tsmp_decode(&p, &got), ==, 0);
	CHECK_INT(got.peerapi_port, ==, 0);
	out[IP4_LEN] = 'x';
	CHECK_INT(tsmp_decode(&p, &got), ==, -ERR_BAD_TYPE);
}

/* Whether a transport's checksum, and that of IPv4, are those of the bytes. */
static bool is_sound(const uint8_t *p, size_t len)
{
	struct ip_pkt ip;

	ip_decode(p, len, &ip);
	if (ip.version == 4 && ip_csum_fold(ip_csum(p, IP4_LEN)) != 0xffff)
		return false;
	return ip_csum_fold(ip_csum(ip.body, ip.body_len) +
			    ip_csum_pseudo(p, ip.proto, ip.body_len)) == 0xffff;
}

static size_t make_tcp(struct ipaddr src, struct ipaddr dst, uint8_t *out)
{
	/* A reset is the one TCP segment that is built here: to a SYN from the other side. */
	uint8_t syn[IP6_LEN + TCP_LEN] = { 0 };
	size_t head = src.family == 4 ? IP4_LEN : IP6_LEN;
	struct ip_pkt p;

	syn[0] = src.family == 4 ? 0x45 : 0x60;
	syn[src.family == 4 ? 9 : 6] = IP_PROTO_TCP;
	memcpy(syn + (src.family == 4 ? 12 : 8), dst.b, src.family == 4 ? 4 : 16);
	memcpy(syn + (src.family == 4 ? 16 : 24), src.b, src.family == 4 ? 4 : 16);
	ip_set_length(syn, IP4_LEN, head + TCP_LEN);
	syn[head + 3] = 22;
	syn[head + 12] = 0x50;
	syn[head + 13] = TCP_SYN;
	ip_decode(syn, head + TCP_LEN, &p);
	return (size_t)ip_reset_encode(&p, out);
}

static void an_address_changes_with_all_checksums(void **state)
{
	static const struct {
		const char *src, *dst, *to;
	} rows[] = {
		{ "100.64.0.1", "100.64.0.2", "100.101.102.103" },
		{ "255.255.255.255", "0.0.0.0", "0.0.0.0" },
		{ "fd7a:115c:a1e0::1", "fd7a:115c:a1e0::2", "fd7a:115c:a1e0:ffff::ffff" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1", "2001:db8::7" },
	};
	uint8_t out[200], before[200];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (int source = 0; source < 2; source++)
			for (unsigned kind = 0; kind < 3; kind++) {
				struct ipaddr src = addr(rows[i].src), dst = addr(rows[i].dst),
					      to = addr(rows[i].to);
				struct ip_echo e = {
					.id = 7, .seq = 1, .payload = VIEW_LIT("abc")
				};
				struct ip_pkt p;
				int n = kind == 0   ? ip_udp_encode((struct ipport){ src, 53 },
							      (struct ipport){ dst, 54 },
							      VIEW_LIT("odd"), out, sizeof(out))
					: kind == 1 ? ip_echo_encode(src, dst, &e, out, sizeof(out))
						    : (int)make_tcp(src, dst, out);

				CHECK_ROW("%s %s source %d kind %u", rows[i].src, rows[i].to,
					source, kind);
				CHECK_INT(n, >, 0);
				CHECK_TRUE(
					(kind == 1 && src.family == 4) || is_sound(out, (size_t)n));
				ip_set_address(out, (size_t)n, source, to);
				CHECK_TRUE(
					(kind == 1 && src.family == 4) || is_sound(out, (size_t)n));
				ip_decode(out, (size_t)n, &p);
				CHECK_TRUE(ipaddr_eq(ip_src(&p), source ? to : src) &&
					   ipaddr_eq(ip_dst(&p), source ? dst : to));
			}
	/* One without a checksum stays so; a later fragment has none; another family is not touched. */
	CHECK_INT(
		ip_udp_encode((struct ipport){ addr("100.64.0.1"), 1 },
			(struct ipport){ addr("100.64.0.2"), 2 }, VIEW_LIT("x"), out, sizeof(out)),
		==, 29);
	memset(out + IP4_LEN + UDP_CSUM, 0, 2);
	ip_set_address(out, 29, true, addr("100.101.102.103"));
	CHECK_TRUE(!out[IP4_LEN + UDP_CSUM] && !out[IP4_LEN + UDP_CSUM + 1]);
	out[6] = 0;
	out[7] = 20; /* at offset 160 */
	memset(out + IP4_LEN, 0xaa, 9);
	ip_set_address(out, 29, true, addr("100.64.0.1"));
	for (size_t i = IP4_LEN; i < 29; i++)
		CHECK_INT(out[i], ==, 0xaa);
	memcpy(before, out, sizeof(out));
	ip_set_address(out, 29, true, addr("::1"));
	CHECK_MEM(out, before, 29);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_changes_with_all_checksums),
		cmocka_unit_test(packets_read_as_the_original_reads_them),
		cmocka_unit_test(a_header_shorter_than_itself_is_unreadable),
		cmocka_unit_test(echo_goes_there_and_back),
		cmocka_unit_test(echo_refuses_what_does_not_fit),
		cmocka_unit_test(tsmp_agrees_with_known_packets),
		cmocka_unit_test(tsmp_pong_answers_a_ping),
		cmocka_unit_test(tsmp_flags_may_be_missing_and_old_pongs_are_short),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
