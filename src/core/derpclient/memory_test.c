/* Two clients and their relay, short of memory: connections may be lost, are dialled again, and packets flow. */
#include "core/derpclient/derpclient.h"
#include "core/derprelay/derprelay.h"
#include "testlib/check.h"
#include "testlib/memory.h"

#include <errno.h>

struct node {
	struct derpclient *c;
	struct derpconn *conn; /* at the relay; NULL: none */
	struct node_pub key;
	bool dial, close; /* are asked for */
	size_t n_packets;
};

static struct derprelay *relay;
static struct node node[2];
static struct rng_seeded seeded;
static mono_ns now;

static void on_dial(void *owner)
{
	((struct node *)owner)->dial = true;
}

static void on_close(void *owner)
{
	((struct node *)owner)->close = true;
}

static void nothing(void *owner) {}

static void on_event(void *owner, const struct derpclient_event *e)
{
	((struct node *)owner)->n_packets += e->type == DERPCLIENT_PACKET;
}

static void lose(struct node *n)
{
	bool was = n->conn != NULL;

	n->close = false;
	if (n->conn)
		derprelay_close(n->conn);
	n->conn = NULL;
	if (was)
		derpclient_closed(n->c, -ERR_CLOSED, now);
}

static const char answer[] =
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\nConnection: Upgrade\r\n\r\n";

/* The upgrade is the program's: the relay's engine begins behind it. */
static void dial(struct node *n)
{
	int rc;

	n->dial = false;
	rc = derprelay_accept(relay, (struct ipport){ ipaddr_v4(192, 0, 2, 1), 1 }, false, n, now,
		NULL, &n->conn);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	if (rc < 0) {
		derpclient_closed(n->c, rc, now);
		return;
	}
	rc = derpclient_connected(n->c, "derp.example.com", NULL, NULL, now);
	if (rc == 0) {
		derpclient_written(n->c, derpclient_output(n->c).len);
		rc = derpclient_feed(n->c, (const uint8_t *)answer, sizeof(answer) - 1, now);
	}
	n->close |= rc < 0;
}

static bool exchange(struct node *n)
{
	static uint8_t copy[1 << 17];
	bool moved = false;
	struct view v;

	if (n->dial)
		dial(n);
	if (n->close)
		lose(n);
	if (!n->conn)
		return false;
	v = derpclient_output(n->c);
	if (v.len) {
		moved = true;
		n->close |= derprelay_feed(n->conn, v.p, v.len, now) < 0;
		derpclient_written(n->c, v.len);
	}
	v = derprelay_output(n->conn);
	if (v.len && v.len <= sizeof(copy)) {
		moved = true;
		memcpy(copy, v.p, v.len);
		derprelay_written(n->conn, v.len);
		n->close |= derpclient_feed(n->c, copy, v.len, now) < 0;
	}
	if (n->close)
		lose(n);
	return moved;
}

static void run(mono_ns d)
{
	for (mono_ns end = now + d; now < end; now += MSEC(100)) {
		for (int i = 0; i < 2; i++)
			derpclient_tick(node[i].c, now);
		derprelay_tick(relay, now);
		for (bool moved = true; moved;) {
			moved = exchange(&node[0]);
			moved |= exchange(&node[1]);
		}
	}
}

static int open_all(void)
{
	struct derprelay_cfg rcfg = { .private = { { 8, [31] = 64 } },
		.rng = &seeded.rng,
		.on_output = nothing,
		.on_close = on_close };
	int rc = derprelay_new(&relay, &rcfg);

	for (int i = 0; rc == 0 && i < 2; i++) {
		struct derpclient_cfg cfg = { .private = { { (uint8_t)(16 + 8 * i), [31] = 64 } },
			.rng = &seeded.rng,
			.owner = &node[i],
			.dial = on_dial,
			.hang_up = on_close,
			.on_output = nothing,
			.on_event = on_event };

		rc = key_public(cfg.private.b, node[i].key.b);
		rc = rc < 0 ? rc : derpclient_new(&node[i].c, &cfg);
		if (rc == 0)
			derpclient_start(node[i].c, now);
	}
	return rc;
}

static void talk(void)
{
	uint8_t pkt[1200] = { 0 };
	int rc;

	for (int i = 0; i < 40; i++) {
		rc = derpclient_send(node[0].c, &node[1].key, pkt, sizeof(pkt), now);
		CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	}
	rc = derpclient_send(node[1].c, &node[0].key, pkt, sizeof(pkt), now);
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	run(MSEC(500));
	rc = derpclient_is_ready(node[0].c) ? derpclient_ping(node[0].c, pkt) : 0;
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
	derpclient_note_preferred(node[0].c, true);
	run(MSEC(500));
}

static void close_all(void)
{
	for (int i = 0; i < 2; i++) {
		if (node[i].conn)
			derprelay_close(node[i].conn);
		derpclient_free(node[i].c);
		node[i] = (struct node){ 0 };
	}
	if (relay)
		derprelay_tick(relay, now); /* that they are gone is told to nobody */
	relay = derprelay_free(relay);
}

static void short_of_memory_packets_flow_again(void **state)
{
	bool more = true;

	for (size_t n = 1; more; n++) {
		int rc;

		CHECK_ROW("allocation %zu", n);
		now = SEC(1);
		rng_seeded_init(&seeded, 1);
		memory_refuse(n);
		rc = open_all();
		if (rc == 0) {
			run(SEC(1));
			talk();
			node[1].close = true; /* the other one is told that it is gone */
			run(SEC(1));
		}
		more = memory_allow();
		CHECK_TRUE(rc == 0 || (more && rc == -ENOMEM));
		if (rc == 0) {
			run(SEC(15));
			node[0].n_packets = node[1].n_packets = 0;
			talk();
			CHECK_INT(node[1].n_packets, >=, 30);
			CHECK_INT(node[0].n_packets, ==, 1);
		}
		close_all();
		CHECK_TRUE(more || n > 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_packets_flow_again),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
