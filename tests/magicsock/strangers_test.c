/* What strangers send. */
#include "tests/magicsock/rig.h"

#include "base/err/err.h"
#include "proto/disco/disco.h"

#include <errno.h>

static const struct vnat_kind *const none = NULL;

static void in(struct node *n, const uint8_t *p, size_t len, struct ipport from)
{
	uint8_t mem[2048];
	struct magicsock_datagram d = { .p = mem, .len = len, .from = from };

	memcpy(mem, p, len);
	magicsock_udp_in(n->magicsock, &d, 1, rig_now(n->w));
	node_after(n);
}

static void strange_datagrams_are_counted_and_harmless(void **state)
{
	const struct magicsock_counters *c;
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 1 };
	uint8_t p[200] = { 0 };
	struct rig w;
	struct node *a, *b;
	size_t sent;

	rig_direct_pair(&w, none, none, &a, &b);
	c = magicsock_counters(a->magicsock);
	sent = a->udp_sent;
	memcpy(p, disco_magic, DISCO_MAGIC_LEN);
	in(a, p, sizeof(p), from); /* of nobody we know */
	CHECK_INT(c->disco_unknown, ==, 1);
	CHECK_INT(key_public(b->disco.b, p + DISCO_MAGIC_LEN), ==, 0);
	in(a, p, sizeof(p), from); /* the box is not the peer's */
	CHECK_INT(c->disco_bad, ==, 1);
	in(a, p, DISCO_MIN_LEN, from);
	memcpy(p, (uint8_t[]){ 1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42 }, 8);
	in(a, p, 44, from);
	CHECK_INT(c->stun_unknown, ==, 1);
	for (size_t len = 0; len < sizeof(p); len++) {
		memset(p, (int)len, sizeof(p));
		p[0] = (uint8_t)(len % 6);
		p[1] = p[2] = p[3] = 0;
		in(a, p, len, from);
	}
	CHECK_INT(a->udp_sent, ==, sent);
	node_series(a, b, MSEC(100), SEC(1));
	CHECK_INT(node_lost(a), ==, 0);
	rig_close(&w);
}

/* A message of the peer's own, by UDP. */
static void in_disco(
	struct node *to, const struct node *from, const struct disco_msg *m, struct ipport source)
{
	uint8_t out[DISCO_OVERHEAD + DISCO_MESSAGE_MAX];
	struct disco_pub from_pub, to_pub;
	struct box_shared k;
	int n;

	CHECK_INT(key_public(from->disco.b, from_pub.b), ==, 0);
	CHECK_INT(key_public(to->disco.b, to_pub.b), ==, 0);
	CHECK_INT(box_precompute(&k, from->disco.b, to_pub.b), ==, 0);
	n = disco_seal(&k, &from_pub, &to->rng.rng, m, out, sizeof(out));
	CHECK_INT(n, >, 0);
	in(to, out, (size_t)n, source);
}

static void messages_of_peer_relays_and_calls_by_udp_are_ignored(void **state)
{
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 1 };
	const struct magicsock_counters *c;
	struct rig w;
	struct node *a, *b;
	size_t sent;

	rig_direct_pair(&w, none, none, &a, &b);
	c = magicsock_counters(a->magicsock);
	sent = a->udp_sent;
	for (int type = DISCO_CALL_ME_MAYBE; type <= DISCO_ALLOCATE_RESPONSE; type++) {
		struct disco_msg m = {
			.type = (enum disco_type)type, .endpoint = { from }, .n_endpoints = 1
		};

		CHECK_ROW("type %d", type);
		in_disco(a, b, &m, from);
		CHECK_INT(c->disco_ignored, ==, (uint64_t)(type - DISCO_CALL_ME_MAYBE) + 1);
	}
	CHECK_INT(a->udp_sent, ==, sent);
	rig_close(&w);
}

static void ping_from_anywhere_is_answered_there(void **state)
{
	struct ipport from = { ipaddr_v4(198, 51, 100, 9), 4242 };
	struct disco_msg m = { .type = DISCO_PING, .txid = { 1, 2, 3 } }, pong;
	struct magicsock_peer_status before, after;
	struct disco_pub a_pub;
	struct box_shared k;
	struct rig w;
	struct node *a, *b;

	rig_direct_pair(&w, none, none, &a, &b);
	CHECK_INT(magicsock_peer_status(a->magicsock, b->n, rig_now(&w), &before), ==, 0);
	in_disco(a, b, &m, from);
	CHECK_INT(key_public(a->disco.b, a_pub.b), ==, 0);
	CHECK_INT(box_precompute(&k, b->disco.b, a_pub.b), ==, 0);
	CHECK_INT(disco_open(&k, a->last_disco, a->last_disco_len, &pong), ==, 0);
	CHECK_INT(pong.type, ==, DISCO_PONG);
	CHECK_MEM(pong.txid, m.txid, DISCO_TXID_LEN);
	CHECK_TRUE(ipport_eq(pong.src, from));
	CHECK_INT(magicsock_peer_status(a->magicsock, b->n, rig_now(&w), &after), ==, 0);
	CHECK_INT(after.n_candidates, ==, before.n_candidates + 1);
	CHECK_TRUE(ipport_eq(after.route.addr, before.route.addr)); /* a ping moves no path */
	rig_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strange_datagrams_are_counted_and_harmless),
		cmocka_unit_test(messages_of_peer_relays_and_calls_by_udp_are_ignored),
		cmocka_unit_test(ping_from_anywhere_is_answered_there),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
