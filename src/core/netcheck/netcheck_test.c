#include "core/netcheck/internal.h"
#include "testlib/check.h"

enum { N = 6, SENT_MAX = 64 };

static struct tc_derp_node nodes[N][5];
static struct tc_derp_region regions[N];
static struct json_pair pairs[N];
static char names[N][5][4], v4[N][5][16];

/* Regions 1 to n with as many nodes as their number says: 1a, 2a, 2b, ... at 192.0.2.(16 * region + node). */
static struct tc_derp_map map_of(size_t n)
{
	for (size_t i = 0; i < N; i++) {
		regions[i] = (struct tc_derp_region){ .id = (int64_t)i + 1,
			.no_measure_no_home = i == 5,
			.nodes = json_list_of(nodes[i], MIN_OF(i + 1, (size_t)5)) };
		for (size_t j = 0; j < 5; j++) {
			snprintf(names[i][j], sizeof(names[i][j]), "%zu%c", i + 1, (char)('a' + j));
			snprintf(v4[i][j], sizeof(v4[i][j]), "192.0.2.%zu", 16 * (i + 1) + j);
			nodes[i][j] = (struct tc_derp_node){ .name = names[i][j],
				.ipv4 = v4[i][j],
				.ipv6 = "none",
				.hostname = "derp.example.com" };
		}
		pairs[i] = (struct json_pair){ "", &regions[i] };
	}
	return (struct tc_derp_map){ .regions = { .v = pairs, .n = n, .present = true } };
}

/* ---- The plan ---- */

static void plan_text(const struct plan_input *in, char *out)
{
	struct probe_list lists[2 * NETCHECK_REGIONS_MAX];
	size_t n = plan_make(in, lists), len = 0;

	for (uint8_t family = 4; family <= 6; family += 2)
		for (size_t region = 0; region < in->n_regions; region++)
			for (size_t i = 0; i < n; i++) {
				const struct probe_list *l = &lists[i];

				if (l->region != region || l->family != family)
					continue;
				len += (size_t)sprintf(
					out + len, "%d/%u", in->regions[region].id, family);
				for (size_t t = 0; t < l->n_tries; t++)
					len += (size_t)sprintf(out + len, " %s@%d",
						in->regions[region].nodes[l->tries[t].node].name,
						(int)(l->tries[t].after / MSEC(1)));
				len += (size_t)sprintf(out + len, "; ");
			}
	out[len] = '\0';
}

static void plans_are_those_of_the_original(void **state)
{
	static const struct {
		bool full, have6, last6;
		int home, last_ms[5];
		const char *plan;
	} rows[] = {
		{ true, false, false, 0, { 0 },
			"1/4 1a@0 1a@100 1a@200; 2/4 2a@0 2b@100 2a@200; 3/4 3a@0 3b@100 3c@200; "
			"4/4 4a@0 4b@100 4c@200; 5/4 5a@0 5b@100 5c@200; " },
		{ false, false, false, 0, { 10, 20, 30, 40 },
			"1/4 1a@0 1a@12; 2/4 2a@0 2b@24; 3/4 3a@0; " },
		{ false, true, false, 0, { 10, 20, 30, 40 },
			"1/4 1a@0 1a@12; 2/4 2a@0 2b@24; 3/4 3a@0; 1/6 1a@0; 2/6 2a@0; " },
		{ false, true, true, 0, { 10, 20, 30, 40 },
			"1/4 1a@0 1a@12; 2/4 2a@0 2b@24; 3/4 3a@0; 1/6 1a@0 1a@12; 2/6 2a@0 2b@24; " },
		{ false, true, true, 1, { 10, 20, 30, 40 },
			"1/4 1a@0 1a@12 1a@124 1a@186; 2/4 2a@0 2b@24; 3/4 3a@0; "
			"1/6 1a@0 1a@12 1a@124 1a@186; 2/6 2a@0 2b@24; " },
		{ false, true, true, 1, { 50, 20, 30, 40 },
			"1/4 1a@0 1a@60 1a@220 1a@330; 2/4 2a@0 2b@24; 3/4 3a@0 3b@36; 4/4 4a@0; "
			"1/6 1a@0 1a@60 1a@220 1a@330; 2/6 2a@0 2b@24; 3/6 3a@0 3b@36; " },
	};

	map_of(N);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct region r[N] = { 0 };
		struct plan_input in = { .regions = r,
			.n_regions = N,
			.full = rows[i].full,
			.first = rows[i].full,
			.have4 = true,
			.have6 = rows[i].have6,
			.last6 = rows[i].last6,
			.home = rows[i].home };
		char text[1024];

		CHECK_ROW("row %zu", i);
		for (size_t j = 0; j < N; j++) {
			for (size_t k = 0; k < 5; k++)
				nodes[j][k].ipv6 = NULL; /* perhaps */
			r[j] = (struct region){ .id = (int)j + 1,
				.measured = j != 5,
				.nodes = nodes[j],
				.n_nodes = MIN_OF(j + 1, (size_t)5) };
			if (j < 5)
				r[j].last.all = MSEC(rows[i].last_ms[j]);
		}
		plan_text(&in, text);
		CHECK_STR(text, rows[i].plan);
	}
}

