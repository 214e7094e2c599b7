#include "base/ledger/ledger.h"
#include "base/buf/buf.h"
#include "base/err/err.h"
#include "base/rng/rng.h"
#include "testlib/check.h"

enum { E = LEDGER_ENTRY_BYTES, KB = 1024 };

struct conn {
	struct ledger_holder h;
	bool gone; /* pushed out */
};

static void on_evict(struct ledger_holder *h)
{
	container_of(h, struct conn, h)->gone = true;
}

static struct ledger *make(
	size_t stranger_bytes, size_t stranger_conns, size_t member_bytes, size_t member_conns)
{
	struct ledger_cfg cfg = { .strangers = { stranger_bytes, stranger_conns },
		.members = { member_bytes, member_conns },
		.leaving = { 1 << 30, 1 << 20 } };
	struct ledger *l;

	CHECK_INT(ledger_new(&l, &cfg), ==, 0);
	return l;
}

static struct ipaddr v4(unsigned n)
{
	return ipaddr_v4((uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n);
}

static struct ipaddr v6(uint8_t net32, uint8_t net48, uint8_t net64)
{
	uint8_t b[16] = { 0x20, 0x01, 0x0d, net32, 0, net48, 0, net64, [15] = 1 };

	return ipaddr_from16(b);
}

static int enter(struct ledger *l, struct conn *c, struct ipaddr from)
{
	*c = (struct conn){ 0 };
	return ledger_enter(l, &c->h, from, LEDGER_CONN, on_evict);
}

static void leave_all(struct ledger *l, struct conn *c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ledger_leave(&c[i].h);
	CHECK_INT(ledger_stats(l)->strangers.now.bytes, ==, 0);
	CHECK_INT(ledger_stats(l)->members.now.bytes, ==, 0);
	CHECK_INT(ledger_stats(l)->leaving.bytes, ==, 0);
	CHECK_INT(ledger_stats(l)->leaving.conns, ==, 0);
	CHECK_INT(ledger_stats(l)->accounts, ==, 0);
	ledger_free(l);
}

static void what_was_held_between_two_looks_is_seen(void **state)
{
	struct ledger *l = make(1 << 20, 10, 1 << 20, 10);
	struct conn c;

	(void)state;
	CHECK_INT(enter(l, &c, v4(1)), ==, 0);
	CHECK_INT(ledger_charge(&c.h, 100 * KB), ==, 0);
	ledger_refund(&c.h, 100 * KB);
	CHECK_INT(ledger_take_peak(l), ==, E + 100 * KB);
	CHECK_INT(ledger_take_peak(l), ==, E);
	leave_all(l, &c, 1);
}

static void without_a_ledger_nothing_is_charged(void **state)
{
	struct conn c;

	CHECK_INT(enter(NULL, &c, v4(1)), ==, 0);
	CHECK_INT(ledger_charge(&c.h, SIZE_MAX), ==, 0);
	CHECK_INT(ledger_charge(NULL, SIZE_MAX), ==, 0);
	ledger_refund(NULL, 1);
	ledger_set_source(&c.h, v4(2));
	ledger_leave(&c.h);
	ledger_leave(NULL);
	CHECK_TRUE(!ledger_is_settling(NULL));
}

/* A source may use what is free; when another comes, the one with most gives way. */
static void largest_source_gives_way(void **state)
{
	struct ledger *l = make(100 * KB, 100, 0, 0);
	struct conn c[4];

	for (int i = 0; i < 3; i++) {
		CHECK_INT(enter(l, &c[i], v4(0x0a000001)), ==, 0);
		CHECK_INT(ledger_charge(&c[i].h, (size_t)(20 + 10 * i) * KB), ==, 0);
	}
	CHECK_INT(enter(l, &c[3], v4(0x0b000001)), ==, 0);
	CHECK_INT(ledger_charge(&c[3].h, 20 * KB), ==, 0);
	CHECK_TRUE(c[2].gone && !c[0].gone && !c[1].gone && !c[3].gone);
	CHECK_INT(ledger_stats(l)->leaving.bytes, ==, 40 * KB + E);
	CHECK_INT(ledger_stats(l)->strangers.evicted, ==, 1);
	CHECK_INT(ledger_charge(&c[2].h, 1), ==, -ERR_NO_ROOM);
	ledger_refund(&c[2].h, 40 * KB);
	CHECK_INT(ledger_stats(l)->leaving.bytes, ==, E);
	leave_all(l, c, 4);
}

/* Who would become the largest is refused, and nobody else suffers. */
static void who_wants_most_is_refused(void **state)
{
	struct ledger *l = make(100 * KB, 100, 0, 0);
	struct conn c[2];

	for (int i = 0; i < 2; i++)
		CHECK_INT(enter(l, &c[i], v4(0x0a000001u << i)), ==, 0);
	CHECK_INT(ledger_charge(&c[0].h, 40 * KB), ==, 0);
	CHECK_INT(ledger_charge(&c[1].h, 70 * KB), ==, -ERR_NO_ROOM);
	CHECK_INT(ledger_charge(&c[1].h, SIZE_MAX), ==, -ERR_NO_ROOM);
	CHECK_INT(ledger_charge(&c[1].h, 50 * KB), ==, 0);
	CHECK_TRUE(!c[0].gone && !c[1].gone);
	CHECK_INT(ledger_stats(l)->strangers.refused, ==, 2);
	leave_all(l, c, 2);
}

static void one_address_with_all_connections_loses_its_oldest(void **state)
{
	enum { N = 50 };
	struct ledger *l = make(1 << 20, N, 0, 0);
	struct conn c[N + 2];

	for (int i = 0; i < N; i++)
		CHECK_INT(enter(l, &c[i], v4(0x0a000001)), ==, 0);
	CHECK_INT(enter(l, &c[N], v4(0x0b000001)), ==, 0);
	CHECK_INT(enter(l, &c[N + 1], v4(0x0a000001)), ==, 0);
	CHECK_TRUE(c[0].gone && c[1].gone && !c[N].gone && !c[N + 1].gone);
	for (int i = 2; i < N; i++)
		CHECK_TRUE(!c[i].gone);
	CHECK_INT(ledger_stats(l)->strangers.now.conns, ==, N);
	leave_all(l, c, N + 2);
}

/* 65,536 networks of /64 are one customer's /48, and 65,536 of those one provider's /32. */
static void networks_of_one_owner_count_together(void **state)
{
	enum { N = 64 };
	struct ledger *l = make(1 << 20, N, 0, 0);
	struct conn c[N + 2];

	for (int i = 0; i < 8; i++) { /* honest: a house of eight */
		CHECK_INT(enter(l, &c[i], v6(1, 1, 1)), ==, 0);
		CHECK_INT(ledger_charge(&c[i].h, KB), ==, 0);
	}
	for (int i = 8; i < N; i++)
		CHECK_INT(enter(l, &c[i], v6(2, (uint8_t)(i / 8), (uint8_t)i)), ==, 0);
	CHECK_INT(enter(l, &c[N], v6(2, 99, 99)), ==, 0);
	CHECK_INT(enter(l, &c[N + 1], v4(1)), ==, 0);
	for (int i = 0; i < 8; i++)
		CHECK_TRUE(!c[i].gone);
	CHECK_TRUE(!c[N].gone && !c[N + 1].gone);
	CHECK_INT(ledger_stats(l)->strangers.evicted, ==, 2);
	leave_all(l, c, N + 2);
}

static void members_are_not_touched_by_strangers(void **state)
{
	struct ledger *l = make(100 * KB, 4, 100 * KB, 2);
	static const uint8_t id[2][LEDGER_ID_LEN] = { { 1 }, { 2 } };
	struct conn c[8];

	CHECK_INT(enter(l, &c[0], v4(1)), ==, 0);
	CHECK_INT(ledger_charge(&c[0].h, 90 * KB), ==, 0);
	ledger_set_member(&c[0].h, id[0]);
	CHECK_INT(ledger_stats(l)->strangers.now.bytes, ==, 0);
	CHECK_INT(ledger_stats(l)->members.now.bytes, ==, 90 * KB + E);
	for (int i = 1; i < 6; i++)
		CHECK_INT(enter(l, &c[i], v4(1)), ==, 0);
	CHECK_TRUE(c[1].gone && !c[0].gone);
	/* The second member takes from the first, which has more; the third connection is the second's own loss. */
	ledger_set_member(&c[2].h, id[1]);
	CHECK_INT(ledger_charge(&c[2].h, 20 * KB), ==, 0);
	CHECK_TRUE(c[0].gone && !c[2].gone);
	ledger_set_member(&c[3].h, id[1]);
	ledger_set_member(&c[4].h, id[1]);
	CHECK_TRUE(c[2].gone && !c[3].gone && !c[4].gone);
	/* A connection of a proxy carries somebody else now. */
	ledger_set_source(&c[3].h, v4(7));
	CHECK_INT(ledger_stats(l)->members.now.conns, ==, 1);
	leave_all(l, c, 6);
}

static void logins_take_no_descriptor(void **state)
{
	struct ledger *l = make(100 * KB, 1, 0, 0);
	struct conn c[4];

	for (int i = 0; i < 3; i++) {
		c[i] = (struct conn){ 0 };
		CHECK_INT(ledger_enter(l, &c[i].h, v4(1), LEDGER_LOGIN, on_evict), ==, 0);
	}
	CHECK_INT(enter(l, &c[3], v4(1)), ==, 0);
	CHECK_INT(ledger_stats(l)->strangers.now.conns, ==, 1);
	CHECK_TRUE(!c[0].gone && !c[1].gone && !c[2].gone);
	leave_all(l, c, 4);
}

static void what_leaves_is_bounded(void **state)
{
	struct ledger_cfg cfg = { .strangers = { 100 * KB, 2 }, .leaving = { 1 << 30, 1 } };
	struct ledger *l;
	struct conn c[5];

	CHECK_INT(ledger_new(&l, &cfg), ==, 0);
	for (int i = 0; i < 4; i++) {
		CHECK_TRUE(!ledger_is_settling(l));
		CHECK_INT(enter(l, &c[i], v4((unsigned)i << 16)), ==, 0);
	}
	CHECK_TRUE(ledger_is_settling(l));
	CHECK_INT(enter(l, &c[4], v4(9 << 16)), ==, -ERR_TOO_MANY);
	ledger_leave(&c[0].h);
	CHECK_INT(enter(l, &c[4], v4(9 << 16)), ==, 0);
	leave_all(l, c, 5);
}

static void costly_work_is_shared_between_networks(void **state)
{
	struct ledger *l = make(100 * KB, 10, 0, 0);
	struct conn c[3];

	for (int i = 0; i < 2; i++)
		CHECK_INT(enter(l, &c[i], v6(1, 1, (uint8_t)i)), ==,
			0); /* two networks of one owner */
	CHECK_INT(enter(l, &c[2], v6(1, 2, 1)), ==, 0);
	CHECK_TRUE(ledger_may_work(&c[0].h, 7, 2) && ledger_may_work(&c[1].h, 7, 2));
	CHECK_INT(ledger_ahead(&c[0].h, 2), ==, 0);
	CHECK_TRUE(!ledger_may_work(&c[0].h, 7, 2) && !ledger_may_work(&c[1].h, 7, 2));
	CHECK_INT(ledger_ahead(&c[1].h, 2), ==, 2);
	CHECK_TRUE(ledger_may_work(&c[2].h, 7, 2));
	CHECK_TRUE(ledger_may_work(&c[0].h, 8, 2));
	CHECK_TRUE(ledger_may_work(NULL, 8, 0));
	CHECK_INT(ledger_stats(l)->strangers.waited, ==, 2);
	leave_all(l, c, 3);
}

static void buffer_is_charged_for_its_memory(void **state)
{
	struct ledger *l = make(64 * KB, 10, 0, 0);
	struct conn c[2];
	struct buf b;
	size_t i;

	CHECK_INT(enter(l, &c[0], v4(1)), ==, 0);
	buf_init(&b, 1 << 20);
	buf_set_holder(&b, &c[0].h);
	for (i = 0; buf_append(&b, "0123456789abcde", 15) == 0; i++)
		CHECK_INT(ledger_bytes(&c[0].h), ==, E + b.cap);
	CHECK_INT(buf_len(&b), ==, i * 15);
	CHECK_INT(b.cap, ==, 32 * KB);
	CHECK_INT(buf_append(&b, "0123456789abcde", 15), ==, -ERR_NO_ROOM);
	buf_consume(&b, buf_len(&b));
	CHECK_INT(ledger_bytes(&c[0].h), ==, E + b.cap);
	buf_fini(&b);
	CHECK_INT(ledger_bytes(&c[0].h), ==, E);
	CHECK_INT(enter(l, &c[1], v4(1)), ==, 0);
	leave_all(l, c, 2);
}

/* ---- Any sequence ---- */

enum { CONNS = 120, STEPS = 8000 };

struct model {
	struct ledger *l;
	struct conn c[CONNS];
	struct ipaddr from[CONNS];
	int member[CONNS]; /* -1: a stranger */
	size_t bytes[CONNS];
	bool in[CONNS];
};

/* What a naive count says. */
static void check_sums(struct model *m)
{
	const struct ledger_stats *n = ledger_stats(m->l);
	struct ledger_part strangers = { 0 }, members = { 0 }, leaving = { 0 };

	for (int i = 0; i < CONNS; i++) {
		struct ledger_part *p = !m->in[i]           ? NULL
					: m->c[i].gone      ? &leaving
					: m->member[i] >= 0 ? &members
							    : &strangers;

		if (!p)
			continue;
		CHECK_INT(ledger_bytes(&m->c[i].h), ==, m->bytes[i] + E);
		p->bytes += m->bytes[i] + E;
		p->conns++;
	}
	CHECK_INT(n->strangers.now.bytes, ==, strangers.bytes);
	CHECK_INT(n->strangers.now.conns, ==, strangers.conns);
	CHECK_INT(n->members.now.bytes, ==, members.bytes);
	CHECK_INT(n->members.now.conns, ==, members.conns);
	CHECK_INT(n->leaving.bytes, ==, leaving.bytes);
	CHECK_INT(n->leaving.conns, ==, leaving.conns);
	CHECK_TRUE(n->strangers.now.bytes <= n->strangers.max.bytes &&
		   n->strangers.now.conns <= n->strangers.max.conns);
	CHECK_TRUE(n->members.now.bytes <= n->members.max.bytes &&
		   n->members.now.conns <= n->members.max.conns);
}

/* Of the strangers: all that one /16 holds. */
static size_t of_network(const struct model *m, struct ipaddr a)
{
	size_t sum = 0;

	for (int i = 0; i < CONNS; i++)
		if (m->in[i] && !m->c[i].gone && m->member[i] < 0 &&
			ipaddr_eq(ipaddr_mask(m->from[i], 16), ipaddr_mask(a, 16)))
			sum += m->bytes[i] + E;
	return sum;
}

static void enter_some(struct model *m, struct rng *r, int i)
{
	m->from[i] = v4((unsigned)rng_below(r, 4) << 16 | (unsigned)rng_below(r, 3) << 8 |
			(unsigned)rng_below(r, 3));
	m->member[i] = -1;
	m->bytes[i] = 0;
	m->in[i] = enter(m->l, &m->c[i], m->from[i]) == 0;
}

/* Who was pushed out for it is of its own network, or of one that held at least as much as the charging one does now. */
static void charge_some(struct model *m, struct rng *r, int i)
{
	size_t n = rng_below(r, 9 * KB), before[CONNS], mine;
	bool was_gone[CONNS];
	int rc;

	for (int k = 0; k < CONNS; k++) {
		was_gone[k] = m->c[k].gone;
		before[k] = of_network(m, m->from[k]);
	}
	rc = ledger_charge(&m->c[i].h, n);
	CHECK_TRUE(!m->c[i].gone || was_gone[i]);
	m->bytes[i] += rc == 0 ? n : 0;
	if (m->member[i] >= 0 || was_gone[i])
		return;
	mine = of_network(m, m->from[i]) + (rc == 0 ? 0 : n);
	for (int k = 0; k < CONNS; k++)
		if (m->in[k] && m->c[k].gone && !was_gone[k] &&
			!ipaddr_eq(ipaddr_mask(m->from[k], 16), ipaddr_mask(m->from[i], 16)))
			CHECK_TRUE(before[k] + KB >= mine);
}

static void one_step(struct model *m, struct rng *r)
{
	int i = (int)rng_below(r, CONNS);

	if (!m->in[i]) {
		enter_some(m, r, i);
		return;
	}
	switch (rng_below(r, 8)) {
	case 0:
		ledger_leave(&m->c[i].h);
		m->in[i] = false;
		break;
	case 1: {
		size_t n = rng_below(r, m->bytes[i] + 1);

		ledger_refund(&m->c[i].h, n);
		m->bytes[i] -= n;
		break;
	}
	case 2: {
		uint8_t id[LEDGER_ID_LEN] = { (uint8_t)rng_below(r, 5) };

		if (!m->c[i].gone)
			m->member[i] = id[0];
		ledger_set_member(&m->c[i].h, id);
		break;
	}
	case 3:
		if (!m->c[i].gone) {
			m->member[i] = -1;
			m->from[i] = v4((unsigned)rng_below(r, 5) << 16);
		}
		ledger_set_source(&m->c[i].h, m->from[i]);
		break;
	default:
		charge_some(m, r, i);
	}
}

static void sums_and_bounds_hold_after_any_sequence(void **state)
{
	static struct model m;
	struct rng_seeded r;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		m = (struct model){ .l = make(200 * KB, 60, 150 * KB, 40) };
		rng_seeded_init(&r, seed);
		for (int i = 0; i < STEPS / 8; i++) {
			one_step(&m, &r.rng);
			check_sums(&m);
		}
		leave_all(m.l, m.c, CONNS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_ledger_nothing_is_charged),
		cmocka_unit_test(largest_source_gives_way),
		cmocka_unit_test(who_wants_most_is_refused),
		cmocka_unit_test(one_address_with_all_connections_loses_its_oldest),
		cmocka_unit_test(networks_of_one_owner_count_together),
		cmocka_unit_test(members_are_not_touched_by_strangers),
		cmocka_unit_test(logins_take_no_descriptor),
		cmocka_unit_test(what_leaves_is_bounded),
		cmocka_unit_test(costly_work_is_shared_between_networks),
		cmocka_unit_test(what_was_held_between_two_looks_is_seen),
		cmocka_unit_test(buffer_is_charged_for_its_memory),
		cmocka_unit_test(sums_and_bounds_hold_after_any_sequence),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
