/*
 * A tailnet in memory, for tests of core/node: the control server, a relay, and agents on one network segment. Streams and
 * datagrams are delivered by world_settle, in order and at once; time moves only with world_run.
 */
#ifndef WARREN_TESTS_NODE_WORLD_H
#define WARREN_TESTS_NODE_WORLD_H

#include "core/node/node.h"
#include "core/coord/coord.h"
#include "testlib/check.h"

enum {
	WORLD_DEVS = 3,
	WORLD_PIPES = 16,
	WORLD_DATAGRAMS = 256,
	WORLD_PACKETS = 64,
	WORLD_PACKET_MAX = 2048
};

struct world;
struct pipe;

struct packet {
	size_t len;
	uint8_t b[WORLD_PACKET_MAX];
};

struct dev {
	struct world *w;
	struct node *a;
	struct ipport at; /* on the segment */
	struct node_identity id;
	struct pipe *pipe[WORLD_PIPES];
	struct packet got[WORLD_PACKETS]; /* what came out of the tunnel */
	size_t n_got;
	unsigned events[NODE_EVENT_KINDS];
	enum ipn_state states[16]; /* as they were entered */
	size_t n_states;
};

struct datagram {
	struct ipport from, to;
	size_t len;
	uint8_t b[WORLD_PACKET_MAX];
};

struct world {
	struct rng_seeded rng;
	struct now now;
	struct tailnet *tailnet;
	struct store_mem *store;
	struct derprelay *relay;
	struct secret_machine hub;
	struct tc_derp_map derp_map;
	struct dev dev[WORLD_DEVS];
	struct datagram net[WORLD_DATAGRAMS];
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

void world_new(struct world *w);
void world_free(struct world *w);
/* A device with its preferences and, from an earlier life, its map. Not started. */
void world_boot(struct world *w, struct dev *d, const struct ipn_prefs *prefs, struct view map);
void world_halt(struct world *w, struct dev *d); /* the process is gone */
/* A fresh device that has joined with the auth key and runs. */
void world_join(struct world *w, struct dev *d, const char *name);
void world_settle(struct world *w); /* everything that is on its way arrives */
/* The hub says this to the first device, in its long poll. */
void world_say(struct world *w, const char *json);
void world_run(struct world *w, mono_ns t); /* that much time passes */

struct ipaddr dev_ip(const struct dev *d);
/* How many of a kind it has told so far. */
unsigned dev_events(struct dev *d, enum node_event_kind kind);
/* An echo request from one device's system to another; did it come out there? */
bool world_ping(struct world *w, struct dev *from, struct dev *to);
const struct coord_node_doc *world_member(
	struct world *w, const struct dev *d); /* as the hub knows it */
/* Sets one preference: the member of the edit is filled in by the caller. */
void dev_edit(struct dev *d, enum ipn_pref which, const struct ipn_prefs *value);

#endif
