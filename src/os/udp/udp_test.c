/* Two ports of one host, in a network namespace of the test's own. */
#include "os/udp/internal.h"
#include "testlib/check.h"
#include "testlib/netns.h"

#include <errno.h>
#include <unistd.h>

enum { SIZE = 1312, N = 500, TAIL = 77 };

struct end {
	struct udp *udp;
	size_t n, bytes;
	size_t want; /* datagrams after which the loop stops */
	struct ipport from;
	bool in_order, right_size;
};

static struct loop *loop;
static bool can;

static void on_datagrams(void *ctx, struct magicsock_datagram *d, size_t n)
{
	struct end *e = ctx;

	CHECK_INT(n, <=, UDP_BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		size_t no = d[i].p[0] | d[i].p[1] << 8;

		e->in_order = e->in_order && no == e->n;
		e->right_size = e->right_size && d[i].len == (no == N - 1 ? TAIL : SIZE) &&
				d[i].p[d[i].len - 1] == (uint8_t)no;
		e->n++;
		e->bytes += d[i].len;
		e->from = d[i].from;
	}
	if (e->n >= e->want)
		loop_stop(loop);
}

static void on_timeout(void *ctx)
{
	loop_stop(loop);
}

/* Until `want` datagrams arrived, or five seconds passed. */
static void run(void)
{
	struct loop_timer *t;

	CHECK_INT(loop_timer_new(loop, on_timeout, NULL, &t), ==, 0);
	loop_timer_set(t, loop_now(loop).mono + SEC(5));
	loop_run(loop);
	loop_timer_free(t);
}

static void open_end(struct end *e, bool no_offload, uint16_t port)
{
	struct udp_cfg cfg = {
		.port = port, .no_offload = no_offload, .on_datagrams = on_datagrams, .ctx = e
	};

	*e = (struct end){ .in_order = true, .right_size = true, .want = SIZE_MAX };
	CHECK_INT(udp_open(&e->udp, loop, &cfg), ==, 0);
}

/* N datagrams side by side, the last of them short. */
static struct pkt *packets(uint8_t *mem)
{
	static struct pkt d[N];

	for (size_t i = 0; i < N; i++) {
		d[i] = (struct pkt){ .p = mem + i * SIZE, .len = i == N - 1 ? TAIL : SIZE };
		memset(d[i].p, (int)(i & 0xff), d[i].len);
		d[i].p[1] = (uint8_t)(i >> 8);
	}
	return d;
}

static struct ipport loopback(int family, uint16_t port)
{
	static const uint8_t one[16] = { [15] = 1 };

	return (struct ipport){ family == 4 ? ipaddr_v4(127, 0, 0, 1) : ipaddr_from16(one), port };
}

static void transfer(int family, bool no_offload)
{
	uint8_t *mem = malloc((size_t)N * SIZE);
	struct end a, b;

	CHECK_ROW("IPv%d, offload %d", family, !no_offload);
	open_end(&a, no_offload, 0);
	open_end(&b, no_offload, 0);
	b.want = N;
	CHECK_INT(
		udp_send(a.udp, loopback(family, udp_port(b.udp, family)), packets(mem), N), ==, 0);
	run();
	CHECK_INT(b.n, ==, N);
	CHECK_INT(b.bytes, ==, (N - 1) * SIZE + TAIL);
	CHECK_TRUE(b.in_order && b.right_size);
	CHECK_TRUE(ipport_eq(b.from, loopback(family, udp_port(a.udp, family))));
	CHECK_INT(udp_counters(a.udp)->out, ==, N);
	CHECK_INT(udp_counters(b.udp)->in, ==, N);
	if (!no_offload && a.udp->sock[family == 6].gso)
		CHECK_INT(udp_counters(a.udp)->out_calls, <=,
			2); /* trains of 49 datagrams, 16 trains a call */
	udp_close(a.udp);
	udp_close(b.udp);
	free(mem);
	CHECK_ROW("%s", "");
}

#define NEEDS_NETNS() \
	do { \
		if (!can) \
			skip(); \
	} while (0)

static void batches_arrive_whole_and_in_order_over_both_families(void **state)
{
	NEEDS_NETNS();
	for (int no_offload = 0; no_offload < 2; no_offload++)
		for (int family = 4; family <= 6; family += 2)
			transfer(family, no_offload);
}

static void without_offload_each_datagram_is_a_call_of_its_own(void **state)
{
	uint8_t *mem = malloc((size_t)N * SIZE);
	struct end a, b;

	NEEDS_NETNS();
	open_end(&a, false, 0);
	open_end(&b, false, 0);
	for (int round = 0; round < 2; round++) {
		udp_set_offload(a.udp, round > 0, true);
		udp_set_offload(b.udp, true, round > 0);
		b.want = b.n + 16;
		CHECK_INT(
			udp_send(a.udp, loopback(4, udp_port(b.udp, 4)), packets(mem), 16), ==, 0);
		run();
		CHECK_TRUE(a.udp->sock[0].gso == (round > 0) || round);
	}
	CHECK_INT(b.n, ==, 32);
	CHECK_TRUE(b.right_size);
	udp_set_offload(a.udp, false, false);
	CHECK_INT(udp_rebind(a.udp, 0), ==, 0); /* new sockets are as the old ones */
	CHECK_TRUE(!a.udp->sock[0].gso && !a.udp->sock[1].gso);
	udp_close(a.udp);
	udp_close(b.udp);
	free(mem);
}

