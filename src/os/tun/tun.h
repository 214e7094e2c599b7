/*
 * os/tun: the network interface whose packets come to us. The kernel hands over TCP and UDP super-packets, which are cut here
 * into one buffer so that after sealing they lie side by side; what arrives is merged and written as super-packets.
 *
 * Source: linux/if_tun.h; core/offload.
 */
#ifndef WARREN_OS_TUN_TUN_H
#define WARREN_OS_TUN_TUN_H

#include "base/pkt/pkt.h"
#include "os/loop/loop.h"

struct tun;

enum { TUN_NAME_MAX = 15, TUN_MTU_MIN = 576, TUN_MTU_MAX = 65495 };

struct tun_cfg {
	const char *name; /* is made if it does not exist; "" or with %d: the kernel chooses */
	int mtu;          /* the same as the WireGuard device's: it says where sealed packets end */
	bool no_offload;  /* one packet a call, for comparison */
	/* n <= PKT_BATCH_MAX, with the room of base/pkt around each. Memory is good during the call. */
	void (*on_packets)(void *ctx, struct pkt *pkt, size_t n);
	/* The interface is gone: somebody deleted it. Nothing is read any more. May close the tun. */
	void (*on_gone)(void *ctx, int rc);
	void *ctx;
};

/* -EINVAL (name, MTU), -EBUSY (another program has it), -errno. */
MUST_USE int tun_open(struct tun **ret, struct loop *l, const struct tun_cfg *cfg);
struct tun *tun_close(struct tun *t); /* a made interface vanishes */
const char *tun_name(const struct tun *t);
bool tun_has_udp_offload(const struct tun *t); /* the kernel gives and takes UDP super-packets */
/* Merges what follows each other and writes it; changes headers. Any n. An interface that is down loses packets. */
void tun_write(struct tun *t, struct pkt *pkt, size_t n);

/* What tun_write merges; at first both. Without TCP, nothing is merged. For systems that take it wrong. */
void tun_set_merge(struct tun *t, bool tcp, bool udp);

struct tun_counters {
	uint64_t in_frames, in_packets;   /* from the system: reads, and what they were cut into */
	uint64_t out_packets, out_frames; /* to the system: packets, and writes */
	uint64_t in_bad, out_failed;      /* frames we cannot cut; writes that were refused */
};
const struct tun_counters *tun_counters(const struct tun *t);

#endif
