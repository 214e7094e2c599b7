/*
 * tests/sim/node: one device: the same agent as in warrend, bound to the virtual network instead of sockets, and to a
 * little operating system: an interface that answers echo requests, and a disk that survives the process.
 */
#ifndef WARREN_TESTS_SIM_NODE_H
#define WARREN_TESTS_SIM_NODE_H

#include "core/agent/agent.h"
#include "tests/sim/server.h"

enum { NODE_UDP_PORT = 41641, NODE_SERVERS_MAX = 8, NODE_ADDRS_MAX = 32 };

struct node;

struct node_cfg {
	const char *name; /* borrowed, as all here */
	int number; /* in the world; for the owner */
	const char *auth_key;
	const char *control_url;
	struct server *const *servers; /* whose names can be looked up */
	size_t n_servers;
	unix_ms wall_at_zero;
	/* An inner packet that the agent let through to this device. */
	void (*on_inner)(void *ctx, struct node *n, const uint8_t *pkt, size_t len);
	void *ctx;
};

struct node *node_new(struct vnet *v, struct vnet_dev *d, const struct node_cfg *cfg);
struct node *node_free(struct node *n);

/* The process. */
void node_start(struct node *n); /* with what is on the disk; logs in with the auth key when there is nothing */
void node_kill(struct node *n);
bool node_is_up(const struct node *n);
void node_forget_disk(struct node *n);

void node_set_clock(struct node *n, unix_ms ahead); /* the wall clock, steps to: the right time and so much */

/* The machine's network is another one now: the daemon hears of it. */
void node_link_changed(struct node *n);

void node_send(struct node *n, const uint8_t *pkt, size_t len); /* an inner packet of the operating system's */
/*
 * From now on what it sends to others by UDP has this source (to the servers it stays honest); drop_disco: path messages are not
 * sent at all. one_in: so many at random are forged, the others are as they should be. bytes: what was forged is added.
 */
struct node_forgery {
	struct ipport as;
	bool drop_disco;
	unsigned one_in;
	uint64_t bytes;
};
void node_forge(struct node *n, struct node_forgery *f); /* borrowed */
void node_down(struct node *n); /* as `warren down` and `warren up` */
void node_up(struct node *n);
void node_shields(struct node *n, bool up);

const char *node_name(const struct node *n);
int node_number(const struct node *n);
struct vnet_dev *node_dev(const struct node *n);
struct agent *node_agent(const struct node *n); /* NULL while the process is down */
struct now node_now(const struct node *n);
bool node_is_running(const struct node *n); /* the state, and it has an address */
struct ipaddr node_addr(const struct node *n); /* 100.x; unset: never had one */
bool node_had_addr(const struct node *n, struct ipaddr a); /* has it, or had it once */
struct ipaddr node_addr_at(const struct node *n, size_t i); /* of those; unset: no such */
void node_login(struct node *n); /* anew, with the auth key */
/* The direct path to a peer by its address: true, and which one. */
bool node_direct(const struct node *n, struct ipaddr peer, struct ipport *ret);
int64_t node_id(const struct node *n); /* 0 before the first map */
mono_ns node_started(const struct node *n);
mono_ns node_running_since(const struct node *n); /* MONO_NEVER: is not */
const char *node_login_error(const struct node *n);

#endif
