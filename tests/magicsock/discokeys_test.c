/*
 * The two disco keys of a peer (capability version 144), row by row of the table in docs/protocol/control.md: two nodes with a
 * direct path, of which one is told, by the hub or from inside the tunnel, what the other's key is.
 */
#include "core/magicsock/internal.h"
#include "crypto/box/box.h"
#include "proto/disco/disco.h"
#include "testlib/check.h"
#include "tests/magicsock/rig.h"

static struct rig w;
static struct node *a, *b;
static struct disco_pub true_key, other, third;
static const struct disco_pub no_key;

static struct magicsock_peer *peer(void)
{
	return peer_find(a->magicsock, b->n);
}

static bool active_is(const struct disco_pub *pub)
{
	return peer_disco(peer()) ? memcmp(peer_disco(peer())->pub.b, pub->b, KEY_LEN) == 0
				  : key_is_zero(pub->b);
}

static bool trusted(void)
{
	return path_is_trusted(&peer()->path, rig_now(&w).mono);
}

/* Two with a direct path; the peer's key from the hub and none from itself. */
static void begin(void)
{
	rig_open(&w, 7, 1);
	a = node_add(&w, NULL, NULL);
	b = node_add(&w, NULL, NULL);
	node_start(a);
	node_start(b);
	rig_run(&w, SEC(1));
	CHECK_TRUE(node_until_direct(a, b, MSEC(100), SEC(2)) != MONO_NEVER);
	CHECK_INT(key_public(b->disco.b, true_key.b), ==, 0);
	memset(other.b, 7, KEY_LEN);
	memset(third.b, 9, KEY_LEN);
	CHECK_INT(discokeys_by_peer(peer(), &no_key), ==, 0); /* what the first handshake carried */
	CHECK_TRUE(active_is(&true_key) && !peer()->tsmp_active);
	CHECK_TRUE(trusted());
	w.hub_down = true; /* from here on the test is the hub */
}

static void hub(const struct disco_pub *k)
{
	CHECK_INT(discokeys_by_hub(peer(), k), ==, 0);
}

static void tunnel(const struct disco_pub *k)
{
	CHECK_INT(discokeys_by_peer(peer(), k), ==, 0);
}

/* A ping sealed with a key of ours, as if the peer had it. False: it was not understood. */
static bool message_with(const struct secret_disco *secret)
{
	struct disco_msg m = { .type = DISCO_PING, .txid = { 1 } };
	uint8_t out[DISCO_OVERHEAD + DISCO_MESSAGE_MAX];
	struct magicsock_route route;
	struct disco_pub from, to;
	struct box_shared k;
	uint64_t had = magicsock_counters(a->magicsock)->pings_in;
	int n;

	CHECK_INT(key_public(secret->b, from.b), ==, 0);
	CHECK_INT(key_public(a->disco.b, to.b), ==, 0);
	CHECK_INT(box_precompute(&k, secret->b, to.b), ==, 0);
	n = disco_seal(&k, &from, &a->rng.rng, &m, out, sizeof(out));
	CHECK_INT(n, >, 0);
	route = route_direct((struct ipport){ ipaddr_v4(198, 51, 100, 9), 1 });
	disco_in(a->magicsock, out, (size_t)n, &route, NULL);
	return magicsock_counters(a->magicsock)->pings_in > had;
}

static void first_key_of_the_hub_is_active(void **state)
{
	begin();
	hub(&no_key);
	CHECK_TRUE(active_is(&no_key)); /* both are none: the peer has no disco */
	CHECK_TRUE(!peer()->path.can_ping);
	hub(&other);
	CHECK_TRUE(active_is(&other) && peer()->path.can_ping);
	CHECK_TRUE(!peer()->renew_session); /* tells nothing of a restart */
	rig_close(&w);
	(void)state;
}

static void changed_key_of_the_hub_becomes_active_even_over_the_peers_own(void **state)
{
	begin();
	tunnel(&other);
	CHECK_TRUE(active_is(&other));
	hub(&third);
	CHECK_TRUE(active_is(&third) && !peer()->tsmp_active);
	rig_close(&w);
	(void)state;
}

static void repeated_key_of_the_hub_changes_nothing(void **state)
{
	begin();
	tunnel(&other);
	hub(&true_key);
	CHECK_TRUE(active_is(&other) && peer()->tsmp_active);
	rig_close(&w);
	(void)state;
}

static void key_of_the_hub_that_becomes_the_peers_own_resets_nothing(void **state)
{
	begin();
	tunnel(&true_key); /* the same: nothing is lost */
	CHECK_TRUE(peer()->tsmp_active && trusted());
	hub(&no_key);
	CHECK_TRUE(active_is(&true_key) && trusted());
	hub(&true_key);
	CHECK_TRUE(active_is(&true_key) && !peer()->tsmp_active && trusted());
	CHECK_TRUE(!peer()->renew_session);
	rig_close(&w);
	(void)state;
}