/* ---- Home ---- */

struct step {
	mono_ns d1, d2; /* 0: no answer */
};

static int home_after(const struct step *s, size_t n, mono_ns heard_before_end)
{
	struct region r[2] = { { .id = 1, .measured = true }, { .id = 2, .measured = true } };
	mono_ns now = SEC(1000);
	int home = 0;

	for (size_t i = 0; i < n; i++, now += SEC(20)) {
		int got;

		r[0].now.all = s[i].d1;
		r[1].now.all = s[i].d2;
		for (int j = 0; j < 2; j++)
			if (r[j].now.all)
				home_remember(&r[j], r[j].now.all, now);
		r[0].heard_at = i == n - 1 && heard_before_end ? now - heard_before_end : 0;
		got = home_choose(r, 2, home, now - MSEC(100), now);
		if (got || i == n - 1)
			home = got;
	}
	return home;
}

static void home_is_that_of_the_table(void **state)
{
	static const struct {
		struct step s[4];
		size_t n;
		mono_ns heard;
		int home;
	} rows[] = {
		{ { { SEC(2), SEC(3) } }, 1, 0, 1 },
		{ { { SEC(2), SEC(3) }, { SEC(4), SEC(3) } }, 2, 0, 1 },
		{ { { SEC(2), SEC(3) }, { SEC(4), SEC(3) }, { 0, SEC(3) } }, 3, 0, 2 },
		{ { { SEC(2), SEC(3) }, { SEC(4), SEC(3) }, { 0, SEC(3) }, { SEC(4), SEC(3) } }, 4,
			0, 1 },
		{ { { SEC(4), SEC(5) }, { SEC(4), SEC(3) } }, 2, 0, 1 },
		{ { { SEC(4), SEC(5) }, { SEC(4), SEC(1) } }, 2, 0, 2 },
		{ { { MSEC(4), MSEC(5) }, { MSEC(4), MSEC(1) } }, 2, 0, 1 },
		{ { { MSEC(34), MSEC(35) }, { MSEC(34), MSEC(23) } }, 2, 0, 1 },
		{ { { SEC(2), SEC(3) }, { SEC(4), SEC(3) }, { 0, SEC(3) } }, 3, SEC(7), 1 },
		{ { { SEC(2), SEC(3) }, { SEC(4), SEC(3) }, { 0, SEC(3) } }, 3, SEC(9), 2 },
		{ { { SEC(2), SEC(3) }, { 0, 0 } }, 2, SEC(119), 1 },
		{ { { SEC(2), SEC(3) }, { 0, 0 } }, 2, SEC(120), 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		CHECK_ROW("row %zu", i);
		CHECK_INT(home_after(rows[i].s, rows[i].n, rows[i].heard), ==, rows[i].home);
	}
}

/* ---- Rounds ---- */

struct rig {
	struct netcheck *nc;
	struct rng_seeded rng;
	struct {
		struct ipport to;
		uint8_t txid[STUN_TXID_LEN];
		bool answered;
	} sent[SENT_MAX];
	size_t n_sent, n_resolves;
	int measured[N];
	size_t n_measured;
	unsigned told, homes;
	mono_ns now;
};

static void keep_send(struct rig *r, const struct netcheck_request *q)
{
	CHECK_INT(r->n_sent, <, SENT_MAX);
	CHECK_INT(stun_request_decode(q->request, sizeof(q->request), r->sent[r->n_sent].txid), ==,
		0);
	r->sent[r->n_sent++].to = q->to;
}

/* What it asks for and tells, after each call. */
static void take(struct rig *r)
{
	unsigned changed = netcheck_take_changed(r->nc);
	struct netcheck_request q;

	r->told |= changed;
	r->homes += (changed & NETCHECK_HOME) != 0;
	while (netcheck_next(r->nc, &q))
		switch (q.kind) {
		case NETCHECK_SEND:
			keep_send(r, &q);
			break;
		case NETCHECK_RESOLVE:
			r->n_resolves++;
			CHECK_STR(q.host, "derp.example.com");
			break;
		case NETCHECK_MEASURE:
			r->measured[r->n_measured++] = q.region;
			break;
		}
}

static void rig_open(struct rig *r, size_t n_regions, bool can_measure)
{
	struct tc_derp_map map = map_of(n_regions);
	struct netcheck_cfg cfg = {
		.rng = &r->rng.rng, .can_resolve = true, .can_measure = can_measure
	};

	*r = (struct rig){ .now = SEC(1000) };
	rng_seeded_init(&r->rng, 1);
	CHECK_INT(netcheck_new(&r->nc, &cfg), ==, 0);
	CHECK_INT(netcheck_set_map(r->nc, &map), ==, 0);
	take(r);
}

static void run_to(struct rig *r, mono_ns then)
{
	while (netcheck_deadline(r->nc) <= then) {
		r->now = MAX_OF(r->now, netcheck_deadline(r->nc));
		netcheck_tick(r->nc, r->now);
		take(r);
	}
	r->now = then;
}

/* Answers the first open request to this region's nodes. */
static void answer(struct rig *r, unsigned region, struct ipport mapped)
{
	for (size_t i = 0; i < r->n_sent; i++) {
		uint8_t out[STUN_RESPONSE_MAX];
		size_t len;

		if (r->sent[i].to.ip.b[3] / 16 != region || r->sent[i].answered)
			continue;
		CHECK_INT(r->sent[i].to.port, ==, 3478);
		len = stun_response_encode(r->sent[i].txid, mapped, out);
		r->sent[i].answered = true;
		CHECK_TRUE(netcheck_on_stun(r->nc, out, len, r->now));
		take(r);
		CHECK_TRUE(!netcheck_on_stun(r->nc, out, len, r->now));
		take(r);
		return;
	}
	check_fail(__FILE__, __LINE__, "region %u was not asked", region);
}

static const struct ipport us = { { 4, { 203, 0, 113, 5 } }, 41641 },
			   us_else = { { 4, { 203, 0, 113, 5 } }, 1024 };

static void only_region_is_home_at_once(void **state)
{
	struct rig r;

	rig_open(&r, 1, false);
	CHECK_INT(netcheck_home(r.nc), ==, 1);
	CHECK_INT(r.homes, ==, 1);
	netcheck_free(r.nc);
}

static void answer_is_told_as_it_comes_and_ends_the_round_when_it_is_the_last(void **state)
{
	struct rig r;

	rig_open(&r, 1, false);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	CHECK_INT(r.n_sent, ==, 1);
	r.now += MSEC(7);
	answer(&r, 1, us);
	CHECK_INT(
		r.told & (NETCHECK_ADDRESS | NETCHECK_DONE), ==, NETCHECK_ADDRESS | NETCHECK_DONE);
	CHECK_TRUE(!netcheck_running(r.nc));
	CHECK_TRUE(ipport_eq(netcheck_last(r.nc)->global4, us));
	CHECK_TRUE(netcheck_last(r.nc)->udp && netcheck_last(r.nc)->ipv4 &&
		   !netcheck_last(r.nc)->ipv6);
	CHECK_INT(
		netcheck_last(r.nc)->mapping_varies, ==, JSON_ABSENT); /* one server cannot tell */
	CHECK_INT(netcheck_latency(r.nc, 0).v4, ==, MSEC(7));
	CHECK_TRUE(netcheck_deadline(r.nc) == MONO_NEVER);
	netcheck_free(r.nc);
}

static void lost_request_is_repeated_after_100_ms(void **state)
{
	struct rig r;

	rig_open(&r, 1, false);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, SEC(1000) + MSEC(99));
	CHECK_INT(r.n_sent, ==, 1);
	run_to(&r, SEC(1000) + MSEC(250));
	CHECK_INT(r.n_sent, ==, 3);
	CHECK_TRUE(netcheck_running(r.nc));
	run_to(&r, SEC(1003));
	CHECK_TRUE(!netcheck_running(r.nc));
	CHECK_TRUE(!netcheck_last(r.nc)->udp);
	netcheck_free(r.nc);
}

