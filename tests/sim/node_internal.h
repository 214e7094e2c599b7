/* tests/sim/node_internal: what node.c (life, disk) and edges.c (sockets, streams, packets) share. */
#ifndef WARREN_TESTS_SIM_NODE_INTERNAL_H
#define WARREN_TESTS_SIM_NODE_INTERNAL_H

#include "base/list/list.h"
#include "tests/sim/node.h"

enum {
	STREAMS_MAX = 64,
	PACKET_MAX = 2048,
	INBOX_MAX = 1 << 20,
	DISK_MAX = 16 << 20,
	JOBS_MAX = 4096,
	HOST_MAX = 64
};

struct stream {
	struct sim_node *node;
	unsigned number;
	struct pipe *pipe;
};

/* What a callback of the engine asks for, done when the engine has returned. */
struct job {
	struct list link;
	struct vnet_event ev;
	struct sim_node *node;
	enum { JOB_CLOSED, JOB_UDP_FAILED, JOB_RESOLVE } kind;
	unsigned stream;
	struct ipport to;
	char host[HOST_MAX];
};

struct probe {
	struct list link;
	struct sim_node *node;
	int region;
	struct pipe *pipe;
	struct buf out;
	mono_ns sent;
};

struct sim_node {
	struct sim_node_cfg cfg;
	struct vnet *v;
	struct vnet_dev *dev;
	struct rng_seeded rng;
	/* The disk. */
	struct node_identity identity;
	struct buf prefs, netmap;
	/* The process. */
	struct node *node;
	struct vnet_udp *udp;
	struct sim_node_forgery *forgery; /* NULL: it is honest */
	struct stream streams[STREAMS_MAX];
	struct list jobs, probes;
	size_t n_jobs;
	struct vnet_event tick, kernel, save;
	struct buf inbox; /* packets for the operating system, each with its length before it */
	mono_ns started, running_since;
	unix_ms clock_ahead;
	struct ipaddr addr, had[NODE_ADDRS_MAX];
	size_t n_had;
	int64_t id;
};

void sim_node_settle(struct sim_node *n); /* node.c: after every call of the engine */

/* edges.c: what the engine asks for. */
void edge_udp_send(void *owner, struct ipport to, const struct pkt *d, size_t count);
void edge_on_udp(void *ctx, struct ipport from, const uint8_t *p, size_t len);
void edge_take_packets(struct sim_node *n); /* for the operating system */
void edge_on_kernel(struct vnet_event *e);
void edge_dial(void *owner, unsigned number, const struct node_dial *d);
void edge_hangup(void *owner, unsigned number);
void edge_stream_wake(void *owner, unsigned number);
void edge_resolve(void *owner, const char *host);
void edge_measure(void *owner, int region, const struct node_dial *d);
void edges_end(struct sim_node *n); /* the process is gone; the engine is not called */

#endif
