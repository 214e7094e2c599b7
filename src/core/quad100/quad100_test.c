#include "core/quad100/quad100.h"
#include "proto/ip/ip.h"
#include "testlib/check.h"

/* Packets made by a program of its own (struct and the RFCs), not by the code under test. */
static const char question4[] =
	"45000034123440004011fb7b644000016464646415b30035002030a3abcd01000001000000000000"
	"016104746573740000010001";
static const char question6[] =
	"6000000000201140fd7a115ca1e000000000000000000001fd7a115ca1e000000000000000000053"
	"15b300350020fbe9abcd01000001000000000000016104746573740000010001";
static const char answer4[] =
	"450000340000400040110db06464646464400001003515b3002030a3abcd01000001000000000000"
	"016104746573740000010001";
static const char answer6[] =
	"6000000000201140fd7a115ca1e000000000000000000053fd7a115ca1e000000000000000000001"
	"003515b30020fbe9abcd01000001000000000000016104746573740000010001";
static const char syn4[] =
	"4500002c123440004006fb8e644000016464646415b30035000003e8000000006002faf0565c0000"
	"020405b4";
static const char syn4_turned[] =
	"4500002c123440004006fb8e646464646440000115b39c40000003e8000000006002faf0ba500000"
	"020405b4";
static const char synack4[] =
	"4500002c123440004006fb8e64400001646464649c4015b300001b58000003e96012faf09ee70000"
	"020405b4";
static const char synack4_turned[] =
	"4500002c123440004006fb8e6464646464400001003515b300001b58000003e96012faf03af30000"
	"020405b4";
static const char data6[] =
	"60000000002e0640fd7a115ca1e000000000000000000001fd7a115ca1e000000000000000000053"
	"15b30035000003e900001b595018faf091a300000018abcd01000001000000000000016104746573"
	"740000010001";
static const char data6_turned[] =
	"60000000002e0640fd7a115ca1e000000000000000000053fd7a115ca1e000000000000000000001"
	"15b39c41000003e900001b595018faf0f59600000018abcd01000001000000000000016104746573"
	"740000010001";
static const char syn_80[] =
	"4500002c123440004006fb8e644000016464646415b30050000003e8000000006002faf056410000"
	"020405b4";
static const char syn_80_reset[] =
	"450000280000000040064dc76464646464400001005015b300000000000003e95014000068db0000";
static const char ack_80[] =
	"45000028123440004006fb92644000016464646415b30050000003e8000010925010faf05d5d0000";
static const char ack_80_reset[] =
	"450000280000000040064dc76464646464400001005015b30000109200000000500400005c420000";
static const char rst_80[] =
	"45000028123440004006fb92644000016464646415b30050000003e8000000005004faf06dfb0000";
static const char ntp6[] =
	"60000000000d1140fd7a115ca1e000000000000000000001fd7a115ca1e000000000000000000053"
	"15b3007b000d671474696d653f";
static const char ntp6_refused[] =
	"60000000003d3a40fd7a115ca1e000000000000000000053fd7a115ca1e000000000000000000001"
	"01042b920000000060000000000d1140fd7a115ca1e000000000000000000001fd7a115ca1e00000"
	"000000000000005315b3007b000d671474696d653f";
static const char ntp4[] = "45000021123440004011fb8e644000016464646415b3007b000d9bcd74696d653f";
static const char ntp4_refused[] =
	"4500003d0000000040014db7646464646440000103032a250000000045000021123440004011fb8e"
	"644000016464646415b3007b000d9bcd74696d653f";
static const char echo4[] = "45000020123440004001fb9f64400001646464640800192c0001000270696e67";
static const char echo4_reply[] =
	"45000020123440004001fb9f64646464644000010000212c0001000270696e67";
static const char echo6[] =
	"60000000000c3a40fd7a115ca1e000000000000000000001fd7a115ca1e000000000000000000053"
	"80003f220001000270696e67";
static const char echo6_reply[] =
	"60000000000c3a40fd7a115ca1e000000000000000000053fd7a115ca1e000000000000000000001"
	"81003e220001000270696e67";
static const char fragment4[] =
	"450000341234200040111b7c644000016464646415b30035002030a3abcd01000001000000000000"
	"016104746573740000010001";
