/* What clients cannot do to each other and to the relay: bounds, admission, and work that does not grow. */
#include "core/derprelay/derprelay.h"
#include "crypto/keys/keys.h"
#include "testlib/check.h"

#include <stdlib.h>
#include <time.h>

struct peer {
	uint8_t private[KEY_LEN];
	struct node_pub key;
	struct derpconn *conn; /* NULL: closed */
	bool close_asked;
	struct buf got;
	struct ledger_holder holder; /* of a ledger, if there is one */
};

static struct rng_seeded seeded;
static enum derprelay_verdict verdict_named, verdict_proven;
static unsigned n_named, n_proven;
static struct ledger *ledger; /* NULL: nobody is charged */

static void on_output(void *owner) {}

static void on_close(void *owner)
{
	((struct peer *)owner)->close_asked = true;
}

static enum derprelay_verdict on_admit(
	void *ctx, void *owner, const struct node_pub *key, bool proven)
{
	*(proven ? &n_proven : &n_named) += 1;
	return proven ? verdict_proven : verdict_named;
}

static struct derprelay *relay_open(bool members_only)
{
	struct derprelay_cfg cfg = { .private = { { 8, [31] = 64 } },
		.rng = &seeded.rng,
		.on_output = on_output,
		.on_close = on_close,
		.admit = members_only ? on_admit : NULL };
	struct derprelay *r;

	rng_seeded_init(&seeded, 1);
	verdict_named = verdict_proven = DERPRELAY_YES;
	n_named = n_proven = 0;
	CHECK_INT(derprelay_new(&r, &cfg), ==, 0);
	return r;
}

/* The bytes of its login, to be freed with buf_fini. */
static struct buf login_of(const struct peer *p, const struct derprelay *r)
{
	struct derp_client_info info = { .version = 2 };
	struct buf b;

	buf_init(&b, 1000);
	CHECK_INT(
		derp_client_info_encode(&b, p->private, derprelay_public(r)->b, &seeded.rng, &info),
		==, 0);
	return b;
}

static void on_evict(struct ledger_holder *h)
{
	container_of(h, struct peer, holder)->close_asked = true;
}

static void peer_dial(struct peer *p, struct derprelay *r)
{
	struct ipaddr from = ipaddr_v4(192, 0, 2, p->private[1] & 1); /* two places */

	p->close_asked = false;
	buf_fini(&p->got);
	buf_init(&p->got, 8 << 20);
	if (ledger)
		CHECK_INT(ledger_enter(ledger, &p->holder, from, LEDGER_CONN, on_evict), ==, 0);
	CHECK_INT(derprelay_accept(r, (struct ipport){ .ip = from, .port = 1 }, false, p, 0,
			  &p->holder, &p->conn),
		==, 0);
}

static int peer_log_in(struct peer *p, struct derprelay *r)
{
	struct buf b = login_of(p, r);
	int rc = derprelay_feed(p->conn, buf_data(&b), buf_len(&b), SEC(1));

	buf_fini(&b);
	return rc;
}

static void peer_init(struct peer *p, unsigned number)
{
	*p = (struct peer){ .private = { 16, (uint8_t)number, (uint8_t)(number >> 8), [31] = 64 } };
	CHECK_INT(key_public(p->private, p->key.b), ==, 0);
}

static void peer_open(struct peer *p, struct derprelay *r, unsigned number)
{
	peer_init(p, number);
	peer_dial(p, r);
	CHECK_INT(peer_log_in(p, r), ==, 0);
}

static void peer_close(struct peer *p)
{
	if (p->conn)
		derprelay_close(p->conn);
	p->conn = NULL;
	ledger_leave(&p->holder);
	buf_fini(&p->got);
}

static size_t peer_drain(struct peer *p)
{
	size_t n = 0;

	for (;;) {
		struct view v = derprelay_output(p->conn);

		if (!v.len)
			return n;
		n += v.len;
		CHECK_INT(buf_append(&p->got, v.p, v.len), ==, 0);
		derprelay_written(p->conn, v.len);
	}
}

