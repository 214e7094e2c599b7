/* What happens to a pair of devices in its life: paths die, addresses change, things restart, keys end. */
#include "tests/sim/matrix.h"

#include <malloc.h>

/* A pair, up, with pings in both directions, and on the path that its topology allows. */
struct couple {
	struct simnet *w;
	struct pair pair;
	struct pinger *there, *back;
};

static void couple_up(struct couple *c, struct simnet *w, uint64_t seed, const char *topology,
	struct simnet_cfg cfg)
{
	const struct topology *t = topology_find(topology);

	CHECK(t);
	if (!cfg.links && seed % 4 == 3)
		cfg.links = &link_model_far;
	topology_build(w, seed, t, cfg);
	topology_up(w);
	*c = (struct couple){ .w = w, .pair = { w->nodes[0], w->nodes[1] } };
	c->there = pinger_start(w, c->pair.a, c->pair.b, MSEC(50));
	c->back = pinger_start(w, c->pair.b, c->pair.a, MSEC(50));
	SIM_CHECK(w, simnet_until(w, pinger_answered, c->there, SEC(2)), "no first answer");
	if (t->direct)
		SIM_CHECK(w, simnet_until(w, pair_is_direct, &c->pair, SEC(10)), "no direct path");
	simnet_run(w, SEC(5));
}

/* More on long lines, by some round trips. */
static mono_ns bound(const struct couple *c, mono_ns d)
{
	return c->w->links == &link_model_far ? d + MSEC(1500) : d;
}

static void count_anew(struct couple *c)
{
	pinger_reset(c->there);
	pinger_reset(c->back);
}

/* The longest silence of either direction up to now; an answer is awaited that ends it. */
static mono_ns silence(struct couple *c, const char *row, const char *column)
{
	struct ping_result a, b;
	mono_ns gap;

	pinger_result(c->there, &a);
	pinger_result(c->back, &b);
	gap = MAX_OF(a.longest_gap, b.longest_gap);
	stat_add(row, column, (double)gap / 1e6);
	return gap;
}

static void check_flows_one(struct couple *c, mono_ns within, const char *what)
{
	pinger_reset(c->there);
	SIM_CHECK(c->w, simnet_until(c->w, pinger_answered, c->there, within),
		"nothing flows %.1f s after: %s", (double)within / 1e9, what);
}

static void check_flows(struct couple *c, mono_ns within, const char *what)
{
	mono_ns t0 = simnet_now(c->w);

	check_flows_one(c, within, what);
	pinger_reset(c->back);
	SIM_CHECK(c->w,
		simnet_until(c->w, pinger_answered, c->back, t0 + within - simnet_now(c->w)),
		"nothing flows back after: %s", what);
}

static size_t lost_of(const struct pinger *p)
{
	struct ping_result r;

	pinger_result(p, &r);
	return r.lost;
}

static size_t lost(const struct couple *c)
{
	return lost_of(c->there) + lost_of(c->back);
}

/* A firewall on the way begins to drop UDP: back to the relay; it ends: direct again. */
static void path_death(struct simnet *w, uint64_t seed)
{
	struct couple c;
	mono_ns t0;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "none-hard", (struct simnet_cfg){ 0 });
	count_anew(&c);
	vnet_router_rules(place_of_node(w, c.pair.b)->router, true, 0);
	simnet_run(w, SEC(15));
	SIM_CHECK(w, silence(&c, "path-death", "silence ms") < bound(&c, SEC(3)), "too long");
	check_flows(&c, SEC(1), "UDP is blocked");
	SIM_CHECK(w, pair_is_relayed(w, &c.pair), "a direct path where UDP is blocked");
	vnet_router_rules(place_of_node(w, c.pair.b)->router, false, 0);
	t0 = simnet_now(w);
	SIM_CHECK(w, simnet_until(w, pair_is_direct, &c.pair, SEC(60)), "no direct path again");
	stat_add("path-death", "direct again ms", (double)(simnet_now(w) - t0) / 1e6);
}

/* From one NATed network into another, then to another address in it. */
static void roaming(struct simnet *w, uint64_t seed)
{
	struct place_cfg easy = { .kind4 = &vnat_easy };
	struct place other;
	struct couple c;
	mono_ns t0;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "no-nat", (struct simnet_cfg){ 0 });
	other = place_behind(w, &easy);
	count_anew(&c);
	t0 = simnet_now(w);
	sim_node_move(w, c.pair.a, &other);
	SIM_CHECK(w, simnet_until(w, pair_is_direct, &c.pair, SEC(20)),
		"no direct path after a move");
	stat_add("roaming", "direct again ms", (double)(simnet_now(w) - t0) / 1e6);
	check_flows(&c, SEC(5), "a move");
	simnet_run(w, SEC(5));
	count_anew(&c);
	sim_node_readdress(w, c.pair.a);
	simnet_run(w, SEC(10));
	check_flows(&c, SEC(1), "a new address");
	SIM_CHECK(w, pair_is_direct(w, &c.pair), "no direct path after a new address");
}

