/*
 *   applications - kernel - TUN - [ wgtun: core/offload - core/wg - UDP ] - network
 *
 * One thread. Outbound, a super-packet is cut into one buffer with room for headers and tags, sealed where it lies and
 * sent by one call; inbound, trains of datagrams are opened where they lie, merged, and written by gather. The socket for
 * the stock `wg` command is beside it.
 */
#include "uapi.h"

#include "crypto/ct/ct.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum {
	FRAME_CAP = OFFLOAD_HDR_LEN + OFFLOAD_PACKET_MAX,
	/* What one super-packet becomes, and more that follow it. */
	OUT_CAP = 4 * OFFLOAD_PACKET_MAX,
	ROUNDS = 16, /* reads of one source before the others have their turn */
	MTU_DEFAULT = 1420,
};

/* Packets to one peer, side by side in mem. */
struct outbox {
	uint8_t *mem;
	size_t used, n;
	struct wg_peer *peer;
	struct wg_packet pkt[WG_BATCH_MAX];
};

static struct wgtun w;
static struct uapi uapi;
static struct outbox outbox;
static uint8_t *frame;

void now_sample(struct now *now)
{
	struct timespec m, r;

	clock_gettime(CLOCK_BOOTTIME, &m); /* sessions age while the machine sleeps */
	clock_gettime(CLOCK_REALTIME, &r);
	now->mono = SEC(m.tv_sec) + m.tv_nsec;
	now->wall = (unix_ms)r.tv_sec * 1000 + r.tv_nsec / 1000000;
}

static void kernel_random(struct rng *r, void *out, size_t n)
{
	CHECK(getrandom(out, n, 0) == (ssize_t)n); /* whole for up to 256 bytes */
}

static void sink_to_peer(struct wg_sink *s, struct wg_peer *p, const struct wg_packet *d, size_t n)
{
	udp_send(&w.udp, wg_peer_source(p), d, n);
}

static void sink_to_source(struct wg_sink *s, const struct wg_source *to, const uint8_t *d, size_t len)
{
	struct wg_packet one = { .p = (uint8_t *)(uintptr_t)d, .len = len };

	udp_send(&w.udp, to, &one, 1);
}

static void flush_in(void)
{
	if (w.n_in)
		tun_write(&w.tun, w.in, w.n_in);
	w.n_in = 0;
}

static void sink_packets(struct wg_sink *s, struct wg_peer *p, struct wg_packet *pkt, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (w.n_in == OFFLOAD_MERGE_MAX)
			flush_in();
		w.in[w.n_in++] = (struct offload_pkt){ .p = pkt[i].p, .len = pkt[i].len };
	}
}

static void sink_event(struct wg_sink *s, struct wg_peer *p, enum wg_event ev)
{
}

static struct wg_peer *sink_unknown(struct wg_sink *s, const struct node_pub *key)
{
	return NULL;
}

static void flush_out(void)
{
	if (outbox.n)
		wg_send(w.dev, outbox.peer, outbox.pkt, outbox.n, w.now);
	outbox.n = outbox.used = 0;
}

/* Cuts one frame; its segments all go one way, because they share their addresses. */
static void out_frame(size_t len)
{
	struct offload_split s;
	struct wg_peer *p;
	size_t n;

	if (offload_split_begin(&s, frame, len) < 0)
		return;
	p = wg_route(w.dev, frame + OFFLOAD_HDR_LEN, len - OFFLOAD_HDR_LEN);
	if (!p)
		return;
	if (p != outbox.peer)
		flush_out();
	outbox.peer = p;
	while ((n = offload_split_peek(&s))) {
		uint8_t *at;

		if (outbox.n == WG_BATCH_MAX || OUT_CAP - outbox.used < n + WG_HEADROOM + WG_TAILROOM)
			flush_out();
		at = outbox.mem + outbox.used + WG_HEADROOM;
		outbox.pkt[outbox.n++] = (struct wg_packet){ .p = at, .len = offload_split_next(&s, at) };
		/* The next begins where this datagram will end: sealed side by side, sent by one call. */
		outbox.used += wg_sealed_len(w.dev, n);
	}
}

static int on_tun(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		ssize_t n = tun_read(&w.tun, frame, FRAME_CAP);

		if (n < 0)
			return (int)n;
		if (n == 0)
			break;
		out_frame((size_t)n);
	}
	flush_out();
	return 0;
}

static void on_datagrams(void *ctx, struct wg_datagram *d, size_t n)
{
	wg_receive(w.dev, d, n, w.now);
}

static void on_udp(int which)
{
	for (int i = 0; i < ROUNDS && udp_receive(&w.udp, which, on_datagrams, NULL); i++)
		flush_in(); /* before the buffers that the packets lie in are used again */
}

enum { ON_TUN, ON_UDP4, ON_UDP6, ON_SIGNAL, ON_UAPI, ON_CLIENT };

static void watch(int ep, int fd, uint32_t what, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.u32 = what };

	if (fd >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) < 0 && errno != EEXIST)
		perror("wgtun: epoll_ctl");
}

/* Closed descriptors leave the set by themselves; those of a new port are added. */
static void watch_udp(int ep)
{
	watch(ep, w.udp.fd[0], ON_UDP4, EPOLLIN);
	watch(ep, w.udp.fd[1], ON_UDP6, EPOLLIN);
}

