/* Two devices, short of memory: a handshake that fails for it is made by the timer, and packets flow. */
#include "core/wg/wg.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

enum { WIRE_MAX = 64 };

struct side {
	struct rng_seeded rng;
	struct wg_device *dev;
	struct wg_peer *peer;
	uint8_t wire[WIRE_MAX][256]; /* what it sent */
	size_t wire_len[WIRE_MAX], n_wire, n_packets;
};

static struct side a, b;
static struct now now;

static void take(struct side *s)
{
	struct wg_out o;

	while (wg_next(s->dev, &o)) {
		s->n_packets += o.kind == WG_OUT_PACKETS ? o.n : 0;
		for (size_t i = 0; o.kind == WG_OUT_DATAGRAMS && i < o.n && s->n_wire < WIRE_MAX;
			i++) {
			memcpy(s->wire[s->n_wire], o.pkt[i].p, o.pkt[i].len);
			s->wire_len[s->n_wire++] = o.pkt[i].len;
		}
	}
}

static int side_open(struct side *s, uint8_t private)
{
	struct wg_cfg cfg = {
		.private = { { private, [31] = 64 } }, .mtu = 1280, .rng = &s->rng.rng
	};

	*s = (struct side){ 0 };
	rng_seeded_init(&s->rng, private);
	return wg_new(&s->dev, &cfg);
}

static int side_know(struct side *s, const struct side *other, uint8_t host)
{
	struct ipprefix its = { .ip = ipaddr_v4(10, 0, 0, host), .bits = 32 };
	int rc = wg_peer_add(s->dev, wg_public(other->dev), &s->peer);

	return rc < 0 ? rc : wg_peer_allow(s->dev, s->peer, its);
}

static void deliver(struct side *from, struct side *to)
{
	size_t n = from->n_wire;

	from->n_wire = 0;
	for (size_t i = 0; i < n; i++) {
		struct wg_datagram dg = { .p = from->wire[i],
			.len = from->wire_len[i],
			.source = { .len = 6, .b = { 1 } } };

		wg_receive(to->dev, &dg, 1, now);
		take(to);
	}
}

static void run(mono_ns d)
{
	for (mono_ns end = now.mono + d; now.mono < end; now.mono += MSEC(500)) {
		now.wall += 500;
		wg_tick(a.dev, now);
		take(&a);
		wg_tick(b.dev, now);
		take(&b);
		for (int i = 0; i < 4; i++) {
			deliver(&a, &b);
			deliver(&b, &a);
		}
	}
}

static void send_one(void)
{
	uint8_t mem[PKT_ROOM(20)] = { 0 };
	static const uint8_t head[20] = { 0x45, 0, 0, 20, [8] = 64, [12] = 10, 0, 0, 1, 10, 0, 0,
		2 };
	struct pkt pkt = pkt_in(mem, sizeof(head));

	memcpy(pkt.p, head, sizeof(head));
	wg_send(a.dev, a.peer, &pkt, 1, now);
	take(&a);
}

static int open_both(void)
{
	int rc = side_open(&a, 8);

	rc = rc < 0 ? rc : side_open(&b, 16);
	rc = rc < 0 ? rc : side_know(&a, &b, 2);
	return rc < 0 ? rc : side_know(&b, &a, 1);
}

static void live_through(void)
{
	wg_peer_set_keepalive(a.dev, a.peer, 25, now.mono);
	send_one();
	run(SEC(2));
	wg_retry_handshake(a.dev, a.peer, now);
	wg_renew(a.dev, a.peer, now);
	run(SEC(2));
	send_one();
	run(SEC(8));
}

static void short_of_memory_a_session_comes_all_the_same(void **state)
{
	bool more = true;

	for (size_t n = 1; more; n++) {
		int rc;

		CHECK_ROW("allocation %zu", n);
		a.dev = b.dev = NULL;
		now = (struct now){ .mono = SEC(1000), .wall = 1800000000000 };
		memory_refuse(n);
		rc = open_both();
		if (rc == 0)
			live_through();
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (rc == 0) {
			b.n_packets = 0;
			send_one();
			run(SEC(20));
			CHECK_INT(b.n_packets, ==, 1);
		}
		wg_free(a.dev);
		wg_free(b.dev);
		CHECK_TRUE(more || n > 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_a_session_comes_all_the_same),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