/* The silence that a move brings, by itself: relayed packets have to find the way within a second. */
static void roaming_silence(struct simnet *w, uint64_t seed)
{
	struct place_cfg easy = { .kind4 = &vnat_easy };
	struct place other;
	struct couple c;

	couple_up(&c, w, seed, "easy-easy", (struct simnet_cfg){ 0 });
	other = place_behind(w, &easy);
	count_anew(&c);
	sim_node_move(w, c.pair.a, &other);
	simnet_run(w, SEC(10));
	SIM_CHECK(w, silence(&c, "roaming", "silence ms") < bound(&c, MSEC(500)), "too long");
}

/* The router forgets its mappings; its ports then are the same (easy) or others (hard). */
static void nat_reboot(struct simnet *w, uint64_t seed)
{
	struct couple c;
	bool hard = seed % 2;
	const char *row = hard ? "nat-reboot hard" : "nat-reboot easy";

	couple_up(&c, w, seed, hard ? "none-hard" : "easy-easy", (struct simnet_cfg){ 0 });
	count_anew(&c);
	vnet_router_reboot(place_of_node(w, c.pair.b)->router);
	simnet_run(w, SEC(15));
	SIM_CHECK(w, silence(&c, row, "silence ms") < bound(&c, SEC(2)), "too long");
	check_flows(&c, SEC(1), "the router forgot everything");
	SIM_CHECK(w, simnet_until(w, pair_is_direct, &c.pair, SEC(20)), "no direct path again");
}

static bool hub_sees_all(struct simnet *w, void *unused)
{
	struct coord_stats st;

	(void)unused;
	if (!server_ctl(w->hub))
		return false;
	coord_stats(server_ctl(w->hub), &st);
	return st.online == w->n_nodes;
}

/* The hub is gone for a while. What flows goes on, and all are back without being asked. */
static void hub_restart(struct simnet *w, uint64_t seed)
{
	struct couple c;
	mono_ns t0;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "hard-hard",
		(struct simnet_cfg){ .n_relays = 1, .hub_has_no_relay = true });
	SIM_CHECK(w, simnet_until(w, hub_sees_all, NULL, SEC(5)), "the hub does not see both");
	count_anew(&c);
	if (seed % 4 < 2)
		server_kill(w->hub);
	else
		server_crash(w->hub);
	simnet_run(w, SEC(1) + (mono_ns)rng_below(&w->rng.rng, SEC(60)));
	server_start(w->hub);
	t0 = simnet_now(w);
	SIM_CHECK(w, simnet_until(w, hub_sees_all, NULL, SEC(45)), "not all are back");
	stat_add(seed % 4 < 2 ? "hub-restart kill" : "hub-restart crash", "all back ms",
		(double)(simnet_now(w) - t0) / 1e6);
	SIM_CHECK(w, lost(&c) == 0, "%zu pings lost while the hub was away", lost(&c));
}

/* The only relay of a pair that needs it restarts, or is gone while there is another. */
static void relay_restart(struct simnet *w, uint64_t seed)
{
	struct couple c;
	mono_ns t0;
	bool other = seed % 2;
	const char *row = other ? "relay-gone (two)" : "relay-restart";

	couple_up(&c, w, seed, "hard-hard",
		(struct simnet_cfg){ .n_relays = other ? 2 : 1, .hub_has_no_relay = true });
	if (other) { /* whichever is home */
		server_crash(
			w->servers[magicsock_home(node_magicsock(sim_node_agent(c.pair.b))) - 1]);
		t0 = simnet_now(w);
		simnet_run(w, SEC(1));
	} else {
		server_kill(w->servers[1]);
		simnet_run(w, SEC(3));
		server_start(w->servers[1]);
		t0 = simnet_now(w);
	}
	check_flows(&c, bound(&c, other ? SEC(12) : SEC(5)), "the relay's end");
	stat_add(row, "flows again ms", (double)(simnet_now(w) - t0) / 1e6);
}