static const char from_service[] =
	"4500003412344000401196f46464646464646464003500350020e199abcd01000001000000000000"
	"016104746573740000010001";

static const struct ipport listener4 = { { 4, { 100, 64, 0, 1 } }, 40000 };

static struct ipport listener6(void)
{
	struct ipport at = { .port = 40001 };

	CHECK_INT(ipaddr_parse("fd7a:115c:a1e0::1", 17, &at.ip), ==, 0);
	return at;
}

static size_t unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t n = strlen(hex) / 2;

	CHECK_INT(n, <=, max);
	for (size_t i = 0; i < n; i++)
		CHECK_INT(sscanf(hex + 2 * i, "%2hhx", &out[i]), ==, 1);
	return n;
}

static struct quad100 *fresh(bool listeners)
{
	struct quad100 *q;

	CHECK_INT(quad100_new(&q), ==, 0);
	if (listeners) {
		quad100_set_tcp_dns(q, 4, listener4);
		quad100_set_tcp_dns(q, 6, listener6());
	}
	return q;
}

/* One packet; what comes of it, if anything, is returned. */
static const struct pkt *give(struct quad100 *q, const char *hex)
{
	static uint8_t p[2048];
	struct pkt in = { p, unhex(hex, p, sizeof(p)) }, *out;

	quad100_in(q, &in, 1);
	return quad100_next_packets(q, &out) ? out : NULL;
}

static void is(const struct pkt *p, const char *hex)
{
	uint8_t want[2048];
	size_t n = unhex(hex, want, sizeof(want));

	CHECK_TRUE(p);
	CHECK_INT(p->len, ==, n);
	CHECK_MEM(p->p, want, n);
}

static void questions_are_taken_out_and_answers_are_packets(void **state)
{
	static const struct {
		const char *question, *answer;
	} rows[] = { { question4, answer4 }, { question6, answer6 } };
	struct quad100 *q = fresh(true);
	struct quad100_question ask;
	struct pkt *out;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_TRUE(!give(q, rows[i].question));
		CHECK_TRUE(quad100_next_question(q, &ask));
		CHECK_TRUE(!quad100_next_question(q, &(struct quad100_question){ 0 }));
		CHECK_INT(ask.client.port, ==, 5555);
		CHECK_INT(ask.msg.len, ==, 24);
		quad100_answer(q, ask.service, ask.client, ask.msg);
		CHECK_INT(quad100_next_packets(q, &out), ==, 1);
		is(out, rows[i].answer);
		CHECK_INT(quad100_next_packets(q, &out), ==, 0);
	}
	CHECK_INT(quad100_counters(q)->udp_questions, ==, 2);
	CHECK_INT(quad100_counters(q)->udp_answers, ==, 2);
	quad100_free(q);
}

static void answers_have_a_bound(void **state)
{
	static uint8_t big[QUAD100_ANSWER_MAX + 1];
	struct quad100 *q = fresh(false);
	struct ipport to = listener6();
	struct pkt *out;
	size_t n = 0;

	quad100_answer(q, to.ip, to, view_of(big, sizeof(big)));
	quad100_answer(q, listener4.ip, to, view_of(big, 12)); /* of two families */
	CHECK_INT(quad100_counters(q)->no_room, ==, 2);
	CHECK_INT(quad100_next_packets(q, &out), ==, 0);
	for (; !quad100_is_full(q); n++)
		quad100_answer(q, to.ip, to, view_of(big, sizeof(big) - 1));
	CHECK_INT(n, ==, 16);
	quad100_answer(q, to.ip, to, view_of(big, 12));
	CHECK_INT(quad100_counters(q)->no_room, ==, 3);
	CHECK_INT(quad100_next_packets(q, &out), ==, 16);
	CHECK_INT(out[15].len, ==, IP6_LEN + UDP_LEN + QUAD100_ANSWER_MAX);
	for (n = 0; !quad100_is_full(q) || !n; n++) /* taken: there is room again */
		quad100_answer(q, to.ip, to, view_of(big, 12));
	CHECK_INT(n, ==, PKT_BATCH_MAX);
	quad100_free(q);
}

