/*
 * Devices that join, talk and hear of each other, short of memory: nothing crashes, and when there is memory again, and what was refused
 * was asked for again, the device is there, and its owner was told what to look at. Calls of core/node are counted, the hub and the
 * network around are not: see the meson.build, which puts the functions below between them.
 */
#include "testlib/memory_calls.h"
#include "tests/node/testnet.h"

#include <errno.h>

MEMORY_INSIDE(int, node_new, (struct node * *ret, const struct node_cfg *cfg, struct now now),
	(ret, cfg, now))
MEMORY_INSIDE_VOID(node_start, (struct node * a, const char *key, struct now now), (a, key, now))
MEMORY_INSIDE_VOID(node_login, (struct node * a, struct now now), (a, now))
MEMORY_INSIDE(int, node_set_prefs,
	(struct node * a, const struct ipn_prefs *p, struct now now, struct err_at *at),
	(a, p, now, at))
MEMORY_INSIDE(int, node_edit_prefs,
	(struct node * a, const struct ipn_masked_prefs *e, struct now now, struct err_at *at),
	(a, e, now, at))
MEMORY_INSIDE_VOID(node_set_local,
	(struct node * a, const struct ipprefix *v, size_t n, uint16_t p4, uint16_t p6,
		bool changed, struct now now),
	(a, v, n, p4, p6, changed, now))
MEMORY_INSIDE_VOID(node_udp_in,
	(struct node * a, struct magicsock_datagram *d, size_t n, struct now now), (a, d, n, now))
MEMORY_INSIDE_VOID(node_port_in,
	(struct node * a, enum node_port from, struct pkt *p, size_t n, struct now now),
	(a, from, p, n, now))
MEMORY_INSIDE(bool, node_next_packets, (struct node * a, struct node_packets *ret), (a, ret))
MEMORY_INSIDE_VOID(node_stream_connected,
	(struct node * a, unsigned stream, const struct node_pub *fast, struct now now),
	(a, stream, fast, now))
MEMORY_INSIDE(int, node_stream_feed,
	(struct node * a, unsigned stream, uint8_t *p, size_t len, struct now now),
	(a, stream, p, len, now))
MEMORY_INSIDE_VOID(node_stream_closed, (struct node * a, unsigned stream, int rc, struct now now),
	(a, stream, rc, now))
MEMORY_INSIDE_VOID(node_tick, (struct node * a, struct now now), (a, now))

static struct testnet net; /* too large for a stack */

static void check_rc(int rc)
{
	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
}

static struct ipn_prefs prefs_of(const char *name)
{
	struct ipn_prefs p;

	ipn_prefs_init(&p);
	p.control_url = "http://192.0.2.1:8080";
	p.hostname = name;
	p.want_running = true;
	p.logged_out = false;
	return p;
}

/* What a person does, also again when it was refused. */
static void ask_for_login(struct testnet *w, struct dev *d)
{
	struct ipn_prefs fresh, p = prefs_of("anna");

	ipn_prefs_init(&fresh);
	if (!d->a) {
		check_rc(testnet_try_boot(w, d, &fresh, view_of("", 0)));
		if (!d->a)
			return;
		node_start(d->a, NULL, w->now);
	}
	check_rc(node_set_prefs(d->a, &p, w->now, NULL));
	if (node_state(d->a) != IPN_RUNNING) {
		node_start(d->a, w->auth_key, w->now);
		node_login(d->a, w->now);
	}
	testnet_run(w, SEC(2));
}

static void change_prefs(struct testnet *w, struct dev *d)
{
	struct ipn_masked_prefs m = { .p = { .shields_up = true },
		.set = { [IPN_PREF_SHIELDS_UP] = true } };

	check_rc(node_edit_prefs(d->a, &m, w->now, NULL));
	m.p.shields_up = false;
	check_rc(node_edit_prefs(d->a, &m, w->now, NULL));
}

static void read_status(struct testnet *w, const struct dev *d)
{
	struct ipn_status s;
	struct arena a;

	arena_init(&a, 1 << 20);
	memory_inside();
	check_rc(node_status(d->a, true, w->now, &a, &s));
	memory_outside();
	arena_fini(&a);
}

static void live(struct testnet *w, struct dev *d, struct dev *peer)
{
	ask_for_login(w, d);
	if (!d->a || !node_netmap(d->a) || !netmap_self(node_netmap(d->a)))
		return;
	(void)testnet_ping(w, d, peer);
	CHECK_INT(
		coord_node_rename(w->tailnet, testnet_member(w, peer)->id, "carl", w->now), ==, 0);
	testnet_run(w, SEC(1));
	change_prefs(w, d);
	read_status(w, d);
	testnet_run(w, SEC(5));
}

/* It may be waiting: for the hub, which it asks again later and later; for a path. */
static void check_works(struct testnet *w, struct dev *d, struct dev *peer)
{
	const struct coord_node_doc *n;
	bool reached = false, reached_back = false;

	if (!d->a || node_state(d->a) == IPN_NEEDS_LOGIN || node_state(d->a) == IPN_NO_STATE ||
		node_state(d->a) == IPN_STOPPED)
		ask_for_login(w, d);
	for (int i = 0; i < 120 && node_state(d->a) != IPN_RUNNING; i++)
		testnet_run(w, SEC(1));
	CHECK_INT(node_state(d->a), ==, IPN_RUNNING);
	change_prefs(w, d);
	for (int i = 0; i < 120 && !(reached && reached_back); i++) {
		testnet_run(w, SEC(1));
		reached = testnet_ping(w, d, peer);
		reached_back = testnet_ping(w, peer, d);
	}
	CHECK_TRUE(reached && reached_back);
	n = testnet_member(w, peer);
	CHECK_TRUE(netmap_peer(node_netmap(d->a), n->id) != NULL);
	CHECK_INT(strncmp(netmap_peer(node_netmap(d->a), n->id)->name, n->name, strlen(n->name)),
		==, 0);
	CHECK_TRUE(d->up && node_net_config(d->a)->up);
	CHECK_MEM(&d->id, node_identity(d->a), sizeof(d->id));
}

static void short_of_memory_a_device_is_there_later(void **state)
{
	size_t n = 1, step = 1;
	bool more = true;

	memory_outside();
	for (; more; n += step) {
		CHECK_ROW("allocation %zu", n);
		testnet_new(&net);
		testnet_join(&net, &net.dev[1], "bert");
		memory_refuse(n);
		live(&net, &net.dev[0], &net.dev[1]);
		more = memory_allow();
		check_works(&net, &net.dev[0], &net.dev[1]);
		testnet_free(&net);
		CHECK_TRUE(more || n > 200);
		step = n < 400 ? 1 : 7; /* most of what comes later is read from maps */
	}
	memory_inside();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_a_device_is_there_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
