/*
 * Anything at any time: processes and machines die and return, routers forget, cables are pulled, devices move, keys end.
 * While it lasts, no packet reaches a device that does not know the sender as a valid peer, and no invariant breaks. When it
 * is over, everybody reaches everybody within a bounded time, and knows the DNS settings that an administrator changed all the while.
 */
#include "tests/sim/answers.h"
#include "proto/dnsmsg/dnsmsg.h"
#include "tests/sim/many_nodes.h"

enum { DEVICES = 7, STEPS = 60 };
#define HEALED SEC(120) /* back-offs of half a minute have to run out, one after the other */

static uint64_t draw(struct simnet *w, uint64_t n)
{
	return rng_below(&w->rng.rng, n);
}

/* What the receiver itself knows: the sender is in its map, and its key has not ended. */
static bool known(
	const struct simnet *w, const struct sim_node *from, const struct sim_node *to, bool reply)
{
	struct now now = sim_node_now(to);
	bool any = false;

	(void)w;
	(void)reply;
	for (size_t i = 0; i < NODE_ADDRS_MAX && !any; i++) {
		struct ipaddr a = sim_node_addr_at(from, i);
		const struct tc_node *p =
			ipaddr_is_set(a) ? node_whois(sim_node_agent(to), a) : NULL;

		any = p && !p->expired && (!p->key_expiry || p->key_expiry > now.wall);
	}
	return any;
}

static struct server *random_server(struct simnet *w)
{
	return w->servers[draw(w, w->n_servers)];
}

static void on_server(struct simnet *w)
{
	struct server *s = random_server(w);

	if (!server_is_up(s))
		server_start(s);
	else if (draw(w, 2))
		server_kill(s);
	else
		server_crash(s);
}

static void on_process(struct simnet *w, struct sim_node *n)
{
	if (!sim_node_is_up(n)) {
		sim_node_start(n);
		return;
	}
	sim_node_kill(n);
	if (draw(w, 8) == 0)
		sim_node_forget_disk(n);
}

static void on_place(struct simnet *w, struct sim_node *n)
{
	static const struct link_model *const link_models[] = { &link_model_lab, &link_model_far,
		&link_model_bad };
	struct place *p = place_of_node(w, n), to;

	switch (draw(w, 5)) {
	case 0:
		to = place_random(w);
		sim_node_move(w, n, &to);
		break;
	case 1:
		place_set_link_model(w, p, link_models[draw(w, ARRAY_LEN(link_models))]);
		break;
	case 2:
		vnet_if_up(p->dev_if, draw(w, 2));
		break;
	case 3:
		if (p->router)
			sim_node_readdress(w, n);
		break;
	default:
		if (p->router)
			vnet_router_rules(p->router, draw(w, 2), draw(w, 4) ? 0 : 443);
	}
}

static void on_hub(struct simnet *w, struct sim_node *n)
{
	struct tailnet *tailnet = server_ctl(w->hub);

	if (!tailnet || !coord_node_find(tailnet, sim_node_id(n)))
		return;
	if (draw(w, 2))
		CHECK(coord_node_expire(tailnet, sim_node_id(n), sim_node_now(n)) == 0);
	else
		CHECK(coord_node_delete(tailnet, sim_node_id(n), sim_node_now(n)) == 0);
	server_turn(w->hub);
}

/* Another address of a record and another server of a suffix each time, and names below those of devices now and then. */
static void change_dns(struct simnet *w, int i)
{
	struct tailnet *tailnet = server_ctl(w->hub);
	char value[IPADDR_TEXT_MAX], server[IPADDR_TEXT_MAX];
	struct tc_resolver resolver = { .addr = ipaddr_format(
						ipaddr_v4(10, 53, 0, (uint8_t)(i + 1)), server) };
	struct coord_dns_split split = { "lab.example", json_list_of(&resolver, 1) };
	struct tc_dns_record record = { .name = "db.corp.example",
		.value = ipaddr_format(ipaddr_v4(10, 0, 0, (uint8_t)(i + 1)), value) };
	struct coord_dns d;
	struct err_at at;

	if (!tailnet)
		return;
	d = *coord_dns(tailnet);
	d.records = json_list_of(&record, 1);
	d.splits = json_list_of(&split, i % 3 > 0);
	d.wildcard = i % 2;
	CHECK(coord_dns_set(tailnet, &d, sim_node_now(w->nodes[0]), &at) == 0);
	server_turn(w->hub);
}

