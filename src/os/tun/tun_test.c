/*
 * One TUN device in a network namespace of the test's own, and a mirror behind it:
 *
 *	client 10.9.0.1 ---> 10.9.0.2 --> TUN --> source and destination change places --> TUN --> server 10.9.0.1
 *
 * so that one kernel's TCP talks to itself through us, in super-packets both ways.
 */
#include "os/tun/tun.h"
#include "testlib/check.h"
#include "testlib/netns.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BYTES = 8 << 20, PORT = 7000 };

static struct loop *loop;
static struct tun *tun;
static bool can;
static int gone;

static void swap(uint8_t *a, uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t t = a[i];

		a[i] = b[i];
		b[i] = t;
	}
}

static void on_packets(void *ctx, struct pkt *pkt, size_t n)
{
	CHECK_INT(n, <=, PKT_BATCH_MAX);
	for (size_t i = 0; i < n; i++) {
		uint8_t *p = pkt[i].p;

		if (i > 0)
			CHECK_TRUE(p >= pkt[i - 1].p + pkt[i - 1].len + PKT_HEADROOM);
		if (p[0] >> 4 == 4)
			swap(p + 12, p + 16, 4);
		else
			swap(p + 8, p + 24, 16);
	}
	tun_write(tun, pkt, n);
}

static void on_gone(void *ctx, int rc)
{
	gone = rc;
	loop_stop(loop);
}

static void on_child_end(void *ctx, int events)
{
	loop_stop(loop);
}

static void on_timeout(void *ctx)
{
	loop_stop(loop);
}

static void run(int fd)
{
	struct loop_watch *w = NULL;
	struct loop_timer *t;

	if (fd >= 0) {
		CHECK_INT(loop_watch_new(loop, fd, on_child_end, NULL, &w), ==, 0);
		loop_watch_set(w, LOOP_READ);
	}
	CHECK_INT(loop_timer_new(loop, on_timeout, NULL, &t), ==, 0);
	loop_timer_set(t, loop_now(loop).mono + SEC(20));
	loop_run(loop);
	loop_watch_free(w);
	loop_timer_free(t);
}

static void open_tun(bool no_offload)
{
	struct tun_cfg cfg = { .name = "wtest0",
		.mtu = 1280,
		.no_offload = no_offload,
		.on_packets = on_packets,
		.on_gone = on_gone };

	gone = 0;
	CHECK_INT(tun_open(&tun, loop, &cfg), ==, 0);
	CHECK_STR(tun_name(tun), "wtest0");
	CHECK_STR(netns_run("ip -o link show dev wtest0 | sed 's/.* mtu \\([0-9]*\\) .*/\\1/'"),
		"1280\n");
	netns_run(
		"ip addr add 10.9.0.1/24 dev wtest0; ip addr add fd09::1/64 dev wtest0 nodad; ip link set wtest0 up");
}

static socklen_t address(int family, int last, struct sockaddr_storage *ret)
{
	struct sockaddr_in *a4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *a6 = (struct sockaddr_in6 *)ret;
	char text[32];

	memset(ret, 0, sizeof(*ret));
	snprintf(text, sizeof(text), family == AF_INET ? "10.9.0.%d" : "fd09::%d", last);
	ret->ss_family = (sa_family_t)family;
	a4->sin_port = htons(PORT); /* the same place in both */
	inet_pton(family, text, family == AF_INET ? (void *)&a4->sin_addr : (void *)&a6->sin6_addr);
	return family == AF_INET ? sizeof(*a4) : sizeof(*a6);
}

static uint8_t byte_at(size_t i)
{
	return (uint8_t)(i * 131 + (i >> 8) * 17 + (i >> 16));
}

static void client(int family)
{
	static uint8_t out[BYTES];
	struct sockaddr_storage a;
	socklen_t len = address(family, 2, &a);
	int fd = socket(family, SOCK_STREAM, 0);
	size_t at = 0;
	ssize_t n;

	for (size_t i = 0; i < BYTES; i++)
		out[i] = byte_at(i);
	if (connect(fd, (struct sockaddr *)&a, len) < 0)
		_exit(2);
	while (at < BYTES && (n = send(fd, out + at, BYTES - at, MSG_NOSIGNAL)) > 0)
		at += (size_t)n;
	_exit(at != BYTES);
}