static int wait_ms(void)
{
	mono_ns at = wg_deadline(w.dev);
	struct now now;

	if (at == MONO_NEVER)
		return -1;
	now_sample(&now);
	if (at <= now.mono)
		return 0;
	return (int)MIN_OF((at - now.mono + 999999) / 1000000, 3600 * 1000);
}

static void on_uapi(int ep)
{
	struct uapi_client *c = uapi_accept(&uapi);

	if (c)
		watch(ep, c->fd, (uint32_t)(ON_CLIENT + (c - uapi.client)), EPOLLIN | EPOLLOUT | EPOLLET);
}

static int loop(int ep)
{
	struct epoll_event e[16];

	for (;;) {
		int n = epoll_wait(ep, e, ARRAY_LEN(e), wait_ms()), rc;

		now_sample(&w.now);
		for (int i = 0; i < n; i++) {
			switch (e[i].data.u32) {
			case ON_TUN:
				rc = on_tun();
				if (rc < 0)
					return rc; /* the interface was deleted */
				break;
			case ON_UDP4:
			case ON_UDP6:
				on_udp((int)(e[i].data.u32 - ON_UDP4));
				break;
			case ON_SIGNAL:
				return 0;
			case ON_UAPI:
				on_uapi(ep);
				break;
			default:
				if (uapi.client[e[i].data.u32 - ON_CLIENT].fd >= 0)
					(void)uapi_on_ready(&uapi, &uapi.client[e[i].data.u32 - ON_CLIENT]);
				watch_udp(ep);
				break;
			}
		}
		wg_tick(w.dev, w.now);
	}
}

/* What the tests look at after the end. */
static void print_counters(FILE *f)
{
	const struct wg_counters *c = wg_counters(w.dev);

#define X(name) fprintf(f, "%s=%llu\n", #name, (unsigned long long)c->name);
	X(bad_message) X(bad_mac) X(no_peer) X(bad_handshake) X(flood) X(rate_limited) X(cookie_sent) X(cookie_received) X(no_session)
	X(replay) X(bad_tag) X(bad_source) X(bad_inner) X(staged_dropped) X(sent_datagrams) X(received_datagrams)
#undef X
}

static int open_all(const char *name, int mtu)
{
	struct wg_cfg cfg = { .mtu = (size_t)mtu, .rng = &w.rng, .sink = &w.sink };
	int rc;

	w.rng.fill = kernel_random;
	w.tun.fd = uapi.fd = -1;
	w.udp.fd[0] = w.udp.fd[1] = -1;
	w.sink = (struct wg_sink){ sink_to_peer, sink_to_source, sink_packets, sink_event, sink_unknown, NULL };
	frame = malloc(FRAME_CAP);
	outbox.mem = malloc(OUT_CAP);
	if (!frame || !outbox.mem)
		return -ENOMEM;
	key_generate(&w.rng, cfg.private.b); /* until `wg` sets one */
	rc = wg_new(&w.dev, &cfg);
	ct_wipe(&cfg.private, sizeof(cfg.private));
	if (rc == 0)
		rc = tun_open(&w.tun, name, mtu, w.offload);
	if (rc == 0)
		rc = udp_open(&w.udp, 0, w.offload);
	if (rc == 0)
		rc = uapi_open(&uapi, &w);
	return rc;
}

static int signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static int usage(void)
{
	fputs("usage: wgtun [--mtu N] [--load-limit N] [--no-offload] [--counters FILE] INTERFACE\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "mtu", required_argument, NULL, 'm' },
		{ "load-limit", required_argument, NULL, 'l' }, { "no-offload", no_argument, NULL, 'n' },
		{ "counters", required_argument, NULL, 'c' }, { 0 } };
	int mtu = MTU_DEFAULT, load = -1, opt, rc, ep;
	const char *counters = NULL;

	w.offload = true;
	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'm':
			mtu = atoi(optarg);
			break;
		case 'l':
			load = atoi(optarg);
			break;
		case 'n':
			w.offload = false;
			break;
		case 'c':
			counters = optarg;
			break;
		default:
			return usage();
		}
	if (optind != argc - 1 || mtu < 68 || mtu > OFFLOAD_PACKET_MAX)
		return usage();
	rc = open_all(argv[optind], mtu);
	if (rc < 0) {
		fprintf(stderr, "wgtun: %s: %s\n", argv[optind], rc > -4096 ? strerror(-rc) : "cannot start");
		return 1;
	}
	if (load >= 0)
		wg_set_load_limit(w.dev, (unsigned)load);
	ep = epoll_create1(EPOLL_CLOEXEC);
	watch(ep, w.tun.fd, ON_TUN, EPOLLIN);
	watch(ep, uapi.fd, ON_UAPI, EPOLLIN);
	watch(ep, signals(), ON_SIGNAL, EPOLLIN);
	watch_udp(ep);
	(void)loop(ep);
	if (counters) {
		FILE *f = fopen(counters, "w");

		if (f) {
			print_counters(f);
			fclose(f);
		}
	}
	uapi_close(&uapi);
	udp_close(&w.udp);
	tun_close(&w.tun);
	w.dev = wg_free(w.dev);
	ct_wipe(&w.private, sizeof(w.private));
	free(outbox.mem);
	free(frame);
	return 0;
}
