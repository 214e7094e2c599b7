/* tests/tools/wgtun/tun: a TUN device with segmentation offload. Frames carry the header that core/offload reads. */
#ifndef WARREN_WGTUN_TUN_H
#define WARREN_WGTUN_TUN_H

#include "core/offload/offload.h"

#include <net/if.h>

struct tun {
	int fd; /* -1: closed */
	char name[IFNAMSIZ];
	bool udp_offload; /* the kernel gives and takes UDP super-packets */
};

/* Opens or makes the interface and sets its MTU. -errno. */
MUST_USE int tun_open(struct tun *t, const char *name, int mtu, bool offload);
void tun_close(struct tun *t);
/* One frame; 0: nothing there now. -errno: the interface is gone. */
ssize_t tun_read(struct tun *t, uint8_t *frame, size_t cap);
/* Merges what follows each other and writes it. n <= OFFLOAD_MERGE_MAX. */
void tun_write(struct tun *t, struct offload_pkt *pkt, size_t n);

#endif