/* How many frames of a type it was written; with from, only those that begin with this key. Takes all. */
static unsigned peer_count(struct peer *p, enum derpframe_type type, const struct node_pub *from)
{
	struct derpframe f;
	unsigned n = 0;

	peer_drain(p);
	while (derpframe_next(buf_data(&p->got), buf_len(&p->got), DERP_CLIENT_FRAME_MAX, &f) ==
		0) {
		n += f.type == type && (!from || !memcmp(f.payload, from->b, KEY_LEN));
		buf_consume(&p->got, DERP_HEADER_LEN + f.len);
	}
	return n;
}

static int peer_send(struct peer *p, const struct peer *to, size_t len)
{
	static uint8_t frame[DERP_HEADER_LEN + KEY_LEN + DERP_PACKET_MAX];

	derpframe_header(frame, DERP_SEND_PACKET, KEY_LEN + len);
	memcpy(frame + DERP_HEADER_LEN, to->key.b, KEY_LEN);
	return derprelay_feed(p->conn, frame, DERP_HEADER_LEN + KEY_LEN + len, SEC(2));
}

static void peers_open(struct peer *v, size_t n, struct derprelay *r)
{
	for (size_t i = 0; i < n; i++)
		peer_open(&v[i], r, (unsigned)i + 1);
}

static void peers_close(struct peer *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		peer_close(&v[i]);
}

enum { CROWD = 4000, PACKETS = 20000 };

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The best of five rounds through all: each sends to the next one, or one sends to all. */
static double cost_of_packets(struct peer *v, bool one_sender)
{
	double best = 1e9;

	for (int round = 0; round < 5; round++) {
		double t = seconds();

		for (size_t i = 0; i < PACKETS; i++) {
			struct peer *to = &v[1 + i % CROWD];

			CHECK_INT(peer_send(one_sender ? &v[0] : to - 1, to, 38), ==, 0);
			derprelay_written(to->conn, derprelay_output(to->conn).len);
		}
		t = seconds() - t;
		best = t < best ? t : best;
	}
	return best / PACKETS * 1e9;
}

static void a_packet_costs_the_same_whoever_heard_whom(void **state)
{
	struct peer *v = calloc(CROWD + 1, sizeof(*v));
	struct derprelay *r = relay_open(false);
	double few, many;

	peers_open(v, CROWD + 1, r);
	few = cost_of_packets(v, false);
	many = cost_of_packets(v, true);
	print_message("# %.0f ns a packet of one whom %d heard, %.0f ns where each heard one\n",
		many, CROWD, few);
	CHECK_TRUE(many < 4 * few); /* walking over all that heard it takes thousands more */
	peers_close(v, CROWD + 1);
	CHECK_INT(derprelay_counters(r)->notes, ==, 0);
	derprelay_free(r);
	free(v);
}

static void all_that_heard_one_are_told_in_measure(void **state)
{
	struct peer *v = calloc(CROWD + 1, sizeof(*v));
	struct derprelay *r = relay_open(false);
	struct node_pub gone;
	unsigned told = 0, turns = 0;

	peers_open(v, CROWD + 1, r);
	for (size_t i = 1; i <= CROWD; i++)
		CHECK_INT(peer_send(&v[0], &v[i], 38), ==, 0);
	gone = v[0].key;
	peer_close(&v[0]);
	CHECK_INT(derprelay_counters(r)->peer_gone_sent, ==, 0);
	while (derprelay_deadline(r) == 0) {
		derprelay_tick(r, SEC(2));
		turns++;
	}
	CHECK_INT(turns, ==, CROWD / DERPRELAY_TELL_MAX);
	for (size_t i = 1; i <= CROWD; i++)
		told += peer_count(&v[i], DERP_PEER_GONE, &gone);
	CHECK_INT(told, ==, CROWD);
	CHECK_INT(derprelay_counters(r)->notes, ==, 0);
	peers_close(v, CROWD + 1);
	derprelay_free(r);
	free(v);
}