static void first_home_of_several_does_not_wait_for_slow_regions(void **state)
{
	struct rig r;

	rig_open(&r, 4, true);
	CHECK_INT(netcheck_home(r.nc), ==, 0);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, r.now + MSEC(30));
	answer(&r, 3, us);
	run_to(&r, r.now + MSEC(29));
	CHECK_INT(netcheck_home(r.nc), ==, 0);
	answer(&r, 2, us); /* slower than 3 */
	run_to(&r, r.now + MSEC(1));
	CHECK_INT(netcheck_home(r.nc), ==, 3);
	CHECK_TRUE(netcheck_running(r.nc));
	CHECK_INT(netcheck_now(r.nc)->mapping_varies, ==, JSON_NO);
	answer(&r, 1, us_else);
	CHECK_INT(netcheck_now(r.nc)->mapping_varies, ==, JSON_YES);
	run_to(&r, SEC(1001));
	CHECK_TRUE(!netcheck_running(r.nc)); /* three answers are enough: as long again, twice */
	CHECK_INT(netcheck_home(r.nc), ==, 3);
	CHECK_INT(r.homes, ==, 1);
	netcheck_free(r.nc);
}

static void blocked_udp_makes_the_owner_time_the_relays(void **state)
{
	struct rig r;

	rig_open(&r, 3, true);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, SEC(1000) + MSEC(499));
	CHECK_INT(r.n_measured, ==, 0);
	run_to(&r, SEC(1000) + MSEC(520));
	CHECK_INT(r.n_measured, ==, 3);
	netcheck_measured(r.nc, 1, -1, r.now);
	take(&r);
	netcheck_measured(r.nc, 2, MSEC(20), r.now);
	take(&r);
	run_to(&r, r.now + MSEC(21));
	CHECK_INT(netcheck_home(r.nc), ==, 2);
	netcheck_measured(r.nc, 3, MSEC(90), r.now);
	take(&r);
	run_to(&r, SEC(1006));
	CHECK_TRUE(!netcheck_running(r.nc));
	CHECK_TRUE(!netcheck_last(r.nc)->udp);
	CHECK_INT(netcheck_latency(r.nc, 2).all, ==, MSEC(90));
	netcheck_free(r.nc);
}

