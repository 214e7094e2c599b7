/*
 * tests/tools/wgtun: our WireGuard engine behind a TUN device, configured by the stock `wg` command: a stand-in for
 * wireguard-go in interop tests and benchmarks. Not shipped.
 */
#ifndef WARREN_WGTUN_H
#define WARREN_WGTUN_H

#include "tun.h"
#include "udp.h"

struct wgtun {
	struct wg_device *dev;
	struct wg_sink sink;
	struct rng rng;
	struct tun tun;
	struct udp udp;
	struct now now; /* of this wake-up */
	struct secret_node private;
	bool has_private, offload;
	size_t n_in;
	struct offload_pkt in[OFFLOAD_MERGE_MAX]; /* opened, waiting to be merged and written */
};

void now_sample(struct now *now);

#endif
