/*
 * Two nodes, their relay between them, short of memory: nothing crashes, and when there is memory again, and the owner has told again
 * what was refused, packets flow and the path is direct. Calls of the engine are counted, the network around it is not: see the
 * meson.build, which puts the functions below between them.
 */
#include "testlib/memory_calls.h"
#include "tests/magicsock/rig.h"

#include <errno.h>

MEMORY_INSIDE(int, magicsock_new,
	(struct magicsock * *ret, const struct magicsock_cfg *cfg, struct now now), (ret, cfg, now))
MEMORY_INSIDE(int, magicsock_set_peer,
	(struct magicsock * m, const struct tc_node *n, const struct ipprefix *r, size_t n_r,
		struct now now),
	(m, n, r, n_r, now))
MEMORY_INSIDE(int, magicsock_set_derp_map,
	(struct magicsock * m, const struct tc_derp_map *map, struct now now), (m, map, now))
MEMORY_INSIDE_VOID(magicsock_set_local,
	(struct magicsock * m, const struct ipprefix *a, size_t n, uint16_t p4, uint16_t p6,
		bool changed, struct now now),
	(m, a, n, p4, p6, changed, now))
MEMORY_INSIDE_VOID(magicsock_send, (struct magicsock * m, struct pkt *p, size_t n, struct now now),
	(m, p, n, now))
MEMORY_INSIDE_VOID(magicsock_udp_in,
	(struct magicsock * m, struct magicsock_datagram *d, size_t n, struct now now),
	(m, d, n, now))
MEMORY_INSIDE(int, magicsock_relay_connected,
	(struct magicsock * m, int region, const struct node_pub *fast, struct now now),
	(m, region, fast, now))
MEMORY_INSIDE(int, magicsock_relay_feed,
	(struct magicsock * m, int region, const uint8_t *p, size_t len, struct now now),
	(m, region, p, len, now))
MEMORY_INSIDE_VOID(magicsock_relay_closed,
	(struct magicsock * m, int region, int rc, struct now now), (m, region, rc, now))
MEMORY_INSIDE_VOID(magicsock_tick, (struct magicsock * m, struct now now), (m, now))

/* The network, called from within. */
MEMORY_OUTSIDE(int, vnet_udp_send,
	(struct vnet_udp * u, struct ipport to, const void *p, size_t len), (u, to, p, len))
MEMORY_OUTSIDE(struct vnet_stream *, vnet_connect,
	(struct vnet_dev * d, struct ipport to, const struct vnet_stream_ops *ops, void *ctx),
	(d, to, ops, ctx))
MEMORY_OUTSIDE(struct vnet_stream *, vnet_stream_close, (struct vnet_stream * s), (s))

void __real_vnet_at(struct vnet *v, struct vnet_event *e, mono_ns at);
void __wrap_vnet_at(struct vnet *v, struct vnet_event *e, mono_ns at);
void __wrap_vnet_at(struct vnet *v, struct vnet_event *e, mono_ns at)
{
	memory_outside();
	__real_vnet_at(v, e, at);
	memory_inside();
}

static void set_peer(
	struct node *n, const struct tc_node *peer, const struct ipprefix routes[static 2])
{
	int rc = magicsock_set_peer(n->magicsock, peer, routes, 2, rig_now(n->w));

	CHECK_TRUE(rc == 0 || rc == -ENOMEM);
}

/* The peer's key ends and has time again, its routes are others, and it is another one: all that the hub may say. */
static void hear_of_changes(struct node *n, struct node *peer)
{
	struct ipport eps[ENDPOINTS_MAX];
	struct ipprefix routes[2];
	struct tc_node t;

	if (!n->magicsock)
		return;
	t = node_as_peer(peer, eps, &routes[0]);
	routes[1] = (struct ipprefix){ ipaddr_v4(10, 0, 0, 0), 8 };
	set_peer(n, &t, routes);
	t.expired = true;
	set_peer(n, &t, routes);
	t.expired = false;
	t.disco_key.b[0] ^= 1;
	set_peer(n, &t, routes);
	node_after(n);
}

static void live(struct rig *w, struct node *a, struct node *b)
{
	node_start(a);
	node_start(b);
	rig_run(w, SEC(1));
	if (a->magicsock)
		node_series(a, b, MSEC(200), SEC(2));
	hear_of_changes(a, b);
	rig_run(w, SEC(1));
}

/* What was refused the owner tells again: here, all of it. */
static void tell_again(struct rig *w, struct node *a, struct node *b)
{
	struct node *const both[] = { a, b };

	for (size_t i = 0; i < 2; i++) {
		if (!both[i]->magicsock)
			node_start(both[i]);
		CHECK_INT(magicsock_set_derp_map(both[i]->magicsock, &w->derp, rig_now(w)), ==, 0);
		node_set_local(both[i], false);
	}
	node_tell_now(a);
	node_tell_now(b);
	rig_run(w, SEC(3));
	node_tell_now(a);
	node_tell_now(b);
}

static void short_of_memory_the_path_is_direct_later(void **state)
{
	bool more = true;

	memory_outside();
	for (size_t n = 1; more; n++) {
		struct node *a, *b;
		struct rig w;
		uint16_t from;

		CHECK_ROW("allocation %zu", n);
		rig_open(&w, 7, 1);
		a = node_add(&w, &vnat_easy, NULL);
		b = node_add(&w, &vnat_easy, NULL);
		w.short_of_memory = true;
		memory_refuse(n);
		live(&w, a, b);
		more = memory_allow();
		w.short_of_memory = false;
		tell_again(&w, a, b);
		node_series(a, b, MSEC(500), SEC(20));
		CHECK_TRUE(node_is_direct(a, b));
		from = a->next_seq;
		node_series(a, b, MSEC(100), SEC(1));
		rig_run(&w, SEC(1));
		for (uint16_t seq = from; seq < a->next_seq; seq++)
			CHECK_TRUE(a->answered_at[seq] != 0);
		rig_close(&w);
		CHECK_TRUE(more || n > 50);
	}
	memory_inside();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_of_memory_the_path_is_direct_later),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
