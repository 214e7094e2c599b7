/*
 * testlib/vnet: a network of hosts, routers and links in one process, in virtual time, from one seed. Nothing happens but
 * events in the order of their times; the same seed and the same calls give the same events, and vnet_digest proves it.
 *
 * Devices have interfaces; interfaces are plugged into segments (a LAN, the internet). A packet goes to the interface of
 * its segment that owns the destination, or the one that the segment's longest route names, hop by hop; each interface
 * delays, loses, repeats and reorders what crosses it, each way by its own rules. Routers may translate addresses
 * (testlib/vnet/nat), keep a stateful firewall and refuse UDP, or all but one TCP port.
 *
 * Sockets are UDP ports and TCP-like streams: one round trip to connect, bytes in order, retransmission with back-off, a
 * bounded window. Loss shows as delay, a host that is gone as silence, a forgotten NAT mapping as a reset.
 *
 * No call fails for want of memory: it aborts, this is for tests. Texts and addresses are copied, callbacks borrowed.
 */
#ifndef WARREN_TESTLIB_VNET_VNET_H
#define WARREN_TESTLIB_VNET_VNET_H

#include "base/heap/heap.h"
#include "testlib/vnet/nat.h"

enum {
	VNET_MTU = 1500,                 /* of every interface; larger datagrams are dropped */
	VNET_STREAM_BUF_MAX = 64 * 1024, /* written and not yet acknowledged */
	VNET_STREAM_SEGMENT = 1400,
	VNET_HOPS_MAX = 16,
};
#define VNET_RTO_MIN MSEC(200) /* retransmission, as Linux */
#define VNET_SYN_TRIES 7       /* 1 s, 2 s, ... as Linux: 127 s in all */
#define VNET_USER_TIMEOUT \
	SEC(20) /* what is not acknowledged by then ends the stream; as os/stream sets it */
#define VNET_KEEP_IDLE SEC(25) /* who dialled asks after such a silence, VNET_KEEP_TRIES times */
#define VNET_KEEP_INTERVAL SEC(5)
#define VNET_KEEP_TRIES 3

struct vnet;
struct vnet_seg;
struct vnet_dev;
struct vnet_if;
struct vnet_udp;
struct vnet_stream;
struct vnet_listener;

/* What happens at a time. Embed it, set fire. */
struct vnet_event {
	struct heap_node at;
	void (*fire)(struct vnet_event *e);
};

struct vnet_link {
	mono_ns delay, jitter; /* delay + [0, jitter) */
	unsigned loss_ppm, dup_ppm,
		reorder_ppm; /* of a million packets; one reordered is late by another delay + jitter + 1 ms */
};

struct vnet_counters {
	uint64_t events, sent, delivered, lost, duplicated, reordered, no_route, bad_source,
		filtered, nat_dropped, no_socket, too_big, if_down, retransmitted, resets;
};

struct vnet *vnet_new(uint64_t seed);
struct vnet *vnet_free(struct vnet *v); /* and all that is in it; no callbacks */
mono_ns vnet_now(const struct vnet *v);
struct rng *vnet_rng(struct vnet *v); /* the network's own: use vnet_fork for everything else */
/* A generator for one party, so that what it draws does not depend on what others draw. */
void vnet_fork(struct vnet *v, struct rng_seeded *ret);
const struct vnet_counters *vnet_counters(const struct vnet *v);
uint64_t vnet_digest(const struct vnet *v); /* of all that happened */

void vnet_at(
	struct vnet *v, struct vnet_event *e, mono_ns at); /* set or move; MONO_NEVER removes */
bool vnet_step(struct vnet *v,
	mono_ns until); /* one event; false: none until then, and the time is `until` */
void vnet_run(struct vnet *v, mono_ns until);
void vnet_check(struct vnet *v); /* aborts when something cannot be */

/* One line for every packet and what became of it; what: describes a UDP payload, may be NULL. out NULL: silence. */
void vnet_trace(struct vnet *v, FILE *out, const char *(*what)(const uint8_t *p, size_t len));
void vnet_note(struct vnet *v, const char *fmt, ...)
	PRINTF_LIKE(2, 3); /* a line of the caller's own in the trace */

