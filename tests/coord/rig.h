/*
 * tests/coord/rig: a coordination server and the devices that talk to it, without a network
 * between: requests go in as texts, bodies of long polls go into the map that a device keeps.
 */
#ifndef WARREN_TESTS_COORD_RIG_H
#define WARREN_TESTS_COORD_RIG_H

#include "core/coord/coord.h"
#include "core/netmap/netmap.h"
#include "store/mem/mem.h"

enum { DEVICES = 12 };

struct device {
	struct machine_pub machine;
	struct node_pub key;
	struct map_session *poll;
	struct netmap *map;
	char *frame;          /* the last message, as JSON; also of a stream that is over */
	const char *routes;   /* what it offers, as JSON */
	const char *tags;     /* what it asks for, as JSON */
	const char *hostname; /* what it calls itself */
	bool ended, watched, began;
	unsigned messages; /* that came, keep-alives too */
};

struct rig {
	struct tailnet *tailnet;
	struct store_mem *store;
	struct rng_seeded rng;
	struct now now;
	struct device devices[DEVICES];
	int64_t people[2]; /* ann@warren.test and bob@warren.test; their devices alternate */
	char auth_keys[2][COORD_SECRET_TEXT_MAX];
};

extern const struct netmap_ops tailnet_map_ops; /* of a device's map */
extern int answered;                            /* status of the last answer; 0: none */
extern char answer_text[4096];
extern bool approve_devices; /* of servers that are started from now on */
extern unsigned keys_out;    /* that the server said are no member's any more */
extern struct node_pub last_key_out;
extern unsigned answered_later; /* seconds of Retry-After of the last answer; 0: none */

void rig_new(struct rig *w, uint64_t seed);
extern int version;                                /* that devices say from now on */
extern int accept_rate;                            /* of servers that are started from now on */
extern struct ipport (*request_from)(void *owner); /* likewise; NULL: from nowhere */
void rig_start(struct rig *w);                     /* the server, on what is stored */
void rig_free(struct rig *w);
/* By node key: a machine whose device was tagged joins again as another device. */
const struct coord_node_doc *node_of(const struct rig *w, const struct device *d);
void turn(struct rig *w);
void settle(struct rig *w);             /* some turns: everything that is to be told is told */
void pass(struct rig *w, mono_ns span); /* time goes by, in small steps */
void ask_to_join(struct rig *w, struct device *d, bool new_key); /* the answer may be late */
void join(struct rig *w, struct device *d, bool new_key);
void listen_to_map(struct rig *w, struct device *d);
void hang_up(struct rig *w, struct device *d);
void tell_place(struct rig *w, struct device *d); /* random endpoint and relay, and the routes */
/* Something happens to some device: it joins, moves, is renamed by an admin or by itself, tagged, given to somebody, expired or given more time,
 * deleted, listens anew or hangs up; or to a user, who is renamed. */
void random_step(struct rig *w);

#endif
