/* testlib/vnet/internal: what the files of testlib/vnet share. */
#ifndef WARREN_TESTLIB_VNET_INTERNAL_H
#define WARREN_TESTLIB_VNET_INTERNAL_H

#include "base/buf/buf.h"
#include "base/list/list.h"
#include "testlib/vnet/vnet.h"

enum { IF_ADDRS_MAX = 4, DEV_IFS_MAX = 4, SEG_ROUTES_MAX = 128, NAME_MAX_LEN = 24 };

struct vnet {
	mono_ns now;
	struct heap events;
	struct rng_seeded rng;
	uint64_t seed, n_forks, digest;
	struct list devs, segs, pkts;
	struct vnet_counters n;
	FILE *trace;
	const char *(*what)(const uint8_t *p, size_t len);
};

struct vnet_seg {
	struct list link, ifs;
	struct vnet *v;
	char name[NAME_MAX_LEN];
	struct {
		struct ipprefix to;
		struct vnet_if *via;
	} routes[SEG_ROUTES_MAX];
	size_t n_routes;
};

struct vnet_if {
	struct list link; /* of seg->ifs */
	struct vnet_dev *dev;
	struct vnet_seg *seg;
	struct vnet_link out, in;
	mono_ns out_last, in_last; /* a link keeps the order of what it does not reorder */
	struct ipaddr addrs[IF_ADDRS_MAX];
	size_t n_addrs;
	bool down;
};

struct vnet_dev {
	struct list link;
	struct vnet *v;
	char name[NAME_MAX_LEN];
	struct vnet_if *ifs[DEV_IFS_MAX];
	size_t n_ifs;
	struct list udps, streams, listeners;
	uint16_t next_port;
	/* Routers. */
	struct vnet_if *wan;
	struct vnat *nat4, *nat6;
	bool block_udp;
	uint16_t only_tcp_port;
};

struct vnet_udp {
	struct list link;
	struct vnet_dev *dev;
	uint16_t port;
	void (*on_packet)(void *ctx, struct ipport from, const uint8_t *p, size_t len);
	void *ctx;
};

enum { SEG_SYN = 1, SEG_ACK = 2, SEG_FIN = 4, SEG_RST = 8 };

/* A datagram, or a segment of a stream. */
struct pkt {
	struct vnet_event ev;
	struct list link; /* all that are under way */
	struct vnet *v;
	struct vnet_if *at; /* the interface it arrives at */
	int proto;
	unsigned hops;
	struct ipport src, dst;
	unsigned flags;
	uint64_t seq, ack;
	bool forged;  /* its source is not its sender's, on purpose */
	bool crossed; /* the receiving interface's link lies behind it */
	size_t len;
	uint8_t data[];
};

/* forward.c */
struct pkt *pkt_new(struct vnet *v, int proto, struct ipport src, struct ipport dst,
	const void *data, size_t len);
void pkt_free(struct pkt *p);
/* Where a packet of this device goes: the interface it leaves by, and the one it reaches. False: nowhere. */
bool vnet_route_find(const struct vnet_dev *d, struct ipaddr to, struct vnet_if **ret_out,
	struct vnet_if **ret_next);
/* The address that a device sends from. Unset: no route. */
struct ipaddr source_for(const struct vnet_dev *d, struct ipaddr to);
bool dev_owns(const struct vnet_dev *d, struct ipaddr a);
void pkt_send_take(struct vnet_dev *d, struct pkt *p); /* from a socket of this device */
void note_pkt(struct vnet *v, const struct vnet_dev *at, const char *verb, const struct pkt *p);

/* stream.c */
void stream_on_segment(struct vnet_dev *d, const struct pkt *p);
void streams_free(struct vnet_dev *d);
void streams_check(const struct vnet_dev *d);

#endif