static void without_any_answer_some_home_is_better_than_none(void **state)
{
	struct rig r;

	rig_open(&r, 5, false);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, SEC(1001));
	CHECK_INT(netcheck_home(r.nc), !=, 0);
	run_to(&r, SEC(1010));
	CHECK_INT(r.homes, ==, 1);
	/* What answers later is preferred to the guess. */
	r.n_sent = 0;
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, r.now + MSEC(5));
	answer(&r, 1 + (unsigned)netcheck_home(r.nc) % 5, us);
	run_to(&r, r.now + MSEC(10));
	CHECK_INT(r.homes, ==, 2);
	netcheck_free(r.nc);
}

static void home_before_a_restart_is_kept_until_measured(void **state)
{
	struct tc_derp_map map = map_of(4);
	struct rig r;

	rig_open(&r, 0, false);
	netcheck_hint_home(r.nc, 4);
	take(&r);
	CHECK_INT(netcheck_home(r.nc), ==, 0);
	CHECK_INT(netcheck_set_map(r.nc, &map), ==, 0);
	take(&r);
	CHECK_INT(netcheck_home(r.nc), ==, 4);
	map = map_of(3);
	CHECK_INT(netcheck_set_map(r.nc, &map), ==, 0);
	take(&r);
	CHECK_INT(netcheck_home(r.nc), ==, 0); /* it is gone */
	netcheck_free(r.nc);
}

static void home_does_not_move_while_the_hub_is_away(void **state)
{
	struct rig r;

	rig_open(&r, 2, false);
	netcheck_hint_home(r.nc, 1);
	take(&r);
	netcheck_set_may_move(r.nc, false);
	for (int i = 0; i < 2; i++) {
		netcheck_start(r.nc, true, r.now);
		take(&r);
		run_to(&r, r.now + MSEC(1));
		answer(&r, 2, us);
		run_to(&r, r.now + SEC(5));
		CHECK_INT(netcheck_home(r.nc), ==, i ? 2 : 1);
		netcheck_set_may_move(r.nc, true);
	}
	netcheck_free(r.nc);
}

