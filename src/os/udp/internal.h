/* os/udp/internal: between udp.c (life of the sockets) and batch.c (packets). */
#ifndef WARREN_OS_UDP_INTERNAL_H
#define WARREN_OS_UDP_INTERNAL_H

#include "os/udp/udp.h"

#include <sys/socket.h>

enum {
	UDP_READS = 4,     /* messages a call of recvmmsg */
	UDP_TRAIN = 65535, /* bytes of one, which may be a train of datagrams */
	UDP_ROUNDS = 16,   /* reads of one socket before others have their turn */
};

struct udp_sock {
	struct udp *udp;
	int fd; /* -1: none */
	uint16_t port;
	bool gso;          /* the kernel takes UDP_SEGMENT */
	uint32_t overflow; /* the kernel's count at the last look */
	struct loop_watch *watch;
};

struct udp {
	struct loop *loop;
	struct udp_cfg cfg;
	struct udp_sock sock[2]; /* IPv4, IPv6 */
	struct udp_counters counters;
	bool no_gso, no_gro; /* udp_set_offload */
	unsigned generation; /* changes when sockets are closed: a callback may do that */
	uint8_t mem[UDP_READS][UDP_TRAIN];
};

/* Reads what is there, within a bound. */
void udp_read(struct udp_sock *s);

#endif
