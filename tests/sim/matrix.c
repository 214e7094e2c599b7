/*
 * The lab's matrix (tests/lab/topologies.py) and more kinds of NAT: two devices in two places. Asked of each: how long
 * until the first answer, how long until both have a direct path, and is any packet of a running series lost when the path
 * moves? Counted from the moment when both run, as the lab counts from the return of the second `up`.
 */
#include "tests/sim/matrix.h"

#include <string.h>

#define EASY \
	{ \
		.kind4 = &vnat_easy \
	}
#define HARD \
	{ \
		.kind4 = &vnat_hard \
	}

static const struct topology topologies[] = {
	{ .name = "no-nat", .direct = true },
	{ .name = "easy-easy", .a = EASY, .b = EASY, .direct = true },
	{ .name = "none-hard", .b = HARD, .direct = true },
	{ .name = "hard-none", .a = HARD, .direct = true },
	{ .name = "easy-hard", .a = EASY, .b = HARD },
	{ .name = "hard-hard", .a = HARD, .b = HARD },
	{ .name = "cone-hard", .a = { .kind4 = &vnat_full_cone }, .b = HARD, .direct = true },
	{ .name = "restricted-hard",
		.a = { .kind4 = &vnat_restricted },
		.b = HARD,
		.direct = true },
	{ .name = "double-nat", .a = EASY, .b = EASY, .carrier = &vnat_easy, .direct = true },
	{ .name = "same-lan", .a = HARD, .same_lan = true, .direct = true },
	{ .name = "udp-blocked", .a = { .kind4 = &vnat_easy, .block_udp = true }, .b = EASY },
	{ .name = "only-tcp-443", .a = { .kind4 = &vnat_easy, .only_tcp_port = 443 }, .b = EASY },
	{ .name = "ipv6-only",
		.a = { .kind6 = &vnat_firewall },
		.b = { .kind6 = &vnat_firewall },
		.families = SIMNET_V6,
		.direct = true },
	{ .name = "dual-stack",
		.a = { .kind4 = &vnat_hard, .kind6 = &vnat_firewall },
		.b = { .kind4 = &vnat_hard, .kind6 = &vnat_firewall },
		.families = SIMNET_V4 | SIMNET_V6,
		.direct = true },
};

const struct topology *topology_next(const struct topology *t)
{
	if (!t)
		return topologies;
	return t + 1 < topologies + ARRAY_LEN(topologies) ? t + 1 : NULL;
}

const struct topology *topology_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(topologies); i++)
		if (!strcmp(topologies[i].name, name))
			return &topologies[i];
	return NULL;
}

static struct place place_for(struct simnet *w, const struct place_cfg *cfg)
{
	return cfg->kind4 || cfg->kind6 ? place_behind(w, cfg) : place_public(w);
}

void topology_build(
	struct simnet *w, uint64_t seed, const struct topology *t, struct simnet_cfg cfg)
{
	struct place_cfg a = t->a, carrier = { .kind4 = t->carrier };
	struct place carrier_place, pa, pb;

	cfg.families = t->families;
	simnet_init(w, seed, &cfg);
	if (t->carrier) {
		carrier_place = place_behind(w, &carrier);
		a.carrier = &carrier_place;
	}
	pa = place_for(w, &a);
	sim_node_at(w, &pa);
	if (t->same_lan) {
		sim_node_beside(w, w->nodes[0]);
		return;
	}
	pb = place_for(w, &t->b);
	sim_node_at(w, &pb);
}

void topology_up(struct simnet *w)
{
	sim_node_start(w->nodes[0]);
	simnet_run(w, MSEC(500) + (mono_ns)rng_below(&w->rng.rng, MSEC(1000)));
	sim_node_start(w->nodes[1]);
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(30)), "not both run: %s %s",
		sim_node_login_error(w->nodes[0]), sim_node_login_error(w->nodes[1]));
}

/* What is asked of the paths, by link model. */
struct bounds {
	const struct link_model *links;
	mono_ns first, direct, watch;
	bool lossless;
};

static void measure(
	struct simnet *w, const struct topology *t, const struct bounds *b, const char *row)
{
	struct pair pair = { w->nodes[0], w->nodes[1] };
	struct pinger *there, *back;
	struct ping_result r;
	mono_ns t0 = simnet_now(w);
	bool direct;

	there = pinger_start(w, pair.a, pair.b, MSEC(10));
	back = pinger_start(w, pair.b, pair.a, MSEC(20));
	SIM_CHECK(w, simnet_until(w, pinger_answered, there, b->first), "no answer within %.1f s",
		(double)b->first / 1e9);
	stat_add(row, "first answer ms", (double)(simnet_now(w) - t0) / 1e6);
	direct = simnet_until(w, pair_is_direct, &pair, t0 + b->direct - simnet_now(w));
	SIM_CHECK(w, direct == t->direct, "direct: %d", direct);
	if (direct)
		stat_add(row, "direct ms", (double)(simnet_now(w) - t0) / 1e6);
	simnet_run(w, b->watch);
	SIM_CHECK(w, pair_is_direct(w, &pair) == t->direct, "the path has changed");
	pinger_result(there, &r);
	stat_add(row, "rtt ms", (double)r.last_rtt / 1e6);
	stat_add(row, "lost %", 100.0 * (double)r.lost / (double)r.sent);
	SIM_CHECK(w, !b->lossless || r.lost == 0, "%zu of %zu pings lost", r.lost, r.sent);
	pinger_result(back, &r);
	SIM_CHECK(w, !b->lossless || r.lost == 0, "%zu of %zu pings back lost", r.lost, r.sent);
}

static void run_matrix(struct simnet *w, uint64_t seed, const struct bounds *b)
{
	const struct topology *t = NULL;
	uint64_t i = 0, n = 0;

	while ((t = topology_next(t)))
		n++;
	/* A seed is one network: it goes through the topologies in turn. */
	for (t = topology_next(NULL); i < seed % n; i++)
		t = topology_next(t);
	topology_build(w, seed, t, (struct simnet_cfg){ .links = b->links });
	topology_up(w);
	measure(w, t, b, t->name);
}

static void matrix(struct simnet *w, uint64_t seed)
{
	run_matrix(w, seed, &(struct bounds){ &link_model_lab, MSEC(500), SEC(2), SEC(5), true });
}

static void matrix_far(struct simnet *w, uint64_t seed)
{
	run_matrix(
		w, seed, &(struct bounds){ &link_model_far, MSEC(1200), MSEC(2500), SEC(5), true });
}

static void matrix_bad(struct simnet *w, uint64_t seed)
{
	run_matrix(w, seed, &(struct bounds){ &link_model_bad, SEC(4), SEC(5), SEC(5), false });
}

const struct scenario scenario_matrix = { "matrix",
	"the lab's topologies over lossless lines of 1 ms", matrix, 14 * 8 };
const struct scenario scenario_matrix_far = { "matrix-far",
	"... over lines of 25 to 75 ms with jitter", matrix_far, 14 * 8 };
const struct scenario scenario_matrix_bad = { "matrix-bad",
	"... that lose 5 % of packets, reorder and repeat", matrix_bad, 14 * 8 };
