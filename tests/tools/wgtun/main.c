/*
 *   applications - kernel - [ os/tun - core/wg - os/udp ] - network
 *
 * One thread, one loop. Outbound, what the TUN device gave is sealed where it lies and sent by one call; inbound, trains of
 * datagrams are opened where they lie, merged, and written by gather. The socket for the stock `wg` command is beside it.
 */
#include "uapi.h"

#include "base/rng/rng.h"
#include "crypto/ct/ct.h"

#include <errno.h>
#include <getopt.h>

enum { MTU_DEFAULT = 1420 };

static struct wgtun w;
static struct uapi uapi;

struct wg_source source_of(struct ipport a)
{
	struct wg_source s = { .len = a.ip.family == 4 ? 6 : 18,
		.host_len = a.ip.family == 4 ? 4 : 8 };
	size_t n = s.len - 2u;

	memcpy(s.b, a.ip.b, n);
	s.b[n] = (uint8_t)a.port; /* little-endian, as wireguard-go has it in cookies */
	s.b[n + 1] = (uint8_t)(a.port >> 8);
	return s;
}

struct ipport source_address(const struct wg_source *s)
{
	struct ipport a = { 0 };

	if (s->len != 6 && s->len != 18)
		return a;
	a.ip = s->len == 6 ? ipaddr_from4(s->b) : ipaddr_from16(s->b);
	a.port = (uint16_t)(s->b[s->len - 2] | s->b[s->len - 1] << 8);
	return a;
}

static void take_all(void)
{
	struct wg_out o;

	while (wg_next(w.dev, &o))
		switch (o.kind) {
		case WG_OUT_DATAGRAMS: /* may be lost, as on any link */
			(void)udp_send(w.udp, source_address(wg_peer_source(o.peer)), o.pkt, o.n);
			break;
		case WG_OUT_REPLY:
			(void)udp_send(w.udp, source_address(&o.datagram->source), o.pkt, o.n);
			break;
		case WG_OUT_PACKETS:
			tun_write(w.tun, o.pkt, o.n);
			break;
		case WG_OUT_SESSION:
		case WG_OUT_ROAMED:
		case WG_OUT_ANSWERED:
		case WG_OUT_UNREACHABLE:
		case WG_OUT_UNKNOWN_PEER:
		case WG_OUT_UNKNOWN_SESSION:
			break;
		}
}

/* Packets that follow each other to one peer leave together. */
static void on_packets(void *ctx, struct pkt *pkt, size_t n)
{
	struct now now = loop_now(w.loop);

	for (size_t i = 0, k; i < n; i += k) {
		struct wg_peer *p = wg_route(w.dev, pkt[i].p, pkt[i].len);

		for (k = 1; i + k < n && wg_route(w.dev, pkt[i + k].p, pkt[i + k].len) == p; k++)
			;
		if (p)
			wg_send(w.dev, p, pkt + i, k, now);
	}
	take_all();
}

static void on_gone(void *ctx, int rc)
{
	loop_stop(w.loop);
}

static void on_datagrams(void *ctx, struct magicsock_datagram *d, size_t n)
{
	struct wg_datagram dg[PKT_BATCH_MAX];

	for (size_t i = 0, k; i < n; i += k) {
		for (k = 0; i + k < n && k < PKT_BATCH_MAX; k++)
			dg[k] = (struct wg_datagram){ d[i + k].p, d[i + k].len,
				source_of(d[i + k].from) };
		wg_receive(w.dev, dg, k, loop_now(w.loop));
		take_all();
	}
}

static void on_turn_end(void *ctx)
{
	wg_tick(w.dev, loop_now(w.loop));
	take_all();
	loop_timer_set(w.timer, wg_deadline(w.dev));
}

static void on_timer(void *ctx)
{
	/* The end of the turn does it. */
}

/* What the tests look at after the end. */
static void print_counters(FILE *f)
{
	const struct wg_counters *c = wg_counters(w.dev);

#define X(name) fprintf(f, "%s=%llu\n", #name, (unsigned long long)c->name)
	X(bad_message);
	X(bad_mac);
	X(no_peer);
	X(bad_handshake);
	X(flood);
	X(rate_limited);
	X(cookie_sent);
	X(cookie_received);
	X(no_session);
	X(replay);
	X(bad_tag);
	X(bad_source);
	X(bad_inner);
	X(staged_dropped);
	X(sent_datagrams);
	X(received_datagrams);
	X(out_dropped);
#undef X
}

static int open_edges(const char *name, int mtu, bool no_offload)
{
	struct tun_cfg tun = { .name = name,
		.mtu = mtu,
		.no_offload = no_offload,
		.on_packets = on_packets,
		.on_gone = on_gone };
	struct udp_cfg udp = { .no_offload = no_offload, .on_datagrams = on_datagrams };
	int rc = tun_open(&w.tun, w.loop, &tun);

	if (rc == 0)
		rc = udp_open(&w.udp, w.loop, &udp);
	return rc == 0 ? uapi_open(&uapi, &w) : rc;
}

static int open_all(const char *name, int mtu, bool no_offload)
{
	struct wg_cfg cfg = { .mtu = (size_t)mtu, .rng = loop_rng() };
	int rc = loop_new(&w.loop);

	if (rc < 0)
		return rc;
	key_generate(cfg.rng, cfg.private.b); /* until `wg` sets one */
	rc = wg_new(&w.dev, &cfg);
	ct_wipe(&cfg.private, sizeof(cfg.private));
	if (rc == 0)
		rc = loop_timer_new(w.loop, on_timer, NULL, &w.timer);
	if (rc == 0)
		rc = loop_stop_on_signals(w.loop);
	if (rc == 0)
		rc = loop_on_turn_end(w.loop, on_turn_end, NULL);
	return rc == 0 ? open_edges(name, mtu, no_offload) : rc;
}

static int usage(void)
{
	fputs("usage: wgtun [--mtu N] [--load-limit N] [--no-offload] [--counters FILE] INTERFACE\n",
		stderr);
	return 2;
}

static void close_all(void)
{
	uapi_close(&uapi);
	w.udp = udp_close(w.udp);
	w.tun = tun_close(w.tun);
	w.timer = loop_timer_free(w.timer);
	w.loop = loop_free(w.loop);
	w.dev = wg_free(w.dev);
	ct_wipe(&w.private, sizeof(w.private));
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "mtu", required_argument, NULL, 'm' },
		{ "load-limit", required_argument, NULL, 'l' },
		{ "no-offload", no_argument, NULL, 'n' },
		{ "counters", required_argument, NULL, 'c' }, { 0 } };
	int mtu = MTU_DEFAULT, load = -1, opt, rc;
	const char *counters = NULL;
	bool no_offload = false;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (opt) {
		case 'm':
			mtu = atoi(optarg);
			break;
		case 'l':
			load = atoi(optarg);
			break;
		case 'n':
			no_offload = true;
			break;
		case 'c':
			counters = optarg;
			break;
		default:
			return usage();
		}
	if (optind != argc - 1 || mtu < TUN_MTU_MIN || mtu > TUN_MTU_MAX)
		return usage();
	rc = open_all(argv[optind], mtu, no_offload);
	if (rc < 0) {
		fprintf(stderr, "wgtun: %s: %s\n", argv[optind], err_text(rc));
		return 1;
	}
	if (load >= 0)
		wg_set_load_limit(w.dev, (unsigned)load);
	loop_run(w.loop);
	if (counters) {
		FILE *f = fopen(counters, "w");

		if (f) {
			print_counters(f);
			fclose(f);
		}
	}
	close_all();
	return 0;
}
