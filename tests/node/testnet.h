/*
 * A tailnet in memory, for tests of core/node: the control server, a relay, and agents on one network segment. Streams and
 * datagrams are delivered by testnet_settle, in order and at once; time moves only with testnet_run.
 */
#ifndef WARREN_TESTS_NODE_TESTNET_H
#define WARREN_TESTS_NODE_TESTNET_H

#include "core/node/node.h"
#include "core/coord/coord.h"
#include "testlib/check.h"

enum {
	TESTNET_DEVS = 3,
	TESTNET_PIPES = 16,
	TESTNET_DATAGRAMS = 256,
	TESTNET_PACKETS = 64,
	TESTNET_PACKET_MAX = 2048
};

struct testnet;
struct pipe;

struct packet {
	enum node_port port; /* that it was for */
	size_t len;
	uint8_t b[TESTNET_PACKET_MAX];
};

struct dev {
	struct testnet *w;
	struct node *a;
	struct ipport at; /* on the segment */
	struct node_identity id;
	struct pipe *pipe[TESTNET_PIPES];
	struct packet got[TESTNET_PACKETS]; /* what came out of the tunnel */
	size_t n_got;
	unsigned events[NODE_EVENT_KINDS];
	enum ipn_state states[16]; /* as they were entered */
	size_t n_states;
	bool up; /* the network, when its configuration was looked at last: at NODE_NET_CONFIG */
};

struct datagram {
	struct ipport from, to;
	size_t len;
	uint8_t b[TESTNET_PACKET_MAX];
};

struct testnet {
	struct rng_seeded rng;
	struct now now;
	struct tailnet *tailnet;
	struct store_mem *store;
	struct derprelay *relay;
	struct secret_machine hub;
	struct tc_derp_map derp_map;
	struct dev dev[TESTNET_DEVS];
	struct datagram net[TESTNET_DATAGRAMS];
	size_t n_net;
	bool hub_gone; /* with its relay: nobody answers there */
	unsigned dials;
	const char *
		inject; /* a map response that the hub says to the next device whose poll is looked at */
	struct {
		unsigned n;
		char method[8], path[256], body[2048];
	} asked; /* the last request to the hub that is none of the control server's */
	int64_t user;
	char auth_key[COORD_SECRET_TEXT_MAX];
};

void testnet_new(struct testnet *w);
void testnet_free(struct testnet *w);
/* A device with its preferences and, from an earlier life, its map. Not started. */
void testnet_boot(struct testnet *w, struct dev *d, const struct ipn_prefs *prefs, struct view map);
/* The same, -ENOMEM is told. */
MUST_USE int testnet_try_boot(
	struct testnet *w, struct dev *d, const struct ipn_prefs *prefs, struct view map);
void testnet_halt(struct testnet *w, struct dev *d); /* the process is gone */
/* A fresh device that has joined with the auth key and runs. */
void testnet_join(struct testnet *w, struct dev *d, const char *name);
void testnet_settle(struct testnet *w); /* everything that is on its way arrives */
/* So many hops of what is on its way. False: there are fewer. */
bool testnet_hops(struct testnet *w, size_t n);
/* The hub says this to a device, in its long poll; to the first one. */
void testnet_say_to(struct testnet *w, struct dev *d, const char *json);
void testnet_say(struct testnet *w, const char *json);
void testnet_run(struct testnet *w, mono_ns t); /* that much time passes */

struct ipaddr dev_ip(const struct dev *d);
/* How many of a kind it has told so far. */
unsigned dev_events(struct dev *d, enum node_event_kind kind);
/* What is for ports goes to `got`: after a call of the node that may have brought some. */
void dev_take_packets(struct dev *d);
/* An echo request from one device's system to another; did it come out there? */
bool testnet_ping(struct testnet *w, struct dev *from, struct dev *to);
const struct coord_node_doc *testnet_member(
	struct testnet *w, const struct dev *d); /* as the hub knows it */
/* Sets one preference: the member of the edit is filled in by the caller. */
void dev_edit(struct dev *d, enum ipn_pref which, const struct ipn_prefs *value);

#endif
