/*
 * tests/tools/wgtun/udp: one UDP port on IPv4 and IPv6. Sends runs of datagrams of one size by one call (UDP_SEGMENT),
 * receives many a call (recvmmsg), each perhaps a train of datagrams (UDP_GRO).
 */
#ifndef WARREN_WGTUN_UDP_H
#define WARREN_WGTUN_UDP_H

#include "core/wg/wg.h"

enum { UDP_READS = 4, UDP_TRAIN = 65535, UDP_TRAIN_MAX = 64 };

struct udp {
	int fd[2]; /* IPv4, IPv6; -1: the host has none */
	uint16_t port;
	uint32_t mark;
	bool gso; /* the kernel takes UDP_SEGMENT */
	uint8_t (*mem)[UDP_TRAIN];
};

/* port 0: any. Both families get the same port. -errno. */
MUST_USE int udp_open(struct udp *u, uint16_t port, bool offload);
void udp_close(struct udp *u);
MUST_USE int udp_set_mark(struct udp *u, uint32_t mark);

/* A source is address and port as bytes, which is what wireguard-go puts into cookies, too. */
struct wg_source udp_source(struct ipport a);
struct ipport udp_address(const struct wg_source *s); /* family 0: not set */

/* Datagrams in order. Those that lie side by side and have one size leave together. Losses are UDP's own business. */
void udp_send(struct udp *u, const struct wg_source *to, const struct wg_packet *d, size_t n);
/* Calls back with datagrams that stay in place until the next call. False: nothing was there. */
bool udp_receive(struct udp *u, int which, void (*fn)(void *ctx, struct wg_datagram *d, size_t n), void *ctx);

#endif