/* 0: everything arrived unchanged. */
static int serve(int listener)
{
	static uint8_t in[65536];
	int fd = accept(listener, NULL, NULL);
	size_t at = 0;
	ssize_t n;

	while ((n = recv(fd, in, sizeof(in), 0)) > 0)
		for (ssize_t i = 0; i < n; i++)
			if (in[i] != byte_at(at++))
				return 3;
	return at == BYTES ? 0 : 4;
}

static void transfer(int family)
{
	struct sockaddr_storage a;
	socklen_t len = address(family, 1, &a);
	int listener = socket(family, SOCK_STREAM, 0), ends[2], status = -1;
	const int on = 1;
	pid_t server, sender;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	CHECK_INT(bind(listener, (struct sockaddr *)&a, len), ==, 0);
	CHECK_INT(listen(listener, 1), ==, 0);
	CHECK_INT(pipe(ends), ==, 0);
	server = fork();
	if (server == 0)
		_exit(serve(listener)); /* holds the pipe open until it ends */
	sender = fork();
	if (sender == 0) {
		close(ends[1]);
		client(family);
	}
	close(ends[1]);
	run(ends[0]);
	kill(server, SIGKILL); /* when it did not end by itself; then the status says so */
	CHECK_INT(waitpid(server, &status, 0), ==, server);
	CHECK_INT(status, ==, 0);
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	close(ends[0]);
	close(listener);
}

#define NEEDS_NETNS() \
	do { \
		if (!can) \
			skip(); \
	} while (0)

static void tcp_passes_in_super_packets(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	NEEDS_NETNS();
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct tun_counters *c;

		CHECK_ROW("family %zu", i);
		open_tun(false);
		transfer(families[i]);
		c = tun_counters(tun);
		CHECK_INT(c->in_bad, ==, 0);
		CHECK_INT(c->out_failed, ==, 0);
		CHECK_INT(c->in_packets, >, 2 * c->in_frames);
		CHECK_INT(c->out_packets, >, 2 * c->out_frames);
		tun = tun_close(tun);
		CHECK_TRUE(!netns_has_if("wtest0"));
	}
}

static void tcp_passes_packet_by_packet(void **state)
{
	const struct tun_counters *c;

	NEEDS_NETNS();
	CHECK_ROW("%s", "");
	open_tun(true);
	transfer(AF_INET);
	c = tun_counters(tun);
	CHECK_INT(c->in_packets, ==, c->in_frames);
	CHECK_INT(c->out_packets, ==, c->out_frames);
	tun = tun_close(tun);
}

static void deleted_interface_is_told_once(void **state)
{
	NEEDS_NETNS();
	open_tun(false);
	netns_run("ip link del wtest0");
	run(-1);
	CHECK_TRUE(gone < 0);
	tun = tun_close(tun);
}

static void bad_names_and_sizes_are_refused(void **state)
{
	struct tun_cfg cfg = { .name = "a-name-that-is-too-long",
		.mtu = 1280,
		.on_packets = on_packets,
		.on_gone = on_gone };
	struct tun *t;

	NEEDS_NETNS();
	CHECK_INT(tun_open(&t, loop, &cfg), ==, -EINVAL);
	cfg.name = "wtest1";
	cfg.mtu = 100;
	CHECK_INT(tun_open(&t, loop, &cfg), ==, -EINVAL);
	CHECK_TRUE(!netns_has_if("wtest1"));
	open_tun(false);
	cfg.name = "wtest0";
	cfg.mtu = 1280;
	CHECK_INT(tun_open(&t, loop, &cfg), ==, -EBUSY);
	tun = tun_close(tun);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_passes_in_super_packets),
		cmocka_unit_test(tcp_passes_packet_by_packet),
		cmocka_unit_test(deleted_interface_is_told_once),
		cmocka_unit_test(bad_names_and_sizes_are_refused),
	};
	int rc;

	can = netns_enter();
	if (can && access("/dev/net/tun", R_OK | W_OK) < 0) {
		printf("# skipped: no access to /dev/net/tun\n");
		can = false;
	}
	CHECK_INT(loop_new(&loop), ==, 0);
	cmocka_set_message_output(CM_OUTPUT_TAP);
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	loop = loop_free(loop);
	return rc;
}