static const char *record_of(const struct json_list *records)
{
	return records->n == 1 ? JSON_AT(*records, struct tc_dns_record, 0)->value : "";
}

/* Who the hub says is asked for names of the suffix; "": nobody in particular. */
static const char *server_of(const struct coord_dns *d, char *out, size_t max)
{
	out[0] = 0;
	if (d->splits.n) {
		const struct coord_dns_split *s = JSON_AT(d->splits, struct coord_dns_split, 0);

		snprintf(out, max, "%s:53", JSON_AT(s->resolvers, struct tc_resolver, 0)->addr);
	}
	return out;
}

static bool is_answered(
	struct sim_answers *a, const char *below, const char *name, const char *want)
{
	char full[DNSMSG_TEXT_MAX];

	snprintf(full, sizeof(full), "%s%s", below, name);
	return !strcmp(sim_answers_to(a, full), want);
}

/* Names of all devices, and names below them, if that is on. */
static bool answers_for_devices(
	const struct simnet *w, const struct coord_dns *d, struct sim_answers *a)
{
	char ip[IPADDR_TEXT_MAX];

	for (size_t i = 0; i < w->n_nodes; i++) {
		const struct sim_node *n = w->nodes[i];
		const struct tc_node *self = netmap_self(node_netmap(sim_node_agent(n)));

		ipaddr_format(sim_node_addr(n), ip);
		if (!self || !is_answered(a, "", self->name, ip) ||
			!is_answered(a, "x.y.", self->name, d->wildcard ? ip : ""))
			return false;
	}
	return true;
}

/* What each device answers is what the hub says. */
static bool all_answer(struct simnet *w, void *unused)
{
	const struct coord_dns *d = coord_dns(server_ctl(w->hub));
	char server[IPPORT_TEXT_MAX];
	bool good = true;

	(void)unused;
	for (size_t i = 0; i < w->n_nodes && good; i++) {
		struct sim_answers *a = sim_answers_new(w->nodes[i]);

		good = is_answered(a, "", "db.corp.example", record_of(&d->records)) &&
		       is_answered(a, "x.", "lab.example", server_of(d, server, sizeof(server))) &&
		       answers_for_devices(w, d, a);
		sim_answers_free(a);
	}
	return good;
}

static void step(struct simnet *w)
{
	struct sim_node *n = w->nodes[draw(w, w->n_nodes)];

	switch (draw(w, 10)) {
	case 0:
		on_server(w);
		break;
	case 1:
	case 2:
		on_process(w, n);
		break;
	case 3:
	case 4:
	case 5:
	case 6:
		on_place(w, n);
		break;
	case 7:
		if (place_of_node(w, n)->router)
			vnet_router_reboot(place_of_node(w, n)->router);
		break;
	case 8:
		if (draw(w, 2))
			sim_node_down(n);
		else
			sim_node_up(n);
		break;
	default:
		if (draw(w, 3) == 0)
			on_hub(w, n);
	}
}

static void heal(struct simnet *w)
{
	for (size_t i = 0; i < w->n_servers; i++)
		if (!server_is_up(w->servers[i]))
			server_start(w->servers[i]);
	for (size_t i = 0; i < w->n_nodes; i++) {
		struct sim_node *n = w->nodes[i];
		struct place *p = place_of_node(w, n);

		vnet_if_up(p->dev_if, true);
		place_set_link_model(w, p, &link_model_lab);
		if (p->router)
			vnet_router_rules(p->router, false, 0);
		if (!sim_node_is_up(n))
			sim_node_start(n);
		sim_node_up(n);
	}
}

/* With the hub: one that comes up with its old map may have been removed meanwhile. */
static bool is_well(const struct sim_node *n)
{
	return sim_node_is_running(n) && node_is_polling(sim_node_agent(n));
}

static size_t n_well(const struct simnet *w)
{
	size_t n = 0;

	for (size_t i = 0; i < w->n_nodes; i++)
		n += is_well(w->nodes[i]);
	return n;
}

static bool all_well(struct simnet *w, void *unused)
{
	(void)unused;
	return n_well(w) == w->n_nodes;
}