static void tcp_is_turned_round(void **state)
{
	struct quad100 *q = fresh(true);

	is(give(q, syn4), syn4_turned);
	is(give(q, synack4), synack4_turned);
	is(give(q, data6), data6_turned);
	CHECK_INT(quad100_counters(q)->tcp_segments, ==, 3);
	quad100_free(q);
}

static bool is_reset(const struct pkt *p)
{
	return p && p->len == IP4_LEN + TCP_LEN && p->p[IP4_LEN + 13] == (TCP_RST | TCP_ACK);
}

static void without_a_listener_tcp_is_refused(void **state)
{
	struct quad100 *q = fresh(false);

	CHECK_TRUE(is_reset(give(q, syn4)));
	/* From another address of this machine than the listener's it cannot be turned round. */
	quad100_set_tcp_dns(q, 4, (struct ipport){ ipaddr_v4(100, 64, 0, 2), 40000 });
	CHECK_TRUE(is_reset(give(q, syn4)));
	CHECK_INT(quad100_counters(q)->refused, ==, 2);
	CHECK_INT(quad100_counters(q)->tcp_segments, ==, 0);
	quad100_free(q);
}

static void other_ports_are_refused(void **state)
{
	struct quad100 *q = fresh(true);

	is(give(q, syn_80), syn_80_reset);
	is(give(q, ack_80), ack_80_reset);
	is(give(q, ntp4), ntp4_refused);
	is(give(q, ntp6), ntp6_refused);
	CHECK_TRUE(!give(q, rst_80));
	CHECK_INT(quad100_counters(q)->refused, ==, 4);
	quad100_free(q);
}

static void refusals_of_one_batch_have_a_bound(void **state)
{
	static uint8_t mem[QUAD100_REFUSALS_MAX + 1][64];
	struct pkt in[QUAD100_REFUSALS_MAX + 1], *out;
	struct quad100 *q = fresh(true);

	for (size_t i = 0; i < ARRAY_LEN(in); i++)
		in[i] = (struct pkt){ mem[i], unhex(syn_80, mem[i], sizeof(mem[i])) };
	quad100_in(q, in, ARRAY_LEN(in));
	CHECK_INT(quad100_next_packets(q, &out), ==, QUAD100_REFUSALS_MAX);
	CHECK_INT(quad100_counters(q)->unrefused, ==, 1);
	quad100_free(q);
}

static void echoes_are_answered(void **state)
{
	struct quad100 *q = fresh(false);

	is(give(q, echo4), echo4_reply);
	is(give(q, echo6), echo6_reply);
	CHECK_INT(quad100_counters(q)->echoes, ==, 2);
	quad100_free(q);
}

static void give_changed(struct quad100 *q, size_t at, int longer)
{
	uint8_t p[2048];
	size_t n = unhex(question4, p, sizeof(p));
	struct pkt in = { p, (size_t)((int)n + longer) }, *out;
	struct quad100_question ask;

	p[at < n ? at : n - 1] ^= longer ? 0 : 1;
	quad100_in(q, &in, 1);
	CHECK_INT(quad100_next_packets(q, &out), ==, 0);
	CHECK_TRUE(!quad100_next_question(q, &ask));
}

static void what_is_no_whole_packet_is_dropped(void **state)
{
	struct quad100 *q = fresh(true);

	CHECK_TRUE(!give(q, fragment4));
	give_changed(q, 8, 0);        /* one bit of the IP header */
	give_changed(q, SIZE_MAX, 0); /* one of the question */
	give_changed(q, 0, -1);       /* shorter, and longer, than it says */
	give_changed(q, 0, 1);
	CHECK_INT(quad100_counters(q)->unreadable, ==, 5);
	CHECK_TRUE(!give(q, from_service));
	CHECK_TRUE(!give(q, answer4)); /* for another address */
	CHECK_INT(quad100_counters(q)->ignored, ==, 2);
	quad100_free(q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(questions_are_taken_out_and_answers_are_packets),
		cmocka_unit_test(answers_have_a_bound),
		cmocka_unit_test(tcp_is_turned_round),
		cmocka_unit_test(without_a_listener_tcp_is_refused),
		cmocka_unit_test(other_ports_are_refused),
		cmocka_unit_test(refusals_of_one_batch_have_a_bound),
		cmocka_unit_test(echoes_are_answered),
		cmocka_unit_test(what_is_no_whole_packet_is_dropped),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