static void notes_are_bounded(void **state)
{
	enum { N = DERPRELAY_HEARD_MAX + 50 };
	struct peer *v = calloc(N, sizeof(*v));
	struct derprelay *r = relay_open(false);

	peers_open(v, N, r);
	for (size_t i = 1; i < N; i++)
		CHECK_INT(peer_send(&v[i], &v[0], 10), ==, 0);
	CHECK_INT(derprelay_counters(r)->notes, ==, DERPRELAY_HEARD_MAX);
	CHECK_INT(derprelay_counters(r)->notes_full, ==, N - 1 - DERPRELAY_HEARD_MAX);
	/* It does not read: telling it that all are gone takes no more than the notes themselves. */
	for (size_t i = 1; i < N; i++)
		peer_close(&v[i]);
	for (int i = 0; i < 10; i++)
		derprelay_tick(r, SEC(2));
	CHECK_TRUE(!v[0].close_asked);
	CHECK_INT(peer_count(&v[0], DERP_PEER_GONE, NULL), ==, DERPRELAY_HEARD_MAX);
	CHECK_INT(derprelay_counters(r)->notes, ==, 0);
	peers_close(v, N);
	derprelay_free(r);
	free(v);
}

static void a_queue_is_bounded_in_bytes(void **state)
{
	struct derprelay *r = relay_open(false);
	struct peer v[2];

	peers_open(v, 2, r);
	for (int i = 0; i < 100; i++)
		CHECK_INT(peer_send(&v[0], &v[1], DERP_PACKET_MAX), ==, 0);
	CHECK_TRUE(derprelay_queued(r) <= DERPRELAY_QUEUE_BYTES);
	CHECK_INT(derprelay_counters(r)->drop_queue_head, ==, 98);
	CHECK_INT(peer_count(&v[1], DERP_RECV_PACKET, &v[0].key), ==, 2);
	CHECK_INT(derprelay_queued(r), ==, 0);
	peers_close(v, 2);
	derprelay_free(r);
}

