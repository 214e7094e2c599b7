/*
 * Policies that change while everybody talks: who may begin is what the hub's policy engine says, and nobody else. The answers of the
 * engine are asked for with each policy, and have to be what the policy was drawn from.
 */
#include "tests/sim/many_nodes.h"

enum { DEVICES = 6, ROUNDS = 6, ICMP = 1, TEXT_MAX = 16384 };
#define TAKEN_OVER SEC(2)  /* a change reaches every device, and what was under way arrives */
#define HUB_IS_BACK SEC(6) /* the same, with a hub that starts again */
#define LONG_ENOUGH SEC(3) /* to see an answer, and that none is missing */
#define BETWEEN_PINGS MSEC(200)

/* May the first begin with the second? */
struct matrix {
	bool may[DEVICES][DEVICES];
};

struct policies {
	struct matrix now, before;
	mono_ns taken_over; /* until then the one before counts, too */
};

static bool allows(
	const struct simnet *w, const struct sim_node *from, const struct sim_node *to, bool reply)
{
	const struct policies *p = w->allows_ctx;
	int a = sim_node_number(reply ? to : from), b = sim_node_number(reply ? from : to);

	return p->now.may[a][b] || (simnet_now(w) < p->taken_over && p->before.may[a][b]);
}

/* ---- One policy ---- */

static void add(struct buf *text, const char *fmt, const char *a, const char *b)
{
	CHECK(buf_printf(text, fmt, a, b) == 0);
}

/* A rule for each pair that may: by address, or by names in "hosts". */
static void write_pairs(struct simnet *w, const struct matrix *m, bool by_name, struct buf *text)
{
	const char *comma = "";

	add(text, "{\"hosts\":{", "", "");
	for (size_t i = 0; i < DEVICES; i++) {
		char ip[IPADDR_TEXT_MAX];

		CHECK(buf_printf(text, "%s\"host%zu\":\"%s\"", i ? "," : "", i,
			      ipaddr_format(sim_node_addr(w->nodes[i]), ip)) == 0);
	}
	add(text, "},\"acls\":[", "", "");
	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++) {
			char a[IPADDR_TEXT_MAX], b[IPADDR_TEXT_MAX];

			if (!m->may[i][k])
				continue;
			ipaddr_format(sim_node_addr(w->nodes[i]), a);
			ipaddr_format(sim_node_addr(w->nodes[k]), b);
			if (by_name) {
				snprintf(a, sizeof(a), "host%zu", i);
				snprintf(b, sizeof(b), "host%zu", k);
			}
			add(text, comma, "", "");
			add(text, "{\"action\":\"accept\",\"src\":[\"%s\"],\"dst\":[\"%s:*\"]}", a,
				b);
			comma = ",";
		}
	add(text, "]}", "", "");
}

/* What is drawn, and the text that says it. */
static void draw_policy(struct simnet *w, struct matrix *m, struct buf *text)
{
	uint64_t kind = rng_below(&w->rng.rng, 6);
	unsigned percent = kind < 2 ? 100 : kind == 2 ? 0 : 10 + 30 * (unsigned)(kind - 3);

	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++)
			m->may[i][k] = i != k && rng_below(&w->rng.rng, 100) < percent;
	buf_clear(text);
	if (kind == 0)
		return; /* no policy: everybody may */
	if (kind == 1)
		add(text,
			"{\"acls\":[{\"action\":\"accept\",\"src\":[\"autogroup:member\"],"
			"\"dst\":[\"autogroup:self:*\"]}]}",
			"", "");
	else
		write_pairs(w, m, rng_below(&w->rng.rng, 2) != 0, text);
}

/* The engine's own answers. */
static void ask_hub(struct simnet *w, struct matrix *ret)
{
	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++) {
			char a[IPADDR_TEXT_MAX], b[IPADDR_TEXT_MAX];
			struct coord_reach r = { 0 };
			struct err_at at = { 0 };

			ret->may[i][k] = false;
			if (i == k)
				continue;
			ipaddr_format(sim_node_addr(w->nodes[i]), a);
			ipaddr_format(sim_node_addr(w->nodes[k]), b);
			SIM_CHECK(w,
				coord_policy_can_reach(
					server_ctl(w->hub), NULL, a, b, ICMP, 0, &r, &at) == 0,
				"the hub does not answer: %s", at.text);
			ret->may[i][k] = r.allowed == r.asked;
		}
}

