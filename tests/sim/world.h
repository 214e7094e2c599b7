/*
 * tests/sim/world: an internet with a hub, relays and devices behind routers of any kind, made by a scenario and run in
 * virtual time. docs/simulator.md says how to write a scenario.
 */
#ifndef WARREN_TESTS_SIM_WORLD_H
#define WARREN_TESTS_SIM_WORLD_H

#include "tests/sim/node.h"

#include <setjmp.h>

enum { WORLD_NODES_MAX = 64, WORLD_PINGERS_MAX = 4096 };

/* What the links of a place are like: drawn once for each place, from these. */
struct weather {
	const char *name;
	mono_ns delay_min, delay_max, jitter; /* from the place to the middle of the internet */
	unsigned loss_ppm, dup_ppm,
		reorder_ppm; /* of each crossing: a packet from place to place crosses two */
};

extern const struct weather weather_lab; /* 1 ms, nothing lost: what network namespaces are */
extern const struct weather weather_far; /* 25 to 75 ms each way, jitter */
extern const struct weather
	weather_bad; /* the same with 2.5 % loss a crossing, reordering and repetition */

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
struct world;

struct world {
	struct vnet *v;
	uint64_t seed;
	struct rng_seeded rng; /* the scenario's */
	const struct weather *weather;
	struct vnet_seg *inet;
	struct server *servers[NODE_SERVERS_MAX];
	size_t n_servers;
	struct server *hub; /* servers[0] */
	struct arena mem;
	struct tc_derp_map derp_map;
	char auth_key[COORD_SECRET_TEXT_MAX];
	struct sim_node *nodes[WORLD_NODES_MAX];
	struct place places[WORLD_NODES_MAX]; /* of the node with that number */
	char names[WORLD_NODES_MAX][16];
	size_t n_nodes;
	int n_places;
	struct pinger *pingers[WORLD_PINGERS_MAX];
	size_t n_pingers;
	/* May a packet of the one be seen by the other now? NULL: always. */
	bool (*allows)(
		const struct world *w, const struct sim_node *from, const struct sim_node *to);
	uint64_t inner, strange; /* packets seen by devices; those that no pinger sent */
	jmp_buf failed;
	char why[512];
};

/* Ends the run of this seed, and prints how to repeat it. */
#define SIM_CHECK(w, cond, ...) \
	do { \
		if (!(cond)) \
			world_fail((w), __FILE__, __LINE__, #cond, __VA_ARGS__); \
	} while (0)
_Noreturn void world_fail(struct world *w, const char *file, int line, const char *cond,
	const char *fmt, ...) PRINTF_LIKE(5, 6);

enum { WORLD_V4 = 1, WORLD_V6 = 2 };

struct world_cfg {
	const struct weather *weather; /* NULL: lab */
	int families;                  /* of the internet and the hub; 0: WORLD_V4 */
	int n_relays;                  /* besides the one in the hub: regions 2 and up */
	bool hub_has_no_relay;         /* then there is no region 1 */
};

void world_init(struct world *w, uint64_t seed, const struct world_cfg *cfg);
void world_fini(struct world *w);

/* Places (places.c). Each has its own networks; the device is added by sim_node_at. */
struct place place_public(struct world *w);
struct place_cfg {
	const struct vnat_kind *kind4, *kind6; /* NULL: not that family */
	bool block_udp, bad_hairpin;
	uint16_t only_tcp_port;
	const struct place *carrier; /* the router hangs behind this one's */
};
struct place place_behind(struct world *w, const struct place_cfg *cfg);
struct sim_node *sim_node_at(struct world *w, struct place *p); /* started by the caller */
struct sim_node *sim_node_beside(
	struct world *w, const struct sim_node *other); /* on the same LAN */
/* Takes the device out of its place and puts it into this one; it hears of it a little later. */
void sim_node_move(struct world *w, struct sim_node *n, struct place *to);
void sim_node_readdress(
	struct world *w, struct sim_node *n); /* another address in the same place */
struct place *sim_place_of(struct world *w, const struct sim_node *n);
int families_of(const struct world *w); /* WORLD_V4, WORLD_V6: of the internet */
void place_set_weather(struct world *w, struct place *p, const struct weather *weather);

/* Time. */
void world_run(struct world *w, mono_ns how_long);
/* Until it holds; false: it did not within that time. */
bool world_until(
	struct world *w, bool (*holds)(struct world *w, void *ctx), void *ctx, mono_ns how_long);
bool world_all_running(struct world *w, void *unused);
mono_ns world_now(const struct world *w);

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
	struct world *w, struct sim_node *from, struct sim_node *to, mono_ns interval);
void pinger_stop(struct pinger *p);
void pinger_reset(struct pinger *p); /* counts anew; what is under way does not count */
void pinger_result(const struct pinger *p, struct ping_result *ret);
unsigned pinger_index(const struct pinger *p);
struct pair pinger_pair(const struct pinger *p);
void pinger_free(struct pinger *p);
void pingers_on_inner(void *world, struct sim_node *at, const uint8_t *pkt, size_t len);
bool pinger_answered(struct world *w, void *pinger); /* for world_until: since the last reset */

/* Both have a trusted direct path to the other; none has one. For world_until. */
bool pair_is_direct(struct world *w, void *pair);
bool pair_is_relayed(struct world *w, void *pair);

/* Figures: a table of rows and columns, each cell a heap of samples (stats.c). */
void stat_add(const char *row, const char *column, double value);
void stat_print(void);

struct scenario {
	const char *name, *what;
	void (*run)(struct world *w, uint64_t seed); /* world_init is the scenario's */
	int seeds;                                   /* by default */
};
extern const struct scenario *const scenarios[];
extern const size_t n_scenarios;

#endif
