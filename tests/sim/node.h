/*
 * tests/sim/node: one device: the same engine as in warrend, bound to the virtual network instead of sockets, and to a
 * little operating system: an interface that answers echo requests, and a disk that survives the process.
 */
#ifndef WARREN_TESTS_SIM_NODE_H
#define WARREN_TESTS_SIM_NODE_H

#include "core/node/node.h"
#include "tests/sim/server.h"

enum { NODE_UDP_PORT = 41641, NODE_SERVERS_MAX = 8, NODE_ADDRS_MAX = 32 };

struct sim_node;

struct sim_node_cfg {
	const char *name; /* borrowed, as all here */
	int number;       /* in the network; for the owner */
	const char *auth_key;
	const char *control_url;
	struct server *const *servers; /* whose names can be looked up */
	size_t n_servers;
	unix_ms wall_at_zero;
	/* An inner packet that the engine let through to this device. */
	void (*on_inner)(void *ctx, struct sim_node *n, const uint8_t *pkt, size_t len);
	void *ctx;
};

struct sim_node *sim_node_new(struct vnet *v, struct vnet_dev *d, const struct sim_node_cfg *cfg);
struct sim_node *sim_node_free(struct sim_node *n);

/* The process. */
void sim_node_start(struct sim_node
		*n); /* with what is on the disk; logs in with the auth key when there is nothing */
void sim_node_kill(struct sim_node *n);
bool sim_node_is_up(const struct sim_node *n);
void sim_node_forget_disk(struct sim_node *n);

void sim_node_set_clock(struct sim_node *n,
	unix_ms ahead); /* the wall clock, steps to: the right time and so much */

/* The machine's network is another one now: the daemon hears of it. */
void sim_node_link_changed(struct sim_node *n);

void sim_node_send(struct sim_node *n, const uint8_t *pkt,
	size_t len); /* an inner packet of the operating system's */
/*
 * From now on what it sends to others by UDP has this source (to the servers it stays honest); drop_disco: path messages are not
 * sent at all. one_in: so many at random are forged, the others are as they should be. bytes: what was forged is added.
 */
struct sim_node_forgery {
	struct ipport as;
	bool drop_disco;
	unsigned one_in;
	uint64_t bytes;
};
void sim_node_forge(struct sim_node *n, struct sim_node_forgery *f); /* borrowed */
void sim_node_down(struct sim_node *n); /* as `warren down` and `warren up` */
void sim_node_up(struct sim_node *n);
void sim_node_shields(struct sim_node *n, bool up);

const char *sim_node_name(const struct sim_node *n);
int sim_node_number(const struct sim_node *n);
struct vnet_dev *sim_node_dev(const struct sim_node *n);
struct node *sim_node_agent(const struct sim_node *n); /* NULL while the process is down */
struct now sim_node_now(const struct sim_node *n);
bool sim_node_is_running(const struct sim_node *n);    /* the state, and it has an address */
struct ipaddr sim_node_addr(const struct sim_node *n); /* 100.x; unset: never had one */
bool sim_node_had_addr(const struct sim_node *n, struct ipaddr a);  /* has it, or had it once */
struct ipaddr sim_node_addr_at(const struct sim_node *n, size_t i); /* of those; unset: no such */
void sim_node_login(struct sim_node *n);                            /* anew, with the auth key */
/* The direct path to a peer by its address: true, and which one. */
bool sim_node_direct(const struct sim_node *n, struct ipaddr peer, struct ipport *ret);
int64_t sim_node_id(const struct sim_node *n); /* 0 before the first map */
mono_ns sim_node_started(const struct sim_node *n);
mono_ns sim_node_running_since(const struct sim_node *n); /* MONO_NEVER: is not */
const char *sim_node_login_error(const struct sim_node *n);

#endif