static void who_floods_a_receiver_pushes_out_himself(void **state)
{
	struct derprelay *r = relay_open(false);
	struct peer v[12]; /* ten that flood, one that sends little, and the receiver */
	struct peer *honest = &v[10], *to = &v[11];

	peers_open(v, 12, r);
	for (int i = 0; i < 3; i++)
		CHECK_INT(peer_send(honest, to, 100), ==, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(peer_send(&v[i % 10], to, 1200), ==, 0);
	CHECK_INT(peer_count(to, DERP_RECV_PACKET, &honest->key), ==, 3);
	/* Not with large packets, either. */
	for (int i = 0; i < 3; i++)
		CHECK_INT(peer_send(honest, to, 100), ==, 0);
	for (int i = 0; i < 1000; i++)
		CHECK_INT(peer_send(&v[i % 10], to, DERP_PACKET_MAX), ==, 0);
	CHECK_INT(peer_count(to, DERP_RECV_PACKET, &honest->key), ==, 3);
	peers_close(v, 12);
	derprelay_free(r);
}

static void one_sender_does_not_fill_everybodys_queues(void **state)
{
	enum { N = 300 };
	struct peer *v = calloc(N, sizeof(*v));
	struct derprelay *r = relay_open(false);
	uint64_t before;

	peers_open(v, N, r);
	for (int i = 0; i < 100; i++)
		for (size_t k = 1; k < N; k++)
			CHECK_INT(peer_send(&v[0], &v[k], 9000), ==, 0);
	CHECK_TRUE(derprelay_queued(r) <= DERPRELAY_SENT_MAX);
	CHECK_TRUE(derprelay_counters(r)->drop_memory > 0);
	before = derprelay_counters(r)->drop_memory;
	CHECK_INT(peer_send(&v[1], &v[2], 1200), ==, 0);
	CHECK_INT(derprelay_counters(r)->drop_memory, ==, before);
	/* All of them at it: never more than the bound, and who has nothing there still has room. */
	for (size_t k = 1; k < N - 2; k++)
		for (int i = 0; i < 200; i++)
			CHECK_INT(peer_send(&v[k], &v[(k + (size_t)i) % (N - 2)], 9000), ==, 0);
	CHECK_TRUE(derprelay_queued(r) <= DERPRELAY_QUEUED_MAX);
	before = derprelay_counters(r)->packets_out;
	CHECK_INT(peer_send(&v[N - 2], &v[N - 1], 1200), ==, 0);
	CHECK_INT(peer_count(&v[N - 1], DERP_RECV_PACKET, &v[N - 2].key), ==, 1);
	peers_close(v, N);
	CHECK_INT(derprelay_queued(r), ==, 0);
	derprelay_free(r);
	free(v);
}

enum { STEPS = 3 * 4096 }; /* it is charged in steps */

static void what_waits_is_charged_to_who_sent_it(void **state)
{
	const struct ledger_cfg cfg = {
		.strangers = { 1 << 20, 100 }, .members = { 1 << 20, 100 }, .seed = { 1 }
	};
	struct derprelay *r;
	struct peer v[6];
	size_t idle;

	CHECK_INT(ledger_new(&ledger, &cfg), ==, 0);
	r = relay_open(false);
	peers_open(v, 6, r);
	CHECK_INT(ledger_stats(ledger)->strangers.now.conns, ==, 0);
	CHECK_INT(ledger_stats(ledger)->members.now.conns, ==, 6);
	CHECK_INT(ledger_stats(ledger)->accounts, ==, 2); /* keys are no measure here */
	for (size_t i = 0; i < 6; i++)
		peer_drain(&v[i]);
	idle = ledger_bytes(&v[0].holder);
	for (int i = 0; i < 20; i++)
		CHECK_INT(peer_send(&v[0], &v[1], 1200), ==, 0);
	CHECK_TRUE(derprelay_queued(r) > 20 * 1200);
	CHECK_TRUE(ledger_bytes(&v[0].holder) >= idle + derprelay_queued(r));
	CHECK_TRUE(ledger_bytes(&v[0].holder) < idle + derprelay_queued(r) + STEPS);
	CHECK_INT(ledger_bytes(&v[1].holder), ==, idle);
	peer_drain(&v[1]);
	CHECK_TRUE(ledger_bytes(&v[0].holder) < idle + STEPS);
	derprelay_tick(r, SEC(100)); /* its keep-alive */
	peer_drain(&v[0]);
	CHECK_INT(ledger_bytes(&v[0].holder), ==, idle);
	/* All receivers stop reading; the largest sender is refused before anybody else is pushed out. */
	for (int i = 0; i < 200; i++)
		for (size_t k = 1; k < 6; k++)
			CHECK_INT(peer_send(&v[0], &v[k], DERP_PACKET_MAX), ==, 0);
	CHECK_TRUE(ledger_stats(ledger)->members.now.bytes <= cfg.members.bytes);
	CHECK_INT(ledger_stats(ledger)->members.evicted, ==, 0);
	peer_close(&v[0]); /* its packets stay, and nobody is charged any more */
	CHECK_TRUE(derprelay_queued(r) > 0);
	peers_close(v, 6);
	CHECK_INT(ledger_stats(ledger)->members.now.bytes, ==, 0);
	derprelay_free(r);
	ledger = ledger_free(ledger);
}

static void packets_of_who_left_arrive_within_a_bound(void **state)
{
	enum { N = 40 };
	struct derprelay *r = relay_open(false);
	struct peer v[N];

	peers_open(v, N, r);
	CHECK_INT(peer_send(&v[0], &v[1], 100), ==, 0);
	peer_close(&v[0]);
	CHECK_INT(peer_count(&v[1], DERP_RECV_PACKET, NULL), ==, 1);
	for (size_t k = 2; k < N; k++)
		for (int i = 0; i < 2; i++)
			CHECK_INT(peer_send(&v[k], &v[1 + (k - 1) % (N - 1)], DERP_PACKET_MAX), ==,
				0);
	CHECK_TRUE(derprelay_queued(r) > 2 * DERPRELAY_LEFT_MAX);
	for (size_t k = 2; k < N; k += 2) /* half of the senders, so that the others' queues stay */
		peer_close(&v[k]);
	CHECK_TRUE(derprelay_queued(r) <= DERPRELAY_LEFT_MAX + N * DERPRELAY_QUEUE_BYTES / 2);
	peers_close(v, N);
	CHECK_INT(derprelay_queued(r), ==, 0);
	derprelay_free(r);
}

static void one_key_has_few_connections(void **state)
{
	enum { N = 3 * DERPRELAY_SAME_KEY_MAX };
	struct derprelay *r = relay_open(false);
	struct peer v[N], other;
	unsigned closed = 0;

	for (size_t i = 0; i < N; i++)
		peer_open(&v[i], r, 1);
	peer_open(&other, r, 2);
	for (size_t i = 0; i < N; i++) {
		CHECK_TRUE(
			v[i].close_asked == (i < N - DERPRELAY_SAME_KEY_MAX)); /* the oldest went */
		closed += v[i].close_asked;
	}
	CHECK_INT(derprelay_counters(r)->closed_same_key, ==, closed);
	CHECK_INT(derprelay_clients(r), ==, 2);
	CHECK_INT(peer_send(&other, &v[0], 10), ==, 0);
	CHECK_INT(peer_count(&v[N - 1], DERP_RECV_PACKET, &other.key), ==, 1);
	CHECK_TRUE(peer_send(&v[0], &other, 10) < 0); /* it takes nothing any more */
	peers_close(v, N);
	peer_close(&other);
	derprelay_free(r);
}

static void pings_are_answered_one_at_a_time(void **state)
{
	uint8_t ping[DERP_HEADER_LEN + DERP_PING_MAX] = { 0 };
	struct derprelay *r = relay_open(false);
	struct peer p;

	peer_open(&p, r, 1);
	peer_drain(&p);
	derpframe_header(ping, DERP_PING, DERP_PING_MAX);
	for (int i = 0; i < 10000; i++)
		CHECK_INT(derprelay_feed(p.conn, ping, sizeof(ping), SEC(1)), ==, 0);
	CHECK_TRUE(!p.close_asked);
	CHECK_INT(peer_count(&p, DERP_PONG, NULL), ==, 1);
	peer_close(&p);
	derprelay_free(r);
}

static void a_strangers_login_is_refused_unopened(void **state)
{
	struct derprelay *r = relay_open(true);
	struct peer p;
	struct buf b;

	verdict_named = verdict_proven = DERPRELAY_NO;
	peer_init(&p, 1);
	peer_dial(&p, r);
	b = login_of(&p, r);
	CHECK_INT(
		derprelay_feed(p.conn, buf_data(&b), DERP_HEADER_LEN + KEY_LEN - 1, SEC(1)), ==, 0);
	CHECK_INT(derprelay_feed(p.conn, buf_data(&b) + DERP_HEADER_LEN + KEY_LEN - 1, 1, SEC(1)),
		==, -ERR_DENIED);
	peer_close(&p);
	peer_dial(&p, r);
	CHECK_INT(peer_log_in(&p, r), ==, -ERR_DENIED); /* in one piece */
	peer_close(&p);
	peer_dial(&p, r);
	CHECK_INT(
		derprelay_feed(p.conn, buf_data(&b), 20, SEC(1)), ==, 0); /* and the rest at once */
	CHECK_INT(derprelay_feed(p.conn, buf_data(&b) + 20, buf_len(&b) - 20, SEC(1)), ==,
		-ERR_DENIED);
	CHECK_INT(n_proven, ==, 0);
	CHECK_INT(derprelay_counters(r)->refused, ==, 3);
	CHECK_INT(derprelay_clients(r), ==, 0);
	buf_fini(&b);
	peer_close(&p);
	derprelay_free(r);
}

static void somebody_elses_key_proves_nothing(void **state)
{
	struct derprelay *r = relay_open(true);
	struct peer p;
	struct buf b;
	uint8_t bad[200];

	peer_init(&p, 1);
	peer_dial(&p, r);
	b = login_of(&p, r);
	memcpy(bad, buf_data(&b), buf_len(&b));
	bad[buf_len(&b) - 1] ^= 1;
	CHECK_TRUE(derprelay_feed(p.conn, bad, buf_len(&b), SEC(1)) < 0);
	CHECK_INT(n_proven, ==, 0);
	buf_fini(&b);
	peer_close(&p);
	derprelay_free(r);
}

static void who_waits_for_the_word_is_kept(void **state)
{
	static uint8_t more[70];
	struct derprelay *r = relay_open(true);
	struct peer p, other;
	struct buf b;

	peer_open(&other, r, 2);
	verdict_named = verdict_proven = DERPRELAY_ASK;
	peer_init(&p, 1);
	peer_dial(&p, r);
	b = login_of(&p, r);
	derpframe_header(more, DERP_SEND_PACKET, sizeof(more) - DERP_HEADER_LEN);
	memcpy(more + DERP_HEADER_LEN, other.key.b, KEY_LEN);
	CHECK_INT(buf_append(&b, more, sizeof(more)), ==, 0);
	CHECK_INT(buf_append(&b, more, sizeof(more) - 10), ==,
		0); /* a whole packet, and a piece of one */
	CHECK_INT(derprelay_feed(p.conn, buf_data(&b), buf_len(&b), SEC(1)), ==, 0);
	CHECK_TRUE(derprelay_waits(p.conn));
	CHECK_INT(derprelay_clients(r), ==, 1);
	CHECK_INT(peer_count(&p, DERP_SERVER_INFO, NULL), ==, 0);
	CHECK_INT(derprelay_decide(p.conn, true, SEC(1)), ==, 0);
	CHECK_TRUE(!derprelay_waits(p.conn));
	CHECK_INT(derprelay_feed(p.conn, more + sizeof(more) - 10, 10, SEC(1)), ==, 0);
	CHECK_INT(peer_count(&p, DERP_SERVER_INFO, NULL), ==, 1);
	CHECK_INT(peer_count(&other, DERP_RECV_PACKET, &p.key), ==, 2);
	peer_close(&p);
	peer_dial(&p, r);
	CHECK_INT(peer_log_in(&p, r), ==, 0);
	CHECK_INT(derprelay_decide(p.conn, false, SEC(1)), ==, -ERR_DENIED);
	peer_close(&p);
	peer_dial(&p, r);
	CHECK_INT(peer_log_in(&p, r), ==, 0);
	derprelay_tick(r, SEC(11)); /* nobody said anything */
	CHECK_TRUE(p.close_asked);
	buf_fini(&b);
	peer_close(&p);
	peer_close(&other);
	derprelay_free(r);
}

static void who_may_stay_no_longer_goes_after_a_grace(void **state)
{
	struct derprelay *r = relay_open(true);
	struct peer v[3];

	peer_open(&v[0], r, 1);
	peer_open(&v[1], r, 1);
	peer_open(&v[2], r, 2);
	derprelay_recheck(r, &v[0].key, SEC(1));
	derprelay_recheck(r, &v[0].key, SEC(3)); /* its grace does not begin anew */
	derprelay_recheck(r, &v[2].key, SEC(5));
	verdict_proven = DERPRELAY_NO;
	derprelay_tick(r, SEC(1) + DERPRELAY_GRACE - 1);
	CHECK_TRUE(!v[0].close_asked);
	CHECK_INT(derprelay_deadline(r), ==, SEC(1) + DERPRELAY_GRACE);
	derprelay_tick(r, SEC(1) + DERPRELAY_GRACE);
	CHECK_TRUE(v[0].close_asked && v[1].close_asked && !v[2].close_asked);
	verdict_proven = DERPRELAY_YES; /* meanwhile it is a member again */
	derprelay_tick(r, SEC(5) + DERPRELAY_GRACE);
	CHECK_TRUE(!v[2].close_asked);
	peers_close(v, 3);
	derprelay_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_costs_the_same_whoever_heard_whom),
		cmocka_unit_test(all_that_heard_one_are_told_in_measure),
		cmocka_unit_test(notes_are_bounded),
		cmocka_unit_test(a_queue_is_bounded_in_bytes),
		cmocka_unit_test(who_floods_a_receiver_pushes_out_himself),
		cmocka_unit_test(one_sender_does_not_fill_everybodys_queues),
		cmocka_unit_test(what_waits_is_charged_to_who_sent_it),
		cmocka_unit_test(packets_of_who_left_arrive_within_a_bound),
		cmocka_unit_test(one_key_has_few_connections),
		cmocka_unit_test(pings_are_answered_one_at_a_time),
		cmocka_unit_test(a_strangers_login_is_refused_unopened),
		cmocka_unit_test(somebody_elses_key_proves_nothing),
		cmocka_unit_test(who_waits_for_the_word_is_kept),
		cmocka_unit_test(who_may_stay_no_longer_goes_after_a_grace),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