static void server_without_an_address_is_looked_up(void **state)
{
	struct ipaddr found[2] = { ipaddr_v4(192, 0, 2, 16), ipaddr_v4(192, 0, 2, 17) };
	struct tc_derp_map map;
	struct rig r;

	rig_open(&r, 0, false);
	map = map_of(1);
	nodes[0][0].ipv4 = NULL;
	CHECK_INT(netcheck_set_map(r.nc, &map), ==, 0);
	take(&r);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	CHECK_INT(r.n_resolves, ==, 1);
	run_to(&r, r.now + MSEC(50));
	CHECK_INT(r.n_sent, ==, 0);
	netcheck_resolved(r.nc, "other.example.com", found, 2, r.now);
	take(&r);
	CHECK_INT(r.n_sent, ==, 0);
	netcheck_resolved(r.nc, "derp.example.com", found, 2, r.now);
	take(&r);
	CHECK_INT(r.n_sent, ==, 1);
	answer(&r, 1, us);
	CHECK_TRUE(!netcheck_running(r.nc));
	netcheck_free(r.nc);
}

static void address_seen_twice_is_worth_telling(void **state)
{
	struct rig r;

	rig_open(&r, 4, false);
	netcheck_start(r.nc, false, r.now);
	take(&r);
	run_to(&r, r.now + MSEC(50));
	answer(&r, 1, us);
	answer(&r, 2, us_else);
	CHECK_INT(netcheck_now(r.nc)->n_also4, ==, 0);
	answer(&r, 3, us_else);
	CHECK_INT(netcheck_now(r.nc)->n_also4, ==, 1);
	CHECK_TRUE(ipport_eq(netcheck_now(r.nc)->also4[0], us_else));
	netcheck_free(r.nc);
}

static void strange_maps_are_refused_or_harmless(void **state)
{
	struct tc_derp_map map = map_of(2), none = { 0 };
	struct rig r;

	rig_open(&r, 0, false);
	netcheck_start(r.nc, true, r.now);
	take(&r);
	CHECK_TRUE(!netcheck_running(r.nc));
	regions[0].id = 65536;
	CHECK_INT(netcheck_set_map(r.nc, &map), ==, -ERR_BAD_VALUE);
	take(&r);
	regions[0].id = 1;
	regions[0].nodes.n = 0;
	nodes[1][0].stun_port = -1;
	nodes[1][1].stun_port = 70000;
	CHECK_INT(netcheck_set_map(r.nc, &map), ==, 0);
	take(&r);
	netcheck_start(r.nc, true, r.now);
	take(&r);
	run_to(&r, r.now + SEC(6));
	CHECK_INT(r.n_sent, ==, 0);
	CHECK_INT(netcheck_home(r.nc), ==, 2);
	CHECK_INT(netcheck_set_map(r.nc, &none), ==, 0);
	take(&r);
	CHECK_INT(netcheck_home(r.nc), ==, 0);
	CHECK_INT(netcheck_set_map(r.nc, NULL), ==, 0);
	take(&r);
	netcheck_free(r.nc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_are_those_of_the_original),
		cmocka_unit_test(home_is_that_of_the_table),
		cmocka_unit_test(only_region_is_home_at_once),
		cmocka_unit_test(answer_is_told_as_it_comes_and_ends_the_round_when_it_is_the_last),
		cmocka_unit_test(lost_request_is_repeated_after_100_ms),
		cmocka_unit_test(first_home_of_several_does_not_wait_for_slow_regions),
		cmocka_unit_test(blocked_udp_makes_the_owner_time_the_relays),
		cmocka_unit_test(without_any_answer_some_home_is_better_than_none),
		cmocka_unit_test(home_before_a_restart_is_kept_until_measured),
		cmocka_unit_test(home_does_not_move_while_the_hub_is_away),
		cmocka_unit_test(server_without_an_address_is_looked_up),
		cmocka_unit_test(address_seen_twice_is_worth_telling),
		cmocka_unit_test(strange_maps_are_refused_or_harmless),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
