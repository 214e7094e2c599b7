/*
 * tests/tools/wgtun: our WireGuard engine behind a TUN device, configured by the stock `wg` command: a stand-in for
 * wireguard-go in interop tests and benchmarks. Not shipped.
 */
#ifndef WARREN_TESTS_TOOLS_WGTUN_WGTUN_H
#define WARREN_TESTS_TOOLS_WGTUN_WGTUN_H

#include "os/loop/loop.h"
#include "os/tun/tun.h"
#include "os/udp/udp.h"

struct wgtun {
	struct loop *loop;
	struct wg_device *dev;
	struct tun *tun;
	struct udp *udp;
	struct loop_timer *timer;
	struct secret_node private;
	bool has_private;
	uint32_t mark;
};

/* A source is address and port as bytes, which is what wireguard-go puts into cookies, too. */
struct wg_source source_of(struct ipport a);
struct ipport source_address(const struct wg_source *s); /* family 0: not set */

#endif
