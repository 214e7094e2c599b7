/*
 * tests/sim/simnet: an internet with a hub, relays and devices behind routers of any kind, made by a scenario and run in
 * virtual time. docs/simulator.md says how to write a scenario.
 */
#ifndef WARREN_TESTS_SIM_SIMNET_H
#define WARREN_TESTS_SIM_SIMNET_H

#include "tests/sim/node.h"

#include <setjmp.h>

enum { SIMNET_NODES_MAX = 64, SIMNET_PINGERS_MAX = 4096 };

/* What the links of a place are like: drawn once for each place, from these. */
struct link_model {
	const char *name;
	mono_ns delay_min, delay_max, jitter; /* from the place to the middle of the internet */
	unsigned loss_ppm, dup_ppm,
		reorder_ppm; /* of each crossing: a packet from place to place crosses two */
};

extern const struct link_model link_model_lab; /* 1 ms, nothing lost: what network namespaces are */
extern const struct link_model link_model_far; /* 25 to 75 ms each way, jitter */
extern const struct link_model
	link_model_bad; /* the same with 2.5 % loss a crossing, reordering and repetition */

/* Where a device lives. */
struct place {
	struct vnet_seg *lan;         /* the internet itself for public hosts */
	struct vnet_dev *router;      /* NULL: public */
	struct vnet_if *wan, *lan_if; /* the router's */
	struct vnet_if *dev_if;       /* the device's */
	int number;                   /* of its networks */
	int n_hosts;
};

struct pinger;
struct simnet;

struct simnet {
	struct vnet *v;
	uint64_t seed;
	struct rng_seeded rng; /* the scenario's */
	const struct link_model *links;
	struct vnet_seg *inet;
	struct server *servers[NODE_SERVERS_MAX];
	size_t n_servers;
	struct server *hub; /* servers[0] */
	struct arena mem;
	struct tc_derp_map derp_map;
	char auth_key[COORD_SECRET_TEXT_MAX];
	struct sim_node *nodes[SIMNET_NODES_MAX];
	struct place places[SIMNET_NODES_MAX]; /* of the node with that number */
	char names[SIMNET_NODES_MAX][16];
	size_t n_nodes;
	int n_places;
	struct pinger *pingers[SIMNET_PINGERS_MAX];
	size_t n_pingers;
	/* May a packet of the one be seen by the other now? reply: an answer to what the other began. NULL: always. */
	bool (*allows)(const struct simnet *w, const struct sim_node *from,
		const struct sim_node *to, bool reply);
	const void *allows_ctx;  /* the scenario's */
	uint64_t inner, strange; /* packets seen by devices; those that no pinger sent */
	jmp_buf failed;
	char why[512];
};

/* Ends the run of this seed, and prints how to repeat it. */
#define SIM_CHECK(w, cond, ...) \
	do { \
		if (!(cond)) \
			simnet_fail((w), __FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)
_Noreturn void simnet_fail(struct simnet *w, const char *file, int line, const char *cond,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

enum { SIMNET_V4 = 1, SIMNET_V6 = 2 };

struct simnet_cfg {
	const struct link_model *links; /* NULL: lab */
	int families;                   /* of the internet and the hub; 0: SIMNET_V4 */
	int n_relays;                   /* besides the one in the hub: regions 2 and up */
	bool hub_has_no_relay;          /* then there is no region 1 */
};

void simnet_init(struct simnet *w, uint64_t seed, const struct simnet_cfg *cfg);
void simnet_fini(struct simnet *w);

/* Places (topology.c). Each has its own networks; the device is added by sim_node_at. */
struct place place_public(struct simnet *w);
struct place_cfg {
	const struct vnat_kind *kind4, *kind6; /* NULL: not that family */
	bool block_udp, bad_hairpin;
	uint16_t only_tcp_port;
	const struct place *carrier; /* the router hangs behind this one's */
};
struct place place_behind(struct simnet *w, const struct place_cfg *cfg);
struct sim_node *sim_node_at(struct simnet *w, struct place *p); /* started by the caller */
struct sim_node *sim_node_beside(
	struct simnet *w, const struct sim_node *other); /* on the same LAN */
/* Takes the device out of its place and puts it into this one; it hears of it a little later. */
void sim_node_move(struct simnet *w, struct sim_node *n, struct place *to);
void sim_node_readdress(
	struct simnet *w, struct sim_node *n); /* another address in the same place */
struct place *place_of_node(struct simnet *w, const struct sim_node *n);
int simnet_families(const struct simnet *w); /* SIMNET_V4, SIMNET_V6: of the internet */
void place_set_link_model(struct simnet *w, struct place *p, const struct link_model *link_model);

/* The hub's policy from now on, until its store is gone; it has to be one that the hub takes. */
void simnet_set_policy(struct simnet *w, struct view text);

/* Time. */
void simnet_run(struct simnet *w, mono_ns how_long);
/* Until it holds; false: it did not within that time. */
bool simnet_until(
	struct simnet *w, bool (*holds)(struct simnet *w, void *ctx), void *ctx, mono_ns how_long);
bool simnet_all_running(struct simnet *w, void *unused);
mono_ns simnet_now(const struct simnet *w);

struct pair {
	struct sim_node *a, *b;
};

/* Pings that go on (ping.c). */
struct ping_result {
	size_t sent, answered,
		lost; /* lost: not answered; those of the last two seconds do not count yet */
	mono_ns first_sent, first_answer, last_answer; /* MONO_NEVER: none yet */
	mono_ns longest_gap;                           /* between answers, since pinger_reset */
	mono_ns gap_before_last;                       /* ended by the last answer */
	mono_ns last_rtt;
};
struct pinger *pinger_start(
	struct simnet *w, struct sim_node *from, struct sim_node *to, mono_ns interval);
void pinger_stop(struct pinger *p);
void pinger_reset(struct pinger *p); /* counts anew; what is under way does not count */
void pinger_result(const struct pinger *p, struct ping_result *ret);
unsigned pinger_index(const struct pinger *p);
struct pair pinger_pair(const struct pinger *p);
void pinger_free(struct pinger *p);
void pingers_on_inner(void *net, struct sim_node *at, const uint8_t *pkt, size_t len);
bool pinger_answered(struct simnet *w, void *pinger); /* for simnet_until: since the last reset */

/* Both have a trusted direct path to the other; none has one. For simnet_until. */
bool pair_is_direct(struct simnet *w, void *pair);
bool pair_is_relayed(struct simnet *w, void *pair);

/* Figures: a table of rows and columns, each cell a heap of samples (stats.c). */
void stat_add(const char *row, const char *column, double value);
void stat_print(void);

struct scenario {
	const char *name, *what;
	void (*run)(struct simnet *w, uint64_t seed); /* simnet_init is the scenario's */
	int seeds;                                    /* by default */
};
extern const struct scenario *const scenarios[];
extern const size_t n_scenarios;

#endif