/* A device starts with what it has on its disk: with the hub, and without. */
static void sim_node_restart(struct simnet *w, uint64_t seed)
{
	struct couple c;
	bool without = seed % 2;
	const char *row = without ? "restart, no hub" : "restart";
	mono_ns t0;

	couple_up(&c, w, seed, seed % 4 < 2 ? "easy-easy" : "no-nat",
		(struct simnet_cfg){
			.links = &link_model_lab, .n_relays = 1, .hub_has_no_relay = true });
	sim_node_kill(c.pair.a);
	simnet_run(w, SEC(1) + (mono_ns)rng_below(&w->rng.rng, SEC(30)));
	if (without)
		server_kill(w->hub);
	simnet_run(w, SEC(1));
	pinger_reset(c.there);
	t0 = simnet_now(w);
	sim_node_start(c.pair.a);
	SIM_CHECK(w, simnet_until(w, pinger_answered, c.there, without ? SEC(1) : MSEC(200)),
		"no answer");
	stat_add(row, "first answer ms", (double)(simnet_now(w) - t0) / 1e6);
	SIM_CHECK(w, simnet_until(w, pair_is_direct, &c.pair, SEC(10)), "no direct path");
	stat_add(row, "direct ms", (double)(simnet_now(w) - t0) / 1e6);
}

static bool nobody(
	const struct simnet *w, const struct sim_node *from, const struct sim_node *to, bool reply)
{
	(void)w;
	(void)from;
	(void)to;
	(void)reply;
	return false;
}

static struct now hub_now(const struct simnet *w)
{
	return sim_node_now(w->nodes[0]);
}

/* An administrator ends a key: nothing flows any more, until the device logs in again. */
static void expiry(struct simnet *w, uint64_t seed)
{
	struct couple c;
	struct pair *p = &c.pair;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "hard-hard", (struct simnet_cfg){ 0 });
	CHECK(coord_node_expire(server_ctl(w->hub), sim_node_id(p->b), hub_now(w)) == 0);
	server_turn(w->hub);
	simnet_run(w, SEC(1));
	w->allows = nobody;
	simnet_run(w, SEC(20));
	SIM_CHECK(w, !sim_node_is_running(p->b), "a device with an expired key runs");
	w->allows = NULL;
	sim_node_login(p->b);
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(20)), "no new login: %s",
		sim_node_login_error(p->b));
	check_flows(&c, SEC(10), "a new login");
}

static void removal(struct simnet *w, uint64_t seed)
{
	struct couple c;
	struct pair *p = &c.pair;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "hard-hard", (struct simnet_cfg){ 0 });
	CHECK(coord_node_delete(server_ctl(w->hub), sim_node_id(p->b), hub_now(w)) == 0);
	server_turn(w->hub);
	simnet_run(w, SEC(1));
	w->allows = nobody;
	simnet_run(w, SEC(20));
	SIM_CHECK(w, netmap_n_peers(node_netmap(sim_node_agent(p->a))) == 0,
		"a removed device is still a peer");
	SIM_CHECK(w, node_state(sim_node_agent(p->b)) == IPN_NEEDS_LOGIN,
		"a removed device is in state %d", node_state(sim_node_agent(p->b)));
	w->allows = NULL;
	sim_node_login(p->b);
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(20)), "no new login: %s",
		sim_node_login_error(p->b));
	check_flows(&c, SEC(10), "a new login");
}

/* A device whose owner lets nobody in: it still reaches the others, and hears their answers. */
static void shields(struct simnet *w, uint64_t seed)
{
	struct couple c;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "hard-hard", (struct simnet_cfg){ 0 });
	pinger_stop(c.back);
	simnet_run(w, SEC(1));
	sim_node_shields(c.pair.b, true);
	simnet_run(w, MSEC(500)); /* answers that are under way */
	w->allows = nobody;
	simnet_run(w, SEC(10)); /* a's pings go on */
	pinger_stop(c.there);
	simnet_run(w, SEC(1));
	w->allows = NULL;
	c.back = pinger_start(w, c.pair.b, c.pair.a, MSEC(50));
	simnet_run(w, SEC(5));
	SIM_CHECK(
		w, lost_of(c.back) == 0, "%zu pings of the shielded device lost", lost_of(c.back));
	pinger_stop(c.back);
	sim_node_shields(c.pair.b, false);
	c.there = pinger_start(w, c.pair.a, c.pair.b, MSEC(50));
	SIM_CHECK(
		w, simnet_until(w, pinger_answered, c.there, SEC(1)), "no answer without shields");
}

/* Clocks that are wrong, that are set right while all runs, and that are wrong again after a restart. */
static void clocks(struct simnet *w, uint64_t seed)
{
	static const unix_ms year = INT64_C(365) * 24 * 3600 * 1000;
	struct couple c;

	topology_build(w, seed, topology_find(seed % 2 ? "easy-easy" : "hard-hard"),
		(struct simnet_cfg){ 0 });
	c = (struct couple){ .w = w, .pair = { w->nodes[0], w->nodes[1] } };
	sim_node_set_clock(c.pair.a, -10 * year);
	sim_node_set_clock(c.pair.b, (unix_ms)rng_below(&w->rng.rng, (uint64_t)year));
	topology_up(w);
	c.there = pinger_start(w, c.pair.a, c.pair.b, MSEC(50));
	c.back = pinger_start(w, c.pair.b, c.pair.a, MSEC(50));
	check_flows(&c, SEC(1), "the first start");
	count_anew(&c);
	sim_node_set_clock(c.pair.a, 0);
	simnet_run(w, SEC(300));
	sim_node_set_clock(c.pair.b, 0);
	simnet_run(w, SEC(300));
	SIM_CHECK(w, lost(&c) == 0, "%zu pings lost", lost(&c));
	pinger_stop(c.back); /* the one with the wrong clock has to begin */
	sim_node_kill(c.pair.a);
	simnet_run(w, SEC(10));
	sim_node_set_clock(c.pair.a, -10 * year);
	sim_node_start(c.pair.a);
	/* WireGuard refuses handshakes from the past, until the time comes from somewhere. */
	simnet_run(w, SEC(3));
	sim_node_set_clock(c.pair.a, 0);
	check_flows_one(&c, SEC(6), "a restart in the past");
}