static void both_families_have_one_port(void **state)
{
	struct end a;

	NEEDS_NETNS();
	open_end(&a, false, 41641);
	CHECK_INT(udp_port(a.udp, 4), ==, 41641);
	CHECK_INT(udp_port(a.udp, 6), ==, 41641);
	udp_close(a.udp);
	open_end(&a, false, 0);
	CHECK_INT(udp_port(a.udp, 4), !=, 0);
	CHECK_INT(udp_port(a.udp, 4), ==, udp_port(a.udp, 6));
	udp_close(a.udp);
}

static void busy_port_gives_another_and_a_rebind_keeps_its_own(void **state)
{
	struct end a, b;
	uint16_t port;

	NEEDS_NETNS();
	open_end(&a, false, 41641);
	open_end(&b, false, 41641);
	port = udp_port(b.udp, 4);
	CHECK_TRUE(port != 0 && port != 41641);
	CHECK_INT(udp_rebind(b.udp, 41641), ==, 0);
	CHECK_INT(udp_port(b.udp, 4), ==, port);
	udp_close(a.udp);
	CHECK_INT(udp_rebind(b.udp, 41641), ==, 0);
	CHECK_INT(udp_port(b.udp, 4), ==, 41641);
	CHECK_INT(udp_port(b.udp, 6), ==, 41641);
	udp_close(b.udp);
}

static void rebound_sockets_still_receive(void **state)
{
	uint8_t *mem = malloc((size_t)N * SIZE);
	struct end a, b;

	NEEDS_NETNS();
	open_end(&a, false, 0);
	open_end(&b, false, 0);
	CHECK_INT(udp_rebind(b.udp, 0), ==, 0);
	b.want = N;
	CHECK_INT(udp_send(a.udp, loopback(4, udp_port(b.udp, 4)), packets(mem), N), ==, 0);
	run();
	CHECK_INT(b.n, ==, N);
	udp_close(a.udp);
	udp_close(b.udp);
	free(mem);
}

static void mark_is_on_the_sockets(void **state)
{
	struct udp_cfg cfg = { .mark = 0x80000, .on_datagrams = on_datagrams };
	uint32_t got = 0;
	socklen_t len = sizeof(got);
	struct udp *u;

	NEEDS_NETNS();
	CHECK_INT(udp_open(&u, loop, &cfg), ==, 0);
	for (int i = 0; i < 2; i++) {
		CHECK_INT(getsockopt(u->sock[i].fd, SOL_SOCKET, SO_MARK, &got, &len), ==, 0);
		CHECK_INT(got, ==, 0x80000);
	}
	udp_close(u);
}

static void unreachable_addresses_are_told(void **state)
{
	uint8_t byte = 0;
	struct pkt one = { &byte, 1 };
	struct ipport far = { ipaddr_v4(192, 0, 2, 1), 1 }, none = { 0 };
	struct end a;

	NEEDS_NETNS();
	open_end(&a, false, 0);
	CHECK_INT(udp_send(a.udp, far, &one, 1), ==, -ENETUNREACH);
	CHECK_INT(udp_send(a.udp, none, &one, 1), ==, -EAFNOSUPPORT);
	CHECK_INT(udp_counters(a.udp)->out_failed, ==, 2);
	udp_close(a.udp);
}

/* Trains that are longer than the path takes leave as datagrams, which IP cuts. */
static void small_mtu_takes_datagrams_one_by_one(void **state)
{
	uint8_t *mem = malloc((size_t)N * SIZE);
	struct end a, b;

	NEEDS_NETNS();
	netns_run(
		"ip link add s0 type veth peer name s1 && ip link set s0 mtu 1000 up && ip link set s1 up &&"
		" ip addr add 10.1.1.1/24 dev s0 && ip addr add 10.1.1.3/32 dev lo &&"
		" ip neigh add 10.1.1.2 lladdr 02:00:00:00:00:01 dev s0");
	open_end(&a, false, 0);
	open_end(&b, false, 0);
	CHECK_INT(udp_send(a.udp, (struct ipport){ ipaddr_v4(10, 1, 1, 2), 9 }, packets(mem), 40),
		==, 0);
	CHECK_INT(udp_counters(a.udp)->out, ==, 40);
	b.want = N;
	CHECK_INT(udp_send(a.udp, loopback(4, udp_port(b.udp, 4)), packets(mem), N), ==, 0);
	run();
	CHECK_INT(b.n, ==, N);
	CHECK_INT(udp_counters(a.udp)->out_calls, <=, 44); /* the other path still has trains */
	netns_run("ip link del s0");
	udp_close(a.udp);
	udp_close(b.udp);
	free(mem);
}

static void host_without_ipv6_has_ipv4(void **state)
{
	struct end a;

	NEEDS_NETNS();
	netns_run("ip -6 addr flush dev lo; sysctl -q -w net.ipv6.conf.all.disable_ipv6=1");
	open_end(&a, false, 41641);
	CHECK_INT(udp_port(a.udp, 4), ==, 41641);
	udp_close(a.udp);
	netns_run("sysctl -q -w net.ipv6.conf.all.disable_ipv6=0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_arrive_whole_and_in_order_over_both_families),
		cmocka_unit_test(without_offload_each_datagram_is_a_call_of_its_own),
		cmocka_unit_test(both_families_have_one_port),
		cmocka_unit_test(busy_port_gives_another_and_a_rebind_keeps_its_own),
		cmocka_unit_test(rebound_sockets_still_receive),
		cmocka_unit_test(mark_is_on_the_sockets),
		cmocka_unit_test(unreachable_addresses_are_told),
		cmocka_unit_test(small_mtu_takes_datagrams_one_by_one),
		cmocka_unit_test(host_without_ipv6_has_ipv4),
	};
	int rc;

	can = netns_enter();
	CHECK_INT(loop_new(&loop), ==, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop = loop_free(loop);
	return rc;
}