static void without_a_key_of_the_hub_the_peers_own_is_active(void **state)
{
	begin();
	tunnel(&other);
	hub(&third);
	hub(&no_key);
	CHECK_TRUE(active_is(&other) && peer()->tsmp_active);
	tunnel(&no_key);
	CHECK_TRUE(active_is(&no_key));
	rig_close(&w);
	(void)state;
}

static void cleared_key_of_the_peer_leaves_the_hubs(void **state)
{
	begin();
	tunnel(&other);
	tunnel(&no_key);
	CHECK_TRUE(active_is(&true_key) && !peer()->tsmp_active);
	rig_close(&w);
	(void)state;
}

static void message_with_either_key_is_understood_and_makes_it_active(void **state)
{
	struct secret_disco s, stranger;
	struct disco_pub pub;

	begin();
	key_generate(&b->rng.rng, s.b);
	key_generate(&b->rng.rng, stranger.b);
	CHECK_INT(key_public(s.b, pub.b), ==, 0);
	tunnel(&pub);
	CHECK_TRUE(active_is(&pub));
	CHECK_TRUE(message_with(&b->disco)); /* the hub's, which is not active */
	CHECK_TRUE(active_is(&true_key) && !peer()->tsmp_active);
	CHECK_TRUE(message_with(&s));
	CHECK_TRUE(active_is(&pub) && peer()->tsmp_active);
	CHECK_TRUE(message_with(&s));
	CHECK_TRUE(!message_with(&stranger));
	CHECK_TRUE(active_is(&pub));
	CHECK_INT(magicsock_counters(a->magicsock)->disco_unknown, >, 0);
	rig_close(&w);
	(void)state;
}

static void change_ends_trust_at_once_and_keeps_the_address(void **state)
{
	struct ipport best;

	begin();
	best = peer()->path.best;
	CHECK_TRUE(peer()->path.last_send > 0);
	tunnel(&other);
	CHECK_TRUE(!trusted());
	CHECK_TRUE(ipport_eq(peer()->path.best, best)); /* data goes on to it */
	CHECK_INT(peer()->path.last_send, ==, 0);       /* probing begins with the next packet */
	CHECK_INT(peer()->path.last_call, ==, 0);
	CHECK_INT(peer()->path.last_round, ==, 0);
	CHECK_INT(peer()->path.search_at, ==, MONO_NEVER);
	tunnel(&true_key);
	node_series(a, b, MSEC(50), SEC(2));
	CHECK_TRUE(trusted());
	rig_close(&w);
	(void)state;
}

static void new_key_of_the_hub_asks_for_one_handshake_and_the_session_goes_on(void **state)
{
	unsigned sessions;
	size_t in, lost;

	begin();
	node_series(a, b, MSEC(500), SEC(15)); /* the session is not young any more */
	sessions = a->sessions;
	hub(&other);
	CHECK_TRUE(peer()->renew_session);
	CHECK_INT(a->sessions, ==, sessions); /* not before there is a packet */
	CHECK_TRUE(peer()->wg != NULL);
	in = b->n_in;
	node_ping(a, b);
	rig_run(&w, MSEC(500));
	CHECK_INT(b->n_in, ==,
		in + 1); /* through the old session: nothing waited for the handshake */
	CHECK_INT(a->sessions, ==, sessions + 1);
	CHECK_TRUE(!peer()->renew_session);
	node_series(a, b, MSEC(100), SEC(5));
	CHECK_INT(a->sessions, ==, sessions + 1); /* exactly one */
	lost = node_lost(a);
	CHECK_INT(lost, ==, 0);
	rig_close(&w);
	(void)state;
}

static void every_handshake_carries_our_key(void **state)
{
	begin();
	tunnel(&no_key);
	CHECK_TRUE(!peer()->tsmp_active);
	node_series(a, b, MSEC(500), SEC(130)); /* two minutes: WireGuard makes a new session */
	CHECK_TRUE(active_is(&true_key) && peer()->tsmp_active); /* told by the peer itself */
	rig_close(&w);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_key_of_the_hub_is_active),
		cmocka_unit_test(changed_key_of_the_hub_becomes_active_even_over_the_peers_own),
		cmocka_unit_test(repeated_key_of_the_hub_changes_nothing),
		cmocka_unit_test(key_of_the_hub_that_becomes_the_peers_own_resets_nothing),
		cmocka_unit_test(without_a_key_of_the_hub_the_peers_own_is_active),
		cmocka_unit_test(cleared_key_of_the_peer_leaves_the_hubs),
		cmocka_unit_test(message_with_either_key_is_understood_and_makes_it_active),
		cmocka_unit_test(change_ends_trust_at_once_and_keeps_the_address),
		cmocka_unit_test(new_key_of_the_hub_asks_for_one_handshake_and_the_session_goes_on),
		cmocka_unit_test(every_handshake_carries_our_key),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