/* A quarter of an hour without a break: sessions are renewed, NAT mappings kept, and nobody notices. */
static void steady(struct simnet *w, uint64_t seed)
{
	static const char *const where[] = { "easy-easy", "none-hard", "hard-hard", "dual-stack" };
	const char *place = where[seed / 2 % ARRAY_LEN(where)];
	struct couple c;
	bool direct;

	couple_up(&c, w, seed, place,
		(struct simnet_cfg){ .links = seed % 2 ? &link_model_lab : &link_model_far });
	direct = pair_is_direct(w, &c.pair);
	count_anew(&c);
	for (int i = 0; i < 90; i++) {
		simnet_run(w, SEC(10));
		SIM_CHECK(w, pair_is_direct(w, &c.pair) == direct, "the path has changed");
	}
	SIM_CHECK(w, lost(&c) == 0, "%zu pings lost", lost(&c));
	SIM_CHECK(w, silence(&c, place, "longest silence ms") < MSEC(450),
		"too long"); /* one round trip, at first */
}

/* A day of a pair that talks now and then: nothing grows, keys are renewed, the path is there when it is needed. */
static void idle_day(struct simnet *w, uint64_t seed)
{
	struct couple c;
	struct ping_result r;
	size_t memory = 0;

	couple_up(&c, w, seed, seed % 2 ? "easy-easy" : "hard-hard", (struct simnet_cfg){ 0 });
	for (int i = 0; i < 24; i++) {
		if (i == 2)
			memory = mallinfo2().uordblks;
		pinger_stop(c.there);
		pinger_stop(c.back);
		simnet_run(w, SEC(3600));
		c.there = pinger_start(w, c.pair.a, c.pair.b, MSEC(100));
		SIM_CHECK(w, simnet_until(w, pinger_answered, c.there, SEC(1)),
			"no answer after an idle hour");
		pinger_result(c.there, &r);
		stat_add(seed % 2 ? "idle easy-easy" : "idle hard-hard", "first answer ms",
			(double)(r.first_answer - r.first_sent) / 1e6);
		simnet_run(w, SEC(10));
		pinger_result(c.there, &r);
		SIM_CHECK(w, r.lost == 0, "%zu pings lost after an idle hour", r.lost);
	}
	/* The pings' own records are some 40 kB. Sanitizers count nothing here. */
	SIM_CHECK(w, mallinfo2().uordblks < memory + 128 * 1024, "memory grew from %zu to %zu",
		memory, mallinfo2().uordblks);
}

const struct scenario scenario_path_death = { "path-death",
	"UDP is dropped on the way, and passes again", path_death, 8 };
const struct scenario scenario_roaming = { "roaming", "a device moves into another network",
	roaming, 8 };
const struct scenario scenario_roaming_silence = { "roaming-silence", "how long nothing flows then",
	roaming_silence, 8 };
const struct scenario scenario_nat_reboot = { "nat-reboot", "a router forgets its mappings",
	nat_reboot, 8 };
const struct scenario scenario_hub_restart = { "hub-restart", "the hub is away for up to a minute",
	hub_restart, 8 };
const struct scenario scenario_relay_restart = { "relay-restart", "a relay restarts, or is gone",
	relay_restart, 8 };
const struct scenario scenario_node_restart = { "node-restart", "a device starts from its disk",
	sim_node_restart, 16 };
const struct scenario scenario_expiry = { "expiry", "a key ends, and the device logs in again",
	expiry, 4 };
const struct scenario scenario_removal = { "removal", "a device is removed", removal, 4 };
const struct scenario scenario_steady = { "steady", "a quarter of an hour without a break", steady,
	8 };
const struct scenario scenario_clocks = { "clocks", "wall clocks that are wrong and that step",
	clocks, 4 };
const struct scenario scenario_shields = { "shields", "a device that lets nobody in", shields, 4 };
const struct scenario scenario_idle_day = { "idle-day", "a pair that talks once an hour", idle_day,
	2 };
