#include "tests/sim/simnet.h"

#include <stdarg.h>

enum { CHECK_EVERY = 512 };

const struct link_model link_model_lab = {
	.name = "lab", .delay_min = USEC(200), .delay_max = USEC(1500)
};
const struct link_model link_model_far = {
	.name = "far", .delay_min = MSEC(25), .delay_max = MSEC(75), .jitter = MSEC(5)
};
const struct link_model link_model_bad = { .name = "bad",
	.delay_min = MSEC(25),
	.delay_max = MSEC(75),
	.jitter = MSEC(5),
	.loss_ppm = 25000,
	.dup_ppm = 5000,
	.reorder_ppm = 10000 };

void simnet_fail(
	struct simnet *w, const char *file, int line, const char *cond, const char *fmt, ...)
{
	int n = snprintf(w->why, sizeof(w->why), "%s:%d: at %.3f s: %s: ", file, line,
		(double)vnet_now(w->v) / 1e9, cond);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->why + n, sizeof(w->why) - (size_t)n, fmt, ap);
	va_end(ap);
	longjmp(w->failed, 1);
}

static const char *mem_printf(struct simnet *w, const char *fmt, int n)
{
	char *s = arena_printf(&w->mem, fmt, n);

	CHECK(s);
	return s;
}

static void add_region(
	struct simnet *w, int region, const char *host, const char *ip4, const char *ip6)
{
	struct tc_derp_region *r = arena_new(&w->mem, struct tc_derp_region);
	struct tc_derp_node *n;

	CHECK(r);
	r->id = region;
	r->code = r->name = mem_printf(w, "r%d", region);
	n = json_list_add(&r->nodes, &w->mem, sizeof(*n));
	CHECK(n);
	n->name = mem_printf(w, "%da", region);
	n->region_id = region;
	n->hostname = host;
	n->ipv4 = ip4;
	n->ipv6 = ip6;
	n->stun_port = 3478;
	n->insecure_for_tests = true;
	CHECK(json_map_add(&w->derp_map.regions, &w->mem, mem_printf(w, "%d", region), r) == 0);
	w->derp_map.regions.present = true;
}

/* A data centre: a short, clean line. */
static void add_server(struct simnet *w, const char *name, bool hub, int region, int families)
{
	struct vnet_dev *d = vnet_host(w->v, name);
	struct vnet_if *i = vnet_plug(d, w->inet);
	struct vnet_link line = { .delay = USEC(500) };
	struct server_cfg cfg = { .name = name,
		.hub = hub,
		.region = region,
		.derp_map = &w->derp_map,
		.wall_at_zero = 1790000000000 };
	const char *ip4 = mem_printf(w, "198.51.100.%d", 10 + (int)w->n_servers),
		   *ip6 = mem_printf(w, "2001:db8:1::%d", 10 + (int)w->n_servers);

	vnet_link(i, &line, &line);
	if (families & SIMNET_V4)
		vnet_addr_add(i, ip4);
	if (families & SIMNET_V6)
		vnet_addr_add(i, ip6);
	if (region)
		add_region(w, region, mem_printf(w, hub ? "hub.test" : "r%d.test", region),
			families & SIMNET_V4 ? ip4 : "none", families & SIMNET_V6 ? ip6 : "none");
	w->servers[w->n_servers++] = server_new(w->v, d, &cfg);
}

static void make_key(struct simnet *w)
{
	struct tailnet *tailnet = server_ctl(w->hub);
	struct coord_key_spec spec = { .reusable = true, .preapproved = true };
	struct now now = { .mono = vnet_now(w->v), .wall = 1790000000000 };
	const struct coord_user *user;
	const struct coord_key *key;

	CHECK(coord_user_create(tailnet, "ann", now, &user) == 0);
	spec.user = user->id;
	CHECK(coord_key_create(tailnet, &spec, now, w->auth_key, &key) == 0);
	server_turn(w->hub);
}

void simnet_init(struct simnet *w, uint64_t seed, const struct simnet_cfg *cfg)
{
	int families = cfg->families ? cfg->families : SIMNET_V4;

	w->seed = seed;
	w->links = cfg->links ? cfg->links : &link_model_lab;
	vnet_fork(w->v, &w->rng);
	arena_init(&w->mem, 4 << 20);
	w->inet = vnet_seg(w->v, "inet");
	/* Relays first in the map, the hub first in the list: its document is read when the hub starts. */
	add_server(w, "hub", true, cfg->hub_has_no_relay ? 0 : 1, families);
	w->hub = w->servers[0];
	for (int i = 0; i < cfg->n_relays; i++)
		add_server(w, mem_printf(w, "r%d", 2 + i), false, 2 + i, families);
	server_kill(w->hub); /* the map of relays is complete now */
	server_start(w->hub);
	make_key(w);
}

void simnet_set_policy(struct simnet *w, struct view text)
{
	mono_ns t = vnet_now(w->v);
	struct now now = { .mono = t, .wall = 1790000000000 + t / MSEC(1) };
	struct err_at at = { 0 };
	int rc = coord_policy_set(
		server_ctl(w->hub), text, "sim", COORD_POLICY_ANY_VERSION, now, NULL, NULL, &at);

	SIM_CHECK(w, rc == 0, "the hub refuses a policy: %u:%u: %s", at.line, at.column, at.text);
	server_turn(w->hub);
}

void simnet_fini(struct simnet *w)
{
	for (size_t i = 0; i < w->n_pingers; i++)
		pinger_free(w->pingers[i]);
	for (size_t i = 0; i < w->n_nodes; i++)
		sim_node_free(w->nodes[i]);
	for (size_t i = 0; i < w->n_servers; i++)
		server_free(w->servers[i]);
	vnet_check(w->v);
	arena_fini(&w->mem);
}

mono_ns simnet_now(const struct simnet *w)
{
	return vnet_now(w->v);
}

static bool never(struct simnet *w, void *ctx)
{
	(void)w;
	(void)ctx;
	return false;
}

void simnet_run(struct simnet *w, mono_ns how_long)
{
	(void)simnet_until(w, never, NULL, how_long);
}

bool simnet_until(
	struct simnet *w, bool (*holds)(struct simnet *w, void *ctx), void *ctx, mono_ns how_long)
{
	mono_ns end = vnet_now(w->v) + how_long, was = -1;

	while (vnet_now(w->v) < end) {
		/* Looked at once for each moment: many events may share one. */
		if (vnet_now(w->v) != was && holds(w, ctx))
			return true;
		was = vnet_now(w->v);
		vnet_step(w->v, end);
		if (vnet_counters(w->v)->events % CHECK_EVERY == 0)
			vnet_check(w->v);
	}
	return holds(w, ctx);
}

bool simnet_all_running(struct simnet *w, void *unused)
{
	(void)unused;
	for (size_t i = 0; i < w->n_nodes; i++)
		if (!sim_node_is_running(w->nodes[i]))
			return false;
	return true;
}

bool pair_is_direct(struct simnet *w, void *pair)
{
	struct pair *p = pair;
	struct ipport to;

	(void)w;
	return sim_node_direct(p->a, sim_node_addr(p->b), &to) &&
	       sim_node_direct(p->b, sim_node_addr(p->a), &to);
}

bool pair_is_relayed(struct simnet *w, void *pair)
{
	struct pair *p = pair;
	struct ipport to;

	(void)w;
	return !sim_node_direct(p->a, sim_node_addr(p->b), &to) &&
	       !sim_node_direct(p->b, sim_node_addr(p->a), &to);
}