static void same_answers(struct simnet *w, const struct matrix *want, const char *when)
{
	struct matrix got;

	ask_hub(w, &got);
	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++)
			SIM_CHECK(w, got.may[i][k] == want->may[i][k],
				"%s: n%zu to n%zu is %d for the hub, and should be %d", when, i, k,
				got.may[i][k], want->may[i][k]);
}

/* ---- What follows from it ---- */

static void change(struct simnet *w, struct policies *p, struct buf *text)
{
	bool hub_restarts = rng_below(&w->rng.rng, 3) == 0;
	struct sim_node *sleeper =
		rng_below(&w->rng.rng, 2) == 0 ? w->nodes[rng_below(&w->rng.rng, DEVICES)] : NULL;
	mono_ns grace = hub_restarts ? HUB_IS_BACK : TAKEN_OVER;

	p->before = p->now;
	draw_policy(w, &p->now, text);
	if (sleeper) /* it comes back with the map of before */
		sim_node_kill(sleeper);
	simnet_set_policy(w, buf_view(text));
	same_answers(w, &p->now, "new");
	p->taken_over = simnet_now(w) + grace;
	simnet_run(w, MSEC(1)); /* until it is kept */
	if (hub_restarts)
		server_kill(w->hub);
	simnet_run(w, MSEC(500));
	if (hub_restarts)
		server_start(w->hub);
	if (sleeper)
		sim_node_start(sleeper);
	simnet_run(w, p->taken_over - simnet_now(w));
	same_answers(w, &p->now, "later");
}

static void who_may_is_answered(struct simnet *w, const struct policies *p)
{
	for (size_t i = 0; i < w->n_pingers; i++)
		pinger_reset(w->pingers[i]);
	simnet_run(w, LONG_ENOUGH);
	for (size_t i = 0; i < w->n_pingers; i++) {
		struct pair of = pinger_pair(w->pingers[i]);
		bool may = p->now.may[sim_node_number(of.a)][sim_node_number(of.b)];
		struct ping_result r;

		pinger_result(w->pingers[i], &r);
		SIM_CHECK(w, may ? r.answered > 0 && r.lost == 0 : r.answered == 0,
			"%s %s begin with %s: %zu sent, %zu answered, %zu lost",
			sim_node_name(of.a), may ? "may" : "may not", sim_node_name(of.b), r.sent,
			r.answered, r.lost);
	}
}

static void policies(struct simnet *w, uint64_t seed)
{
	struct policies p = { 0 };
	struct buf text;

	buf_init(&text, TEXT_MAX);
	simnet_init(w, seed,
		&(struct simnet_cfg){
			.n_relays = 1, .families = seed % 2 ? SIMNET_V4 : SIMNET_V4 | SIMNET_V6 });
	for (size_t i = 0; i < DEVICES; i++) {
		struct place at = place_random(w);

		sim_node_start(sim_node_at(w, &at));
	}
	SIM_CHECK(w, simnet_until(w, simnet_all_running, NULL, SEC(10)), "not all run");
	memset(&p.now, 1, sizeof(p.now)); /* without a policy everybody may */
	w->allows = allows;
	w->allows_ctx = &p;
	for (size_t i = 0; i < DEVICES; i++)
		for (size_t k = 0; k < DEVICES; k++)
			if (i != k)
				pinger_start(w, w->nodes[i], w->nodes[k], BETWEEN_PINGS);
	simnet_run(w, SEC(2));
	for (int i = 0; i < ROUNDS; i++) {
		change(w, &p, &text);
		who_may_is_answered(w, &p);
	}
	w->allows = NULL;
	buf_fini(&text);
}

const struct scenario scenario_policies = { "policies",
	"who may begin is what the hub's policy says, as it changes", policies, 8 };
