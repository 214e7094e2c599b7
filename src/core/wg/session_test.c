/* Sessions by themselves: who holds one, counters, threads. */
#include "core/wg/rig_test.h"

#include <pthread.h>

static void session_that_is_held_outlives_its_peer(void **state)
{
	struct wg_session *k;
	struct live l;
	uint64_t first;

	live_open(&l);
	live_ping(&l, 0);
	k = wg_session_ref(l.s[0].peer->session[SESSION_CURRENT]);
	wg_peer_remove(l.s[0].dev, l.s[0].peer);
	CHECK_TRUE(!k->index);
	CHECK_TRUE(wg_session_reserve(k, 3, &first));
	CHECK_INT(wg_session_sent(k), ==, first + 3);
	wg_session_unref(k);
	live_close(&l);
}

static void used_up_session_gives_no_counter_and_a_handshake_begins(void **state)
{
	struct wg_session *k;
	struct live l;
	uint64_t first;

	live_open(&l);
	live_ping(&l, 0);
	k = l.s[0].peer->session[SESSION_CURRENT];
	atomic_store(&k->send_counter, REJECT_AFTER_MESSAGES - 2);
	CHECK_TRUE(!wg_session_reserve(k, 3, &first));
	CHECK_TRUE(wg_session_reserve(k, 2, &first));
	CHECK_TRUE(first == REJECT_AFTER_MESSAGES - 2);
	for (int i = 0; i < 1000; i++)
		CHECK_TRUE(!wg_session_reserve(k, 1, &first));
	l.now.mono += SEC(6);
	l.s[1].keep.n_pkt = 0;
	live_ping(&l, 0);
	CHECK_TRUE(l.s[0].peer->session[SESSION_CURRENT] != k);
	CHECK_INT(l.s[1].keep.n_pkt, ==, 1);
	live_close(&l);
}

/* Counters are given once and taken once, whichever threads ask. */
enum { THREADS = 4, ROUNDS = 2000, BATCH = 16, COUNTERS = THREADS * ROUNDS * BATCH };

struct thread_case {
	struct wg_session *k;
	uint8_t *given;          /* by counter */
	atomic_uint *n_accepted; /* of the recent counters, which every thread offers */
	bool twice;
};

static void *reserve_counters(void *ctx)
{
	struct thread_case *t = ctx;
	uint64_t first;

	for (int i = 0; i < ROUNDS; i++) {
		if (!wg_session_reserve(t->k, BATCH, &first))
			return NULL;
		for (uint64_t c = first; c < first + BATCH; c++)
			t->twice |= t->given[c]++; /* nobody else writes there */
	}
	return NULL;
}

static void *accept_counters(void *ctx)
{
	struct thread_case *t = ctx;
	struct chapoly_job jobs[BATCH];
	bool fresh[BATCH];

	/* Less than a window in all: none is too old, however far behind the thread is. */
	for (uint64_t c = 0; c < REPLAY_WINDOW / 2; c += BATCH) {
		for (uint64_t i = 0; i < BATCH; i++)
			jobs[i] = (struct chapoly_job){ .counter = c + i, .ok = true };
		wg_replay_accept(&t->k->replay, jobs, BATCH, REJECT_AFTER_MESSAGES, fresh);
		for (size_t i = 0; i < BATCH; i++)
			atomic_fetch_add(&t->n_accepted[c + i], fresh[i]);
	}
	return NULL;
}

static void counters_and_windows_may_be_used_by_many_threads(void **state)
{
	static struct wg_session k;
	static uint8_t given[COUNTERS];
	static atomic_uint n_accepted[REPLAY_WINDOW];
	struct thread_case t[THREADS];
	pthread_t id[THREADS];

	wg_replay_init(&k.replay);
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < THREADS; i++) {
			t[i] = (struct thread_case){ &k, given, n_accepted, false };
			CHECK_INT(pthread_create(&id[i], NULL,
					  pass ? accept_counters : reserve_counters, &t[i]),
				==, 0);
		}
		for (int i = 0; i < THREADS; i++) {
			CHECK_INT(pthread_join(id[i], NULL), ==, 0);
			CHECK_TRUE(!t[i].twice);
		}
	}
	CHECK_INT(wg_session_sent(&k), ==, COUNTERS);
	for (size_t c = 0; c < COUNTERS; c++)
		CHECK_INT(given[c], ==, 1);
	for (size_t c = 0; c < REPLAY_WINDOW / 2 / BATCH * BATCH; c++)
		CHECK_INT(atomic_load(&n_accepted[c]), ==, 1);
	wg_replay_fini(&k.replay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_that_is_held_outlives_its_peer),
		cmocka_unit_test(used_up_session_gives_no_counter_and_a_handshake_begins),
		cmocka_unit_test(counters_and_windows_may_be_used_by_many_threads),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