/* Those whose key ended or who were removed log in again, as their owners would. */
static void log_in(struct simnet *w)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		if (!is_well(w->nodes[i]))
			sim_node_login(w->nodes[i]);
}

/* What the two ends of a pair that does not work think. */
static void tell_end(struct simnet *w, const struct sim_node *n, const struct sim_node *other)
{
	const struct node *a = sim_node_agent(n);
	const struct tc_node *p = node_whois(a, sim_node_addr(other));
	struct magicsock_peer_status st = { 0 };
	char at[IPPORT_TEXT_MAX];
	int rc = p ? magicsock_peer_status(node_magicsock(a), p->id, sim_node_now(n), &st) : -1;

	printf("# %s: state %d, polls %d, peers %zu, home %d; %s: known %d, expired %d, home %d, status %d, session %d, at %s, "
	       "%s\n",
		sim_node_name(n), node_state(a), node_is_polling(a), netmap_n_peers(node_netmap(a)),
		magicsock_home(node_magicsock(a)), sim_node_name(other), p != NULL,
		p ? p->expired : 0, p ? (int)p->home_derp : 0, rc, st.has_session,
		ipport_format(st.route.addr, at), server_ctl(w->hub) ? "hub is up" : "no hub");
}

static void tell_pair(struct simnet *w, const struct pair *p)
{
	for (size_t i = 0; i < w->n_nodes; i++)
		printf("# %s: id %lld, hub knows it: %d\n", sim_node_name(w->nodes[i]),
			(long long)sim_node_id(w->nodes[i]),
			coord_node_find(server_ctl(w->hub), sim_node_id(w->nodes[i])) != NULL);
	tell_end(w, p->a, p->b);
	tell_end(w, p->b, p->a);
}

static void chaos(struct simnet *w, uint64_t seed)
{
	mono_ns t0;

	simnet_init(w, seed,
		&(struct simnet_cfg){ .n_relays = 2,
			.hub_has_no_relay = true,
			.families = seed % 2 ? SIMNET_V4 : SIMNET_V4 | SIMNET_V6 });
	w->allows = known;
	if (seed % 2) /* everybody may, but the hub has to look at each pair */
		simnet_set_policy(w,
			VIEW_LIT("{\"acls\":[{\"action\":\"accept\",\"src\":[\"autogroup:member\"],"
				 "\"dst\":[\"autogroup:self:*\"]}]}"));
	for (size_t i = 0; i < DEVICES; i++) {
		struct place p = place_random(w);

		sim_node_start(sim_node_at(w, &p));
	}
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(10)), "not all run");
	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++)
			if (i != k)
				pinger_start(w, w->nodes[i], w->nodes[k], MSEC(400));
	for (int i = 0; i < STEPS; i++) {
		step(w);
		if (i % 4 == 0)
			change_dns(w, i);
		simnet_run(w, (mono_ns)draw(w, SEC(4)));
	}
	heal(w);
	t0 = simnet_now(w);
	simnet_run(w, SEC(45)); /* connections to a hub that died in silence are noticed */
	(void)simnet_until(w, all_well, NULL, SEC(15));
	log_in(w);
	SIM_CHECK(w, simnet_until(w, all_well, NULL, SEC(60)), "only %zu of %zu are well",
		n_well(w), w->n_nodes);
	SIM_CHECK(w, simnet_until(w, all_answer, NULL, SEC(5)),
		"somebody does not answer names as the hub says: its record is %s",
		record_of(&coord_dns(server_ctl(w->hub))->records));
	stat_add("chaos", "all are well s", (double)(simnet_now(w) - t0) / 1e9);
	for (size_t i = 0; i < w->n_pingers; i++)
		pinger_reset(w->pingers[i]);
	if (!simnet_until(w, many_nodes_all_answered, NULL, HEALED)) {
		struct pair p = pinger_pair(many_nodes_first_silent(w));

		tell_pair(w, &p);
		SIM_CHECK(w, false, "%s does not reach %s", sim_node_name(p.a), sim_node_name(p.b));
	}
	stat_add("chaos", "all reach all s", (double)(simnet_now(w) - t0) / 1e9);
}

const struct scenario scenario_chaos = { "chaos", "anything at any time, and all is well after",
	chaos, 16 };