/* Places. */
struct vnet_seg *vnet_seg(struct vnet *v, const char *name);
struct vnet_dev *vnet_host(struct vnet *v, const char *name);
const char *vnet_name(const struct vnet_dev *d);
struct vnet_if *vnet_plug(struct vnet_dev *d, struct vnet_seg *s);
void vnet_link(struct vnet_if *i, const struct vnet_link *out,
	const struct vnet_link *in);                     /* NULL: leave */
void vnet_addr_add(struct vnet_if *i, const char *addr); /* "198.51.100.21" */
void vnet_addr_clear(struct vnet_if *i);
struct ipaddr vnet_addr(const struct vnet_dev *d, uint8_t family); /* the first; unset if none */
void vnet_if_up(struct vnet_if *i, bool up);
void vnet_up(struct vnet_dev *d, bool up);               /* all of its interfaces */
void vnet_replug(struct vnet_if *i, struct vnet_seg *s); /* without its addresses */
void vnet_route(
	struct vnet_seg *s, const char *prefix, struct vnet_if *via); /* via is plugged into s */
/* What an address is on the wire: for owners that announce it. In order; returns how many. */
size_t vnet_addrs(const struct vnet_dev *d, struct ipaddr *ret, size_t max);

/* Makes a router of a device. kind4, kind6: NULL: packets pass as they are. */
void vnet_make_router(struct vnet_dev *d, struct vnet_if *wan, const struct vnat_kind *kind4,
	const struct vnat_kind *kind6);
void vnet_router_rules(
	struct vnet_dev *d, bool block_udp, uint16_t only_tcp_port); /* port 0: any */
void vnet_router_reboot(struct vnet_dev *d);                         /* mappings are gone */

/* Sockets. Callbacks may call anything here but vnet_step and vnet_free. */
struct vnet_udp *vnet_udp_open(struct vnet_dev *d, uint16_t port,
	void (*on_packet)(void *ctx, struct ipport from, const uint8_t *p, size_t len), void *ctx);
struct vnet_udp *vnet_udp_close(struct vnet_udp *u);
/* 0; -ENETUNREACH: no address of that family, or no route; -EMSGSIZE. What is lost on the way is no error. */
int vnet_udp_send(struct vnet_udp *u, struct ipport to, const void *p, size_t len);

/* As if it came from there; what of a network's own may leave it, nobody looks at on the open internet. */
int vnet_udp_forge(
	struct vnet_udp *u, struct ipport from, struct ipport to, const void *p, size_t len);

struct vnet_stream_ops {
	void (*on_connected)(void *ctx); /* of one's own connect */
	void (*on_data)(void *ctx, const uint8_t *p, size_t len);
	void (*on_room)(void *ctx); /* after a write that was cut short */
	void (*on_closed)(
		void *ctx, int rc); /* 0: the other side closed in order. The stream is gone then */
};
/* Both may be closed from their callbacks; nothing is called after. */
struct vnet_stream *vnet_connect(
	struct vnet_dev *d, struct ipport to, const struct vnet_stream_ops *ops, void *ctx);
size_t vnet_write(struct vnet_stream *s, const void *p, size_t len); /* how much was taken */
struct vnet_stream *vnet_stream_close(struct vnet_stream *s); /* what was written is still sent */
struct vnet_stream *vnet_stream_reset(struct vnet_stream *s);
struct ipport vnet_stream_remote(const struct vnet_stream *s);
/* Power is cut: streams are forgotten without a word, and without callbacks. Sockets of other kinds stay the owner's. */
void vnet_crash(struct vnet_dev *d);

struct vnet_listener *vnet_listen(struct vnet_dev *d, uint16_t port,
	void (*on_accept)(void *ctx, struct vnet_stream *s), void *ctx);
struct vnet_listener *vnet_unlisten(struct vnet_listener *l);
void vnet_stream_set(
	struct vnet_stream *s, const struct vnet_stream_ops *ops, void *ctx); /* from on_accept */

#endif
