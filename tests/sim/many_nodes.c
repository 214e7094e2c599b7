/* Many devices at once. */
#include "tests/sim/many_nodes.h"

struct place place_random(struct simnet *w)
{
	static const struct vnat_kind *const kinds[] = { &vnat_easy, &vnat_easy, &vnat_hard,
		&vnat_full_cone, &vnat_restricted, &vnat_linux_open };
	struct place_cfg cfg = { 0 };
	uint64_t kind = rng_below(&w->rng.rng, ARRAY_LEN(kinds) + 2);

	if (kind >= ARRAY_LEN(kinds))
		return place_public(w);
	cfg.kind4 = kinds[kind];
	if ((simnet_families(w) & SIMNET_V6) && rng_below(&w->rng.rng, 2))
		cfg.kind6 = &vnat_firewall;
	cfg.block_udp = rng_below(&w->rng.rng, 10) == 0;
	return place_behind(w, &cfg);
}

static bool all_know_all(struct simnet *w, void *unused)
{
	(void)unused;
	for (size_t i = 0; i < w->n_nodes; i++) {
		const struct netmap *nm = sim_node_is_running(w->nodes[i])
						  ? node_netmap(sim_node_agent(w->nodes[i]))
						  : NULL;

		if (!nm || netmap_n_peers(nm) != w->n_nodes - 1)
			return false;
	}
	return true;
}

bool many_nodes_all_answered(struct simnet *w, void *unused)
{
	(void)unused;
	for (size_t i = 0; i < w->n_pingers; i++)
		if (!pinger_answered(w, w->pingers[i]))
			return false;
	return true;
}

const struct pinger *many_nodes_first_silent(struct simnet *w)
{
	for (size_t i = 0; i < w->n_pingers; i++)
		if (!pinger_answered(w, w->pingers[i]))
			return w->pingers[i];
	return NULL;
}

static bool all_online(struct simnet *w, void *unused)
{
	struct coord_stats st;

	(void)unused;
	coord_stats(server_ctl(w->hub), &st);
	return st.online == w->n_nodes;
}

/* As an upgrade does: nobody stays away, and nobody is asked to log in. */
static void hub_blinks(struct simnet *w)
{
	mono_ns t0;

	server_kill(w->hub);
	simnet_run(w, MSEC(500));
	server_start(w->hub);
	t0 = simnet_now(w);
	SIM_CHECK(w, simnet_until(w, all_online, NULL, SEC(5)), "not all of %zu are back",
		w->n_nodes);
	stat_add("many-nodes", "all back ms", (double)(simnet_now(w) - t0) / 1e6);
	SIM_CHECK(w, simnet_until(w, all_know_all, NULL, SEC(1)),
		"not all know all after the hub's restart");
}

static void many_nodes(struct simnet *w, uint64_t seed)
{
	size_t n;
	mono_ns t0;

	simnet_init(w, seed,
		&(struct simnet_cfg){ .links = seed % 2 ? &link_model_lab : &link_model_far,
			.n_relays = 2,
			.families = seed % 3 ? SIMNET_V4 : SIMNET_V4 | SIMNET_V6 });
	n = 20 + rng_below(&w->rng.rng, 31);
	for (size_t i = 0; i < n; i++) {
		struct place p = place_random(w);

		sim_node_at(w, &p);
	}
	t0 = simnet_now(w);
	for (size_t i = 0; i < n; i++) {
		sim_node_start(w->nodes[i]);
		simnet_run(w, (mono_ns)rng_below(&w->rng.rng, MSEC(20)));
	}
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(10)), "not all of %zu run", n);
	SIM_CHECK(w, simnet_until(w, all_know_all, NULL, SEC(5)), "not all of %zu know all", n);
	stat_add("many-nodes", "all mapped ms", (double)(simnet_now(w) - t0) / 1e6);
	t0 = simnet_now(w);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 1; k <= 3; k++)
			pinger_start(w, w->nodes[i], w->nodes[(i + k) % n], MSEC(100));
	SIM_CHECK(w, simnet_until(w, many_nodes_all_answered, NULL, SEC(2)),
		"pinger %u of %zu nodes is silent", pinger_index(many_nodes_first_silent(w)), n);
	stat_add("many-nodes", "all answered ms", (double)(simnet_now(w) - t0) / 1e6);
	simnet_run(w, SEC(5));
	for (size_t i = 0; i < w->n_pingers; i++) {
		struct ping_result r;

		pinger_result(w->pingers[i], &r);
		SIM_CHECK(w, r.lost == 0, "pinger %zu: %zu of %zu lost", i, r.lost, r.sent);
	}
	hub_blinks(w);
}

const struct scenario scenario_many_nodes = { "many-nodes", "20 to 50 devices join within a second",
	many_nodes, 4 };
