#include "tests/sim/simnet.h"

static void draw_link(struct simnet *w, struct vnet_if *i, const struct link_model *t)
{
	struct vnet_link l = { .delay = t->delay_min,
		.jitter = t->jitter,
		.loss_ppm = t->loss_ppm,
		.dup_ppm = t->dup_ppm,
		.reorder_ppm = t->reorder_ppm };

	if (t->delay_max > t->delay_min)
		l.delay += (mono_ns)rng_below(&w->rng.rng, (uint64_t)(t->delay_max - t->delay_min));
	vnet_link(i, &l, &l);
}

static void add_addr(struct vnet_if *i, const char *fmt, int a, int b)
{
	char text[IPADDR_TEXT_MAX];

	snprintf(text, sizeof(text), fmt, a, b);
	vnet_addr_add(i, text);
}

int simnet_families(const struct simnet *w)
{
	const struct vnet_dev *d = server_dev(w->hub);

	return (ipaddr_is_set(vnet_addr(d, 4)) ? SIMNET_V4 : 0) |
	       (ipaddr_is_set(vnet_addr(d, 6)) ? SIMNET_V6 : 0);
}

struct place place_public(struct simnet *w)
{
	return (struct place){ .lan = w->inet, .number = 20 + w->n_places++ };
}

/*
 * Networks of place n: 192.168.n/24 and 2001:db8:n::/64 inside; 198.51.100.n and 2001:db8:1::n outside, or 10.c.n.2 on
 * the LAN of a carrier c.
 */
struct place place_behind(struct simnet *w, const struct place_cfg *cfg)
{
	struct place p = { .number = 20 + w->n_places++ };
	struct vnet_seg *outside = cfg->carrier ? cfg->carrier->lan : w->inet;
	char name[24];

	snprintf(name, sizeof(name), "lan%d", p.number);
	p.lan = vnet_seg(w->v, name);
	snprintf(name, sizeof(name), "router%d", p.number);
	p.router = vnet_host(w->v, name);
	p.wan = vnet_plug(p.router, outside);
	p.lan_if = vnet_plug(p.router, p.lan);
	draw_link(w, p.wan, w->links);
	if (cfg->kind4) {
		add_addr(p.wan, cfg->carrier ? "192.168.%d.%d" : "198.51.%d.%d",
			cfg->carrier ? cfg->carrier->number : 100, p.number);
		add_addr(p.lan_if, "192.168.%d.%d", p.number, 1);
		vnet_route(p.lan, "0.0.0.0/0", p.lan_if);
	}
	if (cfg->kind6) {
		char net[IPPREFIX_TEXT_MAX];

		add_addr(p.wan, "2001:db8:%d::%d", 1, p.number);
		add_addr(p.lan_if, "2001:db8:%d::%d", p.number, 1);
		vnet_route(p.lan, "::/0", p.lan_if);
		snprintf(net, sizeof(net), "2001:db8:%d::/64", p.number);
		vnet_route(outside, net, p.wan);
	}
	vnet_make_router(p.router, p.wan, cfg->kind4, cfg->kind6);
	vnet_router_rules(p.router, cfg->block_udp, cfg->only_tcp_port);
	return p;
}

static bool lan_has(const struct place *p, uint8_t family)
{
	return !p->router || ipaddr_is_set(vnet_addr(p->router, family));
}

static void give_addrs(struct simnet *w, struct place *p)
{
	int host = p->router ? 2 + p->n_hosts : p->number;

	p->n_hosts++;
	if (!p->router && (simnet_families(w) & SIMNET_V4))
		add_addr(p->dev_if, "198.51.%d.%d", 100, host);
	else if (p->router && lan_has(p, 4))
		add_addr(p->dev_if, "192.168.%d.%d", p->number, host);
	if (!p->router && (simnet_families(w) & SIMNET_V6))
		add_addr(p->dev_if, "2001:db8:%d::%d", 1, host);
	else if (p->router && lan_has(p, 6))
		add_addr(p->dev_if, "2001:db8:%d::%d", p->number, host);
}

static void settle_in(struct simnet *w, struct place *p)
{
	struct vnet_link cable = { .delay = USEC(100) };

	if (p->router)
		vnet_link(p->dev_if, &cable, &cable);
	else
		draw_link(w, p->dev_if, w->links);
	give_addrs(w, p);
}

struct sim_node *sim_node_at(struct simnet *w, struct place *p)
{
	size_t i = w->n_nodes;
	struct sim_node_cfg cfg = { .name = w->names[i],
		.number = (int)i,
		.auth_key = w->auth_key,
		.control_url = "https://hub.test",
		.servers = w->servers,
		.n_servers = w->n_servers,
		.wall_at_zero = 1790000000000,
		.on_inner = pingers_on_inner,
		.ctx = w };
	struct vnet_dev *d;

	CHECK(i < SIMNET_NODES_MAX);
	snprintf(w->names[i], sizeof(w->names[i]), "n%zu", i);
	d = vnet_host(w->v, w->names[i]);
	p->dev_if = vnet_plug(d, p->lan);
	settle_in(w, p);
	w->places[i] = *p;
	w->nodes[i] = sim_node_new(w->v, d, &cfg);
	w->n_nodes++;
	return w->nodes[i];
}

struct place *place_of_node(struct simnet *w, const struct sim_node *n)
{
	return &w->places[sim_node_number(n)];
}

struct sim_node *sim_node_beside(struct simnet *w, const struct sim_node *other)
{
	struct place *there = place_of_node(w, other), p = *there;
	struct sim_node *n = sim_node_at(w, &p);

	there->n_hosts = p.n_hosts;
	return n;
}

void sim_node_move(struct simnet *w, struct sim_node *n, struct place *to)
{
	struct vnet_if *i = place_of_node(w, n)->dev_if;

	vnet_replug(i, to->lan);
	to->dev_if = i;
	settle_in(w, to);
	*place_of_node(w, n) = *to;
	vnet_note(w->v, "%s moves", sim_node_name(n));
	simnet_run(w, MSEC(20)); /* netmon's debounce */
	sim_node_link_changed(n);
}

void sim_node_readdress(struct simnet *w, struct sim_node *n)
{
	struct place *p = place_of_node(w, n);

	CHECK(p->router); /* public hosts have one address each */
	vnet_addr_clear(p->dev_if);
	p->n_hosts += 10; /* nobody else's */
	give_addrs(w, p);
	simnet_run(w, MSEC(20));
	sim_node_link_changed(n);
}

void place_set_link_model(struct simnet *w, struct place *p, const struct link_model *t)
{
	draw_link(w, p->router ? p->wan : p->dev_if, t);
}
